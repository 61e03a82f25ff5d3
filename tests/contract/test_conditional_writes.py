"""Conditions on what a write replaces or a delete hides: S3 User Guide, conditional-requests."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.contract.declarations import differs, table
from tests.contract.scenes import UNKNOWN_ETAG, md5, one_part, put_twice
from tests.contract.vocabulary import Driver, Source, Written, refused

OLD = b"what is there"


class Condition(NamedTuple):
    """A row: what is at the key, what the write demands, what S3 answers."""

    there: str
    if_match: str | None
    if_none_match: str | None
    refusal: tuple[int, str] | None


NONE_ON_ABSENT = Condition("absent", None, "*", None)
NONE_ON_PRESENT = Condition("present", None, "*", (412, "PreconditionFailed"))
NONE_ON_MARKER = Condition("marker", None, "*", None)
MATCH_ON_PRESENT = Condition("present", md5(OLD), None, None)
QUOTED_MATCH = Condition("present", f'"{md5(OLD)}"', None, None)
OTHER_ON_PRESENT = Condition("present", UNKNOWN_ETAG, None, (412, "PreconditionFailed"))
MATCH_ON_ABSENT = Condition("absent", md5(OLD), None, (404, "NoSuchKey"))
MATCH_ON_MARKER = Condition("marker", md5(OLD), None, (404, "NoSuchKey"))
MATCH_ON_NONCURRENT = Condition("noncurrent", md5(OLD), None, (412, "PreconditionFailed"))
ANY_MATCH = Condition("present", "*", None, (501, "NotImplemented"))
NONE_OF_ETAG = Condition("present", None, UNKNOWN_ETAG, (501, "NotImplemented"))
BOTH = Condition("present", md5(OLD), "*", (501, "NotImplemented"))
SHARED = {
    "none on an absent key": NONE_ON_ABSENT,
    "none on a current version": NONE_ON_PRESENT,
    "none on a delete marker": NONE_ON_MARKER,
    "match of the current version": MATCH_ON_PRESENT,
    "match in quotes": QUOTED_MATCH,
    "match of another ETag": OTHER_ON_PRESENT,
    "match on an absent key": MATCH_ON_ABSENT,
    "match on a delete marker": MATCH_ON_MARKER,
    "match of a noncurrent version": MATCH_ON_NONCURRENT,
}
"""What PutObject, CopyObject and CompleteMultipartUpload have in common."""
UNIMPLEMENTED = {
    "match of any": ANY_MATCH,
    "none of an ETag": NONE_OF_ETAG,
    "both conditions": BOTH,
}


def arrange(s3: Driver, bucket: str, there: str) -> None:
    """Bring the key to what the row says of it."""
    if there != "absent":
        s3.put(bucket, "key", OLD)
    if there == "marker":
        s3.delete(bucket, "key")
    if there == "noncurrent":
        s3.put(bucket, "key", b"what is there now")


def check(s3: Driver, bucket: str, row: Condition, write: Callable[[], Written]) -> None:
    """Write, and see that it took effect as a whole or not at all."""
    before = s3.list_versions(bucket, prefix="key").entries
    if row.refusal is None:
        written = write()
        after = s3.list_versions(bucket, prefix="key").entries
        assert len(after) == len(before) + 1
        assert after[0].version_id == written.version_id
        assert s3.get(bucket, "key")[1] == b"new"
    else:
        with refused(*row.refusal):
            write()
        assert s3.list_versions(bucket, prefix="key").entries == before


@differs(
    "seaweedfs",
    "answers 412 where there is nothing to match",
    rows=("match on an absent key", "match on a delete marker"),
)
@differs(
    "seaweedfs",
    "carries out conditions that S3 has not",
    rows=("match of any", "none of an ETag", "both conditions"),
)
@differs(
    "moto",
    "carries out conditions that S3 has not",
    rows=("match of any", "none of an ETag", "both conditions"),
)
@pytest.mark.parametrize("row", table(SHARED | UNIMPLEMENTED))
def test_put_object_honours_its_conditions(s3: Driver, bucket: str, row: Condition) -> None:
    """If this fails, a conditional PUT loses an update or is refused without a cause."""
    arrange(s3, bucket, row.there)
    check(
        s3,
        bucket,
        row,
        lambda: s3.put(
            bucket, "key", b"new", if_match=row.if_match, if_none_match=row.if_none_match
        ),
    )


@differs(
    "seaweedfs",
    "answers 412 where there is nothing to match",
    rows=("match on an absent key", "match on a delete marker"),
)
@differs(
    "seaweedfs",
    "carries out conditions that S3 has not",
    rows=("match of any", "none of an ETag", "both conditions"),
)
@differs(
    "moto",
    "ignores conditions on the destination of a copy",
    rows=(
        "none on a current version",
        "match of another ETag",
        "match on an absent key",
        "match on a delete marker",
        "match of a noncurrent version",
        "match of any",
        "none of an ETag",
        "both conditions",
    ),
)
@pytest.mark.parametrize("row", table(SHARED | UNIMPLEMENTED))
def test_copy_object_honours_its_conditions(s3: Driver, bucket: str, row: Condition) -> None:
    """If this fails, a conditional copy buries what somebody else has just written."""
    arrange(s3, bucket, row.there)
    s3.put(bucket, "origin", b"new")
    source = Source(bucket=bucket, key="origin")
    check(
        s3,
        bucket,
        row,
        lambda: s3.copy(
            source, bucket, "key", if_match=row.if_match, if_none_match=row.if_none_match
        ),
    )


@differs(
    "seaweedfs",
    "answers 412 where there is nothing to match",
    rows=("match on an absent key", "match on a delete marker"),
)
@differs(
    "moto",
    "ignores If-Match on completion",
    rows=(
        "match of another ETag",
        "match on an absent key",
        "match on a delete marker",
        "match of a noncurrent version",
    ),
)
@pytest.mark.parametrize("row", table(SHARED))
def test_complete_multipart_upload_honours_its_conditions(
    s3: Driver, bucket: str, row: Condition
) -> None:
    """If this fails, a large copy buries what somebody else has just written."""
    arrange(s3, bucket, row.there)
    upload_id, parts = one_part(s3, bucket, "key", b"new")
    check(
        s3,
        bucket,
        row,
        lambda: s3.complete(
            bucket,
            "key",
            upload_id,
            parts,
            if_match=row.if_match,
            if_none_match=row.if_none_match,
        ),
    )


def test_a_refused_completion_can_be_repeated_without_the_condition(
    s3: Driver, bucket: str
) -> None:
    """If this fails, a 412 on Complete has thrown the parts away."""
    s3.put(bucket, "key", OLD)
    upload_id, parts = one_part(s3, bucket, "key", b"new")
    with refused(412, "PreconditionFailed"):
        s3.complete(bucket, "key", upload_id, parts, if_none_match="*")
    s3.complete(bucket, "key", upload_id, parts)
    assert s3.get(bucket, "key")[1] == b"new"


@differs("seaweedfs", "knows no conflict with the time of an upload")
@differs("moto", "knows no conflict with the time of an upload")
def test_a_completion_conflicts_with_a_write_since_the_upload_began(
    s3: Driver, bucket: str
) -> None:
    """If this fails, a condition that holds only by chance lets a large copy through."""
    upload_id, parts = one_part(s3, bucket, "key", b"new")
    s3.put(bucket, "key", OLD)
    with refused(409, "ConditionalRequestConflict"):
        s3.complete(bucket, "key", upload_id, parts, if_match=md5(OLD))
    assert s3.get(bucket, "key")[1] == OLD


def test_conditions_look_at_the_current_version_after_a_version_was_removed(
    s3: Driver, bucket: str
) -> None:
    """If this fails, a condition is held against a version that is not there any more."""
    _, second = put_twice(s3, bucket)
    s3.delete(bucket, "key", version_id=second.version_id)
    with refused(412, "PreconditionFailed"):
        s3.put(bucket, "key", b"new", if_match=md5(b"second"))
    s3.put(bucket, "key", b"new", if_match=md5(b"first"))


@differs("moto", "lists all versions before all delete markers")
def test_delete_object_hides_what_if_match_names(s3: Driver, bucket: str) -> None:
    """If this fails, a copy cannot be hidden without risk to what came after it."""
    written = s3.put(bucket, "key", OLD)
    deleted = s3.delete(bucket, "key", if_match=md5(OLD))
    assert deleted.is_delete_marker
    assert s3.list_versions(bucket).version_ids == [deleted.version_id, written.version_id]


def test_delete_object_refuses_to_hide_another_version(s3: Driver, bucket: str) -> None:
    """If this fails, a conditional delete hides a newer version of somebody else."""
    put_twice(s3, bucket)
    with refused(412, "PreconditionFailed"):
        s3.delete(bucket, "key", if_match=md5(b"first"))
    assert s3.get(bucket, "key")[1] == b"second"


def test_conditions_work_without_versioning(s3: Driver, plain: str) -> None:
    """If this fails, conditional writes protect only versioned buckets."""
    s3.put(plain, "key", OLD, if_none_match="*")
    with refused(412, "PreconditionFailed"):
        s3.put(plain, "key", b"new", if_none_match="*")
    s3.put(plain, "key", b"new", if_match=md5(OLD))
    assert s3.get(plain, "key")[1] == b"new"
