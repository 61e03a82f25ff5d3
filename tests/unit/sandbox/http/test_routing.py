"""Paths to bucket and key, and requests to operations."""

import pytest

from backfill.sandbox.http.addressing import Address, address_of
from backfill.sandbox.http.control import JOB_ROUTES
from backfill.sandbox.http.inbound import copy_source_parts
from backfill.sandbox.http.messages import HttpRequest
from backfill.sandbox.http.operations import JOB_OPERATIONS, OPERATIONS
from backfill.sandbox.http.routing import ROUTES, operation_of
from backfill.sandbox.model.errors import S3Error


def request_of(method: str, target: str, headers: dict[bytes, bytes] | None = None) -> HttpRequest:
    path, _, query = target.partition("?")
    return HttpRequest(
        method=method,
        raw_path=path.encode(),
        raw_query=query.encode(),
        headers=headers or {b"host": b"127.0.0.1:9000"},
        body=b"",
    )


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/b/k", "k"),
        ("/b//", "/"),
        ("/b//a//b/", "/a//b/"),
        ("/b/./../a/..", "./../a/.."),
        ("/b/a+b", "a+b"),
        ("/b/a%2Fb", "a/b"),
        ("/b/a%252Fb", "a%2Fb"),
        ("/b/%0A%01%7F%25", "\n\x01\x7f%"),
        ("/b/%F4%8F%BF%BF", "\U0010ffff"),
        ("/b/%E2%80%AE", "\u202e"),
        ("/b/", None),
        ("/b", None),
    ],
)
def test_a_key_is_taken_from_the_path_byte_for_byte(path: str, key: str | None) -> None:
    """If this fails, two keys are one, or a key cannot be reached."""
    assert address_of(request_of("GET", path)) == Address(bucket="b", key=key)


@pytest.mark.parametrize(
    ("host", "path", "address"),
    [
        (b"b.localhost:9000", "/k", Address(bucket="b", key="k")),
        (b"b.s3.localhost", "/k//", Address(bucket="b", key="k//")),
        (b"my.dotted.b.localhost", "/", Address(bucket="my.dotted.b", key=None)),
        (b"localhost:9000", "/b/k", Address(bucket="b", key="k")),
        (b"s3.localhost:9000", "/b/k", Address(bucket="b", key="k")),
        (b"127.0.0.1:9000", "/", Address(bucket=None, key=None)),
    ],
)
def test_the_host_may_name_the_bucket(host: bytes, path: str, address: Address) -> None:
    """If this fails, virtual-hosted clients read another bucket's key."""
    assert address_of(request_of("GET", path, {b"host": host})) == address


@pytest.mark.parametrize(
    ("path", "code"), [("/b/%FF", "InvalidURI"), ("//b/k", "InvalidBucketName")]
)
def test_a_path_that_names_nothing_is_refused(path: str, code: str) -> None:
    """If this fails, bytes that are no UTF-8 become some other key."""
    with pytest.raises(S3Error) as refusal:
        address_of(request_of("GET", path))
    assert refusal.value.code == code


def operation(method: str, target: str, headers: dict[bytes, bytes] | None = None) -> str:
    request = request_of(method, target, headers)
    return operation_of(request, address_of(request), dict(request.query_pairs()))


COPY = {b"x-amz-copy-source": b"b/k"}


@pytest.mark.parametrize(
    ("method", "target", "headers", "expected"),
    [
        ("GET", "/", None, "ListBuckets"),
        ("PUT", "/b", None, "CreateBucket"),
        ("GET", "/b", None, "ListObjects"),
        ("GET", "/b/?list-type=2&prefix=a&x-id=ListObjectsV2", None, "ListObjectsV2"),
        ("GET", "/b?versions&key-marker=k&version-id-marker=v", None, "ListObjectVersions"),
        ("POST", "/b?delete", None, "DeleteObjects"),
        ("PUT", "/b/k", None, "PutObject"),
        ("PUT", "/b/k", COPY, "CopyObject"),
        ("PUT", "/b/k?partNumber=1&uploadId=u", None, "UploadPart"),
        ("PUT", "/b/k?partNumber=1&uploadId=u", COPY, "UploadPartCopy"),
        ("GET", "/b/k?uploadId=u", None, "ListParts"),
        ("GET", "/b/k?versionId=v&partNumber=2", None, "GetObject"),
        ("GET", "/b/k?attributes&versionId=v", None, "GetObjectAttributes"),
        ("DELETE", "/b/k?versionId=v", None, "DeleteObject"),
        ("DELETE", "/b/k?tagging", None, "DeleteObjectTagging"),
        ("DELETE", "/b/k?uploadId=u", None, "AbortMultipartUpload"),
        ("POST", "/b/k?uploads", None, "CreateMultipartUpload"),
        ("POST", "/b/k?restore", None, "RestoreObject"),
    ],
)
def test_a_request_is_routed_to_its_operation(
    method: str, target: str, headers: dict[bytes, bytes] | None, expected: str
) -> None:
    """If this fails, a request does something else than it asks for."""
    assert operation(method, target, headers) == expected


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("PUT", "/b?accelerate"),
        ("PUT", "/b?inventory&id=1"),
        ("GET", "/b?logging"),
        ("DELETE", "/b?cors"),
        ("DELETE", "/b?website"),
        ("PUT", "/b/k?torrent"),
        ("DELETE", "/b/k?acl"),
        ("DELETE", "/b/k?versionId=v&uploads"),
        ("PUT", "/b/k?versionId=v"),
        ("HEAD", "/b/k?tagging"),
        ("POST", "/b"),
        ("PATCH", "/b/k"),
    ],
)
def test_what_is_not_carried_is_answered_501_and_does_nothing_else(
    method: str, target: str
) -> None:
    """If this fails, `PUT ?accelerate` creates a bucket or `DELETE ?acl` deletes an object."""
    with pytest.raises(S3Error) as refusal:
        operation(method, target)
    assert (refusal.value.code, refusal.value.status) == ("NotImplemented", 501)


def test_every_route_has_its_operation_and_the_other_way_round() -> None:
    """If this fails, a routed request ends in a KeyError."""
    assert {route.operation for route in ROUTES} == set(OPERATIONS)
    assert {route.operation for route in JOB_ROUTES} == set(JOB_OPERATIONS)


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        (b"b/k", ("b", "k", None)),
        (b"/b/k", ("b", "k", None)),
        (b"b%2Fa%2Fk?versionId=null", ("b", "a/k", "null")),
        (b"b/a%3FversionId%3Dx", ("b", "a?versionId=x", None)),
        (b"b//a/../%2B%252F", ("b", "/a/../+%2F", None)),
        (b"b/a+b", ("b", "a b", None)),
        ("b/é".encode(), ("b", "é", None)),
    ],
)
def test_a_copy_source_is_decoded_once(source: bytes, parts: tuple[str, str, str | None]) -> None:
    """If this fails, another object than the one named is copied."""
    assert copy_source_parts(source) == parts


@pytest.mark.parametrize(
    "source", [b"b", b"b/", b"/k", b"b/k?version=1", b"b/k?versionId=", b"b/%FF"]
)
def test_a_copy_source_that_names_no_object_is_refused(source: bytes) -> None:
    """If this fails, a typo copies the current version instead of none."""
    with pytest.raises(S3Error) as refusal:
        copy_source_parts(source)
    assert refusal.value.code == "InvalidArgument"
