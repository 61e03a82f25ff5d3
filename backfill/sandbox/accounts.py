"""The two accounts of a sandbox: their Regions, and the keys of their roots.

Never holds a real account: these keys open nothing but a sandbox on loopback. One law: a bucket's
owner and a signer are named by these numbers everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from backfill.sandbox.authorization.identities import Identity, root_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One of the sandbox's accounts, the Region that it works in, and its root's keys."""

    name: str
    region: str
    root: Identity

    @property
    def account_id(self) -> str:
        """Twelve digits."""
        return self.root.account_id


SOURCE = Account(
    name="source",
    region="us-east-1",
    root=root_of(
        "111111111111",
        access_key_id="AKIASANDBOXSOURCE000",
        secret_access_key="sandbox/source/opens/nothing/else/000000",  # noqa: S106 - no secret
    ),
)
DESTINATION = Account(
    name="destination",
    region="eu-west-1",
    root=root_of(
        "222222222222",
        access_key_id="AKIASANDBOXDESTINATI",
        secret_access_key="sandbox/destination/opens/nothing/else/0",  # noqa: S106 - no secret
    ),
)
ACCOUNTS: Mapping[str, Account] = {account.name: account for account in (SOURCE, DESTINATION)}
REGIONS = frozenset(account.region for account in ACCOUNTS.values())


def home_region(identity: Identity) -> str:
    """The Region that the identity's account works in."""
    return next(
        account.region for account in ACCOUNTS.values() if account.account_id == identity.account_id
    )
