"""What preflight knows: everything that was read of both accounts, once, before any check looks.

Never reads (see `gathering`) and never judges (see `checks`).
Law: what was denied stays `Unread` with its reason; it is never taken for absent.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from backfill.campaign import Campaign, Engine
from backfill.model.accounts import (
    BucketDocument,
    CallerIdentity,
    KmsKey,
    RawDocument,
    Role,
    SimulatedEffect,
    Unread,
)
from backfill.plan.rules import Rule, Rules
from backfill.preflight.members import members, text, texts

Fields = Mapping[str, object]
ARCHIVES: Final = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""Storage classes that S3 replicates nothing from, not even while an object is restored."""
REPLICATION_EVENTS: Final = "s3:Replication:"
"""How the names of replication events begin in a notification configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketEvidence:
    """A bucket as one identity could read it.

    Attributes:
        name: The bucket.
        region: Its Region; `Unread` with status 404's code where there is no such bucket.
        account_id: Who is expected to own it; empty where nothing says.
        documents: What was read of it, each request with that account as the expected owner.
    """

    name: str
    region: str | Unread
    account_id: str = ""
    documents: Mapping[BucketDocument, RawDocument | Unread | None] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """The bucket's ARN."""
        return f"arn:aws:s3:::{self.name}"

    @property
    def is_missing(self) -> bool:
        """Whether S3 says that there is no such bucket."""
        return isinstance(self.region, Unread) and self.region.code in {"NoSuchBucket", "404"}

    @property
    def is_owner_proven(self) -> bool:
        """Whether S3 answered a request that names the expected owner: it refuses any other."""
        return any(not isinstance(each, Unread) for each in self.documents.values())

    @property
    def region_name(self) -> str:
        """The Region, empty where it is not known."""
        return self.region if isinstance(self.region, str) else ""

    def fields(self, document: BucketDocument) -> Fields | Unread | None:
        """Return a configuration in the SDK's shape (a policy: its JSON)."""
        found = self.documents.get(document, NOT_ASKED)
        return found.fields if isinstance(found, RawDocument) else found

    def unmodelled(self, document: BucketDocument) -> tuple[str, ...]:
        """Return the elements for which a document cannot be written back unharmed."""
        found = self.documents.get(document)
        return found.unmodelled if isinstance(found, RawDocument) else ()


NOT_ASKED = Unread(operation="", code="NotAsked", message="nothing asked for it")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleEvidence:
    """A role by the ARN that a configuration names, and what IAM says of it."""

    arn: str
    role: Role | Unread | None

    @property
    def account_id(self) -> str:
        """The account in the ARN."""
        return self.arn.split(":")[4] if self.arn.count(":") >= 5 else ""

    @property
    def name(self) -> str:
        """The name without its path."""
        return self.arn.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEvidence:
    """A KMS key, by the ARN, alias or ID that a document names."""

    arn: str
    key: KmsKey | Unread | None
    policy: RawDocument | Unread

    @property
    def account_id(self) -> str:
        """The account in the ARN."""
        return self.arn.split(":")[4] if self.arn.count(":") >= 5 else ""

    @property
    def region(self) -> str:
        """The Region in the ARN."""
        return self.arn.split(":")[3] if self.arn.count(":") >= 5 else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """One question to IAM's simulator: may this identity, by its own policies, do this?"""

    principal_arn: str
    action: str
    resource_arn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the inventory of a run directory counts of the source in the campaign's scope."""

    versions: int
    markers: int
    archived: int
    """Versions whose storage class is GLACIER or DEEP_ARCHIVE."""
    tiered: int
    """Versions in INTELLIGENT_TIERING, whose archive tiers no listing tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """All evidence.

    Attributes:
        campaign: What was asked for.
        is_aws: Whether the endpoint may be AWS's: only AWS has replication, roles and jobs.
        now: This machine's time when S3 was asked for its own.
        server_time: S3's time then; None where it does not tell.
        store_name: What the store calls itself (header Server); S3 says AmazonS3.
        source_caller: Who signs for the source side.
        destination_caller: Who signs for the destination side.
        source: The source bucket.
        destinations: The destination buckets, by the order of the rules' destinations.
        rules: The bucket's rules, parsed; None where there are none or they are not understood.
        rules_problem: Why the rules were not understood; empty where they were.
        role: The replication role that the configuration names.
        caller_role: The role behind the source side's session, where it is one.
        batch_role: The role of jobs, where the campaign names one.
        batch_bucket: The bucket for manifests and reports, where the campaign names one.
        keys: KMS keys by the name that a document uses for them.
        receivers: Policies of the queues, topics and functions that get replication events.
        simulations: What IAM's simulator answered; empty where nobody may ask it.
        counts: What the run directory's inventory holds; None where there is none.
    """

    campaign: Campaign
    is_aws: bool
    now: datetime
    source: BucketEvidence
    server_time: datetime | Unread | None = None
    store_name: str = ""
    source_caller: CallerIdentity | Unread = NOT_ASKED
    destination_caller: CallerIdentity | Unread = NOT_ASKED
    destinations: tuple[BucketEvidence, ...] = ()
    rules: Rules | None = None
    rules_problem: str = ""
    role: RoleEvidence | None = None
    caller_role: RoleEvidence | None = None
    batch_role: RoleEvidence | None = None
    batch_bucket: BucketEvidence | None = None
    keys: Mapping[str, KeyEvidence] = field(default_factory=dict)
    receivers: Mapping[str, RawDocument | Unread | None] = field(default_factory=dict)
    simulations: Mapping[Simulation, SimulatedEffect] = field(default_factory=dict)
    counts: Counts | None = None

    @property
    def is_source_owner_known(self) -> bool:
        """Whether S3, or whoever asks, says who owns the source: else it is the caller's guess."""
        return bool(self.campaign.source_owner) or self.source.is_owner_proven

    @property
    def follows_rules(self) -> bool:
        """Whether the bucket's own rules say where replicas go."""
        return self.campaign.destination is None

    @property
    def wants_jobs(self) -> bool:
        """Whether Batch Replication jobs are asked for."""
        options = self.campaign.batch
        return (
            self.follows_rules
            and self.campaign.engine is not Engine.COPY
            and bool(options.role_arn or options.bucket)
        )

    @property
    def copies_for_certain(self) -> bool:
        """Whether all is delivered by copy workers: `auto` alone leaves it open until a run."""
        return self.campaign.engine is Engine.COPY or not self.follows_rules

    @property
    def enabled_rules(self) -> tuple[Rule, ...]:
        """The rules that S3 follows."""
        return tuple(rule for rule in self.rules.rules if rule.is_enabled) if self.rules else ()

    def rules_to(self, bucket: str) -> tuple[Rule, ...]:
        """Return the enabled rules for a destination, the strongest first."""
        if self.rules is None:
            return ()
        return tuple(rule for rule in self.rules.for_destination(bucket) if rule.is_enabled)

    def destination(self, bucket: str) -> BucketEvidence | None:
        """Return what is known of a destination."""
        return next((each for each in self.destinations if each.name == bucket), None)

    def is_cross_account(self, destination: BucketEvidence) -> bool:
        """Return whether a destination is another account's, as far as is known."""
        ours, theirs = self.source.account_id, destination.account_id
        return bool(ours and theirs) and ours != theirs


def receiver_arns(source: BucketEvidence) -> tuple[str, ...]:
    """Return the queues, topics and functions that get replication events of a bucket."""
    found = (arn for arn, events in event_receivers(source) if any(_is_replication(events)))
    return tuple(dict.fromkeys(found))


def event_receivers(source: BucketEvidence) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return who gets which events of a bucket, as its notification configuration says."""
    fields = source.fields(BucketDocument.NOTIFICATION)
    kinds = (
        ("TopicConfigurations", "TopicArn"),
        ("QueueConfigurations", "QueueArn"),
        ("LambdaFunctionConfigurations", "LambdaFunctionArn"),
    )
    return tuple(
        (text(each, name), texts(each, "Events"))
        for kind, name in kinds
        for each in members(fields, kind)
        if text(each, name)
    )


def _is_replication(events: Iterable[str]) -> Iterator[bool]:
    return (event.startswith(REPLICATION_EVENTS) for event in events)


def default_encryption(bucket: BucketEvidence) -> Fields:
    """Return the rule of a bucket's default encryption; empty where it is not known."""
    return next(iter(members(bucket.fields(BucketDocument.ENCRYPTION), "Rules")), {})


def encrypts_with_kms(bucket: BucketEvidence) -> bool:
    """Return whether a bucket encrypts with KMS by default."""
    return _default(bucket, "SSEAlgorithm").startswith("aws:kms")


def default_key(bucket: BucketEvidence) -> str:
    """Return the KMS key that a bucket encrypts with by default; empty for none, or `aws/s3`."""
    return _default(bucket, "KMSMasterKeyID") if encrypts_with_kms(bucket) else ""


def _default(bucket: BucketEvidence, name: str) -> str:
    return text(default_encryption(bucket), "ApplyServerSideEncryptionByDefault", name)


def is_locked(fields: Fields | Unread | None) -> bool:
    """Return whether an Object Lock configuration says that it is enabled."""
    return text(fields, "ObjectLockEnabled") == "Enabled"


def is_managed(evidence: KeyEvidence) -> bool:
    """Return whether a key is `aws/s3`, which nobody can share."""
    key = evidence.key
    return evidence.arn.endswith("alias/aws/s3") or (
        isinstance(key, KmsKey) and key.managed_by == "AWS"
    )
