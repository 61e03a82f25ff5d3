"""The reference model behind the product's port ObjectStore.

Each call goes through the product's own SDK parameters (`backfill.aws.requests`), so that a guard
which is missing there is missing for the model, too.
"""

from collections.abc import AsyncIterator

from backfill.aws import requests
from backfill.errors import StoreFault
from backfill.model.attributes import ObjectHead, Pairs
from backfill.model.objects import ETag, VersionId
from backfill.model.places import BucketPlace
from backfill.model.store import (
    CompleteMultipartUploadRequest,
    CopiedPart,
    CopyObjectRequest,
    CreateMultipartUploadRequest,
    HideRequest,
    ListedPart,
    MarkAbsentRequest,
    MarkerResult,
    MultipartUpload,
    ObjectAcl,
    PartsPage,
    RestoreRequest,
    UploadPartCopyRequest,
    VersionsPage,
    VersionsPosition,
    WriteResult,
)
from backfill.sandbox.model.operations.listings import ListObjectVersionsRequest
from backfill.sandbox.model.operations.objects import (
    ReadObjectRequest,
    RestoreObjectRequest,
    VersionRequest,
)
from tests.doubles import model_requests as translated
from tests.doubles.model_requests import Parameters
from tests.doubles.simulated_s3 import Wire


class ModelStore:
    """The port ObjectStore of one identity of one process."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._model = wire.s3.model
        self._caller = wire.caller

    async def list_object_versions(
        self,
        place: BucketPlace,
        *,
        prefix: str = "",
        after: VersionsPosition | None = None,
        max_keys: int = 1000,
    ) -> VersionsPage:
        def act(parameters: Parameters) -> VersionsPage:
            found = self._model.list_object_versions(
                self._caller,
                ListObjectVersionsRequest(
                    bucket=place.bucket,
                    prefix=translated.optional(parameters, "Prefix") or "",
                    key_marker=translated.optional(parameters, "KeyMarker"),
                    version_id_marker=translated.optional(parameters, "VersionIdMarker"),
                    max_keys=translated.number(parameters, "MaxKeys"),
                    expected_bucket_owner=translated.optional(parameters, "ExpectedBucketOwner"),
                ),
            )
            following = None
            if found.is_truncated:
                assert found.next_key_marker is not None, "a truncated page says where to go on"
                marker = found.next_version_id_marker
                following = VersionsPosition(
                    key=found.next_key_marker, version_id=VersionId(marker) if marker else None
                )
            entries = tuple(map(self._wire.s3.listed, found.entries))
            return VersionsPage(entries=entries, next_position=following)

        parameters = requests.list_parameters(place, prefix=prefix, after=after, max_keys=max_keys)
        return await self._wire.send("ListObjectVersions", parameters, act, seen=lambda _: None)

    async def head_object(
        self,
        place: BucketPlace,
        key: str,
        *,
        version_id: VersionId | None = None,
        part_number: int | None = None,
    ) -> ObjectHead:
        def act(_: Parameters) -> ObjectHead:
            request = ReadObjectRequest(
                bucket=place.bucket,
                key=key,
                version_id=version_id,
                part_number=part_number,
                is_checksum_mode_enabled=True,
                expected_bucket_owner=place.expected_owner,
            )
            return translated.object_head(self._model.head_object(self._caller, request))

        parameters = requests.head_parameters(place, key, version_id, part_number)
        return await self._wire.send("HeadObject", parameters, act)

    async def get_object_tagging(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> Pairs:
        request = _version_request(place, key, version_id)
        parameters = requests.version_parameters(place, key, version_id)
        return await self._wire.send(
            "GetObjectTagging",
            parameters,
            lambda _: tuple(sorted(self._model.get_object_tagging(self._caller, request).tags)),
        )

    async def object_acl(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> ObjectAcl:
        request = _version_request(place, key, version_id)
        parameters = requests.version_parameters(place, key, version_id)
        return await self._wire.send(
            "GetObjectAcl",
            parameters,
            lambda _: translated.object_acl(self._model.get_object_acl(self._caller, request)),
        )

    async def has_retention(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> bool:
        request = _version_request(place, key, version_id)
        parameters = requests.version_parameters(place, key, version_id)
        return await self._wire.send(
            "GetObjectRetention",
            parameters,
            lambda _: self._model.get_object_retention(self._caller, request).mode is not None,
        )

    async def has_legal_hold(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> bool:
        request = _version_request(place, key, version_id)
        parameters = requests.version_parameters(place, key, version_id)
        return await self._wire.send(
            "GetObjectLegalHold",
            parameters,
            lambda _: bool(self._model.get_object_legal_hold(self._caller, request).has_legal_hold),
        )

    async def read_object(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> AsyncIterator[bytes]:
        request = ReadObjectRequest(
            bucket=place.bucket,
            key=key,
            version_id=version_id,
            expected_bucket_owner=place.expected_owner,
        )
        parameters = requests.version_parameters(place, key, version_id)
        yield await self._wire.send(
            "GetObject", parameters, lambda _: self._model.get_object(self._caller, request).body
        )

    async def copy_object(self, request: CopyObjectRequest) -> WriteResult:
        def act(parameters: Parameters) -> WriteResult:
            made = self._model.copy_object(self._caller, translated.copy_request(parameters))
            return WriteResult(
                etag=ETag(made.etag),
                version_id=VersionId(made.version_id) if made.version_id else None,
                checksums=translated.checksums(made.checksum),
                last_modified=made.last_modified,
            )

        return await self._wire.send("CopyObject", requests.copy_parameters(request), act)

    async def create_multipart_upload(
        self, request: CreateMultipartUploadRequest
    ) -> MultipartUpload:
        def act(parameters: Parameters) -> MultipartUpload:
            made = self._model.create_multipart_upload(
                self._caller, translated.create_upload_request(parameters)
            )
            return MultipartUpload(
                destination=request.destination, key=request.key, upload_id=made.upload_id
            )

        parameters = requests.create_upload_parameters(request)
        return await self._wire.send("CreateMultipartUpload", parameters, act)

    async def upload_part_copy(self, request: UploadPartCopyRequest) -> CopiedPart:
        def act(parameters: Parameters) -> CopiedPart:
            made = self._model.upload_part_copy(self._caller, translated.part_request(parameters))
            return CopiedPart(
                part_number=request.part_number,
                etag=ETag(made.etag),
                checksums=translated.checksums(made.checksum),
            )

        return await self._wire.send("UploadPartCopy", requests.part_parameters(request), act)

    async def list_parts(
        self, upload: MultipartUpload, *, after: int = 0, max_parts: int = 1000
    ) -> PartsPage:
        def act(said: Parameters) -> PartsPage:
            page = self._model.list_parts(self._caller, translated.parts_request(said))
            return PartsPage(
                parts=tuple(
                    ListedPart(
                        part=CopiedPart(
                            part_number=row.number,
                            etag=ETag(row.etag),
                            checksums=translated.checksums(row.checksum),
                        ),
                        size_bytes=row.size_bytes,
                    )
                    for row in page.parts
                ),
                next_marker=page.next_part_number_marker if page.is_truncated else None,
            )

        parameters = requests.parts_parameters(upload, after=after, max_parts=max_parts)
        return await self._wire.send("ListParts", parameters, act)

    async def complete_multipart_upload(
        self, request: CompleteMultipartUploadRequest
    ) -> WriteResult:
        def act(parameters: Parameters) -> WriteResult:
            made = self._model.complete_multipart_upload(
                self._caller, translated.completion_request(parameters)
            )
            return WriteResult(
                etag=ETag(made.etag),
                version_id=VersionId(made.version_id) if made.version_id else None,
                checksums=translated.checksums(made.checksum),
            )

        parameters = requests.complete_parameters(request)
        return await self._wire.send("CompleteMultipartUpload", parameters, act)

    async def abort_multipart_upload(self, upload: MultipartUpload) -> None:
        def act(parameters: Parameters) -> bool:
            self._model.abort_multipart_upload(self._caller, translated.abort_request(parameters))
            return True

        try:
            parameters = requests.upload_parameters(upload)
            await self._wire.send("AbortMultipartUpload", parameters, act)
        except StoreFault as fault:
            if fault.code != "NoSuchUpload":
                raise

    async def restore_object(self, request: RestoreRequest) -> bool:
        parameters = requests.restore_parameters(request)
        asked = RestoreObjectRequest(
            bucket=request.place.bucket,
            key=request.key,
            version_id=request.version_id,
            days=request.days,
            tier=request.tier,
            expected_bucket_owner=request.place.expected_owner,
        )
        return await self._wire.send(
            "RestoreObject",
            parameters,
            lambda _: self._model.restore_object(self._caller, asked).status == 202,
        )

    async def hide_object(self, request: HideRequest) -> MarkerResult:
        return await self._delete(requests.hide_parameters(request))

    async def mark_absent(self, request: MarkAbsentRequest) -> MarkerResult:
        return await self._delete(requests.mark_absent_parameters(request))

    async def _delete(self, parameters: Parameters) -> MarkerResult:
        def act(said: Parameters) -> MarkerResult:
            made = self._model.delete_object(self._caller, translated.delete_request(said))
            return MarkerResult(version_id=VersionId(made.version_id) if made.version_id else None)

        return await self._wire.send("DeleteObject", parameters, act)


def _version_request(place: BucketPlace, key: str, version_id: VersionId | None) -> VersionRequest:
    return VersionRequest(
        bucket=place.bucket,
        key=key,
        version_id=version_id,
        expected_bucket_owner=place.expected_owner,
    )
