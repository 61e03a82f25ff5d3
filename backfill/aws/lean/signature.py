"""Signature Version 4 of S3 requests, and the head of the request that carries it.

Source: S3 API reference, "Authenticating Requests: Using the Authorization Header"; where that
leaves a choice, the one of botocore's S3SigV4Auth, which tests compare it with.

What stays the same for a day (the signing key), for a second (date, scope, token) and for a set of
header names is prepared once; a request costs two digests.

Never reads a clock and never opens a connection.
Law: what is sent is what was signed; the body is always signed as well.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final, NamedTuple

import backfill
from backfill.aws.lean.wire import Address, WireRequest

ALGORITHM: Final = "AWS4-HMAC-SHA256"
EMPTY_BODY: Final = hashlib.sha256(b"").hexdigest()

_UNSIGNED: Final = f"user-agent:s3-backfill/{backfill.__version__}\r\naccept-encoding:identity\r\n"
"""Headers that a proxy may change on the way. Identity: what is compared must arrive as stored."""

_LENGTHLESS: Final = frozenset({"GET", "HEAD"})
"""Methods that say nothing about a body where there is none (RFC 9110 §8.6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What signs. The secret and the token are in no representation."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(repr=False)


class _Form(NamedTuple):
    """What a set of header names makes of a request, for one second.

    Lists of pieces: between two of them stands a value of the request, free as yet.
    """

    canonical: list[str]
    """The canonical headers and all that follows them in the canonical request."""
    sent: list[str]
    """The same headers as lines of the head, and the Authorization but for the signature."""


class Template(NamedTuple):
    """The texts of requests alike, for one second: formats that the same values fill.

    `order` gives the values, as often as they occur, from the texts to be filled in; `sent` takes
    the signature as its last one.
    """

    canonical: str
    sent: str
    order: Callable[[tuple[str, ...]], tuple[str, ...]]


class Signer:
    """Signs for one address. `turn` before the first request, then once a second or less."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._identity: Identity | None = None
        self._day = ""

    def turn(self, identity: Identity, now: str) -> None:
        """Sign as `identity` at `now`, as in `20261122T101112Z`, from here on."""
        address = self._address
        scope = f"{now[:8]}/{address.region}/{address.service}/aws4_request"
        if identity != self._identity or now[:8] != self._day:
            self._identity, self._day = identity, now[:8]
            self._inner, self._outer = _key_digests(identity.secret_key, scope)
        self._now = now
        self._credential = f"{identity.access_key}/{scope}"
        # The string to sign begins with what holds for the whole second.
        self._begun = self._inner.copy()
        self._begun.update(f"{ALGORITHM}\n{now}\n{scope}\n".encode())
        # Bounded by the operations' shapes, and by the names of metadata in one second.
        self._forms: dict[tuple[str, ...], _Form] = {}

    def head(self, request: WireRequest) -> bytes:
        """Return the complete head of the request, its signature included."""
        canonical, begun, ended = self._written(request)
        return f"{begun}{self._signature(canonical)}{ended}".encode()

    def template(self, request: WireRequest, blanks: Sequence[str]) -> Template | None:
        """Return the template of requests like this one, in whose place of each text is a blank.

        None where the texts to be filled in cannot be told from the rest. For as long as the turn.
        """
        canonical, begun, ended = self._written(request)
        blank = re.compile("|".join(map(re.escape, blanks)))
        pieces = [blank.split(text) for text in (canonical, begun)]
        orders = [blank.findall(text) for text in (canonical, begun)]
        if orders[0] != orders[1] or set(orders[0]) != set(blanks) or blank.search(ended):
            return None
        canonical, begun = (
            "%s".join(piece.replace("%", "%%") for piece in text) for text in pieces
        )
        ended = ended.replace("%", "%%")
        assert len(orders[0]) > 1, "one text alone would not come as a tuple"
        order = itemgetter(*map(blanks.index, orders[0]))
        return Template(canonical, f"{begun}%s{ended}", order)

    def filled(self, template: Template, texts: tuple[str, ...]) -> bytes:
        """Return the complete head of a request; the texts are encoded, in the blanks' order."""
        canonical, sent, order = template
        values = order(texts)
        return (sent % (*values, self._signature(canonical % values))).encode()

    def _signature(self, canonical: str) -> str:
        inner = self._begun.copy()
        inner.update(hashlib.sha256(canonical.encode()).hexdigest().encode())
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.hexdigest()

    def _written(self, request: WireRequest) -> tuple[str, str, str]:
        """Return the canonical request, and what is sent before and behind the signature."""
        method, _, path, query, headers, body = request
        address = self._address
        names = tuple(headers)
        if body:
            form = self._form(names, hashlib.sha256(body).hexdigest())
        elif (known := self._forms.get(names)) is not None:
            form = known
        else:
            form = self._forms[names] = self._form(names, EMPTY_BODY)
        values = headers.values()
        canonical, sent = form.canonical.copy(), form.sent.copy()
        canonical[1::2] = values
        sent[1::2] = values
        path = address.base + path if path != "/" else address.root
        length = f"content-length:{len(body)}\r\n" if body or method not in _LENGTHLESS else ""
        return (
            f"{method}\n{path}\n{query}\n{''.join(canonical)}",
            f"{method} {path}{'?' if query else ''}{query} HTTP/1.1\r\n{''.join(sent)}",
            f"\r\n{_UNSIGNED}{length}\r\n",
        )

    def _form(self, names: tuple[str, ...], digest: str) -> _Form:
        assert self._identity is not None, "a signer has its turn before its first request"
        own = {
            "host": self._address.host,
            "x-amz-content-sha256": digest,
            "x-amz-date": self._now,
        }
        if self._identity.token:
            own["x-amz-security-token"] = self._identity.token
        ordered = sorted({*names, *own})
        assert [name for name in ordered if name not in own] == list(names), "headers come sorted"
        signed = ";".join(ordered)
        authorization = (
            f"authorization:{ALGORITHM} Credential={self._credential}, "
            f"SignedHeaders={signed}, Signature="
        )
        lines = [(name, own.get(name)) for name in ordered]
        return _Form(
            canonical=_pieces(lines, "\n", f"\n{signed}\n{digest}"),
            sent=_pieces(lines, "\r\n", authorization),
        )


def _pieces(lines: list[tuple[str, str | None]], end: str, tail: str) -> list[str]:
    """Return the text of header lines, cut where a value is missing; in its place is none yet."""
    pieces = [""]
    for name, value in lines:
        pieces[-1] += f"{name}:"
        if value is None:
            pieces += ["", ""]
        else:
            pieces[-1] += value
        pieces[-1] += end
    pieces[-1] += tail
    return pieces


def _key_digests(secret_key: str, scope: str) -> tuple["hashlib._Hash", "hashlib._Hash"]:
    """Return the inner and the outer digest of an HMAC by the signing key, nothing read yet.

    Two copied digests take half of a copied `hmac` object (RFC 2104 is these six lines).
    """
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    block = key.ljust(64, b"\0")
    return (
        hashlib.sha256(bytes(byte ^ 0x36 for byte in block)),
        hashlib.sha256(bytes(byte ^ 0x5C for byte in block)),
    )
