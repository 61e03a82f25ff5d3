"""`S3Model`: one method per S3 operation.

The table of contents of the model: each method hands its request to the module of its subject.
It holds no behaviour of its own and never reads a clock: time and chance are given.
Law: an operation either takes effect as a whole or raises `S3Error` and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from random import Random

from backfill.sandbox.model import (
    access_lists,
    attributes,
    configuration,
    copying,
    deleting,
    listing,
    locking,
    multipart,
    parts,
    reading,
    restoring,
    tagging,
    writing,
)
from backfill.sandbox.model.batch_operations.engine import BatchOperations
from backfill.sandbox.model.batch_operations.settings import NO_DELAY, BatchSettings
from backfill.sandbox.model.identities import Authorize, Caller, allow_everything
from backfill.sandbox.model.limits import AWS_LIMITS, Limits
from backfill.sandbox.model.operations.buckets import (
    BucketRequest,
    CreateBucketRequest,
    DocumentResult,
    GetBucketEncryptionResult,
    GetBucketOwnershipControlsResult,
    GetBucketVersioningResult,
    GetObjectLockConfigurationResult,
    HeadBucketResult,
    ListBucketsResult,
    PutBucketEncryptionRequest,
    PutBucketOwnershipControlsRequest,
    PutBucketPolicyRequest,
    PutBucketReplicationRequest,
    PutBucketVersioningRequest,
    PutObjectLockConfigurationRequest,
)
from backfill.sandbox.model.operations.copies import (
    CopyObjectRequest,
    CopyObjectResult,
    PartResult,
    UploadPartCopyRequest,
    UploadPartRequest,
)
from backfill.sandbox.model.operations.listings import (
    ListObjectsRequest,
    ListObjectsResult,
    ListObjectsV2Request,
    ListObjectVersionsRequest,
    ListObjectVersionsResult,
)
from backfill.sandbox.model.operations.multipart import (
    AbortMultipartUploadRequest,
    CompleteMultipartUploadRequest,
    CompleteMultipartUploadResult,
    CreateMultipartUploadRequest,
    CreateMultipartUploadResult,
    ListMultipartUploadsRequest,
    ListMultipartUploadsResult,
    ListPartsRequest,
    ListPartsResult,
)
from backfill.sandbox.model.operations.objects import (
    DeleteObjectRequest,
    DeleteObjectResult,
    DeleteObjectsRequest,
    DeleteObjectsResult,
    GetObjectAclResult,
    GetObjectAttributesRequest,
    GetObjectAttributesResult,
    GetObjectResult,
    ObjectDescription,
    PutObjectAclRequest,
    PutObjectLockRequest,
    PutObjectRequest,
    PutObjectResult,
    PutObjectTaggingRequest,
    ReadObjectRequest,
    RestoreObjectRequest,
    RestoreObjectResult,
    TaggingResult,
    VersionRequest,
)
from backfill.sandbox.model.replication.engine import ReplicationEngine
from backfill.sandbox.model.replication.settings import NO_LAG, ReplicationSettings
from backfill.sandbox.model.values import ObjectLock
from backfill.sandbox.model.world import World


class S3Model:
    """All of S3, every account and Region, in one object.

    `now` is asked for the time of each write (aware, UTC); `random` gives version IDs, upload IDs
    and opaque ETags, so a seed repeats a history exactly. `authorize` may be set later, since a
    policy engine may need the model to read policies from.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        random: Random,
        limits: Limits = AWS_LIMITS,
        authorize: Authorize = allow_everything,
        replication: ReplicationSettings = NO_LAG,
        batch_operations: BatchSettings = NO_DELAY,
    ) -> None:
        self._world = World(clock=now, random=random, limits=limits, authorize=authorize)
        self.replication = ReplicationEngine(self._world, replication)
        self.batch_operations = BatchOperations(self._world, self.replication, batch_operations)
        self._world.on_version_written = self.replication.version_written
        self._world.on_attributes_changed = self.replication.attributes_changed

    @property
    def world(self) -> World:
        """What is stored; for `raw_edits`, checkers and policy engines, not for clients."""
        return self._world

    def set_authorize(self, authorize: Authorize) -> None:
        """Put another authorization in place from now on."""
        self._world.authorize = authorize

    def bucket_region(self, bucket: str) -> str | None:
        """The Region of a bucket of any account; None without such a bucket.

        The HTTP layer answers requests at a wrong Region's endpoint from this (301).
        """
        found = self._world.buckets.get(bucket)
        return found.region if found else None

    def bucket_owner(self, bucket: str) -> str | None:
        """The account ID that owns a bucket; None without such a bucket."""
        found = self._world.buckets.get(bucket)
        return found.owner_id if found else None

    def bucket_policy(self, bucket: str) -> str | None:
        """The bucket policy's text, for the authorization hook; None without one."""
        found = self._world.buckets.get(bucket)
        return found.policy if found else None

    def list_buckets(self, caller: Caller) -> ListBucketsResult:
        """List the caller's buckets."""
        return configuration.list_buckets(self._world, caller)

    def create_bucket(self, caller: Caller, request: CreateBucketRequest) -> None:
        """Make a bucket; names are unique among all accounts (UG: bucketnamingrules)."""
        configuration.create_bucket(self._world, caller, request)

    def head_bucket(self, caller: Caller, request: BucketRequest) -> HeadBucketResult:
        """Say whether the bucket is there and may be listed, and its Region."""
        return configuration.head_bucket(self._world, caller, request)

    def get_bucket_location(self, caller: Caller, request: BucketRequest) -> HeadBucketResult:
        """Say the bucket's Region (API: GetBucketLocation)."""
        return configuration.get_bucket_location(self._world, caller, request)

    def put_bucket_versioning(self, caller: Caller, request: PutBucketVersioningRequest) -> None:
        """Enable or suspend versioning; never back to none (UG: Versioning)."""
        configuration.put_bucket_versioning(self._world, caller, request)

    def get_bucket_versioning(
        self, caller: Caller, request: BucketRequest
    ) -> GetBucketVersioningResult:
        """Say the versioning of the bucket."""
        return configuration.get_bucket_versioning(self._world, caller, request)

    def put_bucket_replication(self, caller: Caller, request: PutBucketReplicationRequest) -> None:
        """Replace the replication configuration, validated as S3 does it at once."""
        configuration.put_bucket_replication(self._world, caller, request)

    def get_bucket_replication(self, caller: Caller, request: BucketRequest) -> DocumentResult:
        """Hand back the replication configuration as it was put."""
        return configuration.get_bucket_replication(self._world, caller, request)

    def delete_bucket_replication(self, caller: Caller, request: BucketRequest) -> None:
        """Drop the replication configuration; there may be none."""
        configuration.delete_bucket_replication(self._world, caller, request)

    def put_bucket_policy(self, caller: Caller, request: PutBucketPolicyRequest) -> None:
        """Keep the policy's text; the authorization hook evaluates it."""
        configuration.put_bucket_policy(self._world, caller, request)

    def get_bucket_policy(self, caller: Caller, request: BucketRequest) -> DocumentResult:
        """Hand back the policy's text."""
        return configuration.get_bucket_policy(self._world, caller, request)

    def delete_bucket_policy(self, caller: Caller, request: BucketRequest) -> None:
        """Drop the policy; there may be none."""
        configuration.delete_bucket_policy(self._world, caller, request)

    def put_bucket_encryption(self, caller: Caller, request: PutBucketEncryptionRequest) -> None:
        """Set the default encryption of new objects."""
        configuration.put_bucket_encryption(self._world, caller, request)

    def get_bucket_encryption(
        self, caller: Caller, request: BucketRequest
    ) -> GetBucketEncryptionResult:
        """Say the default encryption: every bucket has one."""
        return configuration.get_bucket_encryption(self._world, caller, request)

    def put_bucket_ownership_controls(
        self, caller: Caller, request: PutBucketOwnershipControlsRequest
    ) -> None:
        """Set Object Ownership."""
        configuration.put_bucket_ownership_controls(self._world, caller, request)

    def get_bucket_ownership_controls(
        self, caller: Caller, request: BucketRequest
    ) -> GetBucketOwnershipControlsResult:
        """Say Object Ownership."""
        return configuration.get_bucket_ownership_controls(self._world, caller, request)

    def put_object_lock_configuration(
        self, caller: Caller, request: PutObjectLockConfigurationRequest
    ) -> None:
        """Switch Object Lock on, perhaps with a default retention."""
        configuration.put_object_lock_configuration(self._world, caller, request)

    def get_object_lock_configuration(
        self, caller: Caller, request: BucketRequest
    ) -> GetObjectLockConfigurationResult:
        """Say the bucket's Object Lock."""
        return configuration.get_object_lock_configuration(self._world, caller, request)

    def put_object(self, caller: Caller, request: PutObjectRequest) -> PutObjectResult:
        """Store a body as the new current version."""
        return writing.put_object(self._world, caller, request)

    def copy_object(self, caller: Caller, request: CopyObjectRequest) -> CopyObjectResult:
        """Copy a version's bytes as a new current version; they are shared, not doubled."""
        return copying.copy_object(self._world, caller, request)

    def get_object(self, caller: Caller, request: ReadObjectRequest) -> GetObjectResult:
        """Read a version, a range or a part of it."""
        return reading.get_object(self._world, caller, request)

    def head_object(self, caller: Caller, request: ReadObjectRequest) -> ObjectDescription:
        """Describe a version without its bytes."""
        return reading.head_object(self._world, caller, request)

    def get_object_attributes(
        self, caller: Caller, request: GetObjectAttributesRequest
    ) -> GetObjectAttributesResult:
        """Say the attributes asked for."""
        return attributes.get_object_attributes(self._world, caller, request)

    def delete_object(self, caller: Caller, request: DeleteObjectRequest) -> DeleteObjectResult:
        """Hide a key behind a delete marker, or remove one version for good."""
        return deleting.delete_object(self._world, caller, request)

    def delete_objects(self, caller: Caller, request: DeleteObjectsRequest) -> DeleteObjectsResult:
        """Delete up to 1,000 entries, each with its own outcome."""
        return deleting.delete_objects(self._world, caller, request)

    def get_object_tagging(self, caller: Caller, request: VersionRequest) -> TaggingResult:
        """Say a version's tags."""
        return tagging.get_object_tagging(self._world, caller, request)

    def put_object_tagging(self, caller: Caller, request: PutObjectTaggingRequest) -> TaggingResult:
        """Replace a version's tags."""
        return tagging.put_object_tagging(self._world, caller, request)

    def delete_object_tagging(self, caller: Caller, request: VersionRequest) -> TaggingResult:
        """Remove a version's tags."""
        return tagging.delete_object_tagging(self._world, caller, request)

    def get_object_acl(self, caller: Caller, request: VersionRequest) -> GetObjectAclResult:
        """Say a version's owner and canned ACL."""
        return access_lists.get_object_acl(self._world, caller, request)

    def put_object_acl(self, caller: Caller, request: PutObjectAclRequest) -> None:
        """Set a canned ACL, where Object Ownership allows ACLs."""
        access_lists.put_object_acl(self._world, caller, request)

    def get_object_retention(self, caller: Caller, request: VersionRequest) -> ObjectLock:
        """Say until when a version is retained."""
        return locking.get_object_retention(self._world, caller, request)

    def get_object_legal_hold(self, caller: Caller, request: VersionRequest) -> ObjectLock:
        """Say whether a version is under legal hold."""
        return locking.get_object_legal_hold(self._world, caller, request)

    def put_object_lock(self, caller: Caller, request: PutObjectLockRequest) -> None:
        """Carry out PutObjectRetention and PutObjectLegalHold."""
        locking.put_object_lock(self._world, caller, request)

    def restore_object(self, caller: Caller, request: RestoreObjectRequest) -> RestoreObjectResult:
        """Bring back an archived version, or give its restored copy more days."""
        return restoring.restore_object(self._world, caller, request)

    def list_object_versions(
        self, caller: Caller, request: ListObjectVersionsRequest
    ) -> ListObjectVersionsResult:
        """List versions and delete markers in their true order."""
        return listing.list_object_versions(self._world, caller, request)

    def list_objects_v2(self, caller: Caller, request: ListObjectsV2Request) -> ListObjectsResult:
        """List current versions."""
        return listing.list_objects_v2(self._world, caller, request)

    def list_objects(self, caller: Caller, request: ListObjectsRequest) -> ListObjectsResult:
        """List current versions, in the old way."""
        return listing.list_objects(self._world, caller, request)

    def create_multipart_upload(
        self, caller: Caller, request: CreateMultipartUploadRequest
    ) -> CreateMultipartUploadResult:
        """Begin an upload; all attributes of the object are said here."""
        return multipart.create_multipart_upload(self._world, caller, request)

    def upload_part(self, caller: Caller, request: UploadPartRequest) -> PartResult:
        """Store a part; the same number again replaces it."""
        return parts.upload_part(self._world, caller, request)

    def upload_part_copy(self, caller: Caller, request: UploadPartCopyRequest) -> PartResult:
        """Store a part out of a version that is in S3 already."""
        return parts.upload_part_copy(self._world, caller, request)

    def complete_multipart_upload(
        self, caller: Caller, request: CompleteMultipartUploadRequest
    ) -> CompleteMultipartUploadResult:
        """Make the parts the new current version."""
        return multipart.complete_multipart_upload(self._world, caller, request)

    def abort_multipart_upload(self, caller: Caller, request: AbortMultipartUploadRequest) -> None:
        """Drop an upload and its parts."""
        multipart.abort_multipart_upload(self._world, caller, request)

    def list_parts(self, caller: Caller, request: ListPartsRequest) -> ListPartsResult:
        """List the parts of an upload."""
        return parts.list_parts(self._world, caller, request)

    def list_multipart_uploads(
        self, caller: Caller, request: ListMultipartUploadsRequest
    ) -> ListMultipartUploadsResult:
        """List uploads that were neither completed nor aborted."""
        return parts.list_multipart_uploads(self._world, caller, request)
