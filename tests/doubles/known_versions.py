"""A store that can only be read, over versions given beforehand, and counts what it is asked.

It answers HEAD, tags and ACL per (bucket, key, version ID); what is not there is a 404, and a
refusal given for a version is raised as the store port does.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import cast

from backfill.errors import Disposition, StoreFault
from backfill.model.attributes import ObjectHead, Pairs
from backfill.model.objects import VersionId
from backfill.model.places import BucketPlace
from backfill.model.store import Grant, ObjectAcl
from backfill.ports import Event, ObjectStore, ProgressCounts

OWNER = "source-owner"
"""Canonical user ID of whoever owns all versions here."""
Name = tuple[str, str, str]
"""Bucket, key, version ID."""


def fault(code: str, status: int, operation: str = "HeadObject") -> StoreFault:
    disposition = Disposition.SKIP if status == 404 else Disposition.FAIL
    if status in (0, 500, 503):
        disposition = Disposition.RETRY
    return StoreFault(operation=operation, code=code, status=status, disposition=disposition)


@dataclass(slots=True, kw_only=True)
class KnownVersions:
    heads: dict[Name, ObjectHead | StoreFault] = field(default_factory=dict)
    tags: dict[Name, Pairs | StoreFault] = field(default_factory=dict)
    other_acls: set[Name] = field(default_factory=set)
    acl_refusals: dict[Name, StoreFault] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    in_flight_most: int = 0

    @property
    def port(self) -> ObjectStore:
        # Whoever calls another operation than those below fails with an AttributeError.
        return cast("ObjectStore", self)

    async def _count(self, operation: str, key: str) -> None:
        self.asked[operation] += 1
        self.in_flight += 1
        self.in_flight_most = max(self.in_flight_most, self.in_flight)
        # Answers overtake each other, so that only a planner that keeps order writes rows in order.
        for _ in range(sum(key.encode()) % 7):
            await asyncio.sleep(0)
        self.in_flight -= 1

    async def head_object(
        self,
        place: BucketPlace,
        key: str,
        *,
        version_id: VersionId | None = None,
        part_number: int | None = None,
    ) -> ObjectHead:
        assert version_id is not None, "a plan reads pinned versions"
        assert part_number is None, "a plan reads no parts"
        await self._count(f"head {place.bucket}", key)
        answer = self.heads.get((place.bucket, key, version_id), fault("NoSuchVersion", 404))
        if isinstance(answer, StoreFault):
            raise answer
        return answer

    async def get_object_tagging(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> Pairs:
        assert version_id is not None, "a plan reads pinned versions"
        await self._count(f"tags {place.bucket}", key)
        answer = self.tags.get((place.bucket, key, version_id), ())
        if isinstance(answer, StoreFault):
            raise answer
        return answer

    async def object_acl(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> ObjectAcl:
        assert version_id is not None, "a plan reads pinned versions"
        await self._count(f"acl {place.bucket}", key)
        if (place.bucket, key, version_id) in self.acl_refusals:
            raise self.acl_refusals[place.bucket, key, version_id]
        own = Grant("FULL_CONTROL", "id", OWNER)
        if (place.bucket, key, version_id) in self.other_acls:
            return ObjectAcl(OWNER, (own, Grant("READ", "id", "somebody")))
        return ObjectAcl(OWNER, (own,))


@dataclass(slots=True, kw_only=True)
class HeardEvents:
    """Events as they came, each with how many requests had been sent by then."""

    store: KnownVersions
    heard: list[tuple[Event, int]] = field(default_factory=list)
    counts: list[ProgressCounts] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        self.heard.append((event, self.store.asked.total()))

    def progress(self, counts: ProgressCounts) -> None:
        self.counts.append(counts)
