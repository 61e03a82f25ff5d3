"""Of several looks at a key the last one counts, with all of its rows, and in the first's order."""

from backfill.model.objects import VersionId
from backfill.model.rows import Scalar
from backfill.verify.decisions import Judged, Unjudged
from backfill.verify.drafts import (
    Looked,
    drafts_by_key,
    looked_of,
    newest_drafts,
    suspect_keys,
)
from backfill.verify.rows import Draft, draft_row
from backfill.verify.verdicts import Evidence, Fidelity, Verdict, VerdictRow


def draft(key: str, number: int, *, is_suspect: bool = False) -> Draft:
    row = VerdictRow(
        number=number,
        key=key,
        version_id=VersionId("v"),
        destination=0,
        content=Verdict.EQUAL,
        evidence=Evidence.MD5_ETAG,
        fidelity=Fidelity.EQUAL,
    )
    return Draft(decision=Judged(row=row), is_suspect=is_suspect)


def rows(*drafts: Draft) -> list[list[Scalar]]:
    return [list(draft_row(each)) for each in drafts]


LEFT = Draft(
    decision=Unjudged(number=9, key="d", destination=0, reason="vanished"), is_suspect=True
)
FIRST = (
    draft("a", 0),
    draft("b", 1),
    draft("b", 2, is_suspect=True),
    draft("c", 3, is_suspect=True),
    LEFT,
)


def test_a_later_look_replaces_all_rows_of_its_keys_and_no_others() -> None:
    """If this fails, a key's rows are of two moments, or a settled difference is told again."""
    second = (draft("b", 1), draft("b", 2, is_suspect=True), draft("c", 3))
    third = (draft("b", 1, is_suspect=True),)
    found = newest_drafts([rows(*FIRST), rows(*second), rows(*third)])
    assert list(found) == [FIRST[0], *third, second[2], LEFT]
    assert list(newest_drafts([rows(*FIRST)])) == list(FIRST)
    only_second = newest_drafts([rows(*FIRST), rows(second[2]), rows()])
    assert list(only_second) == [*FIRST[:3], second[2], LEFT]


def test_a_key_is_looked_at_again_if_any_of_its_rows_is_suspect() -> None:
    """If this fails, a key is read again for nothing, or a passing difference becomes a finding."""
    assert list(suspect_keys(rows(*FIRST))) == ["b", "c", "d"]
    groups = [(key, len(list(drafts))) for key, drafts in drafts_by_key(rows(*FIRST))]
    assert groups == [("a", 1), ("b", 2), ("c", 1), ("d", 1)]


def test_what_all_looks_came_to_is_read_back() -> None:
    """If this fails, a resumed verification tells other counts than it found."""
    looked = Looked(looks=2, plan_rows=10, keys_looked_again=3, is_settled=False)
    assert looked.summary == {
        "looks": 2,
        "plan_rows": 10,
        "keys_looked_again": 3,
        "is_settled": False,
    }
    assert looked_of(looked.summary) == looked
