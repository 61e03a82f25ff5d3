"""CloudWatch: what S3 measured, read back by account, Region, metric and dimensions.

Never computes expressions or raises alarms: they are refused, not ignored. One law: a metric is
known by its name and exactly its dimensions; other dimensions are another metric
(CloudWatch User Guide: cloudwatch_concepts, Dimension).
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from backfill.sandbox.http.refusals import refused
from backfill.sandbox.model.errors import Pairs, S3Error
from backfill.sandbox.model.measurements import NAMESPACE, Measurement
from backfill.sandbox.services.calls import Call, Doorkeeper, JsonOperation
from backfill.sandbox.services.fields import Fields

_DATA_LIMIT = 100_000
"""Of one metric: the oldest go beyond, since all of them are in memory."""
_QUERIES_LIMIT = 500
_LISTED_FOR = timedelta(days=14)
"""ListMetrics shows what got data in the last two weeks (CloudWatch API: ListMetrics)."""
_SHORT_PERIODS_S = (1, 5, 10, 30)
_STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "Sum": sum,
    "Maximum": max,
    "Minimum": min,
    "Average": lambda values: sum(values) / len(values),
    "SampleCount": len,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric's identity."""

    account_id: str
    region: str
    name: str
    dimensions: Pairs
    """Sorted."""


Answer: TypeAlias = Mapping[str, object]
Bins: TypeAlias = list[tuple[datetime, list[float]]]


class CloudWatch:
    """The calls of CloudWatch."""

    def __init__(self, doorkeeper: Doorkeeper) -> None:
        self._doorkeeper = doorkeeper
        self._data: dict[Metric, deque[Measurement]] = {}

    @property
    def operations(self) -> Mapping[str, JsonOperation]:
        """By name."""
        return {
            "GetMetricData": self.get_data,
            "GetMetricStatistics": self.get_statistics,
            "ListMetrics": self.list_metrics,
        }

    def record(self, measurement: Measurement) -> None:
        """Keep a datum that S3 measured."""
        metric = Metric(
            account_id=measurement.account_id,
            region=measurement.region,
            name=measurement.metric,
            dimensions=tuple(sorted(measurement.dimensions)),
        )
        self._data.setdefault(metric, deque(maxlen=_DATA_LIMIT)).append(measurement)

    def _bins(self, call: Call, about: Fields, period_s: int) -> Bins:
        """A metric's values by the beginnings of the periods, oldest first."""
        if about.required("Namespace") != NAMESPACE:
            return []
        metric = Metric(
            account_id=call.account_id,
            region=call.region,
            name=about.required("MetricName"),
            dimensions=_dimensions(about),
        )
        start, end = _moment(call, "StartTime"), _moment(call, "EndTime")
        if start >= end:
            raise _invalid("The parameter StartTime must be less than the parameter EndTime.")
        first = int(start.timestamp()) // period_s * period_s
        found: dict[int, list[float]] = {}
        for datum in self._data.get(metric, ()):
            at = int(datum.at.timestamp()) // period_s * period_s
            if at >= first and datum.at < end:
                found.setdefault(at, []).append(datum.value)
        return [(datetime.fromtimestamp(at, UTC), found[at]) for at in sorted(found)]

    def get_data(self, call: Call) -> Answer:
        """GetMetricData."""
        self._doorkeeper.require(call, "cloudwatch:GetMetricData", "*")
        queries = call.fields.structures("MetricDataQueries")
        if not queries or len(queries) > _QUERIES_LIMIT:
            raise _invalid("The collection MetricDataQueries must have between 1 and 500 members.")
        if len({query.required("Id") for query in queries}) < len(queries):
            raise _invalid("The Ids of MetricDataQueries must be unique.")
        is_ascending = call.fields.text("ScanBy") == "TimestampAscending"
        results = [
            self._result(call, query, is_ascending=is_ascending)
            for query in queries
            if query.text("ReturnData") != "false"
        ]
        return {"MetricDataResults": results}

    def _result(self, call: Call, query: Fields, *, is_ascending: bool) -> Answer:
        if "MetricStat" not in query:
            raise _invalid("Expressions are not carried by this sandbox: give a MetricStat.")
        asked = query.structure("MetricStat")
        metric = asked.structure("Metric")
        bins = self._bins(call, metric, _period(asked))
        statistic = _statistic(asked.required("Stat"))
        ordered = bins if is_ascending else bins[::-1]
        return {
            "Id": query.required("Id"),
            "Label": query.text("Label") or metric.required("MetricName"),
            "Timestamps": [at for at, _ in ordered],
            "Values": [float(statistic(values)) for _, values in ordered],
            "StatusCode": "Complete",
        }

    def get_statistics(self, call: Call) -> Answer:
        """GetMetricStatistics: in no particular order, as CloudWatch promises none."""
        self._doorkeeper.require(call, "cloudwatch:GetMetricStatistics", "*")
        names = call.fields.strings("Statistics")
        statistics = {name: _statistic(name) for name in names}
        if not statistics:
            raise _invalid("Must specify either Statistics or ExtendedStatistics")
        points = [
            {"Timestamp": at} | {name: float(each(values)) for name, each in statistics.items()}
            for at, values in self._bins(call, call.fields, _period(call.fields))
        ]
        return {"Datapoints": points, "Label": call.fields.required("MetricName")}

    def list_metrics(self, call: Call) -> Answer:
        """ListMetrics."""
        self._doorkeeper.require(call, "cloudwatch:ListMetrics", "*")
        fields = call.fields
        if fields.text("Namespace") not in {None, NAMESPACE}:
            return {"Metrics": []}
        wanted = fields.structures("Dimensions")
        found = [
            {
                "Namespace": NAMESPACE,
                "MetricName": metric.name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
            }
            for metric, data in self._data.items()
            if (metric.account_id, metric.region) == (call.account_id, call.region)
            and fields.text("MetricName") in {None, metric.name}
            and all(_has(metric, dimension) for dimension in wanted)
            and data[-1].at > call.now - _LISTED_FOR
        ]
        return {"Metrics": found}


def _dimensions(about: Fields) -> Pairs:
    given = about.structures("Dimensions")
    return tuple(sorted((each.required("Name"), each.required("Value")) for each in given))


def _has(metric: Metric, wanted: Fields) -> bool:
    value = dict(metric.dimensions).get(wanted.required("Name"))
    return value is not None and wanted.text("Value") in {None, value}


def _period(asked: Fields) -> int:
    period_s = asked.integer("Period", 0)
    if period_s not in _SHORT_PERIODS_S and (period_s < 60 or period_s % 60):
        raise _invalid("The parameter Period must be 1, 5, 10, 30 or a multiple of 60.")
    return period_s


def _statistic(name: str) -> Callable[[Sequence[float]], float]:
    found = _STATISTICS.get(name)
    if found is None:
        raise _invalid(f"The statistic {name} is not one of those that this sandbox carries.")
    return found


def _moment(call: Call, name: str) -> datetime:
    text = call.fields.required(name)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = datetime.fromtimestamp(float(text), UTC)
        except (ValueError, OverflowError) as error:
            raise _invalid(f"timestamp must follow ISO8601: {text}") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _invalid(message: str) -> S3Error:
    return refused(
        code="ValidationError", status=400, message=message, fact="CloudWatch API: GetMetricData"
    )
