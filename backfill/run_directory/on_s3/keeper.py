"""Taking, renewing and giving back the lease: the only writer of `head.json`.

Each write is conditional on the head as this holder wrote or read it last. What became of a write
without a clear answer is settled by reading: bytes that are ours to the last one are our write.
Never takes a head that changed under its eyes for its own, and never writes on after that.
Law: after `LeaseLostError` this keeper writes nothing, and its gate is shut for good.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from backfill.errors import (
    ArtifactDamagedError,
    BackfillError,
    Disposition,
    LeaseHeldError,
    RefusedError,
    StoreFault,
)
from backfill.events.holding import LeaseAwaited, LeaseRenewalFailed, LeaseTaken
from backfill.model.escaping import visible_text
from backfill.model.objects import ETag
from backfill.ports import Clock, Event
from backfill.ports.run_store import HeadSeen, RunStore
from backfill.run_directory.on_s3 import lease as rules
from backfill.run_directory.on_s3.gate import LeaseGate, lease_lost
from backfill.run_directory.on_s3.head import CatalogueRef, Head, decoded_head, encoded_head
from backfill.run_directory.on_s3.lease import Observation, Standing
from backfill.run_directory.on_s3.location import HEAD_NAME, PROBE_NAME, S3Location

LOOKS_MAX: Final = 4 * rules.LOOKS_IN_A_LEASE
"""A contender knows after one lease; the rest is for lost races."""
ATTEMPTS_MAX: Final = 8
"""Of one change of the head. Each is a request of milliseconds, with a pause before the next."""
ATTEMPT_PAUSE_S: Final = 0.2
GIVEN_UP_AFTER_LEASES: Final = 5
"""A holder that cannot renew for so long pauses no more: it ends, and somebody may look why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """What a process says of itself while it holds a run directory, and how long it may be silent.

    `nonce` is a word that nobody else has.
    """

    nonce: str
    words: str
    lease_s: float


class LeaseKeeper:
    """One contender for one run directory, and its holder once it has taken it.

    `now_s` is the clock of `gate.machine_s`; `clock` paces.
    """

    def __init__(
        self,
        store: RunStore,
        location: S3Location,
        *,
        clock: Clock,
        now_s: Callable[[], float],
        holder: Holder,
        tell: Callable[[Event], None],
    ) -> None:
        self._store = store
        self._location = location
        self._key = location.key(HEAD_NAME)
        self._clock = clock
        self._now_s = now_s
        self._holder = holder
        self._lease_s = holder.lease_s
        self._tell = tell
        self._writing = asyncio.Lock()
        self._head: Head | None = None
        self._etag: ETag | None = None
        self._sent_at_s = float("-inf")
        # Of the last write that was tried. One that nobody heard of may have taken effect long ago:
        # were the next one its equal, it would pass for a renewal of now.
        self._beat = 0
        self._gate: LeaseGate | None = None
        self._loss: BackfillError | None = None

    @property
    def head(self) -> Head:
        """The head as this holder wrote it last."""
        assert self._head is not None, "the lease was taken"
        return self._head

    @property
    def loss(self) -> BackfillError | None:
        """What this holder lost the lease by; None while it has it."""
        return self._loss

    def guard(self, gate: LeaseGate) -> None:
        """Move this gate from now on."""
        self._gate = gate
        self._open_gate()

    async def look(self) -> Head | None:
        """Return the head as it is now, for who only reads."""
        seen = await self._store.read_head(self._key)
        return self._decoded(seen) if seen is not None else None

    async def observe(self) -> Observation | None:
        """Return the head and how old S3 says that it is, for who asks whether its holder lives."""
        seen = await self._store.read_head(self._key)
        return self._observed(seen, self._decoded(seen)) if seen is not None else None

    async def take(self, *, is_dead: Callable[[Head], bool] = lambda _: False) -> Head | None:
        """Take the lease, waiting while nobody knows whether its holder lives.

        `is_dead` knows of a holder that it has ended. Returns the head that was there before.

        Raises:
            LeaseHeldError: Its holder lives.
            RefusedError: The store has no conditional writes.
            ArtifactDamagedError: The head is none.
        """
        if not await self._store.has_conditional_writes(self._location.key(PROBE_NAME)):
            raise RefusedError(
                f"the store of {self._location.url} ignores the conditions of PutObject, so that"
                " two runs could write over each other",
                hint="use a store with If-None-Match and If-Match (Amazon S3 has them), or a local"
                " --run-dir",
            )
        first: Observation | None = None
        for _ in range(LOOKS_MAX):
            seen = await self._store.read_head(self._key)
            head = self._decoded(seen) if seen is not None else None
            now = self._observed(seen, head)
            verdict = rules.standing(first, now)
            if verdict is Standing.HELD:
                break
            if verdict is Standing.FREE or (head is not None and is_dead(head)):
                if await self._has_taken(head, now.etag if now is not None else None):
                    return head
                continue  # somebody was quicker: the next look shows who
            if first is None and now is not None:
                first = now
                self._tell(LeaseAwaited(holder=now.head.holder, lease_s=now.head.lease_s))
            await self._clock.sleep(rules.look_pause_s(now.head.lease_s if now else self._lease_s))
        raise self._held(head)

    async def renew(self) -> None:
        """Renew the lease; raises LeaseLostError, or a StoreFault that may pass."""
        await self.write()

    async def keep(self) -> None:
        """Renew the lease for as long as it is had; ends with what it was lost by.

        Raises:
            LeaseLostError: Somebody else has it, or nobody heard of this holder for too long.
            StoreFault: The bucket refuses this holder: nothing that passes by itself.
        """
        while True:
            await self._clock.sleep(rules.renewal_pause_s(self._lease_s))
            try:
                await self.renew()
            except StoreFault as fault:
                if is_refusal(fault):
                    self._shut()
                    raise
                silent_s = self._now_s() - self._sent_at_s
                self._tell(LeaseRenewalFailed(code=fault.code, silent_s=round(silent_s, 1)))
                if silent_s > GIVEN_UP_AFTER_LEASES * self._lease_s:
                    raise self._lost(lease_lost(self._location.url)) from fault

    async def write(
        self, *, catalogue: CatalogueRef | None = None, is_released: bool = False
    ) -> None:
        """Write the next head.

        Raises:
            LeaseLostError: Somebody else wrote it.
            StoreFault: It could not be written, or told; the next call settles that.
        """
        async with self._writing:
            if self._loss is not None:
                raise self._loss

            def following(head: Head | None) -> Head:
                assert head is not None, "the lease was taken"
                self._beat = max(self._beat, head.beat) + 1
                return rules.next_head(
                    head, beat=self._beat, catalogue=catalogue, is_released=is_released
                )

            if not await self._is_written(following):
                raise self._lost(await self._loss_by())

    async def _has_taken(self, seen: Head | None, etag: ETag | None) -> bool:
        self._head, self._etag = seen, etag
        taken = await self._is_written(
            lambda head: rules.taken_head(
                head, nonce=self._holder.nonce, holder=self._holder.words, lease_s=self._lease_s
            )
        )
        if not taken:
            self._head, self._etag = None, None
            return False
        self._tell(
            LeaseTaken(
                run_directory=self._location.url,
                fence=self.head.fence,
                is_after_another=seen is not None and not seen.is_released,
            )
        )
        return True

    async def _is_written(self, derived: Callable[[Head | None], Head]) -> bool:
        """Write the head that follows the one that is known; return whether it is there now."""
        following = derived(self._head)
        first_sent_at_s = self._now_s()
        for _ in range(ATTEMPTS_MAX):
            data, sent_at_s = encoded_head(following), self._now_s()
            try:
                etag = await self._store.write_head(self._key, data, replaces=self._etag)
            except StoreFault as fault:
                failed = fault
            else:
                self._note(following, etag, sent_at_s)
                return True
            if failed.disposition in _UNSETTLED:
                seen = await self._store.read_head(self._key)
                if seen is not None and seen.data == data:
                    # Ours, and nobody knows by which attempt: it counts from the first.
                    self._note(following, seen.etag, first_sent_at_s)
                    return True
                if (seen.etag if seen is not None else None) != self._etag:
                    head = self._decoded(seen) if seen is not None else None
                    if seen is None or head is None or head.nonce != self._holder.nonce:
                        return False
                    # An earlier write of ours, whose answer nobody heard: go on from it.
                    self._head, self._etag, following = head, seen.etag, derived(head)
            elif failed.disposition is not Disposition.RETRY:
                raise failed
            await self._clock.sleep(ATTEMPT_PAUSE_S)
        raise failed

    def _note(self, head: Head, etag: ETag, sent_at_s: float) -> None:
        self._head, self._etag, self._sent_at_s = head, etag, sent_at_s
        self._open_gate()

    def _open_gate(self) -> None:
        if self._gate is not None and self._head is not None and self._loss is None:
            is_over = self._head.is_released
            until_s = 0.0 if is_over else rules.acts_until_s(self._sent_at_s, self._lease_s)
            self._gate.open_until(until_s)

    def _lost(self, loss: BackfillError) -> BackfillError:
        self._loss = loss
        self._shut()
        return loss

    def _shut(self) -> None:
        if self._gate is not None:
            self._gate.shut_for_good()

    async def _loss_by(self) -> BackfillError:
        try:
            head = await self.look()
        except StoreFault:
            return lease_lost(self._location.url)
        if head is None:
            return ArtifactDamagedError(
                f"{self._location.url_of(HEAD_NAME)} is gone: somebody deleted it",
                hint="restore it, or run the same command again: it begins anew there, and what was"
                " delivered is recognised",
            )
        return lease_lost(self._location.url, visible_text(head.holder))

    def _observed(self, seen: HeadSeen | None, head: Head | None) -> Observation | None:
        if seen is None or head is None:
            return None
        return Observation(
            head=head, etag=seen.etag, age_s=seen.age_s, at_s=self._clock.monotonic_s()
        )

    def _decoded(self, seen: HeadSeen) -> Head:
        return decoded_head(seen.data, self._location.url_of(HEAD_NAME))

    def _held(self, head: Head | None) -> LeaseHeldError:
        who = visible_text(head.holder) if head is not None else "another process"
        return LeaseHeldError(
            f"the run directory {self._location.url} is in use by {who}",
            hint="wait until it ends, or choose another --run-dir; backfill status looks without"
            " holding it",
        )


def is_refusal(fault: StoreFault) -> bool:
    """Return whether the bucket has said no to this holder, who need not ask again.

    A denial, a bucket that is gone, credentials that are over; no outage and no throttling.
    """
    is_final = fault.disposition in (Disposition.FAIL, Disposition.STOP)
    return is_final and 400 <= fault.status < 500


_UNSETTLED: Final = frozenset({Disposition.REDECIDE, Disposition.SETTLE, Disposition.SKIP})
"""After these only the head itself tells. SKIP is the 404 of a head that was to be replaced."""
