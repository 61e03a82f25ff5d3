"""From an End to the Outcome that the journal keeps, and from a fault to an End.

Never writes a journal.
Law: text that a store sent is cut and made visible before it is kept.
"""

from typing import Final

from backfill.errors import Disposition, StoreFault
from backfill.execute.codes import SENTENCES, Code
from backfill.execute.views import Copy, End, Write
from backfill.manifest.entries import ManifestEntry
from backfill.model.escaping import visible_text
from backfill.model.objects import ChecksumType
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.model.store import MarkerResult, WriteResult

DETAIL_CHARACTERS_MAX: Final = 400
"""Enough for a sentence and a store's message; a journal of a million failures stays readable."""

_OWN_CODES: Final = frozenset(code.value for code in Code)


def outcome_of(ended: End, entry: ManifestEntry, *, attempts: int, bytes_copied: int) -> Outcome:
    """Return the outcome of an entry; `attempts` are the writes that were begun."""
    made = ended.made
    sentence = SENTENCES[Code(ended.code)] if ended.code in _OWN_CODES else ""
    detail = " ".join(filter(None, (sentence, ended.detail)))
    return Outcome(
        number=entry.number,
        kind=ended.kind,
        code=ended.code,
        detail=visible_text(detail)[:DETAIL_CHARACTERS_MAX],
        version_id=made.version_id if made is not None else None,
        etag=made.etag if made is not None else None,
        attempts=attempts,
        bytes_copied=bytes_copied,
        checksum=made.checksum if made is not None else "",
    )


def proof_of(result: WriteResult | MarkerResult) -> str:
    """Return the FULL_OBJECT checksum that came with a write as `algorithm:value`, or nothing.

    S3 computes it from what it stored (S3 User Guide: checking-object-integrity), so where the
    source's own is the same the content is proven without another request.
    """
    if isinstance(result, MarkerResult):
        return ""
    for checksum in result.checksums:
        if checksum.type is ChecksumType.FULL_OBJECT:
            return f"{checksum.algorithm}:{checksum.value}"
    return ""


def failure_of(fault: StoreFault) -> End:
    """Return the end of an entry that this fault ended."""
    return End(kind=OutcomeKind.FAILED, code=fault.code, detail=str(fault))


def is_proven(result: WriteResult | MarkerResult) -> bool:
    """Return whether an answer settles a write: it names the version, and a copy's ETag."""
    if result.version_id is None:
        return False
    return isinstance(result, MarkerResult) or bool(result.etag)


def unproven(step: Write) -> StoreFault:
    """Return the fault of a success without proof, such as 200 with an empty body."""
    return StoreFault(
        operation="CopyObject" if isinstance(step, Copy) else "DeleteObject",
        code="NoETag",
        status=200,
        disposition=Disposition.SETTLE,
        is_ambiguous=True,
        message="the answer proves nothing",
    )
