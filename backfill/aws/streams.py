"""Streams of bytes: out of an answer of either client, and closed when their reader stops early.

Never reads ahead.
Law: a connection is given back when its reader leaves, not when the garbage collector comes.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiobotocore.response import StreamingBody

from backfill.aws.lean.bodies import LeanBody
from backfill.aws.replies import Reply, ReplyError
from backfill.settings import MIB

CHUNK_BYTES_MAX: Final = MIB


def body_of(reply: Reply) -> StreamingBody | LeanBody:
    """Return the body of a GetObject answer, to be entered and left as a context."""
    body = reply.get("Body")
    if not isinstance(body, StreamingBody | LeanBody):
        raise ReplyError("GetObject without a body")
    return body


async def chunks_of(reply: Reply) -> AsyncIterator[bytes]:
    """Stream the body of a GetObject answer in chunks of at most 1 MiB; a short one is a fault."""
    body = body_of(reply)
    async with body:
        # Not what `async with` gives: that is the bare response, which checks no length.
        while chunk := await body.read(CHUNK_BYTES_MAX):
            yield chunk


@asynccontextmanager
async def closed_after(chunks: AsyncIterator[bytes]) -> AsyncIterator[AsyncIterator[bytes]]:
    """Lend `chunks`, and close them on the way out if they are a generator."""
    try:
        yield chunks
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
