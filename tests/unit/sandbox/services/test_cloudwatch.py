"""CloudWatch over HTTP with boto3: what was measured is read back, where it was measured."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from backfill.sandbox.model.measurements import Measurement
from tests.unit.sandbox.services.acts import A, B, Client, Desk, allow, refused

T = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
PAIRS = (("SourceBucket", "s"), ("DestinationBucket", "d"), ("RuleId", "r"))
DIMENSIONS = [{"Name": name, "Value": value} for name, value in PAIRS]
NAME = "OperationsPendingReplication"


def record(desk: Desk, *values: float, account: str = A, region: str = "us-east-1") -> None:
    """Twenty seconds lie between each two values."""
    with desk.sandbox.held():
        for number, value in enumerate(values):
            measurement = Measurement(
                metric=NAME,
                unit="Count",
                region=region,
                account_id=account,
                dimensions=PAIRS,
                value=value,
                at=T + timedelta(seconds=20 * number),
            )
            desk.sandbox.services.record(measurement)


def query(statistic: str = "Maximum", period_s: int = 60, **metric: object) -> dict[str, object]:
    about = {"Namespace": "AWS/S3", "MetricName": NAME, "Dimensions": DIMENSIONS} | metric
    return {
        "Id": "q",
        "MetricStat": {"Metric": about, "Period": period_s, "Stat": statistic},
    }


def values(client: Client, asked: dict[str, object], minutes: int = 10) -> list[float]:
    answer = client.get_metric_data(
        MetricDataQueries=[asked],
        StartTime=T - timedelta(minutes=1),
        EndTime=T + timedelta(minutes=minutes),
        ScanBy="TimestampAscending",
    )
    (result,) = answer["MetricDataResults"]
    assert len(result["Timestamps"]) == len(result["Values"])
    return list(result["Values"])


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (query(), [3.0, 8.0]),
        (query("Sum"), [6.0, 12.0]),
        (query("Average", 300), [3.6]),
        (query(Dimensions=DIMENSIONS[:2]), []),
        (query(Namespace="AWS/SQS"), []),
        (query(MetricName="Other"), []),
    ],
)
def test_values_are_gathered_by_period_statistic_and_exact_dimensions(
    desk: Desk, asked: dict[str, object], found: list[float]
) -> None:
    """If this fails, watch reads other numbers here than from CloudWatch."""
    record(desk, 1, 3, 2, 4, 8)
    assert values(desk.client("cloudwatch"), asked) == found


def test_numbers_are_in_their_own_region_and_account(desk: Desk) -> None:
    """If this fails, watch may ask in the wrong Region and never notice."""
    record(desk, 5, account=B, region="eu-west-1")
    assert values(desk.client("cloudwatch"), query()) == []
    assert values(desk.client("cloudwatch", "destination"), query()) == [5.0]
    assert values(desk.client("cloudwatch", "destination", "us-east-1"), query()) == []
    assert values(desk.client("cloudwatch", "destination"), query(), minutes=0) == []


def test_metrics_are_listed_by_name_and_dimension(desk: Desk) -> None:
    """If this fails, watch cannot find out for which rules there are numbers."""
    record(desk, 1)
    client = desk.client("cloudwatch")
    assert client.list_metrics()["Metrics"] == []  # older than two weeks
    now = datetime.now(UTC)
    with desk.sandbox.held():
        fresh = Measurement(
            metric=NAME,
            unit="Count",
            region="us-east-1",
            account_id=A,
            dimensions=PAIRS,
            value=1,
            at=now,
        )
        desk.sandbox.services.record(fresh)
    (metric,) = client.list_metrics(Namespace="AWS/S3", Dimensions=[{"Name": "RuleId"}])["Metrics"]
    assert sorted(each["Value"] for each in metric["Dimensions"]) == ["d", "r", "s"]
    other = [{"Name": "RuleId", "Value": "other"}]
    assert client.list_metrics(Dimensions=other)["Metrics"] == []


def test_statistics_are_read_the_old_way_too(desk: Desk) -> None:
    """If this fails, aws cli's get-metric-statistics says something else."""
    record(desk, 1, 3)
    answer = desk.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/S3",
        MetricName=NAME,
        Dimensions=DIMENSIONS,
        Period=60,
        Statistics=["Sum", "Maximum"],
        StartTime=T,
        EndTime=T + timedelta(minutes=1),
    )
    (point,) = answer["Datapoints"]
    assert (point["Sum"], point["Maximum"]) == (4.0, 3.0)


@pytest.mark.parametrize(
    "ask",
    [
        lambda c: values(c, query(period_s=61)),
        lambda c: values(c, query("p99")),
        lambda c: values(c, {"Id": "q", "Expression": "SUM(METRICS())"}),
        lambda c: values(c, query(), minutes=-5),
        lambda c: c.get_metric_data(MetricDataQueries=[], StartTime=T, EndTime=T),
    ],
)
def test_what_is_not_carried_is_refused(desk: Desk, ask: Callable[[Client], object]) -> None:
    """If this fails, an expression that nobody computes reads as no data."""
    assert refused(lambda: ask(desk.client("cloudwatch"))) == ("ValidationError", 400)


def test_reading_metrics_needs_permission(desk: Desk) -> None:
    """If this fails, the rights that watch needs are never found out."""
    client = desk.client("cloudwatch", desk.user("narrow", allow("cloudwatch:ListMetrics")))
    assert client.list_metrics()["Metrics"] == []
    assert refused(lambda: values(client, query())) == ("AccessDenied", 403)
