"""Replication between two accounts of a strict sandbox, set up as its owners would, with boto3.

    site = Site(sandbox, "sound-1", kms="destination", has_jobs=True)
    site.build()
    site.check(command)              # the findings of `backfill preflight --json`

A test says what is different, or spoils one thing with the owners' clients. Everything has the
site's name, so that many share a sandbox. Never uses the product to build anything.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config

from backfill.sandbox.service import DESTINATION, SOURCE, Sandbox
from tests.doubles.command import Command, Ended
from tests.doubles.pasted_commands import Shell

_SESSION = boto3.Session()
Statement = dict[str, Any]


def document(*statements: Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: Iterable[str], resource: Any, **more: Any) -> Statement:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}


def trust(*services: str) -> str:
    return document(
        {"Effect": "Allow", "Principal": {"Service": list(services)}, "Action": "sts:AssumeRole"}
    )


REPLICATION, BATCH = "s3.amazonaws.com", "batchoperations.s3.amazonaws.com"
READ_BUCKET = ("s3:GetReplicationConfiguration", "s3:ListBucket")
READ_OBJECTS = (
    "s3:GetObjectVersionForReplication",
    "s3:GetObjectVersionAcl",
    "s3:GetObjectVersionTagging",
)
READ_LOCKS = ("s3:GetObjectRetention", "s3:GetObjectLegalHold")
WRITE = (
    "s3:ReplicateObject",
    "s3:ReplicateDelete",
    "s3:ReplicateTags",
    "s3:ObjectOwnerOverrideToBucketOwner",
)
DECRYPT, ENCRYPT = ("kms:Decrypt",), ("kms:Encrypt", "kms:GenerateDataKey", "kms:Decrypt")


@dataclass
class Site:
    """One set-up. What is built follows the fields; `rules` None: one rule for everything."""

    sandbox: Sandbox
    name: str
    is_one_account: bool = False
    is_one_region: bool = False
    overrides: bool = True
    kms: str = ""
    """Whose the replica key is, `source` or `destination`; empty: no KMS."""
    has_bucket_key: bool = False
    has_locks: bool = False
    has_jobs: bool = False
    path: str = "/service-role/"
    rules: list[dict[str, Any]] | None = None
    destinations: int = 1
    role_arn: str = ""
    source_key: str = ""
    replica_key: str = ""
    keys: dict[str, str] = field(default_factory=dict)
    _clients: list[Any] = field(default_factory=list)

    # --- names ---

    @property
    def source(self) -> str:
        return f"{self.name}-from"

    @property
    def destination(self) -> str:
        return f"{self.name}-to"

    @property
    def batch(self) -> str:
        return f"{self.name}-batch"

    @property
    def theirs(self) -> str:
        """Who owns the destination."""
        return "source" if self.is_one_account else "destination"

    @property
    def their_account(self) -> str:
        return SOURCE.account_id if self.is_one_account else DESTINATION.account_id

    @property
    def their_region(self) -> str:
        return SOURCE.region if self.is_one_region else DESTINATION.region

    @property
    def buckets(self) -> list[str]:
        """The destinations."""
        return [
            self.destination,
            *(f"{self.destination}-{n}" for n in range(2, self.destinations + 1)),
        ]

    @cached_property
    def shell(self) -> Shell:
        return Shell(self.sandbox)

    # --- clients ---

    def client(self, service: str, who: str = "source", region: str = "") -> Any:
        settings: Any = {**self.sandbox.client_settings(who)}
        if region:
            settings["region_name"] = region
        config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
        made = _SESSION.client(service, **settings, config=config)
        self._clients.append(made)
        return made

    @cached_property
    def s3(self) -> Any:
        """The source's owner."""
        return self.client("s3")

    @cached_property
    def their_s3(self) -> Any:
        """The destination's owner, in the destination's Region."""
        return self.client("s3", self.theirs, self.their_region)

    @cached_property
    def iam(self) -> Any:
        return self.client("iam")

    @cached_property
    def their_kms(self) -> Any:
        return self.client("kms", "destination", self.their_region)

    @cached_property
    def our_kms(self) -> Any:
        """KMS of the source's account, in the source's Region."""
        return self.client("kms")

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self.shell.close()

    # --- building ---

    def build(self) -> "Site":
        self._make_buckets()
        self.role_arn = self.iam.create_role(
            RoleName=self.name, Path=self.path, AssumeRolePolicyDocument=trust(REPLICATION)
        )["Role"]["Arn"]
        if self.kms:
            self._make_keys()
        self.put_role_policy()
        if not self.is_one_account:
            for bucket in self.buckets:
                self.put_destination_policy(bucket=bucket)
        self.put_rules()
        if self.has_jobs:
            self._make_jobs()
        return self

    def _make_buckets(self) -> None:
        _create(self.s3, self.source, SOURCE.region, has_lock=self.has_locks)
        for bucket in self.buckets:
            _create(self.their_s3, bucket, self.their_region, has_lock=self.has_locks)

    def _make_keys(self) -> None:
        role = {"AWS": self.role_arn}
        self.source_key = self._key("source", SOURCE.region, allow(DECRYPT, "*", Principal=role))
        readers = {"AWS": f"arn:aws:iam::{DESTINATION.account_id}:root"}
        self.replica_key = self._key(
            self.kms,
            self.their_region,
            allow(ENCRYPT, "*", Principal=role),
            allow(DECRYPT, "*", Principal=readers),
        )
        self.encrypt(self.s3, self.source, self.source_key)
        self.encrypt(self.their_s3, self.destination, self.replica_key)

    def _key(self, who: str, region: str, *statements: Statement) -> str:
        account = SOURCE.account_id if who == "source" else DESTINATION.account_id
        root = allow(["kms:*"], "*", Principal={"AWS": f"arn:aws:iam::{account}:root"})
        made = self.client("kms", who, region).create_key(Policy=document(root, *statements))
        return str(made["KeyMetadata"]["Arn"])

    def encrypt(self, client: Any, bucket: str, key: str) -> None:
        rule = {
            "ApplyServerSideEncryptionByDefault": {
                "SSEAlgorithm": "aws:kms",
                "KMSMasterKeyID": key,
            },
            "BucketKeyEnabled": self.has_bucket_key,
        }
        client.put_bucket_encryption(
            Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]}
        )

    def role_statements(self) -> list[Statement]:
        read = [*READ_OBJECTS, *(READ_LOCKS if self.has_locks else ())]
        found = [
            allow(READ_BUCKET, f"arn:aws:s3:::{self.source}"),
            allow(read, f"arn:aws:s3:::{self.source}/*"),
            allow(WRITE, [f"arn:aws:s3:::{bucket}/*" for bucket in self.buckets]),
        ]
        if self.kms:
            found += [allow(DECRYPT, self.source_key), allow(ENCRYPT, self.replica_key)]
        return found

    def put_role_policy(self, *statements: Statement, without: Iterable[str] = ()) -> None:
        """Put the role's one inline policy: these statements, or the sound ones less actions."""
        chosen = statements or _without(self.role_statements(), without)
        self.iam.put_role_policy(
            RoleName=self.name, PolicyName="replication", PolicyDocument=document(*chosen)
        )

    def destination_statements(self, bucket: str = "") -> list[Statement]:
        arn, role = f"arn:aws:s3:::{bucket or self.destination}", {"AWS": self.role_arn}
        own = ("s3:List*", "s3:GetBucketVersioning", "s3:PutBucketVersioning")
        return [
            allow(WRITE, f"{arn}/*", Sid="Objects", Principal=role),
            allow(own, arn, Sid="Bucket", Principal=role),
        ]

    def put_destination_policy(
        self, *statements: Statement, without: Iterable[str] = (), bucket: str = ""
    ) -> None:
        chosen = statements or _without(self.destination_statements(bucket), without)
        self.their_s3.put_bucket_policy(Bucket=bucket or self.destination, Policy=document(*chosen))

    def rule(self, number: int = 1, **more: Any) -> dict[str, Any]:
        """Return an enabled rule for everything; members of Destination go into it."""
        destination: dict[str, Any] = {"Bucket": f"arn:aws:s3:::{self.destination}"}
        if not self.is_one_account:
            destination["Account"] = self.their_account
            if self.overrides:
                destination["AccessControlTranslation"] = {"Owner": "Destination"}
        made: dict[str, Any] = {
            "ID": f"rule-{number}",
            "Priority": number,
            "Filter": {},
            "Status": "Enabled",
            "DeleteMarkerReplication": {"Status": "Enabled"},
            "Destination": destination,
        }
        if self.kms:
            destination["EncryptionConfiguration"] = {"ReplicaKmsKeyID": self.replica_key}
            made["SourceSelectionCriteria"] = {"SseKmsEncryptedObjects": {"Status": "Enabled"}}
        inner = more.pop("Destination", {})
        destination.update(inner)
        return {**made, **more}

    def put_rules(self, *rules: Mapping[str, Any]) -> None:
        chosen = (
            list(rules)
            or self.rules
            or [
                self.rule(n, Destination={"Bucket": f"arn:aws:s3:::{bucket}"})
                for n, bucket in enumerate(self.buckets, 1)
            ]
        )
        self.s3.put_bucket_replication(
            Bucket=self.source,
            ReplicationConfiguration={"Role": self.role_arn, "Rules": chosen},
        )

    def _make_jobs(self) -> None:
        _create(self.s3, self.batch, SOURCE.region)
        self.iam.create_role(RoleName=self.batch_role, AssumeRolePolicyDocument=trust(BATCH))
        self.put_batch_policy()

    @property
    def batch_role(self) -> str:
        return f"{self.name}-jobs"

    @property
    def batch_role_arn(self) -> str:
        return f"arn:aws:iam::{SOURCE.account_id}:role/{self.batch_role}"

    def put_batch_policy(self, without: Iterable[str] = ()) -> None:
        statements = [
            allow(["s3:InitiateReplication"], f"arn:aws:s3:::{self.source}/*"),
            allow(["s3:GetObject", "s3:GetObjectVersion"], f"arn:aws:s3:::{self.batch}/*"),
            allow(["s3:PutObject"], f"arn:aws:s3:::{self.batch}/*"),
        ]
        self.iam.put_role_policy(
            RoleName=self.batch_role,
            PolicyName="jobs",
            PolicyDocument=document(*_without(statements, without)),
        )

    # --- asking ---

    def words(self, *flags: str) -> list[str]:
        jobs = ["--batch-role-arn", self.batch_role_arn, "--batch-bucket", self.batch]
        one = ["--destination-profile", "source"] if self.is_one_account else []
        return [self.source, *(jobs if self.has_jobs else []), *one, *flags]

    def check(self, command: Command, *flags: str) -> Ended:
        """Run `backfill preflight --json`."""
        return command.run("preflight", *self.words(*flags), "--json", code=None)

    def paste(self, mend: Mapping[str, Any]) -> None:
        """Carry out a printed mend, as whoever owns the account that it names."""
        assert mend["commands"], mend
        for line in mend["commands"]:
            self.shell.paste(line, mend["account"] or SOURCE.account_id)


def _create(client: Any, bucket: str, region: str, *, has_lock: bool = False) -> None:
    where = (
        {}
        if region == "us-east-1"
        else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    )
    client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=has_lock, **where)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


def _without(statements: Iterable[Statement], actions: Iterable[str]) -> list[Statement]:
    """Return the statements less some actions; one that allows nothing more is left out."""
    gone = set(actions)
    kept = (
        {**each, "Action": [action for action in each["Action"] if action not in gone]}
        for each in statements
    )
    return [each for each in kept if each["Action"]]
