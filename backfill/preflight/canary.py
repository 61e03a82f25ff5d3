"""Sends a canary through live replication: writes one small object, watches it arrive, compares.

Writes below a prefix of its own only, conditionally, and never deletes: it says what it leaves.
Law: a canary is found at the destination by its version ID, so no other object is taken for it.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from backfill.errors import Disposition, StoreFault
from backfill.events import CanaryWritten
from backfill.model.attributes import ObjectHead, ReplicationStatus
from backfill.model.objects import VersionId
from backfill.model.places import BucketPlace
from backfill.policies.quoting import shown
from backfill.ports import Clock, Events, ObjectStore, ProgressCounts, Random
from backfill.ports.canary import CanaryStore
from backfill.preflight.canary_plan import (
    CHECK,
    Arrival,
    Canary,
    Seen,
    canaries,
    canary_finding,
    differences,
)
from backfill.preflight.evidence import Gathered
from backfill.preflight.findings import Finding, Findings, Verdict, found
from backfill.preflight.permissions import place_of
from backfill.verify.fidelity import TagPair

LOOKS_GAP_S: Final = 2.0
"""Between two looks: most objects take seconds to minutes (S3 User Guide: replication)."""
UNSEEN_LOOKS_MAX: Final = 3
"""Looks after which a replica that S3 calls COMPLETED, and nobody here sees, may not be read."""
BODY: Final = b"A canary of backfill preflight: it may be deleted.\n"
METADATA: Final = {"backfill-canary": "preflight"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryPorts:
    """What a canary needs: who writes, both sides to look at, time and chance."""

    writer: CanaryStore
    source: ObjectStore
    destination: ObjectStore
    clock: Clock
    random: Random
    events: Events


async def send_canaries(
    seen: Gathered, findings: Findings, ports: CanaryPorts, *, timeout_s: float
) -> tuple[Finding, ...]:
    """Send one canary for each destination, all at once, and tell how each ended."""
    source = place_of(seen.source)
    name = f"{ports.clock.now():%Y%m%dT%H%M%SZ}-{int(ports.random.random() * 16**8):08x}"
    planned = tuple(canaries(seen, name))
    if source is None:
        return tuple(each for each in planned if isinstance(each, Finding))
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_Flight(each, source, findings, ports).finding(timeout_s))
            for each in planned
            if isinstance(each, Canary)
        ]
    untried = (each for each in planned if isinstance(each, Finding))
    return (*(task.result() for task in tasks), *untried)


class _Flight:
    """One canary on its way."""

    def __init__(
        self, canary: Canary, source: BucketPlace, findings: Findings, ports: CanaryPorts
    ) -> None:
        self._canary = canary
        self._source = source
        self._findings = findings
        self._ports = ports

    async def finding(self, timeout_s: float) -> Finding:
        """Write the canary, watch it, and say how it ended."""
        canary, ports = self._canary, self._ports
        try:
            version_id = await self._write()
        except StoreFault as fault:
            what = f"the source identity cannot write a canary ({fault.code})"
            subject = canary.destination.bucket
            said = f"{fault.operation}: {fault.code} {shown(fault.message)}".rstrip()
            return found(CHECK, Verdict.CANNOT_TELL, what, subject=subject, evidence=(said,))
        ports.events.emit(
            CanaryWritten(bucket=self._source.bucket, key=canary.key, version_id=version_id)
        )
        began_s = ports.clock.monotonic_s()
        arrival = await self._watch(version_id, began_s + timeout_s)
        elapsed_s = ports.clock.monotonic_s() - began_s
        differing = await self._differing(version_id) if arrival is Arrival.ARRIVED else ()
        return canary_finding(
            canary,
            version_id,
            arrival,
            elapsed_s=elapsed_s,
            differing=differing,
            findings=self._findings,
            source=self._source.bucket,
        )

    async def _write(self) -> VersionId:
        """Put the object; an answer that got lost is settled by looking for the random key."""
        canary, ports = self._canary, self._ports
        try:
            written = await ports.writer.put_canary(
                self._source, canary.key, BODY, tags=canary.tags, metadata=METADATA
            )
        except StoreFault as fault:
            if fault.disposition is not Disposition.SETTLE:
                raise
            return (await ports.source.head_object(self._source, canary.key)).version_id
        return VersionId(written.version_id or "null")

    async def _watch(self, version_id: VersionId, deadline_s: float) -> Arrival:
        """Look until it is there, failed, was skipped, or the time is over.

        The source's status is the sum over all destinations (S3 User Guide: replication-status).
        """
        ports, canary = self._ports, self._canary
        looks = 0
        while True:
            there = await self._head(ports.destination, canary.destination, version_id)
            here = await self._head(ports.source, self._source, version_id)
            status = here.replication_status if here is not None else ReplicationStatus.NONE
            is_done = status is ReplicationStatus.COMPLETED
            if is_done and (there is not None or looks >= UNSEEN_LOOKS_MAX):
                return Arrival.ARRIVED
            if status is ReplicationStatus.FAILED and there is not None:
                return Arrival.ARRIVED  # it failed for another destination
            if status is ReplicationStatus.FAILED and (
                not canary.others or looks >= UNSEEN_LOOKS_MAX
            ):
                return Arrival.FAILED
            if status is ReplicationStatus.NONE and here is not None and looks > 0:
                return Arrival.SKIPPED
            if ports.clock.monotonic_s() >= deadline_s:
                return Arrival.ARRIVED if there is not None else Arrival.LATE
            looks += 1
            ports.events.progress(ProgressCounts(stage="preflight", done=looks))
            await ports.clock.sleep(LOOKS_GAP_S)

    async def _head(
        self, store: ObjectStore, place: BucketPlace, version_id: VersionId
    ) -> ObjectHead | None:
        try:
            return await store.head_object(place, self._canary.key, version_id=version_id)
        except StoreFault:
            # Absent, or not yet to be seen: the deadline ends it either way.
            return None

    async def _differing(self, version_id: VersionId) -> tuple[str, ...]:
        ports, canary = self._ports, self._canary
        key, there = canary.key, canary.destination
        here = await self._head(ports.source, self._source, version_id)
        theirs = await self._head(ports.destination, there, version_id)
        if here is None or theirs is None:
            return ("it cannot be read there",)
        try:
            tags = TagPair(
                source=await ports.source.get_object_tagging(
                    self._source, key, version_id=version_id
                ),
                destination=await ports.destination.get_object_tagging(
                    there, key, version_id=version_id
                ),
            )
            chunks = ports.destination.read_object(there, key, version_id=version_id)
            is_same = b"".join([chunk async for chunk in chunks]) == BODY
        except StoreFault as fault:
            return (f"it cannot be read ({fault.operation}: {fault.code})",)
        seen = Seen(source=here, destination=theirs, tags=tags, is_same=is_same)
        return differences(canary, seen)
