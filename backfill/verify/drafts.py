"""Drafts on disk: what each look found, and the newest finding for every key.

Never holds more than one row of each look: a key may have a hundred thousand.
Law: a later look replaces all rows of a key at once, so that they are of one moment.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import cast

from backfill.model.rows import Scalar
from backfill.verify.rows import Draft, draft_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What all looks of a verification came to; the counts are those of `VerifyTotals`."""

    looks: int
    plan_rows: int
    keys_looked_again: int
    is_settled: bool

    @property
    def summary(self) -> dict[str, object]:
        """Return it for an artefact's summary; `looked_of` reads it."""
        return {name: getattr(self, name) for name in Looked.__dataclass_fields__}


def looked_of(summary: Mapping[str, object]) -> Looked:
    """Return what the looks came to, from a summary that holds it."""
    # The artefact's digest vouches for the summary.
    looks, plan_rows, keys_looked_again = (
        cast("int", summary[name]) for name in ("looks", "plan_rows", "keys_looked_again")
    )
    return Looked(
        looks=looks,
        plan_rows=plan_rows,
        keys_looked_again=keys_looked_again,
        is_settled=bool(summary["is_settled"]),
    )


def drafts_by_key(rows: Iterable[list[Scalar]]) -> Iterator[tuple[str, Iterator[Draft]]]:
    """Group a draft artefact's rows, which are sorted by key.

    A key's drafts are to be taken before the next key is.
    """
    return groupby(map(draft_of, rows), key=lambda draft: draft.key)


def suspect_keys(rows: Iterable[list[Scalar]]) -> Iterator[str]:
    """Yield the keys with a suspect row."""
    for key, drafts in drafts_by_key(rows):
        if any(draft.is_suspect for draft in drafts):
            yield key


def newest_drafts(looks: Sequence[Iterable[list[Scalar]]]) -> Iterator[Draft]:
    """Yield every key's drafts of the last look that has the key, in the order of the first look.

    `looks` are the rows of the looks, the first one first; later ones have fewer keys.
    """
    first, *later = (drafts_by_key(rows) for rows in looks)
    heads = [next(look, None) for look in later]
    for key, drafts in first:
        newest = drafts
        own = [number for number, head in enumerate(heads) if head is not None and head[0] == key]
        for number in own:
            head = heads[number]
            assert head is not None, "a look that has the key"
            newest = head[1]
        yield from newest
        for number in own:
            heads[number] = next(later[number], None)
    assert all(head is None for head in heads), "a later look has keys of the first one only"
