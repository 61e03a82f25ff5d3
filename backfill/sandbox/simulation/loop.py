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
from random import Random
from typing import TypeVar, TypeVarTuple, Unpack

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

STEPS_MAX = 200_000
"""Rounds of one loop; a run of the simulation takes a few thousand."""

Blocking = Callable[[Callable[[], object]], object]
"""Runs a blocking call, or refuses to: where a simulated process dies at its disk."""


class DeadlockError(Exception):
    """Nothing is ready and no timer is set: what is awaited can never come."""


class StepLimitError(Exception):
    """The loop has gone round too often: something runs for ever."""


class _NoSelector:
    """Stands where the loop waits for sockets: time passes here, at no cost."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self._loop = loop

    def select(self, timeout_s: float | None) -> list[object]:
        """Let the time pass that the loop would have slept."""
        self._loop.pass_time(timeout_s)
        return []


class VirtualTimeLoop(asyncio.BaseEventLoop):
    """An event loop for one simulated run.

    `random` given: callbacks that are ready at the same time run in an order drawn from it, as
    threads and networks would have it; without it they run first come, first served. `blocking`
    may be replaced at any time. `unhandled` collects what asyncio had nobody to tell.
    """

    _ready: deque[asyncio.Handle]  # of asyncio's base class, whose types do not tell it

    def __init__(self, *, random: Random | None = None, steps_max: int = STEPS_MAX) -> None:
        super().__init__()
        self._selector = _NoSelector(self)
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

    def pass_time(self, timeout_s: float | None) -> None:
        """Begin a round; None: there is nothing to wait for."""
        self.steps += 1
        if timeout_s is None:
            raise DeadlockError(f"nothing is ready and no timer is set at {self._now_s:.3f} s")
        if self.steps > self._steps_max:
            raise StepLimitError(f"{self._steps_max} rounds, at {self._now_s:.3f} s")
        self._now_s += timeout_s
        for callback in self._alarms.pop(self.steps, ()):
            callback()

    def _process_events(self, _events: list[object]) -> None:
        """Put what is ready into the order of this seed."""
        if self._random is not None and len(self._ready) > 1:
            ready = list(self._ready)
            self._random.shuffle(ready)
            self._ready.clear()
            self._ready.extend(ready)

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
