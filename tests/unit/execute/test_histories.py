"""Seeded histories of copy workers beside a live writer, live replication, faults and deaths.

A small sieve in front of the big simulation: it finds in a second what the decisions overlook.
"""

import asyncio
from collections import Counter
from itertools import pairwise
from random import Random

import pytest

from backfill.errors import BackfillError
from backfill.execute.codes import Code
from backfill.model.attributes import ReplicationStatus
from backfill.model.outcome import Outcome, OutcomeKind
from tests.unit.execute.campaign_double import Run
from tests.unit.execute.deaths import DiedError
from tests.unit.execute.versioned_store import (
    Stored,
    VersionedStore,
    changed,
    conflict,
    denied,
    reset,
    slow_down,
)

KEYS = ("a", "b", "b/c", "d")
WRITES = ("copy", "hide", "mark", "complete", "create", "part")
SEEDS = 800


class LiveStore(VersionedStore):
    """Others write between any two calls; replication delivers after a random lag."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.chance = Random(seed)
        self.by_time = self.chance.random() < 0.5
        self.activity = self.chance.choice([0.0, 0.1, 0.4])
        self.fault_rate = self.chance.choice([0.0, 0.05, 0.25])
        self.death_rate = self.chance.choice([0.0, 0.0, 0.02])
        self.queue: dict[str, list[Stored]] = {key: [] for key in KEYS}
        self.shown: dict[str, list[str | None]] = {key: [] for key in KEYS}
        self.is_live = False
        self.serial = 0

    def write(self, key: str) -> None:
        """The live writer puts or deletes; a PENDING version waits for its turn."""
        if self.chance.random() < 0.4 and self.chain("src", key):
            made = self.mark("src", key)
        else:
            self.serial += 1
            body = b"%s live %d" % (key.encode(), self.serial)
            made = self.put("src", key, body, status=ReplicationStatus.PENDING)
        self.queue[key].append(made)

    def deliver(self, key: str) -> None:
        """Replication keeps the order of a key."""
        if self.queue[key]:
            made = self.queue[key].pop(0)
            if not made.is_marker:
                self.set_status(key, made.version_id, ReplicationStatus.COMPLETED)
            self.replicate(made, by_time=self.by_time)

    def look(self) -> None:
        for key in KEYS:
            chain = self.chain("dst", key)
            now = None if not chain or chain[0].is_marker else chain[0].body.decode()
            if not self.shown[key] or self.shown[key][-1] != now:
                self.shown[key].append(now)

    async def _begin(self, operation: str) -> None:
        self.stir()
        await super()._begin(operation)
        if self.is_live and self.chance.random() < self.fault_rate:
            faults = [slow_down, reset]
            if operation in WRITES:
                faults += [conflict, changed, denied] if operation != "part" else [conflict]
            failure = self.chance.choice(faults)()
            raise failure

    def _end(self, operation: str) -> None:
        self.look()
        super()._end(operation)
        self.stir()
        if self.is_live and operation in WRITES and self.chance.random() < self.fault_rate:
            failure = reset()
            raise failure

    def stir(self) -> None:
        if not self.is_live:
            return
        if self.chance.random() < self.death_rate:
            self.death = DiedError()
        for key in KEYS:
            if self.chance.random() < self.activity:
                self.write(key)
            if self.chance.random() < self.activity:
                self.deliver(key)
        self.look()


def scene(seed: int) -> tuple[Run, LiveStore]:
    store = LiveStore(seed)
    run = Run(store=store, allows_hiding=True)
    for key in KEYS:
        shape = store.chance.choice(["absent", "older", "marker", "deleted"])
        if shape != "absent":
            store.replicate(store.put("src", key, f"{key} v0".encode()))
        if shape == "marker":
            store.replicate(store.mark("src", key))
        is_deleted = shape == "deleted"
        newest = (
            store.mark("src", key) if is_deleted else store.put("src", key, f"{key} v1".encode())
        )
        run.add(newest)
    store.look()
    store.is_live = True
    return run, store


async def carried_out(run: Run) -> Run:
    """Run until the process survives; each death is a restart, as an operator would."""
    for _ in range(60):
        try:
            await run.go()
        except DiedError:
            assert isinstance(run.store, LiveStore)
            run.store.death = None
            run.store.death_rate /= 2
            run = run.restarted()
        except BackfillError:
            raise
        else:
            return run
    raise AssertionError("a run ends once deaths stop")


@pytest.mark.parametrize("block", range(10))
def test_a_history_ends_as_the_source_says(block: int) -> None:
    """P1 to P4: lost, doubled, stale or resurrected keys, and untrue outcomes, fail here."""
    windows: Counter[str] = Counter()
    for seed in range(block * SEEDS // 10, (block + 1) * SEEDS // 10):
        run, store = scene(seed)
        run = asyncio.run(carried_out(run))
        store.is_live = False
        outcomes = run.journal.done
        assert sorted(outcomes) == list(range(len(KEYS))), seed
        for entry in run.entries:
            while store.queue[entry.key]:
                store.deliver(entry.key)
            outcome = outcomes[entry.number]
            windows[outcome.code] += 1
            check_key(store, entry.key, outcome, seed)
            if outcome.kind is OutcomeKind.COPIED:
                made = [
                    s for s in store.chain("dst", entry.key) if s.version_id == outcome.version_id
                ]
                assert [s.body for s in made] == [f"{entry.key} v1".encode()], (seed, outcome)
    assert windows, "histories were told"


def check_key(store: LiveStore, key: str, outcome: Outcome, seed: int) -> None:
    source, destination = store.chain("src", key), store.chain("dst", key)
    copies = Counter(
        s.body for s in destination if not s.is_marker and s.status is not ReplicationStatus.REPLICA
    )
    assert all(count == 1 for count in copies.values()), (seed, key, "written twice")
    order = {s.body.decode(): place for place, s in enumerate(reversed(source)) if not s.is_marker}
    for earlier, later in pairwise(store.shown[key]):
        # A deletion between the two is the one window that no precondition closes.
        if earlier is not None and later is not None:
            assert order[earlier] < order[later], (seed, key, "the destination went backwards")
    is_told = outcome.kind in (OutcomeKind.FAILED, OutcomeKind.SKIPPED)
    if is_told or outcome.code == Code.NOT_MENDED:
        return
    now = [None if chain[0].is_marker else chain[0].body for chain in (source, destination)]
    assert now[0] == now[1], (seed, key, outcome, "not what the source shows")
