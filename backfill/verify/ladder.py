"""The evidence ladder: what two heads prove about the bytes of a source and a destination version.

Never reads a store, and never takes silence for agreement.
Law: one proof of difference outweighs every agreement, and without common evidence the answer is
`unverified`.

Sources: S3 User Guide: checking-object-integrity (FULL_OBJECT and COMPOSITE), S3 API reference:
Object (what an ETag is, and that it is opaque under SSE-KMS, DSSE-KMS and SSE-C).
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from backfill.model.attributes import EncryptionKind, ObjectHead, ReplicationStatus
from backfill.model.objects import (
    NULL_VERSION_ID,
    Checksum,
    ChecksumType,
    ETag,
    multipart_part_count,
)
from backfill.verify.verdicts import Evidence, Field, Verdict

PartSizes = tuple[int, ...]
"""The sizes of a multipart object's parts in bytes, in part order."""

_MD5: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_DIGEST_ETAGS: Final = frozenset({EncryptionKind.NONE, EncryptionKind.SSE_S3})
_RAW_PREFIX: Final = "x-amz-checksum-"


class Proof(NamedTuple):
    """What was found out about content: EQUAL, DIFFERENT or UNVERIFIED, and by what."""

    verdict: Verdict
    evidence: Evidence
    fields: tuple[Field, ...] = ()


UNPROVEN: Final = Proof(verdict=Verdict.UNVERIFIED, evidence=Evidence.NONE)


def content_proof(
    source: ObjectHead,
    destination: ObjectHead,
    *,
    source_parts: PartSizes | None = None,
    destination_parts: PartSizes | None = None,
) -> Proof:
    """Return what the heads (and the part sizes, where they were read) prove about the bytes."""
    if source.size_bytes != destination.size_bytes:
        return Proof(verdict=Verdict.DIFFERENT, evidence=Evidence.SIZE, fields=(Field.SIZE,))
    layouts = _Layouts(source=source_parts, destination=destination_parts)
    equal: Evidence | None = None
    for evidence, is_equal in _rungs(source, destination, layouts):
        if not is_equal:
            return Proof(verdict=Verdict.DIFFERENT, evidence=evidence, fields=(Field.CONTENT,))
        equal = equal or evidence
    return UNPROVEN if equal is None else Proof(verdict=Verdict.EQUAL, evidence=equal)


def parts_to_compare(source: ObjectHead, destination: ObjectHead) -> int:
    """Return how many part sizes a side, once read, could turn `unverified` into a decision.

    0 where they cannot: part sizes only make unequal composite values comparable.
    """
    counts = {
        count
        for one, two in _same_algorithm(source, destination)
        if (count := _equal_part_count(one, two)) is not None
    }
    etag_count = multipart_part_count(source.etag)
    if _has_digest_etags(source, destination) and etag_count == multipart_part_count(
        destination.etag
    ):
        counts.add(etag_count or 0)
    return max(counts, default=0)


def all_checksums(head: ObjectHead) -> tuple[Checksum, ...]:
    """Return the stored checksums, those included that the SDK's model does not know.

    A raw value with a `-N` suffix is COMPOSITE of N parts, one without is FULL_OBJECT, as HEAD
    writes them (S3 User Guide: checking-object-integrity).
    """
    raw = (_raw_checksum(name, value) for name, value in head.unmodelled_checksums)
    return head.checksums + tuple(checksum for checksum in raw if checksum is not None)


class _Layouts(NamedTuple):
    source: PartSizes | None
    destination: PartSizes | None

    def are_equal(self, part_count: int) -> bool | None:
        """Return whether the part sizes are equal; None when that is not known."""
        if part_count == 1:
            return True  # the one part is the object, and the sizes of the objects are equal
        if self.source is None or self.destination is None:
            return None
        return self.source == self.destination


def _rungs(
    source: ObjectHead, destination: ObjectHead, layouts: _Layouts
) -> Iterator[tuple[Evidence, bool]]:
    """Yield every rung that decides, strongest first, and whether it says equal."""
    if _is_same_version(source, destination):
        yield Evidence.VERSION_ID_AND_ETAG, True
    pairs = list(_same_algorithm(source, destination))
    for one, two in pairs:
        if one.type is two.type is ChecksumType.FULL_OBJECT:
            yield Evidence.FULL_OBJECT_CHECKSUM, one.value == two.value
    for one, two in pairs:
        if (count := _equal_part_count(one, two)) is not None:
            is_equal = _composite_equality(
                are_values_equal=one.value == two.value, are_layouts_equal=layouts.are_equal(count)
            )
            if is_equal is not None:
                yield Evidence.COMPOSITE_CHECKSUM, is_equal
    if _has_digest_etags(source, destination):
        yield from _etag_rungs(source.etag, destination.etag, layouts)


def _is_same_version(source: ObjectHead, destination: ObjectHead) -> bool:
    """Return whether this is S3's own replica: `null` names no version, so it proves nothing."""
    return (
        source.version_id == destination.version_id != NULL_VERSION_ID
        and destination.replication_status is ReplicationStatus.REPLICA
        and source.etag == destination.etag
    )


def _etag_rungs(
    source: ETag, destination: ETag, layouts: _Layouts
) -> Iterator[tuple[Evidence, bool]]:
    source_count, destination_count = (multipart_part_count(e) for e in (source, destination))
    if source_count is None and destination_count is None:
        if _MD5.fullmatch(source) and _MD5.fullmatch(destination):
            yield Evidence.MD5_ETAG, source == destination
        return
    source_multipart, destination_multipart = _as_one_part(source), _as_one_part(destination)
    if source_multipart is not None and destination_multipart is not None:
        yield Evidence.MULTIPART_ETAG, source_multipart == destination_multipart
    elif source_count == destination_count and source_count is not None:
        is_equal = _composite_equality(
            are_values_equal=source == destination,
            are_layouts_equal=layouts.are_equal(source_count),
        )
        if is_equal is not None:
            yield Evidence.MULTIPART_ETAG, is_equal


def _as_one_part(etag: ETag) -> str | None:
    """Return the ETag that the same bytes have as a multipart object of one part.

    CopyObject turns `…-1` into a plain MD5 of the same bytes; the ETag of one part is the MD5 of
    that MD5.
    """
    if _MD5.fullmatch(etag):
        digest = hashlib.md5(bytes.fromhex(etag), usedforsecurity=False).hexdigest()
        return f"{digest}-1"
    return etag if multipart_part_count(etag) == 1 else None


def _composite_equality(*, are_values_equal: bool, are_layouts_equal: bool | None) -> bool | None:
    """Return what values over parts say, None when the layouts do not let them say anything."""
    if are_layouts_equal is False:
        return None
    if are_values_equal:
        return True
    return False if are_layouts_equal else None


def _equal_part_count(one: Checksum, two: Checksum) -> int | None:
    is_composite = one.type is two.type is ChecksumType.COMPOSITE
    return one.part_count if is_composite and one.part_count == two.part_count else None


def _has_digest_etags(source: ObjectHead, destination: ObjectHead) -> bool:
    return {source.encryption.kind, destination.encryption.kind} <= _DIGEST_ETAGS


def _same_algorithm(
    source: ObjectHead, destination: ObjectHead
) -> Iterator[tuple[Checksum, Checksum]]:
    theirs = all_checksums(destination)
    for one in all_checksums(source):
        for two in theirs:
            if one.algorithm == two.algorithm:
                yield one, two


def _raw_checksum(header: str, value: str) -> Checksum | None:
    algorithm = header.lower().removeprefix(_RAW_PREFIX).upper()
    if algorithm in {"TYPE", "ALGORITHM"}:
        return None  # x-amz-checksum-type describes a checksum and is none
    digest, dash, count = value.rpartition("-")
    if dash and digest and count.isascii() and count.isdigit():
        return Checksum(
            algorithm=algorithm,
            value=digest,
            type=ChecksumType.COMPOSITE,
            part_count=int(count),
        )
    return Checksum(algorithm=algorithm, value=value, type=ChecksumType.FULL_OBJECT)
