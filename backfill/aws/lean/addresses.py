"""The addresses behind a host name, used evenly, those that failed last.

Never connects; never asks the resolver twice within the time that S3 says its answer holds.
Law: every address is tried before one is tried again.
"""

import asyncio
import ipaddress
import socket
from typing import Final

from backfill.aws.lean.failures import ConnectFailedError
from backfill.aws.sockets import is_here

HELD_S: Final = 5.0
"""How long an answer of the resolver is used: the TTL of S3's own records, which name up to eight
addresses at a time and others the next time (S3 User Guide: optimizing-performance-guidelines asks
to spread requests over them)."""

AVOIDED_S: Final = 60.0
"""How long an address that failed is tried last: a machine without a route to IPv6 should not lose
every other connection to it, and a mended address comes back within a minute."""

AVOIDED_MAX: Final = 64
"""Addresses remembered as failed; beyond that the oldest is forgotten."""


class Addresses:
    """The addresses of one host and port. `now` is the loop's time."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._known: tuple[str, ...] = (host,) if _is_numeric(host) else ()
        self._until = float("inf") if self._known else float("-inf")
        self._turn = 0
        self._avoided: dict[str, float] = {}
        self._asking = asyncio.Lock()

    async def next_addresses(self, now: float) -> tuple[str, ...]:
        """Return all addresses, the one whose turn it is first; raises ConnectFailedError."""
        async with self._asking:  # many connections at once ask once
            if now >= self._until:
                self._known = await self._resolved()
                self._until = now + HELD_S
        known = self._known
        first = self._turn % len(known)
        self._turn += 1
        turned = known[first:] + known[:first]
        return tuple(sorted(turned, key=lambda address: self._avoided.get(address, 0.0) > now))

    def avoid(self, address: str, now: float) -> None:
        """Try an address last for a while."""
        self._avoided.pop(address, None)
        if len(self._avoided) >= AVOIDED_MAX:
            del self._avoided[next(iter(self._avoided))]
        self._avoided[address] = now + AVOIDED_S

    async def _resolved(self) -> tuple[str, ...]:
        name = "localhost" if is_here(self._host) else self._host
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                name, self._port, type=socket.SOCK_STREAM
            )
        except (OSError, UnicodeError) as error:  # a label of more than 63 characters is the latter
            raise ConnectFailedError(f"{self._host} does not resolve: {error}") from error
        addresses = tuple(dict.fromkeys(str(address[0]) for *_, address in found))
        if not addresses:
            raise ConnectFailedError(f"{self._host} has no address")
        return addresses


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
