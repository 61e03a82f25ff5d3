"""The body of an answer while it comes: a bounded buffer between a connection and its reader.

Never holds more than it states, and never says that a body is whole that is not.
Law: the reader gets the bytes in order, then the end or the error, never neither.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from backfill.aws.lean.answers import BUFFERED_BYTES_MAX
from backfill.aws.lean.failures import AnswerGarbledError, MaybeSentError

CHUNK_BYTES_MAX: Final = 1024 * 1024
"""The largest chunk handed out, and the amount at which reading from the socket pauses: a hundred
bodies at a time take 100 MiB, and no chunk is so small that the loop is what costs."""


class BodyStream:
    """Filled by a connection, emptied by one reader."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._held_bytes = 0
        self._arrival: asyncio.Future[None] | None = None
        self._error: MaybeSentError | None = None
        self.is_ended = False
        self.on_room: Callable[[], None] | None = None

    @property
    def is_full(self) -> bool:
        """Whether the reader is behind: nothing more should come now."""
        return self._held_bytes >= CHUNK_BYTES_MAX

    def push(self, piece: bytes) -> None:
        """Add what came."""
        if piece:
            self._pieces.append(piece)
            self._held_bytes += len(piece)
            self._wake()

    def end(self) -> None:
        """Say that the body is whole."""
        self.is_ended = True
        self.on_room = None  # the connection serves others now
        self._wake()

    def fail(self, error: MaybeSentError) -> None:
        """Say that the rest will not come."""
        self._error = error
        self.on_room = None
        self._wake()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the body in chunks of at most CHUNK_BYTES_MAX; raises MaybeSentError."""
        while True:
            while not self._pieces:
                if self._error is not None:
                    raise self._error
                if self.is_ended:
                    return
                self._arrival = asyncio.get_running_loop().create_future()
                await self._arrival
            yield self._chunk()

    def _chunk(self) -> bytes:
        taken: list[bytes] = []
        room = CHUNK_BYTES_MAX
        while self._pieces and room:
            piece = self._pieces.popleft()
            if len(piece) > room:
                self._pieces.appendleft(piece[room:])
                piece = piece[:room]
            taken.append(piece)
            room -= len(piece)
        self._held_bytes -= CHUNK_BYTES_MAX - room
        if self.on_room is not None and not self.is_full:
            self.on_room()
        return b"".join(taken)

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedReply:
    """An answer whose body is still to come."""

    status: int
    headers: Mapping[str, str]
    stream: BodyStream

    def chunks(self) -> AsyncIterator[bytes]:
        """Give the body in order, in chunks of at most 1 MiB; raises MaybeSentError.

        Silence between two chunks is limited by the transport's `silence_s`.
        """
        return self.stream.chunks()

    async def read(self) -> bytes:
        """Return the rest of the body; raises MaybeSentError, beyond BUFFERED_BYTES_MAX too."""
        body = bytearray()
        async for chunk in self.stream.chunks():
            body += chunk
            if len(body) > BUFFERED_BYTES_MAX:
                raise AnswerGarbledError(f"a body of more than {BUFFERED_BYTES_MAX} bytes")
        return bytes(body)
