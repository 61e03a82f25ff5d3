"""Two accounts in memory with replication set up soundly, and preflight's look at them.

there = Scenery()
there.world.buckets["to"].documents[BucketDocument.POLICY] = {...}     # spoil something
findings = await there.findings()
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from backfill.campaign import Access, BatchOptions, Campaign, Scope
from backfill.model.accounts import BucketDocument
from backfill.preflight.catalogue import findings_of
from backfill.preflight.evidence import Counts, Gathered
from backfill.preflight.findings import Finding, Findings
from backfill.preflight.gathering import Views, gather
from tests.doubles.accounts import Accounts
from tests.doubles.stopped_clock import StoppedClock
from tests.unit.preflight.two_control_planes import ToldControlPlane

OURS, THEIRS = "111111111111", "222222222222"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ROLE = f"arn:aws:iam::{OURS}:role/service-role/replicates"
JOBS_ROLE = f"arn:aws:iam::{OURS}:role/jobs"
REGIONS = {"from": "us-east-1", "to": "eu-west-1", "reports": "us-east-1"}
SOURCE_KEY = f"arn:aws:kms:us-east-1:{OURS}:key/source"
REPLICA_KEY = f"arn:aws:kms:eu-west-1:{THEIRS}:key/replica"


def policy(*statements: Mapping[str, object]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(actions: Any, resource: Any, **more: object) -> dict[str, object]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource, **more}


def trust(*services: str, **more: object) -> dict[str, Any]:
    principal = {"Service": list(services)}
    return policy({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more})


def rule(**more: Any) -> dict[str, Any]:
    destination = {
        "Bucket": "arn:aws:s3:::to",
        "Account": THEIRS,
        "AccessControlTranslation": {"Owner": "Destination"},
        **more.pop("Destination", {}),
    }
    return {
        "ID": "all",
        "Priority": 1,
        "Filter": {},
        "Status": "Enabled",
        "DeleteMarkerReplication": {"Status": "Enabled"},
        "Destination": destination,
        **more,
    }


WRITE = [
    "s3:ReplicateObject",
    "s3:ReplicateDelete",
    "s3:ReplicateTags",
    "s3:ObjectOwnerOverrideToBucketOwner",
]


@dataclass
class Scenery:
    """What is there, and what is asked."""

    world: Accounts = field(default_factory=Accounts)
    campaign: Campaign = field(default_factory=lambda: Campaign(source_bucket="from"))
    counts: Counts | None = None
    regions: dict[str, str] = field(default_factory=lambda: dict(REGIONS))
    time: datetime | None = NOW

    def __post_init__(self) -> None:
        world = self.world
        self.source = world.account(OURS)
        self.destination = world.account(THEIRS, region="eu-west-1")
        for account in (self.source, self.destination):
            account.arn = f"arn:aws:iam::{account.account_id}:root"
        world.add_bucket("from", OURS, "us-east-1")
        world.add_bucket("to", THEIRS, "eu-west-1")
        self.put("to", BucketDocument.OWNERSHIP, Rules=[{"ObjectOwnership": "BucketOwnerEnforced"}])
        world.add_role(
            ROLE,
            trust("s3.amazonaws.com"),
            replication=policy(
                allow(["s3:GetReplicationConfiguration", "s3:ListBucket"], "arn:aws:s3:::from"),
                allow("s3:GetObjectVersion*", "arn:aws:s3:::from/*"),
                allow(WRITE, "arn:aws:s3:::to/*"),
                allow("kms:*", "*"),
            ),
        )
        self.rules(rule())
        self.policy(allow(WRITE, "arn:aws:s3:::to/*", Principal={"AWS": ROLE}))

    def put(self, bucket: str, document: BucketDocument, **fields: object) -> None:
        self.world.buckets[bucket].documents[document] = dict(fields)

    def rules(self, *rules: Mapping[str, object], role: str = ROLE) -> None:
        self.put("from", BucketDocument.REPLICATION, Role=role, Rules=[dict(r) for r in rules])

    def policy(self, *statements: Mapping[str, object], bucket: str = "to") -> None:
        self.put(bucket, BucketDocument.POLICY, **policy(*statements))

    def role_policy(self, *statements: Mapping[str, object]) -> None:
        self.world.roles[ROLE].inline = {"replication": json.dumps(policy(*statements))}

    def with_keys(self, *, has_bucket_key: bool = False) -> "Scenery":
        """Encrypt both sides with keys whose policies let the role."""
        role = {"AWS": ROLE}
        ours, theirs = (
            allow("kms:*", "*", Principal={"AWS": f"arn:aws:iam::{each}:root"})
            for each in (OURS, THEIRS)
        )
        self.world.add_key(SOURCE_KEY, policy(ours, allow("kms:Decrypt", "*", Principal=role)))
        use = ["kms:Encrypt", "kms:GenerateDataKey", "kms:Decrypt"]
        self.world.add_key(REPLICA_KEY, policy(theirs, allow(use, "*", Principal=role)))
        for bucket, key in (("from", SOURCE_KEY), ("to", REPLICA_KEY)):
            default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
            self.put(
                bucket,
                BucketDocument.ENCRYPTION,
                Rules=[
                    {
                        "ApplyServerSideEncryptionByDefault": default,
                        "BucketKeyEnabled": has_bucket_key,
                    }
                ],
            )
        self.rules(self.kms_rule())
        return self

    def kms_rule(self, key: str = REPLICA_KEY, **more: Any) -> dict[str, Any]:
        return rule(
            SourceSelectionCriteria={"SseKmsEncryptedObjects": {"Status": "Enabled"}},
            Destination={"EncryptionConfiguration": {"ReplicaKmsKeyID": key}},
            **more,
        )

    def with_jobs(self) -> "Scenery":
        self.world.add_bucket("reports", OURS, "us-east-1")
        self.world.add_role(
            JOBS_ROLE,
            trust("batchoperations.s3.amazonaws.com"),
            jobs=policy(
                allow("s3:InitiateReplication", "arn:aws:s3:::from/*"),
                allow(["s3:GetObject", "s3:GetObjectVersion"], "arn:aws:s3:::reports/*"),
                allow("s3:PutObject", "arn:aws:s3:::reports/*"),
            ),
        )
        self.ask(batch=BatchOptions(role_arn=JOBS_ROLE, bucket="reports"))
        return self

    def ask(
        self,
        *,
        prefix: str = "",
        batch: BatchOptions | None = None,
        endpoint_url: str = "",
        destination_owner: str = "",
    ) -> None:
        self.campaign = Campaign(
            source_bucket="from",
            scope=Scope(prefix=prefix),
            batch=batch or BatchOptions(),
            access=Access(endpoint_url=endpoint_url),
            destination_owner=destination_owner,
        )

    @property
    def views(self) -> Views:
        return Views(
            source=self.source,
            destination=self.destination,
            source_control=ToldControlPlane(account=OURS, regions=self.regions, time=self.time),
            destination_control=ToldControlPlane(account=THEIRS, regions=self.regions),
            clock=StoppedClock(NOW),
        )

    async def seen(self) -> Gathered:
        return await gather(self.campaign, self.views, self.counts)

    async def findings(self) -> Findings:
        return findings_of(await self.seen())

    async def wrong(self) -> dict[str, Finding]:
        """Return what is not ok, by check."""
        return {each.check: each for each in (await self.findings()).findings if not each.is_ok}
