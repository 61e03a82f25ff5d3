"""The model's operations on buckets: configurations and listings."""

from datetime import UTC, datetime

from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.model import S3Model
from backfill.sandbox.model.operations import buckets, listings
from backfill.sandbox.model.values import (
    RequestedEncryption,
)
from tests.contract.model_words import (
    PAGE_SIZE,
    refusing,
    replication_xml,
)
from tests.contract.vocabulary import (
    Entry,
    Page,
    ReplicationConfiguration,
)


class ModelBuckets:
    """The half of `Driver` that is about buckets, on an `S3Model`."""

    def __init__(self, model: S3Model, caller: Caller) -> None:
        self.account_id = caller.account_id
        self.model = model
        self.caller = caller

    # --- buckets ---

    def make_bucket(self, bucket: str, *, versioning: str | None = None) -> None:
        location = None if self.caller.region == "us-east-1" else self.caller.region
        request = buckets.CreateBucketRequest(bucket=bucket, location=location)
        with refusing("create_bucket"):
            self.model.create_bucket(self.caller, request)
        if versioning:
            self.set_versioning(bucket, versioning)

    def set_versioning(self, bucket: str, status: str) -> None:
        request = buckets.PutBucketVersioningRequest(bucket=bucket, status=status)
        with refusing("put_bucket_versioning"):
            self.model.put_bucket_versioning(self.caller, request)

    def versioning(self, bucket: str) -> str | None:
        with refusing("get_bucket_versioning"):
            answer = self.model.get_bucket_versioning(
                self.caller, buckets.BucketRequest(bucket=bucket)
            )
        return answer.status

    def set_encryption(self, bucket: str, algorithm: str, kms_key_id: str | None) -> None:
        encryption = RequestedEncryption(algorithm=algorithm, kms_key_id=kms_key_id)
        request = buckets.PutBucketEncryptionRequest(bucket=bucket, encryption=encryption)
        with refusing("put_bucket_encryption"):
            self.model.put_bucket_encryption(self.caller, request)

    def set_policy(self, bucket: str, document: str) -> None:
        request = buckets.PutBucketPolicyRequest(bucket=bucket, document=document)
        with refusing("put_bucket_policy"):
            self.model.put_bucket_policy(self.caller, request)

    def set_replication(self, bucket: str, configuration: ReplicationConfiguration) -> None:
        request = buckets.PutBucketReplicationRequest(
            bucket=bucket, document=replication_xml(bucket, configuration)
        )
        with refusing("put_bucket_replication"):
            self.model.put_bucket_replication(self.caller, request)

    def has_replication(self, bucket: str) -> bool:
        with refusing("get_bucket_replication"):
            answer = self.model.get_bucket_replication(
                self.caller, buckets.BucketRequest(bucket=bucket)
            )
        return "<Rule>" in answer.document

    def delete_replication(self, bucket: str) -> None:
        with refusing("delete_bucket_replication"):
            self.model.delete_bucket_replication(self.caller, buckets.BucketRequest(bucket=bucket))

    def settle(self) -> None:
        self.model.replication.advance(datetime.max.replace(tzinfo=UTC))

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
            max_keys=PAGE_SIZE if max_keys is None else max_keys,
            expected_bucket_owner=owner,
        )
        with refusing("list_object_versions"):
            answer = self.model.list_object_versions(self.caller, request)
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
            max_keys=PAGE_SIZE if max_keys is None else max_keys,
            expected_bucket_owner=owner,
        )
        with refusing("list_objects_v2"):
            answer = self.model.list_objects_v2(self.caller, request)
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
