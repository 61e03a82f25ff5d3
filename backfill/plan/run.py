"""The plan stage: reads what decisions need, in order and bounded, and writes the plan artefact.

Never decides anything itself (`decide` does) and never writes to a bucket. The join is streamed
twice: once to forecast the requests, once to send them; a key's chains are held one at a time.
Law: a plan artefact exists only if its totals add up and every source version has its rows.
"""

import asyncio
import json
from collections import Counter
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Final

from backfill.campaign import Versions
from backfill.errors import ForeignRunDirectoryError, UsageError
from backfill.events.runs import RequestsForecast
from backfill.in_order import BREATH
from backfill.inventory.join import KeyGroup
from backfill.inventory.rows import entry_of
from backfill.model.objects import ListedEntry, VersionId
from backfill.model.places import BucketPlace
from backfill.plan.entries import PlanEntry
from backfill.plan.explain import Explanation, explanation_of
from backfill.plan.forecast import Requests, forecast_of
from backfill.plan.header import PlanHeader, header_document
from backfill.plan.key_plan import KeyPlan
from backfill.plan.manifest_way import manifest_way, way_document
from backfill.plan.planning import STRETCH_ROWS_MAX, Planning
from backfill.plan.reads import Reads
from backfill.plan.rows import COLUMNS
from backfill.plan.rules import Rules, configuration_digest
from backfill.plan.shapes import Shapes
from backfill.plan.stretches import Listings, Stretch, stretches
from backfill.plan.terms import COPY_ONLY, Terms, terms_digest
from backfill.plan.totals import totals_document
from backfill.ports import (
    ArtifactIndex,
    ArtifactStore,
    Events,
    ObjectStore,
)

PLAN: Final = "plan"
ANEW_KEYS: Final = 500
"""Keys that are listed anew and held at a time: neighbours among them share a page."""

ReadChains = Callable[
    [ObjectStore, BucketPlace, Sequence[str]], Awaitable[Mapping[str, Sequence[ListedEntry]]]
]
"""Reads the chains of sorted keys, newest first; empty for a key that the bucket does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanWork:
    """What a plan is made of.

    `listings` gives the inventories anew at every call, destinations in the header's order, and
    `inventories` the digest of each inventory artefact by its name. Source versions are read
    through `source_store`, destination versions through `destination_store`.
    """

    header: PlanHeader
    terms: Terms
    rules: Rules
    listings: Callable[[], Listings]
    inventories: Mapping[str, str]
    source_store: ObjectStore
    destination_store: ObjectStore
    concurrency: int

    def __post_init__(self) -> None:
        assert self.concurrency > 0, "at least one request at a time"
        places = tuple(place.bucket for place in self.header.destinations)
        assert places == tuple(each.bucket for each in self.terms.destinations), "one order"
        assert self.header.horizon == self.terms.horizon, "one horizon"

    @property
    def inputs(self) -> dict[str, str]:
        """The digests of everything that the plan follows from."""
        return {
            **self.inventories,
            "replication configuration": configuration_digest(self.rules),
            "terms": terms_digest(self.terms),
            "places": json.dumps(header_document(self.header), sort_keys=True),
        }

    def reads(self) -> Reads:
        """Return a reader of what decisions ask for."""
        return Reads(self.header, self.source_store, self.destination_store)


async def make_plan(work: PlanWork, *, artifacts: ArtifactStore, events: Events) -> ArtifactIndex:
    """Return the index of the plan artefact, made now unless it is there already.

    Raises:
        ForeignRunDirectoryError: The plan that is there follows from something else, such as a
            replication configuration that has changed since.
        MissingPermissionError: Not one head, ACL or tag set that was asked for may be read.
        StoreFault: None could be read, or the store is not there any more; the same command begins
            the plan again.
        TotalsError: A bug: routes and reasons do not add up to the source.
    """
    index = artifacts.index(PLAN)
    if index is not None:
        _refuse_unless_same(index, work.inputs)
        return index
    shapes = Shapes(work.terms)
    forecast, rows = await _forecast(work, shapes)
    events.emit(
        RequestsForecast(
            head_requests=forecast.heads + forecast.destination_heads,
            tagging_requests_max=forecast.taggings,
            acl_requests_max=forecast.acls,
        )
    )
    with artifacts.writer(PLAN, columns=COLUMNS, inputs=work.inputs) as writer:
        planning = Planning(
            work.terms,
            shapes=shapes,
            reads=work.reads(),
            writer=writer,
            events=events,
            rows_total=rows,
        )
        sent = await planning.carry_out(work.listings(), concurrency=work.concurrency)
        summary: dict[str, object] = {
            "header": header_document(work.header),
            "totals": totals_document(planning.counting.totals()),
            "requests": {"forecast": asdict(forecast), "sent": asdict(sent)},
            **planning.restores.document(),
        }
        if work.terms.delivery.batch:
            summary["manifest way"] = way_document(manifest_way(planning.statuses, work.terms))
        return writer.commit(summary)


async def explain_key(work: PlanWork, key: str, version_id: VersionId | None = None) -> Explanation:
    """Return the proof for one version of a key; without a version ID, for its current entry.

    Reads what the decision needs, now. Raises UsageError when the inventory does not have it.
    """
    group = next((group for group in work.listings().groups() if group.key >= key), None)
    if group is None or group.key != key or not group.source_chain:
        raise UsageError(
            f"the source's inventory has no key {key}",
            hint="name the key exactly, in the shell's quotes; it may have come since the listing",
        )
    plan = KeyPlan(group.source_chain, group.destination_chains, work.terms)
    await work.reads().settle(key, plan)
    wanted = version_id or group.source_chain[0].version_id
    if all(entry.version_id != wanted for entry in group.source_chain):
        raise UsageError(
            f"key {key} has no version {wanted}",
            hint="without --version-id the current version is explained",
        )
    return explanation_of(plan, wanted, work.terms)


async def plan_keys(
    work: PlanWork, keys: Iterable[str], *, read_chains: ReadChains, is_mending: bool = False
) -> AsyncIterator[PlanEntry]:
    """Decide anew for copy workers what Batch Replication refused: sorted, distinct keys.

    With `is_mending`, how replicas that verify found wrong or gone can be copied over.

    Both sides are listed now. Only current versions get routes; a key that the source has no more
    has no rows. Rows are numbered from 0 on and belong to the plan's by key, version ID and
    destination. Each must be decided for itself: unlike a whole plan, a few keys may well all be
    unreadable.

    Raises:
        StoreFault: The store is lost, or refused for another reason than a version's.
    """
    assert work.terms.delivery.copy, "the campaign allows copy workers"
    scope = replace(work.terms.scope, versions=Versions.CURRENT)
    terms = replace(work.terms, scope=scope, delivery=COPY_ONLY, is_mending=is_mending)
    anew = replace(work, terms=terms)
    reads, remaining, number = anew.reads(), iter(keys), 0
    while some := list(islice(remaining, ANEW_KEYS)):
        for plan in await _planned_anew(anew, reads, some, read_chains):
            for entry in plan.entries(number):
                yield entry
                number += 1


async def _planned_anew(
    work: PlanWork, reads: Reads, keys: Sequence[str], read_chains: ReadChains
) -> list[KeyPlan]:
    turns = asyncio.Semaphore(work.concurrency)

    async def listed(store: ObjectStore, place: BucketPlace) -> Mapping[str, Sequence[ListedEntry]]:
        async with turns:
            return await read_chains(store, place, keys)

    async def settled(plan: KeyPlan) -> None:
        async with turns:
            await reads.settle(plan.source_chain[0].key, plan)

    try:
        async with asyncio.TaskGroup() as group:
            source = group.create_task(listed(work.source_store, work.header.source))
            others = [
                group.create_task(listed(work.destination_store, place))
                for place in work.header.destinations
            ]
        mine, theirs = source.result(), [task.result() for task in others]
        plans = [
            KeyPlan(mine[key], [chains[key] for chains in theirs], work.terms)
            for key in keys
            if mine[key]
        ]
        async with asyncio.TaskGroup() as group:
            for plan in plans:
                group.create_task(settled(plan))
    except BaseExceptionGroup as failures:
        # The first failure cancelled the others, so it is the one to tell.
        raise failures.exceptions[0] from None
    return plans


def _refuse_unless_same(index: ArtifactIndex, inputs: Mapping[str, str]) -> None:
    changed = sorted(
        name for name in {*index.inputs, *inputs} if index.inputs.get(name) != inputs.get(name)
    )
    if changed or index.columns != COLUMNS:
        raise ForeignRunDirectoryError(
            f"the plan in this run directory follows from another {' and '.join(changed)}"
            if changed
            else "the plan in this run directory is of another version of backfill",
            hint="begin a new run directory; what was delivered is recognised there",
        )


async def _forecast(work: PlanWork, shapes: Shapes) -> tuple[Requests, int]:
    """Return the requests that planning takes at most, and the number of rows it will make."""
    total, versions, passed = Requests(), 0, 0
    for found in stretches(work.listings(), length_max=STRETCH_ROWS_MAX):
        passed += len(found.rows) if isinstance(found, Stretch) else 1
        if passed >= BREATH:
            passed = 0
            await asyncio.sleep(0)
        for plan in _unplain(found, shapes, work.terms):
            total += forecast_of(plan, work.terms)
        versions += len(found.rows if isinstance(found, Stretch) else found.source_chain)
    return total + shapes.forecast(), versions * len(work.terms.destinations)


def _unplain(found: Stretch | KeyGroup, shapes: Shapes, terms: Terms) -> Iterator[KeyPlan]:
    """Give the plans of keys that are not plain; what is plain is counted by its shape."""
    if isinstance(found, Stretch):
        known = shapes.listed_alone(found.rows)
        for each, versions in Counter(known).items():
            if each is not None:
                each.versions += versions
        if None in known:
            nowhere = [()] * len(terms.destinations)
            for row, each in zip(found.rows, known, strict=True):
                if each is None:
                    yield KeyPlan([entry_of(row)], nowhere, terms)
    elif found.source_chain:
        plain = shapes.listed(found)
        if plain is None:
            yield KeyPlan(found.source_chain, found.destination_chains, terms)
        else:
            for each in plain:
                each.versions += 1
