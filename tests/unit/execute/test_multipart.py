"""Large objects: parts of all of them under one bound, fairly, and none left when a run is cut."""

import asyncio
from dataclasses import replace

import pytest

from backfill.model.outcome import OutcomeKind
from backfill.model.store import CopiedPart, UploadPartCopyRequest
from backfill.plan.routes import Route
from backfill.settings import Settings
from tests.unit.execute.campaign_double import Run
from tests.unit.execute.versioned_store import VersionedStore, slow_down

SETTINGS = replace(Settings(), copy_object_bytes_max=5, part_bytes=5)


class WatchedStore(VersionedStore):
    """Takes a few turns of the loop for each part, and notes which parts are under way."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[str] = []
        self.under_way = self.most = 0
        self.stands_still: asyncio.Event | None = None

    async def upload_part_copy(self, request: UploadPartCopyRequest) -> CopiedPart:
        self.order.append(request.upload.key)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if self.stands_still is not None:
                await self.stands_still.wait()
            for _ in range(3):
                await asyncio.sleep(0)
            return await super().upload_part_copy(request)
        finally:
            self.under_way -= 1


def large_objects(parts: dict[str, int], *, parts_in_flight_max: int) -> tuple[Run, WatchedStore]:
    """Return a run over objects of so many parts each."""
    store = WatchedStore()
    settings = replace(SETTINGS, parts_in_flight_max=parts_in_flight_max)
    run = Run(store=store, settings=settings)
    for key, count in parts.items():
        body = b"".join(b"%05d" % number for number in range(count))
        run.add(store.put("src", key, body, part_sizes=(5,) * count), route=Route.MULTIPART_COPY)
    return run, store


async def test_parts_of_all_objects_share_one_bound_and_use_it() -> None:
    """If this fails, ten large objects meet SlowDown together, or one alone crawls."""
    run, store = large_objects(dict.fromkeys("abcdef", 12), parts_in_flight_max=7)
    outcomes = await run.go()
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.COPIED}
    assert (store.most, store.calls["part"]) == (7, 72)
    alone, store = large_objects({"a": 12}, parts_in_flight_max=7)
    await alone.go()
    assert store.most == 7


async def test_an_object_of_many_parts_lets_the_others_pass() -> None:
    """If this fails, a terabyte object holds up all that come after it."""
    run, store = large_objects({"a": 400, "b": 4}, parts_in_flight_max=2)
    await run.go()
    last = len(store.order) - store.order[::-1].index("b")
    assert last < 60, "b's four parts take turns with a's"


async def test_a_part_that_pauses_keeps_nobody_waiting() -> None:
    """If this fails, one prefix that slows down stops the parts of every other object."""
    run, store = large_objects({"a": 3, "b": 3}, parts_in_flight_max=1)
    for attempt in range(1, 4):
        store.refused_before["part", attempt] = slow_down
    outcomes = await run.go()
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.COPIED}
    assert store.most == 1


async def test_a_marker_that_comes_while_parts_are_copied_is_not_written_over() -> None:
    """If this fails, an object deleted during hours of copying is seen again, unconditionally."""
    run, store = large_objects({"a": 6}, parts_in_flight_max=1)
    run.entries = [entry._replace(has_other_writers=True) for entry in run.entries]

    def deleted() -> None:
        store.mark("src", "a")
        store.mark("dst", "a")

    store.before["part", 3] = deleted
    (outcome,) = await run.go()
    assert outcome.kind is not OutcomeKind.COPIED
    assert store.calls["complete"] == 0
    assert store.uploads == {}


@pytest.mark.parametrize("turns", [5, 20, 40])
async def test_a_run_that_is_cut_leaves_uploads_to_the_next_one(turns: int) -> None:
    """If this fails, a container that is stopped loses its parts or leaves them for good."""
    run, store = large_objects({"a": 8, "b": 8}, parts_in_flight_max=3)
    store.stands_still = asyncio.Event()
    work = asyncio.create_task(run.go())
    for _ in range(turns):
        await asyncio.sleep(0)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert store.under_way == 0
    begun = store.calls["create"]
    store.stands_still.set()
    outcomes = await run.restarted().go()
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.COPIED}
    assert store.uploads == {}
    assert store.calls["create"] == max(begun, 2), "what was begun is gone on with"


def small_ones_and_large(small: int, *, destinations: int = 1) -> tuple[Run, WatchedStore]:
    """Return a run whose last key by far is its one large object."""
    run, store = large_objects({}, parts_in_flight_max=8)
    run.settings = replace(run.settings, concurrency=4)
    run.destinations = destinations
    for number in range(small):
        run.add(store.put("src", f"k{number:04d}", b"v"))
    run.add(store.put("src", "large", b"0123456789", part_sizes=(5, 5)), route=Route.MULTIPART_COPY)
    return run, store


async def test_a_large_object_is_begun_before_the_small_ones() -> None:
    """If this fails, a run ends with hours of waiting for the object that it began last."""
    run, store = small_ones_and_large(2000)
    copies: list[int] = []
    store.before["create", 1] = lambda: copies.append(store.calls["copy"])
    outcomes = await run.go()
    assert [outcome.kind for outcome in outcomes] == [OutcomeKind.COPIED] * 2001
    assert (store.calls["copy"], store.calls["create"]) == (2000, 1)
    assert copies[0] < 200, "at most the first block was under way"


async def test_a_resume_does_nothing_twice_whichever_pass_an_outcome_is_of() -> None:
    """If this fails, outcomes are counted twice and a run believes itself finished too early."""
    run, store = small_ones_and_large(300)
    await run.go()
    again = run.restarted()
    for number in (0, 120, 300):
        del again.journal.done[number]
    before = store.calls["copy"] + store.calls["create"]
    outcomes = await again.go()
    assert len(outcomes) == 301
    assert store.calls["copy"] + store.calls["create"] - before <= 3


async def test_rows_of_one_key_stay_together_though_one_of_them_is_large() -> None:
    """If this fails, two writes of one key race each other."""
    run, store = small_ones_and_large(0, destinations=2)
    (large,) = run.entries
    run.entries = [
        large._replace(number=0, route=Route.COPY_OBJECT, size_bytes=5, destination=1),
        large._replace(number=1),
    ]
    under_way: list[int] = []
    store.before["create", 1] = lambda: under_way.append(store.calls["complete"])
    outcomes = await run.go()
    assert len(outcomes) == 2
    assert store.calls["create"] + store.calls["copy"] <= 2


async def test_one_slot_serves_large_and_small() -> None:
    """If this fails, a run with one slot waits for itself for ever."""
    run, _ = small_ones_and_large(5)
    run.settings = replace(run.settings, concurrency=1)
    assert len(await run.go()) == 6
