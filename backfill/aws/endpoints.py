"""Which endpoint URLs are allowed, and which of them must be addressed by path.

Never opens a connection.
Law: plain http is for loopback only, because a signature over http gives its request away.
"""

import ipaddress
from urllib.parse import urlsplit

from backfill.errors import UsageError


def refuse_unsafe_endpoint(url: str) -> None:
    """Raise UsageError unless `url` is https, or http to a loopback address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        message = f"endpoint {url!r} is not a URL such as https://s3.example.org"
        raise UsageError(message, hint="give the scheme, the host and, if needed, the port")
    if parts.username or parts.password or parts.query or parts.fragment:
        # The URL itself is not shown: it may hold a password.
        message = "the endpoint URL holds more than scheme, host, port and path"
        raise UsageError(message, hint="credentials come from the SDK's chain only")
    if parts.scheme == "http" and not is_loopback(url):
        message = f"plain http is refused for {parts.hostname!r}"
        raise UsageError(message, hint="use https; http is for 127.0.0.1, ::1 and localhost only")


def is_loopback(url: str) -> bool:
    """Return whether the URL's host is this machine, by address or by name (RFC 6761 §6.3)."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
