"""Guards of leases: with one taken away, a history of contenders breaks the law that it protects.

A fault that shows once in thousands of histories is told step by step in test_keeper.py instead.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from backfill.errors import StoreFault
from backfill.model.objects import ETag
from backfill.run_directory.on_s3 import lease as rules
from backfill.run_directory.on_s3.head import CatalogueRef, Head, encoded_head
from backfill.run_directory.on_s3.keeper import ATTEMPT_PAUSE_S, ATTEMPTS_MAX, LeaseKeeper
from backfill.run_directory.on_s3.lease import Observation, Standing
from tests.mutants.teeth import Kind, Mutant, Patch
from tests.simulation.checkers import Promise, Violation
from tests.simulation.leases import LEASE_S, BrokenLawError, lease_history
from tests.simulation.leases import Kind as Keeper


def ignores_the_gate(patch: Patch) -> None:
    """Whoever took the lease acts for ever."""
    patch.setattr(rules, "acts_until_s", lambda sent_at_s, _: sent_at_s + 1e9)


def acts_for_two_leases(patch: Patch) -> None:
    """No room is left between the last act and the next holder."""
    patch.setattr(rules, "acts_until_s", lambda sent_at_s, lease_s: sent_at_s + 2 * lease_s)


def waits_for_nobody(patch: Patch) -> None:
    """A silent holder is a dead one."""
    judged = rules.standing

    def standing(first: Observation | None, now: Observation | None) -> Standing:
        found = judged(first, now)
        return Standing.FREE if found is Standing.UNKNOWN else found

    patch.setattr(rules, "standing", standing)


def overtakes_a_living_holder(patch: Patch) -> None:
    """A holder that renewed is overtaken."""
    judged = rules.standing

    def standing(first: Observation | None, now: Observation | None) -> Standing:
        found = judged(first, now)
        return Standing.FREE if found is Standing.HELD else found

    patch.setattr(rules, "standing", standing)


def believes_every_age(patch: Patch) -> None:
    """S3's front ends are taken to agree about the time."""

    def standing(first: Observation | None, now: Observation | None) -> Standing:
        if now is not None and now.age_s is not None and now.age_s >= LEASE_S / 2:
            return Standing.FREE
        return judged(first, now)

    judged = rules.standing
    patch.setattr(rules, "standing", standing)


def trusts_its_own_wall_clock(patch: Patch) -> None:
    """The age is reckoned with this machine's clock, which may be off by days."""

    def standing(first: Observation | None, now: Observation | None) -> Standing:
        if now is not None and abs(now.at_s) >= LEASE_S:
            return Standing.FREE
        return judged(first, now)

    judged = rules.standing
    patch.setattr(rules, "standing", standing)


def takes_no_number_of_its_own(patch: Patch) -> None:
    """The fencing number stays what it was."""
    taken = rules.taken_head

    def taken_head(seen: Head | None, *, nonce: str, holder: str, lease_s: float) -> Head:
        head = taken(seen, nonce=nonce, holder=holder, lease_s=lease_s)
        return replace(head, fence=seen.fence if seen is not None else 1)

    patch.setattr(rules, "taken_head", taken_head)


def tries_the_same_twice(patch: Patch) -> None:
    """A renewal is the very same bytes as the last one that was tried."""
    following = rules.next_head

    def next_head(
        head: Head, *, beat: int, catalogue: CatalogueRef | None = None, is_released: bool = False
    ) -> Head:
        assert beat > head.beat
        return following(head, beat=head.beat + 1, catalogue=catalogue, is_released=is_released)

    patch.setattr(rules, "next_head", next_head)


class CallsEveryRefusalOurs(LeaseKeeper):
    """A 412 after an attempt of ours is taken for our write."""

    async def _is_written(self, derived: Callable[[Head | None], Head]) -> bool:
        try:
            is_written = await super()._is_written(derived)
        except StoreFault:
            is_written = False
        if not is_written:
            seen = await self._store.read_head(self._key)
            assert seen is not None
            self._note(derived(self._head), seen.etag, self._now_s())
        return True


class CallsEveryRefusalTheirs(LeaseKeeper):
    """A 412 after an attempt of ours is taken for somebody else's write."""

    async def _is_written(self, derived: Callable[[Head | None], Head]) -> bool:
        following = derived(self._head)
        data, sent_at_s = encoded_head(following), self._now_s()
        for _ in range(ATTEMPTS_MAX):
            try:
                etag = await self._store.write_head(self._key, data, replaces=self._etag)
            except StoreFault as fault:
                if fault.status == 412:
                    return False
                await self._clock.sleep(ATTEMPT_PAUSE_S)
            else:
                self._note(following, etag, sent_at_s)
                return True
        return False


class ReleasesWhatIsNotItsOwn(LeaseKeeper):
    """Who finds another holder's head goes on from it, and gives it back at the end."""

    async def _is_written(self, derived: Callable[[Head | None], Head]) -> bool:
        if not await super()._is_written(derived):
            seen = await self._store.read_head(self._key)
            assert seen is not None
            self._head, self._etag = self._decoded(seen), seen.etag
            return await super()._is_written(derived)
        return True


class ForgetsWhatItPublished(LeaseKeeper):
    """An earlier write that nobody heard of is gone on from without its catalogue."""

    async def _is_written(self, derived: Callable[[Head | None], Head]) -> bool:
        known = self._head

        def stale(head: Head | None) -> Head:
            found = derived(head)
            if known is None or head is None or head.nonce != self._holder.nonce:
                return found
            return replace(found, catalogue=derived(known).catalogue)

        return await super()._is_written(stale)


class CountsFromTheAnswer(LeaseKeeper):
    """A renewal counts for a lease longer than its request took."""

    def _note(self, head: Head, etag: ETag, sent_at_s: float) -> None:
        assert sent_at_s <= self._now_s()
        super()._note(head, etag, self._now_s() + LEASE_S)


@dataclass(slots=True)
class Table:
    """How histories are played: with which keeper, on a store that obeys conditions or does not."""

    keeper: Keeper = LeaseKeeper
    obeys: bool = True


TABLE = Table()


def _keeps(keeper: Keeper) -> Callable[[Patch], None]:
    def remove(patch: Patch) -> None:
        patch.setattr(TABLE, "keeper", keeper)

    remove.__name__, remove.__doc__ = keeper.__name__, keeper.__doc__
    return remove


def a_store_without_conditions(patch: Patch) -> None:
    """The head is written without If-Match and If-None-Match."""
    patch.setattr(TABLE, "obeys", False)


MUTANTS = tuple(
    Mutant(remove, Promise.ONE_HOLDER)
    for remove in (
        ignores_the_gate,
        acts_for_two_leases,
        waits_for_nobody,
        overtakes_a_living_holder,
        believes_every_age,
        trusts_its_own_wall_clock,
        takes_no_number_of_its_own,
        tries_the_same_twice,
        a_store_without_conditions,
        _keeps(CallsEveryRefusalOurs),
        _keeps(CallsEveryRefusalTheirs),
        _keeps(ReleasesWhatIsNotItsOwn),
        _keeps(ForgetsWhatItPublished),
        _keeps(CountsFromTheAnswer),
    )
)


def broken(seed: int) -> list[Violation]:
    """Return what a seed breaks."""
    with TemporaryDirectory(prefix="leases-") as folder:
        try:
            lease_history(seed, Path(folder), kind=TABLE.keeper, obeys=TABLE.obeys)
        except BrokenLawError as law:
            return [Violation(Promise.ONE_HOLDER, "", str(law))]
    return []


LEASES = Kind("leases", broken, MUTANTS)
