"""Conditions on what is read or copied from: S3 API, GetObject, CopyObject, UploadPartCopy."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest

from tests.contract.declarations import differs, table
from tests.contract.scenes import UNKNOWN_ETAG, md5, source_of
from tests.contract.vocabulary import Driver, Guard, refused

BODY = b"what is read"
LONG_AGO = timedelta(hours=-1)


class Row(NamedTuple):
    """A guard, made for the time of the last change, and whether it lets the request through."""

    guard: Callable[[datetime], Guard]
    is_met: bool


def guard(
    *,
    if_match: str | None = None,
    if_none_match: str | None = None,
    modified: timedelta | None = None,
    unmodified: timedelta | None = None,
) -> Callable[[datetime], Guard]:
    """Say the two dates from the time of the last change."""

    def made(changed_at: datetime) -> Guard:
        return Guard(
            if_match=if_match,
            if_none_match=if_none_match,
            if_modified_since=None if modified is None else changed_at + modified,
            if_unmodified_since=None if unmodified is None else changed_at + unmodified,
        )

    return made


SAME_TIME = timedelta()
MATCHES = {
    "match": Row(guard(if_match=md5(BODY)), is_met=True),
    "match in quotes": Row(guard(if_match=f'"{md5(BODY)}"'), is_met=True),
    "match of another ETag": Row(guard(if_match=UNKNOWN_ETAG), is_met=False),
    "unmodified since": Row(guard(unmodified=SAME_TIME), is_met=True),
    "modified after": Row(guard(unmodified=LONG_AGO), is_met=False),
    "match wins over unmodified": Row(guard(if_match=md5(BODY), unmodified=LONG_AGO), is_met=True),
}
NONE_MATCHES = {
    "none of another ETag": Row(guard(if_none_match=UNKNOWN_ETAG), is_met=True),
    "none of its ETag": Row(guard(if_none_match=md5(BODY)), is_met=False),
    "modified since": Row(guard(modified=LONG_AGO), is_met=True),
    "not modified since": Row(guard(modified=SAME_TIME), is_met=False),
    "none match wins over modified": Row(
        guard(if_none_match=md5(BODY), modified=LONG_AGO), is_met=False
    ),
}


@differs(
    "moto",
    "knows only If-None-Match on a source, and ignores the other conditions",
    rows=("match of another ETag", "modified after", "not modified since"),
)
@pytest.mark.parametrize("row", table(MATCHES | NONE_MATCHES))
def test_copy_object_honours_conditions_on_its_source(s3: Driver, bucket: str, row: Row) -> None:
    """If this fails, a copy delivers another version than the one that was planned."""
    written = s3.put(bucket, "key", BODY)
    source = source_of(bucket, written, guard=row.guard(s3.head(bucket, "key").last_modified))
    if row.is_met:
        assert s3.copy(source, bucket, "copy").etag == md5(BODY)
    else:
        with refused(412, "PreconditionFailed"):
            s3.copy(source, bucket, "copy")
        assert s3.list_versions(bucket, prefix="copy").entries == ()


@differs(
    "moto",
    "ignores conditions on the source of a part",
    rows=(
        "match of another ETag",
        "modified after",
        "none of its ETag",
        "not modified since",
        "none match wins over modified",
    ),
)
@pytest.mark.parametrize("row", table(MATCHES | NONE_MATCHES))
def test_upload_part_copy_honours_conditions_on_its_source(
    s3: Driver, bucket: str, row: Row
) -> None:
    """If this fails, a large copy is put together from parts of two versions."""
    written = s3.put(bucket, "key", BODY)
    source = source_of(bucket, written, guard=row.guard(s3.head(bucket, "key").last_modified))
    upload_id = s3.begin(bucket, "copy")
    if row.is_met:
        assert s3.upload_copy(source, bucket, "copy", upload_id, 1).etag == md5(BODY)
    else:
        with refused(412, "PreconditionFailed"):
            s3.upload_copy(source, bucket, "copy", upload_id, 1)
        assert s3.parts(bucket, "copy", upload_id) == ()


@differs("moto", "lets If-Unmodified-Since win over If-Match", rows=("match wins over unmodified",))
@pytest.mark.parametrize("row", table(MATCHES))
def test_get_object_fails_where_its_condition_does(s3: Driver, bucket: str, row: Row) -> None:
    """If this fails, a reader that pinned an ETag gets other bytes."""
    s3.put(bucket, "key", BODY)
    made = row.guard(s3.head(bucket, "key").last_modified)
    if row.is_met:
        assert s3.get(bucket, "key", guard=made)[1] == BODY
    else:
        with refused(412, "PreconditionFailed"):
            s3.get(bucket, "key", guard=made)


@pytest.mark.parametrize("row", table(NONE_MATCHES))
def test_get_object_is_not_modified_where_its_condition_says_so(
    s3: Driver, bucket: str, row: Row
) -> None:
    """If this fails, caches get bytes that they have, or none that they need."""
    s3.put(bucket, "key", BODY)
    made = row.guard(s3.head(bucket, "key").last_modified)
    if row.is_met:
        assert s3.get(bucket, "key", guard=made)[1] == BODY
    else:
        with refused(304):
            s3.get(bucket, "key", guard=made)


@differs(
    "moto",
    "compares ETags with their quotes on HEAD",
    rows=(
        "match",
        "match wins over unmodified",
        "none of its ETag",
        "none match wins over modified",
    ),
)
@pytest.mark.parametrize("row", table(MATCHES | NONE_MATCHES))
def test_head_object_decides_as_get_object_does(s3: Driver, bucket: str, row: Row) -> None:
    """If this fails, HEAD cannot stand in for GET."""
    s3.put(bucket, "key", BODY)
    made = row.guard(s3.head(bucket, "key").last_modified)
    if row.is_met:
        assert s3.head(bucket, "key", guard=made).etag == md5(BODY)
    else:
        with refused(412 if row in MATCHES.values() else 304):
            s3.head(bucket, "key", guard=made)


@differs("moto", "ignores If-Match on a source")
def test_a_condition_on_a_pinned_source_is_held_against_that_version(
    s3: Driver, bucket: str
) -> None:
    """If this fails, a pinned copy fails because of a version that it does not copy."""
    first = s3.put(bucket, "key", b"first")
    s3.put(bucket, "key", b"second")
    kept = source_of(bucket, first, guard=Guard(if_match=first.etag))
    assert s3.copy(kept, bucket, "copy").etag == md5(b"first")
    broken = source_of(bucket, first, guard=Guard(if_match=md5(b"second")))
    with refused(412, "PreconditionFailed"):
        s3.copy(broken, bucket, "copy")
