"""What the HTTP layer itself refuses.

Never decides about objects: those refusals are the model's. One law: a refusal names the rule of S3
that it follows, so that a stranger can look it up.
"""

from backfill.sandbox.model.errors import Pairs, Refusal, S3Error

ERROR_RESPONSES = "S3 API: Error responses"


def refused(
    *,
    code: str,
    status: int,
    message: str,
    fact: str,
    members: Pairs = (),
    headers: Pairs = (),
) -> S3Error:
    """A refusal of this layer; `members` are further elements of the error document."""
    refusal = Refusal(code=code, status=status, message=message, fact=fact)
    return S3Error(refusal, fields=members, headers=headers)


def access_denied(message: str = "Access Denied", *, fact: str = ERROR_RESPONSES) -> S3Error:
    """403 AccessDenied, which says as little as S3 says."""
    return refused(code="AccessDenied", status=403, message=message, fact=fact)


def invalid_argument(message: str, *, name: str, value: str, fact: str) -> S3Error:
    """400 InvalidArgument with the argument's name and value, as S3 reports them."""
    return refused(
        code="InvalidArgument",
        status=400,
        message=message,
        fact=fact,
        members=(("ArgumentName", name), ("ArgumentValue", value)),
    )


def invalid_request(message: str, *, fact: str) -> S3Error:
    """400 InvalidRequest."""
    return refused(code="InvalidRequest", status=400, message=message, fact=fact)


def malformed_xml(*, fact: str = ERROR_RESPONSES) -> S3Error:
    """400 MalformedXML in S3's words."""
    return refused(
        code="MalformedXML",
        status=400,
        message=(
            "The XML you provided was not well-formed or did not validate against our "
            "published schema"
        ),
        fact=fact,
    )


def not_implemented(message: str, *, fact: str, members: Pairs = ()) -> S3Error:
    """501 NotImplemented: S3 or this sandbox does not do it, and says so."""
    return refused(code="NotImplemented", status=501, message=message, fact=fact, members=members)
