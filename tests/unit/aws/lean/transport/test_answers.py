"""Bytes to answers: every framing that HTTP knows, and however the bytes are cut."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backfill.aws.lean import answers
from backfill.aws.lean.answers import HEAD_BYTES_MAX, AnswerReader
from backfill.aws.lean.failures import AnswerGarbledError
from backfill.aws.lean.wire import WireReply

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

WHOLE = {
    "length": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello"),
    "line ends": (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\r\n\r\n", 200, b"\r\n\r\n"),
    "empty": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b""),
    "no reason": (b"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", 404, b""),
    "chunked": (CHUNKED + b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", 200, b"hello"),
    "chunk extensions": (CHUNKED + b"5;a=b\r\nhello\r\n0;c\r\n\r\n", 200, b"hello"),
    "trailers": (CHUNKED + b"5\r\nhello\r\n0\r\nx-amz-checksum: a\r\nb: c\r\n\r\n", 200, b"hello"),
    "no content": (b"HTTP/1.1 204 No Content\r\nx: y\r\n\r\n", 204, b""),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, b""),
}  # fmt: skip


def fed(reader: AnswerReader, pieces: list[bytes]) -> tuple[WireReply, bool]:
    """Give the answer, and whether the connection may be used again."""
    for position, piece in enumerate(pieces):
        if reader.feed(piece):
            assert position == len(pieces) - 1, "whole before its last byte"
            reply = reader.take()
            return reply, reader.is_reusable
    raise AssertionError("not whole after its last byte")


def drink(reader: AnswerReader, raw: bytes, size: int) -> None:
    for start in range(0, len(raw), size):
        reader.feed(raw[start : start + size])


def cut(raw: bytes, seed: int) -> list[bytes]:
    """Cut bytes at random places, the same for a seed."""
    chance = random.Random(seed)
    places = sorted(chance.sample(range(1, len(raw)), min(len(raw) - 1, chance.randrange(1, 8))))
    return [raw[a:b] for a, b in zip([0, *places], [*places, len(raw)], strict=True)]


@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_is_the_same_however_its_bytes_are_cut(name: str) -> None:
    """A page of a listing must not depend on how the network cut it."""
    raw, status, body = WHOLE[name]
    reader = AnswerReader()
    whole = None
    for pieces in (
        [raw],
        [raw[i : i + 1] for i in range(len(raw))],
        *(cut(raw, s) for s in range(80)),
    ):
        reader.begin(is_head=False)
        reply, is_reusable = fed(reader, pieces)
        assert (reply.status, reply.body) == (status, body)
        assert whole is None or reply == whole
        # Too short a last piece of chunks does not show that nothing follows.
        assert is_reusable or ("chunked" in str(reply.headers) and len(pieces[-1]) < 6)
        whole = reply


@pytest.mark.parametrize("pieces", ["whole", "bytes"])
@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nETag: a\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_the_answer_to_head_ends_with_its_head(head: bytes, pieces: str) -> None:
    """If this fails, the reader waits for five bytes that are the next answer's."""
    reader = AnswerReader()
    reader.begin(is_head=True)
    reply, is_reusable = fed(reader, [head] if pieces == "whole" else [bytes([b]) for b in head])
    assert reply.body == b""
    assert is_reusable
    reader.begin(is_head=False)
    assert fed(reader, [WHOLE["length"][0]]) == (
        WireReply(200, {"content-length": "5"}, b"hello"),
        True,
    )


@pytest.mark.parametrize("is_head", [False, True])
@pytest.mark.parametrize("stray", [b"\r\n", b"\r\n\r\n", b"H", b"x", b"\r", b"0\r\n\r\n", "again"])
@pytest.mark.parametrize("name", WHOLE)
def test_a_connection_with_a_byte_after_an_answer_is_not_used_again(
    name: str, stray: bytes | str, is_head: bool
) -> None:
    """The next answer would begin with it: a copy would be proven by another's ETag."""
    raw, status, body = WHOLE[name]
    if is_head:
        raw = raw[: raw.index(b"\r\n\r\n") + 4]
    extra = raw if isinstance(stray, str) else stray
    for had in range(len(raw)):
        reader = AnswerReader()
        reader.begin(is_head=is_head)
        assert had == 0 or not reader.feed(raw[:had])
        last = raw[had:] + extra
        assert reader.feed(last)
        reply = reader.take()
        assert not reader.is_reusable
        assert (reply.status, reply.body) == (status, b"" if is_head else body)


@pytest.mark.parametrize(
    ("head", "is_kept"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n", False),
        (b"HTTP/1.1 200 OK\r\nConnection: Keep-Alive, CLOSE\r\n", False),
        (b"HTTP/1.0 200 OK\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", False),
    ],
)
@pytest.mark.parametrize("is_head", [False, True])
def test_a_connection_is_kept_only_where_the_store_keeps_it(
    head: bytes, is_kept: bool, is_head: bool
) -> None:
    """A request on a connection that closes is lost, and a lost write must be settled."""
    reader = AnswerReader()
    reader.begin(is_head=is_head)
    reply, is_reusable = fed(reader, [head + b"Content-Length: 0\r\n\r\n"])
    assert (reply.status, is_reusable) == (200, is_kept)
    assert reply.headers["content-length"] == "0"


@pytest.mark.parametrize(
    ("head", "is_whole"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.0 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n", False),
        (b"HTTP/1.1 200 OK\r\nServer: cut-in-", False),
    ],
)
def test_the_end_of_the_connection_ends_only_a_body_without_a_length(
    head: bytes, is_whole: bool
) -> None:
    """A truncated body must never be taken for a whole one."""
    reader = AnswerReader()
    reader.begin(is_head=False)
    assert not reader.feed(head + b"hello")
    assert reader.end() is is_whole
    if is_whole:
        assert reader.take().body == b"hello"


GARBAGE = [
    b"garbage\r\n\r\n",
    b"\x16\x03\x01\x02\x00",
    b"SSH-2.0-OpenSSH\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" * 9,
    CHUNKED + b"5\r\nhelloX\r\n0\r\n\r\n",
    CHUNKED + b"zz\r\n",
    CHUNKED + b"-5\r\nhello\r\n",
]


@pytest.mark.parametrize("raw", GARBAGE)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_what_is_no_answer_is_an_error_and_never_an_answer(raw: bytes, size: int) -> None:
    """If this fails, garbage could pass for a CopyObjectResult."""
    reader = AnswerReader()
    reader.begin(is_head=False)
    with pytest.raises(AnswerGarbledError):
        drink(reader, raw, size)
    assert not reader.is_complete


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 " + b"O" * 3 * HEAD_BYTES_MAX + b"\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * HEAD_BYTES_MAX + b"\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * HEAD_BYTES_MAX + b"Content-Length: 0\r\n\r\n",
        CHUNKED + b"5\r\nhello\r\n0\r\n" + b"X: a\r\n" * HEAD_BYTES_MAX + b"\r\n",
        CHUNKED + b"5;" + b"x" * HEAD_BYTES_MAX * 2 + b"\r\nhello\r\n0\r\n\r\n",
    ],
    ids=["reason", "value", "headers", "trailers", "extension"],
)
@pytest.mark.parametrize("size", [1000, 65536])
def test_what_is_no_body_is_bounded(raw: bytes, size: int) -> None:
    """A store gone mad must not fill our memory with headers."""
    reader = AnswerReader()
    reader.begin(is_head=False)
    with pytest.raises(AnswerGarbledError):
        drink(reader, raw, size)


def test_headers_beyond_the_limit_are_refused_in_one_read_too() -> None:
    """The limit must not depend on how the network cut the bytes."""
    raw = b"HTTP/1.1 200 OK\r\n" + b"X: aaaa\r\n" * HEAD_BYTES_MAX + b"Content-Length: 0\r\n\r\n"
    reader = AnswerReader()
    reader.begin(is_head=False)
    with pytest.raises(AnswerGarbledError):
        reader.feed(raw)


def test_header_names_are_lower_case_and_repeated_ones_joined() -> None:
    """`x-amz-meta-a` twice is one header with two values (RFC 9110 section 5.2)."""
    raw = (
        b'HTTP/1.1 200 OK\r\nETag: "a"\r\nx-amz-Meta-A: 1\r\nX-AMZ-META-A:2\r\nEmpty:\r\n'
        b"x-amz-meta-latin: caf\xe9\r\nx-amz-meta-utf: caf\xc3\xa9 \t\r\nx-amz-meta-a:   3 \r\n"
        b"Content-Length: 0\r\n\r\n"
    )  # fmt: skip
    reader = AnswerReader()
    for _ in range(2):
        reader.begin(is_head=False)
        assert fed(reader, [raw])[0].headers == {
            "etag": '"a"',
            "x-amz-meta-a": "1, 2, 3",
            "empty": "",
            "x-amz-meta-latin": b"caf\xe9".decode("utf-8", "surrogateescape"),
            "x-amz-meta-utf": "café",
            "content-length": "0",
        }


NAMES = st.from_regex(rb"x-amz-meta-[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,12}", fullmatch=True)
VALUES = st.binary(max_size=20).map(
    lambda raw: bytes(b for b in raw if b >= 0x20 and b != 0x7F).strip(b" \t")
)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=12), st.integers(0, 2**32))
def test_every_header_is_kept_as_it_was_sent(fields: list[tuple[bytes, bytes]], seed: int) -> None:
    """Metadata that the transport bends would be reported as different, or copied bent."""
    lines = b"".join(b"%b: %b\r\n" % field for field in fields)
    raw = b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n"
    reader = AnswerReader()
    reader.begin(is_head=True)
    headers = fed(reader, [raw])[0].headers
    assert fed(reader, cut(raw, seed))[0].headers == headers
    assert fed(reader, [b"HTTP/1.1 103 Early\r\nx: y\r\n\r\n" + raw])[0].headers == headers
    expected: dict[str, list[str]] = {}
    for name, value in fields:
        kept = value.decode("utf-8", "surrogateescape")
        expected.setdefault(name.decode().lower(), []).append(kept)
    assert headers == {name: ", ".join(values) for name, values in expected.items()}


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=12),
    st.lists(st.tuples(NAMES, VALUES), max_size=3),
    st.randoms(use_true_random=False),
    st.integers(0, 2**32),
)
def test_chunks_join_to_the_body_that_was_sent(
    chunks: list[bytes], trailers: list[tuple[bytes, bytes]], chance: random.Random, seed: int
) -> None:
    """S3 sends its documents in chunks: a byte lost is a key lost, or a page refused."""
    sizes = [chance.choice([b"%x", b"%X", b"00%x", b"%x;ext", b'%x;a="b"']) for _ in chunks]
    body = b"".join(
        size % len(chunk) + b"\r\n" + chunk + b"\r\n"
        for size, chunk in zip(sizes, chunks, strict=True)
    )
    end = b"0\r\n" + b"".join(b"%b: %b\r\n" % field for field in trailers) + b"\r\n"
    reader = AnswerReader()
    for pieces in ([CHUNKED + body + end], cut(CHUNKED + body + end, seed)):
        reader.begin(is_head=False)
        reply, _ = fed(reader, pieces)
        assert reply == WireReply(200, {"transfer-encoding": "chunked"}, b"".join(chunks))


def test_only_so_many_sequences_of_names_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each object may have metadata names of its own: that must not fill the memory."""
    layouts: dict[bytes, tuple[str, ...]] = {}
    monkeypatch.setattr(answers, "_layouts", layouts)
    monkeypatch.setattr(answers, "_LAYOUTS_MAX", 3)
    reader = AnswerReader()
    for number in range(10):
        reader.begin(is_head=True)
        raw = b"HTTP/1.1 200 OK\r\nX-%d: a\r\n\r\n" % number
        assert fed(reader, [raw])[0].headers == {f"x-{number}": "a"}
    assert len(layouts) == 3
