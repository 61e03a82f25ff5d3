"""What a plan asks about a version, and the shapes of the answer.

Never decides (see `decide` and `batch`).
Law: an answer moves the version, keeps it for one reason, or says what must be read first.
"""

from typing import NamedTuple

from backfill.model.attributes import Encryption
from backfill.model.objects import ListedEntry
from backfill.model.store import Precondition
from backfill.plan.chains import IndexedChain
from backfill.plan.engines import BY_COPY, KeyEngine
from backfill.plan.facts import NO_FACTS, Facts, Needs
from backfill.plan.routes import PLAIN, Handling, Reason, Route
from backfill.plan.rules import Rule
from backfill.plan.terms import Terms


class Question(NamedTuple):
    """One source entry at one destination, with all that the listings and reads have told.

    `destination` indexes `Terms.destinations`. `entry` belongs to `source_chain`. `engine` is the
    key's at all destinations; None while null versions that decide it are not read.
    """

    entry: ListedEntry
    destination: int
    source_chain: IndexedChain
    destination_chain: IndexedChain
    facts: Facts = NO_FACTS
    engine: KeyEngine | None = BY_COPY

    def is_settled(self, rule: Rule | None, terms: Terms) -> bool:
        """Return whether rule and scope decide without tags that are not known yet."""
        is_open = bool(terms.scope.tags) and self.facts.source.known_tags is None
        return rule is not None and not is_open


class Move(NamedTuple):
    """The version is to be moved.

    `precondition` None: a marker onto an absent key, or Batch Replication, which has none.
    """

    route: Route
    rule: Rule
    precondition: Precondition | None
    storage_class: str = ""
    encryption: Encryption | None = None
    detail: str = ""
    handling: Handling = PLAIN


class Stay(NamedTuple):
    """The version is not to be moved, and why. `rule` is the one that won, if one did.

    `holder` is the destination's entry that stands for it in a history; None: the current one.
    """

    reason: Reason
    detail: str = ""
    rule: Rule | None = None
    holder: ListedEntry | None = None


Decision = Move | Stay | Needs


def details(*sentences: str | None) -> str:
    """Return what there is to say, in one line."""
    return "; ".join(filter(None, sentences))
