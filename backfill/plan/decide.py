"""One route or one reason for a source version at one destination, or what must be read first.

Never fetches and never raises: every combination of what is known has exactly one answer.
Law: rules decide what is wanted, then identity (a version ID) what is there already, then the two
chains what a conditional write may do, and last the object's own attributes what it can keep.
Which engine has the key is decided before (`engines`); what Batch Replication takes is in `batch`.

Sources: S3 User Guide replication-what-is-isnot-replicated, replication-config-for-kms-objects,
delete-marker-replication; S3 API CopyObject (If-None-Match succeeds over a delete marker).
"""

from backfill.model.archives import archive_of
from backfill.model.extras import acl_obstacle, has_extras
from backfill.model.objects import DeleteMarker, ObjectVersion
from backfill.model.store import IfAbsent, IfReplaces
from backfill.plan.batch import DETAIL_OF_STATUS, batch_decision
from backfill.plan.chains import Standing, standing_of
from backfill.plan.decisions import Decision, Move, Question, Stay, details
from backfill.plan.eligibility import (
    is_archived_class,
    obstacle_of,
    proves_itself_in_parts,
    replica_encryption,
)
from backfill.plan.engines import KeyEngine
from backfill.plan.facts import Needs
from backfill.plan.routes import PLAIN, Handling, Reason, Route
from backfill.plan.rules import Rule
from backfill.plan.terms import Terms
from backfill.plan.wanted import asking_rule, if_held
from backfill.verify.ladder import content_proof
from backfill.verify.verdicts import Verdict

_FOR_PROOF = "in the source's parts, so that the copy proves itself"


def decide(question: Question, terms: Terms) -> Decision:
    """Return the one decision for a source version at a destination."""
    rule = asking_rule(question, terms)
    if isinstance(rule, Stay):
        return rule
    if terms.is_mending:
        return _decide_mending(question, rule, terms)
    return _decide_wanted(question, rule, terms)


def _decide_wanted(question: Question, rule: Rule | None, terms: Terms) -> Decision:
    """Decide for a version that nothing excludes, unless its tags still do (`rule` None)."""
    if (held := if_held(question, rule, terms)) is not None:
        return held
    is_marker = isinstance(question.entry, DeleteMarker)
    if is_marker and (rule is None or not rule.replicates_delete_markers):
        return Stay(reason=Reason.DELETE_MARKER_NOT_REPLICATED, rule=rule)
    if question.engine is None:
        return Needs(engine=True)
    if question.engine.is_batch:
        return batch_decision(question, rule, terms)
    return _said_by_engine(_decide_copy(question, rule, terms), question.engine, terms)


def _decide_copy(question: Question, rule: Rule | None, terms: Terms) -> Decision:
    """Decide what copy workers would do, for a version that the destination does not hold."""
    entry = question.entry
    if not entry.is_latest:
        return Stay(reason=Reason.NONCURRENT, rule=rule, detail=_why_no_history(question, terms))
    if isinstance(entry, DeleteMarker):
        assert rule is not None, "a rule replicates the marker"
        return _decide_marker(question, rule, terms)
    return _decide_current(question, entry, rule, terms)


def _why_no_history(question: Question, terms: Terms) -> str:
    """Return what keeps a history that the campaign asks for from this destination, if anything."""
    number = question.destination
    if not terms.brings_histories or not terms.has_other_writers(question.entry.key, number):
        return ""
    return f"no history to {terms.destinations[number].bucket}: live replication may write the key"


def _said_by_engine(decision: Decision, engine: KeyEngine, terms: Terms) -> Decision:
    """Return the decision with what the choice of the engine adds to it, if it was one."""
    if isinstance(decision, Move) and not terms.delivery.copy:
        detail = engine.why_not_batch
        return Stay(reason=Reason.ONLY_BY_COPY, rule=decision.rule, detail=detail)
    is_history = isinstance(decision, Stay) and decision.reason is Reason.NONCURRENT
    if isinstance(decision, Needs) or not (isinstance(decision, Move) or is_history):
        return decision
    return decision._replace(detail=details(engine.why_not_batch, decision.detail))


def _decide_marker(question: Question, rule: Rule, terms: Terms) -> Decision:
    standing = standing_of(question.source_chain, question.destination_chain, terms.horizon)
    theirs = question.destination_chain.current
    if standing is Standing.ABSENT:
        # S3 has no precondition for it, so it is only for keys that nobody else writes.
        if terms.has_other_writers(question.entry.key, question.destination):
            return Stay(reason=Reason.MARKER_UNCONDITIONAL, rule=rule)
        return Move(route=Route.DELETE_MARKER, rule=rule, precondition=None)
    if standing is Standing.KNOWN_OLDER and isinstance(theirs, ObjectVersion):
        precondition = IfReplaces(etag=theirs.etag)
        return Move(route=Route.DELETE_MARKER, rule=rule, precondition=precondition)
    return Stay(reason=_MARKER_STAYS[standing], rule=rule)


_MARKER_STAYS = {
    Standing.DELETED: Reason.ALREADY_DELETED,
    Standing.NEWER: Reason.DESTINATION_NEWER,
    Standing.UNKNOWN: Reason.DESTINATION_DIFFERS,
}
_CANDIDATES = frozenset({Standing.ABSENT, Standing.KNOWN_OLDER, Standing.KNOWN_MARKER})
_OBJECT_STAYS = {
    Standing.SAME_CONTENT: Reason.ALREADY_COPIED,
    Standing.DELETED: Reason.DESTINATION_DELETED,
    Standing.NEWER: Reason.DESTINATION_NEWER,
    Standing.UNKNOWN: Reason.DESTINATION_DIFFERS,
}


def _decide_current(
    question: Question, entry: ObjectVersion, rule: Rule | None, terms: Terms
) -> Decision:
    """Decide for a current object version that the destination does not hold by its version ID."""
    source, theirs = question.facts.source, question.destination_chain.current
    standing = standing_of(question.source_chain, question.destination_chain, terms.horizon)
    is_settled = question.is_settled(rule, terms)
    reads_head = (
        not is_settled
        or standing is Standing.MAYBE_SAME_CONTENT
        or (standing in _CANDIDATES and not _stays_archived(entry, terms))
    )
    if reads_head and source.refusal is not None:
        return Stay(reason=source.refusal.reason, rule=rule, detail=source.refusal.detail)
    # Everything that the listings alone call for is asked at once, so that it can be counted.
    doubtful = {theirs.version_id} if theirs and standing is Standing.MAYBE_SAME_CONTENT else set()
    unread = frozenset(doubtful - question.facts.destination_heads.keys())
    if unread or (reads_head and source.head is None):
        return Needs(source_head=reads_head and source.head is None, destination_heads=unread)
    if rule is None or not is_settled:
        return Needs(tags=True)
    if standing in _CANDIDATES:
        return decide_candidate(question, entry, rule, terms)
    if standing is Standing.MAYBE_SAME_CONTENT:
        return _decide_doubtful(question, rule)
    return Stay(reason=_OBJECT_STAYS[standing], rule=rule)


def _decide_mending(question: Question, rule: Rule | None, terms: Terms) -> Decision:
    """Decide how a current object version is copied over what verify found wrong there."""
    entry, source = question.entry, question.facts.source
    if not entry.is_latest or isinstance(entry, DeleteMarker):
        return Stay(reason=Reason.NONCURRENT, rule=rule)
    if source.refusal is not None:
        return Stay(reason=source.refusal.reason, rule=rule, detail=source.refusal.detail)
    if source.head is None:
        return Needs(source_head=True)
    if rule is None or not question.is_settled(rule, terms):
        return Needs(tags=True)
    return decide_candidate(question, entry, rule, terms)


def _decide_doubtful(question: Question, rule: Rule) -> Stay:
    theirs, head = question.destination_chain.current, question.facts.source.head
    assert theirs is not None, "a doubtful object is there"
    their_head = question.facts.destination_heads[theirs.version_id]
    assert head is not None, "a doubtful object's source was read"
    if their_head is None:
        detail = "equal size, another ETag, and the destination's could not be read"
        return Stay(reason=Reason.DESTINATION_UNPROVEN, rule=rule, detail=detail)
    match content_proof(head, their_head).verdict:
        case Verdict.EQUAL:
            detail = "its ETag differs there; what is stored proves the content equal"
            return Stay(reason=Reason.ALREADY_COPIED, rule=rule, detail=detail)
        case Verdict.DIFFERENT:
            detail = "equal size, and what is stored proves the content different"
            return Stay(reason=Reason.DESTINATION_DIFFERS, rule=rule, detail=detail)
        case _:
            detail = "equal size, another ETag, and nothing stored proves the content equal or not"
            return Stay(reason=Reason.DESTINATION_UNPROVEN, rule=rule, detail=detail)


def _stays_archived(entry: ObjectVersion, terms: Terms) -> bool:
    """Return whether the listing alone says that a version is archived and stays so."""
    return is_archived_class(entry.storage_class) and not terms.restore_tier


def decide_candidate(
    question: Question, entry: ObjectVersion, rule: Rule, terms: Terms
) -> Decision:
    """Decide for an object that a conditional write may deliver: can it arrive whole?"""
    if _stays_archived(entry, terms):
        return Stay(reason=Reason.ARCHIVED, rule=rule, detail=entry.storage_class)
    head, destination = question.facts.source.head, terms.destinations[question.destination]
    assert head is not None, "a candidate's head was read"
    abilities, tier = destination.abilities, terms.restore_tier
    obstacle = obstacle_of(entry, head, rule, abilities, terms.as_of, tier)
    if obstacle is not None:
        return Stay(reason=obstacle.reason, rule=rule, detail=obstacle.detail)
    handling = Handling.READ_SOURCE if has_extras(head, terms.as_of) else PLAIN
    if destination.has_acls and terms.source_has_acls and not rule.destination.is_owner_translated:
        acl = question.facts.source.acl
        if acl is None:
            return Needs(acl=True)
        if detail := acl_obstacle(acl, destination.abilities):
            return Stay(reason=Reason.ACL, rule=rule, detail=detail)
        if acl.is_default:
            handling |= Handling.DEFAULT_ACL
        else:
            handling = Handling.READ_SOURCE | Handling.GRANTS
    if archive_of(head) is not None:
        handling |= Handling.RESTORE
    theirs = question.destination_chain.current
    is_large = entry.size_bytes > terms.copy_object_bytes_max
    for_proof = "" if is_large or not proves_itself_in_parts(head) else _FOR_PROOF
    return Move(
        route=Route.MULTIPART_COPY if is_large or for_proof else Route.COPY_OBJECT,
        rule=rule,
        precondition=(
            IfReplaces(etag=theirs.etag) if isinstance(theirs, ObjectVersion) else IfAbsent()
        ),
        storage_class=rule.destination.storage_class or head.storage_class or "STANDARD",
        encryption=replica_encryption(head.encryption, rule),
        detail=details(DETAIL_OF_STATUS.get(head.replication_status), for_proof),
        handling=handling,
    )
