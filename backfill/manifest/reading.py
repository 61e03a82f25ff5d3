"""Reads Batch Operations manifests and CSV inventory reports, our own and other people's.

Never guesses: what can mean one thing only is read and counted as an oddity, what can mean two is
refused with its row and the reason. Never opens a file.
Law: reading what was written gives the rows that were written; any other bytes end in rows,
counted oddities or one ManifestError.

An error may come after rows were given: nothing may be done with them before the iterator ends.
"""

import hashlib
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from backfill.errors import ManifestError
from backfill.manifest.csv_rows import CsvRows, Oddities
from backfill.manifest.inventory_format import DataFile, inventory_manifest
from backfill.manifest.operations_rows import ObjectRow, columns_of

UNZIPPED_BYTES_MAX: Final = 256 * 1024
"""Bytes that a piece of a data file may become at once, however well it was compressed."""


def read_csv(
    chunks: Iterable[bytes],
    fields: Sequence[str],
    *,
    bucket: str | None = None,
    oddities: Oddities | None = None,
) -> Iterator[ObjectRow]:
    """Give the rows of a S3BatchOperations_CSV_20180820 manifest.

    `fields` are those of the job's manifest: Bucket, Key, VersionId, Ignore. With `bucket`, a row
    of another bucket is refused, and columns that changed places are recognised by it.

    Raises:
        ManifestError: A row cannot be read, or as two things.
    """
    counts = Counter() if oddities is None else oddities
    columns = columns_of(fields)
    return CsvRows(columns=columns, is_inventory=False, bucket=bucket, oddities=counts).rows(chunks)


def read_inventory(
    manifest_json: bytes,
    open_file: Callable[[str], Iterable[bytes]],
    *,
    oddities: Oddities | None = None,
) -> Iterator[ObjectRow]:
    """Give the rows of an inventory report, of S3's making or ours, file after file.

    `open_file` gives the bytes of the data file with a key, as they lie in the bucket. An empty
    version ID is the null version, and delete markers are rows as well, counted as oddities.
    All rows are of the report's source bucket.

    Raises:
        ManifestError: As `read_csv`; or a file's size or MD5 is not what manifest.json says.
    """
    manifest = inventory_manifest(manifest_json)
    counts = Counter() if oddities is None else oddities
    for number, file in enumerate(manifest.files, 1):
        name = f"data file {number}"
        reading = CsvRows(
            columns=manifest.columns,
            is_inventory=True,
            bucket=manifest.source_bucket,
            oddities=counts,
            file=name,
        )
        yield from reading.rows(_unzipped(_checked(open_file(file.key), file, name), name))


def _checked(chunks: Iterable[bytes], file: DataFile, name: str) -> Iterator[bytes]:
    """Give the chunks, and refuse the file after the last if they are not what was promised."""
    digest, size_bytes = hashlib.md5(usedforsecurity=False), 0
    for chunk in chunks:
        digest.update(chunk)
        size_bytes += len(chunk)
        yield chunk
    if size_bytes != file.size_bytes:
        raise ManifestError(f"{size_bytes} bytes instead of {file.size_bytes}", file=name)
    if digest.hexdigest() != file.md5_hex:
        raise ManifestError("its MD5 is not that of manifest.json", file=name)


def _unzipped(chunks: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Give what gzip compressed, one member or several."""
    member, is_empty = None, True
    try:
        for chunk in chunks:
            data = chunk
            while data:
                is_empty = False
                member = member or zlib.decompressobj(zlib.MAX_WBITS | 16)
                yield member.decompress(data, UNZIPPED_BYTES_MAX)
                data = member.unused_data if member.eof else member.unconsumed_tail
                member = None if member.eof else member
    except zlib.error:
        raise ManifestError("it is no gzip file", file=name) from None
    if member is not None or is_empty:
        raise ManifestError("it is cut short", file=name)
