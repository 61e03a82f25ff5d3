"""Secrets taken out of text: keys, tokens, signatures, Authorization headers, SSE-C keys.

What a store or a library says is redacted where it comes in, before it is kept in any file, and
what is logged once more. Never tries to be clever about what a secret belongs to; a text that looks
like one is one.
Law: rather a harmless text too few in the log than a secret too many.
"""

import re
from collections.abc import Mapping
from typing import Final

REDACTED: Final = "[redacted]"

# Where a secret may begin: after anything outside its own alphabet, or after an escape that ends
# in letters (\n in a repr, %3D in a URL, the m of a colour), which would pass for its beginning.
_AFTER_ESCAPE: Final = (
    r"(?<=\\[abfnrtv])|(?<=\\x[0-9a-fA-F]{2})|(?<=%[0-9A-Fa-f]{2})"
    r"|(?<=\x1b\[[A-Za-z])|(?<=[\[;][0-9][A-Za-z])|(?<=[\[;][0-9]{2}[A-Za-z])"
)
_BEGIN: Final = rf"(?:(?<![A-Za-z0-9/+])|{_AFTER_ESCAPE})"

_NAMES: Final = (
    r"(?:secret(?:[-_ ]?access)?[-_ ]?key|(?:session|security)[-_ ]?token|password|signature"
    r"|(?:customer|ssec)[-_ ]?key(?:[-_ ]?md5)?|(?:aws[-_ ]?)?access[-_ ]?key[-_ ]?id"
    r"|encryption[-_ ]?context"
    r"|x-amz-(?:signature|credential))"
)
# All that looks ahead, or may be tried from many places, has an end: a hostile text costs what its
# length does, and no more.
# `name=value`, `name: value`, `"name": "value"`, `'name': b'value'`, `<name>value`, `name%3Dvalue`.
_JOINT: Final = r"""(?:\\?["'\]]|%22)*\s*(?:=>|[=:>]|%3D|%3A)\s*(?:b?\\?["']|%22)?"""

_PATTERNS: Final = (
    # A whole Authorization header, whatever its scheme (RFC 9110 §11.6.2; S3 API: SigV4 and SigV2).
    re.compile(rf"(?i)(authorization{_JOINT})[^\"'\r\n<]+"),
    # A value that stands beside its name.
    re.compile(rf"(?i)({_NAMES}{_JOINT})[^\s\"'&<>,;)}}\]]+"),
    # What a URL says before its host, a proxy's name and password (RFC 3986 §3.2.1).
    re.compile(r"(://)[^/?#@:\s\"'<>]{0,1024}:[^/?#\s\"'<>]{0,1024}(?=@)"),
    # IAM User Guide, unique identifiers: AKIA and ASIA are access keys, ABIA and ACCA bearer ones.
    re.compile(
        rf"()(?:(?<![A-Z0-9])|{_AFTER_ESCAPE})(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{{12,124}}(?![A-Z0-9])"
    ),
    # Session tokens of STS begin like this; other long base64 of mixed case counts as one too.
    re.compile(rf"(){_BEGIN}(?:FwoG|FQoG|FQoD|IQoJ)[A-Za-z0-9/+=%]{{16,}}"),
    re.compile(
        rf"(){_BEGIN}(?=[a-z0-9/+%]{{0,127}}[A-Z])(?=[A-Z0-9/+%]{{0,127}}[a-z])"
        r"[A-Za-z0-9/+%]{128,}=*"
    ),
    # A secret access key: 40 of base64. Mixed case spares SHA-1 digests and plain words in keys.
    re.compile(
        rf"(){_BEGIN}(?=[a-z0-9/+]{{0,39}}[A-Z])(?=[A-Z0-9/+]{{0,39}}[a-z])"
        r"[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"
    ),
    # An SSE-C key: 32 bytes in base64. SHA-256 checksums look the same and go as well.
    re.compile(rf"(){_BEGIN}[A-Za-z0-9/+]{{43}}="),
)
_SECRET_FIELD: Final = re.compile(
    rf"(?i){_NAMES}$|^(?:proxy[-_])?authorization$|token$|secret$|cookie$"
)


def redacted(text: str) -> str:
    """Return `text` with whatever looks like a secret replaced by `[redacted]`."""
    if not text:
        return text
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\g<1>{REDACTED}", text)
    return text


def redacted_fields(fields: Mapping[str, object]) -> dict[str, object]:
    """Return log fields without secrets; what JSON has no word for comes back as its text."""
    return {redacted(name): _redacted_value(name, value) for name, value in fields.items()}


def _redacted_value(name: str, value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return redacted_fields({str(key): inner for key, inner in value.items()})
    if _SECRET_FIELD.search(name):
        return REDACTED
    return redacted(value if isinstance(value, str) else str(value))
