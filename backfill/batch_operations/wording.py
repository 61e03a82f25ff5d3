"""What a person reads when jobs wait, go on without us, or are not what we remember.

Never decides that a run ends; it words the end that `steps` or the driver found.
Law: every sentence about a job names it by the ID that `backfill jobs` and the AWS console show.
"""

from collections.abc import Sequence
from typing import Final

from backfill.batch_operations.standings import Standing
from backfill.errors import InterruptedRunError, JobWaitsError, MissingPermissionError, RefusedError
from backfill.model.escaping import visible_text

JOBS_NAMED_MAX: Final = 10
"""Jobs named in one message; a terminal shows that many, and `backfill jobs` lists all."""
_LIST: Final = "`backfill jobs` lists them all"


def waiting(suspended: Sequence[Standing]) -> JobWaitsError:
    """Return the end of a run that has nothing left but Suspended jobs."""
    named = suspended[:JOBS_NAMED_MAX]
    more = len(suspended) - len(named)
    jobs = "; ".join(_suspended_job(standing) for standing in named)
    commands = "; ".join(f"`backfill jobs confirm {one.record.job_id}`" for one in named)
    what = "1 job is" if len(suspended) == 1 else f"{len(suspended)} jobs are"
    return JobWaitsError(
        f"{what} Suspended until a person confirms: {jobs}" + (f"; and {more} more" * bool(more)),
        hint=f"{commands}, then the same command again"
        + f" ({_LIST})" * bool(more)
        + "; S3 fails a job that stays Suspended for 30 days",
    )


def _suspended_job(standing: Standing) -> str:
    cause = standing.description.suspended_cause if standing.description is not None else ""
    why = f": {visible_text(cause)}" if cause else ""
    return f"{standing.record.job_id} ({standing.order.name}, {standing.order.rows:,} rows{why})"


def interrupted(
    signal_name: str, signal_number: int, standings: Sequence[Standing]
) -> InterruptedRunError:
    """Return the end of a run that was asked to stop: its jobs go on."""
    left = [one for one in standings if one.is_created and not one.has_ended]
    named = ", ".join(one.record.job_id for one in left[:JOBS_NAMED_MAX])
    if len(left) > JOBS_NAMED_MAX:
        named += f" and {len(left) - JOBS_NAMED_MAX} more"
    go_on = f"jobs go on in AWS: {named}" if left else "no job is under way"
    if any(one.record.is_open for one in standings):
        go_on += "; one more may have been created, and will be looked for"
    return InterruptedRunError(
        f"stopped by {signal_name}; {go_on}",
        hint="run the same command again to come back to them; "
        "`backfill jobs` shows them, `backfill jobs cancel JOB_ID` stops one",
        signal_number=signal_number,
    )


def vanished(standing: Standing) -> RefusedError:
    """Return the end over a job that S3 does not know any more."""
    return RefusedError(
        f"S3 knows no job {standing.record.job_id} ({standing.order.name}), which it had created; "
        "S3 forgets a job 90 days after its end",
        hint="check the account, the Region and the profile; if the job is gone for good, "
        "begin anew with another --run-dir: what was delivered will be recognised",
    )


def unlistable(error: MissingPermissionError) -> MissingPermissionError:
    """Return the refusal to create jobs that could not be found again after a crash."""
    return MissingPermissionError(
        f"jobs cannot be looked up, so none is created: {error.message}", hint=error.hint
    )


def conflicting(standing: Standing) -> RefusedError:
    """Return the end over a token that S3 knows for another request."""
    return RefusedError(
        f"S3 took the token of job {standing.order.name} for a request that differs "
        "(IdempotencyException), and lists no job that carries its digest",
        hint="ask for the same role, priority, buckets and --confirm as the first time, "
        "or begin anew with another --run-dir",
    )
