"""Whether jobs can be made where a bucket is: the role, the batch bucket, and whoever asks.

Never creates a job.
Law: what does not fit a side is refused with the flag that named it, before any work.
"""

import json
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from backfill.errors import MissingPermissionError, RefusedError, StoreFault
from backfill.model.jobs import JobPlace
from backfill.model.permissions import missing_statements
from backfill.model.places import BucketPlace
from backfill.ports import BatchOperations, ControlPlane

JOB_ACTIONS: Final = (
    "s3:CreateJob",
    "s3:DescribeJob",
    "s3:GetJobTagging",
    "s3:ListJobs",
    "s3:PutJobTagging",
    "s3:UpdateJobPriority",
    "s3:UpdateJobStatus",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSide:
    """A side of the campaign as its jobs are spoken of."""

    word: str
    role_flag: str


SOURCE_JOBS: Final = JobSide(word="source", role_flag="--batch-role-arn")
DESTINATION_JOBS: Final = JobSide(word="destination", role_flag="--destination-batch-role-arn")


def may_have_jobs(endpoint_url: str) -> bool:
    """Return whether an endpoint may be AWS's, or a sandbox on this machine."""
    host = urlsplit(endpoint_url).hostname or "" if endpoint_url else ""
    is_local = host in {"localhost", "127.0.0.1", "::1"} or host.endswith(".localhost")
    return not endpoint_url or is_local or host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def job_place(of: BucketPlace) -> JobPlace:
    """Return where jobs about a bucket's versions live."""
    return JobPlace(account_id=of.expected_owner, region=of.region)


def refuse_foreign_role(role_arn: str, of: BucketPlace, side: JobSide) -> None:
    """Refuse a role of another account than the bucket's.

    Raises:
        RefusedError: It is one.
    """
    account = role_arn.split(":")[4]
    if account != of.expected_owner:
        raise RefusedError(
            f"{side.role_flag} is a role of account {account}, and jobs live in the {side.word}'s"
            f" account {of.expected_owner}",
            hint="S3 takes a role of the job's own account only",
        )


async def ask_for_jobs(batch: BatchOperations, of: BucketPlace) -> None:
    """Ask for the first job there is: whoever cannot list jobs cannot find his own again.

    Raises:
        StoreFault: There is no answer, or a refusal; see `jobs_refusal`.
    """
    async for _ in batch.list_jobs(job_place(of)):
        break


def jobs_refusal(
    fault: StoreFault, of: BucketPlace, side: JobSide, *, otherwise: str
) -> RefusedError:
    """Return why no jobs can be made; `otherwise` says what does without."""
    if fault.status in {401, 403}:
        statement = {
            "Sid": "BackfillJobs",
            "Effect": "Allow",
            "Action": list(JOB_ACTIONS),
            "Resource": "*",
        }
        return MissingPermissionError(
            f"the {side.word} identity may not list Batch Operations jobs ({fault.code})",
            hint="add to its policies, with iam:PassRole on the batch role: "
            + json.dumps(statement, separators=(", ", ": ")),
        )
    return RefusedError(
        f"S3 Batch Operations of account {of.expected_owner} in {of.region} do not answer"
        f" ({fault.code})",
        hint=f"{otherwise}; against a store that is not AWS there is nothing else",
    )


async def batch_bucket(
    bucket: str, of: BucketPlace, control: ControlPlane, side: JobSide
) -> BucketPlace:
    """Return where manifests and reports of jobs about a bucket's versions lie.

    Raises:
        RefusedError: It does not exist, is in another Region, is the bucket itself, is another
            account's, or retains what is written into it.
    """
    try:
        region = await control.bucket_region(bucket)
    except StoreFault as fault:
        raise RefusedError(
            f"batch bucket {bucket!r} does not exist or cannot be reached ({fault.code})",
            hint=f"make it in the {side.word}'s account and Region, or check the name",
        ) from fault
    if region != of.region:
        raise RefusedError(
            f"batch bucket {bucket!r} is in {region}, the {side.word} bucket in {of.region}",
            hint=f"manifests and reports lie in the {side.word} bucket's Region",
        )
    if bucket == of.bucket:
        raise RefusedError(
            f"the batch bucket is the {side.word} bucket",
            hint="manifests and reports would be taken for objects to replicate or to verify;"
            " take a bucket of its own",
        )
    place = BucketPlace(
        bucket=bucket,
        region=region,
        expected_owner=of.expected_owner,
        owner_origin=of.owner_origin,
    )
    await _refuse_unusable(place, control, side)
    return place


async def _refuse_unusable(place: BucketPlace, control: ControlPlane, side: JobSide) -> None:
    """Refuse a batch bucket that manifests cannot be put into, or reports not be written to."""
    name = f"batch bucket {place.bucket!r}"
    try:
        await control.require_owner(place)
        is_retained = await control.has_default_retention(place)
    except StoreFault as fault:
        if fault.status not in {401, 403}:
            raise RefusedError(
                f"{name} cannot be asked about ({fault.operation}: {fault.code})",
                hint="nothing was made yet: run the same command again",
            ) from fault
        raise MissingPermissionError(
            f"{name} must be the {side.word} account's ({place.expected_owner}) own: it is another"
            f" account's, or the {side.word} identity may not ask about it ({fault.code})",
            hint=f"take a bucket of account {place.expected_owner}; if this one is,"
            f" {missing_statements(operation=fault.operation, bucket=place.bucket)}",
        ) from fault
    if is_retained:
        # Asked before a job is made, since the job would run, and be charged, without its report.
        # S3 User Guide: troubleshooting-batch-operations.
        raise RefusedError(
            f"{name} has a default retention of Object Lock, and S3 writes no completion report"
            " into such a bucket",
            hint=f"take another bucket, or remove the default: aws s3api"
            f" put-object-lock-configuration --bucket {place.bucket}"
            " --object-lock-configuration ObjectLockEnabled=Enabled",
        )
