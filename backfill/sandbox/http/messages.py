"""HTTP messages as the sandbox hands them about.

Never touches sockets. One law: the path and the query stay the bytes that the client sent, because
keys and signatures are computed from them.
"""

from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import unquote_to_bytes


class Delivery(Enum):
    """How the answer leaves: whole, or broken the way networks break it."""

    WHOLE = auto()
    RESET = auto()
    """RST instead of an answer."""
    CLOSE = auto()
    """FIN instead of an answer."""
    HALF_BODY = auto()
    """The head and half of the body that it announced, then FIN."""
    GARBAGE = auto()
    """A status line that is no HTTP, then FIN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One whole request. Header names are lower case; repeated headers are joined by commas."""

    method: str
    raw_path: bytes
    raw_query: bytes
    headers: dict[bytes, bytes]
    body: bytes
    is_proxied: bool = False
    """The target was in absolute form: the client takes this server for its HTTP proxy."""

    def header(self, name: str) -> str | None:
        """The header's text, or None. Bytes above ASCII read as Latin-1, as S3 reads them."""
        value = self.headers.get(name.encode("ascii"))
        return None if value is None else value.decode("latin-1")

    def query_pairs(self) -> list[tuple[str, str]]:
        """Decoded query parameters in the order sent; `+` is a blank, as S3 reads queries."""
        pairs = []
        for part in self.raw_query.split(b"&"):
            if part:
                name, _, value = part.partition(b"=")
                pairs.append((decoded_query(name), decoded_query(value)))
        return pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """One answer. `announced_bytes` stands in for the body's length where HEAD sends none."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    announced_bytes: int | None = None
    delivery: Delivery = Delivery.WHOLE
    delay_s: float = 0.0
    is_last: bool = False
    """Close the connection after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """Bounds of one connection. S3's own where it publishes one."""

    header_bytes: int = 16 * 1024
    """S3 refuses a header section over 8 KB; the rest is room for the request line."""
    body_bytes: int = 5 * 1024**3
    """Largest single PUT and part (S3 User Guide: qfacts)."""
    waiting_requests: int = 64
    """Pipelined requests held back behind a delayed answer before reading stops."""


def decoded_query(raw: bytes) -> str:
    """One query name or value, percent-decoded; bytes that are no UTF-8 become U+FFFD."""
    return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8", "replace")


REASONS = {
    200: "OK",
    202: "Accepted",
    204: "No Content",
    206: "Partial Content",
    301: "Moved Permanently",
    304: "Not Modified",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    411: "Length Required",
    412: "Precondition Failed",
    416: "Requested Range Not Satisfiable",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Slow Down",
}


def response_head(response: HttpResponse) -> bytes:
    """Status line and headers on the wire, ended by the empty line."""
    lines = [f"HTTP/1.1 {response.status} {REASONS.get(response.status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in response.headers]
    if response.status not in {204, 304}:
        size_bytes = response.announced_bytes
        lines.append(f"Content-Length: {len(response.body) if size_bytes is None else size_bytes}")
    if response.is_last:
        lines.append("Connection: close")
    lines.append("\r\n")
    return "\r\n".join(lines).encode("latin-1", "replace")
