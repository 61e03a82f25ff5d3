"""The text of S3BatchOperations_CSV_20180820 and of inventory data files: one line a row.

Never reads a line (`backfill.manifest.reading` does) and never writes a file.
Law: `decoded_key(encoded_key(key)) == key` for every key, and no line ever needs CSV's escapes.
"""

import re
from typing import Final
from urllib.parse import quote, unquote_to_bytes

_NEEDS_ENCODING: Final = re.compile(r"[^A-Za-z0-9_.~/-]")
"""What `quote` encodes: keys without it, most of all, are spared the work."""
_BARE_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


def encoded_key(key: str) -> str:
    """Return a key as a manifest has it (S3 User Guide: specify-batchjob-manifest).

    All but letters, digits, `_.~-` and `/` is percent-encoded as UTF-8: comma, quote, line feed,
    control characters and `+` as well, so that the result is ASCII and needs no quoting.
    """
    return quote(key, safe="/") if _NEEDS_ENCODING.search(key) else key


def decoded_key(text: str) -> str:
    """Return the key that a manifest or a completion report spells as `text`.

    What is not percent-encoded stands for itself: a `+` is a plus, never a space.

    Raises:
        ValueError: `text` spells no key; the message says why and shows nothing of it.
    """
    if "%" not in text:
        return text
    if _BARE_PERCENT.search(text):
        raise ValueError("a % without two hexadecimal digits after it")
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise ValueError("percent-encoded bytes that are no UTF-8") from None
