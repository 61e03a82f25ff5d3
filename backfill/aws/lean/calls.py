"""The lean client behind the interface of `Calls`: hot calls straight, all else by the SDK.

A call of a known form on the clean path is filled in, signed, sent and read in one step each: no
task, no context, no event. What is not ordinary goes the way of `Calls`, whose table of faults and
renewal of credentials serve both.

Never decides whether a fault may be tried again, but for refusals at the door that it can mend: an
expired token, as `Calls` does, and a clock that S3 finds too far off.
Law: one call is one request on the wire, and one more if that was refused at the door.
"""

import asyncio
import re
import ssl
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple, TypeVar, cast

from aiobotocore.client import AioBaseClient
from botocore.exceptions import BotoCoreError

from backfill.aws.calls import FAILURES, READ_TIMEOUT_S, AnyCall, Calls, fault_of, faults_of
from backfill.aws.fault_table import EXPIRED
from backfill.aws.forms import TEXTS_MAX, FilledForm, Form, Texts
from backfill.aws.lean.addressing import DetourError, address_of, http_session_of
from backfill.aws.lean.binding import OPERATIONS, BindingError, bind, encoded_key
from backfill.aws.lean.bodies import LeanBody
from backfill.aws.lean.connection import AnswerReading
from backfill.aws.lean.dialing import verifying_context
from backfill.aws.lean.documents import reply_of
from backfill.aws.lean.modelled import MODELLED, modelled_reply
from backfill.aws.lean.readings import CopyReading, HeadReading
from backfill.aws.lean.signature import Identity, Signer, Template
from backfill.aws.lean.transport import Transport
from backfill.aws.lean.wire import Origin, WireReply, WireRequest
from backfill.aws.replies import Reply
from backfill.aws.session import POOL_RESERVE, AwsSession
from backfill.errors import StoreFault
from backfill.events.calls import ClockCorrected, SdkUsed
from backfill.ports import Events

STREAMED: Final = frozenset({"GetObject"})
WHOLE: Final = OPERATIONS.keys() - STREAMED
LANES_MAX: Final = 64
"""Buckets whose address is kept. A run has two or three; beyond the bound the SDK is asked."""

SKEW_MAX_S: Final = 24 * 3600
"""A clock that is a day off or less has a wrong time zone, or has not been set for a while. On one
that is further off nobody should build, and certificates would not be valid either."""

SKEW_MIN_S: Final = 60
"""S3 refuses from 15 minutes on (S3 API: Error responses); what is told again after a correction,
and differs from it by less than this, is not about the clock."""

_SKEWED: Final = "RequestTimeTooSkewed"

T = TypeVar("T")


_BLANKS: Final = tuple(f"~blank-{number}~" for number in range(TEXTS_MAX))
"""Stand for texts to be filled in; of characters that are the same encoded."""
_WORD: Final = r"\?[A-Za-z0-9._~-]++"
_PLAIN: Final = [re.compile("[A-Za-z0-9._~/-]++" + n * _WORD, re.ASCII) for n in range(TEXTS_MAX)]
_ENCODED: Final = [
    re.compile("[A-Za-z0-9._~/%-]++" + n * _WORD, re.ASCII) for n in range(TEXTS_MAX)
]
"""A key and n words, version IDs and ETags as S3 has them: what is the same when it is encoded. The
number of words counts: a text with a `?` of its own would look like two."""


class Lane:
    """The way to one bucket in one Region."""

    def __init__(self, signer: Signer, transport: Transport) -> None:
        self.signer = signer
        self.transport = transport
        # Bounded by the forms of the stores, of which each turn has some five.
        self._templates: dict[Form, Template | None] = {}

    def turn(self, identity: Identity, now: str) -> None:
        """Sign as `identity` at `now` from here on."""
        self.signer.turn(identity, now)
        self._templates.clear()

    def head(self, form: Form, texts: Texts) -> bytes | None:
        """Return the signed head of a filled form; None: it has to be bound as others are."""
        if not _PLAIN[len(texts) - 1].fullmatch("?".join(texts)):
            key, *words = texts
            try:
                texts = (encoded_key(key), *words)
            except (BindingError, TypeError, UnicodeEncodeError):
                return None  # who binds it says what is wrong with it
            if not _ENCODED[len(texts) - 1].fullmatch("?".join(texts)):
                return None
        try:
            template = self._templates[form]
        except KeyError:
            template = self._templates[form] = self._template(form, _BLANKS[: len(texts)])
        return None if template is None else self.signer.filled(template, texts)

    def _template(self, form: Form, blanks: Texts) -> Template | None:
        try:
            request = bind(form.operation, form.build(blanks))
        except BindingError:
            return None
        return self.signer.template(request, blanks)


class _Epoch(NamedTuple):
    """What requests are signed with: a generation of the credentials, S3's clock before ours."""

    generation: int
    ahead_s: float


class LeanCalls(Calls):
    """Sends the calls of one identity. Made, used and closed with its session, in one event loop.

    `now_s` gives seconds since 1970.
    """

    def __init__(
        self,
        session: AwsSession,
        events: Events,
        *,
        read_timeout_s: float = READ_TIMEOUT_S,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(session, events, read_timeout_s=read_timeout_s)
        self._now_s = now_s
        self._second = -1
        self._stamp = ""
        self._identity: Identity | None = None
        self._epoch = _Epoch(0, 0.0)
        self._ahead_s = 0.0
        self._told_ahead_s: float | None = None
        self._opening = asyncio.Lock()
        self._lanes: dict[tuple[object, str], Lane | None] = {}
        self._transports: dict[Origin, Transport] = {}
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._left_to_sdk: set[str] = set()
        self._readings: dict[str, AnswerReading] = {
            "HeadObject": HeadReading(),
            "CopyObject": CopyReading(),
        }

    async def send(self, call: AnyCall, parse: Callable[[Reply], T]) -> T:
        """Send once and parse the answer; raises StoreFault.

        A form is filled in with what is prepared for it, and its ordinary answer read in one step,
        where the bucket was asked before, within a second already begun.
        """
        if type(call) is not FilledForm:
            return await super().send(call, parse)
        form, texts = call
        lane, head = self._lanes.get(form.place), None
        if lane is not None and int(self._now_s() + self._ahead_s) == self._second:
            head = lane.head(form, texts)
        if lane is None or head is None:
            return await super().send(call, parse)
        epoch, answer, transport = self._epoch, None, lane.transport
        try:
            limit_s = None if form.is_write else self._read_timeout_s
            order = transport.begun(head, self._readings[form.operation], limit_s)
            told = await order.answer
            if type(told) is not WireReply:
                return cast("T", told)  # what `parse` makes of it: the law of `readings`
            answer = told
            return parse(reply_of(form.operation, answer))
        except asyncio.CancelledError:
            transport.abandon(order)
            raise
        except FAILURES as error:
            fault = self._fault(call, error, answer)
            if not await self._is_mended(call, fault, epoch):
                raise fault from error
        await self._turn(call)
        return await self._sent(call, parse)

    async def _sent(self, call: AnyCall, parse: Callable[[Reply], T]) -> T:
        way = await self._way(call) if call.operation in WHOLE else None
        if way is None:
            return await super()._sent(call, parse)
        lane, request = way
        head, is_head = lane.signer.head(request), request.method == "HEAD"
        reply_to = modelled_reply if call.operation in MODELLED else reply_of
        answer = None
        try:
            answer = await lane.transport.exchange(
                head, request.body, is_head=is_head, limit_s=self._limit_s(call)
            )
            return parse(reply_to(call.operation, answer))
        except FAILURES as error:
            raise self._fault(call, error, answer) from error

    async def _opened(self, call: AnyCall, stack: AsyncExitStack) -> Reply:
        way = await self._way(call) if call.operation in STREAMED else None
        if way is None:
            return await super()._opened(call, stack)
        lane, request = way
        head, limit_s = lane.signer.head(request), self._read_timeout_s
        answer = None
        try:
            opened = await stack.enter_async_context(lane.transport.opened(head, limit_s=limit_s))
            answer = WireReply(opened.status, dict(opened.headers), b"")
            if answer.status >= 300:
                async with asyncio.timeout(limit_s):
                    answer = answer._replace(body=await opened.read())
            return {**reply_of(call.operation, answer), "Body": LeanBody(opened)}
        except FAILURES as error:
            raise self._fault(call, error, answer) from error

    def _fault(self, call: AnyCall, error: Exception, answer: WireReply | None) -> StoreFault:
        fault = fault_of(call, error)
        if fault.code == _SKEWED and answer is not None:
            self._told_ahead_s = _ahead_s(answer.headers.get("date"), self._now_s())
        return fault

    # --- the identity, the clock, and what can be mended of them ---

    async def _renewing(self, call: AnyCall, once: Callable[[], Awaitable[T]]) -> T:
        if int(self._now_s() + self._ahead_s) != self._second:
            await self._turn(call)
        epoch = self._epoch
        try:
            return await once()
        except StoreFault as fault:
            if not await self._is_mended(call, fault, epoch):
                raise
        await self._turn(call)
        return await once()

    async def _turn(self, call: AnyCall) -> None:
        """Have requests signed by this second's date, and by the credentials of now.

        The SDK's credentials are asked once a second and not for each request: they are renewed
        ten to fifteen minutes before they expire.
        """
        generation, ahead_s = self._session.generation, self._ahead_s
        with faults_of(call):
            own = await self._session.credentials()
        second = int(self._now_s() + ahead_s)
        assert own.access_key is not None, "the SDK raises for a part that is missing"
        assert own.secret_key is not None, "the SDK raises for a part that is missing"
        self._identity = Identity(
            access_key=own.access_key, secret_key=own.secret_key, token=own.token
        )
        self._stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
        self._epoch, self._second = _Epoch(generation, ahead_s), second
        for lane in self._lanes.values():
            if lane is not None:
                lane.turn(self._identity, self._stamp)

    async def _is_mended(self, call: AnyCall, fault: StoreFault, epoch: _Epoch) -> bool:
        """Mend what a refusal at the door was about; many at once are mended by the first."""
        if fault.code in EXPIRED:
            return await self._renewed(call, epoch.generation)
        if fault.code != _SKEWED:
            return False
        told_s, self._told_ahead_s = self._told_ahead_s, None
        if self._ahead_s != epoch.ahead_s:
            return True
        if told_s is None or not abs(told_s) <= SKEW_MAX_S:
            return False
        if abs(told_s - self._ahead_s) < SKEW_MIN_S:
            return False
        self._ahead_s = told_s
        self._events.emit(ClockCorrected(operation=call.operation, ahead_s=round(told_s)))
        return True

    # --- the way to a bucket ---

    async def _way(self, call: AnyCall) -> tuple[Lane, WireRequest] | None:
        """Return how a call is sent; None: by the SDK."""
        place = (call.bucket, call.region)
        lane = self._lanes.get(place) or await self._lane(call, place)
        if lane is None:
            return None
        try:
            return lane, bind(call.operation, call.parameters)
        except BindingError as error:
            self._leave_to_sdk(call, str(error), once_for=call.operation)
            return None

    async def _lane(self, call: AnyCall, place: tuple[str, str]) -> Lane | None:
        if place in self._lanes or len(self._lanes) >= LANES_MAX:
            return self._lanes.get(place)
        async with self._opening:
            if place in self._lanes:
                return self._lanes[place]
            lane: Lane | None = None
            try:
                async with self._lease(call) as client:
                    lane = await self._opened_lane(client, call.bucket)
            except DetourError as error:
                self._leave_to_sdk(call, str(error), once_for=f"{call.bucket} {call.region}")
            except (BotoCoreError, OSError):
                return None  # the SDK meets the same error, and it becomes a fault there
            self._lanes[place] = lane
            return lane

    async def _opened_lane(self, client: AioBaseClient, bucket: str) -> Lane:
        address = await address_of(client, bucket)
        transport = self._transports.get(address.origin)
        if transport is None:
            transport = self._transport(address.origin, http_session_of(client).ca_bundle)
        signer = Signer(address)
        assert self._identity is not None, "credentials come before the first request"
        signer.turn(self._identity, self._stamp)
        return Lane(signer, transport)

    def _transport(self, origin: Origin, ca_bundle: str) -> Transport:
        tls = None
        if origin.scheme == "https":
            if ca_bundle not in self._contexts:
                self._contexts[ca_bundle] = verifying_context(ca_bundle)
            tls = self._contexts[ca_bundle]
        connection = self._session.connection
        transport = self._transports[origin] = Transport(
            origin,
            connections_max=connection.concurrency + POOL_RESERVE,
            tls=tls,
            connect_limit_s=connection.connect_timeout_s,
            silence_s=connection.read_timeout_s,
        )
        self._session.on_leaving(transport.close)
        return transport

    def _leave_to_sdk(self, call: AnyCall, reason: str, *, once_for: str) -> None:
        if once_for not in self._left_to_sdk:
            self._left_to_sdk.add(once_for)
            self._events.emit(SdkUsed(bucket=call.bucket, operation=call.operation, reason=reason))


def _ahead_s(date: str | None, now_s: float) -> float | None:
    """Return how far the clock of an answer's Date is before ours; None: it tells no time."""
    try:
        told = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    return None if told.tzinfo is None else told.astimezone(UTC).timestamp() - now_s
