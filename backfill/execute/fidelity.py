"""What a copy keeps of its source, field by route: the promise of the copy workers, as data.

Never copies; the requests do (see `request`), and a test per cell holds them to this table.
Law: every field has a word for every route, and nothing is lost that this table does not name.

Sources: S3 API reference, CopyObject, CreateMultipartUpload and UploadPartCopy; S3 User Guide,
checking-object-integrity, annotations-overview and DeleteMarker.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from backfill.plan.routes import Route


class Keeping(enum.StrEnum):
    """What becomes of a field."""

    KEPT = "kept"
    SET_BY_RULE = "set by rule"
    NOT_KEPT = "cannot be kept"
    """S3 offers no way; the report says so."""
    REFUSED = "refused"
    """A version that has it is not copied, with a reason."""
    NONE = "has none"


class FidelityField(enum.StrEnum):
    """Everything that a version has."""

    BYTES = "bytes"
    METADATA = "user-defined metadata"
    CONTENT_HEADERS = "content headers"
    TAGS = "object tags"
    ANNOTATIONS = "object annotations"
    CHECKSUM_ALGORITHM = "checksum algorithm"
    CHECKSUM_TYPE = "checksum type"
    UNKNOWN_CHECKSUM = "checksum that the SDK does not know"
    PART_LAYOUT = "part layout"
    ETAG = "ETag"
    STORAGE_CLASS = "storage class"
    ENCRYPTION = "encryption"
    KMS_CONTEXT = "KMS encryption context"
    SSE_C = "SSE-C"
    OBJECT_LOCK = "Object Lock"
    ACL = "ACL other than the default"
    WEBSITE_REDIRECT = "website redirect"
    UNREADABLE_METADATA = "metadata that HEAD cannot show"
    VERSION_ID = "version ID"
    LAST_MODIFIED = "creation time"
    OWNER = "owner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell, with what a person should know about it."""

    keeping: Keeping
    note: str = ""


COPY_ROUTES: Final = (Route.COPY_OBJECT, Route.MULTIPART_COPY)
ROUTES: Final = (*COPY_ROUTES, Route.DELETE_MARKER)

_KEPT = Cell(keeping=Keeping.KEPT)
_RULE = Cell(keeping=Keeping.SET_BY_RULE)
_LOST = Cell(keeping=Keeping.NOT_KEPT)
_REFUSED = Cell(keeping=Keeping.REFUSED)
_NAMED = Cell(keeping=Keeping.KEPT, note="read from the source right before the copy")
_NONE = Cell(keeping=Keeping.NONE)

_OBJECT_FIELDS: Final[Mapping[FidelityField, tuple[Cell, Cell]]] = {
    FidelityField.BYTES: (_KEPT, _KEPT),
    FidelityField.METADATA: (_KEPT, Cell(keeping=Keeping.KEPT, note="re-supplied from HEAD")),
    FidelityField.CONTENT_HEADERS: (
        _KEPT,
        Cell(keeping=Keeping.KEPT, note="re-supplied from HEAD"),
    ),
    FidelityField.TAGS: (
        _KEPT,
        Cell(keeping=Keeping.KEPT, note="as they are when the upload begins; verify compares them"),
    ),
    FidelityField.ANNOTATIONS: (
        Cell(keeping=Keeping.KEPT, note="S3 carries them over by itself; verify cannot see them"),
        Cell(keeping=Keeping.NOT_KEPT, note="parts never carry them, and the SDK cannot read them"),
    ),
    FidelityField.CHECKSUM_ALGORITHM: (
        _KEPT,
        Cell(keeping=Keeping.KEPT, note="a source without checksum gets CRC64NVME"),
    ),
    FidelityField.CHECKSUM_TYPE: (
        Cell(keeping=Keeping.NOT_KEPT, note="COMPOSITE becomes FULL_OBJECT"),
        Cell(keeping=Keeping.KEPT, note="SHA-1 and SHA-256 become COMPOSITE"),
    ),
    FidelityField.UNKNOWN_CHECKSUM: (
        Cell(keeping=Keeping.KEPT, note="S3 carries the algorithm over by itself"),
        Cell(keeping=Keeping.REFUSED, note="it could not be asked for"),
    ),
    FidelityField.PART_LAYOUT: (
        Cell(keeping=Keeping.NOT_KEPT, note="a copy has one part"),
        Cell(keeping=Keeping.KEPT, note="where the source's boundaries can be read"),
    ),
    FidelityField.ETAG: (
        Cell(keeping=Keeping.NOT_KEPT, note="the same where both sides are SSE-S3 and one part"),
        Cell(keeping=Keeping.KEPT, note="where both sides are SSE-S3 and the layout is kept"),
    ),
    FidelityField.STORAGE_CLASS: (_RULE, _RULE),
    FidelityField.ENCRYPTION: (
        Cell(keeping=Keeping.SET_BY_RULE, note="never weaker than the source's"),
        Cell(keeping=Keeping.SET_BY_RULE, note="never weaker than the source's"),
    ),
    FidelityField.KMS_CONTEXT: (_LOST, _LOST),
    FidelityField.SSE_C: (_REFUSED, _REFUSED),
    FidelityField.OBJECT_LOCK: (_NAMED, _NAMED),
    FidelityField.ACL: (_NAMED, _NAMED),
    FidelityField.WEBSITE_REDIRECT: (_NAMED, _NAMED),
    FidelityField.UNREADABLE_METADATA: (_REFUSED, _REFUSED),
}
_VERSION_FIELDS: Final[Mapping[FidelityField, Cell]] = {
    FidelityField.VERSION_ID: Cell(keeping=Keeping.NOT_KEPT, note="the journal maps old to new"),
    FidelityField.LAST_MODIFIED: _LOST,
    FidelityField.OWNER: Cell(
        keeping=Keeping.NOT_KEPT, note="the destination account, as ownership rules say"
    ),
}

TABLE: Final[Mapping[tuple[FidelityField, Route], Cell]] = {
    **{
        (field, route): cell
        for field, cells in _OBJECT_FIELDS.items()
        for route, cell in zip(ROUTES, (*cells, _NONE), strict=True)
    },
    **{(field, route): cell for field, cell in _VERSION_FIELDS.items() for route in ROUTES},
}


def markdown_table() -> str:
    """Return the table for the reference documentation."""
    lines = [f"| field | {' | '.join(ROUTES)} |", f"| --- |{' --- |' * len(ROUTES)}"]
    for field in FidelityField:
        cells = (TABLE[field, route] for route in ROUTES)
        texts = (f"{c.keeping}: {c.note}" if c.note else str(c.keeping) for c in cells)
        lines.append(f"| {field} | {' | '.join(texts)} |")
    return "\n".join(lines) + "\n"
