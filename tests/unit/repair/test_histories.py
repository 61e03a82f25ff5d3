"""Repair of histories: a newest end is appended; what no write can mend is not written over."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from backfill.execute.codes import SENTENCES, Code
from backfill.manifest.entries import ManifestEntry
from backfill.manifest.rows import entry_of
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.model.store import IfAbsent, IfReplaces
from backfill.plan.routes import Handling
from backfill.repair import histories
from backfill.repair.remedy import NEW_RUN
from backfill.repair.rows import repair_name
from backfill.repair.run import RepairRequest, RepairTotals, repair
from backfill.settings import Settings
from tests.unit.verify.copied_histories import copy_of, deliver, hostile, outcome_of
from tests.unit.verify.test_history_damage import DAMAGES
from tests.unit.verify.two_buckets import AFTER, HEADER, Lying, Marker, Stored, World, kms

V1 = Stored(version_id="v1", data=b"one", tags=(("n", "1"),))
V2 = Stored(version_id="v2", data=b"the second")
V3 = Stored(version_id="v3", data=b"the third one")
GONE = Marker(version_id="m")
FOREIGN = Stored(version_id="x", data=b"nobody knows this one", last_modified=AFTER)


@dataclass
class Repaired:
    """A world of one history, under `k`, and what repairs of it came to."""

    world: World
    round: int = 0

    @property
    def chain(self) -> list[Lying]:
        return self.world.destination.chains.setdefault("k", [])

    async def repair(self) -> RepairTotals:
        """Verify, then repair; hiding is allowed, and helps no history."""
        if not self.chain:
            del self.world.destination.chains["k"]
        await self.world.verify()
        self.round += 1
        request = RepairRequest(
            round=self.round, verification=self.world.rounds, header=HEADER, allows_hiding=True
        )
        return repair(
            request,
            lambda: iter(self.world.entries),
            lambda: iter(sorted(self.world.outcomes, key=lambda planned: planned[0])),
            artifacts=self.world.artifacts,
            events=self.world.events,
        )

    def manifest(self) -> list[ManifestEntry]:
        return [entry_of(row) for row in self.world.artifacts.rows(f"manifest/{self.round:02d}")]

    def sentences(self) -> dict[str | None, str]:
        rows = self.world.artifacts.rows(repair_name(self.round))
        return {str(row[2]) if row[2] else None: str(row[7]) for row in rows}

    def carry_out(self) -> None:
        """Do what a history worker does: from the oldest row on, each on top of the last."""
        sources = {each.version_id: each for each in self.world.source.chains["k"]}
        for entry in reversed(self.manifest()):
            assert entry.plan_number is not None
            assert Handling.HISTORY in entry.handling
            assert entry.version_id is not None
            made = copy_of(sources[entry.version_id], f"made-{self.round}-{entry.number}", 500)
            self.chain.insert(0, made)
            outcome = outcome_of(entry.plan_number, made)
            self.world.outcomes.append((entry.plan_number, outcome))


def repaired(folder: Path, source: list[Lying], *, already: int = 0) -> Repaired:
    world = World(folder, settings=Settings(settle_rounds=0))
    deliver(world, "k", source, already=already)
    return Repaired(world)


@pytest.mark.parametrize(
    ("source", "lost", "guard"),
    [
        ([V3, V2, V1], 1, IfReplaces(etag=V2.etag)),
        ([V3, GONE, V1], 1, IfAbsent()),
        ([V3, V2, V1], 2, IfReplaces(etag=V1.etag)),
        ([V3, V2, V1], 3, IfAbsent()),
        ([GONE, V2, V1], 1, IfReplaces(etag=V2.etag)),
        ([GONE, Marker(version_id="older"), V1], 1, None),
    ],
)
async def test_a_missing_newest_end_is_appended_as_the_plan_had_it_and_then_all_is_right(
    tmp_path: Path, source: list[Lying], lost: int, guard: object
) -> None:
    """If this fails, a history that ended early stays short, or is gone on with unguarded."""
    here = repaired(tmp_path, source)
    below = here.chain[lost].version_id if lost < len(source) else None
    del here.chain[:lost]
    totals = await here.repair()
    assert (totals.entries, totals.for_a_person) == (lost, 0)
    rows = here.manifest()
    assert [row.version_id for row in rows] == [each.version_id for each in source[:lost]]
    assert [row.number for row in rows] == list(range(lost))
    assert rows[-1].precondition == guard
    assert {row.seen_version_id for row in rows} == {below}
    here.carry_out()
    again = await here.repair()
    assert (again.bad, again.entries) == (0, 0)


Damaging = Callable[[list[Lying]], object]
WORDS: list[tuple[str, Damaging, dict[str | None, str]]] = [
    ("a gap", lambda chain: chain.pop(1), {"v2": histories.GAP}),
    ("an extra", lambda chain: chain.insert(1, FOREIGN), {None: histories.EXTRA}),
    ("an extra on top", lambda chain: chain.insert(0, FOREIGN),
     {"v3": histories.ABOVE, None: histories.EXTRA}),
    ("an order", lambda chain: chain.append(chain.pop(1)), {"v2": histories.ORDER}),
    ("bytes", lambda chain: chain.__setitem__(1, replace(FOREIGN, version_id=chain[1].version_id)),
     {"v2": histories.ALTERED}),
    ("a kind", lambda chain: chain.__setitem__(1, Marker(version_id=chain[1].version_id)),
     {"v2": histories.ALTERED}),
    ("tags", lambda chain: chain.__setitem__(2, replace(stored(chain[2]), tags=())),
     {"v1": histories.TAGS}),
    ("an end above what is wrong",
     lambda chain: (chain.pop(0), chain.__setitem__(1, replace(stored(chain[1]), tags=()))),
     {"v3": histories.OTHERS_FIRST, "v1": histories.TAGS}),
    ("an end under an extra", lambda chain: chain.__setitem__(0, FOREIGN),
     {"v3": histories.OTHERS_FIRST, None: histories.EXTRA}),
]  # fmt: skip


def stored(lying: Lying) -> Stored:
    assert isinstance(lying, Stored)
    return lying


@pytest.mark.parametrize(("name", "damage", "says"), WORDS, ids=[name for name, *_ in WORDS])
async def test_what_no_write_can_mend_is_left_to_a_person_who_is_told_what_to_do(
    tmp_path: Path, name: str, damage: Damaging, says: dict[str | None, str]
) -> None:
    """If this fails, repair makes another history of a damaged one, or does nothing in silence."""
    here = repaired(tmp_path, [V3, V2, V1])
    damage(here.chain)
    totals = await here.repair()
    assert (totals.entries, here.sentences()) == (0, says), name
    again = await here.repair()
    assert (again.entries, again.is_stuck) == (0, True)


async def test_what_only_could_not_be_proven_does_not_keep_the_end_from_being_appended(
    tmp_path: Path,
) -> None:
    """If this fails, a history under KMS that ended early can never be finished."""
    secret = replace(V2, algorithms=(), encryption=kms("k"))
    here = repaired(tmp_path, [V3, secret, V1])
    here.chain[1] = replace(stored(here.chain[1]), algorithms=())
    here.world.entries[1] = here.world.entries[1]._replace(encryption=secret.encryption)
    del here.chain[0]
    totals = await here.repair()
    assert [row.version_id for row in here.manifest()] == ["v3"]
    assert (totals.entries, totals.for_a_person) == (1, 1)


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        (Outcome(number=0, kind=OutcomeKind.SKIPPED, code=Code.ARCHIVED.value),
         SENTENCES[Code.ARCHIVED]),
        (Outcome(number=0, kind=OutcomeKind.SKIPPED, code=Code.SOURCE_CHANGED.value),
         SENTENCES[Code.SOURCE_CHANGED]),
        (Outcome(number=0, kind=OutcomeKind.FAILED, code="AccessDenied"), None),
        (Outcome(number=0, kind=OutcomeKind.SKIPPED, code=Code.FOREIGN_VERSION.value), None),
        (Outcome(number=0, kind=OutcomeKind.SKIPPED, code=Code.HISTORY_STOPPED.value), None),
    ],
)  # fmt: skip
async def test_a_history_goes_on_unless_what_stopped_it_stands(
    tmp_path: Path, outcome: Outcome, says: str | None
) -> None:
    """If this fails, a mended policy does not help, or newer versions go above a gap."""
    here = repaired(tmp_path, [V3, V2, V1])
    stopped = Outcome(number=0, kind=OutcomeKind.SKIPPED, code=Code.HISTORY_STOPPED.value)
    del here.chain[:2]
    here.world.outcomes[:2] = [(0, stopped), (1, outcome._replace(number=1))]
    totals = await here.repair()
    assert totals.entries == (0 if says else 2)
    if says:
        assert here.sentences() == {"v3": histories.KEPT_BACK, "v2": says}


async def test_what_an_earlier_run_had_brought_is_left_to_a_new_plan(tmp_path: Path) -> None:
    """If this fails, repair copies what the plan read nothing about: class and encryption."""
    here = repaired(tmp_path, [V3, V2, V1], already=2)
    del here.chain[:2]
    assert (await here.repair()).entries == 0
    assert here.sentences() == {"v3": histories.KEPT_BACK, "v2": NEW_RUN}


async def test_a_stranger_below_a_single_version_is_never_hidden(tmp_path: Path) -> None:
    """If this fails, repair hides a sound current version because of what lies below it."""
    here = repaired(tmp_path, [V1])
    alone = here.world.entries[0]._replace(handling=Handling(0))
    here.world.entries[0] = alone
    here.world.asks_for_all = True
    here.chain.append(replace(FOREIGN, data=V1.data + b"!"))
    assert (await here.repair()).entries == 0
    assert here.sentences() == {None: histories.EXTRA}


async def test_an_end_that_is_gone_again_is_not_appended_a_second_time(tmp_path: Path) -> None:
    """If this fails, repair and a lifecycle rule work against each other for ever."""
    here = repaired(tmp_path, [V3, V2, V1])
    for turn in range(2):
        del here.chain[0]
        assert (await here.repair()).entries == 1 - turn
        if not turn:
            here.carry_out()
    assert "before" in here.sentences()["v3"]


@pytest.mark.parametrize("seed", range(60))
async def test_repair_never_does_harm_and_who_follows_its_words_gets_a_right_history(
    tmp_path: Path, seed: int
) -> None:
    """If this fails, repair makes things worse, or the way out that it names is none."""
    chance = Random(seed)
    here = repaired(tmp_path, hostile(chance, chance.randint(2, 7)))
    right = list(here.chain)
    name = sorted(DAMAGES)[seed % len(DAMAGES)]
    if not DAMAGES[name](chance, here.chain):
        return
    before = list(here.chain)
    for _ in range(20):
        totals = await here.repair()
        here.carry_out()
        assert here.chain[len(here.chain) - len(before) :] == before, name
        if not totals.bad:
            break
        if not totals.entries:
            follow(here, right)
        before = list(here.chain)
    assert (await here.repair()).bad == 0, name


def follow(here: Repaired, right: list[Lying]) -> None:
    """Do what the sentences ask for: tags by hand, deletions from the newest on."""
    by_id = {lying.version_id: lying for lying in right}
    asked = set(here.sentences().values())
    wrong = [row for row in here.world.all_verdicts() if not row.is_good]
    if asked == {histories.TAGS}:
        for place, lying in enumerate(here.chain):
            if isinstance(lying, Stored):
                tags = stored(by_id[lying.version_id]).tags
                here.chain[place] = replace(lying, tags=tags, last_modified=AFTER + timedelta(1))
        return
    ids = [lying.version_id for lying in here.chain]
    extras = [row.destination_version_id for row in wrong if row.number is None]
    if extras:
        here.chain.pop(ids.index(str(extras[0])))
        return
    there = [ids.index(str(r.destination_version_id)) for r in wrong if r.destination_version_id]
    gaps = [row.number for row in wrong if not row.destination_version_id]
    last = max(there, default=-1)
    if gaps:
        oldest = max(number for number in gaps if number is not None)
        last = max(last, len(here.chain) - (len(right) - 1 - oldest) - 1)
    del here.chain[: last + 1]
