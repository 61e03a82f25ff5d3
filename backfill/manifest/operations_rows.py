"""What a Batch Operations manifest is made of: rows, files, shards, and what is odd about a file.

Never writes or reads a file (`batch_operations.manifest_files` and `manifest.reading` do).
Law: a row names one object version, or the current one where it has no version ID.
"""

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from backfill.errors import ManifestError
from backfill.manifest.entries import ManifestEntry
from backfill.model.attributes import Encryption
from backfill.model.jobs import ManifestFormat
from backfill.model.objects import VersionId

_NAMES: Final = ("bucket", "key", "versionid", "isdeletemarker")


class ObjectRow(NamedTuple):
    """One row of a Batch Operations manifest; a tuple, because millions are made.

    `version_id` is `null` for the null version, and None where the manifest has no such column:
    a job then takes what is current when it gets there.
    """

    bucket: str
    key: str
    version_id: VersionId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFile:
    """A file that was written for the batch bucket.

    `name` is its path below the manifests' folder there (`file_key`): fixed words and numbers.
    `encryption` is what the upload asks for; EncryptionKind.NONE leaves it to the bucket.
    """

    name: str
    path: Path
    size_bytes: int
    md5_hex: str
    rows: int
    encryption: Encryption


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestShard:
    """The manifest of one job. `others` are uploaded before `main`, which names them."""

    number: int
    rows: int
    format: ManifestFormat
    main: ManifestFile
    others: tuple[ManifestFile, ...]


class Oddity(enum.StrEnum):
    """What a reader put up with, because it can mean one thing only; S3 itself may not."""

    BYTE_ORDER_MARK = "the file begins with a byte order mark"
    HEADER = "the first row is a header"
    COLUMN_ORDER = "the columns stand in another order than was said"
    BLANK_LINE = "a line is blank"
    LINE_END = "a line ends with CR LF"
    SPACE = "a bucket or version ID has spaces around it"
    UNENCODED_KEY = "a key is not percent-encoded"
    NULL_VERSION_ID = r"the null version is spelled as nothing or as \N"
    DELETE_MARKER = "the row is that of a delete marker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where the cells of a row stand, from 0; None for a column that is not there."""

    width: int
    bucket: int
    key: int
    version_id: int | None = None
    is_delete_marker: int | None = None


def file_key(key_prefix: str, name: str) -> str:
    """Return the key in the batch bucket of the file with this name."""
    slash = "" if not key_prefix or key_prefix.endswith("/") else "/"
    return f"{key_prefix}{slash}{name}"


def columns_of(names: Iterable[str]) -> Columns:
    """Return where the columns stand; names that no row needs are passed over.

    Raises:
        ManifestError: Bucket or Key is missing, or one of the names stands there twice.
    """
    found = [column_name(name) for name in names]
    places = {name: found.index(name) for name in _NAMES if name in found}
    if any(found.count(name) > 1 for name in places) or not {"bucket", "key"} <= places.keys():
        raise ManifestError("its columns do not have Bucket and Key just once")
    return Columns(
        width=len(found),
        bucket=places["bucket"],
        key=places["key"],
        version_id=places.get("versionid"),
        is_delete_marker=places.get("isdeletemarker"),
    )


def column_name(cell: str) -> str:
    """Return the bare name of a column: `Version_ID ` is `versionid`."""
    return cell.strip().lower().replace("_", "").replace(" ", "")


def object_rows(bucket: str, entries: Iterable[ManifestEntry]) -> Iterator[ObjectRow]:
    """Give a row for each version, however many destinations wait for it."""
    for (key, version_id), _ in groupby(entries, key=lambda e: (e.key, e.version_id)):
        yield ObjectRow(bucket=bucket, key=key, version_id=version_id)
