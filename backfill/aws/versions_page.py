"""One page of ListObjectVersions from its raw body, versions and delete markers interleaved.

botocore sorts a page into two lists and so loses the order between versions and markers, which no
time stamp gives back (LastModified has a resolution of one second). So the raw body is kept from
the SDK's parser and read here.

Never expands entities: a body with a document type is refused. Never decodes a key twice.
Law: entries come out in the order in which S3 wrote them, keys byte for byte.
"""

from collections.abc import Mapping, MutableMapping
from datetime import datetime
from typing import Final
from urllib.parse import unquote_plus
from xml.parsers import expat

from backfill.aws.alike_entries import alike_entries
from backfill.aws.ordinary_entries import STAND_IN, ordinary_entries, taken_apart
from backfill.aws.replies import ReplyError
from backfill.model.objects import (
    NULL_VERSION_ID,
    ChecksumType,
    DeleteMarker,
    ETag,
    ListedEntry,
    ObjectVersion,
    VersionId,
)
from backfill.model.store import VersionsPage, VersionsPosition

RAW_PAGE: Final = "BackfillRawPage"
_ROOT: Final = "ListVersionsResult"
_OPENING: Final = b"<" + _ROOT.encode()
_STAND_IN: Final = b"<ListVersionsResult/>"
_PAGE_BYTES_MAX: Final = 16 * 1024 * 1024
"""1,000 entries with keys of 1,024 bytes, each byte percent-encoded, are below 5 MB."""


def keep_raw_page(
    response_dict: MutableMapping[str, object],
    customized_response_dict: MutableMapping[str, object],
    **_: object,
) -> None:
    """Set a page's body aside before the SDK parses it (handler of `before-parse`).

    Everything else than a page, an error inside a 200 above all, is left to the SDK.
    """
    body = response_dict.get("body")
    if response_dict.get("status_code") != 200 or not isinstance(body, bytes):
        return
    if not is_page(body):
        return
    customized_response_dict[RAW_PAGE] = body
    response_dict["body"] = _STAND_IN


def is_page(body: bytes) -> bool:
    """Return whether a body says that it is a page; whether it is one, `versions_page` finds."""
    return _OPENING in body[:1024]


def versions_page(body: bytes) -> VersionsPage:
    """Parse one page.

    Raises:
        ReplyError: Not a page, cut, hostile, or with a value that has no meaning.
    """
    if len(body) > _PAGE_BYTES_MAX:
        raise ReplyError(f"a page of {len(body)} bytes")
    page = _ordinary_page(body)
    if page is not None:
        return page
    reader = _read(body)
    try:
        return _page(reader)
    except (ValueError, KeyError) as error:
        raise ReplyError(f"ListObjectVersions: {error!r}") from error


def _ordinary_page(body: bytes) -> VersionsPage | None:
    """Return the page if its entries are ordinary; the rest of it is read as any page is."""
    apart = taken_apart(body)
    if apart is None:
        return None
    try:
        reader = _read(apart.rest)
        if reader.entries or STAND_IN not in reader.page:  # the entries lie elsewhere than they may
            return None
        is_encoded = _is_encoded(reader)
        cells = alike_entries(apart.entries, is_encoded=is_encoded)
        if cells is None:
            cells = ordinary_entries(apart.entries, is_encoded=is_encoded)
        following = _next(reader.page, is_encoded=is_encoded)
    except (ValueError, KeyError):
        return None
    return None if cells is None else VersionsPage.of_cells(cells, following)


def _read(body: bytes) -> "_Reader":
    reader = _Reader()
    reader.read(body)
    return reader


class _Reader:
    """Collects the texts of the page, and of each entry in order, by element name."""

    def __init__(self) -> None:
        self.page: dict[str, str] = {}
        self.entries: list[tuple[str, dict[str, str], list[str]]] = []
        self._depth = 0
        self._fields: dict[str, str] | None = None
        self._algorithms: list[str] = []
        self._text: list[str] = []

    def read(self, body: bytes) -> None:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_document_type
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append
        try:
            parser.Parse(body, True)
        except (expat.ExpatError, LookupError, ValueError) as error:
            raise ReplyError(f"ListObjectVersions: {error}") from error

    def _start(self, name: str, _: dict[str, str]) -> None:
        self._depth += 1
        self._text.clear()
        if self._depth == 1 and name != _ROOT:
            raise ReplyError(f"a page that begins with {name!r}")
        if self._depth == 2 and name in ("Version", "DeleteMarker"):
            self._fields, self._algorithms = {}, []
            self.entries.append((name, self._fields, self._algorithms))

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._fields is None:
            if self._depth == 1:
                self.page[name] = "".join(self._text)
        elif self._depth == 1:
            self._fields = None
        elif self._depth == 2:
            if name == "ChecksumAlgorithm":
                self._algorithms.append("".join(self._text))
            else:
                self._fields[name] = "".join(self._text)


def _refuse_document_type(*_: object) -> None:
    raise ReplyError("a page with a document type is refused: entities may hide in it")


def _is_encoded(reader: _Reader) -> bool:
    return reader.page.get("EncodingType") == "url"


def _page(reader: _Reader) -> VersionsPage:
    is_encoded = _is_encoded(reader)
    entries = tuple(
        _version(fields, algorithms, is_encoded=is_encoded)
        if kind == "Version"
        else _marker(fields, is_encoded=is_encoded)
        for kind, fields, algorithms in reader.entries
    )
    return VersionsPage(entries=entries, next_position=_next(reader.page, is_encoded=is_encoded))


def _version(fields: Mapping[str, str], algorithms: list[str], *, is_encoded: bool) -> ListedEntry:
    checksum_type = fields.get("ChecksumType")
    return ObjectVersion(
        key=_key(fields["Key"], is_encoded=is_encoded),
        version_id=_version_id(fields),
        is_latest=_flag(fields["IsLatest"]),
        last_modified=_time(fields["LastModified"]),
        etag=ETag(fields["ETag"].strip('"')),
        size_bytes=int(fields["Size"]),
        storage_class=fields.get("StorageClass") or "STANDARD",
        checksum_algorithms=tuple(algorithms),
        checksum_type=ChecksumType(checksum_type) if checksum_type else None,
    )


def _marker(fields: Mapping[str, str], *, is_encoded: bool) -> ListedEntry:
    return DeleteMarker(
        key=_key(fields["Key"], is_encoded=is_encoded),
        version_id=_version_id(fields),
        is_latest=_flag(fields["IsLatest"]),
        last_modified=_time(fields["LastModified"]),
    )


def _next(page: Mapping[str, str], *, is_encoded: bool) -> VersionsPosition | None:
    if not _flag(page["IsTruncated"]):
        return None
    version_id = page.get("NextVersionIdMarker")
    return VersionsPosition(
        key=_key(page["NextKeyMarker"], is_encoded=is_encoded),
        version_id=VersionId(version_id) if version_id else None,
    )


def _key(text: str, *, is_encoded: bool) -> str:
    # S3 encodes as forms do: a space is `+`, a plus `%2B`. Strict: a key is UTF-8 or no key.
    key = unquote_plus(text, errors="strict") if is_encoded else text
    if not key:
        raise ValueError("an empty key")
    return key


def _version_id(fields: Mapping[str, str]) -> VersionId:
    return VersionId(fields.get("VersionId") or NULL_VERSION_ID)


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"{text!r} is not a boolean")
    return text == "true"


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment
