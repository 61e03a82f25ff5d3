"""Who asks, and how a statement's Principal or NotPrincipal names them.

Never looks anybody up: an ARN is all that is known of a role, a user, a root or a service.
Law: the way in which a resource policy names a principal decides what else may limit the grant
(IAM User Guide: reference_policies_elements_principal, reference_policies_evaluation-logic).
"""

import enum
import re
from dataclasses import dataclass
from typing import Final

from backfill.policies.answers import Truth, any3
from backfill.policies.document import NamedPrincipal, Statement

_ACCOUNT_DIGITS: Final = 12
_UNIQUE_ID: Final = re.compile(r"A(?:ROA|IDA)[A-Z0-9]{12,}")


class PrincipalType(enum.StrEnum):
    """What kind of principal asks."""

    ROLE = "role"
    USER = "user"
    ROOT = "root"
    SERVICE = "service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks. Make it with `principal_of` or `service`."""

    type: PrincipalType
    arn: str
    """The role's, user's or root's ARN; a service's name, such as `s3.amazonaws.com`."""
    account_id: str
    """Empty for a service."""
    session_arn: str | None = None
    """The ARN of the role's session; None where nobody knows how it will be called."""
    has_known_path: bool = True
    """False where only a session's ARN was known: it leaves the role's path out."""

    @property
    def name(self) -> str:
        """The name of the role or user, without its path."""
        return self.arn.rpartition("/")[2]


def service(name: str) -> Principal:
    """Return the AWS service of that name, which asks for itself and not as a role."""
    return Principal(type=PrincipalType.SERVICE, arn=name, account_id="")


def principal_of(arn: str, *, session_arn: str | None = None) -> Principal:
    """Return the principal of an ARN as IAM or GetCallerIdentity says it. Raises ValueError.

    A session's ARN alone leaves the path of its role open, and with it whether a policy that names
    a role with a path means this one: give the role's ARN, and the session's beside it.
    """
    parts = arn.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn" or parts[2] not in {"iam", "sts"}:
        raise ValueError("this ARN names no role, user or root")
    partition, account_id, resource = parts[1], parts[4], parts[5]
    kind, _, rest = resource.partition("/")
    if kind == "assumed-role":
        return Principal(
            type=PrincipalType.ROLE,
            arn=f"arn:{partition}:iam::{account_id}:role/{rest.partition('/')[0]}",
            account_id=account_id,
            session_arn=arn,
            has_known_path=False,
        )
    types = {"role": PrincipalType.ROLE, "root": PrincipalType.ROOT}
    return Principal(
        type=types.get(kind, PrincipalType.USER),
        arn=arn,
        account_id=account_id,
        session_arn=session_arn,
    )


class Grade(enum.Enum):
    """How a resource policy names the principal."""

    ACCOUNT = "account"
    """The account: its own policies pass the permission on."""
    EVERYONE = "everyone"
    ROLE = "role"
    """The role behind a session: a boundary or session policy still limits it."""
    SELF = "self"
    """The very user, session, root or service: no implicit deny limits it in its account."""


Grades = dict[Grade, Truth]
"""The grades in which a statement names the principal; one that is not here it does not."""


def grades_of(statement: Statement, principal: Principal, *, has_boundary: Truth) -> Grades:
    """Return how a resource policy's statement names the principal. No grade: not at all.

    `has_boundary` says whether the principal has a permissions boundary: NotPrincipal with Deny
    denies such a one in any case.
    """
    if statement.principals is None:
        return {Grade.EVERYONE: None}  # AWS accepts no resource policy without Principal
    named: Grades = {}
    for each in statement.principals:
        found = _grade(each, principal)
        if found is not None:
            grade, truth = found
            named[grade] = any3((named.get(grade, False), truth))
    return (
        _all_but(statement, principal, named, has_boundary) if statement.is_not_principal else named
    )


def _grade(named: NamedPrincipal, principal: Principal) -> tuple[Grade, Truth] | None:
    is_service = principal.type is PrincipalType.SERVICE
    if named.kind == "AWS":
        if named.value == "*":
            return Grade.EVERYONE, True
        return None if is_service else _grade_of_arn(named.value, principal)
    if named.kind == "Service":
        return (Grade.SELF, True) if is_service and named.value == principal.arn else None
    if named.kind == "CanonicalUser":
        # It stands for one account, but nothing here says for which.
        return None if is_service else (Grade.ACCOUNT, None)
    if named.kind == "Federated":
        return None
    return Grade.EVERYONE, None


def _grade_of_arn(named: str, principal: Principal) -> tuple[Grade, Truth] | None:
    if account_named(named) == principal.account_id:
        return (Grade.SELF if principal.type is PrincipalType.ROOT else Grade.ACCOUNT), True
    if named == principal.session_arn:
        return Grade.SELF, True
    if principal.type is PrincipalType.ROLE:
        return _grade_of_role(named, principal)
    if named == principal.arn:
        return Grade.SELF, True
    return (Grade.EVERYONE, None) if "*" in named else None


def _grade_of_role(named: str, principal: Principal) -> tuple[Grade, Truth] | None:
    if principal.has_known_path and named == principal.arn:
        return Grade.ROLE, True
    before_role, _, role = principal.arn.partition(":role/")
    if not principal.has_known_path and named.startswith(f"{before_role}:role/"):
        return (Grade.ROLE, None) if named.rpartition("/")[2] == role else None
    sessions = f"{before_role.replace(':iam::', ':sts::')}:assumed-role/{principal.name}/"
    if principal.session_arn is None and named.startswith(sessions):
        return Grade.SELF, None
    return (Grade.EVERYONE, None) if "*" in named else None


def deleted_principal(statement: Statement) -> str | None:
    """Return the ID that AWS shows instead of the ARN of a role or user that was deleted, if any.

    A new role of the same name has another ID, so the statement does not mean it.
    """
    values = (each.value for each in statement.principals or () if each.kind == "AWS")
    return next((value for value in values if _UNIQUE_ID.fullmatch(value)), None)


def account_named(named: str) -> str | None:
    """Return the account that a name in Principal stands for, by its ID or its root's ARN."""
    if named.isdigit() and len(named) == _ACCOUNT_DIGITS:
        return named
    parts = named.split(":")
    is_root = len(parts) == 6 and parts[2] == "iam" and parts[5] == "root"
    return parts[4] if is_root else None


_NEEDED_TO_BE_LEFT_OUT: Final = {
    PrincipalType.ROLE: {Grade.ROLE, Grade.SELF, Grade.ACCOUNT},
    PrincipalType.USER: {Grade.SELF, Grade.ACCOUNT},
    PrincipalType.ROOT: {Grade.SELF},
    PrincipalType.SERVICE: {Grade.SELF},
}
"""A role is surely left out by its own ARN, its session's and its account's together."""


def _all_but(
    statement: Statement, principal: Principal, named: Grades, has_boundary: Truth
) -> Grades:
    """Return whom NotPrincipal means.

    With Deny: all but those named, a role or user only if its account is named beside it; and
    whoever has a permissions boundary, in any case. With Allow AWS does not support it: cannot
    tell. Source: IAM User Guide, reference_policies_elements_notprincipal.
    """
    is_entity = principal.type in {PrincipalType.ROLE, PrincipalType.USER}
    if statement.effect == "Allow":
        return {Grade.EVERYONE: None}
    if is_entity and has_boundary is True:
        return {Grade.EVERYONE: True}
    if named.get(Grade.EVERYONE) is True:
        return {}
    surely = {grade for grade, truth in named.items() if truth is True}
    is_left_out = surely >= _NEEDED_TO_BE_LEFT_OUT[principal.type]
    if is_left_out and (has_boundary is False or not is_entity):
        return {}
    return {Grade.EVERYONE: None if named else True}
