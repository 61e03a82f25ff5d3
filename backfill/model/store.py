"""Requests to an object store and what comes back: the vocabulary of the ObjectStore port.

Never sends anything. Every request names the expected owner of each bucket it touches. What is made
for each object is a named tuple: a frozen dataclass takes five times as long to make.
Law: a destination write without a precondition cannot be expressed here, except the one that S3
offers no precondition for (a delete marker onto an absent key), which has a type of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Self

from backfill.model.attributes import ContentHeaders, Encryption, Pairs
from backfill.model.listed import Cells, cells_of, entry_of
from backfill.model.objects import Checksum, ChecksumType, ETag, ListedEntry, VersionId
from backfill.model.places import BucketPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class IfAbsent:
    """`If-None-Match: *`. Succeeds over a current delete marker: decide from the listing first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IfReplaces:
    """`If-Match: <etag>`: write only over the current version that carries this ETag."""

    etag: ETag


Precondition = IfAbsent | IfReplaces


class VersionsPosition(NamedTuple):
    """Where a listing resumes: after all versions of `key`, or after one version of it."""

    key: str
    version_id: VersionId | None = None


class VersionsPage:
    """One page of ListObjectVersions, entries in S3's own order, versions and markers mixed.

    A listing wants their `cells` (`model.listed`), whoever looks at a key its `entries`: a page is
    made of the one, and makes the other when it is asked for.
    """

    __slots__ = ("_cells", "_entries", "next_position")

    def __init__(
        self, entries: tuple[ListedEntry, ...], next_position: VersionsPosition | None
    ) -> None:
        self._entries: tuple[ListedEntry, ...] | None = entries
        self._cells: Sequence[Cells] | None = None
        self.next_position = next_position

    @classmethod
    def of_cells(cls, cells: Sequence[Cells], next_position: VersionsPosition | None) -> Self:
        """Return the page of these entries."""
        page = cls((), next_position)
        page._entries, page._cells = None, cells
        return page

    @property
    def entries(self) -> tuple[ListedEntry, ...]:
        """Return its entries."""
        if self._entries is None:
            self._entries = tuple(map(entry_of, self.cells))
        return self._entries

    @property
    def cells(self) -> Sequence[Cells]:
        """Return the cells of its entries."""
        if self._cells is None:
            self._cells = list(map(cells_of, self.entries))
        return self._cells

    def __eq__(self, other: object) -> bool:
        """Return whether both show the same."""
        if not isinstance(other, VersionsPage):
            return NotImplemented
        return (self.entries, self.next_position) == (other.entries, other.next_position)

    def __hash__(self) -> int:
        """Return a hash of what it shows."""
        return hash((self.entries, self.next_position))

    def __repr__(self) -> str:
        """Return what makes it again."""
        return f"VersionsPage({self.entries!r}, {self.next_position!r})"


class CopySource(NamedTuple):
    """The pinned source of a copy: this version, only while it still has this ETag."""

    place: BucketPlace
    key: str
    version_id: VersionId
    etag: ETag


class ObjectLock(NamedTuple):
    """Object Lock of one version: retention, if `mode` is set, and a legal hold."""

    mode: str = ""
    """GOVERNANCE, COMPLIANCE or empty."""
    retain_until: datetime | None = None
    has_legal_hold: bool = False


class Grant(NamedTuple):
    """One grant of an ACL. `kind` is `id` (a canonical user ID), `uri` (a group) or `email`."""

    permission: str
    kind: str
    grantee: str


class ObjectAcl(NamedTuple):
    """The ACL of one version: whose it is, by canonical user ID, and its grants in S3's order."""

    owner_id: str
    grants: tuple[Grant, ...]

    @property
    def is_default(self) -> bool:
        """Whether it grants nothing but FULL_CONTROL to the object's owner."""
        own = Grant("FULL_CONTROL", "id", self.owner_id)
        return bool(self.owner_id) and self.grants == (own,)


class Extras(NamedTuple):
    """What a copy leaves behind, or S3 chooses, unless it is named (S3 API: CopyObject).

    Empty texts and None mean: not named. `grants` are of an ACL that is not the default one.
    """

    website_redirect: str = ""
    lock: ObjectLock | None = None
    grants: tuple[Grant, ...] = ()
    checksum_algorithm: str = ""


NO_EXTRAS = Extras()


class CopyObjectRequest(NamedTuple):
    """CopyObject with metadata and tagging directives COPY. At most 5 GB (S3 API: CopyObject)."""

    destination: BucketPlace
    key: str
    source: CopySource
    precondition: Precondition
    storage_class: str
    encryption: Encryption | None
    extras: Extras = NO_EXTRAS


class WriteResult(NamedTuple):
    """A write that the store confirmed with an ETag; `version_id` is None when not returned."""

    etag: ETag
    version_id: VersionId | None
    checksums: tuple[Checksum, ...] = ()
    last_modified: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateMultipartUploadRequest:
    """CreateMultipartUpload: everything that UploadPartCopy does not carry over, re-supplied."""

    destination: BucketPlace
    key: str
    metadata: Pairs
    content_headers: ContentHeaders
    tags: Pairs
    storage_class: str
    encryption: Encryption | None
    checksum_algorithm: str | None
    checksum_type: ChecksumType | None
    extras: Extras = NO_EXTRAS
    """Its `checksum_algorithm` is not used: an upload names one above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MultipartUpload:
    """An open multipart upload of ours at the destination."""

    destination: BucketPlace
    key: str
    upload_id: str
    customer_key_md5: str | None = None
    """Of SSE-C, as in `Encryption`: each of its requests needs the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPartCopyRequest:
    """UploadPartCopy of bytes `first_byte`..`last_byte` inclusive, zero-based."""

    upload: MultipartUpload
    part_number: int
    source: CopySource
    first_byte: int
    last_byte: int


class CopiedPart(NamedTuple):
    """One copied part, as CompleteMultipartUpload wants it back."""

    part_number: int
    etag: ETag
    checksums: tuple[Checksum, ...] = ()


class ListedPart(NamedTuple):
    """A part that an open upload holds already."""

    part: CopiedPart
    size_bytes: int


class PartsPage(NamedTuple):
    """One page of ListParts, by part number; it goes on behind part `next_marker`, if any."""

    parts: tuple[ListedPart, ...]
    next_marker: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteMultipartUploadRequest:
    """CompleteMultipartUpload, conditional like every other destination write."""

    upload: MultipartUpload
    parts: tuple[CopiedPart, ...]
    precondition: Precondition
    checksum_type: ChecksumType | None
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreRequest:
    """RestoreObject of one archived version, for some days; S3 bills it (S3 API: RestoreObject).

    `days` None: it leaves an archive tier of INTELLIGENT_TIERING, and not for some days only.
    """

    place: BucketPlace
    key: str
    version_id: VersionId
    tier: str
    days: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HideRequest:
    """DeleteObject without version ID and with `If-Match`: hide exactly the version seen."""

    destination: BucketPlace
    key: str
    etag: ETag


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkAbsentRequest:
    """DeleteObject without version ID onto a key that has no object to match.

    S3 offers no precondition for it (architecture decision 5): only for keys without another
    writer.
    """

    destination: BucketPlace
    key: str


class MarkerResult(NamedTuple):
    """A delete marker that the store confirmed."""

    version_id: VersionId | None
