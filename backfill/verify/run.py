"""The verify stage: list both sides afresh, judge every plan row, look again at what is wrong.

Never writes to S3.
Law: every plan row ends as exactly one verdict row or is counted by the reason for having none.

Artefacts of verification NN: `inventory/verify-source-NN`, `inventory/verify-destination-DD-NN`
(the listings), `verify/NN-look-R` (drafts), `verify/NN-unjudged` and `verify/NN` (see `rows`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from backfill.errors import Disposition, StoreFault
from backfill.events import DifferenceFound
from backfill.inventory.join import KeyGroup, key_groups
from backfill.inventory.run import ALL_KEYS, BucketListing, listed_entries, take_inventory
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
from backfill.verify.decisions import (
    SUPERSEDED,
    VANISHED,
    Judged,
    Look,
    PlannedRow,
    Unjudged,
)
from backfill.verify.drafts import newest_drafts, suspect_keys
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
from backfill.verify.ordered import Begin, Drafts, in_order
from backfill.verify.reader import Reader, Side
from backfill.verify.rows import (
    DRAFT_COLUMNS,
    UNJUDGED_COLUMNS,
    VERDICT_COLUMNS,
    Draft,
    draft_row,
    row_of,
    unjudged_row,
    verdict_of,
)
from backfill.verify.totals import Tally, VerifyTotals, summary_of
from backfill.verify.verdicts import VerdictRow

SETTLE_KEYS_MAX: Final = 10_000
"""Suspect keys looked at again, with a listing a side and two HEADs each. More than these are no
race with live replication but a state of affairs, and are reported as they were found."""
DIFFERENCES_LOGGED_MAX: Final = 100
"""Differences logged one by one; all of them are in the artefact."""


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
    claims: Callable[[str, int], bool]
    inputs: Mapping[str, str] = field(default_factory=dict)
    prefixes: tuple[str, ...] = ALL_KEYS
    is_deep: bool = False

    def __post_init__(self) -> None:
        assert self.round >= 1, "verifications are counted from 1"
        assert len(self.destinations) == len(self.header.destinations), "a store for each place"


def verdicts_name(verification: int) -> str:
    """Return the artefact name of a verification's verdicts."""
    return f"verify/{verification:02d}"


def unjudged_name(verification: int) -> str:
    """Return the artefact name of the rows without a verdict whose reason is not the plan's."""
    return f"verify/{verification:02d}-unjudged"


def stored_verdicts(artifacts: ArtifactStore, verification: int) -> Iterator[VerdictRow]:
    """Stream the verdicts of a finished verification."""
    return map(verdict_of, artifacts.rows(verdicts_name(verification)))


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
        BackfillError: a listing failed, an artefact is damaged, or totals do not add up.
    """
    job = _Verification(request, artifacts=artifacts, events=events, clock=clock, settings=settings)
    await job.list_buckets()
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
    await job.list_buckets()

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
        header = request.header
        self._source = Side(place=header.source, store=request.source)
        self._destinations = tuple(
            Side(place=place, store=store)
            for place, store in zip(header.destinations, request.destinations, strict=True)
        )
        self._reader = Reader(
            source=self._source,
            destinations=self._destinations,
            is_deep=request.is_deep,
            page_max=settings.page_max,
        )
        self._plan_rows = 0
        self._rows_done = 0
        self._told = 0

    async def list_buckets(self) -> None:
        """List all sides afresh."""
        sides = (self._source, *self._destinations)
        listings = [
            BucketListing(name=name, place=side.place, store=side.store)
            for name, side in zip(self._listing_names(), sides, strict=True)
        ]
        indexes = await take_inventory(
            listings,
            artifacts=self._artifacts,
            events=self._events,
            # The time makes it new: an older look must not pass for this one.
            run_id=f"verify {self._request.round} {self._clock.now().isoformat()}",
            prefixes=self._request.prefixes,
            page_max=self._settings.page_max,
        )
        self._inputs.update({index.name: index.digest for index in indexes})

    def listed(self) -> Iterator[KeyGroup]:
        """Stream the fresh listings by key."""
        source, *destinations = (
            listed_entries(self._artifacts, name) for name in self._listing_names()
        )
        return key_groups(source, destinations)

    async def judge(
        self,
        plan: Callable[[], Iterator[PlanEntry]],
        outcomes: Callable[[], Iterator[PlannedOutcome]],
    ) -> VerifyTotals:
        """Judge all rows, look again at suspects, and write the verdicts."""
        rows = self._counted(planned_rows(plan(), outcomes()))
        work = work_by_key(rows, self.listed(), destinations=len(self._destinations))
        suspects = await self._look(0, (self._begun(item.rows, item.group) for item in work))
        looks, looked_again = 1, suspects
        is_settled = suspects <= SETTLE_KEYS_MAX
        while suspects and is_settled and looks <= self._settings.settle_rounds:
            await self._clock.sleep(self._settings.settle_delay_s)
            keys = suspect_keys(self._artifacts.rows(self._look_name(looks - 1)))
            again = rows_of_keys(planned_rows(plan(), outcomes()), keys)
            suspects = await self._look(looks, (partial(self._again, rows) for rows in again))
            looks += 1
        return self._conclude(looks, looked_again, is_settled=is_settled)

    def _listing_names(self) -> list[str]:
        number = self._request.round
        return [f"inventory/verify-source-{number:02d}"] + [
            f"inventory/verify-destination-{destination:02d}-{number:02d}"
            for destination in range(len(self._destinations))
        ]

    def _look_name(self, look: int) -> str:
        return f"verify/{self._request.round:02d}-look-{look}"

    def _counted(self, rows: Iterable[PlannedRow]) -> Iterator[PlannedRow]:
        for row in rows:
            self._plan_rows += 1
            yield row

    async def _look(self, look: int, work: Iterable[Drafts | Begin]) -> int:
        """Write a look's drafts and return the number of keys with a suspect row."""
        suspects = 0
        name = self._look_name(look)
        with self._artifacts.writer(name, columns=DRAFT_COLUMNS, inputs=self._inputs) as writer:

            def write(drafts: Drafts) -> None:
                nonlocal suspects
                for draft in drafts:
                    writer.write(draft_row(draft))
                suspects += any(draft.is_suspect for draft in drafts)
                self._rows_done += len(drafts)
                self._events.progress(ProgressCounts(stage="verify", done=self._rows_done))

            await in_order(work, write, limit=self._settings.concurrency)
            writer.commit({"suspect_keys": suspects})
        return suspects

    def _begun(self, rows: KeyRows, group: KeyGroup) -> Drafts | Begin:
        """Judge a key: at once where the listings are enough."""
        decisions = list(
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
        ready = [
            Draft(decision=decision, is_suspect=is_suspect(decision, None))
            for decision in decisions
            if not isinstance(decision, Look)
        ]
        is_ready = len(ready) == len(decisions)
        return ready if is_ready else partial(self._reader.drafts, decisions)

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

    def _conclude(self, looks: int, looked_again: int, *, is_settled: bool) -> VerifyTotals:
        tally = Tally()
        number = self._request.round
        drafts = newest_drafts([self._artifacts.rows(self._look_name(n)) for n in range(looks)])
        begin = partial(self._artifacts.writer, inputs=self._inputs)
        with (
            begin(verdicts_name(number), columns=VERDICT_COLUMNS) as verdicts,
            begin(unjudged_name(number), columns=UNJUDGED_COLUMNS) as unjudged,
        ):
            for draft in drafts:
                tally.count(draft.decision)
                if isinstance(draft.decision, Judged):
                    verdicts.write(row_of(draft.decision.row))
                    self._tell(draft.decision.row)
                elif _is_own_reason(draft.decision):
                    unjudged.write(unjudged_row(draft.decision))
            totals = tally.totals(
                plan_rows=self._plan_rows, keys_looked_again=looked_again, is_settled=is_settled
            )
            unjudged.commit({})
            verdicts.commit(summary_of(totals))
        return totals

    def _tell(self, row: VerdictRow) -> None:
        if row.is_good or self._told >= DIFFERENCES_LOGGED_MAX:
            return
        self._told += 1
        fields = ",".join(row.fields)
        self._events.emit(DifferenceFound(key=row.key, verdict=row.content.value, fields=fields))


def _is_own_reason(unjudged: Unjudged) -> bool:
    return unjudged.number is None or unjudged.reason in {SUPERSEDED, VANISHED}


def _nothing_left(key: str) -> Draft:
    """Return the draft of a key that had an extra version, and has none now."""
    gone = Unjudged(number=None, key=key, destination=0, reason=VANISHED)
    return Draft(decision=gone, is_suspect=False)
