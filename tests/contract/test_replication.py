"""What S3 refuses in a replication configuration, and what live replication then does.

S3 User Guide: replication-add-config, replication-what-is-isnot-replicated, replication-status.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.contract.declarations import only, table
from tests.contract.scenes import KMS_KEY, source_of, uploaded_in_parts
from tests.contract.vocabulary import Attributes, Driver, refused

OURS = only("model", "sandbox", because="no other server here replicates, or checks its rules")
pytestmark = OURS

ROLE = "arn:aws:iam::111111111111:role/replication"
DISABLED = {"Status": "Disabled"}
ENABLED = {"Status": "Enabled"}
FAR_KMS_KEY = "arn:aws:kms:eu-west-1:222222222222:key/99999999-2222-3333-4444-555555555555"

Rule = Mapping[str, Any]


def rule(destination: str, **changes: object) -> dict[str, Any]:
    """A rule of the second schema for everything, with changes; None leaves an element out."""
    whole: dict[str, object] = {
        "ID": "rule",
        "Priority": 1,
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": DISABLED,
        "Destination": {"Bucket": f"arn:aws:s3:::{destination}"},
    } | changes
    return {name: value for name, value in whole.items() if value is not None}


def configure(s3: Driver, bucket: str, *rules: Rule) -> None:
    """Put a configuration of these rules."""
    s3.set_replication(bucket, {"Role": ROLE, "Rules": list(rules)})


@pytest.fixture
def open_far(far: str, stranger: Driver) -> str:
    """A destination in the other account that lets the replication role write."""
    grant = {
        "Effect": "Allow",
        "Principal": {"AWS": ROLE},
        "Action": ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"],
        "Resource": f"arn:aws:s3:::{far}/*",
    }
    stranger.set_policy(far, json.dumps({"Version": "2012-10-17", "Statement": [grant]}))
    return far


# --- configurations ---


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


TAG = {"Key": "team", "Value": "red"}
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


# --- live replication ---


def test_a_replica_has_its_sources_version_id_and_time(
    s3: Driver, stranger: Driver, bucket: str, open_far: str
) -> None:
    """If this fails, replicas cannot be told from copies."""
    configure(s3, bucket, rule(open_far))
    attributes = Attributes(
        content_type="text/plain", metadata=(("a", "b"),), tags=(("team", "red"),)
    )
    written = s3.put(bucket, "key", b"body", attributes=attributes)
    s3.settle()
    ours, theirs = s3.head(bucket, "key"), stranger.head(open_far, "key")
    assert theirs.version_id == written.version_id
    assert theirs.last_modified == ours.last_modified
    assert theirs.etag == ours.etag
    assert theirs.attributes == ours.attributes
    assert (ours.replication_status, theirs.replication_status) == ("COMPLETED", "REPLICA")
    assert stranger.tags(open_far, "key") == attributes.tags
    assert stranger.get(open_far, "key")[1] == b"body"


@only("model", because="over HTTP replicas without lag arrive before they can be seen pending")
def test_a_version_is_pending_until_it_has_arrived(
    s3: Driver, stranger: Driver, bucket: str, open_far: str
) -> None:
    """If this fails, a version in flight is copied beside its replica."""
    configure(s3, bucket, rule(open_far))
    s3.put(bucket, "key")
    assert s3.head(bucket, "key").replication_status == "PENDING"
    assert stranger.list_versions(open_far).entries == ()
    s3.settle()
    assert s3.head(bucket, "key").replication_status == "COMPLETED"


def test_what_was_there_before_the_rule_stays_behind(
    s3: Driver, stranger: Driver, bucket: str, open_far: str
) -> None:
    """If this fails, there is nothing to backfill."""
    s3.put(bucket, "before")
    configure(s3, bucket, rule(open_far))
    s3.put(bucket, "after")
    s3.settle()
    assert stranger.list_objects(open_far).keys == ["after"]
    assert s3.head(bucket, "before").replication_status is None


FILTERS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "prefix": ({"Filter": {"Prefix": "a"}}, ["a", "a tagged"]),
    "tag": ({"Filter": {"Tag": TAG}}, ["a tagged", "b tagged"]),
    "prefix and tag": ({"Filter": {"And": {"Prefix": "a", "Tags": [TAG]}}}, ["a tagged"]),
    "nothing excluded": ({"Filter": {}}, ["a", "a tagged", "b", "b tagged"]),
    "disabled": ({"Status": "Disabled"}, []),
    "prefix of the first schema": (
        {
            "Prefix": "b",
            "Filter": None,
            "Priority": None,
            "DeleteMarkerReplication": None,
        },
        ["b", "b tagged"],
    ),
}


@pytest.mark.parametrize("row", table(FILTERS))
def test_a_rule_carries_what_its_filter_meets(
    s3: Driver,
    stranger: Driver,
    bucket: str,
    open_far: str,
    row: tuple[dict[str, Any], list[str]],
) -> None:
    """If this fails, the rules mean something else here than on S3."""
    changes, keys = row
    configure(s3, bucket, rule(open_far, **changes))
    for key in ("a", "b"):
        s3.put(bucket, key)
        s3.put(bucket, f"{key} tagged", attributes=Attributes(tags=(("team", "red"),)))
    s3.settle()
    assert stranger.list_objects(open_far).keys == keys
    for key in ("a", "a tagged", "b", "b tagged"):
        expected = "COMPLETED" if key in keys else None
        assert s3.head(bucket, key).replication_status == expected


def test_a_tag_that_comes_later_carries_nothing(
    s3: Driver, stranger: Driver, bucket: str, open_far: str
) -> None:
    """If this fails, late tags look replicated, and S3 leaves them to Batch Replication."""
    configure(s3, bucket, rule(open_far, Filter={"Tag": TAG}))
    s3.put(bucket, "key")
    s3.put_tags(bucket, "key", (("team", "red"),))
    s3.settle()
    assert stranger.list_versions(open_far).entries == ()


def test_a_change_of_tags_follows_a_replica(
    s3: Driver, stranger: Driver, bucket: str, open_far: str
) -> None:
    """If this fails, replicas are held different for tags that S3 carries over."""
    configure(s3, bucket, rule(open_far))
    written = s3.put(bucket, "key")
    s3.settle()
    s3.put_tags(bucket, "key", (("team", "blue"),))
    s3.settle()
    assert stranger.tags(open_far, "key") == (("team", "blue"),)
    assert stranger.list_versions(open_far).version_ids == [written.version_id]


@pytest.mark.parametrize("status", ["Enabled", "Disabled"])
def test_delete_markers_are_carried_where_the_rule_says_so(
    s3: Driver, stranger: Driver, bucket: str, open_far: str, status: str
) -> None:
    """If this fails, deleted objects live on at the destination, or live ones vanish."""
    configure(s3, bucket, rule(open_far, DeleteMarkerReplication={"Status": status}))
    written = s3.put(bucket, "key")
    marker = s3.delete(bucket, "key")
    s3.settle()
    expected = [marker.version_id] if status == "Enabled" else []
    assert stranger.list_versions(open_far).version_ids == [*expected, written.version_id]


def test_the_first_schema_carries_delete_markers(
    s3: Driver, stranger: Driver, bucket: str, open_far: str
) -> None:
    """If this fails, old configurations are taken to leave deleted objects alive."""
    old = rule(open_far, Prefix="", Filter=None, Priority=None, DeleteMarkerReplication=None)
    configure(s3, bucket, old)
    s3.put(bucket, "key")
    s3.delete(bucket, "key")
    s3.settle()
    assert stranger.list_objects(open_far).keys == []
    assert [row.is_delete_marker for row in stranger.list_versions(open_far).entries] == [
        True,
        False,
    ]


def test_a_removed_version_stays_at_the_destination(
    s3: Driver, stranger: Driver, bucket: str, open_far: str
) -> None:
    """If this fails, a permanent delete at the source destroys the replica."""
    configure(s3, bucket, rule(open_far, DeleteMarkerReplication=ENABLED))
    written = s3.put(bucket, "key")
    s3.settle()
    s3.delete(bucket, "key", version_id=written.version_id)
    s3.settle()
    assert stranger.list_versions(open_far).version_ids == [written.version_id]


def test_replicas_are_not_replicated_on(
    s3: Driver, stranger: Driver, bucket: str, open_far: str, far_too: str
) -> None:
    """If this fails, chains of buckets look backfilled, and S3 leaves them behind."""
    configure(stranger, open_far, rule(far_too))
    configure(s3, bucket, rule(open_far))
    s3.put(bucket, "key")
    s3.settle()
    s3.settle()
    assert stranger.list_objects(open_far).keys == ["key"]
    assert stranger.list_objects(far_too).keys == []
    assert stranger.head(open_far, "key").replication_status == "REPLICA"


@pytest.fixture
def far_too(stranger: Driver, far: str) -> str:
    """A third bucket, behind the destination."""
    name = f"{far}-too"
    stranger.make_bucket(name, versioning="Enabled")
    return name


def test_of_two_rules_for_a_destination_the_higher_priority_wins(
    s3: Driver, stranger: Driver, bucket: str, open_far: str
) -> None:
    """If this fails, replicas land in another class than the winning rule says."""
    arn = f"arn:aws:s3:::{open_far}"
    cold = {"Bucket": arn, "StorageClass": "STANDARD_IA"}
    warm = {"Bucket": arn, "StorageClass": "INTELLIGENT_TIERING"}
    configure(
        s3,
        bucket,
        rule(open_far, ID="low", Priority=1, Destination=cold),
        rule(open_far, ID="high", Priority=2, Destination=warm, Filter={"Prefix": "warm"}),
    )
    for key in ("warm", "cold"):
        s3.put(bucket, key)
    s3.settle()
    assert stranger.head(open_far, "warm").attributes.storage_class == "INTELLIGENT_TIERING"
    assert stranger.head(open_far, "cold").attributes.storage_class == "STANDARD_IA"
    assert len(stranger.list_versions(open_far).entries) == 2


def test_sse_kms_objects_need_the_rules_consent(
    s3: Driver, stranger: Driver, bucket: str, open_far: str
) -> None:
    """If this fails, encrypted objects look replicated that S3 skips without a word."""
    configure(s3, bucket, rule(open_far))
    s3.put(bucket, "key", attributes=Attributes(encryption="aws:kms", kms_key_id=KMS_KEY))
    s3.settle()
    assert stranger.list_versions(open_far).entries == ()
    assert s3.head(bucket, "key").replication_status is None


def test_sse_kms_objects_get_the_rules_key(
    s3: Driver, stranger: Driver, bucket: str, open_far: str
) -> None:
    """If this fails, replicas are encrypted by a key that their readers do not have."""
    place = {
        "Bucket": f"arn:aws:s3:::{open_far}",
        "EncryptionConfiguration": {"ReplicaKmsKeyID": FAR_KMS_KEY},
    }
    consent = {"SseKmsEncryptedObjects": ENABLED}
    configure(s3, bucket, rule(open_far, Destination=place, SourceSelectionCriteria=consent))
    s3.put(bucket, "key", attributes=Attributes(encryption="aws:kms", kms_key_id=KMS_KEY))
    s3.settle()
    assert stranger.head(open_far, "key").attributes.kms_key_id == FAR_KMS_KEY
    assert s3.head(bucket, "key").replication_status == "COMPLETED"


def test_archived_objects_are_not_replicated(
    s3: Driver, stranger: Driver, bucket: str, open_far: str
) -> None:
    """If this fails, archived objects look replicated that S3 skips."""
    configure(s3, bucket, rule(open_far))
    for storage_class in ("GLACIER", "DEEP_ARCHIVE", "GLACIER_IR"):
        s3.put(bucket, storage_class, attributes=Attributes(storage_class=storage_class))
    s3.settle()
    assert stranger.list_objects(open_far).keys == ["GLACIER_IR"]


def test_parts_and_their_etag_are_replicated(
    s3: Driver, stranger: Driver, bucket: str, open_far: str
) -> None:
    """If this fails, replicas of large objects are held different."""
    configure(s3, bucket, rule(open_far))
    written = uploaded_in_parts(s3, bucket, algorithm="SHA256")
    s3.settle()
    replica = stranger.head(open_far, "key", part_number=2)
    assert (replica.etag, replica.parts_count) == (written.etag, 2)
    assert stranger.head(open_far, "key").checksum == written.checksum


def test_replication_into_a_suspended_bucket_fails(
    s3: Driver, stranger: Driver, bucket: str, open_far: str
) -> None:
    """If this fails, a broken destination looks replicated."""
    configure(s3, bucket, rule(open_far))
    stranger.set_versioning(open_far, "Suspended")
    s3.put(bucket, "key")
    s3.settle()
    assert s3.head(bucket, "key").replication_status == "FAILED"
    assert stranger.list_versions(open_far).entries == ()


def test_a_copy_within_the_source_is_replicated_as_any_write(
    s3: Driver, stranger: Driver, bucket: str, open_far: str
) -> None:
    """If this fails, copying an old object in place does not bring it over."""
    old = s3.put(bucket, "key", b"body")
    configure(s3, bucket, rule(open_far))
    copied = s3.copy(source_of(bucket, old), bucket, "key", metadata_directive="REPLACE")
    s3.settle()
    assert stranger.list_versions(open_far).version_ids == [copied.version_id]
