"""Listing pages of both buckets: ListObjectVersions and ListObjectsV2.

Never walks the keys: a marker is found by bisection. Entries of the source are rendered once, so
that a page costs a join; those of the destination show what was copied by then.
Law: pages are those of S3 (API: ListObjectVersions): keys in UTF-8 order, percent-encoded as forms
are where asked, versions newest first, a key marker alone resumes after all versions of its key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote_plus

from benchmarks.canned_server.objects import Objects
from benchmarks.canned_server.shared import Shared

_BEFORE_ID: Final = b"</Key><VersionId>"
_BEFORE_TIME: Final = b"</VersionId><IsLatest>true</IsLatest><LastModified>"
OWNER: Final = b"75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a"
_HEAD: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_SPACE: Final = b' xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
_CHECKSUM: Final = (
    b"<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
)
_VERSION: Final = (
    b"<Version><Key>%s</Key><VersionId>%s</VersionId><IsLatest>%s</IsLatest>"
    b"<LastModified>%s</LastModified><ETag>&quot;%s&quot;</ETag>%s<Size>%d</Size>"
    b"<Owner><ID>" + OWNER + b"</ID></Owner><StorageClass>STANDARD</StorageClass></Version>"
)
_CONTENTS: Final = (
    b"<Contents><Key>%s</Key><LastModified>%s</LastModified><ETag>&quot;%s&quot;</ETag>%s"
    b"<Size>%d</Size><StorageClass>STANDARD</StorageClass></Contents>"
)

Query = Mapping[str, str]


def encoded(name: bytes) -> bytes:
    """Return a key as S3 writes it under `encoding-type=url`; slashes stay."""
    return quote_plus(name, safe="/").encode()


@dataclass(slots=True, kw_only=True)
class Pages:
    """What both buckets list."""

    objects: Objects
    shared: Shared
    source: str
    _entries: list[bytes | None] = field(default_factory=list)

    def warm(self, entries_max: int) -> None:
        """Render entries ahead; those beyond are rendered when they are first listed."""
        entries = self.objects.count * self.objects.versions
        self._entries = [None] * entries
        for entry in range(min(entries, entries_max)):
            self._source_entry(entry)

    # --- Entries. Entry `key * versions + version` of the source; a key has one copy at most. ---

    def _source_entry(self, entry: int) -> bytes:
        told = self._entries[entry]
        if told is None:
            objects = self.objects
            number, version = divmod(entry, objects.versions)
            etag, size_bytes, _, modified_s = objects.facts(number, version)
            told = self._entries[entry] = _VERSION % (
                objects.shape.name(number),  # no shape makes a name that needs encoding
                objects.source_id(number, version),
                b"false" if version else b"true",
                objects.iso_time(modified_s),
                etag,
                _CHECKSUM if objects.has_checksums else b"",
                size_bytes,
            )
        return told

    def _copies(self, numbers: Sequence[int]) -> list[bytes]:
        """Return entries of the destination: those of the source with another ID and time."""
        objects, times = self.objects, self.shared.copied_s
        iso_times: dict[int, bytes] = {}
        told: list[bytes] = []
        for number in numbers:
            source = self._source_entry(number * objects.versions)
            moment_s = times[number]
            if (iso_time := iso_times.get(moment_s)) is None:
                iso_time = iso_times[moment_s] = objects.iso_time(moment_s)
            at = source.index(_BEFORE_ID) + len(_BEFORE_ID)
            told += (
                source[:at],
                objects.copy_id(number),
                _BEFORE_TIME,
                iso_time,
                source[at + 32 + len(_BEFORE_TIME) + len(iso_time) :],
            )
        return told

    def _contents(self, number: int, moment_s: int) -> bytes:
        objects = self.objects
        etag, size_bytes, _, _ = objects.facts(number, 0)
        return _CONTENTS % (
            objects.shape.name(number),
            objects.iso_time(moment_s),
            etag,
            _CHECKSUM if objects.has_checksums else b"",
            size_bytes,
        )

    # --- Pages ---

    def versions_page(self, bucket: str, query: Query) -> bytes:
        """Render one page of ListObjectVersions."""
        objects, page_max = self.objects, min(1000, int(query.get("max-keys") or 1000))
        prefix = query.get("prefix", "").encode()
        first, end = self._range(prefix)
        is_source = bucket == self.source
        a_key = objects.versions if is_source else 1
        first, end = first * a_key, end * a_key
        if marker := query.get("key-marker", "").encode():
            first = max(first, self._after(marker, query.get("version-id-marker", ""), a_key))
        if query.get("delimiter"):
            return self._folders(bucket, query, prefix, (first // a_key, end // a_key))
        if is_source:
            last = min(end, first + page_max)
            listed, is_cut = [self._source_entry(at) for at in range(first, last)], last < end
            number, version = divmod(last - 1, a_key)
            rows, version_id = max(0, last - first), objects.source_id(number, max(0, version))
        else:
            numbers, is_cut = self._copied(first, end, page_max)
            listed = self._copies(numbers)
            number, rows = (numbers[-1] if numbers else 0), len(numbers)
            version_id = objects.copy_id(number)
        self.shared.count("listed_entries", rows)
        name = encoded(objects.shape.name(number)) if is_cut else b""
        return (
            b"%s<ListVersionsResult%s<Name>%s</Name><Prefix>%s</Prefix>%s<MaxKeys>%d</MaxKeys>%s%s</ListVersionsResult>"
            % (
                _HEAD,
                _SPACE,
                bucket.encode(),
                encoded(prefix),
                _marker(b"KeyMarker", encoded(marker))
                + _marker(b"VersionIdMarker", query.get("version-id-marker", "").encode()),
                page_max,
                _truncation(
                    is_cut,
                    _marker(b"NextKeyMarker", name) + _marker(b"NextVersionIdMarker", version_id),
                    query,
                ),
                b"".join(listed),
            )
        )

    def contents_page(self, bucket: str, query: Query) -> bytes:
        """Render one page of ListObjectsV2 (or of ListObjects, which has a marker instead)."""
        page_max = min(1000, int(query.get("max-keys") or 1000))
        prefix = query.get("prefix", "").encode()
        first, end = self._range(prefix)
        token = query.get("continuation-token") or query.get("start-after") or query.get("marker")
        if token:
            is_folder = bool(query.get("delimiter")) and token.endswith(query["delimiter"])
            after = token.encode() + (b"\xff" if is_folder else b"")
            first = max(first, self.objects.rank(after, is_after=True))
        if query.get("delimiter"):
            return self._folders(bucket, query, prefix, (first, end))
        if bucket == self.source:
            numbers = list(range(first, min(end, first + page_max)))
            is_cut = first + page_max < end
        else:
            numbers, is_cut = self._copied(first, end, page_max)
        entries = b"".join(
            [self._contents(number, self._time(bucket, number)) for number in numbers]
        )
        self.shared.count("listed_entries", len(numbers))
        last = self.objects.shape.name(numbers[-1]) if is_cut else b""
        return self._contents_document(bucket, query, (entries, len(numbers), last))

    def _contents_document(
        self, bucket: str, query: Query, told: tuple[bytes, int, bytes]
    ) -> bytes:
        entries, count, last = told
        markers = _marker(b"NextContinuationToken", last) + _marker(b"NextMarker", encoded(last))
        return (
            b"%s<ListBucketResult%s<Name>%s</Name><Prefix>%s</Prefix><KeyCount>%d</KeyCount><MaxKeys>1000</MaxKeys>%s%s</ListBucketResult>"
            % (
                _HEAD,
                _SPACE,
                bucket.encode(),
                encoded(query.get("prefix", "").encode()),
                count,
                _truncation(bool(last), markers, query),
                entries,
            )
        )

    def _folders(self, bucket: str, query: Query, prefix: bytes, span: tuple[int, int]) -> bytes:
        """Render a page with a delimiter: keys and common prefixes in order."""
        delimiter, (at, end), rows = query["delimiter"].encode(), span, 0
        entries, last = [], b""
        while at < end and rows < 1000:
            numbers, _ = ([at], False) if bucket == self.source else self._copied(at, end, 1)
            if not numbers:
                at = end
                break
            number, rows = numbers[0], rows + 1
            name = self.objects.shape.name(number)
            folder, found, _ = name[len(prefix) :].partition(delimiter)
            if found:
                last = prefix + folder + delimiter
                entries.append(
                    b"<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>" % encoded(last)
                )
                at = self.objects.rank(last + b"\xff", is_after=True)
            else:
                last = name
                entries.append(self._contents(number, self._time(bucket, number)))
                at = number + 1
        self.shared.count("listed_entries", rows)
        told = b"".join(entries), rows, last if at < end else b""
        return self._contents_document(bucket, query, told)

    # --- Positions ---

    def _range(self, prefix: bytes) -> tuple[int, int]:
        if not prefix:
            return 0, self.objects.count
        rank = self.objects.rank
        return rank(prefix, is_after=False), rank(prefix + b"\xff", is_after=True)

    def _after(self, key: bytes, version_id: str, a_key: int) -> int:
        number = self.objects.number(key)
        if number is None:
            return self.objects.rank(key, is_after=True) * a_key
        version = self.objects.version(version_id.encode(), number) if version_id else None
        return (number + 1) * a_key if version is None else number * a_key + version + 1

    def _time(self, bucket: str, number: int) -> int:
        if bucket == self.source:
            return self.objects.facts(number, 0)[3]
        return self.shared.copied_s[number]

    def _copied(self, first: int, end: int, most: int) -> tuple[list[int], bool]:
        """Return the numbers of the next copies, and whether there are more."""
        found: list[int] = []
        at, step = first, 4 * most
        while at < end and len(found) <= most:
            times = self.shared.copied_s[at : min(end, at + step)].tolist()
            found += [at + place for place, moment_s in enumerate(times) if moment_s]
            at, step = at + step, 2 * step
        return found[:most], len(found) > most


def _marker(name: bytes, value: bytes) -> bytes:
    return b"<%s>%s</%s>" % (name, value, name)


def _truncation(is_cut: bool, markers: bytes, query: Query) -> bytes:  # noqa: FBT001 - the only flag
    told = b"<EncodingType>url</EncodingType>" if query.get("encoding-type") == "url" else b""
    if is_cut:
        return markers + told + b"<IsTruncated>true</IsTruncated>"
    return told + b"<IsTruncated>false</IsTruncated>"
