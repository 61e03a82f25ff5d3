"""A source with two destinations in another account, and short ways to write rules."""

from datetime import UTC, datetime, timedelta
from random import Random

from backfill.sandbox.model.identities import AccessQuestion, Caller
from backfill.sandbox.model.model import S3Model
from backfill.sandbox.model.operations.buckets import (
    CreateBucketRequest,
    PutBucketReplicationRequest,
    PutBucketVersioningRequest,
)
from backfill.sandbox.model.operations.objects import (
    DeleteObjectRequest,
    PutObjectRequest,
    PutObjectTaggingRequest,
    ReadObjectRequest,
)
from backfill.sandbox.model.replication.settings import Placement, ReplicationSettings
from backfill.sandbox.model.values import SentChecksum, WrittenAttributes
from backfill.sandbox.model.versions import DeleteMarker, Entry, ObjectVersion

OWN, OTHER = "111111111111", "222222222222"
SOURCE, NEAR, FAR = "source", "near", "far"
LAG_S = 10.0
V2 = "<Priority>{0}</Priority><Filter>{1}</Filter>"
NO_MARKERS = "<DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication>"
MARKERS = "<DeleteMarkerReplication><Status>Enabled</Status></DeleteMarkerReplication>"
KMS = (
    "<SourceSelectionCriteria><SseKmsEncryptedObjects><Status>Enabled</Status>"
    "</SseKmsEncryptedObjects></SourceSelectionCriteria>"
)
REPLICA_KEY = f"arn:aws:kms:eu-west-1:{OTHER}:key/replica"
KEY = f"arn:aws:kms:us-east-1:{OWN}:key/source"
TO_KEY = (
    "<EncryptionConfiguration><ReplicaKmsKeyID>"
    f"{REPLICA_KEY}</ReplicaKmsKeyID></EncryptionConfiguration>"
)


def destination(bucket: str = NEAR, more: str = "") -> str:
    return f"<Destination><Bucket>arn:aws:s3:::{bucket}</Bucket>{more}</Destination>"


def rule(
    *,
    rule_id: str = "r",
    priority: int = 1,
    where: str = "",
    status: str = "Enabled",
    markers: str = NO_MARKERS,
    to: str | None = None,
    more: str = "",
) -> str:
    return (
        f"<Rule><ID>{rule_id}</ID>{V2.format(priority, where)}<Status>{status}</Status>"
        f"{markers}{more}{destination() if to is None else to}</Rule>"
    )


def configuration(*rules: str) -> str:
    body = "".join(rules)
    return (
        '<ReplicationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Role>arn:aws:iam::{OWN}:role/replication</Role>{body}</ReplicationConfiguration>"
    )


class Theatre:
    """The model with a clock that only the test moves."""

    def __init__(self, placement: Placement = Placement.ORIGINAL_TIME) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.denied: set[str] = set()
        self.own = Caller(account_id=OWN, arn=f"arn:aws:iam::{OWN}:root", region="us-east-1")
        other = Caller(account_id=OTHER, arn=f"arn:aws:iam::{OTHER}:root", region="eu-west-1")
        self.model = S3Model(
            now=lambda: self.now,
            random=Random(5),
            authorize=self._authorize,
            replication=ReplicationSettings(
                shortest_lag_s=LAG_S, longest_lag_s=LAG_S, placement=placement
            ),
        )
        self.model.create_bucket(self.own, CreateBucketRequest(bucket=SOURCE))
        for bucket in (NEAR, FAR):
            there = CreateBucketRequest(bucket=bucket, location="eu-west-1")
            self.model.create_bucket(other, there)
        for bucket in (SOURCE, NEAR, FAR):
            self.version(bucket, "Enabled")

    def _authorize(self, question: AccessQuestion) -> bool:
        return question.action not in self.denied

    def version(self, bucket: str, status: str) -> None:
        request = PutBucketVersioningRequest(bucket=bucket, status=status)
        self.model.put_bucket_versioning(self.own, request)

    def configure(self, *rules: str) -> None:
        document = configuration(*rules)
        request = PutBucketReplicationRequest(bucket=SOURCE, document=document)
        self.model.put_bucket_replication(self.own, request)

    def put(
        self, key: str = "k", body: bytes = b"body", bucket: str = SOURCE, **attributes: object
    ) -> str:
        self.now += timedelta(seconds=1)
        request = PutObjectRequest(
            bucket=bucket,
            key=key,
            body=body,
            checksum=SentChecksum(algorithm="CRC64NVME"),  # it may be locked
            attributes=WrittenAttributes(**attributes),  # type: ignore[arg-type] # a table's
        )
        version_id = self.model.put_object(self.own, request).version_id
        assert version_id is not None
        return version_id

    def delete(self, key: str = "k", version_id: str | None = None) -> None:
        self.now += timedelta(seconds=1)
        request = DeleteObjectRequest(bucket=SOURCE, key=key, version_id=version_id)
        self.model.delete_object(self.own, request)

    def tag(self, key: str, tags: tuple[tuple[str, str], ...]) -> None:
        request = PutObjectTaggingRequest(bucket=SOURCE, key=key, tags=tags)
        self.model.put_object_tagging(self.own, request)

    def wait(self, seconds: float = LAG_S) -> int:
        self.now += timedelta(seconds=seconds)
        return self.model.replication.advance(self.now)

    def status(self, key: str = "k", bucket: str = SOURCE) -> str | None:
        request = ReadObjectRequest(bucket=bucket, key=key)
        return self.model.head_object(self.own, request).replication_status

    def chain(self, bucket: str, key: str = "k") -> list[Entry]:
        """Oldest first."""
        return list(self.model.world.buckets[bucket].chain(key))

    def only(self, bucket: str, key: str = "k") -> ObjectVersion:
        (entry,) = self.chain(bucket, key)
        assert isinstance(entry, ObjectVersion)
        return entry

    def markers(self, bucket: str, key: str = "k") -> int:
        return sum(isinstance(entry, DeleteMarker) for entry in self.chain(bucket, key))
