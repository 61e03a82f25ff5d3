"""One API call: lend a client, send once, turn whatever comes back into an answer or a StoreFault.

Never repeats a call, but for one: a call refused because the token had expired is asked again once
with renewed credentials. It was refused at the door, so no attempt of the caller is spent.
Law: no exception of the SDK or of the HTTP library passes this module.
"""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from typing import Final, NamedTuple, TypeVar

import aiohttp
from aiobotocore.client import AioBaseClient
from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from backfill.aws.assumed_role import AssumeRoleError
from backfill.aws.fault_table import EXPIRED
from backfill.aws.faults import (
    WEB_IDENTITY,
    WRITES,
    fault_of_answer,
    fault_of_exception,
    store_fault,
)
from backfill.aws.forms import FilledForm
from backfill.aws.lean.wire import ExchangeError
from backfill.aws.replies import NoETagError, Reply, ReplyError, UnknownValueError
from backfill.aws.session import AwsSession
from backfill.errors import StoreFault
from backfill.events.calls import CredentialsRenewed
from backfill.ports import Events

READ_TIMEOUT_S: Final = 60.0
"""A whole read. S3 answers in tens of milliseconds, a full page of versions within a second or two;
a minute tells a hang from a slow day. Writes have the longer silence of `session.Connection`."""

_CODES: Final[dict[type[Exception], str]] = {
    ReplyError: "UnreadableReply",
    UnknownValueError: "UnknownValue",
    NoETagError: "NoETag",
}

FAILURES: Final[tuple[type[Exception], ...]] = (
    *(ClientError, ReplyError, UnknownValueError, NoETagError),
    *(BotoCoreError, aiohttp.ClientError, ResponseParserError, ExchangeError, OSError),
)
"""All that sending, receiving and parsing raises, by either client; TimeoutError is an OSError."""

T = TypeVar("T")


class Call(NamedTuple):
    """One request: an operation's API name, its parameters, and the Region that serves it.

    `limit_s` is for the whole request; None: `READ_TIMEOUT_S` for a read and for all of S3 Control,
    and for a write of S3, which may move data, no limit but the silence of `session.Connection`.
    """

    operation: str
    region: str
    parameters: Mapping[str, object]
    service: str = "s3"
    limit_s: float | None = None

    @property
    def bucket(self) -> str:
        """The bucket that the request is addressed to; empty for none."""
        return str(self.parameters.get("Bucket", ""))


AnyCall = Call | FilledForm


class Calls:
    """Sends the calls of one identity."""

    def __init__(
        self, session: AwsSession, events: Events, *, read_timeout_s: float = READ_TIMEOUT_S
    ) -> None:
        self._session = session
        self._events = events
        self._read_timeout_s = read_timeout_s

    @property
    def region(self) -> str:
        """The Region for questions without one."""
        return self._session.region

    async def send(self, call: AnyCall, parse: Callable[[Reply], T]) -> T:
        """Send once and parse the answer; raises StoreFault."""
        return await self._renewing(call, lambda: self._sent(call, parse))

    @asynccontextmanager
    async def opened(self, call: AnyCall) -> AsyncIterator[Reply]:
        """Send once and lend the answer while its body is read; raises StoreFault.

        The silence between two chunks is limited by the connection's read time-out.
        """
        async with AsyncExitStack() as stack:
            reply = await self._renewing(call, lambda: self._opened(call, stack))
            with faults_of(call):
                yield reply

    async def _sent(self, call: AnyCall, parse: Callable[[Reply], T]) -> T:
        with faults_of(call):
            # Signing in and opening a client take their time: that is not the store being slow.
            await self._session.credentials()
            async with self._lease(call) as client, asyncio.timeout(self._limit_s(call)):
                return parse(await _reply(client, call))

    def _limit_s(self, call: AnyCall) -> float | None:
        if call.limit_s is not None or (call.operation in WRITES and call.service == "s3"):
            return call.limit_s
        return self._read_timeout_s

    async def _opened(self, call: AnyCall, stack: AsyncExitStack) -> Reply:
        with faults_of(call):
            await self._session.credentials()
            client = await stack.enter_async_context(self._lease(call))
            async with asyncio.timeout(self._read_timeout_s):
                return await _reply(client, call)

    async def _renewing(self, call: AnyCall, once: Callable[[], Awaitable[T]]) -> T:
        generation = self._session.generation
        try:
            return await once()
        except StoreFault as fault:
            if fault.code not in EXPIRED or not await self._renewed(call, generation):
                raise
        return await once()

    async def _renewed(self, call: AnyCall, generation: int) -> bool:
        with faults_of(call):
            is_renewed = await self._session.renew(generation)
        if is_renewed:
            self._events.emit(CredentialsRenewed(operation=call.operation))
        return is_renewed

    def _lease(self, call: AnyCall) -> AbstractAsyncContextManager[AioBaseClient]:
        return self._session.lease(call.service, call.region)


async def _reply(client: AioBaseClient, call: AnyCall) -> Reply:
    send = getattr(client, xform_name(call.operation))
    if isinstance(body := call.parameters.get("Body"), io.IOBase):
        body.seek(0)  # a call that is asked again with a new token has read its file already
    try:
        reply: Reply = await send(**call.parameters)
    # What botocore's parsers make of a time that is none, of another service's document, and of an
    # error with two codes.
    except (ValueError, KeyError, TypeError) as error:
        raise ReplyError(f"{call.operation}: {error}") from error
    return reply


@contextmanager
def faults_of(call: AnyCall) -> Iterator[None]:
    """Turn every failure of a call into its StoreFault."""
    try:
        yield
    except FAILURES as error:
        raise fault_of(call, error) from error


def fault_of(call: AnyCall, error: Exception) -> StoreFault:
    """Return the StoreFault of one of FAILURES."""
    operation, bucket = call.operation, call.bucket
    if isinstance(error, AssumeRoleError):
        # Whatever was to be signed has not been sent.
        assert isinstance(error.__cause__, FAILURES), "the session names one as the cause"
        return fault_of(Call("AssumeRole", call.region, {}, service="sts"), error.__cause__)
    if isinstance(error, ClientError):
        if error.operation_name == WEB_IDENTITY:
            # The chain's own request; whatever was to be signed has not been sent.
            operation, bucket = WEB_IDENTITY, ""
        return fault_of_answer(operation=operation, bucket=bucket, answer=error.response)
    if (code := _CODES.get(type(error))) is not None:
        return store_fault(
            operation=operation, code=code, status=200, bucket=bucket, message=str(error)
        )
    return fault_of_exception(operation=operation, bucket=bucket, error=error)
