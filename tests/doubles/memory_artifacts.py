"""The port ArtifactStore in memory: what is committed outlives a simulated process."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from backfill.errors import ArtifactDamagedError
from backfill.model.rows import Row, Scalar
from backfill.ports import ArtifactIndex


@dataclass(slots=True)
class MemoryDocument:
    pieces: list[bytes] = field(default_factory=list)

    def write(self, data: bytes) -> object:
        self.pieces.append(data)
        return len(data)


@dataclass(slots=True)
class MemoryArtifacts:
    indexes: dict[str, ArtifactIndex] = field(default_factory=dict)
    held: dict[str, list[list[Scalar]]] = field(default_factory=dict)
    documents: dict[str, bytes] = field(default_factory=dict)
    stretched: dict[str, "MemoryStretches"] = field(default_factory=dict)
    stretch_rows_max: int = 1000

    def index(self, name: str) -> ArtifactIndex | None:
        return self.indexes.get(name)

    def rows(self, name: str, *, start: int = 0) -> Iterator[list[Scalar]]:
        if name not in self.held:
            raise ArtifactDamagedError(f"{name} is missing", hint="run the stage that writes it")
        return iter(self.held[name][start:])

    def row_blocks(self, name: str, *, start: int = 0) -> Iterator[list[list[Scalar]]]:
        rows = list(self.rows(name, start=start))
        # Short ones, of an odd length: they end amid whatever a stage takes together.
        return (rows[first : first + 7] for first in range(0, len(rows), 7))

    @contextmanager
    def writer(
        self, name: str, *, columns: Sequence[str], inputs: Mapping[str, str]
    ) -> Iterator["MemoryWriter"]:
        yield MemoryWriter(self, name, tuple(columns), dict(inputs))

    @contextmanager
    def stretched_writer(
        self, name: str, *, columns: Sequence[str], inputs: Mapping[str, str]
    ) -> Iterator["MemoryStretches"]:
        held = self.stretched.get(name)
        if held is None or (held.columns, held.inputs) != (tuple(columns), dict(inputs)):
            held = MemoryStretches(self, name, tuple(columns), dict(inputs))
            self.stretched[name] = held
        held.open_rows.clear()
        yield held

    def write_document(self, name: str, data: bytes) -> None:
        self.documents[name] = data

    @contextmanager
    def document_writer(self, name: str) -> Iterator[MemoryDocument]:
        document = MemoryDocument()
        yield document
        self.documents[name] = b"".join(document.pieces)

    def read_document(self, name: str) -> bytes | None:
        return self.documents.get(name)


class MemoryWriter:
    def __init__(
        self,
        store: MemoryArtifacts,
        name: str,
        columns: tuple[str, ...],
        inputs: Mapping[str, str],
    ) -> None:
        self._store = store
        self._name = name
        self._columns = columns
        self._inputs = inputs
        self._rows: list[list[Scalar]] = []

    def write(self, row: Row) -> None:
        assert len(row) == len(self._columns), "a row fills its columns"
        self._rows.append(list(row))

    def write_rows(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self.write(row)

    def commit(self, summary: Mapping[str, object]) -> ArtifactIndex:
        held = (self._name, self._columns, self._rows, sorted(self._inputs.items()))
        content = json.dumps(held, check_circular=False)
        index = ArtifactIndex(
            name=self._name,
            columns=self._columns,
            rows=len(self._rows),
            digest=hashlib.sha256(content.encode()).hexdigest(),
            inputs=self._inputs,
            # As every later reader gets it.
            summary=json.loads(json.dumps(summary)),
        )
        self._store.held[self._name] = self._rows
        self._store.indexes[self._name] = index
        return index


@dataclass(slots=True)
class MemoryStretches:
    """The port StretchedWriter: what is sealed outlives a simulated process, what is open dies."""

    store: MemoryArtifacts
    name: str
    columns: tuple[str, ...]
    inputs: dict[str, str]
    numbers: int = 0
    open_rows: dict[int, list[list[Scalar]]] = field(default_factory=dict)
    rows: dict[int, list[list[Scalar]]] = field(default_factory=dict)
    notes: dict[int, Row] = field(default_factory=dict)

    def sealed(self) -> Mapping[int, Row]:
        return self.notes

    def begin(self) -> int:
        self.numbers += 1
        self.open_rows[self.numbers] = []
        return self.numbers

    def write(self, stretch: int, rows: Sequence[Row]) -> bool:
        assert all(len(row) == len(self.columns) for row in rows), "a row fills its columns"
        self.open_rows[stretch].extend(list(row) for row in rows)
        return len(self.open_rows[stretch]) >= self.store.stretch_rows_max

    def seal(self, stretch: int, note: Row) -> None:
        self.rows[stretch] = self.open_rows.pop(stretch)
        # As every later reader gets it.
        self.notes[stretch] = json.loads(json.dumps(note))

    def discard(self) -> None:
        self.open_rows.clear()
        self.rows.clear()
        self.notes.clear()

    def commit(self, order: Sequence[int], summary: Mapping[str, object]) -> ArtifactIndex:
        assert not self.open_rows, "every stretch is sealed"
        writer = MemoryWriter(self.store, self.name, self.columns, self.inputs)
        for number in order:
            for row in self.rows[number]:
                writer.write(row)
        del self.store.stretched[self.name]
        return writer.commit(summary)
