"""What every page of ListObjectVersions must obey, or the listing cannot be believed.

Never asks for a page and never repairs one silently, with a single exception that a bucket in use
makes lawful (see `admit`).
Law: the entries admitted are strictly ordered, so a listing that passes is finite and complete.

Sources: S3 API reference, ListObjectVersions (keys in UTF-8 binary order, the most recent version
of a key first, KeyMarker and VersionIdMarker exclusive).
"""

from backfill.errors import ListingStuckError
from backfill.model.escaping import visible_text
from backfill.model.objects import ListedEntry
from backfill.model.store import VersionsPage, VersionsPosition

_HINT = (
    "the server breaks the laws of ListObjectVersions, so nothing here can be proved with it; "
    "report it to the server's makers, or leave the keys concerned out with --prefix"
)


class ListingLaws:
    """Judges the pages of one listing in turn; `position` is where the next page must begin.

    Memory: the version IDs of one key.
    """

    def __init__(self, bucket: str, prefix: str) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._key = ""
        self._version_ids: set[str] = set()
        self.position: VersionsPosition | None = None

    def admit(self, page: VersionsPage) -> tuple[ListedEntry, ...]:
        """Return the page's entries, or raise.

        A page boundary may split a key, and what stood before the boundary may be deleted for good
        before the next page is read: S3 then calls the next version the latest. The chain was
        begun as of the earlier page, so this version is entered as it was then: not the latest.

        Raises:
            ListingStuckError: a page repeats, goes backwards, lost its order or its end.
        """
        entries = page.entries
        if entries and entries[0].key == self._key and entries[0].is_latest:
            entries = (entries[0]._replace(is_latest=False), *entries[1:])
        for entry in entries:
            self._admit_entry(entry)
        if page.next_position is not None:
            self._check_next(page.next_position, entries)
        if entries:
            # Ours, not the server's: a marker beyond the last entry could skip what lies between.
            self.position = VersionsPosition(key=entries[-1].key, version_id=entries[-1].version_id)
        return entries

    def _admit_entry(self, entry: ListedEntry) -> None:
        if entry.key != self._key:
            if entry.key < self._key:
                raise self._broken(f"went back from {_shown(self._key)} to {_shown(entry.key)}")
            if not entry.key.startswith(self._prefix):
                raise self._broken(f"showed {_shown(entry.key)} outside {_shown(self._prefix)}")
            if not entry.is_latest:
                raise self._broken(f"begins {_shown(entry.key)} with a version that is not latest")
            self._key = entry.key
            self._version_ids.clear()
        elif entry.version_id in self._version_ids:
            raise self._broken(f"repeated version {entry.version_id} of {_shown(entry.key)}")
        elif entry.is_latest:
            raise self._broken(f"calls two versions of {_shown(entry.key)} the latest")
        self._version_ids.add(entry.version_id)

    def _check_next(self, position: VersionsPosition, entries: tuple[ListedEntry, ...]) -> None:
        if position == self.position:
            raise self._broken(f"gave the marker {_shown(position.key)} twice")
        if not entries:
            raise self._broken("gave a page without entries and says that more follow")
        if position.key < entries[-1].key:
            raise self._broken(f"set its marker back to {_shown(position.key)}")

    def _broken(self, what: str) -> ListingStuckError:
        return ListingStuckError(f"the listing of bucket {self._bucket} {what}", hint=_HINT)


def _shown(text: str) -> str:
    return f'"{visible_text(text)}"'
