"""One manifest entry, from its first write to its outcome.

Reads, writes and settles as `decide` says; decides nothing itself. What is written is journalled
before it is sent, and no way leads out of here without a settled fact or an open intent.
Never deletes a version and never sends a write that carries no precondition (but for the marker
onto a quiet key, which S3 offers none for).
Law: a 412 is never retried as it was, and a lost answer is never taken for a failure.
"""

from collections.abc import Awaitable
from dataclasses import replace

from backfill.errors import Disposition, StoreFault
from backfill.events.copying import EntryRetried
from backfill.execute.bench import Bench
from backfill.execute.chains import read_chain
from backfill.execute.codes import Code
from backfill.execute.decide import (
    as_it_stands,
    first_step,
    next_step,
    planned_step,
    surrendered,
)
from backfill.execute.endings import failure_of, is_proven, outcome_of, proof_of, unproven
from backfill.execute.evidence import compared, looked_at
from backfill.execute.extras import RefusedCopyError, extras_for
from backfill.execute.multipart import UploadHooks, copy_in_parts
from backfill.execute.request import (
    copy_request,
    goes_by_parts,
    hide_request,
    mark_absent_request,
)
from backfill.execute.uploads import OldUploads
from backfill.execute.views import (
    Adopt,
    Attempt,
    Chain,
    Compare,
    Copy,
    End,
    Hide,
    LookAtSource,
    Made,
    MarkAbsent,
    Step,
    View,
    Wait,
    Write,
    attempt_of,
    has_open_question,
)
from backfill.manifest.entries import ManifestEntry
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.model.store import Extras, MarkerResult, WriteResult
from backfill.ports import Intent

Chains = tuple[Chain, Chain]
"""Source and destination chain of one key."""

LOOKS_MAX = 6
"""How often a key is looked at again while live replication is at it. With pauses that double from
the settle delay (5 s) this is five minutes; most replicas arrive sooner (S3 User Guide:
replication), and what has not come then is settled without it."""
STEPS_MAX = 400
"""Steps of one entry: far more than rounds, looks and retries allow together; a loop that comes
here is a bug of ours, and it must not run for ever."""

_ARCHIVED_CODES = frozenset({"InvalidObjectState", "ObjectNotInActiveTierError"})
_UNDECIDED = (Disposition.RETRY, Disposition.SETTLE)


class Worker:
    """Works on one entry. `deliver` first; `review` if that left the outcome to a look back.

    Where the planned copy was sent already (see `crew`), `take_over` or `adopt` comes first.
    """

    def __init__(
        self, entry: ManifestEntry, bench: Bench, open_intents: tuple[Intent, ...] = ()
    ) -> None:
        self.entry = entry
        self._bench = bench
        self._intents = open_intents
        self._view = View(
            source=(),
            destination=(),
            attempts=tuple(
                Attempt(
                    seen_version_id=intent.seen_version_id,
                    source_version_id=intent.source_version_id,
                )
                for intent in open_intents
            ),
            can_hide=bench.allows_hiding or entry.replicates_delete_markers,
        )
        self._writes = max((intent.attempt for intent in open_intents), default=0)
        self._bytes = 0
        self._faults = 0
        self._read_faults = 0
        self._readings = 0
        self.looks = 0
        self.is_waiting = False
        self._sent: Attempt | None = None
        self._give_up: End | None = None
        self._uploads = OldUploads(bench, entry, open_intents)

    async def deliver(self, chains: Chains | None, *, defers_review: bool) -> Outcome | None:
        """Write and settle; None: the write stands, and `review` has to look at the key again.

        `chains` are source and destination, just read; None: the manifest's word is taken for the
        first write, whose preconditions hold it to that.

        Raises:
            StoreFault: with disposition STOP, which no entry survives.
            AbandonedError: the run is ending.
        """
        self._bench.budget.count_first_attempt()
        step: Step | None = None
        if self._intents:
            # What an earlier process began is settled before anything new is written.
            await self._uploads.abort_all_but_last()
        elif chains is not None:
            self._view = replace(self._view, source=chains[0], destination=chains[1])
            step = first_step(self.entry, self._view)
        else:
            step = planned_step(self.entry)
        return await self._advance(step, defers_review=defers_review)

    async def take_over(self, fault: StoreFault, chains: Chains | None) -> Outcome | None:
        """Go on where the planned copy, its intent durable, met a fault. Returns as `deliver`.

        `chains` are what was read before it, as planned; None: the manifest's word was taken.

        Raises:
            StoreFault, AbandonedError: as `deliver`.
        """
        step = self._planned_copy(chains)
        self._sent = attempt_of(step)
        return await self._advance(await self._after_fault(fault, step), defers_review=True)

    def adopt(self, result: WriteResult, chains: Chains | None) -> None:
        """Take the planned copy for ours, as S3 confirmed it; `review` comes next."""
        step = self._planned_copy(chains)
        self._stands(step, attempt_of(step), result)

    def _planned_copy(self, chains: Chains | None) -> Copy:
        step = planned_step(self.entry)
        assert isinstance(step, Copy), "only copies are begun elsewhere"
        if chains is not None:
            self._view = replace(self._view, source=chains[0], destination=chains[1])
        self._writes = 1
        return step

    async def review(self, chains: Chains | None) -> Outcome | None:
        """Look back at the key and mend what the window let through; None: look again later.

        `chains` are source and destination, read after the write; None: they are read here.
        """
        assert self._view.made is not None, "only a write that stands is looked back at"
        self.looks += self.is_waiting
        self.is_waiting = False
        self._readings = 0
        self._view = replace(self._view, has_waited=self.looks >= LOOKS_MAX)
        step: Step | None = None
        if chains is not None:
            self._view = replace(self._view, source=chains[0], destination=chains[1])
            step = next_step(self.entry, self._view)
        return await self._advance(step, defers_review=False)

    async def _advance(self, step: Step | None, *, defers_review: bool) -> Outcome | None:
        for _ in range(STEPS_MAX):
            try:
                step = self._meant(await self._fresh_step() if step is None else step)
                if not await self._uploads.make_way(step):
                    step = None
                    continue
                if isinstance(step, End):
                    return self._outcome(step)
                if isinstance(step, Wait):
                    self.is_waiting = True
                    return None
                if isinstance(step, Copy | Hide | MarkAbsent):
                    is_first = self._view.made is None
                    await self._write(step)
                    if not self.entry.has_other_writers:
                        return self._outcome(as_it_stands(self.entry, self._view, ""))
                    if is_first and defers_review:
                        return None
                    step = None
                else:
                    step = await self._learn(step)
            except StoreFault as fault:
                step = await self._after_fault(fault, step)
            except RefusedCopyError as refusal:
                self._give_up = End(kind=OutcomeKind.SKIPPED, code=refusal.code)
                step = None if has_open_question(self._view) else self._surrender(self._give_up)
        raise AssertionError("an entry ends within its limits")

    def _meant(self, step: Step) -> Step:
        """Return what is to be done: whoever has given up writes no more."""
        if self._give_up is not None and isinstance(step, Copy | Hide | MarkAbsent):
            return self._surrender(self._give_up)
        return step

    # --- Reading ---

    async def _fresh_step(self) -> Step:
        """Read both chains and decide."""
        self._readings += 1
        settings = self._bench.settings
        if self._readings > settings.rounds_redecide_max + settings.attempts_max:
            return self._surrender(End(kind=OutcomeKind.FAILED, code=Code.KEEPS_CHANGING))
        ports, header = self._bench.ports, self._bench.header
        # The destination first: what the source shows afterwards is at least as new.
        destination = await read_chain(
            ports.destination, self._bench.place(self.entry.destination), self.entry.key
        )
        source = await read_chain(ports.source, header.source, self.entry.key)
        self._view = replace(self._view, source=source, destination=destination)
        self._read_faults = 0
        return next_step(self.entry, self._view)

    async def _learn(self, step: Compare | LookAtSource | Adopt) -> Step | None:
        if isinstance(step, Adopt):
            self._view = replace(self._view, made=step.made, attempts=())
            self._give_up, self._faults = None, 0
            self._bytes += self.entry.size_bytes if step.made.source_version_id else 0
            if not self.entry.has_other_writers:
                return as_it_stands(self.entry, self._view, "")
            return next_step(self.entry, self._view)
        if isinstance(step, Compare):
            pair = (step.destination_version_id, step.source_version_id)
            likeness = await compared(self._bench, self.entry, step)
            self._view = replace(self._view, compared={**self._view.compared, pair: likeness})
            return next_step(self.entry, self._view)
        look = await looked_at(self._bench, self.entry, self._view, step.version_id)
        self._view = replace(self._view, looks={**self._view.looks, step.version_id: look})
        return None  # chains are read after the status: its replica is listed if COMPLETED

    # --- Writing ---

    async def _write(self, step: Write) -> None:
        attempt = attempt_of(step)
        self._writes += 1
        bytes_max = self._bench.settings.copy_object_bytes_max
        if isinstance(step, Copy) and goes_by_parts(
            self.entry, step, copy_object_bytes_max=bytes_max
        ):
            result: WriteResult | MarkerResult = await self._copy_in_parts(step, attempt)
        else:
            # Before the intent: what is refused here was never begun.
            extras = await extras_for(self._bench, self.entry, step)
            await self._intend(attempt)
            result = await self._send(step, attempt, extras)
        if not is_proven(result):
            # Success without proof, such as 200 with an empty body: only the chain can tell.
            self._sent = attempt
            raise unproven(step)
        self._stands(step, attempt, result)

    def _stands(self, step: Write, attempt: Attempt, result: WriteResult | MarkerResult) -> None:
        """Keep a write that S3 confirmed; looking back has patience of its own."""
        self._sent, self._faults = None, 0
        made = Made(
            version_id=result.version_id,
            etag=result.etag if isinstance(result, WriteResult) else None,
            source_version_id=attempt.source_version_id,
            seen_version_id=attempt.seen_version_id,
            checksum=proof_of(result),
        )
        self._view = replace(self._view, attempts=(), made=made)
        self._bytes += step.size_bytes if isinstance(step, Copy) else 0

    def _intend(self, attempt: Attempt, *upload: str) -> Awaitable[None]:
        """`upload` is the ID and the digest of one that is open."""
        seen_version_id, source_version_id = attempt.seen_version_id, attempt.source_version_id
        return self._bench.ports.journal.intend(
            Intent(self.entry.number, self._writes, seen_version_id, source_version_id, *upload)
        )

    async def _send(
        self, step: Write, attempt: Attempt, extras: Extras
    ) -> WriteResult | MarkerResult:
        store, place = self._bench.ports.destination, self._bench.place(self.entry.destination)
        self._sent = attempt
        if isinstance(step, Copy):
            source = self._bench.header.source
            return await store.copy_object(
                copy_request(self.entry, step, source=source, destination=place, extras=extras)
            )
        if isinstance(step, Hide):
            return await store.hide_object(hide_request(self.entry, step, place))
        return await store.mark_absent(mark_absent_request(self.entry, place))

    async def _copy_in_parts(self, step: Copy, attempt: Attempt) -> WriteResult:
        self._sent = None
        adopted, self._uploads.adopted = self._uploads.adopted, None

        async def opened(upload_id: str, digest: str) -> None:
            await self._intend(attempt, upload_id, digest)

        def completing() -> None:
            self._sent = attempt

        def lost() -> None:
            self._suspect(attempt)

        hooks = UploadHooks(opened=opened, completing=completing, lost=lost)
        return await copy_in_parts(self._bench, self.entry, step, hooks, adopted)

    def _suspect(self, attempt: Attempt) -> None:
        if replace(attempt, was_refused=False) not in self._view.attempts:
            self._view = replace(self._view, attempts=(*self._view.attempts, attempt))

    # --- After a fault ---

    async def _after_fault(self, fault: StoreFault, step: Step | None) -> Step | None:
        """Return the step to take again, None to read both chains and decide anew."""
        sent, self._sent = self._sent, None
        is_lost = fault.disposition is Disposition.SETTLE or fault.is_ambiguous
        if sent is not None and is_lost:
            self._suspect(sent)
        elif sent is not None and fault.disposition is Disposition.REDECIDE:
            # A request that was delivered twice meets itself: then this is the second answer.
            self._suspect(replace(sent, was_refused=True))
        if fault.disposition is Disposition.STOP:
            raise fault
        self._bench.errors[fault.code] += 1
        if fault.disposition in _UNDECIDED:
            is_write = isinstance(step, Copy | Hide | MarkAbsent)
            return await self._after_trouble(fault, step, is_write=is_write)
        if fault.disposition is Disposition.REDECIDE:
            await self._after_change(fault)
            return None
        return self._after_refusal(fault, step)

    async def _after_trouble(
        self, fault: StoreFault, step: Step | None, *, is_write: bool
    ) -> Step | None:
        if is_write:
            self._faults += 1
        else:
            self._read_faults += 1
        if max(self._faults, self._read_faults) >= self._bench.settings.attempts_max:
            return self._after_too_much_trouble(fault, is_write=is_write)
        self._bench.ports.events.emit(
            EntryRetried(
                number=self.entry.number,
                key=self.entry.key,
                operation=fault.operation,
                code=fault.code,
                attempt=max(self._faults, self._read_faults),
            )
        )
        await self._bench.pause(max(self._faults, self._read_faults), fault)
        is_again = is_write and fault.disposition is Disposition.RETRY and not fault.is_ambiguous
        return step if is_again else None

    def _after_too_much_trouble(self, fault: StoreFault, *, is_write: bool) -> Step | None:
        if self._view.made is not None and not self._view.has_waited:
            # Our write stands; the store may be well again when the key is looked at next.
            self._faults = self._read_faults = 0
            return Wait()
        ended = self._give_up or failure_of(fault)
        if is_write and self._give_up is None and has_open_question(self._view):
            # One more reading, to learn whether a lost attempt has succeeded.
            self._give_up = ended
            return None
        return self._surrender(ended)

    async def _after_change(self, fault: StoreFault) -> None:
        """412: the world is another one. 409: somebody is writing just now, so wait as well."""
        if fault.status == 409:
            await self._bench.pause(min(self._readings + 1, 6), fault)

    def _after_refusal(self, fault: StoreFault, step: Step | None) -> Step | None:
        is_write = isinstance(step, Copy | Hide | MarkAbsent)
        if fault.disposition is Disposition.SKIP and fault.code not in _ARCHIVED_CODES:
            # Gone, says one call; which side, and what is there now, only the chains tell.
            if is_write and self._view.made is None and not has_open_question(self._view):
                self._give_up = End(kind=OutcomeKind.SKIPPED, code=Code.VANISHED)
            return None
        ended = failure_of(fault)
        if fault.disposition is Disposition.SKIP:
            ended = End(kind=OutcomeKind.SKIPPED, code=Code.ARCHIVED, detail=fault.code)
        if is_write and has_open_question(self._view) and self._give_up is None:
            self._give_up = ended
            return None
        return self._surrender(ended, Code.NOT_MENDED if is_write else Code.NOT_REVIEWED)

    def _surrender(self, ended: End, unfinished: Code = Code.NOT_REVIEWED) -> End:
        return surrendered(self.entry, self._view, ended, unfinished)

    def _outcome(self, ended: End) -> Outcome:
        if leftover := self._uploads.leftover:
            ended = replace(ended, detail=f"{ended.detail} {leftover}".strip())
        return outcome_of(ended, self.entry, attempts=self._writes, bytes_copied=self._bytes)
