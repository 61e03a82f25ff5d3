"""STS GetCallerIdentity: the one action of the query API that the sandbox answers.

Never touches S3. One law: whoever signs truly may ask, no policy can forbid it (STS API:
GetCallerIdentity).
"""

from urllib.parse import parse_qsl
from uuid import NAMESPACE_URL, uuid5

from backfill.sandbox.authorization.identities import Identity
from backfill.sandbox.http.messages import HttpRequest, HttpResponse
from backfill.sandbox.http.refusals import refused
from backfill.sandbox.http.signature import Claim
from backfill.sandbox.http.xml import branch, document, leaf
from backfill.sandbox.model.errors import S3Error

_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
_VERSION = "2011-06-15"
_XML = (("Content-Type", "text/xml"),)

_CODES = {
    "InvalidAccessKeyId": (
        "InvalidClientTokenId",
        403,
        "The security token included in the request is invalid.",
    ),
    "InvalidToken": (
        "InvalidClientTokenId",
        403,
        "The security token included in the request is invalid.",
    ),
    "ExpiredToken": ("ExpiredToken", 403, "The security token included in the request is expired"),
    "RequestTimeTooSkewed": ("SignatureDoesNotMatch", 403, "Signature expired or not yet current"),
}
"""STS's own codes for what S3 calls otherwise."""


def is_sts(request: HttpRequest) -> bool:
    """Whether this is a call of the query API rather than of S3."""
    content_type = request.headers.get(b"content-type", b"")
    return (
        request.method == "POST"
        and request.raw_path in {b"/", b""}
        and content_type.startswith(b"application/x-www-form-urlencoded")
    )


def check_scope(claim: Claim | None, regions: frozenset[str]) -> Claim:
    """The claim, if it is scoped to STS in a Region that is there. Raises S3Error."""
    if claim is None:
        raise refused(
            code="MissingAuthenticationToken",
            status=403,
            message="Request is missing Authentication Token",
            fact="STS API: Common errors",
        )
    if claim.service != "sts" or claim.region not in regions:
        wrong = "service: 'sts'" if claim.service != "sts" else "Region"
        raise refused(
            code="SignatureDoesNotMatch",
            status=403,
            message=f"Credential should be scoped to correct {wrong}.",
            fact="STS API: Common errors",
        )
    return claim


def answer(request: HttpRequest, identity: Identity, request_id: str) -> HttpResponse:
    """The caller's identity, or InvalidAction."""
    fields = dict(parse_qsl(request.body.decode("utf-8", "replace")))
    if fields.get("Action") != "GetCallerIdentity" or fields.get("Version") != _VERSION:
        raise refused(
            code="InvalidAction",
            status=400,
            message=(
                f"Could not find operation {fields.get('Action')} for version "
                f"{fields.get('Version')}"
            ),
            fact="STS API: Common errors",
        )
    result = [
        leaf("Arn", identity.arn),
        leaf("UserId", identity.user_id),
        leaf("Account", identity.account_id),
    ]
    parts = [
        branch("GetCallerIdentityResult", result),
        branch("ResponseMetadata", [leaf("RequestId", _uuid(request_id))]),
    ]
    body = document("GetCallerIdentityResponse", parts, namespace=_NAMESPACE)
    return HttpResponse(status=200, headers=_XML, body=body)


def error_answer(error: S3Error, request_id: str) -> HttpResponse:
    """An error as the query API writes it, with STS's codes."""
    code, status, message = _CODES.get(error.code, (error.code, error.status, error.message))
    inner = [leaf("Type", "Sender"), leaf("Code", code), leaf("Message", message)]
    parts = [branch("Error", inner), leaf("RequestId", _uuid(request_id))]
    body = document("ErrorResponse", parts, namespace=_NAMESPACE)
    return HttpResponse(status=status, headers=_XML, body=body)


def _uuid(request_id: str) -> str:
    return str(uuid5(NAMESPACE_URL, request_id))
