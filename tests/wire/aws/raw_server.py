"""A TCP server that answers HTTP byte by byte as it is told, and remembers what it was asked.

It knows nothing of S3 and shares no code with the client: what arrives is kept as raw bytes.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

REQUESTS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived. Header names in lower case."""

    method: str
    target: bytes
    headers: dict[str, str]
    body: bytes
    connection: int


@dataclass(frozen=True, slots=True)
class Send:
    """Send these bytes; the connection stays open unless `then` says otherwise."""

    data: bytes
    then: str = "keep"  # keep, close (FIN) or reset (RST)


@dataclass(frozen=True, slots=True)
class Hang:
    """Send nothing and keep the connection open."""


Action = Send | Hang
Script = Callable[[Seen], Action]

CLOSE = Send(b"", then="close")
RESET = Send(b"", then="reset")


def answer(
    status: int,
    body: bytes = b"",
    *,
    headers: tuple[tuple[str, str], ...] = (),
    length: int | None = None,
    then: str = "keep",
) -> Send:
    """Return an HTTP answer; `length` is what Content-Length says, the body's own by default."""
    lines = [
        f"HTTP/1.1 {status} Reason",
        f"content-length: {len(body) if length is None else length}",
    ]
    lines += [f"{name}: {value}" for name, value in headers]
    return Send("\r\n".join([*lines, "", ""]).encode() + body, then=then)


@dataclass(slots=True)
class RawServer:
    """Serves on loopback; `script` decides each answer. One event loop."""

    script: Script = field(default=lambda _: CLOSE)
    seen: list[Seen] = field(default_factory=list)
    resets_on_accept: bool = False
    port: int = 0
    _server: asyncio.Server | None = None
    _connections: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def forget(self) -> None:
        self.seen.clear()
        self.resets_on_accept = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._connections += 1
        number = self._connections
        try:
            if self.resets_on_accept:
                _reset(writer)
                return
            while (seen := await _request(reader, writer, number)) is not None:
                assert len(self.seen) < REQUESTS_MAX, "a client that does not stop"
                self.seen.append(seen)
                if not await self._carry_out(self.script(seen), seen, writer):
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left, which is its right
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _carry_out(self, action: Action, seen: Seen, writer: asyncio.StreamWriter) -> bool:
        if isinstance(action, Hang):
            await asyncio.Event().wait()
        assert isinstance(action, Send)
        head, separator, _ = action.data.partition(b"\r\n\r\n")
        writer.write(head + separator if seen.method == "HEAD" else action.data)
        await writer.drain()
        if action.then == "reset":
            _reset(writer)
        return action.then == "keep"


async def _request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int
) -> Seen | None:
    head = await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b""
    if not head:
        return None
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    method, target, _ = first.split(b" ")
    pairs = (line.decode().partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    if headers.get("expect") == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(method.decode(), target, headers, body, connection)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN, as a crashed host or a firewall does."""
    raw = writer.get_extra_info("socket")
    assert raw is not None
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
