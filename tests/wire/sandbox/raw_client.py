"""An S3 client as small as can be: raw bytes on a socket and a signer of its own.

Shares nothing with the product, the server or an SDK, so that an agreement of two mistakes is not
taken for a proof. Paths and queries are sent exactly as they are given.
"""

import hashlib
import hmac
import re
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class RawAnswer:
    """What came back. Header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The error code of the document, or nothing."""
        return self.element("Code")

    def element(self, name: str) -> str:
        """The raw text of the first such element, still escaped."""
        return next(iter(self.elements(name)), "")

    def elements(self, name: str) -> list[str]:
        """The raw text of all such elements."""
        return re.findall(f"<{name}(?: [^>]*)?>([^<]*)</{name}>", self.body.decode())


@dataclass(kw_only=True)
class RawS3:
    """One keep-alive connection, signing for one identity and Region."""

    port: int
    access_key: str
    secret: str
    region: str
    service: str = "s3"
    token: str | None = None
    host: str = "127.0.0.1"
    now: datetime | None = None
    _socket: socket.socket | None = field(default=None, repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def signed(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        *,
        payload_hash: str | None = None,
        is_signed: bool = True,
    ) -> bytes:
        """The request on the wire."""
        moment = (self.now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
        everything = {"host": f"{self.host}:{self.port}"} | (headers or {})
        if method in {"PUT", "POST"} or body:
            everything.setdefault("content-length", str(len(body)))
        if is_signed:
            everything["x-amz-date"] = moment
            everything["x-amz-content-sha256"] = payload_hash or hashlib.sha256(body).hexdigest()
            if self.token is not None:
                everything["x-amz-security-token"] = self.token
            everything["authorization"] = self._authorization(
                method, path, query, everything, moment
            )
        target = f"{path}?{query}" if query else path
        lines = [f"{method} {target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in everything.items()]
        return "\r\n".join([*lines, "", ""]).encode("utf-8") + body

    def _authorization(
        self, method: str, path: str, query: str, headers: dict[str, str], moment: str
    ) -> str:
        names = sorted(headers)
        canonical_query = "&".join(
            sorted(part if "=" in part else f"{part}=" for part in query.split("&") if part)
        )
        canonical = "\n".join(
            [
                method,
                path,
                canonical_query,
                *(f"{name}:{headers[name].strip()}" for name in names),
                "",
                ";".join(names),
                headers["x-amz-content-sha256"],
            ]
        )
        scope = f"{moment[:8]}/{self.region}/{self.service}/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        key = b"AWS4" + self.secret.encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"
        signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
        return (
            f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, "
            f"SignedHeaders={';'.join(names)}, Signature={signature}"
        )

    def ask(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        *,
        payload_hash: str | None = None,
        is_signed: bool = True,
    ) -> RawAnswer:
        """Send one request and read its answer."""
        wire = self.signed(
            method, path, query, headers, body, payload_hash=payload_hash, is_signed=is_signed
        )
        return self.exchange(wire, has_body=method != "HEAD")

    def exchange(self, wire: bytes, *, has_body: bool = True) -> RawAnswer:
        """Send raw bytes and read one answer."""
        self.send(wire)
        return self.answer(has_body=has_body)

    def send(self, wire: bytes) -> None:
        """Send raw bytes on the connection."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        self._socket.sendall(wire)

    def answer(self, *, has_body: bool = True) -> RawAnswer:
        """Read one answer. Raises EOFError where the server closes instead."""
        head = self._until(b"\r\n\r\n").decode("latin-1")
        status_line, *lines = head.split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines if line)
        }
        size_bytes = int(headers.get("content-length", "0")) if has_body else 0
        return RawAnswer(
            status=int(status_line.split(" ")[1]), headers=headers, body=self._read(size_bytes)
        )

    def _until(self, end: bytes) -> bytes:
        gathered = b""
        while not gathered.endswith(end):
            gathered += self._read(1)
        return gathered.removesuffix(end)

    def _read(self, size_bytes: int) -> bytes:
        assert self._socket is not None
        gathered = b""
        while len(gathered) < size_bytes:
            piece = self._socket.recv(size_bytes - len(gathered))
            if not piece:
                raise EOFError(f"closed after {len(gathered)} bytes of {size_bytes}")
            gathered += piece
        return gathered
