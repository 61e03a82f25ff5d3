"""Expected bucket owners on every operation: S3 User Guide, bucket-owner-condition."""

from collections.abc import Callable

import pytest

from tests.contract.declarations import differs, table
from tests.contract.scenes import WRONG_OWNER, one_part
from tests.contract.vocabulary import Driver, Source, refused

Ask = Callable[[Driver, str, str], object]


def _upload_copy(s3: Driver, bucket: str, source: Source, owner: str | None) -> object:
    upload_id = s3.begin(bucket, "copy")
    return s3.upload_copy(source, bucket, "copy", upload_id, 1, owner=owner)


def _complete(s3: Driver, bucket: str, owner: str) -> object:
    upload_id, parts = one_part(s3, bucket, "copy")
    return s3.complete(bucket, "copy", upload_id, parts, owner=owner)


def _from(bucket: str, owner: str | None = None) -> Source:
    return Source(bucket=bucket, key="key", owner=owner)


ASKED: dict[str, Ask] = {
    "PutObject": lambda s3, bucket, owner: s3.put(bucket, "copy", owner=owner),
    "GetObject": lambda s3, bucket, owner: s3.get(bucket, "key", owner=owner),
    "DeleteObject": lambda s3, bucket, owner: s3.delete(bucket, "key", owner=owner),
    "ListObjectVersions": lambda s3, bucket, owner: s3.list_versions(bucket, owner=owner),
    "ListObjectsV2": lambda s3, bucket, owner: s3.list_objects(bucket, owner=owner),
    "PutObjectTagging": lambda s3, bucket, owner: s3.put_tags(
        bucket, "key", (("a", "b"),), owner=owner
    ),
    "CopyObject at the destination": lambda s3, bucket, owner: s3.copy(
        _from(bucket), bucket, "copy", owner=owner
    ),
    "CopyObject at the source": lambda s3, bucket, owner: s3.copy(
        _from(bucket, owner), bucket, "copy"
    ),
    "CreateMultipartUpload": lambda s3, bucket, owner: s3.begin(bucket, "copy", owner=owner),
    "UploadPartCopy at the destination": lambda s3, bucket, owner: _upload_copy(
        s3, bucket, _from(bucket), owner
    ),
    "UploadPartCopy at the source": lambda s3, bucket, owner: _upload_copy(
        s3, bucket, _from(bucket, owner), None
    ),
    "CompleteMultipartUpload": _complete,
}


@differs("seaweedfs", "ignores expected bucket owners")
@differs("moto", "ignores expected bucket owners")
@pytest.mark.parametrize("ask", table(ASKED))
def test_another_owner_than_expected_is_refused(s3: Driver, bucket: str, ask: Ask) -> None:
    """If this fails, a bucket that somebody else took over is read or written."""
    s3.put(bucket, "key", b"body")
    before = s3.list_versions(bucket).entries
    with refused(403, "AccessDenied"):
        ask(s3, bucket, WRONG_OWNER)
    assert s3.list_versions(bucket).entries == before


@differs("seaweedfs", "ignores expected bucket owners")
@differs("moto", "ignores expected bucket owners")
def test_head_refuses_another_owner_than_expected(s3: Driver, bucket: str) -> None:
    """If this fails, a HEAD confirms what lies in somebody else's bucket."""
    s3.put(bucket, "key")
    with refused(403):
        s3.head(bucket, "key", owner=WRONG_OWNER)


@pytest.mark.parametrize("ask", table(ASKED))
def test_the_expected_owner_is_served(s3: Driver, bucket: str, ask: Ask) -> None:
    """If this fails, the guard refuses what it should let through."""
    s3.put(bucket, "key", b"body")
    ask(s3, bucket, s3.account_id)
    assert s3.list_versions(bucket, owner=s3.account_id).entries != ()
