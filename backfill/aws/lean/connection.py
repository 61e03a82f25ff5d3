"""One connection: writes a request, reads its answer, and says when it is free again.

Never sends a request twice, never two at once, and never reads on after bytes nobody asked for.
Law: a connection is given back only when not a byte is outstanding in either direction; in every
other case it is closed.
"""

import asyncio
import math
import socket
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol, cast

from backfill.aws.lean.answers import BUFFERED_BYTES_MAX, AnswerReader
from backfill.aws.lean.failures import (
    AnswerGarbledError,
    AnswerLostError,
    AnswerTimeoutError,
    MaybeSentError,
)
from backfill.aws.lean.streamed import BodyStream
from backfill.aws.lean.wire import WireReply
from backfill.aws.sockets import keep_alive

_JOINED_BYTES_MAX: Final = 64 * 1024
"""Up to here head and body are copied into one write, which costs less than a second one does."""


class AnswerReading(Protocol):
    """Reads answers of the ordinary kind in one step, and learns from the others which those are.

    What it gives for `data` stands for one whole answer after which the connection is free.
    """

    def read(self, data: bytes) -> object | None:
        """Return what a whole answer tells; None: it has to be parsed."""
        ...

    def learn(self, data: bytes, reply: WireReply) -> None:
        """Learn from a whole answer that was parsed."""
        ...


class Order(NamedTuple):
    """A request on its way to an answer.

    `deadline`, in the loop's time, is for all of it; None: the connection's silence limits it.
    `stream` takes the body of the answer; None: `answer` holds it. With a `reading`, `answer` is
    what it read, or the parsed WireReply.
    """

    head: bytes
    body: bytes
    is_head: bool
    deadline: float | None
    answer: asyncio.Future[object]
    stream: BodyStream | None = None
    reading: AnswerReading | None = None


class Home(NamedTuple):
    """What a connection tells its pool."""

    give_back: Callable[["Connection"], None]
    forget: Callable[["Connection"], None]
    watch: Callable[[float], None]
    """There is a deadline, in the loop's time, that may be earlier than all others."""


class Connection(asyncio.Protocol):
    """A connection to the store, from `connection_made` to `connection_lost`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, home: Home, *, silence_s: float) -> None:
        self._loop = loop
        self._home = home
        self._silence_s = silence_s
        self._reader = AnswerReader()
        self._order: Order | None = None
        self._is_answered = False
        self._is_paused = False
        self._is_tls = False
        self.is_open = False
        self.deadline = math.inf
        self.idle_since = math.inf

    def __repr__(self) -> str:
        return f"<Connection {'open' if self.is_open else 'closed'}>"

    def holds(self, order: Order) -> bool:
        """Return whether this very order is under way here."""
        return self._order is order

    @property
    def is_busy(self) -> bool:
        """Whether a request is under way, so that `deadline` means something."""
        return self._order is not None

    def is_late(self, now: float) -> bool:
        """Return whether the request under way has had its time."""
        return self._order is not None and self.deadline <= now

    def start(self, order: Order, now: float) -> None:
        """Send a request; its answer comes to `order.answer`."""
        assert self._order is None, "one request at a time"
        self._order, self._is_answered = order, False
        deadline = order.deadline
        self.deadline = now + self._silence_s if deadline is None else deadline
        self._reader.begin(is_head=order.is_head)
        if len(order.body) <= _JOINED_BYTES_MAX:
            self._transport.write(order.head + order.body)
        else:
            self._transport.write(order.head)
            self._transport.write(order.body)

    def fail(self, error: MaybeSentError) -> None:
        """End the request under way with an error, and the connection with it."""
        order, self._order = self._order, None
        self.close()
        if order is None:
            return
        if not order.answer.done():
            order.answer.set_exception(error)
        if order.stream is not None:
            order.stream.fail(error)

    def time_out(self) -> None:
        """Give the request under way up: its deadline has passed."""
        self.fail(AnswerTimeoutError("no answer, or not to its end, within the limit"))

    def close(self) -> None:
        """Close at once; what is outstanding is not waited for."""
        self.is_open = False
        self._transport.abort()

    # --- asyncio ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: no delay for small writes, and probes that notice a host that is gone."""
        # uvloop's have the interface of asyncio.Transport without being one.
        self._transport = cast("asyncio.Transport", transport)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        keep_alive(sock)
        self._is_tls = transport.get_extra_info("sslcontext") is not None
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        """Read on in the answer; hand it over when it is whole."""
        order, reader = self._order, self._reader
        if order is None:  # nobody asked: the next answer would not be the next request's
            self.close()
            return
        reading = None if self._is_answered else order.reading
        if reading is not None and (told := reading.read(data)) is not None:
            self._order = None
            self._home.give_back(self)
            if not order.answer.done():
                order.answer.set_result(told)
            return
        self._is_answered = True
        try:
            is_complete = reader.feed(data)
        except AnswerGarbledError as error:
            self.fail(error)
            return
        if order.stream is not None:
            self._stream(order, order.stream, is_complete=is_complete)
        elif is_complete:  # by far the most
            reply = self._complete(order)
            if reading is not None and reader.is_reusable:
                reading.learn(data, reply)
        elif reader.is_beyond_buffer:
            self.fail(AnswerGarbledError(f"an answer of more than {BUFFERED_BYTES_MAX} bytes"))
        elif order.deadline is None:
            self.deadline = self._loop.time() + self._silence_s

    def eof_received(self) -> None:
        """Take the end of the stream for the end of a body that has no other; asyncio closes.

        Not under TLS: asyncio reports a connection that was cut as one that was closed, so such a
        body would be whole wherever somebody on the way has cut it. S3 always says where one ends.
        """
        order = self._order
        if order is None or self._is_tls or not self._reader.end():
            self.fail(AnswerLostError(self._how_far()))
        elif order.stream is not None:
            self._stream(order, order.stream, is_complete=True)
        else:
            self._complete(order)

    def connection_lost(self, exc: Exception | None) -> None:
        """Be gone."""
        because = f": {exc}" if exc is not None else ""
        self.is_open = False
        if self._order is not None:
            self.fail(AnswerLostError(self._how_far() + because))
        self._home.forget(self)

    # --- answers ---

    def _complete(self, order: Order) -> WireReply:
        reply = self._reader.take()
        self._release(order)
        answer = order.answer
        if not answer.done():  # done: cancelled a moment ago
            answer.set_result(reply)
        return reply

    def _stream(self, order: Order, stream: BodyStream, *, is_complete: bool) -> None:
        """Pass on what has come."""
        reader = self._reader
        if not reader.has_head:
            return
        if not order.answer.done():
            order.answer.set_result(WireReply(reader.status, reader.headers, b""))
            stream.on_room = self._resume
            self._home.watch(self._loop.time() + self._silence_s)
        if is_complete:
            stream.push(reader.take().body)
            self._resume()
            self._release(order)
            stream.end()
            return
        stream.push(reader.take_piece())
        if stream.is_full:
            self._transport.pause_reading()
            self._is_paused = True
            self.deadline = math.inf  # the silence is ours
        else:
            self.deadline = self._loop.time() + self._silence_s

    def _resume(self) -> None:
        if self._is_paused and self.is_open:
            self._is_paused = False
            self._transport.resume_reading()
            self.deadline = self._loop.time() + self._silence_s
            self._home.watch(self.deadline)

    def _release(self, order: Order) -> None:
        self._order = None
        # An error may be answered before all of the request's body is sent.
        if self._reader.is_reusable and not (
            order.body and self._transport.get_write_buffer_size()
        ):
            self._home.give_back(self)
        else:
            self.close()

    def _how_far(self) -> str:
        if self._reader.has_head:
            return "the connection was closed within an answer's body"
        return "the connection was closed before an answer's head was whole"
