"""The short way by shapes says what the long way says, for generated keys, terms and heads."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any, ClassVar

import pytest

from backfill.campaign import ManifestWay, Scope, Versions
from backfill.errors import MissingPermissionError, StoreFault
from backfill.inventory.join import KeyGroup
from backfill.model.attributes import EncryptionKind, ReplicationStatus
from backfill.model.extras import Abilities
from backfill.model.objects import ETag, ListedEntry, ObjectVersion, VersionId
from backfill.plan import shapes, stretches
from backfill.plan.facts import Facts
from backfill.plan.key_plan import KeyPlan
from backfill.plan.routes import Reason, Route
from backfill.plan.rules import Rule, Rules
from backfill.plan.run import PlanWork, make_plan
from backfill.plan.shapes import Listed, Settled, Shapes
from backfill.plan.stretches import ListedRow
from backfill.plan.terms import COPY_ONLY, Delivery, terms_with_abilities
from tests.doubles.known_versions import HeardEvents, fault
from tests.doubles.memory_artifacts import MemoryArtifacts
from tests.doubles.planning import (
    BEFORE,
    ENCRYPTIONS,
    HORIZON,
    SOURCE,
    TAG,
    World,
    head_of,
    marker,
    rule,
    terms,
    version,
    world_of,
)

WORLDS = 300
KEYS = [f"{first}{second}{n}" for first in "ab" for second in ("", "\U0010ffff") for n in range(7)]
PREFIXES = ["", "", "", "a", "a1", "b\U0010ffff", "b"]
BATCH = Delivery(batch=True, copy=True)
DELIVERIES = [COPY_ONLY, COPY_ONLY, BATCH, replace(BATCH, copy=False)]
CLASSES = ["STANDARD"] * 6 + ["GLACIER", "INTELLIGENT_TIERING", "STANDARD_IA"]

ODD: dict[str, Any] = {
    "etag": ETag("another"),
    "archive_status": "ARCHIVE_ACCESS",
    "storage_class": "GLACIER",
    "missing_metadata_count": 1,
    "lock_mode": "GOVERNANCE",
    "lock_retain_until": HORIZON + timedelta(days=9),
    "has_legal_hold": True,
    "website_redirect": "/elsewhere",
    "unmodelled_checksums": (("x", "y"),),
    "tag_count": 1,
    "replication_status": ReplicationStatus.PENDING,
    "encryption": ENCRYPTIONS[EncryptionKind.SSE_C],
}
"""What a head may tell that makes its version another than its neighbours."""


def some_rule(chance: Random, number: int) -> Rule:
    return rule(
        f"rule {number}",
        bucket=chance.choice("xy") if number > 1 else "xy"[number],
        prefix=chance.choice(PREFIXES),
        priority=number,
        is_enabled=number < 2 or chance.random() < 0.8,
        tags=TAG if chance.random() < 0.2 else (),
        replicates_delete_markers=chance.random() < 0.5,
        selects_kms=chance.random() < 0.5,
        replica_kms_key=chance.choice(["", "arn:key"]),
        storage_class=chance.choice(["", "", "GLACIER_IR"]),
        is_owner_translated=chance.random() < 0.3,
    )


def some_chain(chance: Random, key: str) -> list[ListedEntry]:
    chain: list[ListedEntry] = []
    length = chance.choice((1, 1, 1, 1, 2, 3))
    for depth in range(length):
        is_null = depth == length - 1 and chance.random() < 0.2
        name = "null" if is_null else f"{chance.getrandbits(64):016x}"
        when = HORIZON + timedelta(days=1) if chance.random() < 0.1 else BEFORE
        shared: dict[str, Any] = {"is_latest": depth == 0, "last_modified": when}
        if chance.random() < 0.2:
            chain.append(marker(key, name, **shared))
            continue
        etag = f"{chance.getrandbits(128):032x}{chance.choice(('', '', '', '-2'))}"
        size_bytes = chance.choice((0, 10, 60, 30 << 20))
        kind = chance.choice(CLASSES)
        chain.append(version(key, name, etag, size_bytes, storage_class=kind, **shared))
    return chain


def some_there(chance: Random, chain: list[ListedEntry]) -> list[ListedEntry]:
    """Return what a destination has of a key: mostly nothing or all, sometimes neither."""
    what = chance.random()
    if what < 0.6:
        return []
    if what < 0.8:
        return list(chain)
    if what < 0.85:
        return chain[1:]
    if what < 0.95:
        changes: dict[str, Any] = chance.choice([{"etag": ETag("altered")}, {"size_bytes": 7}])
        return [e._replace(**changes) if isinstance(e, ObjectVersion) else e for e in chain]
    return [each._replace(version_id=VersionId(f"other {n}")) for n, each in enumerate(chain)]


def some_head(chance: Random, entry: ObjectVersion) -> Any:
    changes: dict[str, Any] = {}
    if chance.random() < 0.2:
        changes["replication_status"] = chance.choice(list(ReplicationStatus))
    if chance.random() < 0.2:
        changes["encryption"] = ENCRYPTIONS[chance.choice(list(EncryptionKind))]
    if chance.random() < 0.2:
        changes["tag_count"] = 1
    if chance.random() < 0.4:
        name = chance.choice(list(ODD))
        changes[name] = ODD[name]
    if "lock_mode" in changes and chance.random() < 0.8:
        ends = HORIZON + timedelta(days=chance.choice((-9, 9, 10)))
        changes["lock_retain_until"] = ends
    if chance.random() < 0.05:
        return fault(*chance.choice([("NoSuchVersion", 404), ("AccessDenied", 403), ("400", 400)]))
    return head_of(entry, **changes)


def some_world(seed: int) -> tuple[World, PlanWork]:
    chance = Random(seed)
    keys = sorted(KEYS)
    chains = {key: some_chain(chance, key) for key in keys}
    there = [{key: some_there(chance, chains[key]) for key in keys} for _ in "xy"]
    world = world_of(
        *(some_rule(chance, number) for number in range(chance.choice((2, 3, 5)))),
        source=[entry for key in keys for entry in chains[key]],
        destinations=[[entry for key in keys for entry in each[key]] for each in there],
    )
    for bucket, entries in ((SOURCE, world.source), *zip("xy", world.destinations, strict=True)):
        for entry in entries:
            if isinstance(entry, ObjectVersion):
                name = bucket, entry.key, entry.version_id
                world.store.heads[name] = some_head(chance, entry)
                world.store.tags[name] = chance.choice([TAG, (("t", "2"),)])
                if chance.random() < 0.1:
                    world.store.other_acls.add(name)
    scope = Scope(
        prefix=chance.choice(PREFIXES),
        tags=chance.choice([(), (), (), TAG]),
        versions=Versions.ALL if seed % 3 == 1 else Versions.CURRENT,
    )
    made = terms(
        *world.rules,
        has_acls=chance.random() < 0.3,
        scope=scope,
        is_quiet=chance.random() < 0.3,
        copy_object_bytes_max=chance.choice((50, 5 << 30)),
        delivery=chance.choice(DELIVERIES),
        manifest=chance.choice(list(ManifestWay)),
    )
    able = [
        Abilities(has_object_lock=chance.random() < 0.7, owner_id=chance.choice(("", "us")))
        for _ in made.destinations
    ]
    made = terms_with_abilities(made, able, HORIZON)
    return world, replace(world.work(), terms=made, rules=Rules(rules=world.rules))


async def outcome(world: World, work: PlanWork) -> Any:
    """Return all that a plan leaves behind: rows, totals, forecast, and what was asked."""
    artifacts, events = MemoryArtifacts(), HeardEvents(store=world.store)
    world.store.asked.clear()
    try:
        index = await make_plan(work, artifacts=artifacts, events=events)
    except (MissingPermissionError, StoreFault) as refused:  # nothing at all could be read
        return str(refused), events.heard, dict(world.store.asked)
    return artifacts.held["plan"], index.summary, events.heard, dict(world.store.asked)


class Followed(Shapes):
    """Shapes that count what they knew."""

    known: ClassVar[Counter[str]] = Counter()

    def listed(self, group: KeyGroup) -> list[Listed] | None:
        found = super().listed(group)
        self.known["not plain" if found is None else "plain"] += 1
        return found

    def listed_alone(self, rows: Sequence[ListedRow]) -> list[Listed | None]:
        found = super().listed_alone(rows)
        self.known["plain alone"] += len(found) - found.count(None)
        return found

    def read(self, *asked: Any) -> Settled | None:
        settled = super().read(*asked)
        if settled is not None:
            self.known.update(word.value for word in settled.words)
        return settled


class Unknown(Shapes):
    """Shapes that know nothing, so that every key takes the long way."""

    def listed(self, _group: KeyGroup) -> list[Listed] | None:
        return None

    def listed_alone(self, rows: Sequence[ListedRow]) -> list[Listed | None]:
        return [None] * len(rows)


async def test_the_short_way_and_the_long_way_make_one_plan(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If this fails, a shape leaves out something that decides: versions go where they must not."""
    Followed.known.clear()
    for seed in range(WORLDS):
        monkeypatch.setattr("backfill.plan.run.Shapes", Unknown)
        monkeypatch.setattr(stretches, "LENGTH_MIN", 1000)
        expected = await outcome(*some_world(seed))
        monkeypatch.setattr("backfill.plan.run.Shapes", Followed)
        monkeypatch.setattr(stretches, "LENGTH_MIN", 1 + seed % 3)
        monkeypatch.setattr(stretches, "JOINED_ROWS", 1 + seed % 5)
        assert await outcome(*some_world(seed)) == expected, f"world {seed}"
    # Neither way is tested by its absence.
    ways = "plain", "not plain", "plain alone"
    assert min(Followed.known[way] for way in ways) > WORLDS * 5, Followed.known
    words = {
        Route.COPY_OBJECT,
        Route.BATCH_REPLICATION,
        Reason.IN_FLIGHT,
        Reason.ALREADY_REPLICATED,
    }
    assert all(Followed.known[word.value] >= 10 for word in words), Followed.known


@pytest.mark.parametrize("delivery", [COPY_ONLY, BATCH])
@pytest.mark.parametrize("odd", [*ODD, "parts", "large"])
@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("length_min", [1, 9])
async def test_one_odd_object_is_decided_as_if_it_were_alone(
    monkeypatch: pytest.MonkeyPatch, odd: str, place: int, length_min: int, delivery: Delivery
) -> None:
    """If this fails, an object that a copy would harm is copied as its neighbours are."""

    def made() -> tuple[World, PlanWork]:
        world = plain_world(3, tagged=False)
        entry = world.source[place]
        assert isinstance(entry, ObjectVersion)
        if odd == "parts":
            entry = entry._replace(etag=ETag(f"{entry.etag}-2"), size_bytes=20 << 20)
        if odd == "large":
            entry = entry._replace(size_bytes=6 << 30)
        world.source[place] = entry
        changes = {odd: ODD[odd]} if odd in ODD else {}
        world.store.heads[SOURCE, entry.key, entry.version_id] = head_of(entry, **changes)
        world.delivery = delivery
        return world, world.work(concurrency=1)

    monkeypatch.setattr(stretches, "LENGTH_MIN", length_min)
    expected = await outcome(*made())
    monkeypatch.setattr("backfill.plan.run.Shapes", Unknown)
    assert await outcome(*made()) == expected


async def test_with_more_shapes_than_are_kept_the_long_way_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If this fails, a bucket with a KMS key for each object fills the memory with shapes."""
    expected = await outcome(*some_world(1))
    monkeypatch.setattr(shapes, "SHAPES_MAX", 2)
    assert await outcome(*some_world(1)) == expected
    monkeypatch.setattr(stretches, "LENGTH_MIN", 1)
    monkeypatch.setattr(stretches, "JOINED_ROWS", 1)
    assert await outcome(*some_world(1)) == expected


def plain_world(objects: int, *, tagged: bool) -> World:
    rules = (rule("to-x", bucket="x"), rule("to-y", bucket="y", tags=TAG if tagged else ()))
    listed: list[ListedEntry] = [
        version(f"k{n:04}", f"v{n}", f"{n:032x}", n, is_latest=True) for n in range(objects)
    ]
    return world_of(*rules, source=listed, destinations=[[], []])


async def test_plain_keys_are_decided_once_for_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, every object pays for the whole machinery that decides."""
    made = Counter[str]()

    class Counted(KeyPlan):
        def __init__(self, *arguments: Any) -> None:
            made["plans"] += 1
            super().__init__(*arguments)

    monkeypatch.setattr("backfill.plan.run.KeyPlan", Counted)
    monkeypatch.setattr("backfill.plan.shapes.KeyPlan", Counted)
    world = plain_world(500, tagged=False)
    rows, *_ = await outcome(world, world.work())
    assert Counter(row[9] for row in rows) == {Route.COPY_OBJECT: 1000}
    assert made["plans"] == 2  # by the listings, and by a head
    assert world.store.asked == {f"head {SOURCE}": 500}


async def test_a_plain_key_whose_tags_matter_is_read_no_more_than_the_long_way_reads() -> None:
    """If this fails, the head that the short way read is read again by the long way."""
    world = plain_world(40, tagged=True)
    for entry in world.source:
        assert isinstance(entry, ObjectVersion)
        world.know(SOURCE, entry, tags=1)
    await outcome(world, world.work())
    assert world.store.asked == {f"head {SOURCE}": 40, f"tags {SOURCE}": 40}


def bounds_between(keys: list[str], prefixes: list[str]) -> Iterator[tuple[int, list[bool]]]:
    rules = [rule(f"r{n}", prefix=prefix) for n, prefix in enumerate(prefixes)]
    made = Shapes(terms(*rules))
    for key in keys:
        yield made.region(key), [key.startswith(prefix) for prefix in prefixes]


def test_keys_of_one_region_are_covered_by_the_same_prefixes() -> None:
    """If this fails, a key is decided by a rule that does not cover it."""
    chance = Random(3)
    letters = "ab/\U0010ffff\ud7ff\ue000"
    for _ in range(300):
        words = ["".join(chance.choices(letters, k=chance.randrange(5))) for _ in range(40)]
        covered = dict[int, list[bool]]()
        for region, covers in bounds_between(words, words[: chance.randrange(1, 9)]):
            assert covered.setdefault(region, covers) == covers


def test_what_was_not_read_is_known_to_nobody() -> None:
    """If this fails, one version's facts leak into all others through a shared default."""
    with pytest.raises(TypeError):
        Facts().destination_heads["v"] = None  # type: ignore[index]  # what a bug would do
