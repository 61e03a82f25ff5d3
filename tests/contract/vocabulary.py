"""The words in which a case speaks of S3, whatever answers: values, the refusal, the driver.

`Driver` is the port: `model_driver.py` puts the reference model behind it, `boto3_driver.py` any
server that boto3 can reach. It never hides a difference between servers: what a server says is
what a case sees.
Law: an ETag is held without quotes, metadata and tags are sorted, as neither has an order in S3.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from tests.contract.protection import Grants, Lock, Protection

Pairs = tuple[tuple[str, str], ...]
ReplicationConfiguration = Mapping[str, object]
"""In the shape of boto3, so that a case can also say what no typed value could hold."""


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not a mistake
    """The server said no. `code` is None where the answer has no body: HEAD, and 304."""

    def __init__(
        self, operation: str, status: int, code: str | None, headers: Mapping[str, str]
    ) -> None:
        self.status = status
        self.code = code
        self.headers = headers
        super().__init__(f"{operation}: {status} {code}")


@dataclass(slots=True)  # filled in when the block ends
class Refusal:
    """What `refused` caught."""

    headers: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def refused(status: int, code: str | None = None) -> Iterator[Refusal]:
    """Expect the block to be refused with this status and, where there is a body, this code."""
    seen, caught = Refusal(), None
    try:
        yield seen
    except Refused as error:
        caught = error
    assert caught is not None, f"carried out, where S3 answers {status} {code}"
    assert (caught.status, caught.code) == (status, code), f"refused as {caught}"
    seen.headers = caught.headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """A checksum as it is said: base64, with `-N` for a composite one in headers."""

    algorithm: str
    value: str
    type: str | None = None
    """None: the answer did not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What a write says beside the bytes, and what a read answers of it."""

    content_type: str | None = None
    cache_control: str | None = None
    content_disposition: str | None = None
    content_encoding: str | None = None
    content_language: str | None = None
    expires: str | None = None
    metadata: Pairs = ()
    tags: Pairs = ()
    """Of writes; reads say only how many there are."""
    storage_class: str | None = None
    encryption: str | None = None
    kms_key_id: str | None = None
    website_redirect_location: str | None = None
    lock: Lock | None = None
    acl: str | None = None
    """Canned, of writes."""
    grants: Grants = ()
    """Of writes."""
    customer_key: bytes | None = None
    """Of writes: SSE-C."""


PLAIN = Attributes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Conditions on what is read, or copied from."""

    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: datetime | None = None
    if_unmodified_since: datetime | None = None


UNGUARDED = Guard()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a copy comes from."""

    bucket: str
    key: str
    version_id: str | None = None
    guard: Guard = UNGUARDED
    owner: str | None = None
    """The expected bucket owner."""
    customer_key: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What PutObject, CopyObject and CompleteMultipartUpload answer."""

    etag: str
    version_id: str | None
    checksum: Sum | None = None
    source_version_id: str | None = None
    encryption: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What HeadObject and GetObject say in their headers."""

    status: int
    etag: str
    size_bytes: int
    version_id: str | None
    last_modified: datetime
    attributes: Attributes
    checksum: Sum | None
    tag_count: int
    parts_count: int | None
    content_range: str | None
    replication_status: str | None
    customer_key_md5: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """What DeleteObject answers."""

    version_id: str | None
    is_delete_marker: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row of a listing; of ListObjectsV2 without version ID."""

    key: str
    etag: str | None
    size_bytes: int | None
    version_id: str | None = None
    is_latest: bool = True
    is_delete_marker: bool = False
    checksum_algorithm: str | None = None
    checksum_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of a listing, its entries in the order of the answer's XML."""

    entries: tuple[Entry, ...]
    common_prefixes: tuple[str, ...]
    is_truncated: bool
    next_marker: str | None
    """NextKeyMarker, or NextContinuationToken."""
    next_version_id_marker: str | None = None

    @property
    def keys(self) -> list[str]:
        """The key of each entry."""
        return [entry.key for entry in self.entries]

    @property
    def version_ids(self) -> list[str | None]:
        """The version ID of each entry."""
        return [entry.version_id for entry in self.entries]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part, as it was uploaded, is listed, or is named to Complete."""

    number: int
    etag: str
    checksum: Sum | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectAttributes:
    """What GetObjectAttributes answers."""

    etag: str | None
    checksum: Sum | None
    size_bytes: int | None
    storage_class: str | None
    parts_count: int | None
    parts: tuple[Part, ...] | None
    """None where only the count is told."""
    next_part_number_marker: int | None = None


class Driver(Protection, Protocol):
    """S3 as one identity sees it."""

    account_id: str
    """Of the identity, which owns the buckets that it makes."""

    def make_bucket(self, bucket: str, *, versioning: str | None = None) -> None: ...
    def set_versioning(self, bucket: str, status: str) -> None: ...
    def versioning(self, bucket: str) -> str | None: ...
    def set_encryption(self, bucket: str, algorithm: str, kms_key_id: str | None) -> None: ...
    def set_policy(self, bucket: str, document: str) -> None: ...
    def set_replication(self, bucket: str, configuration: ReplicationConfiguration) -> None: ...
    def has_replication(self, bucket: str) -> bool: ...
    def delete_replication(self, bucket: str) -> None: ...
    def settle(self) -> None:
        """Let live replication carry over what is due."""

    def put(
        self,
        bucket: str,
        key: str,
        body: bytes = b"body",
        *,
        attributes: Attributes = PLAIN,
        if_match: str | None = None,
        if_none_match: str | None = None,
        checksum: Sum | None = None,
        content_md5: str | None = None,
        owner: str | None = None,
    ) -> Written: ...

    def get(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        byte_range: str | None = None,
        part_number: int | None = None,
        guard: Guard = UNGUARDED,
        owner: str | None = None,
        customer_key: bytes | None = None,
    ) -> tuple[Head, bytes]: ...

    def head(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        part_number: int | None = None,
        guard: Guard = UNGUARDED,
        owner: str | None = None,
        is_checksum_asked: bool = True,
        customer_key: bytes | None = None,
    ) -> Head: ...

    def copy(
        self,
        source: Source,
        bucket: str,
        key: str,
        *,
        metadata_directive: str | None = None,
        tagging_directive: str | None = None,
        attributes: Attributes = PLAIN,
        checksum_algorithm: str | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
        owner: str | None = None,
    ) -> Written: ...

    def delete(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        if_match: str | None = None,
        owner: str | None = None,
    ) -> Deleted: ...

    def delete_many(
        self, bucket: str, entries: Sequence[tuple[str, str | None]]
    ) -> tuple[set[str], dict[str, str]]:
        """Delete keys or versions; the keys done, and the code of each that was not."""

    def list_versions(
        self,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str | None = None,
        key_marker: str | None = None,
        version_id_marker: str | None = None,
        max_keys: int | None = None,
        owner: str | None = None,
    ) -> Page: ...

    def list_objects(
        self,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str | None = None,
        start_after: str | None = None,
        token: str | None = None,
        max_keys: int | None = None,
        owner: str | None = None,
    ) -> Page: ...

    def tags(self, bucket: str, key: str, *, version_id: str | None = None) -> Pairs: ...
    def put_tags(
        self,
        bucket: str,
        key: str,
        tags: Pairs,
        *,
        version_id: str | None = None,
        owner: str | None = None,
    ) -> None: ...
    def delete_tags(self, bucket: str, key: str, *, version_id: str | None = None) -> None: ...

    def attributes(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        max_parts: int | None = None,
        part_number_marker: int | None = None,
        customer_key: bytes | None = None,
    ) -> ObjectAttributes: ...

    def begin(
        self,
        bucket: str,
        key: str,
        *,
        attributes: Attributes = PLAIN,
        checksum_algorithm: str | None = None,
        checksum_type: str | None = None,
        owner: str | None = None,
    ) -> str:
        """CreateMultipartUpload; answers the upload ID."""

    def upload(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        number: int,
        body: bytes,
        *,
        checksum: Sum | None = None,
        customer_key: bytes | None = None,
    ) -> Part: ...

    def upload_copy(
        self,
        source: Source,
        bucket: str,
        key: str,
        upload_id: str,
        number: int,
        *,
        byte_range: str | None = None,
        owner: str | None = None,
        customer_key: bytes | None = None,
    ) -> Part: ...

    def complete(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        parts: Sequence[Part],
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
        checksum_type: str | None = None,
        size_bytes: int | None = None,
        owner: str | None = None,
    ) -> Written: ...

    def abort(self, bucket: str, key: str, upload_id: str) -> None: ...
    def parts(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        *,
        max_parts: int | None = None,
        part_number_marker: int | None = None,
    ) -> tuple[Part, ...]: ...
    def uploads(self, bucket: str) -> list[tuple[str, str]]:
        """Key and upload ID of each upload that is under way."""
