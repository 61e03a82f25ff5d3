"""The driver for the reference model in process: each call is one operation, no wire between.

It adds no behaviour: a call becomes the model's request, its answer the case's words.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any

from botocore.serialize import create_serializer
from botocore.session import get_session

from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.model import S3Model
from backfill.sandbox.model.operations import buckets, copies, listings, multipart, objects
from backfill.sandbox.model.values import (
    Checksum,
    ContentHeaders,
    ReadConditions,
    RequestedEncryption,
    SentChecksum,
    WriteConditions,
    WrittenAttributes,
)
from tests.contract.vocabulary import (
    PLAIN,
    UNGUARDED,
    Attributes,
    Deleted,
    Entry,
    Guard,
    Head,
    ObjectAttributes,
    Page,
    Pairs,
    Part,
    Refused,
    ReplicationConfiguration,
    Source,
    Sum,
    Written,
)

_PAGE_SIZE = 1000
"""What S3 takes when a request names no page size."""
_ATTRIBUTES = ("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")


class ModelDriver:
    """`Driver` on an `S3Model`."""

    def __init__(self, model: S3Model, caller: Caller) -> None:
        self.account_id = caller.account_id
        self._model = model
        self._caller = caller

    # --- buckets ---

    def make_bucket(self, bucket: str, *, versioning: str | None = None) -> None:
        location = None if self._caller.region == "us-east-1" else self._caller.region
        request = buckets.CreateBucketRequest(bucket=bucket, location=location)
        with _refusing("create_bucket"):
            self._model.create_bucket(self._caller, request)
        if versioning:
            self.set_versioning(bucket, versioning)

    def set_versioning(self, bucket: str, status: str) -> None:
        request = buckets.PutBucketVersioningRequest(bucket=bucket, status=status)
        with _refusing("put_bucket_versioning"):
            self._model.put_bucket_versioning(self._caller, request)

    def versioning(self, bucket: str) -> str | None:
        with _refusing("get_bucket_versioning"):
            answer = self._model.get_bucket_versioning(
                self._caller, buckets.BucketRequest(bucket=bucket)
            )
        return answer.status

    def set_encryption(self, bucket: str, algorithm: str, kms_key_id: str | None) -> None:
        encryption = RequestedEncryption(algorithm=algorithm, kms_key_id=kms_key_id)
        request = buckets.PutBucketEncryptionRequest(bucket=bucket, encryption=encryption)
        with _refusing("put_bucket_encryption"):
            self._model.put_bucket_encryption(self._caller, request)

    def set_policy(self, bucket: str, document: str) -> None:
        request = buckets.PutBucketPolicyRequest(bucket=bucket, document=document)
        with _refusing("put_bucket_policy"):
            self._model.put_bucket_policy(self._caller, request)

    def set_replication(self, bucket: str, configuration: ReplicationConfiguration) -> None:
        request = buckets.PutBucketReplicationRequest(
            bucket=bucket, document=_replication_xml(bucket, configuration)
        )
        with _refusing("put_bucket_replication"):
            self._model.put_bucket_replication(self._caller, request)

    def has_replication(self, bucket: str) -> bool:
        with _refusing("get_bucket_replication"):
            answer = self._model.get_bucket_replication(
                self._caller, buckets.BucketRequest(bucket=bucket)
            )
        return "<Rule>" in answer.document

    def delete_replication(self, bucket: str) -> None:
        with _refusing("delete_bucket_replication"):
            self._model.delete_bucket_replication(
                self._caller, buckets.BucketRequest(bucket=bucket)
            )

    def settle(self) -> None:
        self._model.replication.advance(datetime.max.replace(tzinfo=UTC))

    # --- objects ---

    def put(
        self,
        bucket: str,
        key: str,
        body: bytes = b"body",
        *,
        attributes: Attributes = PLAIN,
        if_match: str | None = None,
        if_none_match: str | None = None,
        checksum: Sum | None = None,
        content_md5: str | None = None,
        owner: str | None = None,
    ) -> Written:
        request = objects.PutObjectRequest(
            bucket=bucket,
            key=key,
            body=body,
            attributes=_attributes(attributes),
            content_md5=content_md5,
            checksum=_sent(checksum),
            conditions=WriteConditions(if_match=if_match, if_none_match=if_none_match),
            expected_bucket_owner=owner,
        )
        with _refusing("put_object"):
            answer = self._model.put_object(self._caller, request)
        return _written(answer)

    def get(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        byte_range: str | None = None,
        part_number: int | None = None,
        guard: Guard = UNGUARDED,
        owner: str | None = None,
    ) -> tuple[Head, bytes]:
        request = objects.ReadObjectRequest(
            bucket=bucket,
            key=key,
            version_id=version_id,
            range=byte_range,
            part_number=part_number,
            is_checksum_mode_enabled=True,
            conditions=_conditions(guard),
            expected_bucket_owner=owner,
        )
        with _refusing("get_object"):
            answer = self._model.get_object(self._caller, request)
        return _head(answer.description), answer.body

    def head(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        part_number: int | None = None,
        guard: Guard = UNGUARDED,
        owner: str | None = None,
        is_checksum_asked: bool = True,
    ) -> Head:
        request = objects.ReadObjectRequest(
            bucket=bucket,
            key=key,
            version_id=version_id,
            part_number=part_number,
            is_checksum_mode_enabled=is_checksum_asked,
            conditions=_conditions(guard),
            expected_bucket_owner=owner,
        )
        with _refusing("head_object"):
            return _head(self._model.head_object(self._caller, request))

    def copy(
        self,
        source: Source,
        bucket: str,
        key: str,
        *,
        metadata_directive: str | None = None,
        tagging_directive: str | None = None,
        attributes: Attributes = PLAIN,
        checksum_algorithm: str | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
        owner: str | None = None,
    ) -> Written:
        request = copies.CopyObjectRequest(
            bucket=bucket,
            key=key,
            source=_source(source),
            metadata_directive=metadata_directive,
            tagging_directive=tagging_directive,
            attributes=_attributes(attributes),
            checksum_algorithm=checksum_algorithm,
            conditions=WriteConditions(if_match=if_match, if_none_match=if_none_match),
            expected_bucket_owner=owner,
        )
        with _refusing("copy_object"):
            answer = self._model.copy_object(self._caller, request)
        return _written(answer, source_version_id=answer.source_version_id)

    def delete(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        if_match: str | None = None,
        owner: str | None = None,
    ) -> Deleted:
        request = objects.DeleteObjectRequest(
            bucket=bucket,
            key=key,
            version_id=version_id,
            if_match=if_match,
            expected_bucket_owner=owner,
        )
        with _refusing("delete_object"):
            answer = self._model.delete_object(self._caller, request)
        return Deleted(version_id=answer.version_id, is_delete_marker=answer.is_delete_marker)

    def delete_many(
        self, bucket: str, entries: Sequence[tuple[str, str | None]]
    ) -> tuple[set[str], dict[str, str]]:
        asked = tuple(objects.DeleteEntry(key=key, version_id=version) for key, version in entries)
        request = objects.DeleteObjectsRequest(bucket=bucket, entries=asked)
        with _refusing("delete_objects"):
            answer = self._model.delete_objects(self._caller, request)
        done = {entry.key for entry in answer.deleted}
        return done, {failure.key: failure.code for failure in answer.failures}

    # --- listings ---

    def list_versions(
        self,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str | None = None,
        key_marker: str | None = None,
        version_id_marker: str | None = None,
        max_keys: int | None = None,
        owner: str | None = None,
    ) -> Page:
        request = listings.ListObjectVersionsRequest(
            bucket=bucket,
            prefix=prefix,
            delimiter=delimiter,
            key_marker=key_marker,
            version_id_marker=version_id_marker,
            max_keys=_PAGE_SIZE if max_keys is None else max_keys,
            expected_bucket_owner=owner,
        )
        with _refusing("list_object_versions"):
            answer = self._model.list_object_versions(self._caller, request)
        return Page(
            entries=tuple(
                Entry(
                    key=row.key,
                    etag=row.etag,
                    size_bytes=row.size_bytes,
                    version_id=row.version_id,
                    is_latest=row.is_latest,
                    is_delete_marker=row.is_delete_marker,
                    checksum_algorithm=row.checksum_algorithm,
                    checksum_type=row.checksum_type,
                )
                for row in answer.entries
            ),
            common_prefixes=answer.common_prefixes,
            is_truncated=answer.is_truncated,
            next_marker=answer.next_key_marker,
            next_version_id_marker=answer.next_version_id_marker,
        )

    def list_objects(
        self,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str | None = None,
        start_after: str | None = None,
        token: str | None = None,
        max_keys: int | None = None,
        owner: str | None = None,
    ) -> Page:
        request = listings.ListObjectsV2Request(
            bucket=bucket,
            prefix=prefix,
            delimiter=delimiter,
            start_after=start_after,
            continuation_token=token,
            max_keys=_PAGE_SIZE if max_keys is None else max_keys,
            expected_bucket_owner=owner,
        )
        with _refusing("list_objects_v2"):
            answer = self._model.list_objects_v2(self._caller, request)
        return Page(
            entries=tuple(
                Entry(
                    key=row.key,
                    etag=row.etag,
                    size_bytes=row.size_bytes,
                    checksum_algorithm=row.checksum_algorithm,
                    checksum_type=row.checksum_type,
                )
                for row in answer.objects
            ),
            common_prefixes=answer.common_prefixes,
            is_truncated=answer.is_truncated,
            next_marker=answer.next_continuation_token,
        )

    # --- tags, attributes ---

    def tags(self, bucket: str, key: str, *, version_id: str | None = None) -> Pairs:
        request = objects.VersionRequest(bucket=bucket, key=key, version_id=version_id)
        with _refusing("get_object_tagging"):
            return tuple(sorted(self._model.get_object_tagging(self._caller, request).tags))

    def put_tags(
        self,
        bucket: str,
        key: str,
        tags: Pairs,
        *,
        version_id: str | None = None,
        owner: str | None = None,
    ) -> None:
        request = objects.PutObjectTaggingRequest(
            bucket=bucket, key=key, tags=tags, version_id=version_id, expected_bucket_owner=owner
        )
        with _refusing("put_object_tagging"):
            self._model.put_object_tagging(self._caller, request)

    def delete_tags(self, bucket: str, key: str, *, version_id: str | None = None) -> None:
        request = objects.VersionRequest(bucket=bucket, key=key, version_id=version_id)
        with _refusing("delete_object_tagging"):
            self._model.delete_object_tagging(self._caller, request)

    def attributes(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        max_parts: int | None = None,
        part_number_marker: int | None = None,
    ) -> ObjectAttributes:
        request = objects.GetObjectAttributesRequest(
            bucket=bucket,
            key=key,
            attributes=_ATTRIBUTES,
            version_id=version_id,
            max_parts=_PAGE_SIZE if max_parts is None else max_parts,
            part_number_marker=part_number_marker or 0,
        )
        with _refusing("get_object_attributes"):
            answer = self._model.get_object_attributes(self._caller, request)
        told = answer.parts
        parts = [
            Part(
                number=part.number,
                etag="",
                size_bytes=part.size_bytes,
                checksum=_bare_sum(part.checksum),
            )
            for part in (told.parts or () if told else ())
        ]
        return ObjectAttributes(
            etag=answer.etag,
            checksum=_bare_sum(answer.checksum, is_type_said=True),
            size_bytes=answer.size_bytes,
            storage_class=answer.storage_class,
            parts_count=told.total_parts_count if told else None,
            parts=tuple(parts) or None,
            next_part_number_marker=told.next_part_number_marker if told else None,
        )

    # --- multipart uploads ---

    def begin(
        self,
        bucket: str,
        key: str,
        *,
        attributes: Attributes = PLAIN,
        checksum_algorithm: str | None = None,
        checksum_type: str | None = None,
        owner: str | None = None,
    ) -> str:
        request = multipart.CreateMultipartUploadRequest(
            bucket=bucket,
            key=key,
            attributes=_attributes(attributes),
            checksum_algorithm=checksum_algorithm,
            checksum_type=checksum_type,
            expected_bucket_owner=owner,
        )
        with _refusing("create_multipart_upload"):
            return self._model.create_multipart_upload(self._caller, request).upload_id

    def upload(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        number: int,
        body: bytes,
        *,
        checksum: Sum | None = None,
    ) -> Part:
        request = copies.UploadPartRequest(
            bucket=bucket,
            key=key,
            upload_id=upload_id,
            part_number=number,
            body=body,
            checksum=_sent(checksum),
        )
        with _refusing("upload_part"):
            answer = self._model.upload_part(self._caller, request)
        return Part(number=number, etag=answer.etag, checksum=_bare_sum(answer.checksum))

    def upload_copy(
        self,
        source: Source,
        bucket: str,
        key: str,
        upload_id: str,
        number: int,
        *,
        byte_range: str | None = None,
        owner: str | None = None,
    ) -> Part:
        request = copies.UploadPartCopyRequest(
            bucket=bucket,
            key=key,
            upload_id=upload_id,
            part_number=number,
            source=_source(source),
            range=byte_range,
            expected_bucket_owner=owner,
        )
        with _refusing("upload_part_copy"):
            answer = self._model.upload_part_copy(self._caller, request)
        return Part(number=number, etag=answer.etag, checksum=_bare_sum(answer.checksum))

    def complete(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        parts: Sequence[Part],
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
        checksum_type: str | None = None,
        size_bytes: int | None = None,
        owner: str | None = None,
    ) -> Written:
        named = tuple(
            multipart.CompletedPart(
                number=part.number, etag=part.etag, checksum=_sent(part.checksum)
            )
            for part in parts
        )
        request = multipart.CompleteMultipartUploadRequest(
            bucket=bucket,
            key=key,
            upload_id=upload_id,
            parts=named,
            conditions=WriteConditions(if_match=if_match, if_none_match=if_none_match),
            checksum_type=checksum_type,
            object_size_bytes=size_bytes,
            expected_bucket_owner=owner,
        )
        with _refusing("complete_multipart_upload"):
            return _written(self._model.complete_multipart_upload(self._caller, request))

    def abort(self, bucket: str, key: str, upload_id: str) -> None:
        request = multipart.AbortMultipartUploadRequest(bucket=bucket, key=key, upload_id=upload_id)
        with _refusing("abort_multipart_upload"):
            self._model.abort_multipart_upload(self._caller, request)

    def parts(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        *,
        max_parts: int | None = None,
        part_number_marker: int | None = None,
    ) -> tuple[Part, ...]:
        request = multipart.ListPartsRequest(
            bucket=bucket,
            key=key,
            upload_id=upload_id,
            max_parts=_PAGE_SIZE if max_parts is None else max_parts,
            part_number_marker=part_number_marker or 0,
        )
        with _refusing("list_parts"):
            answer = self._model.list_parts(self._caller, request)
        return tuple(
            Part(
                number=row.number,
                etag=row.etag,
                size_bytes=row.size_bytes,
                checksum=_bare_sum(row.checksum),
            )
            for row in answer.parts
        )

    def uploads(self, bucket: str) -> list[tuple[str, str]]:
        request = multipart.ListMultipartUploadsRequest(bucket=bucket)
        with _refusing("list_multipart_uploads"):
            answer = self._model.list_multipart_uploads(self._caller, request)
        return [(row.key, row.upload_id) for row in answer.uploads]


@contextmanager
def _refusing(operation: str) -> Iterator[None]:
    """Say a refusal in the case's words: without a code where HTTP has no body for it."""
    try:
        yield
    except S3Error as error:
        has_body = not operation.startswith("head_") and error.status != 304
        code = error.code if has_body else None
        raise Refused(operation, error.status, code, dict(error.headers)) from error


def _attributes(attributes: Attributes) -> WrittenAttributes:
    return WrittenAttributes(
        content=ContentHeaders(
            content_type=attributes.content_type or ContentHeaders().content_type,
            cache_control=attributes.cache_control,
            content_disposition=attributes.content_disposition,
            content_encoding=attributes.content_encoding,
            content_language=attributes.content_language,
            expires=attributes.expires,
        ),
        # Names of metadata are header names: HTTP knows no case in them.
        metadata=tuple((name.lower(), value) for name, value in attributes.metadata),
        tags=attributes.tags,
        storage_class=attributes.storage_class,
        encryption=RequestedEncryption(
            algorithm=attributes.encryption, kms_key_id=attributes.kms_key_id
        ),
        website_redirect_location=attributes.website_redirect_location,
    )


def _conditions(guard: Guard) -> ReadConditions:
    return ReadConditions(
        if_match=guard.if_match,
        if_none_match=guard.if_none_match,
        if_modified_since=guard.if_modified_since,
        if_unmodified_since=guard.if_unmodified_since,
    )


def _source(source: Source) -> copies.CopySource:
    return copies.CopySource(
        bucket=source.bucket,
        key=source.key,
        version_id=source.version_id,
        conditions=_conditions(source.guard),
        expected_bucket_owner=source.owner,
    )


def _sent(checksum: Sum | None) -> SentChecksum | None:
    return SentChecksum(algorithm=checksum.algorithm, value=checksum.value) if checksum else None


def _sum(checksum: Checksum | None) -> Sum | None:
    """As headers say it."""
    if checksum is None:
        return None
    return Sum(algorithm=checksum.algorithm, value=checksum.text, type=checksum.type)


def _bare_sum(checksum: Checksum | None, *, is_type_said: bool = False) -> Sum | None:
    """As parts and GetObjectAttributes say it: without `-N`."""
    if checksum is None:
        return None
    told = checksum.type if is_type_said else None
    return Sum(algorithm=checksum.algorithm, value=checksum.value, type=told)


def _written(
    answer: objects.PutObjectResult
    | copies.CopyObjectResult
    | multipart.CompleteMultipartUploadResult,
    *,
    source_version_id: str | None = None,
) -> Written:
    return Written(
        etag=answer.etag,
        version_id=answer.version_id,
        checksum=_sum(answer.checksum),
        source_version_id=source_version_id,
        encryption=answer.encryption.algorithm,
    )


def _head(told: objects.ObjectDescription) -> Head:
    return Head(
        status=told.status,
        etag=told.etag,
        size_bytes=told.size_bytes,
        version_id=told.version_id,
        last_modified=told.last_modified,
        attributes=Attributes(
            content_type=told.content.content_type,
            cache_control=told.content.cache_control,
            content_disposition=told.content.content_disposition,
            content_encoding=told.content.content_encoding,
            content_language=told.content.content_language,
            expires=told.content.expires,
            metadata=tuple(sorted(told.metadata)),
            storage_class=told.storage_class,
            encryption=told.encryption.algorithm,
            kms_key_id=told.encryption.kms_key_arn,
            website_redirect_location=told.website_redirect_location,
        ),
        checksum=_sum(told.checksum),
        tag_count=told.tag_count,
        parts_count=told.parts_count,
        content_range=told.content_range,
        replication_status=told.replication_status,
    )


@cache
def _put_replication() -> Any:
    return get_session().get_service_model("s3").operation_model("PutBucketReplication")


def _replication_xml(bucket: str, configuration: ReplicationConfiguration) -> str:
    """Write the configuration as an SDK sends it: the model reads XML with a parser of its own."""
    serializer: Any = create_serializer("rest-xml", include_validation=False)
    arguments = {"Bucket": bucket, "ReplicationConfiguration": configuration}
    body: bytes = serializer.serialize_to_request(arguments, _put_replication())["body"]
    return body.decode()
