"""kill -9 before and after every call of a run to the store, and what the next process finds.

Never catches a death for the product: nobody but these two functions knows `DiedError`.
Law: each death is of a run of its own, so that one does not hide the next.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.unit.execute.campaign_double import Run

Call = tuple[str, int]
"""An operation, and which call of it since the world began."""


class DiedError(BaseException):
    """The process is gone: nobody catches it."""


async def killed(run: Run, *, at: Call) -> Run:
    """Let a run die before a call; return it as the next process finds it."""
    _plan_death(run, "before", at)
    with pytest.raises(DiedError):
        await run.go()
    return _next_process(run)


async def deaths(
    scene: Callable[[], Awaitable[Run]], *, at_least: int
) -> AsyncIterator[tuple[str, Run]]:
    """Yield what the next process finds after each death of a scene, and where that was."""
    probe = await scene()
    begun = Counter(probe.store.calls)
    await probe.go()
    died = 0
    for operation, count in (probe.store.calls - begun).items():
        for call in range(begun[operation] + 1, begun[operation] + count + 1):
            for when in ("before", "after"):
                run = await scene()
                _plan_death(run, when, (operation, call))
                try:
                    await run.go()
                except DiedError:
                    died += 1
                yield f"{when} {operation} {call}", _next_process(run)
    assert died >= at_least, "most calls are places to die"


def _plan_death(run: Run, when: str, at: Call) -> None:
    def die() -> None:
        run.store.death = DiedError()
        raise run.store.death

    getattr(run.store, when)[at] = die


def _next_process(run: Run) -> Run:
    run.store.death = None
    run.store.before.clear()
    run.store.after.clear()
    return run.restarted()
