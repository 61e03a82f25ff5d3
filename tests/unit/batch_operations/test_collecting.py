"""Whole reports, fetched from a bucket in memory: those that add up, and each way not to."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backfill.batch_operations.collecting import CollectedReport, collect_report, merge_reports
from backfill.batch_operations.completion_report import MANIFEST_BYTES_MAX, result_files
from backfill.batch_operations.report_rows import TaskRow
from backfill.errors import RefusedError, ReportMissingError, ReportRefusedError, StoreFault
from backfill.model.jobs import JobDescription
from backfill.model.places import BucketPlace
from tests.doubles.written_reports import (
    BATCH,
    FOLDER,
    JOB_ID,
    PLACE,
    SOURCE,
    ReportBucket,
    described_job,
    ended_job,
    in_order,
    written,
)

MANIFEST = f"{FOLDER}/manifest.json"
ROWS = [
    TaskRow(
        key=key,
        version_id=version_id,
        is_succeeded=is_succeeded,
        http_status=200 if is_succeeded else 500,
        code="" if is_succeeded else "SrcObjectNotEligible",
        message="Successful" if is_succeeded else "Object is not eligible, sorry",
    )
    for key, version_id, is_succeeded in (
        ("b", "v1", True),
        ("b/+ \N{SNOWMAN}", "null", False),
        ("a\0b", None, True),
        ("a", "v2", False),
        ("b", "null", True),
    )
]


@pytest.fixture
def bucket() -> ReportBucket:
    full = ReportBucket()
    full.put_report(ROWS)
    return full


async def collected(
    bucket: ReportBucket, scratch: Path, job: JobDescription | None = None
) -> CollectedReport | None:
    return await collect_report(
        bucket, PLACE, job or ended_job(ROWS), expected_bucket=SOURCE, scratch=scratch
    )


def left_in(scratch: Path) -> list[Path]:
    return list(scratch.rglob("*"))


async def test_a_report_that_adds_up_is_given_sorted(bucket: ReportBucket, tmp_path: Path) -> None:
    """If this fails, a good report is refused or comes in another order than the manifest."""
    report = await collected(bucket, tmp_path)
    assert report is not None
    assert (report.succeeded, report.failed) == (3, 2)
    assert list(report.rows()) == in_order(ROWS)
    assert list(report.rows()) == in_order(ROWS), "rows can be read again"
    with report:
        assert len(left_in(tmp_path)) == 2, "only the sorted file and its folder are kept"
    assert left_in(tmp_path) == []
    report.close()


@pytest.mark.parametrize(
    ("prefix", "folder"),
    [
        ("reports", "reports"),
        ("reports/", "reports/"),
        ("reports/", "reports"),
        ("reports", "reports/"),
        ("a//", "a//"),
        ("", ""),
    ],
)
async def test_the_report_is_found_behind_a_doubled_slash(
    tmp_path: Path, prefix: str, folder: str
) -> None:
    """If this fails, the report of a job whose prefix ends in a slash is never found."""
    bucket = ReportBucket()
    bucket.put_report(ROWS, folder=f"{folder}/job-{JOB_ID}" if folder else f"job-{JOB_ID}")
    report = await collected(bucket, tmp_path, ended_job(ROWS, prefix=prefix))
    assert report is not None
    assert len(list(report.rows())) == len(ROWS)


async def test_a_job_without_tasks_has_no_report(tmp_path: Path) -> None:
    """If this fails, a job that S3 failed before its first task stops the run for ever."""
    assert await collected(ReportBucket(), tmp_path, described_job(succeeded=0, failed=0)) is None


async def test_a_report_that_is_not_there_yet_can_be_told_from_a_bad_one(tmp_path: Path) -> None:
    """If this fails, the caller cannot know whether waiting helps."""
    with pytest.raises(ReportMissingError, match=rf"5 tasks.*s3://{BATCH}/{MANIFEST}"):
        await collected(ReportBucket(), tmp_path)


def change_manifest(bucket: ReportBucket, change: Callable[[dict[str, object]], object]) -> None:
    document = json.loads(bucket.objects[MANIFEST])
    change(document)
    bucket.objects[MANIFEST] = json.dumps(document).encode()


def put(bucket: ReportBucket, *results: tuple[str, bytes]) -> None:
    bucket.put_manifest([bucket.put_results(status, data) for status, data in results])


def result_key(bucket: ReportBucket) -> str:
    return next(key for key in bucket.objects if key.endswith(".csv"))


def cut(bucket: ReportBucket) -> None:
    key = result_key(bucket)
    bucket.objects[key] = bucket.objects[key][:-1]


GOOD = written(row for row in ROWS if row.is_succeeded)
BAD = written(row for row in ROWS if not row.is_succeeded)
TWIN, *_, LAST = GOOD.splitlines(keepends=True)
DAMAGED: dict[str, tuple[Callable[[ReportBucket], object], str]] = {
    "altered file": (cut, "is damaged: its MD5 is"),
    "missing file": (lambda b: b.objects.pop(result_key(b)), "is missing, though its manifest"),
    "missing rows": (
        lambda b: put(b, ("succeeded", TWIN), ("failed", BAD)),
        "has 1 succeeded and 2 failed rows, but its job counts 3 succeeded and 2 failed",
    ),
    "partial report": (lambda b: put(b, ("failed", BAD)), "has 0 succeeded and 2 failed rows"),
    "too many rows": (
        lambda b: put(b, ("succeeded", GOOD + TWIN), ("failed", BAD)),
        "has 4 succeeded and 2 failed rows",
    ),
    "duplicate instead of a row": (
        lambda b: put(b, ("succeeded", TWIN + LAST + TWIN), ("failed", BAD)),
        "b version v1 has two rows",
    ),
    "duplicate across files": (
        lambda b: put(
            b,
            ("succeeded", GOOD),
            ("failed", TWIN.replace(b"succeeded", b"failed") + BAD.splitlines()[0]),
        ),
        "b version v1 has two rows",
    ),
    "cut row": (lambda b: put(b, ("succeeded", GOOD[:-20]), ("failed", BAD)), "columns instead"),
    "swapped status": (
        lambda b: put(b, ("failed", GOOD), ("succeeded", BAD)),
        "'succeeded' in a file of failed tasks",
    ),
    "foreign bucket": (
        lambda b: put(b, ("succeeded", GOOD.replace(SOURCE.encode(), b"theirs")), ("failed", BAD)),
        "about bucket theirs instead of the-source",
    ),
    "no JSON": (lambda b: b.objects.update({MANIFEST: b"{"}), "is no report manifest"),
    "no document": (lambda b: b.objects.update({MANIFEST: b"[]"}), "Results is missing"),
    "no UTF-8": (lambda b: b.objects.update({MANIFEST: b"\xff\xff"}), "is no report manifest"),
    "too deep": (lambda b: b.objects.update({MANIFEST: b"[" * 200_000}), "nested too deeply"),
    "other format": (
        lambda b: change_manifest(b, lambda d: d.update(Format="Report_CSV_20300101")),
        "Format is Report_CSV_20300101",
    ),
    "result twice": (
        lambda b: change_manifest(
            b, lambda d: d.update(Results=[*results_of(d), results_of(d)[0]])
        ),
        "names a result file twice",
    ),
    "result without MD5": (
        lambda b: change_manifest(b, lambda d: results_of(d)[0].pop("MD5Checksum")),
        "lacks TaskExecutionStatus, Bucket, MD5Checksum",
    ),
    "odd MD5": (
        lambda b: change_manifest(b, lambda d: results_of(d)[0].update(MD5Checksum="x")),
        "MD5Checksum of",
    ),
    "odd status": (
        lambda b: change_manifest(b, lambda d: results_of(d)[0].update(TaskExecutionStatus="done")),
        "TaskExecutionStatus done",
    ),
    "result elsewhere": (
        lambda b: change_manifest(b, lambda d: results_of(d)[0].update(Bucket="elsewhere")),
        "lies in bucket elsewhere",
    ),
    "other job": (
        lambda b: change_manifest(b, lambda d: results_of(d)[0].update(Key="job-other/a.csv")),
        "belongs to another job",
    ),
    "too large": (
        lambda b: b.objects.update({MANIFEST: b" " * (MANIFEST_BYTES_MAX + 1)}),
        "more than 16777216 bytes",
    ),
}


def results_of(document: dict[str, object]) -> list[dict[str, object]]:
    results = document["Results"]
    assert isinstance(results, list)
    return results


@pytest.mark.parametrize("case", DAMAGED)
async def test_a_report_that_does_not_add_up_is_refused_and_leaves_nothing(
    bucket: ReportBucket, tmp_path: Path, case: str
) -> None:
    """If this fails, a damaged, partial or foreign report counts as a success."""
    damage, told = DAMAGED[case]
    bucket.chunk_bytes = 100_000
    damage(bucket)
    with pytest.raises(ReportRefusedError) as refused:
        await collected(bucket, tmp_path)
    assert told in refused.value.message
    assert not isinstance(refused.value, ReportMissingError)
    assert refused.value.hint
    assert left_in(tmp_path) == []


async def test_what_the_bucket_denies_is_its_own_fault(
    bucket: ReportBucket, tmp_path: Path
) -> None:
    """If this fails, a missing permission on the batch bucket looks like a damaged report."""
    for key in (MANIFEST, result_key(bucket)):
        bucket.denied = frozenset({key})
        with pytest.raises(StoreFault, match="AccessDenied"):
            await collected(bucket, tmp_path)
    assert left_in(tmp_path) == []


async def test_a_disk_that_does_not_take_it_is_told_as_such(
    bucket: ReportBucket, tmp_path: Path
) -> None:
    """If this fails, a full disk looks like a bug of ours."""
    with pytest.raises(RefusedError, match=r"report in .*no-such-folder"):
        await collected(bucket, tmp_path / "no-such-folder")


@pytest.mark.parametrize("report", [None, "other-bucket"])
async def test_a_job_that_reports_elsewhere_is_refused(
    bucket: ReportBucket, tmp_path: Path, report: str | None
) -> None:
    """If this fails, an old report in our bucket passes for that of another job."""
    job = ended_job(ROWS)
    place = BucketPlace(
        bucket=report or BATCH, region="eu-west-1", expected_owner="1" * 12, owner_origin="flag"
    )
    told = job if report else replace(job, report=None)
    with pytest.raises(ReportRefusedError, match="writes no completion report"):
        await collect_report(bucket, place, told, expected_bucket=SOURCE, scratch=tmp_path)


async def test_an_interruption_leaves_no_scratch_and_what_a_crash_left_is_replaced(
    bucket: ReportBucket, tmp_path: Path
) -> None:
    """If this fails, scratch files pile up until the disk is full."""

    class Interrupted(ReportBucket):
        async def read_file(self, place: BucketPlace, key: str) -> AsyncIterator[bytes]:
            async for chunk in super().read_file(place, key):
                yield chunk
                if key.endswith(".csv"):
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await collected(Interrupted(objects=bucket.objects), tmp_path)
    assert left_in(tmp_path) == []
    first = await collected(bucket, tmp_path)
    assert first is not None
    (first.folder / "run-9").write_text("left by a crash")
    second = await collected(bucket, tmp_path)
    assert second is not None
    assert list(second.rows()) == in_order(ROWS)
    assert len(left_in(tmp_path)) == 2


async def test_reports_of_several_jobs_merge_in_order(tmp_path: Path) -> None:
    """If this fails, the join with a manifest in several shards loses rows."""
    reports = []
    for number in range(3):
        rows = ROWS[number::3]
        bucket = ReportBucket()
        bucket.put_report(rows)
        (tmp_path / str(number)).mkdir()
        report = await collected(bucket, tmp_path / str(number), ended_job(rows))
        assert report is not None
        reports.append(report)
    assert list(merge_reports(*reports)) == in_order(ROWS)
    assert list(merge_reports()) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Format", "Results", "Bucket", "Key", "MD5Checksum", "x"]), inner
        )
    ),
    max_leaves=8,
)


@given(st.binary(max_size=50) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_report_manifest_or_a_refusal(document: bytes) -> None:
    """If this fails, a damaged manifest.json ends in a crash that does not name it."""
    with pytest.raises(ReportRefusedError, match=r"completion report m\.json"):
        result_files(document, key="m.json", expected_bucket=BATCH, job_id=JOB_ID)
