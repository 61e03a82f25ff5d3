"""Damage in thousands: verify says of each exactly what the table of damage says.

Objects of every kind are brought over by the product itself, then damaged behind S3's back, bytes
with the ETag and checksums that S3 would have stored. Each second object is left as it is, and no
word may fall about it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from random import Random

import pytest

from backfill.sandbox.model.model import S3Model
from backfill.verify.verdicts import Fidelity, Verdict, VerdictRow
from tests.damage.edits import EDITS, Spot
from tests.damage.originals import write
from tests.damage.place import SETTINGS, Place, Story, in_place, switch_rule_on
from tests.doubles.damage_table import (
    TRAITS,
    Damage,
    Finding,
    Kind,
    Way,
    can_have,
    cells,
    expected,
)
from tests.doubles.figures import Row, Tried, figure, first_seed
from tests.doubles.virtual_clock import VirtualClock

COPIES = tuple(kind for kind in Kind if not TRAITS[kind].is_replica)
OF_ACLS = (Damage.ACL_CHANGED, Damage.ACL_ADDED)
REPLICAS = tuple(kind for kind in Kind if TRAITS[kind].is_replica)
OF_EACH_KIND = 40
ROUNDS = 7
CHUNKS = figure(ci=6, release=120)
"""Five of six are of copies, 1,820 damages each; one is of replicas, 700."""

Fill = Callable[[S3Model, VirtualClock], None]
Done = Counter[tuple[Kind, Damage]]


def objects_of(kinds: Iterable[Kind], seed: int) -> list[tuple[str, Kind, bool]]:
    """Return keys, each with its kind and whether it has all that an object can have."""
    return [
        (f"{kind.name.lower()}/{seed}-{number:03}", kind, number % 4 > 1)
        for kind in kinds
        for number in range(OF_EACH_KIND)
    ]


def fill(story: Story, kinds: Sequence[Kind]) -> Fill:
    def filled(model: S3Model, clock: VirtualClock) -> None:
        random = Random(f"originals {story.seed}")
        if kinds is REPLICAS:
            switch_rule_on(model)
        for key, kind, is_rich in objects_of(kinds, story.seed):
            clock.skip(0.25)
            write(model, kind, key, random, is_rich=is_rich)
        if kinds is REPLICAS:
            clock.skip(3600)
            model.replication.advance(clock.now())
        elif story.has_rule:
            switch_rule_on(model)

    return filled


def said(rows: Iterable[VerdictRow]) -> dict[str, Finding]:
    """Return what verify says of each key of the plan; extra versions count for their key."""
    found = dict[str, Finding]()
    extras = set[str]()
    for row in rows:
        if row.content is Verdict.EXTRA:
            extras.add(row.key)
            continue
        if row.key in found:  # below a replicated marker lies the replica that it hides
            assert row.content is Verdict.EQUAL, row
            continue
        found[row.key] = Finding(
            content=row.content.value,
            fields=frozenset(field.value for field in row.fields),
            is_looked_at=row.fidelity is not Fidelity.NOT_LOOKED_AT,
        )
    for key in extras:
        near = next(known for known in (key, key[:-1]) if known in found)
        found[near] = found[near]._replace(has_extra=True)
    return found


class Round:
    """One round: half of all objects are damaged, each kind by what was done least to it so far."""

    def __init__(self, place: Place, kinds: Sequence[Kind], random: Random, done: Done) -> None:
        self._place = place
        self._random = random
        self._done = done
        self.damage = dict[str, Damage]()
        self.kinds = {key: kind for key, kind, _ in objects_of(kinds, place.story.seed)}

    def damage_half(self) -> None:
        for kind in dict.fromkeys(self.kinds.values()):  # a set has another order in each process
            keys = [key for key, each in self.kinds.items() if each is kind]
            self._random.shuffle(keys)
            half = len(keys) // 2
            for key in keys[:half]:
                spot = Spot(self._place.model, key, self._random, tuple(keys[half:]))
                self._damage(kind, spot)

    def _damage(self, kind: Kind, spot: Spot) -> None:
        possible = [
            damage
            for damage in Damage
            if can_have(kind, damage) and (self._place.story.has_acls or damage not in OF_ACLS)
        ]
        self._random.shuffle(possible)
        for damage in sorted(possible, key=lambda each: self._done[kind, each]):
            if EDITS[damage](spot):
                self.damage[spot.key] = damage
                self._done[kind, damage] += 1
                return
        raise AssertionError(f"nothing can be done to {spot.key}")

    def expected(self, way: Way) -> dict[str, Finding]:
        return {key: expected(kind, self.damage.get(key), way) for key, kind in self.kinds.items()}


def differences(round_: Round, found: dict[str, Finding], way: Way) -> list[str]:
    wanted = round_.expected(way)
    return [
        f"{key} {round_.damage.get(key)}: {found.get(key)} for {wanted[key]}"
        for key in wanted
        if found.get(key) != wanted[key]
    ]


async def rounds_of_damage(place: Place, kinds: Sequence[Kind], rounds: int) -> Done:
    """Damage and verify again and again; return how often each cell was tried."""
    random = Random(f"damage {place.story.seed}")
    run = await place.carry()
    begun = place.keep()
    clean = Round(place, kinds, random, Counter())
    assert not differences(clean, said(await place.verify(run)), Way.STORED)
    verified = place.keep()
    done = Done()
    for number in range(rounds):
        # Damage from before the first verification is looked at by another way than later damage.
        place.go_back(verified if number % 2 else begun)
        way = Way.DEEP if number % 4 > 1 else Way.STORED
        round_ = Round(place, kinds, random, done)
        round_.damage_half()
        found = said(await place.verify(run, is_deep=way is Way.DEEP))
        assert not (wrong := differences(round_, found, way)), wrong
    return done


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_each_damage_is_named_as_the_table_says_and_nothing_sound_is_accused(
    chunk: int, tried: Tried
) -> None:
    """If this fails, a damaged copy passes for right, or a right one for damaged."""
    is_of_replicas = chunk % 6 == 3
    kinds = REPLICAS if is_of_replicas else COPIES
    story = Story(
        seed=first_seed() + chunk,
        has_rule=is_of_replicas or chunk % 2 == 0,
        has_key=not is_of_replicas,
        has_acls=chunk % 6 not in (1, 2),
        settings=replace(SETTINGS, settle_rounds=int(chunk % 4 == 0)),
    )
    done = in_place(story, fill(story, kinds), lambda place: rounds_of_damage(place, kinds, ROUNDS))
    assert done.keys() == {
        (kind, damage)
        for kind, damage in cells()
        if kind in kinds and (story.has_acls or damage not in OF_ACLS)
    }
    tried(Row.CORRUPTIONS, done.total())
    tried(Row.CLEAN_PAIRS, len(kinds) * OF_EACH_KIND * (ROUNDS + 1) - done.total())
