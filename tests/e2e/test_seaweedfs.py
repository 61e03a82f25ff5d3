"""The main job on a real S3 server on disk: one identity, two buckets, no replication rules.

SeaweedFS knows no replication configuration, no accounts and no owners; what it lacks is named by
the command or plays no part. Keys are those that it can hold (its listing loses `//`, `./`,
leading and trailing slashes, and control characters).
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import md5
from pathlib import Path

import pytest

from tests.doubles.command import Command, branch, report
from tests.doubles.on_seaweedfs import Commanded, client, commanded, server
from tests.doubles.own_eyes import S3Client, current, seen, versions

__all__ = ["client", "commanded", "server"]

pytestmark = pytest.mark.seaweedfs

PART = b"0123456789abcdef" * (5 * 1024 * 1024 // 16)
KEYS = (
    "plain",
    "a b+c",
    "ünï/e\u0301",
    "quote\"'and,comma;",
    "per%2Fcent",
    "=1+1",
    "-1",
    "@sum",
    "<script>alert(1)</script>",
    "nested/deep/key",
    "\U0001f600",
    "&amp;",
    "?query#fragment",
)


@pytest.fixture
def told(commanded: Commanded, tmp_path: Path) -> Command:
    """The command with the administrator's keys in the environment, and no profile."""
    return commanded(tmp_path)


@pytest.fixture
def buckets(client: S3Client, request: pytest.FixtureRequest) -> tuple[str, str]:
    """Two versioned buckets; the source has an overwrite and a delete marker, too."""
    name = f"b{abs(hash(request.node.name)) % 10**8}"
    pair = (f"{name}-source", f"{name}-destination")
    for bucket in pair:
        client.create_bucket(Bucket=bucket)
        versioning = {"Status": "Enabled"}
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=versioning)
    source = pair[0]
    for number, key in enumerate(KEYS):
        put(client, source, key, key.encode() * 10, Tagging="n=1&m=2" if number % 2 else "")
    put(client, source, "plain", b"the second edition")
    put(client, source, "gone", b"gone")
    client.delete_object(Bucket=source, Key="gone")
    return pair


def put(client: S3Client, bucket: str, key: str, body: bytes, **attributes: str) -> None:
    """Write an object with metadata and content headers."""
    client.put_object(
        Bucket=bucket,
        Key=key,
        Body=body,
        Metadata={"origin": "tests"},
        ContentType="text/x-old",
        CacheControl="no-store",
        **attributes,
    )


def upload(client: S3Client, bucket: str, key: str) -> None:
    """Upload an object in two parts."""
    begun = client.create_multipart_upload(Bucket=bucket, Key=key, Metadata={"origin": "tests"})
    where = {"Bucket": bucket, "Key": key, "UploadId": begun["UploadId"]}
    parts = [
        {
            "PartNumber": number,
            "ETag": client.upload_part(PartNumber=number, Body=body, **where)["ETag"],
        }
        for number, body in enumerate((PART, b"end"), 1)
    ]
    client.complete_multipart_upload(MultipartUpload={"Parts": parts}, **where)


def assert_readers_see_the_same(client: S3Client, buckets: tuple[str, str]) -> None:
    """Compare what a reader gets of each key."""
    source, destination = (current(versions(client, bucket)) for bucket in buckets)
    assert destination.keys() == source.keys() >= set(KEYS)
    for key in source:
        assert seen(client, buckets[1], key) == seen(client, buckets[0], key), key


def test_run_damage_verify_repair_and_clean(
    client: S3Client, told: Command, buckets: tuple[str, str]
) -> None:
    """If this fails, the product works on our own idea of S3 only."""
    source, destination = buckets
    here = ("--run-dir", "run")
    words = ("run", source, "--destination", destination, *here, "--yes", "--deep", "--json")
    document = told.run(*words).document()
    assert branch(document["totals"], "routed", "copy-object", "copied") == len(KEYS)
    assert len(versions(client, destination)) == len(KEYS)
    assert_readers_see_the_same(client, buckets)
    put(client, destination, "plain", b"not what it was...")
    client.put_object_tagging(
        Bucket=destination, Key="a b+c", Tagging={"TagSet": [{"Key": "n", "Value": "2"}]}
    )
    client.delete_object(
        Bucket=destination,
        Key="nested/deep/key",
        VersionId=current(versions(client, destination))["nested/deep/key"].version_id,
    )
    put(client, destination, "extra", b"nobody asked for this")
    told.run("verify", *here, code=4)
    troubles = {one["key"]: one["problem"] for one in report(told.folder / "run")["troubles"]}
    assert troubles == {
        "plain": "different: current-version",
        "a b+c": "different: tags",
        "nested/deep/key": "missing",
        "extra": "extra",
    }
    told.run("repair", *here, "--yes", "--allow-hiding")
    told.run("verify", *here)
    assert_readers_see_the_same(client, buckets)


def test_an_etag_that_no_bytes_explain_is_reported_not_excused(
    client: S3Client, told: Command, buckets: tuple[str, str]
) -> None:
    """If this fails, an ETag that contradicts equal part layouts is waved through.

    UploadPartCopy of SeaweedFS gives a part of a multipart object an ETag that is no MD5, so the
    whole has one that S3's rule for multipart ETags does not explain, whatever the bytes.
    """
    source, destination = buckets
    upload(client, source, "parts")
    words = ("run", source, "--destination", destination, "--run-dir", "run", "--yes", "--json")
    document = told.run(*words, code=4).document()
    assert branch(document["totals"], "routed", "multipart-copy", "copied") == 1
    troubles = [(one["key"], one["problem"]) for one in document["troubles"]]
    assert troubles == [("parts", "different: content")]
    md5s = b"".join(md5(part, usedforsecurity=False).digest() for part in (PART, b"end"))
    etag = f'"{md5(md5s, usedforsecurity=False).hexdigest()}-2"'
    assert current(versions(client, source))["parts"].etag == etag
    assert current(versions(client, destination))["parts"].etag != etag
    assert_readers_see_the_same(client, buckets)


def test_a_server_without_replication_rules_needs_a_named_destination(
    told: Command, buckets: tuple[str, str]
) -> None:
    """If this fails, whoever has no rules meets a riddle instead of the flag to use."""
    ended = told.run("run", buckets[0], "--run-dir", "run", "--yes", code=2)
    assert "has no replication configuration" in ended.complaint[0]
    assert "--destination BUCKET" in ended.complaint[1]


def test_verify_alone_finds_what_another_tool_left_out(
    client: S3Client, told: Command, buckets: tuple[str, str]
) -> None:
    """If this fails, a copy made by other means cannot be proven."""
    source, destination = buckets
    copy: Callable[..., object] = client.copy_object
    for key in KEYS[1:]:
        copy(Bucket=destination, Key=key, CopySource={"Bucket": source, "Key": key})
    words = ("verify", source, "--destination", destination, "--run-dir", "run", "--deep", "--json")
    verdicts = told.run(*words, code=4).document()["verdicts"]
    assert verdicts == {"equal": len(KEYS) - 1, "missing": 1}


LOCK_HEADS = ("ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus")
HEADS = (
    *LOCK_HEADS,
    *("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType"),
    *("ExpiresString", "ChecksumCRC32", "ChecksumSHA256", "TagCount", "Metadata"),
)


def test_locks_and_all_that_it_keeps_arrive_on_seaweedfs(
    told: Command, client: S3Client, request: pytest.FixtureRequest
) -> None:
    """If this fails, another server than ours takes our locks for something else.

    It keeps no website redirect, and knows BucketOwnerEnforced alone.
    """
    name = f"l{abs(hash(request.node.name)) % 10**8}"
    source, destination = f"{name}-source", f"{name}-destination"
    for bucket in (source, destination):
        client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    until = (datetime.now(UTC) + timedelta(days=5)).replace(microsecond=0)
    objects: dict[str, dict[str, object]] = {
        "plain": {},
        "governed": {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until},
        "compliant": {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until},
        "held": {"ObjectLockLegalHoldStatus": "ON"},
        "summed": {"ChecksumAlgorithm": "SHA256"},
        "tagged": {"Tagging": "&".join(f"tag{n}=v%20{n}" for n in range(10))},
        "headers": {
            "CacheControl": "no-store",
            "ContentDisposition": 'attachment; filename="a b"',
            "ContentEncoding": "gzip",
            "ContentLanguage": "de-AT, en",
            "Expires": "Thu, 01 Dec 1994 16:00:00 GMT",
            "Metadata": {"long": "x" * 1_900},
        },
    }
    for key, attributes in objects.items():
        client.put_object(Bucket=source, Key=key, Body=key.encode(), **attributes)
    words = "--destination", destination, "--other-writers", "quiet", "--run-dir", "run", "--yes"
    told.run("run", source, *words, code=0)
    for key, attributes in objects.items():
        ours, theirs = (
            client.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
            for bucket in (source, destination)
        )
        assert [theirs.get(head) for head in HEADS] == [ours.get(head) for head in HEADS], key
        locks = {head: attributes[head] for head in LOCK_HEADS if head in attributes}
        assert {head: theirs[head] for head in locks} == locks
