"""A run directory on S3 in virtual time, whose holders die at any await and may lose their disk.

    world = World(folder, disk=Disk.KEPT, arrives_later=False)
    world.live(moment=57)      # a holder that dies at the 57th round of its loop
    world.live()               # its successor, which does what is left to do
    assert world.broken() == []

A holder is the product's own `S3RunDirectory` on a loop of its own; what it does is written down
here, as is what it was promised. A request takes its time before and after its effect; one that was
under way at a death is lost, or arrives amid the work of the next holder.
Law: at each change of the head it refers to what is whole, and nothing that was promised is missed.
"""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from enum import Enum, auto
from hashlib import sha256
from pathlib import Path
from typing import Final, TypeVar, cast

from backfill.errors import LeaseHeldError, StoreFault
from backfill.journal.journal import SegmentJournal
from backfill.model.objects import ETag
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.ports.run_store import HeadSeen
from backfill.run_directory.on_s3.background import Background
from backfill.run_directory.on_s3.copy import CopiedArtifacts, Copy
from backfill.run_directory.on_s3.directory import S3RunDirectory
from backfill.run_directory.on_s3.head import Head, decoded_head
from backfill.run_directory.on_s3.held import Held
from backfill.run_directory.on_s3.keeper import Holder
from backfill.run_directory.on_s3.location import S3Location
from backfill.sandbox.simulation.loop import VirtualTimeLoop
from tests.doubles.memory_run_store import MemoryRunStore
from tests.doubles.virtual_clock import VirtualClock

LOCATION: Final = S3Location(bucket="runs", prefix="of/me")
LEASE_S: Final = 2.0
"""Short, for the rounds of a loop that only waits are all alike. Nothing here goes by real time."""
REQUEST_S: Final = 0.001
LATE_S: Final = 0.004
"""When the requests of a dead holder arrive: while the next one looks, takes, fetches or mends."""
ROUNDS_TO_END: Final = 30
"""Of a loop whose tasks were all cancelled."""
ROWS, OUTCOMES = 40, 8
SEGMENT_BYTES: Final = 400
"""Of the journal: some segments are sealed, and one is its tail."""

T = TypeVar("T")


class KilledError(BaseException):
    """The process is no more; nothing of its own may catch this."""


class Disk(Enum):
    """Where the next holder works."""

    KEPT = auto()
    """Where the one before did."""
    LOST = auto()
    """On an empty disk."""
    SWAPPED = auto()
    """Where the one before the last did, and nobody at first."""


class Ending(Enum):
    """How a holder ended."""

    DONE = auto()
    DIED = auto()
    REFUSED = auto()


class SlowRunStore(MemoryRunStore):
    """A bucket that takes its time. `heads` are all that ever stood there, `broken` is what was."""

    def __init__(self) -> None:
        super().__init__()
        self.heads: list[Head] = []
        self.broken: list[str] = []
        self._under_way: list[Callable[[], Awaitable[object]]] = []

    def abandoned(self) -> list[Callable[[], Awaitable[object]]]:
        """Return the writes whose sender has died; they have had no effect yet."""
        left, self._under_way = self._under_way, []
        return left

    async def has_conditional_writes(self, key: str) -> bool:
        await asyncio.sleep(REQUEST_S)
        return await super().has_conditional_writes(key)

    async def read_head(self, key: str) -> HeadSeen | None:
        await asyncio.sleep(REQUEST_S)
        seen = await super().read_head(key)
        await asyncio.sleep(REQUEST_S)
        return seen

    async def write_head(self, key: str, data: bytes, *, replaces: ETag | None) -> ETag:
        put = super().write_head

        async def write() -> ETag:
            etag = await put(key, data, replaces=replaces)
            self._judge(decoded_head(data, key))
            return etag

        return await self._carried_out(write)

    async def put_bytes(self, key: str, data: bytes) -> None:
        put = super().put_bytes
        await self._carried_out(lambda: put(key, data))

    async def read_file(self, key: str) -> AsyncIterator[bytes]:
        await asyncio.sleep(REQUEST_S)
        async for chunk in super().read_file(key):
            yield chunk
            await asyncio.sleep(REQUEST_S)

    async def _carried_out(self, act: Callable[[], Awaitable[T]]) -> T:
        self._under_way.append(act)
        await asyncio.sleep(REQUEST_S)
        self._under_way.remove(act)
        result = await act()
        await asyncio.sleep(REQUEST_S)
        return result

    def _judge(self, head: Head) -> None:
        """Look at what a new head refers to, and at what was there before it."""
        before, self.heads = self.heads[-1:], [*self.heads, head]
        for old in before:
            is_same = (head.fence, head.nonce) == (old.fence, old.nonce)
            is_next = head.fence == old.fence + 1 and head.nonce != old.nonce
            if not (is_same or is_next) or (is_same and old.is_released):
                self.broken.append(f"{head} after {old}")
            ranks = [each.catalogue.number if each.catalogue else 0 for each in (old, head)]
            if ranks != sorted(ranks):
                self.broken.append(f"the catalogue went backwards: {ranks}")
        self.broken += [f"{head.catalogue} names {name}, not there" for name in self._lacking(head)]

    def _lacking(self, head: Head) -> list[str]:
        if (ref := head.catalogue) is None:
            return []
        data = self._object(ref.fence, ref.sha256, "catalogue.json")
        if data is None:
            return ["itself"]
        files = json.loads(data)["files"]
        return [name for name, fence, _, digest in files if not self._object(fence, digest, name)]

    def _object(self, fence: int, digest: str, name: str) -> bytes | None:
        data = self.objects.get(f"{LOCATION.prefix}/{fence:08d}/{digest[:20]}/{name}")
        return data if data is not None and sha256(data).hexdigest() == digest else None


class OneThread(Background):
    """What works beside a holder, on the holder's own loop: it may end between any two rounds."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._here = loop
        self._is_dead = False
        self.is_over = False

    def die(self) -> None:
        """End here and now, unless all is done."""
        if not self.is_over:
            self._is_dead = True
            raise KilledError

    def call(self, work: Coroutine[object, object, T]) -> T:
        return self._here.run_until_complete(self._begun(work))

    def start(self, work: Coroutine[object, object, T]) -> Future[T]:
        # A task has all that is asked of a future here.
        return cast("Future[T]", self._begun(work))

    async def ask(self, work: Coroutine[object, object, T]) -> T:
        return await work

    def _begun(self, work: Coroutine[object, object, T]) -> "asyncio.Task[T]":
        if self._is_dead:
            work.close()
            raise KilledError
        return self._here.create_task(work)


class World:
    """A bucket, the disks of its holders, and what they know and were promised."""

    def __init__(self, folder: Path, *, disk: Disk, arrives_later: bool) -> None:
        self.store = SlowRunStore()
        self._folder, self._scratch, self._other = folder, folder / "a", folder / "b"
        self._disk = disk
        self._arrives_later = arrives_later
        self._late: list[Callable[[], Awaitable[object]]] = []
        self._dead: list[tuple[VirtualTimeLoop, set[asyncio.Task[object]]]] = []
        self._lives = 0
        self._promised: set[str] = set()
        """What must be on S3: `flush` or `kept` returned for it."""
        self._held: set[str] = set()
        """What is on the disk of the holder that works."""
        self._broken: list[str] = []

    def live(self, moment: int = 0) -> Ending:
        """Let a holder live to its end, or to a round of its loop."""
        self._lives += 1
        loop = VirtualTimeLoop()
        thread = OneThread(loop)
        if moment:
            loop.after_steps(moment, thread.die)
        late, self._late = self._late, []
        arriving = loop.create_task(_arrive(late))
        ending = Ending.DONE
        try:
            with self._directory(thread).held() as held:
                Work(self, held, thread).do()
        except KilledError:
            # Kept as they stand: to close them is to let the dead clean up.
            self._dead.append((loop, asyncio.all_tasks(loop)))
            self._bury()
            return Ending.DIED
        except LeaseHeldError:
            # What arrived from the dead was a renewal: he passed for alive, and will not again.
            assert late, "nobody is in the way"
            ending = Ending.REFUSED
        thread.is_over = True
        loop.run_until_complete(arriving)
        loop.close()
        return ending

    def finish(self) -> None:
        """Let holders live until one has come to its end."""
        if self.live() is Ending.REFUSED:
            assert self.live() is Ending.DONE, "who is dead renews nothing"

    def broken(self) -> list[str]:
        """Return what does not hold at the end, seen from a machine that knows nothing."""
        broken = [*self._broken, *self.store.broken]
        if not self.store.heads[-1].is_released:
            broken.append("the lease was not given back")
        loop = VirtualTimeLoop()
        elsewhere = self._folder / "elsewhere"
        with self._directory(OneThread(loop), elsewhere).reading() as copy:
            broken += [f"not on S3: {name}" for name in sorted(EVERYTHING - found_in(copy))]
        loop.close()
        return broken

    def close(self) -> None:
        """Let go of those who died."""
        for loop, tasks in self._dead:
            for task in tasks:
                task.cancel()
            # Not until something is complete: the end of what it was doing may still be due.
            for _ in range(ROUNDS_TO_END):
                loop.call_soon(loop.stop)
                loop.run_forever()
            loop.close()

    def begins(self, held: Held) -> None:
        """Hold what a holder finds against what must be there."""
        found = found_in(held.copy)
        lacking = sorted((self._promised | self._held) - found)
        self._broken += [f"life {self._lives} misses {name}" for name in lacking]
        self._held = found

    def has(self, *names: str) -> None:
        """Note what is durable on this disk."""
        self._held.update(names)

    def was_promised(self) -> None:
        """Note that all of it is on S3."""
        self._promised |= self._held

    def _directory(self, thread: OneThread, scratch: Path | None = None) -> S3RunDirectory:
        name = f"holder {self._lives}"
        return S3RunDirectory(
            thread,
            self.store,
            LOCATION,
            scratch=scratch or self._scratch,
            clock=VirtualClock(),
            holder=Holder(nonce=name, words=name, lease_s=LEASE_S),
        )

    def _bury(self) -> None:
        """Leave of the dead what a SIGKILL leaves: its disk, perhaps, and requests under way."""
        left = self.store.abandoned()
        self._late = left if self._arrives_later else []
        if self._disk is Disk.LOST:
            shutil.rmtree(self._scratch, ignore_errors=True)
        elif self._disk is Disk.SWAPPED:
            self._scratch, self._other = self._other, self._scratch
        if not self._is_last_holders(self._scratch / LOCATION.working_copy_name):
            self._held = set()

    def _is_last_holders(self, copy: Path) -> bool:
        """Whether the disk is that of the head's own holder: what it added since, is kept."""
        path = copy / "working-copy.json"
        marker = json.loads(path.read_bytes()) if path.exists() else None
        head = self.store.heads[-1] if self.store.heads else None
        if marker is None or head is None or not marker["is_whole"]:
            return False
        return bool((marker["fence"], marker["nonce"]) == (head.fence, head.nonce))


async def _arrive(late: list[Callable[[], Awaitable[object]]]) -> None:
    for act in late:
        await asyncio.sleep(LATE_S)
        with suppress(StoreFault):  # nobody is left to hear of it
            await act()


DOCUMENT, PLAN, RESTORES, END = "run.json", "plan", "restores/00-00.json", "report.json"
EVERYTHING: Final = frozenset(
    {DOCUMENT, PLAN, RESTORES, END, *(f"outcome {number}" for number in range(OUTCOMES))}
)


def found_in(copy: Copy) -> set[str]:
    """Return what a run directory holds, each thing whole."""
    artifacts = CopiedArtifacts(copy)
    found = {name for name in (DOCUMENT, RESTORES, END) if artifacts.read_document(name) == b"{}"}
    if artifacts.index(PLAN) is not None:
        assert [row[0] for row in artifacts.rows(PLAN)] == list(range(ROWS)), "whole, or not there"
        found.add(PLAN)
    if copy.has("journal/manifest-00"):
        journal = opened_journal(copy)
        numbers = [outcome.number for outcome in journal.outcomes()]
        journal.release()
        assert numbers == list(range(len(numbers))), "a beginning of what was concluded"
        found.update(f"outcome {number}" for number in numbers)
    return found


def opened_journal(copy: Copy) -> SegmentJournal:
    """Open the journal of a copy, fetched if need be."""
    copy.bring("journal/manifest-00")
    folder = copy.root / "journal" / "manifest-00"
    return SegmentJournal.open(folder, manifest_digest="m", segment_bytes_max=SEGMENT_BYTES)


class Work:
    """What a holder does: whatever is not done yet, in its order."""

    def __init__(self, world: World, held: Held, thread: OneThread) -> None:
        self._world = world
        self._held = held
        self._thread = thread

    def do(self) -> None:
        """Write documents, rows and outcomes; wait for them to be kept; let the time pass."""
        world, held, call = self._world, self._held, self._thread.call
        world.begins(held)
        self._write_document(DOCUMENT)
        # A lease is renewed meanwhile, and what is new goes up by itself.
        call(asyncio.sleep(LEASE_S / 4))
        if held.artifacts.index(PLAN) is None:
            with held.artifacts.writer(PLAN, columns=("n",), inputs={}) as writer:
                writer.write_rows([(number,) for number in range(ROWS)])
                writer.commit({})
            world.has(PLAN)
        call(held.flush())
        world.was_promised()
        call(self._conclude())
        self._write_document(RESTORES)
        call(held.gate.kept())
        world.has(RESTORES)
        call(held.flush())
        world.was_promised()
        self._write_document(END)

    def _write_document(self, name: str) -> None:
        if self._held.artifacts.read_document(name) is None:
            self._held.artifacts.write_document(name, b"{}")
        self._world.has(name)

    async def _conclude(self) -> None:
        journal = opened_journal(self._held.copy)
        begun = sum(1 for _ in journal.outcomes())
        for number in range(begun, OUTCOMES):
            await journal.conclude(
                Outcome(number, OutcomeKind.COPIED, "", "", None, None, 1, 1, "")
            )
            self._world.has(f"outcome {number}")
            if number % 4 == 0:
                await asyncio.sleep(LEASE_S / 10)
            if number == OUTCOMES // 2:
                await self._held.flush()
                self._world.was_promised()
        await journal.close()
