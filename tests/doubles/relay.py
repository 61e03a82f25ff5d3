"""A relay between the command and a server of this machine, which tells who sent what.

    with Relay(sandbox.port) as relay:
        command.run(..., "--endpoint-url", relay.endpoint_url)
    assert relay.agents()["copy"] == {b"aiobotocore"}

Never changes a byte, so that what was signed stays so. Law: all bytes of all connections are kept.
"""

import re
import socket
from collections import defaultdict
from contextlib import suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Final, Self

_REQUEST: Final = re.compile(
    rb"(GET|PUT|HEAD|POST|DELETE) (/\S*) HTTP/1\.1\r\n((?:[^\r\n]+\r\n)+)\r\n"
)
_AGENT: Final = re.compile(rb"^user-agent: *([^/\r]+)", re.IGNORECASE | re.MULTILINE)


class Relay(ThreadingTCPServer):
    """Passes bytes on to a server of this machine, and keeps what clients sent."""

    request_queue_size = 256

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Line)
        self.endpoint_url = f"http://127.0.0.1:{self.server_address[1]}"
        self._serving = Thread(target=self.serve_forever)
        self.behind = ("127.0.0.1", port)
        self.sent: list[bytearray] = []

    def __enter__(self) -> Self:
        self._serving.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._serving.join()
        self.server_close()

    def agents(self) -> dict[str, set[bytes]]:
        """Return the names that clients gave themselves, for each kind of request."""
        found: dict[str, set[bytes]] = defaultdict(set)
        for method, path, head in (one for sent in self.sent for one in _REQUEST.findall(sent)):
            is_copy = b"x-amz-copy-source:" in head.lower()
            kind = "copy" if is_copy else "list" if b"versions" in path else method.decode()
            found[kind] |= set(_AGENT.findall(head))
        return found


class _Line(BaseRequestHandler):
    """One connection."""

    def handle(self) -> None:
        assert isinstance(self.server, Relay), "a line of the relay"
        sent = bytearray()
        self.server.sent.append(sent)
        with socket.create_connection(self.server.behind) as server:
            back = Thread(target=_pass_on, args=(server, self.request, bytearray()))
            back.start()
            _pass_on(self.request, server, sent)
            back.join()


def _pass_on(one: socket.socket, other: socket.socket, kept: bytearray) -> None:
    with suppress(OSError):
        while data := one.recv(65_536):
            kept += data
            other.sendall(data)
    with suppress(OSError):
        other.shutdown(socket.SHUT_RDWR)
