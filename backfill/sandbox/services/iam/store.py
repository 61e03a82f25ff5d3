"""Roles and managed policies as IAM keeps them, and how they come to count everywhere else.

Never answers a call. One law: what was changed counts for S3 and STS when it has settled, not
before (IAM User Guide: troubleshoot, changes are not always immediately visible).
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from backfill.sandbox.authorization.evaluation import Inquiry, is_service_granted
from backfill.sandbox.authorization.identities import Directory, Identity
from backfill.sandbox.authorization.policies import Policy, identity_policy, trust_policy
from backfill.sandbox.model.errors import Pairs
from backfill.sandbox.model.roles import Roles

AWS_POLICIES = {
    f"arn:aws:iam::aws:policy/{name}": document
    for name, document in {
        "AdministratorAccess": (
            '{"Version": "2012-10-17", "Statement":'
            ' [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
        ),
        "AmazonS3FullAccess": (
            '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",'
            ' "Action": ["s3:*", "s3-object-lambda:*"], "Resource": "*"}]}'
        ),
        "AmazonS3ReadOnlyAccess": (
            '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:Get*",'
            ' "s3:List*", "s3:Describe*", "s3-object-lambda:Get*", "s3-object-lambda:List*"],'
            ' "Resource": "*"}]}'
        ),
    }.items()
}
"""The policies of AWS's own that are here (AWS Managed Policy Reference)."""


def trust_of(account_id: str, services: Iterable[str]) -> str:
    """A trust policy for services alone; with none of them, for the account itself."""
    named = sorted(services)
    principal = {"Service": named} if named else {"AWS": account_id}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


# Open to change: calls change it.
@dataclass(slots=True, kw_only=True)
class Role:
    """A role with everything that decides what it may do."""

    account_id: str
    name: str
    path: str
    role_id: str
    trust: str
    created_at: datetime
    description: str = ""
    longest_session_s: int = 3600
    tags: dict[str, str] = field(default_factory=dict)
    inline: dict[str, str] = field(default_factory=dict)
    attached: list[str] = field(default_factory=list)
    """ARNs of managed policies."""
    boundary: str | None = None
    """The ARN of the managed policy that is the permissions boundary."""

    @property
    def arn(self) -> str:
        """With the path, which is a part of the name by which policies know the role."""
        return f"arn:aws:iam::{self.account_id}:role{self.path}{self.name}"


# Open to change: calls change it.
@dataclass(slots=True, kw_only=True)
class ManagedPolicy:
    """A customer managed policy with its versions."""

    arn: str
    name: str
    path: str
    policy_id: str
    created_at: datetime
    default: str = "v1"
    description: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    """Documents by version ID, oldest first."""
    versions_count: int = 1
    """How many there have ever been: IDs are not used again."""
    tags: dict[str, str] = field(default_factory=dict)


class Settling:
    """Changes that are not yet seen everywhere."""

    def __init__(self, settling_s: float) -> None:
        self._settling_s = settling_s
        self._waiting: list[tuple[datetime, Callable[[], None]]] = []

    def change(self, now: datetime, effect: Callable[[], None]) -> None:
        """Let an effect come about when it has settled: at once where nothing has to."""
        if self._settling_s > 0:
            self._waiting.append((now + timedelta(seconds=self._settling_s), effect))
        else:
            effect()

    def advance(self, now: datetime) -> None:
        """Bring about what has settled by now, in the order of the changes."""
        while self._waiting and self._waiting[0][0] <= now:
            self._waiting.pop(0)[1]()


class IamStore:
    """All accounts' roles and managed policies."""

    def __init__(
        self,
        *,
        directory: Directory,
        world_roles: Roles,
        settling_s: float,
        on_removed: Callable[[Role], None],
    ) -> None:
        """`on_removed` is told of each role that is gone for good."""
        self.directory = directory
        self.roles: dict[tuple[str, str], Role] = {}
        """By account and name: names are unique, whatever the path."""
        self.policies: dict[str, ManagedPolicy] = {}
        """By ARN."""
        self.settling = Settling(settling_s)
        self.trusts: dict[str, Policy] = {}
        """Trust policies that count by now, by the ARNs of the roles."""
        self._world_roles = world_roles
        self._on_removed = on_removed
        self._made_count = 0

    def new_id(self, prefix: str) -> str:
        """A unique ID: a role that is made again has another."""
        self._made_count += 1
        digest = hashlib.sha256(f"{prefix}/{self._made_count}".encode()).hexdigest()
        return f"{prefix}{digest[:17].upper()}"

    def role_with_arn(self, arn: str) -> Role | None:
        """The role of that ARN, path included."""
        return next((role for role in self.roles.values() if role.arn == arn), None)

    def document_of(self, policy_arn: str) -> str | None:
        """The default version of a managed policy; None where there is no such policy."""
        if policy_arn in AWS_POLICIES:
            return AWS_POLICIES[policy_arn]
        policy = self.policies.get(policy_arn)
        return None if policy is None else policy.versions[policy.default]

    def is_attached(self, policy_arn: str) -> bool:
        """Whether any role has the policy, as one of its own or as its boundary."""
        return any(
            policy_arn in role.attached or policy_arn == role.boundary
            for role in self.roles.values()
        )

    def policies_of(self, role: Role) -> tuple[Policy, ...]:
        """Inline and attached policies, parsed, under the names that the simulator tells."""
        inline = [identity_policy(text, name) for name, text in role.inline.items()]
        attached = [
            identity_policy(text, arn.rpartition("/")[2])
            for arn in role.attached
            if (text := self.document_of(arn)) is not None
        ]
        return (*inline, *attached)

    def boundary_of(self, role: Role) -> Policy | None:
        """The permissions boundary, parsed."""
        document = None if role.boundary is None else self.document_of(role.boundary)
        return None if document is None else identity_policy(document, "boundary")

    def publish(self, role: Role, now: datetime) -> None:
        """Let a role count as it is now, once that has settled."""
        self.settling.change(now, self._counting(role))

    def publish_now(self, role: Role) -> None:
        """Let a role count as it is now, at once."""
        self._counting(role)()

    def _counting(self, role: Role) -> Callable[[], None]:
        identity = Identity(
            account_id=role.account_id,
            arn=role.arn,
            user_id=role.role_id,
            access_key_id="",
            secret_access_key="",
            policies=self.policies_of(role),
            boundary=self.boundary_of(role),
        )
        trust = trust_policy(role.trust)

        def trusts(service: str, conditions: Pairs) -> bool:
            context = {name.lower(): (value,) for name, value in conditions}
            inquiry = Inquiry(action="sts:AssumeRole", resource=identity.arn, context=context)
            return is_service_granted(trust.statements, service, inquiry)

        def count() -> None:
            self.directory.add(identity)
            self.trusts[identity.arn] = trust
            self._world_roles.put_trust(identity.arn, trusts)

        return count

    def publish_users_of(self, policy_arn: str, now: datetime) -> None:
        """Let every role that has a managed policy count with its new document."""
        for role in self.roles.values():
            if policy_arn in role.attached or policy_arn == role.boundary:
                self.publish(role, now)

    def withdraw(self, role: Role, now: datetime) -> None:
        """Let a deleted role count no more, once that has settled."""
        del self.roles[role.account_id, role.name]

        def vanish() -> None:
            self.directory.remove(role.arn)
            del self.trusts[role.arn]
            self._world_roles.remove(role.arn)
            self._on_removed(role)

        self.settling.change(now, vanish)
