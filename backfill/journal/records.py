"""Intents and outcomes as bytes.

Binary rather than JSON: a quarter of the CPU and half of the bytes for a record that is written
twice an object, and fixed offsets let a replay read the entry number and nothing else.
Never touches a file.
Law: decoding what was encoded gives the same value back; anything else raises ValueError.
"""

import struct
from typing import Final

from backfill.model.objects import ETag, VersionId
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.ports import Intent

INTENT: Final = 1
OUTCOME: Final = 2
_UPLOAD_INTENT: Final = 3
"""An intent that says what its upload was made of; to whoever asks for a kind it is an INTENT."""

# The numbers are on disks: a new kind goes to the end.
_KINDS: Final = (
    OutcomeKind.COPIED,
    OutcomeKind.MARKED,
    OutcomeKind.ALREADY_THERE,
    OutcomeKind.SUPERSEDED,
    OutcomeKind.HIDDEN,
    OutcomeKind.SKIPPED,
    OutcomeKind.FAILED,
    OutcomeKind.REPLICATED,
)
_NUMBER_OF_KIND: Final = {kind: number for number, kind in enumerate(_KINDS)}
assert len(_NUMBER_OF_KIND) == len(OutcomeKind), "every kind has its number"

_HEAD: Final = struct.Struct("<BI")
# The lengths of the texts stand before the texts, so that a head is one call.
_INTENT: Final = struct.Struct("<BIIHHH")
_UPLOAD: Final = struct.Struct("<BIIHHHH")
_OUTCOME: Final = struct.Struct("<BIBIQHHHHH")
_ABSENT: Final = 0xFFFF
TEXT_BYTES_MAX: Final = 0xFFFE

_Texts = tuple[str | None, ...]


def intent_record(intent: Intent) -> bytes:
    """Return an intent's bytes."""
    number, attempt, seen, source, upload, digest = intent
    if digest:
        lengths, data = _text_bytes((seen, source, upload, digest))
        return _UPLOAD.pack(_UPLOAD_INTENT, number, attempt, *lengths) + data
    if source is not None:
        texts = f"{seen or ''}{source}{upload}"
        if texts.isascii() and len(texts) <= TEXT_BYTES_MAX:
            seen_bytes = _ABSENT if seen is None else len(seen)
            head = _INTENT.pack(INTENT, number, attempt, seen_bytes, len(source), len(upload))
            return head + texts.encode()
    lengths, data = _text_bytes((seen, source, upload))
    return _INTENT.pack(INTENT, number, attempt, *lengths) + data


def outcome_record(outcome: Outcome) -> bytes:
    """Return an outcome's bytes."""
    number, kind, code, detail, version_id, etag, attempts, bytes_copied, checksum = outcome
    fields = (OUTCOME, number, _NUMBER_OF_KIND[kind], attempts, bytes_copied)
    if version_id is not None and etag is not None:
        texts = f"{code}{detail}{version_id}{etag}{checksum}"
        if texts.isascii() and len(texts) <= TEXT_BYTES_MAX:
            a, b, c, d, e = len(code), len(detail), len(version_id), len(etag), len(checksum)
            return _OUTCOME.pack(*fields, a, b, c, d, e) + texts.encode()
    lengths, data = _text_bytes((code, detail, version_id, etag, checksum))
    return _OUTCOME.pack(*fields, *lengths) + data


def kind_and_number(record: bytes) -> tuple[int, int]:
    """Return INTENT or OUTCOME, and the entry's number.

    Raises:
        ValueError: this is neither.
    """
    try:
        kind, number = _HEAD.unpack_from(record)
    except struct.error as fault:
        raise ValueError("a record is cut") from fault
    if kind not in (INTENT, OUTCOME, _UPLOAD_INTENT):
        raise ValueError(f"a record has the unknown kind {kind}")
    return (OUTCOME if kind == OUTCOME else INTENT), number


def decoded_intent(record: bytes) -> Intent:
    """Return the intent that was encoded.

    Raises:
        ValueError: it is none.
    """
    layout = _UPLOAD if record[:1] == bytes((_UPLOAD_INTENT,)) else _INTENT
    try:
        kind, number, attempt, *lengths = layout.unpack_from(record)
    except struct.error as fault:
        raise ValueError("an intent is cut") from fault
    seen, source, upload, *rest = _texts(record, layout.size, lengths)
    digest = rest[0] if rest else ""
    if kind not in (INTENT, _UPLOAD_INTENT) or upload is None or digest is None:
        raise ValueError("this record is no intent")
    return Intent(
        number=number,
        attempt=attempt,
        seen_version_id=None if seen is None else VersionId(seen),
        source_version_id=None if source is None else VersionId(source),
        upload_id=upload,
        upload_digest=digest,
    )


def decoded_outcome(record: bytes) -> Outcome:
    """Return the outcome that was encoded.

    Raises:
        ValueError: it is none.
    """
    try:
        record_kind, number, kind, attempts, size, a, b, c, d, e = _OUTCOME.unpack_from(record)
    except struct.error as fault:
        raise ValueError("an outcome is cut") from fault
    if record_kind != OUTCOME or kind >= len(_KINDS):
        raise ValueError("this record is no outcome")
    data = record[_OUTCOME.size :]
    if a + b + c + d + e == len(data) <= TEXT_BYTES_MAX and data.isascii():
        # Nearly all are this plain; once a row, so by position, twice as fast.
        text = data.decode("ascii")
        b, c, d = a + b, a + b + c, a + b + c + d
        version_id, etag = VersionId(text[b:c]), ETag(text[c:d])
        kind_of = _KINDS[kind]
        return Outcome(
            number, kind_of, text[:a], text[a:b], version_id, etag, attempts, size, text[d:]
        )
    code, detail, version, tag, checksum = _texts(record, _OUTCOME.size, [a, b, c, d, e])
    if code is None or detail is None or checksum is None:
        raise ValueError("this outcome lacks a text")
    return Outcome(
        number=number,
        kind=_KINDS[kind],
        code=code,
        detail=detail,
        version_id=None if version is None else VersionId(version),
        etag=None if tag is None else ETag(tag),
        attempts=attempts,
        bytes_copied=size,
        checksum=checksum,
    )


def _text_bytes(texts: _Texts) -> tuple[list[int], bytes]:
    """Return the lengths of the texts in bytes, and their bytes one after the other."""
    # A store's message may hold what is no UTF-8; it must not stop the journal.
    pieces = [(text or "").encode("utf-8", "surrogatepass") for text in texts]
    lengths = [
        _ABSENT if text is None else len(piece) for text, piece in zip(texts, pieces, strict=True)
    ]
    data = b"".join(pieces)
    assert len(data) <= TEXT_BYTES_MAX, "texts in a journal are cut where they are made"
    return lengths, data


def _texts(record: bytes, offset: int, lengths: list[int]) -> list[str | None]:
    texts: list[str | None] = []
    for length in lengths:
        if length == _ABSENT:
            texts.append(None)
            continue
        end = offset + length
        texts.append(record[offset:end].decode("utf-8", "surrogatepass"))
        offset = end
    if offset != len(record):
        raise ValueError("the texts of a record are cut, or there is something left over")
    return texts
