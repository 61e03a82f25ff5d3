"""The plain key: one copy of ours, alone on both sides, and two heads that agree.

Nearly every row of a large backfill is one, and going the whole way of `judge` and `looks` for it
costs several times what its requests do. It goes from cells to cells; the rule is asked once for
each shape of it.
Never decides: it recognises what the whole way would call equal, and leaves all else to that way.
Law: a row recognised here has, to the last cell, the verdict that the whole way gives it.
"""

import re
from operator import itemgetter
from typing import Final, NamedTuple

from backfill.execute.outcome_rows import COLUMNS as OUTCOME_COLUMNS
from backfill.inventory.rows import COLUMNS as LISTING_COLUMNS
from backfill.model.attributes import Encryption, EncryptionKind, ObjectHead
from backfill.model.looks import are_alike, encryption_in, has_checksum, look_of
from backfill.model.objects import NULL_VERSION_ID, ChecksumType, ETag, VersionId
from backfill.model.outcome import OutcomeKind
from backfill.model.rows import Row
from backfill.plan.entries import PlanEntry
from backfill.plan.rows import COLUMNS as PLAN_COLUMNS
from backfill.plan.rows import entry_of
from backfill.verify.fidelity import STANDARD
from backfill.verify.joined import KeyCells
from backfill.verify.rows import row_of
from backfill.verify.verdicts import Evidence, Fidelity, Verdict, VerdictRow

SHAPES_MAX: Final = 1024
"""Shapes whose evidence is kept; any other asks the rule each time. A campaign has a handful."""

_MD5: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_DIGEST_ETAGS: Final = (EncryptionKind.NONE, EncryptionKind.SSE_S3)
_OF_PLAN: Final = itemgetter(
    *map(
        PLAN_COLUMNS.index,
        ("number", "key", "version_id", "destination", "etag", "size_bytes", "source_look",
         "is_delete_marker", "last_modified", "route"),
    )
)  # fmt: skip
_WANTED: Final = itemgetter(
    *map(
        PLAN_COLUMNS.index,
        ("storage_class", "encryption", "kms_key_arn", "is_bucket_key_enabled"),
    )
)
_OF_OUTCOME: Final = itemgetter(*map(OUTCOME_COLUMNS.index, ("kind", "version_id")))
_OF_LISTING: Final = itemgetter(
    *map(LISTING_COLUMNS.index, ("version_id", "last_modified", "etag"))
)
_EQUAL: Final = Verdict.EQUAL.value
_FAITHFUL: Final = Fidelity.EQUAL.value
_new = tuple.__new__


class Plain(NamedTuple):
    """A plain key, and what its verdict takes from its cells.

    `etag`, `size_bytes` and `source_look` are the source version's when the plan was made.
    """

    number: int
    key: str
    version_id: VersionId
    destination: int
    etag: ETag
    size_bytes: int
    source_look: str | None
    destination_version_id: VersionId
    cells: KeyCells


def plain_of(cells: KeyCells) -> Plain | None:
    """Return a key as a plain one, None where it is not.

    Plain: the source's one entry is the planned version, and the destination's is the copy that the
    row's one outcome names.
    """
    planned, outcome, source, destination = cells
    *told, is_delete_marker, modified, route = _OF_PLAN(planned)
    version_id = told[2]
    listed_id, listed_modified, _ = _OF_LISTING(source)
    delivered_id, _, delivered_etag = _OF_LISTING(destination)
    kind, made_id = _OF_OUTCOME(outcome)
    if (
        listed_id != version_id
        or kind != OutcomeKind.COPIED
        or not (delivered_id == made_id != version_id)
        or delivered_etag is None
        or route is None
        or is_delete_marker
        # A null version may have been overwritten in place.
        or (version_id == NULL_VERSION_ID and listed_modified != modified)
    ):
        return None
    return _new(Plain, (*told, delivered_id, cells))


class PlainVerdicts:
    """The verdicts of plain keys whose two versions look alike. The rule is asked for each shape.

    A shape is all that the rule asks of a row beside what two equal looks settle.
    """

    def __init__(self) -> None:
        self._evidence: dict[tuple[object, ...], str | None] = {}

    def of_plan(self, plain: Plain, destination: ObjectHead) -> Row | None:
        """Return the verdict's row if the destination looks as the source did for the plan.

        For the first verification of a campaign that states that nobody writes the source. What a
        look holds of a version never changes, but for its tags; on their account it is stated.
        """
        number, key, version_id, place, etag, size_bytes, look, delivered_id, cells = plain
        own = look_of(destination)
        if look is None or own is None or not are_alike(look, own):
            return None
        # The plan has a look only where HEAD showed the size and the ETag of its listing.
        if destination.etag != etag or destination.size_bytes != size_bytes:
            return None
        shape = (
            look[0],
            own[0],
            has_checksum(own),
            _MD5.fullmatch(etag) is None,
            destination.storage_class,
            _WANTED(cells.planned),
        )
        try:
            evidence = self._evidence[shape]
        except KeyError:
            evidence = self._asked(shape, plain, destination)
        if evidence is None:
            return None
        return (
            number, key, version_id, place, _EQUAL, evidence, _FAITHFUL, "", "",
            delivered_id, etag, False,
        )  # fmt: skip

    def of_heads(self, plain: Plain, source: ObjectHead, destination: ObjectHead) -> Row | None:
        """Return the verdict's row if both heads agree in all."""
        seen = plain._replace(
            etag=source.etag, size_bytes=source.size_bytes, source_look=look_of(source)
        )
        row = self.of_plan(seen, destination)
        if row is not None:
            return row
        entry = entry_of(plain.cells.planned)
        verdict = plain_verdict(entry, plain.destination_version_id, source, destination)
        return None if verdict is None else row_of(verdict)

    def _asked(
        self, shape: tuple[object, ...], plain: Plain, destination: ObjectHead
    ) -> str | None:
        assert plain.source_look is not None, "the destination was found to look like it"
        source = destination._replace(encryption=Encryption(kind=encryption_in(plain.source_look)))
        entry = entry_of(plain.cells.planned)
        verdict = plain_verdict(entry, plain.destination_version_id, source, destination)
        evidence = None if verdict is None else verdict.evidence.value
        if len(self._evidence) < SHAPES_MAX:
            self._evidence[shape] = evidence
        return evidence


def plain_verdict(
    entry: PlanEntry, delivered_id: VersionId, source: ObjectHead, destination: ObjectHead
) -> VerdictRow | None:
    """Return the verdict of a plain key's row if both heads agree in all, else None."""
    evidence = _evidence(source, destination)
    if evidence is None or not _is_faithful(entry, source, destination):
        return None
    return VerdictRow(
        number=entry.number,
        key=entry.key,
        version_id=entry.version_id,
        destination=entry.destination,
        content=Verdict.EQUAL,
        evidence=evidence,
        fidelity=Fidelity.EQUAL,
        destination_version_id=delivered_id,
        destination_etag=destination.etag,
    )


def _evidence(source: ObjectHead, destination: ObjectHead) -> Evidence | None:
    """Return what proves the bytes equal where each side stores at most one whole checksum."""
    if source.size_bytes != destination.size_bytes:
        return None
    if source.unmodelled_checksums or destination.unmodelled_checksums:
        return None
    found: Evidence | None = None
    if source.checksums or destination.checksums:
        if len(source.checksums) != 1 or source.checksums != destination.checksums:
            return None
        if source.checksums[0].type is not ChecksumType.FULL_OBJECT:
            return None
        found = Evidence.FULL_OBJECT_CHECKSUM
    if source.encryption.kind in _DIGEST_ETAGS and destination.encryption.kind in _DIGEST_ETAGS:
        if source.etag != destination.etag or not _MD5.fullmatch(source.etag):
            return None
        found = found or Evidence.MD5_ETAG
    return found


def _is_faithful(entry: PlanEntry, source: ObjectHead, destination: ObjectHead) -> bool:
    """Return whether nothing beside the bytes differs, and nothing is left to read or to say."""
    wanted, has = entry.encryption, destination.encryption
    is_encrypted = wanted is not None and wanted.kind in _DIGEST_ETAGS
    return (
        source.metadata == destination.metadata
        and source.content_headers == destination.content_headers
        and source.tag_count == destination.tag_count == 0
        and source.missing_metadata_count == destination.missing_metadata_count == 0
        and entry.storage_class in ("", destination.storage_class or STANDARD)
        and (
            source.encryption.kind is has.kind
            if wanted is None
            else is_encrypted and wanted.kind in (EncryptionKind.NONE, has.kind)
        )
    )
