"""Two accounts with real policies: a role that may do just enough, and ways to take it away."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.operations.buckets import (
    CreateBucketRequest,
    PutBucketPolicyRequest,
    PutBucketReplicationRequest,
    PutBucketVersioningRequest,
)
from backfill.sandbox.model.operations.objects import DeleteObjectRequest, PutObjectRequest
from backfill.sandbox.model.replication.obstacles import obstacle
from backfill.sandbox.model.values import (
    ObjectLock,
    RequestedEncryption,
    SentChecksum,
    WrittenAttributes,
)
from backfill.sandbox.model.versions import Entry
from backfill.sandbox.service import DESTINATION, SOURCE, Sandbox

FROM, TO = "the-source", "the-destination"
ROLE = "arn:aws:iam::111111111111:role/service-role/replicator"
ACCOUNT = "arn:aws:iam::111111111111:root"
SOURCE_KEY = "arn:aws:kms:us-east-1:111111111111:key/source"
REPLICA_KEY = "arn:aws:kms:eu-west-1:222222222222:key/replica"
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)

Statement = dict[str, Any]

READS = (
    "s3:GetObjectVersionForReplication",
    "s3:GetObjectVersionAcl",
    "s3:GetObjectVersionTagging",
    "s3:GetObjectRetention",
    "s3:GetObjectLegalHold",
)
WRITES = ("s3:ReplicateObject", "s3:ReplicateDelete", "s3:ObjectOwnerOverrideToBucketOwner")
ENCRYPTS = ("kms:Encrypt", "kms:GenerateDataKey", "kms:Decrypt")


def allow(actions: Sequence[str], resource: str, **more: object) -> Statement:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}


def deny(actions: Sequence[str], resource: str, **more: object) -> Statement:
    return allow(actions, resource, **more) | {"Effect": "Deny"}


def document(statements: Sequence[Statement]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def through(region: str, *arns: str) -> Statement:
    return {
        "StringLike": {
            "kms:ViaService": f"s3.{region}.amazonaws.com",
            "kms:EncryptionContext:aws:s3:arn": list(arns),
        }
    }


def role_policy() -> list[Statement]:
    """What the User Guide's role has, with the conditions on both keys."""
    source, destination = f"arn:aws:s3:::{FROM}", f"arn:aws:s3:::{TO}"
    return [
        allow(["s3:GetReplicationConfiguration", "s3:ListBucket"], source),
        allow(READS, f"{source}/*"),
        allow(WRITES, f"{destination}/*"),
        allow(
            ["kms:Decrypt"],
            SOURCE_KEY,
            Condition=through("us-east-1", source, f"{source}/*"),
        ),
        allow(
            ENCRYPTS,
            REPLICA_KEY,
            Condition=through("eu-west-1", destination, f"{destination}/*"),
        ),
    ]


def destination_policy() -> list[Statement]:
    return [allow(WRITES, f"arn:aws:s3:::{TO}/*", Principal={"AWS": ROLE})]


Take = Callable[[Sequence[Statement]], list[Statement]]


def without(action: str) -> Take:
    """A document that lacks one action."""

    def taken(statements: Sequence[Statement]) -> list[Statement]:
        left = [
            {**one, "Action": [name for name in one["Action"] if name != action]}
            for one in statements
        ]
        assert left != list(statements), f"{action} was not there"
        return [one for one in left if one["Action"]] or [
            allow(["s3:GetBucketTagging"], f"arn:aws:s3:::{TO}", Principal={"AWS": ROLE})
        ]

    return taken


class TwoAccounts:
    """A source and a destination in another account, with everything that replication may need."""

    def __init__(self) -> None:
        self.sandbox = Sandbox(seed=7)
        self.sandbox.clock.fixed = NOON
        self.model = self.sandbox.model
        self.world = self.model.world
        self.own = _caller("source")
        self.other = _caller("destination")
        self._make(self.own, FROM, None)
        self._make(self.other, TO, "eu-west-1")
        self.role_policy = role_policy()
        self.bucket_policy = destination_policy()
        self.source_key_policy = [allow(["kms:Decrypt"], "*", Principal={"AWS": ACCOUNT})]
        self.replica_key_policy = [allow(ENCRYPTS, "*", Principal={"AWS": ROLE})]
        self.settle()

    def settle(self) -> None:
        """Put every policy in place as it is now."""
        self.sandbox.add_role("source", "service-role/replicator", document(self.role_policy))
        self.sandbox.key_policies[SOURCE_KEY] = document(self.source_key_policy)
        self.sandbox.key_policies[REPLICA_KEY] = document(self.replica_key_policy)
        self.destination_may(*self.bucket_policy)

    def destination_may(self, *statements: Statement) -> None:
        request = PutBucketPolicyRequest(bucket=TO, document=document(statements))
        self.model.put_bucket_policy(self.other, request)

    def bucket(self, name: str) -> Bucket:
        return self.world.buckets[name]

    def configure(self, more: str = "", *, wants_kms: bool = True, extra: str = "") -> None:
        """Put one rule for everything; `more` goes into Destination, `extra` into Rule."""
        status = "<Status>Enabled</Status>"
        kms = f"<SseKmsEncryptedObjects>{status}</SseKmsEncryptedObjects>" if wants_kms else ""
        key = (
            f"<EncryptionConfiguration><ReplicaKmsKeyID>{REPLICA_KEY}</ReplicaKmsKeyID>"
            "</EncryptionConfiguration>"
            if wants_kms
            else ""
        )
        rule = (
            "<Rule><ID>all</ID><Priority>1</Priority><Filter/>"
            f"<Status>Enabled</Status>{extra}"
            f"<SourceSelectionCriteria>{kms}</SourceSelectionCriteria>"
            f"<DeleteMarkerReplication>{status}</DeleteMarkerReplication>"
            f"<Destination><Bucket>arn:aws:s3:::{TO}</Bucket>{key}{more}</Destination></Rule>"
        )
        text = f"<ReplicationConfiguration><Role>{ROLE}</Role>{rule}</ReplicationConfiguration>"
        request = PutBucketReplicationRequest(bucket=FROM, document=text)
        self.model.put_bucket_replication(self.own, request)

    def put(self, key: str = "k", **attributes: object) -> None:
        """Write as the source's root, whom the key's default policy lets encrypt."""
        self.sandbox.key_policies.pop(SOURCE_KEY, None)
        request = PutObjectRequest(
            bucket=FROM,
            key=key,
            body=b"body",
            checksum=SentChecksum(algorithm="CRC64NVME"),  # it may be locked
            attributes=WrittenAttributes(**attributes),  # type: ignore[arg-type] # a table's
        )
        self.model.put_object(self.own, request)
        self.settle()

    def delete(self) -> None:
        self.model.delete_object(self.own, DeleteObjectRequest(bucket=FROM, key="k"))

    def entry(self, bucket: str = FROM, key: str = "k") -> Entry:
        found = self.bucket(bucket).current(key)
        assert found is not None
        return found

    def code(self) -> str | None:
        """What stands in the way of the current version now."""
        source = self.bucket(FROM)
        assert source.replication is not None
        found = obstacle(
            self.world, source, self.entry(), source.replication.rules[0], source.replication.role
        )
        return None if found is None else found.code

    def advance(self) -> str | None:
        """Let live replication run; the source's status."""
        self.model.replication.advance(NOON)
        return self.entry().replication_status

    def _make(self, caller: Caller, name: str, location: str | None) -> None:
        self.model.create_bucket(caller, CreateBucketRequest(bucket=name, location=location))
        request = PutBucketVersioningRequest(bucket=name, status="Enabled")
        self.model.put_bucket_versioning(caller, request)


def _caller(account: str) -> Caller:
    found = SOURCE if account == "source" else DESTINATION
    return Caller(account_id=found.account_id, arn=found.root.arn, region=found.region)


BY_KMS = RequestedEncryption(algorithm="aws:kms", kms_key_id=SOURCE_KEY)
WITH_BUCKET_KEY = RequestedEncryption(
    algorithm="aws:kms", kms_key_id=SOURCE_KEY, is_bucket_key_enabled=True
)
HELD = ObjectLock(has_legal_hold=True)
OVERRIDE = (
    "<Account>222222222222</Account>"
    "<AccessControlTranslation><Owner>Destination</Owner></AccessControlTranslation>"
)
