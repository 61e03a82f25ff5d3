"""Which engine a run gets, and what is told to whoever gave it something that cannot work."""

from dataclasses import replace
from typing import cast

import pytest

from backfill.campaign import Access, BatchOptions, Campaign, DestinationSpec, Engine
from backfill.errors import MissingPermissionError, RefusedError
from backfill.model.jobs import JobPlace
from backfill.ports import BatchOperations, ControlPlane
from backfill.preflight.engine import chosen_engine
from backfill.preflight.job_places import JOB_ACTIONS
from backfill.preflight.scene import EngineChoice, engine_words
from tests.unit.preflight.asked_for_jobs import GIVEN, ROLE, SCENE, SOURCE, Jobs, Regions, fault


async def chosen(
    engine: Engine,
    batch: BatchOptions = GIVEN,
    *,
    jobs: Jobs | None = None,
    destination: DestinationSpec | None = None,
    regions: Regions | None = None,
    endpoint_url: str = "",
) -> EngineChoice:
    campaign = Campaign(
        source_bucket="from-bucket",
        engine=engine,
        batch=batch,
        destination=destination,
        access=Access(endpoint_url=endpoint_url),
    )
    return await chosen_engine(
        campaign,
        SCENE,
        cast("ControlPlane", regions or Regions(jobs_bucket="us-east-1", from_bucket="us-east-1")),
        cast("BatchOperations", jobs or Jobs()),
    )


async def test_auto_takes_both_engines_and_asks_where_the_source_is() -> None:
    jobs = Jobs()
    choice = await chosen(Engine.AUTO, jobs=jobs)
    assert (choice.has_batch, choice.has_copy) == (True, True)
    assert choice.batch_bucket == replace(SOURCE, bucket="jobs-bucket")
    assert jobs.asked == [JobPlace(account_id="111111111111", region="us-east-1")]
    assert "copy workers for the rest" in engine_words(choice)


async def test_batch_replication_alone_never_copies() -> None:
    choice = await chosen(Engine.BATCH_REPLICATION)
    assert (choice.has_batch, choice.has_copy) == (True, False)
    assert "only" in engine_words(choice)


@pytest.mark.parametrize(
    ("engine", "batch", "destination", "why"),
    [
        (Engine.COPY, GIVEN, None, "asked for"),
        (Engine.AUTO, BatchOptions(), None, "--batch-role-arn"),
        (Engine.AUTO, BatchOptions(role_arn=ROLE), None, "--batch-bucket"),
        (Engine.AUTO, GIVEN, DestinationSpec(bucket="to-bucket"), "its own destination"),
    ],
)
async def test_copies_come_with_their_reason_and_without_a_question(
    engine: Engine, batch: BatchOptions, destination: DestinationSpec | None, why: str
) -> None:
    jobs = Jobs()
    choice = await chosen(engine, batch, jobs=jobs, destination=destination)
    assert (choice.has_batch, choice.has_copy, jobs.asked) == (False, True, [])
    assert why in engine_words(choice)


@pytest.mark.parametrize(("status", "code"), [(404, "404"), (405, "405"), (501, "NotImplemented")])
async def test_a_store_without_jobs_is_copied_from_unless_jobs_were_asked_for(
    status: int, code: str
) -> None:
    choice = await chosen(Engine.AUTO, jobs=Jobs(fault(status, code)))
    assert not choice.has_batch
    assert code in choice.why
    with pytest.raises(RefusedError, match="do not answer"):
        await chosen(Engine.BATCH_REPLICATION, jobs=Jobs(fault(status, code)))


@pytest.mark.parametrize("engine", [Engine.AUTO, Engine.BATCH_REPLICATION])
async def test_whoever_may_not_list_jobs_is_told_the_statement(engine: Engine) -> None:
    """If this fails, a job is created that could never be found again."""
    with pytest.raises(MissingPermissionError) as refused:
        await chosen(engine, jobs=Jobs(fault(403, "AccessDenied")))
    assert all(action in refused.value.hint for action in JOB_ACTIONS)
    assert "iam:PassRole" in refused.value.hint


@pytest.mark.parametrize(
    ("batch", "regions", "words"),
    [
        (replace(GIVEN, role_arn=ROLE.replace("1", "2")), None, "role of account"),
        (GIVEN, Regions(), "does not exist"),
        (GIVEN, Regions(jobs_bucket="eu-west-1"), "is in eu-west-1"),
        (replace(GIVEN, bucket="from-bucket"), None, "is the source bucket"),
    ],
)
async def test_a_role_or_bucket_that_cannot_work_is_refused_and_not_ignored(
    batch: BatchOptions, regions: Regions | None, words: str
) -> None:
    for engine in (Engine.AUTO, Engine.BATCH_REPLICATION):
        with pytest.raises(RefusedError, match=words) as refused:
            await chosen(engine, batch, regions=regions)
        assert refused.value.hint


@pytest.mark.parametrize("engine", [Engine.AUTO, Engine.BATCH_REPLICATION])
async def test_a_batch_bucket_that_retains_what_is_written_is_refused_before_a_job(
    engine: Engine,
) -> None:
    """If this fails, a job runs and is charged, and nobody learns how its tasks ended."""
    regions = Regions(jobs_bucket="us-east-1")
    regions.retained = {"jobs-bucket"}
    with pytest.raises(RefusedError, match="no completion report") as refused:
        await chosen(engine, regions=regions)
    assert refused.value.exit_code == 10
    assert "put-object-lock-configuration --bucket jobs-bucket" in (refused.value.hint or "")


async def test_a_batch_bucket_of_another_account_is_refused_before_hours_of_listing() -> None:
    """If this fails, the first upload of a manifest is denied, and nothing says why."""
    regions = Regions(jobs_bucket="us-east-1")
    regions.owner_faults["jobs-bucket"] = fault(403, "403", "HeadBucket")
    with pytest.raises(MissingPermissionError, match="must be the source account's") as refused:
        await chosen(Engine.AUTO, regions=regions)
    assert regions.owners_asked == [("jobs-bucket", "111111111111")]
    assert "s3:ListBucket" in (refused.value.hint or "")


async def test_a_store_that_fails_when_asked_of_the_batch_bucket_is_no_lack_of_permission() -> None:
    """If this fails, an outage of S3 sends a person to look for a policy."""
    regions = Regions(jobs_bucket="us-east-1")
    regions.owner_faults["jobs-bucket"] = fault(503, "SlowDown", "HeadBucket")
    with pytest.raises(RefusedError, match="HeadBucket: SlowDown") as refused:
        await chosen(Engine.AUTO, regions=regions)
    assert not isinstance(refused.value, MissingPermissionError)


@pytest.mark.parametrize(
    ("endpoint_url", "has_batch"),
    [
        ("http://127.0.0.1:9000", True),
        ("http://s3-control.localhost:9000", True),
        ("https://bucket.vpce-1.s3.us-east-1.vpce.amazonaws.com", True),
        ("https://s3.cn-north-1.amazonaws.com.cn", True),
        ("https://store.example.org", False),
        ("https://amazonaws.com.example.org", False),
    ],
)
async def test_jobs_are_never_created_at_aws_for_another_store(
    endpoint_url: str, *, has_batch: bool
) -> None:
    """If this fails, AWS is asked for a job about a bucket of that name there."""
    jobs = Jobs()
    choice = await chosen(Engine.AUTO, jobs=jobs, endpoint_url=endpoint_url)
    assert (choice.has_batch, bool(jobs.asked)) == (has_batch, has_batch)
    if not has_batch:
        with pytest.raises(RefusedError, match="no endpoint of AWS"):
            await chosen(Engine.BATCH_REPLICATION, jobs=jobs, endpoint_url=endpoint_url)


@pytest.mark.parametrize(("status", "code"), [(0, "ConnectionClosedError"), (503, "SlowDown")])
async def test_a_moment_without_an_answer_settles_on_nothing(status: int, code: str) -> None:
    """If this fails, a lost connection turns a run into copies, and history stays behind."""
    for engine in (Engine.AUTO, Engine.BATCH_REPLICATION):
        with pytest.raises(RefusedError, match=code):
            await chosen(engine, jobs=Jobs(fault(status, code)))
