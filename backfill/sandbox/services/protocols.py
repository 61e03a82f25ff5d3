"""The protocols of the services: query (XML), JSON 1.0 and 1.1, REST with JSON bodies, CBOR.

Never knows what an operation does. One law: an error goes out in the shape and under the code that
SDKs of that protocol read.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from uuid import NAMESPACE_URL, uuid5

from backfill.sandbox.http.messages import HttpRequest, HttpResponse
from backfill.sandbox.http.refusals import refused
from backfill.sandbox.http.xml import branch, document, leaf
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.services import cbor
from backfill.sandbox.services.fields import Fields, Value, query_fields


class Kind(Enum):
    """A family of protocols."""

    QUERY = auto()
    JSON = auto()
    REST_JSON = auto()
    CBOR = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How one service is spoken to."""

    kind: Kind
    version: str = ""
    """Of the query API: the `Version` that goes with each call, and a part of the namespace."""
    namespace: str = ""
    prefix: str = ""
    """Of JSON: what stands before the operation in `X-Amz-Target`."""
    media_type: str = "text/xml"
    is_query_compatible: bool = False
    """Errors also go out under the codes of the query API that the service once had."""


def _query(host: str, version: str, scheme: str = "https") -> Protocol:
    return Protocol(
        kind=Kind.QUERY,
        version=version,
        namespace=f"{scheme}://{host}.amazonaws.com/doc/{version}/",
    )


PROTOCOLS: Mapping[str, Protocol] = {
    "iam": _query("iam", "2010-05-08"),
    "sts": _query("sts", "2011-06-15"),
    "sns": _query("sns", "2010-03-31", "http"),
    "monitoring": _query("monitoring", "2010-08-01", "http"),
    "kms": Protocol(kind=Kind.JSON, prefix="TrentService", media_type="application/x-amz-json-1.1"),
    "sqs": Protocol(
        kind=Kind.JSON,
        prefix="AmazonSQS",
        media_type="application/x-amz-json-1.0",
        is_query_compatible=True,
    ),
    "lambda": Protocol(kind=Kind.REST_JSON, media_type="application/json"),
}
"""By the service's name in the credential scope."""

_GRANITE = "GraniteServiceVersion20100801"
_OTHERWISE: Mapping[str, Mapping[Kind, Protocol]] = {
    "monitoring": {
        Kind.JSON: Protocol(
            kind=Kind.JSON,
            prefix=_GRANITE,
            media_type="application/x-amz-json-1.0",
            is_query_compatible=True,
        ),
        Kind.CBOR: Protocol(
            kind=Kind.CBOR,
            prefix=_GRANITE,
            media_type="application/cbor",
            is_query_compatible=True,
        ),
    }
}
"""What newer SDKs speak instead."""
_CBOR_PATH = re.compile(rb"/service/([A-Za-z0-9]+)/operation/([A-Za-z0-9]+)")
_SHAPES = {
    "AWS.SimpleQueueService.NonExistentQueue": "QueueDoesNotExist",
    "AWS.SimpleQueueService.UnsupportedOperation": "UnsupportedOperation",
    "AWS.SimpleQueueService.EmptyBatchRequest": "EmptyBatchRequest",
    "AWS.SimpleQueueService.TooManyEntriesInBatchRequest": "TooManyEntriesInBatchRequest",
    "AWS.SimpleQueueService.BatchEntryIdsNotDistinct": "BatchEntryIdsNotDistinct",
    "QueueAlreadyExists": "QueueNameExists",
}
"""What SQS's JSON calls an error whose code of the query API is another."""
_UNKNOWN_KEY = "The security token included in the request is invalid."
_EXPIRED = "The security token included in the request is expired"
_QUERY_CODES = {
    "InvalidAccessKeyId": ("InvalidClientTokenId", 403, _UNKNOWN_KEY),
    "InvalidToken": ("InvalidClientTokenId", 403, _UNKNOWN_KEY),
    "ExpiredToken": ("ExpiredToken", 403, _EXPIRED),
    "RequestTimeTooSkewed": ("SignatureDoesNotMatch", 403, "Signature expired or not yet current"),
}
_JSON_CODES = {
    "InvalidAccessKeyId": ("UnrecognizedClientException", 400, _UNKNOWN_KEY),
    "InvalidToken": ("UnrecognizedClientException", 400, _UNKNOWN_KEY),
    "ExpiredToken": ("ExpiredTokenException", 400, _EXPIRED),
    "SignatureDoesNotMatch": (
        "InvalidSignatureException",
        400,
        "The request signature we calculated does not match the signature you provided.",
    ),
    "RequestTimeTooSkewed": (
        "InvalidSignatureException",
        400,
        "Signature expired or not yet current",
    ),
    "MissingAuthenticationToken": (
        "MissingAuthenticationTokenException",
        400,
        "Missing Authentication Token",
    ),
    "InvalidAction": ("UnknownOperationException", 400, "Unknown operation"),
}
"""The services' own codes for what S3's signature check calls otherwise."""


def protocol_of(service: str, request: HttpRequest) -> Protocol:
    """What a request to a service is spoken in."""
    others = _OTHERWISE.get(service, {})
    if Kind.CBOR in others and request.header("smithy-protocol") == "rpc-v2-cbor":
        return others[Kind.CBOR]
    if Kind.JSON in others and request.header("x-amz-target") is not None:
        return others[Kind.JSON]
    return PROTOCOLS[service]


def operation_of(protocol: Protocol, request: HttpRequest) -> tuple[str, Fields]:
    """The operation's name and its members. Raises S3Error when there is none."""
    if protocol.kind is Kind.QUERY:
        fields = query_fields(request.body)
        operation, version = fields.text("Action"), fields.text("Version")
        if operation is None or version != protocol.version:
            raise unknown_operation(operation, version)
        return operation, fields
    if protocol.kind is Kind.CBOR:
        found = _CBOR_PATH.fullmatch(request.raw_path)
        if found is None or found[1].decode() != protocol.prefix:
            raise unknown_operation(None, protocol.prefix)
        return found[2].decode(), cbor_fields(request.body)
    prefix, _, operation = (request.header("x-amz-target") or "").partition(".")
    if prefix != protocol.prefix or not operation:
        raise unknown_operation(operation or None, prefix)
    return operation, json_fields(request.body)


def json_fields(body: bytes) -> Fields:
    """The members of a JSON body; an empty body has none."""
    try:
        raw: Value = json.loads(body or b"{}")
    except ValueError:
        raw = None
    return _fields(raw)


def cbor_fields(body: bytes) -> Fields:
    """The members of a CBOR body."""
    try:
        raw = cbor.decoded(body)
    except cbor.CborError:
        raw = None
    return _fields(raw)


def _fields(raw: Value) -> Fields:
    if not isinstance(raw, Mapping):
        raise refused(
            code="SerializationException",
            status=400,
            message="Could not parse the request body",
            fact="KMS API: CommonErrors",
        )
    return Fields(raw)


def unknown_operation(operation: str | None, version: str | None) -> S3Error:
    """400: no such operation, or none that this sandbox carries."""
    return refused(
        code="InvalidAction",
        status=400,
        message=f"Could not find operation {operation} for version {version}",
        fact="IAM API: CommonErrors",
    )


def xml_answer(
    protocol: Protocol, operation: str, result: Iterable[str], request_id: str
) -> HttpResponse:
    """An answer of the query protocol."""
    parts = [
        branch(f"{operation}Result", result),
        branch("ResponseMetadata", [leaf("RequestId", _uuid(request_id))]),
    ]
    body = document(f"{operation}Response", parts, namespace=protocol.namespace)
    return _xml(200, body, request_id)


def json_answer(
    protocol: Protocol, result: Mapping[str, object], request_id: str, status: int = 200
) -> HttpResponse:
    """An answer in JSON or CBOR."""
    body = _body(protocol, result) if status != 204 else b""
    return HttpResponse(status=status, headers=_headers(protocol, request_id), body=body)


def _headers(protocol: Protocol, request_id: str) -> tuple[tuple[str, str], ...]:
    headers = (("Content-Type", protocol.media_type), ("x-amzn-RequestId", _uuid(request_id)))
    return (*headers, ("smithy-protocol", "rpc-v2-cbor")) if _is_cbor(protocol) else headers


def _is_cbor(protocol: Protocol) -> bool:
    return protocol.kind is Kind.CBOR


def _body(protocol: Protocol, result: Mapping[str, object]) -> bytes:
    if _is_cbor(protocol):
        return cbor.encoded(result)
    return json.dumps(result, default=_seconds).encode()


def _seconds(value: object) -> float:
    assert isinstance(value, datetime), f"{type(value)} has no place in an answer"
    return value.timestamp()


def xml_parts(result: Mapping[str, object]) -> list[str]:
    """The parts of a result of the query protocol, from the structure that it is."""
    return [_xml_part(name, value) for name, value in result.items()]


def _xml_part(name: str, value: object) -> str:
    if isinstance(value, Mapping):
        return branch(name, xml_parts(value))
    if isinstance(value, datetime):
        return leaf(name, instant(value))
    if isinstance(value, list):
        return branch(name, [_xml_part("member", each) for each in value])
    return leaf(name, str(value))


def error_answer(protocol: Protocol, error: S3Error, request_id: str) -> HttpResponse:
    """An error as the protocol writes it."""
    codes = _QUERY_CODES if protocol.kind is Kind.QUERY else _JSON_CODES
    code, status, message = codes.get(error.code, (error.code, error.status, error.message))
    if protocol.kind is Kind.QUERY:
        party = "Sender" if status < 500 else "Receiver"
        inner = [leaf("Type", party), leaf("Code", code), leaf("Message", message)]
        parts = [branch("Error", inner), leaf("RequestId", _uuid(request_id))]
        return _xml(
            status, document("ErrorResponse", parts, namespace=protocol.namespace), request_id
        )
    headers = [*_headers(protocol, request_id), *error.headers]
    if protocol.kind is Kind.REST_JSON:
        is_signing = code != error.code
        headers.append(("x-amzn-ErrorType", code))
        body = {"Type": "User", "Message": message, "message": message}
        status = 403 if is_signing else status
    else:
        if protocol.is_query_compatible:
            headers.append(("x-amzn-query-error", f"{code};Sender"))
        body = {"__type": _SHAPES.get(code, code), "message": message}
    return HttpResponse(status=status, headers=tuple(headers), body=_body(protocol, body))


def members(name: str, items: Iterable[str]) -> str:
    """A list of the query protocol, of parts that are rendered already."""
    return branch(name, [branch("member", [item]) for item in items])


def instant(moment: datetime) -> str:
    """A time in XML."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _xml(status: int, body: bytes, request_id: str) -> HttpResponse:
    headers = (("Content-Type", "text/xml"), ("x-amzn-RequestId", _uuid(request_id)))
    return HttpResponse(status=status, headers=headers, body=body)


def _uuid(request_id: str) -> str:
    return str(uuid5(NAMESPACE_URL, request_id))
