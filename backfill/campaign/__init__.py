"""What a person asked for: one campaign, from campaign.toml, environment and flags.

Never asks AWS: destinations that the campaign does not name are read from the source bucket's own
replication configuration later. How a campaign is spelled stands in `campaign_options`, how it is
checked in `parsing`.
Law: a campaign that exists is complete and consistent; everything wrong was refused with its place.
"""

import enum
import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime

from backfill.model.attributes import Pairs
from backfill.settings import Settings


class OtherWriters(enum.StrEnum):
    """Whether anybody else writes the buckets while the run works."""

    BY_RULES = "by-rules"
    """The rules tell: what an enabled one covers is written by others, too."""
    QUIET = "quiet"
    """The campaign states that both sides are quiet."""


class Engine(enum.StrEnum):
    """How versions are delivered."""

    AUTO = "auto"
    """Batch Replication wherever it can, copy workers for the rest and for what it refuses."""
    BATCH_REPLICATION = "batch-replication"
    """S3 Batch Replication or nothing."""
    COPY = "copy"
    """Copy workers or nothing."""


class ManifestWay(enum.StrEnum):
    """Who lists the versions of a Batch Replication job."""

    AUTO = "auto"
    """S3 where rules and statuses alone describe exactly the plan's versions, else backfill."""
    OWN = "own"
    GENERATED = "generated"


class Versions(enum.StrEnum):
    """What copy workers bring of a key. Batch Replication always brings all of its versions."""

    CURRENT = "current"
    """The current version, or the current delete marker."""
    ALL = "all"
    """Its history, oldest first, into keys that the destination lacks and nobody else writes."""


class EvidenceSource(enum.StrEnum):
    """Where verify takes evidence from, where a version ID and what HEAD tells do not decide."""

    STORED = "stored"
    CHECKSUM_JOBS = "checksum-jobs"
    """Compute checksum jobs of S3 Batch Operations on both sides: no byte is downloaded."""


class Client(enum.StrEnum):
    """What sends the hot calls of the data plane."""

    LEAN = "lean"
    """backfill's own client; what it does not do goes to the SDK, and that is said."""
    SDK = "sdk"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """Everything about S3 Batch Operations jobs. Empty texts mean: not given.

    `bucket` takes manifests and completion reports, under `prefix`. `role_arn` is the role of the
    source account; `destination_role_arn` and `destination_bucket` serve Compute checksum jobs at
    the destination. `is_inventory_format`: own manifests are written in the inventory format.
    """

    role_arn: str = ""
    bucket: str = ""
    prefix: str = "backfill"
    manifest: ManifestWay = ManifestWay.AUTO
    is_inventory_format: bool = False
    needs_confirmation: bool = False
    priority: int = 10
    destination_role_arn: str = ""
    destination_bucket: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreOptions:
    """Archived versions are restored for a while and copied; S3 bills it, so there is a budget.

    `bytes_max` is of all restores of a run. The default tier is the cheapest one; 3 days leave
    the copies a weekend after the slowest restore.
    """

    bytes_max: int
    tier: str = "Bulk"
    days: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationSpec:
    """A destination named by the campaign instead of by the bucket's rules.

    `storage_class` empty keeps the source's class; `kms_key_arn` empty means that SSE-KMS objects
    are not selected (as S3 does without SseKmsEncryptedObjects).
    """

    bucket: str
    storage_class: str = ""
    kms_key_arn: str = ""
    replicates_delete_markers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which keys, tags and versions a campaign is about, and up to when. Empty means all."""

    prefix: str = ""
    tags: Pairs = ()
    created_before: datetime | None = None
    versions: Versions = Versions.CURRENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How the two sides are reached. Credentials come from the SDK's chain, never from here."""

    source_profile: str = ""
    destination_profile: str = ""
    source_role_arn: str = ""
    """Assumed by the profile's identity; empty: that identity itself."""
    destination_role_arn: str = ""
    source_external_id: str = ""
    destination_external_id: str = ""
    role_session_name: str = "backfill"
    """What CloudTrail shows of both roles: the product's name, for who looks there."""
    region: str = ""
    endpoint_url: str = ""
    client: Client = Client.LEAN
    customer_key_file: str = ""
    """Where the keys of SSE-C objects are read from; what it holds is in no campaign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """A whole campaign. `destination` None: the rules of the source bucket decide.

    `restore` None: archived versions stay. `copy_checksum_algorithm` empty keeps the source's;
    `checksum_algorithm` is that of Compute checksum jobs.
    """

    source_bucket: str
    destination: DestinationSpec | None = None
    scope: Scope = Scope()
    source_owner: str = ""
    destination_owner: str = ""
    other_writers: OtherWriters = OtherWriters.BY_RULES
    allows_hiding: bool = False
    allows_unverified: bool = False
    is_deep: bool = False
    engine: Engine = Engine.AUTO
    batch: BatchOptions = BatchOptions()
    evidence: EvidenceSource = EvidenceSource.STORED
    checksum_algorithm: str = "SHA256"
    copy_checksum_algorithm: str = ""
    restore: RestoreOptions | None = None
    access: Access = Access()
    settings: Settings = field(default_factory=Settings)


def campaign_identity(campaign: Campaign) -> dict[str, str]:
    """Return what makes two campaigns the same, by name: a resumed run must agree in all of it.

    Other limits, profiles and what only changes an exit code are left out: they may change at a
    resume. The copy size limit decides routes.
    """
    spec = campaign.destination
    scope = campaign.scope
    return {
        "source bucket": campaign.source_bucket,
        "destination bucket": spec.bucket if spec else "",
        "storage class": spec.storage_class if spec else "",
        "KMS key ARN": spec.kms_key_arn if spec else "",
        "delete markers": str(spec.replicates_delete_markers) if spec else "",
        "prefix": scope.prefix,
        "tags": json.dumps(scope.tags),
        "created before": scope.created_before.isoformat() if scope.created_before else "",
        "versions": scope.versions.value if scope.versions is not Versions.CURRENT else "",
        "restore": campaign.restore.tier if campaign.restore else "",
        "copy checksum algorithm": campaign.copy_checksum_algorithm,
        "source account": campaign.source_owner,
        "destination account": campaign.destination_owner,
        "other writers": campaign.other_writers.value,
        "engine": campaign.engine.value,
        "copy object bytes max": str(campaign.settings.copy_object_bytes_max),
        "endpoint URL": campaign.access.endpoint_url,
    }


def campaign_digest(campaign: Campaign) -> str:
    """Return the SHA-256 of the campaign's identity, as hexadecimal."""
    canonical = json.dumps(campaign_identity(campaign), sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
