"""Opening a run: the scene as both accounts show it, the run directory's identity, the engine.

Never lists or writes a bucket.
Law: what was settled when a run began stays settled at every resume.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from backfill.campaign import Campaign, campaign_identity
from backfill.compose import Clients, Machine
from backfill.errors import UsageError
from backfill.plan.rules import configuration_digest
from backfill.plan.run import PLAN
from backfill.ports import Events
from backfill.preflight.engine import chosen_engine
from backfill.preflight.run import set_scene
from backfill.preflight.scene import DOCUMENT as SCENE
from backfill.preflight.scene import EngineChoice, Scene, scene_bytes, scene_of
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
        RefusedError, CampaignError: See `preflight.run.set_scene` and `preflight.engine`.
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
    engine = await _settled_engine(campaign, scene, here, clients)
    scene = replace(scene, horizon=horizon, engine=engine)
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


async def _settled_engine(
    campaign: Campaign, scene: Scene, here: Machine, clients: Clients
) -> EngineChoice:
    """Return the engine that the run's plan is for; until it has one, settle it now."""
    held = here.artifacts.read_document(SCENE)
    if held is not None and here.artifacts.index(PLAN) is not None:
        return scene_of(held, campaign).engine
    return await chosen_engine(campaign, scene, clients.source_control, clients.source_batch)


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
