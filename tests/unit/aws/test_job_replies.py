"""Answers of S3 Control, parsed."""

from datetime import UTC, datetime, timedelta, timezone

import botocore.session
import pytest

from backfill.aws import job_replies
from backfill.aws.replies import ReplyError, UnknownValueError
from backfill.model.jobs import JobFailure, JobProgress, JobStatus, ReportLocation

AT = datetime(2026, 11, 22, 10, tzinfo=UTC)
JOB: dict[str, object] = {
    "JobId": "job-1",
    "Status": "Active",
    "Priority": 10,
    "Description": "ours",
    "CreationTime": AT.astimezone(timezone(timedelta(hours=2))),
}


def test_a_bare_job_has_no_progress_no_report_and_no_end() -> None:
    """If this fails, a job that has just begun ends the run."""
    found = job_replies.job_description({"Job": {**JOB, "Operation": {"S3ReplicateObject": {}}}})
    assert (found.summary.operation, found.summary.status) == (
        "S3ReplicateObject",
        JobStatus.ACTIVE,
    )
    assert found.summary.progress == JobProgress()
    assert found.summary.created_at.tzinfo is UTC
    assert found.summary.created_at == AT
    assert (found.summary.ended_at, found.report, found.failures) == (None, None, ())


def test_all_that_a_description_tells_is_kept() -> None:
    """If this fails, a person does not hear why a job failed, or where its report is."""
    found = job_replies.job_description(
        {
            "Job": {
                **JOB,
                "Status": "Failed",
                "Operation": {"S3ComputeObjectChecksum": {"ChecksumAlgorithm": "SHA256"}},
                "JobArn": "arn:aws:s3:eu-west-1:111111111111:job/job-1",
                "RoleArn": "arn:aws:iam::111111111111:role/batch",
                "FailureReasons": [{"FailureCode": "C", "FailureReason": "because"}],
                "StatusUpdateReason": "stopped",
                "SuspendedCause": "AwaitingConfirmation",
                "TerminationDate": AT,
                "ProgressSummary": {
                    "TotalNumberOfTasks": 5,
                    "NumberOfTasksSucceeded": 1,
                    "NumberOfTasksFailed": 2,
                },
                "Report": {
                    "Enabled": True,
                    "Bucket": "arn:aws-cn:s3:::reports",
                    "Prefix": "theirs/",
                    "ExpectedBucketOwner": "111111111111",
                },
            }
        }
    )
    assert found.failures == (JobFailure(code="C", reason="because"),)
    assert (found.status_reason, found.suspended_cause) == ("stopped", "AwaitingConfirmation")
    assert found.summary.progress == JobProgress(total=5, succeeded=1, failed=2)
    assert found.summary.ended_at == AT
    assert found.arn.endswith("job/job-1")
    assert found.role_arn.endswith("role/batch")
    assert found.report == ReportLocation(
        bucket="reports", prefix="theirs/", expected_owner="111111111111"
    )


def test_a_report_without_a_prefix_lies_at_the_root_and_one_not_enabled_is_none() -> None:
    """If this fails, the report is looked for under `None/`."""
    report = {"Enabled": True, "Bucket": "arn:aws:s3:::reports", "Prefix": None}
    found = job_replies.job_description({"Job": {**JOB, "Report": report}})
    assert found.report is not None
    assert found.report.prefix == ""
    off = {"Job": {**JOB, "Report": {**report, "Enabled": False}}}
    assert job_replies.job_description(off).report is None


def test_other_peoples_jobs_of_any_operation_are_listed() -> None:
    """If this fails, somebody else's job in the account ends our run."""
    jobs = [{**JOB, "Operation": name} for name in ("LambdaInvoke", "S3OfNextYear")]
    page = job_replies.jobs_page({"Jobs": [*jobs, JOB], "NextToken": "more"})
    assert [job.operation for job in page.jobs] == ["LambdaInvoke", "S3OfNextYear", ""]
    assert page.next_token == "more"
    assert job_replies.job_description({"Job": JOB}).summary.operation == ""


@pytest.mark.parametrize("reply", [{}, {"Jobs": []}, {"Jobs": None}])
def test_an_account_without_jobs_is_an_empty_list(reply: dict[str, object]) -> None:
    """If this fails, the first job of an account cannot be made."""
    page = job_replies.jobs_page(reply)
    assert (page.jobs, page.next_token) == ((), "")


def test_every_status_of_botocores_model_is_known() -> None:
    """If this fails, a job in a status that S3 documents cannot be watched."""
    model = botocore.session.get_session().get_service_model("s3control")
    assert set(model.shape_for("JobStatus").metadata["enum"]) == {word.value for word in JobStatus}


def test_a_status_of_next_year_is_refused_by_name() -> None:
    """If this fails, a job in an unknown status is taken for another, or crashes the run."""
    with pytest.raises(UnknownValueError, match=r"job-1 .*Hibernating"):
        job_replies.job_description({"Job": {**JOB, "Status": "Hibernating"}})


@pytest.mark.parametrize("name", ["JobId", "Status", "CreationTime"])
def test_a_job_without_what_it_must_have_is_no_answer(name: str) -> None:
    """If this fails, a cut answer is taken for a job."""
    job = {key: value for key, value in JOB.items() if key != name}
    with pytest.raises(ReplyError):
        job_replies.job_description({"Job": job})


@pytest.mark.parametrize("reply", [{}, {"JobId": ""}, {"JobId": 5}])
def test_a_creation_without_an_id_is_no_success(reply: dict[str, object]) -> None:
    """If this fails, a job is counted that may not exist."""
    with pytest.raises(ReplyError):
        job_replies.created_job_id(reply)


def test_tags_are_told_by_key() -> None:
    """If this fails, a job of ours is not recognised and made again."""
    tags = {"Tags": [{"Key": "backfill-run", "Value": "7"}, {"Key": "empty"}]}
    assert job_replies.job_tags(tags) == {"backfill-run": "7", "empty": ""}


@pytest.mark.parametrize("value", ["text", [1], {"a": 1}])
def test_a_list_that_is_none_is_refused(value: object) -> None:
    """If this fails, garbage is taken for an account without jobs."""
    with pytest.raises(ReplyError):
        job_replies.jobs_page({"Jobs": value})
