"""The accounts and identities that may sign requests.

Never holds real credentials: these keys open nothing but this sandbox. One law: an access key ID
belongs to exactly one identity.
"""

from dataclasses import dataclass
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


class Directory:
    """Everyone who is known, by access key ID and by ARN."""

    def __init__(self) -> None:
        self._by_key: dict[str, Identity] = {}
        self._by_arn: dict[str, Identity] = {}

    def add(self, identity: Identity) -> None:
        """Make an identity known, or replace the one that had its access key before.

        A role has no access key of its own: nobody signs as it, S3 itself acts in its name.
        """
        if identity.access_key_id:
            self._by_key[identity.access_key_id] = identity
        self._by_arn[identity.arn] = identity

    def with_access_key(self, access_key_id: str) -> Identity | None:
        """Whose access key that is."""
        return self._by_key.get(access_key_id)

    def with_arn(self, arn: str) -> Identity | None:
        """Who has that ARN."""
        return self._by_arn.get(arn)


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
