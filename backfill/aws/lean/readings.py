"""Ordinary answers to HeadObject and CopyObject, read in one step by layouts that were learned.

Values that differ from object to object are read here; all else is taken from an answer that
`aws.replies` has read, whose other texts were the very same. So this module has no rule of its own
about what S3's words mean, and each layout is held, when it is learned, to what `replies` made of
the same bytes.
Never reads what is not whole, refused, or in any way unusual: the parser does.
Law: a reading is what the parser and `aws.replies` make of the same bytes.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Final, Generic, TypeVar

from botocore.exceptions import ClientError

from backfill.aws.lean.documents import PLAIN_TEXT, flat_parts, reply_of
from backfill.aws.lean.layouts import Layout, head_layout
from backfill.aws.lean.wire import WireReply
from backfill.aws.replies import (
    BODY_CHECKSUMS,
    HEAD_CHECKSUMS,
    METADATA,
    NoETagError,
    ReplyError,
    UnknownValueError,
    mail_time,
    object_head,
    write_result,
)
from backfill.model.attributes import ObjectHead
from backfill.model.objects import Checksum, ETag, VersionId
from backfill.model.store import WriteResult

LAYOUTS_MAX: Final = 8
"""Layouts tried for an answer. S3 has one for versions with metadata of the same names, and one for
each combination of headers that only some versions have."""

SHAPES_MAX: Final = 1024
"""Combinations of shared texts that are kept for a layout: storage classes, types, statuses."""

LESSONS_MAX: Final = 4 * LAYOUTS_MAX * SHAPES_MAX
"""Answers from which something is learned at all: where all differ, nothing is gained by it."""

_TAG: Final = "([0-9a-f]{32}(?:-[0-9]{1,5})?)"
_SUM: Final = "([A-Za-z0-9+/]++=*+)"
"""A checksum in base64; that of a COMPOSITE one in a head has `-N` behind it, and is no such."""
_COUNT: Final = "([0-9]{1,18})"
_CLOCK: Final = "[0-9]{2}:[0-9]{2}:[0-9]{2}"
_MAIL_TIME: Final = f"([A-Z][a-z]{{2}}, [0-9]{{2}} [A-Z][a-z]{{2}} [0-9]{{4}}) ({_CLOCK}) GMT"
_TIME: Final = f"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_CLOCK}\\.[0-9]{{3}}Z"
_VERSION: Final = "([!-~]++)"

_PASSING: Final = frozenset({
    "date", "x-amz-request-id", "x-amz-id-2", "server", "accept-ranges",
    "x-amz-copy-source-version-id",
})  # fmt: skip
"""Headers that each answer may have another value of, and that nothing reads of a success.

All others are part of what answers share: a `connection: close`, too, is no shared text of answers
after which the connection was free.
"""

_ENCODED_WORD: Final = "=?"
assert ObjectHead._fields[8] == "checksums", "what is behind it is taken from a like one"

T = TypeVar("T")
Told = tuple[str, ...]


class Reading(ABC, Generic[T]):
    """Reads the ordinary answers of one operation, and learns from the others."""

    def __init__(self) -> None:
        self._layouts: list[_Learned[T]] = []
        self._lessons = 0

    def read(self, data: bytes) -> T | None:
        """Return what a whole answer tells; None: the parser has to read it."""
        text = data.decode("latin-1")
        for layout in self._layouts:
            found = layout.match(text)
            if found is not None:
                return layout.result(found.groups())
        return None

    def learn(self, data: bytes, reply: WireReply) -> None:
        """Learn from a whole answer and from what the parser read in it.

        Only for an answer after which the connection may be used again.
        """
        if reply.status != 200 or self._lessons >= LESSONS_MAX:
            return
        self._lessons += 1
        text = data.decode("latin-1")
        layout = next((each for each in self._layouts if each.match(text)), None)
        is_new = layout is None
        try:
            layout = layout or self._new_layout(text, reply)
            if layout is None or not (found := layout.match(text)):
                return
            truth = self._truth(reply)
        except (ClientError, ReplyError, UnknownValueError, NoETagError):
            return
        if layout.learn(found.groups(), truth) and is_new and len(self._layouts) < LAYOUTS_MAX:
            self._layouts.append(layout)

    @abstractmethod
    def _new_layout(self, text: str, reply: WireReply) -> "_Learned[T] | None": ...

    @abstractmethod
    def _truth(self, reply: WireReply) -> T: ...


class _Learned(ABC, Generic[T]):
    """A layout, and what is known of the texts that answers of this layout share."""

    def __init__(self, layout: Layout, own: frozenset[str]) -> None:
        self.match: Callable[[str], re.Match[str] | None] = re.compile(layout.pattern).fullmatch
        self.places = layout.places
        shared = [place for name, place in layout.places.items() if name not in own | _PASSING]
        self._shape_of = _picker(shared)
        self._shapes: dict[Told, T] = {}

    def result(self, told: Told) -> T | None:
        """Return what the answer tells, as its like did."""
        like = self._shapes.get(self._shape_of(told))
        return None if like is None else self._read(told, like)

    def learn(self, told: Told, truth: T) -> bool:
        """Keep what was read of an answer for those that share its texts; whether that will do.

        It will not for an answer that its own texts would not give again.
        """
        shape = self._shape_of(told)
        if shape in self._shapes or len(self._shapes) >= SHAPES_MAX:
            return False
        if self._read(told, truth) != truth:
            return False
        self._shapes[shape] = truth
        return True

    @abstractmethod
    def _read(self, told: Told, like: T) -> T | None: ...


class HeadReading(Reading[ObjectHead]):
    """Answers to HeadObject."""

    def _new_layout(self, text: str, reply: WireReply) -> "_LearnedHead | None":
        if not text.endswith("\r\n\r\n"):
            return None
        layout = head_layout(text[:-4], reply, _HEAD_PATTERNS)
        if layout is None or not layout.places.keys() >= _NEEDED_OF_HEAD:
            return None
        return _LearnedHead(layout._replace(pattern=f"{layout.pattern}\r\n\r\n"))

    def _truth(self, reply: WireReply) -> ObjectHead:
        return object_head(reply_of("HeadObject", reply))


_HEAD_PATTERNS: Final = {
    "etag": f'"{_TAG}"',
    "content-length": _COUNT,
    "last-modified": _MAIL_TIME,
    "x-amz-version-id": _VERSION,
    **dict.fromkeys((name for name, _ in HEAD_CHECKSUMS), _SUM),
}
_NEEDED_OF_HEAD: Final = frozenset({"etag", "content-length", "last-modified", "x-amz-version-id"})


class _LearnedHead(_Learned[ObjectHead]):
    def __init__(self, layout: Layout) -> None:
        places = layout.places
        metadata = sorted(name for name in places if name.startswith(METADATA))
        super().__init__(layout, frozenset((*_HEAD_PATTERNS, *metadata)))
        self._version, self._etag = places["x-amz-version-id"], places["etag"]
        self._size, self._day = places["content-length"], places["last-modified"]
        self._names = tuple(name.removeprefix(METADATA) for name in metadata)
        self._values_of = _picker([places[name] for name in metadata])
        self._checksums = [places[name] for name, _ in HEAD_CHECKSUMS if name in places]

    def _read(self, told: Told, like: ObjectHead) -> ObjectHead | None:
        day = self._day
        try:
            modified = datetime.fromisoformat(f"{_date(told[day])}T{told[day + 1]}+00:00")
        except (ValueError, ReplyError):
            return None
        metadata = like.metadata
        if self._names:
            values = self._values_of(told)
            if any(_ENCODED_WORD in value for value in values):
                return None
            metadata = tuple(zip(self._names, values, strict=True))
        return ObjectHead(
            VersionId(told[self._version]),
            ETag(told[self._etag]),
            int(told[self._size]),
            modified,
            like.storage_class,
            metadata,
            like.content_headers,
            like.tag_count,
            _checksums(told, like.checksums, self._checksums),
            *like[9:],
        )


class CopyReading(Reading[WriteResult]):
    """Answers to CopyObject: a head with the new version's ID, and one flat document."""

    def _new_layout(self, text: str, reply: WireReply) -> "_LearnedCopy | None":
        head, _, body = text.partition("\r\n\r\n")
        layout, parts = head_layout(head, reply, _COPY_PATTERNS), flat_parts(body)
        if layout is None or parts is None:
            return None
        before, leaves, behind = parts
        places, pattern = dict(layout.places), [re.escape(before)]
        groups = re.compile(layout.pattern).groups
        places[_BODY] = groups
        for name in leaves:
            groups += 1
            places[name] = groups
            pattern.append(f"<{name}>{_LEAF_PATTERNS.get(name, _WORDS)}</{name}>")
        if not places.keys() >= _NEEDED_OF_COPY:
            return None
        whole = f"{layout.pattern}\r\n\r\n({''.join(pattern)}{re.escape(behind)})"
        return _LearnedCopy(Layout(whole, places))

    def _truth(self, reply: WireReply) -> WriteResult:
        return write_result(reply_of("CopyObject", reply), result="CopyObjectResult")


_BODY: Final = "the body"
_WORDS: Final = f"({PLAIN_TEXT})"
_COPY_PATTERNS: Final = {"content-length": _COUNT, "x-amz-version-id": _VERSION}
_LEAF_PATTERNS: Final = {
    "ETag": f"&quot;{_TAG}&quot;",
    "LastModified": f"({_TIME})",
    **dict.fromkeys((name for name, _ in BODY_CHECKSUMS), _SUM),
}
_NEEDED_OF_COPY: Final = frozenset({"content-length", "x-amz-version-id", "ETag", "LastModified"})


class _LearnedCopy(_Learned[WriteResult]):
    def __init__(self, layout: Layout) -> None:
        places = layout.places
        super().__init__(layout, frozenset((*_COPY_PATTERNS, *_LEAF_PATTERNS, _BODY)))
        self._length, self._body = places["content-length"], places[_BODY]
        self._version, self._etag = places["x-amz-version-id"], places["ETag"]
        self._modified = places["LastModified"]
        self._checksums = [places[name] for name, _ in BODY_CHECKSUMS if name in places]

    def _read(self, told: Told, like: WriteResult) -> WriteResult | None:
        if int(told[self._length]) != len(told[self._body]):
            return None
        try:
            modified = datetime.fromisoformat(told[self._modified])
        except ValueError:
            return None
        return WriteResult(
            ETag(told[self._etag]),
            VersionId(told[self._version]),
            _checksums(told, like.checksums, self._checksums),
            modified,
        )


def _checksums(
    told: Told, like: tuple[Checksum, ...], places: Sequence[int]
) -> tuple[Checksum, ...]:
    if len(places) == 1:  # as S3 has it
        return (Checksum(like[0].algorithm, told[places[0]], like[0].type),)
    return tuple([
        Checksum(own.algorithm, told[place], own.type)
        for own, place in zip(like, places, strict=True)
    ])  # fmt: skip


@lru_cache(maxsize=4096)  # eleven years of days
def _date(day: str) -> str:
    return mail_time(f"{day} 00:00:00 GMT").date().isoformat()


def _picker(places: Sequence[int]) -> Callable[[Told], Told]:
    """Return what gives the texts at these places, as a tuple."""
    match places:
        case []:
            return lambda _: ()
        case [place]:
            return lambda told: (told[place],)
        case _:
            return itemgetter(*places)
