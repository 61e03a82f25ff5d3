"""The outcomes artefact: one row for each manifest entry, in entry order, and its totals.

Never counts what the journal does not hold.
Law: the number of outcomes equals the number of manifest rows, or there is no artefact.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from backfill.errors import ArtifactDamagedError, TotalsError
from backfill.model.objects import ETag, VersionId
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.model.rows import Row, Scalar
from backfill.ports import ArtifactIndex, ArtifactStore

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
    return outcome


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


def write_outcomes(
    artifacts: ArtifactStore, name: str, outcomes: Iterable[Outcome], manifest: ArtifactIndex
) -> ArtifactIndex:
    """Write the artefact of a finished round.

    Raises:
        TotalsError: an entry has no outcome, or there is one too many.
    """
    kinds: dict[OutcomeKind, int] = dict.fromkeys(OutcomeKind, 0)
    codes: Counter[str] = Counter()
    bytes_copied = attempts = 0
    last = -1
    with artifacts.writer(name, columns=COLUMNS, inputs={manifest.name: manifest.digest}) as writer:
        write = writer.write
        for outcome in outcomes:
            number, kind, code, _, _, _, attempts_of_it, bytes_of_it, _ = outcome
            assert number > last, "outcomes come in entry order"
            last = number
            kinds[kind] += 1
            if code:
                codes[code] += 1
            bytes_copied += bytes_of_it
            attempts += attempts_of_it
            write(row_of(outcome))
        told = sum(kinds.values())
        if told != manifest.rows:
            raise TotalsError(f"{manifest.name} has {manifest.rows} entries and {told} outcomes")
        return writer.commit(_summary(kinds, codes, bytes_copied, attempts))


def _summary(
    kinds: Mapping[OutcomeKind, int], codes: Mapping[str, int], bytes_copied: int, attempts: int
) -> Mapping[str, object]:
    return {
        "kinds": {kind.value: count for kind, count in kinds.items()},
        "codes": dict(sorted(codes.items())),
        "bytes_copied": bytes_copied,
        "attempts": attempts,
    }


def _integer(value: Scalar) -> int:
    if type(value) is not int:
        raise ValueError("a number is expected here")
    return value
