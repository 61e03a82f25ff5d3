"""What numbers and events together say of a rule."""

from datetime import UTC, datetime, timedelta

import pytest

from backfill.model.accounts import Datapoint, Unread
from backfill.watch.metrics import Metric, Trend, measured, trend_of
from backfill.watch.verdicts import NO_PROOF, Standing, Told, Verdict, judged

NOW = datetime(2026, 11, 23, 3, 30, tzinfo=UTC)


def values(*numbers: float, age_min: int = 1) -> Told:
    """Values a minute, the newest so many minutes ago."""
    last = NOW - timedelta(minutes=age_min)
    return measured(
        [
            Datapoint(at=last - timedelta(minutes=len(numbers) - 1 - at), value=number)
            for at, number in enumerate(numbers)
        ]
    )


def told(pending: Told = None, *, latency: Told = None, failed: Told = None) -> dict[Metric, Told]:
    return {
        Metric.PENDING: pending,
        Metric.PENDING_BYTES: None,
        Metric.LATENCY: latency,
        Metric.FAILED: failed,
    }


DENIED = Unread(operation="GetMetricData", code="AccessDenied")


@pytest.mark.parametrize(
    ("numbers", "standing", "verdict", "is_open", "words"),
    [
        (told(values(0)), Standing(), Verdict.KEEPS_UP, False, NO_PROOF),
        (told(values(3, 3, 3, 3)), Standing(), Verdict.KEEPS_UP, True, "3 operations pending, st"),
        (told(values(9, 9, 1, 1)), Standing(), Verdict.KEEPS_UP, True, "falling"),
        (told(values(1, 1, 9, 9)), Standing(), Verdict.FALLS_BEHIND, True, "rising"),
        (told(values(1, 5, 9, 0)), Standing(), Verdict.KEEPS_UP, False, NO_PROOF),
        (told(values(1), latency=values(900)), Standing(), Verdict.FALLS_BEHIND, True, "15 min"),
        (told(values(1), latency=values(899)), Standing(), Verdict.KEEPS_UP, True, "14 min 59 s"),
        (told(values(0), latency=values(9000)), Standing(), Verdict.KEEPS_UP, False, "2 h 30 min"),
        (told(values(5, age_min=40)), Standing(), Verdict.KEEPS_UP, True, "told 40 min 00 s ago"),
        (told(), Standing(), Verdict.NO_DATA, False, "not zero"),
        (told(), Standing(untracked=2), Verdict.NO_DATA, True, "2 versions tracked no longer"),
        (told(), Standing(late=1), Verdict.FALLS_BEHIND, True, "1 version wait"),
        (told(DENIED), Standing(), Verdict.CANNOT_TELL, True, "GetMetricData: AccessDenied"),
        (told(DENIED), Standing(failed=1), Verdict.FAILS, True, "1 version failed"),
        (told(values(0)), Standing(failed=2, late=1), Verdict.FAILS, True, "1 version wait"),
        (told(failed=values(2)), Standing(), Verdict.FAILS, True, "no event"),
        (
            told(failed=values(2)),
            Standing(has_named_failures=True),
            Verdict.KEEPS_UP,
            False,
            "2 operations failed within the last 60 minutes, settled since",
        ),
        (None, Standing(), Verdict.CANNOT_TELL, True, "Switch them on"),
        (None, Standing(failed=1), Verdict.FAILS, True, "1 version failed"),
    ],
)
def test_a_rule_is_judged_by_all_that_is_known(
    numbers: dict[Metric, Told] | None,
    standing: Standing,
    verdict: Verdict,
    is_open: bool,
    words: str,
) -> None:
    """If this fails, a rule that fails is called healthy, or a healthy one cries for help."""
    judgement = judged(numbers, standing, now=NOW)
    assert (judgement.verdict, judgement.is_open) == (verdict, is_open)
    assert words in judgement.sentence


@pytest.mark.parametrize(
    ("numbers", "trend"),
    [
        ([], Trend.UNKNOWN),
        ([0, 9, 99], Trend.UNKNOWN),
        ([0, 0, 0, 0], Trend.STEADY),
        ([10, 10, 11, 11], Trend.STEADY),
        ([10, 10, 12, 12], Trend.RISING),
        ([0, 0, 0, 0, 99, 0, 0, 0], Trend.STEADY),
        ([12, 12, 10, 10], Trend.FALLING),
        ([1, 1, 7, 2, 2], Trend.RISING),
        ([1, 9, 9, 9, 9, 9], Trend.STEADY),
    ],
)
def test_a_trend_is_of_halves_and_not_of_one_odd_value(numbers: list[float], trend: Trend) -> None:
    """If this fails, one burst of writes is called falling behind."""
    assert trend_of(numbers) is trend


def test_values_are_put_in_order_first() -> None:
    """If this fails, the newest number is whichever CloudWatch gave last."""
    points = [Datapoint(at=NOW, value=7), Datapoint(at=NOW - timedelta(minutes=1), value=1)]
    told = measured(points)
    assert told is not None
    assert (told.newest, told.at, told.total) == (7, NOW, 8)
