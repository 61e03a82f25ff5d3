"""Numbers that a person plans their evening by: rate, time left, sizes."""

import pytest

from backfill.observe.progress import WINDOW_S, ProgressMeter, duration, size
from backfill.ports import ProgressCounts


def test_rate_and_time_left_follow_the_last_minute() -> None:
    """If this fails, an hour of fast copies hides that it has been slow since."""
    meter = ProgressMeter(started_s=0.0)
    view = meter.view(ProgressCounts(stage="execute", done=0, total=10_000), now_s=0.0)
    assert (view.rate_per_s, view.eta_s) == (None, None)
    for second in range(1, 101):
        view = meter.view(
            ProgressCounts(stage="execute", done=second * 50, total=10_000), now_s=float(second)
        )
    for second in range(101, 101 + int(WINDOW_S) + 1):
        view = meter.view(
            ProgressCounts(stage="execute", done=5000 + second - 100, total=10_000),
            now_s=float(second),
        )
    assert view.rate_per_s == pytest.approx(1.0)
    assert view.eta_s == pytest.approx(10_000 - view.counts.done)
    assert view.elapsed_s == 161.0


def test_a_million_totals_take_no_more_memory_than_a_hundred() -> None:
    """If this fails, watching a long run costs memory that grows with it."""
    meter = ProgressMeter(started_s=0.0)
    for step in range(10_000):
        meter.view(ProgressCounts(stage="plan", done=step), now_s=step / 1000)
    assert len(meter._samples) <= 128
    assert meter.view(ProgressCounts(stage="plan", done=10_000), now_s=10.0).rate_per_s == 1000.0


def test_a_stage_that_stands_still_has_no_end_in_sight() -> None:
    """If this fails, a stall divides by zero or promises an end."""
    meter = ProgressMeter(started_s=0.0)
    for second in range(5):
        view = meter.view(ProgressCounts(stage="execute", done=7, total=9), now_s=float(second))
    assert (view.rate_per_s, view.eta_s) == (0.0, None)
    assert view.sentence() == "7 of 9 · 0/s"


def test_the_sentence_names_the_most_frequent_errors_and_adds_up_the_rest() -> None:
    """If this fails, errors scroll by unseen or fill the line."""
    errors = {"SlowDown": 1200, "A": 1, "B": 2, "C": 3, "D": 4, "E": 5, "F": 6}
    counts = ProgressCounts(stage="execute", done=10, bytes_done=3 * 1024**3, errors=errors)
    meter = ProgressMeter(started_s=0.0)
    meter.view(ProgressCounts(stage="execute", done=0), now_s=0.0)
    assert meter.view(counts, now_s=2.0).sentence() == (
        "10 · 3.0 GiB · 5/s · 1.5 GiB/s · errors: SlowDown 1,200, F 6, E 5, D 4, C 3, others 3"
    )


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (5 * 1024**4, "5.0 TiB"),
        (2**75, "32768.0 EiB"),
    ],
)
def test_sizes_are_written_with_their_unit(size_bytes: int, words: str) -> None:
    """If this fails, a person misreads how much is left by a factor of 1,024."""
    assert size(size_bytes) == words


@pytest.mark.parametrize(
    ("duration_s", "words"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (61, "1 min 01 s"),
        (3599.9, "1 h 00 min"),
        (3725, "1 h 02 min"),
        (200_000, "2 days 7 h"),
    ],
)
def test_durations_are_written_as_people_say_them(duration_s: float, words: str) -> None:
    """If this fails, the time left reads like a machine's or rounds to 60 seconds."""
    assert duration(duration_s) == words
