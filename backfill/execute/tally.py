"""What has come of a run's entries so far: told to the journal, then counted, commit by commit.

Never decides how an entry ends, and never counts on a promise.
Law: an outcome is counted only after the journal has it on disk.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from operator import itemgetter
from types import MappingProxyType
from typing import Final

from backfill.errors import BackfillError, FailureRateError
from backfill.events.copying import EntryFailed
from backfill.execute.bench import Bench
from backfill.execute.breaker import Breaker
from backfill.manifest.entries import ManifestEntry
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.ports import ProgressCounts

_kind_of: Final = itemgetter(Outcome._fields.index("kind"))
_bytes_of: Final = itemgetter(Outcome._fields.index("bytes_copied"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """Outcomes of one commit, and those that failed with their entries."""

    outcomes: list[Outcome] = field(default_factory=list)
    failed: list[tuple[ManifestEntry, Outcome]] = field(default_factory=list)


class Tally:
    """Outcomes of one run: totals, failures, progress. `stop` ends the run with an error."""

    def __init__(self, bench: Bench, rows: int, stop: Callable[[BackfillError], None]) -> None:
        settings = bench.settings
        self._bench = bench
        self._rows = rows
        self._stop = stop
        self._breaker = Breaker(
            window=settings.breaker_window, failure_ratio=settings.breaker_failure_ratio
        )
        self._kinds: Counter[OutcomeKind] = Counter()
        self._bytes = 0
        self._durable: Awaitable[None] | None = None
        self._told = _Told()
        # One a commit; those who tell wait for a commit of their intents in between.
        self._commits: asyncio.Queue[tuple[Awaitable[None], _Told] | None] = asyncio.Queue()

    @property
    def is_complete(self) -> bool:
        """Return whether every entry has its outcome."""
        return self._kinds.total() == self._rows

    def tell(self, entry: ManifestEntry, outcome: Outcome) -> None:
        """Give an outcome to the journal; it is counted once it is on disk.

        The breaker sees it at once: while a disk is slow, copies that are refused would go on.
        """
        durable = self._bench.ports.journal.conclude(outcome)
        if durable is not self._durable:
            self._durable, self._told = durable, _Told()
            self._commits.put_nowait((durable, self._told))
        self._told.outcomes.append(outcome)
        is_failure = outcome.kind is OutcomeKind.FAILED
        if is_failure:
            self._told.failed.append((entry, outcome))
        self.note(is_failure=is_failure)

    async def newest_commit(self) -> None:
        """Wait until the outcomes told so far are on disk.

        Raises:
            BackfillError: The disk refuses.
        """
        if self._durable is not None:
            await self._durable

    async def count_durable(self) -> None:
        """Count commit after commit, until `close`."""
        while (commit := await self._commits.get()) is not None:
            durable, told = commit
            try:
                await durable
            except BackfillError as error:
                self._stop(error)
                continue
            self._kinds.update(map(_kind_of, told.outcomes))
            self._bytes += sum(map(_bytes_of, told.outcomes))
            for entry, outcome in told.failed:
                self._tell_failure(entry, outcome)
            self.report_progress()

    def close(self) -> None:
        """No outcome comes after those that were told."""
        self._commits.put_nowait(None)
        if self._kinds:  # also where all had their outcomes before: nothing else tells of those
            self.report_progress()

    def count(self, outcome: Outcome) -> None:
        """Count an outcome that is on disk."""
        self._kinds[outcome.kind] += 1
        self._bytes += outcome.bytes_copied

    def note(self, *, is_failure: bool) -> None:
        """Stop the run when almost everything fails."""
        self._breaker.note(is_failure=is_failure)
        if self._breaker.is_open:
            settings = self._bench.settings
            worst = self._bench.errors.most_common(3)
            self._stop(
                FailureRateError(
                    f"{settings.breaker_failure_ratio:.0%} of the last "
                    f"{settings.breaker_window} entries failed: "
                    f"{', '.join(f'{code} {count}' for code, count in worst)}",
                    hint="mend the cause; then run the same command and repair what failed",
                )
            )

    def _tell_failure(self, entry: ManifestEntry, outcome: Outcome) -> None:
        self._bench.ports.events.emit(
            EntryFailed(
                number=entry.number, key=entry.key, code=outcome.code, detail=outcome.detail
            )
        )

    def report_progress(self) -> None:
        """Show the newest totals."""
        waiting = self._bench.waiting
        self._bench.ports.events.progress(
            ProgressCounts(
                stage="execute",
                done=self._kinds.total(),
                total=self._rows,
                bytes_done=self._bytes,
                errors=MappingProxyType(self._bench.errors),
                waiting=waiting.versions if waiting else 0,
                waiting_since=waiting.since if waiting and waiting.versions else None,
            )
        )
