"""A run directory on S3 that is held: its working copy, and how to have it on S3.

Never lets go of the lease before what stands is on S3, unless it cannot be put there.
Law: when the run directory is lost, the gate is shut first, and then whoever works is told.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from backfill.errors import BackfillError, BugError, RefusedError, StoreFault
from backfill.events.holding import RunDirectoryUnkept, WorkingCopyMended
from backfill.ports import Clock, Event
from backfill.ports.run_store import RunStore
from backfill.run_directory.durable import refusal_by_disk
from backfill.run_directory.on_s3.background import Background
from backfill.run_directory.on_s3.catalogue import Entry
from backfill.run_directory.on_s3.copy import CopiedArtifacts, Copy, Fetch
from backfill.run_directory.on_s3.folder import clear, found_files, write_marker
from backfill.run_directory.on_s3.gate import LOOK_PAUSE_S, LeaseGate, lease_lost, machine_s
from backfill.run_directory.on_s3.head import Head
from backfill.run_directory.on_s3.keeper import GIVEN_UP_AFTER_LEASES, LeaseKeeper, is_refusal
from backfill.run_directory.on_s3.lease import renewal_pause_s
from backfill.run_directory.on_s3.location import S3Location
from backfill.run_directory.on_s3.mending import Marker, mending
from backfill.run_directory.on_s3.mirror import Download, Mirror
from backfill.run_directory.on_s3.standing import is_journal_segment, is_row_segment

FLUSHES_MAX: Final = 20
"""Looks at a working copy for a flush. Whoever flushes writes nothing meanwhile, so that the first
one is enough; copy processes may end a segment."""
STEP_PAUSE_S: Final = 5.0
"""Between two looks at what is new: sealed segments come every minute or so."""
LAST_FLUSH_S: Final = 300.0
"""How long the last files may take to go up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a run directory on S3 stands on. `store` and `keeper` work in `background` alone."""

    background: Background
    store: RunStore
    location: S3Location
    keeper: LeaseKeeper
    clock: Clock
    tell: Callable[[Event], None]

    def catalogue(self, head: Head | None, root: Path) -> dict[str, Entry]:
        """Return the files that a head refers to; none where there is no head."""
        if head is None:
            return {}
        download = Download(self.store, self.location, root)
        return self.background.call(download.catalogue(head.catalogue))

    def fetch_into(self, root: Path) -> Fetch:
        """Return what fetches files into a folder."""
        download = Download(self.store, self.location, root)
        return lambda entries: self.background.call(download.fetch_all(entries))


class Held:
    """What a holder has. Made by `S3RunDirectory.held`."""

    def __init__(self, ground: Ground, root: Path, *, lock: int, gate: LeaseGate) -> None:
        self.lock = lock
        self.gate = gate
        self.copy = Copy(root, {}, ground.fetch_into(root))
        self.artifacts = CopiedArtifacts(self.copy)
        self._ground = ground
        self._mirror: Mirror | None = None
        self._tasks: list[Future[None]] = []
        self._failure: BackfillError | StoreFault | None = None
        self._end: Callable[[], object] | None = None
        ground.keeper.guard(gate)

    @property
    def failure(self) -> BackfillError | StoreFault | None:
        """What the run directory was lost by, or refused by; None while it is held."""
        return self._failure

    def on_failure(self, end: Callable[[], object] | None) -> None:
        """Have somebody told, in the thread of the run directory, when it is lost."""
        self._end = end
        if end is not None and self._failure is not None:
            end()

    def url_of(self, name: str) -> str:
        """Return where a file is on S3, as it was published last."""
        location = self._ground.location
        entry = self._mirror.catalogue.get(name) if self._mirror is not None else None
        return location.url_of(entry.object_name) if entry is not None else location.url

    async def flush(self) -> None:
        """Return when all that stands is on S3; for the loop of the stages.

        Raises:
            LeaseLostError, RefusedError, StoreFault: See `Mirror.publish`.
        """
        await self._ground.background.ask(self._flushed())

    @contextmanager
    def renewing(self) -> Iterator[None]:
        """Renew the lease meanwhile; at the end all goes up, and the lease is given back."""
        self._start(self._ground.keeper.keep())
        try:
            try:
                yield
            except BaseException:
                if self._failure is None:
                    # What ended the work is what a person reads; a lease that stays, runs out.
                    with suppress(BackfillError, StoreFault):
                        self._ground.background.call(self._given_back())
                raise
            if self._failure is not None:
                raise self._failure
            self._ground.background.call(self._given_back())
        finally:
            self._stop()

    def mend(self, before: Head | None, place: str, *, is_ahead: bool) -> None:
        """Bring the working copy into step, and keep S3 in step with it from now on."""
        ground, root, held = self._ground, self.copy.root, self._ground.keeper.head
        marker = Marker(
            url=ground.location.url,
            fence=held.fence,
            nonce=held.nonce,
            place=place,
            is_whole=is_ahead,
        )
        write_marker(root, marker)
        catalogue = ground.catalogue(before, root)
        found = found_files(root, catalogue)
        later = {name for name in catalogue if is_row_segment(name) or is_journal_segment(name)}
        steps = mending(found, catalogue, is_ahead=is_ahead, later=later)
        if not is_ahead:
            clear(root, steps.removed)
        here = found.keys() - set(steps.removed)
        self.copy.absent.update((name, catalogue[name]) for name in later - here)
        ground.fetch_into(root)(list(steps.fetched))
        self._tell_mended(len(steps.fetched), len(steps.removed))
        write_marker(root, replace(marker, is_whole=True))
        self._mirror = Mirror(
            ground.store,
            ground.location,
            ground.keeper,
            root,
            catalogue=catalogue,
            absent=lambda: dict(self.copy.absent),
            tell=ground.tell,
        )
        self._start(self._keep_in_step())

    def _tell_mended(self, fetched: int, removed: int) -> None:
        later = len(self.copy.absent)
        if fetched or removed or later:
            self._ground.tell(
                WorkingCopyMended(fetched=fetched, fetched_later=later, removed=removed)
            )

    async def _keep_in_step(self) -> None:
        """Put up what is new, again and again; ends with what the run directory is lost by."""
        assert self._mirror is not None, "the copy is in step"
        lease_s = self._ground.keeper.head.lease_s
        pause_s, kept_s = min(STEP_PAUSE_S, renewal_pause_s(lease_s)), machine_s()
        while True:
            await self._rest(pause_s)
            if (loss := self._ground.keeper.loss) is not None:
                raise loss  # nothing is put up any more, not even under a number of its own
            try:
                await self._is_published(with_tails=False)
            except StoreFault as fault:
                if is_refusal(fault):
                    raise
                self._ground.tell(RunDirectoryUnkept(code=fault.code))
                if machine_s() - kept_s > GIVEN_UP_AFTER_LEASES * lease_s:
                    raise self._unkept(fault) from fault
                await asyncio.sleep(pause_s)
            else:
                kept_s = machine_s()

    def _unkept(self, fault: StoreFault) -> RefusedError:
        return RefusedError(
            f"nothing has got to {self._ground.location.url} for"
            f" {GIVEN_UP_AFTER_LEASES} leases: {fault.operation} ends with {fault.code}",
            hint="let it be written (bucket policy, key, quota), then run the same command again;"
            " until then a lost disk would take more than the end of a journal",
        )

    async def _rest(self, pause_s: float) -> None:
        """Pause, but for somebody who waits for what was written."""
        for _ in range(max(1, round(pause_s / LOOK_PAUSE_S))):
            await asyncio.sleep(LOOK_PAUSE_S)
            if self.gate.is_keeping_wanted:
                return

    async def _flushed(self) -> None:
        for _ in range(FLUSHES_MAX):
            if await self._is_published(with_tails=True):
                return
            await asyncio.sleep(0)
        raise BugError("the working copy would not keep still for a flush")

    async def _is_published(self, *, with_tails: bool) -> bool:
        assert self._mirror is not None, "the copy is in step"
        begun_at_s = machine_s()
        is_of_now = await self._mirror.publish(with_tails=with_tails)
        if is_of_now:
            self.gate.note_kept(begun_at_s)
        return is_of_now

    async def _given_back(self) -> None:
        """Put all up, for which the lease may have to be renewed, and then give it back."""
        try:
            async with asyncio.timeout(LAST_FLUSH_S):
                if self._mirror is not None:
                    await self._flushed()
                self._stop()
                await self._ground.keeper.write(is_released=True)
        except TimeoutError as late:
            raise RefusedError(
                f"the last files of {self._ground.location.url} did not get there within"
                f" {LAST_FLUSH_S:.0f} s",
                hint="the same command goes on: with this --scratch-dir from all that was done,"
                " elsewhere from what is on S3; what was delivered is recognised",
            ) from late

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = self._ground.background.start(work)
        self._tasks.append(task)
        task.add_done_callback(self._ended)

    def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _ended(self, task: Future[None]) -> None:
        """Take note of how a task ended that has no end of its own."""
        if task.cancelled():
            return
        try:
            task.result()
        except (BackfillError, StoreFault) as failure:
            found: BackfillError | StoreFault = failure
        # Whatever it is: nobody renews the lease any more, so that nobody may write.
        except BaseException as bug:  # noqa: BLE001 - as said above
            found = refusal_by_disk(bug) or BugError(
                f"the run directory's thread failed: {type(bug).__name__}: {bug}"
            )
        else:
            found = lease_lost(self._ground.location.url)
        self.gate.shut_for_good()
        self._failure = self._failure or found
        if self._end is not None:
            self._end()
