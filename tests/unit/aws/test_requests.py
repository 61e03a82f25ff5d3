"""Every request against botocore's own service model, and the guards that each must carry."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TypeVar, cast
from urllib.parse import parse_qsl

import botocore.session
import pytest
from botocore.model import StructureShape
from botocore.validate import ParamValidator

from backfill.aws.calls import Call, Calls
from backfill.aws.control_plane import S3ControlPlane
from backfill.aws.object_store import S3ObjectStore
from backfill.aws.replies import Reply
from backfill.aws.requests import (
    complete_parameters,
    copy_parameters,
    create_upload_parameters,
    hide_parameters,
)
from backfill.model.attributes import ContentHeaders, Encryption, EncryptionKind
from backfill.model.objects import Checksum, ChecksumType, ETag, VersionId
from backfill.model.store import (
    CompleteMultipartUploadRequest,
    CopiedPart,
    CopyObjectRequest,
    CreateMultipartUploadRequest,
    Extras,
    Grant,
    HideRequest,
    IfAbsent,
    IfReplaces,
    ObjectLock,
    VersionsPosition,
)
from tests.wire.aws import operations as ops

T = TypeVar("T")


class SentError(Exception):
    """The request is recorded; there is nobody to answer it."""


def nobody() -> Reply:
    raise SentError


@dataclass(slots=True)
class RecordingCalls:
    """Calls that only records."""

    sent: list[Call] = field(default_factory=list)
    region: str = "us-west-2"

    async def send(self, call: Call, _parse: Callable[[Reply], T]) -> T:
        self.sent.append(call)
        raise SentError

    @asynccontextmanager
    async def opened(self, call: Call) -> AsyncIterator[Reply]:
        self.sent.append(call)
        yield nobody()


MODEL = botocore.session.get_session().get_service_model("s3")


async def recorded(name: str) -> Call:
    calls = RecordingCalls()
    store, plane = S3ObjectStore(cast("Calls", calls)), S3ControlPlane(cast("Calls", calls))
    plane._regions[ops.SOURCE.bucket] = "us-east-1"
    bucket_questions: dict[str, Callable[[], Awaitable[object]]] = {
        "GetBucketVersioning": lambda: plane.versioning(ops.SOURCE),
        "HeadBucket": lambda: plane.require_owner(ops.SOURCE),
        "GetBucketReplication": lambda: plane.replication_configuration(
            ops.SOURCE.bucket, ops.SOURCE.expected_owner
        ),
        "GetObjectLockConfiguration": lambda: plane._has_object_lock(ops.SOURCE),
        "GetBucketOwnershipControls": lambda: plane._object_ownership(ops.SOURCE),
    }
    asked = bucket_questions.get(name) or (lambda: ops.OPERATIONS[name](store, ops.KEY))
    with pytest.raises(SentError):
        await asked()
    return calls.sent[0]


ALL = (
    *ops.OPERATIONS,
    "GetBucketVersioning",
    "HeadBucket",
    "GetBucketReplication",
    "GetObjectLockConfiguration",
    "GetBucketOwnershipControls",
)


def members(call: Call) -> StructureShape:
    shape = MODEL.operation_model(call.operation).input_shape
    assert isinstance(shape, StructureShape)
    return shape


@pytest.mark.parametrize("name", ALL)
async def test_a_request_is_valid_by_botocores_own_model(name: str) -> None:
    """An invented parameter fails at the first real run; mocks accept it."""
    call = await recorded(name)
    # Expires is sent as the header it was; the model knows dates only. botocore makes a header
    # of a CopySource before it validates; the wire tests look at that header.
    as_sent = {"Expires": datetime(2026, 1, 1, tzinfo=UTC), "CopySource": "bucket/key"}
    parameters = {key: as_sent.get(key, value) for key, value in call.parameters.items()}
    assert set(parameters) <= set(members(call).members)
    report = ParamValidator().validate(parameters, members(call))
    assert not report.has_errors(), report.generate_report()


@pytest.mark.parametrize("name", ALL)
async def test_a_request_names_the_expected_owner_of_each_bucket_it_touches(name: str) -> None:
    """A bucket that was deleted and taken by a stranger must not receive our objects."""
    call = await recorded(name)
    place = ops.SOURCE if call.parameters["Bucket"] == ops.SOURCE.bucket else ops.DESTINATION
    assert call.parameters["ExpectedBucketOwner"] == place.expected_owner
    assert call.region == place.region
    if "ExpectedSourceBucketOwner" in members(call).members:
        assert call.parameters["ExpectedSourceBucketOwner"] == ops.SOURCE.expected_owner


@pytest.mark.parametrize("name", ["CopyObject", "UploadPartCopy"])
async def test_a_copy_pins_the_version_and_the_etag_of_its_source(name: str) -> None:
    """Without a pin a copy may carry a version that nobody planned."""
    call = await recorded(name)
    source = {"Bucket": "source-bucket", "Key": ops.KEY, "VersionId": "version-1"}
    assert call.parameters["CopySource"] == source
    assert call.parameters["CopySourceIfMatch"] == f'"{ops.ETAG}"'


@pytest.mark.parametrize("name", ops.WRITES)
async def test_no_write_ever_names_a_version_to_delete(name: str) -> None:
    """DeleteObject with a version ID destroys data for good."""
    call = await recorded(name)
    assert "VersionId" not in call.parameters
    assert "BypassGovernanceRetention" not in call.parameters


def copy(**changes: object) -> CopyObjectRequest:
    return CopyObjectRequest(**{**ops.copy_request()._asdict(), **changes})


def test_every_write_of_an_object_is_conditional() -> None:
    """An unconditional write buries what live replication has delivered meanwhile."""
    absent = copy_parameters(copy(precondition=IfAbsent()))
    replaces = copy_parameters(copy(precondition=IfReplaces(etag=ETag("old"))))
    assert (absent.get("IfNoneMatch"), absent.get("IfMatch")) == ("*", None)
    assert (replaces.get("IfNoneMatch"), replaces.get("IfMatch")) == (None, '"old"')
    assert complete_parameters(ops.complete_request())["IfMatch"] == f'"{ops.ETAG}"'
    hide = HideRequest(destination=ops.DESTINATION, key="k", etag=ETag("old"))
    assert hide_parameters(hide)["IfMatch"] == '"old"'


@pytest.mark.parametrize(
    ("encryption", "expected"),
    [
        (None, {}),
        (Encryption(kind=EncryptionKind.NONE), {}),
        (Encryption(kind=EncryptionKind.SSE_S3), {"ServerSideEncryption": "AES256"}),
        (
            Encryption(
                kind=EncryptionKind.SSE_KMS, kms_key_arn="arn:k", is_bucket_key_enabled=True
            ),
            {
                "ServerSideEncryption": "aws:kms",
                "SSEKMSKeyId": "arn:k",
                "BucketKeyEnabled": True,
            },
        ),
        (
            Encryption(kind=EncryptionKind.DSSE_KMS, kms_key_arn="arn:k"),
            {"ServerSideEncryption": "aws:kms:dsse", "SSEKMSKeyId": "arn:k"},
        ),
    ],
)
def test_encryption_is_sent_as_decided(
    encryption: Encryption | None, expected: dict[str, object]
) -> None:
    """A missing key ARN would encrypt with the destination's default key instead."""
    parameters = copy_parameters(copy(encryption=encryption))
    names = ("ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled")
    assert {name: parameters[name] for name in names if name in parameters} == expected


EXTRAS = Extras(
    website_redirect="/elsewhere",
    lock=ObjectLock("COMPLIANCE", datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC), has_legal_hold=True),
    grants=(
        Grant("FULL_CONTROL", "id", "us"),
        Grant("READ", "uri", "http://acs.amazonaws.com/groups/global/AllUsers"),
        Grant("READ", "id", "reader"),
        Grant("READ_ACP", "email", "a@example.com"),
    ),
    checksum_algorithm="SHA256",
)
NAMED: dict[str, object] = {
    "WebsiteRedirectLocation": "/elsewhere",
    "ObjectLockMode": "COMPLIANCE",
    "ObjectLockRetainUntilDate": "2031-02-03T04:05:06Z",
    "ObjectLockLegalHoldStatus": "ON",
    "GrantFullControl": 'id="us"',
    "GrantRead": 'uri="http://acs.amazonaws.com/groups/global/AllUsers", id="reader"',
    "GrantReadACP": 'emailAddress="a@example.com"',
}


def test_a_copy_names_what_it_would_leave_behind() -> None:
    """If this fails, a copy is born without its lock, its readers, or its redirect."""
    bare = copy_parameters(copy())
    named = copy_parameters(copy(extras=EXTRAS))
    assert named == {**bare, **NAMED, "ChecksumAlgorithm": "SHA256"}
    upload = create_upload_parameters(replace(ops.create_request(), extras=EXTRAS))
    # An upload has an algorithm of its own, with a type.
    assert upload == {**create_upload_parameters(ops.create_request()), **NAMED}


@pytest.mark.parametrize(
    ("lock", "expected"),
    [
        (ObjectLock(has_legal_hold=True), {"ObjectLockLegalHoldStatus": "ON"}),
        (
            ObjectLock("GOVERNANCE", datetime(2031, 1, 1, tzinfo=timezone(timedelta(hours=1)))),
            {
                "ObjectLockMode": "GOVERNANCE",
                "ObjectLockRetainUntilDate": "2030-12-31T23:00:00Z",
            },
        ),
    ],
)
def test_a_lock_is_named_as_far_as_it_goes(lock: ObjectLock, expected: dict[str, object]) -> None:
    """If this fails, a hold sets retention, or retention a hold, and neither can be taken back."""
    named = copy_parameters(copy(extras=Extras(lock=lock)))
    assert {name: value for name, value in named.items() if "Lock" in name} == expected


def test_a_permission_that_no_header_grants_is_a_mistake_of_ours() -> None:
    """If this fails, a grant is left out without a word."""
    with pytest.raises(AssertionError, match="granted"):
        copy_parameters(copy(extras=Extras(grants=(Grant("WRITE", "id", "us"),))))


def test_an_upload_is_created_with_everything_that_parts_do_not_carry() -> None:
    """UploadPartCopy copies bytes and nothing else."""
    parameters = create_upload_parameters(
        CreateMultipartUploadRequest(
            destination=ops.DESTINATION,
            key="k",
            metadata=(("name", "naïve"), ("plain", "text")),
            content_headers=ContentHeaders(
                content_type="a/b",
                content_encoding="gzip",
                content_language="de",
                content_disposition="inline",
                cache_control="no-store",
                expires="whenever",
            ),
            tags=(("a b", "c&d=é+"), ("x", "")),
            storage_class="STANDARD_IA",
            encryption=None,
            checksum_algorithm="CRC32",
            checksum_type=ChecksumType.COMPOSITE,
        )
    )
    tags = parameters.pop("Tagging")
    assert parse_qsl(str(tags), keep_blank_values=True) == [("a b", "c&d=é+"), ("x", "")]
    assert parameters == {
        "Bucket": "destination-bucket",
        "ExpectedBucketOwner": "222222222222",
        "Key": "k",
        "Metadata": {"name": "=?UTF-8?B?bmHDr3Zl?=", "plain": "text"},
        "ContentType": "a/b",
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
        "ContentDisposition": "inline",
        "CacheControl": "no-store",
        "Expires": "whenever",
        "StorageClass": "STANDARD_IA",
        "ChecksumAlgorithm": "CRC32",
        "ChecksumType": "COMPOSITE",
    }


def test_part_checksums_are_echoed_on_complete() -> None:
    """A COMPOSITE upload is refused without them (S3 API: CompletedPart)."""
    checksum = Checksum(algorithm="CRC32C", value="AAAAAA==", type=ChecksumType.FULL_OBJECT)
    parameters = complete_parameters(
        CompleteMultipartUploadRequest(
            upload=ops.upload(),
            parts=(CopiedPart(part_number=1, etag=ETag("e"), checksums=(checksum,)),),
            precondition=IfAbsent(),
            checksum_type=ChecksumType.COMPOSITE,
            size_bytes=7,
        )
    )
    part = {"PartNumber": 1, "ETag": '"e"', "ChecksumCRC32C": "AAAAAA=="}
    assert parameters["MultipartUpload"] == {"Parts": [part]}
    assert (parameters["ChecksumType"], parameters["MpuObjectSize"]) == ("COMPOSITE", 7)


async def test_a_listing_resumes_after_a_key_or_after_a_version_of_it() -> None:
    """A key marker alone skips the rest of that key's versions (S3 API: ListObjectVersions)."""
    for version_id in (None, VersionId("v")):
        calls = RecordingCalls()
        after = VersionsPosition(key="k", version_id=version_id)
        with pytest.raises(SentError):
            await S3ObjectStore(cast("Calls", calls)).list_object_versions(ops.SOURCE, after=after)
        assert calls.sent[0].parameters["KeyMarker"] == "k"
        assert calls.sent[0].parameters.get("VersionIdMarker") == version_id


async def test_the_region_of_a_bucket_is_asked_where_the_identity_lives() -> None:
    """Nothing is known about the bucket yet, its owner included."""
    calls = RecordingCalls()
    with pytest.raises(SentError):
        await S3ControlPlane(cast("Calls", calls)).bucket_region("somewhere")
    assert calls.sent[0] == Call(
        operation="HeadBucket", region="us-west-2", parameters={"Bucket": "somewhere"}
    )
