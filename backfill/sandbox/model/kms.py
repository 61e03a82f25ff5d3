"""The KMS keys that S3 uses on behalf of callers: names, and which of them fail.

Holds no key material and encrypts nothing. Any key ARN is taken for an existing, enabled key unless
a test says otherwise, because KMS is not what is modelled.
Law: a key is known by its full ARN.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import NAMESPACE_URL, uuid5


# Open to change: tests disable keys.
@dataclass(slots=True, kw_only=True)
class KeyRing:
    """The keys that do not work: disabled ones and ones that are not there."""

    disabled: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)


def aws_managed_key_arn(*, account_id: str, region: str) -> str:
    """The ARN of `aws/s3`: the key of SSE-KMS without a key ID (UG: UsingKMSEncryption)."""
    key_id = uuid5(NAMESPACE_URL, f"aws/s3/{region}/{account_id}")
    return f"arn:aws:kms:{region}:{account_id}:key/{key_id}"


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
