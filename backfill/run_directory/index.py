"""`index.json`: what an artefact consists of, what it was made from, and its digest.

Never trusts a file: an index that is not byte for byte what would be written is damaged.
Law: the digest covers columns, rows, segments, inputs and summary, but not file names, so that
equal content has an equal digest wherever it lies.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypedDict

from backfill.errors import ArtifactDamagedError
from backfill.ports import ArtifactIndex
from backfill.run_directory.segments import MEND, Segment

SCHEMA: Final = 1
INDEX_FILE: Final = "index.json"
SEGMENT_FILE: Final = re.compile(r"rows-(?P<slot>[ab])-[0-9]{5,}\.jsonl\.gz")


class _SegmentDocument(TypedDict):
    file: str
    rows: int
    bytes: int
    sha256: str


class _IndexDocument(TypedDict):
    schema: int
    name: str
    columns: list[str]
    rows: int
    segments: list[_SegmentDocument]
    inputs: dict[str, str]
    summary: dict[str, object]
    digest: str


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
    document = _IndexDocument(
        schema=SCHEMA,
        name=name,
        columns=list(columns),
        rows=sum(segment.rows for segment in segments),
        segments=[
            _SegmentDocument(file=s.file, rows=s.rows, bytes=s.size_bytes, sha256=s.sha256)
            for s in segments
        ],
        inputs=dict(inputs),
        summary=dict(summary),
        digest="",
    )
    document["digest"] = _digest(document)
    return _encoded(document)


def decoded_index(data: bytes, name: str) -> StoredIndex:
    """Parse and check an index.

    Raises:
        ArtifactDamagedError: it is no index, belongs elsewhere, was altered, or is newer than us.
    """
    try:
        document: _IndexDocument = json.loads(data)
        schema = document["schema"]
        if isinstance(schema, int) and schema > SCHEMA:
            raise ArtifactDamagedError(
                f"{name}/{INDEX_FILE} has schema {schema}, this backfill reads up to {SCHEMA}",
                hint="use the version of backfill that wrote it",
            )
        is_sound = (
            document["name"] == name
            and _digest(document) == document["digest"]
            and _encoded(document) == data
            and all(SEGMENT_FILE.fullmatch(segment["file"]) for segment in document["segments"])
        )
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise ArtifactDamagedError(f"{name}/{INDEX_FILE} is no index", hint=MEND) from fault
    if not is_sound:
        raise ArtifactDamagedError(f"{name}/{INDEX_FILE} was altered", hint=MEND)
    return _stored(document)


def _stored(document: _IndexDocument) -> StoredIndex:
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


def _encoded(document: object) -> bytes:
    text = json.dumps(document, ensure_ascii=True, allow_nan=False, sort_keys=True, indent=1)
    return text.encode("ascii") + b"\n"


def _digest(document: _IndexDocument) -> str:
    content = {
        "schema": document["schema"],
        "name": document["name"],
        "columns": document["columns"],
        "rows": document["rows"],
        "segments": [[s["rows"], s["bytes"], s["sha256"]] for s in document["segments"]],
        "inputs": document["inputs"],
        "summary": document["summary"],
    }
    return hashlib.sha256(_encoded(content)).hexdigest()
