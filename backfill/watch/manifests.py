"""The repair manifest: what failed and Batch Replication can bring over, as CSV for a job.

Never uploads it and never makes a job: a person mends the cause first.
Law: each version stands there once, in the order of S3's listings, and the index, written last,
names the files that count.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from backfill.manifest.csv_format import Lines, csv_lines
from backfill.manifest.operations_rows import ObjectRow
from backfill.model.jobs import ManifestFormat
from backfill.model.places import BucketPlace
from backfill.ports.artifacts import DocumentWriter
from backfill.watch.causes import is_repairable
from backfill.watch.ledger import Ledger
from backfill.watch.picture import ManifestFilePicture

INDEX_SCHEMA: Final = "backfill.watch-manifest/1"
_HELD: Final = "manifest"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestPlace:
    """Where the manifest goes: `writer` writes a file whole or not at all, by its name.

    `name_of` numbers the files from 0; `shown` is what a person is told of a name.
    """

    writer: Callable[[str], AbstractContextManager[DocumentWriter]]
    name_of: Callable[[int], str]
    index_name: str
    shown: Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestSizes:
    """How large one file, the manifest of one job, may be."""

    rows_max: int
    bytes_max: int


def write_manifest(
    ledger: Ledger, place: ManifestPlace, sizes: ManifestSizes, *, source: BucketPlace, at: datetime
) -> tuple[ManifestFilePicture, ...]:
    """Write the manifest of all that stands failed and can be brought over; return its files.

    Without any nothing is written, but over an earlier manifest: its versions have arrived.
    """
    lines = csv_lines(_rows(ledger, source.bucket))
    first = next(lines, None)
    if first is None and ledger.fact(_HELD) != place.index_name:
        return ()
    # Said before it is true: a process that dies in between must not leave a manifest that no
    # later look empties.
    ledger.set_fact(_HELD, place.index_name)
    files = tuple(_written(_chained(first, lines), place, sizes))
    if first is None:
        with place.writer(place.name_of(0)):
            files = (_file(place, 0, rows=0, size_bytes=0),)
    index = {
        "schema": INDEX_SCHEMA,
        "source_bucket": source.bucket,
        "source_region": source.region,
        "source_account": source.expected_owner,
        "written_at": at.isoformat(),
        "format": ManifestFormat.CSV.value,
        "fields": ["Bucket", "Key", "VersionId"],
        "rows": sum(file.rows for file in files),
        "files": [asdict(file) for file in files],
    }
    with place.writer(place.index_name) as document:
        document.write(json.dumps(index, indent=2).encode())
    if first is not None:
        return files
    ledger.set_fact(_HELD, "")
    return ()


def _rows(ledger: Ledger, bucket: str) -> Iterator[ObjectRow]:
    """Give each version once, however many destinations wait for it: a job serves them all."""
    last: tuple[str, str] | None = None
    for notice in ledger.failures():
        version = (notice.key, notice.version_id)
        if version != last and is_repairable(notice.reason):
            last = version
            yield ObjectRow(bucket=bucket, key=notice.key, version_id=notice.version_id)


def _chained(first: Lines | None, rest: Iterator[Lines]) -> Iterator[Lines]:
    if first is not None:
        yield first
        yield from rest


def _written(
    batches: Iterator[Lines], place: ManifestPlace, sizes: ManifestSizes
) -> Iterator[ManifestFilePicture]:
    """Write batches into one file after the other."""
    pending = next(batches, None)
    number = 0
    while pending is not None:
        digest = hashlib.md5(usedforsecurity=False)
        rows = size_bytes = 0
        with place.writer(place.name_of(number)) as file:
            # A file takes one batch at least: the batches of `csv_lines` are far below any limit.
            while pending is not None and (
                not rows
                or (
                    rows + len(pending.lines) <= sizes.rows_max
                    and size_bytes + pending.size_bytes <= sizes.bytes_max
                )
            ):
                data = pending.text.encode("ascii")
                file.write(data)
                digest.update(data)
                rows, size_bytes = rows + len(pending.lines), size_bytes + len(data)
                pending = next(batches, None)
        yield _file(place, number, rows=rows, size_bytes=size_bytes, etag=digest.hexdigest())
        number += 1


def _file(
    place: ManifestPlace, number: int, *, rows: int, size_bytes: int, etag: str = ""
) -> ManifestFilePicture:
    return ManifestFilePicture(
        file=place.shown(place.name_of(number)),
        rows=rows,
        size_bytes=size_bytes,
        etag=etag or hashlib.md5(usedforsecurity=False).hexdigest(),
    )
