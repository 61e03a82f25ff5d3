"""What is said of a job's status and of its own failures: complete, and the right cause."""

from dataclasses import replace

import pytest

from backfill.batch_operations.explaining import STATUS_TEXTS, job_failure_texts
from backfill.model.jobs import JobFailure, JobProgress, JobStatus
from tests.unit.batch_operations.ordering import description, order


@pytest.mark.parametrize("status", JobStatus)
def test_every_status_says_what_it_means_what_comes_next_and_what_to_do(status: JobStatus) -> None:
    """If this fails, a person is left alone with a word of the API."""
    text = STATUS_TEXTS[status]
    assert text.short
    assert text.meaning.endswith(".")
    assert text.next.endswith(".")
    is_stoppable = "backfill jobs cancel JOB_ID" in text.todo
    ends_itself = {JobStatus.COMPLETING, JobStatus.CANCELLING, JobStatus.FAILING}
    assert is_stoppable == (not status.is_terminal and status not in ends_itself)
    assert ("confirm JOB_ID" in text.todo) == (status is JobStatus.SUSPENDED)


def test_no_status_is_without_its_words() -> None:
    """If this fails, `backfill jobs` ends in a traceback while a job is in that status."""
    assert set(STATUS_TEXTS) == set(JobStatus)


def test_complete_is_not_said_to_be_arrived() -> None:
    """If this fails, a person takes Complete for done, and finds out months later."""
    meaning = STATUS_TEXTS[JobStatus.COMPLETE].meaning
    assert "does not say that one succeeded" in meaning
    assert "arrives later" in meaning


def told(code: str, reason: str, progress: JobProgress) -> tuple[str, str]:
    failed = description(
        order(), "j", JobStatus.FAILED, failures=(JobFailure(code=code, reason=reason),)
    )
    failed = replace(failed, summary=replace(failed.summary, progress=progress))
    (text,) = job_failure_texts(failed)
    assert (text.code, text.reason) == (code, reason)
    assert text.sentence
    assert text.mend
    return text.sentence, text.mend


NONE_DONE = JobProgress(total=5000)
MOST_FAILED = JobProgress(total=5000, succeeded=100, failed=900)
HALF_FAILED = JobProgress(total=5000, succeeded=500, failed=500)
JUST_MOST_FAILED = JobProgress(total=5000, succeeded=499, failed=501)
TOO_EARLY = JobProgress(total=5000, failed=999)


@pytest.mark.parametrize(
    ("code", "reason", "progress", "words"),
    [
        ("AccessDenied", "Reading the manifest is forbidden", NONE_DONE, "s3:GetObjectVersion"),
        ("ManifestForbidden", "", NONE_DONE, "s3:GetObjectVersion"),
        ("ManifestGenerationFailed", "", NONE_DONE, "PutInventoryConfiguration"),
        ("ManifestETagMismatch", "", NONE_DONE, "Keep others from writing"),
        ("X", "the etag differs", NONE_DONE, "Keep others from writing"),
        ("X", "getting no tags", NONE_DONE, "does not document"),
        ("InvalidManifestContent", "", NONE_DONE, "report this"),
        ("X", "Required fields are missing in the schema: Bucket", NONE_DONE, "report this"),
        ("ReportWriteFailed", "", NONE_DONE, "Object Lock"),
        ("X", "The job was suspended for too long", NONE_DONE, "30 days"),
        ("JobExpired", "", NONE_DONE, "30 days"),
        ("X", "not AUTHORIZED to perform", NONE_DONE, "manifests/batch-operations/"),
        ("X", "AccessDenied", NONE_DONE, "manifests/batch-operations/"),
        ("What", "is this", JUST_MOST_FAILED, "More than half"),
        ("X", "Reading the manifest is forbidden: AccessDenied", NONE_DONE, "s3:GetObjectVersion"),
        (
            "X",
            "Manifest generation found no keys matching the filter criteria",
            NONE_DONE,
            "Enabled",
        ),
        ("X", "Manifest generation failed: AccessDenied", NONE_DONE, "PutInventoryConfiguration"),
        ("X", "ETag mismatch", NONE_DONE, "Keep others from writing"),
        ("InvalidManifestContent", "Unexpected number of task fields", NONE_DONE, "report this"),
        (
            "X",
            "The job report could not be written to your report bucket",
            NONE_DONE,
            "Object Lock",
        ),
        ("JobExpired", "The job was Suspended for more than 30 days", NONE_DONE, "30 days"),
        ("X", "S3 cannot assume the role arn:aws:iam::1:role/r", NONE_DONE, "batchoperations.s3"),
        ("AccessDenied", "Access Denied", NONE_DONE, "manifests/batch-operations/"),
        ("DstBucketNotFound", "", NONE_DONE, "Destination.Bucket"),
        ("What", "is this", MOST_FAILED, "More than half"),
        ("What", "is this", HALF_FAILED, "does not document"),
        ("What", "is this", TOO_EARLY, "does not document"),
        ("", "", NONE_DONE, "does not document"),
    ],
)
def test_a_job_that_failed_is_explained_by_its_cause(
    code: str, reason: str, progress: JobProgress, words: str
) -> None:
    """If this fails, the mend that is shown belongs to another cause."""
    assert words in " ".join(told(code, reason, progress))


@pytest.mark.parametrize(
    "reason",
    ["Manifest generation found no keys matching the filter", "Manifest generation failed"],
)
def test_the_mend_of_a_generated_manifest_asks_for_no_flag_that_the_run_refuses(
    reason: str,
) -> None:
    """If this fails, a person is sent to a flag that a run with a plan does not take any more."""
    _, mend = told("X", reason, NONE_DONE)
    assert "--batch-manifest" not in mend
    assert mend.endswith("manifest of backfill's own: run the same `backfill run` again.")
