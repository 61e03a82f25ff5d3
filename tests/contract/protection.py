"""The words for what protects an object: Object Lock, ACLs and customers' own keys.

Law: as `vocabulary.py`: what a server says is what a case sees. Customer keys are raw bytes.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """Retention and legal hold, as headers say them."""

    mode: str | None = None
    until: datetime | None = None
    hold: str | None = None
    """`ON` or `OFF`; None where nobody ever spoke of one."""


Grants = tuple[tuple[str, str], ...]
"""A right and who has it, by canonical user ID or URI of a group; sorted in answers."""


class Protection(Protocol):
    """The part of `Driver` that is about protection."""

    def set_lock(self, bucket: str, *, mode: str | None = None, days: int | None = None) -> None:
        """PutObjectLockConfiguration, with a default retention where a mode is said."""

    def default_retention(self, bucket: str) -> tuple[str, int] | None:
        """Mode and days of GetObjectLockConfiguration; None without a default."""

    def retain(
        self,
        bucket: str,
        key: str,
        lock: Lock,
        *,
        version_id: str | None = None,
        is_bypassed: bool = False,
    ) -> None:
        """PutObjectRetention; an empty lock takes the retention away."""

    def hold(self, bucket: str, key: str, status: str, *, version_id: str | None = None) -> None:
        """PutObjectLegalHold."""

    def lock_of(self, bucket: str, key: str) -> Lock:
        """What GetObjectRetention says."""

    def hold_of(self, bucket: str, key: str) -> str:
        """What GetObjectLegalHold says."""

    def remove(self, bucket: str, key: str, version_id: str | None, *, is_bypassed: bool) -> None:
        """DeleteObject of a version, with or without the header that bypasses governance mode."""

    def set_ownership(self, bucket: str, ownership: str) -> None: ...
    def allow_public(self, bucket: str) -> None:
        """DeletePublicAccessBlock."""

    def acl(self, bucket: str, key: str, *, version_id: str | None = None) -> tuple[str, Grants]:
        """The owner's canonical user ID and the grants."""

    def put_acl(
        self,
        bucket: str,
        key: str,
        *,
        canned: str | None = None,
        grants: Grants = (),
        document: tuple[str, Grants] | None = None,
    ) -> None:
        """PutObjectAcl by one of three ways; `document` is an owner with grants."""

    def allow_customer_keys(self, bucket: str) -> None:
        """Let a new bucket take SSE-C, which S3 blocks since April 2026."""
