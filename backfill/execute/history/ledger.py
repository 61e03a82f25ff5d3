"""What stands of one history: the newest version IDs kept here, older ones read from the journal.

Never reads a store.
Law: what stands is a beginning of the history, oldest first, without a gap.
"""

from collections import deque
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from backfill.execute.history.cutting import History
from backfill.execute.history.walks import KnownChain, PlannedSource
from backfill.manifest.entries import ManifestEntry
from backfill.model.objects import VersionId
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.plan.header import PlanHeader
from backfill.ports import Intent, Journal

IDS_KEPT_MAX: Final = 1024
"""Version IDs of ours that are kept for the look back; a key may have any number."""
_STANDS: Final = (OutcomeKind.COPIED, OutcomeKind.MARKED)


class Ledger:
    """The journal's map of one history, as far as it was written."""

    def __init__(self, history: History, journal: Journal) -> None:
        self._history = history
        self._journal = journal
        self._kept: deque[VersionId] = deque(maxlen=IDS_KEPT_MAX)
        self.gap: tuple[ManifestEntry, Outcome] | None = None
        """The oldest version that ended without being written, in an earlier process."""
        self._found = self._concluded()
        self._stands = self._found

    def _concluded(self) -> int:
        """Count what earlier processes have written. Outcomes are on disk in their order."""
        history, journal = self._history, self._journal
        if not journal.has_outcome(history.newest.number, history.rows.oldest.number + 1):
            return 0
        stands = 0
        for row in history.rows.oldest_first():
            outcome = journal.outcome(row.number)
            if outcome is None:
                break
            if outcome.kind not in _STANDS:
                self.gap = row, outcome
                break
            stands += 1
        return stands

    def add(self, version_id: VersionId) -> None:
        """Note the version that stands now on top of the others."""
        self._stands += 1
        self._kept.append(version_id)

    def intended(
        self,
        rows: Sequence[ManifestEntry],
        current: VersionId | None,
        earlier: Mapping[int, Sequence[Intent]],
    ) -> Awaitable[None]:
        """Give the intents of the next versions to the journal; done when they are on disk.

        All of them name what is `current` now. `earlier` are those of processes before this one.
        """
        return self._journal.intend(
            *(
                Intent(
                    row.number,
                    len(earlier.get(row.number, ())) + 1,
                    current,
                    None if row.etag is None else row.version_id,
                )
                for row in rows
            )
        )

    @property
    def needs_journal(self) -> bool:
        """Return whether `known` reads outcomes, which must be on disk by then."""
        return self._stands > len(self._kept)

    def left(self) -> Iterator[ManifestEntry]:
        """Give the rows without outcome, oldest first."""
        rows = islice(self._history.rows.oldest_first(), self._found, None)
        if self.gap is None:
            return rows
        return (row for row in rows if self._journal.outcome(row.number) is None)

    def known(self) -> KnownChain:
        """Return what of the destination's chain is known."""
        return KnownChain(made=self._made(), base=self._history.rows.oldest.seen_version_id)

    def planned(self, header: PlanHeader, *, leaves_newer_out: bool) -> PlannedSource:
        """Return what the source's chain must show, before the writes and after them."""
        rows = self._history.rows
        return PlannedSource(
            rows=islice(rows.newest_first(), rows.count - self._found),
            destinations=len(header.destinations),
            horizon=None if leaves_newer_out else header.horizon,
        )

    def _made(self) -> Iterator[VersionId]:
        yield from reversed(self._kept)
        rows = self._history.rows
        passed = rows.count - self._stands + len(self._kept)
        for row in islice(rows.newest_first(), passed, None):
            outcome = self._journal.outcome(row.number)
            assert outcome is not None, "what is not kept here has its outcome on disk"
            assert outcome.version_id is not None, "what stands has a version ID"
            yield outcome.version_id
