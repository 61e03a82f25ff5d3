"""How a campaign delivers, proves and mends, and how it reaches both sides.

Never checks a value (`campaign.parsing` does), and never holds a secret: files and profiles do.
Law: as in `what`.
"""

from typing import Final

from backfill.model.options import Kind, Option

HOW: Final[tuple[Option, ...]] = (
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
        table="access",
        name="customer-key-file",
        kind=Kind.TEXT,
        flag="--customer-key-file",
        help="file with the 256-bit keys of SSE-C objects, base64, one a line; they are only sent"
        " over TLS or to loopback, and never kept (default: such objects stay, with a reason)",
    ),
)
