"""The decision: may this identity do this action on this resource?

Never changes anything and never guesses: no statement, no permission. One law: every call of every
service is decided here, by the documents as they are at that moment.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from backfill.sandbox.authorization.evaluation import Inquiry, Verdict, decided
from backfill.sandbox.authorization.identities import Directory, Identity, root_arn
from backfill.sandbox.authorization.policies import Policy, Statement, resource_policy
from backfill.sandbox.model.identities import AccessQuestion, Caller

DocumentOf = Callable[[str], str | None]
"""A bucket's policy by name, or a key's by ARN; None where there is none."""
_CLIENT_ADDRESS = "127.0.0.1"


class Authorization:
    """Answers the model's questions from policies."""

    def __init__(
        self,
        *,
        directory: Directory,
        bucket_policy_of: DocumentOf,
        key_policy_of: DocumentOf,
        is_transport_secure: bool = True,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        """`is_transport_secure`: the loopback port stands in for S3's HTTPS endpoint."""
        self._directory = directory
        self._bucket_policy_of = bucket_policy_of
        self._key_policy_of = key_policy_of
        self._now = now
        self.is_transport_secure = is_transport_secure
        self.strict_accounts: frozenset[str] = frozenset()
        """Accounts in which an identity that nobody made has no permissions."""
        self.organization_id: str | None = None
        """The AWS organization that both accounts belong to; None: to none."""

    def __call__(self, question: AccessQuestion) -> bool:
        """Whether the caller may. The type is the model's `Authorize`."""
        return self.verdict(question) is Verdict.ALLOWED

    def verdict(
        self,
        question: AccessQuestion,
        policy: Policy | None = None,
        *,
        is_grant_needed: bool = False,
    ) -> Verdict:
        """The decision; `policy` is that of a resource which is neither bucket nor key."""
        identity = self._identity(question.caller)
        context = _Circumstances(lambda: self._context(question, identity), self._now)
        key_arn = question.kms_key_arn
        if key_arn is not None:
            fields = key_arn.split(":")
            if len(fields) < 6:
                return Verdict.IMPLICIT_DENY
            inquiry = Inquiry(action=question.action, resource=key_arn, context=context)
            return decided(
                identity=identity,
                owner_account_id=fields[4],
                statements=self._key_policy(key_arn, fields[4]).statements,
                inquiry=inquiry,
                is_grant_needed=True,
            )
        statements: tuple[Statement, ...] = () if policy is None else policy.statements
        document = self._bucket_policy_of(question.bucket)
        if document is not None:
            statements = resource_policy(document).statements
        inquiry = Inquiry(action=question.action, resource=resource_arn(question), context=context)
        return decided(
            identity=identity,
            owner_account_id=question.bucket_owner or question.caller.account_id,
            statements=statements,
            inquiry=inquiry,
            is_grant_needed=is_grant_needed,
        )

    def _key_policy(self, key_arn: str, owner: str) -> Policy:
        document = self._key_policy_of(key_arn)
        return default_key_policy(owner) if document is None else resource_policy(document)

    def _identity(self, caller: Caller) -> Identity | None:
        """Who asks; None is anonymous.

        S3 itself asks on behalf of a replication role, which nobody need have made here: its own
        policies are then taken to allow everything, so that the resource policies decide. Not so
        in a strict account, nor for a role that was deleted.
        """
        if caller.is_anonymous:
            return None
        known = self._directory.with_arn(caller.arn)
        if known is not None:
            return known
        is_gone = self._directory.is_removed(caller.arn)
        is_nobody = is_gone or caller.account_id in self.strict_accounts
        return Identity(
            account_id=caller.account_id,
            arn=caller.arn,
            user_id="",
            access_key_id="",
            secret_access_key="",
            policies=() if is_nobody else (ALLOW_EVERYTHING,),
        )

    def _context(self, question: AccessQuestion, identity: Identity | None) -> dict[str, str]:
        caller = question.caller
        context = {
            "aws:securetransport": "true" if self.is_transport_secure else "false",
            "aws:requestedregion": caller.region,
        }
        if identity is not None:
            context |= principal_context(identity)
            if self.organization_id is not None:
                context["aws:principalorgid"] = self.organization_id
        if identity is None or not _is_service_acting(identity):
            context["aws:sourceip"] = _CLIENT_ADDRESS
        owner = question.bucket_owner
        if owner is not None:
            context["aws:resourceaccount"] = owner
            if self.organization_id is not None:
                context["aws:resourceorgid"] = self.organization_id
            if question.bucket:
                context["s3:resourceaccount"] = owner
        if question.version_id is not None:
            context["s3:versionid"] = question.version_id
        if question.kms_key_arn is not None:
            context |= _key_context(question, question.kms_key_arn)
        context.update((name.lower(), value) for name, value in question.conditions)
        return context


_TIMES: Mapping[str, Callable[[datetime], str]] = {
    "aws:currenttime": lambda now: now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "aws:epochtime": lambda now: str(int(now.timestamp())),
}


class _Circumstances(Mapping[str, tuple[str, ...]]):
    """The context keys of one request, put together when a condition asks: most never do."""

    def __init__(
        self, make: Callable[[], dict[str, str]], now: Callable[[], datetime] | None
    ) -> None:
        self._make = make
        self._now = now
        self._made: dict[str, str] | None = None

    def _values(self) -> dict[str, str]:
        if self._made is None:
            self._made = self._make()
        return self._made

    def __getitem__(self, name: str) -> tuple[str, ...]:
        if name in _TIMES and self._now is not None:
            return (_TIMES[name](self._now()),)
        return (self._values()[name],)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())


def principal_context(identity: Identity) -> dict[str, str]:
    """What is known of a request by who signs it; of a session, by its role.

    (IAM User Guide: reference_policies_condition-keys, properties of the principal).
    """
    context = {
        "aws:principalarn": identity.role_arn or identity.arn,
        "aws:principalaccount": identity.account_id,
        "aws:principalisawsservice": "false",
        "aws:userid": identity.user_id,
    }
    if ":user/" in identity.arn:
        context["aws:username"] = identity.arn.rpartition("/")[2]
    return context


def _is_service_acting(identity: Identity) -> bool:
    """Whether it is a role itself: no person signs as that, S3 acts in its name from within AWS."""
    return identity.is_role and identity.role_arn is None


def _key_context(question: AccessQuestion, key_arn: str) -> dict[str, str]:
    context = {"kms:calleraccount": question.caller.account_id}
    if question.bucket:  # through S3; else the key itself is managed
        key_region = (key_arn.split(":") + [""] * 4)[3]
        context["kms:viaservice"] = f"s3.{key_region}.amazonaws.com"
        context["kms:encryptioncontext:aws:s3:arn"] = resource_arn(question)
        context["kms:encryptioncontextkeys"] = "aws:s3:arn"
    return context


def resource_arn(question: AccessQuestion) -> str:
    """The ARN of the bucket, object, job or role in question; `*` for what concerns the account."""
    if question.resource_arn is not None:
        return question.resource_arn
    if not question.bucket:
        return "*"
    path = question.bucket if question.key is None else f"{question.bucket}/{question.key}"
    return f"arn:aws:s3:::{path}"


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
