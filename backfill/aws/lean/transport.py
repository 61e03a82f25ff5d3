"""Requests to one origin over a bounded pool of connections kept alive.

Never sends a request twice, never follows a redirect, never interprets an answer: a connection that
the store closes under a request is that request's error, and the retry policy above decides.
Law: one call, one request on the wire; every order ends in an answer or an error, once.
"""

import asyncio
import math
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from backfill.aws.lean.connection import AnswerReading, Connection, Home, Order
from backfill.aws.lean.dialing import Dialer
from backfill.aws.lean.failures import (
    AnswerLostError,
    ConnectFailedError,
    NoConnectionError,
    TransportClosedError,
)
from backfill.aws.lean.streamed import BodyStream, StreamedReply
from backfill.aws.lean.wire import ExchangeError, Origin, WireReply

CONNECT_LIMIT_S: Final = 10.0
"""As `session.Connection.connect_timeout_s`: S3 accepts in milliseconds."""

SILENCE_S: Final = 600.0
"""As `session.Connection.read_timeout_s`: CopyObject may be silent for minutes."""

IDLE_S: Final = 8.0
"""A connection that was idle for longer is closed rather than used again. S3's front ends close
theirs after some 20 s, load balancers and other stores after 10 s and up; a request that crosses
that close is lost, and a write then has to be settled, which costs more than a new connection."""

WAITING_MAX: Final = 100_000
"""Requests that wait for a connection; callers are bounded by their own slots long before."""


class Transport:
    """Sends requests to one origin. Made, used and closed within one running loop.

    Attributes are set once: `connections_max` bounds the pool, those being opened included; `tls`
    comes from `dialing.verifying_context` and is given for https only.
    """

    def __init__(
        self,
        origin: Origin,
        *,
        connections_max: int,
        tls: ssl.SSLContext | None = None,
        connect_limit_s: float = CONNECT_LIMIT_S,
        silence_s: float = SILENCE_S,
        idle_s: float = IDLE_S,
    ) -> None:
        assert connections_max > 0, "a transport needs a connection"
        self._loop = asyncio.get_running_loop()
        self._dialer = Dialer(origin, tls, limit_s=connect_limit_s)
        self._connections_max = connections_max
        self._silence_s = silence_s
        self._idle_s = idle_s
        self._home = Home(self._give_back, self._forget, self._watch)
        self._open: set[Connection] = set()
        self._idle: list[Connection] = []
        self._waiting: deque[Order] = deque()
        self._dials: set[asyncio.Task[Connection]] = set()
        self._look: asyncio.TimerHandle | None = None
        self._look_at = math.inf
        self._is_closed = False
        self._emptied = asyncio.Event()

    async def exchange(
        self, head: bytes, body: bytes = b"", *, is_head: bool = False, limit_s: float | None = None
    ) -> WireReply:
        """Send a request and return its whole answer; raises ExchangeError.

        `limit_s` is for all of it, waiting for a connection included; None: only silence on the
        connection is limited, by `silence_s`. A cancelled exchange closes its connection.
        """
        now = self._loop.time()
        deadline = None if limit_s is None else now + limit_s
        order = Order(head, body, is_head, deadline, self._loop.create_future())
        self._place(order, now)
        try:
            reply = await order.answer
        except asyncio.CancelledError:
            self.abandon(order)
            raise
        assert isinstance(reply, WireReply), "without a reading, an answer is parsed"
        return reply

    def begun(self, head: bytes, reading: AnswerReading, limit_s: float | None) -> Order:
        """Send a request without a body; its answer is what `reading` reads, or the WireReply.

        Who is cancelled waiting for `answer`, which raises ExchangeError, has to `abandon` it.
        """
        loop = self._loop
        now = loop.time()
        deadline = None if limit_s is None else now + limit_s
        is_head = head.startswith(b"HEAD ")
        order = Order(head, b"", is_head, deadline, loop.create_future(), None, reading)
        self._place(order, now)
        return order

    def abandon(self, order: Order) -> None:
        """Say that nobody waits for this answer any more: its connection is closed."""
        if order in self._waiting:
            self._waiting.remove(order)
        for connection in self._open:
            if connection.holds(order):
                connection.fail(AnswerLostError("the request was abandoned"))
                return

    @asynccontextmanager
    async def opened(
        self, head: bytes, body: bytes = b"", *, limit_s: float | None = None
    ) -> AsyncIterator[StreamedReply]:
        """Send a request and lend its answer while the body comes; raises ExchangeError.

        `limit_s` is for the answer's head; from there on `silence_s` is between two pieces. Leaving
        before the body's end closes the connection.
        """
        now = self._loop.time()
        deadline = None if limit_s is None else now + limit_s
        stream = BodyStream()
        order = Order(head, body, False, deadline, self._loop.create_future(), stream)
        self._place(order, now)
        try:
            reply = await order.answer
            assert isinstance(reply, WireReply), "without a reading, an answer is parsed"
            yield StreamedReply(status=reply.status, headers=reply.headers, stream=stream)
        finally:
            if not stream.is_ended:
                self.abandon(order)

    async def close(self) -> None:
        """Close every connection; what waits or is under way ends with an error."""
        self._is_closed = True
        self._watch_nothing()
        for dial in self._dials:
            dial.cancel()
        await asyncio.gather(*self._dials, return_exceptions=True)
        while self._waiting:
            _refuse(self._waiting.popleft(), TransportClosedError("the transport was closed"))
        for connection in tuple(self._open):
            connection.fail(AnswerLostError("the transport was closed"))
        if self._open:
            await self._emptied.wait()

    # --- orders ---

    def _place(self, order: Order, now: float) -> None:
        deadline = order.deadline
        if deadline is None:
            deadline = now + self._silence_s
        if deadline < self._look_at:
            self._watch(deadline)
        idle = self._idle
        while idle:
            connection = idle.pop()
            if not connection.is_open:
                continue
            if now - connection.idle_since > self._idle_s:  # all that are left are older
                connection.close()
                continue
            connection.start(order, now)
            return
        if self._is_closed:
            raise TransportClosedError("the transport is closed")
        assert len(self._waiting) < WAITING_MAX, "callers bound how much they ask at a time"
        self._waiting.append(order)
        self._dial()

    def _next_waiting(self) -> Order | None:
        while self._waiting:
            order = self._waiting.popleft()
            if not order.answer.done():
                return order
        return None

    # --- connections ---

    def _give_back(self, connection: Connection) -> None:
        now = self._loop.time()
        order = self._next_waiting() if self._waiting else None
        if order is None:
            connection.idle_since = now
            self._idle.append(connection)
        else:
            connection.start(order, now)

    def _forget(self, connection: Connection) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if self._is_closed and not self._open:
            self._emptied.set()
        self._dial()

    def _dial(self) -> None:
        """Open connections for those who wait, within the pool's bound."""
        while (
            len(self._dials) < len(self._waiting)
            and len(self._dials) + len(self._open) < self._connections_max
            and not self._is_closed
        ):
            dial = self._loop.create_task(self._dialer.connect(self._new))
            self._dials.add(dial)
            dial.add_done_callback(self._dialed)

    def _new(self) -> Connection:
        return Connection(self._loop, self._home, silence_s=self._silence_s)

    def _dialed(self, dial: asyncio.Task[Connection]) -> None:
        self._dials.discard(dial)
        if dial.cancelled():
            return
        error = dial.exception()
        if error is None:
            connection = dial.result()
            if connection.is_open:
                self._open.add(connection)
                if self._is_closed:
                    connection.close()
                else:
                    self._give_back(connection)
            else:
                error = ConnectFailedError("the connection was closed as soon as it was made")
        if error is not None and (order := self._next_waiting()) is not None:
            # One dial speaks for one request; those behind it have dials of their own.
            order.answer.set_exception(error)
        self._dial()

    # --- deadlines: one timer for all, set to the earliest ---

    def _watch(self, deadline: float) -> None:
        if deadline < self._look_at and not self._is_closed:
            if self._look is not None:
                self._look.cancel()
            self._look_at = deadline
            self._look = self._loop.call_at(deadline, self._look_for_late)

    def _watch_nothing(self) -> None:
        if self._look is not None:
            self._look.cancel()
        self._look, self._look_at = None, math.inf

    def _look_for_late(self) -> None:
        self._watch_nothing()
        now = self._loop.time()
        for connection in tuple(self._open):
            if connection.is_late(now):
                connection.time_out()
        for order in [each for each in self._waiting if _deadline(each) <= now]:
            self._waiting.remove(order)
            _refuse(order, NoConnectionError("no connection came free within the limit"))
        # A deadline that moved on, as most do, is met again at its new time.
        waiting = (_deadline(order) for order in self._waiting)
        busy = (connection.deadline for connection in self._open if connection.is_busy)
        self._watch(min((*busy, *waiting), default=math.inf))


def _deadline(order: Order) -> float:
    return math.inf if order.deadline is None else order.deadline


def _refuse(order: Order, error: ExchangeError) -> None:
    if not order.answer.done():
        order.answer.set_exception(error)
