"""Our adapters of S3 Batch Operations against the sandbox, which refuses what AWS refuses."""

import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio

from backfill.aws.batch_bucket import S3BatchBucket
from backfill.aws.batch_operations import S3BatchOperations
from backfill.aws.calls import Calls
from backfill.aws.session import AwsSession, Connection
from backfill.errors import Disposition, StoreFault
from backfill.model.attributes import Encryption, EncryptionKind
from backfill.model.jobs import (
    GeneratedManifest,
    JobDescription,
    JobOperation,
    JobPlace,
    JobProgress,
    JobRequest,
    JobStatus,
    ManifestFormat,
    ManifestLocation,
    ReportLocation,
    RequestedStatus,
)
from backfill.model.places import BucketPlace
from backfill.sandbox.http.faults import Call, Fault, FaultKind, no_faults
from backfill.sandbox.service import SOURCE, Sandbox
from tests.wire.aws.conftest import KeptEvents, quick_retries
from tests.wire.sandbox.s3control_place import BATCH_BUCKET, SOURCE_BUCKET, BatchPlace

PLACE = JobPlace(account_id=SOURCE.account_id, region=SOURCE.region)
BUCKET = BucketPlace(
    bucket=BATCH_BUCKET,
    region=SOURCE.region,
    expected_owner=SOURCE.account_id,
    owner_origin="flag",
)
SSE_S3 = Encryption(kind=EncryptionKind.SSE_S3)
KEYS = ("plain", "a b/ü+,%2F", 'quote"and\nnewline', "//x")
MANIFEST = "run/manifest-00.csv"


@pytest.fixture
def world() -> Iterator[BatchPlace]:
    """A sandbox of the test's own, with a backlog from before the rule."""
    with Sandbox(seed=11) as sandbox:
        made = BatchPlace(sandbox=sandbox)
        made.put(*KEYS)
        made.replicate_from_now_on()
        yield made
        made.close()


class Ours:
    """Our adapters of the source's identity."""

    def __init__(self, session: AwsSession) -> None:
        calls = Calls(session, KeptEvents())
        self.jobs = S3BatchOperations(calls, quick_retries())
        self.bucket = S3BatchBucket(calls, quick_retries())

    async def listed(self) -> list[str]:
        return [job.job_id async for job in self.jobs.list_jobs(PLACE)]

    async def read(self, key: str) -> bytes:
        return b"".join([chunk async for chunk in self.bucket.read_file(BUCKET, key)])

    async def described(self, world: BatchPlace, job_id: str, status: JobStatus) -> JobDescription:
        world.ended(job_id, lambda said: said == status.value)
        return await self.jobs.describe_job(PLACE, job_id)


@pytest_asyncio.fixture
async def ours(world: BatchPlace, identity: pytest.MonkeyPatch) -> AsyncIterator[Ours]:
    """By `--endpoint-url`, as a person starts the command."""
    async with AsyncExitStack() as stack:
        patch = stack.enter_context(identity.context())
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, world.sandbox.environment("source")[name])
        connection = Connection(endpoint_url=world.sandbox.endpoint_url)
        yield Ours(await stack.enter_async_context(AwsSession(connection)))


async def uploaded(world: BatchPlace, ours: Ours, folder: Path) -> ManifestLocation:
    rows = [f"{SOURCE_BUCKET},{quote(key)},{world.versions[key]}\n" for key in KEYS]
    path = folder / "manifest.csv"
    path.write_text("".join(rows))
    put = await ours.bucket.put_file(BUCKET, MANIFEST, path, encryption=SSE_S3)
    return ManifestLocation(
        format=ManifestFormat.CSV,
        bucket=BATCH_BUCKET,
        key=MANIFEST,
        etag=put.etag,
        version_id=put.version_id,
    )


def request(world: BatchPlace, manifest: ManifestLocation | GeneratedManifest) -> JobRequest:
    return JobRequest(
        place=PLACE,
        operation=JobOperation.REPLICATE,
        manifest=manifest,
        report=ReportLocation(
            bucket=BATCH_BUCKET, prefix="run/reports", expected_owner=SOURCE.account_id
        ),
        role_arn=world.role_arn,
        priority=10,
        token="token-1",
        description="backfill 0a1b2c",
        tags=(("backfill-run", "7"),),
    )


GENERATED = GeneratedManifest(
    source_bucket=SOURCE_BUCKET,
    expected_owner=SOURCE.account_id,
    statuses=("NONE", "FAILED"),
)


async def test_a_job_goes_from_its_manifest_to_its_report(
    world: BatchPlace, ours: Ours, tmp_path: Path
) -> None:
    """If this fails, no backfill by Batch Replication comes to its end."""
    job_id = await ours.jobs.create_job(request(world, await uploaded(world, ours, tmp_path)))
    job = await ours.described(world, job_id, JobStatus.COMPLETE)
    assert job.summary.operation == JobOperation.REPLICATE
    assert job.summary.progress == JobProgress(total=4, succeeded=4, failed=0)
    assert job.summary.ended_at is not None
    assert job.failures == ()
    assert job.report == request(world, GENERATED).report
    assert await ours.jobs.job_tags(PLACE, job_id) == {"backfill-run": "7"}
    document = json.loads(await ours.read(f"run/reports/job-{job_id}/manifest.json"))
    rows = b""
    for result in document["Results"]:
        data = await ours.read(result["Key"])
        assert hashlib.md5(data, usedforsecurity=False).hexdigest() == result["MD5Checksum"]
        rows += data
    assert rows.count(b"succeeded") == len(KEYS)


async def test_a_generated_manifest_and_a_checksum_job_are_taken_too(
    world: BatchPlace, ours: Ours, tmp_path: Path
) -> None:
    """If this fails, one of the kinds of job that we ask for is refused."""
    generated = replace(request(world, GENERATED), token="token-2")
    own = await uploaded(world, ours, tmp_path)
    checksum = replace(
        request(world, own),
        token="token-3",
        operation=JobOperation.COMPUTE_CHECKSUM,
        checksum_algorithm="SHA256",
    )
    for asked in (generated, checksum):
        job_id = await ours.jobs.create_job(asked)
        job = await ours.described(world, job_id, JobStatus.COMPLETE)
        assert job.summary.operation == asked.operation
        assert job.summary.progress.succeeded == len(KEYS)


async def test_a_job_waits_for_a_person_is_confirmed_or_cancelled(
    world: BatchPlace, ours: Ours
) -> None:
    """If this fails, `--confirm` starts at once, or never."""
    waiting = replace(request(world, GENERATED), needs_confirmation=True)
    first = await ours.jobs.create_job(waiting)
    second = await ours.jobs.create_job(replace(waiting, token="token-2"))
    job = await ours.described(world, first, JobStatus.SUSPENDED)
    assert job.suspended_cause
    await ours.described(world, second, JobStatus.SUSPENDED)
    await ours.jobs.update_job_priority(PLACE, first, 77)
    steer = ours.jobs.update_job_status
    assert await steer(PLACE, first, RequestedStatus.READY, reason="") is JobStatus.READY
    await steer(PLACE, second, RequestedStatus.CANCELLED, reason="no more needed")
    ended = await ours.described(world, second, JobStatus.CANCELLED)
    assert ended.status_reason == "no more needed"
    ended = await ours.described(world, first, JobStatus.COMPLETE)
    assert ended.summary.priority == 77
    with pytest.raises(StoreFault) as caught:
        await steer(PLACE, second, RequestedStatus.READY, reason="")
    assert caught.value.disposition in (Disposition.REDECIDE, Disposition.FAIL)


async def test_the_same_token_is_the_same_job_and_a_lost_answer_leaves_one_that_is_found(
    world: BatchPlace, ours: Ours
) -> None:
    """If this fails, a crash between CreateJob and the journal doubles a job."""
    lost = Fault(kind=FaultKind.RESET, is_applied=True)

    def hook(call: Call) -> Fault | None:
        return lost if call.operation == "CreateJob" else None

    world.sandbox.set_fault_hook(hook)
    with pytest.raises(StoreFault) as caught:
        await ours.jobs.create_job(request(world, GENERATED))
    assert caught.value.is_ambiguous
    world.sandbox.set_fault_hook(no_faults)
    (job_id,) = await ours.listed()
    assert await ours.jobs.create_job(request(world, GENERATED)) == job_id
    assert await ours.listed() == [job_id]


async def test_refusals_of_s3_control_are_final_faults_with_its_own_words(
    world: BatchPlace, ours: Ours, tmp_path: Path
) -> None:
    """If this fails, a request that can never succeed is sent for hours."""
    manifest = await uploaded(world, ours, tmp_path)
    other = request(world, replace(manifest, etag=type(manifest.etag)("0" * 32)))
    job_id = await ours.jobs.create_job(other)
    job = await ours.described(world, job_id, JobStatus.FAILED)
    assert job.failures
    assert job.failures[0].reason
    with pytest.raises(StoreFault) as caught:
        await ours.jobs.describe_job(PLACE, "00000000-none")
    assert (caught.value.status, caught.value.disposition) == (404, Disposition.FAIL)
    with pytest.raises(StoreFault) as caught:
        await ours.jobs.describe_job(replace(PLACE, account_id="999999999999"), job_id)
    assert caught.value.code == "AccessDenied"


async def test_the_exports_and_the_profiles_of_the_sandbox_lead_to_its_s3_control(
    world: BatchPlace, identity: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """If this fails, the lines that `backfill sandbox` prints do not serve backfill itself."""
    for variables, profile in (
        (world.sandbox.environment("source"), None),
        (world.sandbox.write_profiles(tmp_path), "source"),
    ):
        with identity.context() as patch:
            if profile:
                patch.delenv("AWS_ACCESS_KEY_ID")
                patch.delenv("AWS_SECRET_ACCESS_KEY")
            for name, value in variables.items():
                patch.setenv(name, value)
            async with AwsSession(Connection(profile=profile)) as session:
                assert await Ours(session).listed() == []


@pytest.mark.parametrize("kind", [EncryptionKind.SSE_S3, EncryptionKind.SSE_KMS])
async def test_an_upload_that_was_carried_out_before_its_answer_was_lost_is_recognised(
    world: BatchPlace, ours: Ours, tmp_path: Path, kind: EncryptionKind
) -> None:
    """If this fails, the ETag of an opaque kind hides that the bytes are ours."""
    path = tmp_path / "f"
    path.write_bytes(b"0123456789" * 100_000)
    lost = Fault(kind=FaultKind.CLOSE, is_applied=True)
    world.sandbox.set_fault_hook(lambda call: lost if call.operation == "PutObject" else None)
    put = await ours.bucket.put_file(BUCKET, "f", path, encryption=Encryption(kind=kind))
    assert world.sandbox.calls()["PutObject"] == len(KEYS) + 1
    world.sandbox.set_fault_hook(no_faults)
    again = await ours.bucket.put_file(BUCKET, "f", path, encryption=Encryption(kind=kind))
    assert again.etag == put.etag
    assert await ours.read("f") == path.read_bytes()
    path.write_bytes(b"something else")
    with pytest.raises(StoreFault) as caught:
        await ours.bucket.put_file(BUCKET, "f", path, encryption=Encryption(kind=kind))
    assert caught.value.code == "PreconditionFailed"


async def test_a_bucket_of_a_stranger_is_neither_written_nor_read(
    world: BatchPlace, ours: Ours, tmp_path: Path
) -> None:
    """If this fails, a bucket that changed hands receives the names of all our objects."""
    path = tmp_path / "f"
    path.write_bytes(b"x")
    stranger = replace(BUCKET, expected_owner="999999999999")
    with pytest.raises(StoreFault) as caught:
        await ours.bucket.put_file(stranger, "f", path, encryption=SSE_S3)
    assert caught.value.code == "AccessDenied"
    with pytest.raises(StoreFault) as caught:
        await anext(ours.bucket.read_file(stranger, "f"))
    assert caught.value.code == "AccessDenied"
    assert world.sandbox.calls()["PutObject"] == len(KEYS) + 1
