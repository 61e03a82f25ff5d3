"""Repair over artefacts: a manifest of exactly the bad rows, and no loop without progress."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from backfill.errors import ArtifactDamagedError, RefusedError
from backfill.manifest.entries import ManifestEntry
from backfill.manifest.rows import entry_of
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.model.store import IfAbsent, IfReplaces
from backfill.plan.header import header_of
from backfill.plan.routes import Route
from backfill.repair.rows import repair_name
from backfill.repair.run import ROUNDS_MAX, RepairRequest, RepairTotals, repair
from backfill.settings import Settings
from tests.unit.verify.two_buckets import AFTER, HEADER, Marker, Stored, World, copied

BASE = Stored(version_id="v", data=b"some bytes", tags=(("a", "1"),))


@dataclass
class Damaged:
    world: World
    round: int = 0

    async def repair(self, *, allows_hiding: bool = False) -> RepairTotals:
        """Verify, then repair."""
        await self.world.verify()
        self.round += 1
        request = RepairRequest(
            round=self.round,
            verification=self.world.rounds,
            header=HEADER,
            allows_hiding=allows_hiding,
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

    def carry_out(self) -> None:
        """Do what execute does with the newest manifest."""
        for entry in self.manifest():
            chain = self.world.destination.chains.setdefault(entry.key, [])
            made_id = f"made-{self.round}-{entry.number}"
            if entry.route is Route.HIDE_EXTRA:
                chain.insert(0, Marker(version_id=made_id, last_modified=AFTER))
                continue
            source = self.world.source.chains[entry.key][0]
            assert isinstance(source, Stored)
            made = replace(source, version_id=made_id, last_modified=AFTER)
            chain.insert(0, made)
            assert entry.plan_number is not None
            self.world.outcomes.append(
                (entry.plan_number, copied(entry.number, made_id, made.etag))
            )


@pytest.fixture
def damaged(tmp_path: Path) -> Damaged:
    world = World(tmp_path, settings=Settings(settle_rounds=0))
    for key in ("altered", "gone", "sound", "tags"):
        world.deliver(key, BASE)
    world.destination.edit("altered", data=b"SOME bytes")
    world.destination.edit("tags", tags=(("a", "2"),))
    world.destination.chains["extra"] = [BASE]
    del world.destination.chains["gone"]
    return Damaged(world)


async def test_the_manifest_holds_exactly_the_bad_rows_and_repairing_them_makes_it_clean(
    damaged: Damaged,
) -> None:
    """If this fails, repair leaves damage, or rewrites what was sound."""
    etag = damaged.world.destination.chains["altered"][0].etag  # type: ignore[union-attr] # an object
    totals = await damaged.repair(allows_hiding=True)
    assert (totals.bad, totals.entries, totals.for_a_person) == (4, 4, 0)
    entries = {entry.key: entry for entry in damaged.manifest()}
    assert list(entries) == ["altered", "extra", "gone", "tags"]
    assert [entry.number for entry in entries.values()] == [0, 1, 2, 3]
    assert entries["altered"].precondition == IfReplaces(etag=etag)
    assert entries["gone"].precondition == IfAbsent()
    assert entries["extra"].plan_number is None
    index = damaged.world.artifacts.index("manifest/01")
    assert index is not None
    assert header_of(index.summary) == HEADER
    assert index.summary["rows"] == 4
    damaged.carry_out()
    totals = await damaged.repair(allows_hiding=True)
    assert (totals.bad, totals.entries, totals.is_stuck) == (0, 0, False)
    assert damaged.manifest() == []


async def test_what_was_mended_once_and_is_back_is_left_to_a_person(damaged: Damaged) -> None:
    """If this fails, repair and somebody else overwrite each other for ever."""
    first = await damaged.repair()
    assert (first.entries, first.for_a_person, first.is_stuck) == (3, 1, False)
    damaged.carry_out()
    damaged.world.destination.edit("altered", data=b"SOME bytes")
    second = await damaged.repair()
    assert (second.entries, second.for_a_person, second.is_stuck) == (0, 2, False)
    assert any("before" in sentence for sentence in second.sentences)
    third = await damaged.repair()
    # Asked once more, it tries once more; whoever loops by himself sees that nothing has changed.
    assert (third.entries, third.is_stuck) == (1, True)


async def test_work_that_failed_is_tried_again_and_said_to_be_stuck(damaged: Damaged) -> None:
    """If this fails, a mended policy does not help, or the run loops through the same failures."""
    await damaged.repair()
    failed = Outcome(number=0, kind=OutcomeKind.FAILED, code="AccessDenied")
    for entry in damaged.manifest():
        assert entry.plan_number is not None
        damaged.world.outcomes.append((entry.plan_number, failed))
    totals = await damaged.repair()
    assert (totals.entries, totals.is_stuck) == (3, True)


async def test_every_decision_is_written_down(damaged: Damaged) -> None:
    """If this fails, report cannot say why repair did nothing about a row."""
    await damaged.repair()
    rows = list(damaged.world.artifacts.rows(repair_name(1)))
    assert [(row[1], row[6], bool(row[7])) for row in rows] == [
        ("altered", "copy-object", False),
        ("extra", None, True),
        ("gone", "copy-object", False),
        ("tags", "copy-object", False),
    ]
    assert [event.name for event in damaged.world.events.emitted].count("repair.planned") == 1


async def test_verdicts_of_another_plan_are_refused_with_a_word_and_not_with_a_bug(
    damaged: Damaged,
) -> None:
    """If this fails, a stale verification ends as a traceback, or is repaired by wrong rows."""
    await damaged.world.verify()
    entries = damaged.world.entries
    others = [entry._replace(number=entry.number + 9) for entry in entries]
    for plan, inputs in ((others, {}), (entries, {"manifest/00": "another digest"})):
        request = RepairRequest(round=1, verification=1, header=HEADER, inputs=inputs)
        with pytest.raises(ArtifactDamagedError) as refusal:
            repair(
                request,
                partial(iter, plan),
                lambda: iter(()),
                artifacts=damaged.world.artifacts,
                events=damaged.world.events,
            )
        assert refusal.value.hint == "backfill verify"
    assert damaged.world.artifacts.index("manifest/01") is None


async def test_repair_is_refused_without_a_verification_or_after_too_many(
    damaged: Damaged,
) -> None:
    """If this fails, repair works on nothing, or without end."""
    for round_number, error in ((1, ArtifactDamagedError), (ROUNDS_MAX + 1, RefusedError)):
        request = RepairRequest(round=round_number, verification=9, header=HEADER)
        with pytest.raises(error):
            repair(
                request,
                lambda: iter(()),
                lambda: iter(()),
                artifacts=damaged.world.artifacts,
                events=damaged.world.events,
            )
    assert damaged.world.artifacts.index("manifest/01") is None
