"""Totals of a verification, and the exit code that follows from them.

Never estimated: counted from the rows as they are written.
Law: plan rows = plan rows with a verdict + plan rows without one, by reason.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final, cast

from backfill.errors import ArtifactDamagedError, TotalsError
from backfill.model.rows import Row
from backfill.verify.decisions import Judged, Unjudged
from backfill.verify.rows import VERDICT_COLUMNS
from backfill.verify.verdicts import Evidence, Fidelity, Field, Verdict

EXIT_CLEAN: Final = 0
EXIT_DIFFERENT: Final = 4
EXIT_UNPROVEN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyTotals:
    """Counts of one verification, as its artefact's summary holds them.

    `plan_rows` = `judged` + the sum of `unjudged`. `verdicts` (of content), `evidence` and
    `fidelity` count rows of the artefact: each sums to `judged` + `extras`. `fields` counts
    differing fields, several a row. `explained` counts destination versions that looked extra and
    are live replication's. `keys_looked_again` were suspects of the first look; `is_settled` says
    that none was left unlooked at for being too many.
    """

    plan_rows: int
    judged: int
    extras: int
    explained: int
    unjudged: Mapping[str, int]
    verdicts: Mapping[str, int]
    evidence: Mapping[str, int]
    fidelity: Mapping[str, int]
    fields: Mapping[str, int]
    keys_looked_again: int = 0
    is_settled: bool = True

    def checked(self) -> "VerifyTotals":
        """Return these totals if they add up.

        Raises:
            TotalsError: they do not.
        """
        rows = self.judged + self.extras
        sums = [sum(part.values()) for part in (self.verdicts, self.evidence, self.fidelity)]
        if self.plan_rows != self.judged + sum(self.unjudged.values()) or sums != [rows] * 3:
            raise TotalsError(f"verify's totals do not add up: {self}")
        return self

    @property
    def exit_code(self) -> int:
        """Return the exit code of a verification that tolerates nothing unproven."""
        return exit_code(self, allows_unverified=False)


def exit_code(totals: VerifyTotals, *, allows_unverified: bool) -> int:
    """Return 4 for anything different, missing or extra; 5 for what is unproven; else 0.

    `allows_unverified` (--allow-unverified) forgives what was read and cannot be proved; never
    `in flight`, and never what could not be read: nobody looked at it.
    """
    wrong = (Verdict.DIFFERENT, Verdict.MISSING, Verdict.EXTRA)
    if any(totals.verdicts.get(verdict) for verdict in wrong):
        return EXIT_DIFFERENT
    if totals.fidelity.get(Fidelity.DIFFERENT):
        return EXIT_DIFFERENT
    if totals.verdicts.get(Verdict.IN_FLIGHT) or totals.evidence.get(Evidence.NOT_READ):
        return EXIT_UNPROVEN
    if totals.verdicts.get(Verdict.UNVERIFIED) and not allows_unverified:
        return EXIT_UNPROVEN
    return EXIT_CLEAN


_OF_GOOD: Final = itemgetter(*map(VERDICT_COLUMNS.index, ("content", "evidence", "fidelity")))


class Tally:
    """Counts decisions one by one, by all that the totals ask of them."""

    def __init__(self) -> None:
        self._judged: Counter[tuple[object, ...]] = Counter()
        self._explained = 0
        self._unjudged: Counter[str] = Counter()

    def count(self, decision: Judged | Unjudged) -> None:
        """Count one decision."""
        if isinstance(decision, Judged):
            number, _, _, _, content, evidence, fidelity, fields, *_ = decision.row
            self._judged[number is None, content, evidence, fidelity, fields] += 1
        elif decision.number is None:
            self._explained += 1
        else:
            self._unjudged[decision.reason] += 1

    def count_good(self, rows: Sequence[Row]) -> None:
        """Count rows of the artefact that have a plan number and no differing field."""
        for told, number in Counter(map(_OF_GOOD, rows)).items():
            self._judged[(False, *told, ())] += number

    def _sums(self, place: int) -> dict[str, int]:
        """Return how often each value stands at a place of what is counted."""
        sums: Counter[str] = Counter()
        for told, rows in self._judged.items():
            sums[str(told[place])] += rows
        return dict(sorted(sums.items()))

    def _field_sums(self) -> dict[str, int]:
        sums: Counter[str] = Counter()
        for (*_, fields), rows in self._judged.items():
            for name in cast("tuple[Field, ...]", fields):
                sums[name.value] += rows
        return dict(sorted(sums.items()))

    def totals(self, *, plan_rows: int, keys_looked_again: int, is_settled: bool) -> VerifyTotals:
        """Return the totals, checked against the number of plan rows.

        Raises:
            TotalsError: a plan row was lost or counted twice.
        """
        extras = sum(rows for (is_extra, *_), rows in self._judged.items() if is_extra)
        return VerifyTotals(
            plan_rows=plan_rows,
            judged=self._judged.total() - extras,
            extras=extras,
            explained=self._explained,
            unjudged=dict(sorted(self._unjudged.items())),
            verdicts=self._sums(1),
            evidence=self._sums(2),
            fidelity=self._sums(3),
            fields=self._field_sums(),
            keys_looked_again=keys_looked_again,
            is_settled=is_settled,
        ).checked()


def summary_of(totals: VerifyTotals) -> Mapping[str, object]:
    """Return the artefact's summary."""
    return {name: getattr(totals, name) for name in VerifyTotals.__dataclass_fields__}


def totals_of(summary: Mapping[str, object]) -> VerifyTotals:
    """Return the totals of an artefact's summary.

    Raises:
        ArtifactDamagedError: it is the summary of something else.
    """
    names = set(VerifyTotals.__dataclass_fields__)
    if not names <= summary.keys():
        raise ArtifactDamagedError(
            "the summary of a verification is not one",
            hint="delete the verify folder of the run directory and verify again",
        )

    def number(name: str) -> int:
        return cast("int", summary[name])

    def counts(name: str) -> Mapping[str, int]:
        return cast("Mapping[str, int]", summary[name])

    return VerifyTotals(
        plan_rows=number("plan_rows"),
        judged=number("judged"),
        extras=number("extras"),
        explained=number("explained"),
        unjudged=counts("unjudged"),
        verdicts=counts("verdicts"),
        evidence=counts("evidence"),
        fidelity=counts("fidelity"),
        fields=counts("fields"),
        keys_looked_again=number("keys_looked_again"),
        is_settled=bool(summary["is_settled"]),
    ).checked()
