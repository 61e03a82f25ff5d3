"""Object Lock: what is locked at the source can only arrive where locks exist."""

from collections.abc import Iterator

from backfill.model.accounts import BucketDocument, Unread
from backfill.preflight.checks.check import Check, blocked, ok, unread
from backfill.preflight.evidence import BucketEvidence, Gathered, is_locked
from backfill.preflight.findings import Finding, Part
from backfill.preflight.members import Fields, member, text
from backfill.preflight.mends import put_document


def default_retention(fields: Fields | Unread | None) -> Fields:
    """Return the default retention; empty for none."""
    return member(fields, "Rule", "DefaultRetention")


def _locks(seen: Gathered) -> Iterator[Finding]:
    ours = seen.source.fields(BucketDocument.OBJECT_LOCK)
    if isinstance(ours, Unread) and seen.source.region_name:
        what = "whether the source has Object Lock is not known"
        yield unread("object-lock", seen.source.name, what, ours, seen.source.arn)
    if not is_locked(ours):
        return
    for destination in seen.destinations:
        if destination.region_name:
            yield _at(destination)


def _at(destination: BucketEvidence) -> Finding:
    fields = destination.fields(BucketDocument.OBJECT_LOCK)
    name = destination.name
    if isinstance(fields, Unread):
        what = "the source has Object Lock; whether the destination has it is not known"
        return unread("object-lock", name, what, fields, destination.arn)
    if is_locked(fields):
        retention = default_retention(fields)
        lines = (
            [f"default retention {text(retention, 'Mode')}: it also locks replicas without a lock"]
            if retention
            else []
        )
        return ok("object-lock", name, "both buckets have Object Lock", *lines)
    mend = put_document(
        destination,
        BucketDocument.OBJECT_LOCK,
        {"ObjectLockEnabled": "Enabled"},
        "Switch Object Lock on for the destination (it can never be switched off again)",
    )
    what = "the source has Object Lock and the destination has not"
    return blocked(
        "object-lock", name, what, mend, "locked versions get DstBucketObjectLockConfigMissing"
    )


CHECKS = (
    Check(
        id="object-lock",
        part=Part.REPLICATION,
        asks="If the source has Object Lock, has the destination it, too?",
        why="S3 replicates retention and legal holds with a version, and fails it where the"
        " destination has no Object Lock (DstBucketObjectLockConfigMissing).",
        look=_locks,
    ),
)
