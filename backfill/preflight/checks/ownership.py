"""Who owns the replicas: the destination's owner, or an account that must let it read."""

from collections.abc import Iterator

from backfill.model.accounts import BucketDocument, CallerIdentity, Unread
from backfill.plan.terms import OWNER_ENFORCED
from backfill.preflight.checks.check import Check, ok, unread, untold, warned
from backfill.preflight.evidence import BucketEvidence, Gathered
from backfill.preflight.findings import Finding, Part
from backfill.preflight.members import members, text
from backfill.preflight.mends import put_document


def _ownership(seen: Gathered) -> Iterator[Finding]:
    for destination in seen.destinations:
        if not destination.region_name:
            continue
        if seen.is_cross_account(destination):
            yield from _across(seen, destination)
        elif seen.source.account_id and destination.account_id:
            yield ok("ownership", destination.name, "one account owns both buckets")
        else:
            what = "whether one account owns both buckets is not known"
            yield untold("ownership", destination.name, what)


def _across(seen: Gathered, destination: BucketEvidence) -> Iterator[Finding]:
    check, bucket = "ownership", destination.name
    writer = seen.destination_caller
    account_id = writer.account_id if isinstance(writer, CallerIdentity) else ""
    if seen.copies_for_certain and account_id == destination.account_id:
        yield ok(check, bucket, "copies belong to whoever writes them: the bucket's own account")
        return
    keeping = [rule for rule in seen.rules_to(bucket) if not rule.destination.is_owner_translated]
    fields = destination.fields(BucketDocument.OWNERSHIP)
    if isinstance(fields, Unread):
        if not keeping and seen.follows_rules:
            yield ok(check, bucket, "the rules give replicas to the destination's owner")
        else:
            what = "whose the replicas will be is not known"
            yield unread(check, bucket, what, fields, destination.arn)
        return
    ownership = next((text(rule, "ObjectOwnership") for rule in members(fields, "Rules")), "")
    if ownership == OWNER_ENFORCED:
        yield ok(check, bucket, f"the destination's owner owns the replicas ({OWNER_ENFORCED})")
    elif not keeping:
        yield ok(check, bucket, "the rules give replicas to the destination's owner")
    else:
        enforced = {"Rules": [{"ObjectOwnership": OWNER_ENFORCED}]}
        mend = put_document(
            destination,
            BucketDocument.OWNERSHIP,
            enforced,
            f"Let the bucket's owner own every object ({OWNER_ENFORCED} switches ACLs off)",
        )
        yield warned(
            check,
            bucket,
            f"replicas will belong to the source's account {seen.source.account_id}, and the"
            " destination's owner cannot read them",
            mend,
            f"ownership controls: {ownership or 'none, which means ObjectWriter'}",
            *(f"rule {rule.id} does not change the ownership" for rule in keeping[:3]),
        )


CHECKS = (
    Check(
        id="ownership",
        part=Part.ALL,
        asks="Can the destination's owner read the replicas?",
        why="Without BucketOwnerEnforced, or a rule that changes the ownership, a replica belongs"
        " to the owner of the source object (S3 User Guide: replication-change-owner).",
        look=_ownership,
    ),
)
