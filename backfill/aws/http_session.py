"""The SDK's HTTP session with everything removed that sends a request a second time.

Never follows a redirect and never repeats a request: aiohttp does both by itself, for PUT and
DELETE too, when a kept-alive connection turns out to be closed. A CopyObject that was sent twice
answers 412 to itself, and a delete marker that was sent twice is two markers.
Law: one call, one request on the wire.
"""

import asyncio
import socket
from functools import partial
from typing import Any

import aiohttp
from aiobotocore.httpsession import AIOHTTPSession
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from botocore.httpsession import ProxyConfiguration, get_cert_path

from backfill.aws.sockets import is_here, keep_alive


class OneRequestSession(AIOHTTPSession):
    """aiobotocore's session; each send is one request, and TLS is always verified."""

    # Any: the SDK hands these over by keyword and they change between its versions.
    def __init__(self, verify: bool | str = True, **settings: Any) -> None:  # noqa: ANN401, FBT001, FBT002 - the SDK's own signature
        # An empty AWS_CA_BUNDLE reaches this place as '', which would turn verification off.
        connector = {
            **(settings.pop("connector_args", None) or {}),
            "socket_factory": _socket,
            "resolver": _LoopbackNames(),
        }
        self._trusted = verify or True
        self._proxies = ProxyConfiguration(proxies=settings.get("proxies"))
        self._has_certificate = bool(settings.get("client_cert"))
        super().__init__(verify=verify or True, connector_args=connector, **settings)  # type: ignore[arg-type] # stub says bool; a path is documented

    def detour(self, url: str) -> str:
        """Return what stands between this session and a URL that is no plain connection, if any."""
        if self._proxies.proxy_url_for(url):
            return "a proxy is on the way"
        if self._has_certificate:
            return "a client certificate is configured"
        return ""

    @property
    def ca_bundle(self) -> str:
        """The file of the certificates that are trusted: AWS_CA_BUNDLE's, or the SDK's own."""
        return self._trusted if isinstance(self._trusted, str) else str(get_cert_path(True))

    # Any: aiobotocore's stub leaves the connector untyped.
    def _create_connector(self, proxy_url: str | None) -> Any:  # noqa: ANN401 - as in the base class
        connector = super()._create_connector(proxy_url)  # type: ignore[misc] # missing in the stub
        connector._factory = partial(_OwnAnswers, loop=asyncio.get_running_loop())  # noqa: SLF001 - there is no other way in
        return connector

    # Any: aiobotocore's stub leaves the session untyped.
    async def _get_session(self, proxy_url: str | None) -> Any:  # noqa: ANN401 - as in the base class
        session = await super()._get_session(proxy_url)  # type: ignore[misc] # missing in the stub
        session._retry_connection = False  # noqa: SLF001 - aiohttp's only switch for it
        return _NoRedirects(session)


class _NoRedirects:
    """Sends with `allow_redirects=False`: the signature covers the host, so following is wrong."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    # Any: passed through to aiohttp unchanged.
    async def request(self, method: str, **request: Any) -> aiohttp.ClientResponse:  # noqa: ANN401 - as in aiohttp
        response = await self._session.request(method, allow_redirects=False, **request)
        # aiobotocore decodes `raw_headers` strictly; aiohttp keeps what it gave once, so not that.
        response._raw_headers = tuple(  # noqa: SLF001 - there is no other way in
            (name, _HeaderValue(value))
            for name, value in response._raw_headers  # noqa: SLF001 - as above
        )
        return response


class _OwnAnswers(ResponseHandler):
    """A connection that is used again only if nothing came on it while nobody asked.

    aiohttp would take what came for the answer to the next request, and the answer to that one for
    the answer to the one after: copies proven by others' ETags.
    """

    def is_connected(self) -> bool:
        return super().is_connected() and not self.should_close


class _LoopbackNames(AbstractResolver):
    """Resolves `*.localhost` to this machine, as is_loopback takes it, and all else as ever."""

    def __init__(self) -> None:
        self._system = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        name = "localhost" if is_here(host) else host
        return await self._system.resolve(name, port, family)

    async def close(self) -> None:
        await self._system.close()


class _HeaderValue(bytes):
    """A header's bytes; those that are no UTF-8 survive decoding as lone surrogates.

    S3 gives back what an uploader sent, Latin-1 in a Content-Disposition for one (RFC 9110 §5.5
    allows any byte above 0x7F). Decoded strictly, one such object is a broken connection for ever.
    """

    def decode(self, encoding: str = "utf-8", errors: str = "surrogateescape") -> str:
        return super().decode(encoding, errors)


def _socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """Open a socket with keep-alive probes; aiobotocore drops botocore's `tcp_keepalive`."""
    family, kind, protocol, _, _ = address
    opened = socket.socket(family=family, type=kind, proto=protocol)
    keep_alive(opened)
    return opened
