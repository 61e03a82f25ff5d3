"""A row of outcomes is an outcome's fields, in their order; anything else is a damage."""

import pytest

from backfill.errors import ArtifactDamagedError
from backfill.execute.outcome_rows import COLUMNS, outcome_of, outcomes_of, row_of
from backfill.model.objects import ETag, VersionId
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.model.rows import Scalar

ROW: list[Scalar] = [7, "copied", "code", "detail", "v", "e", 2, 30, "sum"]
OUTCOME = Outcome(
    number=7,
    kind=OutcomeKind.COPIED,
    code="code",
    detail="detail",
    version_id=VersionId("v"),
    etag=ETag("e"),
    attempts=2,
    bytes_copied=30,
    checksum="sum",
)


def test_a_row_has_the_fields_of_an_outcome_under_their_names() -> None:
    """If this fails, another version of backfill reads a code for a detail."""
    assert Outcome._fields == COLUMNS
    assert COLUMNS == (
        "number",
        "kind",
        "code",
        "detail",
        "version_id",
        "etag",
        "attempts",
        "bytes_copied",
        "checksum",
    )
    assert list(row_of(OUTCOME)) == ROW
    assert type(row_of(OUTCOME)) is tuple
    assert outcome_of(ROW) == OUTCOME
    bare = [*ROW[:4], None, None, *ROW[6:]]
    assert outcome_of(bare) == OUTCOME._replace(version_id=None, etag=None)
    assert list(outcomes_of([ROW, bare])) == [outcome_of(ROW), outcome_of(bare)]


@pytest.mark.parametrize("kind", OutcomeKind)
def test_every_kind_comes_back(kind: OutcomeKind) -> None:
    """If this fails, a resume does not know how an entry ended."""
    found = outcome_of([7, kind.value, *ROW[2:]])
    assert found.kind is kind


@pytest.mark.parametrize(
    "row",
    [
        [],
        ROW[:-1],
        [*ROW, ""],
        ["7", *ROW[1:]],
        [True, *ROW[1:]],
        [7, "melted", *ROW[2:]],
        [7, None, *ROW[2:]],
        [*ROW[:6], None, 30, "sum"],
        [*ROW[:7], "30", "sum"],
    ],
)
def test_a_row_that_is_no_outcome_is_told(row: list[Scalar]) -> None:
    """If this fails, a damaged row counts as a copy, or ends in a traceback."""
    with pytest.raises(ArtifactDamagedError) as raised:
        outcome_of(row)
    assert raised.value.hint
