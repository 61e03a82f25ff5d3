"""The driver that sends hot calls as the lean client does: bound, signed and exchanged by it.

What comes back is read by botocore's own parser, so that a case sees the server, and not what our
stages need of an answer. What the lean client does not bind goes through boto3.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from threading import Thread
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from botocore.awsrequest import HeadersDict
from botocore.parsers import create_parser

from backfill.aws.lean.binding import OPERATIONS, BindingError, bind
from backfill.aws.lean.signature import Identity, Signer
from backfill.aws.lean.transport import Transport
from backfill.aws.lean.wire import Address, Origin, WireReply, WireRequest
from tests.contract.boto3_driver import Boto3Driver
from tests.contract.vocabulary import Refused

_LIMIT_S = 30.0

T = TypeVar("T")


class LeanDriver(Boto3Driver):
    """`Driver` over HTTP, hot calls by the lean client in a loop of its own."""

    def __init__(
        self,
        settings: Mapping[str, str],
        *,
        account_id: str,
        settle: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(settings, account_id=account_id, settle=settle)
        self.sent: set[str] = set()
        """Operations that the lean client has carried out."""
        parts = urlsplit(settings["endpoint_url"])
        assert parts.hostname is not None, "an endpoint has a host"
        assert parts.port is not None, "our servers take a free port"
        self._origin = Origin("http", parts.hostname, parts.port)
        self._identity = Identity(
            access_key=settings["aws_access_key_id"],
            secret_key=settings["aws_secret_access_key"],
            token=settings.get("aws_session_token"),
        )
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._transport = self._run(self._opened())

    def close(self) -> None:
        """Close the connections and end the loop."""
        super().close()
        self._run(self._transport.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def call(self, operation: str, **arguments: Any) -> Any:
        name = "".join(word.capitalize() for word in operation.split("_"))
        given = {key: value for key, value in arguments.items() if value is not None}
        # botocore asks for encoded keys by itself, and decodes them outside of its parser.
        if name not in OPERATIONS or name.startswith("List"):
            return super().call(operation, **arguments)
        try:
            request = bind(name, given)
        except BindingError:
            return super().call(operation, **arguments)
        answer = self._run(self._exchanged(request))
        is_elsewhere = b"AuthorizationHeaderMalformed" in answer.body or answer.status == 301
        if is_elsewhere:  # boto3 asks in the right Region then; a client of ours does not
            return super().call(operation, **arguments)
        self.sent.add(name)
        return self._read(name, operation, answer)

    async def _opened(self) -> Transport:
        return Transport(self._origin, connections_max=4)

    async def _exchanged(self, request: WireRequest) -> WireReply:
        root = f"/{request.bucket}"
        host = f"{self._origin.host}:{self._origin.port}"
        signer = Signer(Address(self._origin, host, root, root, self._region, "s3"))
        signer.turn(self._identity, datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"))
        return await self._transport.exchange(
            signer.head(request),
            request.body,
            is_head=request.method == "HEAD",
            limit_s=_LIMIT_S,
        )

    def _read(self, name: str, operation: str, answer: WireReply) -> Any:
        model = self._client.meta.service_model.operation_model(name)
        body: Any = answer.body
        if model.has_streaming_output and answer.status < 300:
            body = _Body(answer.body)
        headers = HeadersDict(answer.headers)  # looked up without regard to case
        response = {"status_code": answer.status, "headers": headers, "body": body}
        parsed = create_parser("rest-xml").parse(response, model.output_shape)
        if answer.status >= 300:
            has_body = not operation.startswith("head_") and answer.status != 304
            code = parsed["Error"]["Code"] if has_body else None
            raise Refused(operation, answer.status, code, answer.headers)
        return parsed

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_LIMIT_S * 2)


class _Body:
    """A body that is there, read as boto3's streams are."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def read(self) -> bytes:
        return self._data
