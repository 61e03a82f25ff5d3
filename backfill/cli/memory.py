"""What a command makes of the memory that it is given: says so, refuses too little, warns in time.

Never measures or decides what is needed: `observe.memory` and `settings` do.
Law: a run that cannot fit is refused before it begins, with limits that would.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from backfill.errors import UsageError
from backfill.events.runs import MemoryGiven, MemoryHigh
from backfill.observe.memory import MemoryLimit, memory_limit, resident_bytes
from backfill.ports import Event
from backfill.settings import MIB, Settings, memory_needed_bytes

HIGH_SHARE: Final = 0.9
"""Share of the limit from which a person should know."""


def refused_or_given(settings: Settings) -> MemoryGiven:
    """Return what the log says of the memory of a run.

    Raises:
        UsageError: These limits need more than there is.
    """
    limit, needed_bytes = memory_limit(settings.memory_bytes_max), memory_needed_bytes(settings)
    if limit is not None and limit.size_bytes < needed_bytes:
        raise UsageError(
            f"{_mib(limit.size_bytes)} of memory ({limit.told_by}) are too little: these limits"
            f" need {_mib(needed_bytes)}",
            hint=_hint(settings, limit, needed_bytes),
        )
    return MemoryGiven(
        limit_bytes=limit.size_bytes if limit is not None else None,
        told_by=limit.told_by if limit is not None else "",
        needed_bytes=needed_bytes,
    )


def _hint(settings: Settings, limit: MemoryLimit, needed_bytes: int) -> str:
    more = f"give it {_mib(needed_bytes)}"
    smaller = settings
    while memory_needed_bytes(smaller) > limit.size_bytes:
        if smaller.concurrency == smaller.listing_concurrency == smaller.processes == 1:
            return f"{more}, or at least {_mib(memory_needed_bytes(smaller))} with limits of 1"
        smaller = replace(
            smaller,
            concurrency=max(1, smaller.concurrency // 2),
            listing_concurrency=max(1, smaller.listing_concurrency // 2),
            processes=max(1, smaller.processes // 2),
        )
    return (
        f"{more}, or use --listing-concurrency {smaller.listing_concurrency}"
        f" --concurrency {smaller.concurrency} --processes {smaller.processes}"
    )


def watched(given: MemoryGiven, emit: Callable[[Event], None]) -> Callable[[], None]:
    """Return what looks at the process's memory, and warns once when it is nearly all."""
    is_told = False

    def look() -> None:
        nonlocal is_told
        if given.limit_bytes is None or is_told:
            return
        held_bytes = resident_bytes()
        if held_bytes > HIGH_SHARE * given.limit_bytes:
            is_told = True
            hint = "the same command resumes with a smaller --listing-concurrency or --concurrency"
            emit(MemoryHigh(resident_bytes=held_bytes, limit_bytes=given.limit_bytes, hint=hint))

    return look


def _mib(size_bytes: int) -> str:
    return f"{-(-size_bytes // MIB)} MiB"
