"""XML in and out, as small as S3 needs it.

Never resolves entities or reads a DOCTYPE. One law: text that goes out is escaped here and nowhere
else, control characters as S3 writes them (`&#x1;`), which XML 1.0 parsers refuse: that is why
`encoding-type=url` exists (S3 API: ListObjectsV2, EncodingType).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from xml.parsers import expat

S3_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_DEPTH_LIMIT = 32

_ESCAPES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord('"'): "&quot;"} | {
    code: f"&#x{code:x};" for code in (*range(0x20), 0x7F) if chr(code) not in "\t\n"
}
_ESCAPES |= {0xFFFE: "&#xfffe;", 0xFFFF: "&#xffff;"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One element that was read: local name, own text, children in order."""

    name: str
    text: str
    children: tuple["Element", ...]
    attributes: tuple[tuple[str, str], ...] = ()

    def child(self, name: str) -> "Element | None":
        """The first child of that name, or None."""
        return next((child for child in self.children if child.name == name), None)

    def all(self, name: str) -> tuple["Element", ...]:
        """Every child of that name, in order."""
        return tuple(child for child in self.children if child.name == name)

    def text_of(self, name: str) -> str | None:
        """The text of the first child of that name, or None when there is none."""
        found = self.child(name)
        return None if found is None else found.text


class XmlError(ValueError):
    """The document is no XML that S3 would read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    """An element whose end has not come yet; its lists grow until then."""

    name: str
    attributes: tuple[tuple[str, str], ...]
    text: list[str] = field(default_factory=list)
    children: list[Element] = field(default_factory=list)


class _Builder:
    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[_Open] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= _DEPTH_LIMIT:
            raise XmlError("nested too deeply")
        pairs = tuple((key.rpartition(" ")[2], value) for key, value in attributes.items())
        self._open.append(_Open(name=name.rpartition(" ")[2], attributes=pairs))

    def end(self, _name: str) -> None:
        done = self._open.pop()
        element = Element(
            name=done.name,
            text="".join(done.text),
            children=tuple(done.children),
            attributes=done.attributes,
        )
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element

    def characters(self, text: str) -> None:
        self._open[-1].text.append(text)

    def refuse_doctype(self, *_: object) -> None:
        raise XmlError("a DOCTYPE is not accepted")


def parsed(document: bytes) -> Element:
    """The document's root. Raises XmlError on anything that is no plain XML."""
    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    parser.StartDoctypeDeclHandler = builder.refuse_doctype
    try:
        parser.Parse(document, True)
    except expat.ExpatError as error:
        raise XmlError(str(error)) from error
    assert builder.root is not None
    return builder.root


def escaped(text: str) -> str:
    """Text as S3 puts it between tags."""
    return text.translate(_ESCAPES)


def leaf(name: str, text: str | int | None) -> str:
    """`<name>text</name>`; nothing at all for None."""
    return "" if text is None else f"<{name}>{escaped(str(text))}</{name}>"


def branch(name: str, parts: Iterable[str]) -> str:
    """An element around parts that are rendered already."""
    return f"<{name}>{''.join(parts)}</{name}>"


def boolean(name: str, *, value: bool) -> str:
    """A boolean as S3 spells it."""
    return f"<{name}>{'true' if value else 'false'}</{name}>"


def document(name: str, parts: Iterable[str], *, namespace: str | None = S3_NAMESPACE) -> bytes:
    """A whole document with its declaration."""
    opening = name if namespace is None else f'{name} xmlns="{namespace}"'
    return f"{DECLARATION}<{opening}>{''.join(parts)}</{name}>".encode()


def grantee(canonical_id: str) -> str:
    """One account as ACL answers carry it."""
    return _grantee("CanonicalUser", leaf("ID", canonical_id))


def group(uri: str) -> str:
    """One of S3's predefined groups as ACL answers carry it."""
    return _grantee("Group", leaf("URI", uri))


def _grantee(kind: str, inner: str) -> str:
    return f'<Grantee xmlns:xsi="{_XSI}" xsi:type="{kind}">{inner}</Grantee>'
