"""Bytes of a connection to answers: httptools parses, this module keeps what it says.

Never reads a socket and never interprets S3; never takes an answer for whole that is not.
Law: however the bytes are cut into pieces, the answer is the same.
"""

from collections.abc import Collection
from contextlib import suppress
from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from backfill.aws.lean.failures import AnswerGarbledError
from backfill.aws.lean.wire import WireReply

HEAD_BYTES_MAX: Final = 64 * 1024
"""Status line and headers, and as much between two pieces of a body (chunk extensions, trailers).
S3's own limit for user metadata is 2 KB and for all headers of a request 8 KB."""

BUFFERED_BYTES_MAX: Final = 64 * 1024 * 1024
"""A whole answer that is kept in memory. A page of 1,000 versions whose keys are 1,024 bytes of
control characters, six characters each in XML, is 7 MB; what is longer is read as a stream."""

INTERIM_ANSWERS_MAX: Final = 8
"""1xx answers before the real one; we ask for none."""

_BLANK_LINE: Final = b"\r\n\r\n"
_LAYOUTS_MAX: Final = 512
"""Different sequences of header names that are remembered; a store has some ten."""

_layouts: dict[bytes, tuple[str, ...]] = {}


class AnswerReader:
    """Reads the answers of one connection, one after another.

    Ordinary is an answer whose head comes in one read and names no header twice: its headers go
    straight from the parser into a dictionary, whose own method the parser calls. `_Fields` parses
    every other head once more.
    """

    __slots__ = (
        "_data",
        "_end",
        "_feed",
        "_fields",
        "_had_head",
        "_heads",
        "_interims",
        "_is_head_request",
        "_is_kept_alive",
        "_overhead_bytes",
        "_parser",
        "_pieces",
        "_pieces_before",
        "_received_bytes",
        "has_head",
        "headers",
        "is_complete",
        "is_reusable",
        "on_body",
        "on_header",
        "status",
    )

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._fields: dict[bytes, bytes] = {}
        self.on_body = self._pieces.append
        self.on_header = self._fields.setdefault
        self._heads: list[bytes] = []
        self._is_head_request = self.has_head = self.is_complete = self.is_reusable = False
        self._forget_pieces()
        self._renew_parser()

    def _renew_parser(self) -> None:
        self._parser = HttpResponseParser(self)
        self._feed = self._parser.feed_data

    def _forget_pieces(self) -> None:
        """Reset what is counted only for an answer that comes in several reads."""
        self._heads.clear()
        self._had_head = False
        self._pieces_before = self._overhead_bytes = self._received_bytes = self._interims = 0

    def begin(self, *, is_head: bool) -> None:
        """Expect the answer to the next request, which `is_head` or has a body in its answer."""
        self._is_head_request = is_head

    def feed(self, data: bytes) -> bool:
        """Take what came; returns whether the answer is whole. Raises AnswerGarbledError."""
        self._data = data
        try:
            self._feed(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            if not self.is_complete:
                raise _garbled(error) from error
            self._is_kept_alive = False  # what is wrong came after it
        if self.is_complete:
            if len(self._pieces) > self._end:  # of a second answer, or the body of one to HEAD
                del self._pieces[self._end :]
                self._is_kept_alive = False
            return True
        self._count(data)
        return False

    def _count(self, data: bytes) -> None:
        self._received_bytes += len(data)
        if len(self._pieces) > self._pieces_before:
            self._pieces_before = len(self._pieces)
            self._overhead_bytes = 0
        else:
            self._overhead_bytes += len(data)
            if self._overhead_bytes > HEAD_BYTES_MAX:
                raise AnswerGarbledError(f"more than {HEAD_BYTES_MAX} bytes without a body's byte")
        self._had_head = self.has_head
        if not self.has_head:
            self._heads.append(data)

    @property
    def is_beyond_buffer(self) -> bool:
        """Whether more has come of this answer than is kept in memory."""
        return self._received_bytes > BUFFERED_BYTES_MAX

    def end(self) -> bool:
        """Say that nothing more will come; returns whether the answer is whole by that."""
        if self.has_head and not self.is_complete:
            codings = self.headers.get("transfer-encoding", "")
            is_chunked = codings.rpartition(",")[2].strip().lower() == "chunked"
            self._is_kept_alive = False
            self.is_complete = "content-length" not in self.headers and not is_chunked
        return self.is_complete

    def take_piece(self) -> bytes:
        """Take what has come of the body since the last time, before the answer is whole."""
        piece = b"".join(self._pieces)
        self._pieces.clear()
        self._pieces_before = 0
        return piece

    def take(self) -> WireReply:
        """Take the whole answer, or what is left of it, and be ready for the next one.

        `is_reusable` then tells whether the next request may use this connection. Not if the store
        closes it, and not if a single byte follows the answer: the next answer would begin with it,
        and be that of another request.
        """
        pieces = self._pieces
        body = b"".join(pieces)
        self.is_reusable = (
            self._is_kept_alive
            and not self._interims
            and self._is_last_byte(sum(map(len, pieces[self._pieces_before :])))
        )
        pieces.clear()
        self._fields.clear()  # of trailers, which nobody asked for
        self.has_head = self.is_complete = False
        if self._received_bytes:
            self._forget_pieces()
        if self._is_head_request:  # the parser waits for the body that Content-Length speaks of
            self._renew_parser()
        return WireReply(self.status, self.headers, body)

    def _is_last_byte(self, body_bytes: int) -> bool:
        """Return whether the answer surely ends where the last read does.

        `body_bytes` of that read were the body's. The parser skips line ends before an answer, so
        those alone it would not report.
        """
        data = self._data
        if "transfer-encoding" in self.headers and not self._is_head_request:
            return _ends_with_blank_line(data)
        if self._had_head:
            return body_bytes == len(data)
        if self._heads:
            data = b"".join(self._heads) + data
        return data.find(_BLANK_LINE) + len(_BLANK_LINE) + body_bytes == len(data)

    def on_headers_complete(self) -> None:
        """Keep the head, called by the parser."""
        if self.is_complete:
            self._is_kept_alive = False  # a second answer to one request
            return
        parser, fields = self._parser, self._fields
        status = parser.get_status_code()
        if status < 200:
            self._skip_interim(status)
            return
        data = self._data
        lines = data.count(b"\r\n", 0, data.find(_BLANK_LINE))
        if self._heads or self._interims or lines != len(fields):
            # It came in several reads, or after another, or names a header several times.
            pairs = _Fields(b"".join(self._heads) + data).pairs
            self.headers = _headers(b"\n".join([n for n, _ in pairs]), [v for _, v in pairs])
        else:
            self.headers = _headers(b"\n".join(fields), fields.values())
        fields.clear()
        self.status = status
        self.has_head = True
        self._is_kept_alive = parser.should_keep_alive()
        if self._is_head_request:
            if not self._is_kept_alive:  # the parser believes that a body until the end follows
                self._is_kept_alive = _is_kept_alive(parser.get_http_version(), self.headers)
            self.is_complete = True
            self._end = 0

    def _skip_interim(self, status: int) -> None:
        self._fields.clear()
        self._interims += 1
        if status == 101 or self._interims > INTERIM_ANSWERS_MAX:
            raise AnswerGarbledError(f"answered {status}")

    def on_message_complete(self) -> None:
        """Call it whole, called by the parser."""
        if self.has_head and not self.is_complete:
            self.is_complete = True
            self._end = len(self._pieces)


class _Fields:
    """The header fields of the first answer in some bytes that is not interim, in their order."""

    def __init__(self, raw: bytes) -> None:
        self.pairs: list[tuple[bytes, bytes]] = []
        self._is_done = False
        self._parser = HttpResponseParser(self)
        with suppress(HttpParserError, HttpParserUpgrade):  # what follows the head is not looked at
            self._parser.feed_data(raw)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field, called by the parser."""
        if not self._is_done:
            self.pairs.append((name, value))

    def on_headers_complete(self) -> None:
        """Begin anew after an interim answer, called by the parser."""
        if self._parser.get_status_code() >= 200:
            self._is_done = True
        elif not self._is_done:
            self.pairs.clear()


def _headers(block: bytes, values: Collection[bytes]) -> dict[str, str]:
    """Return headers by lower-case name, from their names joined by line feeds and their values."""
    if not values:
        return {}
    text = b"\n".join(values)
    if len(block) + len(text) > HEAD_BYTES_MAX:
        raise AnswerGarbledError(f"headers of more than {HEAD_BYTES_MAX} bytes")
    names = _layouts.get(block) or _layout(block)
    # No value holds a line feed, so all are decoded at once.
    texts = text.decode("utf-8", "surrogateescape").split("\n")
    if b" \n" in text or b"\t\n" in text or text.endswith((b" ", b"\t")):
        texts = [value.rstrip(" \t") for value in texts]  # the parser strips in front only
    headers = dict(zip(names, texts, strict=True))
    return headers if len(headers) == len(names) else _joined(names, texts)


def _garbled(error: Exception) -> AnswerGarbledError:
    cause = error.__context__
    if isinstance(cause, AnswerGarbledError):  # raised in a callback
        return cause
    return AnswerGarbledError(f"no HTTP answer: {error}")


def _layout(block: bytes) -> tuple[str, ...]:
    """Return the header names of an answer as they are looked up, and remember them."""
    layout = tuple(block.lower().decode("ascii").split("\n"))
    if len(_layouts) < _LAYOUTS_MAX:
        _layouts[block] = layout
    return layout


def _joined(names: tuple[str, ...], values: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in zip(names, values, strict=True):
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _is_kept_alive(version: str, headers: dict[str, str]) -> bool:
    words = [word.strip() for word in headers.get("connection", "").lower().split(",")]
    return "close" not in words and (version == "1.1" or "keep-alive" in words)


def _ends_with_blank_line(data: bytes) -> bool:
    """Return whether a chunked body, complete in `data`, surely ends where `data` does.

    The parser skips line ends before an answer, so those alone it would not report.
    """
    if len(data) < 6:
        return data == b"0\r\n\r\n"
    return data.endswith(_BLANK_LINE) and not data.endswith(b"\r\n" + _BLANK_LINE)
