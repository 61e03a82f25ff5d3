"""Whether live replication keeps up under a rule: a verdict, and the sentence that goes with it.

Never asks anybody, and never says that all has arrived: metrics follow recent live operations only,
so zero pending is no proof of parity (`backfill verify` compares the buckets).
Law: a failure that is known outweighs every number; what could not be read is `cannot tell`.
"""

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from backfill.model.accounts import Unread
from backfill.model.units import counted, readable_duration, readable_size
from backfill.watch.metrics import WINDOW, Measured, Metric, Trend

BEHIND_S: Final = 900.0
"""Latency from which replication is behind: 15 minutes, RTC's threshold, within which S3 replicates
most objects without RTC, too (S3 User Guide: replication-time-control)."""
STALE: Final = timedelta(minutes=10)
"""Values older than this are said with their age; CloudWatch itself is some minutes late."""

METRICS_OFF: Final = (
    "metrics are off for this rule, so S3 tells no numbers and sends no event about a failure."
    ' Switch them on: put "Metrics": {"Status": "Enabled"} into the Destination of the rule and put'
    " the whole configuration back with all its other rules (`backfill setup` does that)"
)
NO_PROOF: Final = "zero pending is not proof of parity"


class Verdict(enum.StrEnum):
    """What can be said of a rule, best first."""

    KEEPS_UP = "keeps-up"
    """What is written arrives in good time, as far as S3's numbers go."""
    NO_DATA = "no-data"
    """S3 told nothing within the last hour, which is normal where nothing was written."""
    CANNOT_TELL = "cannot-tell"
    """Metrics are off, or could not be read."""
    FALLS_BEHIND = "falls-behind"
    """What waits grows, or waits for longer than 15 minutes."""
    FAILS = "fails"
    """Versions failed that did not arrive since: nothing brings them over by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How many versions events left open for a rule, and whether an event told of its failures.

    `has_named_failures`: within the window of the metrics, so that these are explained.
    """

    failed: int = 0
    late: int = 0
    untracked: int = 0
    has_named_failures: bool = False


Told = Measured | Unread | None
"""Of one metric: values, why there are none to be had, or that there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict and its sentence. `is_open`: something is still under way, or not known."""

    verdict: Verdict
    sentence: str
    is_open: bool


def judged(told: Mapping[Metric, Told] | None, standing: Standing, *, now: datetime) -> Judgement:
    """Judge a rule by its metrics (None: they are off) and by what events said."""
    failure = _failure(told or {}, standing)
    words = "; ".join([*filter(None, [failure]), *_words(told, standing, now)])
    if failure:
        return Judgement(verdict=Verdict.FAILS, sentence=words, is_open=True)
    if told is None or any(isinstance(each, Unread) for each in told.values()):
        return Judgement(verdict=Verdict.CANNOT_TELL, sentence=words, is_open=True)
    if standing.late or _is_behind(told):
        return Judgement(verdict=Verdict.FALLS_BEHIND, sentence=words, is_open=True)
    pending = told.get(Metric.PENDING)
    is_open = bool(standing.untracked) or (isinstance(pending, Measured) and pending.newest > 0)
    has_data = any(each is not None for each in told.values())
    verdict = Verdict.KEEPS_UP if has_data else Verdict.NO_DATA
    return Judgement(verdict=verdict, sentence=words, is_open=is_open)


def _failure(told: Mapping[Metric, Told], standing: Standing) -> str:
    """Return how the rule fails; empty where nothing says so."""
    if standing.failed:
        return f"{_versions(standing.failed)} failed and did not arrive since"
    failed = told.get(Metric.FAILED)
    if isinstance(failed, Measured) and failed.total > 0 and not standing.has_named_failures:
        return (
            f"{_operations(failed.total)} failed within the last {_window()}, and no event that was"
            " read tells which versions; `backfill run` finds and brings over what is missing"
        )
    return ""


def _is_behind(told: Mapping[Metric, Told]) -> bool:
    """Return whether what waits grows, or waits too long."""
    pending, latency = told.get(Metric.PENDING), told.get(Metric.LATENCY)
    if not isinstance(pending, Measured) or pending.newest <= 0:
        return False
    is_slow = isinstance(latency, Measured) and latency.newest >= BEHIND_S
    return is_slow or pending.trend is Trend.RISING


def _words(told: Mapping[Metric, Told] | None, standing: Standing, now: datetime) -> Iterator[str]:
    """Give what the metrics say, or why they say nothing, and what events left open."""
    if told is None:
        yield METRICS_OFF
    elif (unread := next((e for e in told.values() if isinstance(e, Unread)), None)) is not None:
        yield _unread(unread)
    else:
        yield from _numbers(told, standing, now)
    if standing.late:
        yield f"{_versions(standing.late)} wait for longer than the 15 minutes of RTC"
    if standing.untracked:
        yield (
            f"{_versions(standing.untracked)} tracked no longer by S3, arrived or not:"
            " `backfill verify` tells"
        )


def _numbers(told: Mapping[Metric, Told], standing: Standing, now: datetime) -> Iterator[str]:
    pending, waiting, latency = (
        told.get(metric) for metric in (Metric.PENDING, Metric.PENDING_BYTES, Metric.LATENCY)
    )
    if isinstance(pending, Measured):
        size_bytes = round(waiting.newest) if isinstance(waiting, Measured) else 0
        size = f" ({readable_size(size_bytes)})" if size_bytes else ""
        yield f"{_operations(pending.newest)} pending{size}{_age(pending, now)}{_course(pending)}"
        if not pending.newest:
            yield NO_PROOF
    else:
        yield f"no data about pending operations within the last {_window()}, which is not zero"
    if isinstance(latency, Measured):
        yield f"latency {readable_duration(latency.newest)}{_age(latency, now)}"
    failed = told.get(Metric.FAILED)
    is_settled = standing.has_named_failures and not standing.failed
    if isinstance(failed, Measured) and failed.total > 0 and is_settled:
        yield f"{_operations(failed.total)} failed within the last {_window()}, settled since"


def _course(pending: Measured) -> str:
    is_told = pending.newest > 0 and pending.trend is not Trend.UNKNOWN
    return f", {pending.trend.value}" if is_told else ""


def _age(told: Measured, now: datetime) -> str:
    age = now - told.at
    return f" as last told {readable_duration(age.total_seconds())} ago" if age > STALE else ""


def _unread(unread: Unread) -> str:
    return (
        f"CloudWatch could not be read: {unread.operation}: {unread.code}"
        f"{': ' * bool(unread.message)}{unread.message}"
    )


def _window() -> str:
    return f"{WINDOW // timedelta(minutes=1)} minutes"


def _operations(number: float) -> str:
    whole = round(number)
    return f"{counted(whole)} operation{'s' * (whole != 1)}"


def _versions(number: int) -> str:
    return f"{counted(number)} version{'s' * (number != 1)}"
