"""What S3 refuses in a replication configuration: S3 User Guide, replication-add-config."""

from typing import Any

import pytest

from tests.contract.declarations import (
    table,
)
from tests.contract.rules import (
    ENABLED,
    OURS,
    TAG,
    configure,
    rule,
)
from tests.contract.vocabulary import (
    Driver,
    refused,
)

pytestmark = OURS


def test_a_configuration_is_put_told_and_deleted(s3: Driver, bucket: str, far: str) -> None:
    """If this fails, rules cannot be read from the bucket that has them."""
    with refused(404, "ReplicationConfigurationNotFoundError"):
        s3.has_replication(bucket)
    configure(s3, bucket, rule(far))
    assert s3.has_replication(bucket)
    for _ in range(2):
        s3.delete_replication(bucket)
    with refused(404, "ReplicationConfigurationNotFoundError"):
        s3.has_replication(bucket)


def test_a_source_without_versioning_is_refused(s3: Driver, plain: str, far: str) -> None:
    """If this fails, rules stand on a bucket that cannot replicate."""
    with refused(400, "InvalidRequest"):
        configure(s3, plain, rule(far))


def test_a_destination_without_versioning_is_refused(s3: Driver, bucket: str, plain: str) -> None:
    """If this fails, rules point where replicas would destroy what they replace."""
    with refused(400, "InvalidRequest"):
        configure(s3, bucket, rule(plain))
    with refused(400, "InvalidRequest"):
        configure(s3, bucket, rule(f"{bucket}-absent"))


def test_versioning_of_a_source_cannot_be_suspended(s3: Driver, bucket: str, far: str) -> None:
    """If this fails, a source loses what waits for replication."""
    configure(s3, bucket, rule(far))
    with refused(409, "InvalidBucketState"):
        s3.set_versioning(bucket, "Suspended")
    assert s3.versioning(bucket) == "Enabled"


RTC = {"Status": "Enabled", "Time": {"Minutes": 15}}
METRICS = {"Status": "Enabled", "EventThreshold": {"Minutes": 15}}
REFUSED_CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "filter without priority": ({"Priority": None}, "InvalidRequest"),
    "filter without markers": ({"DeleteMarkerReplication": None}, "InvalidRequest"),
    "markers with tags": (
        {"Filter": {"Tag": TAG}, "DeleteMarkerReplication": ENABLED},
        "InvalidRequest",
    ),
    "markers with tags within And": (
        {
            "Filter": {"And": {"Prefix": "a", "Tags": [TAG]}},
            "DeleteMarkerReplication": ENABLED,
        },
        "InvalidRequest",
    ),
    "two children of Filter": ({"Filter": {"Prefix": "a", "Tag": TAG}}, "MalformedXML"),
    "ExistingObjectReplication": ({"ExistingObjectReplication": ENABLED}, "MalformedXML"),
    "unknown status": ({"Status": "Paused"}, "MalformedXML"),
    "no status": ({"Status": None}, "MalformedXML"),
    "no destination": ({"Destination": None}, "MalformedXML"),
    "an ID over 255 characters": ({"ID": "i" * 256}, "InvalidArgument"),
    "KMS without a key": (
        {"SourceSelectionCriteria": {"SseKmsEncryptedObjects": ENABLED}},
        "InvalidRequest",
    ),
}


@pytest.mark.parametrize("row", table(REFUSED_CHANGES))
def test_a_rule_that_s3_does_not_know_is_refused(
    s3: Driver, bucket: str, far: str, row: tuple[dict[str, Any], str]
) -> None:
    """If this fails, a rule is evaluated that S3 would never have kept."""
    changes, code = row
    with refused(400, code):
        configure(s3, bucket, rule(far, **changes))
    with refused(404, "ReplicationConfigurationNotFoundError"):
        s3.has_replication(bucket)


REFUSED_DESTINATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown storage class": ({"StorageClass": "CHEAP"}, "InvalidArgument"),
    "owner without account": (
        {"AccessControlTranslation": {"Owner": "Destination"}},
        "InvalidRequest",
    ),
    "account of another": ({"Account": "333333333333"}, "InvalidArgument"),
    "time control without metrics": ({"ReplicationTime": RTC}, "InvalidRequest"),
    "time control of 10 minutes": (
        {"ReplicationTime": RTC | {"Time": {"Minutes": 10}}, "Metrics": METRICS},
        "InvalidArgument",
    ),
}


@pytest.mark.parametrize("row", table(REFUSED_DESTINATIONS))
def test_a_destination_that_s3_does_not_know_is_refused(
    s3: Driver, bucket: str, far: str, row: tuple[dict[str, Any], str]
) -> None:
    """If this fails, a campaign stands on a destination that S3 would never have kept."""
    changes, code = row
    place = {"Bucket": f"arn:aws:s3:::{far}", **changes}
    with refused(400, code):
        configure(s3, bucket, rule(far, Destination=place))


def test_there_is_at_least_one_rule(s3: Driver, bucket: str) -> None:
    """If this fails, a configuration may say nothing."""
    with refused(400, "MalformedXML"):
        configure(s3, bucket)


TWO_RULES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "the same priority": ({"ID": "a"}, {"ID": "b"}, "InvalidRequest"),
    "the same ID": ({"ID": "a"}, {"ID": "a", "Priority": 2}, "InvalidArgument"),
    "overlapping prefixes of the first schema": (
        {
            "ID": "a",
            "Prefix": "logs",
            "Filter": None,
            "Priority": None,
            "DeleteMarkerReplication": None,
        },
        {
            "ID": "b",
            "Prefix": "logs/2026",
            "Filter": None,
            "Priority": None,
            "DeleteMarkerReplication": None,
        },
        "InvalidRequest",
    ),
}


@pytest.mark.parametrize("row", table(TWO_RULES))
def test_rules_that_contradict_each_other_are_refused(
    s3: Driver, bucket: str, far: str, row: tuple[dict[str, Any], dict[str, Any], str]
) -> None:
    """If this fails, nobody can say which of two rules wins."""
    one, other, code = row
    with refused(400, code):
        configure(s3, bucket, rule(far, **one), rule(far, **other))
