"""The table of contents: the stages in order, what goes into each and what comes out.

Never does a stage's work. Stages meet only through artefacts in the run directory, so each function
here can be called alone, and one whose artefact stands already does nothing.
Law: whatever is done twice is the same as done once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from backfill.campaign import Campaign, campaign_identity
from backfill.compose import Clients, Machine
from backfill.errors import UsageError
from backfill.inventory.run import (
    SOURCE,
    BucketListing,
    destination_name,
    joined_inventory,
    take_inventory,
)
from backfill.model.objects import VersionId
from backfill.plan.configuration import parse_configuration
from backfill.plan.explain import Explanation
from backfill.plan.rules import Rules, configuration_digest
from backfill.plan.run import PlanWork, explain_key, make_plan
from backfill.plan.terms import Terms, terms_of
from backfill.plan.totals import PlanTotals, totals_of
from backfill.ports import ArtifactIndex, Events
from backfill.preflight.run import refuse_unless_versioned, set_scene
from backfill.preflight.scene import DOCUMENT as SCENE
from backfill.preflight.scene import Scene, scene_bytes, scene_of
from backfill.run_directory.identity import RunIdentity, open_run, read_run


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
    asked = {
        **campaign_identity(campaign),
        "replication configuration": configuration_digest(scene.rules),
    }
    opened = open_run(here.artifacts, asked, clock=here.clock, random=here.random)
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
    index = await make_plan(_plan_work(run), artifacts=run.here.artifacts, events=run.events)
    return totals_of(index.summary)


async def explain(run: Run, key: str, version_id: VersionId | None) -> Explanation:
    """Return the proof for one version, from the inventory and fresh reads."""
    return await explain_key(_plan_work(run), key, version_id)


async def refuse_unsafe(run: Run) -> None:
    """Refuse to write unless every destination's versioning is Enabled, asked again now."""
    await refuse_unless_versioned(run.scene, run.clients.destination_control)


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


def _digests(here: Machine, names: Sequence[str]) -> Mapping[str, str]:
    found = {}
    for name in names:
        index = here.artifacts.index(name)
        if index is None:
            raise UsageError(f"there is no {name} in this run directory", hint="backfill inventory")
        found[name] = index.digest
    return found
