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

    The parser calls what is named `on_...`, some hundred times in a full listing's page, so those
    are as short as can be: `on_body` is the list's own method.
    """

    __slots__ = (
        "_end",
        "_feed",
        "_had_head",
        "_interims",
        "_is_head_request",
        "_is_kept_alive",
        "_names",
        "_parser",
        "_pieces",
        "_pieces_before",
        "_received",
        "_tail",
        "_values",
        "_without_body",
        "has_head",
        "headers",
        "is_complete",
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
        self._renew_parser()
        self.begin(is_head=False)

    def _renew_parser(self) -> None:
        self._parser = HttpResponseParser(self)
        self._feed = self._parser.feed_data

    def begin(self, *, is_head: bool) -> None:
        """Expect the answer to the next request, which `is_head` or has a body in its answer."""
        self._is_head_request = is_head
        self.has_head = self.is_complete = False
        self._received = self._without_body = self._interims = 0
        self._tail = b""

    def feed(self, data: bytes) -> bool:
        """Take what came; returns whether the answer is whole. Raises AnswerGarbledError."""
        self._received += len(data)
        self._had_head = self.has_head
        self._pieces_before = len(self._pieces)
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
        self._count_overhead(data)
        return False

    def _count_overhead(self, data: bytes) -> None:
        if not self.has_head:
            self._tail = (self._tail + data)[1 - len(_BLANK_LINE) :]
        if len(self._pieces) > self._pieces_before:
            self._without_body = 0
        else:
            self._without_body += len(data)
            if self._without_body > HEAD_BYTES_MAX:
                raise AnswerGarbledError(f"more than {HEAD_BYTES_MAX} bytes without a body's byte")

    @property
    def is_beyond_buffer(self) -> bool:
        """Whether more has come of this answer than is kept in memory."""
        return self._received > BUFFERED_BYTES_MAX

    def end(self) -> bool:
        """Say that nothing more will come; returns whether the answer is whole by that."""
        if self.has_head and not self.is_complete:
            codings = self.headers.get("transfer-encoding", "")
            is_chunked = codings.rpartition(",")[2].strip().lower() == "chunked"
            self._is_kept_alive = False
            self.is_complete = "content-length" not in self.headers and not is_chunked
        return self.is_complete

    def is_reusable_after(self, data: bytes) -> bool:
        """Return whether the next request may use this connection; `data` was fed last.

        Not if the store closes it, and not if a single byte follows the answer: the next answer
        would begin with it, and be that of another request.
        """
        if not self._is_kept_alive or self._interims:
            return False
        if "transfer-encoding" in self.headers and not self._is_head_request:
            return _ends_with_blank_line(data)
        body_bytes = sum(map(len, self._pieces[self._pieces_before :]))
        if self._had_head:
            return body_bytes == len(data)
        since_head = self._tail + data
        end_of_head = since_head.find(_BLANK_LINE) + len(_BLANK_LINE)
        return end_of_head + body_bytes == len(since_head)

    def take_pieces(self) -> list[bytes]:
        """Take what has come of the body since the last time."""
        pieces = self._pieces.copy()
        self._pieces.clear()
        return pieces

    def take(self) -> WireReply:
        """Take the whole answer and be ready for the next one."""
        body = b"".join(self._pieces)
        self._pieces.clear()
        if self._names:  # trailers, which nobody asked for
            self._names.clear()
            self._values.clear()
        if self._is_head_request:  # the parser waits for the body that Content-Length speaks of
            self._renew_parser()
        return WireReply(self.status, self.headers, body)

    def on_headers_complete(self) -> None:
        """Keep the head, called by the parser."""
        if self.is_complete:
            self._is_kept_alive = False  # a second answer to one request
            return
        status = self._parser.get_status_code()
        headers = self._take_headers()
        if status < 200:
            self._interims += 1
            if status == 101 or self._interims > INTERIM_ANSWERS_MAX:
                raise AnswerGarbledError(f"answered {status}")
            return
        self.status = status
        self.headers = headers
        self.has_head = True
        self._is_kept_alive = self._parser.should_keep_alive()
        if self._is_head_request:
            if not self._is_kept_alive:  # the parser believes that a body until the end follows
                self._is_kept_alive = _is_kept_alive(self._parser.get_http_version(), headers)
            self.is_complete = True
            self._end = 0

    def on_message_complete(self) -> None:
        """Call it whole, called by the parser."""
        if self.has_head and not self.is_complete:
            self.is_complete = True
            self._end = len(self._pieces)

    def _take_headers(self) -> dict[str, str]:
        names, values = self._names, self._values
        if not names:
            return {}
        if self._received > HEAD_BYTES_MAX and sum(map(len, names + values)) > HEAD_BYTES_MAX:
            raise AnswerGarbledError(f"headers of more than {HEAD_BYTES_MAX} bytes")
        block = b"\n".join(names)
        layout = _layouts.get(block) or _layout(block)
        # No value holds a line feed, so all are decoded at once.
        texts = b"\n".join(values).decode("utf-8", "surrogateescape").split("\n")
        headers = dict(zip(layout, texts, strict=True))
        if len(headers) < len(layout):
            headers = _joined(layout, texts)
        names.clear()
        values.clear()
        return headers


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
