"""A copy of one version takes that version's, and what is refused leaves nothing behind."""

from tests.contract.declarations import differs
from tests.contract.scenes import full, md5, put_twice, source_of
from tests.contract.vocabulary import Attributes, Driver, refused

OLD = Attributes(
    content_type="text/old", metadata=(("edition", "old"),), tags=(("edition", "old"),)
)
NEW = Attributes(
    content_type="text/new", metadata=(("edition", "new"),), tags=(("edition", "new"),)
)


def test_a_pinned_copy_takes_the_metadata_of_its_version(s3: Driver, bucket: str) -> None:
    """If this fails, a version arrives with what was said of a later one."""
    first = s3.put(bucket, "key", b"first", attributes=OLD)
    s3.put(bucket, "key", b"second", attributes=NEW)
    s3.copy(source_of(bucket, first), bucket, "copy")
    kept = s3.head(bucket, "copy").attributes
    assert (kept.content_type, kept.metadata) == ("text/old", OLD.metadata)


def test_a_pinned_copy_takes_the_tags_of_its_version(s3: Driver, bucket: str) -> None:
    """If this fails, rules with tags meet versions that nobody tagged so."""
    first = s3.put(bucket, "key", b"first", attributes=OLD)
    s3.put(bucket, "key", b"second", attributes=NEW)
    s3.copy(source_of(bucket, first), bucket, "copy")
    assert s3.tags(bucket, "copy") == OLD.tags


def test_tags_changed_since_the_write_are_those_that_a_copy_takes(s3: Driver, bucket: str) -> None:
    """If this fails, a tag that was taken off comes back at the destination."""
    first = s3.put(bucket, "key", b"first", attributes=OLD)
    s3.put(bucket, "key", b"second")
    s3.put_tags(bucket, "key", NEW.tags, version_id=first.version_id)
    s3.copy(source_of(bucket, first), bucket, "copy")
    assert s3.tags(bucket, "copy") == NEW.tags
    assert s3.tags(bucket, "key") == ()


def test_a_condition_outlives_a_change_of_tags(s3: Driver, bucket: str) -> None:
    """If this fails, a replace is refused because somebody tagged what it replaces."""
    s3.put(bucket, "key", b"old")
    s3.put_tags(bucket, "key", NEW.tags)
    written = s3.put(bucket, "other", b"new")
    s3.copy(source_of(bucket, written, "other"), bucket, "key", if_match=md5(b"old"))
    assert s3.get(bucket, "key")[1] == b"new"


@differs("moto", "ignores If-None-Match on CopyObject")
def test_a_refused_copy_leaves_no_version(s3: Driver, bucket: str) -> None:
    """If this fails, a copy that lost a race leaves a version that nobody knows of."""
    first, second = put_twice(s3, bucket)
    with refused(412, "PreconditionFailed"):
        s3.copy(source_of(bucket, first), bucket, "key", if_none_match="*")
    assert s3.list_versions(bucket).version_ids == [second.version_id, first.version_id]


@differs("seaweedfs", "copies no checksum")
@differs("moto", "copies no checksum")
def test_a_pinned_copy_keeps_the_checksum_of_its_version(s3: Driver, bucket: str) -> None:
    """If this fails, the evidence of a copy is that of other bytes."""
    first = s3.put(bucket, "key", b"first", checksum=full("SHA256", b"first"))
    s3.put(bucket, "key", b"second", checksum=full("SHA256", b"second"))
    s3.copy(source_of(bucket, first), bucket, "copy")
    assert s3.head(bucket, "copy").checksum == full("SHA256", b"first")
