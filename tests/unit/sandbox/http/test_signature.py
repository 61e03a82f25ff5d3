"""The server's signature check against the worked examples of AWS's own documentation.

A client of our own that signs as wrongly as the server checks would agree with it; these vectors
come from elsewhere (S3 API: Signature calculations, examples).
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from backfill.sandbox.http.messages import HttpRequest
from backfill.sandbox.http.payload import payload_of
from backfill.sandbox.http.signature import Claim, Secret, Signed, claim_of, verified
from backfill.sandbox.model.errors import S3Error

NOW = datetime(2013, 5, 24, tzinfo=UTC)
KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = Secret(secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def request_of(
    method: str,
    target: str,
    headers: dict[str, str],
    signed: str,
    signature: str,
    body: bytes = b"",
) -> HttpRequest:
    path, _, query = target.partition("?")
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={KEY_ID}/20130524/us-east-1/s3/aws4_request,"
        f"SignedHeaders={signed},Signature={signature}"
    )
    everything = headers | {"x-amz-date": "20130524T000000Z", "authorization": authorization}
    return HttpRequest(
        method=method,
        raw_path=path.encode(),
        raw_query=query.encode(),
        headers={name.encode(): value.encode() for name, value in everything.items()},
        body=body,
    )


def proven(request: HttpRequest, now: datetime = NOW, secret: Secret | None = SECRET) -> Signed:
    claim = claim_of(request)
    assert claim is not None
    return verified(request, claim, secret, now)


HOST = {"host": "examplebucket.s3.amazonaws.com"}
GET_OBJECT = request_of(
    "GET",
    "/test.txt",
    HOST | {"range": "bytes=0-9", "x-amz-content-sha256": EMPTY},
    "host;range;x-amz-content-sha256;x-amz-date",
    "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
)
PUT_OBJECT = request_of(
    "PUT",
    "/test%24file.text",
    HOST
    | {
        "date": "Fri, 24 May 2013 00:00:00 GMT",
        "content-length": "21",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        "x-amz-content-sha256": "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
    },
    "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
    "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    b"Welcome to Amazon S3.",
)
LIFECYCLE = request_of(
    "GET",
    "/?lifecycle",
    HOST | {"x-amz-content-sha256": EMPTY},
    "host;x-amz-content-sha256;x-amz-date",
    "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
)
LIST_OBJECTS = request_of(
    "GET",
    "/?max-keys=2&prefix=J",
    HOST | {"x-amz-content-sha256": EMPTY},
    "host;x-amz-content-sha256;x-amz-date",
    "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
)


@pytest.mark.parametrize("request_", [GET_OBJECT, PUT_OBJECT, LIFECYCLE, LIST_OBJECTS])
def test_documented_signatures_are_accepted(request_: HttpRequest) -> None:
    """If this fails, no SDK can talk to the sandbox."""
    signed = proven(request_)
    assert signed.claim.region == "us-east-1"
    assert payload_of(request_, signed).body == request_.body


def test_a_documented_presigned_url_is_accepted_until_it_expires() -> None:
    """If this fails, presigned links work never, or for ever."""
    request = HttpRequest(
        method="GET",
        raw_path=b"/test.txt",
        raw_query=(
            b"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524"
            b"%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400"
            b"&X-Amz-SignedHeaders=host&X-Amz-Signature="
            b"aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        ),
        headers={b"host": b"examplebucket.s3.amazonaws.com"},
        body=b"",
    )
    assert proven(request, NOW + timedelta(hours=23)).claim.expires_s == 86400
    with pytest.raises(S3Error, match="Request has expired") as refusal:
        proven(request, NOW + timedelta(hours=25))
    assert refusal.value.code == "AccessDenied"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        (replace(GET_OBJECT, method="PUT"), "SignatureDoesNotMatch"),
        (replace(GET_OBJECT, raw_path=b"/test.txT"), "SignatureDoesNotMatch"),
        (replace(GET_OBJECT, raw_path=b"//test.txt"), "SignatureDoesNotMatch"),
        (replace(GET_OBJECT, raw_path=b"/./test.txt"), "SignatureDoesNotMatch"),
        (replace(GET_OBJECT, raw_query=b"acl"), "SignatureDoesNotMatch"),
        (
            replace(GET_OBJECT, headers=GET_OBJECT.headers | {b"range": b"bytes=0-8"}),
            "SignatureDoesNotMatch",
        ),
        (
            replace(GET_OBJECT, headers=GET_OBJECT.headers | {b"x-amz-acl": b"private"}),
            "AccessDenied",
        ),
    ],
)
def test_anything_changed_after_signing_is_refused(changed: HttpRequest, code: str) -> None:
    """If this fails, the server does not check what was signed."""
    with pytest.raises(S3Error) as refusal:
        proven(changed)
    assert refusal.value.code == code


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_clock_more_than_fifteen_minutes_off_is_refused(minutes: int) -> None:
    """If this fails, a client with a wrong clock is not told."""
    with pytest.raises(S3Error) as refusal:
        proven(GET_OBJECT, NOW + timedelta(minutes=minutes))
    assert refusal.value.code == "RequestTimeTooSkewed"
    assert dict(refusal.value.fields)["MaxAllowedSkewMilliseconds"] == "900000"


@pytest.mark.parametrize(
    ("secret", "code"),
    [
        (None, "InvalidAccessKeyId"),
        (Secret(secret_access_key="another"), "SignatureDoesNotMatch"),
        (replace(SECRET, session_token="token"), "InvalidToken"),
    ],
)
def test_a_wrong_secret_is_named_as_what_it_is(secret: Secret | None, code: str) -> None:
    """If this fails, the product's fault table meets codes that AWS never sends."""
    with pytest.raises(S3Error) as refusal:
        proven(GET_OBJECT, secret=secret)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("AWS AKIA:signature", "InvalidRequest"),
        ("AWS4-HMAC-SHA256 Credential=a/b/c", "AuthorizationHeaderMalformed"),
        (
            (
                "AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3/aws4,SignedHeaders=host,"
                "Signature=0"
            ),
            "AuthorizationHeaderMalformed",
        ),
    ],
)
def test_a_malformed_authorization_is_refused(authorization: str, code: str) -> None:
    """If this fails, a half-read header counts as a signature."""
    headers = GET_OBJECT.headers | {b"authorization": authorization.encode()}
    with pytest.raises(S3Error) as refusal:
        claim_of(replace(GET_OBJECT, headers=headers))
    assert refusal.value.code == code


def test_a_link_signed_by_version_2_is_refused_with_the_version_to_use() -> None:
    """If this fails, an old link falls through as anonymous and reads as a permission problem."""
    query = b"AWSAccessKeyId=AKIA&Signature=abc%3D&Expires=1795363827"
    with pytest.raises(S3Error, match="Please use AWS4-HMAC-SHA256"):
        claim_of(replace(GET_OBJECT, headers=HOST_ONLY, raw_query=query))


def test_a_request_without_signature_makes_no_claim() -> None:
    """If this fails, anonymous requests are taken for somebody's."""
    assert claim_of(replace(GET_OBJECT, headers=HOST_ONLY)) is None


HOST_ONLY = {b"host": b"examplebucket.s3.amazonaws.com"}


def test_the_claim_keeps_the_scope_as_it_was_sent() -> None:
    """If this fails, a request for another Region or service is not recognised."""
    claim = claim_of(GET_OBJECT)
    assert isinstance(claim, Claim)
    assert claim.scope == "20130524/us-east-1/s3/aws4_request"
