"""Both clients of the product, opened by name: `sdk` is botocore's, `lean` our own.

Law: nothing but the name differs, so that what a test finds of one it finds of the other.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from backfill.aws.calls import READ_TIMEOUT_S, Calls
from backfill.aws.lean.calls import LeanCalls
from backfill.aws.session import AwsSession, Connection
from backfill.ports import Events

_KINDS: Final[dict[str, type[Calls]]] = {"sdk": Calls, "lean": LeanCalls}
CLIENTS: Final = tuple(_KINDS)


@asynccontextmanager
async def opened_calls(
    client: str,
    connection: Connection,
    events: Events,
    *,
    read_timeout_s: float = READ_TIMEOUT_S,
    kind: type[Calls] | None = None,
) -> AsyncIterator[Calls]:
    """Open the calls of one identity through a client, or through a `kind` that a test broke."""
    async with AwsSession(connection) as session:
        made = kind or _KINDS[client]
        yield made(session, events, read_timeout_s=read_timeout_s)
