"""Rows of an outcomes artefact: an outcome's fields, in their order.

Never counts.
Law: `outcome_of(row_of(outcome)) == outcome`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from backfill.errors import ArtifactDamagedError
from backfill.model.objects import ETag, VersionId
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.model.rows import Row, Scalar

COLUMNS: Final = (
    "number",
    "kind",
    "code",
    "detail",
    "version_id",
    "etag",
    "attempts",
    "bytes_copied",
    "checksum",
)
_KINDS: Final[Mapping[Scalar, OutcomeKind]] = {kind.value: kind for kind in OutcomeKind}


def row_of(outcome: Outcome) -> Row:
    """Return an outcome as a row: it has the columns as its fields, in their order."""
    return tuple(outcome)  # a bare one: encoders have a long way for named tuples


def outcome_of(row: list[Scalar]) -> Outcome:
    """Return the outcome of a row.

    Raises:
        ArtifactDamagedError: the row is no outcome.
    """
    try:
        number, kind, code, detail, version_id, etag, attempts, bytes_copied, checksum = row
        return Outcome(  # by position: twice as fast, once a row
            _integer(number),
            _KINDS[kind],
            str(code),
            str(detail),
            None if version_id is None else VersionId(str(version_id)),
            None if etag is None else ETag(str(etag)),
            _integer(attempts),
            _integer(bytes_copied),
            str(checksum),
        )
    except (ValueError, KeyError) as fault:
        raise ArtifactDamagedError(
            "a row of outcomes is no outcome", hint="delete the outcomes folder and execute again"
        ) from fault


def outcomes_of(rows: Iterable[list[Scalar]]) -> Iterator[Outcome]:
    """Stream the outcomes of an artefact's rows."""
    return map(outcome_of, rows)


def _integer(value: Scalar) -> int:
    if type(value) is not int:
        raise ValueError("a number is expected here")
    return value
