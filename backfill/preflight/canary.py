"""Sends a canary through live replication: writes one small object, watches it arrive, compares.

Writes below a prefix of its own only, conditionally, and never deletes: it says what it leaves.
Law: a canary is found at the destination by its version ID, so no other object is taken for it.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from backfill.errors import Disposition, StoreFault
from backfill.events.runs import CanaryWritten
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
    Ended,
    Landing,
    Seen,
    canaries,
    canary_finding,
    differences,
    left_behind,
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
    """Send as few canaries as try every destination, all at once; tell how each of them ended."""
    source = place_of(seen.source)
    name = f"{ports.clock.now():%Y%m%dT%H%M%SZ}-{int(ports.random.random() * 16**8):08x}"
    planned = tuple(canaries(seen, name))
    if source is None:
        return tuple(each for each in planned if isinstance(each, Finding))
    places = {each.name: place for each in seen.destinations if (place := place_of(each))}
    flight = _Flight(source, places, findings, ports)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(flight.findings_of(each, timeout_s))
            for each in planned
            if isinstance(each, Canary)
        ]
    untried = (each for each in planned if isinstance(each, Finding))
    return (*(each for task in tasks for each in task.result()), *untried)


class _Flight:
    """What canaries fly over: the source, and the places where they are looked for."""

    def __init__(
        self,
        source: BucketPlace,
        places: Mapping[str, BucketPlace],
        findings: Findings,
        ports: CanaryPorts,
    ) -> None:
        self._source = source
        self._places = places
        self._findings = findings
        self._ports = ports

    async def findings_of(self, canary: Canary, timeout_s: float) -> tuple[Finding, ...]:
        """Write a canary, watch it at each of its destinations, and say how it ended there."""
        ports, source = self._ports, self._source.bucket
        try:
            version_id = await self._write(canary)
        except StoreFault as fault:
            what = f"the source identity cannot write a canary ({fault.code})"
            said = (f"{fault.operation}: {fault.code} {shown(fault.message)}".rstrip(),)
            buckets = (each.destination.bucket for each in canary.landings)
            return tuple(
                found(CHECK, Verdict.CANNOT_TELL, what, subject=bucket, evidence=said)
                for bucket in buckets
            )
        ports.events.emit(CanaryWritten(bucket=source, key=canary.key, version_id=version_id))
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._ended(canary, each, version_id, timeout_s))
                for each in canary.landings
            ]
        ends = [task.result() for task in tasks]
        lies_at = {
            name
            for name in canary.reaches
            if name in self._places
            and await self._head(ports.destination, self._places[name], canary.key, version_id)
        }
        left = left_behind(canary, version_id, source, lies_at)
        return tuple(canary_finding(ended, left, self._findings) for ended in ends)

    async def _ended(
        self, canary: Canary, landing: Landing, version_id: VersionId, timeout_s: float
    ) -> Ended:
        clock = self._ports.clock
        began_s = clock.monotonic_s()
        arrival = await self._watch(canary, landing, version_id, began_s + timeout_s)
        elapsed_s = clock.monotonic_s() - began_s
        has_arrived = arrival is Arrival.ARRIVED
        differing = await self._differing(canary, landing, version_id) if has_arrived else ()
        return Ended(landing=landing, arrival=arrival, elapsed_s=elapsed_s, differing=differing)

    async def _write(self, canary: Canary) -> VersionId:
        """Put the object; an answer that got lost is settled by looking for the random key."""
        ports = self._ports
        try:
            written = await ports.writer.put_canary(
                self._source, canary.key, BODY, tags=canary.tags, metadata=METADATA
            )
        except StoreFault as fault:
            if fault.disposition is not Disposition.SETTLE:
                raise
            return (await ports.source.head_object(self._source, canary.key)).version_id
        return VersionId(written.version_id or "null")

    async def _watch(
        self, canary: Canary, landing: Landing, version_id: VersionId, deadline_s: float
    ) -> Arrival:
        """Look until it is there, failed, was skipped, or the time is over.

        The source's status is the sum over all destinations (S3 User Guide: replication-status):
        a replica that lies there has arrived, and what others failed for may still be under way.
        """
        ports, key, looks = self._ports, canary.key, 0
        is_alone = len(canary.reaches) == 1
        while True:
            there = await self._head(ports.destination, landing.destination, key, version_id)
            here = await self._head(ports.source, self._source, key, version_id)
            status = here.replication_status if here is not None else ReplicationStatus.NONE
            is_replica = there is not None and there.replication_status is ReplicationStatus.REPLICA
            is_done = status is ReplicationStatus.COMPLETED
            if is_replica or (is_done and (there is not None or looks >= UNSEEN_LOOKS_MAX)):
                return Arrival.ARRIVED
            if status is ReplicationStatus.FAILED and (is_alone or looks >= UNSEEN_LOOKS_MAX):
                return Arrival.FAILED
            if status is ReplicationStatus.NONE and here is not None and looks > 0:
                return Arrival.SKIPPED
            if ports.clock.monotonic_s() >= deadline_s:
                return Arrival.ARRIVED if there is not None else Arrival.LATE
            looks += 1
            ports.events.progress(ProgressCounts(stage="preflight", done=looks))
            await ports.clock.sleep(LOOKS_GAP_S)

    async def _head(
        self, store: ObjectStore, place: BucketPlace, key: str, version_id: VersionId
    ) -> ObjectHead | None:
        try:
            return await store.head_object(place, key, version_id=version_id)
        except StoreFault:
            # Absent, or not yet to be seen: the deadline ends it either way.
            return None

    async def _differing(
        self, canary: Canary, landing: Landing, version_id: VersionId
    ) -> tuple[str, ...]:
        ports, key, there = self._ports, canary.key, landing.destination
        here = await self._head(ports.source, self._source, key, version_id)
        theirs = await self._head(ports.destination, there, key, version_id)
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
        return differences(landing, seen)
