"""What a worker knows of one key while it decides, and the steps that a decision can name.

Never decides (see `decide`).
Law: chains are fresh readings, newest first, of exactly one key.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from backfill.model.attributes import ReplicationStatus
from backfill.model.objects import NULL_VERSION_ID, ETag, ListedEntry, VersionId
from backfill.model.outcome import OutcomeKind
from backfill.model.store import Precondition
from backfill.plan.routes import PLAIN, Handling

Chain = tuple[ListedEntry, ...]


class Likeness(enum.Enum):
    """What two HEADs say about a destination version and a source version."""

    SAME = enum.auto()
    """Content proven equal, metadata and content headers equal, and no replica."""
    REPLICA = enum.auto()
    """As SAME, but S3's replication wrote it."""
    UNKNOWN = enum.auto()
    """Equal size and metadata, and no common evidence about the bytes; no replica."""
    DIFFERENT = enum.auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A write that may have been applied: what lay at the destination before, what was sent.

    `source_version_id` is None for a delete marker. `was_refused`: it was answered by 412 or 409,
    which is the second answer where the network delivered it twice.
    """

    seen_version_id: VersionId | None
    source_version_id: VersionId | None
    was_refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The newest write of ours that is settled. `source_version_id` is None for a marker.

    `checksum` is what S3 said of the content in its answer; see `model.outcome`.
    """

    version_id: VersionId | None
    etag: ETag | None
    source_version_id: VersionId | None
    seen_version_id: VersionId | None
    checksum: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLook:
    """What a HEAD told about a source version.

    `is_selected`: the rule that selected the entry selects this version as well, as far as its
    tags and the number of destinations tell. `refusal` is why it may not be copied, else empty.
    `storage_class` is what its copy shall have, `handling` what its copy takes.
    """

    status: ReplicationStatus
    is_selected: bool = True
    refusal: str = ""
    storage_class: str = ""
    handling: Handling = PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All that a decision may use. `attempts` oldest first; `compared` by (destination, source).

    `has_waited`: live replication had its time to deliver what it is delivering.
    """

    source: Chain
    destination: Chain
    attempts: tuple[Attempt, ...] = ()
    made: Made | None = None
    compared: Mapping[tuple[VersionId, VersionId], Likeness] = field(default_factory=dict)
    looks: Mapping[VersionId, SourceLook] = field(default_factory=dict)
    can_hide: bool = False
    has_waited: bool = False

    @property
    def source_current(self) -> ListedEntry | None:
        """Return the source's current version or delete marker."""
        return self.source[0] if self.source else None

    @property
    def destination_current(self) -> ListedEntry | None:
        """Return the destination's current version or delete marker."""
        return self.destination[0] if self.destination else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """Copy a pinned source version. `storage_class` empty: the entry's.

    `handling` says whether it has what the request must name, and so must be read first.
    """

    version_id: VersionId
    etag: ETag
    size_bytes: int
    precondition: Precondition
    seen_version_id: VersionId | None
    storage_class: str = ""
    handling: Handling = PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Hide:
    """Write a delete marker over exactly the version that carries the ETag."""

    etag: ETag
    seen_version_id: VersionId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkAbsent:
    """Write a delete marker onto a key without an object; only into keys without other writers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """HEAD both versions and decide again."""

    destination_version_id: VersionId
    source_version_id: VersionId


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAtSource:
    """HEAD this source version, read both chains after it, and decide again."""

    version_id: VersionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Our write stands and live replication is at work: look at the key again later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopt:
    """An attempt whose answer was lost has succeeded: this is its version. Decide again."""

    made: Made


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The entry is finished. `made` is the destination version to name in the outcome."""

    kind: OutcomeKind
    code: str = ""
    detail: str = ""
    made: Made | None = None


Write = Copy | Hide | MarkAbsent
Step = Write | Compare | LookAtSource | Wait | Adopt | End


def attempt_of(step: Write) -> Attempt:
    """Return what is known of a write before its answer."""
    return Attempt(
        seen_version_id=None if isinstance(step, MarkAbsent) else step.seen_version_id,
        source_version_id=step.version_id if isinstance(step, Copy) else None,
    )


def has_open_question(view: View) -> bool:
    """Return whether an attempt went without an answer, so that it may have been applied."""
    return any(not attempt.was_refused for attempt in view.attempts)


def position(chain: Chain, version_id: VersionId | None) -> int | None:
    """Return where a version ID stands in a chain, 0 being current; None when it does not."""
    return next((i for i, entry in enumerate(chain) if entry.version_id == version_id), None)


def is_known_older(view: View, entry: ListedEntry, than: VersionId | None) -> bool:
    """Whether the source has this destination entry, by its ID, below the version `than`."""
    if entry.version_id == NULL_VERSION_ID:
        return False
    place, bound = position(view.source, entry.version_id), position(view.source, than)
    return place is not None and bound is not None and place > bound
