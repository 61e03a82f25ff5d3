"""What reads beyond the listings have told about a version, and what else must be asked.

Never fetches: `run` does, and reads each refusal into a `Refusal` here.
Law: a fact is either known, refused for a stated reason, or not asked for yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from backfill.errors import Disposition, StoreFault
from backfill.model.attributes import ObjectHead, Pairs
from backfill.model.objects import VersionId
from backfill.model.store import ObjectAcl
from backfill.plan.routes import Reason

HeadAnswer = ObjectHead | None
"""A destination version's head; None when it could not be read."""
HeadName = tuple[int, VersionId]
"""A destination and a version ID of the key there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a source version cannot be read: a reason of the plan, and the call and its code."""

    reason: Reason
    code: str
    operation: str = "HeadObject"

    @property
    def detail(self) -> str:
        """Name the call that was refused: the remedy follows from it."""
        return f"{self.operation}: {self.code}"


class SourceFacts(NamedTuple):
    """What was fetched about one source version, for all destinations alike."""

    head: ObjectHead | None = None
    tags: Pairs | None = None
    acl: ObjectAcl | None = None
    refusal: Refusal | None = None

    @property
    def known_tags(self) -> Pairs | None:
        """The object tags: none where the HEAD counted none, None where they are unknown."""
        if self.tags is None and self.head is not None and self.head.tag_count == 0:
            return ()
        return self.tags


class Facts(NamedTuple):
    """All that is known about one (source version, destination) beyond the listings."""

    source: SourceFacts = SourceFacts()
    destination_heads: Mapping[VersionId, HeadAnswer] = MappingProxyType({})


NO_FACTS = Facts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What must be fetched before a decision can be made; at least one thing.

    `engine`: the null versions that decide which engine has the key (see `engines`).
    """

    source_head: bool = False
    tags: bool = False
    acl: bool = False
    engine: bool = False
    destination_heads: frozenset[VersionId] = frozenset()

    def __post_init__(self) -> None:
        asked = self.source_head, self.tags, self.acl, self.engine, self.destination_heads
        assert any(asked), "asks something"


def refusal_of(fault: StoreFault) -> Refusal | None:
    """Return the reason behind a fault of a read, None when no version could be read.

    404 and 405 (a delete marker in its place) mean that it is gone; 400 is how HEAD of an SSE-C
    object answers without its key. Whatever else befalls one version, after its retries, must not
    keep all the others from being planned.
    """
    if fault.disposition is Disposition.STOP or fault.code == "NoSuchBucket":
        return None
    reason = Reason.NOT_READABLE
    if fault.status in (404, 405):
        reason = Reason.VANISHED
    elif fault.status == 400 and fault.code in _NAMELESS_CODES:
        reason = Reason.SSE_C
    return Refusal(reason=reason, code=fault.code, operation=fault.operation)


_NAMELESS_CODES = frozenset({"400", "Bad Request", "BadRequest", "InvalidRequest"})
"""A HEAD has no body, so the SDK may show the status where S3's code would be."""
