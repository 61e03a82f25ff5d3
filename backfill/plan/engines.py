"""Which engine has a key: S3 Batch Replication or the copy workers, never both in one plan.

Never looks at one version alone and never reads: it names the destination versions to be read.
Law: Batch Replication gets a key only where all that it will meet there was put there by S3.

Why the whole key, at all of its destinations:

- A Batch Replication job names a version, not a destination. It runs against the bucket's
  configuration and delivers to every destination whose rules match (S3 User Guide:
  s3-batch-replication-batch). So one destination cannot be kept for the copy workers; and a version
  that one destination holds already goes by Batch for the sake of another, where the first answers
  that nothing is to be done.
- A replica keeps its version ID and its time, and takes its place among the versions of its key.
  Where a destination's current version is S3's own, the chain grows into the source's chain. Where
  it is something else (a copy that we made earlier, an object or a delete marker of somebody), a
  replica lands over or under what its time says nothing about: a copy that carries the time of its
  copying hides a newer version, or stays below as a second instance of the same bytes.
- A copy always becomes the current version, so a copy worker beside Batch Replication on one key
  would bury the replicas that are still on their way. Such keys therefore go to the copy workers
  with their current version alone, and their history stays for a stated reason.

S3's own is what carries a version ID that the source chain has too, with the same kind and size.
`null` identifies nothing: there the destination must say REPLICA and have equal content. An object
that the source's listing does not know, created at or after the horizon, may be the replica of a
version that somebody wrote meanwhile: there the destination must say REPLICA, too. Anything else
that the source does not know is not S3's own here, even where it may be a replica of what expired
at the source: that is settled by planning again.

What lies below the current version is no obstacle, with one exception. A bucket has one `null`
version of a key: the replica of the source's would take the place of the destination's, and what
somebody wrote there before versioning was switched on would be lost for good.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from backfill.model.attributes import ReplicationStatus
from backfill.model.objects import NULL_VERSION_ID, DeleteMarker, ListedEntry, ObjectVersion
from backfill.plan.chains import Identity, IndexedChain, identity_at
from backfill.plan.eligibility import is_archived_class
from backfill.plan.facts import HeadAnswer, HeadName
from backfill.plan.terms import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEngine:
    """The engine of one key. `why_not_batch` is empty unless Batch Replication was possible."""

    is_batch: bool
    why_not_batch: str = ""


BY_BATCH = KeyEngine(is_batch=True)
BY_COPY = KeyEngine(is_batch=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadHeads:
    """The destination versions whose heads decide about a key's engine."""

    heads: frozenset[HeadName]


def engine_of(
    source: IndexedChain,
    destinations: Sequence[IndexedChain],
    heads: Mapping[HeadName, HeadAnswer],
    terms: Terms,
) -> KeyEngine | UnreadHeads:
    """Return the engine of a key, or which destination versions must be read first.

    `destinations` has a chain for each of `Terms.destinations`.
    """
    if not terms.delivery.batch:
        return BY_COPY
    if why := _why_archived(source, destinations, terms):
        return KeyEngine(is_batch=False, why_not_batch=why)
    unread = set[HeadName]()
    for number, destination in enumerate(destinations):
        for met in _met(source, destination):
            if not terms.is_replicated_live(met.key, number):
                continue
            name = number, met.version_id
            identity = _identity(met, source, destination)
            asks = identity is Identity.NULL_PAIR or _is_newcomer(met, source, terms)
            if asks and name not in heads:
                unread.add(name)
            elif not _is_replica(identity, heads.get(name) if asks else None):
                is_current = met is destination.current
                why = _why(met, number, terms) if is_current else _why_null(number, terms)
                return KeyEngine(is_batch=False, why_not_batch=why)
    return UnreadHeads(heads=frozenset(unread)) if unread else BY_BATCH


def _why_archived(source: IndexedChain, destinations: Sequence[IndexedChain], terms: Terms) -> str:
    """Return why a key is for copies because its current version is to be restored, if it is.

    Batch Replication would leave it behind, restored or not; what is current matters most.
    """
    current = source.current
    is_missing = isinstance(current, ObjectVersion) and any(
        identity_at(current, each) is Identity.ABSENT for each in destinations
    )
    if not (is_missing and terms.restore_tier and terms.delivery.copy):
        return ""
    assert isinstance(current, ObjectVersion), "only a version is missing"
    if not is_archived_class(current.storage_class):
        return ""
    return "not by Batch Replication: its current version is archived, and has to be restored"


def _met(source: IndexedChain, destination: IndexedChain) -> Iterator[ListedEntry]:
    """Give what replicas would land on: the current entry, and the null object they would replace.

    A delete marker that another one or an object replaces holds no data to lose.
    """
    if destination.current is not None:
        yield destination.current
    null = destination.by_version_id.get(NULL_VERSION_ID)
    is_replaceable = isinstance(null, ObjectVersion) and NULL_VERSION_ID in source.by_version_id
    if null is not None and is_replaceable and null is not destination.current:
        yield null


def _identity(met: ListedEntry, source: IndexedChain, destination: IndexedChain) -> Identity:
    mine = source.by_version_id.get(met.version_id)
    return Identity.ABSENT if mine is None else identity_at(mine, destination)


def _is_newcomer(current: ListedEntry, source: IndexedChain, terms: Terms) -> bool:
    """Return whether live replication may have brought an object since the source was listed.

    A delete marker's head tells no status, so a marker that is unknown stays one.
    """
    is_unknown = current.version_id not in source.by_version_id
    is_young = current.last_modified >= terms.horizon
    return isinstance(current, ObjectVersion) and is_unknown and is_young


def _is_replica(identity: Identity, head: HeadAnswer) -> bool:
    if identity in {Identity.HELD, Identity.HELD_OTHER_ETAG}:
        return True
    return head is not None and head.replication_status is ReplicationStatus.REPLICA


def _why(current: ListedEntry, number: int, terms: Terms) -> str:
    kind = "a delete marker" if isinstance(current, DeleteMarker) else "an object"
    return (
        f"not by Batch Replication: at {terms.destinations[number].bucket} {kind} is current that"
        " is no replica of a version listed at the source"
    )


def _why_null(number: int, terms: Terms) -> str:
    return (
        f"not by Batch Replication: at {terms.destinations[number].bucket} lies a null version that"
        " is no replica of the source's, which would replace it for good"
    )
