"""The remedy for one bad verdict: a piece of work with fresh preconditions, or why a person acts.

Never proposes a write over anything but what verify saw, and never deletes a version.
Law: what the plan did not route is not copied by repair; a new run's plan decides that anew.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from backfill.batch_operations.failure_codes import failure_of
from backfill.execute.codes import SENTENCES, Code
from backfill.manifest.entries import ManifestEntry
from backfill.model.objects import VersionId
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.model.store import IfAbsent, IfReplaces, Precondition
from backfill.plan.entries import PlanEntry
from backfill.plan.reasons import REASON_TEXTS
from backfill.plan.routes import Reason, Route
from backfill.verify.verdicts import Evidence, Fidelity, Field, Verdict, VerdictRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Repair can do nothing: why, and what a person does."""

    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A verdict that is not good, with all that is known about its row.

    `entry` is None for an extra version. `outcome` is that of the last round. `source_markers` are
    the version IDs of the key's delete markers at the source, as the plan saw them. `was_repaired`
    says that an earlier repair had met the same problem and its work did not fail.
    """

    verdict: VerdictRow
    entry: PlanEntry | None = None
    outcome: Outcome | None = None
    source_markers: AbstractSet[VersionId] = frozenset()
    was_repaired: bool = False
    by_copy: PlanEntry | None = None
    """Of a version that Batch Replication was to deliver: how a copy of it would be made now."""
    has_copies: bool = False
    """Copy workers have written the key: no job may bring history over or under that."""
    is_of_history: bool = False
    """Copies carry the key to this destination with all of its versions: see `histories`."""
    below: VerdictRow | None = None
    """Of a history: the newest version of it that is there and not wrong."""


Remedy = ManifestEntry | Person

_FOREIGN_REASONS: Final = frozenset({Reason.DESTINATION_DIFFERS, Reason.DESTINATION_NEWER})
"""Of a delete marker in the plan: the object there is none of the source's, so nothing hides it."""

_RETRIED: Final = frozenset(
    {
        Code.NOT_ATTEMPTED,
        Code.REPLICATION_FAILED,
        Code.IN_FLIGHT,
        Code.KEEPS_CHANGING,
        Code.DESTINATION_DIFFERS,
        Code.DESTINATION_DELETED,
        Code.NOT_REVIEWED,
        Code.NOT_MENDED,
        Code.OVERTAKEN,
        Code.GONE,
        Code.HIDING_NOT_ALLOWED,
        Code.DESTINATION_CHANGED,
        Code.FOREIGN_VERSION,
        Code.HISTORY_STOPPED,
        Code.RESTORE_BUDGET,
    }
)
"""Codes of a SKIPPED outcome that fresh preconditions may overcome; the others stay as they are."""

_BROUGHT: Final = frozenset({OutcomeKind.REPLICATED, OutcomeKind.ALREADY_THERE})

_IN_FLIGHT: Final = "Live replication is at work on it: verify again later."
_UNVERIFIED: Final = "Nothing proves the content equal or different: verify with --deep."
_NOT_READ: Final = (
    "The store did not show it: mend the permissions or the keys that it lacks, then verify again."
)
NEW_RUN: Final = "Begin a new run: its plan decides anew about what is there now."
_FOREIGN: Final = (
    "It was there before this run, so repair leaves it: delete the destination's current version "
    "yourself, then begin a new run."
)
_REPEATED: Final = "Repair has done this before, and the difference is back: find out who makes it."
_NONCURRENT: Final = (
    "Only S3 Batch Replication can bring back a noncurrent version or delete marker: begin a new "
    "run with --batch-role-arn and --batch-bucket."
)
_MARKED: Final = (
    "A delete marker that the source does not have hides the object at the destination: remove "
    "the marker there if the object shall be seen."
)
_ABSENT_MARKER: Final = (
    "A delete marker onto an absent key cannot be conditional, and the key has other writers."
)
_UNWANTED_MARKER: Final = (
    "No rule replicates delete markers here: delete the object there yourself."
)
_NOT_HIDDEN: Final = (
    "Repair hides it with a delete marker if the campaign allows hiding (--allow-hiding)."
)
_JOB_FIRST: Final = (
    "Another version of the key goes by Batch Replication first: run repair again afterwards."
)
_HISTORY_LOST: Final = (
    "A replica of a noncurrent version that is gone or changed cannot be had again: S3 replicates a"
    " version once and never brings back what was deleted by its version ID, and a copy of it would"
    " become the current version."
)
_NEVER_AGAIN: Final = "DstObjectHardDeleted"
_TWICE: Final = (
    "It lies below the current version and harms nobody; lifecycle rules for noncurrent versions "
    "remove it."
)


def remedy(bad: BadRow, *, number: int, horizon: datetime, allows_hiding: bool) -> Remedy:
    """Return the work that mends a row as entry `number` of the new manifest, or why there is none.

    `horizon` stands in for the time of an extra version, which has none at the source.
    """
    verdict, entry = bad.verdict, bad.entry
    assert not verdict.is_good, "what is good needs no remedy"
    if (sentence := if_hopeless(bad)) is not None:
        return Person(sentence=sentence)
    if verdict.content is Verdict.EXTRA:
        return _extra(verdict, number, horizon, allows_hiding=allows_hiding)
    assert entry is not None, "only an extra version has no plan row"
    assert entry.number == verdict.number, "a verdict belongs to its row"
    if entry.route is Route.BATCH_REPLICATION:
        return _of_batch(bad, entry, number, allows_hiding=allows_hiding)
    if entry.is_delete_marker:
        return _marker(entry, verdict, number)
    return _object(bad, entry, number, allows_hiding=allows_hiding)


def if_hopeless(bad: BadRow) -> str | None:
    """Return why no write can help, None if one may."""
    verdict, entry = bad.verdict, bad.entry
    obstacles = (
        (bad.was_repaired, _REPEATED),
        (verdict.content is Verdict.IN_FLIGHT, _IN_FLIGHT),
        (is_unproven(verdict) and verdict.evidence is Evidence.NOT_READ, _NOT_READ),
        (is_unproven(verdict), _UNVERIFIED),
        (_is_history_of_copies(entry) and not bad.is_of_history, _NONCURRENT),
    )
    return next((sentence for holds, sentence in obstacles if holds), None)


def is_unproven(verdict: VerdictRow) -> bool:
    """Return whether nothing is known to be wrong: what is there could only not be proven."""
    is_unlike = verdict.fidelity is Fidelity.DIFFERENT
    return verdict.content is Verdict.UNVERIFIED and not is_unlike


def _is_history_of_copies(entry: PlanEntry | None) -> bool:
    """Return whether only another engine than the plan's could bring the version back."""
    return entry is not None and not entry.is_latest and entry.route is not Route.BATCH_REPLICATION


def one_engine(remedies: Sequence[Remedy]) -> list[Remedy]:
    """Return the remedies of one key, all by one engine: a copy would bury what a job brings."""
    by_batch = [
        isinstance(each, ManifestEntry) and each.route is Route.BATCH_REPLICATION
        for each in remedies
    ]
    if not any(by_batch):
        return list(remedies)
    return [
        each if is_batch or isinstance(each, Person) else Person(sentence=_JOB_FIRST)
        for each, is_batch in zip(remedies, by_batch, strict=True)
    ]


def _of_batch(bad: BadRow, entry: PlanEntry, number: int, *, allows_hiding: bool) -> Remedy:
    """Mend what a job was to deliver: by another job where S3 may still do it, else by a copy."""
    outcome = bad.outcome
    if outcome is None:
        return Person(sentence=NEW_RUN)
    is_open = outcome.kind is OutcomeKind.FAILED or outcome.code == Code.IN_FLIGHT
    is_open = is_open and not bad.has_copies
    if is_open and bad.verdict.destination_version_id != entry.version_id:
        return work(entry, bad.verdict, number, None)
    if bad.by_copy is None or bad.by_copy.route is None:
        return Person(sentence=_why_no_copy(bad, outcome))
    by_copy = bad.by_copy._replace(number=entry.number)
    done = replace(bad, entry=by_copy, outcome=None if outcome.version_id is None else outcome)
    return _object(done, by_copy, number, allows_hiding=allows_hiding)


def _why_no_copy(bad: BadRow, outcome: Outcome) -> str:
    was_there = outcome.kind in _BROUGHT or outcome.code == _NEVER_AGAIN
    if was_there and bad.entry is not None and not bad.entry.is_latest:
        return _HISTORY_LOST
    if bad.by_copy is not None and bad.by_copy.reason is not None:
        text = REASON_TEXTS[bad.by_copy.reason]
        return f"{text.sentence} {text.remedy}".strip()
    failure = failure_of(outcome.code, None, "") if outcome.code else None
    if failure is not None and failure.mend:
        return f"{failure.sentence} {failure.mend}"
    return if_refused(outcome) or NEW_RUN


def _extra(verdict: VerdictRow, number: int, horizon: datetime, *, allows_hiding: bool) -> Remedy:
    if verdict.version_id is not None:
        return Person(sentence=_TWICE)
    if not allows_hiding:
        return Person(sentence=_NOT_HIDDEN)
    return _hiding(verdict, number, horizon, plan_number=None)


def _hiding(
    verdict: VerdictRow, number: int, last_modified: datetime, *, plan_number: int | None
) -> ManifestEntry:
    assert verdict.destination_etag is not None, "only an object is hidden, and only the one seen"
    return ManifestEntry(
        number=number,
        plan_number=plan_number,
        key=verdict.key,
        version_id=None,
        etag=None,
        size_bytes=0,
        last_modified=last_modified,
        destination=verdict.destination,
        route=Route.HIDE_EXTRA,
        precondition=IfReplaces(etag=verdict.destination_etag),
        seen_version_id=verdict.destination_version_id,
    )


def _marker(entry: PlanEntry, verdict: VerdictRow, number: int) -> Remedy:
    if not entry.replicates_delete_markers:
        return Person(sentence=_UNWANTED_MARKER)
    if entry.reason in _FOREIGN_REASONS:
        return Person(sentence=_FOREIGN)
    if verdict.destination_etag is not None:
        guard = IfReplaces(etag=verdict.destination_etag)
        return work(entry, verdict, number, guard, Route.DELETE_MARKER)
    if entry.has_other_writers:
        return Person(sentence=_ABSENT_MARKER)
    return work(entry, verdict, number, None, Route.DELETE_MARKER)


def _object(bad: BadRow, entry: PlanEntry, number: int, *, allows_hiding: bool) -> Remedy:
    verdict = bad.verdict
    if (sentence := if_refused(bad.outcome)) is not None:
        return Person(sentence=sentence)
    if verdict.destination_is_delete_marker:
        is_history = verdict.destination_version_id in bad.source_markers
        return _copy(entry, verdict, number, IfAbsent()) if is_history else Person(sentence=_MARKED)
    if Field.DELETE_MARKER in verdict.fields:
        # Our copy lies on a marker that live replication delivered: the source is deleted.
        if not allows_hiding:
            return Person(sentence=_NOT_HIDDEN)
        return _hiding(verdict, number, entry.last_modified, plan_number=entry.number)
    if _is_about_a_newer_version(bad, entry):
        return Person(sentence=NEW_RUN)
    etag = verdict.destination_etag
    assert (etag is None) == (verdict.content is Verdict.MISSING), "what differs was looked at"
    return _copy(entry, verdict, number, IfAbsent() if etag is None else IfReplaces(etag=etag))


def if_refused(outcome: Outcome | None) -> str | None:
    """Return why execute left the version out, None if it may try again."""
    if outcome is None or outcome.kind is not OutcomeKind.SKIPPED:
        return None
    code = next((code for code in Code if code == outcome.code), None)
    return None if code is None or code in _RETRIED else SENTENCES[code]


def _is_about_a_newer_version(bad: BadRow, entry: PlanEntry) -> bool:
    """Return whether the source moved on, so that the plan's version is not the one to copy."""
    verdict, outcome = bad.verdict, bad.outcome
    if verdict.version_id != entry.version_id:
        return True
    made = None if outcome is None else outcome.version_id
    is_ours = made is not None and made == verdict.destination_version_id
    return is_ours and Field.CURRENT_VERSION in verdict.fields


def _copy(entry: PlanEntry, verdict: VerdictRow, number: int, precondition: Precondition) -> Remedy:
    if entry.route is None:
        # The plan read nothing that says how a copy shall be encrypted and stored.
        return Person(sentence=NEW_RUN if verdict.content is Verdict.MISSING else _FOREIGN)
    return work(entry, verdict, number, precondition)


def work(
    entry: PlanEntry,
    verdict: VerdictRow,
    number: int,
    precondition: Precondition | None,
    route: Route | None = None,
) -> ManifestEntry:
    """Return the write of a plan row, guarded anew. `route` None: the row's own."""
    route = route or entry.route
    assert route is not None, "a reason is no work"
    return ManifestEntry(
        number=number,
        plan_number=entry.number,
        key=entry.key,
        version_id=entry.version_id,
        etag=entry.etag,
        size_bytes=entry.size_bytes,
        last_modified=entry.last_modified,
        destination=entry.destination,
        route=route,
        rule_id=entry.rule_id,
        storage_class=entry.storage_class,
        encryption=entry.encryption,
        precondition=precondition,
        seen_version_id=verdict.destination_version_id,
        has_other_writers=entry.has_other_writers,
        replicates_delete_markers=entry.replicates_delete_markers,
        handling=entry.handling,
    )
