"""The table of what every party must be allowed, by features and by failure codes.

Never decides whether it is allowed (`evaluation` does) and never words a statement (`missing`
does). What a code means to a person stands in `batch_operations.failure_codes`.
Law: whoever generates, checks or mends policies reads this one table.
"""

from collections.abc import Collection
from typing import Final

from backfill.policies.need import Feature, Need, On, Party, Weight
from backfill.policies.other_needs import OTHER_NEEDS
from backfill.policies.replication_needs import REPLICATION_NEEDS

NEEDS: Final[tuple[Need, ...]] = (*REPLICATION_NEEDS, *OTHER_NEEDS)


def needs_of(party: Party, features: Collection[Feature]) -> tuple[Need, ...]:
    """Return what the party needs with these features, each action once on each thing.

    Where a feature makes required what is otherwise advised, it is required.
    """
    found: dict[tuple[str, On], Need] = {}
    order = list(Weight)
    for need in NEEDS:
        if need.party is not party or not need.features <= set(features):
            continue
        if need.weight is Weight.AFTER_FAILURE:
            continue
        known = found.get((need.action, need.on))
        if known is None or order.index(need.weight) < order.index(known.weight):
            found[need.action, need.on] = need
    return tuple(found.values())


def explained(failure_code: str) -> tuple[Need, ...]:
    """Return the needs that can cause a failure code of live or batch replication; none for others.

    Codes that no permission causes, such as SrcObjectNotEligible, have none.
    """
    found: dict[tuple[Party, str, On], Need] = {}
    for need in NEEDS:
        if failure_code in need.codes:
            found.setdefault((need.party, need.action, need.on), need)
    return tuple(found.values())
