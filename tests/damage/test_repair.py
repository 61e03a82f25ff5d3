"""After the finding: repair mends what it says that it can, and leaves the rest as it was named."""

from dataclasses import replace
from random import Random

import pytest

from backfill import pipeline
from backfill.execute.stop import StopRequest
from tests.damage.place import Place, Story, in_place
from tests.damage.test_damage import COPIES, Done, Round, differences, fill, said
from tests.doubles.damage_table import Damage, Finding, Kind, Way, expected
from tests.doubles.figures import Row, Tried, first_seed

ROUNDS = 3


def is_mended(kind: Kind, damage: Damage, *, allows_hiding: bool) -> bool:
    """Return whether a copy mends it: not what a person decides, and not what nobody found."""
    found = expected(kind, damage, Way.STORED)
    if damage is Damage.HIDDEN:
        return False  # somebody deleted it: no copy comes back over that
    if found.has_extra:
        return damage is Damage.STRANGER_KEY and allows_hiding
    return bool(found.fields) or found.content != "unverified"


async def mended(place: Place) -> int:
    """Damage, verify, repair and verify, again and again; return how much was damaged."""
    random, done = Random(f"repairs {place.story.seed}"), Done()
    run = await place.carry()
    carried = place.keep()
    for _ in range(ROUNDS):
        place.go_back(carried)
        round_ = Round(place, COPIES, random, done)
        round_.damage_half()
        before = said(await place.verify(run))
        assert not (wrong := differences(round_, before, Way.STORED)), wrong
        await pipeline.plan_repair(run)
        await pipeline.execute(run, StopRequest())
        after = said(await place.verify(run))
        hiding = place.story.allows_hiding
        wanted = dict[str, Finding]()
        for key, kind in round_.kinds.items():
            damage = round_.damage.get(key)
            if damage and is_mended(kind, damage, allows_hiding=hiding):
                wanted[key] = expected(kind, None, Way.STORED)
            else:
                wanted[key] = before[key]
        assert {k: (round_.damage.get(k), after[k]) for k in wanted if after[k] != wanted[k]} == {}
    return done.total()


@pytest.mark.parametrize("allows_hiding", [False, True])
def test_what_repair_can_mend_is_clean_and_the_rest_is_said_again(
    *, allows_hiding: bool, tried: Tried
) -> None:
    """If this fails, a repair leaves damage behind without a word, or makes new one."""
    story = Story(seed=first_seed(), has_rule=not allows_hiding)
    story = replace(story, allows_hiding=allows_hiding)
    tried(Row.CORRUPTIONS, in_place(story, fill(story, COPIES), mended))
