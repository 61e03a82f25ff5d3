"""Where Compute checksum jobs of either side are made: asked before anything is listed.

Never creates a job.
Law: a role or bucket that cannot serve a side is refused before hours of listing, not after them.
"""

from dataclasses import dataclass

from backfill.campaign import Campaign
from backfill.errors import RefusedError, StoreFault
from backfill.model.jobs import JobPlace
from backfill.model.places import BucketPlace
from backfill.ports import BatchOperations, ControlPlane
from backfill.preflight.job_places import (
    DESTINATION_JOBS,
    SOURCE_JOBS,
    JobSide,
    ask_for_jobs,
    batch_bucket,
    job_place,
    jobs_refusal,
    may_have_jobs,
    refuse_foreign_role,
)
from backfill.preflight.scene import Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPorts:
    """One identity's view of what jobs need."""

    control: ControlPlane
    batch: BatchOperations


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecksumPlace:
    """Where the jobs of a side live, the role they run under, and the bucket for their files."""

    place: JobPlace
    role_arn: str
    bucket: BucketPlace


async def checksum_places(
    campaign: Campaign, scene: Scene, *, source: JobPorts, destination: JobPorts
) -> tuple[ChecksumPlace, ChecksumPlace]:
    """Return where the jobs of the source, and where those of all destinations are made.

    Raises:
        RefusedError: A role or bucket does not fit its side, or destinations are apart.
        MissingPermissionError: An identity may not list jobs.
    """
    options, url = campaign.batch, campaign.access.endpoint_url
    if not may_have_jobs(url):
        # S3 Control would be AWS's own all the same, and know other buckets of these names.
        raise RefusedError(
            f"--evidence checksum-jobs, and {url} is no endpoint of AWS",
            hint="only AWS has S3 Batch Operations: --deep reads both sides",
        )
    theirs = _one_place(scene)
    return (
        await _place(options.role_arn, options.bucket, scene.source, source, SOURCE_JOBS),
        await _place(
            options.destination_role_arn,
            options.destination_bucket,
            theirs,
            destination,
            DESTINATION_JOBS,
        ),
    )


async def _place(
    role_arn: str, bucket: str, of: BucketPlace, ports: JobPorts, side: JobSide
) -> ChecksumPlace:
    refuse_foreign_role(role_arn, of, side)
    try:
        await ask_for_jobs(ports.batch, of)
    except StoreFault as fault:
        otherwise = "--evidence stored, or --deep, do without"
        raise jobs_refusal(fault, of, side, otherwise=otherwise) from fault
    return ChecksumPlace(
        place=job_place(of),
        role_arn=role_arn,
        bucket=await batch_bucket(bucket, of, ports.control, side),
    )


def _one_place(scene: Scene) -> BucketPlace:
    """Return the first destination; all others are in its account and Region."""
    first, *others = (destination.place for destination in scene.destinations)
    for other in others:
        if job_place(other) != job_place(first):
            raise RefusedError(
                "--evidence checksum-jobs takes one destination role and one bucket, and these"
                f" destinations are apart: {_words(first)}; {_words(other)}",
                hint="verify each alone, in a run directory of its own: backfill verify"
                f" {scene.source.bucket} --destination {other.bucket} ...",
            )
    return first


def _words(place: BucketPlace) -> str:
    return f"{place.bucket} in account {place.expected_owner}, {place.region}"
