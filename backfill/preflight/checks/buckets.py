"""Both buckets: there, in the right hands and Region, versioned, and not paid for by requesters."""

from collections.abc import Iterator

from backfill.campaign import Engine
from backfill.model.accounts import BucketDocument, Unread
from backfill.preflight.checks.check import Check, blocked, ok, unread, warned
from backfill.preflight.evidence import BucketEvidence, Gathered
from backfill.preflight.findings import Finding, Mend, Part
from backfill.preflight.members import text
from backfill.preflight.mends import create_bucket_command, s3api, versioning_command

_NAMED = {
    "source": "name another one as SOURCE_BUCKET",
    "destination": "name another one with --destination",
}
"""Where the names come from that no rule gives."""


def _sides(seen: Gathered) -> Iterator[tuple[str, BucketEvidence]]:
    yield "source", seen.source
    for destination in seen.destinations:
        yield "destination", destination


def _existence(seen: Gathered) -> Iterator[Finding]:
    for side, bucket in _sides(seen):
        if bucket.is_missing:
            # Nothing says in which Region it was, or was meant to be.
            words = create_bucket_command(bucket.name, seen.source.region_name or "us-east-1")
            is_of_rules, named = side == "destination" and seen.follows_rules, _NAMED[side]
            named = "put its right name into the rule" if is_of_rules else named
            mend = Mend(
                says=f"Create the {side} bucket, in another Region if so meant, or {named}",
                account_id=bucket.account_id,
                commands=(words, versioning_command(bucket.name)),
            )
            code = "DstBucketNotFound" if is_of_rules else "NoSuchBucket"
            what = f"the {side} bucket does not exist"
            yield blocked("bucket", bucket.name, what, mend, f"HeadBucket: 404; S3 says {code}")
        elif isinstance(bucket.region, Unread):
            what = f"whether the {side} bucket exists is not known"
            yield unread("bucket", bucket.name, what, bucket.region, bucket.arn)
        else:
            owner = f", account {bucket.account_id}" if bucket.is_owner_proven else ""
            what = f"the {side} bucket is in {bucket.region}{owner}"
            yield ok("bucket", bucket.name, what)


def _versioning(seen: Gathered) -> Iterator[Finding]:
    for side, bucket in _sides(seen):
        if not bucket.region_name or (side == "source" and not seen.follows_rules):
            continue
        fields = bucket.fields(BucketDocument.VERSIONING)
        if isinstance(fields, Unread):
            what = f"whether the {side} bucket is versioned is not known"
            yield unread("versioning", bucket.name, what, fields, bucket.arn)
            continue
        status = text(fields, "Status")
        if status == "Enabled":
            yield ok("versioning", bucket.name, f"versioning of the {side} bucket is Enabled")
            continue
        mend = Mend(
            says=f"Switch versioning of the {side} bucket on",
            account_id=bucket.account_id,
            commands=(versioning_command(bucket.name),),
        )
        yield blocked(
            "versioning",
            bucket.name,
            f"versioning of the {side} bucket is {status or 'not switched on'}, it must be Enabled",
            mend,
            f"GetBucketVersioning: Status {status or 'absent'}",
            "S3 gives every version the code DstBucketUnversioned"
            if side == "destination"
            else "S3 replicates from versioned buckets only",
        )


def _requester_pays(seen: Gathered) -> Iterator[Finding]:
    for side, bucket in _sides(seen):
        fields = bucket.fields(BucketDocument.REQUEST_PAYMENT)
        others = [each for each in seen.destinations if seen.is_cross_account(each)]
        is_shared = bucket in others if side == "destination" else bool(others)
        if not bucket.region_name or not is_shared:
            continue
        if isinstance(fields, Unread):
            what = f"who pays for requests to the {side} bucket is not known"
            yield unread("requester-pays", bucket.name, what, fields, bucket.arn)
        elif text(fields, "Payer") == "Requester":
            payer = '{"Payer":"BucketOwner"}'
            words = s3api(
                "put-bucket-request-payment",
                bucket.name,
                "--request-payment-configuration",
                payer,
            )
            mend = Mend(
                says="Let the bucket's owner pay",
                account_id=bucket.account_id,
                commands=(words,),
            )
            what = f"the {side} bucket is Requester Pays, and the other account takes part"
            # Replication and its jobs read as roles of the owner's own: copies alone are denied.
            is_of_jobs = seen.campaign.engine is Engine.BATCH_REPLICATION
            say = warned if side == "source" and is_of_jobs else blocked
            yield say("requester-pays", bucket.name, what, mend, "Payer: Requester")
        else:
            yield ok("requester-pays", bucket.name, f"the {side} bucket's owner pays")


CHECKS = (
    Check(
        id="bucket",
        part=Part.ALL,
        asks="Do both buckets exist, and who owns them?",
        why="A missing destination gives every version DstBucketNotFound.",
        look=_existence,
    ),
    Check(
        id="versioning",
        part=Part.ALL,
        asks="Is versioning Enabled on both sides?",
        why="S3 replicates between versioned buckets only (DstBucketUnversioned); copies into an"
        " unversioned one could lose data for good.",
        look=_versioning,
    ),
    Check(
        id="requester-pays",
        part=Part.ALL,
        asks="Does a bucket make requesters of another account pay?",
        why="The destination of another account must not be Requester Pays (S3 User Guide:"
        " replication-requirements), and backfill never offers to pay.",
        look=_requester_pays,
    ),
)
