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
_OUTCOME: Final = struct.Struct("<BIBIQHHHHH")
_ABSENT: Final = 0xFFFF
TEXT_BYTES_MAX: Final = 0xFFFE

_Texts = tuple[str | None, ...]


def intent_record(intent: Intent) -> bytes:
    """Return an intent's bytes."""
    number, attempt, seen, source, upload = intent
    lengths, data = _text_bytes((seen, source, upload))
    return _INTENT.pack(INTENT, number, attempt, *lengths) + data


def outcome_record(outcome: Outcome) -> bytes:
    """Return an outcome's bytes."""
    number, kind, code, detail, version_id, etag, attempts, bytes_copied, checksum = outcome
    lengths, data = _text_bytes((code, detail, version_id, etag, checksum))
    head = _OUTCOME.pack(OUTCOME, number, _NUMBER_OF_KIND[kind], attempts, bytes_copied, *lengths)
    return head + data


def kind_and_number(record: bytes) -> tuple[int, int]:
    """Return INTENT or OUTCOME, and the entry's number.

    Raises:
        ValueError: this is neither.
    """
    try:
        kind, number = _HEAD.unpack_from(record)
    except struct.error as fault:
        raise ValueError("a record is cut") from fault
    if kind not in (INTENT, OUTCOME):
        raise ValueError(f"a record has the unknown kind {kind}")
    return kind, number


def decoded_intent(record: bytes) -> Intent:
    """Return the intent that was encoded.

    Raises:
        ValueError: it is none.
    """
    try:
        kind, number, attempt, *lengths = _INTENT.unpack_from(record)
    except struct.error as fault:
        raise ValueError("an intent is cut") from fault
    seen, source, upload = _texts(record, _INTENT.size, lengths)
    if kind != INTENT or upload is None:
        raise ValueError("this record is no intent")
    return Intent(
        number=number,
        attempt=attempt,
        seen_version_id=None if seen is None else VersionId(seen),
        source_version_id=None if source is None else VersionId(source),
        upload_id=upload,
    )


def decoded_outcome(record: bytes) -> Outcome:
    """Return the outcome that was encoded.

    Raises:
        ValueError: it is none.
    """
    try:
        record_kind, number, kind, attempts, bytes_copied, *lengths = _OUTCOME.unpack_from(record)
    except struct.error as fault:
        raise ValueError("an outcome is cut") from fault
    code, detail, version_id, etag, checksum = _texts(record, _OUTCOME.size, lengths)
    if record_kind != OUTCOME or kind >= len(_KINDS):
        raise ValueError("this record is no outcome")
    if code is None or detail is None or checksum is None:
        raise ValueError("this outcome lacks a text")
    return Outcome(  # by position: twice as fast, once a row
        number,
        _KINDS[kind],
        code,
        detail,
        None if version_id is None else VersionId(version_id),
        None if etag is None else ETag(etag),
        attempts,
        bytes_copied,
        checksum,
    )


def _text_bytes(texts: _Texts) -> tuple[list[int], bytes]:
    """Return the lengths of the texts in bytes, and their bytes one after the other."""
    joined = "".join([text for text in texts if text])
    if joined.isascii():
        lengths = [_ABSENT if text is None else len(text) for text in texts]
        data = joined.encode("ascii")
    else:
        # A store's message may hold what is no UTF-8; it must not stop the journal.
        pieces = [(text or "").encode("utf-8", "surrogatepass") for text in texts]
        lengths = [
            _ABSENT if text is None else len(piece)
            for text, piece in zip(texts, pieces, strict=True)
        ]
        data = b"".join(pieces)
    assert len(data) <= TEXT_BYTES_MAX, "texts in a journal are cut where they are made"
    return lengths, data


def _texts(record: bytes, offset: int, lengths: list[int]) -> list[str | None]:
    texts: list[str | None] = []
    # Of plain bytes, which nearly all are, positions are the characters'.
    data = record[offset:]
    plain = data.decode("ascii") if data.isascii() else None
    at = 0
    for length in lengths:
        if length == _ABSENT:
            texts.append(None)
            continue
        end = at + length
        if plain is not None:
            texts.append(plain[at:end])
        else:
            texts.append(data[at:end].decode("utf-8", "surrogatepass"))
        at = end
    if at != len(data):
        raise ValueError("the texts of a record are cut, or there is something left over")
    return texts
