"""The accounts and identities that may sign requests.

Never holds real credentials: these keys open nothing but this sandbox. One law: an access key ID
belongs to exactly one identity.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from backfill.sandbox.authorization.policies import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """An account's root, an IAM user or a role session, with the keys that it signs with."""

    account_id: str
    arn: str
    """As GetCallerIdentity says it."""
    user_id: str
    access_key_id: str
    secret_access_key: str
    session_token: str | None = None
    expires_at: datetime | None = None
    policies: tuple[Policy, ...] = ()
    """Identity policies. A root needs none: it may do everything in its own account."""
    boundary: Policy | None = None
    """The permissions boundary: what no identity policy reaches beyond."""
    role_arn: str | None = None
    """The role behind a session: policies name it and mean its sessions."""

    @property
    def is_root(self) -> bool:
        """Whether this is the account's root."""
        return self.arn == root_arn(self.account_id)

    @property
    def principal_arns(self) -> tuple[str, ...]:
        """Every ARN under which a policy may name this identity."""
        return (self.arn,) if self.role_arn is None else (self.arn, self.role_arn)

    @property
    def is_role(self) -> bool:
        """Whether this is a role, or a session of one."""
        return self.role_arn is not None or ":role/" in self.arn


class Directory:
    """Everyone who is known, by access key ID and by ARN."""

    def __init__(self) -> None:
        self._by_key: dict[str, Identity] = {}
        self._by_arn: dict[str, Identity] = {}
        self._removed: set[str] = set()

    def add(self, identity: Identity) -> None:
        """Make an identity known, or replace the one that had its access key before.

        A role has no access key of its own: nobody signs as it, S3 itself acts in its name.
        """
        if identity.access_key_id:
            self._by_key[identity.access_key_id] = identity
        self._by_arn[identity.arn] = identity
        self._removed.discard(identity.arn)

    def remove(self, arn: str) -> None:
        """Take a user or role out: its keys open nothing, its sessions may do nothing."""
        self._removed.add(arn)
        gone = self._by_arn.pop(arn, None)
        if gone is not None:
            self._by_key.pop(gone.access_key_id, None)

    def forget_key(self, access_key_id: str) -> None:
        """Forget the keys of a session that has ended."""
        self._by_key.pop(access_key_id, None)

    def has_unique_id(self, unique_id: str) -> bool:
        """Whether somebody who is there has that unique ID."""
        return any(identity.user_id == unique_id for identity in self._by_arn.values())

    def is_removed(self, arn: str) -> bool:
        """Whether somebody had that ARN, and is gone."""
        return arn in self._removed

    def with_access_key(self, access_key_id: str) -> Identity | None:
        """Whose access key that is."""
        return self._by_key.get(access_key_id)

    def with_arn(self, arn: str) -> Identity | None:
        """Who has that ARN; a role's session with what its role may do now."""
        found = self._by_arn.get(arn)
        if found is None or found.role_arn is None:
            return found
        role = self._by_arn.get(found.role_arn)
        is_same = role is not None and role.user_id == found.user_id.partition(":")[0]
        if role is not None and is_same:
            return replace(found, policies=role.policies, boundary=role.boundary)
        is_gone = role is not None or found.role_arn in self._removed
        return replace(found, policies=()) if is_gone else found


def root_arn(account_id: str) -> str:
    """The ARN of an account's root."""
    return f"arn:aws:iam::{account_id}:root"


def root_of(account_id: str, *, access_key_id: str, secret_access_key: str) -> Identity:
    """An account's root, which policies cannot narrow but for a resource's Deny."""
    return Identity(
        account_id=account_id,
        arn=root_arn(account_id),
        user_id=account_id,
        access_key_id=access_key_id,
        secret_access_key=secret_access_key,
    )
