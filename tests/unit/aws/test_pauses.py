"""Pauses and the retry budget."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backfill.model.pauses import Pauses, RetryBudget

PAUSES = Pauses(base_s=0.2, cap_s=20.0)


@given(st.integers(1, 10_000), st.floats(0, 1), st.none() | st.floats(0, 1e9))
def test_a_pause_is_never_longer_than_the_cap(
    attempt: int, draw: float, retry_after_s: float | None
) -> None:
    """A store that names a pause of a year must not stall the run."""
    pause_s = PAUSES.pause_s(attempt, draw=draw, retry_after_s=retry_after_s)
    assert 0 <= pause_s <= 20.0


@pytest.mark.parametrize(
    ("attempt", "draw", "pause_s"),
    [(1, 1.0, 0.2), (2, 1.0, 0.4), (4, 1.0, 1.6), (8, 1.0, 20.0), (4, 0.0, 0.0), (4, 0.5, 0.8)],
)
def test_pauses_double_and_the_whole_interval_is_drawn_from(
    attempt: int, draw: float, pause_s: float
) -> None:
    """Without full jitter all workers come back at the same moment."""
    assert PAUSES.pause_s(attempt, draw=draw) == pytest.approx(pause_s)


def test_a_pause_named_by_the_store_is_a_floor() -> None:
    """Coming back earlier is refused again, and costs an attempt."""
    assert PAUSES.pause_s(1, draw=0.0, retry_after_s=7.0) == 7.0
    assert PAUSES.pause_s(8, draw=1.0, retry_after_s=7.0) == 20.0


@given(st.integers(0, 500), st.integers(0, 20), st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_retries_never_exceed_the_floor_and_the_ratio(calls: int, floor: int, ratio: float) -> None:
    """In a total outage every call fails: the storm is what the budget lets through."""
    budget = RetryBudget(ratio=ratio, floor=floor)
    for _ in range(calls):
        budget.count_first_attempt()
    granted = sum(budget.spend() for _ in range(calls + floor + 10))
    assert granted <= floor + ratio * calls + 1
    assert granted >= floor
    assert budget.retries == granted
