"""Versions, null versions and delete markers: S3 User Guide, Versioning and DeleteMarker."""

import pytest

from tests.contract.declarations import differs
from tests.contract.scenes import md5, put_twice, source_of
from tests.contract.vocabulary import Driver, Source, refused


def test_each_put_is_a_new_version(s3: Driver, bucket: str) -> None:
    """If this fails, a write damages what was there."""
    first, second = put_twice(s3, bucket)
    assert first.version_id != second.version_id
    assert s3.get(bucket, "key", version_id=first.version_id)[1] == b"first"
    assert s3.get(bucket, "key", version_id=second.version_id)[1] == b"second"
    assert s3.get(bucket, "key")[0].version_id == second.version_id


def test_the_same_bytes_again_are_another_version(s3: Driver, bucket: str) -> None:
    """If this fails, an equal ETag means an equal version, which it does not."""
    first, second = s3.put(bucket, "key"), s3.put(bucket, "key")
    assert first.etag == second.etag
    assert s3.list_versions(bucket).version_ids == [second.version_id, first.version_id]


def test_a_bucket_without_versioning_has_null_versions(s3: Driver, plain: str) -> None:
    """If this fails, objects from before versioning have an identity that S3 does not give."""
    assert s3.versioning(plain) is None
    assert s3.put(plain, "key").version_id is None
    assert s3.list_versions(plain).version_ids == ["null"]
    assert s3.head(plain, "key").version_id is None


def test_a_null_version_outlives_the_switch_to_versioning(s3: Driver, plain: str) -> None:
    """If this fails, what a bucket held before versioning is lost or unreachable."""
    s3.put(plain, "key", b"before")
    s3.set_versioning(plain, "Enabled")
    later = s3.put(plain, "key", b"after")
    assert s3.list_versions(plain).version_ids == [later.version_id, "null"]
    assert s3.get(plain, "key", version_id="null")[1] == b"before"


@differs("seaweedfs", "says no source version")
@differs("moto", "says no version ID for null versions")
def test_a_null_version_says_its_name_once_there_was_versioning(s3: Driver, plain: str) -> None:
    """If this fails, a HEAD cannot be joined with a listing."""
    s3.put(plain, "key")
    s3.set_versioning(plain, "Enabled")
    assert s3.head(plain, "key").version_id == "null"
    assert s3.copy(Source(bucket=plain, key="key"), plain, "copy").source_version_id == "null"


def test_a_null_version_can_be_copied_by_its_name(s3: Driver, plain: str) -> None:
    """If this fails, objects from before versioning cannot be backfilled pinned."""
    s3.put(plain, "key", b"before")
    s3.set_versioning(plain, "Enabled")
    s3.put(plain, "key", b"after")
    s3.copy(Source(bucket=plain, key="key", version_id="null"), plain, "copy")
    assert s3.get(plain, "copy")[1] == b"before"


@differs("seaweedfs", "lists null versions last, whatever their time")
@differs("moto", "drops all versions at a write while suspended")
def test_writing_while_suspended_replaces_the_null_version_only(s3: Driver, bucket: str) -> None:
    """If this fails, suspending versioning loses history, or makes some."""
    kept = s3.put(bucket, "key", b"kept")
    s3.set_versioning(bucket, "Suspended")
    s3.put(bucket, "key", b"null one")
    s3.put(bucket, "key", b"null two")
    assert s3.list_versions(bucket).version_ids == ["null", kept.version_id]
    assert s3.get(bucket, "key")[1] == b"null two"
    assert s3.head(bucket, "key").version_id == "null"
    assert s3.get(bucket, "key", version_id=kept.version_id)[1] == b"kept"


@differs("seaweedfs", "lists null versions last, whatever their time")
@differs("moto", "removes the object instead of adding a marker")
def test_deleting_while_suspended_replaces_the_null_version_by_a_null_marker(
    s3: Driver, bucket: str
) -> None:
    """If this fails, deleting in a suspended bucket keeps or loses the wrong version."""
    kept = s3.put(bucket, "key", b"kept")
    s3.set_versioning(bucket, "Suspended")
    s3.put(bucket, "key", b"null")
    deleted = s3.delete(bucket, "key")
    assert (deleted.version_id, deleted.is_delete_marker) == ("null", True)
    entries = s3.list_versions(bucket).entries
    assert [(row.version_id, row.is_delete_marker) for row in entries] == [
        ("null", True),
        (kept.version_id, False),
    ]


def test_enabling_again_keeps_the_null_version(s3: Driver, bucket: str) -> None:
    """If this fails, a null version vanishes below later ones."""
    s3.set_versioning(bucket, "Suspended")
    s3.put(bucket, "key", b"null")
    s3.set_versioning(bucket, "Enabled")
    later = s3.put(bucket, "key", b"later")
    assert s3.list_versions(bucket).version_ids == [later.version_id, "null"]
    assert s3.get(bucket, "key", version_id="null")[1] == b"null"


def test_deleting_the_null_version_by_name_leaves_the_others(s3: Driver, plain: str) -> None:
    """If this fails, `null` is taken for no version ID."""
    s3.put(plain, "key", b"before")
    s3.set_versioning(plain, "Enabled")
    later = s3.put(plain, "key", b"after")
    s3.delete(plain, "key", version_id="null")
    assert s3.list_versions(plain).version_ids == [later.version_id]


@differs("moto", "lists all versions before all delete markers")
def test_a_delete_hides_the_key_behind_a_marker(s3: Driver, bucket: str) -> None:
    """If this fails, a delete without version ID loses data."""
    written = s3.put(bucket, "key", b"body")
    deleted = s3.delete(bucket, "key")
    assert deleted.is_delete_marker
    entries = s3.list_versions(bucket).entries
    assert [(row.version_id, row.is_latest, row.is_delete_marker) for row in entries] == [
        (deleted.version_id, True, True),
        (written.version_id, False, False),
    ]
    assert s3.list_objects(bucket).keys == []
    assert s3.get(bucket, "key", version_id=written.version_id)[1] == b"body"


@differs("seaweedfs", "says nothing of the marker")
@differs("moto", "says nothing of the marker on GET")
def test_get_of_a_deleted_key_says_that_a_marker_hides_it(s3: Driver, bucket: str) -> None:
    """If this fails, absent and deleted keys cannot be told apart by a read."""
    s3.put(bucket, "key")
    marker = s3.delete(bucket, "key")
    with refused(404, "NoSuchKey") as refusal:
        s3.get(bucket, "key")
    assert refusal.headers.get("x-amz-delete-marker") == "true"
    assert refusal.headers.get("x-amz-version-id") == marker.version_id


@differs("seaweedfs", "says nothing of the marker")
def test_head_of_a_deleted_key_says_that_a_marker_hides_it(s3: Driver, bucket: str) -> None:
    """If this fails, absent and deleted keys cannot be told apart by a HEAD."""
    s3.put(bucket, "key")
    s3.delete(bucket, "key")
    with refused(404) as refusal:
        s3.head(bucket, "key")
    assert refusal.headers.get("x-amz-delete-marker") == "true"


def test_an_absent_key_is_not_said_to_be_deleted(s3: Driver, bucket: str) -> None:
    """If this fails, a missing object is taken for a deleted one."""
    with refused(404, "NoSuchKey") as refusal:
        s3.get(bucket, "key")
    assert "x-amz-delete-marker" not in refusal.headers


@differs("seaweedfs", "answers 404 NoSuchKey")
@differs("moto", "answers 404 NoSuchVersion")
def test_get_of_a_marker_by_its_version_id_is_not_allowed(s3: Driver, bucket: str) -> None:
    """If this fails, a marker is read as an object."""
    s3.put(bucket, "key")
    marker = s3.delete(bucket, "key")
    with refused(405, "MethodNotAllowed") as refusal:
        s3.get(bucket, "key", version_id=marker.version_id)
    assert refusal.headers.get("x-amz-delete-marker") == "true"


@differs("seaweedfs", "answers 404")
def test_head_of_a_marker_by_its_version_id_is_not_allowed(s3: Driver, bucket: str) -> None:
    """If this fails, a marker has the headers of an object."""
    s3.put(bucket, "key")
    marker = s3.delete(bucket, "key")
    with refused(405) as refusal:
        s3.head(bucket, "key", version_id=marker.version_id)
    assert refusal.headers.get("x-amz-delete-marker") == "true"


@differs("moto", "does not say that a marker was removed")
def test_removing_a_marker_brings_the_object_back(s3: Driver, bucket: str) -> None:
    """If this fails, a delete cannot be undone."""
    s3.put(bucket, "key", b"body")
    marker = s3.delete(bucket, "key")
    removed = s3.delete(bucket, "key", version_id=marker.version_id)
    assert (removed.version_id, removed.is_delete_marker) == (marker.version_id, True)
    assert s3.get(bucket, "key")[1] == b"body"


@differs("moto", "lists all versions before all delete markers")
def test_deleting_a_deleted_key_adds_another_marker(s3: Driver, bucket: str) -> None:
    """If this fails, two deletes look like one."""
    s3.put(bucket, "key")
    first, second = s3.delete(bucket, "key"), s3.delete(bucket, "key")
    assert first.version_id != second.version_id
    assert s3.list_versions(bucket).version_ids[:2] == [second.version_id, first.version_id]


@differs("moto", "adds no marker to an absent key")
def test_deleting_an_absent_key_makes_a_marker(s3: Driver, bucket: str) -> None:
    """If this fails, a key that has only a marker is impossible, and it is not."""
    deleted = s3.delete(bucket, "key")
    assert deleted.is_delete_marker
    assert s3.list_versions(bucket).version_ids == [deleted.version_id]


def test_deleting_in_a_bucket_without_versioning_removes_the_object(s3: Driver, plain: str) -> None:
    """If this fails, an unversioned bucket has markers."""
    s3.put(plain, "key")
    deleted = s3.delete(plain, "key")
    assert (deleted.version_id, deleted.is_delete_marker) == (None, False)
    assert s3.list_versions(plain).entries == ()


def test_removing_the_current_version_uncovers_the_one_before(s3: Driver, bucket: str) -> None:
    """If this fails, removing a version changes more than that version."""
    first, second = put_twice(s3, bucket)
    s3.delete(bucket, "key", version_id=second.version_id)
    entry = s3.list_versions(bucket).entries[0]
    assert (entry.version_id, entry.is_latest) == (first.version_id, True)
    assert s3.get(bucket, "key")[1] == b"first"


def test_removing_a_removed_version_is_no_error(s3: Driver, bucket: str) -> None:
    """If this fails, a repeated delete looks like a failure."""
    first, second = put_twice(s3, bucket)
    for _ in range(2):
        s3.delete(bucket, "key", version_id=first.version_id)
    assert s3.list_versions(bucket).version_ids == [second.version_id]


def test_a_removed_version_is_not_read(s3: Driver, bucket: str) -> None:
    """If this fails, a pinned read answers with another version."""
    first, _ = put_twice(s3, bucket)
    s3.delete(bucket, "key", version_id=first.version_id)
    with refused(404, "NoSuchVersion"):
        s3.get(bucket, "key", version_id=first.version_id)
    with refused(404):
        s3.head(bucket, "key", version_id=first.version_id)


@differs("seaweedfs", "answers 404 NoSuchVersion")
@differs("moto", "answers 404 NoSuchVersion")
def test_a_version_id_that_s3_cannot_have_made_is_refused(s3: Driver, bucket: str) -> None:
    """If this fails, a mangled version ID passes for one that was removed."""
    s3.put(bucket, "key")
    with refused(400, "InvalidArgument"):
        s3.get(bucket, "key", version_id="no version")


@differs("moto", "adds no marker to an absent key")
def test_delete_objects_takes_keys_and_versions(s3: Driver, bucket: str) -> None:
    """If this fails, a batch of deletes does something else than the deletes one by one."""
    hidden = s3.put(bucket, "hidden")
    first, second = put_twice(s3, bucket, "thinned")
    done, failed = s3.delete_many(
        bucket, [("hidden", None), ("thinned", first.version_id), ("absent", None)]
    )
    assert (done, failed) == ({"hidden", "thinned", "absent"}, {})
    entries = s3.list_versions(bucket).entries
    assert [(row.key, row.is_delete_marker) for row in entries] == [
        ("absent", True),
        ("hidden", True),
        ("hidden", False),
        ("thinned", False),
    ]
    assert [row.version_id for row in entries[2:]] == [hidden.version_id, second.version_id]


def test_tags_belong_to_a_version(s3: Driver, bucket: str) -> None:
    """If this fails, tagging one version changes another."""
    first, _ = put_twice(s3, bucket)
    s3.put_tags(bucket, "key", (("of", "first"),), version_id=first.version_id)
    s3.put_tags(bucket, "key", (("of", "second"),))
    assert s3.tags(bucket, "key", version_id=first.version_id) == (("of", "first"),)
    assert s3.tags(bucket, "key") == (("of", "second"),)


@differs("seaweedfs", "answers 404 NoSuchKey")
@differs("moto", "answers 404 NoSuchVersion")
def test_tags_of_a_delete_marker_are_not_read(s3: Driver, bucket: str) -> None:
    """If this fails, a rule with tags can meet a marker."""
    s3.put(bucket, "key")
    marker = s3.delete(bucket, "key")
    with refused(405, "MethodNotAllowed"):
        s3.tags(bucket, "key", version_id=marker.version_id)


@differs("seaweedfs", "answers InvalidRequest")
@differs("moto", "takes any status")
def test_versioning_is_enabled_suspended_and_never_undone(s3: Driver, plain: str) -> None:
    """If this fails, nobody can rely on what versioning a bucket says it has."""
    for status in ("Enabled", "Suspended", "Enabled"):
        s3.set_versioning(plain, status)
        assert s3.versioning(plain) == status
    with refused(400, "MalformedXML"):
        s3.set_versioning(plain, "Disabled")


@pytest.mark.parametrize("status", ["Enabled", "Suspended"])
def test_a_copy_of_a_null_version_lands_by_the_destinations_versioning(
    s3: Driver, bucket: str, plain: str, status: str
) -> None:
    """If this fails, the source's versioning decides what the destination keeps."""
    s3.put(plain, "key", b"body")
    s3.set_versioning(bucket, status)
    s3.copy(Source(bucket=plain, key="key"), bucket, "key")
    s3.copy(Source(bucket=plain, key="key"), bucket, "key")
    ids = s3.list_versions(bucket).version_ids
    assert len(ids) == (2 if status == "Enabled" else 1)
    assert ("null" in ids) == (status == "Suspended")
    assert s3.head(bucket, "key").etag == md5(b"body")


@differs("seaweedfs", "says no version ID for null versions")
@differs("moto", "says no version ID for null versions")
def test_a_copy_while_suspended_replaces_the_null_version_only(s3: Driver, bucket: str) -> None:
    """If this fails, copies into a suspended bucket lose named versions, or pile up null ones."""
    source = source_of(bucket, s3.put(bucket, "source", b"copied"), "source")
    named = s3.put(bucket, "key", b"named")
    s3.set_versioning(bucket, "Suspended")
    s3.put(bucket, "key", b"null")
    copied = s3.copy(source, bucket, "key")
    assert copied.version_id == "null"
    page = s3.list_versions(bucket, prefix="key")
    assert page.version_ids == ["null", named.version_id]
    assert s3.get(bucket, "key", version_id="null")[1] == b"copied"


@differs("seaweedfs", "says no source version")
@differs("moto", "says no version ID for null versions")
def test_a_null_version_in_the_middle_is_copied_by_its_name(s3: Driver, bucket: str) -> None:
    """If this fails, a history loses what was written while versioning was suspended."""
    s3.put(bucket, "key", b"before")
    s3.set_versioning(bucket, "Suspended")
    s3.put(bucket, "key", b"null")
    s3.set_versioning(bucket, "Enabled")
    s3.put(bucket, "key", b"after")
    copied = s3.copy(Source(bucket=bucket, key="key", version_id="null"), bucket, "copy")
    assert copied.source_version_id == "null"
    assert copied.version_id != "null"
    assert s3.get(bucket, "copy")[1] == b"null"


def test_a_copy_of_a_version_keeps_working_after_a_newer_one(s3: Driver, bucket: str) -> None:
    """If this fails, a plan goes stale as soon as somebody writes."""
    first = s3.put(bucket, "key", b"first")
    source = source_of(bucket, first)
    s3.put(bucket, "key", b"second")
    s3.delete(bucket, "key")
    assert s3.copy(source, bucket, "copy").etag == first.etag
