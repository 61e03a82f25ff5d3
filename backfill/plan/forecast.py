"""How many requests planning will take beyond the listings, counted before the first is sent.

Never fetches. It supposes the worst answer where one read decides about another.
Law: no key takes more requests than were forecast for it. HEADs are exact but for null versions
that turn out to be replicas, and for tag filters that these would have made needless.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from backfill.model.objects import NULL_VERSION_ID, VersionId
from backfill.plan.engines import BY_BATCH
from backfill.plan.key_plan import KeyNeeds, KeyPlan
from backfill.plan.terms import DestinationTerms, Terms

_NO: Final = frozenset[VersionId]()


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """Requests by kind, forecast or sent."""

    heads: int = 0
    destination_heads: int = 0
    taggings: int = 0
    acls: int = 0

    def __mul__(self, times: int) -> "Requests":
        return Requests(
            heads=self.heads * times,
            destination_heads=self.destination_heads * times,
            taggings=self.taggings * times,
            acls=self.acls * times,
        )

    def __add__(self, other: "Requests") -> "Requests":
        return Requests(
            heads=self.heads + other.heads,
            destination_heads=self.destination_heads + other.destination_heads,
            taggings=self.taggings + other.taggings,
            acls=self.acls + other.acls,
        )


def forecast_of(plan: KeyPlan, terms: Terms) -> Requests:
    """Return how many requests a key will take at most. The plan must be fresh; it is used up."""
    needs = plan.needs()
    if needs is None:
        return Requests()
    may_copy = plan.engine is None or not plan.engine.is_batch
    heads, destination_heads = set(needs.heads), set(needs.destination_heads)
    for further in _suppositions(plan, needs, terms):
        heads |= further.heads
        destination_heads |= further.destination_heads
    key = plan.source_chain[0].key
    has_tags_open = terms.has_tag_filters(key)
    has_acls_open = (
        may_copy
        and terms.source_has_acls
        and any(_keeps_acls(each, key) for each in terms.destinations)
    )
    return Requests(
        heads=len(heads),
        destination_heads=len(destination_heads),
        taggings=len(heads) if has_tags_open else 0,
        acls=len(heads) if has_acls_open else 0,
    )


def _suppositions(plan: KeyPlan, needs: KeyNeeds, terms: Terms) -> Iterator[KeyNeeds]:
    """Give what follows where doubtful versions turn out to be no replicas, for either engine."""
    is_undecided = plan.engine is None
    doubtful = {name for name in needs.destination_heads if name[1] == NULL_VERSION_ID}
    doubtful |= plan.engine_heads
    yield _late(plan)
    if doubtful:
        plan.learn({}, dict.fromkeys(doubtful))
        yield from filter(None, (plan.needs(),))
        yield _late(plan)
    if terms.brings_histories:
        plan.suppose_no_history()
        yield from filter(None, (plan.needs(),))
    if is_undecided:
        plan.suppose(BY_BATCH)
        yield from filter(None, (plan.needs(),))


def _late(plan: KeyPlan) -> KeyNeeds:
    """Return what a history may ask for once it is known which versions it has."""
    return KeyNeeds(heads=_NO, tags=_NO, acls=_NO, destination_heads=plan.doubtful_heads)


def _keeps_acls(destination: DestinationTerms, key: str) -> bool:
    """Return whether some rule that may win leaves an object's ACL to matter there."""
    return destination.has_acls and any(
        rule.is_enabled and rule.covers(key) and not rule.destination.is_owner_translated
        for rule in destination.rules
    )
