"""From what was found lacking or denying to the mend: statements to add, and statements to alter.

Never loosens more than the need: a Deny is given one exception, an Allow one principal.
Law: the mend of a side is one command, with everything that this side lacks.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from backfill.model.accounts import BucketDocument, RawDocument, Role
from backfill.policies import missing
from backfill.policies.document import PolicyError, parsed
from backfill.policies.evaluation import Decision, Evidence, Verdict
from backfill.policies.request import Place
from backfill.preflight.access import (
    ATTACHED,
    BOUNDARY,
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
    is_of_aws,
    managed_policy_command,
    put_bucket_policy,
    put_key_policy,
    put_trust,
    sparing,
    sparing_service,
    statements_of,
    with_statement,
    with_statements,
    without_deleted,
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
    bounded = [each.need for each in lacking if Place.BOUNDARY in each.decision.lacks]
    unbounded = [each.need for each in lacking if Place.IDENTITY in each.decision.lacks]
    if not bounded:
        unbounded = [each.need for each in lacking]
    denying = _denying(denied, IDENTITY)
    commands = list(_altered_policies(role, denying, bounded))
    says: list[str] = []
    if denied:
        says.append(_SPARE if commands or BOUNDARY in denying else _NOT_ITS_OWN)
    if unbounded:
        added = allow_role(role, check, statements_for(unbounded, Place.IDENTITY), "")
        commands += added.commands
        says.append("allow the role what it lacks")
    if bounded:
        says.append("let the role's permissions boundary allow it")
    if (bounded or BOUNDARY in denying) and is_of_aws(role.boundary_arn):
        says.append(_ANOTHER_BOUNDARY)
    words = "; ".join((*says, *_cautions(commands)))
    return Mend(
        says=f"{words[:1].upper()}{words[1:]}",
        account_id=role.arn.split(":")[4],
        commands=tuple(commands),
        statements=statements_for([each.need for each in lacking], Place.IDENTITY),
    )


_SPARE: Final = "spare the role from what its policies deny"
_NOT_ITS_OWN: Final = (
    "no policy of the role's own denies it: have the organization's service control policies"
    " spare the role"
)
_SHARED: Final = (
    "a managed policy may be attached to others, for whom nothing changes; it has five versions at"
    " most: where there are five, delete one first (aws iam list-policy-versions)"
)
_TAKEN_OFF: Final = "AWS's own policy cannot be altered, and is taken off the role with all in it"
_ANOTHER_BOUNDARY: Final = (
    "AWS's own policy cannot be altered: give the role another permissions boundary (aws iam"
    " put-role-permissions-boundary)"
)


def _cautions(commands: Sequence[Words]) -> Iterator[str]:
    operations = {words[2] for words in commands}
    if "create-policy-version" in operations:
        yield _SHARED
    if "detach-role-policy" in operations:
        yield _TAKEN_OFF


_Denying = dict[str, dict[str, set[str]]]
"""The actions that are denied, by document and by the statement in it that denies them."""


def _denying(denied: Iterable[Judged], side: frozenset[Place]) -> _Denying:
    found: _Denying = {}
    for each in denied:
        for evidence in each.denying(side):
            labels = found.setdefault(evidence.document, {})
            labels.setdefault(evidence.statement, set()).add(each.need.action)
    return found


def _altered_policies(role: Role, denying: _Denying, bounded: Sequence[Need]) -> Iterator[Words]:
    """Give a command for each document of the role's that denies, or limits: altered for it."""
    for name, text in role.inline.items():
        if labels := denying.get(identity_name(INLINE, name)):
            words = ("--role-name", role.name, "--policy-name", name, "--policy-document")
            spared = _spared(json.loads(text), text, labels, role.arn)
            yield ("aws", "iam", "put-role-policy", *words, as_json(spared))
    for arn, text in role.attached.items():
        if labels := denying.get(identity_name(ATTACHED, arn)):
            spared = _spared(json.loads(text), text, labels, role.arn)
            yield managed_policy_command(arn, role.name, spared)
    limit, labels = role.boundary, denying.get(BOUNDARY, {})
    if not isinstance(limit, str) or not role.boundary_arn or is_of_aws(role.boundary_arn):
        return
    if labels or bounded:
        spared = _spared(json.loads(limit), limit, labels, role.arn)
        added = [_for_role(each, role.arn) for each in statements_for(bounded, Place.IDENTITY)]
        yield managed_policy_command(role.boundary_arn, role.name, with_statements(spared, added))


def _for_role(statement: Fields, role_arn: str) -> Fields:
    """Return an Allow that means this role alone: a boundary can be that of others, too."""
    conditions = statement.get("Condition", {})
    assert isinstance(conditions, Mapping), "the statement is our own"
    alike = conditions.get("ArnLike", {})
    return {
        **statement,
        "Condition": {**conditions, "ArnLike": {**alike, "aws:PrincipalArn": role_arn}},
    }


def _spared(
    policy: Fields, text: str, labels: Mapping[str, set[str]], role_arn: str
) -> dict[str, object]:
    """Return a policy whose statements with these labels do not deny a role these actions."""
    spared: dict[str, object] = dict(policy)
    present = statements_of(policy)
    for statement in reversed(parsed(text).statements):
        if actions := labels.get(statement.label):
            index = statement.number - 1
            spared = with_statement(spared, index, *sparing(present[index], role_arn, actions))
    return spared


def caller_mend(arn: str, check: str, lacking: Sequence[Judged], denied: Sequence[Judged]) -> Mend:
    """Return what lets whoever looks do what it lacks: a policy beside those that it has.

    Whoever is no role has policies that nobody reads: what denies is then said in words.
    """
    statements = statements_for([each.need for each in lacking], Place.IDENTITY)
    kind, _, path = arn.rpartition(":")[2].partition("/")
    name = path.rpartition("/")[2]
    policy = as_json(with_statements(None, statements))
    words = ("--policy-name", f"{INLINE_POLICY}-{check}", "--policy-document", policy)
    allow = "allow the source identity what it lacks" if lacking else ""
    spare = "have what denies it spare the source identity" if denied else ""
    says = "; ".join(each for each in (spare, allow) if each)
    return Mend(
        says=f"{says[:1].upper()}{says[1:]}",
        account_id=arn.split(":")[4],
        commands=(("aws", "iam", f"put-{kind}-policy", f"--{kind}-name", name, *words),)
        if lacking
        else (),
        statements=statements,
    )


def trust_mend(role: Role, service: str, told: Decision) -> Mend:
    """Return what lets a service assume a role: a statement is added, and no Deny means it.

    Statements of others stay, as do Allows whose conditions fail: an Allow hinders nobody.
    """
    policy: Fields = json.loads(role.trust)
    if told.verdict is Verdict.EXPLICIT_DENY:
        labels = {each.statement for each in told.evidence}
        present = statements_of(policy)
        for statement in reversed(parsed(role.trust).statements):
            if statement.effect == "Deny" and statement.label in labels:
                index = statement.number - 1
                spared = sparing_service(present[index], service)
                policy = with_statement(policy, index, *spared)
    added = trust(SID, service)
    says = f"Let {service} assume the role"
    return put_trust(role, with_statements(without_deleted(policy), [added]), says, [added])


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
        labels: dict[str, set[str]] = {}
        for found in _denying(denied, RESOURCE).values():
            labels |= found
        policy = _spared(policy, document.text, labels, role_arn)
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
