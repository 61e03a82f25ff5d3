"""Why jobs fail, one function each: the FailureReasons of DescribeJob.

Sentences that the User Guide or field reports quote are quoted; codes that nobody documents are
ours, and a client should not depend on them.
Law: a job fails only for a reason of this list.
"""

from __future__ import annotations

from backfill.sandbox.model.batch_operations.job import JobFailedError


def role_not_assumed(role_arn: str) -> JobFailedError:
    """The role does not trust Batch Operations (UG: batch-ops-iam-role-policies)."""
    return JobFailedError(
        "AssumeRoleNotPermitted", f"S3 Batch Operations cannot assume the role {role_arn}"
    )


def manifest_forbidden(code: str) -> JobFailedError:
    """No permission, or an encryption that CSV manifests may not have (UG: troubleshooting)."""
    return JobFailedError("ReadingManifestForbidden", f"Reading the manifest is forbidden: {code}")


def manifest_missing(code: str) -> JobFailedError:
    """There is no such object."""
    return JobFailedError("ManifestNotFound", f"Reading the manifest failed: {code}")


def manifest_changed() -> JobFailedError:
    """The manifest was written again after its ETag was read (API: JobManifestLocation)."""
    return JobFailedError(
        "ManifestETagMismatch", "The ETag of the manifest does not match the ETag in the request"
    )


def manifest_invalid(reason: str) -> JobFailedError:
    """Rows or files of the manifest are wrong (UG: troubleshooting-batch-operations)."""
    return JobFailedError("InvalidManifestContent", reason)


def nothing_generated() -> JobFailedError:
    """The filter leaves nothing (UG: troubleshooting-batch-operations)."""
    return JobFailedError(
        "ManifestGenerationFailed",
        "Manifest generation found no keys matching the filter criteria",
    )


def generation_failed(reason: str) -> JobFailedError:
    """The bucket may not be listed, or the manifest not be written."""
    return JobFailedError("ManifestGenerationFailed", f"Manifest generation failed: {reason}")


def too_many_failed() -> JobFailedError:
    """More than half of 1,000 tasks or more failed (UG: batch-ops-job-status)."""
    return JobFailedError("JobFailureThresholdExceeded", "More than 50% of the tasks failed")


def expired() -> JobFailedError:
    """Nobody confirmed it for 30 days (UG: batch-ops-job-status)."""
    return JobFailedError("JobExpired", "The job was Suspended for more than 30 days")


def report_not_written() -> JobFailedError:
    """The bucket, its Object Lock or the role is in the way (UG: troubleshooting)."""
    return JobFailedError(
        "ReportWriteFailed", "The job report could not be written to your report bucket"
    )
