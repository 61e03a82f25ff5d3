"""The rules of the lease, given what was observed: who may take it, who may still act.

No clock is compared with another machine's. A contender believes that a holder is gone when the
head lay unchanged for a whole lease by the contender's own monotonic clock, or when S3's own clock
says that it was written two leases ago (the second one is for S3's clocks among themselves). A
holder stops acting half a lease after it sent the last renewal that succeeded, by a clock that runs
on while the machine sleeps.
Never reads a clock, never sends anything.
Law: between the last act of a holder and the first of its successor lies half a lease.
"""

import enum
from dataclasses import dataclass, replace
from typing import Final

from backfill.model.objects import ETag
from backfill.run_directory.on_s3.head import CatalogueRef, Head

RENEWALS_IN_A_LEASE: Final = 6
"""So that two renewals may fail before the holder has to pause."""
LOOKS_IN_A_LEASE: Final = 12
"""Of a contender: it sees each renewal, and learns of a live holder within a sixth of a lease."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a contender saw: the head, its ETag, how old S3 says that it is, and when it looked."""

    head: Head
    etag: ETag
    age_s: float | None
    at_s: float


class Standing(enum.Enum):
    """How the lease stands for a contender."""

    FREE = "free"
    """It may be taken now, on condition that the head is as it was seen."""
    UNKNOWN = "unknown"
    """Its holder may live: look again."""
    HELD = "held"
    """Its holder lives."""


def standing(first: Observation | None, now: Observation | None) -> Standing:
    """Return how the lease stands after a look; `first` is the first look of this contender.

    Either is None where there was no head.
    """
    if now is None:
        return Standing.FREE
    if now.head.is_released:
        return Standing.FREE
    if first is not None and first.etag != now.etag:
        return Standing.HELD
    if now.age_s is not None and now.age_s >= 2 * now.head.lease_s:
        return Standing.FREE
    watched_s = now.at_s - first.at_s if first is not None else 0.0
    return Standing.FREE if watched_s >= now.head.lease_s else Standing.UNKNOWN


def taken_head(seen: Head | None, *, nonce: str, holder: str, lease_s: float) -> Head:
    """Return the head with which a contender becomes the holder."""
    return Head(
        fence=seen.fence + 1 if seen is not None else 1,
        beat=seen.beat + 1 if seen is not None else 1,
        nonce=nonce,
        holder=holder,
        lease_s=lease_s,
        is_released=False,
        catalogue=seen.catalogue if seen is not None else None,
    )


def next_head(
    head: Head, *, beat: int, catalogue: CatalogueRef | None = None, is_released: bool = False
) -> Head:
    """Return what a holder writes next: a renewal, with a newer catalogue if there is one.

    No two writes that a holder tries have one `beat`.
    """
    assert beat > head.beat, "no two versions of a head are alike"
    if catalogue is not None and head.catalogue is not None:
        assert catalogue.number > head.catalogue.number, "a catalogue never goes backwards"
    return replace(
        head,
        beat=beat,
        catalogue=catalogue or head.catalogue,
        is_released=is_released,
    )


def acts_until_s(sent_at_s: float, lease_s: float) -> float:
    """Return until when a holder may act whose last successful renewal was sent then."""
    return sent_at_s + lease_s / 2


def renewal_pause_s(lease_s: float) -> float:
    """Return the pause between two renewals."""
    return lease_s / RENEWALS_IN_A_LEASE


def look_pause_s(lease_s: float) -> float:
    """Return the pause between two looks of a contender."""
    return lease_s / LOOKS_IN_A_LEASE
