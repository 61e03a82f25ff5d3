"""The streaming merge join of a source inventory with the inventories of its destinations.

Never holds more than the chains of one key of each stream.
Law: every key of every stream appears in exactly one group, and groups come in key order.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from backfill.inventory.chains import Chain, KeyChain, key_chains
from backfill.model.objects import ListedEntry


class KeyGroup(NamedTuple):
    """One key as every bucket has it; an empty chain says that a bucket does not have it.

    `destination_chains` has one chain for each destination, in the order of the plan header.
    """

    key: str
    source_chain: Chain
    destination_chains: tuple[Chain, ...]


_new = tuple.__new__


def key_groups(
    source: Iterable[ListedEntry], destinations: Sequence[Iterable[ListedEntry]]
) -> Iterator[KeyGroup]:
    """Join sorted streams by key; raises what `key_chains` raises."""
    if len(destinations) == 1:
        return _pairs(key_chains(source), key_chains(destinations[0]))
    streams = [key_chains(source), *(key_chains(destination) for destination in destinations)]
    return _groups(streams)


def _pairs(source: Iterator[KeyChain], destination: Iterator[KeyChain]) -> Iterator[KeyGroup]:
    """Join two streams: what nearly every campaign has, in half the time of any number."""
    left, right = next(source, None), next(destination, None)
    while left is not None and right is not None:
        key, other = left[0], right[0]
        if key == other:
            yield _new(KeyGroup, (key, left[1], (right[1],)))
            left, right = next(source, None), next(destination, None)
        elif key < other:
            yield _new(KeyGroup, (key, left[1], ((),)))
            left = next(source, None)
        else:
            yield _new(KeyGroup, (other, (), (right[1],)))
            right = next(destination, None)
    while left is not None:
        yield _new(KeyGroup, (left[0], left[1], ((),)))
        left = next(source, None)
    while right is not None:
        yield _new(KeyGroup, (right[0], (), (right[1],)))
        right = next(destination, None)


def _groups(streams: Sequence[Iterator[KeyChain]]) -> Iterator[KeyGroup]:
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
