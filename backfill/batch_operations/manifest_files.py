"""Writes Batch Operations manifests: streams rows into the files of shards, one shard a job.

Never holds more than a buffer and the lines of one key, and never asks a store or the clock.
Law: the same rows give the same files, byte for byte: an upload is recognised by its bytes.
"""

import hashlib
import os
import zlib
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from backfill.errors import RefusedError
from backfill.manifest.csv_format import Lines, csv_lines, inventory_lines
from backfill.manifest.inventory_format import checksum_document, inventory_document
from backfill.manifest.operations_rows import ManifestFile, ManifestShard, ObjectRow
from backfill.model.attributes import Encryption, EncryptionKind
from backfill.model.escaping import visible_text
from backfill.model.jobs import ManifestFormat

BUFFER_BYTES: Final = 256 * 1024
DATA_FILE_ROWS_MAX: Final = 3_000_000
"""Rows of a data file after which another begins, about as S3 Inventory cuts its own."""
DATA_FILE_TEXT_BYTES_MAX: Final = 512 * 1024 * 1024
"""The same for bytes, before compression: what zlib makes of them is no reason to cut."""
_ZLIB_LEVEL: Final = 1
"""Manifests are read once; level 6 takes three times the CPU for files a fifth smaller."""
_SSE_S3: Final = Encryption(kind=EncryptionKind.SSE_S3)
"""Said outright: under a default of SSE-KMS, S3 could not read a CSV manifest."""
_BUCKET_DEFAULT: Final = Encryption(kind=EncryptionKind.NONE)


def write_shards(steps: "ShardSteps") -> tuple[ManifestShard, ...]:
    """Write to the end in one go, and return the manifests. Raises: as `shard_steps`."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            shards: tuple[ManifestShard, ...] = end.value
            return shards


ShardSteps = Generator[None, None, tuple[ManifestShard, ...]]
"""Manifests being written: each step some thousand rows at most, the end returns them."""


# The three last name where the inventory format's files will lie: one keyword for each fact.
def shard_steps(  # noqa: PLR0913 - see above
    rows: Iterable[ObjectRow],
    folder: Path,
    *,
    format: ManifestFormat,  # noqa: A002 - the API's own word for it
    rows_max: int,
    bytes_max: int,
    bucket: str,
    key_prefix: str,
    source_bucket: str,
) -> ShardSteps:
    """Write the manifests of these rows into `folder`, step by step; none for no rows.

    Rows of one key must stand together, and stay together: a shard has more than `rows_max` rows,
    or a CSV more than `bytes_max` bytes, only if a key alone has, or one of more than
    `csv_format.LINES_HELD_MAX` versions is its last. What stood in the folder is overwritten.
    Rows of an inventory report are all of `source_bucket`. The files will lie in `bucket` under
    `file_key(key_prefix, name)`.

    Raises:
        ManifestError: Only some rows have a version ID, or a row cannot be spelled.
        RefusedError: The disk is full or the folder cannot be written.
    """
    assert rows_max > 0, "a shard holds a row"
    assert bytes_max > 0, "a shard holds a row"

    is_csv = format is ManifestFormat.CSV
    lines = csv_lines(rows) if is_csv else inventory_lines(rows, bucket=source_bucket)

    def new_shard(number: int) -> _Shard:
        if is_csv:
            return _CsvShard(folder, number, rows_max, bytes_max)
        return _InventoryShard(
            folder,
            number,
            rows_max,
            place=_Place(bucket=bucket, key_prefix=key_prefix, source_bucket=source_bucket),
        )

    try:
        return (yield from _written(lines, new_shard))
    except OSError as fault:
        raise RefusedError(
            f"cannot write {visible_text(str(folder))}: {fault.strerror or fault}",
            hint="see to the disk; the same command resumes",
        ) from fault


def _written(batches: Iterable[Lines], new_shard: Callable[[int], "_Shard"]) -> ShardSteps:
    """Write the lines into one shard after the other."""
    finished: list[ManifestShard] = []
    shard: _Shard | None = None
    try:
        for batch in batches:
            yield
            # A batch that fits as a whole, as nearly all do, need not be taken apart.
            whole_fits = shard is not None and shard.has_room(batch)
            for part in (batch,) if whole_fits else batch.by_key():
                if shard is not None and not part.is_key_begun and not shard.has_room(part):
                    finished.append(shard.finish())
                    shard = None
                if shard is None:
                    shard = new_shard(len(finished))
                shard.write(part)
        if shard is not None:
            finished.append(shard.finish())
    finally:
        if shard is not None:
            shard.abandon()
    return tuple(finished)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where the files will lie, and which bucket's objects they list."""

    bucket: str
    key_prefix: str
    source_bucket: str


class _Shard(Protocol):
    """The manifest of one job, being written."""

    def has_room(self, lines: Lines) -> bool:
        """Return whether the lines fit within the limits."""
        ...

    def write(self, lines: Lines) -> None:
        """Append lines, whether they fit or not."""
        ...

    def finish(self) -> ManifestShard:
        """Make all its files durable and visible."""
        ...

    def abandon(self) -> None:
        """Remove what is not finished."""
        ...


class _CsvShard:
    """One CSV file."""

    def __init__(self, folder: Path, number: int, rows_max: int, bytes_max: int) -> None:
        self._number, self._rows_max, self._bytes_max = number, rows_max, bytes_max
        self._file = _NewFile(folder, f"{number:04d}.csv")

    def has_room(self, lines: Lines) -> bool:
        file = self._file
        return (
            file.rows + len(lines.lines) <= self._rows_max
            and file.text_bytes + lines.size_bytes <= self._bytes_max
        )

    def write(self, lines: Lines) -> None:
        self._file.write_lines(lines)

    def finish(self) -> ManifestShard:
        return ManifestShard(
            number=self._number,
            rows=self._file.rows,
            format=ManifestFormat.CSV,
            main=self._file.finish(_SSE_S3),
            others=(),
        )

    def abandon(self) -> None:
        self._file.abandon()


class _InventoryShard:
    """A folder with gzipped data files, manifest.json and manifest.checksum."""

    def __init__(self, folder: Path, number: int, rows_max: int, *, place: _Place) -> None:
        self._folder, self._number, self._rows_max = folder, number, rows_max
        self._place = place
        self._rows = 0
        self._has_version_ids = False
        self._finished: list[ManifestFile] = []
        self._file: _NewFile | None = None

    def has_room(self, lines: Lines) -> bool:
        return self._rows + len(lines.lines) <= self._rows_max

    def write(self, lines: Lines) -> None:
        self._has_version_ids = lines.has_version_ids
        file = self._file
        if file is not None and (
            file.rows >= DATA_FILE_ROWS_MAX or file.text_bytes >= DATA_FILE_TEXT_BYTES_MAX
        ):
            self._finished.append(file.finish(_BUCKET_DEFAULT))
            file = None
        if file is None:
            name = f"{self._number:04d}/data/{len(self._finished):04d}.csv.gz"
            file = self._file = _NewFile(self._folder, name, is_zipped=True)
        self._rows += len(lines.lines)
        file.write_lines(lines)

    def finish(self) -> ManifestShard:
        assert self._file is not None, "a shard begins with lines"
        self._finished.append(self._file.finish(_BUCKET_DEFAULT))
        document = inventory_document(
            self._finished,
            bucket=self._place.bucket,
            key_prefix=self._place.key_prefix,
            source_bucket=self._place.source_bucket,
            has_version_ids=self._has_version_ids,
        )
        checksum = self._whole("manifest.checksum", checksum_document(document))
        return ManifestShard(
            number=self._number,
            rows=self._rows,
            format=ManifestFormat.INVENTORY,
            main=self._whole("manifest.json", document),
            others=(*self._finished, checksum),
        )

    def abandon(self) -> None:
        if self._file is not None:
            self._file.abandon()

    def _whole(self, name: str, data: bytes) -> ManifestFile:
        file = _NewFile(self._folder, f"{self._number:04d}/{name}")
        try:
            file.write(data)
            return file.finish(_BUCKET_DEFAULT)
        finally:
            file.abandon()


class _NewFile:
    """A file under a passing name, measured while it is written; `finish` gives it its own."""

    def __init__(self, folder: Path, name: str, *, is_zipped: bool = False) -> None:
        self.rows = self.text_bytes = 0
        self._name = name
        self._path = folder / name
        self._passing = self._path.with_name(self._path.name + ".partial")
        # zlib's own header has no time in it, unlike the gzip module's.
        self._zlib = zlib.compressobj(_ZLIB_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)
        self._is_zipped = is_zipped
        self._digest = hashlib.md5(usedforsecurity=False)
        self._size_bytes = 0
        self._held: list[str] = []
        self._held_bytes = 0
        _make_folder(self._path.parent)
        self._file = self._passing.open("wb", buffering=0)

    def write_lines(self, lines: Lines) -> None:
        """Append lines of text, all ASCII."""
        self.rows += len(lines.lines)
        self.text_bytes += lines.size_bytes
        self._held.append(lines.text)
        self._held_bytes += lines.size_bytes
        if self._held_bytes >= BUFFER_BYTES:
            self._write_held()

    def write(self, data: bytes) -> None:
        """Append bytes as they are."""
        self._digest.update(data)
        self._size_bytes += len(data)
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]

    def finish(self, encryption: Encryption) -> ManifestFile:
        """Make the file durable and visible, and say what it became."""
        self._write_held()
        if self._is_zipped:
            self.write(self._zlib.flush())
        os.fsync(self._file.fileno())
        self._file.close()
        self._passing.replace(self._path)
        _sync_folder(self._path.parent)
        return ManifestFile(
            name=self._name,
            path=self._path,
            size_bytes=self._size_bytes,
            md5_hex=self._digest.hexdigest(),
            rows=self.rows,
            encryption=encryption,
        )

    def abandon(self) -> None:
        """Remove what was written; after `finish` there is nothing to remove."""
        self._file.close()
        # What cannot be removed now bears no file's name, and the next writer overwrites it.
        with suppress(OSError):
            self._passing.unlink(missing_ok=True)

    def _write_held(self) -> None:
        text = "".join(self._held).encode("ascii")
        self._held.clear()
        self._held_bytes = 0
        self.write(self._zlib.compress(text) if self._is_zipped else text)


def _make_folder(path: Path) -> None:
    """Create a folder and those above it so that a power cut cannot take them back."""
    if path.is_dir():
        return
    _make_folder(path.parent)
    # Keys may be confidential: a folder that we make is its owner's alone.
    path.mkdir(mode=0o700, exist_ok=True)
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
