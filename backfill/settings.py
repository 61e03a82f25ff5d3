"""Limits of queues, retries, loops, pages and parts, each default with its reason.

Never read from the environment here: the command line resolves flags and variables into these.
Law: every limit that the product obeys is named here or in the S3 limits beside it.
"""

from dataclasses import dataclass

MIB = 1024 * 1024
GIB = 1024 * MIB

COPY_OBJECT_BYTES_MAX = 5 * 1000**3
"""CopyObject's limit. AWS writes 5 GB; the smaller reading is safe (S3 API: CopyObject)."""
PART_BYTES_MIN = 5 * MIB
PART_BYTES_MAX = 5 * GIB
PARTS_MAX = 10_000
OBJECT_BYTES_MAX = PARTS_MAX * PART_BYTES_MAX
"""S3 User Guide: qfacts. 48.8 TiB."""
LIST_PAGE_MAX = 1000
TAGS_MAX = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Limits of one run; tests and the sandbox lower some of them.

    Attributes:
        concurrency: Copies in flight, over all processes. 128 at 20 ms a call are 6,400 a second,
            more than the 3,500 writes/s that S3 takes a prefix.
        processes: Processes that copy. One saturates a prefix's limit; more serve buckets with many
            prefixes, and need a core each.
        requests_per_second_max: Requests to S3 a second, over all processes; 0: as many as S3
            lets pass.
        bandwidth_max: Bytes a second that deep verification may download, over all processes; 0:
            no limit.
        listing_concurrency: Pages of listings in flight, over all buckets. 48 pages of 1,000 keys
            at 100 ms are three times what one core writes down, and each holds 1 to 2 MiB.
        parts_in_flight_max: Parts of large objects in flight, over all objects: S3 copies at some
            tens of MB/s a part, and too many parts at once only meet SlowDown.
        copy_object_bytes_max: Above it an object goes by UploadPartCopy.
        part_bytes: Part size where the source's boundaries cannot be read; grown for large
            objects so that 10,000 parts suffice. 64 MiB keeps a retry cheap.
        attempts_max: Attempts for one entry before it fails. 6 with full jitter spans about a
            minute of throttling.
        retry_base_s: First pause; doubled each time, full jitter.
        retry_cap_s: Longest pause. S3's throttling eases within seconds.
        retry_budget_ratio: Retries allowed per first attempt, process-wide, so that a total outage
            does not become a storm.
        retry_budget_floor: Retries always allowed, so that small runs can retry at all.
        breaker_window: Outcomes looked at by the breaker.
        breaker_failure_ratio: Share of failures in the window that stops the run.
        settle_delay_s: Pause before verify looks again at a difference; live replication mostly
            arrives within it on the next look, not always.
        settle_rounds: How often verify looks again.
        drain_timeout_s: After a signal, how long running copies may take; containers get 30 s.
        progress_interval_s: Pause between progress lines off a terminal.
        memory_bytes_max: Memory that the run may have, over all processes; 0: what the machine or
            container gives.
        rounds_redecide_max: How often one entry may be decided anew after 412 or 409.
        control_attempts_max: Attempts of a read before its fault is final.
        page_max: Rows a page of a listing. S3 gives no more; tests lower it to split keys.
        active_jobs_max: Jobs of ours that may be active at a time. S3 lets an account have about 6;
            2 are left to others.
        job_attempts_max: Jobs that one version may go through before it fails.
        job_manifest_rows_max: Rows of one own manifest; S3 takes 20 billion, but a job that fails
            is done again as a whole.
        job_manifest_bytes_max: Bytes of one CSV manifest: one PutObject takes 5 GB.
        job_poll_s: Pause between two looks at a job. S3 asks for no more than one in 30 s (S3 User
            Guide: troubleshooting-batch-operations).
        replication_deadline_s: How long replication may take after its jobs are Complete. Most
            objects take minutes, large ones hours.
        restore_poll_s: Pause between two looks at versions that are being restored. Restores take
            hours, but Expedited ones minutes; a look is a HEAD of each version.
    """

    concurrency: int = 128
    processes: int = 1
    requests_per_second_max: int = 0
    bandwidth_max: int = 0
    listing_concurrency: int = 48
    parts_in_flight_max: int = 64
    copy_object_bytes_max: int = COPY_OBJECT_BYTES_MAX
    part_bytes: int = 64 * MIB
    attempts_max: int = 6
    retry_base_s: float = 0.2
    retry_cap_s: float = 20.0
    retry_budget_ratio: float = 0.2
    retry_budget_floor: int = 100
    breaker_window: int = 200
    breaker_failure_ratio: float = 0.9
    settle_delay_s: float = 5.0
    settle_rounds: int = 2
    drain_timeout_s: float = 25.0
    progress_interval_s: float = 10.0
    memory_bytes_max: int = 0
    rounds_redecide_max: int = 8
    control_attempts_max: int = 6
    page_max: int = LIST_PAGE_MAX
    active_jobs_max: int = 4
    job_attempts_max: int = 3
    job_manifest_rows_max: int = 10_000_000
    job_manifest_bytes_max: int = 4 * GIB
    job_poll_s: float = 30.0
    replication_deadline_s: float = 3600.0
    restore_poll_s: float = 900.0


_BASE_BYTES = 112 * MIB
"""The interpreter, both clients, a window of each stage; measured at a million objects over TLS."""
_PAGE_BYTES = 2304 * 1024
"""A page of 1,000 versions while it is read and parsed; over TLS it took 2.1 MiB."""
_COPY_BYTES = 256 * 1024
"""A copy in flight: its connection's buffers, its entry, its intent."""
_PROCESS_BYTES = 96 * MIB
"""Another process that copies, without its share of the copies."""


def memory_needed_bytes(settings: Settings) -> int:
    """Return what a run with these limits holds at most, over all its processes.

    A key with very many versions takes 1.5 KiB of each beyond it (docs/internals/BENCHMARKS.md).
    """
    return (
        _BASE_BYTES
        + _PAGE_BYTES * settings.listing_concurrency
        + _COPY_BYTES * settings.concurrency
        + _PROCESS_BYTES * (settings.processes - 1)
    )
