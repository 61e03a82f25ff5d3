"""How a campaign is spelled: one table for TOML keys, environment variables and flags.

Never checks a value (`campaign.parsing` does), and imports next to nothing: it is on the path of
`backfill --help`.
Law: whatever a campaign can say stands in this table once, and every spelling follows from it.
"""

import enum
from dataclasses import dataclass


class Kind(enum.StrEnum):
    """The type of an option's value."""

    TEXT = "text"
    BUCKET = "bucket"
    ACCOUNT = "account"
    INTEGER = "integer"
    SECONDS = "seconds"
    SWITCH = "switch"
    TIMESTAMP = "timestamp"
    TAGS = "tags"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One thing that a campaign can say, in every spelling: TOML, environment and flag."""

    table: str
    name: str
    kind: Kind
    help: str
    flag: str = ""
    choices: tuple[str, ...] = ()
    minimum: int = 1
    maximum: int = 2**53 - 1
    """Beyond it a JSON reader may round."""

    @property
    def environment(self) -> str:
        """Return the environment variable that sets this option."""
        spelling = self.flag.removeprefix("--") or f"{self.table}-{self.name}"
        return "BACKFILL_" + spelling.upper().replace("-", "_")


AT_ONCE_MAX = 10_000
"""Of anything at a time: each takes some KiB and a connection, and a slip of the finger takes none
of them. S3 lets a prefix have 3,500 writes a second, at 20 ms each 70 at a time."""

OPTIONS: tuple[Option, ...] = (
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
        help="replicate current delete markers to --destination",
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
        table="writers",
        name="other-writers",
        kind=Kind.CHOICE,
        choices=("by-rules", "quiet"),
        flag="--other-writers",
        help="'quiet' states that nobody else writes either bucket meanwhile (default: by-rules)",
    ),
    Option(
        table="execute",
        name="engine",
        kind=Kind.CHOICE,
        choices=("auto", "batch-replication", "copy"),
        flag="--engine",
        help="how versions are delivered: 'batch-replication' by S3 Batch Operations only, 'copy'"
        " by copy workers only, 'auto' the first where it can and the second for the rest"
        " (default: auto)",
    ),
    Option(
        table="batch",
        name="role-arn",
        kind=Kind.TEXT,
        flag="--batch-role-arn",
        help="IAM role of the source account that Batch Replication jobs run under",
    ),
    Option(
        table="batch",
        name="bucket",
        kind=Kind.BUCKET,
        flag="--batch-bucket",
        help="bucket for manifests and completion reports, in the source's account and Region",
    ),
    Option(
        table="batch",
        name="prefix",
        kind=Kind.TEXT,
        flag="--batch-prefix",
        help="where in the batch bucket manifests and reports go (default: backfill)",
    ),
    Option(
        table="batch",
        name="manifest",
        kind=Kind.CHOICE,
        choices=("auto", "own", "generated"),
        flag="--batch-manifest",
        help="'own' uploads a manifest of exactly the plan's versions, 'generated' lets S3 make it"
        " where rules and statuses alone describe them, 'auto' decides (default: auto)",
    ),
    Option(
        table="batch",
        name="manifest-format",
        kind=Kind.CHOICE,
        choices=("csv", "inventory"),
        flag="--batch-manifest-format",
        help="format of own manifests; only 'inventory' may be under SSE-KMS (default: csv)",
    ),
    Option(
        table="batch",
        name="confirm",
        kind=Kind.SWITCH,
        flag="--confirm",
        help="leave jobs Suspended until a person confirms them: backfill jobs confirm",
    ),
    Option(
        table="batch",
        name="priority",
        kind=Kind.INTEGER,
        minimum=0,
        flag="--job-priority",
        help="priority of the jobs among the account's others; higher goes first (default: 10)",
    ),
    Option(
        table="batch",
        name="destination-role-arn",
        kind=Kind.TEXT,
        flag="--destination-batch-role-arn",
        help="role of the destination account that Compute checksum jobs run under",
    ),
    Option(
        table="batch",
        name="destination-bucket",
        kind=Kind.BUCKET,
        flag="--destination-batch-bucket",
        help="bucket for manifests and reports of Compute checksum jobs at the destination",
    ),
    Option(
        table="verify",
        name="evidence",
        kind=Kind.CHOICE,
        choices=("stored", "checksum-jobs"),
        flag="--evidence",
        help="'checksum-jobs' lets S3 compute checksums on both sides where what is stored decides"
        " nothing; costs jobs, no download (default: stored)",
    ),
    Option(
        table="verify",
        name="checksum-algorithm",
        kind=Kind.CHOICE,
        choices=("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"),
        flag="--checksum-algorithm",
        help="algorithm of Compute checksum jobs (default: SHA256)",
    ),
    Option(
        table="verify",
        name="deep",
        kind=Kind.SWITCH,
        flag="--deep",
        help="stream both sides where nothing stored decides; costs a download of both",
    ),
    Option(
        table="verify",
        name="allow-unverified",
        kind=Kind.SWITCH,
        flag="--allow-unverified",
        help="exit 0 although some versions could only be called unverified",
    ),
    Option(
        table="repair",
        name="allow-hiding",
        kind=Kind.SWITCH,
        flag="--allow-hiding",
        help="let repair hide extra objects behind conditional delete markers; versions stay",
    ),
    Option(
        table="access",
        name="role-session-name",
        kind=Kind.TEXT,
        flag="--role-session-name",
        help="session name of the roles assumed, as CloudTrail shows it (default: backfill)",
    ),
    Option(
        table="access",
        name="region",
        kind=Kind.TEXT,
        flag="--region",
        help="Region for the first calls (default: the SDK's); buckets tell their own",
    ),
    Option(
        table="access",
        name="endpoint-url",
        kind=Kind.TEXT,
        flag="--endpoint-url",
        help="S3 endpoint (STS's too on loopback, where http is allowed; default: the SDK's)",
    ),
    Option(
        table="access",
        name="client",
        kind=Kind.CHOICE,
        choices=("lean", "sdk"),
        flag="--client",
        help="'sdk' sends everything through the AWS SDK, which takes far more CPU (default: lean)",
    ),
    Option(
        table="limits",
        name="concurrency",
        kind=Kind.INTEGER,
        maximum=AT_ONCE_MAX,
        flag="--concurrency",
        help="copies in flight, over all processes (default: 128)",
    ),
    Option(
        table="limits",
        name="processes",
        kind=Kind.INTEGER,
        maximum=AT_ONCE_MAX,
        flag="--processes",
        help="processes that copy, each with its share of the keys and of the limits (default: 1)",
    ),
    Option(
        table="limits",
        name="max-requests-per-second",
        kind=Kind.INTEGER,
        minimum=0,
        flag="--max-requests-per-second",
        help="requests to S3 a second, over all processes; 0, the default: as many as S3 lets pass",
    ),
    Option(
        table="limits",
        name="max-bandwidth",
        kind=Kind.INTEGER,
        minimum=0,
        flag="--max-bandwidth",
        help="bytes a second that --deep may download, over all processes; 0, the default: no limit",
    ),
    Option(
        table="limits",
        name="listing-concurrency",
        kind=Kind.INTEGER,
        maximum=AT_ONCE_MAX,
        flag="--listing-concurrency",
        help="pages of listings in flight, over all buckets (default: 48)",
    ),
    Option(
        table="limits",
        name="parts-in-flight",
        kind=Kind.INTEGER,
        maximum=AT_ONCE_MAX,
        help="parts of large objects in flight, over all objects (default: 64)",
    ),
    Option(
        table="limits",
        name="copy-object-bytes-max",
        kind=Kind.INTEGER,
        help="objects above it go by UploadPartCopy (default: 5 GB, S3's limit)",
    ),
    Option(
        table="limits",
        name="part-bytes",
        kind=Kind.INTEGER,
        minimum=5 * 1024 * 1024,
        help="part size where the source's boundaries cannot be read (default: 64 MiB)",
    ),
    Option(
        table="limits",
        name="attempts-max",
        kind=Kind.INTEGER,
        help="attempts for one version before it fails (default: 6)",
    ),
    Option(
        table="limits",
        name="active-jobs-max",
        kind=Kind.INTEGER,
        flag="--active-jobs-max",
        help="jobs of this run that may be active at a time (default: 4; AWS allows about 6)",
    ),
    Option(
        table="limits",
        name="job-attempts-max",
        kind=Kind.INTEGER,
        help="jobs that one version may go through before it fails (default: 3)",
    ),
    Option(
        table="limits",
        name="job-manifest-rows-max",
        kind=Kind.INTEGER,
        help="rows of one own manifest; more are split over several jobs (default: 10,000,000)",
    ),
    Option(
        table="limits",
        name="job-poll-s",
        kind=Kind.SECONDS,
        help="pause between two looks at a job; at least 30 against AWS (default: 30)",
    ),
    Option(
        table="limits",
        name="replication-deadline-s",
        kind=Kind.SECONDS,
        flag="--replication-deadline-s",
        help="how long to wait for replication after its jobs are Complete (default: 3600)",
    ),
    Option(
        table="limits",
        name="settle-delay-s",
        kind=Kind.SECONDS,
        help="pause before verify looks again at a difference (default: 5)",
    ),
    Option(
        table="limits",
        name="drain-timeout-s",
        kind=Kind.SECONDS,
        help="after a signal, how long running copies may take (default: 25)",
    ),
)
"""Every option once. The command line's flags, the environment and campaign.toml all follow it."""
