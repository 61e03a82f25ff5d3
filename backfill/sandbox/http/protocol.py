"""One HTTP/1.1 connection: bytes in, whole requests to the handler, answers out in order.

Never interprets S3. One law: answers leave in the order of their requests, also when one is
delayed.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import httptools

from backfill.sandbox.http.messages import (
    Delivery,
    HttpLimits,
    HttpRequest,
    HttpResponse,
    response_head,
)

Handler: TypeAlias = Callable[[HttpRequest], HttpResponse]

_ABSOLUTE = b"http://"
_LARGE_BYTES = 64 * 1024
"""From here on a body is handed to the socket by itself rather than joined to its head."""


class Connection(asyncio.Protocol):
    """Parses with httptools; calls the handler synchronously: the order of requests is total."""

    def __init__(
        self, handler: Handler, open_connections: set["Connection"], limits: HttpLimits
    ) -> None:
        self._handler = handler
        self._open_connections = open_connections
        self._limits = limits
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[HttpRequest, bool]] = deque()
        self._held_until: asyncio.TimerHandle | None = None
        self._out: list[bytes] = []
        self._begin()

    def _begin(self) -> None:
        self._url: list[bytes] = []
        self._headers: dict[bytes, bytes] = {}
        self._header_bytes = 0
        self._body: list[bytes] = []
        self._body_bytes = 0

    # --- asyncio ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin a connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open_connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was still to be answered."""
        del exc  # a client that goes away is its own business
        self._open_connections.discard(self)
        if self._held_until is not None:
            self._held_until.cancel()
        self._waiting.clear()

    def data_received(self, data: bytes) -> None:
        """Parse, then answer every request that is whole."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse_bytes(400)
            return
        self._serve_waiting()

    def close(self) -> None:
        """Drop the connection at once."""
        self._transport.abort()

    # --- httptools ---

    def on_url(self, url: bytes) -> None:
        """Keep a piece of the request target."""
        self._url.append(url)
        self._count_header(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep one header."""
        self._count_header(len(name) + len(value))
        lower = name.lower()
        earlier = self._headers.get(lower)
        self._headers[lower] = value if earlier is None else earlier + b"," + value

    def on_headers_complete(self) -> None:
        """Let a client go on that waits for leave to send its body."""
        if self._headers.get(b"expect", b"").lower() == b"100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        self._body_bytes += len(body)
        if self._body_bytes > self._limits.body_bytes:
            raise OverflowError("the body is over the limit")
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Queue the request that is now whole."""
        authority, origin = uri_parts(b"".join(self._url))
        if authority is not None:
            self._headers[b"host"] = authority  # RFC 9112, 3.2.2: it outweighs the header
        raw_path, _, raw_query = origin.partition(b"?")
        request = HttpRequest(
            method=self._parser.get_method().decode("ascii"),
            raw_path=raw_path,
            raw_query=raw_query,
            headers=self._headers,
            body=self._body[0] if len(self._body) == 1 else b"".join(self._body),
            is_proxied=authority is not None,
        )
        self._waiting.append((request, self._parser.should_keep_alive()))
        self._begin()
        if len(self._waiting) >= self._limits.waiting_requests:
            self._transport.pause_reading()

    def _count_header(self, size_bytes: int) -> None:
        self._header_bytes += size_bytes
        if self._header_bytes > self._limits.header_bytes:
            raise OverflowError("the header section is over the limit")

    # --- answers ---

    def _serve_waiting(self) -> None:
        while self._waiting and self._held_until is None and not self._transport.is_closing():
            request, keep_alive = self._waiting.popleft()
            response = self._handler(request)
            if response.delay_s > 0:
                loop = asyncio.get_running_loop()
                self._held_until = loop.call_later(
                    response.delay_s,
                    partial(self._release, request, response, keep_alive=keep_alive),
                )
            else:
                self._deliver(request, response, keep_alive=keep_alive)
        self._flush()
        if len(self._waiting) < self._limits.waiting_requests:
            self._transport.resume_reading()

    def _release(self, request: HttpRequest, response: HttpResponse, *, keep_alive: bool) -> None:
        self._held_until = None
        self._deliver(request, response, keep_alive=keep_alive)
        self._serve_waiting()

    def _deliver(self, request: HttpRequest, response: HttpResponse, *, keep_alive: bool) -> None:
        if response.delivery is not Delivery.WHOLE:
            self._break(response)
            return
        self._out.append(response_head(response))
        if request.method != "HEAD":
            self._out.append(response.body)
        if response.is_last or not keep_alive:
            self._flush()
            self._transport.close()

    def _break(self, response: HttpResponse) -> None:
        match response.delivery:
            case Delivery.HALF_BODY:
                self._out += [response_head(response), response.body[: len(response.body) // 2]]
            case Delivery.GARBAGE:
                self._out.append(b"\x00\xffnot http at all\r\n\r\n")
            case _:
                pass
        self._flush()
        if response.delivery is Delivery.RESET:
            reset_linger = struct.pack("ii", 1, 0)
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset_linger)
            self._transport.abort()
        else:
            self._transport.close()

    def _flush(self) -> None:
        small: list[bytes] = []
        for piece in self._out:
            if len(piece) >= _LARGE_BYTES:
                self._transport.write(b"".join(small))
                small.clear()
                self._transport.write(piece)
            elif piece:
                small.append(piece)
        if small:
            self._transport.write(b"".join(small))
        self._out.clear()

    def _refuse_bytes(self, status: int) -> None:
        self._serve_waiting()
        self._out.append(response_head(HttpResponse(status=status, is_last=True)))
        self._flush()
        self._transport.close()


def uri_parts(uri: bytes) -> tuple[bytes | None, bytes]:
    """Authority and the rest of what a request line names; none in origin form (RFC 9112, 3.2)."""
    if uri[: len(_ABSOLUTE)].lower() != _ABSOLUTE:
        return None, uri
    rest = uri[len(_ABSOLUTE) :]
    end = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
    authority, origin = rest[:end], rest[end:]
    return authority, origin if origin.startswith(b"/") else b"/" + origin
