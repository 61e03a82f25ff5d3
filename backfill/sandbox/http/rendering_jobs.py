"""From the model's results to answers of S3 Control: jobs, lists of them, tags.

Never reorders. One law: what DescribeJob does not tell, such as the ClientRequestToken, is nowhere
in an answer (S3 API: JobDescriptor).
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TypeVar

from backfill.sandbox.http.inbound import Inbound
from backfill.sandbox.http.messages import HttpResponse
from backfill.sandbox.http.rendering import xml_answer
from backfill.sandbox.http.xml import boolean, branch, leaf
from backfill.sandbox.model.operations import jobs

CONTROL_NAMESPACE = "http://awss3control.amazonaws.com/doc/2018-08-20/"
_ENCRYPTION_ELEMENTS = {
    "SSES3": "SSE-S3",
    "SSEKMS": "SSE-KMS",
    "DSSEKMS": "DSSE-KMS",
    "SSEC": "SSE-C",
    "NOTSSE": "NOT-SSE",
}

T = TypeVar("T")


def created_job(result: jobs.CreateJobResult, _inbound: Inbound) -> HttpResponse:
    return _answer("CreateJobResult", [leaf("JobId", result.job_id)])


def described_job(result: jobs.DescribeJobResult, _inbound: Inbound) -> HttpResponse:
    return _answer("DescribeJobResult", [_job(result.job)])


def listed_jobs(result: jobs.ListJobsResult, _inbound: Inbound) -> HttpResponse:
    rows = [
        branch(
            "member",
            [
                leaf("JobId", each.job_id),
                leaf("Description", each.description),
                leaf("Operation", each.operation),
                leaf("Priority", each.priority),
                leaf("Status", each.status),
                leaf("CreationTime", _time(each.creation_time)),
                leaf("TerminationDate", _time(each.termination_date)),
                _progress(each.progress_summary),
            ],
        )
        for each in result.jobs
    ]
    return _answer("ListJobsResult", [leaf("NextToken", result.next_token), branch("Jobs", rows)])


def updated_status(result: jobs.UpdateJobStatusResult, _inbound: Inbound) -> HttpResponse:
    return _answer(
        "UpdateJobStatusResult",
        [
            leaf("JobId", result.job_id),
            leaf("Status", result.status),
            leaf("StatusUpdateReason", result.status_update_reason),
        ],
    )


def updated_priority(result: jobs.UpdateJobPriorityResult, _inbound: Inbound) -> HttpResponse:
    parts = [leaf("JobId", result.job_id), leaf("Priority", result.priority)]
    return _answer("UpdateJobPriorityResult", parts)


def tagging(result: jobs.GetJobTaggingResult, _inbound: Inbound) -> HttpResponse:
    tags = [
        branch("member", [leaf("Key", key), leaf("Value", value)]) for key, value in result.tags
    ]
    return _answer("GetJobTaggingResult", [branch("Tags", tags)])


def _job(job: jobs.JobDescriptor) -> str:
    failures = [
        branch(
            "member",
            [
                leaf("FailureCode", each.failure_code),
                leaf("FailureReason", each.failure_reason),
            ],
        )
        for each in job.failure_reasons
    ]
    return branch(
        "Job",
        [
            leaf("JobId", job.job_id),
            boolean("ConfirmationRequired", value=job.is_confirmation_required),
            leaf("Description", job.description),
            leaf("JobArn", job.job_arn),
            leaf("Status", job.status),
            _told(job.manifest, _manifest),
            _operation(job.operation),
            leaf("Priority", job.priority),
            _progress(job.progress_summary),
            leaf("StatusUpdateReason", job.status_update_reason),
            branch("FailureReasons", failures) if failures else "",
            _report(job.report),
            leaf("CreationTime", _time(job.creation_time)),
            leaf("TerminationDate", _time(job.termination_date)),
            leaf("RoleArn", job.role_arn),
            leaf("SuspendedDate", _time(job.suspended_date)),
            leaf("SuspendedCause", job.suspended_cause),
            _told(job.manifest_generator, _generator),
            _told(job.generated_manifest_descriptor, _generated),
        ],
    )


def _progress(summary: jobs.JobProgressSummary) -> str:
    return branch(
        "ProgressSummary",
        [
            leaf("TotalNumberOfTasks", summary.total_number_of_tasks),
            leaf("NumberOfTasksSucceeded", summary.number_of_tasks_succeeded),
            leaf("NumberOfTasksFailed", summary.number_of_tasks_failed),
            branch(
                "Timers",
                [leaf("ElapsedTimeInActiveSeconds", summary.elapsed_time_in_active_seconds)],
            ),
        ],
    )


def _operation(operation: jobs.JobOperation) -> str:
    inner = []
    if operation.compute_checksum is not None:
        inner = [
            leaf("ChecksumAlgorithm", operation.compute_checksum.checksum_algorithm),
            leaf("ChecksumType", operation.compute_checksum.checksum_type),
        ]
    return branch("Operation", [branch(name, inner) for name in operation.names])


def _report(report: jobs.JobReport) -> str:
    return branch(
        "Report",
        [
            leaf("Bucket", report.bucket),
            leaf("Format", report.format),
            boolean("Enabled", value=report.is_enabled),
            leaf("Prefix", report.prefix),
            leaf("ReportScope", report.report_scope),
            leaf("ExpectedBucketOwner", report.expected_bucket_owner),
        ],
    )


def _manifest(manifest: jobs.JobManifest) -> str:
    spec = [leaf("Format", manifest.spec.format), _texts("Fields", manifest.spec.fields or ())]
    return branch("Manifest", [branch("Spec", spec), _location(manifest.location)])


def _location(location: jobs.JobManifestLocation) -> str:
    return branch(
        "Location",
        [
            leaf("ObjectArn", location.object_arn),
            leaf("ObjectVersionId", location.object_version_id),
            leaf("ETag", location.etag),
        ],
    )


def _generated(descriptor: jobs.S3GeneratedManifestDescriptor) -> str:
    parts = [leaf("Format", descriptor.format), _location(descriptor.location)]
    return branch("GeneratedManifestDescriptor", parts)


def _generator(generator: jobs.S3JobManifestGenerator) -> str:
    inner = [
        leaf("ExpectedBucketOwner", generator.expected_bucket_owner),
        leaf("SourceBucket", generator.source_bucket),
        _told(generator.manifest_output_location, _output_location),
        _told(generator.filter, _filter),
        boolean("EnableManifestOutput", value=generator.is_manifest_output_enabled),
    ]
    return branch("ManifestGenerator", [branch("S3JobManifestGenerator", inner)])


def _output_location(location: jobs.S3ManifestOutputLocation) -> str:
    encryptions = [branch("SSE-S3", [])] if location.has_sse_s3 else []
    if location.sse_kms_key_id is not None:
        encryptions.append(branch("SSE-KMS", [leaf("KeyId", location.sse_kms_key_id)]))
    return branch(
        "ManifestOutputLocation",
        [
            leaf("ExpectedManifestBucketOwner", location.expected_manifest_bucket_owner),
            leaf("Bucket", location.bucket),
            leaf("ManifestPrefix", location.manifest_prefix),
            branch("ManifestEncryption", encryptions) if encryptions else "",
            leaf("ManifestFormat", location.manifest_format),
        ],
    )


def _filter(wanted: jobs.JobManifestGeneratorFilter) -> str:
    return branch(
        "Filter",
        [
            _optional_boolean("EligibleForReplication", wanted.is_eligible_for_replication),
            leaf("CreatedAfter", _time(wanted.created_after)),
            leaf("CreatedBefore", _time(wanted.created_before)),
            _texts("ObjectReplicationStatuses", wanted.object_replication_statuses),
            _told(wanted.key_name_constraint, _key_names),
            leaf("ObjectSizeGreaterThanBytes", wanted.object_size_greater_than_bytes),
            leaf("ObjectSizeLessThanBytes", wanted.object_size_less_than_bytes),
            _texts("MatchAnyStorageClass", wanted.match_any_storage_class),
            _encryptions(wanted.match_any_object_encryption),
        ],
    )


def _key_names(constraint: jobs.KeyNameConstraint) -> str:
    return branch(
        "KeyNameConstraint",
        [
            _texts("MatchAnyPrefix", constraint.match_any_prefix),
            _texts("MatchAnySuffix", constraint.match_any_suffix),
            _texts("MatchAnySubstring", constraint.match_any_substring),
        ],
    )


def _encryptions(filters: tuple[jobs.ObjectEncryptionFilter, ...]) -> str:
    rows = []
    for each in filters:
        inner = [
            leaf("KmsKeyArn", each.kms_key_arn),
            _optional_boolean("BucketKeyEnabled", each.is_bucket_key_enabled),
        ]
        rows.append(branch("ObjectEncryption", [branch(_ENCRYPTION_ELEMENTS[each.kind], inner)]))
    return branch("MatchAnyObjectEncryption", rows) if rows else ""


# --- what all of them share ---


def _answer(name: str, parts: list[str]) -> HttpResponse:
    return xml_answer(name, parts, namespace=CONTROL_NAMESPACE)


def _told(value: T | None, render: Callable[[T], str]) -> str:
    return "" if value is None else render(value)


def _texts(name: str, texts: Iterable[str]) -> str:
    rows = [leaf("member", text) for text in texts]
    return branch(name, rows) if rows else ""


def _optional_boolean(name: str, value: bool | None) -> str:  # noqa: FBT001 - None is a third value
    return "" if value is None else boolean(name, value=value)


def _time(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
