"""Rows of choices in which every choice of a column meets every choice of each other column.

A greedy covering array of strength two: most faults of software need no more than two causes
together (Kuhn, Wallace, Gallo: Software Fault Interactions, IEEE TSE 2004).
Never draws but from its seed. Law: `uncovered` of a whole array is empty.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations, product
from random import Random

Choices = tuple[int, ...]
"""For each column the number of what is chosen."""


def covering_rows(sizes: Sequence[int], *, seed: int) -> Iterator[Choices]:
    """Give rows without end: array after array, each covering all pairs, each another one.

    The two largest columns are crossed; the others take whatever was met least beside them.
    """
    random = Random(seed)
    order = sorted(range(len(sizes)), key=lambda column: -sizes[column])
    first, second, rest = order[0], order[1], order[2:]
    others = list(product(*(range(sizes[column]) for column in rest)))
    met: Counter[tuple[int, int, int, int]] = Counter()
    while True:
        crossed = list(product(range(sizes[first]), range(sizes[second])))
        random.shuffle(crossed)
        for pair in crossed:
            random.shuffle(others)
            made = min(
                (_row(order, (*pair, *other)) for other in others),
                key=lambda row: sum(min(met[key], 3) for key in _pairs(row)),
            )
            met.update(_pairs(made))
            yield made


def uncovered(sizes: Sequence[int], rows: Sequence[Choices]) -> int:
    """Return how many pairs of choices no row has."""
    wanted = sum(sizes[one] * sizes[other] for one, other in combinations(range(len(sizes)), 2))
    return wanted - len({pair for row in rows for pair in _pairs(row)})


def _row(order: Sequence[int], choices: Choices) -> Choices:
    placed = dict(zip(order, choices, strict=True))
    return tuple(placed[column] for column in range(len(order)))


def _pairs(row: Choices) -> Iterator[tuple[int, int, int, int]]:
    return ((a, row[a], b, row[b]) for a, b in combinations(range(len(row)), 2))
