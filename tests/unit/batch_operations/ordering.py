"""Orders, records and standings as the tests of the driver's parts want them."""

from datetime import UTC, datetime

from backfill.batch_operations.ledger import JobRecord
from backfill.batch_operations.orders import JobOrder
from backfill.batch_operations.standings import Limits, Standing
from backfill.batch_operations.tokens import (
    client_request_token,
    job_description,
    job_tags,
    manifest_text,
)
from backfill.model.jobs import (
    JobDescription,
    JobFailure,
    JobOperation,
    JobPlace,
    JobProgress,
    JobRequest,
    JobStatus,
    JobSummary,
    ManifestFormat,
    ManifestLocation,
    ReportLocation,
)
from backfill.model.objects import ETag

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
LIMITS = Limits(active_jobs_max=2, poll_s=30.0, listing_lag_s=60.0)
PLACE = JobPlace(account_id="111111111111", region="eu-west-1")


def order(shard: int = 0, *, needs_confirmation: bool = False, attempt: int = 1) -> JobOrder:
    """Return an order for one shard of a manifest."""
    manifest = ManifestLocation(
        format=ManifestFormat.CSV,
        bucket="batch",
        key=f"backfill/manifest-{shard}.csv",
        etag=ETag(f"etag-{shard}"),
    )
    token = client_request_token(
        plan_digest="plan", shard=str(shard), attempt=attempt, manifest=manifest_text(manifest)
    )
    request = JobRequest(
        place=PLACE,
        operation=JobOperation.REPLICATE,
        manifest=manifest,
        report=ReportLocation(bucket="batch", prefix="backfill/reports", expected_owner="1" * 12),
        role_arn="arn:aws:iam::111111111111:role/batch",
        priority=10,
        token=token,
        description=job_description(token, f"backfill of source-bucket, shard {shard}"),
        tags=job_tags(token, "RUN"),
        needs_confirmation=needs_confirmation,
    )
    return JobOrder(name=f"00-{attempt}-{shard:04d}", request=request, rows=100)


def description(
    of: JobOrder,
    job_id: str,
    status: JobStatus,
    *,
    done: int = 0,
    failures: tuple[JobFailure, ...] = (),
) -> JobDescription:
    """Return what DescribeJob says."""
    return JobDescription(
        summary=JobSummary(
            job_id=job_id,
            status=status,
            operation=of.request.operation.value,
            priority=of.request.priority,
            description=of.request.description,
            created_at=NOW,
            progress=JobProgress(total=100, succeeded=done),
            ended_at=NOW if status.is_terminal else None,
        ),
        arn=f"arn:aws:s3:eu-west-1:111111111111:job/{job_id}",
        failures=failures,
        report=of.request.report,
        suspended_cause="Awaiting confirmation" if status is JobStatus.SUSPENDED else "",
    )


def fresh(shard: int = 0, *, needs_confirmation: bool = False) -> Standing:
    """Return the standing of an order that nothing was done about."""
    wanted = order(shard, needs_confirmation=needs_confirmation)
    return Standing(order=wanted, record=JobRecord(name=wanted.name, token=wanted.request.token))
