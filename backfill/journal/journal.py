"""The Journal port on segment files: group commit, lazy reading, eight bytes an entry in memory.

Never counts anything as done and never retries a failed sync: after one, the journal is shut.
Law: `intend` and `conclude` return only when their record is on disk.
"""

import asyncio
from array import array
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final, Self

from backfill.errors import BackfillError, BugError
from backfill.journal.frames import FRAME_RECORDS_MAX, encoded_frame
from backfill.journal.records import (
    INTENT,
    decoded_intent,
    decoded_outcome,
    intent_record,
    kind_and_number,
    outcome_record,
)
from backfill.journal.segments import SEGMENT_BYTES_MAX, Location, SegmentFiles
from backfill.model.outcome import Outcome
from backfill.ports import Intent, OpenIntent

Blocking = Callable[[Callable[[], None]], Awaitable[None]]
"""How a blocking call is made: in a thread, so that the loop goes on; in place under a simulation,
so that a seed decides everything."""

_OFFSET_BITS: Final = 40
"""Of a location's 64 bits; a segment is far smaller than 2**40 bytes."""


class _Waiting:
    """Records that wait for the next commit, and whoever waits for them."""

    __slots__ = ("done", "number", "record")

    def __init__(self, number: int | None, record: bytes, done: "asyncio.Future[None]") -> None:
        self.number = number
        self.record = record
        self.done = done


class SegmentJournal:
    """The journal of one manifest. One process writes: the run directory's lock is its guard."""

    def __init__(self, files: SegmentFiles, blocking: Blocking) -> None:
        self._files = files
        self._blocking = blocking
        # Number -> location of its outcome plus one, 0 while there is none: 8 MB for 10^6 entries.
        self._concluded = array("Q")
        self._open_records: dict[int, list[bytes]] = {}
        self._waiting: list[_Waiting] = []
        self._committer: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        manifest_digest: str,
        segment_bytes_max: int = SEGMENT_BYTES_MAX,
        blocking: Blocking = asyncio.to_thread,
    ) -> Self:
        """Open or create the journal in `directory` and replay what is in it.

        Raises:
            ArtifactDamagedError: it is damaged elsewhere than at a torn end.
            ForeignRunDirectoryError: it belongs to another manifest.
            RefusedError: the disk refuses.
        """
        files = SegmentFiles(
            directory, manifest_digest=manifest_digest, segment_bytes_max=segment_bytes_max
        )
        journal = cls(files, blocking)
        try:
            files.open(journal._replay)
        except BaseException:
            files.close()
            raise
        return journal

    async def intend(self, intent: Intent) -> None:
        """Make an intent durable; returns when it is on disk."""
        assert not self._is_concluded(intent.number), "an entry with an outcome is finished"
        await self._commit(None, intent_record(intent))

    async def conclude(self, outcome: Outcome) -> None:
        """Make an outcome durable; returns when it is on disk."""
        assert not self._is_concluded(outcome.number), "an entry has one outcome"
        await self._commit(outcome.number, outcome_record(outcome))

    def outcome(self, number: int) -> Outcome | None:
        """Return the outcome of an entry, None while it has none."""
        if not self._is_concluded(number):
            return None
        location = _location(self._concluded[number])
        outcome = decoded_outcome(self._files.read(location))
        if outcome.number != number:
            raise self._files.damage_at(location)
        return outcome

    def open_intents(self) -> Iterator[OpenIntent]:
        """Yield the intents without outcome that this process found, oldest first for each entry.

        There are at most as many entries with one as were in flight when the last process ended.
        """
        for number in sorted(self._open_records):
            for record in self._open_records[number]:
                yield OpenIntent(intent=decoded_intent(record))

    def outcomes(self) -> Iterator[Outcome]:
        """Stream all outcomes in entry order."""
        for number in range(len(self._concluded)):
            outcome = self.outcome(number)
            if outcome is not None:
                yield outcome

    async def close(self) -> None:
        """Wait for the commit that is under way and close the files."""
        while self._committer is not None:
            await asyncio.wait({self._committer})
        self._files.close()

    def _is_concluded(self, number: int) -> bool:
        return number < len(self._concluded) and self._concluded[number] != 0

    def _replay(self, location: Location, record: bytes) -> None:
        kind, number = kind_and_number(record)
        if kind == INTENT:
            self._open_records.setdefault(number, []).append(record)
            return
        if self._is_concluded(number):
            raise ValueError("an entry has two outcomes")
        self._open_records.pop(number, None)
        self._note_outcome(number, location)

    def _note_outcome(self, number: int, location: Location) -> None:
        if number >= len(self._concluded):
            self._concluded.frombytes(bytes(8 * (number + 1 - len(self._concluded))))
        self._concluded[number] = (location.segment << _OFFSET_BITS | location.offset) + 1

    async def _commit(self, number: int | None, record: bytes) -> None:
        self._refuse_after_failure()
        waiting = _Waiting(number, record, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._committer is None:
            # It starts in the next round of the loop: whoever is ready now shares its sync.
            self._committer = asyncio.create_task(self._commit_waiting())
        await waiting.done

    async def _commit_waiting(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[:FRAME_RECORDS_MAX]
                del self._waiting[:FRAME_RECORDS_MAX]
                await self._commit_batch(batch)
        finally:
            self._committer = None

    async def _commit_batch(self, batch: list[_Waiting]) -> None:
        frame, offsets = encoded_frame([waiting.record for waiting in batch])
        places: list[Location] = []
        try:
            await self._blocking(lambda: places.append(self._files.append(frame)))
        # Whatever happened, nobody may take his record for durable; it is raised in every caller.
        except BaseException as failure:  # noqa: BLE001 - as said above
            self._shut(failure, batch)
            return
        (frame_place,) = places
        for waiting, offset in zip(batch, offsets, strict=True):
            if waiting.number is not None:
                place = Location(segment=frame_place.segment, offset=frame_place.offset + offset)
                self._note_outcome(waiting.number, place)
            if not waiting.done.done():
                waiting.done.set_result(None)

    def _shut(self, failure: BaseException, batch: list[_Waiting]) -> None:
        self._failure = failure
        for waiting in (*batch, *self._waiting):
            if not waiting.done.done():
                waiting.done.set_exception(self._refusal())
        self._waiting.clear()

    def _refuse_after_failure(self) -> None:
        if self._failure is not None:
            raise self._refusal()

    def _refusal(self) -> BackfillError:
        # One exception object for each caller: a shared one would collect all their tracebacks.
        if isinstance(self._failure, BackfillError):
            return type(self._failure)(self._failure.message, hint=self._failure.hint)
        return BugError(f"the journal failed: {self._failure!r}")


def _location(packed: int) -> Location:
    packed -= 1
    return Location(segment=packed >> _OFFSET_BITS, offset=packed & ((1 << _OFFSET_BITS) - 1))
