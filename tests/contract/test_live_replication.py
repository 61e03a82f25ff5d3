"""What live replication carries: S3 User Guide, replication-what-is-isnot-replicated, -status."""

import json
from typing import Any

import pytest

from tests.contract.declarations import (
    only,
    table,
)
from tests.contract.rules import (
    ENABLED,
    FAR_KMS_KEY,
    OURS,
    ROLE,
    TAG,
    configure,
    rule,
)
from tests.contract.scenes import (
    KMS_KEY,
    source_of,
    uploaded_in_parts,
)
from tests.contract.vocabulary import (
    Attributes,
    Driver,
)

pytestmark = OURS


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
