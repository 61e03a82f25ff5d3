"""The remedies for one history: its missing newest end is appended, or a person is told what to do.

S3 puts a new version on top of all others and moves none, so nothing between two versions can be
mended by writing: a copy would make another history. Nor is a version taken out but by its version
ID, which backfill never does.
Law: nothing is appended unless all that is there is the beginning of the history, and right.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from backfill.manifest.entries import ManifestEntry
from backfill.model.store import IfAbsent, IfReplaces, Precondition
from backfill.plan.entries import PlanEntry
from backfill.repair.remedy import (
    NEW_RUN,
    BadRow,
    Person,
    Remedy,
    if_hopeless,
    if_refused,
    is_unproven,
    work,
)
from backfill.verify.verdicts import Field, Verdict, VerdictRow

_AGAIN: Final = "then verify, and repair appends what is missing then."
GAP: Final = (
    "Newer versions of the key lie above its place, and S3 puts nothing between versions. Delete"
    f" those at the destination by their version IDs, the newest first, {_AGAIN}"
)
OTHERS_FIRST: Final = (
    "It could be appended, but not on top of what is wrong below: see the key's other rows first."
)
EXTRA: Final = (
    "Only deleting it by its version ID takes it out of the history, which backfill never does. If"
    " it does not belong there, delete it so, then verify; if it does, move it away first."
)
ORDER: Final = (
    "S3 never moves a version. Delete it and whatever lies above it at the destination by their"
    f" version IDs, the newest first, {_AGAIN}"
)
ABOVE: Final = (
    "What lies above it has to go: see the rows of the key that call a version extra or out of"
    " order."
)
ALTERED: Final = (
    "A copy over it would stand beside the wrong version, not in its place. Delete it and whatever"
    f" lies above it at the destination by their version IDs, the newest first, {_AGAIN}"
)
TAGS: Final = (
    "A copy would stand beside it, not in its place. Its object tags alone can be put right where"
    " it lies: put-object-tagging with the destination's version ID."
)
KEPT_BACK: Final = "An older version of the key has to go first, and cannot: see its row."


def history_remedies(own: Sequence[BadRow]) -> list[Remedy]:
    """Return a remedy for each bad row of a key at one destination, in their order.

    They come newest first, as the plan has them, and what is extra behind them.
    """
    assert own, "somebody asks about a row"
    below = own[0].below
    wrong = [bad for bad in own if not is_unproven(bad.verdict)]
    is_end = all(_is_missing(bad) and _is_newer(bad, below) for bad in wrong)
    obstacles = [_obstacle(bad) for bad in wrong]
    if is_end and not any(obstacles):
        remedies: Iterator[Remedy] = _appended(wrong, below)
    else:
        remedies = (
            Person(sentence=obstacle or _sentence(bad, is_end=is_end, below=below))
            for bad, obstacle in zip(wrong, obstacles, strict=True)
        )
    return [
        Person(sentence=_obstacle(bad) or "") if is_unproven(bad.verdict) else next(remedies)
        for bad in own
    ]


def _appended(own: Sequence[BadRow], below: VerdictRow | None) -> Iterator[ManifestEntry]:
    """Give the work that appends versions; the last, which is the oldest, goes on top of `below`.

    The others go on top of what the work itself writes, whose ETag nobody knows yet: the worker
    guards them by that. Should anybody else write them, they are refused.
    """
    for turn, bad in enumerate(own, 1):
        entry = bad.entry
        assert entry is not None, "what is missing has a plan row"
        guard = _guard(entry, below if turn == len(own) else None)
        seen = None if below is None else below.destination_version_id
        yield work(entry, bad.verdict, 0, guard)._replace(seen_version_id=seen)


def _guard(entry: PlanEntry, below: VerdictRow | None) -> Precondition | None:
    if below is not None and below.destination_etag is not None:
        return IfReplaces(etag=below.destination_etag)
    return None if entry.is_delete_marker else IfAbsent()


def _is_missing(bad: BadRow) -> bool:
    is_bare = bad.verdict.destination_version_id is None
    return is_bare and bad.entry is not None and bad.verdict.content is not Verdict.IN_FLIGHT


def _is_newer(bad: BadRow, below: VerdictRow | None) -> bool:
    """Return whether a version is newer than all that are there. Plan numbers ascend with age."""
    if below is None or below.number is None:
        return True
    return bad.verdict.number is not None and bad.verdict.number < below.number


def _obstacle(bad: BadRow) -> str | None:
    """Return why this version cannot be written now, wherever its place is."""
    if (hopeless := if_hopeless(bad)) is not None:
        return hopeless
    if not _is_missing(bad):
        return None
    if bad.entry is not None and bad.entry.route is None:
        return NEW_RUN
    return if_refused(bad.outcome)


def _sentence(bad: BadRow, *, is_end: bool, below: VerdictRow | None) -> str:
    """Return why a row of a history is left to a person, and what to do."""
    fields, entry = bad.verdict.fields, bad.entry
    if entry is None:
        return EXTRA
    if is_end:
        return KEPT_BACK
    if _is_missing(bad):
        return OTHERS_FIRST if _is_newer(bad, below) else GAP
    if Field.VERSION_ORDER in fields:
        return ORDER
    is_of_its_kind = bad.verdict.destination_is_delete_marker is entry.is_delete_marker
    if is_of_its_kind and fields and fields[0] in (Field.CURRENT_VERSION, Field.DELETE_MARKER):
        return ABOVE
    return TAGS if fields == (Field.TAGS,) else ALTERED
