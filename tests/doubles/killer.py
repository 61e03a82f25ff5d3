"""Kills a process at a moment that a seed chose, from within the server that it talks to.

The clock chooses nothing: a moment is a request, and what becomes of it.
Law: a moment kills at most once, and only the process it was aimed at.
"""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from random import Random

from backfill.sandbox.http.faults import Call, Fault, FaultKind

WRITE_DELAY_S = 0.005
"""Answers to writes come this late, so that several are always under way together."""
_WRITES = frozenset({"CopyObject", "UploadPartCopy", "CompleteMultipartUpload", "DeleteObject"})


class Way(Enum):
    """What becomes of the request at which the process dies."""

    UNDONE = auto()
    """It dies before the request takes effect."""
    UNHEARD = auto()
    """The request takes effect, and nobody is left to hear of it."""
    A_LITTLE_LATER = auto()
    """It hears of it, and dies some milliseconds later: in a sync, a rename, a next request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The `nth` request for an operation (any, if it is empty) since the process began."""

    operation: str
    nth: int
    way: Way
    later_s: float


def any_moment(random: Random, *, is_early: bool = False) -> Moment:
    """Choose a moment: mostly among writes, sometimes anywhere; `is_early`: one sure to come."""
    kind = random.random()
    if is_early:
        operation, nth = "", random.randint(1, 30)
    elif kind < 0.6:
        operation, nth = "CopyObject", random.randint(1, 25)
    elif kind < 0.8:
        operation, nth = random.choice(
            [
                ("CreateMultipartUpload", 1),
                ("UploadPartCopy", random.randint(1, 3)),
                ("CompleteMultipartUpload", random.randint(1, 2)),
                ("DeleteObject", random.randint(1, 3)),
            ]
        )
    else:
        operation, nth = "", random.randint(1, 250)
    return Moment(
        operation=operation,
        nth=nth,
        way=random.choice(list(Way)),
        later_s=random.choice((0.0, 0.002, 0.01, 0.03)),
    )


Victim = Callable[[], int]
"""Names a process."""


class Killer:
    """A fault hook that waits for its moment."""

    def __init__(self) -> None:
        self._aim: tuple[Victim, Moment] | None = None
        self._met = 0
        self._timers: list[threading.Timer] = []

    def aim(self, victim: int | Victim, moment: Moment) -> None:
        """Kill this process, or the one that is named then, at this moment; counting begins now."""
        self._met = 0
        self._aim = (victim if callable(victim) else lambda: victim, moment)

    def rest(self) -> None:
        """Kill nobody any more."""
        self._aim = None
        for timer in self._timers:
            timer.cancel()
            timer.join()
        self._timers.clear()

    def __call__(self, call: Call) -> Fault | None:
        if self._aim is not None and call.operation.startswith(self._aim[1].operation):
            self._met += 1
            if self._met == self._aim[1].nth:
                return self._strike(*self._aim)
        if call.operation in _WRITES:
            return Fault(kind=FaultKind.NONE, delay_s=WRITE_DELAY_S)
        return None

    def _strike(self, victim: Victim, moment: Moment) -> Fault | None:
        self._aim = None
        pid = victim()
        if moment.way is Way.A_LITTLE_LATER:
            timer = threading.Timer(moment.later_s, _kill, (pid,))
            self._timers.append(timer)
            timer.start()
            return None
        _kill(pid)
        return Fault(kind=FaultKind.RESET, is_applied=moment.way is Way.UNHEARD)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
