"""The closed list of outcome codes that are not S3's own, each with its sentence.

Never says what to do about one: remedies are repair's.
Law: an outcome's code is empty, one of these, or the error code that S3 gave.
"""

import enum
from typing import Final


class Code(enum.StrEnum):
    """Why an entry ended as it did. Those that a plan knows too carry the plan's word."""

    VANISHED = "vanished"
    ARCHIVED = "archived"
    IN_FLIGHT = "in-flight"
    SOURCE_DELETED = "source-deleted"
    NEWER_VERSION = "newer-version"
    NEWER_VERSION_COPIED = "newer-version-copied"
    STALE = "newer-version-below"
    OVERTAKEN = "overtaken"
    GONE = "gone-after-write"
    DESTINATION_DIFFERS = "destination-differs"
    DESTINATION_DELETED = "destination-deleted"
    MARKER_UNCONDITIONAL = "marker-unconditional"
    SOURCE_HAS_KEY = "source-has-key"
    HIDING_NOT_ALLOWED = "hiding-not-allowed"
    KEEPS_CHANGING = "keeps-changing"
    NOT_REVIEWED = "not-reviewed"
    NOT_MENDED = "not-mended"
    OBJECT_LOCK = "object-lock"
    WEBSITE_REDIRECT = "website-redirect"
    METADATA_NOT_READABLE = "metadata-not-readable"
    CHECKSUM_NOT_KEPT = "checksum-not-kept"
    ENCRYPTION_WOULD_WEAKEN = "encryption-would-weaken"
    ACL = "acl"
    NOT_ATTEMPTED = "not-attempted"
    REPLICATION_FAILED = "replication-failed"
    NOT_DELIVERED = "not-delivered"
    MARKER_NOT_REPLICATED = "marker-not-replicated"
    SOURCE_CHANGED = "source-changed"
    DESTINATION_CHANGED = "destination-changed"
    FOREIGN_VERSION = "foreign-version"
    HISTORY_STOPPED = "history-stopped"
    RESTORE_BUDGET = "restore-budget"
    RESTORE_UNFINISHED = "restore-unfinished"


SENTENCES: Final[dict[Code, str]] = {
    Code.VANISHED: "The source no longer has this version.",
    Code.ARCHIVED: "The source version is archived and must be restored before it can be copied.",
    Code.IN_FLIGHT: "Live replication is delivering this version.",
    Code.SOURCE_DELETED: "The source shows a delete marker now.",
    Code.NEWER_VERSION: "The source has a newer version, which live replication delivers.",
    Code.NEWER_VERSION_COPIED: "A newer source version would have lain below our copy, so it was "
    "copied too.",
    Code.STALE: "A newer source version may lie below our copy and could not be copied.",
    Code.OVERTAKEN: "Something newer than our write is current at the destination.",
    Code.GONE: "The destination no longer lists what we wrote.",
    Code.DESTINATION_DIFFERS: "The destination has an object that nothing at the source explains.",
    Code.DESTINATION_DELETED: "The destination has a delete marker that the plan had not seen.",
    Code.MARKER_UNCONDITIONAL: "A delete marker onto an absent key cannot be conditional, and the "
    "key has other writers.",
    Code.SOURCE_HAS_KEY: "The source has an object under this key again.",
    Code.HIDING_NOT_ALLOWED: "Only the destination has this object, and the campaign does not allow"
    " hiding.",
    Code.KEEPS_CHANGING: "The key changed at every look.",
    Code.NOT_REVIEWED: "Our write stands, but the key could not be looked at again afterwards.",
    Code.NOT_MENDED: "Our write stands; the key changed beside it, and mending that failed.",
    Code.OBJECT_LOCK: "The version is locked, and a copy at this destination cannot be.",
    Code.WEBSITE_REDIRECT: "The version redirects to where no request header can say.",
    Code.METADATA_NOT_READABLE: "Some metadata cannot be read, so a copy would lose it.",
    Code.CHECKSUM_NOT_KEPT: "The stored checksum cannot be asked for in a multipart upload.",
    Code.ENCRYPTION_WOULD_WEAKEN: "The copy would be encrypted more weakly than its source.",
    Code.ACL: "The ACL grants something that a copy at this destination cannot.",
    Code.NOT_ATTEMPTED: "No Batch Operations job got to this version.",
    Code.REPLICATION_FAILED: "The job started its replication, and S3 shows FAILED at the source: "
    "look at the replication role, the destination's policy and both KMS keys.",
    Code.NOT_DELIVERED: "S3 takes this version for replicated, and the destination does not have "
    "it: it was delivered to another destination, or removed there by its version ID.",
    Code.MARKER_NOT_REPLICATED: "The destination does not have this delete marker so far; those "
    "that lifecycle rules make S3 leaves out.",
    Code.SOURCE_CHANGED: "The source's versions of this key are not those that the plan saw; a new "
    "run plans them anew and goes on with what is there.",
    Code.DESTINATION_CHANGED: "The destination's versions of this key are not those that were there"
    " before.",
    Code.FOREIGN_VERSION: "The destination has a version or delete marker of this key that neither "
    "the plan nor the journal explains, and nothing is written above it.",
    Code.RESTORE_BUDGET: "It is archived, and restoring it would exceed --restore-max-bytes.",
    Code.RESTORE_UNFINISHED: "It was asked to be restored, and could not be read for longer than "
    "any restore takes.",
    Code.HISTORY_STOPPED: "An older version of this key did not arrive, and a history is written "
    "without gaps.",
}
