"""Waiting for something that another process or thread brings about, with an end.

Never asserts how long it took: the limit is for what hangs, far beyond a busy machine.
Law: every wait ends, and says what it waited for.
"""

import time
from collections.abc import Callable

LOOK_EVERY_S = 0.02
"""Between looks: a person would not notice, and a core has time for what is waited for."""
STUCK_AFTER_S = 300.0
"""Far more than anything that is waited for takes on a busy machine."""


def came_true(is_so: Callable[[], bool], *, within_s: float, every_s: float = LOOK_EVERY_S) -> bool:
    """Look until something is so; False once the time is over."""
    deadline_s = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() >= deadline_s:
            return False
        time.sleep(every_s)
    return True


def wait_until(
    is_so: Callable[[], bool],
    what: str,
    *,
    is_over: Callable[[], bool] = lambda: False,
    within_s: float = STUCK_AFTER_S,
) -> None:
    """Wait until something is so; `is_over` says that it cannot come any more."""
    came = came_true(lambda: is_so() or is_over(), within_s=within_s)
    assert came, f"stuck: {what}"
    assert is_so(), f"over without it: {what}"
