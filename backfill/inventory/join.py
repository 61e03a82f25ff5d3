"""The streaming merge join of a source inventory with the inventories of its destinations.

Never holds more than the chains of one key of each stream.
Law: every key of every stream appears in exactly one group, and groups come in key order.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from backfill.inventory.chains import Chain, KeyChain, key_chains
from backfill.model.objects import ListedEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyGroup:
    """One key as every bucket has it; an empty chain says that a bucket does not have it.

    `destination_chains` has one chain for each destination, in the order of the plan header.
    """

    key: str
    source_chain: Chain
    destination_chains: tuple[Chain, ...]


def key_groups(
    source: Iterable[ListedEntry], destinations: Sequence[Iterable[ListedEntry]]
) -> Iterator[KeyGroup]:
    """Join sorted streams by key; raises what `key_chains` raises."""
    streams = [key_chains(source), *(key_chains(destination) for destination in destinations)]
    heads: list[KeyChain | None] = [next(stream, None) for stream in streams]
    while True:
        key = min((head.key for head in heads if head is not None), default=None)
        if key is None:
            return
        chains = [head.entries if head and head.key == key else () for head in heads]
        yield KeyGroup(key=key, source_chain=chains[0], destination_chains=tuple(chains[1:]))
        heads = [
            next(stream, None) if chain else head
            for stream, chain, head in zip(streams, chains, heads, strict=True)
        ]
