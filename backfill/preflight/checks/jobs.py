"""What S3 Batch Operations jobs need beside their role and who makes them: a bucket."""

from collections.abc import Iterator

from backfill.model.accounts import BucketDocument, Unread
from backfill.preflight.checks.check import Check, blocked, ok, unread
from backfill.preflight.checks.locks import default_retention
from backfill.preflight.evidence import BucketEvidence, Gathered
from backfill.preflight.findings import Finding, Mend, Part
from backfill.preflight.mends import create_bucket_command, put_document


def _bucket(seen: Gathered) -> Iterator[Finding]:
    bucket = seen.batch_bucket
    if bucket is None:
        return
    flaw = _place_flaw(seen, bucket) or _retention_flaw(bucket)
    yield flaw or ok(
        "batch-bucket", bucket.name, "manifests and reports have a bucket in the source's Region"
    )


def _place_flaw(seen: Gathered, bucket: BucketEvidence) -> Finding | None:
    check, name, region = "batch-bucket", bucket.name, seen.source.region_name
    if bucket.name == seen.source.name:
        mend = Mend(says="Take a bucket of its own: --batch-bucket BUCKET")
        what = "the batch bucket is the source bucket: reports would be replicated"
        return blocked(check, name, what, mend)
    if bucket.is_missing:
        words = create_bucket_command(name, region)
        mend = Mend(
            says="Create the bucket for manifests and reports in the source's Region",
            account_id=seen.source.account_id,
            commands=(words,),
        )
        return blocked(check, name, "the batch bucket does not exist", mend, "HeadBucket: 404")
    if isinstance(bucket.region, Unread):
        what = "whether the batch bucket exists is not known"
        return unread(check, name, what, bucket.region, bucket.arn)
    if region and bucket.region != region:
        mend = Mend(says=f"Take a bucket in {region}: --batch-bucket BUCKET")
        what = f"the batch bucket is in {bucket.region}, the source in {region}"
        return blocked(check, name, what, mend, "jobs read manifests in their own Region only")
    return None


def _retention_flaw(bucket: BucketEvidence) -> Finding | None:
    fields = bucket.fields(BucketDocument.OBJECT_LOCK)
    check, name = "batch-bucket", bucket.name
    if isinstance(fields, Unread):
        what = "whether the batch bucket retains reports by default is not known"
        return unread(check, name, what, fields, bucket.arn)
    if not default_retention(fields):
        return None
    mend = put_document(
        bucket,
        BucketDocument.OBJECT_LOCK,
        {"ObjectLockEnabled": "Enabled"},
        "Remove the default retention (locks that objects have stay)",
    )
    what = "the batch bucket has a default retention, and S3 writes no completion report into it"
    return blocked(check, name, what, mend, "GetObjectLockConfiguration: DefaultRetention")


CHECKS = (
    Check(
        id="batch-bucket",
        part=Part.JOBS,
        asks="Is there a bucket for manifests and reports, in the source's Region, without a"
        " default retention?",
        why="A job whose report cannot be written runs, is charged, and tells nothing (S3 User"
        " Guide: troubleshooting-batch-operations).",
        look=_bucket,
    ),
)
