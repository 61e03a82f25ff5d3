"""Which versions a campaign is about, where they lie and where they go.

Never checks a value (`campaign.parsing` does).
Law: what a campaign means stands here; how it works stands in `how`, its limits in `limits`.
"""

from typing import Final

from backfill.model.options import Kind, Option

WHAT: Final[tuple[Option, ...]] = (
    Option(table="source", name="bucket", kind=Kind.BUCKET, help="source bucket"),
    Option(
        table="source",
        name="account",
        kind=Kind.ACCOUNT,
        flag="--source-account",
        help="account ID expected to own the source bucket (default: the source identity's)",
    ),
    Option(
        table="source",
        name="profile",
        kind=Kind.TEXT,
        flag="--source-profile",
        help="AWS profile that reads the source bucket (default: the SDK's own chain)",
    ),
    Option(
        table="source",
        name="role-arn",
        kind=Kind.TEXT,
        flag="--source-role-arn",
        help="role that the source's identity assumes first (default: none)",
    ),
    Option(
        table="source",
        name="external-id",
        kind=Kind.TEXT,
        flag="--source-external-id",
        help="external ID that the trust policy of --source-role-arn asks for",
    ),
    Option(
        table="destination",
        name="bucket",
        kind=Kind.BUCKET,
        flag="--destination",
        help="destination bucket, instead of those that the source bucket's rules name",
    ),
    Option(
        table="destination",
        name="account",
        kind=Kind.ACCOUNT,
        flag="--destination-account",
        help="account ID expected to own the destination bucket "
        "(default: the rule's Account, else the destination identity's)",
    ),
    Option(
        table="destination",
        name="profile",
        kind=Kind.TEXT,
        flag="--destination-profile",
        help="AWS profile that writes the destination and reads the source for copies",
    ),
    Option(
        table="destination",
        name="role-arn",
        kind=Kind.TEXT,
        flag="--destination-role-arn",
        help="role that the destination's identity assumes first (default: none)",
    ),
    Option(
        table="destination",
        name="external-id",
        kind=Kind.TEXT,
        flag="--destination-external-id",
        help="external ID that the trust policy of --destination-role-arn asks for",
    ),
    Option(
        table="destination",
        name="storage-class",
        kind=Kind.TEXT,
        flag="--storage-class",
        help="storage class at --destination (default: the source's)",
    ),
    Option(
        table="destination",
        name="kms-key-arn",
        kind=Kind.TEXT,
        flag="--kms-key-arn",
        help="KMS key for SSE-KMS objects at --destination (default: they are not selected)",
    ),
    Option(
        table="destination",
        name="delete-markers",
        kind=Kind.SWITCH,
        flag="--delete-markers",
        help="replicate delete markers to --destination: current ones; under --versions all every"
        " one, in its place",
    ),
    Option(
        table="destination",
        name="checksum-algorithm",
        kind=Kind.CHOICE,
        choices=("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"),
        flag="--destination-checksum-algorithm",
        help="checksum algorithm that copies shall have (default: the source's, and CRC64NVME"
        " where it has none)",
    ),
    Option(
        table="scope",
        name="prefix",
        kind=Kind.TEXT,
        flag="--prefix",
        help="only keys that begin with this",
    ),
    Option(
        table="scope",
        name="tags",
        kind=Kind.TAGS,
        flag="--tag",
        help="only objects with this tag, KEY=VALUE; repeat it for several, all must match",
    ),
    Option(
        table="scope",
        name="created-before",
        kind=Kind.TIMESTAMP,
        flag="--created-before",
        help="the horizon: only versions created before it (default: when the run began)",
    ),
    Option(
        table="scope",
        name="versions",
        kind=Kind.CHOICE,
        choices=("current", "all"),
        flag="--versions",
        help="what copy workers bring of a key: its current version, or 'all' of its history into"
        " keys that the destination lacks and nobody writes; Batch Replication always brings all"
        " (default: current)",
    ),
    Option(
        table="writers",
        name="other-writers",
        kind=Kind.CHOICE,
        choices=("by-rules", "quiet"),
        flag="--other-writers",
        help="'quiet' states that nobody else writes either bucket meanwhile (default: by-rules)",
    ),
    Option(
        table="restore",
        name="archived",
        kind=Kind.SWITCH,
        flag="--restore",
        help="have archived versions restored for a while, wait, and copy them; S3 bills restores"
        " (default: they stay, with a reason)",
    ),
    Option(
        table="restore",
        name="max-bytes",
        kind=Kind.INTEGER,
        flag="--restore-max-bytes",
        help="bytes that may be restored in all; --restore needs it",
    ),
    Option(
        table="restore",
        name="tier",
        kind=Kind.CHOICE,
        choices=("Bulk", "Standard", "Expedited"),
        flag="--restore-tier",
        help="retrieval tier: the cheaper, the slower; Bulk takes up to 48 hours (default: Bulk)",
    ),
    Option(
        table="restore",
        name="days",
        kind=Kind.INTEGER,
        maximum=365,
        flag="--restore-days",
        help="days that restored copies stay readable (default: 3)",
    ),
)
