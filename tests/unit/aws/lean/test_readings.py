"""Answers read in one step mean what the parser and `replies` make of them, or are left to both."""

import random
from base64 import b64encode
from collections.abc import Callable
from typing import NamedTuple

import pytest
from botocore.exceptions import ClientError

from backfill.aws.lean.answers import AnswerReader
from backfill.aws.lean.connection import AnswerReading
from backfill.aws.lean.documents import reply_of
from backfill.aws.lean.failures import AnswerGarbledError
from backfill.aws.lean.readings import LAYOUTS_MAX, CopyReading, HeadReading
from backfill.aws.lean.wire import WireReply
from backfill.aws.replies import (
    NoETagError,
    ReplyError,
    UnknownValueError,
    object_head,
    write_result,
)
from backfill.model.attributes import ObjectHead

DAY = b"Sun, 22 Nov 2026"
DATE = b"Date: " + DAY + b" 10:00:07 GMT\r\nServer: AmazonS3\r\n"


class Kind(NamedTuple):
    """One operation: its reading, ordinary answers of one layout, and what they truly mean."""

    reading: Callable[[], AnswerReading]
    ordinary: Callable[[random.Random], bytes]
    truth: Callable[[WireReply], object]
    is_head: bool


def etag(draw: random.Random) -> bytes:
    return b"%032x" % draw.getrandbits(128)


def base64(draw: random.Random, size: int) -> bytes:
    return b64encode(draw.randbytes(size))


def a_head(draw: random.Random) -> bytes:
    """The answer to a HEAD, as S3 lays it out."""
    clock = b"%02d:%02d:%02d" % (draw.randrange(24), draw.randrange(60), draw.randrange(60))
    return (
        b"HTTP/1.1 200 OK\r\nx-amz-id-2: " + base64(draw, 40) + b"\r\n" + DATE
        + b"Last-Modified: " + DAY + b" " + clock + b' GMT\r\nETag: "' + etag(draw) + b'"\r\n'
        + b"x-amz-meta-owner: " + draw.choice((b"anna", b"b c", b"=?UTF-8?Q?caf=C3=A9?=")) + b"\r\n"
        + b"x-amz-server-side-encryption: " + draw.choice((b"AES256", b"aws:kms")) + b"\r\n"
        + b"x-amz-version-id: " + base64(draw, 24) + b"\r\nx-amz-checksum-crc64nvme: "
        + base64(draw, 8) + b"\r\nx-amz-checksum-type: FULL_OBJECT\r\n"
        + b"Content-Type: " + draw.choice((b"text/plain", b"image/png")) + b"\r\n"
        + b"Content-Length: %d\r\n\r\n" % draw.randrange(10**9)
    )  # fmt: skip


def a_copy(draw: random.Random) -> bytes:
    """The answer to a CopyObject, as S3 lays it out."""
    body = (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<CopyObjectResult '
        b'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LastModified>2026-11-22T10:00:'
        b"%02d.000Z</LastModified><ETag>&quot;%s&quot;</ETag><ChecksumCRC64NVME>%s"
        b"</ChecksumCRC64NVME><ChecksumType>FULL_OBJECT</ChecksumType></CopyObjectResult>"
        % (draw.randrange(60), etag(draw), base64(draw, 8))
    )
    return (
        b"HTTP/1.1 200 OK\r\n" + DATE + b"x-amz-copy-source-version-id: " + base64(draw, 24)
        + b"\r\nx-amz-version-id: " + base64(draw, 24) + b"\r\nContent-Type: application/xml\r\n"
        + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )  # fmt: skip


KINDS = {
    "head": Kind(
        HeadReading, a_head, lambda reply: object_head(reply_of("HeadObject", reply)), is_head=True
    ),
    "copy": Kind(
        CopyReading,
        a_copy,
        lambda reply: write_result(reply_of("CopyObject", reply), result="CopyObjectResult"),
        is_head=False,
    ),
}


def parsed(data: bytes, *, is_head: bool) -> tuple[WireReply, bool] | None:
    """Return a whole answer, and whether the connection is free; None: it is not whole."""
    reader = AnswerReader()
    reader.begin(is_head=is_head)
    try:
        if not reader.feed(data):
            return None
    except AnswerGarbledError:
        return None
    return reader.take(), reader.is_reusable


def truth_of(kind: Kind, data: bytes) -> object:
    """Return what the parser and `replies` make of bytes that leave the connection free."""
    known = parsed(data, is_head=kind.is_head)
    if known is None or not known[1]:
        return None
    try:
        return kind.truth(known[0])
    except (ClientError, ReplyError, UnknownValueError, NoETagError):
        return None


def taught(kind: Kind, *lessons: bytes) -> AnswerReading:
    """A reading that has learned from these answers."""
    reading = kind.reading()
    for data in lessons:
        known = parsed(data, is_head=kind.is_head)
        if known is not None and known[1]:
            reading.learn(data, known[0])
    return reading


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_ordinary_answers_are_read_in_one_step(kind: Kind) -> None:
    """Else each request takes the parser's time: the reading would be of no use."""
    draw = random.Random(1)
    reading = taught(kind, *(kind.ordinary(draw) for _ in range(50)))
    answers = [kind.ordinary(draw) for _ in range(200)]
    read = [reading.read(data) for data in answers]
    assert [told for told in read if told is not None]
    for data, told in zip(answers, read, strict=True):
        is_left = b"=?" in data  # encoded words are decoded by `replies` alone
        assert told == (None if is_left else truth_of(kind, data))


LINES = (
    b"Connection: close",
    b"Transfer-Encoding: chunked",
    b"Content-Length: 3",
    b"x-amz-meta-owner: berta",
    b"x-amz-missing-meta: 2",
    b'ETag: W/"x"',
    b" folded",
)


def with_line(data: bytes, draw: random.Random) -> bytes:
    """A line more, somewhere."""
    lines = data.split(b"\r\n")
    lines.insert(draw.randrange(1, len(lines)), draw.choice(LINES))
    return b"\r\n".join(lines)


def in_another_order(data: bytes, draw: random.Random) -> bytes:
    """Two lines changed for each other."""
    lines = data.split(b"\r\n")
    one, two = draw.randrange(1, len(lines)), draw.randrange(1, len(lines))
    lines[one], lines[two] = lines[two], lines[one]
    return b"\r\n".join(lines)


def spliced(data: bytes, draw: random.Random) -> bytes:
    """A byte or two put in, changed or left out."""
    place = draw.randrange(len(data))
    new = draw.choice((b"", b" ", b"\t", b"\r\n", b"\n", b":", bytes([draw.randrange(256)])))
    return data[:place] + new + data[place + draw.randrange(2) :]


BENDS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    with_line,
    in_another_order,
    spliced,
    spliced,
    lambda data, draw: data[: draw.randrange(len(data))],
    lambda data, draw: data + data[: draw.randrange(1, len(data))],
    lambda data, draw: data.replace(b": ", b":" + draw.choice((b"  ", b" \t", b"", b" x  "))),
    lambda data, _: data.replace(b"HTTP/1.1", b"HTTP/1.0"),
    lambda data, draw: data.replace(b"200 OK", draw.choice((b"206 OK", b"404 OK", b"200"))),
    lambda data, _: data.replace(b"22 Nov", b"31 Nov").replace(b"T10:", b"T25:"),
    lambda data, _: data,
)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_read_is_what_the_parser_reads(kind: Kind, seed: int) -> None:
    """One answer read otherwise than it was sent is a wrong ETag, or another request's answer."""
    draw = random.Random(seed)
    reading = taught(kind, *(kind.ordinary(draw) for _ in range(30)))
    recognised = 0
    for _ in range(2500):
        data = draw.choice(BENDS)(kind.ordinary(draw), draw)
        told = reading.read(data)
        if told is not None:
            recognised += 1
            assert told == truth_of(kind, data), data
        elif (known := parsed(data, is_head=kind.is_head)) is not None and known[1]:
            reading.learn(data, known[0])
    assert recognised > 100, "the bent ones are not all odd: what is recognised was compared"


def test_what_one_answer_in_many_says_is_not_taken_from_its_neighbours() -> None:
    """A restored, locked or tagged version among a million others must be seen as what it is."""
    kind, draw = KINDS["head"], random.Random(3)
    plain = a_head(draw).replace(b"=?UTF-8?Q?caf=C3=A9?=", b"anna")
    reading = taught(kind, plain)
    for line in (
        b'x-amz-restore: ongoing-request="false"', b"x-amz-object-lock-legal-hold: ON",
        b"x-amz-tagging-count: 2", b"x-amz-storage-class: GLACIER", b"Cache-Control: no-store",
        b"x-amz-replication-status: REPLICA", b"x-amz-missing-meta: 1",
        b"x-amz-checksum-sha1: qg==", b"x-amz-checksum-md6: qg==", b"x-amz-mp-parts-count: 3",
    ):  # fmt: skip
        data = plain.replace(b"Content-Type", line + b"\r\nContent-Type")
        assert reading.read(data) is None, line
        reading = taught(kind, plain, data)
        assert reading.read(data) == truth_of(kind, data) != truth_of(kind, plain), line


@pytest.mark.parametrize("value", [b" two", b"two ", b"a  b", b"\ttwo", b"", b"caf\xc3\xa9"])
def test_white_space_around_a_value_is_the_parsers(value: bytes) -> None:
    """Metadata read with a space by one way and without it by the other look different."""
    kind, draw = KINDS["head"], random.Random(6)
    plain = a_head(draw).replace(b"=?UTF-8?Q?caf=C3=A9?=", b"anna").replace(b"b c", b"anna")
    odd = plain.replace(b"owner: anna", b"owner: " + value)
    told = taught(kind, plain).read(odd)
    assert told is None or told == truth_of(kind, odd)


def test_metadata_is_read_in_one_step_whatever_it_is_called() -> None:
    """Names with an underscore or a dot are common: left to the parser they cost three times."""
    kind, draw = KINDS["head"], random.Random(8)
    one, two = (
        a_head(draw).replace(b"=?UTF-8?Q?caf=C3=A9?=", b"x").replace(b"owner", b"my_own.name")
        for _ in range(2)
    )
    other = one.replace(b"\r\nContent-Length: ", b"\r\nContent-Length: 1")
    told = taught(kind, one, two).read(other)
    assert isinstance(told, ObjectHead)
    assert told == truth_of(kind, other)
    assert [name for name, _ in told.metadata] == ["my_own.name"]


def test_more_layouts_than_are_kept_are_left_to_the_parser() -> None:
    """Metadata names as many as objects must not cost a pattern each, nor memory without end."""
    kind, draw = KINDS["head"], random.Random(4)
    answers = [
        a_head(draw).replace(b"meta-owner: =?UTF-8?Q?caf=C3=A9?=", b"meta-owner: x").replace(
            b"meta-owner", b"meta-%d" % number
        )
        for number in range(LAYOUTS_MAX + 5)
    ]  # fmt: skip
    reading = taught(kind, *answers)
    read = [reading.read(data) for data in answers]
    assert sum(told is not None for told in read) == LAYOUTS_MAX
    assert all(isinstance(told, ObjectHead) for told in read[:LAYOUTS_MAX])
