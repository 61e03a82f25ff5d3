"""The Journal port on segment files: group commit, lazy reading, eight bytes an entry in memory.

Never counts anything as done and never retries a failed sync: after one, the journal is shut.
Law: the future that `intend` and `conclude` return is done only when their record is on disk.
"""

import asyncio
from array import array
from collections import deque
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
_OFFSET_MASK: Final = (1 << _OFFSET_BITS) - 1
"""Of a location's 64 bits; a segment is far smaller than 2**40 bytes."""


COMMIT_INTERVAL_S: Final = 0.02
"""Between the beginnings of two commits, unless one lasts longer: a sync and its thread take about
0.25 ms of CPU, so at fifty a second they are nothing beside the copies, whose intents are written
well ahead."""


class _Durable(asyncio.Future[None]):
    """Done when a commit is on disk. Many wait for it, so that none of them may cancel it."""

    def cancel(self, msg: object | None = None) -> bool:  # noqa: ARG002 - as the future has it
        """Refuse: whoever waits is cancelled when the commit is done."""
        return False


class _Commit:
    """Records of one commit; `numbers` are the concluded entries', `_NO_OUTCOME` for intents."""

    __slots__ = ("durable", "numbers", "records")

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.numbers: list[int] = []
        self.durable = _Durable()


_NO_OUTCOME: Final = -1


def _in_thread(call: Callable[[], None]) -> Awaitable[None]:
    return asyncio.get_running_loop().run_in_executor(None, call)


class SegmentJournal:
    """The journal of one manifest. One process writes: the run directory's lock is its guard."""

    def __init__(self, files: SegmentFiles, blocking: Blocking) -> None:
        self._files = files
        self._blocking = blocking
        # Number -> location of its outcome plus one, 0 while there is none: 8 MB for 10^6 entries.
        self._concluded = array("Q")
        self._open_records: dict[int, list[bytes]] = {}
        self._commits: deque[_Commit] = deque()
        self._committer: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self._is_closing = False

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        manifest_digest: str,
        segment_bytes_max: int = SEGMENT_BYTES_MAX,
        blocking: Blocking = _in_thread,
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

    def intend(self, intent: Intent) -> asyncio.Future[None]:
        """Give an intent to the next commit; what is returned is done when it is on disk."""
        assert not self._is_concluded(intent.number), "an entry with an outcome is finished"
        return self._put(_NO_OUTCOME, intent_record(intent))

    def conclude(self, outcome: Outcome) -> asyncio.Future[None]:
        """Give an outcome to the next commit; what is returned is done when it is on disk."""
        assert not self._is_concluded(outcome.number), "an entry has one outcome"
        return self._put(outcome.number, outcome_record(outcome))

    def outcome(self, number: int) -> Outcome | None:
        """Return the outcome of an entry, None while it has none."""
        if not self._is_concluded(number):
            return None
        return self._outcome_at(number, self._concluded[number] - 1)

    def open_intents(self) -> Iterator[OpenIntent]:
        """Yield the intents without outcome that this process found, oldest first for each entry.

        There are at most as many entries with one as were in flight when the last process ended.
        """
        for number in sorted(self._open_records):
            for record in self._open_records[number]:
                yield OpenIntent(intent=decoded_intent(record))

    def outcomes(self) -> Iterator[Outcome]:
        """Stream all outcomes in entry order."""
        for number, packed in enumerate(self._concluded):
            if packed:
                yield self._outcome_at(number, packed - 1)

    async def close(self) -> None:
        """Wait for the commit that is under way and close the files."""
        self._is_closing = True
        while self._committer is not None:
            await asyncio.wait({self._committer})
        self._files.close()

    def release(self) -> None:
        """Close the files of a journal that was only read."""
        assert self._committer is None, "nothing was written"
        self._files.close()

    def _outcome_at(self, number: int, packed: int) -> Outcome:
        segment, offset = packed >> _OFFSET_BITS, packed & _OFFSET_MASK
        outcome = decoded_outcome(self._files.read(segment, offset))
        if outcome.number != number:
            raise self._files.damage_at(segment, offset)
        return outcome

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
        self._note_outcome(number, (location.segment << _OFFSET_BITS | location.offset) + 1)

    def _note_outcome(self, number: int, packed: int) -> None:
        missing = number + 1 - len(self._concluded)
        if missing > 0:
            self._concluded.frombytes(bytes(8 * missing))
        self._concluded[number] = packed

    def _put(self, number: int, record: bytes) -> asyncio.Future[None]:
        if self._failure is not None:
            raise self._refusal()
        if not self._commits or len(self._commits[-1].records) >= FRAME_RECORDS_MAX:
            self._commits.append(_Commit())
        commit = self._commits[-1]
        commit.records.append(record)
        commit.numbers.append(number)
        if self._committer is None:
            # It starts in the next round of the loop: whoever is ready now shares its sync.
            self._committer = asyncio.create_task(self._commit_all())
        return commit.durable

    async def _commit_all(self) -> None:
        """Commit until nothing waits; what comes while a sync runs is the next commit."""
        loop = asyncio.get_running_loop()
        try:
            while self._commits:
                began_s = loop.time()
                await self._write(self._commits.popleft())
                pause_s = began_s + COMMIT_INTERVAL_S - loop.time()
                if pause_s > 0 and not self._is_closing:
                    await asyncio.sleep(pause_s)
        finally:
            self._committer = None

    async def _write(self, commit: _Commit) -> None:
        frame, offsets = encoded_frame(commit.records)
        places: list[Location] = []
        try:
            await self._blocking(lambda: places.append(self._files.append(frame)))
        # Whatever happened, nobody may take his record for durable; it is raised in every caller.
        except BaseException as failure:  # noqa: BLE001 - as said above
            self._shut(failure, commit)
            return
        (place,) = places
        base = (place.segment << _OFFSET_BITS | place.offset) + 1
        for number, offset in zip(commit.numbers, offsets, strict=True):
            if number != _NO_OUTCOME:
                self._note_outcome(number, base + offset)
        commit.durable.set_result(None)

    def _shut(self, failure: BaseException, commit: _Commit) -> None:
        self._failure = failure
        for waiting in (commit, *self._commits):
            waiting.durable.set_exception(self._refusal())
            waiting.durable.exception()  # looked at: whoever comes later is told as well
        self._commits.clear()

    def _refusal(self) -> BackfillError:
        if isinstance(self._failure, BackfillError):
            return type(self._failure)(self._failure.message, hint=self._failure.hint)
        return BugError(f"the journal failed: {self._failure!r}")
