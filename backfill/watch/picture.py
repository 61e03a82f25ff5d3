"""What one look at live replication shows: rules, causes, queues, the repair manifest, a verdict.

Never prints (`lines` makes text of it, the command JSON).
Law: `exit_code` follows from what is in the picture and from nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from backfill.plan.rules import Rule
from backfill.watch.causes import Cause, is_failure
from backfill.watch.ledger_words import Tally
from backfill.watch.metrics import Measured, Metric, Trend
from backfill.watch.notices import Word
from backfill.watch.verdicts import Standing, Told, Verdict, judged

SCHEMA: Final = "backfill.watch/1"

_WORST_FIRST: Final = (
    Verdict.FAILS,
    Verdict.FALLS_BEHIND,
    Verdict.CANNOT_TELL,
    Verdict.KEEPS_UP,
    Verdict.NO_DATA,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePicture:
    """How one enabled rule does.

    Attributes:
        rule_id: The rule's ID.
        destination_bucket: Where it replicates to.
        destination_region: The Region of that bucket; empty if it could not be had.
        verdict: What can be said, one of the list below.
        sentence: The same for a person.
        is_open: Something is under way, behind, failed or not known.
        pending_operations: CloudWatch's newest OperationsPendingReplication; null for no data.
        pending_bytes: CloudWatch's newest BytesPendingReplication; null for no data.
        latency_s: CloudWatch's newest ReplicationLatency; null for no data.
        failed_operations: Sum of OperationsFailedReplication over the last hour; null for no data.
        trend: Where the pending operations went.
        failed_versions: Versions that events named as failed and that did not arrive since.
        late_versions: Versions that wait for longer than the 15 minutes of RTC.
        untracked_versions: Versions that S3 tracks no longer, arrived or not.
    """

    rule_id: str
    destination_bucket: str
    destination_region: str
    verdict: Verdict
    sentence: str
    is_open: bool
    pending_operations: float | None
    pending_bytes: float | None
    latency_s: float | None
    failed_operations: float | None
    trend: Trend
    failed_versions: int
    late_versions: int
    untracked_versions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePicture:
    """What was read of the queues in one look.

    Attributes:
        arns: The queues.
        messages: How many messages were read.
        new_words: How many of the events in them said something new.
        left: How many messages stay in the queues, by why.
        faults: Why a queue could not be read.
        has_more: More messages wait for the next look.
    """

    arns: tuple[str, ...]
    messages: int = 0
    new_words: int = 0
    left: Mapping[str, int]
    faults: tuple[str, ...] = ()
    has_more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFilePicture:
    """One file of the repair manifest, for one job.

    Attributes:
        file: Where it lies.
        rows: Versions in it: Bucket, Key (percent-encoded), VersionId, without a header.
        size_bytes: Its size.
        etag: What its upload in one part will have, for the job's Manifest.Location.
    """

    file: str
    rows: int
    size_bytes: int
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One look at the live replication of a bucket.

    Attributes:
        schema: Name and version of this document.
        source_bucket: The bucket that is watched.
        source_region: Its Region.
        source_account: The account that is expected to own it.
        at: When it was looked at, by this machine's clock.
        verdict: The worst of the rules' verdicts.
        exit_code: What `--once` exits with.
        rules: Each enabled rule.
        failed_versions: Versions that failed and did not arrive since, under whatever rule.
        causes: Why they failed, the most frequent first.
        queues: What was read of the queues.
        manifest: The files of the repair manifest; none if there is nothing to repair.
        remarks: What could not be seen, and why.
    """

    schema: str
    source_bucket: str
    source_region: str
    source_account: str
    at: datetime
    verdict: Verdict
    exit_code: int
    rules: tuple[RulePicture, ...]
    failed_versions: int
    causes: tuple[Cause, ...]
    queues: QueuePicture
    manifest: tuple[ManifestFilePicture, ...]
    remarks: tuple[str, ...]


def standing_of(
    rule: Rule, tallies: Sequence[Tally], *, has_named_failures: bool = False
) -> Standing:
    """Return what events left open for a rule."""
    counts = dict.fromkeys(Word, 0)
    for tally in tallies:
        is_mine = (tally.rule_id, tally.destination_bucket) == (rule.id, rule.destination.bucket)
        if is_mine and _counts(tally):
            counts[tally.word] += tally.versions
    return Standing(
        failed=counts[Word.FAILED],
        late=counts[Word.LATE],
        untracked=counts[Word.NOT_TRACKED],
        has_named_failures=has_named_failures,
    )


def rule_picture(
    rule: Rule,
    told: Mapping[Metric, Told] | None,
    standing: Standing,
    *,
    destination_region: str,
    now: datetime,
) -> RulePicture:
    """Return how a rule does; `told` None: it has no metrics."""
    judgement = judged(told, standing, now=now)
    numbers = {m: each for m, each in (told or {}).items() if isinstance(each, Measured)}
    pending = numbers.get(Metric.PENDING)
    return RulePicture(
        rule_id=rule.id,
        destination_bucket=rule.destination.bucket,
        destination_region=destination_region,
        verdict=judgement.verdict,
        sentence=judgement.sentence,
        is_open=judgement.is_open,
        pending_operations=_newest(numbers, Metric.PENDING),
        pending_bytes=_newest(numbers, Metric.PENDING_BYTES),
        latency_s=_newest(numbers, Metric.LATENCY),
        failed_operations=numbers[Metric.FAILED].total if Metric.FAILED in numbers else None,
        trend=pending.trend if pending else Trend.UNKNOWN,
        failed_versions=standing.failed,
        late_versions=standing.late,
        untracked_versions=standing.untracked,
    )


def failed_versions(tallies: Sequence[Tally]) -> int:
    """Count the versions that failed and have not arrived, under whatever rule."""
    return sum(t.versions for t in tallies if t.word is Word.FAILED and _counts(t))


def overall(
    rules: Sequence[RulePicture], *, failed: int, queues: QueuePicture
) -> tuple[Verdict, int]:
    """Return the worst verdict, and the exit code of a single look.

    3: something failed; 5: something is under way, behind or not known; else 0.
    """
    if failed:
        return Verdict.FAILS, 3
    held = {rule.verdict for rule in rules}
    verdict = next(each for each in _WORST_FIRST if each in held)
    if verdict is Verdict.FAILS:
        return verdict, 3
    is_open = queues.faults or queues.has_more or any(rule.is_open for rule in rules)
    return verdict, 5 if is_open else 0


def _counts(tally: Tally) -> bool:
    return tally.word is not Word.FAILED or is_failure(tally.reason)


def _newest(numbers: Mapping[Metric, Measured], metric: Metric) -> float | None:
    return numbers[metric].newest if metric in numbers else None
