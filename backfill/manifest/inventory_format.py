"""manifest.json of an S3 Inventory report: the manifest format that names gzipped CSV files.

Never opens a data file and never asks the clock.
Law: the same files give the same bytes, and `inventory_manifest` reads what
`inventory_document` wrote.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from backfill.errors import ManifestError
from backfill.manifest.csv_format import decoded_key
from backfill.manifest.operations_rows import Columns, ManifestFile, columns_of, file_key
from backfill.model.json_values import json_value

FILE: Final = "manifest.json"
_VERSION: Final = "2016-11-30"
_CREATED_MS: Final = "1480464000000"
"""creationTimestamp: the day of the format. A clock's would give the same rows other bytes, and
then an upload that a crash cut off would not be recognised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """One entry of `files`: a gzipped CSV object in the report's bucket."""

    key: str
    size_bytes: int
    md5_hex: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryManifest:
    """What a manifest.json says that a reader needs."""

    source_bucket: str
    columns: Columns
    files: tuple[DataFile, ...]


def inventory_document(
    files: Iterable[ManifestFile],
    *,
    bucket: str,
    key_prefix: str,
    source_bucket: str,
    has_version_ids: bool,
) -> bytes:
    """Return manifest.json (S3 User Guide: storage-inventory-location).

    `bucket` is where it and its files will lie.
    """
    document = {
        "sourceBucket": source_bucket,
        "destinationBucket": f"arn:aws:s3:::{bucket}",
        "version": _VERSION,
        "creationTimestamp": _CREATED_MS,
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, VersionId" if has_version_ids else "Bucket, Key",
        "files": [
            {
                "key": file_key(key_prefix, file.name),
                "size": file.size_bytes,
                "MD5checksum": file.md5_hex,
            }
            for file in files
        ],
    }
    return json.dumps(document, indent=2).encode()


def checksum_document(manifest_json: bytes) -> bytes:
    """Return manifest.checksum: the MD5 of manifest.json's content."""
    return hashlib.md5(manifest_json, usedforsecurity=False).hexdigest().encode()


def inventory_key(text: str) -> str:
    """Return the key that an inventory report spells as `text`.

    S3 Inventory encodes as HTML forms do: `+` is a space, and a plus is `%2B`. Our own files hold
    no `+` at all, so this reads them as well.

    Raises:
        ValueError: As `decoded_key`.
    """
    return decoded_key(text.replace("+", "%20"))


def inventory_manifest(manifest_json: bytes) -> InventoryManifest:
    """Return what a manifest.json says.

    Raises:
        ManifestError: It is no JSON, misses a member, or its data are not CSV.
    """
    try:
        document = json_value(manifest_json)
    except ValueError:
        raise ManifestError("it is no JSON", file=FILE) from None
    members = _Members(document)
    if (file_format := members.text("fileFormat")) != "CSV":
        kinds = {"ORC", "Parquet"}
        shown = file_format if file_format in kinds else "an unknown format"
        raise ManifestError(
            f"its data files are {shown}, not CSV",
            file=FILE,
            hint="Batch Operations reads inventory reports in CSV only",
        )
    return InventoryManifest(
        source_bucket=members.text("sourceBucket"),
        columns=columns_of(members.text("fileSchema").split(",")),
        files=tuple(_data_file(_Members(each)) for each in members.list("files")),
    )


def _data_file(members: "_Members") -> DataFile:
    return DataFile(
        key=members.text("key"),
        size_bytes=members.size("size"),
        md5_hex=members.text("MD5checksum").lower(),
    )


class _Members:
    """The members of a JSON object, each of the type that it must have."""

    def __init__(self, document: object) -> None:
        if not isinstance(document, dict):
            raise ManifestError("something in it is no JSON object", file=FILE)
        self._document = document

    def text(self, name: str) -> str:
        value = self._document.get(name)
        # JSON's escapes can spell half a surrogate pair, which is part of no name and no key.
        if not isinstance(value, str) or not value or not _is_text(value):
            raise ManifestError(f"{name} is no text", file=FILE)
        return value

    def size(self, name: str) -> int:
        value = self._document.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ManifestError(f"{name} is no number of bytes", file=FILE)
        return value

    def list(self, name: str) -> list[object]:
        value = self._document.get(name)
        if not isinstance(value, list):
            raise ManifestError(f"{name} is no list", file=FILE)
        return value


def _is_text(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)
