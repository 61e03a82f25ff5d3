"""What a verification comes to: its verdicts and unjudged rows, written and counted together.

Never judges.
Law: both artefacts appear together, once the totals add up, or neither does.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from backfill.events.judging import DifferenceFound
from backfill.model.rows import Row
from backfill.ports import ArtifactStore, Events, RowWriter
from backfill.verify.decisions import SUPERSEDED, VANISHED, Judged, Unjudged
from backfill.verify.drafts import Looked
from backfill.verify.rows import (
    UNJUDGED_COLUMNS,
    VERDICT_COLUMNS,
    row_of,
    unjudged_name,
    unjudged_row,
    verdicts_name,
)
from backfill.verify.totals import Tally, VerifyTotals, summary_of
from backfill.verify.verdicts import VerdictRow

DIFFERENCES_LOGGED_MAX: Final = 100
"""Differences logged one by one; all of them are in the artefact."""


class Conclusion:
    """The artefacts of one verification being written. Made by `begun`."""

    def __init__(self, verdicts: RowWriter, unjudged: RowWriter, events: Events) -> None:
        self._verdicts = verdicts
        self._unjudged = unjudged
        self._events = events
        self._tally = Tally()
        self._differences: list[VerdictRow] = []

    def add(self, decision: Judged | Unjudged) -> None:
        """Write and count one final decision."""
        self._tally.count(decision)
        if isinstance(decision, Judged):
            row = decision.row
            self._verdicts.write(row_of(row))
            if not row.is_good and len(self._differences) < DIFFERENCES_LOGGED_MAX:
                self._differences.append(row)
        elif decision.number is not None and decision.reason in (SUPERSEDED, VANISHED):
            self._unjudged.write(unjudged_row(decision))

    def add_good(self, rows: Sequence[Row]) -> None:
        """Write and count the rows of verdicts on plan rows that nothing is wrong with."""
        self._tally.count_good(rows)
        self._verdicts.write_rows(rows)

    def commit(self, looked: Looked) -> VerifyTotals:
        """Make the artefacts visible, log the differences and return the totals.

        Raises:
            TotalsError: A plan row was lost or counted twice.
        """
        totals = self._tally.totals(
            plan_rows=looked.plan_rows,
            keys_looked_again=looked.keys_looked_again,
            is_settled=looked.is_settled,
        )
        for row in self._differences:
            fields = ",".join(row.fields)
            self._events.emit(
                DifferenceFound(key=row.key, verdict=row.content.value, fields=fields)
            )
        self._unjudged.commit({})
        self._verdicts.commit(summary_of(totals))
        return totals


@contextmanager
def begun(
    artifacts: ArtifactStore, verification: int, *, inputs: Mapping[str, str], events: Events
) -> Iterator[Conclusion]:
    """Begin the artefacts of a verification; without `commit` nothing of them stays."""
    with (
        artifacts.writer(
            verdicts_name(verification), columns=VERDICT_COLUMNS, inputs=inputs
        ) as verdicts,
        artifacts.writer(
            unjudged_name(verification), columns=UNJUDGED_COLUMNS, inputs=inputs
        ) as unjudged,
    ):
        yield Conclusion(verdicts, unjudged, events)
