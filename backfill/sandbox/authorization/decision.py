"""The decision: may this identity do this action on this resource?

Never changes anything and never guesses: no statement, no permission. One law: a Deny anywhere
wins; within an account one side's Allow is enough, across accounts both sides must allow
(IAM User Guide: reference_policies_evaluation-logic).
"""

from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum

from backfill.sandbox.authorization.conditions import holds
from backfill.sandbox.authorization.identities import Directory, Identity, root_arn
from backfill.sandbox.authorization.policies import (
    Policy,
    PolicyError,
    Statement,
    applies,
    resource_policy,
)
from backfill.sandbox.model.identities import AccessQuestion, Caller

DocumentOf = Callable[[str], str | None]
"""A bucket's policy by name, or a key's by ARN; None where there is none."""


class Grant(IntEnum):
    """What a resource policy gives an identity."""

    NOTHING = 0
    TO_ACCOUNT = 1
    """The identity's account is named: it may pass the permission on by identity policy."""
    TO_IDENTITY = 2
    """The identity itself, or everybody, is named: enough within the account."""


class Authorization:
    """Answers the model's questions from policies."""

    def __init__(
        self,
        *,
        directory: Directory,
        bucket_policy_of: DocumentOf,
        key_policy_of: DocumentOf,
        is_transport_secure: bool = True,
    ) -> None:
        """`is_transport_secure`: the loopback port stands in for S3's HTTPS endpoint."""
        self._directory = directory
        self._bucket_policy_of = bucket_policy_of
        self._key_policy_of = key_policy_of
        self.is_transport_secure = is_transport_secure

    def __call__(self, question: AccessQuestion) -> bool:
        """Whether the caller may. The type is the model's `Authorize`."""
        identity = self._identity(question.caller)
        context = self._context(question)
        if question.kms_key_arn is not None:
            return self._may_use_key(question, question.kms_key_arn, identity, context)
        arn = resource_arn(question)
        document = self._bucket_policy_of(question.bucket)
        statements = () if document is None else resource_policy(document).statements
        owner = question.bucket_owner or question.caller.account_id
        return decided(
            identity=identity,
            caller=question.caller,
            owner_account_id=owner,
            action=question.action,
            resource=arn,
            statements=statements,
            context=context,
        )

    def _identity(self, caller: Caller) -> Identity | None:
        """Who asks; None is anonymous.

        S3 itself asks on behalf of a replication role, which nobody need have made here: its own
        policies are then taken to allow everything, so that the resource policies decide.
        """
        if caller.is_anonymous:
            return None
        known = self._directory.with_arn(caller.arn)
        if known is not None:
            return known
        return Identity(
            account_id=caller.account_id,
            arn=caller.arn,
            user_id="",
            access_key_id="",
            secret_access_key="",
            policies=(ALLOW_EVERYTHING,),
        )

    def _may_use_key(
        self,
        question: AccessQuestion,
        key_arn: str,
        identity: Identity | None,
        context: Mapping[str, str],
    ) -> bool:
        """Key policies differ: without the key policy's word nobody may, its own account included.

        (KMS Developer Guide: key-policies).
        """
        fields = key_arn.split(":")
        if len(fields) < 6:
            return False
        owner = fields[4]
        document = self._key_policy_of(key_arn)
        statements = default_key_policy(owner) if document is None else resource_policy(document)
        granted = granted_by(
            statements.statements, question.caller, identity, question.action, key_arn, context
        )
        if granted is None or granted is Grant.NOTHING or identity is None:
            return False
        if granted is Grant.TO_IDENTITY and identity.account_id == owner:
            return identity_allows(identity, question.action, key_arn, context) is not False
        return identity_allows(identity, question.action, key_arn, context) is True

    def _context(self, question: AccessQuestion) -> dict[str, str]:
        caller = question.caller
        context = {
            "aws:securetransport": "true" if self.is_transport_secure else "false",
            "aws:requestedregion": caller.region,
        }
        if not caller.is_anonymous:
            context["aws:principalarn"] = caller.arn
            context["aws:principalaccount"] = caller.account_id
        if question.bucket_owner is not None:
            context["s3:resourceaccount"] = question.bucket_owner
            context["aws:resourceaccount"] = question.bucket_owner
        if question.version_id is not None:
            context["s3:versionid"] = question.version_id
        if question.kms_key_arn is not None:
            key_region = (question.kms_key_arn.split(":") + [""] * 4)[3]
            context["kms:viaservice"] = f"s3.{key_region}.amazonaws.com"
            context["kms:encryptioncontext:aws:s3:arn"] = resource_arn(question)
        context.update((name.lower(), value) for name, value in question.conditions)
        return context


def resource_arn(question: AccessQuestion) -> str:
    """The ARN of the bucket, object, job or role in question; `*` for what concerns the account."""
    if question.resource_arn is not None:
        return question.resource_arn
    if not question.bucket:
        return "*"
    path = question.bucket if question.key is None else f"{question.bucket}/{question.key}"
    return f"arn:aws:s3:::{path}"


def decided(
    *,
    identity: Identity | None,
    caller: Caller,
    owner_account_id: str,
    action: str,
    resource: str,
    statements: Iterable[Statement],
    context: Mapping[str, str],
) -> bool:
    """The decision about an S3 resource. `identity` None is anonymous."""
    granted = granted_by(statements, caller, identity, action, resource, context)
    if granted is None:
        return False
    if identity is None:
        return granted is Grant.TO_IDENTITY
    own = identity_allows(identity, action, resource, context)
    if own is False:
        return False
    if identity.account_id == owner_account_id:
        return own is True or granted is Grant.TO_IDENTITY
    return own is True and granted is not Grant.NOTHING


def identity_allows(
    identity: Identity, action: str, resource: str, context: Mapping[str, str]
) -> bool | None:
    """True for an Allow (and for a root), False for a Deny, None where nothing is said."""
    if identity.is_root:
        return True
    answer: bool | None = None
    for policy in identity.policies:
        for statement in policy.statements:
            if not _speaks_of(statement, action, resource, context):
                continue
            if statement.effect == "Deny":
                return False
            answer = True
    return answer


def granted_by(
    statements: Iterable[Statement],
    caller: Caller,
    identity: Identity | None,
    action: str,
    resource: str,
    context: Mapping[str, str],
) -> Grant | None:
    """What a resource policy grants; None when it denies."""
    best = Grant.NOTHING
    for statement in statements:
        named = _named(statement, caller, identity)
        if named is Grant.NOTHING or not _speaks_of(statement, action, resource, context):
            continue
        if statement.effect == "Deny":
            return None
        best = max(best, named)
    return best


def _speaks_of(
    statement: Statement, action: str, resource: str, context: Mapping[str, str]
) -> bool:
    return applies(statement, action, resource) and all(
        holds(condition, context) for condition in statement.conditions
    )


def _named(statement: Statement, caller: Caller, identity: Identity | None) -> Grant:
    assert statement.principals is not None
    best = Grant.NOTHING
    arns = () if identity is None else identity.principal_arns
    for principal in statement.principals:
        if principal == "*" or principal in arns:
            return Grant.TO_IDENTITY
        if not caller.is_anonymous and principal in {
            caller.account_id,
            root_arn(caller.account_id),
        }:
            best = Grant.TO_ACCOUNT
    return best


def _allow(action: str, principals: tuple[str, ...] | None) -> Policy:
    statement = Statement(
        effect="Allow",
        actions=(action,),
        is_not_action=False,
        resources=("*",),
        is_not_resource=False,
        principals=principals,
        conditions=(),
    )
    return Policy(statements=(statement,))


ALLOW_EVERYTHING = _allow("*", None)
"""AdministratorAccess."""


def default_key_policy(account_id: str) -> Policy:
    """What KMS gives a new key: its account may pass on everything by identity policies."""
    return _allow("kms:*", (root_arn(account_id),))


def bucket_policy_flaw(document: str, bucket: str) -> str | None:
    """Why S3 would refuse this bucket policy, or None (S3 API: PutBucketPolicy)."""
    try:
        policy = resource_policy(document)
    except PolicyError as error:
        return str(error)
    own = f"arn:aws:s3:::{bucket}"
    for statement in policy.statements:
        for resource in statement.resources:
            if resource != own and not resource.startswith(f"{own}/"):
                return "Policy has invalid resource"
    return None
