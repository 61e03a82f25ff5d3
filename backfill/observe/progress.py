"""How far a stage is: counts, rate, bytes, errors by code, time left.

Never reads a clock of its own, never counts; the stages give totals, this shows them.
Law: rates and times left come from the last minute of totals, so they follow what happens now.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from backfill.ports import ProgressCounts

WINDOW_S: Final = 60.0
"""A minute: shorter and the rate jumps with every large object, longer and it hides a stall."""
SAMPLES_MAX: Final = 128
SAMPLE_GAP_S: Final = WINDOW_S / 100
ERRORS_SHOWN_MAX: Final = 5

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressView:
    """What there is to show. Rates and `eta_s` are None until two moments can be compared."""

    counts: ProgressCounts
    elapsed_s: float
    rate_per_s: float | None
    bytes_per_s: float | None
    eta_s: float | None

    def fields(self) -> dict[str, object]:
        """Return the fields of a log line; what is unknown is left out."""
        counts = self.counts
        fields: dict[str, object | None] = {
            "done": counts.done,
            "total": counts.total,
            "bytes_done": counts.bytes_done or None,
            "bytes_total": counts.bytes_total,
            "elapsed_s": round(self.elapsed_s, 1),
            "rate_per_s": _rounded(self.rate_per_s),
            "bytes_per_s": _rounded(self.bytes_per_s) if counts.bytes_done else None,
            "eta_s": _rounded(self.eta_s),
            "waiting": counts.waiting or None,
            "waiting_since": counts.waiting_since and counts.waiting_since.isoformat(),
            "errors": dict(counts.errors) if counts.errors else None,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def sentence(self) -> str:
        """Return one line for a terminal, without the stage's name."""
        counts = self.counts
        of_total = f" of {counts.total:,}" if counts.total is not None else ""
        words = [f"{counts.done:,}{of_total}"]
        if counts.bytes_done:
            words.append(size(counts.bytes_done))
        if self.rate_per_s is not None:
            words.append(f"{self.rate_per_s:,.0f}/s")
        if self.bytes_per_s and counts.bytes_done:
            words.append(f"{size(round(self.bytes_per_s))}/s")
        if self.eta_s is not None:
            words.append(f"{duration(self.eta_s)} left")
        if counts.waiting_since is not None:
            since = f"{counts.waiting_since:%Y-%m-%d %H:%M} UTC"
            words.append(f"{counts.waiting:,} wait for their restore since {since}")
        if errors := _errors(counts.errors or {}):
            words.append(f"errors: {errors}")
        return " · ".join(words)


class ProgressMeter:
    """The recent totals of one stage, and the rates that follow from them."""

    def __init__(self, *, started_s: float) -> None:
        self._started_s = started_s
        self._samples: deque[tuple[float, int, int]] = deque(maxlen=SAMPLES_MAX)

    def view(self, counts: ProgressCounts, *, now_s: float) -> ProgressView:
        """Take totals at a moment of the monotonic clock and return what they show."""
        while len(self._samples) > 1 and now_s - self._samples[0][0] > WINDOW_S:
            self._samples.popleft()
        first_s, first_done, first_bytes = (
            self._samples[0] if self._samples else (now_s, counts.done, counts.bytes_done)
        )
        if not self._samples or now_s - self._samples[-1][0] >= SAMPLE_GAP_S:
            self._samples.append((now_s, counts.done, counts.bytes_done))
        span_s = now_s - first_s
        rate = (counts.done - first_done) / span_s if span_s > 0 else None
        return ProgressView(
            counts=counts,
            elapsed_s=now_s - self._started_s,
            rate_per_s=rate,
            bytes_per_s=(counts.bytes_done - first_bytes) / span_s if span_s > 0 else None,
            eta_s=_eta_s(counts, rate),
        )


def _eta_s(counts: ProgressCounts, rate_per_s: float | None) -> float | None:
    if counts.total is None or not rate_per_s or rate_per_s < 0:
        return None
    return max(0, counts.total - counts.done) / rate_per_s


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 1)


def _errors(errors: Mapping[str, int]) -> str:
    ranked = sorted(errors.items(), key=lambda item: (-item[1], item[0]))
    words = [f"{code} {count:,}" for code, count in ranked[:ERRORS_SHOWN_MAX]]
    if rest := sum(count for _, count in ranked[ERRORS_SHOWN_MAX:]):
        words.append(f"others {rest:,}")
    return ", ".join(words)


def size(size_bytes: int) -> str:
    """Return bytes as a person reads them: 1536 → 1.5 KiB."""
    power = min((max(size_bytes, 1).bit_length() - 1) // 10, len(_UNITS) - 1)
    number = size_bytes / 1024**power
    return f"{number:.0f} {_UNITS[power]}" if power == 0 else f"{number:.1f} {_UNITS[power]}"


def duration(duration_s: float) -> str:
    """Return seconds as a person reads them: 3725 → 1 h 02 min."""
    seconds = round(duration_s)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02} s"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02} min"
    return f"{seconds // 86400} days {seconds % 86400 // 3600} h"
