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
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Executor
from contextvars import Context, copy_context
from heapq import heappop, heappush
from random import Random
from typing import Any, TypeVar, TypeVarTuple, Unpack

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

# As asyncio types what a task is made of.
_Work = Generator[Any, None, Result] | Coroutine[Any, Any, Result]

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


class _Call(asyncio.TimerHandle):
    """A callback, now or at a time of its own: asyncio's handle without debug mode and traces.

    A run makes a thousand of them.
    """

    __slots__ = ("args", "call", "context", "due_s")

    def __init__(
        self,
        call: Callable[..., object],
        args: tuple[object, ...],
        context: Context | None,
        due_s: float = 0.0,
    ) -> None:
        self.call: Callable[..., object] | None = call
        self.args = args
        self.context = copy_context() if context is None else context
        self.due_s = due_s

    def cancel(self) -> None:
        self.call = None
        self.args = ()

    def cancelled(self) -> bool:
        return self.call is None

    def when(self) -> float:
        return self.due_s

    def __repr__(self) -> str:
        return f"<{self.call} at {self.due_s:.3f} s>"

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __lt__(self, _other: object) -> bool:
        # Asked only of two that are due together: neither is before the other.
        return False


class _Task(asyncio.Task[Result]):
    """A task with a number for its hash.

    Groups of tasks are sets, and are cancelled in the order of their sets: where objects lie in
    memory would decide it, which no seed knows.
    """

    def __init__(
        self,
        number: int,
        coroutine: _Work[Result],
        *,
        loop: asyncio.AbstractEventLoop,
        name: str | None,
        context: Context | None,
    ) -> None:
        # First: asyncio puts the task into a set at once.
        self._number = number
        super().__init__(coroutine, loop=loop, name=name, context=context)

    def __hash__(self) -> int:
        return self._number


class VirtualTimeLoop(asyncio.BaseEventLoop):
    """An event loop for one simulated run.

    `random` given: callbacks that are ready at the same time run in an order drawn from it, as
    threads and networks would have it; without it they run first come, first served. `blocking`
    may be replaced at any time. `unhandled` collects what asyncio had nobody to tell. It has no
    debug mode.
    """

    # Of asyncio's base class, whose types do not tell them.
    _ready: deque[_Call]
    _stopping: bool

    def __init__(self, *, random: Random | None = None, steps_max: int = STEPS_MAX) -> None:
        super().__init__()
        self._random = random
        self._steps_max = steps_max
        self._now_s = 0.0
        self._timers: list[tuple[float, _Call]] = []
        self._alarms: dict[int, list[Callable[[], None]]] = {}
        self._tasks = 0
        self.steps = 0
        self.blocking: Blocking = _in_place
        self.unhandled: list[dict[str, object]] = []
        self.set_exception_handler(lambda _, context: self.unhandled.append(context))

    get_debug = staticmethod(bool)

    def time(self) -> float:
        """Return virtual seconds since the loop was made."""
        return self._now_s

    def after_steps(self, steps: int, callback: Callable[[], None]) -> None:
        """Call back between two rounds, `steps` rounds from now: between any two awaits."""
        assert steps > 0, "the present round is under way"
        self._alarms.setdefault(self.steps + steps, []).append(callback)

    def create_task(
        self, coro: _Work[Result], *, name: object = None, context: Context | None = None
    ) -> asyncio.Task[Result]:
        """Return a task that begins in the next round."""
        self._tasks += 1
        return _Task(
            self._tasks, coro, loop=self, name=None if name is None else str(name), context=context
        )

    def call_soon(
        self,
        callback: Callable[[Unpack[Arguments]], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Call back in the next round."""
        handle = _Call(callback, args, context)
        self._ready.append(handle)
        return handle

    # There are no threads. What is left of an async generator is closed by this one.
    call_soon_threadsafe = call_soon

    def call_later(
        self,
        delay_s: float,
        callback: Callable[[Unpack[Arguments]], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call back after so many seconds."""
        return self.call_at(self._now_s + delay_s, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Arguments]], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call back at a time of the loop."""
        timer = _Call(callback, args, context, when)
        heappush(self._timers, (when, timer))
        return timer

    def _run_once(self) -> None:
        """Go round once, as the base class does: nothing here ever waits for a socket."""
        ready, timers = self._ready, self._timers
        while timers and timers[0][1].call is None:
            heappop(timers)
        if ready or self._stopping:
            self._pass_time(0.0)
        else:
            self._pass_time(max(0.0, timers[0][0] - self._now_s) if timers else None)
        if self._random is not None and len(ready) > 1:
            # What is ready comes in the order of this seed.
            drawn = list(ready)
            self._random.shuffle(drawn)
            ready.clear()
            ready.extend(drawn)
        due_s = self._now_s + INSTANT_S
        while timers and timers[0][0] < due_s:
            ready.append(heappop(timers)[1])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle.call is not None:
                self._run(handle.call, handle)

    def _run(self, call: Callable[..., object], handle: _Call) -> None:
        try:
            handle.context.run(call, *handle.args)
        except (SystemExit, KeyboardInterrupt):
            raise
        # As asyncio's handles do: whoever runs the loop hears of it.
        except BaseException as failure:  # noqa: BLE001 - as said above
            said = f"Exception in callback {call}"
            told = {"message": said, "exception": failure, "handle": handle}
            self.call_exception_handler(told)

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
