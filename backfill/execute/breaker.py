"""The breaker: opens when almost everything fails, so that a run does not only cost money.

Never stops anything itself.
Law: it looks at the last `window` outcomes and opens only on a full window.
"""

from collections import deque


class Breaker:
    """Counts failures among the newest outcomes."""

    def __init__(self, *, window: int, failure_ratio: float) -> None:
        assert window > 0, "a window holds outcomes"
        self._newest: deque[bool] = deque(maxlen=window)
        self._failures_min = failure_ratio * window
        self._failures = 0

    def note(self, *, is_failure: bool) -> None:
        """Take one outcome."""
        if len(self._newest) == self._newest.maxlen:
            self._failures -= self._newest[0]
        self._newest.append(is_failure)
        self._failures += is_failure

    @property
    def is_open(self) -> bool:
        """Return whether the window is full and almost all of it failed."""
        is_full = len(self._newest) == self._newest.maxlen
        return is_full and self._failures >= self._failures_min
