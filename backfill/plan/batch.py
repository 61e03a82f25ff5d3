"""What S3 Batch Replication takes, for a version of a key that it has (see `engines`).

Never looks at what a copy would lose: a replica keeps it. Never fetches; heads are asked for only
where the listing does not decide, because a job may have billions of rows.
Law: a version is named to a job only if the bucket's own rules want it and S3 can replicate it.

Sources: S3 User Guide s3-batch-replication-batch, replication-what-is-isnot-replicated and
replication-config-for-kms-objects.
"""

from typing import Final

from backfill.model.attributes import EncryptionKind, ObjectHead, ReplicationStatus
from backfill.model.objects import DeleteMarker, ObjectVersion
from backfill.plan.decisions import Decision, Move, Question, Stay
from backfill.plan.eligibility import (
    batch_obstacle_of,
    is_archived_class,
    replica_encryption,
    selects_kms,
)
from backfill.plan.facts import Needs, Refusal
from backfill.plan.routes import Reason, Route
from backfill.plan.rules import Rule
from backfill.plan.terms import Terms

DETAIL_OF_STATUS: Final = {
    ReplicationStatus.COMPLETED: "S3 replicated it once; this destination does not have it",
    ReplicationStatus.FAILED: "live replication of it failed",
    ReplicationStatus.REPLICA: "it is a replica itself, which live replication does not pass on",
}
_TIERED_CLASS: Final = "INTELLIGENT_TIERING"
"""Listings do not tell its archive tiers apart; HEAD does (S3 API: HeadObject, ArchiveStatus)."""


def batch_decision(question: Question, rule: Rule | None, terms: Terms) -> Decision:
    """Decide for a version that is asked for and that the destination does not hold."""
    entry = question.entry
    if isinstance(entry, DeleteMarker):
        assert rule is not None, "a rule replicates the marker"
        return Move(route=Route.BATCH_REPLICATION, rule=rule, precondition=None)
    source, is_settled = question.facts.source, question.is_settled(rule, terms)
    is_archived = is_archived_class(entry.storage_class)
    decides = rule is None or not is_settled or not (is_archived or _is_listed(entry, rule))
    if source.refusal is not None:
        if _outweighs(source.refusal, head_decides=decides):
            refusal = source.refusal
            return Stay(reason=refusal.reason, rule=rule, detail=refusal.detail)
    elif source.head is None and (decides or (terms.reads_statuses and not is_archived)):
        return Needs(source_head=True)
    if rule is None or not is_settled:
        return Needs(tags=True)
    if is_archived:
        return Stay(reason=Reason.ARCHIVED, rule=rule, detail=entry.storage_class)
    return _decide_by_head(entry, source.head, rule)


def _is_listed(entry: ObjectVersion, rule: Rule) -> bool:
    """Return whether the listing tells all that S3 asks about a version under a rule."""
    return entry.storage_class != _TIERED_CLASS and selects_kms(rule)


def _outweighs(refusal: Refusal, *, head_decides: bool) -> bool:
    """Return whether a refused read keeps the version from a job.

    SSE-C answers what a head would be read for, its tags aside: such objects are not under KMS,
    and S3 replicates them. A head that only its replication status was read from is dispensable.
    """
    if refusal.reason is Reason.NOT_READABLE:
        return head_decides
    return refusal.reason is not Reason.SSE_C or refusal.operation != "HeadObject"


def _decide_by_head(entry: ObjectVersion, head: ObjectHead | None, rule: Rule) -> Decision:
    of_rule = rule.destination.storage_class
    if head is None:
        return Move(
            route=Route.BATCH_REPLICATION,
            rule=rule,
            precondition=None,
            storage_class=of_rule or entry.storage_class or "STANDARD",
        )
    obstacle = batch_obstacle_of(entry, head, rule)
    if obstacle is not None:
        return Stay(reason=obstacle.reason, rule=rule, detail=obstacle.detail)
    is_known = head.encryption.kind is not EncryptionKind.SSE_C
    return Move(
        route=Route.BATCH_REPLICATION,
        rule=rule,
        precondition=None,
        storage_class=of_rule or head.storage_class or "STANDARD",
        encryption=replica_encryption(head.encryption, rule) if is_known else None,
        detail=DETAIL_OF_STATUS.get(head.replication_status, ""),
    )
