"""The fields of a setup spec: where each stands, its flag, the console's option, what it sets.

Never checks a value: `parsing` does, by this table.
Law: a field that is not in this table does not exist; docs/reference/setup-spec.md is made of it.
"""

import enum
from dataclasses import dataclass
from typing import Final

from backfill.setup.spec import STORAGE_CLASSES, Owner, ReplicationEvent


class FieldKind(enum.StrEnum):
    """What a field holds."""

    TEXT = "text"
    SWITCH = "true or false"
    INTEGER = "number"
    WORDS = "list of texts"
    TAGS = "table of tags"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecField:
    """One field of the spec.

    Attributes:
        table: Where it stands; empty: above all tables.
        name: Its name there.
        kind: What it holds.
        flag: The flag that says it for one destination and one rule; empty: only in a file.
        console: The option of S3's replication console that it stands for; empty: beyond it.
        sets: What it sets, in a sentence.
        test: The test that shows it, by file (in tests/unit/setup) and name.
        choices: Words it may hold; empty: any.
    """

    table: str
    name: str
    kind: FieldKind
    sets: str
    test: str
    flag: str = ""
    console: str = ""
    choices: tuple[str, ...] = ()


REPEATED: Final = ("destination", "rule", "notification")
"""Tables that may stand more than once, as `[[rule]]`."""

ROLE_TABLES: Final = ("role", "reverse-role", "batch-role", "batch-destination-role")

_T, _S, _W = FieldKind.TEXT, FieldKind.SWITCH, FieldKind.WORDS
_OPTIONS = "test_options.py::test_every_option_sets_what_the_reference_says"
_NAMES = "test_options.py::test_names_accounts_and_regions_appear_where_they_must"
_ROLES = "test_options.py::test_a_role_is_made_or_taken_as_it_is"


def _role_fields(table: str, what: str) -> tuple[SpecField, ...]:
    flag = "--role" if table == "role" else "--batch-role" if table == "batch-role" else ""
    console = "IAM role: choose from existing IAM roles" if table == "role" else ""
    return (
        SpecField(
            table=table, name="name", kind=_T, flag=f"{flag}-name" if flag else "", test=_ROLES,
            console="IAM role: create new role" if table == "role" else "",
            sets=f"Name of {what}, made by setup; without one it is made from the spec's name.",
        ),
        SpecField(
            table=table, name="path", kind=_T, flag=f"{flag}-path" if flag else "", test=_ROLES,
            sets=f"IAM path of {what}; `/service-role/` unless said, as S3's console makes them."
            " It is part of the ARN that every policy names.",
        ),
        SpecField(
            table=table, name="arn", kind=_T, flag=f"{flag}-arn" if flag else "", test=_ROLES,
            console=console,
            sets=f"An existing role as {what}: it keeps its trust policy, setup makes none.",
        ),
        SpecField(
            table=table, name="policy", kind=_S, test=_ROLES,
            sets="Whether an existing role gets the inline policy that it needs; true unless said.",
        ),
    )  # fmt: skip


FIELDS: Final[tuple[SpecField, ...]] = (
    SpecField(
        table="", name="name", kind=_T, flag="--name", test=_NAMES,
        sets="The set-up's name: rule IDs, notification Ids, Sids and roles are named by it, so"
        " that they are known again. Letters, digits and dashes.",
    ),
    SpecField(
        table="source", name="bucket", kind=_T, flag="--source-bucket", test=_NAMES,
        console="Source bucket",
        sets="The source bucket: its versioning is enabled and its replication configuration gets"
        " the rules.",
    ),
    SpecField(
        table="source", name="account", kind=_T, flag="--source-account", test=_NAMES,
        sets="The source bucket's owner; asked of STS unless said.",
    ),
    SpecField(
        table="source", name="region", kind=_T, flag="--source-region", test=_NAMES,
        sets="The source bucket's Region; asked of S3 unless said.",
    ),
    SpecField(
        table="source", name="kms-key-arns", kind=_W, flag="--source-kms-key-arn", test=_OPTIONS,
        console="Encryption: AWS KMS keys for decrypting source objects",
        sets="KMS keys of source objects: the role may decrypt with them, by its own policy and"
        " by the keys'.",
    ),
    SpecField(
        table="source", name="object-lock", kind=_S, flag="--object-lock", test=_OPTIONS,
        console="Object Lock of source and destination bucket",
        sets="Replicates retention and legal holds: Object Lock is enabled on every destination"
        " bucket, and the role may read both.",
    ),
    SpecField(
        table="source", name="annotations", kind=_S, flag="--annotations", test=_OPTIONS,
        sets="Replicates object annotations: the role may read them.",
    ),
    SpecField(
        table="destination", name="bucket", kind=_T, flag="--destination-bucket", test=_NAMES,
        console="Destination: bucket in this or in another account",
        sets="A destination bucket: its versioning is enabled, and across accounts its policy"
        " lets the role in. Several may stand in one spec.",
    ),
    SpecField(
        table="destination", name="account", kind=_T, flag="--destination-account", test=_NAMES,
        console="Destination: account ID",
        sets="`Destination.Account`, where it is not the source's.",
    ),
    SpecField(
        table="destination", name="region", kind=_T, flag="--destination-region", test=_NAMES,
        sets="The destination bucket's Region; asked of S3 unless said.",
    ),
    SpecField(
        table="destination", name="bucket-policy", kind=_S, flag="--bucket-policy", test=_OPTIONS,
        sets="Whether the bucket policy names the role. Across accounts it must; within one"
        " account the role's own policy is enough, and it does not unless said.",
    ),
    SpecField(
        table="destination", name="bucket-keys", kind=_S, flag="--bucket-keys", test=_OPTIONS,
        console="Bucket Key of the destination bucket",
        sets="Default encryption of the destination bucket with the replica key and an S3 Bucket"
        " Key.",
    ),
    SpecField(
        table="destination", name="guard", kind=_S, flag="--guard", test=_OPTIONS,
        sets="Denies in the bucket policy what writes an object without a condition; parts of"
        " multipart uploads and the replication role are exempt.",
    ),
    *_role_fields("role", "the replication role"),
    *_role_fields("reverse-role", "the role that carries replica modifications back"),
    SpecField(
        table="rule", name="name", kind=_T, test=_NAMES, console="Replication rule name",
        sets="The rule's ID, behind the set-up's name.",
    ),
    SpecField(
        table="rule", name="enabled", kind=_S, test=_OPTIONS, console="Status",
        sets="`Status`; true unless said.",
    ),
    SpecField(
        table="rule", name="priority", kind=FieldKind.INTEGER, flag="--priority", test=_OPTIONS,
        console="Priority",
        sets="`Priority`; unless said the next above all that are there. Two rules with one"
        " destination must say theirs.",
    ),
    SpecField(
        table="rule", name="destination", kind=_T, test=_OPTIONS, console="Destination",
        sets="Which of the destination buckets; may be left out where there is one.",
    ),
    SpecField(
        table="rule", name="prefix", kind=_T, flag="--prefix", test=_OPTIONS,
        console="Choose a rule scope: prefix",
        sets="`Filter.Prefix`; all keys unless said.",
    ),
    SpecField(
        table="rule", name="tags", kind=FieldKind.TAGS, flag="--tag", test=_OPTIONS,
        console="Choose a rule scope: tags",
        sets="`Filter.Tag`, or `Filter.And` with several or with a prefix: all must match.",
    ),
    SpecField(
        table="rule", name="owner", kind=_T, flag="--owner", test=_OPTIONS,
        console="Change object ownership to destination bucket owner",
        sets="`AccessControlTranslation`: across accounts replicas belong to the destination's"
        " owner unless `source` is said.",
        choices=tuple(Owner),
    ),
    SpecField(
        table="rule", name="kms-key-arn", kind=_T, flag="--kms-key-arn", test=_OPTIONS,
        console="Encryption: replicate objects encrypted with AWS KMS",
        sets="The replica key, of the source's or of the destination's account: objects under"
        " SSE-KMS are replicated too, and role and key policy allow it.",
    ),
    SpecField(
        table="rule", name="kms-readers", kind=_W, flag="--kms-reader", test=_OPTIONS,
        sets="Principals that the replica key's policy lets decrypt replicas: readers in the"
        " destination's account, where the key is the source's.",
    ),
    SpecField(
        table="rule", name="storage-class", kind=_T, flag="--storage-class", test=_OPTIONS,
        console="Change the storage class for the replicated objects",
        sets="`Destination.StorageClass`; each object's own unless said.",
        choices=STORAGE_CLASSES,
    ),
    SpecField(
        table="rule", name="time-control", kind=_S, flag="--time-control", test=_OPTIONS,
        console="Replication Time Control (RTC)",
        sets="`ReplicationTime` and `Metrics` with 15 minutes.",
    ),
    SpecField(
        table="rule", name="metrics", kind=_S, flag="--metrics", test=_OPTIONS,
        console="Replication metrics",
        sets="`Metrics`; true unless said, since failed-replication events and `watch` need it.",
    ),
    SpecField(
        table="rule", name="delete-markers", kind=_S, flag="--delete-markers", test=_OPTIONS,
        console="Delete marker replication",
        sets="`DeleteMarkerReplication`; off unless said. Never with tags: S3 refuses it.",
    ),
    SpecField(
        table="rule", name="replica-modifications", kind=_S, flag="--replica-modifications",
        test=_OPTIONS, console="Replica modification sync",
        sets="`ReplicaModifications` here, and on the destination bucket the reverse rule with a"
        " role of its own, which S3 needs for it. The reverse rule also carries new objects back.",
    ),
    SpecField(
        table="notification", name="name", kind=_T, test=_OPTIONS,
        sets="The notification's Id, behind the set-up's name.",
    ),
    SpecField(
        table="notification", name="arn", kind=_T, flag="--notify", test=_OPTIONS,
        console="Replication metrics: event notifications",
        sets="An SQS queue, SNS topic or Lambda function that gets events of the source bucket;"
        " its policy lets S3 send them.",
    ),
    SpecField(
        table="notification", name="queue", kind=_T, flag="--notify-queue", test=_OPTIONS,
        console="Replication metrics: event notifications",
        sets="Instead of `arn`: the name of a standard SQS queue, made in the source bucket's"
        " account and Region where there is none; it keeps messages for 14 days, and destroy"
        " leaves it.",
    ),
    SpecField(
        table="notification", name="events", kind=_W, test=_OPTIONS,
        console="Event types: replication",
        sets="Which events: failed replications, and the three of Replication Time Control.",
        choices=tuple(ReplicationEvent),
    ),
    SpecField(
        table="batch", name="bucket", kind=_T, flag="--batch-bucket", test=_OPTIONS,
        console="Create Batch Operations job: completion report",
        sets="Bucket for manifests and completion reports, in the source's account and Region;"
        " with it the Batch Operations role is made.",
    ),
    SpecField(
        table="batch", name="make-buckets", kind=_S, test=_OPTIONS,
        sets="Whether buckets for reports that are not there are made; true unless said.",
    ),
    SpecField(
        table="batch", name="generated-manifests", kind=_S, test=_OPTIONS,
        console="Create Batch Operations job: S3 generates the manifest",
        sets="Whether S3 may generate manifests; true unless said.",
    ),
    SpecField(
        table="batch", name="checksums", kind=_S, flag="--checksums", test=_OPTIONS,
        sets="Lets Compute checksum jobs run, on the source by the same role, on the destination"
        " by a role there.",
    ),
    SpecField(
        table="batch", name="destination-bucket", kind=_T, flag="--destination-batch-bucket",
        test=_OPTIONS,
        sets="As `bucket`, for checksum jobs on the destination.",
    ),
    *_role_fields("batch-role", "the role that Batch Operations jobs run as"),
    *_role_fields("batch-destination-role", "the role of checksum jobs on the destination"),
)  # fmt: skip
"""Existing objects have no field: S3 no longer takes `ExistingObjectReplication`, and the backfill
itself brings them over. Versioning has none either: replication does not work without it."""
