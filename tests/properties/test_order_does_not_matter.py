"""A manifest in another order of its keys, or cut otherwise, makes the same destination.

Pairs of runs of execute on equal stores. The rows of one key stay together and in their order: that
is a manifest's law, and what a history needs.
"""

from dataclasses import replace
from itertools import groupby
from random import Random

import pytest

from backfill.model.outcome import OutcomeKind
from backfill.plan.routes import Route
from backfill.settings import Settings
from tests.doubles.figures import Row, Tried, figure, first_seed
from tests.unit.execute.campaign_double import Run
from tests.unit.execute.versioned_store import Stored, VersionedStore

PAIRS = figure(ci=150, release=2_500)
PIECES = figure(ci=1, release=8)
SHAPES = ("absent", "absent", "older", "marker", "equal", "extra", "deleted", "large")


def world(seed: int) -> Run:
    """Return a planned run over a store, the same for a seed."""
    random, run = Random(f"order {seed}"), Run(allows_hiding=True)
    for number in range(random.randint(3, 14)):
        _plan_key(run, run.store, f"k{number:02d}", random)
    return run


def _plan_key(run: Run, store: VersionedStore, key: str, random: Random) -> None:
    shape = random.choice(SHAPES)
    body = bytes([65 + random.randrange(26)]) * random.randint(0, 30)
    source = store.put("src", key, body)
    if shape in ("older", "deleted"):
        store.replicate(source)
        source = store.put("src", key, body + b"!")
    if shape == "marker":
        store.mark("dst", key)
    if shape == "equal":
        store.put("dst", key, body)
    if shape == "deleted":
        source = store.mark("src", key)
    if shape == "extra":
        stranger = store.put("dst", f"{key}-extra", b"nobody's")
        run.add(source)
        run.add_extra(stranger)
        return
    large = {"route": Route.MULTIPART_COPY} if shape == "large" and source.body else {}
    run.add(source, **large)


def permuted(run: Run, random: Random) -> Run:
    """Return the same run with its keys in another order, under other settings."""
    groups = [list(rows) for _, rows in groupby(run.entries, key=lambda entry: entry.key)]
    random.shuffle(groups)
    entries = [entry for group in groups for entry in group]
    run.entries = [entry._replace(number=number) for number, entry in enumerate(entries)]
    run.settings = replace(
        Settings(),
        concurrency=random.choice((1, 2, 3, 64)),
        parts_in_flight_max=random.choice((1, 2, 8)),
        part_bytes=random.choice((5 * 1024 * 1024, 64 * 1024 * 1024)),
        page_max=random.choice((2, 5, 1000)),
    )
    return run


def shown(chain: list[Stored]) -> list[object]:
    return [
        "delete marker"
        if each.is_marker
        else (each.body, each.metadata, each.tags, each.storage_class)
        for each in chain
    ]


async def ended(run: Run) -> tuple[dict[str, list[object]], dict[int, tuple[object, ...]]]:
    """Carry a run out; return the destination by key, and how each planned row ended."""
    outcomes = await run.go()
    keys = sorted(key for key, chain in run.store.chains["dst"].items() if chain)
    plan_numbers = {entry.number: entry.plan_number for entry in run.entries}
    return (
        {key: shown(run.store.chain("dst", key)) for key in keys},
        {
            plan_numbers[each.number] or 0: (each.kind, each.code, each.etag, each.bytes_copied)
            for each in outcomes
        },
    )


@pytest.mark.parametrize("piece", range(PIECES))
async def test_the_order_of_keys_does_not_matter(piece: int, tried: Tried) -> None:
    """If this fails, what arrives depends on what was written before it."""
    first, copies = first_seed() + piece * PAIRS, 0
    for seed in range(first, first + PAIRS):
        in_order = await ended(world(seed))
        otherwise = await ended(permuted(world(seed), Random(f"permuted {seed}")))
        assert in_order == otherwise, seed
        copies += sum(kind is OutcomeKind.COPIED for kind, *_ in in_order[1].values())
    assert copies > 2 * PAIRS, "there is work to do in another order"
    tried(Row.METAMORPHIC_PAIRS, PAIRS)
