"""The limits of a campaign; `settings` explains their defaults.

Never checks a value (`campaign.parsing` does).
Law: as in `what`.
"""

from typing import Final

from backfill.model.options import Kind, Option

AT_ONCE_MAX: Final = 10_000
"""Of anything at a time: each takes some KiB and a connection, and a slip of the finger takes none
of them. S3 lets a prefix have 3,500 writes a second, at 20 ms each 70 at a time."""

LIMITS: Final[tuple[Option, ...]] = (
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
        help="bytes a second that --deep may download, over all processes; 0, the default:"
        " no limit",
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
        name="restore-poll-s",
        kind=Kind.SECONDS,
        flag="--restore-poll-s",
        help="pause between two looks at versions that are being restored, a HEAD each"
        " (default: 900; 60 for Expedited)",
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
    Option(
        table="limits",
        name="progress-interval-s",
        kind=Kind.SECONDS,
        flag="--progress-interval-s",
        help="pause between two lines of progress off a terminal (default: 10)",
    ),
    Option(
        table="limits",
        name="max-memory",
        kind=Kind.INTEGER,
        minimum=0,
        flag="--max-memory",
        help="bytes of memory that the run may have; 0, the default: what this machine or container"
        " gives; less than the other limits need is refused",
    ),
)
