"""Requests and answers of the lean client as they are on the wire: the nouns between its parts.

Never sends and never interprets.
Law: header names are in lower case; what S3 sent is kept whole, known or not.
"""

from typing import ClassVar, NamedTuple


class WireRequest(NamedTuple):
    """A request before it is addressed and signed.

    `bucket` decides the endpoint. `path` is the key's part, percent-encoded once, with its leading
    slash: `/` for the bucket itself. `query` is canonical: encoded, sorted, without `?`. `headers`
    are those that the operation sets, in lower case and sorted, neither Host nor any of the
    signature's; a value is printable ASCII with single spaces, none at its ends, so that it is
    signed as it is sent.
    """

    method: str
    bucket: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes = b""


class WireReply(NamedTuple):
    """A whole answer. A header that came several times has its values joined by `, `."""

    status: int
    headers: dict[str, str]
    body: bytes


class Origin(NamedTuple):
    """Where connections go: scheme `https` or `http`, host without brackets, port."""

    scheme: str
    host: str
    port: int


class Address(NamedTuple):
    """Where a bucket is asked, by botocore's rules.

    `host` is the Host header. `base` stands before the path of a key, `root` is the path of the
    bucket itself. `region` and `service` are those of the signature.
    """

    origin: Origin
    host: str
    base: str
    root: str
    region: str
    service: str


class ExchangeError(Exception):
    """No answer, or none that can be read.

    `is_sent`: the request may have reached the store, so that a write is ambiguous. The subclasses
    are named for `fault_table`, which decides what each means. `code` is what the SDK calls the
    like: a person, and a hint, meets one name whichever client is at work.
    """

    code: ClassVar[str] = "HTTPClientError"

    def __init__(self, message: str, *, is_sent: bool) -> None:
        super().__init__(message)
        self.is_sent = is_sent
