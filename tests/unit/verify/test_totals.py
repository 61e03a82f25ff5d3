"""Totals, exit codes and rows."""

from collections.abc import Mapping

import pytest

from backfill.errors import ArtifactDamagedError, TotalsError
from backfill.model.objects import ETag, VersionId
from backfill.verify.decisions import Judged, Unjudged
from backfill.verify.rows import (
    DRAFT_COLUMNS,
    VERDICT_COLUMNS,
    Draft,
    draft_of,
    draft_row,
    row_of,
    verdict_of,
)
from backfill.verify.totals import Tally, VerifyTotals, exit_code, summary_of, totals_of
from backfill.verify.verdicts import Evidence, Fidelity, Field, Verdict, VerdictRow

GOOD = VerdictRow(
    number=0,
    key="a\n,b",
    version_id=VersionId("v"),
    destination=0,
    content=Verdict.EQUAL,
    evidence=Evidence.MD5_ETAG,
    fidelity=Fidelity.EQUAL,
)
BAD = GOOD._replace(
    number=None,
    version_id=None,
    content=Verdict.DIFFERENT,
    fields=(Field.CONTENT, Field.TAGS),
    detail="A sentence, with a comma.",
    destination_version_id=VersionId("d"),
    destination_etag=ETag("e"),
    destination_is_delete_marker=True,
)
LEFT = Unjudged(number=3, key="a", destination=1, reason="superseded")


def tallied(*rows: VerdictRow) -> VerifyTotals:
    tally = Tally()
    for row in rows:
        tally.count(Judged(row=row))
    planned = sum(row.number is not None for row in rows)
    return tally.totals(plan_rows=planned, keys_looked_again=0, is_settled=True)


def of(content: Verdict, fidelity: Fidelity = Fidelity.EQUAL) -> VerdictRow:
    return GOOD._replace(content=content, fidelity=fidelity)


UNREAD = of(Verdict.UNVERIFIED)._replace(evidence=Evidence.NOT_READ)


@pytest.mark.parametrize(
    ("rows", "code", "code_if_allowed"),
    [
        ([], 0, 0),
        ([of(Verdict.EQUAL), of(Verdict.EQUAL, Fidelity.NOT_LOOKED_AT)], 0, 0),
        ([of(Verdict.EQUAL), of(Verdict.UNVERIFIED)], 5, 0),
        ([of(Verdict.IN_FLIGHT)], 5, 5),
        ([of(Verdict.UNVERIFIED), of(Verdict.IN_FLIGHT)], 5, 5),
        ([of(Verdict.EQUAL, Fidelity.DIFFERENT)], 4, 4),
        ([of(Verdict.UNVERIFIED, Fidelity.DIFFERENT)], 4, 4),
        ([of(Verdict.DIFFERENT), of(Verdict.UNVERIFIED)], 4, 4),
        ([of(Verdict.MISSING)], 4, 4),
        ([of(Verdict.EXTRA), of(Verdict.IN_FLIGHT)], 4, 4),
        ([of(Verdict.EQUAL), UNREAD._replace(evidence=Evidence.NONE)], 5, 0),
        ([of(Verdict.EQUAL), UNREAD], 5, 5),
        ([of(Verdict.MISSING), UNREAD], 4, 4),
    ],
)
def test_the_exit_code_follows_from_the_totals(
    rows: list[VerdictRow], code: int, code_if_allowed: int
) -> None:
    """If this fails, a script takes a damaged destination for a sound one."""
    totals = tallied(*rows)
    assert totals.exit_code == exit_code(totals, allows_unverified=False) == code
    assert exit_code(totals, allows_unverified=True) == code_if_allowed


def test_totals_add_up_or_are_refused() -> None:
    """If this fails, a plan row can get lost between plan and verdicts."""
    tally = Tally()
    tally.count(Judged(row=GOOD))
    tally.count(Judged(row=BAD))
    tally.count(LEFT)
    tally.count(LEFT._replace(number=None))
    totals = tally.totals(plan_rows=2, keys_looked_again=0, is_settled=True)
    assert (totals.judged, totals.extras, totals.explained) == (1, 1, 1)
    assert totals.unjudged == {"superseded": 1}
    assert totals.fields == {"content": 1, "tags": 1}
    with pytest.raises(TotalsError):
        tally.totals(plan_rows=3, keys_looked_again=0, is_settled=True)


def test_a_summary_is_read_back_and_another_one_is_refused() -> None:
    """If this fails, report shows totals that verify did not count."""
    totals = tallied(GOOD, BAD)
    assert totals_of(summary_of(totals)) == totals
    other: Mapping[str, object] = {"plan_rows": 1}
    with pytest.raises(ArtifactDamagedError):
        totals_of(other)
    with pytest.raises(TotalsError):
        totals_of({**summary_of(totals), "judged": 7})


@pytest.mark.parametrize("row", [GOOD, BAD])
def test_a_verdict_survives_its_row(row: VerdictRow) -> None:
    """If this fails, repair acts on something else than what verify found."""
    cells = row_of(row)
    assert len(cells) == len(VERDICT_COLUMNS)
    assert verdict_of(list(cells)) == row


@pytest.mark.parametrize("decision", [Judged(row=GOOD), Judged(row=BAD), LEFT])
def test_a_draft_survives_its_row(decision: Judged | Unjudged) -> None:
    """If this fails, what the first look found is lost before the last one."""
    draft = Draft(decision=decision, is_suspect=decision is not LEFT)
    cells = draft_row(draft)
    assert len(cells) == len(DRAFT_COLUMNS)
    assert draft_of(list(cells)) == draft
