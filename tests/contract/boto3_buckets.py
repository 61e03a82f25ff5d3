"""The calls themselves, and those on buckets: configurations and listings.

The SDK neither retries, nor validates, nor adds a checksum of its own: a case sees the server, not
botocore. The order of versions and delete markers is read from the raw answer, because botocore
parts the two.
"""

from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.contract.boto3_words import (
    entry_of,
    keep_order,
    prefixes_of,
    untyped,
)
from tests.contract.vocabulary import (
    Page,
    Refused,
    ReplicationConfiguration,
)

_CONFIG = Config(
    retries={"total_max_attempts": 1},
    s3={"addressing_style": "path"},
    parameter_validation=False,
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
    connect_timeout=10,
    read_timeout=30,
)


def _nothing_to_settle() -> None:
    """Servers without live replication."""


class Boto3Buckets:
    """The half of `Driver` that is about buckets, over HTTP."""

    def __init__(
        self,
        settings: Mapping[str, str],
        *,
        account_id: str,
        settle: Callable[[], None] = _nothing_to_settle,
    ) -> None:
        self.account_id = account_id
        self.settle = settle
        self._client: Any = boto3.client("s3", config=_CONFIG, **untyped(settings))
        self._region = settings["region_name"]
        self._client.meta.events.register("before-parse.s3.ListObjectVersions", keep_order)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def call(self, operation: str, **arguments: Any) -> Any:
        given = {name: value for name, value in arguments.items() if value is not None}
        try:
            return getattr(self._client, operation)(**given)
        except ClientError as error:
            said: Any = error.response
            meta = said["ResponseMetadata"]
            status = meta["HTTPStatusCode"]
            has_body = not operation.startswith("head_") and status != 304
            code = said["Error"]["Code"] if has_body else None
            raise Refused(operation, status, code, meta["HTTPHeaders"]) from error
        except BotoCoreError as error:  # no answer, or none that can be read
            raise Refused(operation, 0, type(error).__name__, {}) from error

    # --- buckets ---

    def make_bucket(self, bucket: str, *, versioning: str | None = None) -> None:
        place = {"LocationConstraint": self._region} if self._region != "us-east-1" else None
        self.call("create_bucket", Bucket=bucket, CreateBucketConfiguration=place)
        if versioning:
            self.set_versioning(bucket, versioning)

    def set_versioning(self, bucket: str, status: str) -> None:
        configuration = {"Status": status}
        self.call("put_bucket_versioning", Bucket=bucket, VersioningConfiguration=configuration)

    def versioning(self, bucket: str) -> str | None:
        status: str | None = self.call("get_bucket_versioning", Bucket=bucket).get("Status")
        return status

    def set_encryption(self, bucket: str, algorithm: str, kms_key_id: str | None) -> None:
        default = {"SSEAlgorithm": algorithm}
        if kms_key_id:
            default["KMSMasterKeyID"] = kms_key_id
        rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
        self.call("put_bucket_encryption", Bucket=bucket, ServerSideEncryptionConfiguration=rules)

    def set_policy(self, bucket: str, document: str) -> None:
        self.call("put_bucket_policy", Bucket=bucket, Policy=document)

    def set_replication(self, bucket: str, configuration: ReplicationConfiguration) -> None:
        self.call("put_bucket_replication", Bucket=bucket, ReplicationConfiguration=configuration)

    def has_replication(self, bucket: str) -> bool:
        return "Rules" in self.call("get_bucket_replication", Bucket=bucket).get(
            "ReplicationConfiguration", {}
        )

    def delete_replication(self, bucket: str) -> None:
        self.call("delete_bucket_replication", Bucket=bucket)

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
        answer = self.call(
            "list_object_versions",
            Bucket=bucket,
            Prefix=prefix,
            Delimiter=delimiter,
            KeyMarker=key_marker,
            VersionIdMarker=version_id_marker,
            MaxKeys=max_keys,
            ExpectedBucketOwner=owner,
        )
        rows = {
            (row["Key"], row["VersionId"]): entry_of(row, is_delete_marker=is_delete_marker)
            for name, is_delete_marker in (("Versions", False), ("DeleteMarkers", True))
            for row in answer.get(name, ())
        }
        order = answer["RawOrder"]
        assert set(order) == set(rows), "the raw answer and the parsed one hold the same"
        return Page(
            entries=tuple(rows[name] for name in order),
            common_prefixes=prefixes_of(answer),
            is_truncated=answer["IsTruncated"],
            next_marker=answer.get("NextKeyMarker") or None,
            next_version_id_marker=answer.get("NextVersionIdMarker") or None,
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
        answer = self.call(
            "list_objects_v2",
            Bucket=bucket,
            Prefix=prefix,
            Delimiter=delimiter,
            StartAfter=start_after,
            ContinuationToken=token,
            MaxKeys=max_keys,
            ExpectedBucketOwner=owner,
        )
        rows = answer.get("Contents", ())
        return Page(
            entries=tuple(entry_of(row, is_delete_marker=False) for row in rows),
            common_prefixes=prefixes_of(answer),
            is_truncated=answer["IsTruncated"],
            next_marker=answer.get("NextContinuationToken") or None,
        )
