"""The source account as watch sees it: its bucket's documents, a queue, metrics, versions' heads.

The queue is as strict as SQS where watch leans on it: a message that was received is invisible for
a while and then comes again, under a new receipt; a delete by an old receipt is taken and does
nothing; ten messages at most are given at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import cast

from backfill.errors import Disposition, StoreFault
from backfill.model.accounts import (
    BucketDocument,
    Datapoint,
    MetricQuery,
    QueueMessage,
    RawDocument,
)
from backfill.model.attributes import ObjectHead, ReplicationStatus
from backfill.model.objects import VersionId
from backfill.model.places import BucketPlace
from backfill.ports import ControlPlane, ObjectStore
from backfill.ports.accounts import AccountReader, Watching
from tests.doubles.replication_events import DESTINATION, QUEUE, SOURCE

NOW = datetime(2026, 11, 23, 3, 30, tzinfo=UTC)
OWNER = "111111111111"
DESTINATION_OWNER = "222222222222"
ROLE = f"arn:aws:iam::{OWNER}:role/service-role/replication"
REGIONS = {SOURCE: "us-east-1", DESTINATION: "eu-west-1"}
Dimensions = tuple[tuple[str, str], ...]


def fault(operation: str, code: str, status: int) -> StoreFault:
    return StoreFault(
        operation=operation, code=code, status=status, disposition=Disposition.FAIL, message="no"
    )


def rule(
    rule_id: str = "everything", *, is_enabled: bool = True, has_metrics: bool = True
) -> dict[str, object]:
    """Return a rule of a replication configuration as the SDK gives it."""
    destination: dict[str, object] = {"Bucket": f"arn:aws:s3:::{DESTINATION}"}
    if has_metrics:
        destination["Metrics"] = {"Status": "Enabled"}
    return {
        "ID": rule_id,
        "Priority": 1 if rule_id == "everything" else 2,
        "Filter": {},
        "Status": "Enabled" if is_enabled else "Disabled",
        "DeleteMarkerReplication": {"Status": "Enabled"},
        "Destination": destination,
    }


def queue_notification(*events: str, arn: str = QUEUE) -> dict[str, object]:
    """Return a notification configuration as the SDK gives it."""
    return {"QueueConfigurations": [{"Id": "q", "QueueArn": arn, "Events": list(events)}]}


@dataclass
class Message:
    body: str
    visible_at: datetime
    receipt: str = ""


@dataclass
class WatchedAccount:
    """ControlPlane, AccountReader, ObjectStore and Watching of the source's identity."""

    rules: list[dict[str, object]] | None = field(default_factory=lambda: [rule()])
    notification: Mapping[str, object] | None = field(
        default_factory=lambda: queue_notification("s3:Replication:*")
    )
    now: datetime = NOW
    visibility: timedelta = timedelta(seconds=30)
    messages: list[Message] = field(default_factory=list)
    points: dict[tuple[str, str, Dimensions], list[Datapoint]] = field(default_factory=dict)
    statuses: dict[tuple[str, str], ReplicationStatus | StoreFault] = field(default_factory=dict)
    """Of versions at the source, by key and version ID; one that is not there is FAILED."""
    faults: dict[str, StoreFault] = field(default_factory=dict)
    """By operation: what it fails with from now on."""
    before_delete: Callable[[], None] = lambda: None
    heads: list[str] = field(default_factory=list)
    receipts: "count[int]" = field(default_factory=count)

    @property
    def control(self) -> ControlPlane:
        return cast("ControlPlane", self)

    @property
    def destination_control(self) -> ControlPlane:
        return cast("ControlPlane", _DestinationIdentity(self))

    @property
    def accounts(self) -> AccountReader:
        return cast("AccountReader", self)

    @property
    def store(self) -> ObjectStore:
        return cast("ObjectStore", self)

    @property
    def watching(self) -> Watching:
        return self

    def send(self, *bodies: str) -> None:
        self.messages += [Message(body, self.now) for body in bodies]

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def publish(self, name: str, *values: float, region: str, rule_id: str = "everything") -> None:
        """Publish a metric's values, one a minute, the newest a minute ago."""
        dimensions = (
            ("SourceBucket", SOURCE),
            ("DestinationBucket", DESTINATION),
            ("RuleId", rule_id),
        )
        first = self.now - timedelta(minutes=len(values))
        self.points[region, name, dimensions] = [
            Datapoint(at=first + timedelta(minutes=at), value=value)
            for at, value in enumerate(values)
        ]

    # --- ports ---

    async def account_id(self) -> str:
        return OWNER

    async def bucket_region(self, bucket: str) -> str:
        self._refuse("HeadBucket")
        return REGIONS[bucket]

    async def replication_configuration(
        self, bucket: str, expected_owner: str | None
    ) -> Mapping[str, object] | None:
        assert (bucket, expected_owner) == (SOURCE, OWNER)
        return None if self.rules is None else {"Role": ROLE, "Rules": self.rules}

    async def bucket_document(
        self, place: BucketPlace, document: BucketDocument
    ) -> RawDocument | None:
        assert document is BucketDocument.NOTIFICATION
        assert (place.bucket, place.expected_owner) == (SOURCE, OWNER)
        self._refuse("GetBucketNotificationConfiguration")
        if self.notification is None:
            return None
        return RawDocument(text="", fields=self.notification)

    async def head_object(
        self, place: BucketPlace, key: str, *, version_id: VersionId
    ) -> ObjectHead:
        assert place.bucket == SOURCE
        self._refuse("HeadObject")
        self.heads.append(key)
        status = self.statuses.get((key, version_id), ReplicationStatus.FAILED)
        if isinstance(status, StoreFault):
            raise status
        # Nothing but the status may be looked at: all else is not there.
        return cast("ObjectHead", _HeadOf(status))

    async def metric(
        self, query: MetricQuery, *, start: datetime, end: datetime
    ) -> Sequence[Datapoint]:
        self._refuse("GetMetricData")
        expected = "Sum" if query.name == "OperationsFailedReplication" else "Maximum"
        assert query.statistic == expected, "another statistic means nothing"
        points = self.points.get((query.region, query.name, query.dimensions), [])
        return [point for point in points if start <= point.at < end]

    async def receive(self, queue_arn: str, *, wait_s: int) -> Sequence[QueueMessage]:
        assert 0 < wait_s <= 20, "a short poll may miss what is there"
        self._refuse("ReceiveMessage")
        if queue_arn != QUEUE:
            raise fault("GetQueueUrl", "AWS.SimpleQueueService.NonExistentQueue", 400)
        given = [message for message in self.messages if message.visible_at <= self.now][:10]
        for message in given:
            message.visible_at = self.now + self.visibility
            message.receipt = f"receipt-{next(self.receipts)}"
        return [QueueMessage(body=m.body, receipt=m.receipt) for m in given]

    async def delete(self, queue_arn: str, messages: Sequence[QueueMessage]) -> None:
        assert queue_arn == QUEUE, "messages came from there"
        self.before_delete()
        self._refuse("DeleteMessageBatch")
        gone = {message.receipt for message in messages}
        self.messages = [m for m in self.messages if m.receipt not in gone]

    def _refuse(self, operation: str) -> None:
        if operation in self.faults:
            raise self.faults[operation]


@dataclass(frozen=True, slots=True)
class _DestinationIdentity:
    """ControlPlane of the destination's identity."""

    account: WatchedAccount

    async def account_id(self) -> str:
        return DESTINATION_OWNER

    async def require_owner(self, place: BucketPlace) -> None:
        assert place.expected_owner == DESTINATION_OWNER
        self.account._refuse("RequireOwner")


@dataclass(frozen=True, slots=True)
class _HeadOf:
    replication_status: ReplicationStatus
