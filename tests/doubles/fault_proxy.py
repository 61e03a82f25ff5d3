"""A proxy between an S3 client and a server that breaks exchanges byte by byte, as it is told.

    async with FaultProxy("127.0.0.1", sandbox.port) as proxy:
        proxy.rules = (Rule(faults.RESET_AFTER, operation="CopyObject", nth=2),)

It forwards bytes and knows only where a request and an answer end; nothing of it is shared with the
clients or the server. Never acts by chance or by time: rules say which request meets which fault.
Law: `asked` holds every request that a client sent and `applied` every one that the server was
given, in order, so that nothing is sent twice unseen.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

REQUESTS_MAX: Final = 10_000
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


# Open to change: a fault may act before the body has come.
@dataclass(slots=True, kw_only=True)
class Asked:
    """One request as a client sent it."""

    head: bytes
    connection: int
    """Rank of the client's connection, from 1."""
    body: bytes | None = None
    """None until it was read."""

    @property
    def method(self) -> str:
        """The method."""
        return self.head.split(b" ", 1)[0].decode()

    @property
    def operation(self) -> str:
        """The S3 operation, as far as the product sends it."""
        query = self.head.split(b" ", 2)[1].partition(b"?")[2].decode()
        words = {word.partition("=")[0] for word in query.split("&")}
        is_copy = b"\r\nx-amz-copy-source:" in self.head.lower()
        for method, word, has_source, operation in _OPERATIONS:
            is_meant = method == self.method and (not word or word in words)
            if is_meant and (has_source is None or has_source is is_copy):
                return operation
        raise AssertionError(f"an operation that the proxy does not know: {self.head[:80]!r}")


_OPERATIONS: Final = (
    ("HEAD", "", None, "HeadObject"),
    ("GET", "versions", None, "ListObjectVersions"),
    ("GET", "list-type", None, "ListObjectsV2"),
    ("GET", "tagging", None, "GetObjectTagging"),
    ("GET", "acl", None, "GetObjectAcl"),
    ("GET", "retention", None, "GetObjectRetention"),
    ("GET", "legal-hold", None, "GetObjectLegalHold"),
    ("GET", "attributes", None, "GetObjectAttributes"),
    ("GET", "", None, "GetObject"),
    ("POST", "uploads", None, "CreateMultipartUpload"),
    ("POST", "uploadId", None, "CompleteMultipartUpload"),
    ("PUT", "partNumber", True, "UploadPartCopy"),
    ("PUT", "", True, "CopyObject"),
    ("PUT", "", False, "PutObject"),
    ("DELETE", "uploadId", None, "AbortMultipartUpload"),
    ("DELETE", "", None, "DeleteObject"),
)


class Exchange:
    """One request in the hands of a fault: what it may do to both sides."""

    def __init__(self, proxy: "FaultProxy", line: "_Line", asked: Asked) -> None:
        self.asked = asked
        self._proxy = proxy
        self._line = line

    async def applied(self) -> bytes:
        """Give the request to the server; return its whole answer, of which nothing is sent."""
        await self.body_read()
        return await self._proxy.forwarded(self.asked)

    async def body_read(self) -> None:
        """Read the request to its end."""
        if self.asked.body is None:
            length = int(_headers(self.asked.head).get("content-length", "0"))
            self.asked.body = await self._line.reader.readexactly(length)

    async def send(self, data: bytes) -> None:
        """Send bytes to the client."""
        self._line.writer.write(data)
        await self._line.writer.drain()
        # What comes next is a segment of its own: the client's loop, this one, must see both.
        await asyncio.sleep(0)

    def close(self) -> None:
        """End the connection with FIN."""
        self._line.is_open = False

    def half_close(self) -> None:
        """Send FIN, and go on reading what the client has to say."""
        self._line.writer.write_eof()

    def reset(self) -> None:
        """End the connection with RST, as a crashed host or a firewall does."""
        self._line.is_open = False
        raw = self._line.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._line.writer.transport.abort()

    async def client_has_gone(self) -> None:
        """Wait in silence until the client gives up; what it says meanwhile counts as asked."""
        await self.body_read()
        while self._line.is_open:
            asked = await self._proxy.next_asked(self._line)
            self._line.is_open = asked is not None


Fault = Callable[[Exchange], Awaitable[None]]


async def untouched(exchange: Exchange) -> None:
    """No fault."""
    await exchange.send(await exchange.applied())


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Which requests meet a fault: of an operation, or all; the n-th of those, or each."""

    fault: Fault
    operation: str | None = None
    nth: int | None = None


@dataclass(slots=True)
class _Line:
    """A client's connection."""

    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    is_open: bool = True


@dataclass(slots=True)
class FaultProxy:
    """Listens on loopback in the running loop. The first rule that fits a request is followed."""

    host: str
    port: int
    rules: tuple[Rule, ...] = ()
    asked: list[Asked] = field(default_factory=list)
    applied: list[Asked] = field(default_factory=list)
    own_port: int = 0
    _server: asyncio.Server | None = None
    _lines: dict[asyncio.Task[None], _Line] = field(default_factory=dict)
    _connections: int = 0

    @property
    def endpoint_url(self) -> str:
        """Where clients reach the server through this proxy."""
        return f"http://127.0.0.1:{self.own_port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.own_port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None, "entered before it is left"
        self._server.close()
        for task in self._lines:
            task.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)
        await self._server.wait_closed()

    def obey(self, *rules: Rule) -> None:
        """Forget what was asked, and follow these rules from now on."""
        self.asked.clear()
        self.applied.clear()
        self.rules = rules

    async def say_unasked(self, data: bytes) -> None:
        """Send bytes on every open connection, though nobody asked."""
        for line in tuple(self._lines.values()):
            with suppress(ConnectionError):  # the client may have left long ago
                line.writer.write(data)
                await line.writer.drain()

    async def next_asked(self, line: _Line) -> Asked | None:
        """Read the head of a connection's next request; None at its end."""
        try:
            head = await line.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        if _headers(head).get("expect", "").lower() == "100-continue":
            line.writer.write(_CONTINUE)
        asked = Asked(head=head, connection=line.number)
        assert len(self.asked) < REQUESTS_MAX, "a client that does not stop"
        self.asked.append(asked)
        return asked

    async def forwarded(self, asked: Asked) -> bytes:
        """Give a request to the server on a connection of its own; return the whole answer."""
        assert asked.body is not None, "read before it is forwarded"
        self.applied.append(asked)
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(asked.head + asked.body)
            return await _answer(reader, is_head=asked.method == "HEAD")
        finally:
            writer.close()
            await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "streams are served in a task"
        self._connections += 1
        line = self._lines[task] = _Line(self._connections, reader, writer)
        try:
            while line.is_open and (asked := await self.next_asked(line)) is not None:
                exchange = Exchange(self, line, asked)
                await self._fault_for(asked)(exchange)
                await exchange.body_read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left, which is its right
        finally:
            del self._lines[task]
            writer.close()

    def _fault_for(self, asked: Asked) -> Fault:
        for rule in self.rules:
            alike = self.asked
            if rule.operation is not None:
                if asked.operation != rule.operation:
                    continue
                alike = [one for one in alike if one.operation == rule.operation]
            if rule.nth in (None, len(alike)):
                return rule.fault
        return untouched


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:-2]
    pairs = (line.partition(":") for line in lines)
    return {name.lower(): value.strip() for name, _, value in pairs}


async def _answer(reader: asyncio.StreamReader, *, is_head: bool) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    if status // 100 == 1:
        return await _answer(reader, is_head=is_head)
    headers = _headers(head)
    if is_head or status in (204, 304):
        return head
    if "content-length" in headers:
        return head + await reader.readexactly(int(headers["content-length"]))
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return head + await _chunks(reader)
    return head + await reader.read()


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    pieces = []
    size = 1
    while size:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        pieces += [line, await reader.readexactly(size + 2)]
    return b"".join(pieces)
