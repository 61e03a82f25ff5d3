"""The verify stage: list both sides afresh, judge every plan row, look again at what is wrong.

Never writes to S3.
Law: every plan row ends as exactly one verdict row or is counted by the reason for having none.

The artefacts of verification NN are in `rows`. Listing is the inventory stage's and handed in.
With `checksum_jobs` a verification may wait for jobs for days: called again with what it has seen
still standing, it goes on with them and speaks of the buckets as they were when it looked.
"""

from collections.abc import (
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from backfill.errors import Disposition, StoreFault
from backfill.events import VerificationResumed
from backfill.in_order import in_order
from backfill.inventory.join import KeyGroup, key_groups
from backfill.inventory.rows import entries_of
from backfill.model.objects import ObjectVersion
from backfill.plan.entries import PlanEntry
from backfill.plan.header import PlanHeader
from backfill.ports import (
    ArtifactStore,
    Clock,
    Events,
    ObjectStore,
    ProgressCounts,
)
from backfill.settings import Settings
from backfill.verify.bandwidth import Bandwidth
from backfill.verify.checksum_jobs import ChecksumJobs, prove_by_jobs
from backfill.verify.checksums import decided, proof_of_row
from backfill.verify.conclusion import Conclusion, begun
from backfill.verify.decisions import (
    VANISHED,
    Decision,
    Judged,
    Look,
    PlannedRow,
    Unjudged,
)
from backfill.verify.drafts import Looked, looked_of, suspect_keys
from backfill.verify.judge import judged_key
from backfill.verify.keys import (
    KeyRows,
    PlannedOutcome,
    pairing_plan,
    planned_rows,
    rows_of_keys,
    views_of,
    work_by_key,
)
from backfill.verify.looks import is_suspect
from backfill.verify.plain import plain_delivery, plain_verdict, plain_verdict_by_look
from backfill.verify.reader import Reader, Side
from backfill.verify.rows import (
    DRAFT_COLUMNS,
    Draft,
    checksums_name,
    destination_listing_name,
    draft_row,
    look_name,
    source_listing_name,
)
from backfill.verify.totals import VerifyTotals
from backfill.verify.unproven import drafts_of_looks, kept_unproven, write_unproven
from backfill.verify.verdicts import VerdictRow

SETTLE_KEYS_MAX: Final = 10_000
"""Suspect keys looked at again, with a listing a side and two HEADs each. More than these are no
race with live replication but a state of affairs, and are reported as they were found."""
TOLD_EVERY_ROWS: Final = 256
"""Rows between two words of progress: a few tens of milliseconds."""


Drafts = list[Draft]
Begin = Callable[[], Awaitable[Drafts]]
"""Begins work that needs requests; not called, it leaves no coroutine behind."""

TakeListings = Callable[[Sequence[Side], str], Awaitable[Mapping[str, str]]]
"""Lists sides into inventory artefacts of their `listing_name`, afresh for every new run ID, and
returns the artefacts' digests by name. The inventory stage does it; the pipeline hands it in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRequest:
    """What to verify. `round` counts the verifications of a run from 1.

    `claims(key, destination)` says whether a rule of the destination covers the key: only there can
    an object be extra. `inputs` are the digests of what the plan and the outcomes come from.
    """

    round: int
    header: PlanHeader
    source: ObjectStore
    destinations: tuple[ObjectStore, ...]
    take_listings: TakeListings
    claims: Callable[[str, int], bool]
    inputs: Mapping[str, str] = field(default_factory=dict)
    is_deep: bool = False
    checksum_jobs: ChecksumJobs | None = None

    def __post_init__(self) -> None:
        assert self.round >= 1, "verifications are counted from 1"
        assert len(self.destinations) == len(self.header.destinations), "a store for each place"


async def verify(
    request: VerifyRequest,
    plan: Callable[[], Iterator[PlanEntry]],
    outcomes: Callable[[], Iterator[PlannedOutcome]],
    *,
    artifacts: ArtifactStore,
    events: Events,
    clock: Clock,
    settings: Settings,
) -> VerifyTotals:
    """Verify a run and return the totals; the verdicts are in `verify/NN`.

    `plan` and `outcomes` give their streams anew at every call, in the order of plan numbers.

    Raises:
        StoreFault: one that stops everything (disposition STOP).
        MissingPermissionError: every HEAD of one side was denied.
        JobWaitsError, InterruptedRunError: see `checksum_jobs`; the same call goes on.
        BackfillError: a listing failed, an artefact is damaged, or totals do not add up.
    """
    job = _Verification(request, artifacts=artifacts, events=events, clock=clock, settings=settings)
    return await job.judge(plan, outcomes)


async def verify_buckets(
    request: VerifyRequest,
    *,
    replicates_delete_markers: bool,
    artifacts: ArtifactStore,
    events: Events,
    clock: Clock,
    settings: Settings,
) -> VerifyTotals:
    """Verify two or more buckets without a run: every current version against each destination.

    The plan follows from the listings (see `keys.pairing_plan`). Raises what `verify` raises.
    """
    job = _Verification(request, artifacts=artifacts, events=events, clock=clock, settings=settings)

    def plan() -> Iterator[PlanEntry]:
        return pairing_plan(
            job.listed(),
            horizon=request.header.horizon,
            replicates_delete_markers=replicates_delete_markers,
        )

    return await job.judge(plan, lambda: iter(()))


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
    ) -> None:
        self._request = request
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
        )
        self._plan_rows = 0
        self._rows_done = 0

    async def judge(
        self,
        plan: Callable[[], Iterator[PlanEntry]],
        outcomes: Callable[[], Iterator[PlannedOutcome]],
    ) -> VerifyTotals:
        """List and look, have unproven rows proved by jobs, and write the verdicts."""
        artifacts, number = self._artifacts, self._request.round
        jobs = self._request.checksum_jobs
        if jobs is None:
            await self._list_buckets()
            return await self._looked_and_concluded(plan, outcomes)
        asked = {"algorithm": jobs.algorithm, "is_deep": self._request.is_deep}
        index = kept_unproven(artifacts, number, asked=asked, inputs=self._inputs)
        if index is None:
            await self._list_buckets()
            looked = await self._looked(plan, outcomes)
            index = await write_unproven(
                artifacts, number, looked, asked=asked, inputs=self._inputs
            )
        else:
            self._events.emit(VerificationResumed(verification=number, unproven=index.rows))
        self._inputs = dict(index.inputs)
        await prove_by_jobs(
            index, jobs, round_number=number, header=self._request.header, artifacts=artifacts
        )
        return await self._conclude(looked_of(index.summary), has_proofs=True)

    async def _list_buckets(self) -> None:
        """List all sides afresh."""
        # The time makes it new: an older look must not pass for this one.
        run_id = f"verify {self._request.round} {self._clock.now().isoformat()}"
        sides = (self._source, *self._destinations)
        self._inputs.update(await self._request.take_listings(sides, run_id))

    def listed(self) -> Iterator[KeyGroup]:
        """Stream the fresh listings by key."""
        source, *destinations = (
            entries_of(self._artifacts.rows(side.listing_name))
            for side in (self._source, *self._destinations)
        )
        return key_groups(source, destinations)

    async def _looked_and_concluded(
        self,
        plan: Callable[[], Iterator[PlanEntry]],
        outcomes: Callable[[], Iterator[PlannedOutcome]],
    ) -> VerifyTotals:
        """Look, writing verdicts on the way: they stand if nothing has to be looked at again."""
        number = self._request.round
        with begun(self._artifacts, number, inputs=self._inputs, events=self._events) as conclusion:
            looked = await self._looked(plan, outcomes, conclusion)
            if looked.keys_looked_again == 0:
                return conclusion.commit(looked)
        return await self._conclude(looked, has_proofs=False)

    async def _looked(
        self,
        plan: Callable[[], Iterator[PlanEntry]],
        outcomes: Callable[[], Iterator[PlannedOutcome]],
        conclusion: Conclusion | None = None,
    ) -> Looked:
        """Judge all rows, and look again at suspects."""
        rows = self._counted(planned_rows(plan(), outcomes()))
        work = work_by_key(rows, self.listed(), destinations=len(self._destinations))
        first = (self._begun(item.rows, item.group) for item in work)
        suspects = await self._look(0, first, conclusion)
        self._reader.refuse_if_all_denied()
        looks, looked_again = 1, suspects
        is_settled = suspects <= SETTLE_KEYS_MAX
        while suspects and is_settled and looks <= self._settings.settle_rounds:
            await self._clock.sleep(self._settings.settle_delay_s)
            keys = suspect_keys(self._artifacts.rows(look_name(self._request.round, looks - 1)))
            again = rows_of_keys(planned_rows(plan(), outcomes()), keys)
            suspects = await self._look(looks, (partial(self._again, rows) for rows in again))
            looks += 1
        return Looked(
            looks=looks,
            plan_rows=self._plan_rows,
            keys_looked_again=looked_again,
            is_settled=is_settled,
        )

    def _counted(self, rows: Iterable[PlannedRow]) -> Iterator[PlannedRow]:
        for row in rows:
            self._plan_rows += 1
            yield row

    async def _look(
        self, look: int, work: Iterable[Drafts | Begin], conclusion: Conclusion | None = None
    ) -> int:
        """Write a look's drafts and return the number of keys with a suspect row."""
        suspects = 0
        name = look_name(self._request.round, look)
        with self._artifacts.writer(name, columns=DRAFT_COLUMNS, inputs=self._inputs) as writer:

            def write(drafts: Drafts) -> None:
                nonlocal suspects
                is_suspect_key = False
                for draft in drafts:
                    writer.write(draft_row(draft))
                    is_suspect_key |= draft.is_suspect
                    # After the first suspect the verdicts are written from the drafts.
                    if conclusion is not None and not suspects:
                        conclusion.add(draft.decision)
                suspects += is_suspect_key
                self._count(len(drafts))

            await in_order(work, write, slots=self._settings.concurrency)
            self._tell()
            writer.commit({"suspect_keys": suspects})
        return suspects

    def _count(self, rows: int) -> None:
        before, self._rows_done = self._rows_done, self._rows_done + rows
        if before // TOLD_EVERY_ROWS != self._rows_done // TOLD_EVERY_ROWS:
            self._tell()

    def _tell(self) -> None:
        self._events.progress(ProgressCounts(stage="verify", done=self._rows_done))

    def _begun(self, rows: KeyRows, group: KeyGroup) -> Drafts | Begin:
        """Judge a key: at once where the listings are enough."""
        if (delivery := plain_delivery(rows.rows, group)) is not None:
            return partial(self._plain, rows, group, delivery)
        decisions = self._decisions(rows, group)
        ready = [
            Draft(decision=decision, is_suspect=is_suspect(decision, None))
            for decision in decisions
            if not isinstance(decision, Look)
        ]
        is_ready = len(ready) == len(decisions)
        return ready if is_ready else partial(self._reader.drafts, decisions)

    def _decisions(self, rows: KeyRows, group: KeyGroup) -> list[Decision]:
        return list(
            judged_key(
                rows.rows,
                views_of(group, self._request.header.horizon),
                is_deep=self._request.is_deep,
                claimed=frozenset(
                    number
                    for number in range(len(self._destinations))
                    if self._request.claims(rows.key, number)
                ),
            )
        )

    async def _plain(self, rows: KeyRows, group: KeyGroup, delivery: ObjectVersion) -> Drafts:
        """Judge a plain key by its heads; what they do not settle goes the whole way."""
        (row,) = rows.rows
        seen = await self._reader.destination_head(row, delivery)
        verdict: VerdictRow | None = None
        if (head := seen.destination) is not None:
            # A later verification, or a deep one, asks the source itself again.
            if self._request.round == 1 and not self._request.is_deep:
                verdict = plain_verdict_by_look(row.entry, delivery, head)
            if verdict is None:
                seen = await self._reader.source_head(row, seen)
            if seen.source is not None:
                verdict = plain_verdict(row.entry, delivery, seen.source, head)
        if verdict is not None:
            return [Draft(decision=Judged(row=verdict), is_suspect=False)]
        return await self._reader.drafts(self._decisions(rows, group), seen)

    async def _again(self, rows: KeyRows) -> Drafts:
        """Judge a suspect key by fresh listings; none if it cannot be listed now."""
        try:
            group = await self._reader.fresh_group(rows.key)
        except StoreFault as fault:
            if fault.disposition is Disposition.STOP:
                raise
            return []
        begun = self._begun(rows, group)
        drafts = begun if isinstance(begun, list) else await begun()
        return drafts or [_nothing_left(rows.key)]

    async def _conclude(self, looked: Looked, *, has_proofs: bool) -> VerifyTotals:
        """Write the verdicts of what the looks found, the newest of each key."""
        number = self._request.round
        told = self._artifacts.rows(checksums_name(number)) if has_proofs else iter(())
        proofs = map(proof_of_row, told)
        with begun(self._artifacts, number, inputs=self._inputs, events=self._events) as conclusion:
            async for draft in drafts_of_looks(self._artifacts, number, looked.looks):
                conclusion.add(decided(draft.decision, proofs) if has_proofs else draft.decision)
            assert next(proofs, None) is None, "every proof is of a row"
            return conclusion.commit(looked)


def _nothing_left(key: str) -> Draft:
    """Return the draft of a key that had an extra version, and has none now."""
    gone = Unjudged(number=None, key=key, destination=0, reason=VANISHED)
    return Draft(decision=gone, is_suspect=False)


def _sides(request: VerifyRequest) -> Iterator[Side]:
    header, number = request.header, request.round
    yield Side(listing_name=source_listing_name(number), place=header.source, store=request.source)
    pairs = zip(header.destinations, request.destinations, strict=True)
    for destination, (place, store) in enumerate(pairs):
        name = destination_listing_name(number, destination)
        yield Side(listing_name=name, place=place, store=store)
