"""Each port method against the sandbox, an S3 that refuses what AWS refuses."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
import pytest_asyncio

from backfill.aws.control_plane import S3ControlPlane
from backfill.aws.faults import error_of
from backfill.aws.object_store import S3ObjectStore
from backfill.aws.session import Connection
from backfill.errors import ClockSkewError, Disposition, MissingPermissionError, StoreFault
from backfill.model.attributes import ContentHeaders, Encryption, EncryptionKind
from backfill.model.objects import DeleteMarker, ETag, ListedEntry, ObjectVersion, VersionId
from backfill.model.places import BucketPlace
from backfill.model.store import (
    CompleteMultipartUploadRequest,
    CopyObjectRequest,
    CopySource,
    CreateMultipartUploadRequest,
    HideRequest,
    IfAbsent,
    IfReplaces,
    MarkAbsentRequest,
    Precondition,
    UploadPartCopyRequest,
    VersionsPosition,
)
from backfill.sandbox.service import DESTINATION, SOURCE, Sandbox
from tests.doubles.clients import opened_calls
from tests.wire.aws.conftest import KeptEvents
from tests.wire.aws.test_hostile_keys import HOSTILE_KEYS

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOURCE_PLACE = BucketPlace(
    bucket="adapter-source",
    region=SOURCE.region,
    expected_owner=SOURCE.account_id,
    owner_origin="flag",
)
DESTINATION_PLACE = BucketPlace(
    bucket="adapter-destination",
    region=DESTINATION.region,
    expected_owner=DESTINATION.account_id,
    owner_origin="flag",
)
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{DESTINATION.account_id}:root"},
            "Action": ["s3:GetObject*", "s3:ListBucketVersions"],
            "Resource": ["arn:aws:s3:::adapter-source", "arn:aws:s3:::adapter-source/*"],
        }
    ],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One identity: our store and control plane, and a plain boto3 client to prepare with."""

    store: S3ObjectStore
    plane: S3ControlPlane
    plain: Any  # boto3 makes its methods at run time


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    sandbox: Sandbox
    source: Side
    destination: Side


@pytest.fixture(scope="module")
def sandbox(client: str) -> Iterator[Sandbox]:
    assert client, "each client has a sandbox of its own"
    with Sandbox(seed=7) as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(
    sandbox: Sandbox,
    client: str,
    identity: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Scene]:
    folder: Path = tmp_path_factory.mktemp("aws")
    async with AsyncExitStack() as stack:
        patch = stack.enter_context(identity.context())
        patch.delenv("AWS_DEFAULT_REGION")
        for name, value in sandbox.write_profiles(folder).items():
            patch.setenv(name, value)
        sides = {}
        for name in ("source", "destination"):
            opened = opened_calls(client, Connection(profile=name), KeptEvents())
            calls = await stack.enter_async_context(opened)
            settings: dict[str, Any] = dict(sandbox.client_settings(name))
            plain = boto3.client("s3", **settings)
            stack.enter_context(closing(plain))
            sides[name] = Side(store=S3ObjectStore(calls), plane=S3ControlPlane(calls), plain=plain)
        made = Scene(sandbox=sandbox, source=sides["source"], destination=sides["destination"])
        prepare(made)
        yield made


def prepare(scene: Scene) -> None:
    scene.source.plain.create_bucket(Bucket=SOURCE_PLACE.bucket)
    scene.destination.plain.create_bucket(
        Bucket=DESTINATION_PLACE.bucket,
        CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
    )
    for side, place in (
        (scene.source, SOURCE_PLACE),
        (scene.destination, DESTINATION_PLACE),
    ):
        side.plain.put_bucket_versioning(
            Bucket=place.bucket, VersioningConfiguration={"Status": "Enabled"}
        )
    scene.source.plain.put_bucket_policy(Bucket=SOURCE_PLACE.bucket, Policy=json.dumps(POLICY))


def put(scene: Scene, key: str, body: bytes = b"body") -> CopySource:
    answer = scene.source.plain.put_object(
        Bucket=SOURCE_PLACE.bucket,
        Key=key,
        Body=body,
        ContentType="text/x",
        Metadata={"name": "=?UTF-8?B?w6k=?="},
        Tagging="a%20b=c",
    )
    return CopySource(
        place=SOURCE_PLACE,
        key=key,
        version_id=VersionId(answer["VersionId"]),
        etag=ETag(answer["ETag"].strip('"')),
    )


def copy_of(
    source: CopySource, precondition: Precondition, *, key: str | None = None
) -> CopyObjectRequest:
    return CopyObjectRequest(
        destination=DESTINATION_PLACE,
        key=source.key if key is None else key,
        source=source,
        precondition=precondition,
        storage_class="STANDARD",
        encryption=Encryption(kind=EncryptionKind.SSE_S3),
    )


async def test_the_control_plane_answers_for_both_accounts(scene: Scene) -> None:
    """Owners, Regions and versioning are what every later request is built from."""
    assert await scene.source.plane.account_id() == SOURCE.account_id
    assert await scene.destination.plane.account_id() == DESTINATION.account_id
    for side in (scene.source, scene.destination):
        assert await side.plane.bucket_region(SOURCE_PLACE.bucket) == SOURCE.region
        assert await side.plane.bucket_region(DESTINATION_PLACE.bucket) == DESTINATION.region
    facts = await scene.destination.plane.bucket_facts(DESTINATION_PLACE)
    assert (facts.region, facts.versioning, facts.has_object_lock) == (
        DESTINATION.region,
        "Enabled",
        False,
    )
    assert await scene.destination.plane.versioning(DESTINATION_PLACE) == "Enabled"
    assert (
        await scene.source.plane.replication_configuration(
            SOURCE_PLACE.bucket, SOURCE_PLACE.expected_owner
        )
        is None
    )


async def test_a_listing_keeps_the_true_order_over_pages_that_split_a_key(scene: Scene) -> None:
    """The chain of a key says what is current; a marker in the wrong place deletes or revives."""
    written: list[str] = []
    for number in range(3):
        written.append(put(scene, "chain/key", b"%d" % number).version_id)
        deleted = scene.source.plain.delete_object(Bucket=SOURCE_PLACE.bucket, Key="chain/key")
        written.append(deleted["VersionId"])
    entries: list[ListedEntry] = []
    after: VersionsPosition | None = None
    for _ in range(len(written)):
        page = await scene.source.store.list_object_versions(
            SOURCE_PLACE, prefix="chain/", after=after, max_keys=1
        )
        entries += page.entries
        if (after := page.next_position) is None:
            break
    assert [entry.version_id for entry in entries] == written[::-1]
    kinds = [type(entry) for entry in entries]
    assert kinds == [DeleteMarker, ObjectVersion] * 3


@pytest.mark.parametrize("key", HOSTILE_KEYS, ids=ascii)
async def test_a_hostile_key_survives_every_call(scene: Scene, key: str) -> None:
    """Listed, read, copied and tagged under one and the same name, byte for byte."""
    source = put(scene, key, b"hostile")
    store = scene.destination.store
    listed = await scene.source.store.list_object_versions(SOURCE_PLACE, prefix=key)
    assert source.version_id in [entry.version_id for entry in listed.entries if entry.key == key]
    head = await store.head_object(SOURCE_PLACE, key, version_id=source.version_id)
    assert (head.etag, head.metadata, head.tag_count) == (source.etag, (("name", "é"),), 1)
    result = await store.copy_object(copy_of(source, IfAbsent()))
    copied = await store.head_object(DESTINATION_PLACE, key, version_id=result.version_id)
    assert (copied.size_bytes, copied.metadata, copied.content_headers.content_type) == (
        7,
        (("name", "é"),),
        "text/x",
    )
    assert await store.get_object_tagging(DESTINATION_PLACE, key) == (("a b", "c"),)
    assert (await store.object_acl(DESTINATION_PLACE, key)).is_default
    stream = store.read_object(DESTINATION_PLACE, key, version_id=result.version_id)
    assert b"".join([chunk async for chunk in stream]) == b"hostile"
    marked = await store.hide_object(
        HideRequest(destination=DESTINATION_PLACE, key=key, etag=result.etag)
    )
    chain = await store.list_object_versions(DESTINATION_PLACE, prefix=key)
    mine = [entry.version_id for entry in chain.entries if entry.key == key]
    assert mine == [marked.version_id, result.version_id]


async def test_preconditions_on_both_sides_are_the_stores_to_refuse(scene: Scene) -> None:
    """They are what keeps a newer object of somebody else from being buried."""
    source = put(scene, "guards/key")
    store = scene.destination.store
    first = await store.copy_object(copy_of(source, IfAbsent()))
    refused = (
        copy_of(source, IfAbsent()),
        copy_of(source, IfReplaces(etag=ETag("0" * 32))),
    )
    for request in refused:
        with pytest.raises(StoreFault) as caught:
            await store.copy_object(request)
        assert caught.value.disposition is Disposition.REDECIDE
    second = await store.copy_object(copy_of(source, IfReplaces(etag=first.etag)))
    assert second.version_id != first.version_id
    stale = CopySource(
        place=SOURCE_PLACE,
        key=source.key,
        version_id=source.version_id,
        etag=ETag("0" * 32),
    )
    with pytest.raises(StoreFault) as caught:
        await store.copy_object(copy_of(stale, IfAbsent(), key="guards/other"))
    assert caught.value.code == "PreconditionFailed"
    with pytest.raises(StoreFault) as caught:
        await store.hide_object(
            HideRequest(destination=DESTINATION_PLACE, key=source.key, etag=ETag("0" * 32))
        )
    assert caught.value.disposition is Disposition.REDECIDE


async def test_a_wrong_owner_is_denied_on_either_side(scene: Scene) -> None:
    """A bucket of the right name in the wrong hands must get nothing."""
    source = put(scene, "owners/key")
    store = scene.destination.store
    foreign = BucketPlace(
        bucket=SOURCE_PLACE.bucket,
        region=SOURCE_PLACE.region,
        expected_owner="999999999999",
        owner_origin="flag",
    )
    stolen = CopySource(
        place=foreign, key=source.key, version_id=source.version_id, etag=source.etag
    )
    with pytest.raises(StoreFault) as caught:
        await store.copy_object(copy_of(stolen, IfAbsent()))
    assert caught.value.code == "AccessDenied"
    with pytest.raises(StoreFault) as caught:
        await scene.source.store.head_object(foreign, source.key)
    assert (caught.value.operation, caught.value.code) == ("HeadObject", "AccessDenied")
    assert isinstance(error_of(caught.value), MissingPermissionError)


async def test_a_lock_is_asked_for_version_by_version(scene: Scene) -> None:
    """HEAD hides a lock from who may not ask for it: asking is the only proof."""
    plain, bucket = scene.source.plain, "adapter-locked"
    plain.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    plain.put_object(Bucket=bucket, Key="k", Body=b"x")
    place = replace(SOURCE_PLACE, bucket=bucket)
    store = scene.source.store
    assert (await scene.source.plane.bucket_facts(place)).has_object_lock
    assert not await store.has_retention(place, "k")
    assert not await store.has_legal_hold(place, "k")
    until = scene.sandbox.clock() + timedelta(days=1)
    retention = {"Mode": "GOVERNANCE", "RetainUntilDate": until}
    plain.put_object_retention(Bucket=bucket, Key="k", Retention=retention)
    plain.put_object_legal_hold(Bucket=bucket, Key="k", LegalHold={"Status": "ON"})
    assert await store.has_retention(place, "k")
    assert await store.has_legal_hold(place, "k")


async def test_parts_bring_over_what_was_supplied_and_an_upload_can_be_aborted(
    scene: Scene,
) -> None:
    """Objects above the copy limit go this way."""
    source = put(scene, "parts/key", b"x" * (5 * 1024 * 1024 + 7))
    store = scene.destination.store
    create = CreateMultipartUploadRequest(
        destination=DESTINATION_PLACE,
        key="parts/key",
        metadata=(("name", "é"),),
        content_headers=ContentHeaders(content_type="text/x"),
        tags=(("a b", "c+d/=é"),),
        storage_class="STANDARD",
        encryption=None,
        checksum_algorithm=None,
        checksum_type=None,
    )
    upload = await store.create_multipart_upload(create)
    bounds = ((0, 5 * 1024 * 1024 - 1), (5 * 1024 * 1024, 5 * 1024 * 1024 + 6))
    parts = [
        await store.upload_part_copy(
            UploadPartCopyRequest(
                upload=upload, part_number=number, source=source, first_byte=first, last_byte=last
            )
        )
        for number, (first, last) in enumerate(bounds, start=1)
    ]
    first = await store.list_parts(upload, max_parts=1)
    last = await store.list_parts(upload, after=first.next_marker or 0, max_parts=1)
    assert [row.part for row in (*first.parts, *last.parts)] == parts
    assert [row.size_bytes for row in (*first.parts, *last.parts)] == [5 * 1024 * 1024, 7]
    assert (first.next_marker, last.next_marker) == (1, None)
    complete = CompleteMultipartUploadRequest(
        upload=upload,
        parts=tuple(parts),
        precondition=IfAbsent(),
        checksum_type=None,
        size_bytes=5 * 1024 * 1024 + 7,
    )
    result = await store.complete_multipart_upload(complete)
    assert result.etag.endswith("-2")
    head = await store.head_object(DESTINATION_PLACE, "parts/key", version_id=result.version_id)
    assert (head.metadata, head.size_bytes) == ((("name", "é"),), 5 * 1024 * 1024 + 7)
    assert await store.get_object_tagging(DESTINATION_PLACE, "parts/key") == (("a b", "c+d/=é"),)
    part = await store.head_object(
        DESTINATION_PLACE, "parts/key", version_id=result.version_id, part_number=2
    )
    assert (part.size_bytes, part.parts_count) == (7, 2)
    with pytest.raises(StoreFault) as caught:
        await store.list_parts(upload)
    assert caught.value.code == "NoSuchUpload"
    again = await store.create_multipart_upload(create)
    await store.abort_multipart_upload(again)
    await store.abort_multipart_upload(again)


async def test_a_key_that_xml_cannot_hold_goes_in_parts(scene: Scene) -> None:
    """S3 echoes the key; a client that gives up over it leaves an upload behind with every try."""
    key = "parts/\x01\x02"
    source, store = put(scene, key, b"x" * 9), scene.destination.store
    create = CreateMultipartUploadRequest(
        destination=DESTINATION_PLACE,
        key=key,
        metadata=(),
        content_headers=ContentHeaders(),
        tags=(),
        storage_class="STANDARD",
        encryption=None,
        checksum_algorithm=None,
        checksum_type=None,
    )
    upload = await store.create_multipart_upload(create)
    part = await store.upload_part_copy(
        UploadPartCopyRequest(
            upload=upload, part_number=1, source=source, first_byte=0, last_byte=8
        )
    )
    listed = await store.list_parts(upload)
    assert [row.part for row in listed.parts] == [part]
    result = await store.complete_multipart_upload(
        CompleteMultipartUploadRequest(
            upload=upload,
            parts=(part,),
            precondition=IfAbsent(),
            checksum_type=None,
            size_bytes=9,
        )
    )
    head = await store.head_object(DESTINATION_PLACE, key, version_id=result.version_id)
    assert (head.etag, head.size_bytes) == (result.etag, 9)


async def test_a_marker_is_made_onto_a_key_without_an_object(scene: Scene) -> None:
    """Where the source's key is deleted and the destination never had it."""
    store = scene.destination.store
    made = await store.mark_absent(
        MarkAbsentRequest(destination=DESTINATION_PLACE, key="marker/alone")
    )
    page = await store.list_object_versions(DESTINATION_PLACE, prefix="marker/")
    assert [(type(e), e.version_id) for e in page.entries] == [(DeleteMarker, made.version_id)]


async def test_a_wrong_region_stops_with_the_right_one_named(scene: Scene) -> None:
    """The Region is read from the bucket; a store that moved is for a person to look at."""
    astray = BucketPlace(
        bucket=DESTINATION_PLACE.bucket,
        region=SOURCE.region,
        expected_owner=DESTINATION.account_id,
        owner_origin="flag",
    )
    with pytest.raises(StoreFault) as caught:
        await scene.destination.store.list_object_versions(astray)
    assert caught.value.disposition is Disposition.STOP
    assert DESTINATION.region in caught.value.message


async def test_a_clock_an_hour_off_is_told_from_a_denial_even_on_a_head(
    scene: Scene, client: str
) -> None:
    """A HEAD says only 403: without asking again this looks like a missing permission."""
    source = put(scene, "clock/key")
    scene.sandbox.clock.offset = timedelta(hours=1)
    try:
        if client == "lean":  # which tells it, too, and mends it
            assert (await scene.source.store.head_object(SOURCE_PLACE, source.key)).size_bytes == 4
            return
        with pytest.raises(StoreFault) as caught:
            await scene.source.store.head_object(SOURCE_PLACE, source.key)
    finally:
        scene.sandbox.clock.offset = timedelta()
    assert isinstance(error_of(caught.value), ClockSkewError)
    assert "S3 said" in caught.value.message
