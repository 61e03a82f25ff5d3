"""Contenders for one run directory in virtual time: slow, stopped, killed, and badly heard.

    outcome = lease_history(seed, folder)      # raises BrokenLawError where one is broken

Each contender has clocks of its own, which run too fast or too slow; it is stopped and woken like a
process by SIGSTOP and SIGCONT, or dies. Requests take their time, answers are lost before or after
the effect, effects come late, and S3's front ends disagree about the time.
The laws are judged from outside, by what the store holds at the moment of each act.
Law: everything follows from the seed.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from random import Random

from backfill.errors import BackfillError, Disposition, LeaseHeldError, StoreFault
from backfill.model.objects import ETag
from backfill.ports import Event
from backfill.ports.run_store import HeadSeen
from backfill.run_directory.on_s3.gate import LeaseGate, made_gate
from backfill.run_directory.on_s3.head import CatalogueRef, Head, decoded_head
from backfill.run_directory.on_s3.keeper import Holder, LeaseKeeper
from backfill.run_directory.on_s3.location import S3Location
from backfill.sandbox.simulation.loop import VirtualTimeLoop

LEASE_S = 60.0
HORIZON_S = 900.0
FRONT_END_SKEW_S = 50.0
"""Two of S3's clocks differ by less than a lease."""
DRIFT = 0.2
"""A clock of a contender runs by so much too fast or too slow: far worse than quartz."""
STEPS_MAX = 400_000
STOPS_MAX = 2
"""A process that wakes may be stopped again."""
LOCATION = S3Location(bucket="runs", prefix="p")


class BrokenLawError(Exception):
    """A history in which something happened that must not happen."""


@dataclass(kw_only=True)
class Store:
    """The bucket: true about conditions, late and forgetful about everything else."""

    random: Random
    now_s: Callable[[], float]
    obeys: bool = True
    data: bytes | None = None
    written_at_s: float = 0.0
    versions: list[Head] = field(default_factory=list)
    pending: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def etag(self) -> ETag | None:
        return ETag(sha256(self.data).hexdigest()[:32]) if self.data is not None else None

    @property
    def head(self) -> Head | None:
        return self.versions[-1] if self.versions else None

    def write(self, data: bytes, replaces: ETag | None) -> bool:
        """Carry a write out now, if its condition holds."""
        if self.obeys and self.etag != replaces:
            return False
        self.data, self.written_at_s = data, self.now_s()
        self.versions.append(decoded_head(data, "head.json"))
        return True


class Contender:
    """One process: its clocks, its stops, and its way to the store (the port RunStore)."""

    def __init__(self, name: str, store: Store, random: Random) -> None:
        self.name = name
        self._store = store
        self._random = random
        self._rate = random.uniform(1 - DRIFT, 1 + DRIFT)
        self._offset_s = random.uniform(-1e6, 1e6)
        self.stopped_until_s = 0.0

    def machine_s(self) -> float:
        """Return the clock of the machine, which goes on while the process is stopped."""
        return self._offset_s + self._store.now_s() * self._rate

    def monotonic_s(self) -> float:
        return self.machine_s()

    def now(self) -> datetime:
        return datetime.fromtimestamp(1e9 + self._offset_s, UTC)

    async def sleep(self, duration_s: float) -> None:
        await asyncio.sleep(duration_s / self._rate)
        await self._while_stopped()

    async def has_conditional_writes(self, key: str) -> bool:
        await self._pass(key)
        return True

    async def read_head(self, key: str) -> HeadSeen | None:
        await self._pass(key)
        self._fail_sometimes("GetObject", Disposition.RETRY)
        data, etag = self._store.data, self._store.etag
        front_end_s = self._random.uniform(0, FRONT_END_SKEW_S)
        age_s = float(int(self._store.now_s() + front_end_s) - int(self._store.written_at_s))
        await self._pass(key)
        if data is None or etag is None:
            return None
        return HeadSeen(data=data, etag=etag, age_s=age_s)

    async def write_head(self, key: str, data: bytes, *, replaces: ETag | None) -> ETag:
        await self._pass(key)
        draw = self._random.random()
        if draw < 0.05:
            raise _fault("PutObject", "SlowDown", 503, Disposition.RETRY)
        if draw < 0.10:
            raise _fault("PutObject", "ReadTimeoutError", 0, Disposition.SETTLE)
        if draw < 0.18:  # it takes effect when nobody waits any more
            late = asyncio.create_task(self._write_late(data, replaces))
            self._store.pending.add(late)
            raise _fault("PutObject", "ReadTimeoutError", 0, Disposition.SETTLE)
        if draw < 0.20:
            raise _fault("PutObject", "ConditionalRequestConflict", 409, Disposition.REDECIDE)
        is_written = self._store.write(data, replaces)
        etag = self._store.etag
        await self._pass(key)
        if self._random.random() < 0.1:
            raise _fault("PutObject", "InternalError", 500, Disposition.SETTLE)
        if not is_written:
            raise _fault("PutObject", "PreconditionFailed", 412, Disposition.REDECIDE)
        assert etag is not None, "something was written"
        return ETag(sha256(data).hexdigest()[:32])

    async def put_bytes(self, key: str, data: bytes) -> None:
        raise AssertionError(f"nobody keeps files here: {key} {data!r}")

    async def put_file(self, key: str, path: Path) -> None:
        raise AssertionError(f"nobody keeps files here: {key} {path}")

    def read_file(self, key: str) -> AsyncIterator[bytes]:
        raise AssertionError(f"nobody keeps files here: {key}")

    async def _write_late(self, data: bytes, replaces: ETag | None) -> None:
        await asyncio.sleep(self._random.choice((0.1, 3.0, 40.0, 120.0)))
        self._store.write(data, replaces)

    async def _pass(self, key: str) -> None:
        assert key, "every object has a key"
        await asyncio.sleep(self._random.choice((0.001, 0.05, 0.05, 2.0, 15.0)))
        await self._while_stopped()

    async def _while_stopped(self) -> None:
        for _ in range(STOPS_MAX):
            await asyncio.sleep(max(0.0, self.stopped_until_s - self._store.now_s()))

    def _fail_sometimes(self, operation: str, disposition: Disposition) -> None:
        if self._random.random() < 0.12:
            raise _fault(operation, "InternalError", 500, disposition)


Kind = type[LeaseKeeper]


@dataclass(kw_only=True)
class History:
    """One history at work, and what is counted of it."""

    random: Random
    folder: Path
    kind: Kind
    store: Store
    counts: Counter[str] = field(default_factory=Counter)

    def act(self, name: str, fence: int) -> None:
        """Judge one write to a destination at the moment when it is sent."""
        head = self.store.head
        assert head is not None, "nobody acts before anybody held the lease"
        _law(head.fence == fence, f"{name} acts with {fence} while {head.fence} holds the lease")
        self.counts["acts"] += 1

    def tell(self, event: Event) -> None:
        """Count what was told."""
        self.counts[event.name] += 1

    async def life(self, contender: Contender) -> None:
        """Contend, hold, act, publish; end by a release, a loss or a death."""
        holder = Holder(nonce=contender.name, words=contender.name, lease_s=LEASE_S)
        keeper = self.kind(
            contender,
            LOCATION,
            clock=contender,
            now_s=contender.machine_s,
            holder=holder,
            tell=self.tell,
        )
        try:
            await keeper.take()
        except LeaseHeldError:
            self.counts["refused"] += 1
            return
        except StoreFault:
            self.counts["gave up"] += 1
            return
        folder = self.folder / contender.name
        folder.mkdir()
        gate = made_gate(folder, url="s3://runs/p", now_s=contender.machine_s)
        keeper.guard(gate)
        try:
            async with asyncio.TaskGroup() as group:
                keeping = group.create_task(keeper.keep())
                work = [
                    group.create_task(self.write(contender, keeper, gate)),
                    group.create_task(self.publish(contender, keeper)),
                ]
                await asyncio.wait(work)
                keeping.cancel()
            await keeper.write(is_released=True)
            self.counts["released"] += 1
        except* BackfillError:
            head = self.store.head
            assert head is not None, "it was held"
            silent_s = contender.machine_s() - keeper._sent_at_s
            is_justified = head.nonce != contender.name or silent_s > 5 * LEASE_S
            _law(is_justified, f"{contender.name} lost what nobody took")
            _law(not gate.is_open, "who lost the lease sends nothing any more")
            self.counts["lost"] += 1
        except* StoreFault:
            self.counts["unheard"] += 1
        finally:
            gate.close()

    async def write(self, contender: Contender, keeper: LeaseKeeper, gate: LeaseGate) -> None:
        """Act again and again, where the gate lets one."""
        fence = keeper.head.fence
        for _ in range(self.random.randint(1, 60)):
            if keeper.loss is not None:
                return
            if gate.is_open:
                self.act(contender.name, fence)
            await contender.sleep(self.random.choice((0.2, 1.0, 9.0)))

    async def publish(self, contender: Contender, keeper: LeaseKeeper) -> None:
        """Publish a newer catalogue now and then."""
        number = keeper.head.catalogue.number if keeper.head.catalogue else 0
        for _ in range(self.random.randint(0, 12)):
            number += 1
            ref = CatalogueRef(
                fence=keeper.head.fence, sha256="0" * 64, size_bytes=1, number=number
            )
            try:
                await keeper.write(catalogue=ref)
            except StoreFault:
                self.counts["unpublished"] += 1
            await contender.sleep(self.random.choice((1.0, 12.0, 30.0)))

    async def play(self) -> None:
        """Let contenders come, stop and die."""
        lives: dict[asyncio.Task[None], Contender] = {}
        arrivals = self.random.randint(2, 6)
        async with asyncio.TaskGroup() as group:
            for number in range(arrivals):
                contender = Contender(f"c{number}", self.store, self.random)
                lives[group.create_task(self.life(contender))] = contender
                for _ in range(self.random.randint(0, 4)):
                    await asyncio.sleep(self.random.choice((0.0, 1.0, 10.0, 35.0, 90.0)))
                    self._disturb(lives)
            await asyncio.sleep(LEASE_S)
            last = Contender("last", self.store, self.random)
            lives[group.create_task(self.life(last))] = last

    def _disturb(self, lives: dict[asyncio.Task[None], Contender]) -> None:
        running = [task for task in lives if not task.done()]
        if not running:
            return
        task = self.random.choice(running)
        if self.random.random() < 0.3:
            task.cancel()
            self.counts["killed"] += 1
        else:
            stop_s = self.random.choice((5.0, 25.0, 70.0, 200.0))
            lives[task].stopped_until_s = self.store.now_s() + stop_s
            self.counts["stopped"] += 1

    def judge(self) -> None:
        """Judge what the head went through."""
        for before, after in zip(self.store.versions, self.store.versions[1:], strict=False):
            _law(after.beat > before.beat, "no two versions of a head are alike")
            is_same = (after.fence, after.nonce) == (before.fence, before.nonce)
            is_next = after.fence == before.fence + 1 and after.nonce != before.nonce
            _law(is_same or is_next, "each holder has a fencing number of its own")
            _law(not (before.is_released and is_same), "what was given back stays given back")
            ranks = [each.catalogue.number if each.catalogue else 0 for each in (before, after)]
            _law(ranks == sorted(ranks), "a catalogue never goes backwards")


def lease_history(
    seed: int, folder: Path, *, kind: Kind = LeaseKeeper, obeys: bool = True
) -> Counter[str]:
    """Play one history and judge it; return what happened in it."""
    random = Random(f"lease {seed}")
    loop = VirtualTimeLoop(random=random, steps_max=STEPS_MAX)
    store = Store(random=random, now_s=loop.time, obeys=obeys)
    history = History(random=random, folder=folder, kind=kind, store=store)
    try:
        try:
            loop.run_until_complete(history.play())
        except BaseExceptionGroup as group:
            raise _first(group) from group
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
            loop.run_until_complete(asyncio.wait({task}))
        loop.close()
    history.judge()
    return history.counts


def _law(holds: bool, words: str) -> None:
    if not holds:
        raise BrokenLawError(words)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _fault(operation: str, code: str, status: int, disposition: Disposition) -> StoreFault:
    return StoreFault(operation=operation, code=code, status=status, disposition=disposition)
