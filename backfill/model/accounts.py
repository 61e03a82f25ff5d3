"""What setup, preflight and watch read of an account: identities, documents, roles, keys.

Never asks AWS and never judges: nouns only. Documents are kept as AWS gave them, since what others
put there must survive.
Law: what could not be read is `Unread`, with its reason; it is never taken for absent.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


class BucketDocument(enum.StrEnum):
    """A bucket-level configuration, by the words that AWS's documentation uses for it."""

    REPLICATION = "replication configuration"
    POLICY = "bucket policy"
    NOTIFICATION = "notification configuration"
    VERSIONING = "versioning"
    ENCRYPTION = "default encryption"
    OWNERSHIP = "ownership controls"
    OBJECT_LOCK = "Object Lock configuration"
    LIFECYCLE = "lifecycle configuration"
    PUBLIC_ACCESS_BLOCK = "block public access"
    REQUEST_PAYMENT = "request payment"


@dataclass(frozen=True, slots=True, kw_only=True)
class RawDocument:
    """A document as AWS gave it.

    Attributes:
        text: The body of the answer: XML of a bucket's configuration, JSON of a policy.
        fields: The same in the SDK's shape (a policy: its JSON), in which it is put back.
        unmodelled: Elements of `text` that the SDK's model does not know, as paths such as
            `Rule/Shiny`; with any of them the document cannot be written back unharmed.
    """

    text: str
    fields: Mapping[str, object]
    unmodelled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """What could not be read, and why: the operation that was asked, and AWS's code."""

    operation: str
    code: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerIdentity:
    """Who signs (STS GetCallerIdentity). `role_arn` is the role behind an assumed-role session."""

    account_id: str
    arn: str
    role_arn: str = ""
    """With its path where IAM told it; a session's own ARN has none."""

    @property
    def partition(self) -> str:
        """`aws`, `aws-cn`, `aws-us-gov`."""
        return self.arn.split(":")[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """An IAM role and everything that decides what it may do.

    `inline` and `attached` are policies by name and by ARN, as JSON text. `boundary` is the
    permissions boundary's text, None where there is none; `boundary_arn` names it.
    """

    arn: str
    name: str
    path: str
    trust: str
    inline: Mapping[str, str] = field(default_factory=dict)
    attached: Mapping[str, str] = field(default_factory=dict)
    boundary: str | Unread | None = None
    boundary_arn: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class KmsKey:
    """A KMS key (KMS DescribeKey). `managed_by` is CUSTOMER or AWS: `aws/s3` is AWS's."""

    arn: str
    account_id: str
    region: str
    state: str
    """Enabled, Disabled, PendingDeletion, PendingImport, Unavailable ..."""
    managed_by: str
    usage: str = "ENCRYPT_DECRYPT"
    spec: str = "SYMMETRIC_DEFAULT"


class EventDestinationKind(enum.StrEnum):
    """Where S3 sends event notifications (not EventBridge, which has no replication events)."""

    QUEUE = "sqs"
    TOPIC = "sns"
    FUNCTION = "lambda"


def event_destination_kind(arn: str) -> EventDestinationKind:
    """Return the kind of an event destination by its ARN; ValueError for any other service."""
    return EventDestinationKind(arn.split(":")[2])


class SimulatedEffect(enum.StrEnum):
    """What IAM's simulator says of one action (IAM API: EvaluationResult)."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicitDeny"
    IMPLICIT_DENY = "implicitDeny"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationRequest:
    """One question to IAM's simulator (IAM API: SimulatePrincipalPolicy).

    `context` has string values by condition key. `resource_policy` is given to it as text, since it
    reads none by itself; a cross-account answer of it is about the identity's side only.
    """

    principal_arn: str
    actions: tuple[str, ...]
    resource_arn: str
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    resource_policy: str | None = None
    resource_owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """The simulator's answer for one action; with missing context keys it is no answer."""

    action: str
    effect: SimulatedEffect
    missing_context_keys: tuple[str, ...] = ()
    matched: tuple[str, ...] = ()
    """The source policy IDs of the statements that decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricQuery:
    """One CloudWatch metric of AWS/S3. `statistic` is Maximum or Sum; the period in seconds."""

    region: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str
    period_s: int = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Datapoint:
    """One value of a metric."""

    at: datetime
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueMessage:
    """A message of a queue; it comes again unless it is deleted by its receipt."""

    body: str
    receipt: str
