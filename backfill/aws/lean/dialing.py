"""Opens connections: address after address, within one limit, TLS always verified.

Never sends a request and never accepts a certificate that nobody vouches for.
Law: there is no switch that turns verification off.
"""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

from backfill.aws.lean.addresses import Addresses
from backfill.aws.lean.connection import Connection
from backfill.aws.lean.failures import CertificateRefusedError, ConnectFailedError
from backfill.aws.lean.wire import Origin

ATTEMPTS_MAX: Final = 3
"""Addresses tried for one connection. Each gets its share of the connect limit: of 10 s, 3.3 s,
which covers a lost SYN (sent again after 1 s, and after 3 s)."""


def verifying_context(ca_bundle: str | None) -> ssl.SSLContext:
    """Return what TLS connections are made with; one may serve many transports.

    `ca_bundle` is a file or folder of certificates; None: those of the system. Raises OSError
    (ssl.SSLError is one) when it cannot be read.
    """
    is_folder = ca_bundle is not None and Path(ca_bundle).is_dir()
    return ssl.create_default_context(
        cafile=None if is_folder else ca_bundle, capath=ca_bundle if is_folder else None
    )


class Dialer:
    """Opens connections to one origin."""

    def __init__(self, origin: Origin, tls: ssl.SSLContext | None, *, limit_s: float) -> None:
        assert origin.scheme in {"http", "https"}, "the SDK's endpoint rules give no other"
        assert (tls is not None) == (origin.scheme == "https"), "TLS for https and only for it"
        if tls is not None:
            assert tls.verify_mode is ssl.CERT_REQUIRED, "verification is never off"
            assert tls.check_hostname, "nor is that of the host's name"
        self._origin = origin
        self._tls = tls
        self._limit_s = limit_s
        self._addresses = Addresses(origin.host, origin.port)

    async def connect(self, new: Callable[[], Connection]) -> Connection:
        """Open a connection; raises ConnectFailedError or CertificateRefusedError."""
        loop = asyncio.get_running_loop()
        failures: list[str] = []
        try:
            async with asyncio.timeout(self._limit_s):
                addresses = (await self._addresses.next_addresses(loop.time()))[:ATTEMPTS_MAX]
                for address in addresses:
                    try:
                        return await self._attempt(address, new, self._limit_s / len(addresses))
                    except ssl.SSLCertVerificationError as error:
                        raise CertificateRefusedError(f"{self._origin.host}: {error}") from error
                    except OSError as error:  # a TimeoutError and an SSLError are one
                        failures.append(f"{address}: {str(error) or type(error).__name__}")
                        self._addresses.avoid(address, loop.time())
        except TimeoutError as error:
            failures.append(f"not within {self._limit_s:g} s")
            raise ConnectFailedError(self._no_connection(failures)) from error
        raise ConnectFailedError(self._no_connection(failures))

    async def _attempt(
        self, address: str, new: Callable[[], Connection], limit_s: float
    ) -> Connection:
        async with asyncio.timeout(limit_s):
            _, connection = await asyncio.get_running_loop().create_connection(
                new,
                address,
                self._origin.port,
                ssl=self._tls,
                server_hostname=None if self._tls is None else self._origin.host,
            )
        return connection

    def _no_connection(self, failures: list[str]) -> str:
        place = f"{self._origin.host} port {self._origin.port}"
        return f"no connection to {place}: {'; '.join(failures)}"
