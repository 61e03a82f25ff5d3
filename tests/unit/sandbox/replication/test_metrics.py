"""CloudWatch's numbers of replication: where, of what, and how often."""

from backfill.sandbox.model.measurements import Measurement
from tests.unit.sandbox.batch_operations.works import Works
from tests.unit.sandbox.model.replicating import (
    FAR,
    NEAR,
    OWN,
    SOURCE,
    Theatre,
    destination,
    rule,
)

METRICS = "<Metrics><Status>Enabled</Status></Metrics>"
PENDING = ("OperationsPendingReplication", "BytesPendingReplication", "ReplicationLatency")


class Measured(Theatre):
    """The theatre with CloudWatch beside it: one rule with metrics and one without."""

    def __init__(self, more: str = METRICS) -> None:
        super().__init__()
        self.data: list[Measurement] = []
        self.model.world.measure = self.data.append
        self.configure(
            rule(to=destination(more=more)), rule(rule_id="b", priority=2, to=destination(FAR))
        )

    def minute(self) -> dict[str, float]:
        """Let a minute begin; what was told, by metric."""
        self.data.clear()
        self.wait(60 - self.now.second)
        return {datum.metric: datum.value for datum in self.data}


def test_what_waits_is_measured_in_the_destinations_region() -> None:
    """If this fails, watch looks into the wrong Region and finds nothing on AWS."""
    theatre = Measured()
    theatre.put("a", body=b"12345")
    theatre.now = theatre.now.replace(second=58)
    theatre.put("b", body=b"123")
    assert theatre.status("b") == "PENDING"
    told = theatre.minute()
    assert told == dict(zip(PENDING, (2.0, 8.0, 59.0), strict=True))
    first = theatre.data[0]
    assert (first.region, first.account_id) == ("eu-west-1", OWN)
    assert first.dimensions == (
        ("SourceBucket", SOURCE),
        ("DestinationBucket", NEAR),
        ("RuleId", "r"),
    )
    assert {datum.unit for datum in theatre.data} == {"Count", "Bytes", "Seconds"}


def test_once_idle_a_rule_says_zero_once_and_then_nothing() -> None:
    """If this fails, missing data, which is normal, is never met before AWS."""
    theatre = Measured()
    theatre.put()
    theatre.now = theatre.now.replace(second=55)
    assert theatre.minute()["OperationsPendingReplication"] == 1.0
    theatre.wait()
    assert theatre.minute() == dict.fromkeys(PENDING, 0.0)
    assert theatre.minute() == {}


def test_within_a_minute_nothing_is_told_again() -> None:
    """If this fails, sums of a minute count twice."""
    theatre = Measured()
    theatre.put()
    theatre.wait(1)
    theatre.data.clear()
    theatre.wait(1)
    assert theatre.data == []


def test_failures_are_counted_in_the_sources_region() -> None:
    """If this fails, failures are looked for where they never are."""
    theatre = Measured()
    theatre.minute()
    theatre.version(NEAR, "Suspended")
    for key in ("a", "b"):
        theatre.put(key)
    theatre.wait()
    assert theatre.minute()["OperationsFailedReplication"] == 2.0
    (failed,) = (datum for datum in theatre.data if "Failed" in datum.metric)
    assert failed.region == "us-east-1"
    assert "OperationsFailedReplication" not in theatre.minute()


def test_a_rule_without_metrics_is_not_measured() -> None:
    """If this fails, a set-up without metrics seems to be watched."""
    theatre = Measured("")
    theatre.put()
    theatre.version(NEAR, "Suspended")
    assert theatre.minute() == {}
    assert theatre.minute() == {}


def test_a_job_counts_only_by_what_fails_of_it() -> None:
    """If this fails, a backfill looks like live replication that falls behind."""
    works = Works()
    data: list[Measurement] = []
    works.model.world.measure = data.append
    version_id = works.put()
    works.configure(
        rule(to=destination(more=METRICS)),
        rule(rule_id="b", priority=2, to=destination(FAR, METRICS)),
    )
    works.wait(60)
    data.clear()
    del works.model.world.buckets[FAR]
    assert works.outcome("k", version_id) == ("failed", "404", "DstBucketNotFound")
    assert len(works.model.replication.pending()) == 1
    works.now = works.now.replace(second=58)
    works.wait(3)
    assert [(datum.metric, datum.value) for datum in data] == [("OperationsFailedReplication", 1.0)]
    assert dict(data[0].dimensions)["RuleId"] == "b"
