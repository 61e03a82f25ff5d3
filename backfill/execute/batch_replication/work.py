"""What the rows of Batch Replication are worked on with: places, options, ports, names.

Never decides.
Law: names of artefacts and of objects in the batch bucket are fixed words and numbers.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backfill.batch_operations.driver import DriverPorts
from backfill.batch_operations.task_results import TASK_COLUMNS
from backfill.batch_operations.workplace import Workplace
from backfill.campaign import BatchOptions
from backfill.execute.outcome_rows import COLUMNS
from backfill.manifest.entries import ManifestEntry
from backfill.manifest.rows import COLUMNS as MANIFEST_COLUMNS
from backfill.model.jobs import GeneratedManifest, JobPlace
from backfill.model.places import BucketPlace
from backfill.plan.header import PlanHeader
from backfill.ports import ArtifactIndex, ArtifactStore, BatchBucket, Clock, Events, ObjectStore
from backfill.settings import Settings

LOOK_COLUMNS: Final = (*COLUMNS, "is_waiting")
"""An outcome, or what the outcome would be if the waiting ended now."""
WAITING_COLUMNS: Final = (*MANIFEST_COLUMNS, *TASK_COLUMNS[1:], "attempts")
"""A row that is waited for: its entry, what its task came to, and after how many attempts."""
OPEN_COLUMNS: Final = (*MANIFEST_COLUMNS, "needs_mend")
"""An entry that another job may deliver, and whether only after a person mended something."""
BREATH_ROWS: Final = 2000
"""Rows passed in one go before signals and copies get their turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchWork:
    """The rows of one manifest that go by Batch Replication.

    `entries` gives them in order, anew at every call, and there are `rows` of them. `generated` is
    set where S3 shall list the versions itself. `bucket` takes manifests and completion reports.
    """

    round: int
    run_id: str
    manifest: ArtifactIndex
    header: PlanHeader
    entries: Callable[[], Iterable[ManifestEntry]]
    rows: int
    options: BatchOptions
    bucket: BucketPlace
    generated: GeneratedManifest | None
    settings: Settings

    @property
    def inputs(self) -> dict[str, str]:
        """Return what every artefact made here follows from."""
        return {self.manifest.name: self.manifest.digest}


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPorts:
    """The ports of the work: jobs, the batch bucket, and both sides' objects to look at.

    `scratch` is a folder for files that can be made again.
    """

    driver: DriverPorts
    bucket: BatchBucket
    source: ObjectStore
    destination: ObjectStore
    scratch: Path

    @property
    def artifacts(self) -> ArtifactStore:
        """The run directory."""
        return self.driver.artifacts

    @property
    def clock(self) -> Clock:
        """The clock."""
        return self.driver.clock

    @property
    def events(self) -> Events:
        """The talk."""
        return self.driver.events


def workplace_of(work: BatchWork, ports: BatchPorts) -> Workplace:
    """Return where the jobs are made: in the source's account and Region."""
    source = work.header.source
    return Workplace(
        run_id=work.run_id,
        place=JobPlace(account_id=source.expected_owner, region=source.region),
        role_arn=work.options.role_arn,
        bucket=work.bucket,
        files=ports.bucket,
        driver=ports.driver,
        options=work.options,
        settings=work.settings,
        scratch=ports.scratch,
    )


def replication_name(round_number: int) -> str:
    """Return the artefact of a round's outcomes of Batch Replication."""
    return f"replication/{round_number:02d}"


def tasks_name(round_number: int, attempt: int) -> str:
    """Return the artefact of what the completion reports of an attempt say of its rows."""
    return f"replication/{round_number:02d}-tasks-{attempt}"


def open_name(round_number: int, attempt: int) -> str:
    """Return the artefact of the rows that an attempt leaves to the next."""
    return f"replication/{round_number:02d}-open-{attempt}"


def look_name(round_number: int, look: int) -> str:
    """Return the artefact of a look at the destination."""
    return f"replication/{round_number:02d}-look-{look}"


def waiting_name(round_number: int, look: int) -> str:
    """Return the artefact of the rows that a look leaves to wait for."""
    return f"replication/{round_number:02d}-waiting-{look}"


def ledger_name(round_number: int) -> str:
    """Return the document that remembers a round's jobs."""
    return f"replication/{round_number:02d}-jobs.json"


def refusal_name(round_number: int, attempt: int) -> str:
    """Return the document that remembers that a report of an attempt was refused."""
    return f"replication/{round_number:02d}-{attempt}-refused.json"
