"""Which services an IAM role lets assume it.

Holds no policies: what a role may do, authorization answers. As there, a role that nobody made
here is taken to trust everyone, so that a test about something else need not make one.
Law: a role that was made trusts only the services that it names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

BATCH_OPERATIONS = "batchoperations.s3.amazonaws.com"
REPLICATION = "s3.amazonaws.com"


# Open to change: tests make and mend roles.
@dataclass(slots=True)
class Roles:
    """The roles that were made, by ARN."""

    _trusted: dict[str, frozenset[str]] = field(default_factory=dict)

    def put(self, arn: str, trusted_services: Iterable[str]) -> None:
        """Make a role, or change whom it trusts."""
        self._trusted[arn] = frozenset(trusted_services)

    def trusts(self, arn: str, service: str) -> bool:
        """Whether the service may assume the role."""
        known = self._trusted.get(arn)
        return known is None or service in known
