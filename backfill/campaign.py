"""What a person asked for: one campaign, from flags, environment and campaign.toml.

Never asks AWS: destinations that the campaign does not name are read from the source bucket's own
replication configuration later.
Law: a campaign that exists is complete and consistent; everything wrong was refused with its place.
"""

import enum
from dataclasses import dataclass, field
from datetime import datetime

from backfill.model.attributes import Pairs
from backfill.settings import Settings


class OtherWriters(enum.StrEnum):
    """Whether anybody else writes the buckets while the run works."""

    BY_RULES = "by-rules"
    """A key has other writers wherever an enabled rule covers it."""
    QUIET = "quiet"
    """The campaign states that both sides are quiet."""


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
    """Which keys and tags a campaign is about, and up to when. Empty means all."""

    prefix: str = ""
    tags: Pairs = ()
    created_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """A whole campaign. `destination` None: the rules of the source bucket decide."""

    source_bucket: str
    destination: DestinationSpec | None = None
    scope: Scope = Scope()
    source_owner: str = ""
    destination_owner: str = ""
    other_writers: OtherWriters = OtherWriters.BY_RULES
    allows_hiding: bool = False
    allows_unverified: bool = False
    is_deep: bool = False
    settings: Settings = field(default_factory=Settings)
