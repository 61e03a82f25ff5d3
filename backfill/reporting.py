"""Hands the report stage what a run directory holds: the report can be written at any time.

Never asks AWS.
Law: without a plan the rows are those that verify paired, so a lone verification has a report too.
"""

from collections.abc import Iterator

from backfill import __version__
from backfill.campaign import Campaign, Versions
from backfill.compose import Machine
from backfill.execute.restoring.ledger import summed
from backfill.inventory.join import key_groups
from backfill.inventory.run import SOURCE, destination_name, listed_entries
from backfill.inventory.totals import totals_of as inventory_totals_of
from backfill.manifest.run import plan_rows
from backfill.model.places import BucketPlace
from backfill.model.rows import Scalar
from backfill.plan.manifest_way import way_line, way_of
from backfill.plan.rows import row_of
from backfill.plan.rules import Rule
from backfill.plan.run import PLAN
from backfill.preflight.scene import Scene, engine_words
from backfill.report.document import Asked, Count, Place, Report
from backfill.report.lines import Streams
from backfill.report.restored import restored_of
from backfill.report.run import write_report
from backfill.report.tally import Tally
from backfill.run_directory.identity import RunIdentity
from backfill.verify.keys import pairing_plan
from backfill.verify.rows import destination_listing_name, source_listing_name, verdicts_name
from backfill.verify.totals import exit_code as verify_exit_code
from backfill.verify.totals import totals_of as verify_totals_of
from backfill.work_done import WorkDone

EXIT_FAILED = 3
"""Finished, and some versions failed."""
EXIT_UNPROVEN = 5
"""Nothing was verified yet, and there is something to verify."""


def report_on(campaign: Campaign, identity: RunIdentity, scene: Scene, here: Machine) -> Report:
    """Write the report of a run directory and return what it says."""
    work = WorkDone(here.artifacts)
    return write_report(
        Streams(
            plan=_plan(campaign, scene, here, work),
            outcomes=work.outcome_rows(),
            verdicts=work.verdict_rows(),
            unjudged=work.unjudged(),
        ),
        artifacts=here.artifacts,
        asked=_asked(campaign, identity, scene, here),
        listed=_listed(scene, here, work),
        exit_code_of=lambda tally: _exit_code(campaign, here, work, tally),
        restored=restored_of(summed(map(work.restores, range(work.manifests)))),
    )


def _plan(
    campaign: Campaign, scene: Scene, here: Machine, work: WorkDone
) -> Iterator[list[Scalar]]:
    if work.has_plan:
        return plan_rows(here.artifacts)
    number = work.current_verification
    if not number:
        return iter(())
    destinations = range(len(scene.destinations))
    groups = key_groups(
        listed_entries(here.artifacts, source_listing_name(number)),
        [
            listed_entries(here.artifacts, destination_listing_name(number, destination))
            for destination in destinations
        ],
    )
    plan = pairing_plan(
        groups,
        horizon=scene.horizon,
        replicates_delete_markers=scene.replicates_delete_markers,
        has_histories=campaign.scope.versions is Versions.ALL,
    )
    return (list(row_of(entry)) for entry in plan)


def _exit_code(campaign: Campaign, here: Machine, work: WorkDone, tally: Tally) -> int:
    """Return what the run ends with; where several hold, the order of the exit codes decides."""
    if tally.failed:
        return EXIT_FAILED
    number = work.current_verification
    index = here.artifacts.index(verdicts_name(number)) if number else None
    if index is None:
        return EXIT_UNPROVEN if tally.total("routed").rows else 0
    totals = verify_totals_of(index.summary)
    return verify_exit_code(totals, allows_unverified=campaign.allows_unverified)


def _asked(campaign: Campaign, identity: RunIdentity, scene: Scene, here: Machine) -> Asked:
    scope = campaign.scope
    lines = [
        *([f"keys that begin with {scope.prefix}"] if scope.prefix else []),
        *(f"object tag {name}={value}" for name, value in scope.tags),
        *(["all versions, also by copies"] if scope.versions is Versions.ALL else []),
        f"other writers: {campaign.other_writers.value}",
    ]
    return Asked(
        run_id=identity.run_id,
        source=_place(scene.source),
        destinations=tuple(_place(destination.place) for destination in scene.destinations),
        horizon=scene.horizon,
        rules=tuple(_rule_line(rule) for rule in scene.rules.rules),
        scope=tuple(lines),
        delivery=tuple(_delivery(scene, here)),
        generated_at=here.clock.now(),
        version=__version__,
    )


def _delivery(scene: Scene, here: Machine) -> Iterator[str]:
    """Say which engine the plan had, and who listed the versions of its jobs."""
    index = here.artifacts.index(PLAN)
    if index is not None:
        yield engine_words(scene.engine)
        if (way := way_of(index.summary)) is not None:
            yield way_line(way)


def _place(place: BucketPlace) -> Place:
    return Place(
        bucket=place.bucket,
        region=place.region,
        account=place.expected_owner,
        account_origin=place.owner_origin,
    )


def _rule_line(rule: Rule) -> str:
    tags = "".join(f", tag {name}={value}" for name, value in rule.tags)
    priority = "" if rule.priority is None else f", priority {rule.priority}"
    markers = ", with delete markers" if rule.replicates_delete_markers else ""
    switch = "" if rule.is_enabled else " (Disabled)"
    scope = f"prefix '{rule.prefix}'{tags}" if rule.prefix or tags else "every key"
    return f"{rule.id}{switch}: {scope}{priority} to {rule.destination.bucket}{markers}"


def _listed(scene: Scene, here: Machine, work: WorkDone) -> tuple[Count, ...]:
    number = work.current_verification
    destinations = range(len(scene.destinations))
    names = [("source, before", SOURCE)]
    names += [(f"destination {n + 1}, before", destination_name(n)) for n in destinations]
    if number:
        names.append(("source, at verify", source_listing_name(number)))
        names += [
            (f"destination {n + 1}, at verify", destination_listing_name(number, n))
            for n in destinations
        ]
    found = []
    for words, name in names:
        index = here.artifacts.index(name)
        if index is not None:
            totals = inventory_totals_of(index.summary)
            sentence = f"{totals.versions:,} versions, {totals.delete_markers:,} delete markers"
            found.append(Count(name=words, sentence=sentence, rows=totals.rows))
    return tuple(found)
