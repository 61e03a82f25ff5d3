"""A replication configuration as nouns: rules, their filters, and where each one replicates to.

Never reads S3's document (`configuration` does) and never decides which rule wins (`evaluation`).
Law: for one destination no two enabled rules that can meet the same object are of equal priority.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import combinations

from backfill.errors import CampaignError
from backfill.model.attributes import Pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleDestination:
    """A rule's Destination element.

    `storage_class` empty keeps the source's class. `replica_kms_key` is the key that replicas of
    SSE-KMS and DSSE-KMS objects are encrypted with, empty when the rule names none.
    """

    bucket: str
    account: str = ""
    storage_class: str = ""
    replica_kms_key: str = ""
    is_owner_translated: bool = False
    has_replication_time: bool = False
    has_metrics: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One replication rule.

    `priority` is None for the V1 schema, which has none. `tags` must all be present on an object.
    `names_existing_objects` records the dead ExistingObjectReplication element; nothing follows
    from it (S3 API: ReplicationRule).
    """

    id: str
    is_enabled: bool
    prefix: str
    tags: Pairs
    priority: int | None
    destination: RuleDestination
    replicates_delete_markers: bool
    selects_kms: bool = False
    replicates_modifications: bool = False
    names_existing_objects: bool = False

    def covers(self, key: str) -> bool:
        """Return whether the key has the rule's prefix, whatever its tags and the rule's status."""
        return key.startswith(self.prefix)

    def meets(self, tags: Pairs) -> bool:
        """Return whether every tag of the filter is among the object's tags."""
        return all(tag in tags for tag in self.tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All rules of a source bucket, or the one that a campaign states instead."""

    rules: tuple[Rule, ...]
    role: str = ""

    def __post_init__(self) -> None:
        for one, other in self._ambiguous_pairs():
            raise CampaignError(
                f"rules {one.id!r} and {other.id!r} both replicate to"
                f" {one.destination.bucket!r}, overlap, and have equal priority",
                hint="give each a priority of its own: the highest number wins",
            )

    def _ambiguous_pairs(self) -> Iterator[tuple[Rule, Rule]]:
        enabled = (rule for rule in self.rules if rule.is_enabled)
        for one, other in combinations(enabled, 2):
            if (
                one.destination.bucket == other.destination.bucket
                and (one.priority or 0) == (other.priority or 0)
                and (one.covers(other.prefix) or other.covers(one.prefix))
            ):
                yield one, other

    def destination_buckets(self) -> tuple[str, ...]:
        """Return the destinations of the enabled rules, sorted.

        Destination numbers follow from this order, so it must not hang on the order of the rules,
        which S3 gives no meaning and which tools shuffle.
        """
        return tuple(sorted({r.destination.bucket for r in self.rules if r.is_enabled}))

    def for_destination(self, bucket: str) -> tuple[Rule, ...]:
        """Return the rules for a destination, Disabled ones too, highest priority first."""
        mine = (rule for rule in self.rules if rule.destination.bucket == bucket)
        return tuple(sorted(mine, key=lambda rule: -(rule.priority or 0)))

    def owner_of(self, bucket: str) -> str:
        """Return the Account that an enabled rule names for a destination; empty when none does.

        Two accounts for one bucket cannot both be its owner: CampaignError.
        """
        accounts = {
            rule.destination.account
            for rule in self.for_destination(bucket)
            if rule.is_enabled and rule.destination.account
        }
        if len(accounts) > 1:
            raise CampaignError(f"rules name {len(accounts)} different Accounts for {bucket!r}")
        return next(iter(accounts), "")


@lru_cache(maxsize=8)  # each stage of a run asks for the same one
def configuration_digest(rules: Rules) -> str:
    """Return a digest that changes exactly when the rules do, in whatever order they are listed."""
    documents = sorted(json.dumps(asdict(rule), sort_keys=True) for rule in rules.rules)
    return hashlib.sha256("\n".join([rules.role, *documents]).encode()).hexdigest()
