"""The years before replication: what the demo's source bucket holds when it is set up.

Never talks HTTP: it writes into the sandbox's model as its two accounts, moving the sandbox's clock
through the eras, so that years pass in a second.
Law: every kind of object and key that S3 allows and this tool claims to handle is in here.
"""

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from backfill.cli.demo.permissions import destination_policy, key_policy, source_policy
from backfill.sandbox.model import raw_edits
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.model import S3Model
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

SOURCE_BUCKET = "demo-source"
DESTINATION_BUCKET = "demo-destination"
OLD_DESTINATION_BUCKET = "demo-old-destination"
BATCH_BUCKET = "demo-batch"
"""For manifests and completion reports: the source account's, beside the source bucket."""
SOURCE_KEY_ARN = "arn:aws:kms:us-east-1:111111111111:key/demo-source"
REPLICA_KEY_ARN = "arn:aws:kms:eu-west-1:222222222222:key/demo-replica"
MULTIPART_COPY_ABOVE_BYTES = 8 * 1024 * 1024
"""The demo's copy size limit, so that a few megabytes show what 5 GB would."""
DELETED_FOR_GOOD = tuple(f"invoices/{number:03}.pdf" for number in range(2, 80, 20))
"""Replicas that somebody deleted at the destination by their version ID: S3 never brings such a
version back."""
COPIED_BY_HAND = tuple(f"logs/{number:04}.json" for number in range(105, 113))
"""Keys of which somebody put an old version at the destination by hand: what is current there is
no replica, and no job may bring history in around it."""
_BY_HAND_GENERATION = 1
_GENERATIONS = 4
_LOGS = 120
ORDERS = 120

PART = b"0123456789abcdef" * (5 * 1024 * 1024 // 16)
HOSTILE_KEYS = (
    "hostile/a b+c%2Fd",
    "hostile//double//slash",
    "hostile/../../etc/passwd",
    "hostile/./dot",
    "/leading",
    "hostile/new\nline",
    "hostile/tab\tand\x1b[31mred",
    "hostile/\x01\x02\x7f",
    "hostile/=HYPERLINK(1)",
    "=1+1",
    "-1",
    "@sum",
    "hostile/<script>alert(1)</script>",
    "hostile/\u202egnp.exe",
    "hostile/\U0001f600/\U0010ffff",
    "hostile/quote\"and'comma,",
    "hostile/&amp;",
    "hostile/" + "x" * 1_000,
    "hostile/é",
    "hostile/e\u0301",
    "hostile/ trailing ",
    "hostile/back\\slash",
    "hostile/?query#fragment",
    "hostile/%",
    "\U0010ffff",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the history holds, for the narration."""

    versions: int
    delete_markers: int
    keys: int


def write_history(sandbox: Sandbox) -> Told:
    """Fill the source bucket era by era, until the day when replication shall be switched on."""
    sandbox.key_policies[SOURCE_KEY_ARN] = key_policy(SOURCE, DESTINATION)
    sandbox.key_policies[REPLICA_KEY_ARN] = key_policy(DESTINATION)
    with sandbox.held() as model:
        pen = _Pen(sandbox, model)
        _before_versioning(pen)
        _years_without_a_rule(pen)
        _under_an_earlier_rule(pen)
        _after_that_rule(pen)
        _at_the_destination(pen)
        sandbox.clock.offset = timedelta()
        entries = list(raw_edits.snapshot(model, SOURCE_BUCKET))
        markers = sum(not hasattr(entry, "etag") for entry in entries)
        keys = len({entry.key for entry in entries})
        return Told(versions=len(entries) - markers, delete_markers=markers, keys=keys)


class _Pen:
    """Writes as the source account."""

    def __init__(self, sandbox: Sandbox, model: S3Model) -> None:
        self._sandbox = sandbox
        self.model = model
        self.caller = _caller(SOURCE)

    def days_ago(self, days: float) -> None:
        self._sandbox.clock.offset = timedelta(days=-days)

    def put(self, key: str, body: bytes, attributes: WrittenAttributes | None = None) -> None:
        request = PutObjectRequest(
            bucket=SOURCE_BUCKET,
            key=key,
            body=body,
            attributes=attributes or _plain(key),
        )
        self.model.put_object(self.caller, request)

    def delete(self, key: str) -> None:
        self.model.delete_object(self.caller, DeleteObjectRequest(bucket=SOURCE_BUCKET, key=key))

    def upload(self, key: str, parts: tuple[bytes, ...], algorithm: str | None) -> None:
        """Upload in parts; with CRC32 the checksum is COMPOSITE, without a name CRC64NVME."""
        created = self.model.create_multipart_upload(
            self.caller,
            CreateMultipartUploadRequest(
                bucket=SOURCE_BUCKET,
                key=key,
                attributes=_plain(key),
                checksum_algorithm=algorithm,
            ),
        )
        done = []
        for number, part in enumerate(parts, 1):
            sent = SentChecksum(algorithm=algorithm) if algorithm else None
            result = self.model.upload_part(
                self.caller,
                UploadPartRequest(
                    bucket=SOURCE_BUCKET,
                    key=key,
                    upload_id=created.upload_id,
                    part_number=number,
                    body=part,
                    checksum=sent,
                ),
            )
            checksum = (
                SentChecksum(algorithm=algorithm, value=result.checksum.value)
                if algorithm and result.checksum
                else None
            )
            done.append(CompletedPart(number=number, etag=result.etag, checksum=checksum))
        self.model.complete_multipart_upload(
            self.caller,
            CompleteMultipartUploadRequest(
                bucket=SOURCE_BUCKET, key=key, upload_id=created.upload_id, parts=tuple(done)
            ),
        )

    def switch_replication_on(self, document: str) -> None:
        request = PutBucketReplicationRequest(bucket=SOURCE_BUCKET, document=document)
        self.model.put_bucket_replication(self.caller, request)

    def replicate(self) -> None:
        self._sandbox.advance()


def _before_versioning(pen: _Pen) -> None:
    """Null versions, written before anybody thought of versioning; some have no checksum."""
    pen.days_ago(400)
    for account, bucket in (
        (SOURCE, SOURCE_BUCKET),
        (DESTINATION, DESTINATION_BUCKET),
        (DESTINATION, OLD_DESTINATION_BUCKET),
    ):
        request = CreateBucketRequest(bucket=bucket, location=_location(account))
        pen.model.create_bucket(_caller(account), request)
    for number in range(60):
        pen.put(f"legacy/{number:03}.dat", _bytes("legacy", number))
    for number in range(20):
        raw_edits.strip_checksum(pen.model, SOURCE_BUCKET, f"legacy/{number:03}.dat")
    for account, bucket in (
        (SOURCE, SOURCE_BUCKET),
        (DESTINATION, DESTINATION_BUCKET),
        (DESTINATION, OLD_DESTINATION_BUCKET),
    ):
        enable = PutBucketVersioningRequest(bucket=bucket, status="Enabled")
        pen.model.put_bucket_versioning(_caller(account), enable)
    policy = PutBucketPolicyRequest(bucket=SOURCE_BUCKET, document=source_policy(SOURCE_BUCKET))
    pen.model.put_bucket_policy(_caller(SOURCE), policy)
    for bucket in (DESTINATION_BUCKET, OLD_DESTINATION_BUCKET):
        request_policy = PutBucketPolicyRequest(bucket=bucket, document=destination_policy(bucket))
        pen.model.put_bucket_policy(_caller(DESTINATION), request_policy)


def _years_without_a_rule(pen: _Pen) -> None:
    """Everything that years bring: overwrites, deletions, tags, KMS, parts, archives, odd keys."""
    for generation in range(_GENERATIONS):
        pen.days_ago(300 - generation)
        for number in range(_LOGS):
            pen.put(f"logs/{number:04}.json", _log(generation, number))
    for number in range(0, _LOGS, 13):
        pen.delete(f"logs/{number:04}.json")
    for number in range(0, _LOGS, 26):
        pen.put(f"logs/{number:04}.json", _bytes("back again", number))
    for number in range(40):
        tags = (("project", f"p{number % 7}"), ("note", "a b+c/d=é"))
        pen.put(f"tagged/{number:03}", _bytes("tagged", number), WrittenAttributes(tags=tags))
    encrypted = RequestedEncryption(algorithm="aws:kms", kms_key_id=SOURCE_KEY_ARN)
    for number in range(30):
        attributes = WrittenAttributes(encryption=encrypted, metadata=(("owner", "tax"),))
        pen.put(f"secret/{number:03}", _bytes("secret", number), attributes)
    for number in range(25):
        attributes = WrittenAttributes(storage_class="GLACIER")
        pen.put(f"archive/{number:03}", _bytes("archive", number), attributes)
    for number, key in enumerate(HOSTILE_KEYS):
        pen.put(key, _bytes("hostile", number))
    pen.upload("media/composite.bin", (PART, PART[::-1], b"end"), "CRC32")
    pen.upload("media/full-object.bin", (PART, b"tail" * 1_000_000), None)
    pen.upload("media/small.bin", (PART, b"!"), "CRC32")


def _under_an_earlier_rule(pen: _Pen) -> None:
    """A rule of old: reports went to a bucket nobody uses now, invoices to today's."""
    pen.days_ago(200)
    pen.switch_replication_on(
        _configuration(
            _rule("old-reports", 1, "reports/", OLD_DESTINATION_BUCKET),
            _rule("old-invoices", 2, "invoices/", DESTINATION_BUCKET),
        )
    )
    for number in range(80):
        pen.put(f"reports/{number:03}.pdf", _bytes("report", number))
        pen.put(f"invoices/{number:03}.pdf", _bytes("invoice", number))
    pen.days_ago(199)
    pen.replicate()


def _after_that_rule(pen: _Pen) -> None:
    """The rule went; invoices were changed and deleted meanwhile, and orders came."""
    pen.days_ago(100)
    pen.model.delete_bucket_replication(pen.caller, BucketRequest(bucket=SOURCE_BUCKET))
    for number in range(0, 80, 5):
        pen.put(f"invoices/{number:03}.pdf", _bytes("corrected invoice", number))
    for number in range(1, 80, 10):
        pen.delete(f"invoices/{number:03}.pdf")
    for number in range(ORDERS):
        pen.put(f"orders/{number:04}.xml", _bytes("order", number))
    for number in range(ORDERS):
        pen.put(f"orders/{number:04}.xml", _bytes("changed order", number))


def _at_the_destination(pen: _Pen) -> None:
    """Well-meant work at the destination, of which today's rule knows nothing."""
    pen.days_ago(50)
    destination = _caller(DESTINATION)
    for key in DELETED_FOR_GOOD:
        (replica,) = raw_edits.bucket_of(pen.model, DESTINATION_BUCKET).chain(key)
        request = DeleteObjectRequest(
            bucket=DESTINATION_BUCKET, key=key, version_id=replica.version_id
        )
        pen.model.delete_object(destination, request)
    for key in COPIED_BY_HAND:
        body = _log(_BY_HAND_GENERATION, int(key[5:9]))
        put = PutObjectRequest(bucket=DESTINATION_BUCKET, key=key, body=body)
        pen.model.put_object(destination, put)


def _plain(key: str) -> WrittenAttributes:
    return WrittenAttributes(
        content=ContentHeaders(content_type="application/octet-stream", cache_control="no-store"),
        metadata=(("name-length", str(len(key))), ("origin", "demo")),
    )


def _bytes(kind: str, number: int) -> bytes:
    return f"{kind} {number}\n".encode() + sha256(f"{kind}{number}".encode()).digest() * 4


def _log(generation: int, number: int) -> bytes:
    return _bytes(f"generation {generation}", number)


def _caller(account: Account) -> Caller:
    return Caller(account_id=account.account_id, arn=account.root.arn, region=account.region)


def _location(account: Account) -> str | None:
    return None if account.region == "us-east-1" else account.region


def _configuration(*rules: str) -> str:
    return (
        '<ReplicationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Role>{SOURCE.root.arn}</Role>{''.join(rules)}</ReplicationConfiguration>"
    )


def _rule(rule_id: str, priority: int, prefix: str, bucket: str) -> str:
    return (
        f"<Rule><ID>{rule_id}</ID><Priority>{priority}</Priority>"
        f"<Filter><Prefix>{prefix}</Prefix></Filter><Status>Enabled</Status>"
        "<SourceSelectionCriteria><SseKmsEncryptedObjects><Status>Enabled</Status>"
        "</SseKmsEncryptedObjects></SourceSelectionCriteria>"
        "<DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication>"
        f"<Destination><Bucket>arn:aws:s3:::{bucket}</Bucket><EncryptionConfiguration>"
        f"<ReplicaKmsKeyID>{REPLICA_KEY_ARN}</ReplicaKmsKeyID></EncryptionConfiguration>"
        "</Destination></Rule>"
    )
