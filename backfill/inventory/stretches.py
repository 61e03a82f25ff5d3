"""Sealed stretches of a listing: in which order they lie, what is missing, where they meet.

Never believes that two ranges meet because their bounds are equal: the last page of the one showed
what follows it, and the first page of the other what it begins with.
Law: stretches whose bounds tile the key space, and whose junctions fit, are one serial listing.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from backfill.inventory.totals import InventoryTotals
from backfill.model.objects import VersionId
from backfill.model.rows import Scalar
from backfill.model.store import VersionsPosition


class Stretch(NamedTuple):
    """A note of what one sealed stretch of rows covers.

    Entries after (`start_key`, `start_version_id`) up to (`end_key`, `end_version_id`); without a
    version ID, all versions of the key. No start: from the beginning; no end: to the end.
    `is_first` and `is_last`: whether it begins and ends a range; one that is full ends amid it.
    `first` is the first key that the range's pages showed, and `beyond` the first one beyond it.
    """

    prefix: int
    start_key: str | None
    start_version_id: str | None
    end_key: str | None
    end_version_id: str | None
    last_key: str | None
    last_version_id: str | None
    is_first: bool
    is_last: bool
    first: str | None
    beyond: str | None
    keys: int
    keys_current: int
    versions: int
    delete_markers: int
    size_bytes: int
    pages: int

    @property
    def totals(self) -> InventoryTotals:
        """Return its counts."""
        return InventoryTotals(
            keys=self.keys,
            keys_current=self.keys_current,
            versions=self.versions,
            delete_markers=self.delete_markers,
            size_bytes=self.size_bytes,
            pages=self.pages,
        )

    @property
    def seen_to(self) -> VersionsPosition | None:
        """Return the last entry that it holds, or where it began."""
        if self.last_key is not None:
            return position_of(self.last_key, self.last_version_id)
        return position_of(self.start_key, self.start_version_id)


class Gap(NamedTuple):
    """What is still to be listed: after `start`, up to `upto`."""

    prefix: int
    start: VersionsPosition | None
    upto: str | None


class Layout(NamedTuple):
    """The stretches that tile, by number and in order, and the gaps between them."""

    order: tuple[int, ...]
    gaps: tuple[Gap, ...]


def stretch_of(note: Sequence[Scalar]) -> Stretch:
    """Return the stretch of a note that was a stretch; the artefact's log vouches for its cells."""
    return Stretch._make(note)


def position_of(key: str | None, version_id: str | None) -> VersionsPosition | None:
    """Return a position from its cells."""
    if key is None:
        return None
    return VersionsPosition(
        key=key, version_id=VersionId(version_id) if version_id is not None else None
    )


def laid_out(stretches: Mapping[int, Stretch], *, prefixes: int) -> Layout:
    """Return how the stretches of a listing of so many prefixes tile their key spaces.

    A stretch that begins amid a range counts only behind the one that ends there.
    """
    order: list[int] = []
    gaps: list[Gap] = []
    for prefix in range(prefixes):
        own = {number: s for number, s in stretches.items() if s.prefix == prefix}
        # Where one before it was lost, what followed may have been listed anew: the newest counts.
        by_start = {
            (one.start_key, one.start_version_id): number for number, one in sorted(own.items())
        }
        cuts = sorted(s.start_key for s in own.values() if s.is_first and s.start_key is not None)
        at: tuple[str | None, str | None] = (None, None)
        # Finite: every turn takes a stretch that was not taken, or jumps to one.
        while True:
            number = by_start.pop(at, None)
            if number is None:
                following = bisect_right(cuts, at[0]) if at[0] is not None else 0
                upto = cuts[following] if following < len(cuts) else None
                gaps.append(Gap(prefix=prefix, start=position_of(*at), upto=upto))
                at = (upto, None)
            else:
                order.append(number)
                at = (own[number].end_key, own[number].end_version_id)
            if at[0] is None:
                break
    return Layout(order=tuple(order), gaps=tuple(gaps))


def resumable_layout(stretches: Mapping[int, Stretch], *, prefixes: int) -> Layout:
    """Return a layout whose gaps begin behind all versions of a key, never amid them.

    A version that a listing is to go on from may have been deleted since; what S3 lists then is
    not documented. So a stretch that ends amid a key is left out unless another goes on from there,
    and the key is listed again from its first version.
    """
    left = dict(stretches)
    # Finite: each turn leaves a stretch out, or ends.
    while True:
        layout = laid_out(left, prefixes=prefixes)
        amid = {
            (gap.start.key, gap.start.version_id)
            for gap in layout.gaps
            if gap.start is not None and gap.start.version_id is not None
        }
        if not amid:
            return layout
        left = {
            number: one
            for number, one in left.items()
            if (one.end_key, one.end_version_id) not in amid
        }


def bad_junctions(stretches: Iterable[Stretch]) -> list[tuple[Stretch, Stretch]]:
    """Return the neighbours in a row of stretches of which the one did not see the other begin.

    In a bucket in use a key may have come or gone between two pages, so look again before you
    believe that the server loses keys.
    """
    bad: list[tuple[Stretch, Stretch]] = []
    left: Stretch | None = None
    for right in stretches:
        if left is not None and left.prefix == right.prefix and left.is_last:
            assert right.is_first, "behind the end of a range another begins"
            if left.beyond != right.first:
                bad.append((left, right))
        left = right
    return bad
