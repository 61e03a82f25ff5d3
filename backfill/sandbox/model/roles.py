"""Who lets which service assume which IAM role.

Holds no policies: what a role may do, authorization answers. As there, a role that nobody made
here is taken to trust everyone, so that a test about something else need not make one; but not in
an account that is strict, where such a role does not exist.
Law: a role that was made trusts only the services that it names, on its own conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from backfill.sandbox.model.errors import Pairs

BATCH_OPERATIONS = "batchoperations.s3.amazonaws.com"
REPLICATION = "s3.amazonaws.com"

Trust = Callable[[str, Pairs], bool]
"""Whether a service may assume the role when it comes with these condition keys and values."""


# Open to change: tests make and mend roles.
@dataclass(slots=True)
class Roles:
    """The roles that were made, by ARN."""

    strict_accounts: frozenset[str] = frozenset()
    """Accounts in which a role that was not made here does not exist."""
    _trusts: dict[str, Trust] = field(default_factory=dict)

    def put(self, arn: str, trusted_services: Iterable[str]) -> None:
        """Make a role, or change whom it trusts."""
        trusted = frozenset(trusted_services)
        self.put_trust(arn, lambda service, _conditions: service in trusted)

    def put_trust(self, arn: str, trust: Trust) -> None:
        """Make a role whose trust policy decides, or change that policy."""
        self._trusts[arn] = trust

    def remove(self, arn: str) -> None:
        """Delete a role: nobody can assume it until it is made again."""
        self.put(arn, ())

    def trusts(self, arn: str, service: str, conditions: Pairs = ()) -> bool:
        """Whether the service may assume the role.

        `conditions` are what it says about itself: `aws:SourceAccount`, `aws:SourceArn`.
        """
        trust = self._trusts.get(arn)
        if trust is None:
            return account_of(arn) not in self.strict_accounts
        return trust(service, conditions)


def account_of(arn: str) -> str:
    """The account in an ARN; empty where it has none."""
    pieces = arn.split(":")
    return pieces[4] if len(pieces) > 5 else ""
