"""A manifest is cut into blocks without a loss, a key in two of them, or a haste that harms."""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime

import pytest

from backfill.errors import RefusedError
from backfill.execute.blocks import BLOCK_ENTRIES, Block, Cutter, Rows
from backfill.execute.request import planned_request
from backfill.manifest.entries import ManifestEntry
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.model.store import IfAbsent
from backfill.plan.routes import HANDLINGS, Handling, Route
from backfill.ports import Intent
from backfill.settings import Settings
from tests.unit.execute.campaign_double import MemoryJournal, Run
from tests.unit.execute.versioned_store import DESTINATION, SOURCE, expired

JOB, COPY = Route.BATCH_REPLICATION, Route.COPY_OBJECT
AROUND = 12
"""Keys of one row that follow the key in question."""

ROUTES: dict[str, Callable[[int], Route]] = {
    "copies": lambda _: COPY,
    "jobs": lambda _: JOB,
    "a job now and then": lambda number: JOB if number % 3 == 0 else COPY,
    "a copy now and then": lambda number: COPY if number % 60 == 1 else JOB,
}
DONE: dict[str, Callable[[int], bool]] = {
    "a first run": lambda _: False,
    "every other block": lambda number: number // BLOCK_ENTRIES % 2 == 0,
    "here and there": lambda number: number % 7 == 0,
}


def row(number: int, key: str, route: Route = COPY) -> ManifestEntry:
    last_modified = datetime(2024, 1, 1, tzinfo=UTC)
    precondition = IfAbsent()
    return ManifestEntry(
        number, number, key, None, None, 5, last_modified, 0, route, precondition=precondition
    )


def rows_of(sizes: Collection[int], route_of: Callable[[int], Route]) -> list[ManifestEntry]:
    """Return rows of keys that have so many; those of a single row are copies."""
    rows: list[ManifestEntry] = []
    for key, size in enumerate(sizes):
        numbers = range(len(rows), len(rows) + size)
        rows += [row(n, f"k{key:05}", route_of(n) if size > 1 else COPY) for n in numbers]
    return rows


async def cut(
    entries: list[ManifestEntry],
    done: Collection[int] = (),
    intents: Mapping[int, list[Intent]] | None = None,
) -> tuple[list[Block], list[int]]:
    """Return the blocks, and the numbers of the outcomes that were counted."""
    journal, counted = MemoryJournal(), list[int]()
    journal.done = {number: Outcome(number=number, kind=OutcomeKind.COPIED) for number in done}
    cutter = Cutter(
        entries=entries,
        has_jobs=True,
        journal=journal,
        intents=intents or {},
        settings=Settings(),
        is_large=None,
        count=lambda outcome: counted.append(outcome.number),
    )
    return [block async for block in cutter.blocks()], counted


def require_exact(entries: list[ManifestEntry], done: Collection[int], blocks: list[Block]) -> None:
    """Each row that is left is in one block, blocks follow each other, and keys are whole."""
    left = [each for each in entries if each.route is not JOB and each.number not in done]
    given: list[ManifestEntry] = []
    for block in blocks:
        straight = [each.number for each in block.ordinary]
        others = [each.number for rows in block.others for each in rows]
        assert straight == sorted(straight)
        assert others == sorted(others)
        given += sorted(block.entries(), key=lambda each: each.number)
    assert given == left
    units: list[Rows] = [(each,) for block in blocks for each in block.ordinary]
    units += [rows for block in blocks for rows in block.others]
    keys = [{each.key for each in rows} for rows in units]
    assert all(len(each) == 1 for each in keys), "keys are worked on one by one"
    assert len(set[str]().union(*keys)) == len(keys), "a key is worked on once"


@pytest.mark.parametrize("size", [2, 3, 50, 99, 100, 101, 150])
@pytest.mark.parametrize("is_done", DONE.values(), ids=DONE)
@pytest.mark.parametrize("route_of", ROUTES.values(), ids=ROUTES)
async def test_a_key_may_lie_anywhere_across_the_end_of_a_block(
    route_of: Callable[[int], Route], is_done: Callable[[int], bool], size: int
) -> None:
    """If this fails, a row is lost or done twice, a key written by two, or no resume ends."""
    middle = BLOCK_ENTRIES - size // 2
    for place in {
        max(near + step, 0)
        for near in (0, BLOCK_ENTRIES - size, middle, BLOCK_ENTRIES)
        for step in (-2, -1, 0, 1, 2)
    }:
        entries = rows_of([*[1] * place, size, *[1] * AROUND, size, 1], route_of)
        copies = [each.number for each in entries if each.route is not JOB]
        done = set(filter(is_done, copies))
        blocks, counted = await cut(entries, done)
        require_exact(entries, done, blocks)
        assert counted == sorted(done), "what is there already is counted once"


@pytest.mark.parametrize("size", range(2, 151))
async def test_a_key_of_any_number_of_rows_may_lie_across_the_end_of_a_block(size: int) -> None:
    """The same for every number of rows, at the places where its last rows meet the end."""
    for place in {max(BLOCK_ENTRIES - size, 0), max(BLOCK_ENTRIES + 1 - size, 0), 99}:
        for name in ("copies", "a job now and then"):
            entries = rows_of([*[1] * place, size, *[1] * AROUND], ROUTES[name])
            blocks, _ = await cut(entries)
            require_exact(entries, (), blocks)


@pytest.mark.parametrize("size", [2, 3, 101, 150])
@pytest.mark.parametrize("place", [0, 98, 99, 100])
async def test_a_run_ends_wherever_the_rows_of_a_key_lie(place: int, size: int) -> None:
    """The whole stage, stopped once: if this fails, a manifest is never worked off."""
    run = Run(destinations=size)
    for number in range(place):
        run.add(run.store.put("src", f"k{number:04}", b"v"))
    shared = run.store.put("src", "m", b"v")
    for destination in range(size):
        run.add(shared, destination=destination)
    run.add(run.store.put("src", "n", b"v"))
    run.store.refused_before["copy", place // 2 + 1] = expired
    with pytest.raises(RefusedError, match="ExpiredToken"):
        await run.go()
    outcomes = await run.restarted().go()
    assert [outcome.number for outcome in outcomes] == list(range(place + size + 1))
    # All destinations are one bucket here: only the first row of the shared key finds it absent.
    keys = {entry.key for entry in run.entries}
    assert all(run.bodies(key) == [b"v"] for key in keys), "each is there, and once"


@pytest.mark.parametrize("number", [0, 50, 99])
async def test_of_a_block_a_row_whose_fate_is_open_does_not_go_straight(number: int) -> None:
    """If this fails, a copy that an earlier process sent is sent again before anyone looks."""
    entries = rows_of([1] * BLOCK_ENTRIES, ROUTES["copies"])
    (plain,), _ = await cut(entries)
    assert plain.ordinary == entries, "without the intent all of them go straight"
    (block,), _ = await cut(entries, intents={number: [Intent(number, 1, None)]})
    assert block.others == [(entries[number],)]
    assert block.ordinary == [each for each in entries if each.number != number]


@pytest.mark.parametrize("handling", HANDLINGS)
async def test_of_a_block_a_row_that_takes_more_than_its_write_does_not_go_straight(
    handling: Handling,
) -> None:
    """If this fails, a block hides a lock or a grant, or default ACLs make every block slow."""
    entries = rows_of([1] * BLOCK_ENTRIES, ROUTES["copies"])
    entries[50] = entries[50]._replace(handling=handling)
    given = (await cut(entries))[0]
    straight = [entry for block in given for entry in block.ordinary]
    assert (entries[50] in straight) is (handling in (Handling(0), Handling.DEFAULT_ACL))


@pytest.mark.parametrize("has_other_writers", [True, False])
async def test_a_copy_whose_answer_died_with_its_process_is_not_sent_again(
    *, has_other_writers: bool
) -> None:
    """A full block of ordinary rows, one intent lost: if this fails, it is copied twice."""
    run = Run()
    for each in range(BLOCK_ENTRIES):
        source = run.store.put("src", f"k{each:04}", b"v")
        run.add(source, has_other_writers=has_other_writers)
    lost = run.entries[50]
    await run.store.copy_object(planned_request(lost, source=SOURCE, destination=DESTINATION))
    run.journal.found = [Intent(50, 1, None, lost.version_id)]
    outcomes = await run.go()
    assert len(outcomes) == BLOCK_ENTRIES
    assert all(run.bodies(entry.key) == [b"v"] for entry in run.entries)
    assert run.store.calls["copy"] == BLOCK_ENTRIES


@pytest.mark.parametrize("place", [0, 49, 98])
async def test_two_rows_of_one_key_are_one_piece_of_work(place: int) -> None:
    """If this fails, two copies of one key are under way at once, and meet each other."""
    entries = rows_of([*[1] * place, 2, *[1] * (98 - place)], ROUTES["copies"])
    assert len(entries) == BLOCK_ENTRIES
    (block,), _ = await cut(entries)
    assert block.others == [(entries[place], entries[place + 1])]
    assert len(block.ordinary) == BLOCK_ENTRIES - 2
