"""How many requests a second: a fixed share of a budget, or what a store lets pass, learned.

Pure: never asks the time, never waits; `pace` does both.
Law: a rate never falls below `RATE_MIN`, so that a throttled run still moves and sees it end.
"""

import math
from typing import Final

RATE_MIN: Final = 2.0
"""Requests a second that are always sent."""

DECREASE: Final = 0.85
"""Kept of a rate that has just crossed the store's limit: it was right but for the last step."""

FAR_OFF_DECREASE: Final = 0.5
"""Kept of a rate that is refused at once: it is far off, and halving finds the limit soonest."""

FAR_OFF_REQUESTS: Final = 10
"""A rate refused within so many requests is far off. One that has just crossed the limit has one
request in hundreds refused, so ten in a row without a refusal are likely."""

DECREASE_EVERY_S: Final = 0.5
"""One decrease for all the refusals of a burst: S3 refuses for a moment, and then lets pass again
what is about its limit."""

INCREASE: Final = 0.02
"""Added in a second, of the rate after the last decrease: what was given up comes back in some
five seconds, so that one refusal is followed by hundreds of requests without one."""

FASTER_AFTER_S: Final = 10.0
"""After so long without a refusal a rate grows twice as fast, and so on: the store has grown (S3
splits busy prefixes within minutes), or others have gone."""

FEW: Final = 20.0
"""Requests a second below which a rate grows by requests instead of seconds, as if so many were a
second: one that doubled sooner would be refused within `FAR_OFF_REQUESTS` for ever, and one that
came back in some seconds would have a refusal among a handful of requests."""

BURST_S: Final = 0.01
"""What may be saved up while nothing is sent: as much as a timer may come late. S3 counts by the
second or so; a smooth stream meets its limit with single requests, a bursty one with many."""


class TokenBucket:
    """Lets `rate(now)` requests a second pass."""

    def __init__(self, rate: float, *, now_s: float) -> None:
        assert rate > 0, "a rate lets something pass"
        self._rate = rate
        self._tokens = 1.0
        self._filled_s = now_s

    def rate(self, now_s: float) -> float:  # noqa: ARG002 - a learned rate needs it
        """Return requests a second."""
        return self._rate

    def take(self, now_s: float) -> bool:
        """Return whether one more request may pass now."""
        rate = self.rate(now_s)
        saved = self._tokens + rate * (now_s - self._filled_s)
        self._filled_s, self._tokens = now_s, min(max(1.0, rate * BURST_S), saved)
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def wait_s(self, now_s: float) -> float:
        """Return how long until the next may pass, after a `take` that said no."""
        return (1.0 - self._tokens) / self.rate(now_s)


class LearnedRate(TokenBucket):
    """A rate that follows refusals: multiplicative decrease, additive increase.

    After a decrease the rate grows by `INCREASE` a second, faster the longer nothing is refused.
    While it is far off, it doubles each second instead, as TCP's slow start does (RFC 5681 §3.1),
    until the first refusal that is not at once. Below `FEW` a second both go by requests.
    """

    def __init__(self, rate: float, *, now_s: float) -> None:
        super().__init__(max(RATE_MIN, rate), now_s=now_s)
        self.lowered_s = now_s
        """When it was last lowered, or was new."""
        self._passed = 0
        self._is_far_off = True

    def rate(self, now_s: float) -> float:
        """Return requests a second."""
        grown_s = now_s - self.lowered_s
        if self._is_far_off:
            return self._doubled(grown_s)
        grown_s *= min(1.0, self._rate / FEW)
        return self._rate * (1.0 + INCREASE * grown_s * (1.0 + grown_s / FASTER_AFTER_S))

    def _doubled(self, grown_s: float) -> float:
        """Return the rate that doubles with each `FEW` requests, or each second from there on."""
        rate = self._rate
        if rate < FEW:
            few_s = (FEW / rate - 1.0) / math.log(2)
            if grown_s < few_s:
                return rate / (1.0 - grown_s * math.log(2) * rate / FEW)
            rate, grown_s = FEW, grown_s - few_s
        return rate * math.exp2(min(grown_s, _DOUBLINGS_MAX))

    def take(self, now_s: float) -> bool:
        """Return whether one more request may pass now."""
        is_passing = super().take(now_s)
        self._passed += is_passing
        return is_passing

    def lower(self, now_s: float) -> bool:
        """Answer a refusal of a request that was sent after the last decrease.

        Returns whether this one decreases the rate, or is of the burst that did.
        """
        if now_s - self.lowered_s < DECREASE_EVERY_S:
            return False
        refused_rate = self.rate(now_s)  # by the law that held until now
        self._is_far_off = self._passed < FAR_OFF_REQUESTS
        kept = FAR_OFF_DECREASE if self._is_far_off else DECREASE
        self._rate = max(RATE_MIN, refused_rate * kept)
        self.lowered_s, self._passed = now_s, 0
        return True


_DOUBLINGS_MAX: Final = 20.0
"""A million times the rate: no limit at all, and still finite."""
