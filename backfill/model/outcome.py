"""How work on a manifest entry ended: exactly one terminal outcome an entry.

Never says whether the destination is right: that is a verdict, and verify's to give.
Law: an outcome is written once, durably, before it is counted.
"""

import enum
from typing import NamedTuple

from backfill.model.objects import ETag, VersionId


class OutcomeKind(enum.StrEnum):
    """Closed list of terminal outcomes of an entry."""

    REPLICATED = "replicated"
    """A Batch Replication job of ours made S3 deliver it: the destination lists its version ID."""
    COPIED = "copied"
    """Our write made the destination version; settled by its ETag or by a HEAD."""
    MARKED = "marked"
    """Our delete marker stands at the destination."""
    ALREADY_THERE = "already-there"
    """Somebody else (live replication, an earlier run) had delivered it when we looked."""
    SUPERSEDED = "superseded"
    """The source moved on (newer version or marker): what we were asked for is history now."""
    HIDDEN = "hidden"
    """We copied, the source or a marker overtook us, and our copy was hidden by a marker."""
    SKIPPED = "skipped"
    """Not attempted or not possible, for a stated reason; nothing was written."""
    FAILED = "failed"
    """Every attempt failed; nothing of ours is current at the destination."""


class Outcome(NamedTuple):
    """The terminal outcome of entry `number`; a tuple, because millions are made of it.

    `code` is an S3 error code or one of the documented outcome codes, empty when there is nothing
    to say; `detail` is one sentence. `version_id` and `etag` describe the destination version that
    we made (the journal's version-ID map); None when we made none. `checksum` is `algorithm:value`
    of the FULL_OBJECT checksum that S3 returned with the write itself, empty when it gave none.
    """

    number: int
    kind: OutcomeKind
    code: str = ""
    detail: str = ""
    version_id: VersionId | None = None
    etag: ETag | None = None
    attempts: int = 1
    bytes_copied: int = 0
    checksum: str = ""
