"""boto3 against the sandbox: what an SDK writes, it reads back, with keys of every kind."""

import hashlib
import socket
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from backfill.sandbox.service import Sandbox
from tests.wire.sandbox.conftest import Place

MIB = 1024 * 1024
KEYS = [
    "plain",
    " leading and trailing ",
    "a//b//",
    "/leading",
    "./dot/../dotdot/..",
    "..",
    "a+b%2Fc%20d",
    "new\nline\rreturn\ttab",
    "\x01\x1b[31m\x7f",
    "<&>\"'",
    "=1+1",
    "ключ/é/日本/🙂",
    "\U0010ffff",
    "\u202egpj.exe",
    "?versionId=x&uploads",
    "#fragment",
    "k" * 1024,
    "é" * 512,
]


@pytest.fixture(params=["path", "virtual"])
def client(
    request: pytest.FixtureRequest, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """A client of the source account, in each style of addressing."""
    settings: dict[str, Any] = dict(sandbox.client_settings("source"))
    if request.param == "virtual":
        settings["endpoint_url"] = f"http://s3.localhost:{sandbox.port}"
        look_up = socket.getaddrinfo

        def local(host: str, *more: Any, **named: Any) -> Any:
            """`*.localhost` is loopback (RFC 6761), which not every resolver knows."""
            name = "127.0.0.1" if host.endswith(".localhost") else host
            return look_up(name, *more, **named)

        monkeypatch.setattr(socket, "getaddrinfo", local)
    config = Config(
        s3={"addressing_style": request.param},
        signature_version="s3v4",  # else botocore presigns with version 2, which is refused
        retries={"total_max_attempts": 1},
    )
    made = boto3.client("s3", config=config, **settings)
    yield made
    made.close()


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_written_read_tagged_copied_listed_and_deleted(
    client: Any, place: Place, key: str
) -> None:
    """If this fails, some legal key is out of an SDK's reach."""
    bucket = place.source_bucket
    body = key.encode()
    first = client.put_object(Bucket=bucket, Key=key, Body=body, Metadata={"a": "b"})
    second = client.put_object(Bucket=bucket, Key=key, Body=b"later", Tagging="t=1")
    old = client.get_object(Bucket=bucket, Key=key, VersionId=first["VersionId"])
    assert (old["Body"].read(), old["Metadata"]) == (body, {"a": "b"})
    client.put_object_tagging(
        Bucket=bucket, Key=key, Tagging={"TagSet": [{"Key": "x", "Value": ""}]}
    )
    tags = client.get_object_tagging(Bucket=bucket, Key=key)
    assert (tags["TagSet"], tags["VersionId"]) == (
        [{"Key": "x", "Value": ""}],
        second["VersionId"],
    )
    source = {"Bucket": bucket, "Key": key, "VersionId": first["VersionId"]}
    copied = client.copy_object(Bucket=bucket, Key="copy of it", CopySource=source)
    assert copied["CopyObjectResult"]["ETag"] == first["ETag"]
    marker = client.delete_object(Bucket=bucket, Key=key)
    assert marker["DeleteMarker"] is True
    listed = client.list_object_versions(Bucket=bucket)
    versions = [row["VersionId"] for row in listed["Versions"] if row["Key"] == key]
    assert versions == [second["VersionId"], first["VersionId"]]
    assert [row["Key"] for row in listed["DeleteMarkers"]] == [key]


def test_every_key_is_paged_through(client: Any, place: Place) -> None:
    """If this fails, a paginator loses keys or never ends."""
    for key in KEYS:
        client.put_object(Bucket=place.source_bucket, Key=key, Body=key.encode())
    for operation, rows in (("list_object_versions", "Versions"), ("list_objects_v2", "Contents")):
        pages = client.get_paginator(operation).paginate(
            Bucket=place.source_bucket, PaginationConfig={"PageSize": 1}
        )
        listed = [row["Key"] for page in pages for row in page.get(rows, [])]
        assert listed == sorted(KEYS)


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_a_multipart_upload_keeps_parts_checksums_and_metadata(
    client: Any, place: Place, algorithm: str
) -> None:
    """If this fails, multipart objects of real SDKs look different here."""
    bucket, key = place.source_bucket, "ключ//multi part+"
    created = client.create_multipart_upload(
        Bucket=bucket, Key=key, ChecksumAlgorithm=algorithm, Metadata={"m": "n"}, Tagging="a=b"
    )
    upload = {"Bucket": bucket, "Key": key, "UploadId": created["UploadId"]}
    bodies = [b"a" * (5 * MIB), b"tail"]
    client.put_object(Bucket=bucket, Key="piece", Body=bodies[0])
    first = client.upload_part_copy(
        **upload, PartNumber=1, CopySource={"Bucket": bucket, "Key": "piece"}
    )["CopyPartResult"]
    second = client.upload_part(**upload, PartNumber=2, Body=bodies[1], ChecksumAlgorithm=algorithm)
    parts = [
        {
            "PartNumber": number,
            "ETag": part["ETag"],
            f"Checksum{algorithm}": part[f"Checksum{algorithm}"],
        }
        for number, part in ((1, first), (2, second))
    ]
    done = client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    digests = b"".join(hashlib.md5(body, usedforsecurity=False).digest() for body in bodies)
    assert done["ETag"] == f'"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-2"'
    head = client.head_object(Bucket=bucket, Key=key, PartNumber=1, ChecksumMode="ENABLED")
    assert (head["ContentLength"], head["PartsCount"]) == (5 * MIB, 2)
    whole = client.get_object(Bucket=bucket, Key=key)
    assert (whole["Body"].read(), whole["Metadata"]) == (b"".join(bodies), {"m": "n"})
    assert whole["TagCount"] == 1
    expected = "FULL_OBJECT" if algorithm == "CRC64NVME" else "COMPOSITE"
    assert done["ChecksumType"] == expected


def test_boto3_cannot_read_the_answer_to_a_multipart_upload_of_a_control_character(
    client: Any, place: Place
) -> None:
    """If this fails, the answer is not the one that AWS sends (boto/botocore#3496, #3047).

    The upload is there, yet the SDK says 500: a caller that retries leaves one behind each time.
    """
    with pytest.raises(ClientError) as refusal:
        client.create_multipart_upload(Bucket=place.source_bucket, Key="bell\x07")
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    listed = client.list_multipart_uploads(Bucket=place.source_bucket, EncodingType="url")
    assert [upload["Key"] for upload in listed["Uploads"]] == ["bell%07"]


def test_a_presigned_url_opens_without_credentials(client: Any, place: Place) -> None:
    """If this fails, links made by SDKs do not work."""
    client.put_object(Bucket=place.source_bucket, Key="a b/é+", Body=b"shared")
    url = client.generate_presigned_url(
        "get_object", Params={"Bucket": place.source_bucket, "Key": "a b/é+"}, ExpiresIn=60
    )
    with urlopen(url) as answer:  # noqa: S310 - a link to our own loopback server
        assert answer.read() == b"shared"


def test_boto3_finds_the_bucket_of_another_region_by_the_redirect(place: Place) -> None:
    """If this fails, the answers to a wrong Region are not the ones SDKs know."""
    settings: dict[str, Any] = dict(place.sandbox.client_settings("destination"))
    settings["region_name"] = "us-east-1"
    elsewhere = boto3.client("s3", **settings)
    try:
        elsewhere.put_object(Bucket=place.destination_bucket, Key="k", Body=b"x")
        assert elsewhere.head_object(Bucket=place.destination_bucket, Key="k")["ContentLength"] == 1
    finally:
        elsewhere.close()


def test_sts_tells_boto3_the_account(place: Place) -> None:
    """If this fails, expected owners cannot be found out with an SDK."""
    settings: dict[str, Any] = dict(place.sandbox.client_settings("destination"))
    sts = boto3.client("sts", **settings)
    try:
        assert sts.get_caller_identity()["Account"] == "222222222222"
    finally:
        sts.close()


def test_a_refusal_arrives_as_a_client_error_with_its_code(client: Any, place: Place) -> None:
    """If this fails, the product's fault table never sees the code."""
    client.put_object(Bucket=place.source_bucket, Key="k", Body=b"x")
    with pytest.raises(ClientError) as refusal:
        client.put_object(Bucket=place.source_bucket, Key="k", Body=b"y", IfNoneMatch="*")
    assert refusal.value.response["Error"]["Code"] == "PreconditionFailed"
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
