"""How a manifest is shared out over copy processes: cut once, remembered, given to each.

Never starts a process (`copiers` does) and never copies.
Law: a manifest that was begun stays cut as it was, whatever number of processes a resume has.
"""

from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import islice

from backfill.campaign import RestoreOptions
from backfill.compose import has_journal
from backfill.copiers import Copiers, CopierTask, Together, processes_allowed, share_of
from backfill.events.copying import ShardsKept
from backfill.execute.restoring.keys import archived_bytes
from backfill.execute.run import Fleet
from backfill.execute.shards import (
    Shard,
    document_of,
    shard_count,
    shards_name,
    shards_of,
    start_at,
    starts_of,
    wanted_starts,
)
from backfill.execute.stop import StopRequest
from backfill.manifest.large import large_name
from backfill.manifest.rows import entry_of, key_of
from backfill.opening import Run
from backfill.plan.header import PlanHeader
from backfill.ports import ArtifactIndex, Events
from backfill.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedOut:
    """A manifest that several processes carry out: this one's part, and how it shows all of it."""

    share: Settings
    """The limits of each process."""
    fleet: Fleet
    events: Events
    restore: RestoreOptions | None
    """What this one's part of the rows may have restored."""


def shared_out(
    run: Run, manifest: ArtifactIndex, header: PlanHeader, *, has_jobs: bool
) -> SharedOut | None:
    """Share a manifest out; None where this process does all of it.

    Raises:
        ArtifactDamagedError: How it was cut when work on it began cannot be read any more.
    """
    processes = processes_allowed(run.campaign.settings)
    shards = _shards(run, manifest, processes)
    if len(shards) == 1:
        return None
    assert run.here.lock is not None, "who writes into a run directory holds it"
    for name in (manifest.name, large_name(manifest.name), "journal"):
        run.here.bring(name)  # copy processes read files that are here
    at_work = min(processes, len(shards)) if processes > 1 else 2
    share = share_of(run.campaign, at_work)
    restores = _shares_of_restores(run, manifest, shards)
    tasks = [
        CopierTask(
            campaign=replace(share, restore=restores[shard.number]),
            run_directory=run.here.root,
            manifest=manifest,
            header=header,
            shard=shard,
            has_jobs=has_jobs,
        )
        for shard in shards[1:]
    ]
    together = Together(run.events, manifest.rows)
    copiers = Copiers(
        tasks, at_once=at_work - 1, lock=run.here.lock, here=run.here, events=together
    )

    async def carry_out(stop: StopRequest) -> None:
        pace = run.clients.pace
        with nullcontext() if pace is None else pace.shared(at_work):
            await copiers.carry_out(stop)

    return SharedOut(
        share=share.settings,
        fleet=Fleet(own_rows=shards[0].end, carry_out=carry_out, outcomes=copiers.outcomes),
        events=together,
        restore=restores[0],
    )


def _shares_of_restores(
    run: Run, manifest: ArtifactIndex, shards: tuple[Shard, ...]
) -> tuple[RestoreOptions | None, ...]:
    """Share the budget of restores out in manifest order, so that no process has to ask another.

    What no shard needs is the first one's: a version may have to be restored twice.
    """
    options = run.campaign.restore
    if options is None:
        return (None,) * len(shards)
    rows = map(entry_of, run.here.artifacts.rows(manifest.name))
    left_bytes, parts = options.bytes_max, []
    for shard in shards:
        needed = archived_bytes(islice(rows, shard.end - shard.first))
        parts.append(min(needed, left_bytes))
        left_bytes -= parts[-1]
    parts[0] += left_bytes
    return tuple(replace(options, bytes_max=part) for part in parts)


def _shards(run: Run, manifest: ArtifactIndex, processes: int) -> tuple[Shard, ...]:
    """Return how the manifest is cut: as it was when work on it began, or now."""
    artifacts, name = run.here.artifacts, shards_name(manifest.name)
    data = artifacts.read_document(name)
    if data is not None:
        shards = shards_of(starts_of(data, manifest.digest, name=name), manifest.rows)
    elif has_journal(run.here, manifest.name):
        shards = shards_of((), manifest.rows)
    else:
        count = shard_count(manifest.rows, processes=processes)
        if count == 1:
            return shards_of((), manifest.rows)
        starts = [
            start_at(wanted, map(key_of, artifacts.rows(manifest.name, start=wanted - 1)))
            for wanted in wanted_starts(manifest.rows, shards=count)
        ]
        shards = shards_of(starts, manifest.rows)
        artifacts.write_document(name, document_of(shards, manifest.digest))
        return shards
    if len(shards) != processes and shard_count(manifest.rows, processes=processes) > 1:
        run.events.emit(ShardsKept(shards=len(shards), processes=processes))
    return shards
