"""One need: an action that a party must be allowed on something, why, and what its lack causes.

Never decides and never words a statement. Law: words here are AWS's; a need is one action.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass


class Party(enum.StrEnum):
    """Who needs something."""

    REPLICATION_SERVICE = "s3.amazonaws.com"
    BATCH_SERVICE = "batchoperations.s3.amazonaws.com"
    REPLICATION_ROLE = "replication role"
    BATCH_ROLE = "batch role"
    COPY_IDENTITY = "destination identity"
    """Who writes copies: it reads the source, too, because CopyObject is one request."""
    SOURCE_IDENTITY = "source identity"
    SOURCE_CREATOR = "creator at the source"
    DESTINATION_CREATOR = "creator at the destination"
    READER = "reader of replicas"


class On(enum.StrEnum):
    """What an action is asked for on."""

    SOURCE_BUCKET = "source bucket"
    SOURCE_OBJECTS = "source objects"
    SOURCE_KEY = "source key"
    DESTINATION_BUCKET = "destination bucket"
    DESTINATION_OBJECTS = "destination objects"
    DESTINATION_KEY = "destination key"
    BATCH_BUCKET = "batch bucket"
    BATCH_OBJECTS = "manifests and reports"
    BATCH_KEY = "batch key"
    REPLICATION_ROLE = "replication role"
    BATCH_ROLE = "batch role"
    JOBS = "jobs"
    ACCOUNT = "account"
    """Actions without a resource of their own."""


class Feature(enum.StrEnum):
    """What a set-up uses. Each asks for permissions of its own."""

    TAGS = "object tags"
    DELETE_MARKERS = "delete markers"
    OWNER_OVERRIDE = "owner override"
    SSE_KMS = "SSE-KMS"
    SOURCE_BUCKET_KEY = "S3 Bucket Key at the source"
    DESTINATION_BUCKET_KEY = "S3 Bucket Key at the destination"
    OBJECT_LOCK = "Object Lock"
    ACLS = "ACLs that count on both sides"
    ANNOTATIONS = "annotations"
    GENERATED_MANIFEST = "generated manifest"
    KMS_MANIFEST = "manifest under SSE-KMS"
    REPLICATE_JOBS = "Replicate jobs"
    CHECKSUM_JOBS = "Compute checksum jobs at the source"
    DESTINATION_CHECKSUM_JOBS = "Compute checksum jobs at the destination"
    COPY_JOBS = "Copy jobs"
    HIDING = "delete markers by copy workers"
    RESTORES = "restores of archived versions"


class Weight(enum.StrEnum):
    """What happens without it."""

    REQUIRED = "required"
    """Something fails, or is silently left out."""
    ADVISED = "advised"
    """AWS's documentation lists it, and nothing is known to fail without it."""
    AFTER_FAILURE = "after a failure"
    """Only where S3 refused with its code: not asked for in advance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One action that one party must be allowed on one thing.

    `features` must all be in use for it to count; `codes` are S3's failure codes when it lacks.
    """

    party: Party
    action: str
    on: On
    why: str
    features: frozenset[Feature] = frozenset()
    codes: tuple[str, ...] = ()
    weight: Weight = Weight.REQUIRED


def needs(
    party: Party,
    on: On,
    *rows: tuple[str, str] | tuple[str, str, tuple[str, ...]],
    features: Iterable[Feature] = (),
    weight: Weight = Weight.REQUIRED,
) -> tuple[Need, ...]:
    """Return a need for each row of action, reason and, where S3 has any, failure codes."""
    return tuple(
        Need(
            party=party,
            action=row[0],
            on=on,
            why=row[1],
            features=frozenset(features),
            codes=row[2] if len(row) > 2 else (),
            weight=weight,
        )
        for row in rows
    )
