"""Which rule wins for an object at one destination.

Never fetches: an object whose tags are unknown, and matter, gets the answer `NEEDS_TAGS`.
Law: S3 tries every matching rule; only among rules for the same destination bucket does priority
decide, and the highest number wins (S3 API: ReplicationRule, Priority).
"""

import enum
from collections.abc import Sequence

from backfill.model.attributes import Pairs
from backfill.plan.rules import Rule


class NoWinner(enum.Enum):
    """Why no rule wins, as far as can be told."""

    NO_RULE = enum.auto()
    """No rule for this destination has a prefix of this key."""
    RULE_DISABLED = enum.auto()
    """Only Disabled rules cover the key."""
    TAG_MISMATCH = enum.auto()
    """Enabled rules cover the key, and the object lacks tags that they ask for."""
    NEEDS_TAGS = enum.auto()
    """The answer depends on object tags that are not known."""


def winning_rule(rules: Sequence[Rule], key: str, tags: Pairs | None) -> Rule | NoWinner:
    """Return the rule that decides for an object, or why there is none.

    Args:
        rules: The rules of one destination, highest priority first (`Rules.for_destination`).
        key: The object's key.
        tags: The object tags; None when unknown. Delete markers have none: `()`.
    """
    none = NoWinner.NO_RULE
    for rule in rules:
        if not rule.covers(key):
            continue
        if not rule.is_enabled:
            if none is NoWinner.NO_RULE:
                none = NoWinner.RULE_DISABLED
            continue
        if not rule.tags:
            return rule
        if tags is None:
            return NoWinner.NEEDS_TAGS
        if rule.meets(tags):
            return rule
        none = NoWinner.TAG_MISMATCH
    return none
