"""Intents and outcomes as bytes: groups of one kind, each an array of its fields on a line.

In groups and not one by one, because a call for each costs more than all the bytes of them.
Never touches a file.
Law: decoding what was encoded gives the same values back; anything else raises ValueError.
"""

import struct
from collections.abc import Sequence
from typing import Final, TypeVar, cast

from backfill.model.objects import ETag, VersionId
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.model.rows import Row, Scalar
from backfill.ports import Intent
from backfill.run_directory.segments import decoded_rows, encoded_rows

# The numbers are on disks: a new kind goes to the end. 1 to 3 were those of records one by one.
INTENTS: Final = 4
OUTCOMES: Final = 5

GROUP_MAX: Final = 128
"""Intents or outcomes of a record: what is decoded to look at one of them."""

_HEAD: Final = struct.Struct("<BI")
_KINDS: Final = {kind.value: kind for kind in OutcomeKind}
_IntentCells = tuple[int, int, VersionId | None, VersionId | None, str, str]
_OutcomeCells = tuple[int, str, str, str, VersionId | None, ETag | None, int, int, str]
_INTENT_TYPES: Final = ((int,), (int,), (str, type(None)), (str, type(None)), (str,), (str,))
_OUTCOME_TYPES: Final = (
    (int,), (str,), (str,), (str,), (str, type(None)), (str, type(None)), (int,), (int,), (str,),
)  # fmt: skip

T = TypeVar("T", Intent, Outcome)


def intent_records(intents: Sequence[Intent]) -> list[bytes]:
    """Return the records of intents, in their order."""
    return [_record(INTENTS, group) for group in groups_of(intents)]


def outcome_records(outcomes: Sequence[Outcome]) -> list[bytes]:
    """Return the records of outcomes, one for each of `groups_of` them."""
    return [_record(OUTCOMES, group) for group in groups_of(outcomes)]


def groups_of(values: Sequence[T]) -> list[Sequence[T]]:
    """Return what goes into each record."""
    return [values[begin : begin + GROUP_MAX] for begin in range(0, len(values), GROUP_MAX)]


def kind_of(record: bytes) -> int:
    """Return INTENTS or OUTCOMES.

    Raises:
        ValueError: this is neither.
    """
    kind = record[0] if record else 0
    if kind not in (INTENTS, OUTCOMES):
        raise ValueError(f"a record has the unknown kind {kind}")
    return kind


def decoded_intents(record: bytes) -> list[Intent]:
    """Return the intents that were encoded.

    Raises:
        ValueError: these are none.
    """
    rows = _rows(record, INTENTS, _INTENT_TYPES)
    return [Intent(*cast("_IntentCells", tuple(row))) for row in rows]


def decoded_outcomes(record: bytes) -> list[Outcome]:
    """Return the outcomes that were encoded.

    Raises:
        ValueError: these are none.
    """
    rows = cast("list[_OutcomeCells]", _rows(record, OUTCOMES, _OUTCOME_TYPES))
    try:
        return [
            Outcome(number, _KINDS[kind], code, detail, version_id, etag, attempts, size, checksum)
            for number, kind, code, detail, version_id, etag, attempts, size, checksum in rows
        ]
    except KeyError as unknown:
        raise ValueError(f"an outcome of an unknown kind: {unknown}") from None


def _record(kind: int, group: Sequence[Row]) -> bytes:
    # Bare tuples: the encoder has a long way for named ones.
    return _HEAD.pack(kind, len(group)) + encoded_rows(list(map(tuple, group)))


def _rows(record: bytes, kind: int, types: tuple[tuple[type, ...], ...]) -> list[list[Scalar]]:
    if len(record) < _HEAD.size:
        raise ValueError("a record is cut")
    found, count = _HEAD.unpack_from(record)
    if found != kind:
        raise ValueError("this record is of another kind")
    if not record.endswith(b"\n"):
        raise ValueError("a record is cut")
    try:
        rows = decoded_rows(record[_HEAD.size :])
    except RecursionError:
        raise ValueError("a record holds what is no intent and no outcome") from None
    if set(map(type, rows)) != {list}:
        raise ValueError("a record holds what is no intent and no outcome")
    if len(rows) != count:
        raise ValueError("a record is cut, or there is something left over")
    for cells, allowed in zip(zip(*rows, strict=True), types, strict=True):
        if not set(map(type, cells)) <= set(allowed):
            raise ValueError("a record holds what is no intent and no outcome")
    return rows
