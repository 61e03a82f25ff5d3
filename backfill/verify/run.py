"""The verify stage: list both sides afresh, judge every plan row, look again at what is wrong.

Never writes to S3.
Law: every plan row ends as exactly one verdict row or is counted by the reason for having none.

The artefacts of verification NN are in `rows`. Listing is the inventory stage's and handed in.
With `checksum_jobs` a verification may wait for jobs for days: called again with what it has seen
still standing, it goes on with them and speaks of the buckets as they were when it looked.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from backfill.events.judging import VerificationResumed
from backfill.execute.outcome_rows import outcomes_of
from backfill.inventory.join import KeyGroup, key_groups
from backfill.inventory.rows import entries_of
from backfill.plan.header import PlanHeader
from backfill.plan.rows import entry_of
from backfill.ports import ArtifactStore, Clock, Events, ObjectStore
from backfill.settings import Settings
from backfill.verify.bandwidth import Bandwidth
from backfill.verify.checksum_jobs import ChecksumJobs, prove_by_jobs
from backfill.verify.checksums import decided, proof_of_row
from backfill.verify.conclusion import Conclusion, begun
from backfill.verify.decisions import Decision, PlannedRow
from backfill.verify.drafts import Looked, looked_of, suspect_keys
from backfill.verify.histories import Chains
from backfill.verify.joined import Cells, joined_keys
from backfill.verify.judge import judged_key
from backfill.verify.keys import (
    KeyWork,
    pairing_plan,
    planned_rows,
    rows_of_keys,
    views_of,
    work_by_key,
)
from backfill.verify.looking import Key, Looking, LookWriter
from backfill.verify.reader import Reader, Side
from backfill.verify.rows import (
    DRAFT_COLUMNS,
    checksums_name,
    destination_listing_name,
    look_name,
    source_listing_name,
)
from backfill.verify.totals import VerifyTotals
from backfill.verify.unproven import drafts_of_looks, kept_unproven, write_unproven

SETTLE_KEYS_MAX: Final = 10_000
"""Suspect keys looked at again, with a listing a side and two HEADs each. More than these are no
race with live replication but a state of affairs, and are reported as they were found."""

Keys = Callable[[], Iterable[Key]]
"""Gives every key of the plan and of the listings, in order."""
Planned = Callable[[], Iterator[PlannedRow]]
"""Gives the rows of the plan with their outcomes, in order."""
TakeListings = Callable[[Sequence[Side], str], Awaitable[Mapping[str, str]]]
"""Lists sides into inventory artefacts of their `listing_name`, afresh for every new run ID, and
returns the artefacts' digests by name. The inventory stage does it; the pipeline hands it in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRequest:
    """What to verify. `round` counts the verifications of a run from 1.

    `claims(key, destination)` says whether a rule of the destination covers the key: only there can
    an object be extra. `inputs` are the digests of what the plan and the outcomes come from.
    `compares_histories`: all versions are asked for, not only current ones.
    """

    round: int
    header: PlanHeader
    source: ObjectStore
    destinations: tuple[ObjectStore, ...]
    take_listings: TakeListings
    claims: Callable[[str, int], bool]
    inputs: Mapping[str, str] = field(default_factory=dict)
    is_deep: bool = False
    compares_histories: bool = False
    checksum_jobs: ChecksumJobs | None = None

    def __post_init__(self) -> None:
        assert self.round >= 1, "verifications are counted from 1"
        assert len(self.destinations) == len(self.header.destinations), "a store for each place"


async def verify(
    request: VerifyRequest,
    plan: Callable[[], Iterator[Cells]],
    outcomes: Callable[[], Iterator[Cells]],
    *,
    artifacts: ArtifactStore,
    events: Events,
    clock: Clock,
    settings: Settings,
) -> VerifyTotals:
    """Verify a run and return the totals; the verdicts are in `verify/NN`.

    `plan` and `outcomes` give the rows of their artefacts anew at every call, in the order of plan
    numbers; the number of its plan row stands in each outcome in place of its entry's.

    Raises:
        StoreFault: one that stops everything (disposition STOP).
        MissingPermissionError: every HEAD of one side was denied.
        JobWaitsError, InterruptedRunError: see `checksum_jobs`; the same call goes on.
        BackfillError: a listing failed, an artefact is damaged, or totals do not add up.
    """
    job = _Verification(
        request,
        artifacts=artifacts,
        events=events,
        clock=clock,
        settings=settings,
        has_plan=True,
    )

    def planned() -> Iterator[PlannedRow]:
        told = outcomes_of(outcomes())
        return planned_rows(map(entry_of, plan()), ((one.number, one) for one in told))

    def keys() -> Iterator[Key]:
        if len(request.destinations) == 1:
            return joined_keys(plan(), outcomes(), *job.listed_rows())
        return work_by_key(planned(), job.listed(), destinations=len(request.destinations))

    return await job.judge(keys, planned)


async def verify_buckets(
    request: VerifyRequest,
    *,
    replicates_delete_markers: bool,
    artifacts: ArtifactStore,
    events: Events,
    clock: Clock,
    settings: Settings,
) -> VerifyTotals:
    """Verify two or more buckets without a run: current versions or whole histories.

    The plan follows from the listings (see `keys.pairing_plan`). Raises what `verify` raises.
    """
    job = _Verification(
        request,
        artifacts=artifacts,
        events=events,
        clock=clock,
        settings=settings,
        has_plan=False,
    )

    def planned() -> Iterator[PlannedRow]:
        plan = pairing_plan(
            job.listed(),
            horizon=request.header.horizon,
            replicates_delete_markers=replicates_delete_markers,
            has_histories=request.compares_histories,
        )
        return planned_rows(plan, ())

    def keys() -> Iterator[Key]:
        return work_by_key(planned(), job.listed(), destinations=len(request.destinations))

    return await job.judge(keys, planned)


class _Verification:
    """One verification: what its looks share."""

    def __init__(
        self,
        request: VerifyRequest,
        *,
        artifacts: ArtifactStore,
        events: Events,
        clock: Clock,
        settings: Settings,
        has_plan: bool,
    ) -> None:
        self._request = request
        self._chains = Chains.OF_HISTORIES
        if request.compares_histories:
            self._chains = Chains.OF_QUIET_KEYS if has_plan else Chains.ALL
        self._artifacts = artifacts
        self._events = events
        self._clock = clock
        self._settings = settings
        self._inputs = dict(request.inputs)
        self._source, *destinations = _sides(request)
        self._destinations = tuple(destinations)
        self._reader = Reader(
            source=self._source,
            destinations=self._destinations,
            is_deep=request.is_deep,
            bandwidth=Bandwidth(settings.bandwidth_max, clock),
            page_max=settings.page_max,
            checksum_algorithm=request.header.checksum_algorithm,
        )
        self._rows_done = 0
        self._leaves_drafts = False
        self._looking = Looking(
            self._reader,
            destination=self._destinations[0],
            decide=self._decisions,
            trusts_looks=request.round == 1 and not request.is_deep,
            slots=settings.concurrency,
            checksum_algorithm=request.header.checksum_algorithm,
        )

    async def judge(self, keys: Keys, planned: Planned) -> VerifyTotals:
        """List and look, have unproven rows proved by jobs, and write the verdicts."""
        artifacts, number = self._artifacts, self._request.round
        jobs = self._request.checksum_jobs
        if jobs is None:
            await self._list_buckets()
            return await self._looked_and_concluded(keys, planned)
        asked = {"algorithm": jobs.algorithm, "is_deep": self._request.is_deep}
        index = kept_unproven(artifacts, number, asked=asked, inputs=self._inputs)
        if index is None:
            await self._list_buckets()
            looked = await self._looked(keys, planned)
            index = await write_unproven(
                artifacts, number, looked, asked=asked, inputs=self._inputs
            )
        else:
            self._events.emit(VerificationResumed(verification=number, unproven=index.rows))
        self._inputs = dict(index.inputs)
        await prove_by_jobs(
            index, jobs, round_number=number, header=self._request.header, artifacts=artifacts
        )
        return await self._concluded(looked_of(index.summary))

    async def _list_buckets(self) -> None:
        """List all sides afresh."""
        # The time makes it new: an older look must not pass for this one.
        run_id = f"verify {self._request.round} {self._clock.now().isoformat()}"
        sides = (self._source, *self._destinations)
        self._inputs.update(await self._request.take_listings(sides, run_id))

    def listed_rows(self) -> Iterator[Iterator[Cells]]:
        """Stream the fresh listings' rows, the source's first."""
        sides = (self._source, *self._destinations)
        return (self._artifacts.rows(side.listing_name) for side in sides)

    def listed(self) -> Iterator[KeyGroup]:
        """Stream the fresh listings by key."""
        source, *destinations = map(entries_of, self.listed_rows())
        return key_groups(source, destinations)

    async def _looked_and_concluded(self, keys: Keys, planned: Planned) -> VerifyTotals:
        """Look, writing verdicts on the way: the others follow once suspects are settled."""
        number = self._request.round
        with begun(self._artifacts, number, inputs=self._inputs, events=self._events) as conclusion:
            looked = await self._looked(keys, planned, conclusion)
            if self._leaves_drafts:
                async for draft in drafts_of_looks(self._artifacts, number, looked.looks):
                    conclusion.add(draft.decision)
            return conclusion.commit(looked)

    async def _looked(
        self, keys: Keys, planned: Planned, conclusion: Conclusion | None = None
    ) -> Looked:
        """Judge all rows, and look again at suspects."""
        suspects = await self._look(0, keys(), conclusion)
        self._reader.refuse_if_all_denied()
        looks, looked_again = 1, suspects
        is_settled = suspects <= SETTLE_KEYS_MAX
        while suspects and is_settled and looks <= self._settings.settle_rounds:
            await self._clock.sleep(self._settings.settle_delay_s)
            names = suspect_keys(self._artifacts.rows(look_name(self._request.round, looks - 1)))
            suspects = await self._look(looks, rows_of_keys(planned(), names))
            looks += 1
        return Looked(
            looks=looks,
            plan_rows=self._looking.plan_rows,
            keys_looked_again=looked_again,
            is_settled=is_settled,
        )

    async def _look(
        self, look: int, keys: Iterable[Key], conclusion: Conclusion | None = None
    ) -> int:
        """Write what a look finds and return the number of keys with a suspect row."""
        name = look_name(self._request.round, look)
        with self._artifacts.writer(name, columns=DRAFT_COLUMNS, inputs=self._inputs) as drafts:
            writer = LookWriter(drafts, conclusion, self._events, rows_done=self._rows_done)
            await self._looking.look(keys, writer)
            self._rows_done = writer.rows_done
            writer.finish()
            self._leaves_drafts |= writer.leaves_drafts
            drafts.commit({"suspect_keys": writer.suspects})
        return writer.suspects

    def _decisions(self, work: KeyWork) -> Iterator[Decision]:
        key, rows = work.rows
        return judged_key(
            rows,
            views_of(work.group, self._request.header.horizon),
            is_deep=self._request.is_deep,
            claimed=frozenset(
                number
                for number in range(len(self._destinations))
                if self._request.claims(key, number)
            ),
            chains=self._chains,
        )

    async def _concluded(self, looked: Looked) -> VerifyTotals:
        """Write the verdicts of what looks found and jobs proved, the newest of each key."""
        number = self._request.round
        proofs = map(proof_of_row, self._artifacts.rows(checksums_name(number)))
        with begun(self._artifacts, number, inputs=self._inputs, events=self._events) as conclusion:
            async for draft in drafts_of_looks(self._artifacts, number, looked.looks):
                conclusion.add(decided(draft.decision, proofs))
            assert next(proofs, None) is None, "every proof is of a row"
            return conclusion.commit(looked)


def _sides(request: VerifyRequest) -> Iterator[Side]:
    header, number = request.header, request.round
    yield Side(listing_name=source_listing_name(number), place=header.source, store=request.source)
    pairs = zip(header.destinations, request.destinations, strict=True)
    for destination, (place, store) in enumerate(pairs):
        name = destination_listing_name(number, destination)
        yield Side(listing_name=name, place=place, store=store)
