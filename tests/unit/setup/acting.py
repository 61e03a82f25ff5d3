"""Two accounts in memory, a full spec, and what carries a set-up out in them."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from backfill.model.accounts import BucketDocument
from backfill.ports import Event, ProgressCounts
from backfill.setup.desired import wanted_of
from backfill.setup.parsing import spec_of
from backfill.setup.record import DOCUMENT, Record, record_of
from backfill.setup.run import Hands
from backfill.setup.spec import Ground, ground_of
from backfill.setup.wanted import Wanted
from tests.doubles.accounts import Accounts, MemoryAccount
from tests.doubles.memory_artifacts import MemoryArtifacts

SOURCE, DESTINATION = "111111111111", "222222222222"
SOURCE_KEY = f"arn:aws:kms:us-east-1:{SOURCE}:key/1111"
DESTINATION_KEY = f"arn:aws:kms:eu-west-1:{DESTINATION}:key/2222"
QUEUE = f"arn:aws:sqs:us-east-1:{SOURCE}:events"
MADE_QUEUE = f"arn:aws:sqs:us-east-1:{SOURCE}:late-events"
ROLE = f"arn:aws:iam::{SOURCE}:role/service-role/backfill-photos-replicate"

DOCUMENT_OF_SPEC: dict[str, Any] = {
    "name": "photos",
    "source": {
        "bucket": "photos",
        "account": SOURCE,
        "region": "us-east-1",
        "kms-key-arns": [SOURCE_KEY],
        "object-lock": True,
    },
    "destination": [
        {
            "bucket": "archive",
            "account": DESTINATION,
            "region": "eu-west-1",
            "guard": True,
            "bucket-keys": True,
        }
    ],
    "rule": [
        {
            "name": "all",
            "kms-key-arn": DESTINATION_KEY,
            "time-control": True,
            "delete-markers": True,
        }
    ],
    "notification": [
        {"name": "failures", "arn": QUEUE, "events": ["failed"]},
        {"name": "late", "queue": "late-events", "events": ["missed-threshold"]},
    ],
    "batch": {"bucket": "photos-jobs"},
}

THEIR_STATEMENT = {
    "Sid": "Theirs",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": "arn:aws:s3:::archive/*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
THEIR_NOTIFICATION = {
    "Id": "theirs",
    "TopicArn": f"arn:aws:sns:us-east-1:{SOURCE}:uploads",
    "Events": ["s3:ObjectCreated:*"],
}


@dataclass
class InstantClock:
    """Sleeps in no time, and remembers how long."""

    slept_s: float = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 23, tzinfo=UTC)

    def monotonic_s(self) -> float:
        return self.slept_s

    async def sleep(self, duration_s: float) -> None:
        self.slept_s += duration_s


@dataclass
class Told:
    """Events that remembers."""

    emitted: list[Event] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        self.emitted.append(event)

    def progress(self, counts: ProgressCounts) -> None:
        raise AssertionError(counts)


@dataclass
class Scene:
    world: Accounts
    source: MemoryAccount
    destination: MemoryAccount
    records: MemoryArtifacts = field(default_factory=MemoryArtifacts)
    clock: InstantClock = field(default_factory=InstantClock)
    told: Told = field(default_factory=Told)

    def hands(self, *, only: str = "") -> Hands:
        return Hands(
            source=None if only == "destination" else self.source,
            destination=None if only == "source" else self.destination,
            records=self.records,
            clock=self.clock,
            events=self.told,
        )

    @property
    def record(self) -> Record:
        return record_of(self.records.documents[DOCUMENT])

    @property
    def written(self) -> list[str]:
        return [*self.source.written, *self.destination.written]


def scene_of(*, has_others: bool = False) -> Scene:
    """Two accounts with a bucket each, a key each and a queue; with documents of others, or not."""
    world = Accounts()
    world.add_bucket("photos", SOURCE, "us-east-1", versioning="")
    archive = world.add_bucket("archive", DESTINATION, "eu-west-1", versioning="")
    world.add_key(SOURCE_KEY)
    world.add_key(DESTINATION_KEY)
    world.event_destinations[QUEUE] = None
    if has_others:
        topic = THEIR_NOTIFICATION["TopicArn"]
        assert isinstance(topic, str)
        policy = {"Version": "2012-10-17", "Statement": [_sending(topic)]}
        world.event_destinations[topic] = json.dumps(policy)
        archive.documents[BucketDocument.POLICY] = {
            "Version": "2012-10-17",
            "Id": "policy-of-others",
            "Statement": [THEIR_STATEMENT],
        }
        world.buckets["photos"].documents[BucketDocument.NOTIFICATION] = {
            "TopicConfigurations": [THEIR_NOTIFICATION],
            "EventBridgeConfiguration": {},
        }
    source = world.account(SOURCE)
    return Scene(world, source, world.account(DESTINATION, region="eu-west-1"))


def _sending(arn: str) -> dict[str, object]:
    return {
        "Sid": "uploads",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": arn,
    }


def wanted(**changes: object) -> Wanted:
    """Return what the full spec wants, with some of its tables changed."""
    spec = spec_of({**DOCUMENT_OF_SPEC, **changes}, place="setup.toml")
    ground: Ground | None = ground_of(spec)
    assert ground is not None
    return wanted_of(spec, ground)
