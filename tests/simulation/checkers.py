"""The promises, checked from the evidence alone. Each violation names the promise that it breaks.

P1  the destination never goes backwards, and at rest shows what the source shows
P2  every entry has exactly one outcome, what was counted is kept, totals add up
P3  no source version is written twice
P4  what is reported is true
P9  the run comes to its end once faults stop
guarded  every write is conditional, pinned, with both owners; nothing is ever deleted by version ID

One exception each for P1 and P3 is stated in docs/internals/SIMULATION.md, and checked.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

from backfill.execute.codes import Code
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.plan.entries import PlanEntry
from backfill.sandbox.model.values import ReplicationStatus
from backfill.sandbox.model.versions import DeleteMarker, Entry, ObjectVersion
from backfill.verify.verdicts import Verdict
from backfill.work_done import outcomes_name
from tests.doubles.history import Changed, Counted, Reopened, Sent
from tests.doubles.troubles import STOPPING
from tests.simulation.evidence import Evidence
from tests.simulation.promises import Promise, Violation
from tests.simulation.rounds import WholeEvidence
from tests.simulation.runs import Run
from tests.simulation.scenario import OWNER, RECEIVER, SOURCE
from tests.simulation.true_reports import outcomes_are_true, repaired, verdicts_are_true

__all__ = [
    "COPY_CHECKS",
    "Promise",
    "Violation",
    "counted_is_kept",
    "guarded",
    "one_outcome_each",
    "plan_adds_up",
    "violations",
]


def violations(run: Run) -> list[Violation]:
    """Return everything that a run broke."""
    evidence = Evidence(run)
    if run.failure:
        return [Violation(Promise.P9, "", run.failure), *guarded(evidence)]
    if not run.scenario.repairs:
        return [violation for check in _CHECKS for violation in check(evidence)]
    whole = WholeEvidence(run)
    found = [violation for check in _WHOLE_CHECKS for violation in check(whole)]
    found += [v for one in whole.round_views for check in _ROUND_CHECKS for v in check(one)]
    return [*found, *repaired(whole)]


# --- P1 ---


def _never_backwards(evidence: Evidence) -> Iterator[Violation]:
    windows = {window.position for window in evidence.windows()}
    for key, changes in evidence.changed.items():
        origin = evidence.history.origins.get((evidence.destination, key), ())
        highest = max((evidence.rank(entry) or 0 for entry in origin[:1]), default=0)
        for position, change in changes:
            made = change.made
            is_copy = change.is_ours and isinstance(made, ObjectVersion) and change.after[0] is made
            rank = evidence.rank(made)
            before = evidence.rank(change.before[0]) if change.before else None
            bound = highest if before is None else before
            if is_copy and rank is not None and rank < bound and position not in windows:
                what = f"our copy of rank {rank} covers rank {bound} ({change.at_s:.3f} s)"
                yield Violation(Promise.P1, key, what)
            if is_copy and position not in windows and _resurrects(evidence, position, change):
                yield Violation(Promise.P1, key, f"a copy over a marker it was shown, {rank}")
            highest = max(highest, *(evidence.rank(entry) or 0 for entry in change.after[:1]), 0)


def _strangers_are_left_alone(evidence: Evidence) -> Iterator[Violation]:
    """What nothing at the source explains is covered only where the manifest has it as seen."""
    for key, change in ((key, c) for key, all_ in evidence.changed.items() for _, c in all_):
        below = change.before[0] if change.before else None
        if not change.is_ours or not isinstance(below, ObjectVersion) or evidence.is_ours(below):
            continue
        if evidence.rank(below) is None and below.version_id not in evidence.seen(key):
            yield Violation(Promise.P1, key, "a stranger's object was covered")


def _resurrects(evidence: Evidence, position: int, change: Changed) -> bool:
    """Return whether a copy covers a marker that is not the source's older history, knowingly."""
    below = change.before[0] if change.before else None
    if not isinstance(below, DeleteMarker) or evidence.is_ours(below) or change.source is None:
        return False
    rank = evidence.rank(below)
    is_older = rank is not None and rank < change.source.sequence
    # An earlier copy of the marker may be known by its ID: replicas keep it.
    return not is_older and evidence.was_shown(below, position, change)


def _hides_only_what_is_deleted(evidence: Evidence) -> Iterator[Violation]:
    """A marker of ours covers our own copy, or what the source has deleted since."""
    windows = {window.position for window in evidence.windows()}
    for key, changes in evidence.changed.items():
        for position, change in changes:
            below = change.before[0] if change.before else None
            if position in windows or not (
                change.is_ours and isinstance(change.made, DeleteMarker)
            ):
                continue
            rank = evidence.rank(below)
            if rank is None or evidence.is_ours(below):
                continue
            if rank > evidence.last_deletion(key, position):
                yield Violation(Promise.P1, key, f"our marker hides rank {rank}, not deleted")


def _windows_are_told(evidence: Evidence) -> Iterator[Violation]:
    """A write that covers what is newer is hidden, covered again, or reported."""
    work = evidence.by_key
    for window in evidence.windows():
        entry, outcome = work[window.key]
        made = window.change.made
        is_plain = outcome.kind in (OutcomeKind.COPIED, OutcomeKind.MARKED) and not outcome.code
        if is_plain and made is not None and outcome.version_id == made.version_id:
            what = f"entry {entry.number} covers what it had not seen and says nothing of it"
            yield Violation(Promise.P1, window.key, what)


def _only_what_rules_select(evidence: Evidence) -> Iterator[Violation]:
    for key in evidence.changed:
        if evidence.scenario.selects(key):
            continue
        if any(change.is_ours for _, change in evidence.changed[key]):
            yield Violation(Promise.P1, key, "no rule selects the key, and it was written")


_LEFT_OPEN = frozenset({Code.STALE, Code.NOT_REVIEWED, Code.NOT_MENDED, Code.KEEPS_CHANGING})
"""Codes that say that our write may not be what should be current."""


def _is_left_open(outcome: Outcome | None) -> bool:
    """Return whether an outcome says that a write of ours may stand over what is newer."""
    if outcome is None:
        return False
    return outcome.code in _LEFT_OPEN or "may have been applied" in outcome.detail


def _right_in_the_end(evidence: Evidence) -> Iterator[Violation]:
    planned = evidence.planned
    for key in evidence.scenario.keys:
        if not evidence.scenario.selects(key):
            continue
        source = evidence.current(SOURCE, key)
        shown = evidence.current(evidence.destination, key)
        outcome = evidence.final_outcome(key)
        if evidence.is_strange(shown) or key in evidence.damaged:
            continue  # written or taken away after us, by somebody whom no rule binds
        if isinstance(source, ObjectVersion):
            problem = _object_problem(evidence, source, shown, planned.get(key), outcome)
        elif isinstance(source, DeleteMarker):
            problem = _marker_problem(evidence, source, shown, planned.get(key), outcome)
        else:
            continue  # removed for good, which is never replicated
        if problem:
            says = f"{outcome.kind} {outcome.code}" if outcome else "no entry"
            yield Violation(Promise.P1, key, f"{problem}; the run says {says}")


def _object_problem(
    evidence: Evidence,
    source: ObjectVersion,
    shown: Entry | None,
    row: PlanEntry | None,
    outcome: Outcome | None,
) -> str:
    """Return what is wrong where the source shows an object; empty if nothing is."""
    is_equal = isinstance(shown, ObjectVersion) and shown.body.data == source.body.data
    shown_rank = evidence.rank(shown)
    # Ahead is right, too: what the source removed for good stays, that is never replicated.
    if is_equal or (shown_rank is not None and shown_rank >= source.sequence):
        return ""
    is_planned = row is not None and row.version_id == source.version_id and _is_row_of(row, source)
    if isinstance(shown, DeleteMarker) and evidence.is_ours(shown):
        is_told = outcome is not None and outcome.kind in (OutcomeKind.HIDDEN, OutcomeKind.MARKED)
        return "" if is_told else "a marker of ours hides what the source shows"
    if evidence.is_ours(shown):
        is_delivered = source.replication_status is ReplicationStatus.COMPLETED
        is_told = _is_left_open(outcome)
        if is_told or (not is_delivered and not is_planned):
            return ""
        return f"our copy of rank {shown_rank} stands over rank {source.sequence}"
    if is_planned and row is not None:
        return "" if _is_stated(row, outcome) else "a planned version did not come, unexplained"
    return ""


def _marker_problem(
    evidence: Evidence,
    source: DeleteMarker,
    shown: Entry | None,
    row: PlanEntry | None,
    outcome: Outcome | None,
) -> str:
    """Return what is wrong where the source shows a delete marker; empty if nothing is."""
    if not isinstance(shown, ObjectVersion) or not evidence.scenario.rule_replicates_markers:
        return ""
    is_planned = row is not None and _is_row_of(row, source)
    if evidence.is_ours(shown):
        is_told = _is_left_open(outcome)
        is_live = source.replication_status is ReplicationStatus.COMPLETED
        if is_told or (not is_live and not is_planned):
            return ""
        return "our copy stands where the source is deleted"
    if is_planned and row is not None:
        return "" if _is_stated(row, outcome) else "a planned marker did not come, unexplained"
    return ""


def _is_row_of(row: PlanEntry, entry: Entry) -> bool:
    return row.version_id == entry.version_id and row.last_modified == entry.last_modified


def _is_stated(row: PlanEntry, outcome: Outcome | None) -> bool:
    if row.route is None:
        return row.reason is not None
    return outcome is not None and (bool(outcome.code) or outcome.kind is OutcomeKind.ALREADY_THERE)


def _only_what_is_asked(evidence: Evidence) -> Iterator[Violation]:
    """A process writes no key but those of the manifest that it carries out."""
    asked = {entry.key for entry in evidence.manifest}
    for key, changes in evidence.changed.items():
        if key not in asked and any(change.is_ours for _, change in changes):
            yield Violation(Promise.P1, key, "no manifest asks for it, and it was written")


# --- P2 ---


def one_outcome_each(evidence: Evidence) -> Iterator[Violation]:
    """Every entry has one outcome, and the totals count them."""
    numbers = [outcome.number for outcome in evidence.outcomes]
    if numbers != [entry.number for entry in evidence.manifest]:
        yield Violation(Promise.P2, "", f"outcomes {numbers} of {len(evidence.manifest)} entries")
    index = evidence.run.artifacts.index(outcomes_name(evidence.round_number))
    kinds = Counter(outcome.kind.value for outcome in evidence.outcomes)
    told = index.summary["kinds"] if index is not None else {}
    if told != {kind.value: kinds[kind.value] for kind in OutcomeKind}:
        yield Violation(Promise.P2, "", f"totals {told} do not count {kinds}")


def plan_adds_up(evidence: Evidence) -> Iterator[Violation]:
    """Every listed version has a route or a reason, and every route a row."""
    listed = len(evidence.run.artifacts.held["inventory/source"])
    routed = sum(1 for row in evidence.plan if row.route is not None)
    reasons = sum(1 for row in evidence.plan if row.reason is not None)
    if listed != routed + reasons or routed != len(evidence.manifest):
        what = f"{listed} versions, {routed} routes, {reasons} reasons, {len(evidence.manifest)}"
        yield Violation(Promise.P2, "", what)


def counted_is_kept(evidence: Evidence) -> Iterator[Violation]:
    """What a process has counted is in its journal."""
    counted: dict[str, int] = defaultdict(int)
    for event in evidence.history.events:
        if isinstance(event, Counted):
            counted[event.actor] = max(counted[event.actor], event.done)
        elif isinstance(event, Reopened) and event.outcomes < counted[event.actor]:
            what = f"{event.actor} counted {counted[event.actor]}, its journal has {event.outcomes}"
            yield Violation(Promise.P2, "", what)


def _stops_end_the_run(evidence: Evidence) -> Iterator[Violation]:
    """What no request of a run survives ends it, to be gone on with; it is no entry's outcome."""
    for entry, outcome in evidence.worked:
        if outcome.code in STOPPING:
            yield Violation(Promise.P2, entry.key, f"{outcome.code} is told of an entry")


# --- P3 ---


def _nothing_twice(evidence: Evidence) -> Iterator[Violation]:
    for key, changes in evidence.changed.items():
        copies: dict[int, list[Changed]] = defaultdict(list)
        for _, change in changes:
            if not change.is_ours:
                continue
            if change.source is not None:
                copies[change.source.sequence].append(change)
            elif change.before and isinstance(change.before[0], DeleteMarker):
                yield Violation(Promise.P3, key, "a delete marker of ours covers a delete marker")
        for rank, writes in copies.items():
            if len(writes) > 1 and not _is_excused(evidence, key, writes):
                yield Violation(Promise.P3, key, f"rank {rank} was written {len(writes)} times")


def _is_excused(evidence: Evidence, key: str, writes: list[Changed]) -> bool:
    """Return whether S3 offered nothing against a second write, and it is reported as extra."""
    are_unguardable = all(_is_unguardable(write) for write in writes[1:])
    is_told = any(row.key == key and row.content is Verdict.EXTRA for row in evidence.verdicts)
    return are_unguardable and is_told


def _is_unguardable(write: Changed) -> bool:
    """A replace of its own ETag, or a copy onto a marker that came after the first delivery."""
    below, above = write.before[0] if write.before else None, write.after[0]
    if isinstance(below, DeleteMarker):
        return write.parameters.get("IfNoneMatch") == "*"
    if not (isinstance(below, ObjectVersion) and isinstance(above, ObjectVersion)):
        return False
    return below.etag == above.etag and write.parameters.get("IfMatch") == f'"{below.etag}"'


# --- guarded ---

_COPIES = frozenset({"CopyObject", "UploadPartCopy"})
_VISIBLE = frozenset({"CopyObject", "CompleteMultipartUpload", "PutObject"})


def guarded(evidence: Evidence) -> Iterator[Violation]:
    """Every write is conditional and pinned and names the owners; nothing is removed for good."""
    for event in evidence.history.events:
        if isinstance(event, Sent) and "Key" in event.parameters:
            lacks = [what for what, is_so in _guards(evidence, event) if not is_so]
            if lacks:
                what = f"{event.operation} without {' and '.join(lacks)}"
                yield Violation(Promise.GUARDED, str(event.parameters["Key"]), what)


def _guards(evidence: Evidence, event: Sent) -> Iterator[tuple[str, bool]]:
    """Yield each guard that an operation must carry, and whether it does."""
    said = event.parameters
    is_source_side = said.get("Bucket") not in evidence.scenario.destinations
    owner = OWNER if is_source_side else RECEIVER
    yield "the bucket's owner", said.get("ExpectedBucketOwner") == owner.account_id
    if event.operation in _VISIBLE:
        yield "a precondition", bool(said.keys() & {"IfMatch", "IfNoneMatch"})
    if event.operation in _COPIES:
        source = said["CopySource"]
        assert isinstance(source, dict), "a copy names its source"
        yield "a pinned source", "VersionId" in source and "CopySourceIfMatch" in said
        yield "the source's owner", said.get("ExpectedSourceBucketOwner") == OWNER.account_id
    if event.operation == "DeleteObject":
        yield "keeping every version", "VersionId" not in said
        # Only where nobody else writes may a marker go onto an absent key.
        yield "If-Match", "IfMatch" in said or not evidence.scenario.has_rule


Check = Callable[[Evidence], Iterator[Violation]]

COPY_CHECKS: tuple[Check, ...] = (
    _never_backwards,
    _hides_only_what_is_deleted,
    _strangers_are_left_alone,
    _windows_are_told,
    _only_what_rules_select,
    _right_in_the_end,
    counted_is_kept,
    _nothing_twice,
    outcomes_are_true,
    verdicts_are_true,
)
"""What holds for the copies of any run."""
_CHECKS: tuple[Check, ...] = (
    *COPY_CHECKS,
    one_outcome_each,
    plan_adds_up,
    guarded,
    _only_what_is_asked,
    _stops_end_the_run,
)
_ROUND_CHECKS: tuple[Check, ...] = (
    _windows_are_told,
    _nothing_twice,
    outcomes_are_true,
    one_outcome_each,
    _only_what_is_asked,
    _stops_end_the_run,
)
"""What holds for each round by itself, where a run was repaired."""
_WHOLE_CHECKS = tuple(check for check in _CHECKS if check not in _ROUND_CHECKS)
