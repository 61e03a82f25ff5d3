"""Which elements of a raw answer the SDK's model does not know, so that they would be lost.

The SDK drops what it does not know without a word; what it dropped is not there when the document
is put back. So the body is walked beside the output shape that the SDK parsed it by.
Never expands entities: a body with a document type is refused.
Law: an element, attribute or text that parsing and building again would not bring back is named.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from botocore.model import ListShape, Shape, StructureShape

from backfill.aws.replies import ReplyError

DOCUMENT_BYTES_MAX: Final = 8 * 1024 * 1024
"""A replication configuration has at most 2 MB (S3 API: PutBucketReplication)."""


def unmodelled_paths(body: bytes, output: Shape) -> tuple[str, ...]:
    """Return the paths below the root that the shape does not hold, sorted, each once.

    An element is `Rule/Shiny`, an attribute `Rule@shiny`, text between elements `Rule/text()`, and
    an element that stands twice where the shape has room for one `Rule/Prefix[2]`.

    Raises:
        ReplyError: Not XML, hostile, or larger than any document of S3.
    """
    if len(body) > DOCUMENT_BYTES_MAX:
        raise ReplyError(f"a document of {len(body)} bytes")
    walk = _Walk(_document_shape(output))
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_document_type
    parser.StartElementHandler = walk.start
    parser.EndElementHandler = walk.end
    parser.CharacterDataHandler = walk.text
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise ReplyError(f"a document that cannot be read: {error}") from error
    return tuple(sorted(walk.unknown))


def _document_shape(output: Shape) -> Shape:
    """Return the shape of the root element: the payload's, or the whole output's."""
    payload = output.serialization.get("payload")
    if payload is not None and isinstance(output, StructureShape):
        member: Shape = output.members[str(payload)]
        return member
    return output


def _refuse_document_type(*_: object) -> None:
    raise ReplyError("a document with a document type is refused: entities may hide in it")


# Counts what it meets while it is open.
@dataclass(slots=True, kw_only=True)
class _Frame:
    """An open element. `shape` is None below what is unknown: it was named once."""

    shape: Shape | None
    path: str
    seen: Counter[str] = field(default_factory=Counter)


class _Walk:
    """Follows the elements with a stack of shapes."""

    def __init__(self, root: Shape) -> None:
        self.unknown: set[str] = set()
        self._root = root
        self._frames: list[_Frame] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        parent = self._frames[-1] if self._frames else None
        frame = (
            self._child(parent, name) if parent is not None else _Frame(shape=self._root, path="")
        )
        self._frames.append(frame)
        if frame.shape is not None:
            self._look_at_attributes(frame, attributes)

    def end(self, _: str) -> None:
        self._frames.pop()

    def text(self, text: str) -> None:
        frame = self._frames[-1]
        if isinstance(frame.shape, StructureShape | ListShape) and text.strip():
            self.unknown.add(_joined(frame.path, "text()"))

    def _child(self, parent: _Frame, name: str) -> _Frame:
        path = _joined(parent.path, name)
        if parent.shape is None:
            return _Frame(shape=None, path=path)
        parent.seen[name] += 1
        shape, is_repeatable = _member(parent.shape, name)
        if shape is None:
            self.unknown.add(path)
        elif parent.seen[name] > 1 and not is_repeatable:
            self.unknown.add(f"{path}[{parent.seen[name]}]")
        return _Frame(shape=shape, path=path)

    def _look_at_attributes(self, frame: _Frame, attributes: dict[str, str]) -> None:
        known = _attributes(frame.shape)
        for name in attributes:
            if name != "xmlns" and not name.startswith("xmlns:") and name not in known:
                self.unknown.add(f"{frame.path}@{name}")


def _joined(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _member(shape: Shape, name: str) -> tuple[Shape | None, bool]:
    """Return the shape of a child element, and whether it may stand there several times."""
    if isinstance(shape, ListShape):
        is_member = name == shape.member.serialization.get("name", "member")
        return (shape.member, True) if is_member else (None, False)
    if isinstance(shape, StructureShape):
        for member_name, member in shape.members.items():
            if "location" in member.serialization or member.serialization.get("xmlAttribute"):
                continue
            if isinstance(member, ListShape) and member.serialization.get("flattened"):
                # The SDK's own rule (botocore.parsers: _member_key_name).
                own_name = member.member.serialization.get("name")
                if name == (own_name or member.serialization.get("name", member_name)):
                    return member.member, True
            elif name == member.serialization.get("name", member_name):
                return member, False
    return None, False


def _attributes(shape: Shape | None) -> set[str]:
    if not isinstance(shape, StructureShape):
        return set()
    return {
        str(member.serialization.get("name", name))
        for name, member in shape.members.items()
        if member.serialization.get("xmlAttribute")
    }
