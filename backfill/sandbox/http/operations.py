"""Every operation that is carried: how its request is read, who carries it out, how it is answered.

Never holds behaviour. One law: what `routing.py` and `control.py` can name is here, and nothing
else (a test compares them).
"""

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from backfill.sandbox.http import (
    reading_buckets,
    reading_jobs,
    reading_objects,
    reading_uploads,
    rendering_buckets,
    rendering_jobs,
    rendering_objects,
    rendering_uploads,
)
from backfill.sandbox.http.document_operations import DOCUMENT_OPERATIONS
from backfill.sandbox.http.inbound import Inbound
from backfill.sandbox.http.messages import HttpResponse
from backfill.sandbox.model.batch_operations.engine import BatchOperations
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.model import S3Model

CarryOut: TypeAlias = Callable[[S3Model, Caller, Inbound], HttpResponse]
Q = TypeVar("Q")
R = TypeVar("R")


def _operation(
    read: Callable[[Inbound], Q],
    carry_out: Callable[[S3Model, Caller, Q], R],
    render: Callable[[R, Inbound], HttpResponse],
) -> CarryOut:
    def operation(model: S3Model, caller: Caller, inbound: Inbound) -> HttpResponse:
        return render(carry_out(model, caller, read(inbound)), inbound)

    return operation


def _job_operation(
    read: Callable[[Inbound], Q],
    carry_out: Callable[[BatchOperations, Caller, Q], R],
    render: Callable[[R, Inbound], HttpResponse],
) -> CarryOut:
    def operation(model: S3Model, caller: Caller, inbound: Inbound) -> HttpResponse:
        return render(carry_out(model.batch_operations, caller, read(inbound)), inbound)

    return operation


def _list_buckets(model: S3Model, caller: Caller, inbound: Inbound) -> HttpResponse:
    return rendering_buckets.list_buckets(model.list_buckets(caller), inbound)


_BUCKETS: dict[str, CarryOut] = {
    "ListBuckets": _list_buckets,
    "CreateBucket": _operation(
        reading_buckets.create_bucket, S3Model.create_bucket, rendering_buckets.created_bucket
    ),
    "HeadBucket": _operation(
        reading_buckets.bucket, S3Model.head_bucket, rendering_buckets.head_bucket
    ),
    "GetBucketLocation": _operation(
        reading_buckets.bucket, S3Model.get_bucket_location, rendering_buckets.location
    ),
    "PutBucketVersioning": _operation(
        reading_buckets.put_versioning, S3Model.put_bucket_versioning, rendering_objects.nothing
    ),
    "GetBucketVersioning": _operation(
        reading_buckets.bucket, S3Model.get_bucket_versioning, rendering_buckets.versioning
    ),
    "PutBucketReplication": _operation(
        reading_buckets.put_replication, S3Model.put_bucket_replication, rendering_objects.nothing
    ),
    "GetBucketReplication": _operation(
        reading_buckets.bucket, S3Model.get_bucket_replication, rendering_buckets.xml_document
    ),
    "DeleteBucketReplication": _operation(
        reading_buckets.bucket, S3Model.delete_bucket_replication, rendering_objects.no_content
    ),
    "PutBucketPolicy": _operation(
        reading_buckets.put_policy, S3Model.put_bucket_policy, rendering_objects.no_content
    ),
    "GetBucketPolicy": _operation(
        reading_buckets.bucket, S3Model.get_bucket_policy, rendering_buckets.json_document
    ),
    "DeleteBucketPolicy": _operation(
        reading_buckets.bucket, S3Model.delete_bucket_policy, rendering_objects.no_content
    ),
    "PutBucketEncryption": _operation(
        reading_buckets.put_encryption, S3Model.put_bucket_encryption, rendering_objects.nothing
    ),
    "GetBucketEncryption": _operation(
        reading_buckets.bucket, S3Model.get_bucket_encryption, rendering_buckets.encryption
    ),
    "PutBucketOwnershipControls": _operation(
        reading_buckets.put_ownership,
        S3Model.put_bucket_ownership_controls,
        rendering_objects.nothing,
    ),
    "GetBucketOwnershipControls": _operation(
        reading_buckets.bucket, S3Model.get_bucket_ownership_controls, rendering_buckets.ownership
    ),
    "PutObjectLockConfiguration": _operation(
        reading_buckets.put_lock_configuration,
        S3Model.put_object_lock_configuration,
        rendering_objects.nothing,
    ),
    "GetObjectLockConfiguration": _operation(
        reading_buckets.bucket,
        S3Model.get_object_lock_configuration,
        rendering_buckets.lock_configuration,
    ),
    "ListObjectVersions": _operation(
        reading_buckets.list_versions, S3Model.list_object_versions, rendering_buckets.list_versions
    ),
    "ListObjectsV2": _operation(
        reading_buckets.list_objects_v2, S3Model.list_objects_v2, rendering_buckets.list_objects_v2
    ),
    "ListObjects": _operation(
        reading_buckets.list_objects, S3Model.list_objects, rendering_buckets.list_objects
    ),
    "ListMultipartUploads": _operation(
        reading_buckets.list_uploads, S3Model.list_multipart_uploads, rendering_buckets.list_uploads
    ),
}

_OBJECTS: dict[str, CarryOut] = {
    "PutObject": _operation(
        reading_objects.put_object, S3Model.put_object, rendering_objects.put_object
    ),
    "CopyObject": _operation(
        reading_objects.copy_object, S3Model.copy_object, rendering_objects.copy_object
    ),
    "GetObject": _operation(
        reading_objects.read_object, S3Model.get_object, rendering_objects.get_object
    ),
    "HeadObject": _operation(
        reading_objects.read_object, S3Model.head_object, rendering_objects.head_object
    ),
    "GetObjectAttributes": _operation(
        reading_objects.object_attributes,
        S3Model.get_object_attributes,
        rendering_objects.attributes,
    ),
    "DeleteObject": _operation(
        reading_objects.delete_object, S3Model.delete_object, rendering_objects.delete_object
    ),
    "DeleteObjects": _operation(
        reading_objects.delete_objects, S3Model.delete_objects, rendering_objects.delete_objects
    ),
    "GetObjectTagging": _operation(
        reading_objects.version, S3Model.get_object_tagging, rendering_objects.get_tagging
    ),
    "PutObjectTagging": _operation(
        reading_objects.put_object_tagging,
        S3Model.put_object_tagging,
        rendering_objects.put_tagging,
    ),
    "DeleteObjectTagging": _operation(
        reading_objects.version, S3Model.delete_object_tagging, rendering_objects.delete_tagging
    ),
    "GetObjectAcl": _operation(
        reading_objects.version, S3Model.get_object_acl, rendering_objects.get_acl
    ),
    "PutObjectAcl": _operation(
        reading_objects.put_object_acl, S3Model.put_object_acl, rendering_objects.nothing
    ),
    "GetObjectRetention": _operation(
        reading_objects.version, S3Model.get_object_retention, rendering_objects.get_retention
    ),
    "PutObjectRetention": _operation(
        reading_objects.put_retention, S3Model.put_object_lock, rendering_objects.nothing
    ),
    "GetObjectLegalHold": _operation(
        reading_objects.version, S3Model.get_object_legal_hold, rendering_objects.get_legal_hold
    ),
    "PutObjectLegalHold": _operation(
        reading_objects.put_legal_hold, S3Model.put_object_lock, rendering_objects.nothing
    ),
    "RestoreObject": _operation(
        reading_objects.restore_object, S3Model.restore_object, rendering_objects.restore
    ),
}

_UPLOADS: dict[str, CarryOut] = {
    "CreateMultipartUpload": _operation(
        reading_uploads.create_upload,
        S3Model.create_multipart_upload,
        rendering_uploads.create_upload,
    ),
    "UploadPart": _operation(
        reading_uploads.upload_part, S3Model.upload_part, rendering_uploads.upload_part
    ),
    "UploadPartCopy": _operation(
        reading_uploads.upload_part_copy,
        S3Model.upload_part_copy,
        rendering_uploads.upload_part_copy,
    ),
    "CompleteMultipartUpload": _operation(
        reading_uploads.complete_upload,
        S3Model.complete_multipart_upload,
        rendering_uploads.complete_upload,
    ),
    "AbortMultipartUpload": _operation(
        reading_uploads.abort_upload, S3Model.abort_multipart_upload, rendering_objects.no_content
    ),
    "ListParts": _operation(
        reading_uploads.list_parts, S3Model.list_parts, rendering_uploads.list_parts
    ),
}

OPERATIONS: dict[str, CarryOut] = _BUCKETS | DOCUMENT_OPERATIONS | _OBJECTS | _UPLOADS

JOB_OPERATIONS: dict[str, CarryOut] = {
    "CreateJob": _job_operation(
        reading_jobs.create_job, BatchOperations.create_job, rendering_jobs.created_job
    ),
    "ListJobs": _job_operation(
        reading_jobs.list_jobs, BatchOperations.list_jobs, rendering_jobs.listed_jobs
    ),
    "DescribeJob": _job_operation(
        reading_jobs.job, BatchOperations.describe_job, rendering_jobs.described_job
    ),
    "UpdateJobStatus": _job_operation(
        reading_jobs.update_status, BatchOperations.update_job_status, rendering_jobs.updated_status
    ),
    "UpdateJobPriority": _job_operation(
        reading_jobs.update_priority,
        BatchOperations.update_job_priority,
        rendering_jobs.updated_priority,
    ),
    "GetJobTagging": _job_operation(
        reading_jobs.job, BatchOperations.get_job_tagging, rendering_jobs.tagging
    ),
    "PutJobTagging": _job_operation(
        reading_jobs.put_tagging, BatchOperations.put_job_tagging, rendering_objects.nothing
    ),
    "DeleteJobTagging": _job_operation(
        reading_jobs.job, BatchOperations.delete_job_tagging, rendering_objects.nothing
    ),
}
