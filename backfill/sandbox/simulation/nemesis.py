"""The nemesis: which request meets which fault, by seed, level and operation.

Decides only: whoever carries requests asks `strike` once for each and does what it says, at the
moments before and after the effect that each fault names. It knows operations by their S3 names.
Law: a fault that is drawn for a read never changes what is stored, because reads change nothing.

Rates follow the levels that FoundationDB's simulated S3 uses (light 5 %, medium 15 %, heavy 30 % of
requests), split over the kinds of fault by weight.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from random import Random


class Fault(StrEnum):
    """What befalls one request."""

    THROTTLE = "throttle"
    """503 SlowDown, before anything was done."""
    ERROR_BEFORE = "error before"
    """500 InternalError; nothing was done."""
    ERROR_AFTER = "error after"
    """500 InternalError; it was done all the same."""
    LOST_BEFORE = "lost before"
    """The connection breaks; nothing was done."""
    LOST_AFTER = "lost after"
    """The connection breaks; it was done, and the answer is lost."""
    DELAY = "delay"
    """The request, or its answer, is late."""
    CONFLICT = "conflict"
    """409 ConditionalRequestConflict: somebody writes the key at the same time."""
    DUPLICATE = "duplicate"
    """The request is delivered twice; the client gets the second answer."""
    EMPTY = "empty"
    """200 with an empty body; it was done, or not: the answer does not tell."""


IS_APPLIED = {
    Fault.ERROR_AFTER: True,
    Fault.LOST_AFTER: True,
    Fault.THROTTLE: False,
    Fault.ERROR_BEFORE: False,
    Fault.LOST_BEFORE: False,
    Fault.CONFLICT: False,
}
"""Whether the request takes effect, for faults that always have it one way."""

CONDITIONAL = frozenset({"CopyObject", "CompleteMultipartUpload", "DeleteObject"})
WRITES = CONDITIONAL | {"CreateMultipartUpload", "UploadPartCopy", "AbortMultipartUpload"}
JOB_WRITES = frozenset({"PutObject", "CreateJob", "UpdateJobStatus", "UpdateJobPriority"})
"""What S3 Batch Operations is given: manifests, and requests about jobs."""

_READ_WEIGHTS = {
    Fault.THROTTLE: 4,
    Fault.ERROR_BEFORE: 2,
    Fault.LOST_BEFORE: 2,
    Fault.DELAY: 4,
}
_WRITE_WEIGHTS = {
    Fault.THROTTLE: 3,
    Fault.ERROR_BEFORE: 1,
    Fault.ERROR_AFTER: 2,
    Fault.LOST_BEFORE: 1,
    Fault.LOST_AFTER: 3,
    Fault.DELAY: 3,
    Fault.EMPTY: 1,
}
_CONDITIONAL_WEIGHTS = {**_WRITE_WEIGHTS, Fault.CONFLICT: 2, Fault.DUPLICATE: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How often requests are struck."""

    name: str
    rate: float


CALM = Level(name="calm", rate=0.0)
LIGHT = Level(name="light", rate=0.05)
MEDIUM = Level(name="medium", rate=0.15)
HEAVY = Level(name="heavy", rate=0.30)
LEVELS = (CALM, LIGHT, MEDIUM, HEAVY)


class Nemesis:
    """Draws faults until it is told to stop. `struck` counts them by kind.

    Of `kept`, strikes numbered from 0 as they are drawn, no other ever happens; None: all happen.
    """

    def __init__(self, random: Random, level: Level, kept: Collection[int] | None = None) -> None:
        self._random = random
        self._kept = kept
        self.level = level
        self.is_active = True
        self.drawn = 0
        self.struck: Counter[Fault] = Counter()

    def stop(self) -> None:
        """Let every request pass from now on."""
        self.is_active = False

    def strike(self, operation: str, *, is_conditional: bool = True) -> Fault | None:
        """Return what befalls the next request of this operation; None: nothing does.

        A write without a precondition is never delivered twice: S3 would make two of it, and no
        client could prevent that.
        """
        if not self.is_active or self._random.random() >= self.level.rate:
            return None
        kinds, bounds = _table(operation, is_conditional=is_conditional)
        (fault,) = self._random.choices(kinds, cum_weights=bounds)
        self.drawn += 1
        if self._kept is not None and self.drawn - 1 not in self._kept:
            return None
        self.struck[fault] += 1
        return fault

    def is_applied(self, fault: Fault) -> bool:
        """Return whether a request that meets this fault takes effect."""
        known = IS_APPLIED.get(fault)
        if known is not None:
            return known
        return fault is not Fault.EMPTY or self._random.random() < 0.5


def _table(operation: str, *, is_conditional: bool) -> tuple[list[Fault], list[int]]:
    if operation not in WRITES | JOB_WRITES:
        return _TABLES["read"]
    may_be_guarded = operation in CONDITIONAL or operation == "PutObject"
    return _TABLES["conditional" if may_be_guarded and is_conditional else "write"]


_TABLES = {
    name: (list(weights), list(accumulate(weights.values())))
    for name, weights in {
        "read": _READ_WEIGHTS,
        "write": _WRITE_WEIGHTS,
        "conditional": _CONDITIONAL_WEIGHTS,
    }.items()
}
