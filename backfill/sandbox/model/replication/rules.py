"""Replication rules as the engine uses them.

Never validated here (`configuration` does).
Law: rules are values; a changed configuration is a new one.
"""

from __future__ import annotations

from dataclasses import dataclass

from backfill.sandbox.model.errors import Pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `priority` is None in the first schema, which replicates delete markers."""

    rule_id: str
    is_enabled: bool
    priority: int | None
    prefix: str
    tags: Pairs
    destination_bucket: str
    storage_class: str | None
    replica_kms_key: str | None
    selects_kms: bool
    overrides_owner: bool
    replicates_delete_markers: bool
    account_id: str | None
    """Destination/Account: who must own the destination bucket; None where nothing is said."""
    has_metrics: bool
    """Then failures are told and CloudWatch has numbers (UG: replication-metrics)."""
    has_time_control: bool
    """Replication Time Control: what takes 15 minutes or more is told."""
    replicates_modifications: bool
    """Changes of tags, ACL and lock made on replicas go on by this rule, too."""

    def matches_key(self, key: str) -> bool:
        """Whether the filter's prefix holds."""
        return key.startswith(self.prefix)

    def matches_tags(self, tags: Pairs) -> bool:
        """Whether the filter's tags are all among `tags`."""
        return set(self.tags) <= set(tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationConfiguration:
    """A valid configuration; `document` is the XML as it was put."""

    document: str
    role: str
    rules: tuple[Rule, ...]
