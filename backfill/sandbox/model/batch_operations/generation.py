"""Generated manifests: the versions in a bucket that a filter lets through.

For Replicate every version and delete marker is looked at, for Compute checksum the current
versions. Read as the job's role, written (if it is to be kept) in the inventory format.
Law: with EligibleForReplication only what some enabled rule replicates is in the manifest
(API: JobManifestGeneratorFilter).
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from urllib.parse import quote

from backfill.sandbox.model.access import require
from backfill.sandbox.model.batch_operations import failures
from backfill.sandbox.model.batch_operations.generator_validation import OUTPUT_FORMAT
from backfill.sandbox.model.batch_operations.job import Job
from backfill.sandbox.model.batch_operations.tasks import Task
from backfill.sandbox.model.batch_operations.validation import bucket_named
from backfill.sandbox.model.bodies import Body
from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.operations.jobs import (
    REPLICATE,
    JobManifestGeneratorFilter,
    JobManifestLocation,
    KeyNameConstraint,
    ObjectEncryptionFilter,
    S3GeneratedManifestDescriptor,
    S3ManifestOutputLocation,
)
from backfill.sandbox.model.operations.objects import PutObjectRequest, PutObjectResult
from backfill.sandbox.model.replication.evaluation import rules_for
from backfill.sandbox.model.values import (
    RequestedEncryption,
    ServerSideEncryption,
    WrittenAttributes,
)
from backfill.sandbox.model.versions import Entry, ObjectVersion
from backfill.sandbox.model.world import World
from backfill.sandbox.model.writing import put_object

_KINDS = {
    ServerSideEncryption.SSE_S3: "SSES3",
    ServerSideEncryption.SSE_KMS: "SSEKMS",
    ServerSideEncryption.DSSE_KMS: "DSSEKMS",
    ServerSideEncryption.CUSTOMER: "SSEC",
}
_NO_FILTER = JobManifestGeneratorFilter()


def generated_tasks(
    world: World, job: Job
) -> tuple[list[Task], S3GeneratedManifestDescriptor | None]:
    """The tasks of a job whose manifest S3 makes, and where the manifest is kept, if it is.

    Raises:
        JobFailedError: the bucket may not be looked at, nothing is left, or it cannot be kept.
    """
    generator = job.request.manifest_generator
    assert generator is not None, "else the job has a manifest"
    asked = generator.filter or _NO_FILTER
    bucket = _source(world, job, generator.source_bucket, generator.expected_bucket_owner)
    entries = _current(bucket) if job.operation != REPLICATE else bucket.entries()
    tasks = [
        Task(
            bucket=bucket.name,
            encoded_key=quote(entry.key, safe="/"),
            version_id=entry.version_id,
        )
        for entry in entries
        if is_let_through(asked, bucket, entry)
    ]
    if not tasks:
        raise failures.nothing_generated()
    output = generator.manifest_output_location
    if not generator.is_manifest_output_enabled or output is None:
        return tasks, None
    return tasks, _kept(world, job, output, bucket, tasks)


def _source(world: World, job: Job, arn: str, expected_owner: str | None) -> Bucket:
    bucket = world.buckets.get(bucket_named(arn) or "")
    if bucket is None:
        raise failures.generation_failed("NoSuchBucket")
    if bucket.region != job.region:
        raise failures.generation_failed("The source bucket is not in the job's Region")
    is_owner = bucket.owner_id == job.account_id
    if not is_owner or expected_owner not in (None, bucket.owner_id):
        raise failures.generation_failed("AccessDenied")
    try:
        require(world, job.role, "s3:PutInventoryConfiguration", bucket)
        if job.operation == REPLICATE:
            require(world, job.role, "s3:GetReplicationConfiguration", bucket)
    except S3Error as error:
        raise failures.generation_failed(error.code) from error
    return bucket


def _current(bucket: Bucket) -> Iterator[Entry]:
    for key in bucket.keys:
        entry = bucket.current(key)
        if isinstance(entry, ObjectVersion):
            yield entry


def is_let_through(asked: JobManifestGeneratorFilter, bucket: Bucket, entry: Entry) -> bool:
    """Whether the filter wants the entry; every condition that is given must hold."""
    if asked.is_eligible_for_replication and (
        bucket.replication is None or not rules_for(bucket.replication, entry)
    ):
        return False
    statuses = asked.object_replication_statuses
    if statuses and (entry.replication_status or "NONE") not in statuses:
        return False
    if asked.created_after is not None and entry.created_at <= asked.created_after:
        return False
    if asked.created_before is not None and entry.created_at >= asked.created_before:
        return False
    names = asked.key_name_constraint
    if names is not None and not _has_name(names, entry.key):
        return False
    return _is_object_wanted(asked, entry)


def _has_name(names: KeyNameConstraint, key: str) -> bool:
    middle = names.match_any_substring
    return (
        (not names.match_any_prefix or key.startswith(names.match_any_prefix))
        and (not names.match_any_suffix or key.endswith(names.match_any_suffix))
        and (not middle or any(text in key for text in middle))
    )


def _is_object_wanted(asked: JobManifestGeneratorFilter, entry: Entry) -> bool:
    """What only objects have: a condition on it leaves delete markers out."""
    least, most = asked.object_size_greater_than_bytes, asked.object_size_less_than_bytes
    classes, encryptions = asked.match_any_storage_class, asked.match_any_object_encryption
    if not isinstance(entry, ObjectVersion):
        return least is None and most is None and not classes and not encryptions
    if least is not None and entry.size_bytes <= least:
        return False
    if most is not None and entry.size_bytes >= most:
        return False
    if classes and entry.storage_class not in classes:
        return False
    return not encryptions or any(_is_encrypted_so(one, entry) for one in encryptions)


def _is_encrypted_so(asked: ObjectEncryptionFilter, version: ObjectVersion) -> bool:
    encryption = version.encryption
    if _KINDS[encryption.algorithm] != asked.kind:
        return False
    if asked.kms_key_arn is not None and asked.kms_key_arn != encryption.kms_key_arn:
        return False
    wanted = asked.is_bucket_key_enabled
    return wanted is None or wanted is encryption.is_bucket_key_enabled


def _kept(
    world: World, job: Job, output: S3ManifestOutputLocation, source: Bucket, tasks: list[Task]
) -> S3GeneratedManifestDescriptor:
    """Write the manifest as an inventory report is laid out."""
    text = io.StringIO(newline="")
    rows = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    rows.writerows((task.bucket, task.encoded_key, task.version_id) for task in tasks)
    packed = Body(gzip.compress(text.getvalue().encode("utf-8"), mtime=0))
    folder = "/".join(part for part in (output.manifest_prefix, f"job-{job.job_id}") if part)
    data_key = f"{folder}/data/{job.job_id}.csv.gz"
    bucket = bucket_named(output.bucket)
    assert bucket is not None, "validation has seen the ARN"
    document = {
        "sourceBucket": source.name,
        "destinationBucket": output.bucket,
        "version": "2021-11-30",
        "creationTimestamp": str(int(job.due_at.timestamp() * 1000)),
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, VersionId",
        "files": [
            {"key": data_key, "size": len(packed.data), "MD5checksum": packed.md5.hex()},
        ],
    }
    manifest_key = f"{folder}/manifest.json"
    _put(world, job, output, bucket, data_key, packed.data)
    written = _put(world, job, output, bucket, manifest_key, json.dumps(document).encode("utf-8"))
    return S3GeneratedManifestDescriptor(
        format=OUTPUT_FORMAT,
        location=JobManifestLocation(
            object_arn=f"{output.bucket}/{manifest_key}",
            etag=written.etag,
            object_version_id=written.version_id,
        ),
    )


def _put(
    world: World, job: Job, output: S3ManifestOutputLocation, bucket: str, key: str, data: bytes
) -> PutObjectResult:
    key_id = output.sse_kms_key_id
    algorithm = ServerSideEncryption.SSE_S3 if key_id is None else ServerSideEncryption.SSE_KMS
    encryption = RequestedEncryption(algorithm=algorithm, kms_key_id=key_id)
    request = PutObjectRequest(
        bucket=bucket,
        key=key,
        body=data,
        attributes=WrittenAttributes(encryption=encryption),
        expected_bucket_owner=output.expected_manifest_bucket_owner,
    )
    try:
        return put_object(world, job.role, request)
    except S3Error as error:
        raise failures.generation_failed(error.code) from error
