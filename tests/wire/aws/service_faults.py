"""The faults F1 to F20 as each service words them, and what each must end in.

Written by hand from the services' API references, fault by fault, never from the product's table.
Only data and the bytes it stands for. Law: a row says what the server did, and one disposition for
a read, one for a write.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from backfill.errors import Disposition
from tests.wire.aws.raw_server import CLOSE, RESET, Action, Send, answer

RETRY, SETTLE, REDECIDE = Disposition.RETRY, Disposition.SETTLE, Disposition.REDECIDE
SKIP, FAIL, STOP = Disposition.SKIP, Disposition.FAIL, Disposition.STOP


@dataclass(frozen=True, slots=True)
class Fault:
    """What the server does, and how a read and a write must end."""

    name: str
    action: Action
    read: Disposition
    write: Disposition


# --- the words of each service ---


def refusal(code: str, more: str = "") -> bytes:
    """Return an error document of S3."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
        f"<Message>said so</Message>{more}<RequestId>R1</RequestId></Error>"
    ).encode()


def s3(status: int, code: str) -> Send:
    """Refuse as S3 does."""
    return answer(status, refusal(code), headers=(("content-type", "application/xml"),))


def s3control(status: int, code: str) -> Send:
    """Refuse as S3 Control does."""
    error = f"<Error><Code>{code}</Code><Message>said so</Message></Error>"
    return answer(status, f"<ErrorResponse>{error}</ErrorResponse>".encode())


def query(status: int, code: str) -> Send:
    """Refuse as IAM, STS, SNS and CloudWatch do."""
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>said so</Message></Error>"
    return answer(
        status,
        f"<ErrorResponse>{error}<RequestId>R1</RequestId></ErrorResponse>".encode(),
        headers=(("content-type", "text/xml"),),
    )


def as_json(status: int, code: str) -> Send:
    """Refuse as KMS and SQS do."""
    body = json.dumps({"__type": f"com.amazonaws#{code}", "message": "said so"}).encode()
    return answer(status, body, headers=(("content-type", "application/x-amz-json-1.1"),))


def as_rest_json(status: int, code: str) -> Send:
    """Refuse as Lambda does."""
    body = json.dumps({"Type": "User", "Message": "said so"}).encode()
    return answer(status, body, headers=(("x-amzn-errortype", code),))


Refusal = Callable[[int, str], Send]
WORDS: Mapping[str, Refusal] = {
    "s3": s3,
    "s3control": s3control,
    "iam": query,
    "sts": query,
    "sns": query,
    "cloudwatch": query,
    "kms": as_json,
    "sqs": as_json,
    "lambda": as_rest_json,
}


# --- what happens to bytes, whatever the service ---

BROKEN = (
    Fault("F2 HTML from a proxy", answer(502, b"<html>bad gateway</html>"), RETRY, SETTLE),
    Fault("F2 HTML that is no XML", answer(500, b"<html><br>oops"), RETRY, SETTLE),
    Fault("F2 empty 503", answer(503), RETRY, SETTLE),
    Fault("F2 empty 504", answer(504), RETRY, SETTLE),
    Fault("F6 short body", answer(200, b"<a", length=100, then="close"), RETRY, SETTLE),
    Fault("F7 reset after the request", RESET, RETRY, SETTLE),
    Fault("F8 FIN without an answer", CLOSE, RETRY, SETTLE),
    Fault("F8 FIN inside the head", Send(b"HTTP/1.1 200 O", then="close"), RETRY, SETTLE),
    Fault("F9 garbage", Send(b"\x16\x03\x01 no http\r\n\r\n", then="close"), RETRY, SETTLE),
)
CUT = answer(200, b"<CopyObjectResult><ETag>&quot;abc")
WITHOUT_RESULT = (
    Fault("F4 200 and nothing", answer(200), RETRY, SETTLE),
    Fault("F5 200 and cut XML", CUT, RETRY, SETTLE),
)
"""An answer that lacks what is to be read from it."""


def worded(
    say: Refusal, *rows: tuple[str, int, str, Disposition, Disposition]
) -> tuple[Fault, ...]:
    """Return refusals: fault, status, code, and the dispositions of a read and of a write."""
    return tuple(
        Fault(f"{name} {code}", say(status, code), read, write)
        for name, status, code, read, write in rows
    )


S3 = (
    *BROKEN,
    *worded(
        s3,
        ("F1", 503, "SlowDown", RETRY, RETRY),
        ("F2", 500, "InternalError", RETRY, SETTLE),
        ("F12", 412, "PreconditionFailed", FAIL, REDECIDE),
        ("F13", 409, "ConditionalRequestConflict", FAIL, REDECIDE),
        ("F13", 409, "OperationAborted", FAIL, REDECIDE),
        ("F14", 404, "NoSuchVersion", SKIP, SKIP),
        ("F14", 404, "NoSuchBucket", STOP, STOP),
        ("F15", 403, "AccessDenied", FAIL, FAIL),
        ("F16", 400, "ExpiredToken", STOP, STOP),
        ("F16", 403, "InvalidAccessKeyId", STOP, STOP),
        ("F17", 403, "RequestTimeTooSkewed", STOP, STOP),
        ("F18", 301, "PermanentRedirect", STOP, STOP),
        ("F18", 400, "AuthorizationHeaderMalformed", STOP, STOP),
        ("F19", 400, "KMS.DisabledException", FAIL, FAIL),
        ("F19", 400, "KMS.ThrottlingException", RETRY, RETRY),
        ("F19", 403, "KMS.AccessDeniedException", FAIL, FAIL),
        ("F20", 403, "InvalidObjectState", SKIP, SKIP),
        ("F20", 403, "ObjectNotInActiveTierError", SKIP, SKIP),
        ("F20", 501, "NotImplemented", STOP, STOP),
        ("never heard of", 418, "TeapotError", FAIL, SETTLE),
    ),
)
S3_INSIDE_200 = worded(
    s3,
    ("F3 in a 200", 200, "InternalError", RETRY, SETTLE),
    ("F3 in a 200", 200, "SlowDown", RETRY, SETTLE),
    ("F3 in a 200", 200, "AccessDenied", FAIL, FAIL),
)
"""A refusal where success was announced (S3 API: CopyObject)."""

S3_CONTROL = (
    *BROKEN,
    *worded(
        s3control,
        ("F1", 400, "TooManyRequestsException", RETRY, RETRY),
        ("F1", 503, "SlowDown", RETRY, RETRY),
        ("F2", 500, "InternalServiceException", RETRY, SETTLE),
        ("F2", 500, "InternalError", RETRY, SETTLE),
        ("F13", 409, "JobStatusException", FAIL, REDECIDE),
        ("F13", 400, "IdempotencyException", FAIL, SETTLE),
        ("F14", 404, "NoSuchJob", FAIL, FAIL),
        ("F14", 404, "NotFoundException", FAIL, FAIL),
        ("F15", 403, "AccessDenied", FAIL, FAIL),
        ("F16", 400, "ExpiredToken", STOP, STOP),
        ("F16", 403, "InvalidAccessKeyId", STOP, STOP),
        ("F17", 403, "RequestTimeTooSkewed", STOP, STOP),
        ("F18", 400, "AuthorizationHeaderMalformed", STOP, STOP),
        ("F20", 501, "NotImplemented", STOP, STOP),
        ("refused", 400, "BadRequestException", FAIL, FAIL),
        ("refused", 400, "InvalidRequest", FAIL, FAIL),
        ("never heard of", 400, "CodeOfNextYear", FAIL, SETTLE),
    ),
)

_SIGNED_BY_QUERY = (
    ("F16", 403, "ExpiredToken", STOP, STOP),
    ("F16", 403, "InvalidClientTokenId", STOP, STOP),
    # IAM, STS and SNS have this one word for a wrong secret and for a wrong clock.
    ("F17", 403, "SignatureDoesNotMatch", STOP, STOP),
    ("F17", 400, "RequestExpired", STOP, STOP),
    ("never heard of", 418, "TeapotError", FAIL, SETTLE),
)
_SIGNED_BY_JSON = (
    ("F16", 400, "ExpiredTokenException", STOP, STOP),
    ("F16", 400, "UnrecognizedClientException", STOP, STOP),
    # The word of services that speak JSON for what the others call SignatureDoesNotMatch.
    ("F17", 400, "InvalidSignatureException", STOP, STOP),
    ("F17", 403, "InvalidSignatureException", STOP, STOP),
    ("F17", 400, "RequestExpired", STOP, STOP),
    ("F18", 400, "IncompleteSignatureException", STOP, STOP),
    ("F16", 400, "MissingAuthenticationTokenException", STOP, STOP),
    ("never heard of", 418, "TeapotError", FAIL, SETTLE),
)

OF_SERVICE: Mapping[str, tuple[Fault, ...]] = {
    "s3": S3,
    "s3control": S3_CONTROL,
    "iam": (
        *BROKEN,
        *worded(
            query,
            ("F1", 400, "Throttling", RETRY, RETRY),
            ("F2", 500, "ServiceFailure", RETRY, SETTLE),
            ("F2", 500, "InternalFailure", RETRY, SETTLE),
            ("F13", 409, "ConcurrentModification", FAIL, REDECIDE),
            ("F13", 409, "EntityTemporarilyUnmodifiable", FAIL, REDECIDE),
            ("F14", 404, "NoSuchEntity", FAIL, FAIL),
            ("F15", 403, "AccessDenied", FAIL, FAIL),
            ("refused", 409, "EntityAlreadyExists", FAIL, FAIL),
            ("refused", 409, "DeleteConflict", FAIL, FAIL),
            ("refused", 409, "LimitExceeded", FAIL, FAIL),
            ("refused", 400, "MalformedPolicyDocument", FAIL, FAIL),
            *_SIGNED_BY_QUERY,
        ),
    ),
    "sts": (
        *BROKEN,
        *worded(
            query,
            ("F1", 400, "Throttling", RETRY, RETRY),
            ("F2", 500, "InternalFailure", RETRY, SETTLE),
            ("F15", 403, "AccessDenied", FAIL, FAIL),
            *_SIGNED_BY_QUERY,
        ),
    ),
    "sns": (
        *BROKEN,
        *worded(
            query,
            ("F1", 429, "Throttled", RETRY, RETRY),
            ("F1", 400, "Throttling", RETRY, RETRY),
            ("F2", 500, "InternalError", RETRY, SETTLE),
            ("F14", 404, "NotFound", FAIL, FAIL),
            ("F15", 403, "AuthorizationError", FAIL, FAIL),
            ("refused", 400, "InvalidParameter", FAIL, FAIL),
            *_SIGNED_BY_QUERY,
        ),
    ),
    "cloudwatch": (
        *BROKEN,
        *worded(
            query,
            ("F1", 400, "Throttling", RETRY, RETRY),
            ("F2", 500, "InternalServiceError", RETRY, SETTLE),
            ("F15", 403, "AccessDenied", FAIL, FAIL),
            *_SIGNED_BY_QUERY,
        ),
    ),
    "kms": (
        *BROKEN,
        *worded(
            as_json,
            ("F1", 400, "ThrottlingException", RETRY, RETRY),
            ("F2", 500, "KMSInternalException", RETRY, SETTLE),
            ("F2", 503, "DependencyTimeoutException", RETRY, SETTLE),
            ("F14", 400, "NotFoundException", FAIL, FAIL),
            ("F15", 400, "AccessDeniedException", FAIL, FAIL),
            ("F19", 409, "DisabledException", FAIL, FAIL),
            ("F19", 409, "KMSInvalidStateException", FAIL, FAIL),
            ("refused", 400, "MalformedPolicyDocumentException", FAIL, FAIL),
            *_SIGNED_BY_JSON,
        ),
    ),
    "sqs": (
        *BROKEN,
        *worded(
            as_json,
            ("F1", 400, "RequestThrottled", RETRY, RETRY),
            ("F1", 400, "ThrottlingException", RETRY, RETRY),
            ("F2", 500, "InternalFailure", RETRY, SETTLE),
            ("F14", 400, "QueueDoesNotExist", FAIL, FAIL),
            ("F15", 403, "AccessDeniedException", FAIL, FAIL),
            ("F16", 403, "InvalidSecurity", STOP, STOP),
            ("refused", 400, "InvalidAttributeValue", FAIL, FAIL),
            ("refused", 400, "QueueNameExists", FAIL, FAIL),
            ("refused", 400, "QueueDeletedRecently", FAIL, FAIL),
            *_SIGNED_BY_JSON,
        ),
    ),
    "lambda": (
        *BROKEN,
        *worded(
            as_rest_json,
            ("F1", 429, "TooManyRequestsException", RETRY, RETRY),
            ("F2", 500, "ServiceException", RETRY, SETTLE),
            ("F12", 412, "PreconditionFailedException", FAIL, REDECIDE),
            ("F13", 409, "ResourceConflictException", FAIL, REDECIDE),
            ("F14", 404, "ResourceNotFoundException", FAIL, FAIL),
            ("F15", 403, "AccessDeniedException", FAIL, FAIL),
            ("refused", 400, "InvalidParameterValueException", FAIL, FAIL),
            *_SIGNED_BY_JSON,
        ),
    ),
}
"""All but what depends on the result of an operation."""
