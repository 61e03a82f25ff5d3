"""The mirror: what stands in the working copy goes up, what the catalogue names comes down.

Objects are put under keys that nobody else writes; then a catalogue that names them; then the head
that refers to it. So whatever dies in between, the head refers to what is whole.
Never deletes an object, and never publishes less than was published, but for segments that no
index names any more.
Law: what `publish` returned for is on S3.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final, TypeVar

from backfill.errors import RefusedError, StoreFault
from backfill.events.holding import RunDirectoryKept
from backfill.ports import Event
from backfill.ports.run_store import RunStore
from backfill.run_directory.durable import (
    disk_faults_refused,
    make_directory,
    replaced_file,
    shown_path,
)
from backfill.run_directory.on_s3.catalogue import (
    CATALOGUE_NAME,
    Entry,
    damaged,
    decoded_catalogue,
    encoded_catalogue,
    object_name,
    ref_of,
)
from backfill.run_directory.on_s3.head import CatalogueRef
from backfill.run_directory.on_s3.keeper import LeaseKeeper
from backfill.run_directory.on_s3.location import S3Location
from backfill.run_directory.on_s3.standing import (
    Stamp,
    Standing,
    Tree,
    is_journal_segment,
    is_row_segment,
    stamp_of,
)
from backfill.settings import MIB

TRANSFERS_MAX: Final = 8
"""Files on their way at a time: large ones are streamed, small ones are held meanwhile."""
WHOLE_BYTES_MAX: Final = 4 * MIB
"""Files up to this, and journals, which may grow meanwhile, are read before they are sent."""
CATALOGUE_BYTES_MAX: Final = 256 * MIB
"""Some million files; a larger object is none of ours."""

T = TypeVar("T")


class Download:
    """Fetches what a catalogue names into a folder, checking every digest."""

    def __init__(self, store: RunStore, location: S3Location, root: Path) -> None:
        self._store = store
        self._location = location
        self._root = root

    async def catalogue(self, ref: CatalogueRef | None) -> dict[str, Entry]:
        """Return the files that the head refers to.

        Raises:
            ArtifactDamagedError: The catalogue is missing, or is another one.
        """
        if ref is None:
            return {}
        name = object_name(ref.fence, ref.sha256, CATALOGUE_NAME)
        if ref.size_bytes > CATALOGUE_BYTES_MAX:
            raise damaged(self._location.url_of(name), "it is too large for a catalogue")
        data = bytearray()
        await self._stream(name, ref.size_bytes, data.extend)
        return decoded_catalogue(bytes(data), ref, self._location.url_of(name))

    async def fetch(self, entry: Entry) -> None:
        """Fetch one file; it appears when it is whole.

        Raises:
            ArtifactDamagedError: The object is missing, or holds something else.
        """
        path = self._root / entry.name
        digest = hashlib.sha256()
        with disk_faults_refused(path.parent, "create"):
            make_directory(path.parent)
        with replaced_file(path) as file:

            def take(chunk: bytes) -> None:
                digest.update(chunk)
                file.write(chunk)

            await self._stream(entry.object_name, entry.size_bytes, take)
            if digest.hexdigest() != entry.sha256:
                url = self._location.url_of(entry.object_name)
                raise damaged(url, "its SHA-256 is not what the catalogue says")

    async def fetch_all(self, entries: Iterable[Entry]) -> None:
        """Fetch files, some at a time."""
        await each_of(entries, self.fetch)

    async def _stream(self, name: str, size_bytes: int, take: Callable[[bytes], object]) -> None:
        url, given_bytes = self._location.url_of(name), 0
        try:
            async for chunk in self._store.read_file(self._location.key(name)):
                given_bytes += len(chunk)
                if given_bytes <= size_bytes:
                    take(chunk)
        except StoreFault as fault:
            if fault.status != 404 or fault.code == "NoSuchBucket":
                raise
            raise damaged(url, "it is missing") from fault
        if given_bytes != size_bytes:
            raise damaged(url, f"it has {given_bytes} bytes, not {size_bytes}")


class Mirror:
    """Keeps S3 in step with a working copy that its holder works on.

    `catalogue` is what the head refers to; `absent` gives what of it is not fetched yet.
    """

    def __init__(
        self,
        store: RunStore,
        location: S3Location,
        keeper: LeaseKeeper,
        root: Path,
        *,
        catalogue: dict[str, Entry],
        absent: Callable[[], dict[str, Entry]],
        tell: Callable[[Event], None],
    ) -> None:
        self._store = store
        self._location = location
        self._keeper = keeper
        self._root = root
        self._standing = Standing(root)
        self._catalogue = catalogue
        self._absent = absent
        self._tell = tell
        self._known: dict[str, tuple[Stamp, Entry]] = {}
        self._publishing = asyncio.Lock()
        self._number = keeper.head.catalogue.number if keeper.head.catalogue else 0

    @property
    def catalogue(self) -> dict[str, Entry]:
        """What was published last."""
        return self._catalogue

    async def publish(self, *, with_tails: bool) -> bool:
        """Put up what stands and is not there yet; return whether the catalogue is of now.

        Raises:
            LeaseLostError: The run directory is somebody else's.
            StoreFault: It cannot be written now.
            RefusedError: Files of the working copy have gone.
        """
        async with self._publishing:
            # Before the look: what is fetched meanwhile is in either.
            absent = self._absent()
            tree = await asyncio.to_thread(self._standing.tree, with_tails=with_tails)
            if tree is None:
                return False
            kept = self._left_alone(tree, absent)
            changed = [
                name for name, stamp in tree.files.items() if not self._is_known(name, stamp)
            ]
            sizes: list[int] = []

            async def put(name: str) -> None:
                sizes.append(await self._put(name, tree.files[name]))

            await each_of(changed, put)
            if any(self._has_changed(name, tree.files[name]) for name in changed):
                return False
            kept.update({name: self._known[name][1] for name in tree.files})
            if kept != self._catalogue:
                await self._refer_to(kept)
                self._tell(RunDirectoryKept(files=sum(map(bool, sizes)), size_bytes=sum(sizes)))
            return True

    def _is_known(self, name: str, stamp: Stamp) -> bool:
        known = self._known.get(name)
        return known is not None and known[0] == stamp

    def _has_changed(self, name: str, stamp: Stamp) -> bool:
        """Return whether a file is another one than was looked at; a journal may grow meanwhile.

        An index that was replaced would go up without the segments that it names.
        """
        now = stamp_of(self._root / name)
        return now is None if is_journal_segment(name) else now != stamp

    def _left_alone(self, tree: Tree, absent: dict[str, Entry]) -> dict[str, Entry]:
        """Return the catalogue's files that stay as they are without standing here."""
        kept: dict[str, Entry] = {}
        lost: list[str] = []
        for name, entry in self._catalogue.items():
            if name in tree.files:
                continue
            is_row = is_row_segment(name)
            if is_row and name not in tree.named:
                continue  # of an artefact that was replaced
            is_tail = is_journal_segment(name) and (self._root / name).exists()
            if name in absent or is_tail:
                kept[name] = entry
            else:
                lost.append(name)
        lost += [name for name in tree.named if name not in tree.files and name not in kept]
        if lost:
            raise RefusedError(
                f"the working copy {shown_path(self._root)} lost files while it was in use:"
                f" {', '.join(sorted(lost)[:3])}",
                hint="name a folder that nothing cleans with --scratch-dir, then run the same"
                " command again: what is on S3 is whole",
            )
        return kept

    async def _put(self, name: str, stamp: Stamp) -> int:
        """Put a file up, unless these very bytes are there; return how many went up."""
        path = self._root / name
        is_held_whole = stamp.size_bytes <= WHOLE_BYTES_MAX or is_journal_segment(name)
        with disk_faults_refused(path, "read"):
            data = await asyncio.to_thread(path.read_bytes) if is_held_whole else None
            sha256 = await asyncio.to_thread(_sha256_of, path if data is None else data)
        size_bytes = stamp.size_bytes if data is None else len(data)
        fence = self._keeper.head.fence
        entry = Entry(name=name, fence=fence, size_bytes=size_bytes, sha256=sha256)
        held = self._catalogue.get(name)
        if held is not None and (held.size_bytes, held.sha256) == (size_bytes, sha256):
            entry, size_bytes = held, 0
        elif data is not None:
            await self._store.put_bytes(self._location.key(entry.object_name), data)
        else:
            await self._store.put_file(self._location.key(entry.object_name), path)
        self._known[name] = (stamp._replace(size_bytes=entry.size_bytes), entry)
        return size_bytes

    async def _refer_to(self, kept: dict[str, Entry]) -> None:
        # Each try has a number of its own: nobody may know yet what became of the last one.
        self._number += 1
        data = encoded_catalogue(kept.values(), number=self._number)
        ref = ref_of(data, fence=self._keeper.head.fence, number=self._number)
        name = object_name(ref.fence, ref.sha256, CATALOGUE_NAME)
        await self._store.put_bytes(self._location.key(name), data)
        await self._keeper.write(catalogue=ref)
        self._catalogue = kept


async def each_of(items: Iterable[T], act: Callable[[T], Awaitable[None]]) -> None:
    """Do something with each, `TRANSFERS_MAX` at a time; the first failure ends all."""
    waiting = iter(items)

    async def work() -> None:
        for item in waiting:
            await act(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(TRANSFERS_MAX):
                group.create_task(work())
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


def _sha256_of(content: Path | bytes) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
