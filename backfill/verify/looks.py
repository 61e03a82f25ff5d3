"""Looks: what must be read next for a row, and the verdict that follows from what was read.

Never reads a store (`run` does), and asks for the dearer only where the cheaper did not decide:
heads, then tags, then part sizes, then bytes.
Law: a look that failed leaves the row what the listings made it, with the code said; it never
makes a row better.
"""

import enum
from typing import Final, NamedTuple

from backfill.model.attributes import ObjectHead, ReplicationStatus
from backfill.model.extras import lock_words
from backfill.verify.decisions import (
    AFTER_HORIZON,
    Judged,
    Look,
    LookKind,
    SourceSeen,
    Unjudged,
)
from backfill.verify.fidelity import (
    STANDARD,
    AclPair,
    TagPair,
    differing_fields,
    is_metadata_readable,
    lock_of_bucket,
    needs_tags,
)
from backfill.verify.ladder import PartSizes, Proof, content_proof, parts_to_compare
from backfill.verify.verdicts import Evidence, Fidelity, Field, Verdict, VerdictRow

LAYOUT_PARTS_MAX: Final = 1000
"""Part sizes are read with one HEAD a part and side, up to the first that differs. Beyond this many
parts the row stays `unverified` (or goes to bytes): 2,000 requests are dearer than they are worth
for telling `different` from `unverified`."""


NOTHING_COMMON: Final = "Nothing stored on both sides can be compared; only the sizes are equal."

_FIELD_WORDS: Final = {
    Field.METADATA: "metadata",
    Field.CONTENT_HEADERS: "content headers",
    Field.TAGS: "object tags",
    Field.STORAGE_CLASS: "storage class",
    Field.ENCRYPTION: "encryption",
    Field.OBJECT_LOCK: "Object Lock",
    Field.ACL: "ACL",
    Field.WEBSITE_REDIRECT: "website redirect",
    Field.CHECKSUM_ALGORITHM: "checksum algorithm",
}
_BEFORE_FIELDS: Final = {
    Verdict.EQUAL: "The bytes are equal; these differ",
    Verdict.DIFFERENT: "The bytes differ, and so do these",
    Verdict.UNVERIFIED: "These differ",
}


class Need(enum.StrEnum):
    """What to read next for a row."""

    SOURCE_HEAD = "source-head"
    DESTINATION_HEAD = "destination-head"
    TAGS = "tags"
    ACLS = "acls"
    PARTS = "parts"
    BYTES = "bytes"


_DECIDING: Final = frozenset({Need.PARTS, Need.BYTES})
"""Reads after the heads that decide about content."""


class Seen(NamedTuple):
    """What was read for a row so far. `tried` holds every need that was met or failed.

    `failed` holds those that failed, `fault_code` the S3 code of the last one; `is_gone` says that
    a version was no longer there (404), so the listings are older than the truth.
    """

    source: ObjectHead | None = None
    destination: ObjectHead | None = None
    tags: TagPair | None = None
    acls: AclPair | None = None
    source_parts: PartSizes | None = None
    destination_parts: PartSizes | None = None
    are_bytes_equal: bool | None = None
    fault_code: str = ""
    is_gone: bool = False
    tried: frozenset[Need] = frozenset()
    failed: frozenset[Need] = frozenset()


NOTHING_SEEN: Final = Seen()
DESTINATION_SEEN: Final = Seen(tried=frozenset({Need.DESTINATION_HEAD}))
"""What was seen once the destination's head is put in."""
BOTH_HEADS: Final = frozenset({Need.DESTINATION_HEAD, Need.SOURCE_HEAD})


def next_need(look: Look, seen: Seen, *, is_deep: bool) -> Need | None:
    """Return what to read next, None when what was read must do."""
    if look.kind is LookKind.SOURCE_STATUS:
        wanted = [Need.SOURCE_HEAD]
    elif look.kind is LookKind.DESTINATION_STATUS:
        wanted = [Need.DESTINATION_HEAD]
    else:
        wanted = _needs_to_compare(look, seen, is_deep=is_deep)
    return next((need for need in wanted if need not in seen.tried), None)


def _needs_to_compare(look: Look, seen: Seen, *, is_deep: bool) -> list[Need]:
    if seen.source is None or seen.destination is None:
        return [] if seen.fault_code else [Need.DESTINATION_HEAD, Need.SOURCE_HEAD]
    needs = []
    proof = _proof(look, seen)
    if proof.verdict is Verdict.UNVERIFIED:
        if 0 < parts_to_compare(seen.source, seen.destination) <= LAYOUT_PARTS_MAX:
            needs.append(Need.PARTS)
        if is_deep:
            needs.append(Need.BYTES)
    if needs_tags(seen.source, seen.destination) and not _is_stale(look, proof):
        needs.append(Need.TAGS)
    if look.expected.keeps_acl and not _is_stale(look, proof):
        needs.append(Need.ACLS)
    return needs


def concluded(look: Look, seen: Seen) -> Judged | Unjudged:
    """Return the verdict, or why there is none, once `next_need` has no more."""
    if look.kind is LookKind.DESTINATION_STATUS:
        return _extra_after_horizon(look, seen)
    if look.kind is LookKind.SOURCE_STATUS:
        return Judged(row=look.row if seen.source is None else _at_source(look.row, seen.source))
    if seen.source is None or seen.destination is None:
        return Judged(row=_with_fault(look.row, seen.fault_code))
    row = _at_source(_compared(look, seen, seen.source, seen.destination), seen.source)
    source = SourceSeen(etag=seen.source.etag, replication_status=seen.source.replication_status)
    is_unproven = row.content is Verdict.UNVERIFIED and row.evidence is Evidence.NONE
    return Judged(row=row, unproven=source if is_unproven else None)


def _extra_after_horizon(look: Look, seen: Seen) -> Judged | Unjudged:
    row = look.row
    if seen.destination is None:
        return Judged(row=_with_fault(row, seen.fault_code))
    if seen.destination.replication_status is not ReplicationStatus.REPLICA:
        return Judged(row=row)
    return Unjudged(number=None, key=row.key, destination=row.destination, reason=AFTER_HORIZON)


def _at_source(row: VerdictRow, source: ObjectHead) -> VerdictRow:
    return with_source_status(row, source.replication_status)


def with_source_status(row: VerdictRow, status: ReplicationStatus) -> VerdictRow:
    """Say `in flight` of what is wrong while live replication is still at the source version."""
    is_wrong = row.content is not Verdict.UNVERIFIED or row.fidelity is Fidelity.DIFFERENT
    if row.is_good or not is_wrong:
        return row
    if status is ReplicationStatus.PENDING:
        return row._replace(
            content=Verdict.IN_FLIGHT,
            fidelity=Fidelity.NOT_LOOKED_AT,
            fields=(),
            detail="S3 shows PENDING at the source: live replication is still at it.",
        )
    if status is ReplicationStatus.FAILED:
        return row._replace(detail=f"{row.detail} S3 shows FAILED at the source.".lstrip())
    return row


def _with_fault(row: VerdictRow, code: str) -> VerdictRow:
    is_unproven = row.content is Verdict.UNVERIFIED
    of_listings = "The listings show other sizes." if row.evidence is Evidence.SIZE else ""
    says = (row.detail, of_listings, f"It could not be read: {code}.")
    return row._replace(
        evidence=Evidence.NOT_READ if is_unproven else row.evidence,
        detail=" ".join(filter(None, says)),
    )


def _proof(look: Look, seen: Seen) -> Proof:
    assert seen.source is not None, "both heads are there"
    assert seen.destination is not None, "both heads are there"
    proof = content_proof(
        seen.source,
        seen.destination,
        source_parts=seen.source_parts,
        destination_parts=seen.destination_parts,
    )
    if proof.verdict is Verdict.UNVERIFIED and look.row.content is Verdict.EQUAL:
        # A replica that two listings prove stays proven when its heads add nothing.
        proof = Proof(verdict=Verdict.EQUAL, evidence=look.row.evidence)
    if proof.verdict is not Verdict.UNVERIFIED:
        return proof
    if seen.are_bytes_equal is None:
        return proof._replace(evidence=Evidence.NOT_READ) if seen.failed & _DECIDING else proof
    if seen.are_bytes_equal:
        return Proof(verdict=Verdict.EQUAL, evidence=Evidence.BYTES)
    return Proof(verdict=Verdict.DIFFERENT, evidence=Evidence.BYTES, fields=(Field.CONTENT,))


def _is_stale(look: Look, proof: Proof) -> bool:
    return look.is_stale and proof.verdict is not Verdict.EQUAL


def _compared(look: Look, seen: Seen, source: ObjectHead, destination: ObjectHead) -> VerdictRow:
    proof = _proof(look, seen)
    row = look.row._replace(destination_etag=destination.etag)
    if _is_stale(look, proof):
        detail = row.detail or "Another version than the one delivered is the current one."
        return row._replace(
            content=Verdict.DIFFERENT,
            evidence=proof.evidence if proof.fields else Evidence.LISTING,
            fields=(Field.CURRENT_VERSION,),
            detail=detail,
        )
    fields = differing_fields(source, destination, look.expected, seen.tags, seen.acls)
    is_complete = (
        is_metadata_readable(source, destination)
        and (seen.tags is not None or not needs_tags(source, destination))
        and (seen.acls is not None or not look.expected.keeps_acl)
    )
    fidelity = Fidelity.EQUAL if is_complete else Fidelity.NOT_LOOKED_AT
    is_out_of_place = bool(look.placement) and not proof.fields
    return row._replace(
        content=Verdict.DIFFERENT if look.placement else proof.verdict,
        evidence=Evidence.LISTING if is_out_of_place else proof.evidence,
        fidelity=Fidelity.DIFFERENT if fields else fidelity,
        fields=look.placement + proof.fields + fields,
        detail=_detail(look, seen, proof, fields),
    )


def _detail(look: Look, seen: Seen, proof: Proof, fields: tuple[Field, ...]) -> str:
    source, destination = seen.source, seen.destination
    assert source is not None, "both heads are there"
    assert destination is not None, "both heads are there"
    says = [look.row.detail] if look.row.detail else []
    if proof.evidence is Evidence.NONE:
        says.append(NOTHING_COMMON)
    if fields:
        says.append(_difference(look, destination, proof, fields))
    elif proof.fields:
        sizes = f"{source.size_bytes} at the source, {destination.size_bytes} at the destination"
        is_size = proof.evidence is Evidence.SIZE
        says.append(f"The sizes differ: {sizes}." if is_size else "The bytes differ.")
    if (lock := lock_of_bucket(source, destination)) is not None:
        says.append(f"Set by the destination bucket: {lock_words(lock)}.")
    if seen.fault_code:
        says.append(f"Not everything could be read: {seen.fault_code}.")
    if not is_metadata_readable(source, destination):
        says.append("Some metadata cannot be shown over HTTP.")
    kinds = source.encryption.kind, destination.encryption.kind
    if look.expected.encryption is None and kinds[0] is not kinds[1]:
        says.append(f"Encryption is '{kinds[0]}' at the source, '{kinds[1]}' at the destination.")
    return " ".join(says)


def _difference(
    look: Look, destination: ObjectHead, proof: Proof, fields: tuple[Field, ...]
) -> str:
    """Return the sentence about what differs beside the bytes."""
    words = ", ".join(_FIELD_WORDS[name] for name in fields)
    says = f"{_BEFORE_FIELDS[proof.verdict]}: {words}."
    if Field.STORAGE_CLASS in fields:
        seen_class = destination.storage_class or STANDARD
        says += f" Storage class {look.expected.storage_class} was wanted, {seen_class} is there."
    return says


def is_suspect(decision: Judged | Unjudged, seen: Seen | None) -> bool:
    """Return whether a second look may find another answer.

    What cannot be proved cannot be proved later either, unless the version had just gone.
    """
    if isinstance(decision, Unjudged):
        return False
    row = decision.row
    is_gone = seen is not None and seen.is_gone
    is_unproven = row.content is Verdict.UNVERIFIED and row.fidelity is not Fidelity.DIFFERENT
    return is_gone or not (row.is_good or is_unproven)
