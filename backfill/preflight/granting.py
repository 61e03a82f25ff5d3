"""From what was found lacking or denying to the mend: statements to add, and statements to alter.

Never loosens more than the need: a Deny is given one exception, an Allow one principal.
Law: the mend of a side is one command, with everything that this side lacks.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from backfill.model.accounts import BucketDocument, RawDocument, Role
from backfill.policies import missing
from backfill.policies.document import Document, PolicyError, parsed
from backfill.policies.evaluation import Decision, Evidence
from backfill.policies.request import Place
from backfill.preflight.access import (
    ATTACHED,
    IDENTITY,
    INLINE,
    RESOURCE,
    Judged,
    identity_name,
)
from backfill.preflight.evidence import BucketEvidence
from backfill.preflight.findings import Mend
from backfill.preflight.members import Fields
from backfill.preflight.mends import (
    INLINE_POLICY,
    Words,
    allow_role,
    as_json,
    exempting,
    managed_policy_command,
    put_bucket_policy,
    put_key_policy,
    put_trust,
    with_statement,
    with_statements,
    without_deleted,
    without_statement,
)
from backfill.preflight.permissions import Need
from backfill.setup.statements import trust

SID: Final = "BackfillPreflight"


def statements_for(needs: Iterable[Need], place: Place) -> tuple[Fields, ...]:
    """Return the fewest statements that grant these needs, each under a Sid of its own."""
    worded = missing.statements_for((need.request for need in needs), place)
    return tuple(
        {"Sid": SID if number == 1 else f"{SID}{number}", **statement}
        for number, statement in enumerate(worded, 1)
    )


def role_mend(role: Role, check: str, lacking: Sequence[Judged], denied: Sequence[Judged]) -> Mend:
    """Return what makes a role's own side green: what denies is altered, what lacks is added."""
    commands: list[Words] = list(_without_denials(role, denied))
    statements = statements_for([each.need for each in lacking], Place.IDENTITY)
    says = "Take what denies it out of the role's policies" if commands else ""
    bounded = [each for each in lacking if Place.BOUNDARY in each.decision.lacks]
    unbounded = [each for each in lacking if Place.IDENTITY in each.decision.lacks]
    if unbounded or (lacking and not bounded):
        granted = statements_for([each.need for each in unbounded or lacking], Place.IDENTITY)
        added = allow_role(role, check, granted, "")
        commands += added.commands
        says = (
            f"{says}, and allow the role what it lacks" if says else "Allow the role what it lacks"
        )
    if bounded:
        commands += _wider_boundary(role, statements)
        says = f"{says}; widen its permissions boundary".removeprefix("; ")
    return Mend(
        says=says.capitalize() if says.startswith("widen") else says,
        account_id=role.arn.split(":")[4],
        commands=tuple(commands),
        statements=statements,
    )


def _wider_boundary(role: Role, statements: Sequence[Fields]) -> Iterator[Words]:
    if role.boundary_arn and isinstance(role.boundary, str):
        policy = with_statements(json.loads(role.boundary), statements)
        yield managed_policy_command(role.boundary_arn, role.name, policy)


def _without_denials(role: Role, denied: Sequence[Judged]) -> Iterator[Words]:
    """Give a command for each document that denies, without the statements that do."""
    labels: dict[str, set[str]] = {}
    for each in denied:
        for evidence in each.denying(IDENTITY):
            labels.setdefault(evidence.document, set()).add(evidence.statement)
    for name, text in role.inline.items():
        if inline := labels.get(identity_name(INLINE, name)):
            yield _inline_command(role, name, _without(text, inline))
    for arn, text in role.attached.items():
        if attached := labels.get(identity_name(ATTACHED, arn)):
            yield managed_policy_command(arn, role.name, _without(text, attached))
    found = labels.get("permissions boundary")
    if found and role.boundary_arn and isinstance(role.boundary, str):
        policy = _without(role.boundary, found)
        yield managed_policy_command(role.boundary_arn, role.name, policy)


def _inline_command(role: Role, name: str, policy: Fields) -> Words:
    words = ("--role-name", role.name, "--policy-name", name)
    if not policy.get("Statement"):
        return ("aws", "iam", "delete-role-policy", *words)
    return ("aws", "iam", "put-role-policy", *words, "--policy-document", as_json(policy))


def _without(text: str, labels: set[str]) -> Fields:
    policy: Fields = json.loads(text)
    numbers = _indices(parsed(text), labels)
    for index in sorted(numbers, reverse=True):
        policy = without_statement(policy, index)
    return policy


def _indices(document: Document, labels: set[str]) -> tuple[int, ...]:
    return tuple(each.number - 1 for each in document.statements if each.label in labels)


def caller_mend(arn: str, lacking: Sequence[Judged]) -> Mend:
    """Return what lets whoever looks do what it lacks: a policy beside those that it has."""
    statements = statements_for([each.need for each in lacking], Place.IDENTITY)
    kind, _, path = arn.rpartition(":")[2].partition("/")
    name = path.rpartition("/")[2]
    policy = as_json(with_statements(None, statements))
    words = ("--policy-name", f"{INLINE_POLICY}-jobs", "--policy-document", policy)
    return Mend(
        says="Allow the source identity to make and to pass what jobs need",
        account_id=arn.split(":")[4],
        commands=(("aws", "iam", f"put-{kind}-policy", f"--{kind}-name", name, *words),),
        statements=statements,
    )


def trust_mend(role: Role, service: str, told: Decision) -> Mend:
    """Return what lets a service assume a role: its principal is added, and no Deny means it.

    A statement that names the service and asks for something that is not so is replaced.
    """
    policy: Fields = json.loads(role.trust)
    cited = {each.statement for each in told.evidence if each.statement}
    for index in sorted(_indices(parsed(role.trust), cited), reverse=True):
        policy = without_statement(policy, index)
    added = trust(SID, service)
    says = f"Let {service} assume the role"
    return put_trust(role, with_statements(policy, [added]), says, [added])


def bucket_mend(
    bucket: BucketEvidence, lacking: Sequence[Judged], denied: Sequence[Judged], role_arn: str
) -> Mend:
    """Return what makes a bucket's policy green for a role."""
    found = bucket.documents.get(BucketDocument.POLICY)
    policy = found if isinstance(found, RawDocument) else None
    added = statements_for([each.need for each in lacking], Place.RESOURCE)
    says = _says(lacking, denied, role_arn)
    return put_bucket_policy(bucket, _mended(policy, added, denied, role_arn), says, added)


def key_mend(
    arn: str,
    policy: RawDocument,
    lacking: Sequence[Judged],
    denied: Sequence[Judged],
    role_arn: str,
) -> Mend:
    """Return what makes a key's policy green for a role."""
    added = statements_for([each.need for each in lacking], Place.RESOURCE)
    says = _says(lacking, denied, role_arn)
    return put_key_policy(arn, _mended(policy, added, denied, role_arn), says, added)


def _says(lacking: Sequence[Judged], denied: Sequence[Judged], role_arn: str) -> str:
    allow = f"allow {role_arn} what it lacks there" if lacking else ""
    spare = f"spare {role_arn} from what is denied there" if denied else ""
    words = " and ".join(each for each in (allow, spare) if each)
    return f"{words[:1].upper()}{words[1:]}"


def _mended(
    document: RawDocument | None,
    added: Sequence[Fields],
    denied: Sequence[Judged],
    role_arn: str,
) -> Fields:
    policy: Fields | None = document.fields if document is not None else None
    if document is not None and denied and policy is not None:
        labels = {each.statement for one in denied for each in one.denying(RESOURCE)}
        statements = policy.get("Statement")
        listed = statements if isinstance(statements, list) else [statements]
        for index in _indices(parsed(document.text), labels):
            statement = listed[index]
            assert isinstance(statement, Mapping), "the evaluator read it as a statement"
            policy = with_statement(policy, index, exempting(statement, role_arn))
    policy = without_deleted(policy) if policy else None
    return with_statements(policy, added) if added else policy or {}


def principals_of(document: RawDocument | None) -> tuple[tuple[int, str], ...]:
    """Return every ARN that an Allow statement names, with the statement's index."""
    if document is None:
        return ()
    try:
        statements = parsed(document.text).statements
    except PolicyError:
        return ()
    return tuple(
        (statement.number - 1, named.value)
        for statement in statements
        if statement.effect == "Allow" and not statement.is_not_principal
        for named in statement.principals or ()
        if named.kind == "AWS"
    )


def evidence_lines(judgements: Iterable[Judged], side: frozenset[Place]) -> tuple[str, ...]:
    """Return why, a line a reason: what is lacking, denied or open on a side."""
    lines: dict[str, None] = {}
    for each in judgements:
        about: tuple[Evidence, ...] = (*each.denying(side), *each.pending(side))
        for evidence in about:
            lines.setdefault(evidence.line)
        if each.lacks(side):
            lines.setdefault(f"not allowed: {each.need.action} on {each.need.pattern}")
            for evidence in each.decision.evidence:
                if evidence.place in side and evidence.statement:
                    lines.setdefault(evidence.line)
    return tuple(lines)[:EVIDENCE_LINES_MAX]


EVIDENCE_LINES_MAX: Final = 16
"""A finding is read by a person; the decision of each action is in the documents."""
