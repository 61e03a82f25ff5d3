"""The plain key: one copy of ours, alone on both sides, and two heads that agree.

Nearly every row of a large backfill is one, and going the whole way of `judge` and `looks` for it
costs several times what its requests do. It goes from cells to cells; the rule is asked once for
each shape of it.
Never decides: it recognises what the whole way would call equal, and leaves all else to that way.
Law: a row recognised here has, to the last cell, the verdict that the whole way gives it.
"""

import re
from operator import attrgetter, itemgetter
from typing import Final, cast

from backfill.execute.outcome_rows import COLUMNS as OUTCOME_COLUMNS
from backfill.inventory.rows import COLUMNS as LISTING_COLUMNS
from backfill.model.attributes import Encryption, EncryptionKind, ObjectHead
from backfill.model.looks import are_alike, encryption_in, has_checksum, look_of
from backfill.model.objects import NULL_VERSION_ID, ChecksumType, ETag, VersionId
from backfill.model.outcome import OutcomeKind
from backfill.model.rows import Row
from backfill.plan.entries import PlanEntry
from backfill.plan.routes import Handling
from backfill.plan.rows import COLUMNS as PLAN_COLUMNS
from backfill.plan.rows import entry_of
from backfill.verify.fidelity import STANDARD
from backfill.verify.joined import KeyCells
from backfill.verify.rows import row_of
from backfill.verify.verdicts import Evidence, Fidelity, Verdict, VerdictRow

SHAPES_MAX: Final = 1024
"""Shapes whose evidence is kept; any other asks the rule each time. A campaign has a handful."""

_as_md5: Final = re.compile(r"[0-9a-f]{32}", re.ASCII).fullmatch
_DIGEST_ETAGS: Final = (EncryptionKind.NONE, EncryptionKind.SSE_S3)
_OF_PLAN: Final = itemgetter(
    *map(PLAN_COLUMNS.index, ("number", "key", "version_id", "destination"))
)
_SEEN_BY_PLAN: Final = itemgetter(*map(PLAN_COLUMNS.index, ("etag", "size_bytes", "source_look")))
_WANTED: Final = itemgetter(
    *map(
        PLAN_COLUMNS.index,
        ("storage_class", "encryption", "kms_key_arn", "is_bucket_key_enabled"),
    )
)
_KEY, _VERSION_ID, _LAST_MODIFIED, _ROUTE, _IS_DELETE_MARKER, _HANDLING = map(
    PLAN_COLUMNS.index,
    ("key", "version_id", "last_modified", "route", "is_delete_marker", "handling"),
)
_ACLS: Final = int(Handling.GRANTS | Handling.DEFAULT_ACL)
"""What no HEAD tells of."""
_KIND, _MADE_ID = map(OUTCOME_COLUMNS.index, ("kind", "version_id"))
_LISTED_ID, _LISTED_MODIFIED, _LISTED_ETAG = map(
    LISTING_COLUMNS.index, ("version_id", "last_modified", "etag")
)
_COPIED: Final = OutcomeKind.COPIED.value
_EQUAL: Final = Verdict.EQUAL.value
_FAITHFUL: Final = Fidelity.EQUAL.value


def is_plain(cells: KeyCells) -> bool:
    """Return whether a key is plain.

    Plain: the source's one entry is the planned version, and the destination's is the copy that the
    row's one outcome names.
    """
    planned, outcome, source, destination = cells
    version_id, delivered_id = planned[_VERSION_ID], destination[_LISTED_ID]
    if (
        source[_LISTED_ID] != version_id
        or outcome[_KIND] != _COPIED
        or not (delivered_id == outcome[_MADE_ID] != version_id)
        or destination[_LISTED_ETAG] is None
        or planned[_ROUTE] is None
        or planned[_IS_DELETE_MARKER]
        or cast("int", planned[_HANDLING]) & _ACLS
    ):
        return False
    # A null version may have been overwritten in place.
    return version_id != NULL_VERSION_ID or source[_LISTED_MODIFIED] == planned[_LAST_MODIFIED]


class PlainVerdicts:
    """The verdicts of plain keys whose two versions look alike. The rule is asked for each shape.

    A shape is all that the rule asks of a row beside what two equal looks settle. Where the
    campaign asks for a `checksum_algorithm`, what has another is not plain.
    """

    def __init__(self, checksum_algorithm: str = "") -> None:
        self._algorithm = checksum_algorithm
        self._evidence: dict[tuple[object, ...], str | None] = {}
        self._last: tuple[tuple[object, ...], str | None] = ((), None)

    def of_plan(self, plain: KeyCells, destination: ObjectHead) -> Row | None:
        """Return the verdict's row if the destination looks as the source did for the plan.

        For the first verification of a campaign that states that nobody writes the source. What a
        look holds of a version never changes, but for its tags; on their account it is stated.
        """
        # The plan has a look only where HEAD showed the size and the ETag of its listing.
        etag, size_bytes, look = _SEEN_BY_PLAN(plain.planned)
        if look is None or not self._is_summed_as_asked(destination):
            return None
        return self._alike(plain, etag, size_bytes, look, destination)

    def of_heads(self, plain: KeyCells, source: ObjectHead, destination: ObjectHead) -> Row | None:
        """Return the verdict's row if both heads agree in all."""
        if not self._is_summed_as_asked(destination):
            return None
        look = look_of(source)
        if look is not None:
            row = self._alike(plain, source.etag, source.size_bytes, look, destination)
            if row is not None:
                return row
        verdict = plain_verdict(entry_of(plain.planned), delivered_id(plain), source, destination)
        return None if verdict is None else row_of(verdict)

    def _is_summed_as_asked(self, head: ObjectHead) -> bool:
        if not self._algorithm:
            return True
        return any(checksum.algorithm == self._algorithm for checksum in head.checksums)

    def _alike(
        self, plain: KeyCells, etag: ETag, size_bytes: int, look: str, destination: ObjectHead
    ) -> Row | None:
        """Return the verdict's row if the destination looks as the source does."""
        own = look_of(destination)
        if own is None or not (own == look or are_alike(own, look)):
            return None
        if destination.etag != etag or destination.size_bytes != size_bytes:
            return None
        planned, _, _, listed = plain
        shape = (
            look[0],
            own[0],
            has_checksum(own),
            _as_md5(etag) is None,
            destination.storage_class,
            _WANTED(planned),
        )
        last, evidence = self._last
        if shape != last:
            evidence = self._evidence_of(shape, plain, look, destination)
            self._last = (shape, evidence)
        if evidence is None:
            return None
        return (
            *_OF_PLAN(planned), _EQUAL, evidence, _FAITHFUL, "", "",
            listed[_LISTED_ID], etag, False,
        )  # fmt: skip

    def _evidence_of(
        self, shape: tuple[object, ...], plain: KeyCells, look: str, destination: ObjectHead
    ) -> str | None:
        try:
            return self._evidence[shape]
        except KeyError:
            source = destination._replace(encryption=Encryption(kind=encryption_in(look)))
        verdict = plain_verdict(entry_of(plain.planned), delivered_id(plain), source, destination)
        evidence = None if verdict is None else verdict.evidence.value
        if len(self._evidence) < SHAPES_MAX:
            self._evidence[shape] = evidence
        return evidence


def key_of(plain: KeyCells) -> str:
    """Return a plain key's key."""
    return cast("str", plain.planned[_KEY])


def planned_id(plain: KeyCells) -> VersionId:
    """Return the version ID of a plain key's source version."""
    return cast("VersionId", plain.planned[_VERSION_ID])


def delivered_id(plain: KeyCells) -> VersionId:
    """Return the version ID of a plain key's copy."""
    return cast("VersionId", plain.destination[_LISTED_ID])


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
        if source.etag != destination.etag or not _as_md5(source.etag):
            return None
        found = found or Evidence.MD5_ETAG
    return found


_extras_of: Final = attrgetter("lock_mode", "has_legal_hold", "website_redirect")


def _is_faithful(entry: PlanEntry, source: ObjectHead, destination: ObjectHead) -> bool:
    """Return whether nothing beside the bytes differs, and nothing is left to read or to say."""
    wanted, has = entry.encryption, destination.encryption
    is_encrypted = wanted is not None and wanted.kind in _DIGEST_ETAGS
    return (
        source.metadata == destination.metadata
        and source.content_headers == destination.content_headers
        and source.tag_count == destination.tag_count == 0
        and source.missing_metadata_count == destination.missing_metadata_count == 0
        # What is locked or redirects is judged by the whole way, which knows what a bucket sets.
        and not any(_extras_of(source))
        and not any(_extras_of(destination))
        and entry.storage_class in ("", destination.storage_class or STANDARD)
        and (
            source.encryption.kind is has.kind
            if wanted is None
            else is_encrypted and wanted.kind in (EncryptionKind.NONE, has.kind)
        )
    )
