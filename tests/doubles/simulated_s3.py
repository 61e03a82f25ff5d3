"""The reference model as a living S3: history, live replication in time, and the wire to it.

Each request is a wait, one atomic step of the model, and another wait: everything interleaves.
Faults come through the product's one table (`backfill.aws.faults`). A process may die at any moment
(`Process.die`): from then on none of its calls does anything, but a request that was under way may
still have reached S3.
Law: whatever changes a chain is in the history.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import TypeVar

from backfill.aws.faults import store_fault
from backfill.errors import StoreFault
from backfill.model.objects import ListedEntry
from backfill.model.store import VersionsPage
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.model import S3Model
from backfill.sandbox.model.operations.listings import ListedVersion
from backfill.sandbox.model.versions import ObjectVersion
from backfill.sandbox.simulation.nemesis import (
    CONDITIONAL,
    JOB_WRITES,
    WRITES,
    Fault,
    Nemesis,
)
from tests.doubles import model_requests as translated
from tests.doubles.history import Chain, Changed, History, Listed, Retagged, Sent
from tests.doubles.model_requests import Parameters
from tests.doubles.troubles import REFUSALS, Troubles
from tests.doubles.virtual_clock import VirtualClock, pause

Result = TypeVar("Result")

_ANSWERS = {
    Fault.THROTTLE: ("SlowDown", 503),
    Fault.ERROR_BEFORE: ("InternalError", 500),
    Fault.ERROR_AFTER: ("InternalError", 500),
    Fault.CONFLICT: ("ConditionalRequestConflict", 409),
    Fault.EMPTY: ("NoETag", 200),
}
_CONTROL = frozenset({"CreateJob", "DescribeJob", "ListJobs", "GetJobTagging", "UpdateJobStatus"})
_CONTROL_ANSWERS = {
    Fault.THROTTLE: ("TooManyRequestsException", 400),
    Fault.ERROR_BEFORE: ("InternalServiceException", 500),
    Fault.ERROR_AFTER: ("InternalServiceException", 500),
    Fault.EMPTY: ("UnreadableReply", 200),
}
"""S3 Control's own words for the same things."""
_LOST = ("ConnectionClosedError", "HTTPClientError", "BotoCoreError")


class SimulatedS3:
    """The model, who watches it, and live replication on the loop's timers."""

    def __init__(self, model: S3Model, clock: VirtualClock, random: Random) -> None:
        self.model = model
        self.clock = clock
        self.random = random
        self.history = History()
        self.on_sent: Callable[[str, Parameters], None] = lambda _operation, _parameters: None
        """Told of every request that a process sends, before it is under way."""
        self.troubles = Troubles((), clock.monotonic_s)
        """What stands for a while, beside what strikes single requests."""
        self.zombie_s = 0.0
        """A write of a process that has died since may arrive up to so much later."""
        self._listed: dict[int, tuple[ListedVersion, ListedEntry]] = {}
        self._upload_sources: dict[str, ObjectVersion] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._jobs_timer: asyncio.TimerHandle | None = None

    def chain(self, bucket: str, key: str) -> Chain:
        """Return a key's entries, newest first."""
        return tuple(reversed(self.model.world.buckets[bucket].chain(key)))

    def listed(self, row: ListedVersion) -> ListedEntry:
        """Return a row of a listing as the SDK's client gives it; the same for the same row."""
        held = self._listed.get(id(row))
        if held is None:
            # The row is kept, too, so that no other gets its identity.
            held = self._listed[id(row)] = (row, translated.listed_entry(row))
        return held[1]

    def begin(self, *buckets: str) -> None:
        """Take what is stored for what was there before the first event."""
        for bucket in buckets:
            for key in self.model.world.buckets[bucket].keys:
                self.history.origins[bucket, key] = self.chain(bucket, key)

    def watched(
        self,
        act: Callable[[], Result],
        *,
        actor: str,
        operation: str,
        bucket: str,
        key: str,
        parameters: Parameters | None = None,
    ) -> Result:
        """Do one atomic step and record what it changed."""
        before = self.chain(bucket, key)
        source = self._source_of(parameters or {})
        try:
            return act()
        finally:
            self._note(before, actor, operation, bucket, key, source, parameters or {})
            self._expect_replication()

    def _note(
        self,
        before: Chain,
        actor: str,
        operation: str,
        bucket: str,
        key: str,
        source: ObjectVersion | None,
        parameters: Parameters,
    ) -> None:
        after = self.chain(bucket, key)
        names = [entry.version_id for entry in before], [entry.version_id for entry in after]
        sequences = [entry.sequence for entry in before], [entry.sequence for entry in after]
        if names[0] != names[1] or sequences[0] != sequences[1]:
            self.history.events.append(
                Changed(
                    at_s=self.clock.monotonic_s(),
                    actor=actor,
                    operation=operation,
                    bucket=bucket,
                    key=key,
                    before=before,
                    after=after,
                    source=source,
                    parameters=parameters,
                )
            )
            return
        for old, new in zip(before, after, strict=True):
            if not (isinstance(new, ObjectVersion) and isinstance(old, ObjectVersion)):
                continue
            if old.tags != new.tags:
                at_s = self.clock.monotonic_s()
                self.history.events.append(Retagged(at_s=at_s, version=new))

    def _source_of(self, parameters: Parameters) -> ObjectVersion | None:
        """Return the source version that a write carries, as it is right now."""
        if "CopySource" in parameters:
            source = translated.copy_source(parameters)
            bucket = self.model.world.buckets[source.bucket]
            there = (
                bucket.current(source.key)
                if source.version_id is None
                else bucket.find(source.key, source.version_id)
            )
            upload_id = translated.optional(parameters, "UploadId")
            found = there if isinstance(there, ObjectVersion) else None
            if upload_id is not None and found is not None:
                self._upload_sources.setdefault(upload_id, found)
            return found
        return self._upload_sources.get(translated.optional(parameters, "UploadId") or "")

    def _expect_replication(self) -> None:
        due_at = self.model.replication.next_due_at()
        if due_at is None or (self._timer is not None and not self._timer.cancelled()):
            return
        delay_s = max((due_at - self.clock.now()).total_seconds(), 0.0) + 1e-6
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._replicate)

    def _replicate(self) -> None:
        self._timer = None
        now = self.clock.now()
        due = [one for one in self.model.replication.pending() if one.due_at <= now]
        names = {(one.destination_bucket, one.key) for one in due}
        before = {name: self.chain(*name) for name in names}
        self.model.replication.advance(now)
        for (bucket, key), chain in sorted(before.items()):
            self._note(chain, "replication", "Replicate", bucket, key, None, {})
        self._expect_replication()

    def expect_jobs(self) -> None:
        """Let the jobs of S3 Batch Operations go on in their time; call it after each change."""
        if self._jobs_timer is not None:
            self._jobs_timer.cancel()
            self._jobs_timer = None
        due_at = self.model.batch_operations.next_due_at()
        if due_at is not None:
            delay_s = max((due_at - self.clock.now()).total_seconds(), 0.0) + 1e-6
            self._jobs_timer = asyncio.get_running_loop().call_later(delay_s, self._advance_jobs)

    def _advance_jobs(self) -> None:
        self._jobs_timer = None
        self.model.batch_operations.advance(self.clock.now())
        self._expect_replication()
        self.expect_jobs()

    @property
    def is_replicating(self) -> bool:
        return self.model.replication.next_due_at() is not None


@dataclass(slots=True)
class Process:
    """One life of the program under test."""

    name: str
    is_dead: bool = False
    on_death: list[Callable[[], object]] = field(default_factory=list)

    def die(self) -> None:
        """End at once: nothing that it still does has an effect."""
        if not self.is_dead:
            self.is_dead = True
            for call in self.on_death:
                call()

    def require_life(self) -> None:
        if self.is_dead:
            raise asyncio.CancelledError


@dataclass(slots=True, kw_only=True)
class Wire:
    """How requests of one identity travel: who sends them, what befalls them, how long it takes."""

    s3: SimulatedS3
    nemesis: Nemesis
    process: Process
    caller: Caller
    random: Random

    async def send(
        self,
        operation: str,
        parameters: Parameters,
        act: Callable[[Parameters], Result],
        *,
        seen: Callable[[Result], None] | None = None,
    ) -> Result:
        """Carry one request to the model and its answer back.

        `seen` is told what was read at the moment of reading, if the answer arrives.
        """
        self.process.require_life()
        is_write = operation in WRITES or operation in JOB_WRITES
        is_conditional = bool(parameters.keys() & {"IfMatch", "IfNoneMatch"})
        fault = self.nemesis.strike(operation, is_conditional=is_conditional)
        self._note_sent(operation, parameters, fault)
        self.s3.on_sent(operation, parameters)
        step = partial(self._step, operation, parameters, act)
        try:
            is_late = fault is Fault.DELAY and self.random.random() < 0.5
            await self._wait(is_late=is_late, longest_s=0.5 if operation in CONDITIONAL else 0.12)
        except asyncio.CancelledError:
            # It was on its way: perhaps S3 gets it all the same, and nobody hears of it.
            if is_write and self.random.random() < 0.5:
                self._arrive_unheard(step)
            raise
        answer: Result | StoreFault | None = None
        if fault in (None, Fault.DELAY, Fault.DUPLICATE) or self.nemesis.is_applied(fault):
            answer = _answer_of(step)
        mark = len(self.s3.history.events)
        if fault is Fault.DUPLICATE:
            await self._wait()
            # Who was let in once is not refused a moment later.
            deliver = partial(self._delivered, operation, parameters, act)
            is_refused = isinstance(answer, StoreFault) and answer.code in REFUSALS
            answer = answer if is_refused else _answer_of(deliver)
        await self._wait(is_late=fault is Fault.DELAY)
        self.process.require_life()
        if fault in (None, Fault.DELAY, Fault.DUPLICATE):
            if isinstance(answer, StoreFault):
                raise answer
            assert answer is not None, "a request that passes is answered"
            if seen is not None:
                self._note_seen(mark, parameters, answer)
            return answer
        raise self._fault(operation, parameters, fault)

    def _arrive_unheard(self, step: Callable[[], object]) -> None:
        """Let a request take effect that nobody waits for any more: now, or as a zombie's."""

        def act() -> None:
            with suppress(StoreFault):
                step()

        if not self.s3.zombie_s:
            act()
            return
        delay_s = self.random.random() * self.s3.zombie_s
        asyncio.get_running_loop().call_later(delay_s, act)

    def _note_sent(self, operation: str, parameters: Parameters, fault: Fault | None) -> None:
        if operation in WRITES or operation in JOB_WRITES or fault is not None:
            self.s3.history.events.append(
                Sent(
                    at_s=self.s3.clock.monotonic_s(),
                    actor=self.process.name,
                    operation=operation,
                    parameters=parameters,
                    fault=fault.value if fault else "",
                )
            )

    def _note_seen(self, mark: int, parameters: Parameters, answer: object) -> None:
        assert isinstance(answer, VersionsPage), "only listings are remembered"
        self.s3.history.events.append(
            Listed(
                at_s=self.s3.clock.monotonic_s(),
                actor=self.process.name,
                bucket=translated.text(parameters, "Bucket"),
                prefix=translated.optional(parameters, "Prefix") or "",
                first=translated.optional(parameters, "KeyMarker") or "",
                last=answer.entries[-1].key if answer.next_position and answer.entries else None,
                seen=mark,
            )
        )

    async def _wait(self, *, is_late: bool = False, longest_s: float = 0.12) -> None:
        draw = self.random.random()
        if is_late:
            await pause(draw * 6.0)
        elif draw < 0.3:
            await asyncio.sleep(0)
        else:
            await pause(draw * draw * longest_s)

    def _step(
        self, operation: str, parameters: Parameters, act: Callable[[Parameters], Result]
    ) -> Result:
        bucket = translated.optional(parameters, "Bucket") or ""
        refusal = self.s3.troubles.refusal(self.caller.account_id, operation, parameters)
        if refusal is not None:
            code, status = refusal
            raise store_fault(operation=operation, code=code, status=status, bucket=bucket)
        return self._delivered(operation, parameters, act)

    def _delivered(
        self, operation: str, parameters: Parameters, act: Callable[[Parameters], Result]
    ) -> Result:
        bucket = translated.optional(parameters, "Bucket") or ""
        try:
            if operation not in WRITES:
                return act(parameters)
            return self.s3.watched(
                lambda: act(parameters),
                actor=self.process.name,
                operation=operation,
                bucket=bucket,
                key=translated.text(parameters, "Key"),
                parameters=parameters,
            )
        except S3Error as error:
            # A HEAD answer has no body, so the SDK has only the status to tell.
            is_bare = operation == "HeadObject" and error.status not in (400, 403)
            raise store_fault(
                operation=operation,
                code=str(error.status) if is_bare else error.code,
                status=error.status,
                bucket=bucket,
                message=error.message,
            ) from error

    def _fault(self, operation: str, parameters: Parameters, fault: Fault) -> StoreFault:
        bucket = translated.optional(parameters, "Bucket") or ""
        answers = _CONTROL_ANSWERS if operation in _CONTROL else _ANSWERS
        code, status = answers.get(fault, (_LOST[0], 0))
        kinds = () if fault in answers else _LOST
        return store_fault(
            operation=operation, code=code, status=status, bucket=bucket, kinds=kinds
        )


def _answer_of(step: Callable[[], Result]) -> Result | StoreFault:
    try:
        return step()
    except StoreFault as fault:
        return fault
