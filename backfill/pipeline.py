"""The table of contents: the stages in order, what goes into each and what comes out.

Never does a stage's work. What one stage leaves for the next lies in the run directory, so each
function here can be called alone, and one whose artefact stands already does nothing.
Law: whatever is done twice is the same as done once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from backfill.aws.faults import error_of
from backfill.campaign import Campaign, campaign_identity
from backfill.compose import Clients, Machine, has_journal, journal
from backfill.errors import ForeignRunDirectoryError, UsageError
from backfill.execute.bench import ExecutePorts
from backfill.execute.run import ExecuteJob
from backfill.execute.run import execute as carry_out
from backfill.execute.stop import StopRequest
from backfill.inventory.run import (
    SOURCE,
    BucketListing,
    destination_name,
    joined_inventory,
    take_inventory,
)
from backfill.manifest.run import manifest_name, plan_entries, write_manifest
from backfill.model.objects import VersionId
from backfill.plan.configuration import parse_configuration
from backfill.plan.explain import Explanation
from backfill.plan.header import PlanHeader, header_of
from backfill.plan.rules import Rules, configuration_digest
from backfill.plan.run import PLAN, PlanWork, explain_key, make_plan
from backfill.plan.terms import Terms, terms_of
from backfill.plan.totals import PlanTotals, totals_of
from backfill.ports import ArtifactIndex, Events
from backfill.preflight.readable import prove_destinations, prove_source
from backfill.preflight.run import (
    refuse_unless_source_is_readable,
    refuse_unless_versioned,
    set_scene,
)
from backfill.preflight.scene import DOCUMENT as SCENE
from backfill.preflight.scene import Scene, scene_bytes, scene_of
from backfill.repair.run import RepairRequest, RepairTotals, repair
from backfill.run_directory.identity import RunIdentity, open_run, read_run
from backfill.run_directory.preview import Preview
from backfill.verify.reader import Side
from backfill.verify.run import VerifyRequest, verify_buckets
from backfill.verify.run import verify as verify_plan
from backfill.verify.totals import VerifyTotals
from backfill.work_done import WorkDone, outcomes_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run at work: what was asked, where, and through what."""

    campaign: Campaign
    identity: RunIdentity
    is_resumed: bool
    scene: Scene
    here: Machine
    clients: Clients
    events: Events


async def begin(campaign: Campaign, here: Machine, clients: Clients, events: Events) -> Run:
    """Set the scene and begin or resume the run of a run directory, which is held.

    Raises:
        ForeignRunDirectoryError: It belongs to another campaign or replication configuration.
        RefusedError, CampaignError: See `preflight.run.set_scene`.
    """
    scene = await set_scene(
        campaign,
        source_control=clients.source_control,
        destination_control=clients.destination_control,
        horizon=here.clock.now(),
    )
    told = await clients.source_control.server_time(campaign.source_bucket)
    # S3 tells whole seconds, rounded down: what was stamped within this one is ours to look at.
    now = told + timedelta(seconds=1) if told is not None else here.clock.now()
    asked = {
        **campaign_identity(campaign),
        "replication configuration": configuration_digest(scene.rules),
    }
    opened = open_run(here.artifacts, asked, now=now, random=here.random)
    horizon = campaign.scope.created_before or opened.identity.horizon
    scene = replace(scene, horizon=horizon)
    here.artifacts.write_document(SCENE, scene_bytes(scene))
    return Run(
        campaign=campaign,
        identity=opened.identity,
        is_resumed=opened.is_resumed,
        scene=scene,
        here=here,
        clients=clients,
        events=events,
    )


def remembered_scene(campaign: Campaign, here: Machine) -> tuple[RunIdentity, Scene]:
    """Return the run and its scene as the run directory holds them: nothing is asked of AWS.

    Raises:
        UsageError: No run was begun there.
    """
    identity = read_run(here.artifacts)
    data = here.artifacts.read_document(SCENE)
    if identity is None or data is None:
        raise UsageError(
            "no run was begun in this run directory", hint="backfill run or backfill inventory"
        )
    return identity, scene_of(data, campaign)


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
    return await take_inventory(
        listings,
        artifacts=run.here.artifacts,
        events=run.events,
        run_id=run.identity.run_id,
        prefixes=(prefix,),
        page_max=run.campaign.settings.page_max,
    )


async def plan(run: Run) -> PlanTotals:
    """Decide one route or one reason for every version; return totals that add up."""
    if run.here.artifacts.index(PLAN) is None:
        await _prove_source(run)
    index = await make_plan(_plan_work(run), artifacts=run.here.artifacts, events=run.events)
    return totals_of(index.summary)


async def explain(run: Run, key: str, version_id: VersionId | None) -> Explanation:
    """Return the proof for one version, from the inventory and fresh reads."""
    await _prove_source(run)
    return await explain_key(_plan_work(run), key, version_id)


async def refuse_unsafe(run: Run) -> None:
    """Refuse to write unless every destination's versioning is Enabled, asked again now."""
    await refuse_unless_versioned(run.scene, run.clients.destination_control)


async def execute(run: Run, stop: StopRequest) -> ArtifactIndex:
    """Carry out the newest manifest (written now if only the plan stands); resume what was begun.

    Raises:
        VersioningError, MissingPermissionError: Nothing was written.
        InterruptedRunError: `stop` was requested; the same call resumes.
    """
    artifacts, work = run.here.artifacts, WorkDone(run.here.artifacts)
    index = newest_manifest(run)
    number = work.manifests - 1
    done = artifacts.index(outcomes_name(number))
    if done is not None:
        return done
    header = _header_of_plan(run)
    await refuse_unsafe(run)
    await _refuse_unreadable_source(run, number)
    await _prove_both_sides(run)
    async with journal(run.here, index) as opened:
        ports = ExecutePorts(
            source=run.clients.source,
            destination=run.clients.destination,
            control=run.clients.destination_control,
            journal=opened,
            artifacts=artifacts,
            events=run.events,
            clock=run.here.clock,
            random=run.here.random,
            error_of=error_of,
            budget=run.clients.budget,
        )
        job = ExecuteJob(
            header=header,
            manifest=index,
            entries=work.manifest_entries(number),
            outcomes_name=outcomes_name(number),
            allows_hiding=run.campaign.allows_hiding,
            settings=run.campaign.settings,
        )
        return await carry_out(job, ports, stop)


def newest_manifest(run: Run) -> ArtifactIndex:
    """Return the manifest to carry out next; the plan's own is written now if none stands."""
    artifacts, work = run.here.artifacts, WorkDone(run.here.artifacts)
    if not work.manifests:
        return write_manifest(artifacts)
    index = artifacts.index(manifest_name(work.manifests - 1))
    assert index is not None, "the newest manifest stands"
    return index


def _header_of_plan(run: Run) -> PlanHeader:
    """Return the places that the plan's destination numbers mean; the scene must still agree.

    Raises:
        ForeignRunDirectoryError: A bucket has moved, or another owner is expected.
    """
    index = run.here.artifacts.index(PLAN)
    if index is None:
        return run.scene.header
    header = header_of(index.summary)
    if (header.source, header.destinations) != (run.scene.source, run.scene.header.destinations):
        raise ForeignRunDirectoryError(
            "the buckets' Regions or expected owners are not those of the plan any more",
            hint="begin a new run directory; what was delivered is recognised there",
        )
    return header


async def _prove_source(run: Run) -> None:
    scope = run.campaign.scope
    await prove_source(run.scene, run.clients.source, scope.prefix, run.events)


async def _prove_both_sides(run: Run) -> None:
    await _prove_source(run)
    scope = run.campaign.scope
    await prove_destinations(run.scene, run.clients.destination, scope.prefix, run.events)


async def _refuse_unreadable_source(run: Run, round_number: int) -> None:
    """Try one version as every copy will read it: by the destination identity."""
    entries = WorkDone(run.here.artifacts).manifest_entries(round_number)
    entry = next((e for e in entries if e.version_id is not None and e.etag is not None), None)
    if entry is None or entry.version_id is None:
        return
    await refuse_unless_source_is_readable(
        run.scene,
        run.clients.destination,
        key=entry.key,
        version_id=entry.version_id,
        account=run.scene.destinations[entry.destination].place.expected_owner,
    )


async def verify(run: Run) -> VerifyTotals:
    """Look afresh at both sides and judge every planned version; a new verification each time.

    Without a plan in the run directory the buckets are compared by their current versions.
    """
    artifacts, scene = run.here.artifacts, run.scene
    held_plan = artifacts.index(PLAN)
    header = _header_of_plan(run)
    await _prove_both_sides(run)
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
        partial(plan_entries, artifacts),
        work.planned_outcomes,
        artifacts=artifacts,
        events=run.events,
        clock=run.here.clock,
        settings=run.campaign.settings,
    )


async def plan_repair(run: Run, *, is_preview: bool = False) -> RepairTotals:
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
        await verify(run)
    request = RepairRequest(
        round=work.manifests,
        verification=work.current_verification,
        inputs=work.digests(),
        header=header_of(index.summary),
        allows_hiding=run.campaign.allows_hiding,
    )
    return repair(
        request,
        partial(plan_entries, artifacts),
        work.planned_outcomes,
        artifacts=Preview(artifacts) if is_preview else artifacts,
        events=run.events,
    )


def has_open_manifest(run: Run) -> bool:
    """Return whether the newest manifest is not carried out to its end yet."""
    work = WorkDone(run.here.artifacts)
    return work.outcome_rounds < work.manifests


def has_begun_to_write(run: Run) -> bool:
    """Return whether the newest manifest's work was begun, so that its yes was given."""
    work = WorkDone(run.here.artifacts)
    return work.manifests > 0 and has_journal(run.here, manifest_name(work.manifests - 1))


def terms(campaign: Campaign, scene: Scene) -> Terms:
    """Return what holds for every decision of the plan."""
    live = scene.configuration
    return terms_of(
        scene.rules,
        live_rules=parse_configuration(live) if live is not None else Rules(rules=()),
        campaign=campaign,
        horizon=scene.horizon,
        destination_ownerships=[one.facts.object_ownership for one in scene.destinations],
        source_ownership=scene.source_facts.object_ownership,
    )


def _plan_work(run: Run) -> PlanWork:
    artifacts = run.here.artifacts
    count = len(run.scene.destinations)
    names = [SOURCE, *(destination_name(number) for number in range(count))]
    return PlanWork(
        header=run.scene.header,
        terms=terms(run.campaign, run.scene),
        rules=run.scene.rules,
        groups=lambda: joined_inventory(artifacts, destinations=count),
        inventories=_digests(run.here, names),
        source_store=run.clients.source,
        destination_store=run.clients.destination,
        concurrency=run.campaign.settings.concurrency,
    )


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
    )
    return {index.name: index.digest for index in indexes}


def _digests(here: Machine, names: Sequence[str]) -> Mapping[str, str]:
    found = {}
    for name in names:
        index = here.artifacts.index(name)
        if index is None:
            raise UsageError(f"there is no {name} in this run directory", hint="backfill inventory")
        found[name] = index.digest
    return found
