"""The plan stage: reads what decisions need, in order and bounded, and writes the plan artefact.

Never decides anything itself (`decide` does) and never writes to a bucket. The join is streamed
twice: once to forecast the requests, once to send them; a key's chains are held one at a time.
Law: a plan artefact exists only if its totals add up and every source version has its rows.
"""

import asyncio
import json
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
from functools import partial
from itertools import islice
from typing import Final, NamedTuple

from backfill.errors import ForeignRunDirectoryError, UsageError
from backfill.events import RequestsForecast
from backfill.in_order import in_order
from backfill.inventory.join import KeyGroup
from backfill.model.attributes import ObjectHead
from backfill.model.looks import look_of_listed
from backfill.model.objects import ListedEntry, ObjectVersion, VersionId
from backfill.model.places import BucketPlace
from backfill.plan.entries import PlanEntry
from backfill.plan.explain import Explanation, explanation_of
from backfill.plan.facts import SourceFacts
from backfill.plan.forecast import Requests, forecast_of
from backfill.plan.header import PlanHeader, header_document
from backfill.plan.key_plan import KeyPlan
from backfill.plan.manifest_way import StatusTally, manifest_way, way_document
from backfill.plan.reads import NOTHING_KNOWN, Reads
from backfill.plan.rows import COLUMNS, row_of
from backfill.plan.rules import Rules, configuration_digest
from backfill.plan.shapes import Listed, Settled, Shapes, plain_rows
from backfill.plan.terms import COPY_ONLY, Terms, terms_digest
from backfill.plan.totals import Counting, totals_document
from backfill.ports import (
    ArtifactIndex,
    ArtifactStore,
    Events,
    ObjectStore,
    ProgressCounts,
    RowWriter,
)

PLAN: Final = "plan"
BREATH_KEYS: Final = 256
"""Keys decided in one go before signals and other tasks get their turn."""
ANEW_KEYS: Final = 500
"""Keys that are listed anew and held at a time: neighbours among them share a page."""

ReadChains = Callable[
    [ObjectStore, BucketPlace, Sequence[str]], Awaitable[Mapping[str, Sequence[ListedEntry]]]
]
"""Reads the chains of sorted keys, newest first; empty for a key that the bucket does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanWork:
    """What a plan is made of.

    `groups` gives the joined inventory anew at every call, destinations in the header's order, and
    `inventories` the digest of each inventory artefact by its name. Source versions are read
    through `source_store`, destination versions through `destination_store`.
    """

    header: PlanHeader
    terms: Terms
    rules: Rules
    groups: Callable[[], Iterator[KeyGroup]]
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
        planning = _Planning(work, shapes, writer, events, rows)
        sent = await planning.carry_out()
        summary: dict[str, object] = {
            "header": header_document(work.header),
            "totals": totals_document(planning.counting.totals()),
            "requests": {"forecast": asdict(forecast), "sent": asdict(sent)},
        }
        if work.terms.delivery.batch:
            summary["manifest way"] = way_document(manifest_way(planning.statuses, work.terms))
        return writer.commit(summary)


async def explain_key(work: PlanWork, key: str, version_id: VersionId | None = None) -> Explanation:
    """Return the proof for one version of a key; without a version ID, for its current entry.

    Reads what the decision needs, now. Raises UsageError when the inventory does not have it.
    """
    group = next((group for group in work.groups() if group.key >= key), None)
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
    anew = replace(work, terms=replace(work.terms, delivery=COPY_ONLY, is_mending=is_mending))
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
    total, versions = Requests(), 0
    for begun, group in enumerate(work.groups()):
        if begun % BREATH_KEYS == 0:
            await asyncio.sleep(0)
        if not group.source_chain:
            continue
        versions += len(group.source_chain)
        plain = shapes.listed(group)
        if plain is None:
            plan = KeyPlan(group.source_chain, group.destination_chains, work.terms)
            total += forecast_of(plan, work.terms)
        else:
            for known in plain:
                known.versions += 1
    return total + shapes.forecast(), versions * len(work.terms.destinations)


class _Done(NamedTuple):
    """A key that is decided: by its plan, or, without one, by the shapes of its versions."""

    group: KeyGroup
    settled: Sequence[Settled] = ()
    looks: Sequence[str | None] = ()
    plan: KeyPlan | None = None


class _Planning:
    """The second pass: keys in order, those that need reads by slots, rows written in order."""

    def __init__(
        self,
        work: PlanWork,
        shapes: Shapes,
        writer: RowWriter,
        events: Events,
        rows_total: int,
    ) -> None:
        self._work = work
        self._shapes = shapes
        self._writer = writer
        self._events = events
        self._rows_total = rows_total
        self._rows = 0
        self._reads = work.reads()
        self.counting = Counting(buckets=[each.bucket for each in work.terms.destinations])
        self.statuses = StatusTally()

    async def carry_out(self) -> Requests:
        """Write every row and return the requests that were sent."""
        await in_order(self._keys(), self._write, slots=self._work.concurrency)
        self._tell()
        for settled in self._shapes.settled():
            self._count(settled)
        self._reads.refuse_if_nothing_was_read()
        return self._reads.sent

    def _keys(self) -> Iterator[_Done | Callable[[], Awaitable[_Done]]]:
        """Give every key, decided already or about to be."""
        for begun, group in enumerate(self._work.groups(), start=1):
            if begun % BREATH_KEYS == 0:
                self._tell()
            if not group.source_chain:
                continue
            plain = self._shapes.listed(group)
            if plain is None:
                plan = KeyPlan(group.source_chain, group.destination_chains, self._work.terms)
                done = _Done(group, plan=plan)
                yield done if plan.needs() is None else partial(self._settled, done)
                continue
            settled = [known.settled for known in plain if known.settled is not None]
            is_decided = len(settled) == len(plain)
            if is_decided:
                yield _Done(group, settled, (None,) * len(settled))
            else:
                yield partial(self._read, group, plain)

    async def _read(self, group: KeyGroup, plain: Sequence[Listed]) -> _Done:
        """Read the heads of a plain key; what they tell may make it another."""
        read: dict[VersionId, SourceFacts] = {}
        found: list[Settled] = []
        looks: list[str | None] = []
        is_quiet = self._work.terms.is_quiet
        for entry, known in zip(group.source_chain, plain, strict=True):
            settled, look = known.settled, None
            if settled is None:
                assert isinstance(entry, ObjectVersion), "delete markers have no heads"
                head = await self._reads.source_head(group.key, entry.version_id)
                if isinstance(head, ObjectHead):
                    read[entry.version_id] = SourceFacts(head)
                    settled = self._shapes.read(known, entry, head)
                    look = look_of_listed(entry, head) if is_quiet else None
                else:
                    read[entry.version_id] = SourceFacts(refusal=head)
                if settled is None:
                    plan = KeyPlan(group.source_chain, group.destination_chains, self._work.terms)
                    return await self._settled(_Done(group, plan=plan), read)
            found.append(settled)
            looks.append(look)
        return _Done(group, found, looks)

    async def _settled(
        self, done: _Done, known: Mapping[VersionId, SourceFacts] = NOTHING_KNOWN
    ) -> _Done:
        assert done.plan is not None, "a plan is settled"
        await self._reads.settle(done.group.key, done.plan, known)
        return done

    def _write(self, done: _Done) -> None:
        """Write the rows of a key, and count them; those of plain keys are counted at the end."""
        self.counting.add_source(done.group.source_chain)
        if done.plan is None:
            for row in plain_rows(done.group, done.settled, done.looks, self._rows):
                self._writer.write(row)
                self._rows += 1
            return
        for entry in done.plan.entries(self._rows):
            self._writer.write(row_of(entry))
            self.counting.add(entry)
            self._rows += 1
        if self._work.terms.delivery.batch:
            self.statuses.add(done.plan.decided())

    def _count(self, settled: Settled) -> None:
        """Count what was written of plain keys."""
        if not settled.versions:
            return
        for destination, word in enumerate(settled.words):
            self.counting.add_rows(
                destination, word, rows=settled.versions, size_bytes=settled.size_bytes
            )
        if self._work.terms.delivery.batch:
            self.statuses.add_versions(settled.decided, settled.versions)

    def _tell(self) -> None:
        self._events.progress(ProgressCounts(stage="plan", done=self._rows, total=self._rows_total))
