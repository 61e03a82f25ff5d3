"""What each stage is given, taken from an opened run: places, terms, inputs, ports.

Never runs a stage (the pipeline does).
Law: a stage's input is what the run directory holds, and must agree with the scene of today.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from backfill.aws.faults import error_of
from backfill.batch_operations.driver import DriverPorts
from backfill.batch_operations.side_by_side import Draining
from backfill.batch_operations.workplace import Workplace
from backfill.campaign import Campaign, EvidenceSource
from backfill.compose import Machine
from backfill.errors import ForeignRunDirectoryError, UsageError
from backfill.execute.batch_replication.work import BatchPorts, BatchWork
from backfill.execute.run import BatchSide
from backfill.inventory.run import SOURCE, destination_name, listed_blocks
from backfill.opening import Run
from backfill.plan.configuration import parse_configuration
from backfill.plan.header import PlanHeader, header_of
from backfill.plan.manifest_way import generated_manifest_of
from backfill.plan.rules import Rules
from backfill.plan.run import PLAN, PlanWork
from backfill.plan.stretches import Listings
from backfill.plan.terms import Delivery, Terms, terms_of, terms_with_abilities
from backfill.ports import ArtifactIndex, ArtifactStore, BatchBucket, BatchOperations
from backfill.preflight.checksum_jobs import ChecksumPlace, JobPorts, checksum_places
from backfill.preflight.readable import prove_destinations, prove_source
from backfill.preflight.scene import Scene
from backfill.verify.checksum_jobs import ChecksumJobs


def terms(campaign: Campaign, scene: Scene, began: datetime) -> Terms:
    """Return what holds for every decision of the plan of a run that began then."""
    live = scene.configuration
    told = terms_of(
        scene.rules,
        live_rules=parse_configuration(live) if live is not None else Rules(rules=()),
        campaign=campaign,
        horizon=scene.horizon,
        destination_ownerships=[one.facts.object_ownership for one in scene.destinations],
        source_ownership=scene.source_facts.object_ownership,
        delivery=Delivery(batch=scene.engine.has_batch, copy=scene.engine.has_copy),
    )
    return terms_with_abilities(told, scene.abilities, began)


def plan_work(run: Run) -> PlanWork:
    """Return what the plan is made of."""
    artifacts = run.here.artifacts
    count = len(run.scene.destinations)
    names = [SOURCE, *(destination_name(number) for number in range(count))]
    return PlanWork(
        header=run.scene.header,
        terms=terms(run.campaign, run.scene, run.identity.horizon),
        rules=run.scene.rules,
        listings=partial(listings_of, artifacts, destinations=count),
        inventories=_digests(run.here, names),
        source_store=run.clients.source,
        destination_store=run.clients.destination,
        concurrency=run.campaign.settings.concurrency,
    )


def listings_of(artifacts: ArtifactStore, *, destinations: int) -> Listings:
    """Return the campaign's listings; raises what `listed_blocks` raises."""
    names = map(destination_name, range(destinations))
    return Listings(
        listed_blocks(artifacts, SOURCE), [listed_blocks(artifacts, name) for name in names]
    )


def _digests(here: Machine, names: Sequence[str]) -> Mapping[str, str]:
    found = {}
    for name in names:
        index = here.artifacts.index(name)
        if index is None:
            raise UsageError(f"there is no {name} in this run directory", hint="backfill inventory")
        found[name] = index.digest
    return found


def header_of_plan(run: Run) -> PlanHeader:
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


async def prove_source_of(run: Run) -> None:
    """Prove that everything in scope at the source can be listed and read; see `preflight`."""
    scope = run.campaign.scope
    await prove_source(run.scene, run.clients.source, scope.prefix, run.events)


async def prove_both_sides(run: Run) -> None:
    """Prove the source and every destination readable; see `preflight`."""
    await prove_source_of(run)
    scope = run.campaign.scope
    await prove_destinations(run.scene, run.clients.destination, scope.prefix, run.events)


async def checksum_jobs(run: Run, draining: Draining) -> ChecksumJobs | None:
    """Return how a verification has checksums computed; None where the campaign does without.

    Raises:
        RefusedError: What was given for the jobs cannot work; see `preflight.checksum_jobs`.
    """
    if run.campaign.evidence is not EvidenceSource.CHECKSUM_JOBS:
        return None
    clients = run.clients
    at_source, at_destination = await checksum_places(
        run.campaign,
        run.scene,
        source=JobPorts(control=clients.source_control, batch=clients.source_batch),
        destination=JobPorts(control=clients.destination_control, batch=clients.destination_batch),
    )

    def workplace(at: ChecksumPlace, batch: BatchOperations, files: BatchBucket) -> Workplace:
        return Workplace(
            run_id=run.identity.run_id,
            place=at.place,
            role_arn=at.role_arn,
            bucket=at.bucket,
            files=files,
            driver=_driver_ports(run, batch),
            options=run.campaign.batch,
            settings=run.campaign.settings,
            scratch=_scratch(run),
        )

    return ChecksumJobs(
        algorithm=run.campaign.checksum_algorithm,
        source=workplace(at_source, clients.source_batch, clients.source_batch_bucket),
        destination=workplace(
            at_destination, clients.destination_batch, clients.destination_batch_bucket
        ),
        draining=draining,
    )


def _driver_ports(run: Run, batch: BatchOperations) -> DriverPorts:
    return DriverPorts(
        batch=batch,
        artifacts=run.here.artifacts,
        events=run.events,
        clock=run.here.clock,
        random=run.here.random,
        error_of=error_of,
    )


def _scratch(run: Run) -> Path:
    return run.here.root / "scratch"


def batch_side(run: Run, round_number: int, manifest: ArtifactIndex) -> BatchSide | None:
    """Return what Batch Replication jobs need; None where the run has none."""
    place = run.scene.engine.batch_bucket
    if place is None:
        return None
    artifacts = run.here.artifacts
    plan_index = artifacts.index(PLAN)
    assert plan_index is not None, "a manifest follows a plan"
    work = BatchWork(
        round=round_number,
        run_id=run.identity.run_id,
        manifest=manifest,
        header=run.scene.header,
        entries=lambda: (),
        rows=0,
        options=run.campaign.batch,
        bucket=place,
        # Later rounds hold what is left of the first: no filter describes that.
        generated=None
        if round_number
        else generated_manifest_of(plan_index.summary, run.scene.source),
        settings=run.campaign.settings,
    )
    ports = BatchPorts(
        driver=_driver_ports(run, run.clients.source_batch),
        bucket=run.clients.source_batch_bucket,
        source=run.clients.source,
        destination=run.clients.destination,
        scratch=_scratch(run),
    )
    return work, ports
