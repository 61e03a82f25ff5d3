"""The bucket policies: the destination's lets the role in, and none shuts it out.

Law: a statement is judged by what it allows or denies this role, never by how it looks; how it
looks only says what to mend.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from backfill.model.accounts import BucketDocument, RawDocument, Role, Unread
from backfill.policies.need import Party
from backfill.policies.quoting import shown
from backfill.policies.replication_needs import ON_DESTINATION_BUCKET
from backfill.preflight.access import RESOURCE, Judged, judged
from backfill.preflight.checks.check import Check, blocked, ok, unread, untold, warned
from backfill.preflight.evidence import BucketEvidence, Gathered
from backfill.preflight.findings import Finding, Mend, Part
from backfill.preflight.granting import bucket_mend, evidence_lines, principals_of
from backfill.preflight.members import Fields, altered, member, texts
from backfill.preflight.mends import put_bucket_policy, statements_of, with_statement
from backfill.preflight.permissions import batch_needs, replication_needs

_COPIED: Final = frozenset(
    {
        "s3:PutObject",
        "s3:PutObjectAcl",
        "s3:GetObjectVersionForReplication",
        "s3:GetObjectVersionAcl",
    }
)
"""What many articles grant the role on the destination: replication never uses it there."""
_MARKS: Final = frozenset({"s3:PutObject", "s3:GetObjectVersionForReplication"})
"""Where both stand beside s3:ReplicateObject the policy was copied from such an article."""


def _policy(bucket: BucketEvidence) -> RawDocument | None:
    found = bucket.documents.get(BucketDocument.POLICY)
    return found if isinstance(found, RawDocument) else None


def _role_arn(seen: Gathered) -> str:
    if seen.role is None:
        return ""
    role = seen.role.role
    return role.arn if isinstance(role, Role) else seen.role.arn


def _at(seen: Gathered, bucket: BucketEvidence) -> tuple[Judged, ...]:
    needs = (need for need in replication_needs(seen) if need.bucket is bucket)
    return judged(seen, needs)


def _readable(
    check: str, seen: Gathered
) -> Iterator[tuple[BucketEvidence, tuple[Judged, ...]] | Finding]:
    """Give each destination with its decisions, or why its policy is not known."""
    for bucket in seen.destinations:
        if not bucket.region_name or seen.role is None:
            continue
        found = bucket.documents.get(BucketDocument.POLICY)
        if isinstance(found, Unread):
            what = "what the destination's policy allows the role is not known"
            yield unread(check, bucket.name, what, found, bucket.arn)
        elif told := _at(seen, bucket):
            yield bucket, told


def _allows(seen: Gathered) -> Iterator[Finding]:
    check = "destination-policy"
    for each in _readable(check, seen):
        if isinstance(each, Finding):
            yield each
            continue
        bucket, told = each
        lacking = [one for one in told if one.lacks(RESOURCE)]
        pending = [one for one in told if one.pending(RESOURCE)]
        if lacking and _misnamed(seen, bucket):
            continue  # `destination-principal` says why
        if lacking:
            mend = _mend(bucket, told, _role_arn(seen))
            actions = ", ".join(dict.fromkeys(one.need.action for one in lacking))
            what = f"the destination's policy does not allow the role {actions}"
            codes = dict.fromkeys(code for one in lacking for code in one.need.row.codes[:1])
            lines = (*evidence_lines(lacking, RESOURCE), f"S3 says {', '.join(codes)}")
            yield blocked(check, bucket.name, what, mend, *lines)
        elif pending:
            what = "whether the destination's policy lets the role in cannot be decided"
            yield untold(check, bucket.name, what, *evidence_lines(pending, RESOURCE))
        elif not any(one.denying(RESOURCE) for one in told):
            across = seen.is_cross_account(bucket)
            what = "allows the role" if across else "need not name the role in one account"
            yield ok(check, bucket.name, f"the destination's policy {what}")


def _misnamed(seen: Gathered, bucket: BucketEvidence) -> tuple[str, ...]:
    """Return principals that are this role but for its path, which AWS takes for others."""
    arn = _role_arn(seen)
    before, _, _ = arn.partition(":role/")
    name = arn.rpartition("/")[2]
    return tuple(
        dict.fromkeys(
            value
            for _, value in principals_of(_policy(bucket))
            if value != arn and value.startswith(f"{before}:role/")
            and value.rpartition("/")[2] == name
        )
    )  # fmt: skip


def _principal(seen: Gathered) -> Iterator[Finding]:
    for bucket in seen.destinations:
        document, wrong = _policy(bucket), _misnamed(seen, bucket)
        if document is None or not wrong:
            continue
        if not any(one.lacks(RESOURCE) for one in _at(seen, bucket)):
            continue
        arn = _role_arn(seen)
        policy: Fields = document.fields
        for index in dict.fromkeys(at for at, value in principals_of(document) if value in wrong):
            renamed = _renamed(statements_of(policy)[index], wrong, arn)
            policy = with_statement(policy, index, renamed)
        says = f"Name the role by its whole ARN: {arn}"
        yield blocked(
            "destination-principal",
            bucket.name,
            "the destination's policy names the role by another path than it has",
            put_bucket_policy(bucket, policy, says),
            *(f"Principal: {shown(value)}" for value in wrong),
            f"the role: {arn}",
        )


def _renamed(statement: Fields, wrong: Sequence[str], arn: str) -> Fields:
    """Return an Allow that names the role by its ARN; conditions that name others stay."""
    principal = statement.get("Principal")
    assert isinstance(principal, Mapping), "it names ARNs"
    named = [arn if each in wrong else each for each in texts(principal, "AWS")]
    kept: object = named if len(named) > 1 else named[0]
    return {**statement, "Principal": {**principal, "AWS": kept}}


def _denies(seen: Gathered) -> Iterator[Finding]:
    for bucket in seen.destinations:
        told = _at(seen, bucket)
        yield from _denied("destination-policy-deny", bucket, told, _role_arn(seen), "destination")


def _denied(
    check: str, bucket: BucketEvidence, told: Sequence[Judged], role_arn: str, side: str
) -> Iterator[Finding]:
    denied = [one for one in told if one.denying(RESOURCE)]
    if denied:
        actions = ", ".join(dict.fromkeys(one.need.action for one in denied))
        what = f"a statement of the {side}'s policy denies the role {actions}"
        mend = _mend(bucket, told, role_arn)
        yield blocked(check, bucket.name, what, mend, *evidence_lines(denied, RESOURCE))
    elif pending := [one for one in told if one.pending(RESOURCE)]:
        if side != "destination":  # there `destination-policy` says it
            what = f"whether the {side}'s policy denies the role cannot be decided"
            yield untold(check, bucket.name, what, *evidence_lines(pending, RESOURCE))
    elif told and _policy(bucket) is not None:
        yield ok(check, bucket.name, f"no statement of the {side}'s policy denies the role")


def _mend(bucket: BucketEvidence, told: Sequence[Judged], role_arn: str) -> Mend:
    """Return the one policy that mends all that is wrong there: a put replaces the whole."""
    lacking = [one for one in told if one.lacks(RESOURCE)]
    denied = [one for one in told if one.denying(RESOURCE)]
    return bucket_mend(bucket, lacking, denied, role_arn)


def _source_denies(seen: Gathered) -> Iterator[Finding]:
    check, bucket = "source-policy-deny", seen.source
    found = bucket.documents.get(BucketDocument.POLICY)
    if isinstance(found, Unread) and seen.role is not None and bucket.region_name:
        what = "whether the source's policy denies the role something is not known"
        yield unread(check, bucket.name, what, found, bucket.arn)
        return
    yield from _denied(check, bucket, _at(seen, bucket), _role_arn(seen), "source")
    batch = [need for need in batch_needs(seen) if need.bucket is bucket]
    told = [one for one in judged(seen, batch) if one.denying(RESOURCE) or one.pending(RESOURCE)]
    if told:
        yield from _denied(check, bucket, told, told[0].decision.request.principal.arn, "source")


def _batch_bucket_denies(seen: Gathered) -> Iterator[Finding]:
    bucket = seen.batch_bucket
    if bucket is None or bucket.is_missing:
        return
    found = bucket.documents.get(BucketDocument.POLICY)
    if isinstance(found, Unread):
        what = "whether the batch bucket's policy denies the batch role something is not known"
        yield unread("batch-bucket-policy", bucket.name, what, found, bucket.arn)
        return
    told = judged(seen, (need for need in batch_needs(seen) if need.bucket is bucket))
    if told:
        role_arn = told[0].decision.request.principal.arn
        yield from _denied("batch-bucket-policy", bucket, told, role_arn, "batch bucket")


def _excess(seen: Gathered) -> Iterator[Finding]:
    for bucket in seen.destinations:
        document = _policy(bucket)
        if document is None:
            continue
        for index, statement in enumerate(statements_of(document.fields)):
            actions = frozenset(texts(statement, "Action"))
            names_role = _role_arn(seen) in texts(member(statement, "Principal"), "AWS")
            if not names_role or not actions >= _MARKS or "s3:ReplicateObject" not in actions:
                continue
            yield _too_much(bucket, document, index, statement, seen)


def _too_much(
    bucket: BucketEvidence, document: RawDocument, index: int, statement: Fields, seen: Gathered
) -> Finding:
    actions = texts(statement, "Action")
    excess = [action for action in actions if action in _COPIED]
    fitting = altered(statement)
    fitting["Action"] = [action for action in actions if action not in _COPIED]
    advised = {row.action for row in ON_DESTINATION_BUCKET if row.party is Party.REPLICATION_ROLE}
    role = _role_arn(seen)
    missing: Fields = {
        "Sid": "BackfillPreflightBucket",
        "Effect": "Allow",
        "Principal": {"AWS": role},
        "Action": sorted(advised),
        "Resource": bucket.arn,
    }
    policy = with_statement(document.fields, index, fitting)
    listed = policy["Statement"]
    assert isinstance(listed, list), "statements were made a list"
    policy["Statement"] = [*listed, missing]
    says = "Take out what replication never uses there, and add what AWS lists for the bucket"
    return warned(
        "destination-policy-excess",
        bucket.name,
        "the widely copied destination policy: it works, grants more than replication needs, and"
        " lacks what AWS lists",
        put_bucket_policy(bucket, policy, says, [missing]),
        f"not used there: {', '.join(excess)}",
        f"listed by AWS: {', '.join(sorted(advised))} on the bucket",
        "s3:PutObject lets the role overwrite objects, which replication never does",
    )


def _public(seen: Gathered) -> Iterator[Finding]:
    check = "public-access"
    for bucket in seen.destinations:
        if not bucket.region_name or not seen.is_cross_account(bucket):
            continue
        block = bucket.fields(BucketDocument.PUBLIC_ACCESS_BLOCK)
        if isinstance(block, Unread):
            what = "whether public access to the destination is blocked is not known"
            yield unread(check, bucket.name, what, block, bucket.arn)
            continue
        document = _policy(bucket)
        public = [
            (index, statement)
            for index, statement in enumerate(statements_of(document.fields if document else None))
            if _is_public(statement)
        ]
        is_restricted = block is not None and block.get("RestrictPublicBuckets") is True
        if document is None or not public or not is_restricted:
            yield ok(check, bucket.name, "block public access does not shut the role out")
            continue
        policy: Fields = document.fields
        for index, statement in public:
            own = {"AWS": f"arn:aws:iam::{bucket.account_id}:root"}
            policy = with_statement(policy, index, {**statement, "Principal": own})
        says = "Let the public statement name the bucket's own account, as is in force already"
        yield blocked(
            check,
            bucket.name,
            "the destination's policy is public, and RestrictPublicBuckets shuts every other"
            " account out",
            put_bucket_policy(bucket, policy, says),
            *(f"statement {index + 1} allows everybody" for index, _ in public),
        )


def _is_public(statement: Fields) -> bool:
    """Return whether a statement lets everybody in; a condition may make it less than public.

    S3 User Guide, access-control-block-public-access: conditions on fixed accounts, roles,
    networks and the like make a policy not public; whether one does is then not decided here.
    """
    principal = statement.get("Principal")
    everybody = principal == "*" or "*" in texts(member(statement, "Principal"), "AWS")
    return statement.get("Effect") == "Allow" and everybody and not statement.get("Condition")


CHECKS = (
    Check(
        id="destination-policy",
        part=Part.REPLICATION,
        asks="Does the destination's policy allow the role what it needs?",
        why="Across accounts the bucket policy must name the role, too: DstPutObjectNotPermitted,"
        " DstDelObjNotPermitted.",
        look=_allows,
    ),
    Check(
        id="destination-principal",
        part=Part.REPLICATION,
        asks="Does the destination's policy name the role with its path?",
        why="Roles that the console makes are role/service-role/NAME; role/NAME is another role.",
        look=_principal,
    ),
    Check(
        id="destination-policy-deny",
        part=Part.REPLICATION,
        asks="Does a Deny of the destination's policy mean the role?",
        why="A Deny wins over every Allow; those that ask for a VPC endpoint, an IP address or"
        " other principals mean S3's own requests, too.",
        look=_denies,
    ),
    Check(
        id="destination-policy-excess",
        part=Part.REPLICATION,
        asks="Does the destination's policy grant the role what replication never uses?",
        why="Many articles grant s3:PutObject, s3:PutObjectAcl and"
        " s3:GetObjectVersionForReplication there: the last belongs to the source, the others let"
        " the role overwrite.",
        look=_excess,
    ),
    Check(
        id="public-access",
        part=Part.REPLICATION,
        asks="Does block public access shut the role out?",
        why="With RestrictPublicBuckets a public bucket policy lets in its own account and AWS"
        " services only.",
        look=_public,
    ),
    Check(
        id="source-policy-deny",
        part=Part.REPLICATION,
        asks="Does a Deny of the source's policy mean the replication or the batch role?",
        why="A Deny wins over the role's own policies: SrcGetObjectNotPermitted,"
        " InitiateReplicationNotPermitted.",
        look=_source_denies,
    ),
    Check(
        id="batch-bucket-policy",
        part=Part.JOBS,
        asks="Does a Deny of the batch bucket's policy mean the batch role?",
        why="Reading the manifest is forbidden, or the report cannot be written.",
        look=_batch_bucket_denies,
    ),
)
