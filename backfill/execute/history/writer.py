"""One history: every version written over the one before it, or the reason why no more are.

What may be there without a record (an answer was lost, a process died, a journal lost its tail) is
recognised at the destination: in order, by its kind, its content proven. Identical bytes in a row
have equal ETags, so an ETag alone tells nothing here.
Never writes above what it cannot explain, and never two versions at a time.
Law: every row ends, oldest first; where one ends without a version, all newer ones do.
"""

from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from itertools import islice
from typing import Final

from backfill.errors import Disposition, StoreFault
from backfill.events.copying import EntryRetried
from backfill.execute.bench import AbandonedError, Bench
from backfill.execute.chains import Density, pages_along
from backfill.execute.codes import Code
from backfill.execute.endings import failure_of, is_proven, outcome_of, proof_of, unproven
from backfill.execute.evidence import compared, has_same_tags, is_unaltered
from backfill.execute.extras import RefusedCopyError, extras_for
from backfill.execute.history.cutting import History
from backfill.execute.history.ends import (
    after_writing,
    before_writing,
    kept_back,
    shown,
    skipped,
    stands,
    suspended,
)
from backfill.execute.history.ledger import Ledger
from backfill.execute.history.steps import Top, top_of, write_over
from backfill.execute.history.walks import DestinationWalk, KnownChain, SourceWalk, is_same_kind
from backfill.execute.multipart import UploadHooks, copy_in_parts
from backfill.execute.request import (
    copy_request,
    goes_by_parts,
    hide_request,
    mark_absent_request,
)
from backfill.execute.uploads import OldUploads
from backfill.execute.views import Compare, Copy, End, Hide, Likeness, Made, Write
from backfill.manifest.entries import ManifestEntry
from backfill.model.objects import NULL_VERSION_ID, ListedEntry
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.model.store import MarkerResult, WriteResult
from backfill.plan.routes import Route
from backfill.ports import Intent

INTENTS_AHEAD: Final = 128
"""Versions whose intents are one commit, made while those before them are written: so no version
waits for a disk. An intent whose write was never sent costs the next process nothing."""
STEPS_MAX: Final = 100
"""Steps of one version: far more than retries and new looks allow together."""

_UNDECIDED: Final = (Disposition.RETRY, Disposition.SETTLE)
_DOUBT: Final = "An attempt may have been applied."
_ARCHIVED_CODES: Final = frozenset({"InvalidObjectState", "ObjectNotInActiveTierError"})


class HistoryWriter:
    """Writes one history: `start`, then `write`, and `review` if `last` is there then."""

    def __init__(
        self,
        history: History,
        bench: Bench,
        intents: MutableMapping[int, list[Intent]],
        tell: Callable[[ManifestEntry, Outcome], None],
    ) -> None:
        self.history = history
        self.ledger = Ledger(history, bench.ports.journal)
        self._bench = bench
        self._intents = intents
        self._tell = tell
        self._top: Top | None = None
        self._above: deque[ListedEntry] = deque()
        """What lies above all that is known, oldest first."""
        self._end: End | None = None
        """What keeps back all that is left."""
        self._before = b"", b""
        self._has_written = self._is_groundless = False
        self.last: Outcome | None = None
        """Of the newest version, once it stands: concluded after the look back."""
        self._begin_row(())

    def _begin_row(self, intents: tuple[Intent, ...]) -> None:
        self._give_up: End | None = None
        self._has_intent = bool(intents)
        self._writes = max((intent.attempt for intent in intents), default=0)
        self._faults = self._read_faults = self._changes = 0
        self._is_sent = self._is_doubtful = self._suspects_source = False

    @property
    def _is_attempted(self) -> bool:
        """Return whether the version at hand may have been written without an answer."""
        return self._has_intent or self._writes > 0

    # --- Looks at the whole key ---

    def start(self, source: SourceWalk, destination: DestinationWalk) -> None:
        """Take what both chains showed before the first write."""
        self._before = source.end(), destination.end()
        self._end = before_writing(source, destination)
        if self.ledger.gap is not None:
            row, outcome = self.ledger.gap
            self._end = kept_back(row, End(kind=outcome.kind, code=outcome.code))
        self._top = None if destination.top is None else top_of(destination.top)
        # Where the known top is gone, or too much lies above, nothing tells what is ours of that.
        is_lost = destination.top is None and destination.missing is not None
        self._is_groundless = is_lost or destination.is_too_long
        if not self._is_groundless:
            self._above.extend(reversed(destination.above))

    def blind(self, fault: StoreFault) -> None:
        """Take that the key could not be looked at."""
        self._end = failure_of(fault)

    def review(self, source: SourceWalk, destination: DestinationWalk) -> Outcome:
        """Return the newest version's outcome by what both chains show after the last write."""
        assert self.last is not None, "there is something to look back at"
        ended = after_writing(source, destination, before=self._before)
        return self.last if ended is None else self._noted(ended)

    def unreviewed(self, fault: StoreFault) -> Outcome:
        """Return the newest version's outcome where the key could not be looked at again."""
        return self._noted(skipped(Code.NOT_REVIEWED, str(fault)))

    def _noted(self, ended: End) -> Outcome:
        assert self.last is not None, "the newest version stands"
        noted = outcome_of(ended, self.history.newest, attempts=0, bytes_copied=0)
        return self.last._replace(code=noted.code, detail=noted.detail)

    # --- Writing ---

    async def write(self) -> None:
        """Write what is left, or say of each version why it is not written.

        Raises:
            StoreFault: with disposition STOP, which no entry survives.
            VersioningError: the destination's versioning is not Enabled any more.
            AbandonedError: the run is ending.
        """
        rows = self.ledger.left()
        chunk = list(islice(rows, INTENTS_AHEAD))
        durable = self._intended(chunk)
        while chunk:
            if durable is not None:
                await durable
            following = list(islice(rows, INTENTS_AHEAD))
            durable = self._intended(following)
            for row in chunk:
                if self._bench.halt.is_set():
                    raise AbandonedError
                self._conclude(row, await self._arrival(row))
            chunk = following

    def _intended(self, rows: list[ManifestEntry]) -> Awaitable[None] | None:
        """Give intents to the journal; None where there is nothing to write."""
        if not rows or self._end is not None:
            return None
        self._bench.budget.first_attempts += len(rows)
        top = None if self._top is None else self._top.version_id
        return self.ledger.intended(rows, top, self._intents)

    def _conclude(self, row: ManifestEntry, ended: End) -> None:
        made = ended.made
        outcome = outcome_of(
            ended, row, attempts=self._writes, bytes_copied=row.size_bytes if made else 0
        )
        if made is None:
            self._end = kept_back(row, ended)
            self._above.clear()
        else:
            assert made.version_id is not None, "it was proven"
            self._top = Top(made.version_id, made.etag)
            self.ledger.add(made.version_id)
            if row.number == self.history.newest.number:
                self.last = outcome
                return
        self._tell(row, outcome)

    async def _arrival(self, row: ManifestEntry) -> End:
        """Return how a version ends: found there, written, or kept back."""
        intents = tuple(self._intents.pop(row.number, ()))
        self._begin_row(intents)
        uploads = OldUploads(self._bench, row, intents)
        # Until its abort, what an earlier process began may still become visible.
        self._is_doubtful = any(intent.upload_id for intent in intents)
        await uploads.abort_all_but_last()
        for _ in range(STEPS_MAX):
            try:
                await self._settle(row)
                step = await self._next(row)
            except StoreFault as fault:
                if (ended := await self._after_unread(row, fault)) is not None:
                    return ended
                continue
            try:
                if not await uploads.make_way(step):
                    self._is_doubtful = True
                elif isinstance(step, End):
                    return replace(step, detail=f"{step.detail} {uploads.leftover}".strip())
                else:
                    return await self._written(row, step, uploads)
            except StoreFault as fault:
                await self._after_fault(row, fault)
            except RefusedCopyError as refusal:
                self._give_up = skipped(refusal.code)
        raise AssertionError("a version ends within its limits")

    async def _next(self, row: ManifestEntry) -> Write | End:
        if self._above:
            return await self._recognised(row, self._above[0])
        ended = self._give_up or self._end
        if ended is not None and self._is_groundless and self._is_attempted:
            return replace(ended, detail=f"{ended.detail} {_DOUBT}")
        return ended or write_over(row, self._top)

    async def _recognised(self, row: ManifestEntry, found: ListedEntry) -> End:
        """Return the end of a row whose version is there already, or what keeps all back."""
        if not is_same_kind(found, row) or not await self._is_ours(row, found):
            doubt = _DOUBT if self._is_attempted else ""
            return skipped(Code.FOREIGN_VERSION, f"{shown(found)} {doubt}".strip())
        self._above.popleft()
        top = top_of(found)
        return stands(
            row,
            Made(
                version_id=top.version_id,
                etag=top.etag,
                source_version_id=row.version_id,
                seen_version_id=None if self._top is None else self._top.version_id,
            ),
        )

    async def _is_ours(self, row: ManifestEntry, found: ListedEntry) -> bool:
        if row.route is Route.DELETE_MARKER:
            return True  # it has no content: its place is all that there is to it
        assert row.version_id is not None, "a copy has a source version"
        pair = Compare(destination_version_id=found.version_id, source_version_id=row.version_id)
        likeness = await compared(self._bench, row, pair)
        if likeness is Likeness.UNKNOWN:  # nothing common: then it is what we were about to write
            return self._is_attempted
        if likeness is not Likeness.SAME:
            return False
        # Tags may have changed since; but what was doubled a moment ago has those of its original.
        is_expected = self._is_attempted or not self._has_written
        return is_expected or await has_same_tags(self._bench, row, pair)

    async def _written(self, row: ManifestEntry, step: Write, uploads: OldUploads) -> End:
        self._writes += 1
        self._has_written = True
        bytes_max = self._bench.settings.copy_object_bytes_max
        if isinstance(step, Copy) and goes_by_parts(row, step, copy_object_bytes_max=bytes_max):
            result: WriteResult | MarkerResult = await self._in_parts(row, step, uploads)
        else:
            result = await self._sent(row, step)
        if not is_proven(result):
            raise unproven(step)
        self._is_sent = False
        if result.version_id == NULL_VERSION_ID:
            raise suspended(self._bench.place(row.destination).bucket)
        return stands(
            row,
            Made(
                version_id=result.version_id,
                etag=result.etag if isinstance(result, WriteResult) else None,
                source_version_id=row.version_id,
                seen_version_id=None if self._top is None else self._top.version_id,
                checksum=proof_of(result),
            ),
        )

    async def _sent(self, row: ManifestEntry, step: Write) -> WriteResult | MarkerResult:
        store, place = self._bench.ports.destination, self._bench.place(row.destination)
        if isinstance(step, Copy):
            source, extras = self._bench.header.source, await extras_for(self._bench, row, step)
            request = copy_request(row, step, source=source, destination=place, extras=extras)
            self._is_sent = True
            return await store.copy_object(request)
        self._is_sent = True
        if isinstance(step, Hide):
            return await store.hide_object(hide_request(row, step, place))
        return await store.mark_absent(mark_absent_request(row, place))

    async def _in_parts(self, row: ManifestEntry, step: Copy, uploads: OldUploads) -> WriteResult:
        adopted, uploads.adopted = uploads.adopted, None

        async def opened(upload_id: str, digest: str) -> None:
            await self._bench.ports.journal.intend(
                Intent(
                    row.number,
                    self._writes,
                    step.seen_version_id,
                    step.version_id,
                    upload_id,
                    digest,
                )
            )

        def completing() -> None:
            self._is_sent = True

        def lost() -> None:
            self._is_doubtful = True

        hooks = UploadHooks(opened=opened, completing=completing, lost=lost)
        return await copy_in_parts(self._bench, row, step, hooks, adopted)

    # --- After a fault ---

    async def _settle(self, row: ManifestEntry) -> None:
        """Read what a fault left open: what lies on top, whether the source version is there."""
        if self._is_doubtful:
            await self._look(row)
            self._is_doubtful = False
        if self._suspects_source and not self._above and self._end is None:
            if not await is_unaltered(self._bench, row):
                gone = f"Source: version {row.version_id} is gone, or another one now."
                self._end = skipped(Code.SOURCE_CHANGED, gone)
            self._suspects_source = False

    async def _look(self, row: ManifestEntry) -> None:
        """Read what lies above what is known; far down nobody looks between two versions."""
        top = None if self._top is None else self._top.version_id
        walk = DestinationWalk(KnownChain(made=iter(()), base=top))
        store, place = self._bench.ports.destination, self._bench.place(row.destination)
        async for entries in pages_along(
            store, place, [row.key], entries_max=None, density=Density(1.0)
        ):
            for entry in entries:
                if entry.key == row.key:
                    walk.feed(entry)
            if walk.top is not None or walk.is_too_long:
                break
        self._above.clear()
        if walk.missing is None and not walk.is_too_long:
            self._above.extend(reversed(walk.above))
        else:
            self._end, self._is_groundless = self._end or before_writing(None, walk), True

    async def _after_unread(self, row: ManifestEntry, fault: StoreFault) -> End | None:
        """Return the end of a row that nothing can be learnt of; None: ask again."""
        if fault.disposition is Disposition.STOP:
            raise fault
        self._bench.errors[fault.code] += 1
        self._read_faults += 1
        is_last = self._read_faults >= self._bench.settings.attempts_max
        if fault.disposition in _UNDECIDED and not is_last:
            await self._pause(row, fault, self._read_faults)
            return None
        ended = self._give_up or failure_of(fault)
        if not self._is_doubtful or not self._is_attempted:
            return ended
        return replace(ended, detail=f"{ended.detail} {_DOUBT}".strip())

    async def _after_fault(self, row: ManifestEntry, fault: StoreFault) -> None:
        """Note what a fault leaves open, and what it keeps from being tried again."""
        is_sent, self._is_sent = self._is_sent, False
        if fault.disposition is Disposition.STOP:
            raise fault
        self._bench.errors[fault.code] += 1
        is_again = fault.disposition is Disposition.RETRY and not fault.is_ambiguous
        # A refusal, too, may be the second answer to what the network delivered twice.
        self._is_doubtful = self._is_doubtful or (is_sent and not is_again)
        if fault.disposition in _UNDECIDED:
            self._faults += 1
            if self._faults >= self._bench.settings.attempts_max:
                self._give_up = failure_of(fault)
            else:
                await self._pause(row, fault, self._faults)
        elif fault.code in _ARCHIVED_CODES:
            self._give_up = skipped(Code.ARCHIVED, fault.code)
        elif fault.disposition in (Disposition.REDECIDE, Disposition.SKIP):
            await self._after_change(fault)
        else:
            self._give_up = failure_of(fault)

    async def _after_change(self, fault: StoreFault) -> None:
        """412: something is not as it was. 409: somebody is writing just now, so wait as well."""
        self._changes += 1
        if self._changes > self._bench.settings.rounds_redecide_max:
            self._give_up = End(kind=OutcomeKind.FAILED, code=Code.KEEPS_CHANGING)
        elif fault.status == 409:
            await self._bench.pause(min(self._changes, 6), fault)
        else:
            self._suspects_source = True

    async def _pause(self, row: ManifestEntry, fault: StoreFault, attempt: int) -> None:
        operation, code = fault.operation, fault.code
        self._bench.ports.events.emit(
            EntryRetried(
                number=row.number, key=row.key, operation=operation, code=code, attempt=attempt
            )
        )
        await self._bench.pause(attempt, fault)
