"""The driver for any server that boto3 reaches: each call is one request, unchecked by the SDK."""

from collections.abc import Sequence

from tests.contract.boto3_protection import Boto3Protection
from tests.contract.boto3_protection_words import key_arguments
from tests.contract.boto3_words import (
    attribute_arguments,
    bare,
    guard_arguments,
    head_of,
    source_arguments,
    sum_argument,
    sum_of,
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


class Boto3Driver(Boto3Protection):
    """`Driver` over HTTP."""

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
        answer = self.call(
            "put_object",
            Bucket=bucket,
            Key=key,
            Body=body,
            IfMatch=if_match,
            IfNoneMatch=if_none_match,
            ContentMD5=content_md5,
            ExpectedBucketOwner=owner,
            **sum_argument(checksum),
            **attribute_arguments(attributes),
        )
        return written_of(answer, answer)

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
        answer = self.call(
            "get_object",
            Bucket=bucket,
            Key=key,
            VersionId=version_id,
            Range=byte_range,
            PartNumber=part_number,
            ChecksumMode="ENABLED",
            ExpectedBucketOwner=owner,
            **guard_arguments(guard, prefix=""),
            **key_arguments(customer_key),
        )
        with answer["Body"] as body:
            return head_of(answer), body.read()

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
        answer = self.call(
            "head_object",
            Bucket=bucket,
            Key=key,
            VersionId=version_id,
            PartNumber=part_number,
            ChecksumMode="ENABLED" if is_checksum_asked else None,
            ExpectedBucketOwner=owner,
            **guard_arguments(guard, prefix=""),
            **key_arguments(customer_key),
        )
        return head_of(answer)

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
        answer = self.call(
            "copy_object",
            Bucket=bucket,
            Key=key,
            MetadataDirective=metadata_directive,
            TaggingDirective=tagging_directive,
            ChecksumAlgorithm=checksum_algorithm,
            IfMatch=if_match,
            IfNoneMatch=if_none_match,
            ExpectedBucketOwner=owner,
            **source_arguments(source),
            **attribute_arguments(attributes),
        )
        return written_of(answer, answer["CopyObjectResult"])

    def delete(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        if_match: str | None = None,
        owner: str | None = None,
    ) -> Deleted:
        answer = self.call(
            "delete_object",
            Bucket=bucket,
            Key=key,
            VersionId=version_id,
            IfMatch=if_match,
            ExpectedBucketOwner=owner,
        )
        return Deleted(
            version_id=answer.get("VersionId"), is_delete_marker=answer.get("DeleteMarker", False)
        )

    def delete_many(
        self, bucket: str, entries: Sequence[tuple[str, str | None]]
    ) -> tuple[set[str], dict[str, str]]:
        objects = [
            {"Key": key, "VersionId": version_id} if version_id else {"Key": key}
            for key, version_id in entries
        ]
        answer = self.call("delete_objects", Bucket=bucket, Delete={"Objects": objects})
        done = {entry["Key"] for entry in answer.get("Deleted", ())}
        return done, {entry["Key"]: entry["Code"] for entry in answer.get("Errors", ())}

    # --- tags, attributes ---

    def tags(self, bucket: str, key: str, *, version_id: str | None = None) -> Pairs:
        answer = self.call("get_object_tagging", Bucket=bucket, Key=key, VersionId=version_id)
        return tuple(sorted((tag["Key"], tag["Value"]) for tag in answer["TagSet"]))

    def put_tags(
        self,
        bucket: str,
        key: str,
        tags: Pairs,
        *,
        version_id: str | None = None,
        owner: str | None = None,
    ) -> None:
        self.call(
            "put_object_tagging",
            Bucket=bucket,
            Key=key,
            VersionId=version_id,
            Tagging={"TagSet": [{"Key": name, "Value": value} for name, value in tags]},
            ExpectedBucketOwner=owner,
        )

    def delete_tags(self, bucket: str, key: str, *, version_id: str | None = None) -> None:
        self.call("delete_object_tagging", Bucket=bucket, Key=key, VersionId=version_id)

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
        answer = self.call(
            "get_object_attributes",
            Bucket=bucket,
            Key=key,
            VersionId=version_id,
            MaxParts=max_parts,
            PartNumberMarker=part_number_marker,
            ObjectAttributes=["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"],
            **key_arguments(customer_key),
        )
        told = answer.get("ObjectParts") or {}
        parts = [
            Part(number=row["PartNumber"], etag="", size_bytes=row["Size"], checksum=sum_of(row))
            for row in told.get("Parts", ())
        ]
        return ObjectAttributes(
            etag=answer.get("ETag"),
            checksum=sum_of(answer.get("Checksum", {})),
            size_bytes=answer.get("ObjectSize"),
            storage_class=answer.get("StorageClass"),
            parts_count=told.get("TotalPartsCount"),
            parts=tuple(parts) or None,
            next_part_number_marker=told.get("NextPartNumberMarker"),
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
        answer = self.call(
            "create_multipart_upload",
            Bucket=bucket,
            Key=key,
            ChecksumAlgorithm=checksum_algorithm,
            ChecksumType=checksum_type,
            ExpectedBucketOwner=owner,
            **attribute_arguments(attributes),
        )
        upload_id: str = answer["UploadId"]
        return upload_id

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
        answer = self.call(
            "upload_part",
            Bucket=bucket,
            Key=key,
            UploadId=upload_id,
            PartNumber=number,
            Body=body,
            **sum_argument(checksum),
            **key_arguments(customer_key),
        )
        return Part(number=number, etag=bare(answer["ETag"]), checksum=sum_of(answer))

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
        answer = self.call(
            "upload_part_copy",
            Bucket=bucket,
            Key=key,
            UploadId=upload_id,
            PartNumber=number,
            CopySourceRange=byte_range,
            ExpectedBucketOwner=owner,
            **key_arguments(customer_key),
            **source_arguments(source),
        )
        made = answer["CopyPartResult"]
        return Part(number=number, etag=bare(made["ETag"]), checksum=sum_of(made))

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
        named = [
            {"PartNumber": part.number, "ETag": f'"{part.etag}"', **sum_argument(part.checksum)}
            for part in parts
        ]
        answer = self.call(
            "complete_multipart_upload",
            Bucket=bucket,
            Key=key,
            UploadId=upload_id,
            MultipartUpload={"Parts": named},
            IfMatch=if_match,
            IfNoneMatch=if_none_match,
            ChecksumType=checksum_type,
            MpuObjectSize=size_bytes,
            ExpectedBucketOwner=owner,
        )
        return written_of(answer, answer)

    def abort(self, bucket: str, key: str, upload_id: str) -> None:
        self.call("abort_multipart_upload", Bucket=bucket, Key=key, UploadId=upload_id)

    def parts(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        *,
        max_parts: int | None = None,
        part_number_marker: int | None = None,
    ) -> tuple[Part, ...]:
        answer = self.call(
            "list_parts",
            Bucket=bucket,
            Key=key,
            UploadId=upload_id,
            MaxParts=max_parts,
            PartNumberMarker=part_number_marker,
        )
        return tuple(
            Part(
                number=row["PartNumber"],
                etag=bare(row["ETag"]),
                size_bytes=row["Size"],
                checksum=sum_of(row),
            )
            for row in answer.get("Parts", ())
        )

    def uploads(self, bucket: str) -> list[tuple[str, str]]:
        answer = self.call("list_multipart_uploads", Bucket=bucket)
        return [(row["Key"], row["UploadId"]) for row in answer.get("Uploads", ())]
