"""The body of a GetObject answer of the lean client, read as the SDK's is.

Never reads ahead of what the connection's bounded buffer holds.
Law: a body that ends early is an error, never a short object.
"""

from typing import Self

from backfill.aws.lean.streamed import StreamedReply


class LeanBody:
    """A body to be entered, read, and left; whoever opened the answer closes it."""

    def __init__(self, answer: StreamedReply) -> None:
        self._chunks = answer.chunks()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Do nothing: the answer's own context gives its connection back, or closes it."""

    async def read(self, amount: int) -> bytes:
        """Return the next bytes, none at the end; raises MaybeSentError."""
        chunk = await anext(self._chunks, b"")
        assert len(chunk) <= amount, "a chunk is at most what readers ask for"
        return chunk
