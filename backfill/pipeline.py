"""The table of contents: the stages in order, what goes into each and what comes out.

Never does a stage's work. What one stage leaves for the next lies in the run directory, so each
function here can be called alone, and one whose artefact stands already does nothing.
Law: whatever is done twice is the same as done once.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import groupby, islice

from backfill.aws.faults import error_of
from backfill.batch_operations.side_by_side import Draining
from backfill.campaign import Versions
from backfill.compose import has_journal, journal
from backfill.errors import UsageError
from backfill.execute.bench import ExecutePorts
from backfill.execute.chains import read_chains
from backfill.execute.restoring.ledger import summed
from backfill.execute.run import ExecuteJob
from backfill.execute.run import execute as carry_out
from backfill.execute.stop import StopRequest
from backfill.fleet import shared_out
from backfill.inventory.lister import BucketListing
from backfill.inventory.run import SOURCE, destination_name, take_inventory
from backfill.manifest.entries import ManifestEntry
from backfill.manifest.routing_on import ROUTED_AT_ONCE_MAX, keys_to_route_on, routed_on_entries
from backfill.manifest.run import (
    manifest_name,
    plan_entries,
    plan_rows,
    write_manifest,
    write_routed_on_manifest,
)
from backfill.model.objects import VersionId
from backfill.opening import Run, begin, remembered_scene
from backfill.plan.explain import Explanation
from backfill.plan.header import header_of
from backfill.plan.routes import Route
from backfill.plan.rows import COLUMNS as PLAN_COLUMNS
from backfill.plan.rows import entry_of as plan_entry_of
from backfill.plan.rows import row_of as plan_row_of
from backfill.plan.run import PLAN, explain_key, make_plan, plan_keys
from backfill.plan.totals import PlanTotals, totals_of
from backfill.ports import ArtifactIndex, ProgressCounts
from backfill.preflight.run import refuse_unless_source_is_readable, refuse_unless_versioned
from backfill.repair.rows import copies_name
from backfill.repair.run import RepairRequest, RepairTotals, repair
from backfill.run_directory.preview import Preview
from backfill.stage_inputs import (
    batch_side,
    checksum_jobs,
    header_of_plan,
    plan_work,
    prove_both_sides,
    prove_source_of,
)
from backfill.verify.reader import Side
from backfill.verify.run import VerifyRequest, verify_buckets
from backfill.verify.run import verify as verify_plan
from backfill.verify.totals import VerifyTotals
from backfill.work_done import WorkDone, large_entries, outcomes_name

__all__ = ["Run", "begin", "remembered_scene"]


async def take_inventories(run: Run) -> tuple[ArtifactIndex, ...]:
    """List the source and every destination at the same time; one index each, the source first."""
    prefix = run.campaign.scope.prefix
    listings = [
        BucketListing(name=SOURCE, place=run.scene.source, store=run.clients.source),
        *(
            BucketListing(
                name=destination_name(number),
                place=destination.place,
                store=run.clients.destination,
            )
            for number, destination in enumerate(run.scene.destinations)
        ),
    ]
    taken = await take_inventory(
        listings,
        artifacts=run.here.artifacts,
        events=run.events,
        run_id=run.identity.run_id,
        prefixes=(prefix,),
        page_max=run.campaign.settings.page_max,
        concurrency=run.campaign.settings.listing_concurrency,
    )
    await run.here.keep()
    return taken


async def plan(run: Run) -> PlanTotals:
    """Decide one route or one reason for every version; return totals that add up."""
    if run.here.artifacts.index(PLAN) is None:
        await prove_source_of(run)
    index = await make_plan(plan_work(run), artifacts=run.here.artifacts, events=run.events)
    await run.here.keep()
    return totals_of(index.summary)


async def explain(run: Run, key: str, version_id: VersionId | None) -> Explanation:
    """Return the proof for one version, from the inventory and fresh reads."""
    await prove_source_of(run)
    return await explain_key(plan_work(run), key, version_id)


async def refuse_unsafe(run: Run) -> None:
    """Refuse to write unless every destination's versioning is Enabled, asked again now."""
    await refuse_unless_versioned(run.scene, run.clients.destination_control)


async def deliver(run: Run, stop: StopRequest) -> tuple[ArtifactIndex, ...]:
    """Carry out the newest manifest, then by copies what Batch Replication refused.

    Returns the outcomes of the rounds that were carried out. Raises: as `execute`.
    """
    first = await execute(run, stop)
    await run.here.keep()
    if await route_on(run) is None:
        return (first,)
    return first, await execute(run, stop)


async def execute(run: Run, stop: StopRequest) -> ArtifactIndex:
    """Carry out the newest manifest (written now if only the plan stands); resume what was begun.

    Raises:
        VersioningError, MissingPermissionError: Nothing was written.
        JobWaitsError: Jobs wait for a person; the same call goes on.
        InterruptedRunError: `stop` was requested; the same call resumes.
    """
    artifacts, work = run.here.artifacts, WorkDone(run.here.artifacts)
    index = newest_manifest(run)
    number = work.manifests - 1
    done = artifacts.index(outcomes_name(number))
    if done is not None:
        return done
    header, run = header_of_plan(run), _with_restores_left(run, work, number)
    await refuse_unsafe(run)
    await _refuse_unreadable_source(run, number)
    await prove_both_sides(run)
    batch = batch_side(run, number, index)
    shared = shared_out(run, index, header, has_jobs=batch is not None)
    await run.here.keep()
    events = shared.events if shared else run.events
    events.progress(ProgressCounts(stage="execute", done=0, total=index.rows))
    async with journal(run.here, index) as opened:
        ports = ExecutePorts(
            source=run.clients.source,
            destination=run.clients.destination,
            control=run.clients.destination_control,
            journal=opened,
            artifacts=artifacts,
            events=events,
            clock=run.here.clock,
            random=run.here.random,
            error_of=error_of,
            budget=run.clients.budget,
            keep=run.here.keep_documents,
        )
        job = ExecuteJob(
            header=header,
            manifest=index,
            entries=partial(work.manifest_entries, number),
            large_entries=large_entries(artifacts, index),
            outcomes_name=outcomes_name(number),
            allows_hiding=run.campaign.allows_hiding,
            settings=shared.share if shared else run.campaign.settings,
            leaves_newer_out=run.campaign.scope.created_before is not None,
            restore=shared.restore if shared else run.campaign.restore,
        )
        return await carry_out(job, ports, stop, batch, shared.fleet if shared else None)


def _with_restores_left(run: Run, work: WorkDone, round_number: int) -> Run:
    """Return the run with what earlier rounds have left of its budget for restores."""
    options, spent = run.campaign.restore, summed(map(work.restores, range(round_number)))
    if options is None or spent is None:
        return run
    left = replace(options, bytes_max=max(0, options.bytes_max - spent.asked_bytes))
    return replace(run, campaign=replace(run.campaign, restore=left))


async def route_on(run: Run) -> ArtifactIndex | None:
    """Write the manifest of what Batch Replication refused for good and a copy can deliver.

    Returns None where there is nothing of that kind, or no copy workers are allowed.
    """
    work = WorkDone(run.here.artifacts)
    number = work.outcome_rounds - 1
    outcomes = run.here.artifacts.index(outcomes_name(number)) if number >= 0 else None
    if outcomes is None or work.manifests > work.outcome_rounds or not _has_both_engines(run):
        return None
    if work.current_verification:
        return None  # nothing was left when this round ended; what came since is for repair
    refused = keys_to_route_on(work.manifest_entries(number), work.outcomes(number))

    async def entries() -> AsyncIterator[ManifestEntry]:
        while chunk := list(islice(refused, ROUTED_AT_ONCE_MAX)):
            keys = [key.key for key in chunk]
            planned = plan_keys(plan_work(run), keys, read_chains=read_chains)
            for entry in routed_on_entries(chunk, [each async for each in planned]):
                yield entry

    return await write_routed_on_manifest(run.here.artifacts, number + 1, entries(), outcomes)


def _has_both_engines(run: Run) -> bool:
    return run.scene.engine.has_batch and run.scene.engine.has_copy


def newest_manifest(run: Run) -> ArtifactIndex:
    """Return the manifest to carry out next; the plan's own is written now if none stands."""
    artifacts, work = run.here.artifacts, WorkDone(run.here.artifacts)
    if not work.manifests:
        return write_manifest(artifacts)
    index = artifacts.index(manifest_name(work.manifests - 1))
    assert index is not None, "the newest manifest stands"
    return index


async def _refuse_unreadable_source(run: Run, round_number: int) -> None:
    """Try one version as every copy will read it: by the destination identity.

    S3 itself reads what goes by Batch Replication, so where only that is allowed, nobody need open
    the source to the destination's account.
    """
    entries = WorkDone(run.here.artifacts).manifest_entries(round_number)
    copied = (entry for entry in entries if entry.route is not Route.BATCH_REPLICATION)
    entry = next((e for e in copied if e.version_id is not None and e.etag is not None), None)
    if entry is None or entry.version_id is None:
        return
    await refuse_unless_source_is_readable(
        run.scene,
        run.clients.destination,
        key=entry.key,
        version_id=entry.version_id,
        account=run.scene.destinations[entry.destination].place.expected_owner,
    )


@contextmanager
def unstopped() -> Iterator[StopRequest]:
    """Give jobs a request to stop that nobody makes; see `batch_operations.side_by_side`."""
    yield StopRequest()


async def verify(run: Run, draining: Draining = unstopped) -> VerifyTotals:
    """Look afresh at both sides and judge every planned version; a new verification each time.

    Without a plan in the run directory the buckets are compared by their current versions, or by
    all versions if the campaign asks for them. Where
    checksum jobs prove what nothing stored can, one that was left waiting for them is gone on with.

    Raises:
        JobWaitsError: Jobs wait for a person; the same call goes on.
        InterruptedRunError: A signal came while jobs were at work; the same call goes on.
        RefusedError: Jobs were asked for, and cannot be made.
    """
    artifacts, scene = run.here.artifacts, run.scene
    held_plan = artifacts.index(PLAN)
    header = header_of_plan(run)
    jobs = await checksum_jobs(run, draining)
    await prove_both_sides(run)
    work = WorkDone(artifacts)
    request = VerifyRequest(
        round=work.verifications + 1,
        header=header,
        source=run.clients.source,
        destinations=(run.clients.destination,) * len(scene.destinations),
        take_listings=partial(_take_listings, run),
        claims=scene.claims,
        inputs=work.digests(),
        is_deep=run.campaign.is_deep,
        compares_histories=run.campaign.scope.versions is Versions.ALL,
        checksum_jobs=jobs,
    )
    if held_plan is None:
        return await verify_buckets(
            request,
            replicates_delete_markers=scene.replicates_delete_markers,
            artifacts=artifacts,
            events=run.events,
            clock=run.here.clock,
            settings=run.campaign.settings,
        )
    return await verify_plan(
        request,
        partial(plan_rows, artifacts),
        work.outcome_rows,
        artifacts=artifacts,
        events=run.events,
        clock=run.here.clock,
        settings=run.campaign.settings,
    )


async def plan_repair(
    run: Run, draining: Draining = unstopped, *, is_preview: bool = False
) -> RepairTotals:
    """Turn the current verification's bad rows into the next manifest, verifying first if need be.

    A preview decides the same and leaves no manifest behind.

    Raises:
        UsageError: There is no plan to repair by, or the newest manifest is not carried out yet.
        RefusedError: The run was repaired too often.
    """
    artifacts, work = run.here.artifacts, WorkDone(run.here.artifacts)
    index = artifacts.index(PLAN)
    if index is None:
        raise UsageError("there is no plan to repair by", hint="backfill run, which plans first")
    if work.outcome_rounds < work.manifests or not work.manifests:
        raise UsageError("the newest manifest is not carried out yet", hint="backfill execute")
    if not work.current_verification:
        await verify(run, draining)
    request = RepairRequest(
        round=work.manifests,
        verification=work.current_verification,
        inputs=work.digests(),
        header=header_of(index.summary),
        allows_hiding=run.campaign.allows_hiding,
    )
    copies = await _planned_copies(run, request)
    return repair(
        request,
        partial(plan_entries, artifacts),
        work.planned_outcomes,
        copies=partial(map, plan_entry_of, artifacts.rows(copies)) if copies else lambda: iter(()),
        artifacts=Preview(artifacts) if is_preview else artifacts,
        events=run.events,
    )


async def _planned_copies(run: Run, request: RepairRequest) -> str:
    """Decide how wrong replicas can be copied over; return the artefact's name, empty for none.

    It holds what was read for a decision, and decides nothing itself: a dry run writes it, too.
    """
    if not _has_both_engines(run):
        return ""
    artifacts, name = run.here.artifacts, copies_name(request.round)
    verdicts = WorkDone(artifacts).verdicts()
    keys = (key for key, _ in groupby(v.key for v in verdicts if not v.is_good))
    with artifacts.writer(name, columns=PLAN_COLUMNS, inputs=request.inputs) as writer:
        async for entry in plan_keys(
            plan_work(run), keys, read_chains=read_chains, is_mending=True
        ):
            writer.write(plan_row_of(entry))
        writer.commit({})
    return name


def has_open_manifest(run: Run) -> bool:
    """Return whether the newest manifest is not carried out to its end yet."""
    work = WorkDone(run.here.artifacts)
    return work.outcome_rounds < work.manifests


def has_begun_to_write(run: Run) -> bool:
    """Return whether the newest manifest's work was begun, so that its yes was given."""
    work = WorkDone(run.here.artifacts)
    return work.manifests > 0 and has_journal(run.here, manifest_name(work.manifests - 1))


async def _take_listings(run: Run, sides: Sequence[Side], run_id: str) -> Mapping[str, str]:
    indexes = await take_inventory(
        [
            BucketListing(name=side.listing_name, place=side.place, store=side.store)
            for side in sides
        ],
        artifacts=run.here.artifacts,
        events=run.events,
        run_id=run_id,
        prefixes=(run.campaign.scope.prefix,),
        page_max=run.campaign.settings.page_max,
        concurrency=run.campaign.settings.listing_concurrency,
    )
    return {index.name: index.digest for index in indexes}
