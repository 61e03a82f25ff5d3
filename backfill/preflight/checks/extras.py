"""What copies can keep of locks and ACLs: settings of the destination bucket, not rights.

Law: a version that cannot be copied whole stays behind with a reason, so nothing here is a blocker.
"""

from collections.abc import Iterator

from backfill.model.accounts import BucketDocument, Unread
from backfill.plan.terms import OWNER_ENFORCED
from backfill.preflight.checks.check import Check, ok, unread, warned
from backfill.preflight.checks.locks import default_retention
from backfill.preflight.evidence import BucketEvidence, Gathered, is_locked
from backfill.preflight.findings import Finding, Part
from backfill.preflight.members import members, text
from backfill.preflight.mends import put_document


def _copied_locks(seen: Gathered) -> Iterator[Finding]:
    ours = seen.source.fields(BucketDocument.OBJECT_LOCK)
    if not seen.copies_for_certain or isinstance(ours, Unread):
        return
    for destination in seen.destinations:
        theirs = destination.fields(BucketDocument.OBJECT_LOCK)
        if destination.region_name and not isinstance(theirs, Unread):
            yield from _locks_at(destination, has_locks=is_locked(ours))


def _locks_at(destination: BucketEvidence, *, has_locks: bool) -> Iterator[Finding]:
    check, name = "copy-locks", destination.name
    theirs = destination.fields(BucketDocument.OBJECT_LOCK)
    retention = default_retention(theirs)
    by_default = (
        [f"default retention {text(retention, 'Mode')}: it locks copies of what has no retention"]
        if retention
        else []
    )
    if is_locked(theirs):
        if has_locks or by_default:
            yield ok(check, name, "copies can be locked as their sources are", *by_default)
    elif has_locks:
        mend = put_document(
            destination,
            BucketDocument.OBJECT_LOCK,
            {"ObjectLockEnabled": "Enabled"},
            "Switch Object Lock on for the destination (it can never be switched off again)",
        )
        yield warned(
            check,
            name,
            "the destination has no Object Lock: locked versions stay behind (object-lock)",
            mend,
        )


def _copied_acls(seen: Gathered) -> Iterator[Finding]:
    if not seen.copies_for_certain or _ownership(seen.source) == OWNER_ENFORCED:
        return
    for destination in seen.destinations:
        rules = seen.rules_to(destination.name)
        is_kept = not rules or any(not each.destination.is_owner_translated for each in rules)
        if is_kept and destination.region_name and _ownership(destination) != OWNER_ENFORCED:
            yield _acls_at(destination)


def _acls_at(destination: BucketEvidence) -> Finding:
    check, name = "copy-acls", destination.name
    block = destination.fields(BucketDocument.PUBLIC_ACCESS_BLOCK)
    if isinstance(block, Unread):
        what = "whether the destination blocks public ACLs is not known"
        return unread(check, name, what, block, destination.arn)
    if block and block.get("BlockPublicAcls") is True:
        what = "the destination blocks public ACLs: what grants everybody something stays (acl)"
        return warned(check, name, what, None)
    return ok(check, name, "copies are given their sources' grants")


def _ownership(bucket: BucketEvidence) -> str:
    fields = bucket.fields(BucketDocument.OWNERSHIP)
    if isinstance(fields, Unread):
        return ""
    return next((text(rule, "ObjectOwnership") for rule in members(fields, "Rules")), "")


CHECKS = (
    Check(
        id="copy-locks",
        part=Part.COPIES,
        asks="Can the destination lock copies as their sources are locked?",
        why="CopyObject leaves Object Lock behind unless it is named, and a bucket without Object"
        " Lock takes none (S3 API: CopyObject): such versions stay behind. Only where copies alone"
        " are asked for.",
        look=_copied_locks,
    ),
    Check(
        id="copy-acls",
        part=Part.COPIES,
        asks="Where ACLs count on both sides, does the destination take them?",
        why="CopyObject leaves ACLs behind unless their grants are named, and Block Public Access"
        " refuses public ones (S3 User Guide: access-control-block-public-access). Only where"
        " copies alone are asked for.",
        look=_copied_acls,
    ),
)
