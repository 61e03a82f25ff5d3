"""Archives of S3: what lies in one, how far its restore is, and what retrieving it costs.

Never asks S3 and reads no clock. Prices are an estimate for a person, and no decision.
Law: what cannot be told to be readable now is archived.

Sources: S3 User Guide archived-objects, restoring-objects and restoring-objects-retrieval-options;
S3 API RestoreObject and HeadObject (x-amz-restore, x-amz-archive-status); Amazon S3 pricing.
"""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from backfill.model.attributes import ObjectHead


class Archive(enum.StrEnum):
    """Where an archived version lies: a storage class, or a tier of INTELLIGENT_TIERING."""

    GLACIER = "GLACIER"
    DEEP_ARCHIVE = "DEEP_ARCHIVE"
    ARCHIVE_ACCESS = "ARCHIVE_ACCESS"
    DEEP_ARCHIVE_ACCESS = "DEEP_ARCHIVE_ACCESS"


CLASSES: Final = frozenset({Archive.GLACIER, Archive.DEEP_ARCHIVE})
"""A restore makes a copy beside the archived version, for days; from a tier it comes back."""
_DEEP: Final = frozenset({Archive.DEEP_ARCHIVE, Archive.DEEP_ARCHIVE_ACCESS})
_EXPEDITED: Final = "Expedited"
_BY_NAME: Final = {archive.value: archive for archive in Archive}
_RESTORE: Final = re.compile(r'ongoing-request="(true|false)"(?:,\s*expiry-date="([^"]*)")?')


class Access(enum.Enum):
    """Whether the bytes of a version can be read."""

    READABLE = "readable"
    RESTORING = "restoring"
    ARCHIVED = "archived"


def archive_of(head: ObjectHead) -> Archive | None:
    """Return where a version lies archived, restored or not; None: it never has to be restored."""
    if head.archive_status:
        return _BY_NAME.get(head.archive_status, Archive.DEEP_ARCHIVE_ACCESS)
    archive = _BY_NAME.get(head.storage_class)
    return archive if archive in CLASSES else None


def has_tier(archive: Archive, tier: str) -> bool:
    """Return whether there is such a retrieval: deep archives have no Expedited one."""
    return tier != _EXPEDITED or archive not in _DEEP


def access_to(head: ObjectHead, now: datetime) -> Access:
    """Return whether a version can be read now, by its HEAD."""
    if archive_of(head) is None:
        return Access.READABLE
    found = _RESTORE.search(head.restore or "")
    if found is None:
        return Access.ARCHIVED
    if found[1] == "true":
        return Access.RESTORING
    expires_at = expiry_of(head)
    return Access.READABLE if expires_at is not None and now < expires_at else Access.ARCHIVED


def expiry_of(head: ObjectHead) -> datetime | None:
    """Return when the restored copy of a version goes away; None: there is none, or none told."""
    found = _RESTORE.search(head.restore or "")
    try:
        return parsedate_to_datetime(found[2]) if found and found[2] else None
    except ValueError:
        return None


# --- what it costs ---

PRICES_AS_OF: Final = "May 2026, US East (N. Virginia)"
_GB: Final = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Of one kind of retrieval, in US dollars."""

    thousand_requests: float
    gigabyte: float


_FREE: Final = Price(thousand_requests=0.0, gigabyte=0.0)
_PRICES: Final = {
    (Archive.GLACIER, "Bulk"): _FREE,
    (Archive.GLACIER, "Standard"): Price(thousand_requests=0.05, gigabyte=0.01),
    (Archive.GLACIER, _EXPEDITED): Price(thousand_requests=10.0, gigabyte=0.03),
    (Archive.DEEP_ARCHIVE, "Bulk"): Price(thousand_requests=0.025, gigabyte=0.0025),
    (Archive.DEEP_ARCHIVE, "Standard"): Price(thousand_requests=0.10, gigabyte=0.02),
    (Archive.ARCHIVE_ACCESS, "Bulk"): _FREE,
    (Archive.ARCHIVE_ACCESS, "Standard"): _FREE,
    (Archive.ARCHIVE_ACCESS, _EXPEDITED): Price(thousand_requests=10.0, gigabyte=0.03),
    (Archive.DEEP_ARCHIVE_ACCESS, "Bulk"): _FREE,
    (Archive.DEEP_ARCHIVE_ACCESS, "Standard"): _FREE,
}
_STANDARD_GB_DAY: Final = 0.023 / 30
"""The copy beside an archive class is billed as S3 Standard storage while it stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """How much of one archive, in restores and in bytes of their versions."""

    restores: int = 0
    size_bytes: int = 0

    def __add__(self, other: "Retrieved") -> "Retrieved":
        return Retrieved(
            restores=self.restores + other.restores, size_bytes=self.size_bytes + other.size_bytes
        )


NOTHING: Final = Retrieved()


def retrieval_usd(amounts: Mapping[Archive, Retrieved], tier: str) -> float:
    """Return what requests and retrievals of a tier cost, by the prices as of `PRICES_AS_OF`."""
    return sum(
        price.thousand_requests * amount.restores / 1000 + price.gigabyte * amount.size_bytes / _GB
        for archive, amount in amounts.items()
        for price in [_PRICES.get((archive, tier), _FREE)]
    )


def copies_usd_a_day(amounts: Mapping[Archive, Retrieved]) -> float:
    """Return what the restored copies cost each day that they stay."""
    kept = sum(amount.size_bytes for archive, amount in amounts.items() if archive in CLASSES)
    return kept / _GB * _STANDARD_GB_DAY


def readable_usd(amount_usd: float) -> str:
    """Return an amount as a person reads it; what is less than a cent is not called nothing."""
    return "less than 0.01 USD" if 0 < amount_usd < 0.01 else f"{amount_usd:,.2f} USD"
