"""Which endpoint URLs are allowed, and what is different on loopback.

Never opens a connection.
Law: plain http is for loopback only, because a signature over http gives its request away.
"""

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from backfill.errors import UsageError

_BRACKETED: Final = re.compile(r"\[[^\]]*\]")
_STAND_IN: Final = "loopback.localhost"
"""A name of this machine (RFC 6761 §6.3) that nobody is asked under."""


def refuse_unsafe_endpoint(url: str) -> None:
    """Raise UsageError unless `url` is https, or http to a loopback address."""
    parts = _parts(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        message = f"endpoint {url!r} is not a URL such as https://s3.example.org"
        raise UsageError(message, hint="give the scheme, the host and, if needed, the port")
    if parts.username or parts.password or parts.query or parts.fragment:
        # The URL itself is not shown: it may hold a password.
        message = "the endpoint URL holds more than scheme, host, port and path"
        raise UsageError(message, hint="credentials come from the SDK's chain only")
    if parts.scheme == "http" and not is_loopback(url):
        message = f"plain http is refused for {parts.hostname!r}"
        raise UsageError(message, hint="use https; http is for 127.0.0.1, ::1 and localhost only")


def _parts(url: str) -> SplitResult | None:
    """Return the parts of a URL; None where brackets or a port are none."""
    try:
        parts = urlsplit(url)
        assert parts.port is None or parts.port >= 0, "asked for, so that it is looked at"
    except ValueError:
        return None
    return parts


def companion_endpoint(s3_url: str, *, own: str) -> str | None:
    """Return where STS or S3 Control is asked beside a given S3 endpoint; None: the SDK knows.

    `own` is that service's AWS_ENDPOINT_URL_STS or AWS_ENDPOINT_URL_S3_CONTROL, which the SDK obeys
    by itself. An S3 server on this machine answers for both as well, as the sandbox does; anything
    else, such as an S3 interface endpoint of a VPC, is S3's alone.
    """
    return s3_url if is_loopback(s3_url) and not own else None


def without_account_label(url: str, account_id: str) -> str:
    """Return an S3 Control URL without the account ID that the SDK puts before the host.

    `111111111111.127.0.0.1` is no name that resolves. The account is also in a header of its own
    (S3 API: x-amz-account-id), so that nothing is lost.
    """
    return url.replace(f"://{account_id}.", "://", 1)


def nameable(url: str) -> str:
    """Return an endpoint with a name for its host where that is an IPv6 address.

    The SDK puts a label before S3 Control's host, and `111111111111.[::1]` is no URL to the Pythons
    that check what stands in brackets (CVE-2024-11168).
    """
    return _BRACKETED.sub(_STAND_IN, url, count=1)


def as_asked(url: str, endpoint: str) -> str:
    """Return a URL that was built on `nameable(endpoint)` with the host of the endpoint itself."""
    address = _BRACKETED.search(endpoint)
    return url.replace(_STAND_IN, address[0], 1) if address else url


def is_loopback(url: str) -> bool:
    """Return whether the URL's host is this machine, by address or by name (RFC 6761 §6.3)."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
