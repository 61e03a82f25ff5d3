"""A server that does to a client exactly what a test says, byte by byte, on a raw socket.

It runs in the test's own loop. Each connection is given the next script; a connection without one
is counted and closed.
"""

import asyncio
import socket
import ssl
import struct
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from backfill.aws.lean.transport import Transport
from backfill.aws.lean.wire import Origin

END_OF_HEAD = b"\r\n\r\n"

GET = b"GET /b/k HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEAD = b"HEAD /b/k HTTP/1.1\r\nHost: localhost\r\n\r\n"
PUT = b"PUT /b/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"


class Caller:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def head(self) -> bytes:
        """Read a request's head."""
        return await self.reader.readuntil(END_OF_HEAD)

    async def body(self, size: int) -> bytes:
        return await self.reader.readexactly(size)

    async def say(self, *pieces: bytes) -> None:
        """Send pieces one by one, each given the time to arrive by itself."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            if len(pieces) > 1:
                await breathe()

    async def serve(self, *answers: bytes) -> None:
        """Answer as many requests without a body, in turn."""
        for answer in answers:
            await self.head()
            await self.say(answer)

    async def gone(self) -> None:
        """Wait until the client closes."""
        try:
            while await self.reader.read(65536):
                pass
        except ConnectionError:
            return

    def reset(self) -> None:
        """Cut the connection with RST, as a host that crashed does."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


Script = Callable[[Caller], Awaitable[object]]


class ScriptedServer:
    """Gives each connection its script; what a script raises fails the test."""

    def __init__(self) -> None:
        self.connections = 0
        self.port = 0
        self._scripts: deque[Script] = deque()
        self._failures: list[BaseException] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def script(self, *scripts: Script) -> None:
        """Say what the next connections meet."""
        self._scripts.extend(scripts)

    def answers(self, *answers: bytes) -> None:
        """Have the next connection answer so, then wait for the client to go."""

        async def run(caller: Caller) -> None:
            await caller.serve(*answers)
            await caller.gone()

        self.script(run)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if self._scripts:
                await self._scripts.popleft()(Caller(reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away in the middle, which its own side asserts
        except BaseException as error:
            self._failures.append(error)
            raise
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    @classmethod
    @asynccontextmanager
    async def running(cls, tls: ssl.SSLContext | None = None) -> AsyncIterator["ScriptedServer"]:
        """Serve until the block is left."""
        self = cls()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls, limit=1 << 24)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await server.wait_closed()
            await breathe()
        assert not [each for each in self._failures if isinstance(each, AssertionError)]


async def breathe() -> None:
    """Let both ends of loopback connections see what was sent; nothing depends on how long."""
    for _ in range(8):
        await asyncio.sleep(0)
    await asyncio.sleep(0.002)


def answer(body: bytes = b"", *, status: int = 200, headers: bytes = b"") -> bytes:
    """Give a whole answer with a Content-Length."""
    head = b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\n%b\r\n" % (status, len(body), headers)
    return head + body


@asynccontextmanager
async def transport_to(
    server: ScriptedServer,
    *,
    connections_max: int = 4,
    silence_s: float = 600.0,
    idle_s: float = 600.0,
) -> AsyncIterator[Transport]:
    """A transport to that server, closed at the end."""
    origin = Origin("http", "127.0.0.1", server.port)
    transport = Transport(
        origin, connections_max=connections_max, silence_s=silence_s, idle_s=idle_s
    )
    try:
        yield transport
    finally:
        await transport.close()
