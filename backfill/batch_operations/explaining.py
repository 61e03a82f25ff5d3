"""What a job's status and its own failures mean, for a person who has never seen Batch Operations.

Never decides: `steps` does. What failure codes of single tasks mean stands in `failure_codes`.
Law: every status has its sentences, and every reason that S3 gives is answered for.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from backfill.batch_operations.failure_codes import FAILURE_CODES
from backfill.model.jobs import JobDescription, JobFailure, JobProgress, JobStatus

TASKS_BEFORE_RATE: Final = 1000
"""Tasks after which S3 fails a job that fails more than half of them (S3 User Guide:
batch-ops-job-status)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusText:
    """A status in words.

    `short` stands in a list; `meaning` is what S3 does now, `next` what comes of itself, and `todo`
    what a person can do, with JOB_ID in place of the job's own; empty: nothing.
    """

    short: str
    meaning: str
    next: str
    todo: str = ""


_STOPPABLE: Final = "Nothing. To stop it for good: backfill jobs cancel JOB_ID"
_SPENT: Final = "What it did stays done and is charged."

STATUS_TEXTS: Final[Mapping[JobStatus, StatusText]] = {
    JobStatus.NEW: StatusText(
        short="just created",
        meaning="S3 has taken the job in and has not looked at it yet.",
        next="S3 reads the manifest (Preparing).",
        todo=_STOPPABLE,
    ),
    JobStatus.PREPARING: StatusText(
        short="S3 reads its manifest",
        meaning="S3 reads the list of object versions, or makes it, and counts the tasks.",
        next="The job runs as soon as S3 has room for it; if it must be confirmed, it waits for a"
        " person (Suspended). A long manifest can take hours.",
        todo=_STOPPABLE,
    ),
    JobStatus.SUSPENDED: StatusText(
        short="waits for a person to confirm it",
        meaning="The manifest is read, and S3 does nothing until a person confirms the job.",
        next="Nothing, until then. S3 fails a job that stays Suspended for 30 days.",
        todo="Look at the number of tasks: each is charged, whether it succeeds or not. To start"
        " the job: backfill jobs confirm JOB_ID. To drop it: backfill jobs cancel JOB_ID",
    ),
    JobStatus.READY: StatusText(
        short="waits for its turn at S3",
        meaning="All is prepared, and S3 starts the job when it has room for it.",
        next="The job becomes Active by itself; jobs of a higher priority go first.",
        todo=_STOPPABLE,
    ),
    JobStatus.ACTIVE: StatusText(
        short="S3 works through its tasks",
        meaning="S3 carries out the tasks, one for each object version of the manifest.",
        next="The job completes by itself. S3 fails it if, after 1,000 tasks, more than half of"
        " them failed.",
        todo=_STOPPABLE,
    ),
    JobStatus.PAUSING: StatusText(
        short="S3 pauses it for a more urgent job",
        meaning="A job of a higher priority needs the room, and this one is being paused.",
        next="It is Paused, then goes on by itself.",
        todo=_STOPPABLE,
    ),
    JobStatus.PAUSED: StatusText(
        short="paused by S3 for a more urgent job",
        meaning="A job of a higher priority has the room; no task of this one is lost.",
        next="It goes on by itself when there is room again.",
        todo=_STOPPABLE,
    ),
    JobStatus.COMPLETING: StatusText(
        short="S3 writes its report",
        meaning="Every task was tried, and S3 finishes the completion report.",
        next="The job is Complete by itself, mostly within minutes.",
    ),
    JobStatus.COMPLETE: StatusText(
        short="every task was tried",
        meaning="Every task was tried. That does not say that one succeeded; and a replication task"
        " that succeeded has started the replication of its version, which arrives later.",
        next="Nothing at S3, which forgets the job 90 days after its end. `backfill run` reads the"
        " completion report, then looks at the destination for each version.",
        todo="Run the same `backfill run` again, unless it is still at work.",
    ),
    JobStatus.CANCELLING: StatusText(
        short="being cancelled",
        meaning=f"Somebody cancelled the job, and S3 ends what is under way. {_SPENT}",
        next="The job is Cancelled by itself.",
    ),
    JobStatus.CANCELLED: StatusText(
        short="cancelled",
        meaning=f"Somebody cancelled the job. {_SPENT}",
        next="Nothing at S3.",
        todo="Run the same `backfill run` again: it makes a new job for what is left.",
    ),
    JobStatus.FAILING: StatusText(
        short="failing as a whole",
        meaning="S3 gave the job up and ends what is under way.",
        next="The job is Failed by itself; then its reasons are shown here.",
    ),
    JobStatus.FAILED: StatusText(
        short="failed as a whole",
        meaning=f"S3 gave the job up as a whole. {_SPENT}",
        next="Nothing at S3.",
        todo="Mend what is named below, then run the same `backfill run` again: it makes a new job"
        " for what is left.",
    ),
}
"""S3 User Guide: batch-ops-job-status; its list omits Completing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFailureText:
    """One of a job's FailureReasons, as S3 gives it, explained; `mend` may be empty."""

    code: str
    reason: str
    sentence: str
    mend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What S3 says in words, and what it means. AWS documents hardly any code of jobs."""

    words: re.Pattern[str]
    sentence: str
    mend: str


def _told(words: str, sentence: str, mend: str) -> _Told:
    return _Told(words=re.compile(words, re.IGNORECASE), sentence=sentence, mend=mend)


_TOLD: Final = (
    _told(
        r"reading the manifest is forbidden|ManifestForbidden",
        "The role of the job may not read the manifest in the batch bucket.",
        "Grant s3:GetObject and s3:GetObjectVersion on the batch bucket's objects to the batch role"
        " and look for a Deny in the bucket's policy. A manifest in the inventory format under"
        " SSE-KMS needs kms:Decrypt and kms:GenerateDataKey on the key, too. A CSV manifest cannot"
        " be read under SSE-KMS or SSE-C: keep the bucket from encrypting it anew.",
    ),
    _told(
        r"no keys matching",
        "S3 should have listed the versions itself and found none that its rules replicate.",
        "Check that the rule is Enabled and covers the keys, and that SSE-KMS objects are opted in;"
        " a new rule needs some minutes. The run's next attempt takes a manifest of backfill's own:"
        " run the same `backfill run` again.",
    ),
    _told(
        r"manifest generation failed|ManifestGeneration",
        "S3 should have listed the versions itself and could not.",
        "Grant s3:PutInventoryConfiguration and s3:GetReplicationConfiguration on the source bucket"
        " to the batch role, for runs to come. The next attempt of this one takes a manifest of"
        " backfill's own: run the same `backfill run` again.",
    ),
    _told(
        r"\bETag\b|ManifestETag",
        "The manifest in the batch bucket is not the one that the job was made for: somebody wrote"
        " it again.",
        "Keep others from writing below the batch prefix, then run again.",
    ),
    _told(
        r"InvalidManifestContent|number of task fields|fields are missing in the schema",
        "S3 cannot read the manifest as what it should be.",
        "A manifest of backfill's own is never so. If nobody altered it, please report this.",
    ),
    _told(
        r"report could not be written|ReportWrite",
        "S3 could not write the completion report, so nobody can tell how the tasks ended.",
        "Grant s3:PutObject on the batch bucket's objects to the batch role. The batch bucket must"
        " not have a default retention of Object Lock.",
    ),
    _told(
        r"suspended for|JobExpired",
        "Nobody confirmed the job within 30 days.",
        "Run again and confirm the new job in time, or leave --confirm out.",
    ),
    _told(
        r"assume",
        FAILURE_CODES["AssumeRoleNotPermitted"].sentence,
        FAILURE_CODES["AssumeRoleNotPermitted"].mend,
    ),
    _told(
        r"access ?denied|not authorized",
        "The role of the job may not do what the job needs; S3's own words are above.",
        "Compare the batch role with manifests/batch-operations/, and look for a Deny in the"
        " policies of the buckets and of the organization.",
    ),
)
"""S3 User Guide: troubleshooting-batch-operations; the first that fits is taken."""

_HALF: Final = (
    "More than half of the tasks failed, and S3 gives a job up then.",
    "See the failure codes of the tasks: mostly one cause fails them all.",
)
_UNKNOWN: Final = (
    "AWS does not document this reason; it is shown as S3 gives it.",
    "Mend what it names, if it names something.",
)


def job_failure_texts(description: JobDescription) -> tuple[JobFailureText, ...]:
    """Explain why a job failed as a whole; total over whatever S3 says."""
    progress = description.summary.progress
    return tuple(_explained(failure, progress) for failure in description.failures)


def _explained(failure: JobFailure, progress: JobProgress) -> JobFailureText:
    sentence, mend = _meaning(failure, progress)
    return JobFailureText(code=failure.code, reason=failure.reason, sentence=sentence, mend=mend)


def _meaning(failure: JobFailure, progress: JobProgress) -> tuple[str, str]:
    words = f"{failure.code}: {failure.reason}"
    for told in _TOLD:
        if told.words.search(words):
            return told.sentence, told.mend
    if (known := FAILURE_CODES.get(failure.code)) is not None:
        return known.sentence, known.mend
    # By numbers: how S3 words it is not documented.
    if progress.done >= TASKS_BEFORE_RATE and progress.failed * 2 > progress.done:
        return _HALF
    return _UNKNOWN
