"""Bytes of a connection to answers: httptools parses, this module keeps what it says.

Never reads a socket and never interprets S3; never takes an answer for whole that is not.
Law: however the bytes are cut into pieces, the answer is the same.
"""

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

    The parser calls what is named `on_...`; what it calls often is as short as can be.
    """

    __slots__ = (
        "_data",
        "_end",
        "_feed",
        "_had_head",
        "_heads",
        "_interims",
        "_is_head_request",
        "_is_kept_alive",
        "_names",
        "_overhead_bytes",
        "_parser",
        "_pieces",
        "_pieces_before",
        "_received_bytes",
        "_values",
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
        self._names: list[bytes] = []
        self._values: list[bytes] = []
        self.on_body = self._pieces.append
        add_name, add_value = self._names.append, self._values.append

        def on_header(name: bytes, value: bytes) -> None:
            add_name(name)
            add_value(value)

        self.on_header = on_header
        self._heads: list[bytes] = []
        self._is_head_request = self.has_head = self.is_complete = self.is_reusable = False
        self._forget_pieces()
        self._renew_parser()

    def _renew_parser(self) -> None:
        self._parser = HttpResponseParser(self)
        self._feed = self._parser.feed_data

    def _forget_fields(self) -> None:
        self._names.clear()
        self._values.clear()

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
        earlier = self._pieces_before
        of_last_read = len(body) - sum(map(len, pieces[:earlier])) if earlier else len(body)
        self.is_reusable = (
            self._is_kept_alive and not self._interims and self._is_last_byte(of_last_read)
        )
        pieces.clear()
        if self._names:  # trailers, which nobody asked for
            self._forget_fields()
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
        parser = self._parser
        status = parser.get_status_code()
        if status < 200:
            self._skip_interim(status)
            return
        self.headers = _headers(self._names, self._values)
        self._forget_fields()
        self.status = status
        self.has_head = True
        self._is_kept_alive = parser.should_keep_alive()
        if self._is_head_request:
            if not self._is_kept_alive:  # the parser believes that a body until the end follows
                self._is_kept_alive = _is_kept_alive(parser.get_http_version(), self.headers)
            self.is_complete = True
            self._end = 0

    def _skip_interim(self, status: int) -> None:
        self._forget_fields()
        self._interims += 1
        if status == 101 or self._interims > INTERIM_ANSWERS_MAX:
            raise AnswerGarbledError(f"answered {status}")

    def on_message_complete(self) -> None:
        """Call it whole, called by the parser."""
        if self.has_head and not self.is_complete:
            self.is_complete = True
            self._end = len(self._pieces)


def _headers(names: list[bytes], values: list[bytes]) -> dict[str, str]:
    if not names:
        return {}
    block = b"\n".join(names)
    # The parser strips white space before a value only; no other than SP and HTAB is in one.
    text = b"\n".join(map(bytes.rstrip, values))
    if len(block) + len(text) > HEAD_BYTES_MAX:
        raise AnswerGarbledError(f"headers of more than {HEAD_BYTES_MAX} bytes")
    layout = _layouts.get(block) or _layout(block)
    # Nor is a line feed, so all are decoded at once.
    texts = text.decode("utf-8", "surrogateescape").split("\n")
    headers = dict(zip(layout, texts, strict=True))
    return headers if len(headers) == len(layout) else _joined(layout, texts)


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
