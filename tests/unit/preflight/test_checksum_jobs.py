"""Checksum jobs are refused before anything is listed, where one side cannot have them."""

from dataclasses import replace
from typing import cast

import pytest

from backfill.campaign import Access, BatchOptions, Campaign, EvidenceSource
from backfill.errors import MissingPermissionError, RefusedError
from backfill.model.places import BucketPlace
from backfill.ports import BatchOperations, ControlPlane
from backfill.preflight.checksum_jobs import JobPorts, checksum_places
from backfill.preflight.scene import DestinationScene, Scene
from tests.unit.preflight.asked_for_jobs import DESTINATION, FACTS, SCENE, Jobs, Regions, fault

OURS, THEIRS = "111111111111", "222222222222"
THERE = replace(DESTINATION, region="eu-west-1")
OPTIONS = BatchOptions(
    role_arn=f"arn:aws:iam::{OURS}:role/batch",
    bucket="our-files",
    destination_role_arn=f"arn:aws:iam::{THEIRS}:role/batch",
    destination_bucket="their-files",
)
CAMPAIGN = Campaign(
    source_bucket="from-bucket", evidence=EvidenceSource.CHECKSUM_JOBS, batch=OPTIONS
)


def scene(*destinations: BucketPlace) -> Scene:
    return replace(
        SCENE,
        destinations=tuple(
            DestinationScene(place=place, facts=FACTS) for place in destinations or (THERE,)
        ),
    )


def ports(jobs: Jobs | None = None) -> JobPorts:
    regions = Regions(
        our_files="us-east-1",
        their_files="eu-west-1",
        from_bucket="us-east-1",
        to_bucket="eu-west-1",
    )
    return JobPorts(
        control=cast("ControlPlane", regions), batch=cast("BatchOperations", jobs or Jobs())
    )


async def test_each_side_has_its_own_account_region_role_and_bucket() -> None:
    """If this fails, a job is made where its bucket is not."""
    jobs = Jobs(), Jobs()
    places = await checksum_places(
        CAMPAIGN, scene(), source=ports(jobs[0]), destination=ports(jobs[1])
    )
    assert [(p.place.account_id, p.place.region, p.role_arn, p.bucket.bucket) for p in places] == [
        (OURS, "us-east-1", OPTIONS.role_arn, "our-files"),
        (THEIRS, "eu-west-1", OPTIONS.destination_role_arn, "their-files"),
    ]
    assert [one.asked for one in jobs] == [[p.place] for p in places]


REFUSALS = [
    ("a role of the other account", {"destination_role_arn": OPTIONS.role_arn},
     "--destination-batch-role-arn is a role of account 111111111111"),
    ("a bucket in the other Region", {"destination_bucket": "our-files"},
     "'our-files' is in us-east-1, the destination bucket in eu-west-1"),
    ("no such bucket", {"bucket": "nowhere"}, "'nowhere' does not exist"),
    ("the destination itself", {"destination_bucket": "to-bucket"},
     "the batch bucket is the destination bucket"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "changes", "words"), REFUSALS, ids=[r[0] for r in REFUSALS])
async def test_what_does_not_fit_its_side_is_refused(
    name: str, changes: dict[str, str], words: str
) -> None:
    """If this fails, the mistake is found by a failed job after hours of listing."""
    campaign = replace(CAMPAIGN, batch=replace(OPTIONS, **changes))  # type: ignore[arg-type] # texts
    with pytest.raises(RefusedError) as refused:
        await checksum_places(campaign, scene(), source=ports(), destination=ports())
    assert words in refused.value.message, name


async def test_destinations_apart_are_refused_with_the_way_out() -> None:
    """If this fails, one role is asked to read in an account or Region that it is not in."""
    for change in ({"region": "eu-central-1"}, {"expected_owner": "333333333333"}):
        other = replace(THERE, bucket="second-bucket", **change)
        with pytest.raises(RefusedError, match="second-bucket") as refused:
            await checksum_places(
                CAMPAIGN, scene(THERE, other), source=ports(), destination=ports()
            )
        assert "--destination second-bucket" in (refused.value.hint or "")
    together = replace(THERE, bucket="second-bucket")
    await checksum_places(CAMPAIGN, scene(THERE, together), source=ports(), destination=ports())


async def test_an_identity_that_may_not_list_jobs_is_named_with_what_it_lacks() -> None:
    """If this fails, jobs are made that nobody could find again."""
    with pytest.raises(MissingPermissionError, match="the destination identity") as refused:
        await checksum_places(
            CAMPAIGN, scene(), source=ports(), destination=ports(Jobs(fault(403, "AccessDenied")))
        )
    assert "s3:CreateJob" in (refused.value.hint or "")


async def test_no_job_is_made_at_aws_for_another_store() -> None:
    """If this fails, AWS is asked about buckets that lie elsewhere under the same names."""
    campaign = replace(CAMPAIGN, access=Access(endpoint_url="https://s3.example.com"))
    with pytest.raises(RefusedError, match="no endpoint of AWS"):
        await checksum_places(campaign, scene(), source=ports(), destination=ports())
