"""Listing: pages of versions and of current objects.

Every page begins with a bisection of the sorted keys, so that its cost is its own size.
Law: a page says where the next one begins, and the two together are the listing: nothing is said
twice, nothing left out (API: ListObjectVersions).
"""

from __future__ import annotations

import binascii
from base64 import b64decode, urlsafe_b64encode
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from backfill.sandbox.model import refusals
from backfill.sandbox.model.access import find_bucket, require
from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.errors import Pairs, S3Error
from backfill.sandbox.model.finding import check_version_id
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.operations.listings import (
    ListedObject,
    ListedVersion,
    ListObjectsRequest,
    ListObjectsResult,
    ListObjectsV2Request,
    ListObjectVersionsRequest,
    ListObjectVersionsResult,
)
from backfill.sandbox.model.reading import restore_told
from backfill.sandbox.model.versions import DeleteMarker, Entry, ObjectVersion
from backfill.sandbox.model.world import World

ROWS_KEPT_MAX = 1_000
"""Rows that a bucket keeps: small buckets are listed over and over, large ones seldom twice."""


def page_size(max_keys: int, world: World) -> int:
    """How many entries a page may have: 0 to 1,000."""
    if max_keys < 0:
        raise S3Error(refusals.INVALID_MAX_KEYS)
    return min(max_keys, world.limits.page_size)


def common_prefix(key: str, prefix: str, delimiter: str | None) -> str | None:
    """What the key is rolled up to: up to the first delimiter after the prefix."""
    if not delimiter:
        return None
    at = key.find(delimiter, len(prefix))
    return None if at < 0 else key[: at + len(delimiter)]


def end_of_prefix(keys: list[str], prefix: str, start: int) -> int:
    """Where the keys with this prefix end; they begin at or before `start`."""
    return bisect_left(keys, True, lo=start, key=lambda key: not key.startswith(prefix))


def first_index(keys: list[str], prefix: str, delimiter: str | None, marker: str | None) -> int:
    """Where a page begins: at the prefix, or behind the marker and all that it rolls up."""
    start = bisect_left(keys, prefix)
    if marker is None:
        return start
    start = max(start, bisect_right(keys, marker))
    if marker.startswith(prefix) and marker == common_prefix(marker, prefix, delimiter):
        return end_of_prefix(keys, marker, start)
    return start


# Filled while a page is gathered, then frozen into a result.
@dataclass(slots=True, kw_only=True)
class _Page:
    size: int
    entries: list[Entry] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    last_key: str | None = None
    last_version_id: str | None = None
    is_truncated: bool = False

    def has_room(self) -> bool:
        """Whether one more fits; else the page is truncated, as there is one more."""
        self.is_truncated = len(self.entries) + len(self.prefixes) >= self.size
        return not self.is_truncated


def _keys_and_prefixes(
    bucket: Bucket, prefix: str, delimiter: str | None, index: int
) -> Iterator[tuple[str, bool]]:
    """Keys from an index on, each with whether it is a common prefix, met once."""
    keys = bucket.keys
    while index < len(keys) and keys[index].startswith(prefix):
        rolled = common_prefix(keys[index], prefix, delimiter)
        if rolled is None:
            yield keys[index], False
            index += 1
        else:
            yield rolled, True
            index = end_of_prefix(keys, rolled, index)


def _after_marker(bucket: Bucket, key: str, version_id: str) -> int:
    """How many of the key's entries, counted from the oldest, come after the marker."""
    chain = bucket.chain(key)
    for index in range(len(chain) - 1, -1, -1):
        if chain[index].version_id == version_id:
            return index
    check_version_id(version_id)
    # Removed while somebody was paging: go on with what is older than it was.
    sequence = bucket.removed.get((key, version_id), 0)
    return sum(entry.sequence < sequence for entry in chain)


def _gather_versions(bucket: Bucket, request: ListObjectVersionsRequest, page: _Page) -> None:
    prefix, delimiter, marker = request.prefix, request.delimiter, request.key_marker
    rest_of_key = 0
    if marker is not None and request.version_id_marker is not None and marker.startswith(prefix):
        rest_of_key = _after_marker(bucket, marker, request.version_id_marker)
    if marker is not None and not _add_chain(page, bucket, marker, rest_of_key):
        return
    index = first_index(bucket.keys, prefix, delimiter, marker)
    for key, is_prefix in _keys_and_prefixes(bucket, prefix, delimiter, index):
        if is_prefix:
            if not page.has_room():
                return
            page.prefixes.append(key)
            page.last_key, page.last_version_id = key, None
        elif not _add_chain(page, bucket, key, len(bucket.chains[key])):
            return


def _add_chain(page: _Page, bucket: Bucket, key: str, count: int) -> bool:
    """Add the oldest `count` entries of a key, newest first; whether all found room."""
    if not count:
        return True
    room = page.size - len(page.entries) - len(page.prefixes)
    page.is_truncated = room < count
    if room > 0:
        fitting = bucket.chains[key][max(0, count - room) : count]
        fitting.reverse()
        page.entries += fitting
        page.last_key, page.last_version_id = key, fitting[-1].version_id
    return not page.is_truncated


def list_object_versions(
    world: World, caller: Caller, request: ListObjectVersionsRequest
) -> ListObjectVersionsResult:
    """A page of versions and delete markers in their true order."""
    bucket = find_bucket(world, request.bucket, request.expected_bucket_owner)
    size = page_size(request.max_keys, world)
    if request.version_id_marker is not None and request.key_marker is None:
        raise S3Error(
            refusals.VERSION_MARKER_ALONE, fields=(("ArgumentName", "version-id-marker"),)
        )
    conditions = _conditions(request.prefix, request.delimiter, request.max_keys)
    require(world, caller, "s3:ListBucketVersions", bucket, conditions=conditions)
    page = _Page(size=size)
    if size:
        _gather_versions(bucket, request, page)
    is_next = page.is_truncated
    return ListObjectVersionsResult(
        entries=tuple(_version_row(bucket, entry) for entry in page.entries),
        common_prefixes=tuple(page.prefixes),
        max_keys=size,
        is_truncated=page.is_truncated,
        next_key_marker=page.last_key if is_next else None,
        next_version_id_marker=page.last_version_id if is_next else None,
    )


def _conditions(prefix: str, delimiter: str | None, max_keys: int) -> Pairs:
    """What a policy may ask of a listing (UG: amazon-s3-policy-keys)."""
    said = (("s3:prefix", prefix), ("s3:max-keys", str(max_keys)))
    return said if delimiter is None else (*said, ("s3:delimiter", delimiter))


def _version_row(bucket: Bucket, entry: Entry) -> ListedVersion:
    is_latest = bucket.chains[entry.key][-1] is entry
    held = bucket.rows.get(id(entry))
    if held is not None and held[1].is_latest is is_latest:
        return held[1]
    row = _new_row(entry, is_latest=is_latest)
    if held is not None or len(bucket.rows) < ROWS_KEPT_MAX:
        bucket.rows[id(entry)] = (entry, row)
    return row


def _new_row(entry: Entry, *, is_latest: bool) -> ListedVersion:
    if isinstance(entry, DeleteMarker):
        return ListedVersion(
            key=entry.key,
            version_id=entry.version_id,
            is_latest=is_latest,
            is_delete_marker=True,
            last_modified=entry.last_modified,
            owner_id=entry.owner_id,
        )
    checksum = entry.checksum
    return ListedVersion(
        key=entry.key,
        version_id=entry.version_id,
        is_latest=is_latest,
        is_delete_marker=False,
        last_modified=entry.last_modified,
        owner_id=entry.owner_id,
        etag=entry.etag,
        size_bytes=entry.size_bytes,
        storage_class=entry.storage_class,
        checksum_algorithm=None if checksum is None else checksum.algorithm,
        checksum_type=None if checksum is None else checksum.type,
    )


def _object_row(world: World, version: ObjectVersion, *, is_restore_asked: bool) -> ListedObject:
    checksum = version.checksum
    return ListedObject(
        key=version.key,
        etag=version.etag,
        size_bytes=version.size_bytes,
        last_modified=version.last_modified,
        storage_class=version.storage_class,
        owner_id=version.owner_id,
        checksum_algorithm=None if checksum is None else checksum.algorithm,
        checksum_type=None if checksum is None else checksum.type,
        restore=restore_told(world, version) if is_restore_asked else None,
    )


def list_objects(world: World, caller: Caller, request: ListObjectsRequest) -> ListObjectsResult:
    """A page of current objects, from behind a marker."""
    bucket = find_bucket(world, request.bucket, request.expected_bucket_owner)
    page = _Page(size=page_size(request.max_keys, world))
    conditions = _conditions(request.prefix, request.delimiter, request.max_keys)
    require(world, caller, "s3:ListBucket", bucket, conditions=conditions)
    if page.size:
        _gather_objects(bucket, request, page)
    last_key = page.last_key if page.is_truncated else None
    objects = tuple(
        _object_row(world, entry, is_restore_asked=request.is_restore_status_asked)
        for entry in page.entries
        if isinstance(entry, ObjectVersion)
    )
    return ListObjectsResult(
        objects=objects,
        common_prefixes=tuple(page.prefixes),
        max_keys=page.size,
        is_truncated=page.is_truncated,
        next_marker=last_key,
        next_continuation_token=None if last_key is None else _token(last_key),
    )


def _gather_objects(bucket: Bucket, request: ListObjectsRequest, page: _Page) -> None:
    prefix, delimiter = request.prefix, request.delimiter
    index = first_index(bucket.keys, prefix, delimiter, request.marker)
    for key, is_prefix in _keys_and_prefixes(bucket, prefix, delimiter, index):
        entry = None if is_prefix else bucket.current(key)
        if is_prefix and not _has_objects(bucket, key):
            continue
        if isinstance(entry, DeleteMarker):
            continue
        if not page.has_room():
            return
        if entry is None:
            page.prefixes.append(key)
        else:
            page.entries.append(entry)
        page.last_key = key


def _has_objects(bucket: Bucket, prefix: str) -> bool:
    """Whether any key with the prefix has a current version that is no delete marker."""
    start = bisect_left(bucket.keys, prefix)
    end = end_of_prefix(bucket.keys, prefix, start)
    return any(
        isinstance(bucket.current(bucket.keys[index]), ObjectVersion) for index in range(start, end)
    )


def list_objects_v2(
    world: World, caller: Caller, request: ListObjectsV2Request
) -> ListObjectsResult:
    """A page of current objects, from behind a token or a key."""
    marker = request.start_after
    if request.continuation_token is not None:
        marker = _marker_in(request.continuation_token)
    return list_objects(
        world,
        caller,
        ListObjectsRequest(
            bucket=request.bucket,
            prefix=request.prefix,
            delimiter=request.delimiter,
            marker=marker,
            max_keys=request.max_keys,
            is_restore_status_asked=request.is_restore_status_asked,
            expected_bucket_owner=request.expected_bucket_owner,
        ),
    )


def _token(last_key: str) -> str:
    return urlsafe_b64encode(b"1" + last_key.encode("utf-8")).decode("ascii")


def _marker_in(token: str) -> str:
    try:
        raw = b64decode(token, b"-_", validate=True)
        if raw[:1] == b"1":
            return raw[1:].decode("utf-8")
    except (ValueError, binascii.Error):
        pass
    raise S3Error(refusals.BAD_CONTINUATION_TOKEN, fields=(("ArgumentName", "continuation-token"),))
