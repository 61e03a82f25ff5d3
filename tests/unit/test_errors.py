"""Errors go from a copy process to its holder as they are: line, hint, exit code and all."""

import asyncio
from collections.abc import Iterator

import pytest

from backfill.copiers import Ended, packed, received
from backfill.errors import (
    BackfillError,
    Disposition,
    InterruptedRunError,
    ManifestError,
    PreflightError,
    RaceLostError,
    StoreFault,
)

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


def test_an_error_names_its_place_and_its_exit_code() -> None:
    """If this fails, a person looks for the row elsewhere, or a script mistakes how a run ended."""
    told = [
        ManifestError("why", row=3, file="x.csv"),
        ManifestError("why", row=3),
        ManifestError("why", file="x.csv"),
        ManifestError("why"),
    ]
    assert [error.message for error in told] == [
        "row 3 of x.csv: why",
        "row 3 of the manifest: why",
        "x.csv: why",
        "the manifest: why",
    ]
    assert [InterruptedRunError("", signal_number=n).exit_status for n in (2, 15)] == [130, 143]
    assert InterruptedRunError("").exit_status == 130
    assert (told[0].exit_status, BackfillError("").exit_status) == (20, 70)
    assert PreflightError("no", lines=("one", "two")).lines == ("one", "two")
    assert PreflightError("no").lines == ()
    assert (told[0].row, told[0].reason, told[0].file) == (3, "why", "x.csv")
    assert (told[0].hint, ManifestError("why", hint="mend it").hint) == ("", "mend it")
    lost = RaceLostError("policy", ours={"a": 1}, theirs=None)
    assert lost.message.startswith("policy: what setup wrote is not there any more")
    assert lost.hint.startswith("S3 cannot refuse such a write")
    assert (lost.ours, lost.theirs) == ({"a": 1}, None)


def test_a_fault_is_told_with_its_operation_code_and_status() -> None:
    """If this fails, a log line does not say which call failed, or how."""
    plain = StoreFault(operation="HeadObject", code="404", status=404, disposition=Disposition.SKIP)
    assert str(plain) == "HeadObject: 404 (404)"
    assert (plain.is_ambiguous, plain.retry_after_s, plain.bucket) == (False, None, "")
    worded = StoreFault(
        operation="CopyObject",
        code="SlowDown",
        status=503,
        disposition=Disposition.RETRY,
        message="less",
        is_ambiguous=True,
        retry_after_s=2.5,
        bucket="b",
    )
    assert str(worded) == "CopyObject: SlowDown (503) less"
    assert (worded.operation, worded.code, worded.status) == ("CopyObject", "SlowDown", 503)
    assert (worded.disposition, worded.message) == (Disposition.RETRY, "less")
    assert (worded.is_ambiguous, worded.retry_after_s, worded.bucket) == (True, 2.5, "b")
