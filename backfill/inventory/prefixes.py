"""Which prefixes a listing needs.

Never guesses from keys: prefixes come from the scope and from rules.
Law: listing disjoint prefixes in order gives every key once, and all keys in order.
"""

from collections.abc import Iterable


def disjoint_prefixes(prefixes: Iterable[str]) -> tuple[str, ...]:
    """Return the fewest prefixes that cover the same keys, sorted."""
    kept: list[str] = []
    for prefix in sorted(prefixes):
        if not kept or not prefix.startswith(kept[-1]):
            kept.append(prefix)
    return tuple(kept)
