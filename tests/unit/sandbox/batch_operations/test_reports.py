"""Completion reports and planted faults: layout, quirks, and damage that a reader must find."""

import csv
import hashlib
import io
import json
from dataclasses import replace
from typing import Any

import pytest

from backfill.sandbox.model.batch_operations.faults import (
    SLOW_DOWN,
    JobEnd,
    JobFaults,
    ReportFault,
    failing,
)
from backfill.sandbox.model.batch_operations.tasks import TaskFailure
from backfill.sandbox.model.operations.buckets import (
    DefaultRetention,
    PutObjectLockConfigurationRequest,
)
from tests.unit.sandbox.batch_operations.works import BATCH, OWN, REPORT, ROLE, Works, checksumming

NOT_WRITTEN = "The job report could not be written to your report bucket"


def manifest_of(works: Works, job_id: str, prefix: str = "reports/") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(works.read(f"{prefix}job-{job_id}/manifest.json"))
    return found


def rows_of(works: Works, key: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(works.read(key).decode(), newline="")))


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def mixed(works: Works, **changes: Any) -> str:
    """A job of two tasks that succeed and one that fails."""
    versions = [entry.version_id for entry in works.chain("source")]
    job_id = works.job_of(
        *(("k", version_id) for version_id in versions), ("gone", "null"), **changes
    )
    works.run(job_id)
    return job_id


def test_a_report_lies_where_and_says_what_a_real_one_does(ruled: Works) -> None:
    """If this fails, a reader of real reports is tried on something else."""
    job_id = mixed(ruled)
    manifest = manifest_of(ruled, job_id)
    assert manifest["Format"] == "Report_CSV_20180820"
    assert manifest["ReportCreationDate"].endswith("Z")
    schema = "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage"
    assert manifest["ReportSchema"] == schema
    statuses = [result["TaskExecutionStatus"] for result in manifest["Results"]]
    assert statuses == ["succeeded", "failed"]
    for result in manifest["Results"]:
        assert result["Bucket"] == BATCH
        assert result["Key"].startswith(f"reports/job-{job_id}/results/")
        assert result["MD5Checksum"] == md5(ruled.read(result["Key"]))
        assert {row[3] for row in rows_of(ruled, result["Key"])} == {result["TaskExecutionStatus"]}
    name = f"reports/job-{job_id}/manifest.json"
    assert ruled.read(f"{name}.md5").decode() == md5(ruled.read(name))
    stored = ruled.only(BATCH, name)
    assert (stored.owner_id, stored.encryption.kms_key_arn) == (OWN, None)
    (failed,) = (row for row in ruled.rows(job_id) if row[1] == "gone")
    expected = "source,gone,null,failed,404,SrcObjectNotFound,The source object does not exist"
    assert failed == expected.split(",")


@pytest.mark.parametrize(
    ("prefix", "base"), [(None, ""), ("p", "p/"), ("p/", "p//"), ("a/b", "a/b/")]
)
def test_a_prefix_that_ends_in_a_slash_has_two(prefix: str | None, base: str, ruled: Works) -> None:
    """If this fails, readers that build paths themselves pass here and find nothing at AWS."""
    job_id = ruled.job_of(("k", "null"), report=replace(REPORT, prefix=prefix))
    ruled.run(job_id)
    (result,) = manifest_of(ruled, job_id, base)["Results"]
    assert result["Key"].startswith(f"{base}job-{job_id}/results/")


@pytest.mark.parametrize("cell", ["a%20b+c", "%2Fx%0A", "\u00e9", '"q"",c"', "plain"])
def test_keys_come_back_encoded_as_the_manifest_had_them(cell: str, ruled: Works) -> None:
    """If this fails, a reader that forgets to decode is not found out."""
    job_id = ruled.create(ruled.request(f"source,{cell},null\n".encode()))
    ruled.run(job_id)
    assert ruled.rows(job_id)[0][1] == next(csv.reader([cell]))[0]


def test_only_failed_tasks_are_told_if_that_is_wanted(ruled: Works) -> None:
    """If this fails, the scope of a report is ignored."""
    job_id = mixed(ruled, report=replace(REPORT, report_scope="FailedTasksOnly"))
    assert [row[1] for row in ruled.rows(job_id)] == ["gone"]
    assert ruled.describe(job_id).progress_summary.number_of_tasks_succeeded == 2


def test_results_may_be_split_into_several_files(ruled: Works) -> None:
    """If this fails, a reader that takes the first file of each kind is not found out."""
    ruled.set(rows_per_report_file=1)
    job_id = mixed(ruled)
    statuses = [one["TaskExecutionStatus"] for one in manifest_of(ruled, job_id)["Results"]]
    assert statuses == ["succeeded", "succeeded", "failed"]
    assert len({tuple(row) for row in ruled.rows(job_id)}) == 3


@pytest.mark.parametrize("case", ["no tasks", "not enabled"])
def test_no_report_without_tasks_or_without_asking(case: str, ruled: Works) -> None:
    """If this fails, a job that did nothing leaves a report that AWS would not write."""
    report = replace(REPORT, is_enabled=case != "not enabled")
    rows = () if case == "no tasks" else (("k", "null"),)
    assert ruled.run(ruled.job_of(*rows, report=report)).status == "Complete"
    assert ruled.stored_keys() == ["manifest.csv"]


@pytest.mark.parametrize("case", ["object lock", "policy", "owner", "no bucket"])
def test_a_report_that_cannot_be_written_fails_the_job_at_its_end(case: str, ruled: Works) -> None:
    """If this fails, the result of a finished job is lost without a word."""
    report = REPORT
    if case == "object lock":
        bucket = ruled.model.world.buckets[BATCH]
        bucket.versioning = ruled.model.world.buckets["source"].versioning
        bucket.is_object_lock_enabled = True
        lock = PutObjectLockConfigurationRequest(
            bucket=BATCH, default_retention=DefaultRetention(mode="GOVERNANCE", days=1)
        )
        ruled.model.put_object_lock_configuration(ruled.own, lock)
    elif case == "policy":
        ruled.denied_to.add((ROLE, "s3:PutObject"))
    elif case == "owner":
        report = replace(report, expected_bucket_owner="222222222222")
    else:
        report = replace(report, bucket="arn:aws:s3:::nowhere")
    job_id = ruled.job_of(("k", ruled.chain("source")[0].version_id), report=report)
    assert ruled.failure(job_id)[1] == NOT_WRITTEN
    assert ruled.describe(job_id).progress_summary.number_of_tasks_succeeded == 1
    assert ruled.wait() == 1  # what was done is done


def damaged(works: Works, fault: ReportFault) -> str:
    works.jobs.fault_hook = lambda _number, _request: JobFaults(report=fault)
    job_id = mixed(works)
    assert works.describe(job_id).status == "Complete"
    return job_id


@pytest.mark.parametrize("fault", [ReportFault.MISSING, ReportFault.NO_MANIFEST])
def test_a_report_may_be_missing_or_lack_its_commit_marker(
    fault: ReportFault, ruled: Works
) -> None:
    """If this fails, a reader is never tried on a report that is not there."""
    job_id = damaged(ruled, fault)
    found = [key for key in ruled.stored_keys() if job_id in key]
    assert not any("manifest.json" in key for key in found)
    assert bool(found) is (fault is ReportFault.NO_MANIFEST)


@pytest.mark.parametrize(
    ("fault", "is_md5_right", "rows"),
    [
        (ReportFault.BAD_MD5, False, 2),
        (ReportFault.TRUNCATED, False, 2),
        (ReportFault.DUPLICATE_ROWS, True, 3),
        (ReportFault.MISSING_ROWS, True, 1),
    ],
)
def test_a_report_may_be_damaged(
    fault: ReportFault, is_md5_right: bool, rows: int, ruled: Works
) -> None:
    """If this fails, a reader is never tried on the damage that this fault stands for."""
    job_id = damaged(ruled, fault)
    first, second = manifest_of(ruled, job_id)["Results"]
    data = ruled.read(first["Key"])
    assert (md5(data) == first["MD5Checksum"]) is is_md5_right
    assert data.endswith(b"\n") is (fault is not ReportFault.TRUNCATED)
    assert len(rows_of(ruled, first["Key"])) == rows
    assert md5(ruled.read(second["Key"])) == second["MD5Checksum"]


def test_a_report_may_be_that_of_another_job(ruled: Works) -> None:
    """If this fails, a reader is never tried on a foreign report."""
    job_id = damaged(ruled, ReportFault.FOREIGN_MANIFEST)
    assert all(job_id not in one["Key"] for one in manifest_of(ruled, job_id)["Results"])


def test_chosen_tasks_fail_by_any_code_and_do_nothing(ruled: Works) -> None:
    """If this fails, a planted failure still replicates, and retries are tried on nothing."""
    one, two = (entry.version_id for entry in ruled.chain("source"))
    failure = TaskFailure(code="DstPutObjectNotPermitted", http_status=403, message="no")
    hook = failing(failure, keys=["k"], version_ids=[one])
    job_id = ruled.job_of(("k", one), ("k", two))
    ruled.jobs.plant(job_id, JobFaults(task=hook))
    ruled.run(job_id)
    told = {row[2]: row[3:6] for row in ruled.rows(job_id)}
    assert told[one] == ["failed", "403", "DstPutObjectNotPermitted"]
    assert told[two] == ["succeeded", "200", ""]
    assert ruled.wait() == 1
    assert ruled.only("near").version_id == two


def test_throttled_tasks_fail_or_just_take_longer(ruled: Works) -> None:
    """If this fails, throttling inside S3 is never met before AWS."""
    job_id = mixed(ruled)
    assert ruled.describe(job_id).progress_summary.elapsed_time_in_active_seconds == 0
    ruled.jobs.fault_hook = lambda _number, _request: JobFaults(
        task=failing(SLOW_DOWN), more_step_s=90.0
    )
    slow = ruled.job_of(("k", "null"))
    assert ruled.run(slow).status == "Active"
    assert ruled.run(slow, 90).status == "Complete"
    assert ruled.rows(slow)[0][4:6] == ["503", "SlowDown"]


@pytest.mark.parametrize(
    ("end", "status"), [(JobEnd.FAILS, "Failed"), (JobEnd.IS_CANCELLED, "Cancelled")]
)
@pytest.mark.parametrize("after_tasks", [0, 2, 3, 99])
def test_a_job_may_end_before_its_tasks_do(
    end: JobEnd, status: str, after_tasks: int, ruled: Works
) -> None:
    """If this fails, partial reports of jobs that failed or were cancelled are never read."""
    ruled.jobs.fault_hook = lambda number, _request: (
        JobFaults(end=end, after_tasks=after_tasks, failure_reason="") if number == 1 else None
    )
    job_id = mixed(ruled)
    job = ruled.describe(job_id)
    assert job.status == status
    assert [one.failure_code for one in job.failure_reasons] == ["InternalError"] * (
        end is JobEnd.FAILS
    )
    done = min(after_tasks, 3)
    summary = job.progress_summary
    assert summary.number_of_tasks_succeeded + summary.number_of_tasks_failed == done
    assert len(ruled.rows(job_id)) == done if done else len(ruled.stored_keys()) == 1
    assert ruled.describe(mixed(ruled)).status == "Complete"


def test_a_suspended_job_may_expire_at_once(ruled: Works) -> None:
    """If this fails, an expired confirmation takes thirty days to try."""
    ruled.jobs.fault_hook = lambda _number, _request: JobFaults(end=JobEnd.EXPIRES)
    job_id = ruled.job_of(("k", "null"), is_confirmation_required=True)
    assert "Suspended" in ruled.failure(job_id)[1]
    unconfirmed = ruled.job_of(("k", "null"))
    assert ruled.run(unconfirmed).status == "Complete"


def test_checksums_are_quoted_json_in_their_column(ruled: Works) -> None:
    """If this fails, a reader that splits at commas is not found out."""
    job_id = ruled.job_of(("k", ruled.chain("source")[0].version_id), operation=checksumming())
    ruled.run(job_id)
    (result,) = manifest_of(ruled, job_id)["Results"]
    assert b',200,,"{""checksum_base64"":""' in ruled.read(result["Key"])
