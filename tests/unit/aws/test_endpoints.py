"""Which endpoints are allowed."""

import pytest

from backfill.aws.endpoints import is_loopback, refuse_unsafe_endpoint
from backfill.errors import UsageError


@pytest.mark.parametrize(
    "url",
    [
        "https://s3.example.org",
        "https://10.0.0.1:9000/base",
        "http://127.0.0.1:1",
        "http://127.9.9.9",
        "http://[::1]:9000",
        "http://localhost:9000",
        "http://LOCALHOST.",
        "http://s3.localhost:9000",
    ],
)
def test_https_and_loopback_are_allowed(url: str) -> None:
    """The sandbox and every real store must stay reachable."""
    refuse_unsafe_endpoint(url)
    assert is_loopback(url) is (not url.startswith("https"))


@pytest.mark.parametrize(
    "url",
    [
        "http://s3.example.org",
        "http://10.0.0.1:9000",
        "http://0.0.0.0:9000",
        "http://127.0.0.1.example.org",
        "http://localhost.example.org",
        "http://2130706433",
        "ftp://localhost",
        "localhost:9000",
        "https://",
        "https://user:pass@s3.example.org",
        "https://s3.example.org?x=1",
        "",
    ],
)
def test_anything_else_is_refused_as_usage(url: str) -> None:
    """A signed request over http to another machine gives its session token away."""
    with pytest.raises(UsageError) as caught:
        refuse_unsafe_endpoint(url)
    assert caught.value.hint
    assert "pass@" not in caught.value.message
