"""Runs a command and measures its whole tree of processes: CPU seconds, wall clock, memory.

Never changes what it measures: the tree is looked at from outside, 20 times a second. A mark is a
file; the tree's CPU seconds are noted when it appears, so that one run tells its stages apart.
Law: CPU seconds in total are the kernel's (wait4: the process and all that it waited for).
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LOOK_EVERY_S = 0.05
TICKS_A_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What the tree had taken when a file appeared."""

    name: str
    cpu_s: float
    wall_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one command took."""

    exit_code: int
    cpu_s: float
    wall_s: float
    peak_mib: float
    marks: tuple[Mark, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Watch:
    root: int
    marks: dict[str, Path]
    peak_bytes: int = 0
    seen: list[Mark] = field(default_factory=list)

    def look(self, wall_s: float) -> None:
        """Note what appeared, and how much memory the tree holds."""
        appeared = [name for name, path in self.marks.items() if path.exists()]
        tree = _tree(self.root)
        self.peak_bytes = max(self.peak_bytes, sum(map(_resident_bytes, tree)))
        if appeared:
            cpu_s = sum(map(_cpu_s, tree))
            for name in appeared:
                del self.marks[name]
                self.seen.append(Mark(name=name, cpu_s=cpu_s, wall_s=wall_s))


def run_measured(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    marks: Mapping[str, Path] | None = None,
    limit_s: float = 3600,
) -> Measured:
    """Run a command to its end; its output goes to `stdout` and `stderr` in the folder."""
    began_s = time.monotonic()
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as talk:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=talk, env=environment, cwd=folder
        )
    watch = _Watch(root=process.pid, marks=dict(marks or {}))
    flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while os.waitid(os.P_PID, process.pid, flags) is None:
        wall_s = time.monotonic() - began_s
        watch.look(wall_s)
        if wall_s > limit_s:
            process.send_signal(signal.SIGKILL)
        time.sleep(LOOK_EVERY_S)
    wall_s = time.monotonic() - began_s
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu_s = usage.ru_utime + usage.ru_stime
    late = [
        Mark(name=name, cpu_s=cpu_s, wall_s=wall_s)
        for name, path in watch.marks.items()
        if path.exists()
    ]
    return Measured(
        exit_code=process.returncode,
        cpu_s=cpu_s,
        wall_s=wall_s,
        peak_mib=max(usage.ru_maxrss * 1024, watch.peak_bytes) / 2**20,
        marks=(*watch.seen, *late),
    )


def _tree(root: int) -> list[int]:
    """Return a process and its descendants; those that end meanwhile may be among them."""
    found = [root]
    for process in found:
        try:
            for thread in Path(f"/proc/{process}/task").iterdir():
                found += map(int, (thread / "children").read_text().split())
        except OSError:
            continue
    return found


def _cpu_s(process: int) -> float:
    """Return the CPU seconds of a process and of the children that it waited for."""
    try:
        words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, words[11:15])) / TICKS_A_S


def _resident_bytes(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE_BYTES
    except OSError:
        return 0
