"""Which engine a run can use: asked once, when it begins.

Never creates a job. What was asked for by name and cannot be done is refused; `auto` falls back to
copy workers only where nobody gave it a role and a bucket, or the store has no Batch Operations.
Law: the choice comes with its reason, and a role or bucket that does not fit is told, not ignored.
"""

import json
from typing import Final
from urllib.parse import urlsplit

from backfill.campaign import Campaign, Engine, EvidenceSource
from backfill.errors import (
    ForeignRunDirectoryError,
    MissingPermissionError,
    RefusedError,
    StoreFault,
)
from backfill.model.jobs import JobPlace
from backfill.model.places import BucketPlace
from backfill.ports import BatchOperations, ControlPlane
from backfill.preflight.scene import EngineChoice, Scene

_ABSENT: Final = frozenset({404, 405, 501, 0})
"""How stores without Batch Operations answer; 0: nobody listens there."""
JOB_ACTIONS: Final = (
    "s3:CreateJob",
    "s3:DescribeJob",
    "s3:GetJobTagging",
    "s3:ListJobs",
    "s3:PutJobTagging",
    "s3:UpdateJobPriority",
    "s3:UpdateJobStatus",
)


_NOT_GIVEN: Final = "no --batch-role-arn and --batch-bucket were given"


async def chosen_engine(
    campaign: Campaign, scene: Scene, control: ControlPlane, batch: BatchOperations
) -> EngineChoice:
    """Return how this run delivers, from the campaign and one question to Batch Operations.

    Raises:
        RefusedError: What was given for jobs cannot work.
        MissingPermissionError: The source identity may not list jobs.
    """
    if campaign.engine is Engine.COPY:
        return _copies("copy workers were asked for")
    if campaign.destination is not None:
        return _copies("the campaign names its own destination, and jobs follow the bucket's rules")
    options = campaign.batch
    if not (options.role_arn and options.bucket):
        return _copies(_NOT_GIVEN)
    _refuse_foreign_role(options.role_arn, scene.source)
    if not _may_have_jobs(campaign.access.endpoint_url):
        # S3 Control would be AWS's own all the same, and know other buckets of these names.
        why = f"{campaign.access.endpoint_url} is no endpoint of AWS"
        if campaign.engine is Engine.BATCH_REPLICATION:
            raise RefusedError(
                f"--engine batch-replication, and {why}",
                hint="only AWS has S3 Batch Replication: use --engine copy",
            )
        return _copies(why)
    try:
        await _ask(batch, scene.source)
    except StoreFault as fault:
        if fault.status in _ABSENT and campaign.engine is Engine.AUTO:
            return _copies(f"the store has no S3 Batch Operations ({fault.code})")
        raise _refusal(fault, scene.source) from fault
    is_only = campaign.engine is Engine.BATCH_REPLICATION
    return EngineChoice(
        has_batch=True,
        has_copy=not is_only,
        why="it was asked for" if is_only else "the source's account has it, and it keeps history",
        batch_bucket=await _batch_bucket(options.bucket, scene.source, control),
    )


def refuse_another_engine(campaign: Campaign, scene: Scene) -> None:
    """Refuse flags for jobs, said now, that a run cannot follow any more; `scene` is the run's.

    A plan by copies would make copies current where the flags ask for replicas, and then no job may
    bring the history of their keys. Flags for Compute checksum jobs may come later, and be others.

    Raises:
        ForeignRunDirectoryError: The run settled on another engine, or another batch bucket.
        RefusedError: The role is another account's.
    """
    options, settled = campaign.batch, scene.engine.batch_bucket
    is_for_jobs = campaign.engine is not Engine.COPY and campaign.destination is None
    is_asked = is_for_jobs and bool(options.role_arn and options.bucket)
    if not is_asked or campaign.evidence is EvidenceSource.CHECKSUM_JOBS:
        return
    if settled is None and scene.engine.why == _NOT_GIVEN:
        raise ForeignRunDirectoryError(
            "this run was planned for copy workers, before --batch-role-arn and --batch-bucket were"
            " given",
            hint="begin anew with another --run-dir, and the plan has S3 Batch Replication; or"
            " leave both out to go on by copies",
        )
    if settled is not None and settled.bucket != options.bucket:
        raise ForeignRunDirectoryError(
            f"manifests and reports of this run lie in batch bucket {settled.bucket!r}, now"
            f" {options.bucket!r} is asked for",
            hint="go on with the first one, or begin anew with another --run-dir",
        )
    if settled is not None:
        _refuse_foreign_role(options.role_arn, scene.source)


def _copies(why: str) -> EngineChoice:
    return EngineChoice(has_batch=False, has_copy=True, why=why)


def _may_have_jobs(endpoint_url: str) -> bool:
    """Return whether an endpoint may be AWS's, or a sandbox on this machine."""
    host = urlsplit(endpoint_url).hostname or "" if endpoint_url else ""
    is_local = host in {"localhost", "127.0.0.1", "::1"} or host.endswith(".localhost")
    return not endpoint_url or is_local or host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def _refuse_foreign_role(role_arn: str, source: BucketPlace) -> None:
    account = role_arn.split(":")[4]
    if account != source.expected_owner:
        raise RefusedError(
            f"--batch-role-arn is a role of account {account}, and jobs live in the source's"
            f" account {source.expected_owner}",
            hint="S3 takes a role of the job's own account only",
        )


async def _ask(batch: BatchOperations, source: BucketPlace) -> None:
    """Ask for the first job there is: whoever cannot list jobs cannot find his own again."""
    jobs = batch.list_jobs(JobPlace(account_id=source.expected_owner, region=source.region))
    async for _ in jobs:
        break


def _refusal(fault: StoreFault, source: BucketPlace) -> RefusedError:
    if fault.status in {401, 403}:
        statement = {
            "Sid": "BackfillJobs",
            "Effect": "Allow",
            "Action": list(JOB_ACTIONS),
            "Resource": "*",
        }
        return MissingPermissionError(
            f"the source identity may not list Batch Operations jobs ({fault.code})",
            hint="add to its policies, with iam:PassRole on the batch role: "
            + json.dumps(statement, separators=(", ", ": ")),
        )
    return RefusedError(
        f"S3 Batch Operations of account {source.expected_owner} in {source.region} do not answer"
        f" ({fault.code})",
        hint="--engine copy does without; against a store that is not AWS there is nothing else",
    )


async def _batch_bucket(bucket: str, source: BucketPlace, control: ControlPlane) -> BucketPlace:
    try:
        region = await control.bucket_region(bucket)
    except StoreFault as fault:
        raise RefusedError(
            f"batch bucket {bucket!r} does not exist or cannot be reached ({fault.code})",
            hint="make it in the source's account and Region, or check the name",
        ) from fault
    if region != source.region:
        raise RefusedError(
            f"batch bucket {bucket!r} is in {region}, the source bucket in {source.region}",
            hint="manifests and reports of Batch Replication lie in the source bucket's Region",
        )
    if bucket == source.bucket:
        raise RefusedError(
            "the batch bucket is the source bucket",
            hint="its rules would replicate manifests and reports, too; take a bucket of its own",
        )
    return BucketPlace(
        bucket=bucket,
        region=region,
        expected_owner=source.expected_owner,
        owner_origin=source.owner_origin,
    )
