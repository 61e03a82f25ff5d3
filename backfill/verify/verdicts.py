"""The closed lists of verify: verdicts, evidence, fields that can differ, and its rows.

Never reads a store. Content and fidelity are judged apart, and each verdict says what it rests on.
Law: no common evidence is `unverified`, never a match.
"""

import enum
from typing import NamedTuple

from backfill.model.objects import ETag, VersionId


class Verdict(enum.StrEnum):
    """What can be said of one (version, destination), or of an extra destination version."""

    EQUAL = "equal"
    DIFFERENT = "different"
    MISSING = "missing"
    EXTRA = "extra"
    IN_FLIGHT = "in-flight"
    UNVERIFIED = "unverified"


class Evidence(enum.StrEnum):
    """Why content is called equal or different, strongest first where they meet."""

    VERSION_ID_AND_ETAG = "version-id-and-etag"
    FULL_OBJECT_CHECKSUM = "full-object-checksum"
    COMPOSITE_CHECKSUM = "composite-checksum"
    MD5_ETAG = "md5-etag"
    MULTIPART_ETAG = "multipart-etag"
    CHECKSUM_JOBS = "checksum-jobs"
    """S3 computed checksums over the whole object on both sides, for this verification."""
    BYTES = "bytes"
    SIZE = "size"
    LISTING = "listing"
    """Presence or absence as the listings show it (missing, extra, delete markers)."""
    NONE = "none"
    """Both sides were read, and nothing stored on both can be compared."""
    NOT_READ = "not-read"
    """The store refused or failed a read that the verdict needs."""


class Fidelity(enum.StrEnum):
    """The fidelity verdict, apart from content."""

    EQUAL = "equal"
    DIFFERENT = "different"
    NOT_LOOKED_AT = "not-looked-at"


class Field(enum.StrEnum):
    """What can differ."""

    SIZE = "size"
    CONTENT = "content"
    METADATA = "metadata"
    CONTENT_HEADERS = "content-headers"
    TAGS = "tags"
    STORAGE_CLASS = "storage-class"
    ENCRYPTION = "encryption"
    OBJECT_LOCK = "object-lock"
    ACL = "acl"
    WEBSITE_REDIRECT = "website-redirect"
    CHECKSUM_ALGORITHM = "checksum-algorithm"
    CURRENT_VERSION = "current-version"
    DELETE_MARKER = "delete-marker"
    VERSION_ORDER = "version-order"


class VerdictRow(NamedTuple):
    """The verdict on plan entry `number`, or on an extra destination version (`number` None).

    `destination_version_id`/`destination_etag` describe the destination version that was looked
    at: repair's precondition is built from them. `detail` is one sentence for a person.
    """

    number: int | None
    key: str
    version_id: VersionId | None
    destination: int
    content: Verdict
    evidence: Evidence
    fidelity: Fidelity
    fields: tuple[Field, ...] = ()
    detail: str = ""
    destination_version_id: VersionId | None = None
    destination_etag: ETag | None = None
    destination_is_delete_marker: bool = False

    @property
    def is_good(self) -> bool:
        """Return whether nothing is wrong: equal content, no differing field."""
        return self.content is Verdict.EQUAL and self.fidelity is not Fidelity.DIFFERENT
