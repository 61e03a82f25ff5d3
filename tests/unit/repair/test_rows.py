"""What a repair decided is kept row by row, and two repairs know one problem by it."""

import pytest

from backfill.manifest.entries import ManifestEntry
from backfill.model.store import IfAbsent
from backfill.repair.remedy import Person, Remedy, work
from backfill.repair.rows import (
    COLUMNS,
    Decided,
    Problem,
    copies_name,
    decided_of,
    problem_of,
    repair_name,
    row_of,
)
from backfill.verify.verdicts import Evidence, Fidelity, Field, Verdict, VerdictRow
from tests.unit.verify.two_buckets import Stored, planned

ENTRY = planned(7, "a key", Stored(version_id="v", data=b"data"))
VERDICT = VerdictRow(
    number=7,
    key="a key",
    version_id=ENTRY.version_id,
    destination=1,
    content=Verdict.DIFFERENT,
    evidence=Evidence.LISTING,
    fidelity=Fidelity.DIFFERENT,
    fields=(Field.CONTENT, Field.TAGS),
)
EXTRA = VERDICT._replace(number=None, version_id=None, content=Verdict.EXTRA, fields=())
WORK: ManifestEntry = work(ENTRY, VERDICT, 3, IfAbsent())
PROBLEM = Problem(
    key="a key", version_id="v", destination=1, content="different", fields="content,tags"
)


def test_columns_keep_their_names() -> None:
    """If this fails, repairs of an earlier version are read with their columns shifted."""
    assert COLUMNS == (
        "number",
        "key",
        "version_id",
        "destination",
        "content",
        "fields",
        "route",
        "sentence",
    )
    assert (copies_name(2), repair_name(12)) == ("repair/02-copies", "repair/12")


@pytest.mark.parametrize(
    ("verdict", "remedy", "row", "decided"),
    [
        (
            VERDICT,
            WORK,
            (7, "a key", "v", 1, "different", "content,tags", "copy-object", ""),
            Decided(problem=PROBLEM, is_work=True),
        ),
        (
            VERDICT,
            Person(sentence="Mend it."),
            (7, "a key", "v", 1, "different", "content,tags", None, "Mend it."),
            Decided(problem=PROBLEM, is_work=False),
        ),
        (
            EXTRA,
            Person(sentence="Mend it."),
            (None, "a key", None, 1, "extra", "", None, "Mend it."),
            Decided(
                problem=Problem(
                    key="a key", version_id=None, destination=1, content="extra", fields=""
                ),
                is_work=False,
            ),
        ),
    ],
)
def test_a_decision_is_work_or_a_sentence_and_its_problem_is_known_again(
    verdict: VerdictRow, remedy: Remedy, row: tuple[object, ...], decided: Decided
) -> None:
    """If this fails, a difference that comes back is mended for ever, or never told."""
    assert row_of(verdict, remedy) == row
    assert problem_of(verdict) == decided.problem
    assert decided_of(list(row_of(verdict, remedy))) == decided
