"""The KMS keys that calls made, and what S3 is told of them.

Never holds key material. One law: a key's policy and its state, as S3 and authorization see them,
change here and nowhere else.
"""

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

from backfill.sandbox.model.kms import KeyRing, aws_managed_key_arn, is_aws_managed, region_of
from backfill.sandbox.services.calls import owner_of


# Open to change: calls change it.
@dataclass(slots=True, kw_only=True)
class Key:
    """A key."""

    arn: str
    created_at: datetime
    description: str = ""
    usage: str = "ENCRYPT_DECRYPT"
    spec: str = "SYMMETRIC_DEFAULT"
    is_multi_region: bool = False
    managed_by: str = "CUSTOMER"
    deletion_at: datetime | None = None
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def key_id(self) -> str:
        """The last part of the ARN."""
        return self.arn.rpartition("/")[2]


class KeyStore:
    """All accounts' keys in all Regions."""

    def __init__(self, ring: KeyRing, policies: MutableMapping[str, str]) -> None:
        self.ring = ring
        self.policies = policies
        self._keys: dict[str, Key] = {}

    def make(self, key: Key, policy: str) -> None:
        """Let a new key be known and work."""
        self._keys[key.arn] = key
        self.policies[key.arn] = policy
        self.ring.made.add(key.arn)
        self.ring.missing.discard(key.arn)

    def new_arn(self, account_id: str, region: str, *, is_multi_region: bool) -> str:
        """The ARN of the next key: the same in every run."""
        key_id = str(uuid5(NAMESPACE_URL, f"{region}/{account_id}/{len(self._keys)}"))
        if is_multi_region:
            key_id = f"mrk-{key_id.replace('-', '')}"
        return f"arn:aws:kms:{region}:{account_id}:key/{key_id}"

    def arn_of(self, key_id: str, account_id: str, region: str) -> str:
        """The ARN of a key given by ID, ARN, alias or an alias's ARN."""
        arn = key_id
        if not key_id.startswith("arn:"):
            name = key_id if key_id.startswith("alias/") else f"key/{key_id}"
            arn = f"arn:aws:kms:{region}:{account_id}:{name}"
        if arn.endswith(":alias/aws/s3"):
            return aws_managed_key_arn(account_id=owner_of(arn) or "", region=region_of(arn))
        return self.ring.resolved(arn)

    def find(self, arn: str, now: datetime) -> Key | None:
        """The key; also one that only has a policy, and `aws/s3`, which nobody made by a call."""
        key = self._keys.get(arn)
        if key is None and arn not in self.ring.missing:
            if is_aws_managed(arn):
                return Key(arn=arn, created_at=now, managed_by="AWS")
            if arn in self.policies:
                key = self._keys[arn] = Key(arn=arn, created_at=now)
        return key

    def state_of(self, key: Key) -> str:
        """The key's state in KMS's words."""
        if key.arn in self.ring.pending:
            return "PendingDeletion"
        return "Disabled" if key.arn in self.ring.disabled else "Enabled"

    def schedule(self, key: Key, now: datetime, days: int) -> datetime:
        """Let a key wait for its deletion."""
        key.deletion_at = now + timedelta(days=days)
        self.ring.pending.add(key.arn)
        self.ring.disabled.discard(key.arn)
        return key.deletion_at

    def cancel(self, key: Key) -> None:
        """Keep a key after all; it is disabled then (KMS API: CancelKeyDeletion)."""
        key.deletion_at = None
        self.ring.pending.discard(key.arn)
        self.ring.disabled.add(key.arn)

    def advance(self, now: datetime) -> None:
        """Delete the keys whose time has come."""
        due = [key for key in self._keys.values() if key.deletion_at and key.deletion_at <= now]
        for key in due:
            del self._keys[key.arn]
            self.policies.pop(key.arn, None)
            self.ring.pending.discard(key.arn)
            self.ring.made.discard(key.arn)
            self.ring.missing.add(key.arn)
            for alias in [a for a, arn in self.ring.aliases.items() if arn == key.arn]:
                del self.ring.aliases[alias]

    def of(self, account_id: str, region: str) -> list[Key]:
        """The keys of an account in a Region."""
        return [
            key
            for arn, key in self._keys.items()
            if owner_of(arn) == account_id and region_of(arn) == region
        ]

    def aliases_of(self, account_id: str, region: str) -> dict[str, str]:
        """Key ARNs by alias ARN, of an account in a Region."""
        return {
            alias: arn
            for alias, arn in sorted(self.ring.aliases.items())
            if owner_of(alias) == account_id and region_of(alias) == region
        }
