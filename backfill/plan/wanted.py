"""Whether a version is asked for at a destination, and whether the destination holds it already.

Never looks at engines, nor at what a write could carry: that is for whoever decides after it.
Law: rules and scope come before everything; only a version ID tells that a version is held.
"""

from backfill.model.attributes import Pairs, ReplicationStatus
from backfill.model.objects import NULL_VERSION_ID, DeleteMarker, ListedEntry
from backfill.plan.chains import Identity, identity_at
from backfill.plan.decisions import Question, Stay, details
from backfill.plan.evaluation import NoWinner, winning_rule
from backfill.plan.facts import Needs
from backfill.plan.routes import Reason
from backfill.plan.rules import Rule
from backfill.plan.terms import Terms

_NO_WINNER = {
    NoWinner.NO_RULE: Reason.NO_RULE,
    NoWinner.RULE_DISABLED: Reason.RULE_DISABLED,
    NoWinner.TAG_MISMATCH: Reason.TAG_MISMATCH,
}


def asking_rule(question: Question, terms: Terms) -> Rule | Stay | None:
    """Return the rule that asks for a version, or why nobody does; None while its tags decide."""
    entry = question.entry
    tags = () if isinstance(entry, DeleteMarker) else question.facts.source.known_tags
    winner = winning_rule(terms.destinations[question.destination].rules, entry.key, tags)
    if (excluded := _if_excluded(entry, tags, winner, terms)) is not None:
        return excluded
    return winner if isinstance(winner, Rule) else None


def _if_excluded(
    entry: ListedEntry, tags: Pairs | None, winner: Rule | NoWinner, terms: Terms
) -> Stay | None:
    """Return why nobody asked for this version; None where it may be asked for."""
    if not _is_in_scope(entry.key, tags, terms):
        return Stay(reason=Reason.OUT_OF_SCOPE)
    rule = None
    if isinstance(winner, Rule):
        rule = winner
    elif winner in _NO_WINNER and not _is_marker_under_tags(entry, winner):
        return Stay(reason=_NO_WINNER[winner])
    if entry.last_modified >= terms.horizon:
        return Stay(reason=Reason.AFTER_HORIZON, rule=rule)
    return None


def _is_in_scope(key: str, tags: Pairs | None, terms: Terms) -> bool:
    """Return False only where it is certain: unknown tags may still be the campaign's."""
    scope = terms.scope
    is_tagged = tags is None or all(tag in tags for tag in scope.tags)
    return key.startswith(scope.prefix) and is_tagged


def _is_marker_under_tags(entry: ListedEntry, winner: NoWinner) -> bool:
    """Return whether a marker meets tag filters only: that is a stronger reason than its tags."""
    return isinstance(entry, DeleteMarker) and winner is NoWinner.TAG_MISMATCH


def if_held(question: Question, rule: Rule | None, terms: Terms) -> Stay | Needs | None:
    """Return what follows when the destination holds this very version; None when it does not."""
    held = _if_held(question, rule)
    if isinstance(held, Stay) and _reads_status_of_held(question, terms):
        return Needs(source_head=True)
    return held


def _if_held(question: Question, rule: Rule | None) -> Stay | Needs | None:
    match identity_at(question.entry, question.destination_chain):
        case Identity.ABSENT:
            return None
        case Identity.HELD:
            return _replicated(question, rule)
        case Identity.HELD_OTHER_ETAG:
            return _replicated(question, rule, "its ETag differs there: verify decides on content")
        case Identity.DAMAGED:
            return Stay(
                reason=Reason.DESTINATION_DIFFERS,
                rule=rule,
                detail="the destination holds this version ID with another size or kind",
            )
        case Identity.NULL_PAIR:
            return _if_null_replica(question, rule)


def _reads_status_of_held(question: Question, terms: Terms) -> bool:
    """Return whether a generated manifest hangs on a version that needs nothing itself."""
    source = question.facts.source
    is_unread = source.head is None and source.refusal is None
    return terms.reads_statuses and is_unread and not isinstance(question.entry, DeleteMarker)


def _if_null_replica(question: Question, rule: Rule | None) -> Stay | Needs | None:
    heads = question.facts.destination_heads
    if NULL_VERSION_ID not in heads:
        return Needs(destination_heads=frozenset({NULL_VERSION_ID}))
    head = heads[NULL_VERSION_ID]
    if head is not None and head.replication_status is ReplicationStatus.REPLICA:
        return _replicated(question, rule, "a null version whose copy there says REPLICA")
    return None


def _replicated(question: Question, rule: Rule | None, detail: str = "") -> Stay:
    current = question.destination_chain.current
    assert current is not None, "what is held is in the chain"
    if question.entry.is_latest and current.version_id != question.entry.version_id:
        detail = details(detail, "another version is current at the destination")
    return Stay(reason=Reason.ALREADY_REPLICATED, rule=rule, detail=detail)
