"""`index.json`: what an artefact consists of, what it was made from, and its digest.

Never names a file outside its own folder.
Law: the digest covers columns, rows, segments, inputs and summary, but not file names, so that
equal content has an equal digest wherever it lies.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypedDict, cast

from backfill.errors import ArtifactDamagedError
from backfill.ports import ArtifactIndex
from backfill.run_directory.sealed import Types, canonical_json, has_shape, sealed, unsealed
from backfill.run_directory.segments import MEND, Segment

SCHEMA: Final = 1
INDEX_FILE: Final = "index.json"
SEGMENT_FILE: Final = re.compile(r"rows-[ab]-[0-9]{5,}\.jsonl\.gz")


class _SegmentDocument(TypedDict):
    file: str
    rows: int
    bytes: int
    sha256: str


class _IndexDocument(TypedDict):
    name: str
    columns: list[str]
    rows: int
    segments: list[_SegmentDocument]
    inputs: dict[str, str]
    summary: dict[str, object]
    digest: str


_INDEX_TYPES: Final[Types] = {
    "name": (str,),
    "columns": (list,),
    "rows": (int,),
    "segments": (list,),
    "inputs": (dict,),
    "summary": (dict,),
    "digest": (str,),
}
_SEGMENT_TYPES: Final[Types] = {"file": (str,), "rows": (int,), "bytes": (int,), "sha256": (str,)}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredIndex:
    """An index with the segments that hold its rows."""

    index: ArtifactIndex
    segments: tuple[Segment, ...]

    @property
    def unused_slot(self) -> str:
        """Return the slot of file names that a successor may write without touching these."""
        return "b" if self.segments and self.segments[0].file.startswith("rows-a-") else "a"


def segment_file(slot: str, number: int) -> str:
    """Return the name of a segment's file."""
    return f"rows-{slot}-{number:05d}.jsonl.gz"


def index_bytes(
    *,
    name: str,
    columns: tuple[str, ...],
    segments: tuple[Segment, ...],
    inputs: Mapping[str, str],
    summary: Mapping[str, object],
) -> bytes:
    """Return the index file of an artefact whose segments are written."""
    rows = sum(segment.rows for segment in segments)
    content = {
        "name": name,
        "columns": columns,
        "rows": rows,
        "segments": [[s.rows, s.size_bytes, s.sha256] for s in segments],
        "inputs": dict(inputs),
        "summary": dict(summary),
    }
    document = {
        **content,
        "segments": [
            _SegmentDocument(file=s.file, rows=s.rows, bytes=s.size_bytes, sha256=s.sha256)
            for s in segments
        ],
        "digest": hashlib.sha256(canonical_json(content)).hexdigest(),
    }
    return sealed(document, schema=SCHEMA)


def decoded_index(data: bytes, name: str) -> StoredIndex:
    """Parse and check an index.

    Raises:
        ArtifactDamagedError: it is no index, belongs elsewhere, or was altered.
        ForeignRunDirectoryError: a newer backfill wrote it.
    """
    file = f"{name}/{INDEX_FILE}"
    found = unsealed(data, file, schema=SCHEMA, hint=MEND)
    if not has_shape(found, _INDEX_TYPES):
        raise ArtifactDamagedError(f"{file} is sealed, and yet no index", hint=MEND)
    document = cast("_IndexDocument", found)
    if not all(has_shape(segment, _SEGMENT_TYPES) for segment in document["segments"]):
        raise ArtifactDamagedError(f"{file} is sealed, and yet no index", hint=MEND)
    if document["name"] != name:
        raise ArtifactDamagedError(f"{file} belongs to {document['name']}", hint=MEND)
    if not all(SEGMENT_FILE.fullmatch(segment["file"]) for segment in document["segments"]):
        raise ArtifactDamagedError(f"{file} names files that are no segments", hint=MEND)
    return StoredIndex(
        index=ArtifactIndex(
            name=document["name"],
            columns=tuple(document["columns"]),
            rows=document["rows"],
            digest=document["digest"],
            inputs=document["inputs"],
            summary=document["summary"],
        ),
        segments=tuple(
            Segment(file=s["file"], rows=s["rows"], size_bytes=s["bytes"], sha256=s["sha256"])
            for s in document["segments"]
        ),
    )
