"""What a person must do next, in order, from the totals.

Never says "all is well" by silence: an empty list is only possible when every total is good.
Law: a step names how many versions it is about and the command or the remedy that mends them.
"""

from backfill.plan.routes import Reason
from backfill.report.tally import Tally
from backfill.report.wording import REASON_TONES, Tone, reason_sentence
from backfill.verify.verdicts import Evidence, Verdict


def next_steps(tally: Tally) -> tuple[str, ...]:
    """Return the steps, the most urgent first."""
    steps = [
        *_work_left(tally),
        *_repairs(tally),
        *_doubts(tally),
        *_reasons(tally),
    ]
    return tuple(steps)


def _work_left(tally: Tally) -> list[str]:
    failed = _rows(tally, "failed")
    waiting = _rows(tally, "not executed")
    steps = []
    if failed:
        steps.append(
            f"failed: {failed:,}. See the codes below, mend the cause, then backfill repair; of a"
            " code of replication, backfill preflight --code CODE says what is missing where."
        )
    if waiting:
        steps.append(f"still to be moved: {waiting:,}. backfill run goes on with them.")
    return steps


def _repairs(tally: Tally) -> list[str]:
    different = tally.verdicts[Verdict.DIFFERENT.value] + tally.unlike
    missing = tally.verdicts[Verdict.MISSING.value]
    extra = tally.verdicts[Verdict.EXTRA.value]
    counts = {"different": different, "missing": missing}
    found = ", ".join(f"{name}: {count:,}" for name, count in counts.items() if count)
    steps = []
    if found:
        steps.append(
            f"{found}. backfill repair mends what a copy can mend, says what is left to a person,"
            " and verifies."
        )
    if extra:
        steps.append(
            f"at the destination only: {extra:,}. Decide whether they belong there; backfill"
            " repair --allow-hiding hides them and keeps their versions."
        )
    return steps


def _doubts(tally: Tally) -> list[str]:
    not_read = tally.evidence[Evidence.NOT_READ.value]
    unverified = tally.verdicts[Verdict.UNVERIFIED.value] - not_read
    in_flight = tally.verdicts[Verdict.IN_FLIGHT.value]
    steps = []
    if not_read:
        steps.append(
            f"not read: {not_read:,}. The store refused or failed a read; rows.csv says which and"
            " why. Mend it, then backfill verify."
        )
    if unverified > 0:
        steps.append(
            f"without common evidence: {unverified:,}. backfill verify --evidence checksum-jobs"
            " has S3 compute checksums on both sides; --deep reads both sides;"
            " --allow-unverified accepts them."
        )
    if in_flight:
        steps.append(f"with live replication: {in_flight:,}. backfill verify again later.")
    return steps


def _reasons(tally: Tally) -> list[str]:
    steps = []
    for tone in (Tone.BAD, Tone.WAIT):
        for reason in Reason:
            rows = tally.total("reason", reason.value).rows
            remedy = reason_sentence(reason)[1]
            if rows and REASON_TONES[reason] is tone and remedy:
                steps.append(f"{reason.value}: {rows:,}. {remedy}")
    return steps


def _rows(tally: Tally, outcome: str) -> int:
    return sum(
        amount.rows
        for path, amount in tally.branches.items()
        if path[0] == "routed" and path[2] == outcome
    )
