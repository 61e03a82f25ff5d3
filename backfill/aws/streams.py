"""Closing a stream of bytes when its reader stops early.

Never reads ahead.
Law: a connection is given back when its reader leaves, not when the garbage collector comes.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def closed_after(chunks: AsyncIterator[bytes]) -> AsyncIterator[AsyncIterator[bytes]]:
    """Lend `chunks`, and close them on the way out if they are a generator."""
    try:
        yield chunks
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
