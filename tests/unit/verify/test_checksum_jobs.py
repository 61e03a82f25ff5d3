"""Checksum jobs of a verification: what is asked, whose answer counts, and deaths at every call."""

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from backfill.errors import JobWaitsError, ReportRefusedError
from backfill.events.judging import VerificationResumed
from backfill.model.attributes import ReplicationStatus
from backfill.model.jobs import JobOperation, JobStatus
from backfill.model.objects import ETag, VersionId
from backfill.verify.checksum_jobs import prove_by_jobs
from backfill.verify.checksums import proof_of_row
from backfill.verify.decisions import Judged, SourceSeen
from backfill.verify.rows import (
    DRAFT_COLUMNS,
    Draft,
    checksums_name,
    draft_of,
    draft_row,
    unproven_name,
)
from backfill.verify.verdicts import Evidence, Fidelity, Field, Verdict, VerdictRow
from tests.unit.verify.job_desk import DeathError, Desk, Life, checksum_jobs
from tests.unit.verify.two_buckets import HEADER, Bucket, Stored, World, kms, place

DATA = b"some bytes that matter"
OPAQUE = Stored(version_id="v", data=DATA, algorithms=(), encryption=kms("source"))
OURS, THEIRS = "111111111111", "222222222222"
HOSTILE = "b\n+%2F \u202e"


class Scene:
    """A world whose objects nothing stored can prove, and the desks of both accounts."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder / "run")
        self.life = Life()
        buckets = {b.name: b for b in (self.world.source, self.world.destination)}
        self.source = Desk(OURS, buckets, self.life)
        self.destination = Desk(THEIRS, buckets, self.life)
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self.arm()
        for key in ("a", HOSTILE, "c"):
            self.world.deliver(key, OPAQUE, encryption=kms("theirs"), algorithms=())
        self.world.deliver("plain", Stored(version_id="p", data=DATA))

    def arm(self, *, algorithm: str = "SHA256") -> None:
        self.world.checksum_jobs = checksum_jobs(
            self.world, self.source, self.destination, self.scratch, algorithm=algorithm
        )

    @property
    def jobs(self) -> int:
        return len(self.source.jobs) + len(self.destination.jobs)

    def contents(self) -> dict[str, Verdict]:
        return {key: row.content for key, row in self.world.verdicts().items()}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


async def test_only_what_nothing_stored_proves_is_asked_and_each_side_in_its_own_account(
    scene: Scene,
) -> None:
    """If this fails, proven objects are paid for again, or one account's job reads the other's."""
    scene.world.destination.edit("c", data=bytes([DATA[0] ^ 1]) + DATA[1:])
    totals = await scene.world.verify()
    assert scene.contents() == {
        "a": Verdict.EQUAL,
        HOSTILE: Verdict.EQUAL,
        "c": Verdict.DIFFERENT,
        "plain": Verdict.EQUAL,
    }
    row = scene.world.verdicts()["c"]
    assert (row.evidence, row.fields) == (Evidence.CHECKSUM_JOBS, (Field.CONTENT,))
    assert totals.evidence == {"checksum-jobs": 3, "full-object-checksum": 1}
    assert totals.exit_code == 4
    (ours,), (theirs,) = scene.source.jobs.values(), scene.destination.jobs.values()
    assert {ours.operation, theirs.operation} == {JobOperation.COMPUTE_CHECKSUM}
    assert scene.source.rows_of(ours) == [
        ["source-bucket", key, "v"] for key in ("a", HOSTILE, "c")
    ]
    assert scene.destination.rows_of(theirs) == [
        ["destination-bucket", key, "copy-of-v"] for key in ("a", HOSTILE, "c")
    ]


async def test_a_difference_that_live_replication_is_at_stays_in_flight(scene: Scene) -> None:
    """If this fails, repair is sent after what S3 is about to bring."""
    scene.world.source.edit("c", status=ReplicationStatus.PENDING)
    scene.world.destination.edit("c", data=DATA[::-1])
    await scene.world.verify()
    assert scene.contents()["c"] is Verdict.IN_FLIGHT


async def test_bytes_that_changed_after_the_look_are_not_proved_by_their_checksum(
    scene: Scene,
) -> None:
    """If this fails, a checksum of other bytes vouches for the version that was judged."""
    scene.destination.tells = lambda told: told | {"etag": "f" * 32}
    totals = await scene.world.verify()
    assert scene.contents()["a"] is Verdict.UNVERIFIED
    assert "ETags differ" in scene.world.verdicts()["a"].detail
    assert totals.exit_code == 5


async def test_a_refused_task_leaves_its_row_and_only_its_row_unverified(scene: Scene) -> None:
    """If this fails, one denied object spoils the proof of all, or passes with them."""
    scene.source.refused["a"] = "AccessDenied"
    await scene.world.verify()
    assert scene.contents() == {
        "a": Verdict.UNVERIFIED,
        HOSTILE: Verdict.EQUAL,
        "c": Verdict.EQUAL,
        "plain": Verdict.EQUAL,
    }
    assert "source version: AccessDenied" in scene.world.verdicts()["a"].detail
    index = scene.world.artifacts.index(checksums_name(1))
    assert index is not None
    assert index.summary["source"] == {
        "jobs": [{"job_id": "job-1-0"}],
        "states": {"succeeded": 2, "failed": 1, "not-attempted": 0},
        "codes": {"AccessDenied": 1},
    }


async def test_a_job_that_failed_as_a_whole_is_named_in_every_row_of_its(scene: Scene) -> None:
    """If this fails, nobody learns that it was the job, and not the objects."""
    scene.destination.ends_as = JobStatus.FAILED
    totals = await scene.world.verify()
    assert totals.exit_code == 5
    detail = scene.world.verdicts()["a"].detail
    assert "destination version: job job-2-0 is Failed (InvalidManifest: planted)." in detail
    scene.destination.ends_as = JobStatus.COMPLETE
    assert (await scene.world.verify()).exit_code == 0
    assert scene.jobs == 4, "a new verification asks anew"


async def test_a_report_with_a_row_that_nobody_asked_for_proves_nothing(scene: Scene) -> None:
    """If this fails, a report of another job is read as ours."""
    asked = scene.source.rows_of
    scene.source.rows_of = lambda request: [  # type: ignore[method-assign] # S3 gone wrong
        *asked(request),
        ["source-bucket", "plain", "p"],
    ]
    with pytest.raises(ReportRefusedError, match="was not asked for"):
        await scene.world.verify()


async def test_wherever_a_process_dies_the_next_one_comes_back_to_the_same_two_jobs(
    tmp_path: Path,
) -> None:
    """If this fails, a crash pays for a second look at every byte, or loses a verdict."""
    deaths = 0
    for calls in count():
        folder = tmp_path / str(calls)
        folder.mkdir()
        scene = Scene(folder)
        scene.life.calls_left = calls
        try:
            await scene.world.verify()
        except DeathError:
            deaths += 1
        else:
            break
        listed = scene.world.source.asked["ListObjectVersions"]
        scene.life.calls_left = None
        totals = await scene.world.verify()
        assert totals.exit_code == 0
        assert totals.plan_rows == 4
        assert scene.jobs == 2, f"died at call {calls}"
        assert scene.world.source.asked["ListObjectVersions"] == listed, "nothing is listed anew"
        assert any(isinstance(e, VerificationResumed) for e in scene.world.events.emitted)
    assert deaths >= 10, "there are that many calls to die at"


async def test_both_sides_jobs_are_made_before_a_person_is_waited_for(scene: Scene) -> None:
    """If this fails, a person confirms one side, comes back, and finds the other to confirm."""
    scene.source.is_suspending = scene.destination.is_suspending = True
    for _ in range(2):
        with pytest.raises(JobWaitsError, match=r"job-1-0.*job-2-0|job-2-0.*job-1-0"):
            await scene.world.verify()
    scene.source.is_suspending = False
    with pytest.raises(JobWaitsError, match="job-2-0"):
        await scene.world.verify()
    scene.destination.is_suspending = False
    assert (await scene.world.verify()).exit_code == 0
    assert scene.jobs == 2


async def test_another_question_is_asked_afresh_beside_the_one_that_waits(scene: Scene) -> None:
    """If this fails, another algorithm's jobs are refused for ever, or answered by the old ones."""
    scene.source.is_suspending = scene.destination.is_suspending = True
    with pytest.raises(JobWaitsError):
        await scene.world.verify()
    scene.source.is_suspending = scene.destination.is_suspending = False
    scene.arm(algorithm="SHA1")
    assert (await scene.world.verify()).exit_code == 0
    assert scene.jobs == 4
    asked = [request.checksum_algorithm for request in scene.source.jobs.values()]
    assert asked == ["SHA256", "SHA1"]


async def test_nothing_unproven_needs_no_jobs(tmp_path: Path) -> None:
    """If this fails, each verification costs two empty jobs, which S3 fails."""
    scene = Scene(tmp_path)
    for key in ("a", HOSTILE, "c"):
        del scene.world.source.chains[key], scene.world.destination.chains[key]
    scene.world.entries = [e for e in scene.world.entries if e.key == "plain"]
    scene.world.outcomes = scene.world.outcomes[-1:]
    assert (await scene.world.verify()).exit_code == 0
    assert scene.jobs == 0


# --- two destinations ---


def unproven(number: int, key: str, version_id: str, destination: int, theirs: str) -> Draft:
    row = VerdictRow(
        number=number,
        key=key,
        version_id=VersionId(version_id),
        destination=destination,
        content=Verdict.UNVERIFIED,
        evidence=Evidence.NONE,
        fidelity=Fidelity.EQUAL,
        destination_version_id=VersionId(theirs),
        destination_etag=replace(OPAQUE, version_id=theirs).etag,
    )
    etag = replace(OPAQUE, version_id=version_id).etag
    seen = SourceSeen(etag=etag, replication_status=ReplicationStatus.NONE)
    return Draft(decision=Judged(row=row, unproven=seen), is_suspect=False)


async def test_a_version_with_two_destinations_is_read_once_at_the_source(scene: Scene) -> None:
    """If this fails, a manifest names a version twice, which no report can answer twice."""
    drafts = [
        unproven(0, "k", "v", 0, "x"),
        unproven(1, "k", "v", 1, "y"),
        unproven(2, "k", "w", 1, "z"),
        unproven(3, "l", "v", 0, "x"),
    ]
    assert [draft_of(list(draft_row(draft))) for draft in drafts] == drafts
    versions = {
        "source-bucket": {"k": "vw", "l": "v"},
        "destination-bucket": {"k": "x", "l": "x"},
        "second-bucket": {"k": "yz"},
    }
    scene.source.buckets = scene.destination.buckets = {
        name: Bucket(
            name=name,
            chains={key: [replace(OPAQUE, version_id=i) for i in ids] for key, ids in held.items()},
        )
        for name, held in versions.items()
    }
    artifacts = scene.world.artifacts
    with artifacts.writer(unproven_name(1), columns=DRAFT_COLUMNS, inputs={}) as writer:
        for draft in drafts:
            writer.write(draft_row(draft))
        index = writer.commit({})
    assert scene.world.checksum_jobs is not None
    await prove_by_jobs(
        index,
        scene.world.checksum_jobs,
        round_number=1,
        header=replace(HEADER, destinations=(*HEADER.destinations, place("second-bucket"))),
        artifacts=artifacts,
    )
    proofs = [proof_of_row(row) for row in artifacts.rows(checksums_name(1))]
    assert [(proof.number, proof.content) for proof in proofs] == [
        (number, Verdict.EQUAL) for number in range(4)
    ]
    (ours,) = scene.source.jobs.values()
    assert scene.source.rows_of(ours) == [
        ["source-bucket", "k", "v"],
        ["source-bucket", "k", "w"],
        ["source-bucket", "l", "v"],
    ]
    assert [scene.destination.rows_of(job) for job in scene.destination.jobs.values()] == [
        [["destination-bucket", "k", "x"], ["destination-bucket", "l", "x"]],
        [["second-bucket", "k", "y"], ["second-bucket", "k", "z"]],
    ]


def test_an_unproven_draft_keeps_what_was_seen_of_its_source() -> None:
    """If this fails, a checksum after a restart is held against no ETag."""
    draft = unproven(0, "k", "v", 0, "x")
    assert draft_of(list(draft_row(draft))) == draft
    assert isinstance(draft.decision, Judged)
    assert draft.decision.unproven is not None
    assert draft.decision.unproven.etag != ETag("")
