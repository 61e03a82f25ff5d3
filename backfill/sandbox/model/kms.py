"""The KMS keys that S3 uses on behalf of callers: names, and which of them fail.

Holds no key material and encrypts nothing. Any key ARN is taken for an existing, enabled key unless
a test says otherwise, because KMS is not what is modelled; but in an account that is strict, a key
that was not made here does not exist.
Law: a key is known by its full ARN.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from uuid import NAMESPACE_URL, uuid5

from backfill.sandbox.model.roles import account_of


# Open to change: tests disable keys.
@dataclass(slots=True, kw_only=True)
class KeyRing:
    """The keys that do not work, and those that were made here."""

    disabled: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    pending: set[str] = field(default_factory=set)
    """Keys that wait for their deletion: they do nothing any more."""
    made: set[str] = field(default_factory=set)
    policies: Container[str] = frozenset()
    """Keys that have a key policy, also those that no call of KMS made."""
    aliases: dict[str, str] = field(default_factory=dict)
    """Key ARNs by the ARNs of their aliases."""
    strict_accounts: frozenset[str] = frozenset()
    """Accounts in which a key that is not in `made` does not exist, but for `aws/s3`."""

    def resolved(self, arn: str) -> str:
        """The key's own ARN for an alias that was made here; else what was given."""
        return self.aliases.get(arn, arn)

    def is_known(self, arn: str) -> bool:
        """Whether the key was made here, so that its policy is to be asked."""
        return arn in self.made or arn in self.policies

    def is_missing(self, arn: str) -> bool:
        """Whether there is no such key."""
        if arn in self.missing:
            return True
        account_id = account_of(arn)
        if account_id not in self.strict_accounts or self.is_known(arn):
            return False
        return not is_aws_managed(arn)

    def is_enabled(self, arn: str) -> bool:
        """Whether the key is there and works."""
        return not (arn in self.disabled or arn in self.pending or self.is_missing(arn))


def aws_managed_key_arn(*, account_id: str, region: str) -> str:
    """The ARN of `aws/s3`: the key of SSE-KMS without a key ID (UG: UsingKMSEncryption)."""
    key_id = uuid5(NAMESPACE_URL, f"aws/s3/{region}/{account_id}")
    return f"arn:aws:kms:{region}:{account_id}:key/{key_id}"


def is_aws_managed(arn: str) -> bool:
    """Whether the key is the `aws/s3` of some account, by its ID or by its alias."""
    if arn.endswith(":alias/aws/s3"):
        return True
    return arn == aws_managed_key_arn(account_id=account_of(arn), region=region_of(arn))


def key_arn(key_id: str, *, account_id: str, region: str) -> str:
    """The ARN of a key given by ARN, by `alias/...` or by bare ID of the caller's account."""
    if key_id.startswith("arn:"):
        return key_id
    resource = key_id if key_id.startswith("alias/") else f"key/{key_id}"
    return f"arn:aws:kms:{region}:{account_id}:{resource}"


def region_of(arn: str) -> str:
    """The Region in a key's ARN; empty where the ARN is too short to have one."""
    pieces = arn.split(":")
    return pieces[3] if len(pieces) > 5 else ""
