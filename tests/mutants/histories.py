"""Guards of whole histories, each taken away at its exact place."""

import asyncio
from collections.abc import Iterator
from itertools import islice

from backfill.aws import requests
from backfill.aws.retry import RetryingStore
from backfill.execute.history import steps, writer
from backfill.execute.history.ledger import Ledger
from backfill.execute.history.steps import Top
from backfill.execute.history.walks import DestinationWalk, SourceWalk
from backfill.execute.history.writer import HistoryWriter
from backfill.execute.views import End, Hide, MarkAbsent, Write
from backfill.manifest.entries import ManifestEntry
from backfill.model.objects import DeleteMarker, ListedEntry, ObjectVersion
from backfill.model.outcome import Outcome
from backfill.model.places import BucketPlace
from backfill.model.store import IfReplaces, Precondition, VersionsPage, VersionsPosition
from tests.doubles.model_requests import Parameters
from tests.mutants.teeth import Kind, Mutant, Patch
from tests.simulation.checkers import Promise, Violation
from tests.simulation.history_checkers import history_violations
from tests.simulation.history_simulate import simulate_history


def no_look_before(patch: Patch) -> None:
    """What the plan saw at the destination is taken for what is there."""
    whole = HistoryWriter.start

    def careless(self: HistoryWriter, source: SourceWalk, destination: DestinationWalk) -> None:
        whole(self, source, destination)
        if not self.ledger.needs_journal and self._top is None:
            self._end = None
            self._above.clear()

    patch.setattr(HistoryWriter, "start", careless)


def no_look_back(patch: Patch) -> None:
    """What became of a history is not looked at after."""

    def content(
        self: HistoryWriter, _source: SourceWalk, _destination: DestinationWalk
    ) -> Outcome | None:
        return self.last

    patch.setattr(HistoryWriter, "review", content)


def settled_by_etag(patch: Patch) -> None:
    """A lost answer counts as success where what is current has the source's ETag."""

    async def trusting(self: HistoryWriter, row: ManifestEntry) -> None:
        store, place = self._bench.ports.destination, self._bench.place(row.destination)
        page = await store.list_object_versions(place, prefix=row.key)
        current = next((entry for entry in page.entries if entry.key == row.key), None)
        self._above.clear()
        if isinstance(current, ObjectVersion) and current.etag == row.etag:
            self._above.append(current)

    patch.setattr(HistoryWriter, "_look", trusting)


def newest_first(patch: Patch) -> None:
    """Versions go newest first."""

    def left(self: Ledger) -> Iterator[ManifestEntry]:
        rows = self._history.rows
        return islice(rows.newest_first(), rows.count - self._found)

    patch.setattr(Ledger, "left", left)


def versions_of_a_key_at_once(patch: Patch) -> None:
    """Versions of a key go side by side."""

    async def hasty(self: HistoryWriter) -> None:
        rows = list(self.ledger.left())
        ends = await asyncio.gather(*map(self._arrival, rows))
        for row, ended in zip(rows, ends, strict=True):
            self._conclude(row, ended)

    patch.setattr(HistoryWriter, "write", hasty)


def no_if_match(patch: Patch) -> None:
    """A version over the last one goes without If-Match."""
    whole = requests._precondition

    def without(precondition: Precondition) -> Parameters:
        return {} if isinstance(precondition, IfReplaces) else whole(precondition)

    patch.setattr(requests, "_precondition", without)


def hidden_without_if_match(patch: Patch) -> None:
    """A delete marker goes without If-Match."""
    whole = steps.write_over

    def careless(row: ManifestEntry, top: Top | None) -> Write:
        step = whole(row, top)
        return MarkAbsent() if isinstance(step, Hide) else step

    patch.setattr(writer, "write_over", careless)


def nothing_is_recognised(patch: Patch) -> None:
    """What lies there without a record is taken for somebody else's."""

    async def blind(_self: HistoryWriter, _row: ManifestEntry, _found: ListedEntry) -> bool:
        return False

    patch.setattr(HistoryWriter, "_is_ours", blind)


def whatever_is_there_is_ours(patch: Patch) -> None:
    """What lies there without a record is taken for ours."""

    async def greedy(_self: HistoryWriter, _row: ManifestEntry, _found: ListedEntry) -> bool:
        return True

    patch.setattr(writer, "is_same_kind", lambda _found, _row: True)
    patch.setattr(HistoryWriter, "_is_ours", greedy)


def one_version_keeps_back_no_other(patch: Patch) -> None:
    """After a version that failed, newer ones go on."""

    def generous(_row: ManifestEntry, _ended: End) -> None:
        return None

    patch.setattr(writer, "kept_back", generous)


def the_source_is_not_looked_at(patch: Patch) -> None:
    """Changes of the source while its history goes are not noticed."""
    patch.setattr(SourceWalk, "_note", lambda _self, _change: None)
    patch.setattr(SourceWalk, "end", lambda _self: b"")


def what_lies_between_is_no_matter(patch: Patch) -> None:
    """Entries that nothing explains are passed over where ours lie above them."""
    whole = DestinationWalk.feed

    def lax(self: DestinationWalk, entry: ListedEntry) -> None:
        whole(self, entry)
        self.odd = None
        self.above.clear()

    patch.setattr(DestinationWalk, "feed", lax)


def versions_sorted_by_time(patch: Patch) -> None:
    """Versions and markers are put in order by their times, not as S3 lists them."""
    whole = RetryingStore.list_object_versions

    async def sorted_page(
        store: RetryingStore,
        place: BucketPlace,
        *,
        prefix: str = "",
        after: VersionsPosition | None = None,
        max_keys: int = 1000,
    ) -> VersionsPage:
        page = await whole(store, place, prefix=prefix, after=after, max_keys=max_keys)
        # As from the two lists that the SDK makes of a page: versions, then markers.
        entries = sorted(page.entries, key=lambda entry: isinstance(entry, DeleteMarker))
        entries.sort(key=lambda entry: entry.last_modified, reverse=True)
        entries.sort(key=lambda entry: entry.key)
        return VersionsPage(entries=tuple(_latest_first(entries)), next_position=page.next_position)

    patch.setattr(RetryingStore, "list_object_versions", sorted_page)


def _latest_first(entries: list[ListedEntry]) -> Iterator[ListedEntry]:
    for at, entry in enumerate(entries):
        yield entry._replace(is_latest=at == 0 or entries[at - 1].key != entry.key)


MUTANTS = (
    Mutant(versions_sorted_by_time, Promise.P4),
    Mutant(no_look_before, Promise.P1),
    Mutant(no_look_back, Promise.P4),
    Mutant(settled_by_etag, Promise.P4),
    Mutant(newest_first, Promise.P1),
    Mutant(versions_of_a_key_at_once, Promise.P1),
    Mutant(no_if_match, Promise.GUARDED),
    Mutant(hidden_without_if_match, Promise.GUARDED),
    Mutant(nothing_is_recognised, Promise.P4),
    Mutant(whatever_is_there_is_ours, Promise.P4),
    Mutant(one_version_keeps_back_no_other, Promise.P2),
    Mutant(the_source_is_not_looked_at, Promise.P4),
    Mutant(what_lies_between_is_no_matter, Promise.P4),
)


def broken(seed: int) -> list[Violation]:
    """Return what a seed breaks."""
    return history_violations(simulate_history(seed))


HISTORIES = Kind("histories", broken, MUTANTS)
