"""A seeded asyncio event loop in virtual time.

Nothing ever sleeps: when nothing is ready, time jumps to the next timer. Threads do not exist:
what is given to an executor runs in place, one round of the loop later.
Never opens a socket or a pipe; whoever wants one gets an error from asyncio's base class.
Law: the order of everything follows from the seed alone, and a run that cannot go on, or does not
end, is an error.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from heapq import heappop
from random import Random
from typing import TypeVar, TypeVarTuple, Unpack

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

INSTANT_S = 1e-9
"""Timers closer together than this are due together, as on asyncio's own loops."""
STEPS_MAX = 200_000
"""Rounds of one loop; a run of the simulation takes a few thousand."""

Blocking = Callable[[Callable[[], object]], object]
"""Runs a blocking call, or refuses to: where a simulated process dies at its disk."""


class DeadlockError(Exception):
    """Nothing is ready and no timer is set: what is awaited can never come."""


class StepLimitError(Exception):
    """The loop has gone round too often: something runs for ever."""


class VirtualTimeLoop(asyncio.BaseEventLoop):
    """An event loop for one simulated run.

    `random` given: callbacks that are ready at the same time run in an order drawn from it, as
    threads and networks would have it; without it they run first come, first served. `blocking`
    may be replaced at any time. `unhandled` collects what asyncio had nobody to tell.
    """

    # Of asyncio's base class, whose types do not tell them.
    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _stopping: bool

    def __init__(self, *, random: Random | None = None, steps_max: int = STEPS_MAX) -> None:
        super().__init__()
        self._random = random
        self._steps_max = steps_max
        self._now_s = 0.0
        self._alarms: dict[int, list[Callable[[], None]]] = {}
        self.steps = 0
        self.blocking: Blocking = _in_place
        self.unhandled: list[dict[str, object]] = []
        self.set_exception_handler(lambda _, context: self.unhandled.append(context))

    def time(self) -> float:
        """Return virtual seconds since the loop was made."""
        return self._now_s

    def after_steps(self, steps: int, callback: Callable[[], None]) -> None:
        """Call back between two rounds, `steps` rounds from now: between any two awaits."""
        assert steps > 0, "the present round is under way"
        self._alarms.setdefault(self.steps + steps, []).append(callback)

    def _run_once(self) -> None:
        """Go round once, as the base class does: nothing here ever waits for a socket."""
        ready, scheduled = self._ready, self._scheduled
        while scheduled and scheduled[0].cancelled():
            heappop(scheduled)
        if ready or self._stopping:
            self._pass_time(0.0)
        else:
            self._pass_time(max(0.0, scheduled[0].when() - self._now_s) if scheduled else None)
        if self._random is not None and len(ready) > 1:
            # What is ready comes in the order of this seed.
            drawn = list(ready)
            self._random.shuffle(drawn)
            ready.clear()
            ready.extend(drawn)
        due_s = self._now_s + INSTANT_S
        while scheduled and scheduled[0].when() < due_s:
            ready.append(heappop(scheduled))
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()  # noqa: SLF001 - the loop's side of a handle

    def _pass_time(self, timeout_s: float | None) -> None:
        """Begin a round; None: there is nothing to wait for."""
        self.steps += 1
        if timeout_s is None:
            raise DeadlockError(f"nothing is ready and no timer is set at {self._now_s:.3f} s")
        if self.steps > self._steps_max:
            raise StepLimitError(f"{self._steps_max} rounds, at {self._now_s:.3f} s")
        self._now_s += timeout_s
        for callback in self._alarms.pop(self.steps, ()):
            callback()

    def _write_to_self(self) -> None:
        """Wake a sleeping loop: this one never sleeps."""

    def run_in_executor(
        self,
        executor: Executor | None,
        func: Callable[[Unpack[Arguments]], Result],
        *args: *Arguments,
    ) -> asyncio.Future[Result]:
        """Run a blocking call in place, one round later."""
        assert executor is None, "there are no threads here"
        future: asyncio.Future[Result] = self.create_future()
        self.call_soon(self._run_blocking, future, lambda: func(*args))
        return future

    def _run_blocking(self, future: asyncio.Future[Result], call: Callable[[], Result]) -> None:
        if future.cancelled():
            return
        results: list[Result] = []
        try:
            self.blocking(lambda: results.append(call()))
        # Whatever a thread raises reaches whoever awaits it, as with a real executor.
        except BaseException as failure:  # noqa: BLE001 - as said above
            future.set_exception(failure)
        else:
            future.set_result(results[0])


def _in_place(call: Callable[[], object]) -> object:
    return call()
