"""What every page of ListObjectVersions must obey, or the listing cannot be believed.

Never asks for a page and never repairs one silently, with a single exception that a bucket in use
makes lawful (see `admit`).
Law: the entries admitted are strictly ordered, so a listing that passes is finite and complete.

Sources: S3 API reference, ListObjectVersions (keys in UTF-8 binary order, the most recent version
of a key first, KeyMarker and VersionIdMarker exclusive).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import le, ne

from backfill.errors import ListingStuckError
from backfill.model.escaping import visible_text
from backfill.model.listed import Cells
from backfill.model.objects import VersionId
from backfill.model.store import VersionsPage, VersionsPosition

_HINT = (
    "the server breaks the laws of ListObjectVersions, so nothing here can be proved with it; "
    "report it to the server's makers, or leave the keys concerned out with --prefix"
)


class ListingLaws:
    """Judges the pages of one listing in turn; `position` is where the next page must begin.

    `start`: it begins after all versions of a key, or after one version of it.
    Memory: the version IDs of one key.
    """

    def __init__(self, bucket: str, prefix: str, start: VersionsPosition | None = None) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._key = ""
        self._is_amid_key = False
        self._version_ids: set[str] = set()
        self.position = start
        if start is not None:
            self._key = start.key
            self._is_amid_key = start.version_id is not None
            self._version_ids = {start.version_id} if start.version_id is not None else set()

    def admit(self, page: VersionsPage) -> Sequence[Cells]:
        """Return the cells of the page's entries, or raise.

        A page boundary may split a key, and what stood before the boundary may be deleted for good
        before the next page is read: S3 then calls the next version the latest. The chain was
        begun as of the earlier page, so this version is entered as it was then: not the latest.

        Raises:
            ListingStuckError: a page repeats, goes backwards, lost its order or its end.
        """
        entries = page.cells
        if entries and entries[0][0] == self._key and self._is_amid_key and entries[0][2]:
            first = entries[0]
            entries = [(*first[:2], False, *first[3:]), *entries[1:]]
        if not self._admit_at_once(entries):
            for entry in entries:
                self._admit_entry(entry)
        if page.next_position is not None:
            self._check_next(page.next_position, entries)
        if entries:
            self._is_amid_key = True
            # Ours, not the server's: a marker beyond the last entry could skip what lies between.
            self.position = VersionsPosition(entries[-1][0], VersionId(entries[-1][1]))
        return entries

    def _admit_at_once(self, entries: Sequence[Cells]) -> bool:
        """Admit all entries of a page, or none: return whether all laws hold.

        Which one does not, and where, is for `_admit_entry` to find.
        Keys with a prefix lie together: where the first and the last have it, all do.
        """
        if not entries:
            return True
        keys = [entry[0] for entry in entries]
        before = [self._key, *keys[:-1]]
        begins_key = list(map(ne, before, keys))
        is_lawful = (
            all(map(le, before, keys))
            # The first entry of a key, and no other, is the latest.
            and [entry[2] for entry in entries] == begins_key
            and (begins_key[0] or self._is_amid_key)
            and keys[0].startswith(self._prefix)
            and keys[-1].startswith(self._prefix)
        )
        if not is_lawful:
            return False
        version_ids = [entry[1] for entry in entries]
        if not all(begins_key):
            going_on = version_ids[: bisect_right(keys, self._key)]
            if len(set(zip(keys, version_ids, strict=True))) < len(keys):
                return False
            if not self._version_ids.isdisjoint(going_on):
                return False
        if keys[-1] != self._key:
            self._version_ids.clear()
        self._key = keys[-1]
        self._version_ids.update(version_ids[bisect_left(keys, self._key) :])
        return True

    def _admit_entry(self, entry: Cells) -> None:
        key, version_id = entry[0], entry[1]
        if key != self._key:
            if key < self._key:
                raise self._broken(f"went back from {_shown(self._key)} to {_shown(key)}")
            if not key.startswith(self._prefix):
                raise self._broken(f"showed {_shown(key)} outside {_shown(self._prefix)}")
            if not entry[2]:
                raise self._broken(f"begins {_shown(key)} with a version that is not latest")
            self._key = key
            self._is_amid_key = True
            self._version_ids.clear()
        elif not self._is_amid_key:
            raise self._broken(f"showed {_shown(key)}, after which it was to begin")
        elif version_id in self._version_ids:
            raise self._broken(f"repeated version {version_id} of {_shown(key)}")
        elif entry[2]:
            raise self._broken(f"calls two versions of {_shown(key)} the latest")
        self._version_ids.add(version_id)

    def _check_next(self, position: VersionsPosition, entries: Sequence[Cells]) -> None:
        if position == self.position:
            raise self._broken(f"gave the marker {_shown(position.key)} twice")
        if not entries:
            raise self._broken("gave a page without entries and says that more follow")
        if position.key < entries[-1][0]:
            raise self._broken(f"set its marker back to {_shown(position.key)}")

    def _broken(self, what: str) -> ListingStuckError:
        return ListingStuckError(f"the listing of bucket {self._bucket} {what}", hint=_HINT)


def unbelievable(bucket: str, key: str | None) -> ListingStuckError:
    """Return the error of a server whose pages before and after a key do not meet."""
    where = _shown(key) if key is not None else "its beginning"
    return ListingStuckError(
        f"the listing of bucket {bucket} shows other keys after {where} than the page before it",
        hint=_HINT,
    )


def _shown(text: str) -> str:
    return f'"{visible_text(text)}"'
