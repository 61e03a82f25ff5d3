"""Which engine a run can use: asked once, when it begins.

Never creates a job. What was asked for by name and cannot be done is refused; `auto` falls back to
copy workers only where nobody gave it a role and a bucket, or the store has no Batch Operations.
Law: the choice comes with its reason, and a role or bucket that does not fit is told, not ignored.
"""

from typing import Final

from backfill.campaign import Campaign, Engine, EvidenceSource
from backfill.errors import (
    ForeignRunDirectoryError,
    RefusedError,
    StoreFault,
)
from backfill.ports import BatchOperations, ControlPlane
from backfill.preflight.job_places import (
    SOURCE_JOBS,
    ask_for_jobs,
    batch_bucket,
    jobs_refusal,
    may_have_jobs,
    refuse_foreign_role,
)
from backfill.preflight.scene import EngineChoice, Scene

_ABSENT: Final = frozenset({404, 405, 501})
"""How stores without Batch Operations answer. No answer at all is none: the network may be down for
a moment, and the choice of copies stands for the whole run."""
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
    refuse_foreign_role(options.role_arn, scene.source, SOURCE_JOBS)
    if not may_have_jobs(campaign.access.endpoint_url):
        # S3 Control would be AWS's own all the same, and know other buckets of these names.
        why = f"{campaign.access.endpoint_url} is no endpoint of AWS"
        if campaign.engine is Engine.BATCH_REPLICATION:
            raise RefusedError(
                f"--engine batch-replication, and {why}",
                hint="only AWS has S3 Batch Replication: use --engine copy",
            )
        return _copies(why)
    try:
        await ask_for_jobs(batch, scene.source)
    except StoreFault as fault:
        if fault.status in _ABSENT and campaign.engine is Engine.AUTO:
            return _copies(f"the store has no S3 Batch Operations ({fault.code})")
        raise jobs_refusal(
            fault, scene.source, SOURCE_JOBS, otherwise="--engine copy does without"
        ) from fault
    is_only = campaign.engine is Engine.BATCH_REPLICATION
    return EngineChoice(
        has_batch=True,
        has_copy=not is_only,
        why="it was asked for" if is_only else "the source's account has it, and it keeps history",
        batch_bucket=await batch_bucket(options.bucket, scene.source, control, SOURCE_JOBS),
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
        refuse_foreign_role(options.role_arn, scene.source, SOURCE_JOBS)


def _copies(why: str) -> EngineChoice:
    return EngineChoice(has_batch=False, has_copy=True, why=why)
