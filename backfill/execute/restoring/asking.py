"""One look at archived versions: a HEAD of each, and a RestoreObject where one is due.

What is about to be asked for is counted durably before (see `ledger`), because S3 bills it; of a
run directory on S3, there.
Never waits and never copies.
Law: what S3 was asked to restore never exceeds the budget, however often the run is interrupted.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, NamedTuple

from backfill.campaign import RestoreOptions
from backfill.errors import BackfillError, Disposition, StoreFault
from backfill.execute.bench import Bench
from backfill.execute.codes import Code
from backfill.execute.restoring.keys import ArchivedKey, ArchivedVersion
from backfill.execute.restoring.ledger import Ledger, decoded, encoded, with_asked
from backfill.model.archives import (
    CLASSES,
    Access,
    Archive,
    Retrieved,
    access_to,
    archive_of,
    expiry_of,
    has_tier,
)
from backfill.model.outcome import OutcomeKind
from backfill.model.store import RestoreRequest

CALLS_AT_ONCE: Final = 32
"""S3 takes 1,000 restore requests a second of an account (S3 User Guide: archival-storage), and
each answers in tens of milliseconds."""
EXPIRES_SOON: Final = timedelta(hours=2)
"""A restored copy that has less left is given its days again, which costs a request: its key may
have to wait for a slot, and a large object takes its time."""

_DENIED: Final = frozenset({"AccessDenied", "403"})
_PASSING: Final = (Disposition.RETRY, Disposition.SETTLE)


class GivenUp(NamedTuple):
    """Why a version is not restored: what its rows end with."""

    kind: OutcomeKind
    code: str
    detail: str


@dataclass(slots=True, kw_only=True)  # follows one version through a look
class Look:
    """One look at a version. It waits, or is given up, or (neither of both) can be read."""

    key: str
    version: ArchivedVersion
    archive: Archive | None = None
    access: Access = Access.READABLE
    given_up: GivenUp | None = None
    was_counted: bool = False
    """An earlier request for it was counted, and nobody knows yet what became of it."""

    @property
    def is_waiting(self) -> bool:
        """Whether it has to be looked at again."""
        return self.given_up is None and self.access is not Access.READABLE


class Asking:
    """Looks at versions, and keeps the ledger of one shard.

    `name` is the ledger's document. Raises ArtifactDamagedError where it cannot be read any more.
    """

    def __init__(self, bench: Bench, options: RestoreOptions, name: str) -> None:
        self._bench, self._options, self._name = bench, options, name
        data = bench.ports.artifacts.read_document(name)
        kept = None if data is None else decoded(data, name)
        self.ledger = replace(kept or Ledger(tier="", days=0), tier=options.tier, days=options.days)
        # An earlier process counted them, and may not have come to asking.
        self._counted = set(self.ledger.opened)

    def keep(self, ledger: Ledger) -> None:
        """Make a ledger durable on this disk."""
        self.ledger = replace(ledger, opened=frozenset(self._counted))
        self._bench.ports.artifacts.write_document(self._name, encoded(self.ledger))

    async def look(self, keys: Sequence[ArchivedKey]) -> list[list[Look]]:
        """Look at the versions of each key, and ask for those that have to be restored.

        Raises:
            BackfillError: a fault that no entry survives, or a run directory that cannot be kept.
        """
        looks = [[Look(key=key.key, version=each) for each in key.versions] for key in keys]
        everything = [look for of_key in looks for look in of_key]
        await self._for_each(self._read, everything)
        # What is seen under way, or done, was asked for by whoever counted it.
        self._counted.difference_update(
            look.version.number
            for look in everything
            if look.archive is not None and look.access is not Access.ARCHIVED
        )
        asked = [look for look in everything if look.access is Access.ARCHIVED and self._fits(look)]
        if asked:
            now = self._bench.ports.clock.now()
            self.keep(replace(self.ledger, begun_at=self.ledger.begun_at or now))
            await self._bench.ports.keep()
            try:
                await self._for_each(self._ask, asked)
            finally:
                self.keep(self.ledger)
        return looks

    async def _for_each(
        self, act: Callable[[Look], Awaitable[None]], looks: Sequence[Look]
    ) -> None:
        """Act on each; after an error none is begun, and those under way are answered."""
        left: Iterator[Look] = iter(looks)
        errors: list[BackfillError] = []

        async def work() -> None:
            for look in left:
                if errors:
                    return
                try:
                    await act(look)
                except BackfillError as error:
                    errors.append(error)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(CALLS_AT_ONCE, len(looks))):
                group.create_task(work())
        if errors:
            raise errors[0]

    # --- One version ---

    async def _read(self, look: Look) -> None:
        """Learn whether a version can be read now."""
        ports, source = self._bench.ports, self._bench.header.source
        try:
            head = await ports.source.head_object(
                source, look.key, version_id=look.version.version_id
            )
        except StoreFault as fault:
            self._note(fault)
            if fault.disposition in _PASSING:
                look.access = Access.RESTORING  # nobody knows: it is looked at again
            # What is gone, or kept from us, ends as the copy finds it.
            return
        now = ports.clock.now()
        look.archive, look.access = archive_of(head), access_to(head, now)
        expires_at = expiry_of(head)
        is_short = expires_at is not None and expires_at - now < EXPIRES_SOON
        if look.access is Access.READABLE and look.archive in CLASSES and is_short:
            await self._extend(look)

    async def _extend(self, look: Look) -> None:
        """Give a restored copy its days again; if that fails, it is read while it is there."""
        try:
            await self._bench.ports.source.restore_object(self._request(look))
        except StoreFault as fault:
            self._note(fault)
        else:
            self.ledger = replace(self.ledger, extended=self.ledger.extended + 1)

    async def _ask(self, look: Look) -> None:
        """Ask for a restore, which was counted; if S3 refuses, it is counted no more.

        Raises:
            BackfillError: the identity may not, or a fault that no entry survives.
        """
        number = look.version.number
        try:
            is_begun = await self._bench.ports.source.restore_object(self._request(look))
        except StoreFault as fault:
            self._note(fault)
            if fault.disposition is Disposition.SETTLE or fault.is_ambiguous:
                # The next look tells; if it was lost, it is asked for again, and counted once.
                return
            if look.was_counted and fault.disposition is Disposition.REDECIDE:
                # Under way already: by that earlier request, which is billed.
                self._counted.discard(number)
            else:
                self._uncount(look)
            if fault.code in _DENIED:
                # It is the identity that may not, for all versions alike: a person mends that.
                raise self._bench.ports.error_of(fault) from fault
            self._after_refusal(look, fault)
        else:
            self._counted.discard(number)
            look.access = Access.RESTORING if is_begun else Access.READABLE

    def _after_refusal(self, look: Look, fault: StoreFault) -> None:
        """A refusal was not billed: the version is looked at again, copied or given up."""
        match fault.disposition:
            case Disposition.RETRY:
                pass  # not now: it stays archived, and is asked for after the next look
            case Disposition.REDECIDE:
                look.access = Access.RESTORING
            case Disposition.SKIP:
                look.access = Access.READABLE
            case _:
                look.given_up = GivenUp(OutcomeKind.FAILED, fault.code, fault.message)

    def _request(self, look: Look) -> RestoreRequest:
        return RestoreRequest(
            place=self._bench.header.source,
            key=look.key,
            version_id=look.version.version_id,
            tier=self._options.tier,
            # From an archive tier a version comes back for good, and days are refused.
            days=self._options.days if look.archive in CLASSES else None,
        )

    def _note(self, fault: StoreFault) -> None:
        self._bench.errors[fault.code] += 1
        if fault.disposition is Disposition.STOP:
            raise self._bench.ports.error_of(fault) from fault

    # --- The budget ---

    def _fits(self, look: Look) -> bool:
        """Count a version that is archived, if it may be asked for; else give it up."""
        assert look.archive is not None, "what is archived lies in an archive"
        version, tier = look.version, self._options.tier
        if not has_tier(look.archive, tier):
            detail = f"{look.archive} has no {tier} retrieval"
            look.given_up = GivenUp(OutcomeKind.SKIPPED, Code.ARCHIVED, detail)
            return False
        if version.number in self._counted:
            look.was_counted = True
            return True
        ledger = self.ledger
        if ledger.asked_bytes + version.size_bytes > self._options.bytes_max:
            left_bytes = max(0, self._options.bytes_max - ledger.asked_bytes)
            detail = f"{version.size_bytes} bytes, and {left_bytes} are left of the budget"
            look.given_up = GivenUp(OutcomeKind.SKIPPED, Code.RESTORE_BUDGET, detail)
            one = Retrieved(restores=1, size_bytes=version.size_bytes)
            self.ledger = replace(ledger, left_out=ledger.left_out + one)
            return False
        self._counted.add(version.number)
        asked = with_asked(ledger.asked, look.archive, version.size_bytes)
        self.ledger = replace(ledger, asked=asked)
        return True

    def _uncount(self, look: Look) -> None:
        assert look.archive is not None, "it was counted by it"
        self._counted.discard(look.version.number)
        asked = with_asked(self.ledger.asked, look.archive, look.version.size_bytes, times=-1)
        self.ledger = replace(self.ledger, asked=asked)
