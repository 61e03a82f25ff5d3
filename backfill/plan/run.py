"""The plan stage: reads what decisions need, in order and bounded, and writes the plan artefact.

Never decides anything itself (`decide` does) and never writes to a bucket. The join is streamed
twice: once to forecast the requests, once to send them; a key's chains are held one at a time.
Law: a plan artefact exists only if its totals add up and every source version has its rows.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Final

from backfill.errors import ForeignRunDirectoryError, StoreFault, UsageError
from backfill.events import RequestsForecast
from backfill.inventory.join import KeyGroup
from backfill.model.attributes import Pairs
from backfill.model.objects import VersionId
from backfill.plan.explain import Explanation, explanation_of
from backfill.plan.facts import HeadAnswer, SourceFacts, refusal_of
from backfill.plan.failures import Failures
from backfill.plan.forecast import Requests, forecast_of
from backfill.plan.header import PlanHeader, header_document
from backfill.plan.key_plan import ROUNDS_MAX, HeadName, KeyNeeds, KeyPlan
from backfill.plan.rows import COLUMNS, row_of
from backfill.plan.rules import Rules, configuration_digest
from backfill.plan.terms import Terms, terms_digest
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
WINDOW_PER_REQUEST: Final = 8
"""Keys held for each request in flight: one slow answer does not stop the others at once."""
BREATH_KEYS: Final = 256
"""Keys decided in one go before signals and other tasks get their turn."""


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
    forecast, rows = await _forecast(work)
    events.emit(
        RequestsForecast(
            head_requests=forecast.heads + forecast.destination_heads,
            tagging_requests_max=forecast.taggings,
            acl_requests_max=forecast.acls,
        )
    )
    with artifacts.writer(PLAN, columns=COLUMNS, inputs=work.inputs) as writer:
        planning = _Planning(work, writer, events, rows)
        sent = await planning.carry_out()
        summary = {
            "header": header_document(work.header),
            "totals": totals_document(planning.counting.totals()),
            "requests": {"forecast": asdict(forecast), "sent": asdict(sent)},
        }
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
    await _Reads(work).settle(key, plan)
    wanted = version_id or group.source_chain[0].version_id
    if all(entry.version_id != wanted for entry in group.source_chain):
        raise UsageError(
            f"key {key} has no version {wanted}",
            hint="without --version-id the current version is explained",
        )
    return explanation_of(plan, wanted, work.terms)


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


async def _forecast(work: PlanWork) -> tuple[Requests, int]:
    """Return the requests that planning takes at most, and the number of rows it will make."""
    total, rows = Requests(), 0
    for begun, group in enumerate(work.groups()):
        if begun % BREATH_KEYS == 0:
            await asyncio.sleep(0)
        if group.source_chain:
            plan = KeyPlan(group.source_chain, group.destination_chains, work.terms)
            total += forecast_of(plan, work.terms)
            rows += len(group.source_chain) * len(work.terms.destinations)
    return total, rows


class _Planning:
    """The second pass: keys in order, those that need reads in tasks, rows written in order."""

    def __init__(self, work: PlanWork, writer: RowWriter, events: Events, rows_total: int) -> None:
        self._work = work
        self._writer = writer
        self._events = events
        self._rows_total = rows_total
        self._rows = 0
        self._reads = _Reads(work)
        self._turns = asyncio.Semaphore(work.concurrency)
        self._window: deque[KeyPlan | asyncio.Task[KeyPlan]] = deque()
        self.counting = Counting(buckets=[each.bucket for each in work.terms.destinations])

    async def carry_out(self) -> Requests:
        """Write every row and return the requests that were sent."""
        try:
            async with asyncio.TaskGroup() as group:
                await self._carry_out_in(group)
        except BaseExceptionGroup as failures:
            # The first failure cancelled the others, so it is the one to tell.
            raise failures.exceptions[0] from None
        self._reads.refuse_if_nothing_was_read()
        return self._reads.sent

    async def _carry_out_in(self, group: asyncio.TaskGroup) -> None:
        begun = 0
        for joined in self._work.groups():
            if not joined.source_chain:
                continue
            plan = KeyPlan(joined.source_chain, joined.destination_chains, self._work.terms)
            is_open = plan.needs() is not None
            self._window.append(
                group.create_task(self._settled(joined.key, plan)) if is_open else plan
            )
            while self._window and _is_ready(self._window[0]):
                await self._write_first()
            if len(self._window) >= self._work.concurrency * WINDOW_PER_REQUEST:
                await self._write_first()
            begun += 1
            if begun % BREATH_KEYS == 0:
                self._tell()
                await asyncio.sleep(0)
        while self._window:
            await self._write_first()
        self._tell()

    async def _settled(self, key: str, plan: KeyPlan) -> KeyPlan:
        async with self._turns:
            await self._reads.settle(key, plan)
        return plan

    async def _write_first(self) -> None:
        first = self._window.popleft()
        plan = first if isinstance(first, KeyPlan) else await first
        self.counting.add_source(plan.source_chain)
        for entry in plan.entries(self._rows):
            self._writer.write(row_of(entry))
            self.counting.add(entry)
            self._rows += 1

    def _tell(self) -> None:
        self._events.progress(ProgressCounts(stage="plan", done=self._rows, total=self._rows_total))


def _is_ready(item: KeyPlan | asyncio.Task[KeyPlan]) -> bool:
    return isinstance(item, KeyPlan) or item.done()


class _Reads:
    """Reads that decisions ask for, counted. Each source version is read once for all rows."""

    def __init__(self, work: PlanWork) -> None:
        self._work = work
        self._failures = Failures()
        self.sent = Requests()

    async def settle(self, key: str, plan: KeyPlan) -> None:
        """Read until everything about a key is decided."""
        sources: dict[VersionId, SourceFacts] = {}
        destination_heads: dict[HeadName, HeadAnswer] = {}
        for _ in range(ROUNDS_MAX):
            needs = plan.needs()
            if needs is None:
                return
            await self._read_sources(key, needs, sources)
            for name in sorted(needs.destination_heads):
                destination_heads[name] = await self._destination_head(key, name)
            plan.learn(sources, destination_heads)
        assert plan.needs() is None, "reads settle every decision"

    def refuse_if_nothing_was_read(self) -> None:
        """Raise when no version at all could be read by one of the calls."""
        self._failures.refuse_if_all()

    async def _read_sources(
        self, key: str, needs: KeyNeeds, sources: dict[VersionId, SourceFacts]
    ) -> None:
        for version_id in sorted(needs.heads | needs.tags | needs.acls):
            facts = sources.get(version_id, SourceFacts())
            try:
                if version_id in needs.heads:
                    facts = await self._with_head(key, version_id, facts)
                if version_id in needs.tags:
                    facts = replace(facts, tags=await self._tags(key, version_id))
                if version_id in needs.acls:
                    facts = await self._with_acl(key, version_id, facts)
            except StoreFault as fault:
                bucket = self._work.header.source.bucket
                refusal = self._failures.note(fault, refusal_of(fault), bucket)
                facts = replace(facts, refusal=refusal)
            sources[version_id] = facts

    async def _with_head(self, key: str, version_id: VersionId, facts: SourceFacts) -> SourceFacts:
        self.sent += Requests(heads=1)
        store, place = self._work.source_store, self._work.header.source
        head = await store.head_object(place, key, version_id=version_id)
        self._failures.note_answer("HeadObject", place.bucket)
        return replace(facts, head=head)

    async def _tags(self, key: str, version_id: VersionId) -> Pairs:
        self.sent += Requests(taggings=1)
        store, place = self._work.source_store, self._work.header.source
        tags = await store.get_object_tagging(place, key, version_id=version_id)
        self._failures.note_answer("GetObjectTagging", place.bucket)
        return tags

    async def _with_acl(self, key: str, version_id: VersionId, facts: SourceFacts) -> SourceFacts:
        self.sent += Requests(acls=1)
        store, place = self._work.source_store, self._work.header.source
        is_default = await store.has_default_acl(place, key, version_id=version_id)
        self._failures.note_answer("GetObjectAcl", place.bucket)
        return replace(facts, has_default_acl=is_default)

    async def _destination_head(self, key: str, name: HeadName) -> HeadAnswer:
        destination, version_id = name
        self.sent += Requests(destination_heads=1)
        place = self._work.header.destinations[destination]
        try:
            head = await self._work.destination_store.head_object(place, key, version_id=version_id)
        except StoreFault as fault:
            self._failures.note(fault, refusal_of(fault), place.bucket)
            return None
        self._failures.note_answer("HeadObject", place.bucket)
        return head
