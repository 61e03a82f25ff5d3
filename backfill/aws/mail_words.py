"""RFC 2047 words, the form in which S3 returns metadata that is not ASCII, and takes it.

Source: S3 User Guide: UsingMetadata ("decoded as per RFC 2047 before storing and encoded ... before
returning").
Never touches what is not wholly a well-formed word: a value that merely looks odd stays as it is.
Law: `decoded_words(encoded_words(text)) == text`.
"""

import base64
import binascii
import quopri
import re
from typing import Final

_WORD: Final = re.compile(
    r"=\?(?P<charset>[!-~]+?)\?(?P<form>[bBqQ])\?(?P<text>[!->@-~]*)\?=", re.ASCII
)
_BETWEEN_WORDS: Final = re.compile(r"(?<=\?=)[ \t\r\n]+(?==\?)")


def decoded_words(value: str) -> str:
    """Return `value` with its encoded words decoded; white space between two words belongs to none.

    Bytes are joined before they are decoded, because encoders cut inside a character.
    """
    if "=?" not in value:
        return value
    closed_up = _BETWEEN_WORDS.sub("", value)
    pieces: list[tuple[str, bytes]] = []
    position = 0
    for word in _WORD.finditer(closed_up):
        if (raw := _word_bytes(word)) is None:
            return value
        pieces.append(("utf-8", closed_up[position : word.start()].encode()))
        pieces.append((word["charset"].partition("*")[0].lower(), raw))
        position = word.end()
    pieces.append(("utf-8", closed_up[position:].encode()))
    if not position:
        return value
    try:
        decoded = _joined(pieces)
        decoded.encode()  # some charsets spell half a surrogate pair, which is no text
    # UnicodeError: whoever writes an object names the charset, and codecs such as idna raise it.
    except (LookupError, UnicodeError):
        return value
    return decoded


def encoded_words(value: str) -> str:
    """Return `value` as a header may carry it: one base64 word where plain text would not do."""
    is_plain = value.isascii() and value.isprintable() and value == value.strip()
    if is_plain and "=?" not in value:
        return value
    return f"=?UTF-8?B?{base64.b64encode(value.encode()).decode()}?="


def _word_bytes(word: re.Match[str]) -> bytes | None:
    if word["form"] in "qQ":
        return quopri.decodestring(word["text"], header=True)
    try:
        return base64.b64decode(word["text"], validate=True)
    except binascii.Error:
        return None


def _joined(pieces: list[tuple[str, bytes]]) -> str:
    texts: list[str] = []
    run: bytes = b""
    charset = "utf-8"
    for name, raw in pieces:
        if not raw:
            continue
        if name != charset:
            texts.append(run.decode(charset))
            run, charset = b"", name
        run += raw
    texts.append(run.decode(charset))
    return "".join(texts)
