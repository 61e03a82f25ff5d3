"""A run that was repaired, as its checkers look at it: round by round, and as a whole.

Round 0 carries out the plan; each repair adds one. What a round says is held against what happened
between its beginning and the next one's; what the run says at last, against the end.
"""

from collections import defaultdict

from backfill.execute.outcome_rows import outcome_of
from backfill.manifest.entries import ManifestEntry
from backfill.manifest.rows import entry_of
from backfill.manifest.run import manifest_name
from backfill.model.outcome import Outcome
from backfill.sandbox.model.versions import Entry
from backfill.verify.rows import verdict_of, verdicts_name
from backfill.verify.verdicts import VerdictRow
from backfill.work_done import outcomes_name
from tests.doubles.history import Chain, Committed
from tests.simulation.evidence import Evidence
from tests.simulation.runs import Run


def rounds_of(run: Run) -> int:
    """Return how many rounds were carried out."""
    held = run.artifacts.held
    return next(number for number in range(100) if outcomes_name(number) not in held)


def _began(run: Run, number: int) -> int:
    """Return the position at which a round began; the end for one that never did."""
    name, events = manifest_name(number), run.history.events
    marks = (at for at, e in enumerate(events) if isinstance(e, Committed) and e.name == name)
    return 0 if number == 0 else next(marks, len(events))


class RoundEvidence(Evidence):
    """One round: its manifest, its outcomes, and what changed at the destination in its time."""

    def __init__(self, run: Run, round_number: int) -> None:
        super().__init__(run)
        held = run.artifacts.held
        self.round_number = round_number
        self.manifest = [entry_of(row) for row in held.get(manifest_name(round_number), [])]
        rows = held.get(outcomes_name(round_number), [])
        self.outcomes = [outcome_of(row) for row in rows]
        begin, end = _began(run, round_number), _began(run, round_number + 1)
        self._is_last = end == len(run.history.events)
        every, self.changed = self.changed, defaultdict(list)
        self._origins: dict[str, Chain] = {}
        self._ends: dict[str, Chain] = {}
        for key, changes in every.items():
            self.changed[key] = [(at, change) for at, change in changes if begin <= at < end]
            before = [change.after for at, change in changes if at < begin]
            origin = super().origin(key)
            self._origins[key] = before[-1] if before else origin
            until = [change.after for at, change in changes if at < end]
            self._ends[key] = until[-1] if until else origin
        # Where an extra version was told in any verification, it was told.
        self.verdicts = [row for number in range(1, 100) for row in _verdicts(run, number)]

    def origin(self, key: str) -> Chain:
        """Return what the destination held of a key when the round began."""
        return self._origins.get(key, super().origin(key))

    def current(self, bucket: str, key: str) -> Entry | None:
        """Return what was current when the round was over."""
        if self._is_last or bucket != self.destination:
            return super().current(bucket, key)
        chain = self._ends.get(key, super().origin(key))
        return chain[0] if chain else None


def _verdicts(run: Run, number: int) -> list[VerdictRow]:
    return [verdict_of(row) for row in run.artifacts.held.get(verdicts_name(number), [])]


class WholeEvidence(Evidence):
    """The run with all of its rounds: of each key, what the last one says of it."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._rounds = [RoundEvidence(run, number) for number in range(rounds_of(run))]
        number = next(n for n in range(1, 100) if verdicts_name(n) not in run.artifacts.held)
        self.verdicts = _verdicts(run, number - 1)

    @property
    def by_key(self) -> dict[str, tuple[ManifestEntry, Outcome]]:
        """Return the last work on each key."""
        return {key: work for one in self._rounds for key, work in one.by_key.items()}

    @property
    def last(self) -> dict[str, tuple[ManifestEntry, Outcome]]:
        """Return the work of the last round alone."""
        return self._rounds[-1].by_key

    def seen(self, key: str) -> set[str | None]:
        """Return the destination versions that a manifest names as seen."""
        return {version_id for one in self._rounds for version_id in one.seen(key)}

    @property
    def round_views(self) -> list[RoundEvidence]:
        """Return the rounds, each by itself."""
        return self._rounds
