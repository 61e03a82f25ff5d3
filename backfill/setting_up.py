"""Opening a set-up: both accounts' clients, where the buckets are, what is wanted of each account.

Never decides what is written: the stage `setup` does, with what is opened here.
Law: a side that is left to its owner (`only`) is never asked anything, but the Region of a bucket.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from backfill.campaign import Access
from backfill.compose import (
    Account,
    Machine,
    account_client,
    destination_connection,
    source_connection,
)
from backfill.ports import Events
from backfill.settings import Settings
from backfill.setup.desired import wanted_of
from backfill.setup.ground import Askable, Asked, ground_of_accounts
from backfill.setup.run import Hands
from backfill.setup.spec import Spec
from backfill.setup.wanted import Side, Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingUp:
    """A set-up at hand. `here` is where its record is kept."""

    hands: Hands
    askable: Askable

    async def wanted(self, spec: Spec) -> Wanted:
        """Return what a spec wants where its buckets are; raises as `ground_of_accounts`."""
        return wanted_of(spec, await ground_of_accounts(spec, self.askable))


@asynccontextmanager
async def opened_setup(
    access: Access, settings: Settings, here: Machine, events: Events, *, only: Side | None = None
) -> AsyncIterator[SettingUp]:
    """Open both identities' clients, or one's; no client is open before its first call.

    Raises:
        UsageError, CredentialsError: See `compose.clients`; of a side that is asked only.
    """
    async with AsyncExitStack() as stack:
        source = destination = None
        if only is not Side.DESTINATION:
            connection = source_connection(access, settings)
            opening = account_client(connection, settings, here, events)
            source = await stack.enter_async_context(opening)
        if only is not Side.SOURCE:
            connection = destination_connection(access, settings)
            opening = account_client(connection, settings, here, events)
            destination = await stack.enter_async_context(opening)
        yield SettingUp(
            hands=Hands(
                source=None if source is None else source.writer,
                destination=None if destination is None else destination.writer,
                records=here.artifacts,
                clock=here.clock,
                events=events,
            ),
            askable=Askable(source=_asked(source), destination=_asked(destination)),
        )


def _asked(account: Account | None) -> Asked | None:
    return None if account is None else Asked(reader=account.reader, control=account.control)
