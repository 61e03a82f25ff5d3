"""What S3 Batch Operations jobs need beside their role: a bucket, and who may make them."""

from collections.abc import Iterator

from backfill.model.accounts import BucketDocument, Role, Unread
from backfill.preflight.access import IDENTITY, judged
from backfill.preflight.checks.check import Check, blocked, ok, unread, untold
from backfill.preflight.checks.locks import default_retention
from backfill.preflight.evidence import BucketEvidence, Gathered
from backfill.preflight.findings import Finding, Mend, Part
from backfill.preflight.granting import caller_mend, evidence_lines, role_mend
from backfill.preflight.mends import create_bucket_command, put_document
from backfill.preflight.permissions import job_needs


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


def _caller(seen: Gathered) -> Iterator[Finding]:
    needs = job_needs(seen)
    if not needs:
        return
    told = judged(seen, needs)
    arn = needs[0].request.principal.arn
    lacking = [each for each in told if each.lacks(IDENTITY)]
    denied = [each for each in told if each.denying(IDENTITY)]
    pending = [each for each in told if each.pending(IDENTITY)]
    if lacking or denied:
        actions = ", ".join(dict.fromkeys(each.need.action for each in (*lacking, *denied)))
        what = f"the source identity may not make jobs: {actions}"
        lines = evidence_lines([*denied, *lacking], IDENTITY)
        role = needs[0].role.role
        mend = (
            role_mend(role, "job-caller", lacking, denied)
            if isinstance(role, Role)
            else caller_mend(arn, lacking, denied)
        )
        yield blocked("job-caller", arn, what, mend, *lines)
    elif pending:
        what = "whether the source identity may make jobs and pass the batch role is not known"
        yield untold("job-caller", arn, what, *evidence_lines(pending, IDENTITY))
    else:
        yield ok("job-caller", arn, "the source identity may make jobs and pass the batch role")


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
    Check(
        id="job-caller",
        part=Part.JOBS,
        asks="May the source identity create and watch jobs, and pass them the batch role?",
        why="CreateJob is refused without iam:PassRole on the role; without s3:ListJobs a job is"
        " not found again after a crash.",
        look=_caller,
    ),
)
