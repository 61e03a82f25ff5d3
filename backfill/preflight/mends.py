"""The commands that mend: AWS CLI words, with the whole document as it shall be afterwards.

Never runs anything: a person pastes them, or hands them to the owner of the other account.
Law: what others put into a document stands in the command, unaltered but for the one thing that is
mended; a document with elements that this SDK's model does not know is never put back.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from backfill.model.accounts import BucketDocument, Role, Unread
from backfill.model.permissions import read_actions
from backfill.policies.patterns import is_action_named
from backfill.preflight.evidence import BucketEvidence
from backfill.preflight.findings import Mend
from backfill.preflight.members import Fields, altered, member, members, text, texts

Words = tuple[str, ...]

POLICY_VERSION: Final = "2012-10-17"
INLINE_POLICY: Final = "backfill-preflight"
"""How inline policies begin that hold what a role lacked, one a check; others are left alone."""


def as_json(document: object) -> str:
    """Return JSON on one line, as a shell takes it: nothing in it moves a cursor."""
    worded = json.dumps(document, separators=(",", ":"), ensure_ascii=True)
    return worded.replace("\x7f", "\\u007f")


def s3api(operation: str, bucket: str, *words: str) -> Words:
    """Return a command of the S3 API about a bucket."""
    return ("aws", "s3api", operation, "--bucket", bucket, *words)


def create_bucket_command(bucket: str, region: str) -> Words:
    """Return the command that makes a bucket in a Region; us-east-1 must not be named twice."""
    where = as_json({"LocationConstraint": region})
    more = () if region == "us-east-1" else ("--create-bucket-configuration", where)
    return s3api("create-bucket", bucket, "--region", region, *more)


def versioning_command(bucket: str) -> Words:
    """Return the command that switches versioning on."""
    return s3api(
        "put-bucket-versioning", bucket, "--versioning-configuration", '{"Status":"Enabled"}'
    )


_PUT: Final[Mapping[BucketDocument, tuple[str, str]]] = {
    BucketDocument.REPLICATION: ("put-bucket-replication", "--replication-configuration"),
    BucketDocument.LIFECYCLE: ("put-bucket-lifecycle-configuration", "--lifecycle-configuration"),
    BucketDocument.NOTIFICATION: (
        "put-bucket-notification-configuration",
        "--notification-configuration",
    ),
    BucketDocument.ENCRYPTION: (
        "put-bucket-encryption",
        "--server-side-encryption-configuration",
    ),
    BucketDocument.OWNERSHIP: ("put-bucket-ownership-controls", "--ownership-controls"),
    BucketDocument.OBJECT_LOCK: ("put-object-lock-configuration", "--object-lock-configuration"),
}
"""Operation and option of each configuration."""

_BESIDE: Final = "TransitionDefaultMinimumObjectSize"
"""What GetBucketLifecycleConfiguration tells and its put takes beside the document."""


def put_document(
    bucket: BucketEvidence, document: BucketDocument, fields: Fields, says: str
) -> Mend:
    """Return the mend that puts a whole configuration; words alone where that would do harm."""
    unmodelled = bucket.unmodelled(document)
    if unmodelled:
        return Mend(
            says=f"{says} (by hand: the {document.value} has elements that this SDK's model does"
            f" not know, {', '.join(unmodelled)}, and writing it back would drop them)",
            account_id=bucket.account_id,
        )
    operation, option = _PUT[document]
    body = {name: value for name, value in fields.items() if name != _BESIDE}
    words = s3api(operation, bucket.name, option, as_json(body))
    if size := text(fields, _BESIDE):
        words = (*words, "--transition-default-minimum-object-size", size)
    return Mend(says=says, account_id=bucket.account_id, commands=(words,))


def with_rules(
    bucket: BucketEvidence,
    alter: Callable[[dict[str, object]], bool],
    says: str,
    *,
    document: BucketDocument = BucketDocument.REPLICATION,
) -> Mend:
    """Return the mend that puts a rules document again, each rule altered in place.

    `alter` is given a copy of each rule and tells whether it altered it.
    """
    fields = bucket.fields(document)
    assert isinstance(fields, Mapping), "a document with a fault was read"
    whole = altered(fields)
    rules = whole.get("Rules")
    assert isinstance(rules, list), "it has rules"
    is_altered = [alter(rule) for rule in rules if isinstance(rule, dict)]
    assert any(is_altered), "something is mended"
    return put_document(bucket, document, whole, says)


def with_rules_role(bucket: BucketEvidence, role_arn: str) -> Mend:
    """Return the mend that names another role in a replication configuration."""
    fields = bucket.fields(BucketDocument.REPLICATION)
    assert isinstance(fields, Mapping), "a document with a fault was read"
    whole = {**fields, "Role": role_arn}
    says = "Name the role by its whole ARN in the replication configuration"
    return put_document(bucket, BucketDocument.REPLICATION, whole, says)


def with_statements(policy: Fields | None, added: Iterable[Fields]) -> dict[str, object]:
    """Return a policy with statements added, each under a Sid of its own."""
    document = altered(policy or {"Version": POLICY_VERSION})
    present = list(_statements(document))
    sids = {text(each, "Sid") for each in present}
    for statement in added:
        fresh = dict(statement)
        sid, number = text(fresh, "Sid"), 2
        while text(fresh, "Sid") in sids and sid:
            fresh["Sid"] = f"{sid}{number}"
            number += 1
        sids.add(text(fresh, "Sid"))
        present.append(fresh)
    document["Statement"] = present
    return document


def _statements(policy: Fields) -> Sequence[object]:
    value = policy.get("Statement")
    return value if isinstance(value, list) else [] if value is None else [value]


def statements_of(policy: object) -> tuple[Fields, ...]:
    """Return the statements of a policy, also of one that holds a single one without a list."""
    if not isinstance(policy, Mapping):
        return ()
    single = policy.get("Statement")
    return (single,) if isinstance(single, Mapping) else members(policy, "Statement")


def with_statement(policy: Fields, index: int, *instead: Fields) -> dict[str, object]:
    """Return a policy with one of its statements (counted from 0) replaced by these."""
    document = altered(policy)
    present = list(_statements(document))
    present[index : index + 1] = [dict(each) for each in instead]
    document["Statement"] = present
    return document


_DELETED: Final = re.compile(r"A(?:ROA|IDA)[A-Z0-9]{12,}")
"""What AWS leaves of a role or user that was deleted (IAM User Guide:
reference_policies_elements_principal)."""


def without_deleted(policy: Fields) -> dict[str, object]:
    """Return a policy without principals that were deleted: with one no put is accepted."""
    document = altered(policy)
    document["Statement"] = [
        kept for each in _statements(document) if (kept := _without_deleted(each)) is not None
    ]
    return document


def _without_deleted(statement: object) -> object:
    named = member(statement, "Principal")
    arns = texts(named, "AWS")
    left = [arn for arn in arns if not _DELETED.fullmatch(arn)]
    if len(left) == len(arns) or not isinstance(statement, Mapping):
        return statement
    principal = {**named, "AWS": left} if left else {k: v for k, v in named.items() if k != "AWS"}
    return {**statement, "Principal": principal} if principal else None


def exempting(statement: Fields, role_arn: str) -> dict[str, object]:
    """Return a Deny that does not mean this role: one more condition, so it denies less."""
    return _excepting(statement, "ArnNotLike", "aws:PrincipalArn", role_arn)


def sparing(statement: Fields, role_arn: str, actions: Iterable[str]) -> tuple[Fields, ...]:
    """Return a Deny that does not mean these actions of this role; what else it denies stays."""
    named = statement.get("Action")
    listed = [each for each in named if isinstance(each, str)] if isinstance(named, list) else []
    wanted = tuple(actions)
    meant = [each for each in listed if any(is_action_named(each, one) for one in wanted)]
    others = [each for each in listed if each not in meant]
    if not meant or not others:
        return (exempting(statement, role_arn),)
    nameless = {name: value for name, value in statement.items() if name != "Sid"}
    return (
        {**statement, "Action": others},
        exempting({**nameless, "Action": meant}, role_arn),
    )


def sparing_service(statement: Fields, service: str) -> tuple[Fields, ...]:
    """Return a Deny that does not mean this service: none, where it means nobody else."""
    if isinstance(others := statement.get("NotPrincipal"), Mapping):
        services = [*texts(others, "Service"), service]
        return ({**statement, "NotPrincipal": {**others, "Service": services}},)
    named = statement.get("Principal")
    if not isinstance(named, Mapping) or "*" in texts(named, "AWS"):
        key = "aws:PrincipalServiceName"
        statement = _excepting(statement, "StringNotEquals", key, service)
    if not isinstance(named, Mapping):
        return (statement,)
    left = [each for each in texts(named, "Service") if each != service]
    rest = {kind: value for kind, value in named.items() if kind != "Service"}
    principal = {**rest, "Service": left} if left else rest
    return ({**statement, "Principal": principal},) if principal else ()


def _excepting(statement: Fields, operator: str, key: str, value: str) -> dict[str, object]:
    exempt: dict[str, object] = altered(statement)
    conditions = exempt.setdefault("Condition", {})
    assert isinstance(conditions, dict), "a Condition is an object"
    mine = conditions.setdefault(operator, {})
    assert isinstance(mine, dict), "an operator's keys are an object"
    name = next((each for each in mine if each.lower() == key.lower()), key)
    present = mine.get(name, [])
    mine[name] = [*([present] if isinstance(present, str) else present), value]
    return exempt


def put_bucket_policy(
    bucket: BucketEvidence, policy: Fields, says: str, added: Iterable[Fields] = ()
) -> Mend:
    """Return the mend that puts a whole bucket policy; without statements it is taken away."""
    if not _statements(policy):
        words = s3api("delete-bucket-policy", bucket.name)
    else:
        words = s3api("put-bucket-policy", bucket.name, "--policy", as_json(policy))
    return Mend(says=says, account_id=bucket.account_id, commands=(words,), statements=tuple(added))


def allow_role(role: Role, check: str, added: Sequence[Fields], says: str) -> Mend:
    """Return the mend that gives a role what it lacks, in an inline policy of the check's own."""
    name = f"{INLINE_POLICY}-{check}"
    held = role.inline.get(name)
    policy = with_statements(json.loads(held) if held else None, added)
    words = ("--role-name", role.name, "--policy-name", name)
    return Mend(
        says=says,
        account_id=role.arn.split(":")[4],
        commands=(("aws", "iam", "put-role-policy", *words, "--policy-document", as_json(policy)),),
        statements=tuple(added),
    )


def put_trust(role: Role, policy: Fields, says: str, added: Iterable[Fields] = ()) -> Mend:
    """Return the mend that puts a role's whole trust policy."""
    words = ("--role-name", role.name, "--policy-document", as_json(policy))
    return Mend(
        says=says,
        account_id=role.arn.split(":")[4],
        commands=(("aws", "iam", "update-assume-role-policy", *words),),
        statements=tuple(added),
    )


def kms(operation: str, arn: str, *words: str) -> Words:
    """Return a command of KMS about a key, in its Region."""
    return ("aws", "kms", operation, "--region", arn.split(":")[3], "--key-id", arn, *words)


def put_key_policy(arn: str, policy: Fields, says: str, added: Iterable[Fields] = ()) -> Mend:
    """Return the mend that puts a whole key policy."""
    words = ("--policy-name", "default", "--policy", as_json(policy))
    return Mend(
        says=says,
        account_id=arn.split(":")[4],
        commands=(kms("put-key-policy", arn, *words),),
        statements=tuple(added),
    )


def receiver_command(arn: str, policy: Fields, source_arn: str, source_account: str) -> Words:
    """Return the command that lets S3 send a bucket's events to a queue, topic or function."""
    _, partition, service, region, account_id, name = arn.split(":", 5)
    where: Words = ("--region", region)
    words: Words
    if service == "sqs":
        suffix = ".cn" if partition == "aws-cn" else ""
        url = f"https://sqs.{region}.amazonaws.com{suffix}/{account_id}/{name}"
        words = ("--queue-url", url, "--attributes", as_json({"Policy": as_json(policy)}))
        return ("aws", "sqs", "set-queue-attributes", *where, *words)
    if service == "sns":
        words = ("--attribute-name", "Policy", "--attribute-value", as_json(policy))
        return ("aws", "sns", "set-topic-attributes", *where, "--topic-arn", arn, *words)
    bucket = source_arn.rpartition(":")[2].replace(".", "-")
    return (
        *("aws", "lambda", "add-permission", *where, "--function-name", arn),
        *("--statement-id", f"BackfillPreflight-{bucket}", "--action", "lambda:InvokeFunction"),
        *("--principal", "s3.amazonaws.com", "--source-arn", source_arn),
        *("--source-account", source_account),
    )


def is_of_aws(arn: str) -> bool:
    """Return whether a managed policy is AWS's own, which nobody else can alter."""
    return ":iam::aws:policy/" in arn


def managed_policy_command(arn: str, role_name: str, policy: Fields) -> Words:
    """Return the command that alters a managed policy; AWS's own can only be taken off the role."""
    if is_of_aws(arn):
        of_role = ("--role-name", role_name, "--policy-arn", arn)
        return ("aws", "iam", "detach-role-policy", *of_role)
    words = ("--policy-arn", arn, "--policy-document", as_json(policy), "--set-as-default")
    return ("aws", "iam", "create-policy-version", *words)


_DENIED: Final = frozenset({"AccessDenied", "403", "AccessDeniedException", "AuthorizationError"})
"""How services call what a policy does not allow; the last is SNS's word."""


def mend_of_unread(unread: Unread, resource: str) -> Mend | None:
    """Return what lets whoever looks see the next time; None where no permission would."""
    if unread.code not in _DENIED:
        return None
    actions = read_actions(unread.operation, resource) if unread.operation else ()
    if not actions:
        return None
    action = actions[0] if len(actions) == 1 else list(actions)
    return Mend(
        says="To have it decided, allow this to the identity that looks",
        statements=({"Effect": "Allow", "Action": action, "Resource": resource},),
    )
