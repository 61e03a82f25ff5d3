"""CreateJob judged before anything exists: what s3control refuses at once.

What only shows when S3 looks at buckets (a missing manifest, a report that cannot be written) is
not judged here: the job fails of it later, as at AWS.
Law: each refusal names the member that is wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from backfill.sandbox.model import refusals as s3_refusals
from backfill.sandbox.model.batch_operations import refusals
from backfill.sandbox.model.batch_operations.generator_validation import check_generator
from backfill.sandbox.model.errors import Pairs, S3Error
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.operations.jobs import (
    COMPUTE_CHECKSUM,
    REPLICATE,
    ComputeObjectChecksum,
    CreateJobRequest,
    JobManifest,
    JobOperation,
    JobReport,
    JobStatus,
    ListJobsRequest,
)

CSV_FORMAT = "S3BatchOperations_CSV_20180820"
INVENTORY_FORMAT = "S3InventoryReport_CSV_20161130"
REPORT_FORMAT = "Report_CSV_20180820"
REPORT_SCOPES = frozenset({"AllTasks", "FailedTasksOnly"})
_OPERATIONS = frozenset({REPLICATE, COMPUTE_CHECKSUM})
_FIELDS = frozenset({"Ignore", "Bucket", "Key", "VersionId"})
_ALGORITHMS = frozenset({"CRC32", "CRC32C", "CRC64NVME", "MD5", "SHA1", "SHA256"})
_TYPES = frozenset({"FULL_OBJECT", "COMPOSITE"})
_ACCOUNT = re.compile(r"\d{12}\Z", re.ASCII)
_ROLE = re.compile(r"arn:[^:]+:iam::(\d{12}):role/.*\Z", re.ASCII)
_BUCKET = re.compile(r"arn:[^:]+:s3:::([^/]+)\Z")
_OBJECT = re.compile(r"arn:[^:]+:s3:::([^/]+)/(.+)\Z", re.DOTALL)
_LARGEST_PRIORITY = 2**31 - 1
_TAGS_COUNT = 50
_LARGEST_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidJob:
    """What of a request must be there, and is."""

    operation: str
    report: JobReport
    token: str
    priority: int
    role_arn: str
    role_account: str


def validated(request: CreateJobRequest) -> ValidJob:
    """What a request asks for, if s3control would take it (API: CreateJob)."""
    if _ACCOUNT.match(request.account_id) is None:
        refuse("AccountId has twelve digits")
    token, role = request.client_request_token, request.role_arn
    if token is None or not 1 <= len(token) <= 64:
        refuse("ClientRequestToken has 1 to 64 characters")
    role_found = None if role is None or len(role) > 2048 else _ROLE.match(role)
    if role is None or role_found is None:
        refuse("RoleArn is the ARN of an IAM role")
    description = request.description
    if description is not None and not 1 <= len(description) <= 256:
        refuse("Description has 1 to 256 characters")
    priority = check_priority(request.priority)
    operation = _operation(request.operation)
    if (request.manifest is None) is (request.manifest_generator is None):
        refuse("Exactly one of Manifest and ManifestGenerator is wanted")
    if request.manifest is not None:
        _check_manifest(request.manifest)
    if request.manifest_generator is not None:
        check_generator(request.manifest_generator)
    report = _report(request.report, operation)
    check_tags(request.tags)
    return ValidJob(
        operation=operation,
        report=report,
        token=token,
        priority=priority,
        role_arn=role,
        role_account=role_found.group(1),
    )


def refuse(message: str) -> NoReturn:
    """Refuse for the reason given."""
    raise S3Error(refusals.INVALID_REQUEST, message=message)


def bucket_named(arn: str) -> str | None:
    """The bucket of a bucket ARN."""
    found = _BUCKET.match(arn)
    return found.group(1) if found else None


def object_named(arn: str) -> tuple[str, str] | None:
    """The bucket and key of an object ARN."""
    found = _OBJECT.match(arn)
    return (found.group(1), found.group(2)) if found else None


def check_account(caller: Caller, account_id: str) -> None:
    """Refuse a caller of another account: jobs are not shared (UG: batch-ops-create-job)."""
    if caller.account_id != account_id:
        raise S3Error(s3_refusals.ACCESS_DENIED)


def check_priority(priority: int | None) -> int:
    """Refuse a priority that is none (API: JobPriority)."""
    if priority is None or not 0 <= priority <= _LARGEST_PRIORITY:
        refuse(f"Priority is from 0 to {_LARGEST_PRIORITY}")
    return priority


def check_page_size(request: ListJobsRequest) -> int:
    """How many jobs a page holds (API: ListJobs)."""
    size = request.max_results
    if size is not None and not 0 <= size <= _LARGEST_PAGE:
        refuse("MaxResults is from 0 to 1000")
    if not set(request.job_statuses) <= set(JobStatus):
        refuse("JobStatuses are statuses of jobs")
    return size or _LARGEST_PAGE


def check_tags(tags: Pairs) -> None:
    """Refuse tags that jobs do not have (UG: batch-ops-managing-jobs-tags)."""
    if len(tags) > _TAGS_COUNT:
        raise S3Error(refusals.TOO_MANY_TAGS)
    if len(dict(tags)) != len(tags):
        refuse("Tag keys are unique")
    for name, value in tags:
        if not 1 <= len(name) <= 128 or len(value) > 256 or name.lower().startswith("aws:"):
            refuse("Tag keys have 1 to 128 characters, not aws:...; values have up to 256")


def _operation(operation: JobOperation | None) -> str:
    if operation is None or len(operation.names) != 1:
        refuse("Exactly one operation is wanted")
    name = operation.names[0]
    if name not in _OPERATIONS:
        raise S3Error(refusals.OPERATION_NOT_SUPPORTED)
    if operation.parameters:
        message = f"S3ReplicateObject takes no parameters: {', '.join(operation.parameters)}"
        raise S3Error(refusals.MALFORMED, message=message)
    if name == COMPUTE_CHECKSUM:
        checksum = operation.compute_checksum or ComputeObjectChecksum()
        algorithm = checksum.checksum_algorithm
        if algorithm is not None and algorithm not in _ALGORITHMS:
            refuse("ChecksumAlgorithm is none that can be computed")
        if checksum.checksum_type is not None and checksum.checksum_type not in _TYPES:
            refuse("ChecksumType is FULL_OBJECT or COMPOSITE")
        if checksum.checksum_type == "COMPOSITE" and algorithm in (None, "CRC64NVME"):
            refuse("CRC64NVME is not computed as COMPOSITE")
    return name


def _check_manifest(manifest: JobManifest) -> None:
    spec, location = manifest.spec, manifest.location
    if spec.format == CSV_FORMAT:
        fields = spec.fields or ()
        named = [field for field in fields if field != "Ignore"]
        if not set(fields) <= _FIELDS or len(set(named)) != len(named):
            refuse("Fields are Ignore, Bucket, Key and VersionId, each but Ignore once")
        if not {"Bucket", "Key"} <= set(fields):
            refuse("A CSV manifest has the Fields Bucket and Key")
    elif spec.format == INVENTORY_FORMAT:
        if spec.fields is not None:
            refuse("An inventory manifest takes no Fields: its manifest.json has them")
    else:
        refuse("Manifest Format is none that can be submitted")
    if not location.etag or len(location.etag) > 1024:
        refuse("The manifest's ETag is required")
    if len(location.object_arn) > 2000 or object_named(location.object_arn) is None:
        refuse("The manifest's ObjectArn is the ARN of an object")


def _report(report: JobReport | None, operation: str) -> JobReport:
    if report is None:
        refuse("Report is required")
    if not report.is_enabled:
        if operation == COMPUTE_CHECKSUM:
            refuse("Compute checksum needs a completion report: it has no other result")
        return report
    if report.bucket is None or bucket_named(report.bucket) is None:
        refuse("An enabled report has the ARN of a bucket")
    if report.format != REPORT_FORMAT:
        refuse(f"An enabled report has the Format {REPORT_FORMAT}")
    if report.report_scope not in REPORT_SCOPES:
        refuse("An enabled report has the ReportScope AllTasks or FailedTasksOnly")
    if report.prefix is not None and not 1 <= len(report.prefix) <= 512:
        refuse("The report's Prefix has 1 to 512 characters")
    owner = report.expected_bucket_owner
    if owner is not None and _ACCOUNT.match(owner) is None:
        refuse("The report's ExpectedBucketOwner has twelve digits")
    if owner is None and operation == COMPUTE_CHECKSUM:
        refuse("Compute checksum needs the report's ExpectedBucketOwner")
    return report
