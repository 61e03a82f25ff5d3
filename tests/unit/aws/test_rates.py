"""Rates: what passes in a time, and how refusals move it."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backfill.aws.rates import (
    BURST_S,
    DECREASE,
    DECREASE_EVERY_S,
    FAR_OFF_DECREASE,
    FAR_OFF_REQUESTS,
    FEW,
    RATE_MIN,
    LearnedRate,
    TokenBucket,
)

PAUSES = st.lists(st.floats(0, 2), min_size=1, max_size=60)


@given(st.floats(0.5, 5000), PAUSES)
def test_no_more_passes_than_the_rate_and_one_burst(rate: float, pauses_s: list[float]) -> None:
    """A budget that leaks after a pause is none."""
    bucket = TokenBucket(rate, now_s=0.0)
    passed = sum(bucket.take(now_s) for now_s in accumulate(pauses_s) for _ in range(50))
    assert passed <= rate * sum(pauses_s) + max(1.0, rate * BURST_S) + 1e-6


@given(st.floats(0.5, 5000), PAUSES)
def test_what_may_not_pass_yet_may_pass_when_it_was_told(
    rate: float, pauses_s: list[float]
) -> None:
    """A timer that is set too early sets itself again for ever."""
    bucket = TokenBucket(rate, now_s=0.0)
    for now_s in accumulate(pauses_s):
        if not bucket.take(now_s):
            assert 0 < bucket.wait_s(now_s) <= 1 / rate
            assert bucket.take(now_s + bucket.wait_s(now_s) + 1e-6)
            break


def settled(rate: float = 100.0) -> LearnedRate:
    """A rate that has just been lowered for having crossed the limit a little."""
    learned = LearnedRate(rate, now_s=0.0)
    assert sum(learned.take(now_s / 100) for now_s in range(100)) > FAR_OFF_REQUESTS
    assert learned.lower(1.0)
    return learned


def test_a_new_rate_doubles_each_second_until_it_is_refused() -> None:
    """The first guess may be far too low: from ten to a thousand must take seconds, not minutes."""
    learned = LearnedRate(FEW, now_s=0.0)
    assert [learned.rate(float(now_s)) for now_s in (0, 1, 5)] == [20.0, 40.0, 640.0]
    assert 200.0 < LearnedRate(10.0, now_s=0.0).rate(5.0) < 320.0


def test_a_rate_that_just_crossed_the_limit_gives_up_little() -> None:
    """It was right but for the last step."""
    assert settled(100.0).rate(1.0) == pytest.approx(200.0 * DECREASE)


def test_a_rate_that_is_refused_at_once_is_halved() -> None:
    """Small steps from far off are refused each."""
    learned = settled()
    before = learned.rate(2.0)
    assert learned.lower(2.0)
    assert learned.rate(2.0) == pytest.approx(before * FAR_OFF_DECREASE)


def test_refusals_of_one_burst_are_one_refusal() -> None:
    """S3 refuses in bursts: a decrease for each would end at the floor."""
    learned = settled()
    rate = learned.rate(1.0)
    assert not any(learned.lower(1.0 + DECREASE_EVERY_S * n / 10) for n in range(10))
    assert learned.rate(1.0) == rate


@given(st.floats(20, 5000))
def test_what_was_given_up_comes_back_in_seconds_and_more_in_minutes(rate: float) -> None:
    """Too fast is refused again soon, too slow wastes what S3 grants."""
    learned = settled(rate)
    low = learned.rate(1.0)
    assert learned.rate(3.0) < low / DECREASE < learned.rate(8.0)
    assert learned.rate(121.0) > 10 * low


def test_a_rate_does_not_fall_below_the_floor() -> None:
    """At zero nothing finds out that the throttling has ended."""
    learned = LearnedRate(0.0, now_s=0.0)
    for now_s in range(1, 50):
        learned.lower(float(now_s))
    assert learned.rate(49.0) == RATE_MIN
