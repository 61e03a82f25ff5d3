"""The pulse of who holds a run directory: a small file that says every few seconds how it is.

A thread of its own writes it, so that a stage that computes for minutes does not look dead.
Never ends a run: what cannot be written is left out, and a probe says so in time.
Law: the file holds what was counted, `vitals` says what it means.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from backfill.model.json_values import json_value
from backfill.run_directory.vitals import (
    BEAT_EVERY_S,
    BUSY_SHARE,
    NOBODY,
    REST_MIN_S,
    Beat,
    Vitals,
    beat_of,
    document_of,
    judged,
)

PULSE_FILE: Final = "pulse.json"
_BYTES_MAX: Final = 4096

Count = Callable[[], float]


class Pulse:
    """What a process tells of itself. Made for any run directory, written by its holder alone.

    `rest_left_s` gives how long the longest stated pause goes on, 0 for none.
    """

    def __init__(self, root: Path, *, rest_left_s: Count) -> None:
        self._path = root / PULSE_FILE
        self._rest_left_s = rest_left_s
        self._signs: list[Count] = []
        self._under_way: list[Count] = []
        self._counted: list[float] = []
        self._moved_s = 0.0
        self._looked_s = 0.0
        self._cpu_s = 0.0
        self._run_id = ""
        self._is_ending = False
        self._stopped = threading.Event()

    def watch(self, *signs: Count, under_way: Count | None = None) -> None:
        """Look at counts that grow with the work, and at one that is not 0 while requests are out.

        Every request has its time limit, so whoever has one out waits for something with an end.
        """
        self._signs += signs
        if under_way is not None:
            self._under_way.append(under_way)

    def begin(self, run_id: str) -> None:
        """Say that the run was begun or resumed."""
        self._run_id = run_id

    def end(self) -> None:
        """Say that the process was told to stop."""
        self._is_ending = True

    @property
    def is_resting(self) -> bool:
        """Whether the process is in a pause that is long enough to be stated."""
        return self._rest_left_s() >= REST_MIN_S

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Beat until the context is left; afterwards nobody works here."""
        self._moved_s = self._looked_s = boot_time_s()
        self._cpu_s = time.process_time()
        self._write()
        thread = threading.Thread(target=self._beat, name="pulse", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            thread.join()
            with suppress(OSError):
                self._path.unlink()

    def _beat(self) -> None:
        while not self._stopped.wait(BEAT_EVERY_S):
            self.look(boot_time_s(), cpu_s=time.process_time())
            self._write()

    def look(self, now_s: float, *, cpu_s: float) -> None:
        """Compare what is counted now with what was counted at the last look."""
        counted = [count() for count in self._signs]
        is_busy = cpu_s - self._cpu_s >= BUSY_SHARE * (now_s - self._looked_s)
        if counted != self._counted or is_busy or any(count() for count in self._under_way):
            self._moved_s = now_s
        self._counted, self._cpu_s, self._looked_s = counted, cpu_s, now_s

    def beat(self) -> Beat:
        """Return what is told now."""
        now_s, rest_s = boot_time_s(), self._rest_left_s()
        return Beat(
            pid=os.getpid(),
            process_started=_process_started(os.getpid()),
            pid_namespace=_pid_namespace(),
            boot_id=_boot_id(),
            written_at_s=time.time(),
            beat_s=now_s,
            moved_s=self._moved_s,
            rests_until_s=now_s + rest_s if rest_s >= REST_MIN_S else 0.0,
            run_id=self._run_id,
            is_ending=self._is_ending,
        )

    def _write(self) -> None:
        """Replace the file at once and not durably: after a power cut nobody is alive here."""
        temporary = self._path.with_suffix(".beat")
        with suppress(OSError):
            temporary.write_text(json.dumps(document_of(self.beat())), encoding="ascii")
            temporary.replace(self._path)


def vitals_of(root: Path) -> Vitals:
    """Return how who holds a local run directory is; opens two or three small files."""
    try:
        with (root / PULSE_FILE).open("rb") as file:
            beat = beat_of(json_value(file.read(_BYTES_MAX)))
    except (OSError, ValueError):
        return NOBODY
    if beat is None:
        return NOBODY
    if beat.boot_id == _boot_id():
        return judged(beat, now_s=boot_time_s(), has_gone=_has_gone(beat))
    # Another machine's clock since boot: only the wall clocks of both can be compared.
    age_s = max(0.0, time.time() - beat.written_at_s)
    return judged(beat, now_s=beat.beat_s + age_s, has_gone=False)


def boot_time_s() -> float:
    """Return seconds since boot, sleep included: one clock for all processes of a machine."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _has_gone(beat: Beat) -> bool:
    if not beat.pid_namespace or beat.pid_namespace != _pid_namespace():
        return False  # its number means nothing here
    return _process_started(beat.pid) != beat.process_started


def _process_started(pid: int) -> str:
    """Return when a process was started, in ticks; empty where there is none, or no telling."""
    with suppress(OSError, IndexError):
        # The name before it may hold anything, but no line of it comes after the last bracket.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        # A zombie has ended; its parent has not asked for its code yet.
        return "" if fields[0] == b"Z" else fields[19].decode("ascii")
    return ""


def _pid_namespace() -> str:
    with suppress(OSError):
        return str(Path("/proc/self/ns/pid").readlink())
    return ""


def _boot_id() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""
