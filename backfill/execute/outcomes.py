"""The outcomes artefact: one row for each manifest entry, in entry order, and its totals.

Never counts what the journal does not hold.
Law: the number of outcomes equals the number of manifest rows, or there is no artefact.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from operator import lt
from typing import Final

from backfill.errors import TotalsError
from backfill.execute.outcome_rows import COLUMNS, row_of
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.ports import ArtifactIndex, ArtifactStore

BLOCK_ROWS: Final = 512
"""Outcomes that are counted and written at a time."""
_ATTEMPTS: Final = COLUMNS.index("attempts")
_BYTES: Final = COLUMNS.index("bytes_copied")


def write_outcomes(
    artifacts: ArtifactStore, name: str, outcomes: Iterable[Outcome], manifest: ArtifactIndex
) -> ArtifactIndex:
    """Write the artefact of a finished round.

    Raises:
        TotalsError: an entry has no outcome, or there is one too many.
    """
    kinds: Counter[OutcomeKind] = Counter()
    codes: Counter[str] = Counter()
    bytes_copied = attempts = 0
    last = -1
    remaining = iter(outcomes)
    with artifacts.writer(name, columns=COLUMNS, inputs={manifest.name: manifest.digest}) as writer:
        while block := list(islice(remaining, BLOCK_ROWS)):
            numbers, kinds_of, codes_of, *_ = cells = list(zip(*block, strict=True))
            assert all(map(lt, (last, *numbers), numbers)), "outcomes come in entry order"
            last = block[-1].number
            kinds.update(kinds_of)
            codes.update(filter(None, codes_of))
            attempts += sum(cells[_ATTEMPTS])
            bytes_copied += sum(cells[_BYTES])
            writer.write_rows(list(map(row_of, block)))
        if kinds.total() != manifest.rows:
            raise TotalsError(
                f"{manifest.name} has {manifest.rows} entries and {kinds.total()} outcomes"
            )
        return writer.commit(_summary(kinds, codes, bytes_copied, attempts))


def _summary(
    kinds: Mapping[OutcomeKind, int], codes: Mapping[str, int], bytes_copied: int, attempts: int
) -> Mapping[str, object]:
    return {
        "kinds": {kind.value: kinds.get(kind, 0) for kind in OutcomeKind},
        "codes": dict(sorted(codes.items())),
        "bytes_copied": bytes_copied,
        "attempts": attempts,
    }
