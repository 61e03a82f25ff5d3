"""The gate before writes to other buckets: shut while the lease is not fresh.

How long it is open stands in a small file that copy processes map into their memory, too: moments,
by a clock of the whole machine that runs on while it sleeps, and a flag. By the same file who must
not go on before S3 has what it wrote learns of that, and asks for it.
Never renews or publishes anything.
Law: when the gate lets a write pass, the holder's last renewal is younger than half a lease.
"""

import asyncio
import mmap
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from backfill.errors import LeaseLostError, RefusedError
from backfill.run_directory.durable import disk_faults_refused

GATE_FILE: Final = "lease"
LOOK_PAUSE_S: Final = 0.05
"""Between two looks while it is shut: a renewal takes tens of milliseconds."""

KEPT_WITHIN_S: Final = 300.0
"""A document goes up in less than a second; who could not renew the lease either would give up
after as long."""

_SIZE_BYTES: Final = 32
_UNTIL, _IS_LOST, _KEPT, _WANTED = range(4)


def machine_s() -> float:
    """Return seconds since the machine started, sleep included; the same in all its processes."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.clock_gettime(boottime) if boottime is not None else time.monotonic()


class LeaseGate:
    """The gate. The holder's mirror moves it, everyone who writes asks it."""

    def __init__(self, path: Path, *, url: str, now_s: Callable[[], float] = machine_s) -> None:
        """Open the gate's file, made anew by `made_gate`."""
        self._url = url
        self._now_s = now_s
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._memory = mmap.mmap(descriptor, _SIZE_BYTES)
        finally:
            os.close(descriptor)

    @property
    def is_lost(self) -> bool:
        """Whether the run directory belongs to somebody else, or may."""
        return bool(self._read(_IS_LOST))

    @property
    def is_open(self) -> bool:
        """Whether a write may be sent now."""
        return self._now_ns() < self._read(_UNTIL) and not self.is_lost

    def open_until(self, until_s: float) -> None:
        """Let writes pass until then."""
        self._write(_UNTIL, int(until_s * 1e9))

    def shut_for_good(self) -> None:
        """Let none pass any more."""
        self._write(_IS_LOST, 1)
        self._write(_UNTIL, 0)

    async def admit(self) -> None:
        """Return when a write may be sent; raises LeaseLostError when none may."""
        # Finite: the keeper renews the lease, or shuts the gate for good when it gives up.
        while not self.is_open:
            if self.is_lost:
                raise lease_lost(self._url)
            await asyncio.sleep(LOOK_PAUSE_S)

    async def kept(self) -> None:
        """Return when the documents that were written before are on S3.

        Raises:
            LeaseLostError: They will not come there any more.
            RefusedError: They do not get there.
        """
        since_ns = self._now_ns()
        while self._read(_KEPT) < since_ns:
            if self.is_lost:
                raise lease_lost(self._url)
            if self._now_ns() - since_ns > KEPT_WITHIN_S * 1e9:
                raise RefusedError(
                    f"what the run is about to do has not got to {self._url} within"
                    f" {KEPT_WITHIN_S:.0f} s",
                    hint="see the log for what keeps the run directory from being written, then run"
                    " the same command again",
                )
            # Again and again: of several who ask at once, the last one alone is read.
            self._write(_WANTED, since_ns)
            await asyncio.sleep(LOOK_PAUSE_S)

    @property
    def is_keeping_wanted(self) -> bool:
        """Whether somebody waits for what was written since `note_kept`'s last moment."""
        return self._read(_WANTED) > self._read(_KEPT)

    def note_kept(self, begun_at_s: float) -> None:
        """Say that what had been written at a moment is on S3."""
        self._write(_KEPT, int(begun_at_s * 1e9))

    def _now_ns(self) -> int:
        return int(self._now_s() * 1e9)

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()

    def _read(self, place: int) -> int:
        begin = 8 * place
        # Twice: nothing promises that eight bytes are read at once.
        while (data := self._memory[begin : begin + 8]) != self._memory[begin : begin + 8]:
            pass
        return int.from_bytes(data, "little", signed=True)

    def _write(self, place: int, value: int) -> None:
        self._memory[8 * place : 8 * place + 8] = value.to_bytes(8, "little", signed=True)


def made_gate(root: Path, *, url: str, now_s: Callable[[], float] = machine_s) -> LeaseGate:
    """Make the gate of a working copy anew: shut."""
    path = root / GATE_FILE
    with disk_faults_refused(path, "create"):
        # A new file: what a copy process of a dead holder still maps is another one and stays shut.
        path.unlink(missing_ok=True)
        path.write_bytes(bytes(_SIZE_BYTES))
        return LeaseGate(path, url=url, now_s=now_s)


def joined_gate(root: Path) -> LeaseGate | None:
    """Return the gate of the holder that a copy process belongs to; None on a local directory."""
    path = root / GATE_FILE
    return LeaseGate(path, url=str(root)) if path.exists() else None


def lease_lost(url: str, who: str = "") -> LeaseLostError:
    """Return the complaint of a holder that is none any more."""
    by = f" to {who}" if who else ""
    return LeaseLostError(
        f"the run directory {url} was lost{by}: this process was silent for too long, and writes"
        " nothing any more",
        hint="nothing is damaged: its new holder goes on, or run the same command again later",
    )
