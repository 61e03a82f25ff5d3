"""Damage to whole histories in hundreds: each chain that was touched is named, and no other."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from random import Random

import pytest

from backfill.campaign import Versions
from backfill.sandbox.model import raw_histories
from backfill.sandbox.model.model import S3Model
from backfill.sandbox.simulation.nemesis import CALM
from backfill.verify.verdicts import VerdictRow
from tests.damage.place import Place, Story, in_place
from tests.doubles.damaged_histories import DAMAGES
from tests.doubles.figures import Row, Tried, figure, first_seed
from tests.doubles.virtual_clock import VirtualClock
from tests.simulation.history_scenario import history_scenario_of, new_history_model
from tests.simulation.scenario import DESTINATION

KEYS = tuple(f"h/{number:02}" for number in range(50))
ROUNDS = 20
CHUNKS = figure(ci=2, release=20)


def histories(story: Story, clock: VirtualClock) -> S3Model:
    """Return a model whose source is full of histories, and whose destination is empty."""
    drawn = history_scenario_of(story.seed)
    quiet = replace(drawn, keys=KEYS, level=CALM, replicates_markers=True)
    return new_history_model(quiet, clock)


def said(rows: Iterable[VerdictRow]) -> dict[str, set[str]]:
    """Return what verify calls each key that is not right, in words and fields."""
    found: dict[str, set[str]] = {}
    for row in rows:
        if not row.is_good:
            assert row.detail, row
            fields = {field.value for field in row.fields}
            words = {row.content.value} | {f"{row.content.value}: {one}" for one in fields}
            found.setdefault(row.key, set()).update(fields | words)
    return found


async def rounds_of_damage(place: Place, done: Counter[str]) -> None:
    """Damage each second history, verify, and again."""
    chance = Random(f"damage to histories {place.story.seed}")
    run = await place.carry()
    assert not said(await place.verify(run))
    carried = place.keep()
    for number in range(ROUNDS):
        place.go_back(carried)
        there = [k for k in KEYS if raw_histories.chain_of(place.model, DESTINATION, k)[1:]]
        expected = dict[str, frozenset[str]]()
        for key in chance.sample(there, len(there) // 2):
            for way in sorted(DAMAGES, key=lambda each: done[each.__name__]):
                if words := way((place.model, DESTINATION, key), chance):
                    expected[key] = words
                    done[way.__name__] += 1
                    break
        found = said(await place.verify(run, is_deep=number % 2 == 1))
        assert found.keys() == expected.keys(), found.keys() ^ expected.keys()
        for key, words in expected.items():
            assert words & found[key], (key, words, found[key])


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_each_damaged_history_is_named_and_no_other(chunk: int, tried: Tried) -> None:
    """If this fails, a history that differs passes for right, or a right one for damaged."""
    story = Story(seed=first_seed() + chunk, has_rule=False, versions=Versions.ALL)
    done = Counter[str]()
    in_place(
        story, lambda _model, _clock: None, lambda p: rounds_of_damage(p, done), model_of=histories
    )
    assert done.keys() == {way.__name__ for way in DAMAGES}
    tried(Row.CORRUPTIONS, done.total())
    tried(Row.CLEAN_PAIRS, done.total())
