"""The disk of a simulated machine: where the journals lie, and where a process may die.

Before its n-th write, in the midst of it, which leaves a torn tail, or right after it.
"""

from collections.abc import Callable
from pathlib import Path
from random import Random

from backfill.journal.journal import SegmentJournal
from backfill.manifest.run import manifest_name
from tests.doubles.history import Reopened
from tests.doubles.simulated_copiers import AT_WORK
from tests.doubles.simulated_s3 import Process
from tests.simulation.runs import Run


class DiskDiedError(Exception):
    """The machine died at its disk."""


class Disk:
    """The run directory of one run, which outlives its processes."""

    def __init__(self, run: Run, root: Path) -> None:
        self._run = run
        self._root = root
        self._random = Random(f"wire {run.scenario.seed}")

    def _disk(
        self, process: Process, kind: str, when: int
    ) -> Callable[[Callable[[], object]], object]:
        """Return a disk at which the process dies: before its n-th write, in it, or after it."""
        left = when // 12 if kind in ("torn", "written") else -1

        def blocking(call: Callable[[], object]) -> object:
            nonlocal left
            who = AT_WORK.get(process)
            if who.is_dead:
                raise DiskDiedError
            left -= 1
            if left != -1 or kind not in ("torn", "written"):
                return call()
            size_bytes = self._journal_bytes()
            call()
            if kind == "torn" and self._journal_bytes() > size_bytes:
                self._tear(size_bytes)
            who.die()
            raise DiskDiedError

        return blocking

    def _newest(self) -> str:
        """Return the name of the manifest that is being carried out."""
        names = (manifest_name(number) for number in range(9, 0, -1))
        return next((n for n in names if self._run.artifacts.index(n)), manifest_name(0))

    def _segment(self) -> Path | None:
        """Return the newest segment of the process at work."""
        child = AT_WORK.get(None)
        shard = f"-shard-{int(child.name.split()[-1]):02d}" if child is not None else ""
        folder = self._root / "journal" / (self._newest().replace("/", "-") + shard)
        return max(folder.glob("segment-*"), default=None)

    def _journal_bytes(self) -> int:
        segment = self._segment()
        return segment.stat().st_size if segment is not None else 0

    def _tear(self, whole_bytes: int) -> None:
        """Leave a part of what was just written."""
        written = self._journal_bytes() - whole_bytes
        segment = self._segment()
        assert segment is not None, "something was written"
        with segment.open("r+b") as file:
            file.truncate(whole_bytes + self._random.randrange(written))

    async def _reopen(self, actor: str, ending: str) -> None:
        index = self._run.artifacts.index(self._newest())
        held = 0
        # One of the holder, and one of each copy process.
        folders = list((self._root / "journal").glob(self._newest().replace("/", "-") + "*"))
        if index is None or not folders:
            return
        for folder in folders:
            journal = SegmentJournal.open(folder, manifest_digest=index.digest)
            held += sum(1 for _ in journal.outcomes())
            await journal.close()
        self._run.history.events.append(
            Reopened(
                at_s=self._run.s3.clock.monotonic_s(), actor=actor, outcomes=held, ending=ending
            )
        )
