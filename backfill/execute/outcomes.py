"""The outcomes artefact: one row for each manifest entry, in entry order, and its totals.

Never counts what the journal does not hold.
Law: the number of outcomes equals the number of manifest rows, or there is no artefact.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from backfill.errors import TotalsError
from backfill.execute.outcome_rows import COLUMNS, row_of
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.ports import ArtifactIndex, ArtifactStore


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
