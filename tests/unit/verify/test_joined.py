"""The join of cells gives every key that the join of nouns gives, and refuses what it must."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.errors import ArtifactDamagedError, RefusedError, TotalsError
from backfill.execute.outcome_rows import outcomes_of
from backfill.inventory import chains
from backfill.inventory.join import key_groups
from backfill.inventory.rows import entries_of
from backfill.inventory.rows import row_of as listing_row_of
from backfill.plan.rows import entry_of
from backfill.plan.rows import row_of as plan_row_of
from backfill.verify import joined
from backfill.verify.joined import Cells, KeyCells, joined_keys, work_of
from backfill.verify.keys import planned_rows, work_by_key
from tests.unit.verify.two_buckets import Lying, Marker, Stored, copied, listed, planned

LYING: list[Lying] = [Stored(version_id="v2", data=b"two"), Stored(version_id="v1", data=b"one")]
MARKED: list[Lying] = [Marker(version_id="m"), *LYING]
CHAINS = st.sampled_from([[], LYING[:1], LYING[:1], LYING, MARKED])
KEYS = st.dictionaries(
    st.text(st.sampled_from("ab\U0001f600\n"), min_size=1, max_size=3),
    st.tuples(CHAINS, CHAINS, st.sampled_from([0, 1, 1, 2]), st.sampled_from([0, 1, 1, 2])),
    max_size=8,
)


def listing(key: str, chain: list[Lying]) -> list[Cells]:
    return [list(listing_row_of(entry)) for entry in listed(key, chain)]


@pytest.mark.parametrize("ahead", [2, 3, joined.AHEAD_ROWS])
@given(keys=KEYS)
@settings(max_examples=200, deadline=None)
def test_joined_cells_are_the_joined_nouns(
    ahead: int, keys: dict[str, tuple[list[Lying], list[Lying], int, int]]
) -> None:
    """If this fails, a key is judged twice, not at all, or with another key's rows."""
    plan: list[Cells] = []
    outcomes: list[Cells] = []
    source: list[Cells] = []
    destination: list[Cells] = []
    for key in sorted(keys):
        ours, theirs, rows, told = keys[key]
        source += listing(key, ours)
        destination += listing(key, theirs)
        for _ in range(rows):
            number = len(plan)
            plan.append(list(plan_row_of(planned(number, key, LYING[0]))))
            outcomes += [list(copied(number, f"{number} {time}")) for time in range(told)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joined, "AHEAD_ROWS", ahead)
        found = list(joined_keys(plan, outcomes, source, destination))
    ordinary = [item for item in found if isinstance(item, KeyCells)]
    works = [work_of(item) if isinstance(item, KeyCells) else item for item in found]
    pairs = ((outcome.number, outcome) for outcome in outcomes_of(outcomes))
    expected = work_by_key(
        planned_rows(map(entry_of, plan), pairs),
        key_groups(entries_of(source), [entries_of(destination)]),
        destinations=1,
    )
    assert works == list(expected)
    alone = [key for key, (*both, rows, told) in keys.items() if _are_single(both, rows, told)]
    assert [item.source[0] for item in ordinary] == sorted(alone)


def _are_single(chains_of_it: list[list[Lying]], rows: int, told: int) -> bool:
    return [len(chain) for chain in chains_of_it] == [1, 1] and rows == told == 1


ROW = list(plan_row_of(planned(0, "b", LYING[0])))


@pytest.mark.parametrize("number", [-1, 1])
def test_an_outcome_without_a_plan_row_is_a_bug_and_said_so(number: int) -> None:
    """If this fails, totals of plan and journal may differ unseen."""
    with pytest.raises(TotalsError):
        list(joined_keys([ROW], [list(copied(number, "x"))], [], []))


def test_rows_out_of_order_are_refused() -> None:
    """If this fails, keys of a damaged listing are silently taken for missing ones."""
    rows = listing("b", LYING[:1]) + listing("a", LYING[:1])
    with pytest.raises(ArtifactDamagedError):
        list(joined_keys([ROW], [], rows, []))
    with pytest.raises(ArtifactDamagedError):
        list(joined_keys([ROW], [], [], rows))


def test_a_key_with_too_many_versions_is_refused_here_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, one key can take all memory."""
    defaults = chains.key_chains.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "entries_max", 2)
    with pytest.raises(RefusedError):
        list(joined_keys([], [], listing("b", MARKED), []))
