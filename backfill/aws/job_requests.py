"""From our requests about S3 Batch Operations jobs to the SDK's parameters.

Never sends, and leaves nothing to a default of S3 or of the SDK that matters: a confirmation, an
idempotency token and a report are always spelled out.
Law: a CreateJob is the same, byte for byte, whenever it is built from the same JobRequest.
"""

import re
from typing import Final

from backfill.aws.requests import Parameters
from backfill.errors import RefusedError
from backfill.model.jobs import (
    GeneratedManifest,
    JobOperation,
    JobPlace,
    JobRequest,
    ManifestFormat,
    ManifestLocation,
    ReportLocation,
)
from backfill.settings import LIST_PAGE_MAX

CSV_FIELDS: Final = ("Bucket", "Key", "VersionId")
"""The columns of an own CSV manifest; the inventory format names its own in manifest.json."""

_ROLE_ARN: Final = re.compile(r"arn:([^:]+):iam::[0-9]{12}:role/.+")
_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")
"""XML 1.0 §2.2 has no way to write these, but for CR, which its parsers turn into LF (§2.11)."""


def create_job_parameters(request: JobRequest) -> Parameters:
    """Parameters of CreateJob (S3 API: CreateJob).

    Raises:
        RefusedError: A prefix, description or tag holds what XML cannot carry.
    """
    partition = _partition(request.role_arn)
    parameters: Parameters = {
        "AccountId": request.place.account_id,
        # Left out it means yes at the console and no here: say it.
        "ConfirmationRequired": request.needs_confirmation,
        "Operation": _operation(request),
        "Report": _report(request.report, partition),
        # Left out the SDK draws one by chance, and a job asked for twice is two jobs.
        "ClientRequestToken": request.token,
        "Priority": request.priority,
        "RoleArn": request.role_arn,
        **_manifest(request.manifest, partition),
    }
    if request.description:
        parameters["Description"] = _writable(request.description)
    if request.tags:  # an empty list needs s3:PutJobTagging, too
        parameters["Tags"] = [
            {"Key": _writable(key), "Value": _writable(value)} for key, value in request.tags
        ]
    return parameters


def job_parameters(place: JobPlace, job_id: str) -> Parameters:
    """Parameters of a request about one job."""
    return {"AccountId": place.account_id, "JobId": job_id}


def list_jobs_parameters(place: JobPlace, token: str) -> Parameters:
    """Parameters of ListJobs: jobs of every status, a whole page of them."""
    parameters: Parameters = {"AccountId": place.account_id, "MaxResults": LIST_PAGE_MAX}
    if token:
        parameters["NextToken"] = token
    return parameters


def _operation(request: JobRequest) -> Parameters:
    if request.operation is JobOperation.REPLICATE:
        return {JobOperation.REPLICATE.value: {}}
    checksum = {"ChecksumAlgorithm": request.checksum_algorithm, "ChecksumType": "FULL_OBJECT"}
    return {JobOperation.COMPUTE_CHECKSUM.value: checksum}


def _report(report: ReportLocation, partition: str) -> Parameters:
    assert not report.prefix.endswith("/"), "S3 would add a second slash"
    parameters: Parameters = {
        "Enabled": True,
        "Bucket": _bucket_arn(partition, report.bucket),
        "Format": "Report_CSV_20180820",
        # A version that is not in the report is a version that nobody has heard of.
        "ReportScope": "AllTasks",
        # Compute checksum demands it; for the others it keeps the report from strangers.
        "ExpectedBucketOwner": report.expected_owner,
    }
    if report.prefix:
        parameters["Prefix"] = _writable(report.prefix)
    return parameters


def _manifest(manifest: ManifestLocation | GeneratedManifest, partition: str) -> Parameters:
    if isinstance(manifest, GeneratedManifest):
        return {"ManifestGenerator": {"S3JobManifestGenerator": _generator(manifest, partition)}}
    spec: Parameters = {"Format": manifest.format.value}
    if manifest.format is ManifestFormat.CSV:
        spec["Fields"] = list(CSV_FIELDS)
    location: Parameters = {
        "ObjectArn": f"{_bucket_arn(partition, manifest.bucket)}/{_writable(manifest.key)}",
        "ETag": manifest.etag.strip('"'),
    }
    if manifest.version_id is not None:
        location["ObjectVersionId"] = manifest.version_id
    return {"Manifest": {"Spec": spec, "Location": location}}


def _generator(manifest: GeneratedManifest, partition: str) -> Parameters:
    narrowing: Parameters = {"EligibleForReplication": True}
    if manifest.created_before is not None:
        narrowing["CreatedBefore"] = manifest.created_before
    if manifest.statuses:
        narrowing["ObjectReplicationStatuses"] = list(manifest.statuses)
    if manifest.prefix:
        narrowing["KeyNameConstraint"] = {"MatchAnyPrefix": [_writable(manifest.prefix)]}
    return {
        "ExpectedBucketOwner": manifest.expected_owner,
        "SourceBucket": _bucket_arn(partition, manifest.source_bucket),
        # The report names every version; a copy of the list would only be paid for.
        "EnableManifestOutput": False,
        "Filter": narrowing,
    }


def _partition(role_arn: str) -> str:
    """Return aws, aws-cn or aws-us-gov: what a job touches lies in its role's partition."""
    match = _ROLE_ARN.fullmatch(role_arn)
    assert match is not None, "a campaign's role is a role's ARN"
    return match[1]


def _bucket_arn(partition: str, bucket: str) -> str:
    return f"arn:{partition}:s3:::{bucket}"


def _writable(text: str) -> str:
    if _UNWRITABLE.search(text):
        message = f"S3 Batch Operations cannot be told of {text!r}: XML has no such characters"
        raise RefusedError(message, hint="choose a prefix without control characters")
    return text
