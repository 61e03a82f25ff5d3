"""Rows of the plan artefact, and the cells that the manifest's rows share with them.

Never decodes a key: it is stored as it was listed, and JSON's escapes keep it inert.
Law: `entry_of(row_of(entry)) == entry`.

| column | meaning |
| --- | --- |
| number | the row's place in the plan, from 0 |
| key, version_id, is_delete_marker, is_latest | the source version, as listed |
| last_modified | UTC, ISO 8601 |
| etag, size_bytes | null and 0 for a delete marker |
| destination | indexes the destinations of the plan's header |
| route, reason | one of them is set, the other null |
| detail | one more sentence, often empty |
| rule_id | the rule that won; empty when none did |
| storage_class | what the destination version shall have; empty without a route |
| encryption, kms_key_arn, is_bucket_key_enabled | null: destination's default; SSE-C: key's MD5 |
| precondition | `*`: only onto an absent key; an ETag: only over it; null: none |
| seen_version_id, seen_is_delete_marker, seen_etag | current at the destination; null: absent |
| has_other_writers, replicates_delete_markers | as the live rules and the winning rule say |
| handling | the sum of `routes.Handling`; 0 for nearly all |
| source_look | see `entries`; null: none |
"""

from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final, cast

from backfill.model.attributes import Encryption, EncryptionKind
from backfill.model.objects import ETag, VersionId
from backfill.model.rows import Row, Scalar
from backfill.model.store import IfAbsent, IfReplaces, Precondition
from backfill.plan.entries import DestinationSeen, PlanEntry, assert_lawful
from backfill.plan.routes import HANDLINGS, Reason, Route

COLUMNS: Final = (
    "number",
    "key",
    "version_id",
    "is_delete_marker",
    "is_latest",
    "last_modified",
    "etag",
    "size_bytes",
    "destination",
    "route",
    "reason",
    "detail",
    "rule_id",
    "storage_class",
    "encryption",
    "kms_key_arn",
    "is_bucket_key_enabled",
    "precondition",
    "seen_version_id",
    "seen_is_delete_marker",
    "seen_etag",
    "has_other_writers",
    "replicates_delete_markers",
    "handling",
    "source_look",
)

_ABSENT = "*"
"""No ETag is `*`: S3's own word in If-None-Match for any version at all."""

EncryptionCells = tuple[str | None, str | None, bool]
_ROUTES: Final = {route.value: route for route in Route}
_REASONS: Final = {reason.value: reason for reason in Reason}
"""By value: calling the enumeration takes ten times as long."""
_IF_ABSENT: Final = IfAbsent()
_TWO_DIGITS: Final = tuple(f"{number:02}" for number in range(60))
DAYS_MAX: Final = 4096
"""Days whose spelling is kept: eleven years of them."""
ENCRYPTIONS_MAX: Final = 1024
"""Encryptions of decoded rows that are kept: of a plan there are as many as keys of KMS."""

_Cells = tuple[
    int, str, VersionId, bool, bool, str, ETag | None, int, int, str | None, str | None,
    str, str, str, str | None, str | None, bool, str | None,
    VersionId | None, bool, ETag | None, bool, bool, int, str | None,
]  # fmt: skip


def encryption_cells(encryption: Encryption | None) -> EncryptionCells:
    """Return the three cells of an encryption; the first is null where there is none."""
    if encryption is None:
        return None, None, False
    is_customers = encryption.kind is EncryptionKind.SSE_C
    which_key = encryption.customer_key_md5 if is_customers else encryption.kms_key_arn
    return encryption.kind.value, which_key, encryption.is_bucket_key_enabled


@lru_cache(maxsize=ENCRYPTIONS_MAX)
def encryption_of(cells: EncryptionCells) -> Encryption | None:
    """Return the encryption that `encryption_cells` was given."""
    kind, kms_key_arn, is_bucket_key_enabled = cells
    if kind is None:
        return None
    if kind == EncryptionKind.SSE_C:
        return Encryption(kind=EncryptionKind.SSE_C, customer_key_md5=kms_key_arn)
    return Encryption(
        kind=EncryptionKind(kind),
        kms_key_arn=kms_key_arn,
        is_bucket_key_enabled=is_bucket_key_enabled,
    )


def precondition_cell(precondition: Precondition | None) -> str | None:
    """Return a precondition's cell."""
    match precondition:
        case None:
            return None
        case IfAbsent():
            return _ABSENT
        case IfReplaces(etag=etag):
            assert etag != _ABSENT, "no ETag is a star"
            return etag


def precondition_of(cell: str | None) -> Precondition | None:
    """Return the precondition that `precondition_cell` was given."""
    if cell is None:
        return None
    return _IF_ABSENT if cell == _ABSENT else IfReplaces(etag=ETag(cell))


def time_cell(moment: datetime) -> str:
    """Return a time's cell, its ISO format in UTC; it must be aware of its time zone."""
    assert moment.tzinfo is not None, "times are aware"
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    if moment.microsecond:
        return moment.isoformat()
    # S3's times have whole seconds, and put together they take a quarter of `isoformat`.
    two = _TWO_DIGITS
    day = _day(moment.toordinal())
    return f"{day}T{two[moment.hour]}:{two[moment.minute]}:{two[moment.second]}+00:00"


@lru_cache(maxsize=DAYS_MAX)
def _day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()


def row_of(entry: PlanEntry) -> Row:
    """Return the row of an entry."""
    assert_lawful(entry)
    seen = entry.seen
    return (
        entry.number,
        entry.key,
        entry.version_id,
        entry.is_delete_marker,
        entry.is_latest,
        time_cell(entry.last_modified),
        entry.etag,
        entry.size_bytes,
        entry.destination,
        entry.route,
        entry.reason,
        entry.detail,
        entry.rule_id,
        entry.storage_class,
        *encryption_cells(entry.encryption),
        precondition_cell(entry.precondition),
        seen.version_id if seen else None,
        seen.is_delete_marker if seen else False,
        seen.etag if seen else None,
        entry.has_other_writers,
        entry.replicates_delete_markers,
        int(entry.handling),
        entry.source_look,
    )


def entry_of(row: list[Scalar]) -> PlanEntry:
    """Return the entry of a row that `row_of` made."""
    # The artefact's digest and columns vouch for the cells' types; a check of each would cost
    # more than all the rest of reading.
    (
        number, key, version_id, is_delete_marker, is_latest, modified, etag, size_bytes,
        destination, route, reason, detail, rule_id, storage_class,
        kind, kms_key_arn, is_bucket_key_enabled, precondition,
        seen_version_id, seen_is_delete_marker, seen_etag,
        has_other_writers, replicates_delete_markers, handling, source_look,
    ) = cast("_Cells", row)  # fmt: skip
    return PlanEntry(  # by position: twice as fast
        number,
        key,
        version_id,
        is_delete_marker,
        is_latest,
        datetime.fromisoformat(modified),
        etag,
        size_bytes,
        destination,
        None if route is None else _ROUTES[route],
        None if reason is None else _REASONS[reason],
        detail,
        rule_id,
        storage_class,
        None if kind is None else encryption_of((kind, kms_key_arn, is_bucket_key_enabled)),
        None if precondition is None else precondition_of(precondition),
        None
        if seen_version_id is None
        else DestinationSeen(seen_version_id, seen_is_delete_marker, seen_etag),
        has_other_writers,
        replicates_delete_markers,
        HANDLINGS[handling],
        source_look,
    )
