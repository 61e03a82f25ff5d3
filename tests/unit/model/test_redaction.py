"""What looks like a secret is taken out of text, and what does not is left as it is."""

from typing import Any

import pytest

from backfill.model.redaction import REDACTED, redacted, redacted_fields

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY12"
SSE_KEY = "a" * 20 + "B" * 23 + "="


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("photos/2019/a b.jpg", "photos/2019/a b.jpg"),
        (f"key {ACCESS_KEY}, denied", f"key {REDACTED}, denied"),
        (f"X{ACCESS_KEY}", f"X{ACCESS_KEY}"),
        (f"it was {SECRET} there", f"it was {REDACTED} there"),
        (f"under {SSE_KEY} it lies", f"under {REDACTED} it lies"),
        ("Authorization: AWS4-HMAC-SHA256 a, b", f"Authorization: {REDACTED}"),
        ('{"SecretAccessKey": "abc"}', f'{{"SecretAccessKey": "{REDACTED}"}}'),
        ("password=abc&user=me", f"password={REDACTED}&user=me"),
        ("https://me:word@proxy.example/x", f"https://{REDACTED}@proxy.example/x"),
        ("https://proxy.example/x", "https://proxy.example/x"),
        ("token FwoGZXIvYXdzEBYaDH7example", f"token {REDACTED}"),
        ("da39a3ee5e6b4b0d3255bfef95601890afd80709", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("aB" * 64, REDACTED),
        ("a" * 128, "a" * 128),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str, shown: str) -> None:
    """If this fails, a log holds a key, or a name that nobody had to hide is gone."""
    assert redacted(text) == shown


def test_fields_are_redacted_by_name_and_by_value() -> None:
    """If this fails, a secret gets into a log because its field was not a text."""
    fields: dict[str, Any] = {
        "bucket": "photos",
        "attempts": 3,
        "took_s": 0.5,
        "is_done": True,
        "nothing": None,
        "session_token": "abc",
        "client_secret": ["abc"],
        "Set-Cookie": "abc",
        "proxy-authorization": "abc",
        "customerKeyMD5": "abc",
        "tokens": 7,
        "inner": {"password": "abc", 1: f"by {ACCESS_KEY}"},
        "others": [ACCESS_KEY],
        f"of {ACCESS_KEY}": 1,
    }
    assert redacted_fields(fields) == {
        "bucket": "photos",
        "attempts": 3,
        "took_s": 0.5,
        "is_done": True,
        "nothing": None,
        "session_token": REDACTED,
        "client_secret": REDACTED,
        "Set-Cookie": REDACTED,
        "proxy-authorization": REDACTED,
        "customerKeyMD5": REDACTED,
        "tokens": 7,
        "inner": {"password": REDACTED, "1": f"by {REDACTED}"},
        "others": f"['{REDACTED}']",
        f"of {REDACTED}": 1,
    }
