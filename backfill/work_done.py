"""What a run directory holds of work done: rounds of manifests and outcomes, and verifications.

Never writes. Round 0 is the plan's own manifest; every repair adds one. Verifications count from 1.
Law: rounds are found by their artefacts' indexes, so what is half written does not exist.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import count, takewhile

from backfill.execute.outcome_rows import outcomes_of
from backfill.execute.restoring.ledger import Ledger, decoded, ledger_name, summed
from backfill.execute.shards import shards_name, starts_of
from backfill.manifest.entries import ManifestEntry
from backfill.manifest.large import LARGE, large_name
from backfill.manifest.rows import entry_of, numbers_of
from backfill.manifest.run import manifest_name
from backfill.model.outcome import Outcome
from backfill.model.rows import Scalar
from backfill.plan.run import PLAN
from backfill.ports import ArtifactIndex, ArtifactStore
from backfill.verify.keys import PlannedOutcome, merged_outcomes, numbered_outcomes
from backfill.verify.rows import unjudged_name, verdict_of, verdicts_name
from backfill.verify.verdicts import VerdictRow


def outcomes_name(round_number: int) -> str:
    """Return the artefact name of a round's outcomes."""
    return f"outcomes/{round_number:02d}"


class WorkDone:
    """The rounds and verifications of one run directory, as they stand when asked."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts

    @property
    def has_plan(self) -> bool:
        """Return whether a plan stands."""
        return self._artifacts.index(PLAN) is not None

    @property
    def manifests(self) -> int:
        """Return how many manifests stand; the newest is round `manifests - 1`."""
        return self._count(manifest_name, first=0)

    @property
    def outcome_rounds(self) -> int:
        """Return how many rounds were carried out to their end."""
        return self._count(outcomes_name, first=0)

    @property
    def verifications(self) -> int:
        """Return the number of the newest verification; 0 when there was none."""
        return self._count(verdicts_name, first=1)

    @property
    def current_verification(self) -> int:
        """Return the newest verification if it judged what stands now; else 0.

        One that was made before the plan, or before the newest outcomes, speaks of other rows.
        """
        number = self.verifications
        index = self._artifacts.index(verdicts_name(number)) if number else None
        if index is None:
            return 0
        is_current = all(index.inputs.get(n) == digest for n, digest in self.digests().items())
        return number if is_current else 0

    def _count(self, name: Callable[[int], str], *, first: int) -> int:
        stands = takewhile(lambda n: self._artifacts.index(name(n)) is not None, count(first))
        return sum(1 for _ in stands)

    def digests(self) -> dict[str, str]:
        """Return the digests of the plan and of every round's outcomes, by name."""
        names = [PLAN, *(outcomes_name(number) for number in range(self.outcome_rounds))]
        indexes = [self._artifacts.index(name) for name in names]
        return {index.name: index.digest for index in indexes if index is not None}

    def manifest_entries(self, round_number: int) -> Iterator[ManifestEntry]:
        """Stream a round's manifest."""
        return map(entry_of, self._artifacts.rows(manifest_name(round_number)))

    def outcomes(self, round_number: int) -> Iterator[Outcome]:
        """Stream a round's outcomes, numbered as the entries of its manifest."""
        return outcomes_of(self._artifacts.rows(outcomes_name(round_number)))

    def outcome_rows(self) -> Iterator[list[Scalar]]:
        """Stream the rows of all rounds' outcomes by plan number, first round first.

        The number of its plan row stands in each in place of its entry's.
        """
        return merged_outcomes(*map(self._numbered, range(self.outcome_rounds)))

    def _numbered(self, round_number: int) -> Iterator[list[Scalar]]:
        rows = self._artifacts.rows(outcomes_name(round_number))
        name = manifest_name(round_number)
        manifest, plan = self._artifacts.index(name), self._artifacts.index(PLAN)
        if manifest is not None and plan is not None and not round_number:
            # It has the plan's routed rows, in order: if that is all of them, numbers are equal.
            is_of_plan = manifest.inputs.get(PLAN) == plan.digest
            if is_of_plan and manifest.rows == plan.rows:
                return rows
        return numbered_outcomes(numbers_of(self._artifacts.rows(name)), rows)

    def restores(self, round_number: int) -> Ledger | None:
        """Return what all shards of a round's manifest had restored; None: nothing was asked.

        Raises:
            ArtifactDamagedError: A ledger, or how the manifest was cut, cannot be read any more.
        """
        name = manifest_name(round_number)
        index, cut = self._artifacts.index(name), self._artifacts.read_document(shards_name(name))
        starts: tuple[int, ...] = ()
        if index is not None and cut is not None:
            starts = starts_of(cut, index.digest, name=shards_name(name))
        names = [ledger_name(name, shard) for shard in range(len(starts) + 1)]
        found = [(each, self._artifacts.read_document(each)) for each in names]
        return summed(decoded(data, each) for each, data in found if data is not None)

    def planned_outcomes(self) -> Iterator[PlannedOutcome]:
        """Stream all rounds' outcomes by plan number, first round first."""
        return ((outcome.number, outcome) for outcome in outcomes_of(self.outcome_rows()))

    def verdicts(self) -> Iterator[VerdictRow]:
        """Stream the current verification's verdicts; nothing when there is none."""
        return map(verdict_of, self.verdict_rows())

    def verdict_rows(self) -> Iterator[list[Scalar]]:
        """Stream the rows of the same."""
        number = self.current_verification
        return self._artifacts.rows(verdicts_name(number)) if number else iter(())

    def unjudged(self) -> Iterator[tuple[int, str]]:
        """Stream plan numbers without a verdict, and why; nothing when there is none."""
        number = self.current_verification
        rows = self._artifacts.rows(unjudged_name(number)) if number else iter(())
        for plan_number, _key, _destination, reason in rows:
            if isinstance(plan_number, int):
                yield plan_number, str(reason)


def outcome_kinds(index: ArtifactIndex) -> Mapping[str, int]:
    """Return how many entries of a round ended in which way."""
    kinds = index.summary.get("kinds")
    assert isinstance(kinds, Mapping), "an outcomes artefact counts kinds"
    return {str(kind): int(number) for kind, number in kinds.items()}


def large_entries(
    artifacts: ArtifactStore, manifest: ArtifactIndex, *, first: int = 0, end: int | None = None
) -> Callable[[], Iterator[ManifestEntry]] | None:
    """Return what gives the rows of large objects from row `first` to `end` (not included).

    None where none were noted for this very manifest.
    """
    name = large_name(manifest.name)
    index = artifacts.index(name)
    # One of the same name may be left of a manifest that was never finished.
    if index is None or index.digest != manifest.summary.get(LARGE):
        return None
    last = manifest.rows if end is None else end

    def entries() -> Iterator[ManifestEntry]:
        rows = map(entry_of, artifacts.rows(name))
        own = (entry for entry in rows if entry.number >= first)
        return takewhile(lambda entry: entry.number < last, own)

    return entries
