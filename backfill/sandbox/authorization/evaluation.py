"""The evaluation logic: what statements say about one inquiry, and what follows from all of them.

Never knows where a policy lives. One law: a Deny anywhere wins; within an account one side's Allow
is enough, across accounts both sides must allow, and a KMS key or a role needs its own policy's
word always (IAM User Guide: reference_policies_evaluation-logic).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from backfill.sandbox.authorization.conditions import Context, holds
from backfill.sandbox.authorization.identities import Identity, root_arn
from backfill.sandbox.authorization.policies import Policy, Statement, applies


class Verdict(StrEnum):
    """The decision, in the words of IAM's simulator."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicitDeny"
    IMPLICIT_DENY = "implicitDeny"


class Grant(IntEnum):
    """What a resource policy gives an identity."""

    NOTHING = 0
    TO_ACCOUNT = 1
    """The identity's account is named: it may pass the permission on by identity policy."""
    TO_IDENTITY = 2
    """The identity itself, or everybody, is named: enough within the account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """One action on one resource, and what is known about the request (lower-case keys)."""

    action: str
    resource: str
    context: Context


def said(policies: Iterable[Policy], inquiry: Inquiry) -> Verdict:
    """What identity policies say by themselves."""
    verdict = Verdict.IMPLICIT_DENY
    for policy in policies:
        for statement in policy.statements:
            if not speaks_of(statement, inquiry):
                continue
            if statement.effect == "Deny":
                return Verdict.EXPLICIT_DENY
            verdict = Verdict.ALLOWED
    return verdict


def identity_verdict(identity: Identity, inquiry: Inquiry) -> Verdict:
    """What an identity's policies and its boundary say; a root may do everything."""
    if identity.is_root:
        return Verdict.ALLOWED
    own = said(identity.policies, inquiry)
    if identity.boundary is None or own is Verdict.EXPLICIT_DENY:
        return own
    limit = said((identity.boundary,), inquiry)
    return own if limit is Verdict.ALLOWED else limit


def decided(
    *,
    identity: Identity | None,
    owner_account_id: str,
    statements: Iterable[Statement],
    inquiry: Inquiry,
    is_grant_needed: bool = False,
) -> Verdict:
    """The decision about a resource with a policy. `identity` None is anonymous.

    `is_grant_needed`: without the resource policy's word nobody may, its own account included
    (KMS Developer Guide: key-policies; IAM User Guide: id_roles_terms-and-concepts, trust policy).
    """
    granted = granted_by(statements, identity, inquiry)
    if granted is None:
        return Verdict.EXPLICIT_DENY
    if identity is None:
        is_open = granted is Grant.TO_IDENTITY and not is_grant_needed
        return Verdict.ALLOWED if is_open else Verdict.IMPLICIT_DENY
    own = identity_verdict(identity, inquiry)
    if own is Verdict.EXPLICIT_DENY:
        return own
    is_allowed = own is Verdict.ALLOWED
    is_granted = granted is not Grant.NOTHING
    if identity.account_id != owner_account_id:
        is_enough = is_allowed and is_granted
    elif granted is Grant.TO_IDENTITY:
        is_enough = not _is_held_back(identity, inquiry)
    else:
        is_enough = is_allowed and (is_granted or not is_grant_needed)
    return Verdict.ALLOWED if is_enough else Verdict.IMPLICIT_DENY


def _is_held_back(identity: Identity, inquiry: Inquiry) -> bool:
    """Whether a boundary outweighs a grant: of a role it does, of a user not.

    (IAM User Guide: access_policies_boundaries).
    """
    if identity.boundary is None or not identity.is_role:
        return False
    return said((identity.boundary,), inquiry) is not Verdict.ALLOWED


def granted_by(
    statements: Iterable[Statement], identity: Identity | None, inquiry: Inquiry
) -> Grant | None:
    """What a resource policy grants; None when it denies."""
    best = Grant.NOTHING
    for statement in statements:
        named = _named(statement, identity)
        if named is Grant.NOTHING or not speaks_of(statement, inquiry):
            continue
        if statement.effect == "Deny":
            return None
        best = max(best, named)
    return best


def is_service_granted(statements: Iterable[Statement], service: str, inquiry: Inquiry) -> bool:
    """Whether a resource's policy lets an AWS service do this by itself."""
    is_granted = False
    for statement in statements:
        assert statement.principals is not None
        is_listed = service in statement.principals or "*" in statement.principals
        if is_listed is statement.is_not_principal or not speaks_of(statement, inquiry):
            continue
        if statement.effect == "Deny":
            return False
        is_granted = True
    return is_granted


def speaks_of(statement: Statement, inquiry: Inquiry) -> bool:
    """Whether a statement is about this inquiry, whoever asks."""
    return applies(statement, inquiry.action, inquiry.resource) and all(
        holds(condition, inquiry.context) for condition in statement.conditions
    )


def _named(statement: Statement, identity: Identity | None) -> Grant:
    assert statement.principals is not None
    names = set(statement.principals)
    accounts: set[str] = set()
    arns: tuple[str, ...] = ()
    if identity is not None:
        accounts = {identity.account_id, root_arn(identity.account_id)}
        arns = (*identity.principal_arns, identity.user_id.partition(":")[0])
    if statement.is_not_principal:
        # Whoever is excepted is named with its account: else the account's own entry holds
        # (IAM User Guide: reference_policies_elements_notprincipal).
        is_excepted = "*" in names or (bool(names & accounts) and bool(names & set(arns)))
        return Grant.NOTHING if is_excepted else Grant.TO_IDENTITY
    if "*" in names or names.intersection(arns):
        return Grant.TO_IDENTITY
    return Grant.TO_ACCOUNT if names & accounts else Grant.NOTHING
