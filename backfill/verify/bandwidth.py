"""How many bytes a second a deep verification downloads.

Never reads anything itself.
Law: over any stretch of time, no more bytes pass than the limit allows, and one chunk.
"""

from collections.abc import AsyncGenerator, AsyncIterator

from backfill.ports import Clock


class Bandwidth:
    """A limit shared by all streams of a verification. `bytes_per_s` 0: no limit."""

    def __init__(self, bytes_per_s: int, clock: Clock) -> None:
        assert bytes_per_s >= 0, "a limit is not negative"
        self._bytes_per_s = bytes_per_s
        self._clock = clock
        self._free_at_s = 0.0

    async def paced(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Give a stream's chunks, each when there is room for it; empty ones are left out.

        Closing it closes a stream that was not read to its end.
        """
        try:
            async for chunk in chunks:
                if chunk:
                    await self._pass(len(chunk))
                    yield chunk
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()

    async def _pass(self, size_bytes: int) -> None:
        if not self._bytes_per_s:
            return
        now_s = self._clock.monotonic_s()
        begins_at_s = max(now_s, self._free_at_s)
        self._free_at_s = begins_at_s + size_bytes / self._bytes_per_s
        if begins_at_s > now_s:
            await self._clock.sleep(begins_at_s - now_s)
