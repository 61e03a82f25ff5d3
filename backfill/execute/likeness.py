"""Whether a destination version holds what a source version holds, from their two heads.

Never reads a store. The evidence is verify's ladder; what is added is metadata and the replica.
Law: `DIFFERENT` needs proof or other metadata, `SAME` needs proof.
"""

from backfill.execute.views import Likeness
from backfill.model.attributes import ObjectHead, ReplicationStatus
from backfill.verify.ladder import content_proof
from backfill.verify.verdicts import Verdict


def likeness_of(source: ObjectHead, destination: ObjectHead) -> Likeness:
    """Return what both heads together say."""
    content = content_proof(source, destination).verdict
    has_same_fields = (source.metadata, source.content_headers) == (
        destination.metadata,
        destination.content_headers,
    )
    if content is Verdict.DIFFERENT or not has_same_fields:
        return Likeness.DIFFERENT
    is_replica = destination.replication_status is ReplicationStatus.REPLICA
    if content is Verdict.EQUAL:
        return Likeness.REPLICA if is_replica else Likeness.SAME
    return Likeness.DIFFERENT if is_replica else Likeness.UNKNOWN
