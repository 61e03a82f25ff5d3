"""What goes into the ledger and comes out of it beside notices.

Never holds what a message says (`notices` does).
Law: counts are of versions and messages, never of how often something was said.
"""

import enum
from typing import NamedTuple

from backfill.watch.notices import Word


class Finding(enum.StrEnum):
    """What a look at the source says of a version that an event spoke of."""

    ARRIVED = "arrived"
    """S3 calls its replication COMPLETED: every destination has it."""
    GONE = "gone"
    """It is not in the source bucket any more: there is nothing to bring over."""


class UnreadMessage(NamedTuple):
    """A message that is not, or not only, for us, and why."""

    body: str
    remark: str


class Noted(NamedTuple):
    """What was new among notes: how many words, and how many messages that cannot be read."""

    words: int
    unread: int


class Tally(NamedTuple):
    """How many versions stand so, for one rule, destination and failure reason."""

    word: Word
    destination_bucket: str
    rule_id: str
    reason: str
    versions: int
