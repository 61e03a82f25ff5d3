from typing import Any

import pytest

from backfill.errors import ArtifactDamagedError, TotalsError
from backfill.plan.routes import Reason, Route
from backfill.plan.totals import (
    Amount,
    DestinationTotals,
    PlanTotals,
    totals_document,
    totals_of,
    tree_lines,
)


def totals(routed: int, staying: int) -> PlanTotals:
    return PlanTotals(
        source=Amount(rows=5, size_bytes=500),
        source_delete_markers=1,
        destinations=(
            DestinationTotals(
                bucket="x",
                routes={Route.COPY_OBJECT: Amount(rows=routed, size_bytes=routed * 100)},
                reasons={Reason.NO_RULE: Amount(rows=staying, size_bytes=staying * 100)},
            ),
        ),
    )


def test_totals_that_do_not_add_up_cannot_exist() -> None:
    """If this fails, a plan that lost a version looks like any other."""
    assert totals(2, 3).routed == Amount(rows=2, size_bytes=200)
    with pytest.raises(TotalsError, match="does not add up"):
        totals(2, 2)


def test_totals_survive_the_artefacts_summary() -> None:
    """If this fails, manifest and report check against other totals than the plan's."""
    assert totals_of({"totals": totals_document(totals(2, 3))}) == totals(2, 3)


@pytest.mark.parametrize(
    "summary", [{}, {"totals": 1}, {"totals": {"source": [1], "destinations": []}}]
)
def test_a_foreign_summary_is_damage(summary: dict[str, Any]) -> None:
    """If this fails, totals of something else pass for a plan's."""
    with pytest.raises(ArtifactDamagedError):
        totals_of(summary)


def test_the_tree_reads_as_a_sum() -> None:
    """If this fails, a person cannot add the printed totals up."""
    assert list(tree_lines(totals(2, 3))) == [
        "at the source: 5 versions, 500 B, 1 of them delete markers",
        "to x: 5 versions, 500 B",
        "  to move: 2 versions, 200 B",
        "    copy-object: 2 versions, 200 B",
        "  not to move: 3 versions, 300 B",
        "    no-rule: 3 versions, 300 B",
    ]
