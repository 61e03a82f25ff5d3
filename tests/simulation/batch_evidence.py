"""What the checkers of a run by jobs look at: jobs, ledgers, uploaded manifests, tasks, outcomes.

Decodes with code of its own (CSV, the inventory format, the ledger's JSON), indexes and counts;
judges nothing. Of jobs only the model is believed: what was carried out, and how each task ended.
"""

import csv
import gzip
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote

from backfill.execute.outcome_rows import outcome_of
from backfill.manifest.entries import ManifestEntry
from backfill.manifest.rows import entry_of
from backfill.manifest.run import manifest_name
from backfill.model.outcome import Outcome
from backfill.plan.routes import Route
from backfill.sandbox.model.batch_operations.job import Job
from backfill.sandbox.model.batch_operations.tasks import TaskResult
from backfill.sandbox.model.values import ReplicationStatus
from backfill.work_done import outcomes_name
from tests.doubles.history import Chain, Committed
from tests.simulation.batch_scenario import BATCH, BatchScenario
from tests.simulation.evidence import Evidence
from tests.simulation.runs import Run
from tests.simulation.scenario import SOURCE

Named = tuple[str, str]
"""A key and a version ID, as a manifest's row names a version."""

_NAME = re.compile(r", (\d\d)-(\d+)-(\d{4}) backfill-token=[0-9a-f]{32}\Z")
_UPLOAD = re.compile(r"backfill/[^/]+/manifests/(\d\d)-(\d+)/(.+)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A row of the artefact of task results."""

    number: int
    state: str
    http_status: int | None
    code: str
    message: str

    @property
    def named_code(self) -> str:
        """Return the code that an outcome shows: S3's own, wherever it stands, else the status."""
        found = re.match(r"([A-Z]\w{2,}):", self.message)
        return self.code or (found[1] if found else f"HTTP{self.http_status}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One manifest and its outcomes."""

    number: int
    entries: Sequence[ManifestEntry]
    outcomes: Sequence[Outcome]
    kinds: dict[str, int]

    @property
    def batch_rows(self) -> dict[int, ManifestEntry]:
        return {e.number: e for e in self.entries if e.route is Route.BATCH_REPLICATION}

    @property
    def by_number(self) -> dict[int, Outcome]:
        return {outcome.number: outcome for outcome in self.outcomes}


class BatchEvidence(Evidence):
    """One run by jobs, indexed, as one of its destinations shows it."""

    def __init__(self, run: Run, destination: str, number: int) -> None:
        super().__init__(run, destination, number)
        self.artifacts = run.artifacts
        self.rounds = list(self._rounds())
        self.committed: dict[str, int] = {}
        """Positions at which artefacts first became durable, by name."""
        for position, event in enumerate(self.history.events):
            if isinstance(event, Committed):
                self.committed.setdefault(event.name, position)

    @property
    def batch_scenario(self) -> BatchScenario:
        assert isinstance(self.scenario, BatchScenario), "a run by jobs"
        return self.scenario

    def _rounds(self) -> Iterator[Round]:
        for number in range(10):
            name = outcomes_name(number)
            index = self.artifacts.index(name)
            if index is None:
                return
            kinds = index.summary["kinds"]
            assert isinstance(kinds, dict), "outcomes are counted"
            yield Round(
                number=number,
                entries=[entry_of(row) for row in self.artifacts.held[manifest_name(number)]],
                outcomes=[outcome_of(row) for row in self.artifacts.held[name]],
                kinds=kinds,
            )

    # --- copies ---

    @cached_property
    def _copies(self) -> dict[str, tuple[ManifestEntry, Outcome]]:
        return {
            entry.key: (entry, one.by_number[entry.number])
            for one in self.rounds
            for entry in one.entries
            if entry.route is not Route.BATCH_REPLICATION
            and entry.destination == self.number
            and entry.number in one.by_number
        }

    @property
    def by_key(self) -> dict[str, tuple[ManifestEntry, Outcome]]:
        """Return the last work of copy workers on each key."""
        return self._copies

    def final_outcome(self, key: str) -> Outcome | None:
        """Return what the run says last of the version that was current when it planned."""
        if key in self._copies:
            return self._copies[key][1]
        planned = self.planned.get(key)
        for one in reversed(self.rounds):
            for entry in one.batch_rows.values():
                if planned is not None and entry.plan_number == planned.number:
                    return one.by_number[entry.number]
        return None

    # --- jobs ---

    @cached_property
    def jobs(self) -> list[Job]:
        """Return every job that S3 made."""
        return list(self.run.s3.model.batch_operations.jobs())

    def order(self, job: Job) -> tuple[int, int, int] | None:
        """Return the round, attempt and shard that a job says it is of."""
        found = _NAME.search(job.request.description or "")
        return (int(found[1]), int(found[2]), int(found[3])) if found else None

    def jobs_of(self, round_number: int, attempt: int) -> list[Job]:
        orders = ((job, self.order(job)) for job in self.jobs)
        return [job for job, order in orders if order and order[:2] == (round_number, attempt)]

    @cached_property
    def in_ledgers(self) -> set[str]:
        """Return the IDs of the jobs that some ledger knows."""
        found = set()
        for name, data in self.artifacts.documents.items():
            if name.startswith("replication/") and name.endswith("-jobs.json"):
                found |= {job["job_id"] for job in json.loads(data)["jobs"]}
        return found

    @cached_property
    def asked_for(self) -> set[Named]:
        """Return every version that was a task of some job."""
        return {named(task) for job in self.jobs for task in job.tasks}

    # --- tasks ---

    def attempts(self, round_number: int) -> list[int]:
        """Return the attempts whose tasks stand."""
        names = (f"replication/{round_number:02d}-tasks-{attempt}" for attempt in range(1, 10))
        return [n for n, name in enumerate(names, start=1) if self.artifacts.index(name)]

    def tasks(self, round_number: int, attempt: int) -> list[Told]:
        rows = self.artifacts.held[f"replication/{round_number:02d}-tasks-{attempt}"]
        return [
            Told(
                number=_number(number),
                state=str(state),
                http_status=status if isinstance(status, int) else None,
                code=str(code),
                message=str(message),
            )
            for number, state, status, code, message in rows
        ]

    def was_stopped(self, round_number: int, attempt: int) -> bool:
        index = self.artifacts.index(f"replication/{round_number:02d}-tasks-{attempt}")
        assert index is not None, "the attempt has tasks"
        return bool(index.summary["was_stopped"])

    def last_told(self, round_number: int) -> dict[int, tuple[int, Told]]:
        """Return the last attempt that had a row, and what it says of it."""
        found: dict[int, tuple[int, Told]] = {}
        for attempt in self.attempts(round_number):
            found |= {one.number: (attempt, one) for one in self.tasks(round_number, attempt)}
        return found

    # --- the batch bucket ---

    @cached_property
    def uploads(self) -> dict[tuple[int, int], list[Named]]:
        """Return the rows of the manifests that were uploaded, by round and attempt."""
        found: dict[tuple[int, int], list[Named]] = {}
        for entry in self.run.s3.model.world.buckets[BATCH].entries():
            path = _UPLOAD.match(entry.key)
            if path is None or not (path[3].endswith((".csv", ".csv.gz"))):
                continue
            data = entry.body.data if hasattr(entry, "body") else b""
            text = gzip.decompress(data) if path[3].endswith(".gz") else data
            rows = csv.reader(io.StringIO(text.decode(), newline=""))
            named_rows = [(unquote(key), version_id) for _bucket, key, version_id in rows]
            found.setdefault((int(path[1]), int(path[2])), []).extend(named_rows)
        return found

    # --- versions over time ---

    def chain_at(self, bucket: str, key: str, position: int) -> Chain:
        """Return a key's chain as it was at a position, newest first."""
        chain = self.history.origins.get((bucket, key), ())
        changes = self.source_changed if bucket == SOURCE else self.changed
        for at, change in changes[key]:
            if at > position:
                break
            chain = change.after
        return chain

    def holds(self, entry: ManifestEntry, position: int) -> bool:
        """Return whether this destination held the replica of a row's version at a position."""
        meant = self.meant(entry)
        return meant is not None and any(
            one.version_id == entry.version_id
            and one.sequence == meant.sequence
            and one.replication_status is ReplicationStatus.REPLICA
            for one in self.chain_at(self.destination, entry.key, position)
        )


def named(task: object) -> Named:
    """Return what a task is about."""
    key, version_id = getattr(task, "key", None), getattr(task, "version_id", None)
    assert isinstance(key, str), "a task has a key"
    assert isinstance(version_id, str), "our manifests have version IDs"
    return key, version_id


def results_of(jobs: Sequence[Job]) -> dict[Named, tuple[Job, TaskResult]]:
    """Return how each task ended that was carried out, and in which job."""
    return {named(one.task): (job, one) for job in jobs for one in job.results}


def _number(value: object) -> int:
    assert isinstance(value, int), "rows are numbered"
    return value
