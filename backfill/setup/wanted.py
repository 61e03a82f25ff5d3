"""What setup wants of each account, in identified parts; what differs; what is written instead.

Never reads an account and never words a policy: `desired` makes the parts out of a spec, `merging`
lays them into what is there, `run` writes.
Law: a part has an identifier within its document, so that what others put beside it stays.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from backfill.model.accounts import BucketDocument, RawDocument, Unread

Fields = Mapping[str, object]
"""A document or a part of one, as JSON or in the SDK's shape."""


class Side(enum.StrEnum):
    """Whose resource it is. What the source's account owns is the source's, wherever it stands."""

    SOURCE = "source"
    DESTINATION = "destination"


class ResourceKind(enum.StrEnum):
    """What is read and written as one document, in the order in which it is safe to write them.

    A rule needs versioned buckets and a role, the role's rights need both policies, and S3 tries
    each event destination's policy when a notification is put. What takes away goes backwards.
    """

    BUCKET = "bucket"
    """A bucket itself, for manifests and reports; the document says that it is there."""
    QUEUE = "queue"
    """An SQS queue itself, for replication events; the document says that it is there."""
    VERSIONING = "versioning"
    OBJECT_LOCK = "Object Lock configuration"
    ENCRYPTION = "default encryption"
    ROLE_TRUST = "role trust policy"
    """A role as GetRole gives it: `AssumeRolePolicyDocument`, `Path` and `Tags` as a mapping, and
    `Policies`, the names and ARNs of what is attached. Where there is none, the role is created so;
    of one that is there only the trust changes."""
    ROLE_POLICIES = "role inline policies"
    """A role's inline policies, as `{name: policy}`; each is put and deleted by its name."""
    KEY_POLICY = "key policy"
    BUCKET_POLICY = "bucket policy"
    EVENT_DESTINATION_POLICY = "event destination policy"
    """The policy of the queue, topic or function that gets the events."""
    REPLICATION = "replication configuration"
    NOTIFICATION = "notification configuration"

    @property
    def bucket_document(self) -> BucketDocument | None:
        """The bucket's configuration that this is; None for what is no bucket's."""
        return _BUCKET_DOCUMENTS.get(self)

    @property
    def order(self) -> int:
        """The place in the safe order of writing."""
        return list(ResourceKind).index(self)


_BUCKET_DOCUMENTS = {
    ResourceKind.VERSIONING: BucketDocument.VERSIONING,
    ResourceKind.OBJECT_LOCK: BucketDocument.OBJECT_LOCK,
    ResourceKind.ENCRYPTION: BucketDocument.ENCRYPTION,
    ResourceKind.BUCKET_POLICY: BucketDocument.POLICY,
    ResourceKind.REPLICATION: BucketDocument.REPLICATION,
    ResourceKind.NOTIFICATION: BucketDocument.NOTIFICATION,
}

SETTLES = frozenset({ResourceKind.ROLE_TRUST, ResourceKind.ROLE_POLICIES})
"""Kinds after whose writing IAM must settle before a document names the role (IAM User Guide:
changes are eventually consistent; a policy that names a role not yet seen is MalformedPolicy)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One document of one account.

    Attributes:
        side: Whose it is.
        kind: What it is.
        arn: Of the bucket, role, key, queue, topic or function.
        account: The 12-digit account that owns it.
        region: Where it is; empty for roles, which have none.
    """

    side: Side
    kind: ResourceKind
    arn: str
    account: str
    region: str = ""

    @property
    def name(self) -> str:
        """The bucket's name, or the role's without its path."""
        return self.arn.rpartition(":")[2].rpartition("/")[2]

    @property
    def path(self) -> str:
        """The role's path, `/` where it has none of its own."""
        assert self.kind in SETTLES, "only roles have a path"
        return self.arn.rpartition(":role")[2].rpartition("/")[0] + "/"

    @property
    def title(self) -> str:
        """The words for a heading: what it is and of what."""
        return f"{self.kind.value} of {self.arn}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedPart:
    """One statement, rule, notification, policy or simple setting that a document must hold.

    Attributes:
        resource: The document.
        identifier: Sid, rule ID, notification Id or policy name; empty for what is no list:
            versioning, Object Lock, the bucket or queue itself, and the role that a replication
            configuration names once for all rules.
        content: What must stand there, the identifier included where the document holds it.
        reason: Why, in a line for a person.
        is_removable: Whether destroy may take it away. Versioning, Object Lock, buckets and queues
            stay.
    """

    resource: Resource
    identifier: str
    content: Fields
    reason: str
    is_removable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Everything that a spec asks for, in the safe order; parts of one document stand together.

    Attributes:
        name: The spec's name: roles that setup makes carry it as a tag, identifiers begin with it.
        parts: What must be there.
        expects: Roles that must be there already, by ARN: the spec names them, setup makes none.
        notes: What a person should know that no document says.
    """

    name: str
    parts: tuple[WantedPart, ...]
    expects: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def resources(self) -> tuple[Resource, ...]:
        """The documents, in the safe order."""
        return tuple(dict.fromkeys(part.resource for part in self.parts))

    def parts_of(self, resource: Resource) -> tuple[WantedPart, ...]:
        """Return what one document must hold."""
        return tuple(part for part in self.parts if part.resource == resource)


ROLE_TAG = "backfill:setup"
"""Tag of roles that setup makes; its value is the spec's name. Without it a role is another's."""


class Action(enum.StrEnum):
    """What becomes of one part."""

    ADD = "add"
    REPLACE = "replace"
    KEEP = "keep"
    REMOVE = "remove"
    LEAVE = "leave"
    """On destroy: somebody changed it, or it is not ours to take away."""
    REFUSE = "refuse"
    """It cannot be done without harm to what others put there; nothing of the document is
    written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of one part, and why.

    `before` is None where the part is absent, `after` where it goes.
    """

    resource: Resource
    identifier: str
    action: Action
    reason: str
    before: Fields | None = None
    after: Fields | None = None


Actual = RawDocument | Unread | None
"""A document as it is read: None where there is none."""
NOT_ASKED = Unread(
    operation="", code="NotAsked", message="its account is left to its owner, and was not asked"
)
"""Why a document is unknown that nobody asked for, or handed in."""
NOT_THERE = "NotFound"
"""The code for the policy of a queue, topic or function that is not there itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentDifference:
    """One document as it is and as it shall be.

    Attributes:
        resource: The document.
        changes: What becomes of each part.
        before: The whole document as it was read; None where there was none.
        after: The whole document to write; None where none shall be left.
        notes: What was seen beside ours: policies that grant more than is needed.
        unread: Why the document could not be read; then `before` says nothing, `after` is what a
            fresh document would hold, and nothing may be written.
    """

    resource: Resource
    changes: tuple[Change, ...]
    before: Fields | None
    after: Fields | None
    notes: tuple[str, ...] = ()
    unread: Unread | None = None

    @property
    def is_refused(self) -> bool:
        """Whether nothing of this document may be written."""
        return self.unread is not None or any(
            change.action is Action.REFUSE for change in self.changes
        )

    @property
    def is_change(self) -> bool:
        """Whether something would be written."""
        written = {Action.ADD, Action.REPLACE, Action.REMOVE}
        return any(change.action in written for change in self.changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """All documents in the order to write them: forwards for apply, backwards for destroy."""

    name: str
    documents: tuple[DocumentDifference, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def is_refused(self) -> bool:
        """Whether some document cannot be written."""
        return any(document.is_refused for document in self.documents)

    @property
    def is_change(self) -> bool:
        """Whether something would be written."""
        return any(document.is_change for document in self.documents)
