"""What the lean client asks is what the SDK would have asked, or nothing."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar, cast
from urllib.parse import parse_qsl, quote, urlsplit

import botocore.session
import pytest
from aiobotocore.client import AioBaseClient
from botocore import xform_name
from botocore.awsrequest import AWSPreparedRequest
from botocore.client import BaseClient, Config
from botocore.model import ListShape, StructureShape
from hypothesis import given
from hypothesis import strategies as st

from backfill.aws import session as aws_session
from backfill.aws.calls import Call, Calls
from backfill.aws.lean.binding import (
    BODIES,
    HEADERS,
    METADATA,
    OPERATIONS,
    PART_ELEMENTS,
    QUERIES,
    QUERIES_OF,
    BindingError,
    bind,
)
from backfill.aws.object_store import S3ObjectStore
from backfill.aws.replies import Reply
from backfill.aws.requests import list_parameters, resumed_parameters
from backfill.model.objects import ETag, VersionId
from backfill.model.store import VersionsPosition
from tests.wire.aws import operations as ops

T = TypeVar("T")

MODEL = botocore.session.get_session().get_service_model("s3")
HOSTILE_KEYS = (
    "..",
    ".",
    "../../a",
    "a//b",
    "/",
    "//",
    "a/./b",
    "a+b",
    "%2F",
    "a%20b",
    "a\nb",
    "a\r\nx: y",
    "\x00",
    "é",
    "🪣/ü",
    "~'()*!",
    "?versionId=x",
    "#",
    "a b ",
    "\\",
    "key;v=1,2",
)
KEYS = st.one_of(
    st.sampled_from(HOSTILE_KEYS),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=60),
)


class SentError(Exception):
    """The request is kept; there is nobody to answer it."""


class KeptCalls:
    """Calls that keeps what it was asked to send."""

    region = "us-east-1"

    def __init__(self) -> None:
        self.sent: list[Call] = []

    async def send(self, call: Call, _parse: Callable[[Reply], T]) -> T:
        self.sent.append(call)
        raise SentError

    @asynccontextmanager
    async def opened(self, call: Call) -> AsyncIterator[Reply]:
        self.sent.append(call)
        if self.sent:
            raise SentError
        yield {}


class Sdk:
    """botocore, with our session's own adjustments, up to the moment of sending."""

    def __init__(self) -> None:
        made = botocore.session.get_session()
        made.set_credentials("AKIA", "secret")
        config = Config(
            s3={"addressing_style": "virtual"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        self.client: BaseClient = made.create_client("s3", "us-east-1", config=config)
        self.client.meta.events.register("before-send.s3", self._keep)
        aws_session._adjust_s3(cast("AioBaseClient", self.client))
        self.prepared: list[AWSPreparedRequest] = []

    def _keep(self, request: AWSPreparedRequest, **_: object) -> None:
        self.prepared.append(request)
        raise SentError

    def asked(self, operation: str, parameters: Mapping[str, object]) -> AWSPreparedRequest:
        with pytest.raises(SentError):
            getattr(self.client, xform_name(operation))(**parameters)
        return self.prepared.pop()


SDK = Sdk()

NOT_OURS = {
    "host", "user-agent", "authorization", "x-amz-date", "x-amz-content-sha256",
    "amz-sdk-invocation-id", "amz-sdk-request", "content-length",
}  # fmt: skip
"""Headers of the signature, of the connection, and of the SDK's own statistics."""


def as_asked(request: AWSPreparedRequest) -> tuple[str, str, str, dict[str, str], bytes]:
    parts = urlsplit(request.url)
    query = "&".join(
        sorted(pair if "=" in pair else f"{pair}=" for pair in parts.query.split("&") if pair)
    )
    headers = {
        name.lower(): value if isinstance(value, str) else cast("bytes", value).decode()
        for name, value in request.headers.items()
        if name.lower() not in NOT_OURS
    }
    body = request.body or b""
    assert isinstance(body, bytes)
    return request.method, parts.path, query, dict(sorted(headers.items())), body


def agrees(operation: str, parameters: Mapping[str, object]) -> None:
    ours = bind(operation, parameters)
    assert ours.bucket == parameters["Bucket"]
    theirs = as_asked(SDK.asked(operation, parameters))
    assert (ours.method, ours.path, ours.query, ours.headers, ours.body) == theirs
    assert list(ours.headers) == sorted(ours.headers)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_table_says_what_botocores_model_says(operation: str) -> None:
    """A slip in a header's name is a guard that S3 never sees."""
    model, ours = MODEL.operation_model(operation), OPERATIONS[operation]
    shape = model.input_shape
    assert isinstance(shape, StructureShape)
    assert ours.method == model.http["method"]
    uri = model.http["requestUri"]
    assert uri.startswith("/{Bucket}/{Key+}" if "Key" in ours.parameters else "/{Bucket}")
    fixed = uri.partition("?")[2]
    assert ours.fixed == (fixed if "=" in fixed or not fixed else f"{fixed}=")
    for name in ours.parameters - {"Bucket", "Key"}:
        place = shape.members[name].serialization
        by_location = {
            "header": HEADERS.get(name, "").lower(),
            "querystring": {**QUERIES, **QUERIES_OF.get(operation, {})}.get(name),
            "headers": METADATA,
            None: None,
        }
        assert place.get("location") in by_location, name
        location = place.get("location")
        expected = place.get("name", "") if location == "querystring" else place["name"].lower()
        if location is None:
            assert name in BODIES
            assert shape.serialization["payload"] == name
        else:
            assert by_location[location] == expected, name


@pytest.mark.parametrize("operation", OPERATIONS)
def test_values_are_written_as_the_model_types_them(operation: str) -> None:
    """A flag written `True` is no flag to S3, and the copy has another encryption."""
    shape = MODEL.operation_model(operation).input_shape
    assert isinstance(shape, StructureShape)
    for name in OPERATIONS[operation].parameters - {"Bucket", "Key", "CopySource", *BODIES}:
        # A CopySource is a dictionary to us, Expires the very header that S3 gave.
        kind = "string" if name == "Expires" else shape.members[name].type_name
        examples: dict[str, object] = {
            "string": "word",
            "integer": 7,
            "long": 7,
            "boolean": True,
            "list": ["ETag", "ObjectParts"],
            "map": {"name": "value"},
        }
        # The SDK takes a key for bytes that it has to encode, unless their MD5 is beside it.
        beside = {f"{name}MD5": "word"} if name.endswith("SSECustomerKey") else {}
        value = "2031-02-03T04:05:06Z" if kind == "timestamp" else examples[kind]
        parameters = {**minimal(operation), **beside, name: value}
        agrees(operation, parameters)
        for wrong in examples.values():
            # A time is a text to us, already in the form that goes over the wire.
            if type(wrong) is not type(value):
                with pytest.raises(BindingError):
                    bind(operation, {**parameters, name: wrong})


def minimal(operation: str) -> dict[str, object]:
    examples: dict[str, object] = {
        "Bucket": "bucket",
        "Key": "k",
        "UploadId": "u",
        "PartNumber": 1,
        "CopySource": {"Bucket": "b", "Key": "k", "VersionId": "v"},
        "ObjectAttributes": ["ETag"],
        "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": '"e"'}]},
        "EncodingType": "url",
    }
    shape = MODEL.operation_model(operation).input_shape
    assert isinstance(shape, StructureShape)
    needed = {*shape.required_members, "EncodingType", "MultipartUpload"}
    names = needed & OPERATIONS[operation].parameters
    return {name: examples[name] for name in names}


def test_a_part_has_the_elements_of_the_model() -> None:
    """A checksum under another name is no checksum to S3."""
    shape = MODEL.operation_model("CompleteMultipartUpload").input_shape
    assert isinstance(shape, StructureShape)
    upload = shape.members["MultipartUpload"]
    assert isinstance(upload, StructureShape)
    parts = upload.members["Parts"]
    assert isinstance(parts, ListShape)
    assert isinstance(parts.member, StructureShape)
    assert frozenset(parts.member.members) == PART_ELEMENTS


@pytest.mark.parametrize("name", ops.OPERATIONS)
@given(key=KEYS)
async def test_every_request_of_the_store_is_the_one_that_the_sdk_sends(
    name: str, key: str
) -> None:
    """One builder, two clients: with another path it is another object."""
    calls = KeptCalls()
    with pytest.raises(SentError):
        await ops.OPERATIONS[name](S3ObjectStore(cast("Calls", calls)), key)
    call = calls.sent[0]
    if name == "GetObjectTagging":
        assert bind(call.operation, call.parameters).query == "tagging=&versionId=version-1"
    agrees(call.operation, call.parameters)


@given(key=KEYS, version=st.sampled_from(["null", "a.b_c-~", "v/1+2=", None]))
def test_listings_go_on_behind_any_key(key: str, version: str | None) -> None:
    """A marker that is encoded twice skips keys, or repeats them."""
    after = VersionsPosition(key=key, version_id=VersionId(version) if version else None)
    parameters = list_parameters(ops.SOURCE, prefix=key[:3], after=after, max_keys=1000)
    agrees("ListObjectVersions", parameters)
    query = dict(parse_qsl(bind("ListObjectVersions", parameters).query.replace("+", "%2B")))
    assert query["key-marker"] == key


def test_a_ranged_read_names_its_range_and_its_object() -> None:
    """Bytes of another object after ours are silent damage."""
    agrees("GetObject", resumed_parameters(ops.SOURCE, "k", etag=ETag("abc"), first_byte=7))


@pytest.mark.parametrize("key", HOSTILE_KEYS)
def test_a_key_is_encoded_once_and_never_normalised(key: str) -> None:
    """`a/../b` and `b` are two objects."""
    assert bind("HeadObject", {"Bucket": "b", "Key": key}).path == "/" + quote(key, safe="/~")


@pytest.mark.parametrize(
    ("operation", "changed"),
    [
        ("PutObject", {}),
        ("HeadObject", {"Colour": "blue"}),
        ("DeleteObject", {"VersionId": "v"}),
        ("HeadObject", {"Key": ""}),
        ("HeadObject", {"Key": "\ud800"}),
        ("HeadObject", {"Key": b"k"}),
        ("HeadObject", {"VersionId": None}),
        ("HeadObject", {"SSECustomerKey": "d29yZA=="}),
        ("HeadObject", {"ExpectedBucketOwner": "1\r\nx-amz-acl: public-read"}),
        ("HeadObject", {"ExpectedBucketOwner": "1\n"}),
        ("HeadObject", {"ExpectedBucketOwner": " 1"}),
        ("HeadObject", {"ExpectedBucketOwner": ""}),
        ("HeadObject", {"ExpectedBucketOwner": 1}),
        ("CopyObject", {"StorageClass": "a\x00"}),
        ("CopyObject", {"StorageClass": "a  b"}),
        ("CopyObject", {"CopySource": {"Bucket": "b", "Key": "k", "VersionId": "v\r\nx: y"}}),
        ("CopyObject", {"CopySource": {"Bucket": "b", "Key": "k", "VersionId": None}}),
        ("CopyObject", {"CopySource": {"Bucket": "b", "Key": "k"}}),
        ("CopyObject", {"CopySource": {"Bucket": "arn:aws:s3:::b", "Key": "k", "VersionId": "v"}}),
        ("CopyObject", {"CopySource": "b/k"}),
        ("CreateMultipartUpload", {"ContentType": "naïve"}),
        ("CreateMultipartUpload", {"ContentType": "\x7f"}),
        ("CreateMultipartUpload", {"Metadata": {"a: b\r\nc": "d"}}),
        ("CreateMultipartUpload", {"Metadata": {"a": "d\r\ne: f"}}),
        ("CreateMultipartUpload", {"Metadata": {"A": "1", "a": "2"}}),
        ("CreateMultipartUpload", {"Metadata": {"": "1", "a b": "2"}}),
        ("CompleteMultipartUpload", {"MultipartUpload": {"Parts": []}}),
        ("CompleteMultipartUpload", {"MultipartUpload": {"Parts": [{"Colour": "x"}]}}),
        ("CompleteMultipartUpload", {"MultipartUpload": {"Parts": [{"ETag": "\x00"}]}}),
        ("UploadPartCopy", {"PartNumber": True}),
    ],
)
def test_what_is_not_wholly_understood_is_refused(
    operation: str, changed: dict[str, object]
) -> None:
    """A guard left out, or a header injected, does harm in silence; the SDK is asked instead."""
    ordinary = minimal(operation) if operation in OPERATIONS else {"Bucket": "b", "Key": "k"}
    if operation in OPERATIONS:
        bind(operation, ordinary)
    with pytest.raises(BindingError):
        bind(operation, {**ordinary, **changed})


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_request_without_what_it_needs_is_refused(operation: str) -> None:
    """CopyObject without its source would be PutObject of nothing."""
    for name in minimal(operation):
        with pytest.raises(BindingError):
            bind(operation, {key: kept for key, kept in minimal(operation).items() if key != name})


def test_completing_escapes_what_a_store_gave_as_an_etag() -> None:
    """An ETag with markup in it must not end the document, nor leave parts out."""
    parts = [
        {"PartNumber": 1, "ETag": '"<&>"', "ChecksumCRC32": "AAAAAA=="},
        {"PartNumber": 2, "ETag": '"é"'},
    ]
    parameters = {**minimal("CompleteMultipartUpload"), "MultipartUpload": {"Parts": parts}}
    agrees("CompleteMultipartUpload", parameters)
    assert b"&lt;&amp;&gt;" in bind("CompleteMultipartUpload", parameters).body


@pytest.mark.parametrize("operation", ["CopyObject", "CreateMultipartUpload"])
def test_locks_grants_and_redirects_are_sent_as_the_sdk_sends_them(operation: str) -> None:
    """If this fails, a copy by the lean client is locked until another day, or not at all."""
    named = {
        "ObjectLockMode": "COMPLIANCE",
        "ObjectLockRetainUntilDate": "2031-02-03T04:05:06Z",
        "ObjectLockLegalHoldStatus": "ON",
        "GrantFullControl": 'id="us"',
        "GrantRead": 'uri="http://acs.amazonaws.com/groups/global/AllUsers", id="reader"',
        "GrantReadACP": 'id="reader"',
        "GrantWriteACP": 'id="reader"',
        "WebsiteRedirectLocation": "/a?b=%20c",
        "ChecksumAlgorithm": "SHA256",
    }
    agrees(operation, {**minimal(operation), **named})
    assert len(bind(operation, {**minimal(operation), **named}).headers) >= len(named)
