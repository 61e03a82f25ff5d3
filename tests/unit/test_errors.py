"""Errors go from a copy process to its holder as they are: line, hint, exit code and all."""

import asyncio
from collections.abc import Iterator

import pytest

from backfill.copiers import Ended, packed, received
from backfill.errors import BackfillError, InterruptedRunError, ManifestError, RaceLostError

OWN_WORDS = {
    ManifestError: ManifestError("a key that ends\nnowhere", row=3, file="x.csv", hint="mend it"),
    RaceLostError: RaceLostError("bucket policy of b", ours={"Sid": "a"}, theirs=None),
    InterruptedRunError: InterruptedRunError("stopped", hint="go on", signal_number=15),
}
"""Examples of those that are not made of a line and a hint alone."""


def kinds(base: type[BackfillError] = BackfillError) -> Iterator[type[BackfillError]]:
    yield base
    for kind in base.__subclasses__():
        yield from kinds(kind)


@pytest.mark.parametrize("kind", tuple(kinds()))
async def test_an_error_arrives_as_it_was_sent(kind: type[BackfillError]) -> None:
    """If this fails, a run with several processes says its line twice, or another exit code."""
    error = OWN_WORDS.get(kind) or kind("the line", hint="the hint")
    reader = asyncio.StreamReader()
    reader.feed_data(packed(Ended(error=error)))
    ended = await received(reader)
    assert isinstance(ended, Ended)
    assert type(ended.error) is kind
    assert (str(ended.error), ended.error.args) == (str(error), error.args)
    assert vars(ended.error) == vars(error)
    assert ended.error.exit_status == error.exit_status
