"""The loop of one process: epoll, non-blocking sockets, answers in the order of the requests.

Never parses more of a request than its answer needs: on a well-behaved client the start line, the
copy source and the length of the body. Law: no answer is late but by the latency that was asked.
"""

import contextlib
import json
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from benchmarks.canned_server.answers import Answers
from benchmarks.canned_server.shared import Shared

_CHUNK: Final = 256 * 1024
_READ: Final = select.EPOLLIN
_BOTH: Final = select.EPOLLIN | select.EPOLLOUT
_IDLE_S: Final = 0.5


class Connection:
    """One client's socket, what came and was not read yet, what goes and was not taken yet."""

    __slots__ = ("due", "inbox", "is_closing", "is_shaking", "is_waiting", "outbox", "socket")

    def __init__(self, accepted: socket.socket, *, is_shaking: bool) -> None:
        self.socket = accepted
        self.inbox = b""
        self.outbox = b""
        self.is_shaking = is_shaking
        self.is_waiting = False
        self.is_closing = False
        self.due = 0


class Throttle:
    """A token bucket a second deep; nothing passes beyond its rate."""

    def __init__(self, a_second: float) -> None:
        self._a_second = a_second
        self._tokens = a_second
        self._at_s = time.monotonic()

    def lets_pass(self) -> bool:
        """Take a token, if there is one."""
        now_s = time.monotonic()
        self._tokens = min(self._a_second, self._tokens + (now_s - self._at_s) * self._a_second)
        self._at_s = now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Loop:
    """Serves one listening socket until it is told to stop."""

    def __init__(
        self,
        listener: socket.socket,
        answers: Answers,
        shared: Shared,
        *,
        tls: ssl.SSLContext | None,
        latency_s: float,
        throttle: Throttle | None,
    ) -> None:
        self._listener = listener
        self._answers = answers
        self._shared = shared
        self._tls = tls
        self._latency_s = latency_s
        self._throttle = throttle
        self._epoll = select.epoll()
        self._connections: dict[int, Connection] = {}
        self._late: deque[tuple[float, Connection, bytes]] = deque()
        self._epoll.register(listener.fileno(), _READ)

    def run(self, is_over: Callable[[], bool]) -> None:
        """Serve until told."""
        listener = self._listener.fileno()
        while not is_over():
            timeout_s = _IDLE_S
            if self._late:
                timeout_s = min(max(0.0, self._late[0][0] - time.monotonic()), _IDLE_S)
            with contextlib.suppress(InterruptedError):
                events = self._epoll.poll(timeout_s)
            self._answers.set_time(time.time())
            for number, event in events:
                if number == listener:
                    self._accept()
                elif (connection := self._connections.get(number)) is not None:
                    self._serve(connection, event)
            if self._late:
                self._send_late()

    def _accept(self) -> None:
        for _ in range(128):
            try:
                accepted, _ = self._listener.accept()
            except (BlockingIOError, ConnectionError):
                return
            accepted.setblocking(False)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                accepted = self._tls.wrap_socket(
                    accepted, server_side=True, do_handshake_on_connect=False
                )
            connection = Connection(accepted, is_shaking=self._tls is not None)
            self._connections[accepted.fileno()] = connection
            self._epoll.register(accepted.fileno(), _READ)
            self._shared.count("connections")

    def _serve(self, connection: Connection, event: int) -> None:
        try:
            if connection.is_shaking and not self._shake(connection):
                return
            if event & select.EPOLLOUT:
                self._send(connection, b"")
            self._receive(connection)
        except ssl.SSLWantReadError:
            pass
        except (OSError, ValueError):
            self._close(connection)

    def _shake(self, connection: Connection) -> bool:
        assert isinstance(connection.socket, ssl.SSLSocket), "only TLS shakes hands"
        try:
            connection.socket.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLWantWriteError:
            self._wait_to_send(connection)
            return False
        connection.is_shaking = False
        return True

    def _receive(self, connection: Connection) -> None:
        while True:
            try:
                data = connection.socket.recv(_CHUNK)
            except (BlockingIOError, ssl.SSLWantReadError):
                return
            if not data:
                self._close(connection)
                return
            self._take(connection, connection.inbox + data if connection.inbox else data)
            # Level-triggered: the kernel's buffer reports itself, what TLS has decrypted does not.
            if not isinstance(connection.socket, ssl.SSLSocket) or not connection.socket.pending():
                return

    def _take(self, connection: Connection, inbox: bytes) -> None:
        """Answer all whole requests in the inbox; keep the rest."""
        out = []
        while inbox:
            end = inbox.find(b"\r\n\r\n")
            if end < 0:
                break
            start = inbox.index(b"\r\n")
            method, target, _ = inbox[:start].split(b" ")
            head, body_end = inbox[start : end + 2], end + 4
            if method in (b"PUT", b"POST", b"DELETE"):
                body_end += _length(head)
                if len(inbox) < body_end:
                    break
            out.append(self._answer(method, target, head, inbox[end + 4 : body_end]))
            if b"onnection: close" in head:
                connection.is_closing = True
            inbox = inbox[body_end:]
        connection.inbox = inbox
        if not out:
            return
        told = out[0] if len(out) == 1 else b"".join(out)
        if self._latency_s:
            connection.due += 1
            self._late.append((time.monotonic() + self._latency_s, connection, told))
        else:
            self._send(connection, told)

    def _answer(self, method: bytes, target: bytes, head: bytes, body: bytes) -> bytes:
        if target.startswith(b"/_canned/"):
            if target == b"/_canned/reset":
                self._shared.reset()
            told = json.dumps(self._shared.told()).encode()
            return (
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                % (len(told), told)
            )
        if self._throttle is not None and not self._throttle.lets_pass():
            self._shared.count("slow_down")
            return self._answers.error(b"503 Slow Down", b"SlowDown", has_body=method != b"HEAD")
        return self._answers.answer(method, target, head, body)

    def _send_late(self) -> None:
        now_s = time.monotonic()
        while self._late and self._late[0][0] <= now_s:
            _, connection, told = self._late.popleft()
            connection.due -= 1
            try:
                self._send(connection, told)
            except OSError:
                self._close(connection)

    def _send(self, connection: Connection, told: bytes) -> None:
        outbox = connection.outbox + told if connection.outbox else told
        sent = 0
        view = memoryview(outbox)
        while sent < len(view):
            try:
                sent += connection.socket.send(view[sent:])
            except (BlockingIOError, ssl.SSLWantWriteError):
                break
        connection.outbox = outbox[sent:] if sent < len(outbox) else b""
        if connection.outbox:
            self._wait_to_send(connection)
            return
        if connection.is_waiting:
            connection.is_waiting = False
            self._epoll.modify(connection.socket.fileno(), _READ)
        if connection.is_closing and not connection.due:
            self._close(connection)

    def _wait_to_send(self, connection: Connection) -> None:
        if not connection.is_waiting:
            connection.is_waiting = True
            self._epoll.modify(connection.socket.fileno(), _BOTH)

    def _close(self, connection: Connection) -> None:
        number = connection.socket.fileno()
        if number >= 0 and self._connections.pop(number, None) is not None:
            self._epoll.unregister(number)
            connection.socket.close()


def _length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(b"\r\ncontent-length:")
    if at >= 0:
        return int(lowered[at + 17 : lowered.index(b"\r", at + 17)])
    if b"\r\ntransfer-encoding:" in lowered:
        raise ValueError("a chunked request: nobody needs to send one here")
    return 0
