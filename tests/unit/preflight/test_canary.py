"""A canary's ends: arrived, altered, failed, skipped, late, unwritable, unreadable."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any, cast

import pytest

from backfill.errors import Disposition, StoreFault
from backfill.model.attributes import (
    ContentHeaders,
    Encryption,
    EncryptionKind,
    ObjectHead,
    Pairs,
    ReplicationStatus,
)
from backfill.model.jobs import Uploaded
from backfill.model.objects import ETag, VersionId
from backfill.model.places import BucketPlace
from backfill.ports import Event, Events, ObjectStore, ProgressCounts
from backfill.preflight.canary import BODY, CanaryPorts, send_canaries
from backfill.preflight.canary_plan import Canary, canaries
from backfill.preflight.catalogue import findings_of
from backfill.preflight.findings import Finding, Verdict
from tests.unit.preflight.scenery import Scenery, rule

TIMEOUT_S = 60.0


def fault(code: str, status: int, disposition: Disposition = Disposition.FAIL) -> StoreFault:
    return StoreFault(operation="X", code=code, status=status, disposition=disposition)


@dataclass
class Ticking:
    """Port Clock whose only movement is waiting."""

    elapsed_s: float = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 23, tzinfo=UTC)

    def monotonic_s(self) -> float:
        return self.elapsed_s

    async def sleep(self, duration_s: float) -> None:
        self.elapsed_s += duration_s


@dataclass
class Silent:
    """Port Events that keeps what it is told."""

    told: list[Event] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        self.told.append(event)

    def progress(self, counts: ProgressCounts) -> None:
        assert counts.done > 0


@dataclass
class World:
    """A source that a canary is put into, and a destination that shows it after some looks."""

    status: ReplicationStatus = ReplicationStatus.COMPLETED
    arrives_after: int | None = 2
    write: StoreFault | None = None
    is_written_all_the_same: bool = False
    body: bytes = BODY
    tags_there: Pairs | None = None
    storage_class: str = "STANDARD"
    key: str = ""
    tags: Pairs = ()
    never_at: str = ""
    looks: int = 0
    writes: int = 0

    async def put_canary(
        self, place: BucketPlace, key: str, body: bytes, *, tags: Pairs, metadata: Mapping[str, str]
    ) -> Uploaded:
        assert place.bucket == "from"
        assert body == BODY
        assert metadata
        if self.write is not None and not self.is_written_all_the_same:
            raise self.write
        self.key, self.tags, self.writes = key, tags, self.writes + 1
        if self.write is not None:
            raise self.write
        return Uploaded(etag=ETag("e"), version_id="v1")

    async def head_object(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> ObjectHead:
        assert (key, version_id) in {(self.key, "v1"), (self.key, None)}
        if place.bucket == "from":
            pending = self.arrives_after is not None and self.looks <= self.arrives_after
            status = ReplicationStatus.PENDING if pending else self.status
            return self._head(status)
        self.looks += 1
        is_under_way = self.arrives_after is None or self.looks <= self.arrives_after
        if is_under_way or place.bucket == self.never_at:
            raise fault("404", 404)
        return self._head(ReplicationStatus.REPLICA)._replace(storage_class=self.storage_class)

    def _head(self, status: ReplicationStatus) -> ObjectHead:
        return ObjectHead(
            version_id=VersionId("v1"),
            etag=ETag("e"),
            size_bytes=len(BODY),
            last_modified=datetime(2026, 11, 23, tzinfo=UTC),
            storage_class="STANDARD",
            metadata=(),
            content_headers=ContentHeaders(),
            tag_count=0,
            checksums=(),
            encryption=Encryption(kind=EncryptionKind.SSE_S3),
            replication_status=status,
        )

    async def get_object_tagging(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> Pairs:
        assert (key, version_id) == (self.key, "v1")
        return self.tags if place.bucket == "from" or self.tags_there is None else self.tags_there

    async def read_object(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> AsyncIterator[bytes]:
        assert (place.bucket, key, version_id) == ("to", self.key, "v1")
        yield self.body


async def flown(there: Scenery, world: World, events: Silent | None = None) -> list[Finding]:
    seen = await there.seen()
    ports = CanaryPorts(
        writer=world,
        source=cast("ObjectStore", world),
        destination=cast("ObjectStore", world),
        clock=Ticking(),
        random=Random(1),
        events=cast("Events", events or Silent()),
    )
    return [*await send_canaries(seen, findings_of(seen), ports, timeout_s=TIMEOUT_S)]


async def sent(world: World, **of_rule: Any) -> tuple[Finding, Silent]:
    there, events = Scenery(), Silent()
    there.rules(rule(**of_rule))
    (finding,) = await flown(there, world, events)
    return finding, events


async def test_one_that_arrives_is_ok_and_says_what_it_left() -> None:
    """If this fails, green has no proof, or a person does not know what lies in the bucket."""
    world = World()
    finding, events = await sent(world)
    assert finding.verdict is Verdict.OK
    assert world.key.startswith("backfill-canary/")
    assert sum("left behind" in line for line in finding.evidence) == 2
    assert [event.name for event in events.told] == ["preflight.canary_written"]


ENDS: dict[str, tuple[World, Verdict, str]] = {
    "other bytes": (World(body=b"other"), Verdict.WARNING, "bytes"),
    "another class": (World(storage_class="GLACIER_IR"), Verdict.WARNING, "storage-class"),
    "failed": (
        World(status=ReplicationStatus.FAILED, arrives_after=None),
        Verdict.BLOCKER,
        "FAILED",
    ),
    "skipped": (
        World(status=ReplicationStatus.NONE, arrives_after=None),
        Verdict.BLOCKER,
        "no replication status",
    ),
    "late": (
        World(status=ReplicationStatus.PENDING, arrives_after=None),
        Verdict.CANNOT_TELL,
        "under way",
    ),
    "completed, and nobody sees it": (World(arrives_after=None), Verdict.WARNING, "cannot be read"),
    "may not be written": (
        World(write=fault("AccessDenied", 403)),
        Verdict.CANNOT_TELL,
        "AccessDenied",
    ),
    "answer lost, written all the same": (
        World(write=fault("Cut", 0, Disposition.SETTLE), is_written_all_the_same=True),
        Verdict.OK,
        "arrived",
    ),
}


@pytest.mark.parametrize("end", ENDS)
async def test_each_end_has_its_verdict(end: str) -> None:
    """If this fails, a canary that died is called alive, or the other way round."""
    world, verdict, words = ENDS[end]
    finding, _ = await sent(world)
    assert finding.verdict is verdict, finding
    assert words in finding.what


async def test_a_canary_has_the_rules_prefix_and_tags() -> None:
    """If this fails, it is sent where no rule looks."""
    world = World(tags_there=())
    tag = {"Key": "keep", "Value": "yes"}
    off = {"Status": "Disabled"}
    finding, _ = await sent(
        world,
        Filter={"And": {"Prefix": "logs/", "Tags": [tag]}},
        DeleteMarkerReplication=off,
    )
    assert world.key.startswith("logs/backfill-canary/")
    assert world.tags == (("keep", "yes"),)
    assert "tags" in finding.what, "and those that are lost are missed"


async def test_where_no_rule_can_be_tried_nothing_is_written() -> None:
    """If this fails, an object is left where replication was never asked for."""
    world = World()
    finding, events = await sent(world, Filter={"Prefix": "p" * 1020})
    assert finding.verdict is Verdict.CANNOT_TELL
    assert world.key == ""
    assert events.told == []


def two_destinations(**of_second: Any) -> Scenery:
    there = Scenery()
    there.world.add_bucket("too", "2" * 12, "eu-west-1")
    there.regions["too"] = "eu-west-1"
    second = {"Bucket": "arn:aws:s3:::too", "Account": "2" * 12}
    there.rules(rule(), rule(ID="second", Priority=2, Destination=second, **of_second))
    return there


async def test_one_canary_tries_every_destination_whose_rules_take_it() -> None:
    """If this fails, each destination gets the replicas of all canaries."""
    planned = [*canaries(await two_destinations().seen(), "name")]
    assert [canary.reaches for canary in planned if isinstance(canary, Canary)] == [("to", "too")]


async def test_a_canary_that_another_rule_takes_too_says_so() -> None:
    """If this fails, replicas of a canary are left in buckets that no finding names."""
    seen = await two_destinations(Filter={"Prefix": "logs/"}).seen()
    planned = [each for each in canaries(seen, "name") if isinstance(each, Canary)]
    assert [each.reaches for each in planned] == [("to",), ("to", "too")]
    assert [len(each.landings) for each in planned] == [1, 1]


async def test_a_sound_destination_is_ok_beside_one_that_fails() -> None:
    """If this fails, the sound one is a blocker, and what lies in it is not named."""
    there = two_destinations()
    world = World(status=ReplicationStatus.FAILED, arrives_after=0, never_at="too")
    told = {each.subject: each for each in await flown(there, world)}
    assert told["to"].verdict is Verdict.OK
    assert told["too"].verdict is Verdict.BLOCKER
    for finding in told.values():
        left = [line for line in finding.evidence if line.startswith("left behind: s3://")]
        assert [line.split("/")[2] for line in left] == ["from", "to"]
    assert world.writes == 1


async def test_a_replica_has_arrived_while_others_are_under_way() -> None:
    """If this fails, a destination waits for another one's replica until the time is over."""
    world = World(status=ReplicationStatus.PENDING, arrives_after=0, never_at="too")
    told = {each.subject: each.verdict for each in await flown(two_destinations(), world)}
    assert told == {"to": Verdict.OK, "too": Verdict.CANNOT_TELL}


@pytest.mark.parametrize(("arrives_after", "expected"), [(0, Verdict.OK), (None, Verdict.BLOCKER)])
async def test_a_failed_sum_is_a_failure_only_where_nothing_arrived(
    arrives_after: int | None, expected: Verdict
) -> None:
    """If this fails, a sound destination is a blocker because another one failed."""
    world = World(status=ReplicationStatus.FAILED, arrives_after=arrives_after)
    finding, _ = await sent(world)
    assert finding.verdict is expected
