"""Two accounts' buckets on the sandbox with years behind them, small enough to run in seconds.

Never talks HTTP: history is written into the model, with the sandbox's clock moved to its era.
Law: `expected_decision` says what the plan must decide about each version of `write_everything`,
and was written down from S3's documentation, not from what the plan said.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from backfill.sandbox.model import raw_edits
from backfill.sandbox.model.errors import Pairs
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.operations.buckets import (
    BucketRequest,
    CreateBucketRequest,
    PutBucketPolicyRequest,
    PutBucketReplicationRequest,
    PutBucketVersioningRequest,
)
from backfill.sandbox.model.operations.copies import UploadPartRequest
from backfill.sandbox.model.operations.multipart import (
    CompletedPart,
    CompleteMultipartUploadRequest,
    CreateMultipartUploadRequest,
)
from backfill.sandbox.model.operations.objects import DeleteObjectRequest, PutObjectRequest
from backfill.sandbox.model.values import (
    ContentHeaders,
    RequestedEncryption,
    SentChecksum,
    WrittenAttributes,
)
from backfill.sandbox.service import DESTINATION, SOURCE, Account, Sandbox
from tests.doubles.own_eyes import Listed

SOURCE_KEY_ARN = "arn:aws:kms:us-east-1:111111111111:key/old-world-source"
REPLICA_KEY_ARN = "arn:aws:kms:eu-west-1:222222222222:key/old-world-replica"
COPY_BYTES_MAX = 6 * 1024 * 1024
"""The copy size limit of these worlds: above it objects go by parts."""
PART = b"0123456789abcdef" * (5 * 1024 * 1024 // 16)

HOSTILE_KEYS = (
    "hostile/a b+c%2Fd",
    "hostile//double//slash",
    "hostile/../../etc/passwd",
    "/leading",
    "hostile/new\nline",
    "hostile/tab\tand\x1b[31mred",
    "hostile/\x01\x02\x7f\r",
    "hostile/=HYPERLINK(1)",
    "=1+1",
    "+1",
    "-1",
    "@sum",
    "hostile/<script>alert(1)</script>",
    "hostile/\u202egnp.exe",
    "hostile/\U0001f600/\U0010ffff",
    "hostile/quote\"and'comma,",
    "hostile/&amp;",
    "hostile/" + "x" * 1_000,
    "hostile/e\u0301",
    "hostile/ trailing ",
    "hostile/back\\slash",
    "hostile/?query#fragment",
    "hostile/%",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A replication rule as its owner writes it. `is_v1`: in the schema without Filter."""

    to: str
    rule_id: str = "rule"
    prefix: str = ""
    tags: Pairs = ()
    priority: int = 1
    is_enabled: bool = True
    wants_markers: bool = False
    wants_kms: bool = True
    is_v1: bool = False

    def xml(self) -> str:
        """Return the Rule element."""
        status = "Enabled" if self.is_enabled else "Disabled"
        return f"<Rule><ID>{self.rule_id}</ID>{self._scope(status)}{self._destination()}</Rule>"

    def _scope(self, status: str) -> str:
        kms = (
            "<SourceSelectionCriteria><SseKmsEncryptedObjects><Status>Enabled</Status>"
            "</SseKmsEncryptedObjects></SourceSelectionCriteria>"
        )
        chosen = kms if self.wants_kms else ""
        prefix = f"<Prefix>{self.prefix}</Prefix>"
        if self.is_v1:
            return f"{prefix}<Status>{status}</Status>{chosen}"
        tags = "".join(f"<Tag><Key>{k}</Key><Value>{v}</Value></Tag>" for k, v in self.tags)
        inside = f"<And>{prefix}{tags}</And>" if tags else prefix
        markers = "Enabled" if self.wants_markers else "Disabled"
        return (
            f"<Priority>{self.priority}</Priority><Filter>{inside}</Filter>"
            f"<Status>{status}</Status>{chosen}"
            f"<DeleteMarkerReplication><Status>{markers}</Status></DeleteMarkerReplication>"
        )

    def _destination(self) -> str:
        key = (
            f"<EncryptionConfiguration><ReplicaKmsKeyID>{REPLICA_KEY_ARN}</ReplicaKmsKeyID>"
            "</EncryptionConfiguration>"
        )
        return (
            f"<Destination><Bucket>arn:aws:s3:::{self.to}</Bucket>"
            f"{key if self.wants_kms else ''}</Destination>"
        )


class OldWorld:
    """A source bucket of one account and a destination bucket of the other, both versioned.

    `is_open`: the source's policy lets the destination account read it for copies.
    """

    def __init__(self, sandbox: Sandbox, name: str, *, is_open: bool = True) -> None:
        self.sandbox = sandbox
        self.source = f"{name}-source"
        self.destination = f"{name}-destination"
        for arn in (SOURCE_KEY_ARN, REPLICA_KEY_ARN):
            sandbox.key_policies[arn] = _key_policy()
        with self.days_ago(400):
            self.make_bucket(SOURCE, self.source)
            self.make_bucket(DESTINATION, self.destination)
            self.allow_replicas(self.destination)
            if is_open:
                self.allow_copies(self.source, DESTINATION)

    # --- buckets ---

    def make_bucket(self, account: Account, bucket: str, *, versioning: str = "Enabled") -> None:
        """Make a bucket; an empty `versioning` leaves it without."""
        location = None if account.region == "us-east-1" else account.region
        with self.sandbox.held() as model:
            model.create_bucket(
                caller_of(account), CreateBucketRequest(bucket=bucket, location=location)
            )
        if versioning:
            self.set_versioning(account, bucket, versioning)

    def set_versioning(self, account: Account, bucket: str, status: str) -> None:
        """Switch a bucket's versioning."""
        with self.sandbox.held() as model:
            request = PutBucketVersioningRequest(bucket=bucket, status=status)
            model.put_bucket_versioning(caller_of(account), request)

    def allow_copies(self, bucket: str, reader: Account, *, owner: Account = SOURCE) -> None:
        """Let another account read a bucket's versions and tags: what copy workers need."""
        actions = ("GetObject", "GetObjectTagging", "GetObjectVersion", "GetObjectVersionTagging")
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": reader.root.arn},
            "Action": [f"s3:{action}" for action in actions],
            "Resource": f"arn:aws:s3:::{bucket}/*",
        }
        self.set_policy(owner, bucket, statement)

    def allow_replicas(self, bucket: str) -> None:
        """Let the source account's replication write a bucket."""
        actions = ("ReplicateObject", "ReplicateDelete", "ReplicateTags")
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": SOURCE.root.arn},
            "Action": [f"s3:{action}" for action in actions],
            "Resource": f"arn:aws:s3:::{bucket}/*",
        }
        self.set_policy(DESTINATION, bucket, statement)

    def set_policy(self, owner: Account, bucket: str, *statements: Mapping[str, object]) -> None:
        """Put a bucket policy."""
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        with self.sandbox.held() as model:
            request = PutBucketPolicyRequest(bucket=bucket, document=document)
            model.put_bucket_policy(caller_of(owner), request)

    def set_rules(self, *rules: Rule, bucket: str = "") -> None:
        """Put the source bucket's replication configuration, or another one's."""
        body = "".join(rule.xml() for rule in rules)
        document = (
            '<ReplicationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Role>{SOURCE.root.arn}</Role>{body}</ReplicationConfiguration>"
        )
        with self.sandbox.held() as model:
            request = PutBucketReplicationRequest(bucket=bucket or self.source, document=document)
            model.put_bucket_replication(caller_of(SOURCE), request)

    def drop_rules(self) -> None:
        """Take the replication configuration away."""
        with self.sandbox.held() as model:
            request = BucketRequest(bucket=self.source)
            model.delete_bucket_replication(caller_of(SOURCE), request)

    # --- objects ---

    @contextmanager
    def days_ago(self, days: float) -> Iterator[None]:
        """Let it be some days ago; replication that is due then has happened at the end."""
        clock = self.sandbox.clock
        with self.sandbox.held():
            earlier, clock.offset = clock.offset, timedelta(days=-days)
            try:
                yield
                self.sandbox.advance()
            finally:
                clock.offset = earlier

    def put(
        self,
        key: str,
        body: bytes | None = None,
        *,
        bucket: str = "",
        account: Account = SOURCE,
        tags: Pairs = (),
        storage_class: str | None = None,
        encryption: RequestedEncryption | None = None,
    ) -> str:
        """Write an object with metadata and content headers; return its version ID."""
        attributes = WrittenAttributes(
            content=ContentHeaders(content_type="text/x-old", cache_control="no-store"),
            metadata=(("origin", "old world"), ("key-length", str(len(key)))),
            tags=tags,
            storage_class=storage_class,
            encryption=encryption or RequestedEncryption(),
        )
        request = PutObjectRequest(
            bucket=bucket or self.source,
            key=key,
            body=content(key) if body is None else body,
            attributes=attributes,
        )
        with self.sandbox.held() as model:
            return model.put_object(caller_of(account), request).version_id or "null"

    def delete(self, key: str, *, bucket: str = "", account: Account = SOURCE) -> None:
        """Delete an object without a version ID: S3 writes a delete marker."""
        request = DeleteObjectRequest(bucket=bucket or self.source, key=key)
        with self.sandbox.held() as model:
            model.delete_object(caller_of(account), request)

    def upload(
        self,
        key: str,
        parts: Sequence[bytes],
        algorithm: str | None,
        *,
        encryption: RequestedEncryption | None = None,
    ) -> None:
        """Upload in parts; with an algorithm the checksum is COMPOSITE, else CRC64NVME."""
        caller = caller_of(SOURCE)
        with self.sandbox.held() as model:
            created = model.create_multipart_upload(
                caller,
                CreateMultipartUploadRequest(
                    bucket=self.source,
                    key=key,
                    attributes=WrittenAttributes(
                        metadata=(("parts", str(len(parts))),),
                        encryption=encryption or RequestedEncryption(),
                    ),
                    checksum_algorithm=algorithm,
                ),
            )
            done = []
            for number, part in enumerate(parts, 1):
                result = model.upload_part(
                    caller,
                    UploadPartRequest(
                        bucket=self.source,
                        key=key,
                        upload_id=created.upload_id,
                        part_number=number,
                        body=part,
                        checksum=SentChecksum(algorithm=algorithm) if algorithm else None,
                    ),
                )
                value = result.checksum.value if result.checksum else None
                sent = SentChecksum(algorithm=algorithm, value=value) if algorithm else None
                done.append(CompletedPart(number=number, etag=result.etag, checksum=sent))
            model.complete_multipart_upload(
                caller,
                CompleteMultipartUploadRequest(
                    bucket=self.source, key=key, upload_id=created.upload_id, parts=tuple(done)
                ),
            )


def content(key: str, edition: int = 0) -> bytes:
    """Return bytes that differ for every key and edition."""
    return sha256(f"{edition} {key}".encode()).digest() * 5 + f" edition {edition}".encode()


def caller_of(account: Account) -> Caller:
    """Return an account's root as the model knows callers."""
    return Caller(account_id=account.account_id, arn=account.root.arn, region=account.region)


KMS = RequestedEncryption(algorithm="aws:kms", kms_key_id=SOURCE_KEY_ARN)


def write_everything(world: OldWorld, *rules_of_today: Rule) -> None:
    """Write every kind of version that this tool claims to handle, then today's rules."""
    with world.days_ago(390):
        world.set_versioning(SOURCE, world.source, "Suspended")
        for number in range(5):
            world.put(f"legacy/{number}")
        with world.sandbox.held() as model:
            raw_edits.strip_checksum(model, world.source, "legacy/0")
        world.set_versioning(SOURCE, world.source, "Enabled")
    with world.days_ago(300):
        for number in range(12):
            world.put(f"logs/{number:02}")
        for number in range(6):
            world.put(f"tagged/{number}", tags=(("project", f"p{number % 2}"), ("note", "a b+/=é")))
        for number in range(3):
            world.put(f"secret/{number}", encryption=KMS)
            world.put(f"archive/{number}", storage_class="GLACIER")
        for key in HOSTILE_KEYS:
            world.put(key)
        world.upload("media/composite", (PART, PART[::-1], b"end"), "CRC32")
        world.upload("media/full-object", (PART, b"tail" * 400_000), None)
        world.upload("media/small", (PART, b"!"), "CRC32")
    with world.days_ago(290):
        for number in range(0, 12, 3):
            world.put(f"logs/{number:02}", content(f"logs/{number:02}", 1))
        for number in range(0, 12, 4):
            world.delete(f"logs/{number:02}")
        world.put("logs/08", content("logs/08", 2))
    with world.days_ago(200):
        world.set_rules(
            Rule(to=world.destination, rule_id="old", prefix="invoices/", wants_kms=False)
        )
        for number in range(8):
            world.put(f"invoices/{number}")
    with world.days_ago(100):
        world.drop_rules()
        world.put("invoices/1", content("invoices/1", 1))
        world.put("invoices/2", content("invoices/2", 1))
        world.delete("invoices/3")
    world.set_rules(*rules_of_today)


def expected_decision(entry: Listed) -> str:
    """Return the route or reason of a version of `write_everything`.

    Under one rule for every key, with KMS and delete markers.
    """
    folder, _, name = entry.key.rpartition("/")
    if folder == "invoices" and entry.size_bytes == len(content(entry.key)) and not entry.is_marker:
        is_first = name not in ("1", "2") or not entry.is_latest
        if is_first:
            return "already-replicated"
    if not entry.is_latest:
        return "noncurrent"
    if entry.is_marker:
        # What is visible there is hidden; onto an absent key no marker can be conditional.
        return "delete-marker" if folder == "invoices" else "marker-unconditional"
    if folder == "archive":
        return "archived"
    # Small uploads in parts go by parts as well: their copies prove themselves only so.
    is_large = entry.size_bytes > COPY_BYTES_MAX
    return "multipart-copy" if is_large or entry.key == "media/small" else "copy-object"


def _key_policy() -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": [SOURCE.root.arn, DESTINATION.root.arn]},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey", "kms:Encrypt"],
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
