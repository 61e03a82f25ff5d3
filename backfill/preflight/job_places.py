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
        RefusedError: It does not exist, is in another Region, or is the bucket itself.
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
    return BucketPlace(
        bucket=bucket,
        region=region,
        expected_owner=of.expected_owner,
        owner_origin=of.owner_origin,
    )
