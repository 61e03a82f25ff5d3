"""Seeded damage to whole histories: all of it is found and named, and nothing sound is accused.

Bytes are replaced as S3 would have stored them, ETag and checksums derived anew.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from backfill.model.outcome import OutcomeKind
from backfill.settings import Settings
from backfill.verify import looking
from backfill.verify.rows import look_name
from backfill.verify.verdicts import Field, Verdict, VerdictRow
from tests.unit.verify.copied_histories import copy_of, deliver, hostile
from tests.unit.verify.two_buckets import AFTER, Lying, Marker, Stored, World, kms

SEEDS = range(8)
KEYS = 60
"""Of a world; one in two is damaged, so that 240 are, and as many are not."""
TEXT_HTML = Stored(version_id="", data=b"").headers._replace(content_type="text/html")

Chain = list[Lying]
Expected = frozenset[Field | Verdict]
Damage = Callable[[Random, Chain], Expected]
"""Damages a destination's chain, newest first, and returns the words of which one must be said;
none where the chain has nothing to damage in this way."""

NOTHING: Expected = frozenset()
LOST: Expected = frozenset({Verdict.MISSING, Field.DELETE_MARKER})


def two_change_places(chance: Random, chain: Chain) -> Expected:
    if len(chain) < 2:
        return NOTHING
    one, two = chance.sample(range(len(chain)), 2)
    chain[one], chain[two] = chain[two], chain[one]
    return frozenset({Field.VERSION_ORDER})


def one_moves(chance: Random, chain: Chain) -> Expected:
    if len(chain) < 2:
        return NOTHING
    place = chance.randrange(len(chain))
    taken = chain.pop(place)
    chain.insert(chance.choice([n for n in range(len(chain) + 1) if n != place]), taken)
    return frozenset({Field.VERSION_ORDER})


def one_is_dropped(chance: Random, chain: Chain) -> Expected:
    chain.pop(chance.randrange(len(chain)))
    return LOST


def the_newest_is_dropped(_: Random, chain: Chain) -> Expected:
    del chain[0]
    return LOST


def a_marker_is_dropped(chance: Random, chain: Chain) -> Expected:
    markers = [n for n, lying in enumerate(chain) if isinstance(lying, Marker)]
    if not markers:
        return NOTHING
    del chain[chance.choice(markers)]
    return frozenset({Field.DELETE_MARKER})


def a_marker_comes_in(chance: Random, chain: Chain) -> Expected:
    chain.insert(chance.randint(0, len(chain)), Marker(version_id="strange", last_modified=AFTER))
    return frozenset({Verdict.EXTRA})


def a_stranger_comes_in(chance: Random, chain: Chain) -> Expected:
    chain.insert(chance.randint(0, len(chain)), stranger(chance.randbytes(9)))
    return frozenset({Verdict.EXTRA})


def a_stranger_comes_on_top(chance: Random, chain: Chain) -> Expected:
    chain.insert(0, stranger(chance.randbytes(9)))
    return frozenset({Verdict.EXTRA})


def a_twin_comes_beside_one(chance: Random, chain: Chain) -> Expected:
    place = chance.randrange(len(chain))
    chain.insert(place + chance.randint(0, 1), copy_of(chain[place], "strange", 99))
    return frozenset({Verdict.EXTRA})


def stranger(data: bytes) -> Stored:
    return Stored(version_id="strange", data=data, last_modified=AFTER)


def an_object_becomes_a_marker(chance: Random, chain: Chain) -> Expected:
    def marked(one: Stored) -> Lying:
        return Marker(version_id=one.version_id, last_modified=AFTER)

    return changed(chance, chain, marked, Field.DELETE_MARKER)


def a_marker_becomes_an_object(chance: Random, chain: Chain) -> Expected:
    markers = [n for n, lying in enumerate(chain) if isinstance(lying, Marker)]
    if not markers:
        return NOTHING
    place = chance.choice(markers)
    chain[place] = replace(stranger(b"was a marker"), version_id=chain[place].version_id)
    return frozenset({Field.DELETE_MARKER})


def two_exchange_their_bytes(chance: Random, chain: Chain) -> Expected:
    objects = [n for n, lying in enumerate(chain) if isinstance(lying, Stored)]
    if len(objects) < 2:
        return NOTHING
    one, two = chance.sample(objects, 2)
    left, right = chain[one], chain[two]
    chain[one] = replace(right, version_id=left.version_id)
    chain[two] = replace(left, version_id=right.version_id)
    return frozenset({Field.METADATA, Field.SIZE, Field.CONTENT})


def changed(
    chance: Random, chain: Chain, change: Callable[[Stored], Lying], *words: Field
) -> Expected:
    objects = [n for n, lying in enumerate(chain) if isinstance(lying, Stored)]
    if not objects:
        return NOTHING
    place = chance.choice(objects)
    there = chain[place]
    assert isinstance(there, Stored)
    chain[place] = change(there)
    return frozenset(words)


def attribute(change: Callable[[Stored], Stored], *words: Field) -> Damage:
    return lambda chance, chain: changed(chance, chain, change, *words)


def flipped(one: Stored) -> Stored:
    data = bytes([one.data[0] ^ 1]) + one.data[1:] if one.data else b"!"
    return replace(one, data=data)


DAMAGES: dict[str, Damage] = {
    "two change places": two_change_places,
    "one moves": one_moves,
    "one is dropped": one_is_dropped,
    "the newest is dropped": the_newest_is_dropped,
    "a marker is dropped": a_marker_is_dropped,
    "a marker comes in": a_marker_comes_in,
    "a stranger comes in": a_stranger_comes_in,
    "a stranger comes on top": a_stranger_comes_on_top,
    "a twin comes beside one": a_twin_comes_beside_one,
    "an object becomes a marker": an_object_becomes_a_marker,
    "a marker becomes an object": a_marker_becomes_an_object,
    "two exchange their bytes": two_exchange_their_bytes,
    "a bit": attribute(flipped, Field.CONTENT, Field.SIZE),
    "a cut": attribute(
        lambda one: replace(one, data=one.data[:-1] or b"!!"), Field.SIZE, Field.CONTENT
    ),
    "metadata": attribute(lambda one: replace(one, metadata=(("by", "x"),)), Field.METADATA),
    "tags": attribute(lambda one: replace(one, tags=(("by", "x"),)), Field.TAGS),
    "headers": attribute(lambda one: replace(one, headers=TEXT_HTML), Field.CONTENT_HEADERS),
    "class": attribute(lambda one: replace(one, storage_class="STANDARD_IA"), Field.STORAGE_CLASS),
}
UNSEEN_WITHOUT_A_RUN = {
    # The map alone tells these from what they are changed into.
    "encryption": attribute(lambda one: replace(one, encryption=kms("rogue")), Field.ENCRYPTION),
}


def world_of(folder: Path, chance: Random, *, has_old: bool = True) -> World:
    """Carry histories of many keys. `has_old`: of some an earlier run had carried a part."""
    world = World(folder, settings=Settings(settle_rounds=1, concurrency=8))
    for number in range(KEYS):
        source = hostile(chance, chance.choice((1, 2, 3, 5, 8, 13, 40)))
        already = chance.choice((0, len(source) // 2)) if has_old and len(source) > 2 else 0
        deliver(world, f"key/{number:02}", source, already=already)
    return world


def damage(
    world: World, chance: Random, damages: dict[str, Damage]
) -> dict[str, tuple[str, Expected]]:
    """Damage every second key; return by which damage, and what must be said of it."""
    expected = {}
    for key in sorted(world.destination.chains)[::2]:
        name = chance.choice(sorted(damages))
        chain = world.destination.chains[key]
        words = damages[name](chance, chain)
        if not chain:
            del world.destination.chains[key]
        if words:
            expected[key] = (name, words)
    return expected


def said_by_key(world: World) -> dict[str, list[VerdictRow]]:
    bad: dict[str, list[VerdictRow]] = {}
    for row in world.all_verdicts():
        if not row.is_good:
            bad.setdefault(row.key, []).append(row)
    return bad


@pytest.mark.parametrize("seed", SEEDS)
async def test_each_damage_to_a_history_is_found_and_named_and_nothing_else_is(
    tmp_path: Path, seed: int
) -> None:
    """If this fails, a damaged history passes for right, or a right one is accused."""
    chance = Random(seed)
    world = world_of(tmp_path, chance, has_old=False)
    expected = damage(world, chance, DAMAGES | UNSEEN_WITHOUT_A_RUN)
    totals = await world.verify()
    bad = said_by_key(world)
    assert bad.keys() == expected.keys()
    for key, (name, words) in expected.items():
        said = {word for row in bad[key] for word in (row.content, *row.fields)}
        assert words & said, (name, bad[key])
        assert all(row.detail or row.fields for row in bad[key]), name
    assert totals.exit_code == 4
    assert totals.keys_looked_again == len(expected)
    assert len(expected) > KEYS // 3


@pytest.mark.parametrize("seed", SEEDS)
async def test_damage_to_what_an_earlier_run_had_carried_in_part_is_found(
    tmp_path: Path, seed: int
) -> None:
    """If this fails, the beginning of a history, of which no map is left, may rot unseen."""
    chance = Random(seed)
    world = world_of(tmp_path, chance)
    before = {key: signs(chain) for key, chain in world.destination.chains.items()}
    # Nobody wrote down which class an earlier run had chosen.
    own = {name: each for name, each in DAMAGES.items() if name != "class"}
    damaged = damage(world, chance, own)
    after = {key: signs(world.destination.chains.get(key, [])) for key in before}
    await world.verify()
    found = said_by_key(world).keys()
    assert {key for key in before if before[key] != after[key]} <= found <= damaged.keys()


@pytest.mark.parametrize("seed", SEEDS)
async def test_sound_histories_raise_no_alarm_with_or_without_a_map(
    tmp_path: Path, seed: int
) -> None:
    """If this fails, people learn to ignore verify; a resume may have lost the map's tail."""
    chance = Random(seed)
    world = world_of(tmp_path, chance)
    for place, (number, outcome) in enumerate(world.outcomes):
        if chance.random() < 0.3:  # found by a later process, which knows the ID or does not
            known = outcome.version_id if chance.random() < 0.5 else None
            found = outcome._replace(kind=OutcomeKind.ALREADY_THERE, version_id=known)
            world.outcomes[place] = (number, found)
    totals = await world.verify()
    assert not said_by_key(world)
    assert totals.exit_code == 0
    assert totals.verdicts == {"equal": len(world.entries)}
    alone = await world.verify_buckets(compares_histories=True)
    assert not said_by_key(world)
    assert alone.verdicts == {"equal": len(world.entries)}


@pytest.mark.parametrize("seed", SEEDS)
async def test_two_buckets_without_a_run_are_compared_by_places_and_never_called_equal_blindly(
    tmp_path: Path, seed: int
) -> None:
    """If this fails, verify --versions all passes histories that differ, or accuses others."""
    chance = Random(seed)
    world = world_of(tmp_path, chance)
    before = {key: signs(chain) for key, chain in world.destination.chains.items()}
    damage(world, chance, DAMAGES)
    after = {key: signs(world.destination.chains.get(key, [])) for key in before}
    await world.verify_buckets(compares_histories=True)
    # Two alike that changed places are as they were: only an ID could tell.
    assert said_by_key(world).keys() == {key for key in before if before[key] != after[key]}


def signs(chain: Chain) -> list[object]:
    """Return all that anybody can see of a chain but its version IDs and times."""
    return [
        replace(lying, version_id="", last_modified=AFTER) if isinstance(lying, Stored) else "-"
        for lying in chain
    ]


async def test_two_buckets_without_a_run_are_compared_by_current_versions_unless_asked(
    tmp_path: Path,
) -> None:
    """If this fails, a plain verify of two buckets suddenly demands every old version."""
    world = World(tmp_path)
    deliver(world, "k", [Stored(version_id="b", data=b"new"), Stored(version_id="a", data=b"old")])
    del world.destination.chains["k"][1]
    assert (await world.verify_buckets()).exit_code == 0
    totals = await world.verify_buckets(compares_histories=True)
    assert totals.verdicts == {"equal": 1, "missing": 1}


async def test_equal_sizes_and_no_evidence_are_not_a_match_by_place(tmp_path: Path) -> None:
    """If this fails, two histories that nobody could compare are reported as proven."""
    world = World(tmp_path)
    secret = Stored(version_id="a", data=b"1234", algorithms=(), encryption=kms("k"))
    world.source.chains["k"] = [replace(secret, version_id="b", data=b"5678"), secret]
    world.destination.chains["k"] = [
        replace(lying, version_id=f"copy-{lying.version_id}", encryption=kms("other"))
        for lying in world.source.chains["k"]
        if isinstance(lying, Stored)
    ]
    totals = await world.verify_buckets(compares_histories=True)
    assert totals.verdicts == {"unverified": 2}
    deep = World(tmp_path / "deep")
    deep.source.chains, deep.destination.chains = world.source.chains, world.destination.chains
    deep.destination.chains["k"].reverse()
    assert isinstance(deep.destination.chains["k"][0], Stored)
    await deep.verify_buckets(compares_histories=True)
    assert {row.content for row in deep.all_verdicts()} == {Verdict.UNVERIFIED}


@pytest.mark.parametrize("held_max", [10, 450, 10_000])
async def test_a_long_history_is_read_in_parts_and_settled_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held_max: int
) -> None:
    """If this fails, a second look at a long key counts some of its rows twice, or loses them."""
    monkeypatch.setattr(looking, "HELD_ROWS_MAX", held_max)
    world = World(tmp_path, settings=Settings(settle_rounds=1, concurrency=4))
    for key in ("a", "long", "z"):
        deliver(world, key, hostile(Random(3), 500 if key == "long" else 1))
    lost = world.destination.chains["long"][250]
    world.destination.chains["long"].remove(lost)
    totals = await world.verify()
    assert (totals.plan_rows, totals.judged, totals.keys_looked_again) == (502, 502, 1)
    assert len(said_by_key(world)["long"]) == 1

    def mended() -> None:
        world.destination.chains["long"].insert(250, lost)

    world.clock.on_sleep = mended
    totals = await world.verify()
    assert totals.verdicts == {"equal": 502}
    # Keys before the long one are not written twice; from it on there are drafts.
    assert drafted(world) == ["long"] * 500 + ["z"]
    totals = await world.verify()
    assert totals.verdicts == {"equal": 502}
    # Nothing is suspect: a long key is a draft only where it is too long to be held.
    assert drafted(world) == ([] if held_max > 500 else ["long"] * 500 + ["z"])


def drafted(world: World) -> list[object]:
    return [row[5] for row in world.artifacts.rows(look_name(world.rounds, 0))]
