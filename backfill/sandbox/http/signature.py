"""Signature Version 4, checked for real.

Never trusts a header that was not signed. One law: the canonical request is rebuilt from the bytes
that arrived, decoded once and encoded once, and never normalised (S3 API: Signature calculations,
"you do not normalize URI paths for requests to Amazon S3").
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from urllib.parse import quote, unquote_to_bytes

from backfill.sandbox.http.messages import HttpRequest
from backfill.sandbox.http.refusals import access_denied, invalid_request, refused
from backfill.sandbox.model.errors import S3Error

ALGORITHM = "AWS4-HMAC-SHA256"
SIGNING = "S3 API: Authenticating requests (AWS Signature Version 4)"
PRESIGNING = "S3 API: Authenticating requests, using query parameters"
MAX_SKEW = timedelta(minutes=15)
_MAX_EXPIRES_S = 7 * 24 * 3600
EMPTY_SHA256 = sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """What an access key ID stands for."""

    secret_access_key: str
    session_token: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What the request says about its signer, before anything is checked."""

    access_key_id: str
    scope_date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    amz_date: str
    session_token: str | None
    payload_hash: str
    expires_s: int | None = None
    """Set on presigned requests only."""

    @property
    def scope(self) -> str:
        """The credential scope, without the access key."""
        return f"{self.scope_date}/{self.region}/{self.service}/aws4_request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A claim whose signature holds, with what chunk signatures go on from."""

    claim: Claim
    signing_key: bytes


def claim_of(request: HttpRequest) -> Claim | None:
    """The signer's claim; None for an anonymous request. Raises S3Error when it is malformed."""
    authorization = request.header("authorization")
    query = request.raw_query
    if authorization is None:
        if b"X-Amz-Algorithm=" in query or b"X-Amz-Signature=" in query:
            return _presigned_claim(dict(request.query_pairs()), request)
        if b"AWSAccessKeyId=" in query and b"Signature=" in query:
            raise _unsupported()
        return None
    if b"X-Amz-Algorithm=" in query:
        raise invalid_request(
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, "
            "Signature query string parameter or the Authorization header should be specified",
            fact=SIGNING,
        )
    return _header_claim(authorization, request)


def _header_claim(authorization: str, request: HttpRequest) -> Claim:
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
        raise _unsupported()
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    try:
        credential, signed, signature = (
            fields[name] for name in ("Credential", "SignedHeaders", "Signature")
        )
    except KeyError as missing:
        raise _malformed(f"the header lacks {missing.args[0]}") from missing
    amz_date = request.header("x-amz-date")
    if amz_date is None:
        raise access_denied(
            "AWS authentication requires a valid Date or x-amz-date header", fact=SIGNING
        )
    key_id, date, region, service = _credential_fields(credential, _malformed)
    payload_hash = request.header("x-amz-content-sha256")
    if payload_hash is None:
        if service == "s3":
            raise invalid_request(
                "Missing required header for this request: x-amz-content-sha256", fact=SIGNING
            )
        payload_hash = sha256(request.body).hexdigest()
    return Claim(
        access_key_id=key_id,
        scope_date=date,
        region=region,
        service=service,
        signed_headers=tuple(signed.split(";")),
        signature=signature,
        amz_date=amz_date,
        session_token=request.header("x-amz-security-token"),
        payload_hash=payload_hash,
    )


def _presigned_claim(query: dict[str, str], request: HttpRequest) -> Claim:
    if query.get("X-Amz-Algorithm") != ALGORITHM:
        raise _bad_query('X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"')
    names = ("X-Amz-Credential", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Date")
    if any(name not in query for name in names) or "X-Amz-Expires" not in query:
        raise _bad_query(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, "
            "X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and "
            "X-Amz-Expires parameters."
        )
    credential, signed, signature, amz_date = (query[name] for name in names)
    expires = query["X-Amz-Expires"]
    if not expires.isdecimal() or len(expires) > 9:
        raise _bad_query("X-Amz-Expires should be a number")
    if int(expires) > _MAX_EXPIRES_S:
        raise _bad_query("X-Amz-Expires must be less than a week (in seconds)")
    key_id, date, region, service = _credential_fields(credential, _bad_query)
    return Claim(
        access_key_id=key_id,
        scope_date=date,
        region=region,
        service=service,
        signed_headers=tuple(signed.split(";")),
        signature=signature,
        amz_date=amz_date,
        session_token=query.get("X-Amz-Security-Token"),
        payload_hash=request.header("x-amz-content-sha256") or "UNSIGNED-PAYLOAD",
        expires_s=int(expires),
    )


def _credential_fields(
    credential: str, refuse: Callable[[str], S3Error]
) -> tuple[str, str, str, str]:
    parts = credential.split("/")
    if len(parts) < 5 or parts[-1] != "aws4_request":
        raise refuse(
            f'Error parsing the Credential "{credential}"; expecting '
            '"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'
        )
    return "/".join(parts[:-4]), parts[-4], parts[-3], parts[-2]


def _unsupported() -> S3Error:
    """Signature Version 2 is not for buckets made since June 2020 (S3 User Guide: UsingAWSSDK)."""
    return invalid_request(
        f"The authorization mechanism you have provided is not supported. Please use {ALGORITHM}.",
        fact=SIGNING,
    )


def _malformed(detail: str) -> S3Error:
    return refused(
        code="AuthorizationHeaderMalformed",
        status=400,
        message=f"The authorization header is malformed; {detail}",
        fact=SIGNING,
    )


def _bad_query(message: str) -> S3Error:
    return refused(
        code="AuthorizationQueryParametersError", status=400, message=message, fact=PRESIGNING
    )


def wrong_region(claim: Claim, expected: str) -> S3Error:
    """400 AuthorizationHeaderMalformed with the Region that the signer should have used."""
    refusal = _bad_query if claim.expires_s is not None else _malformed
    plain = refusal(f"the region '{claim.region}' is wrong; expecting '{expected}'")
    return refused(
        code=plain.code,
        status=400,
        message=plain.message,
        fact=plain.fact,
        members=(("Region", expected),),
        headers=(("x-amz-bucket-region", expected),),
    )


def wrong_service(claim: Claim) -> S3Error:
    """400: the scope names a service other than s3."""
    refusal = _bad_query if claim.expires_s is not None else _malformed
    return refusal(f'incorrect service "{claim.service}". This endpoint belongs to "s3".')


def verified(request: HttpRequest, claim: Claim, secret: Secret | None, now: datetime) -> Signed:
    """The claim, proven. Raises S3Error otherwise; the payload is checked elsewhere."""
    if secret is None:
        raise refused(
            code="InvalidAccessKeyId",
            status=403,
            message="The AWS Access Key Id you provided does not exist in our records.",
            fact="S3 API: Error responses, InvalidAccessKeyId",
            members=(("AWSAccessKeyId", claim.access_key_id),),
        )
    _check_times(claim, now)
    _check_token(claim, secret, now)
    _check_coverage(request, claim)
    signing_key = _signing_key(
        secret.secret_access_key, claim.scope_date, claim.region, claim.service
    )
    canonical = canonical_request(request, claim)
    to_sign = string_to_sign(claim, canonical)
    expected = hmac.digest(signing_key, to_sign, "sha256").hex()
    if not hmac.compare_digest(expected.encode(), claim.signature.encode()):
        raise _mismatch(claim, canonical, to_sign)
    return Signed(claim=claim, signing_key=signing_key)


def _check_times(claim: Claim, now: datetime) -> None:
    try:
        signed_at = datetime.strptime(claim.amz_date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise access_denied(
            "AWS authentication requires a valid Date or x-amz-date header", fact=SIGNING
        ) from error
    if claim.scope_date != claim.amz_date[:8]:
        raise _malformed(
            f'Invalid credential date "{claim.scope_date}". This date is not the same as '
            f'X-Amz-Date: "{claim.amz_date[:8]}".'
        )
    if claim.expires_s is not None:
        _check_expiry(signed_at, claim.expires_s, now)
    elif abs(now - signed_at) > MAX_SKEW:
        raise refused(
            code="RequestTimeTooSkewed",
            status=403,
            message="The difference between the request time and the current time is too large.",
            fact="S3 API: Error responses, RequestTimeTooSkewed",
            members=(
                ("RequestTime", claim.amz_date),
                ("ServerTime", now.strftime("%Y-%m-%dT%H:%M:%SZ")),
                ("MaxAllowedSkewMilliseconds", str(MAX_SKEW // timedelta(milliseconds=1))),
            ),
        )


def _check_expiry(signed_at: datetime, expires_s: int, now: datetime) -> None:
    if signed_at - now > MAX_SKEW:
        raise access_denied("Request is not valid yet", fact=PRESIGNING)
    expires_at = signed_at + timedelta(seconds=expires_s)
    if now > expires_at:
        raise refused(
            code="AccessDenied",
            status=403,
            message="Request has expired",
            fact=PRESIGNING,
            members=(
                ("X-Amz-Expires", str(expires_s)),
                ("Expires", expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")),
                ("ServerTime", now.strftime("%Y-%m-%dT%H:%M:%SZ")),
            ),
        )


def _check_token(claim: Claim, secret: Secret, now: datetime) -> None:
    if claim.session_token != secret.session_token:
        raise refused(
            code="InvalidToken",
            status=400,
            message="The provided token is malformed or otherwise invalid.",
            fact="S3 API: Error responses, InvalidToken",
        )
    if secret.expires_at is not None and now >= secret.expires_at:
        raise refused(
            code="ExpiredToken",
            status=400,
            message="The provided token has expired.",
            fact="S3 API: Error responses, ExpiredToken",
        )


def _check_coverage(request: HttpRequest, claim: Claim) -> None:
    signed = {name.encode("latin-1") for name in claim.signed_headers}
    unsigned = [
        name
        for name in request.headers
        if name not in signed and (name == b"host" or name.startswith(b"x-amz-"))
    ]
    if unsigned:
        raise refused(
            code="AccessDenied",
            status=403,
            message="There were headers present in the request which were not signed",
            fact=SIGNING,
            members=(("HeadersNotSigned", ", ".join(name.decode("latin-1") for name in unsigned)),),
        )


def canonical_request(request: HttpRequest, claim: Claim) -> bytes:
    """The canonical request, rebuilt from the raw request."""
    headers = request.headers
    lines = [
        request.method.encode(),
        _canonical_path(request, claim),
        _canonical_query(request),
    ]
    for name in claim.signed_headers:
        raw_name = name.encode("latin-1")
        lines.append(raw_name + b":" + b" ".join(headers.get(raw_name, b"").split()))
    lines += [b"", ";".join(claim.signed_headers).encode("latin-1")]
    lines.append(claim.payload_hash.encode("latin-1"))
    return b"\n".join(lines)


def _canonical_path(request: HttpRequest, claim: Claim) -> bytes:
    """The path: encoded once for S3, and once more than it came for every other service.

    (IAM User Guide: Create a signed AWS API request, CanonicalUri).
    """
    raw = request.raw_path
    path = unquote_to_bytes(raw) if claim.service == "s3" else raw
    return quote(path, safe="/~").encode()


def _canonical_query(request: HttpRequest) -> bytes:
    if not request.raw_query:
        return b""
    pairs = sorted(
        (quote(name, safe="~"), quote(value, safe="~"))
        for name, value in _raw_pairs(request.raw_query)
        if name != b"X-Amz-Signature"
    )
    return "&".join(f"{name}={value}" for name, value in pairs).encode()


def _raw_pairs(raw_query: bytes) -> list[tuple[bytes, bytes]]:
    pairs = []
    for part in raw_query.replace(b"+", b" ").split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            pairs.append((unquote_to_bytes(name), unquote_to_bytes(value)))
    return pairs


def string_to_sign(claim: Claim, canonical: bytes) -> bytes:
    """What the signature is made over."""
    digest = sha256(canonical).hexdigest()
    return f"{ALGORITHM}\n{claim.amz_date}\n{claim.scope}\n{digest}".encode()


@lru_cache(maxsize=256)
def _signing_key(secret_access_key: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret_access_key}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _mismatch(claim: Claim, canonical: bytes, to_sign: bytes) -> S3Error:
    return refused(
        code="SignatureDoesNotMatch",
        status=403,
        message=(
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method."
        ),
        fact="S3 API: Error responses, SignatureDoesNotMatch",
        members=(
            ("AWSAccessKeyId", claim.access_key_id),
            ("StringToSign", to_sign.decode("latin-1")),
            ("SignatureProvided", claim.signature),
            ("StringToSignBytes", to_sign.hex(" ")),
            ("CanonicalRequest", canonical.decode("latin-1")),
            ("CanonicalRequestBytes", canonical.hex(" ")),
        ),
    )
