"""Answers that echo a key, where XML cannot hold it: the echo is cut out before they are parsed.

A key may have control characters, which XML 1.0 does not have, not even as references. S3 echoes
it all the same in what it answers to some calls, and makes a document that nobody can parse. We
know the key, and need the rest: an upload whose ID nobody reads stays behind, and costs.
Never touches a document that can be parsed, nor an error. Law: what is cut is the echo alone.
"""

import re
from collections.abc import MutableMapping
from typing import Final
from xml.parsers import expat

ECHOING: Final = frozenset({"CreateMultipartUpload", "CompleteMultipartUpload", "ListParts"})
"""The calls of ours whose answers echo the key (S3 API reference: their response elements)."""
_ECHO: Final = re.compile(rb"<(Key|Location)>[^<]*+</\1>")


def without_echo(body: bytes) -> bytes:
    """Return a document without what it tells of the key."""
    return _ECHO.sub(b"", body)


def cut_echo(response_dict: MutableMapping[str, object], **_: object) -> None:
    """Cut the echo out of an answer that the SDK could not parse (handler of `before-parse`)."""
    body, status = response_dict.get("body"), response_dict.get("status_code")
    if isinstance(body, bytes) and isinstance(status, int) and status < 300 and not _is_xml(body):
        response_dict["body"] = without_echo(body)


def _is_xml(body: bytes) -> bool:
    try:
        expat.ParserCreate().Parse(body, True)
    except expat.ExpatError:
        return False
    return True
