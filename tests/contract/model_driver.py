"""The driver for the reference model in process: each call is one operation, no wire between.

It adds no behaviour: a call becomes the model's request, its answer the case's words.
"""

from collections.abc import Sequence

from backfill.sandbox.model.operations import copies, multipart, objects
from backfill.sandbox.model.values import (
    WriteConditions,
)
from tests.contract.model_protection import ModelProtection
from tests.contract.model_protection_words import key_of
from tests.contract.model_words import (
    PAGE_SIZE,
    attributes_of,
    bare_sum_of,
    conditions_of,
    head_of,
    refusing,
    sent_of,
    source_of,
    written_of,
)
from tests.contract.vocabulary import (
    PLAIN,
    UNGUARDED,
    Attributes,
    Deleted,
    Guard,
    Head,
    ObjectAttributes,
    Pairs,
    Part,
    Source,
    Sum,
    Written,
)

_ATTRIBUTES = ("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")


class ModelDriver(ModelProtection):
    """`Driver` on an `S3Model`."""

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
            attributes=attributes_of(attributes),
            content_md5=content_md5,
            checksum=sent_of(checksum),
            conditions=WriteConditions(if_match=if_match, if_none_match=if_none_match),
            expected_bucket_owner=owner,
        )
        with refusing("put_object"):
            answer = self.model.put_object(self.caller, request)
        return written_of(answer)

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
        customer_key: bytes | None = None,
    ) -> tuple[Head, bytes]:
        request = objects.ReadObjectRequest(
            bucket=bucket,
            key=key,
            version_id=version_id,
            range=byte_range,
            part_number=part_number,
            is_checksum_mode_enabled=True,
            conditions=conditions_of(guard),
            customer_key=key_of(customer_key),
            expected_bucket_owner=owner,
        )
        with refusing("get_object"):
            answer = self.model.get_object(self.caller, request)
        return head_of(answer.description), answer.body

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
        customer_key: bytes | None = None,
    ) -> Head:
        request = objects.ReadObjectRequest(
            bucket=bucket,
            key=key,
            version_id=version_id,
            part_number=part_number,
            is_checksum_mode_enabled=is_checksum_asked,
            conditions=conditions_of(guard),
            customer_key=key_of(customer_key),
            expected_bucket_owner=owner,
        )
        with refusing("head_object"):
            return head_of(self.model.head_object(self.caller, request))

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
            source=source_of(source),
            metadata_directive=metadata_directive,
            tagging_directive=tagging_directive,
            attributes=attributes_of(attributes),
            checksum_algorithm=checksum_algorithm,
            conditions=WriteConditions(if_match=if_match, if_none_match=if_none_match),
            expected_bucket_owner=owner,
        )
        with refusing("copy_object"):
            answer = self.model.copy_object(self.caller, request)
        return written_of(answer, source_version_id=answer.source_version_id)

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
        with refusing("delete_object"):
            answer = self.model.delete_object(self.caller, request)
        return Deleted(version_id=answer.version_id, is_delete_marker=answer.is_delete_marker)

    def delete_many(
        self, bucket: str, entries: Sequence[tuple[str, str | None]]
    ) -> tuple[set[str], dict[str, str]]:
        asked = tuple(objects.DeleteEntry(key=key, version_id=version) for key, version in entries)
        request = objects.DeleteObjectsRequest(bucket=bucket, entries=asked)
        with refusing("delete_objects"):
            answer = self.model.delete_objects(self.caller, request)
        done = {entry.key for entry in answer.deleted}
        return done, {failure.key: failure.code for failure in answer.failures}

    # --- tags, attributes ---

    def tags(self, bucket: str, key: str, *, version_id: str | None = None) -> Pairs:
        request = objects.VersionRequest(bucket=bucket, key=key, version_id=version_id)
        with refusing("get_object_tagging"):
            return tuple(sorted(self.model.get_object_tagging(self.caller, request).tags))

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
        with refusing("put_object_tagging"):
            self.model.put_object_tagging(self.caller, request)

    def delete_tags(self, bucket: str, key: str, *, version_id: str | None = None) -> None:
        request = objects.VersionRequest(bucket=bucket, key=key, version_id=version_id)
        with refusing("delete_object_tagging"):
            self.model.delete_object_tagging(self.caller, request)

    def attributes(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        max_parts: int | None = None,
        part_number_marker: int | None = None,
        customer_key: bytes | None = None,
    ) -> ObjectAttributes:
        request = objects.GetObjectAttributesRequest(
            bucket=bucket,
            key=key,
            attributes=_ATTRIBUTES,
            version_id=version_id,
            max_parts=PAGE_SIZE if max_parts is None else max_parts,
            part_number_marker=part_number_marker or 0,
            customer_key=key_of(customer_key),
        )
        with refusing("get_object_attributes"):
            answer = self.model.get_object_attributes(self.caller, request)
        told = answer.parts
        parts = [
            Part(
                number=part.number,
                etag="",
                size_bytes=part.size_bytes,
                checksum=bare_sum_of(part.checksum),
            )
            for part in (told.parts or () if told else ())
        ]
        return ObjectAttributes(
            etag=answer.etag,
            checksum=bare_sum_of(answer.checksum, is_type_said=True),
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
            attributes=attributes_of(attributes),
            checksum_algorithm=checksum_algorithm,
            checksum_type=checksum_type,
            expected_bucket_owner=owner,
        )
        with refusing("create_multipart_upload"):
            return self.model.create_multipart_upload(self.caller, request).upload_id

    def upload(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        number: int,
        body: bytes,
        *,
        checksum: Sum | None = None,
        customer_key: bytes | None = None,
    ) -> Part:
        request = copies.UploadPartRequest(
            bucket=bucket,
            key=key,
            upload_id=upload_id,
            part_number=number,
            body=body,
            checksum=sent_of(checksum),
            customer_key=key_of(customer_key),
        )
        with refusing("upload_part"):
            answer = self.model.upload_part(self.caller, request)
        return Part(number=number, etag=answer.etag, checksum=bare_sum_of(answer.checksum))

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
        customer_key: bytes | None = None,
    ) -> Part:
        request = copies.UploadPartCopyRequest(
            bucket=bucket,
            key=key,
            upload_id=upload_id,
            part_number=number,
            source=source_of(source),
            range=byte_range,
            customer_key=key_of(customer_key),
            expected_bucket_owner=owner,
        )
        with refusing("upload_part_copy"):
            answer = self.model.upload_part_copy(self.caller, request)
        return Part(number=number, etag=answer.etag, checksum=bare_sum_of(answer.checksum))

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
                number=part.number, etag=part.etag, checksum=sent_of(part.checksum)
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
        with refusing("complete_multipart_upload"):
            return written_of(self.model.complete_multipart_upload(self.caller, request))

    def abort(self, bucket: str, key: str, upload_id: str) -> None:
        request = multipart.AbortMultipartUploadRequest(bucket=bucket, key=key, upload_id=upload_id)
        with refusing("abort_multipart_upload"):
            self.model.abort_multipart_upload(self.caller, request)

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
            max_parts=PAGE_SIZE if max_parts is None else max_parts,
            part_number_marker=part_number_marker or 0,
        )
        with refusing("list_parts"):
            answer = self.model.list_parts(self.caller, request)
        return tuple(
            Part(
                number=row.number,
                etag=row.etag,
                size_bytes=row.size_bytes,
                checksum=bare_sum_of(row.checksum),
            )
            for row in answer.parts
        )

    def uploads(self, bucket: str) -> list[tuple[str, str]]:
        request = multipart.ListMultipartUploadsRequest(bucket=bucket)
        with refusing("list_multipart_uploads"):
            answer = self.model.list_multipart_uploads(self.caller, request)
        return [(row.key, row.upload_id) for row in answer.uploads]
