"""How far a run is: which artefacts stand, and how many rows each has.

Never writes and takes no lock: it may be asked while the run works.
Law: what is not durable yet does not count.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from backfill.compose import Machine
from backfill.inventory.run import SOURCE, destination_name
from backfill.manifest.run import manifest_name
from backfill.model.escaping import visible_text
from backfill.model.units import counted
from backfill.plan.run import PLAN
from backfill.run_directory.identity import RunIdentity
from backfill.verify.rows import verdicts_name
from backfill.work_done import WorkDone, outcomes_name


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStatus:
    """One artefact of the run: its name and rows; `rows` None while it does not stand."""

    name: str
    rows: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """A run directory at a glance."""

    run_id: str
    source_bucket: str
    begun_at: datetime
    stages: tuple[StageStatus, ...]
    next_stage: str


def status_of(identity: RunIdentity, here: Machine) -> RunStatus:
    """Return the state of a run directory."""
    work = WorkDone(here.artifacts)
    rounds = range(max(1, work.manifests))
    names = [
        SOURCE,
        *(destination_name(number) for number in range(_destinations(here))),
        PLAN,
        *(name(number) for number in rounds for name in (manifest_name, outcomes_name)),
        *(verdicts_name(number + 1) for number in range(max(1, work.verifications))),
    ]
    stages = tuple(StageStatus(name=name, rows=_rows(here, name)) for name in names)
    waiting = (stage.name for stage in stages if stage.rows is None)
    return RunStatus(
        run_id=identity.run_id,
        source_bucket=identity.campaign.get("source bucket", ""),
        begun_at=identity.horizon,
        stages=stages,
        next_stage=next(waiting, ""),
    )


def status_lines(status: RunStatus) -> Iterator[str]:
    """Give the status for a terminal."""
    yield f"run {status.run_id} of {visible_text(status.source_bucket)}, begun {status.begun_at}"
    for stage in status.stages:
        words = "not yet" if stage.rows is None else f"{counted(stage.rows)} rows"
        yield f"  {stage.name}: {words}"
    yield f"next: {status.next_stage}" if status.next_stage else "every stage stands"


def _rows(here: Machine, name: str) -> int | None:
    index = here.artifacts.index(name)
    return index.rows if index is not None else None


def _destinations(here: Machine) -> int:
    """Return how many destination inventories stand, at least one."""
    number = 0
    while here.artifacts.index(destination_name(number)) is not None:
        number += 1
    return max(1, number)
