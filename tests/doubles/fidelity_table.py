"""What becomes of everything that a version has, on every way there: the promise, as data.

`docs/reference/fidelity.md` is made from it. Each cell names the tests that hold the product to it:
those with a specimen are tried end to end on the sandbox (`tests/e2e/test_fidelity.py`), field by
field and route by route; what no specimen can have there is tried where the cell says.
Law: every field has a word for every route, and no cell is without a test that exists.

Sources: S3 API reference, CopyObject, CreateMultipartUpload and UploadPartCopy; S3 User Guide,
replication-what-is-isnot-replicated, checking-object-integrity, object-lock, acl-overview,
annotations-overview and DeleteMarker.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final


class Keeping(enum.StrEnum):
    """What becomes of a field."""

    KEPT = "kept"
    SET_BY_RULE = "set by rule"
    SET_BY_BUCKET = "set by the bucket"
    NOT_KEPT = "cannot be kept"
    """S3 offers no way; the report says so."""
    REFUSED = "refused"
    """A version that has it is not delivered, with a reason."""
    NONE = "has none"


class FidelityField(enum.StrEnum):
    """Everything that a version has."""

    BYTES = "bytes"
    METADATA = "user-defined metadata"
    METADATA_LIMITS = "metadata at its limits: 2 KB, RFC 2047 words, names in any case"
    UNREADABLE_METADATA = "metadata that HEAD cannot show"
    CONTENT_HEADERS = "content headers"
    EXPIRES = "Expires, a date or not"
    TAGS = "object tags, ten of them"
    ANNOTATIONS = "object annotations"
    CHECKSUM_ALGORITHM = "checksum algorithm"
    CHOSEN_ALGORITHM = "checksum algorithm that the campaign asks for"
    CHECKSUM_TYPE = "checksum type"
    UNKNOWN_CHECKSUM = "checksum that the SDK does not know"
    PART_LAYOUT = "part layout"
    ETAG = "ETag"
    STORAGE_CLASS = "storage class"
    ARCHIVED = "archived bytes"
    SSE_S3 = "SSE-S3"
    SSE_KMS = "SSE-KMS"
    DSSE_KMS = "DSSE-KMS"
    BUCKET_KEY = "S3 Bucket Key"
    KMS_CONTEXT = "KMS encryption context"
    SSE_C = "SSE-C"
    COMPLIANCE = "Object Lock, COMPLIANCE"
    GOVERNANCE = "Object Lock, GOVERNANCE"
    LEGAL_HOLD = "legal hold"
    ENDED_RETENTION = "retention that has ended"
    NO_RETENTION = "no retention, where the destination has a default"
    LOCK_ELSEWHERE = "Object Lock, where the destination has none"
    ACL = "ACL: grants to groups and accounts"
    ACL_OVERRIDDEN = "ACL, where the destination's owner owns all"
    WEBSITE_REDIRECT = "website redirect"
    VERSION_ID = "version ID"
    LAST_MODIFIED = "creation time"
    OWNER = "owner"
    PLACE = "place among the key's versions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell, what a person should know about it, and the test that proves it."""

    keeping: Keeping
    note: str = ""
    proof: str = ""


ROUTES: Final = (
    "batch-replication",
    "copy-object",
    "multipart-copy",
    "history",
    "restore",
    "delete-marker",
)

E2E: Final = "tests/e2e/test_fidelity.py::test_a_field_fares_as_the_table_says"
MARKERS: Final = "tests/e2e/test_fidelity.py::test_a_marker_has_nothing_that_could_be_lost"
_UNIT: Final = "tests/unit/execute/test_fidelity.py::"
UNASKED: Final = f"{_UNIT}test_what_no_request_can_name_is_named_by_none"
BY_S3: Final = f"{_UNIT}test_one_copy_leaves_a_checksum_that_the_sdk_does_not_know_to_s3"
REFUSALS: Final = f"{_UNIT}test_a_worker_refuses_what_would_be_lost"
_PLAN: Final = "tests/unit/plan/test_decide_oracle.py::"
PLANNED: Final = f"{_PLAN}test_every_combination_has_the_one_answer_of_the_table"
CHOSEN: Final = "tests/e2e/test_fidelity.py::test_every_copy_has_the_algorithm_that_was_asked_for"
ELSEWHERE: Final = "tests/e2e/test_fidelity.py::test_what_a_destination_cannot_keep_stays_behind"
_PREFLIGHT: Final = "tests/e2e/test_preflight_misconfigurations.py::"
STOPPED: Final = f"{_PREFLIGHT}test_a_planted_fault_is_named_and_its_mend_makes_it_green"
OVERRIDDEN: Final = "tests/e2e/test_fidelity.py::test_an_owner_that_owns_all_needs_no_acl"

_F = FidelityField
_KEPT: Final = Cell(keeping=Keeping.KEPT, proof=E2E)
_LOST: Final = Cell(keeping=Keeping.NOT_KEPT, proof=E2E)
_RULE: Final = Cell(keeping=Keeping.SET_BY_RULE, proof=E2E)
_BUCKET: Final = Cell(
    keeping=Keeping.SET_BY_BUCKET,
    note="its default retention, where it has one; verify says so of each",
    proof=E2E,
)
_REFUSED: Final = Cell(keeping=Keeping.REFUSED, proof=E2E)
_MARKER: Final = Cell(keeping=Keeping.NONE, proof=MARKERS)


def _noted(cell: Cell, note: str, proof: str = "") -> Cell:
    return replace(cell, note=note, proof=proof or cell.proof)


Row = tuple[Cell, Cell, Cell, Cell, Cell]
"""Of Batch Replication, CopyObject, copies in parts, histories and restored versions."""


def _all(cell: Cell) -> Row:
    return (cell,) * 5


def _by(batch: Cell, copy: Cell, parts: Cell, history: Cell | None = None) -> Row:
    """Return a row whose histories and restored versions are as one CopyObject makes them."""
    return (batch, copy, parts, history or copy, copy)


_RESUPPLIED: Final = _noted(_KEPT, "re-supplied from HEAD")
_NAMED: Final = _noted(_KEPT, "read from the source right before the copy, and named in it")
_FROM_KEY: Final = _noted(_RULE, "the same kind, under the key that the rule names")
_UNSEEN: Final = "no request can name it"

_ROWS: Final[Mapping[FidelityField, Row]] = {
    _F.BYTES: _all(_KEPT),
    _F.METADATA: _by(_KEPT, _KEPT, _RESUPPLIED),
    _F.METADATA_LIMITS: _by(_KEPT, _KEPT, _RESUPPLIED),
    _F.UNREADABLE_METADATA: _by(
        _noted(_KEPT, "S3 needs no HEAD of ours", PLANNED),
        _noted(_REFUSED, "a copy could not be checked", REFUSALS),
        _noted(_REFUSED, "it could not be re-supplied", REFUSALS),
    ),
    _F.CONTENT_HEADERS: _by(_KEPT, _KEPT, _RESUPPLIED),
    _F.EXPIRES: _by(_KEPT, _KEPT, _RESUPPLIED),
    _F.TAGS: _by(
        _KEPT, _KEPT, _noted(_KEPT, "as they are when the upload begins; verify compares them")
    ),
    _F.ANNOTATIONS: _by(
        _noted(_KEPT, "if the replication role may read them; verify cannot see them", UNASKED),
        _noted(_KEPT, "S3 carries them over by itself; verify cannot see them", UNASKED),
        _noted(_LOST, "parts never carry them, and the SDK cannot read them", UNASKED),
    ),
    _F.CHECKSUM_ALGORITHM: _by(
        _KEPT,
        _noted(_KEPT, "a source without checksum gets CRC64NVME"),
        _noted(_KEPT, "a source without checksum gets CRC64NVME"),
    ),
    _F.CHOSEN_ALGORITHM: _by(
        _noted(_KEPT, "the source's, whatever the campaign asks"),
        _noted(_RULE, "the campaign's", CHOSEN),
        _noted(_RULE, "the campaign's", CHOSEN),
    ),
    _F.CHECKSUM_TYPE: _by(
        _KEPT,
        _noted(_LOST, "COMPOSITE becomes FULL_OBJECT"),
        _noted(_KEPT, "but for SHA-1 and SHA-256, which parts have as COMPOSITE only"),
    ),
    _F.UNKNOWN_CHECKSUM: _by(
        _noted(_KEPT, "S3 carries it over by itself", PLANNED),
        _noted(_KEPT, "S3 carries the algorithm over by itself", BY_S3),
        _noted(_REFUSED, "it could not be asked for", REFUSALS),
    ),
    _F.PART_LAYOUT: _by(
        _KEPT,
        _noted(_LOST, "a copy has one part"),
        _noted(_KEPT, "where the source's boundaries can be read"),
    ),
    _F.ETAG: _by(
        _noted(_KEPT, "where both sides are SSE-S3"),
        _noted(_LOST, "the same where both sides are SSE-S3 and one part"),
        _noted(_KEPT, "where both sides are SSE-S3 and the layout is kept"),
    ),
    _F.STORAGE_CLASS: _all(_noted(_RULE, "the source's, unless the rule or campaign says another")),
    _F.ARCHIVED: (
        _noted(_REFUSED, "S3 does not replicate it, not even while it is restored"),
        _noted(_REFUSED, "unless --restore has it restored first"),
        _noted(_REFUSED, "unless --restore has it restored first"),
        _noted(_REFUSED, "unless --restore has it restored first"),
        _noted(_KEPT, "restored for some days, within a budget, and copied"),
    ),
    _F.SSE_S3: _all(_KEPT),
    _F.SSE_KMS: _all(_FROM_KEY),
    _F.DSSE_KMS: _all(_FROM_KEY),
    _F.BUCKET_KEY: _by(
        _noted(_BUCKET, "its default encryption says"),
        _noted(_KEPT, "a source without one takes the destination's default"),
        _noted(_KEPT, "a source without one takes the destination's default"),
    ),
    _F.KMS_CONTEXT: _all(_noted(_LOST, _UNSEEN, UNASKED)),
    _F.SSE_C: _by(
        _noted(_KEPT, "S3 needs no key of ours", PLANNED),
        _noted(_REFUSED, "unless --customer-key-file has its key: then under that same key"),
        _noted(_REFUSED, "unless --customer-key-file has its key: then under that same key"),
    ),
    _F.COMPLIANCE: _by(_KEPT, _NAMED, _NAMED),
    _F.GOVERNANCE: _by(_KEPT, _NAMED, _NAMED),
    _F.LEGAL_HOLD: _by(_KEPT, _NAMED, _NAMED),
    _F.ENDED_RETENTION: _by(
        _noted(_KEPT, "with its version"),
        _noted(_BUCKET, "it protects nothing, and S3 takes no date that has passed"),
        _noted(_BUCKET, "it protects nothing, and S3 takes no date that has passed"),
    ),
    _F.NO_RETENTION: _all(_BUCKET),
    _F.LOCK_ELSEWHERE: _by(
        _noted(_REFUSED, "preflight stops it: DstBucketObjectLockConfigMissing", STOPPED),
        _noted(_REFUSED, "", ELSEWHERE),
        _noted(_REFUSED, "", ELSEWHERE),
    ),
    _F.ACL: _by(
        _KEPT,
        _noted(_NAMED, "as grants; the source's owner's are the copy's owner's"),
        _noted(_NAMED, "as grants; the source's owner's are the copy's owner's"),
    ),
    _F.ACL_OVERRIDDEN: _all(
        _noted(_RULE, "the owner's full control alone (BucketOwnerEnforced)", OVERRIDDEN)
    ),
    _F.WEBSITE_REDIRECT: _by(_KEPT, _NAMED, _NAMED),
    _F.VERSION_ID: _by(
        _KEPT,
        _noted(_LOST, "the journal maps old to new"),
        _noted(_LOST, "the journal maps old to new"),
    ),
    _F.LAST_MODIFIED: _by(_KEPT, _LOST, _LOST),
    _F.OWNER: _by(
        _noted(_KEPT, "unless the rule or BucketOwnerEnforced gives it to the destination's"),
        _noted(_LOST, "the destination's, who writes it"),
        _noted(_LOST, "the destination's, who writes it"),
    ),
    _F.PLACE: _by(
        _KEPT,
        _noted(_LOST, "the current version alone"),
        _noted(_LOST, "the current version alone"),
        _noted(_KEPT, "oldest first, delete markers in their place"),
    ),
}

TABLE: Final[Mapping[tuple[FidelityField, str], Cell]] = {
    (field, route): cell
    for field, row in _ROWS.items()
    for route, cell in zip(ROUTES, (*row, _MARKER), strict=True)
}


def markdown_table() -> str:
    """Return the table for the reference documentation; numbers in brackets name the proofs."""
    proofs = list(dict.fromkeys(cell.proof for cell in TABLE.values()))
    lines = [f"| field | {' | '.join(ROUTES)} |", f"| --- |{' --- |' * len(ROUTES)}"]
    for field in FidelityField:
        cells = [TABLE[field, route] for route in ROUTES]
        texts = [
            f"{c.keeping}{f': {c.note}' if c.note else ''} [{proofs.index(c.proof) + 1}]"
            for c in cells
        ]
        lines.append(f"| {field} | {' | '.join(texts)} |")
    lines += ["", "Each cell is held to by a test:", ""]
    lines += [f"{number}. `{proof}`" for number, proof in enumerate(proofs, 1)]
    return "\n".join(lines) + "\n"
