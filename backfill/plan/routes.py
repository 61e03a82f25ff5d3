"""The closed lists of a plan: routes (what will be done) and reasons (why nothing will be done).

Never decides which applies (see `decide`).
Law: every (source version, destination) has exactly one route or exactly one reason.
"""

import enum
from typing import Final


class Route(enum.StrEnum):
    """How a version reaches a destination."""

    BATCH_REPLICATION = "batch-replication"
    """S3 Batch Replication: the same version ID, creation time and place in the version chain."""
    COPY_OBJECT = "copy-object"
    """One CopyObject (at most the copy size limit)."""
    MULTIPART_COPY = "multipart-copy"
    """UploadPartCopy parts along the source's part boundaries where they can be read: over the copy
    size limit, and below it where only that makes a copy that proves itself (see `eligibility`)."""
    DELETE_MARKER = "delete-marker"
    """A delete marker written where the rule replicates delete markers."""
    HIDE_EXTRA = "hide-extra"
    """Repair only, and only if the campaign allows hiding: a conditional delete marker over an
    object that the source does not have. The version itself stays."""


class Handling(enum.IntFlag):
    """What a routed version asks for beyond the one write of its route; 0 for nearly all."""

    HISTORY = 1
    """Its key arrives with all of its versions, oldest first: by one worker, in order, and only
    where nobody else writes (campaign: `versions = "all"`)."""
    READ_SOURCE = 2
    """It has what CopyObject leaves behind unless it is named (Object Lock, ACL, website redirect,
    a chosen checksum algorithm): the worker reads the source version right before it writes."""
    RESTORE = 4
    """It is archived: a restore is asked for and awaited before its key is worked on."""
    GRANTS = 8
    """With READ_SOURCE: its ACL is not the default one, so that is read and supplied, too."""
    DEFAULT_ACL = 16
    """Its ACL would be kept, and is the default one: so shall the copy's be, and verify looks."""


PLAIN: Final = Handling(0)
HANDLINGS: Final = tuple(Handling(number) for number in range(32))
"""By value: calling the enumeration takes ten times as long."""


class Reason(enum.StrEnum):
    """Why a version is not moved. Each has a sentence and, where there is one, a remedy."""

    # What needs nothing
    ALREADY_REPLICATED = "already-replicated"
    ALREADY_COPIED = "already-copied"
    IN_FLIGHT = "in-flight"
    AFTER_HORIZON = "after-horizon"
    ALREADY_DELETED = "already-deleted"
    # What the rules do not want
    NO_RULE = "no-rule"
    RULE_DISABLED = "rule-disabled"
    TAG_MISMATCH = "tag-mismatch"
    KMS_NOT_SELECTED = "kms-not-selected"
    DELETE_MARKER_NOT_REPLICATED = "delete-marker-not-replicated"
    OUT_OF_SCOPE = "out-of-scope"
    # What S3 cannot replicate
    ARCHIVED = "archived"
    NOT_READABLE = "not-readable"
    # What this engine refuses rather than do half
    NONCURRENT = "noncurrent"
    HISTORY_INCOMPLETE = "history-incomplete"
    SSE_C = "sse-c"
    OBJECT_LOCK = "object-lock"
    ACL = "acl"
    WEBSITE_REDIRECT = "website-redirect"
    METADATA_NOT_READABLE = "metadata-not-readable"
    ENCRYPTION_WOULD_WEAKEN = "encryption-would-weaken"
    MARKER_UNCONDITIONAL = "marker-unconditional"
    TOO_LARGE = "too-large"
    ONLY_BY_COPY = "only-by-copy"
    # What the destination forbids
    DESTINATION_DIFFERS = "destination-differs"
    DESTINATION_UNPROVEN = "destination-unproven"
    DESTINATION_NEWER = "destination-newer"
    DESTINATION_DELETED = "destination-deleted"
    # What vanished while we looked
    VANISHED = "vanished"
