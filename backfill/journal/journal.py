"""The Journal port on segment files: group commit, lazy reading, eight bytes an entry in memory.

Never counts anything as done and never retries a failed sync: after one, the journal is shut.
Law: the future that `intend` and `conclude` return is done only when their record is on disk.
"""

import asyncio
from array import array
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Final, Self

from backfill.errors import BackfillError, BugError
from backfill.journal.frames import encoded_frame
from backfill.journal.records import (
    INTENTS,
    decoded_intents,
    decoded_outcomes,
    groups_of,
    intent_records,
    kind_of,
    outcome_records,
)
from backfill.journal.segments import SEGMENT_BYTES_MAX, Location, SegmentFiles
from backfill.model.outcome import Outcome
from backfill.ports import Intent, OpenIntent

Blocking = Callable[[Callable[[], None]], Awaitable[None]]
"""How a blocking call is made: in a thread, so that the loop goes on; in place under a simulation,
so that a seed decides everything."""

COMMIT_MAX: Final = 4096
"""Intents and outcomes of one commit; it bounds what a torn frame can cost."""
GROUPS_KEPT_MAX: Final = 64
"""Records of outcomes that are kept decoded, a few MiB: outcomes are read in entry order, and were
written in almost that order, so that neighbours lie in a few records."""
_OFFSET_BITS: Final = 40
_number_of: Final = itemgetter(0)
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
    """What is committed together."""

    __slots__ = ("durable", "intents", "outcomes")

    def __init__(self) -> None:
        self.intents: list[Intent] = []
        self.outcomes: list[Outcome] = []
        self.durable = _Durable()

    @property
    def is_full(self) -> bool:
        return len(self.intents) + len(self.outcomes) >= COMMIT_MAX


def _in_thread(call: Callable[[], None]) -> Awaitable[None]:
    return asyncio.get_running_loop().run_in_executor(None, call)


class SegmentJournal:
    """The journal of one manifest. One process writes: the run directory's lock is its guard."""

    def __init__(self, files: SegmentFiles, blocking: Blocking) -> None:
        self._files = files
        self._blocking = blocking
        # Number -> location of its outcome plus one, 0 while there is none: 8 MB for 10^6 entries.
        self._concluded = array("Q")
        self._open_intents: dict[int, list[Intent]] = {}
        self._groups: dict[int, dict[int, Outcome]] = {}
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

    def intend(self, *intents: Intent) -> asyncio.Future[None]:
        """Give intents to the next commit; what is returned is done when they are on disk."""
        assert not any(map(self._is_concluded, map(_number_of, intents))), "entries are finished"
        commit = self._next_commit()
        commit.intents.extend(intents)
        return commit.durable

    def conclude(self, outcome: Outcome) -> asyncio.Future[None]:
        """Give an outcome to the next commit; what is returned is done when it is on disk."""
        assert not self._is_concluded(outcome[0]), "an entry has one outcome"
        commit = self._next_commit()
        commit.outcomes.append(outcome)
        return commit.durable

    def outcome(self, number: int) -> Outcome | None:
        """Return the outcome of an entry, None while it has none."""
        if not self._is_concluded(number):
            return None
        return self._outcome_at(number, self._concluded[number])

    def has_outcome(self, first: int, end: int) -> bool:
        """Return whether any entry from `first` to `end`, not included, has an outcome."""
        return any(self._concluded[first:end])

    def open_intents(self) -> Iterator[OpenIntent]:
        """Yield the intents without outcome that this process found, oldest first for each entry.

        There are at most as many entries with one as were in flight when the last process ended.
        """
        for number in sorted(self._open_intents):
            for intent in self._open_intents[number]:
                yield OpenIntent(intent=intent)

    def outcomes(self) -> Iterator[Outcome]:
        """Stream all outcomes in entry order."""
        groups, outcome_at = self._groups, self._outcome_at
        for number, packed in enumerate(self._concluded):
            if packed:
                group = groups.get(packed)
                yield group[number] if group and number in group else outcome_at(number, packed)

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
        group = self._groups.get(packed)
        segment, offset = (packed - 1) >> _OFFSET_BITS, (packed - 1) & _OFFSET_MASK
        if group is None:
            found = decoded_outcomes(self._files.read(segment, offset))
            if len(self._groups) >= GROUPS_KEPT_MAX:
                del self._groups[next(iter(self._groups))]
            group = self._groups[packed] = {outcome.number: outcome for outcome in found}
        if number not in group:
            raise self._files.damage_at(segment, offset)
        return group[number]

    def _is_concluded(self, number: int) -> bool:
        return number < len(self._concluded) and self._concluded[number] != 0

    def _replay(self, location: Location, record: bytes) -> None:
        if kind_of(record) == INTENTS:
            for intent in decoded_intents(record):
                self._open_intents.setdefault(intent.number, []).append(intent)
            return
        numbers = [outcome.number for outcome in decoded_outcomes(record)]
        if any(map(self._is_concluded, numbers)) or len(set(numbers)) < len(numbers):
            raise ValueError("an entry has two outcomes")
        for number in numbers:
            self._open_intents.pop(number, None)
        self._note_outcomes(numbers, (location.segment << _OFFSET_BITS | location.offset) + 1)

    def _note_outcomes(self, numbers: Sequence[int], packed: int) -> None:
        concluded = self._concluded
        missing = max(numbers) + 1 - len(concluded)
        if missing > 0:
            concluded.frombytes(bytes(8 * missing))
        for number in numbers:
            concluded[number] = packed

    def _next_commit(self) -> _Commit:
        """Return the commit that what comes now belongs to, and see that it is made."""
        if self._failure is not None:
            raise self._refusal()
        if not self._commits or self._commits[-1].is_full:
            self._commits.append(_Commit())
        if self._committer is None:
            # It starts in the next round of the loop: whoever is ready now shares its sync.
            self._committer = asyncio.create_task(self._commit_all())
        return self._commits[-1]

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
        intents = intent_records(commit.intents)
        frame, offsets = encoded_frame([*intents, *outcome_records(commit.outcomes)])
        places: list[Location] = []
        try:
            await self._blocking(lambda: places.append(self._files.append(frame)))
        # Whatever happened, nobody may take his record for durable; it is raised in every caller.
        except BaseException as failure:  # noqa: BLE001 - as said above
            self._shut(failure, commit)
            return
        (place,) = places
        base = (place.segment << _OFFSET_BITS | place.offset) + 1
        groups = groups_of(commit.outcomes)
        for group, offset in zip(groups, offsets[len(intents) :], strict=True):
            self._note_outcomes(list(map(_number_of, group)), base + offset)
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
