"""Looks at the source for versions that events left open: has S3 delivered them meanwhile?

Never writes to a bucket. S3 sends no event when a failed version is brought over after all, so that
only the version's own replication status tells.
Law: COMPLETED settles (S3 says it once every destination has the version), and so does a version
that is gone; anything else leaves it open.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from backfill.errors import StoreFault
from backfill.model.attributes import ReplicationStatus
from backfill.model.places import BucketPlace
from backfill.ports import ObjectStore
from backfill.watch.ledger import Ledger
from backfill.watch.ledger_words import Finding
from backfill.watch.notices import Notice

LOOKS_MAX: Final = 1000
"""HeadObject requests of one look, $0.0004 together; what was looked at least often goes first."""
AT_ONCE: Final = 16
"""In flight: 1,000 within two seconds, far below S3's 5,500 a second for a prefix."""

_GONE: Final = frozenset({"NoSuchKey", "NoSuchVersion", "404"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """How many versions are settled now, and why looking ended early; empty if it did not."""

    arrived: int = 0
    gone: int = 0
    remark: str = ""


async def settle(ledger: Ledger, store: ObjectStore, source: BucketPlace) -> Settled:
    """Look at versions that stand open, and keep what was found."""
    waiting = ledger.unsettled(LOOKS_MAX)
    found: dict[Notice, Finding] = {}
    looked: list[Notice] = []
    denials: list[StoreFault] = []
    queue = iter(waiting)

    async def work() -> None:
        # One iterator among all workers: each takes the next version when it is free.
        for notice in queue:
            if denials:
                return
            try:
                finding = await _look(store, source, notice)
            except StoreFault as fault:
                if fault.status == 403:
                    denials.append(fault)
                    return
                finding = None
            looked.append(notice)
            if finding is not None:
                found[notice] = finding

    async with asyncio.TaskGroup() as tasks:
        for _ in range(min(AT_ONCE, len(waiting))):
            tasks.create_task(work())
    if looked:
        ledger.settle(found.items(), looked)
    return Settled(
        arrived=sum(finding is Finding.ARRIVED for finding in found.values()),
        gone=sum(finding is Finding.GONE for finding in found.values()),
        remark=_denied(source, denials[0]) if denials else "",
    )


async def _look(store: ObjectStore, source: BucketPlace, notice: Notice) -> Finding | None:
    try:
        head = await store.head_object(source, notice.key, version_id=notice.version_id)
    except StoreFault as fault:
        if fault.code in _GONE:
            return Finding.GONE
        raise
    is_there = head.replication_status is ReplicationStatus.COMPLETED
    return Finding.ARRIVED if is_there else None


def _denied(source: BucketPlace, fault: StoreFault) -> str:
    return (
        f"versions of {source.bucket} may not be looked at ({fault.code}), so one that was brought"
        " over since stays listed: allow s3:GetObject, s3:GetObjectVersion and s3:ListBucket there"
    )
