"""What the source identity itself must be allowed: to make jobs, and to have objects restored.

Never speaks of what a run asks first of all, and says itself: listings and reads.
Law: where only the identity's own policies could tell, and nobody reads them, it says so.
"""

from collections.abc import Iterator, Sequence

from backfill.model.accounts import Role
from backfill.preflight.access import IDENTITY, RESOURCE, Judged, judged
from backfill.preflight.checks.check import Check, blocked, ok, untold
from backfill.preflight.evidence import Gathered
from backfill.preflight.findings import Finding, Mend, Part
from backfill.preflight.granting import bucket_mend, caller_mend, evidence_lines, role_mend
from backfill.preflight.permissions import Need, job_needs, restore_needs


def _makes_jobs(seen: Gathered) -> Iterator[Finding]:
    yield from _of_caller(seen, "job-caller", job_needs(seen), "make jobs and pass the batch role")


def _restores(seen: Gathered) -> Iterator[Finding]:
    yield from _of_caller(seen, "restore-caller", restore_needs(seen), "have objects restored")


def _of_caller(seen: Gathered, check: str, needs: Sequence[Need], what: str) -> Iterator[Finding]:
    if not needs:
        return
    told = judged(seen, needs)
    arn = needs[0].request.principal.arn
    both = IDENTITY | RESOURCE
    lacking = [each for each in told if each.lacks(IDENTITY)]
    denied = [each for each in told if each.denying(both)]
    pending = [each for each in told if each.pending(both)]
    if lacking or denied:
        actions = ", ".join(dict.fromkeys(each.need.action for each in (*lacking, *denied)))
        lines = evidence_lines([*denied, *lacking], both)
        says = f"the source identity may not {what}: {actions}"
        yield blocked(check, arn, says, _mend(check, arn, lacking, denied), *lines)
    elif pending:
        says = f"whether the source identity may {what} is not known"
        yield untold(check, arn, says, *evidence_lines(pending, both))
    else:
        yield ok(check, arn, f"the source identity may {what}")


def _mend(check: str, arn: str, lacking: Sequence[Judged], denied: Sequence[Judged]) -> Mend:
    need = (*denied, *lacking)[0].need
    if need.bucket is not None and any(each.denying(RESOURCE) for each in denied):
        return bucket_mend(need.bucket, (), denied, arn)
    if isinstance(need.role.role, Role):
        return role_mend(need.role.role, check, lacking, denied)
    return caller_mend(arn, check, lacking, denied)


CHECKS = (
    Check(
        id="job-caller",
        part=Part.JOBS,
        asks="May the source identity create and watch jobs, and pass them the batch role?",
        why="CreateJob is refused without iam:PassRole on the role; without s3:ListJobs a job is"
        " not found again after a crash.",
        look=_makes_jobs,
    ),
    Check(
        id="restore-caller",
        part=Part.COPIES,
        asks="May the source identity have archived objects restored?",
        why="Without s3:RestoreObject each archived version fails, after the whole plan (S3 API:"
        " RestoreObject). Only where the campaign restores.",
        look=_restores,
    ),
)
