"""How long to pause between attempts, and how many retries a process may spend.

Never sleeps, never draws: the caller brings the draw and does the sleeping.
Law: retries are paid from one budget a process, so that a total outage stays a trickle.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """Exponential pauses with full jitter.

    Source: AWS Architecture Blog, "Exponential Backoff And Jitter": drawing from the whole
    interval spreads a thundering herd best.
    """

    base_s: float
    cap_s: float

    def pause_s(self, attempt: int, *, draw: float, retry_after_s: float | None = None) -> float:
        """Return the pause after failed attempt number `attempt` (from 1); `draw` is in [0, 1).

        A pause that the store named is a floor, itself capped: a store must not stall a run.
        """
        assert attempt >= 1, "attempts are counted from one"
        assert 0 <= draw <= 1, "a draw lies between 0 and 1"
        # 2**30 s is far above any cap; the bound keeps the power finite.
        ceiling_s = min(self.cap_s, self.base_s * 2.0 ** min(attempt - 1, 30))
        return max(draw * ceiling_s, min(retry_after_s or 0.0, self.cap_s))


@dataclass(slots=True, kw_only=True)  # counts first attempts and retries
class RetryBudget:
    """Retries allowed in one process: `floor`, and `ratio` of each first attempt made so far.

    Shared by reads (aws.retry) and writes (execute), so that both together stay bounded.
    """

    ratio: float
    floor: int
    first_attempts: int = field(default=0, init=False)
    retries: int = field(default=0, init=False)

    def count_first_attempt(self) -> None:
        """Count a call that is sent for the first time; it earns `ratio` of a retry."""
        self.first_attempts += 1

    def spend(self) -> bool:
        """Take one retry from the budget; False when it is spent."""
        if self.retries >= self.floor + self.ratio * self.first_attempts:
            return False
        self.retries += 1
        return True
