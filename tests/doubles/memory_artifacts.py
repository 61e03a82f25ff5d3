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

    def index(self, name: str) -> ArtifactIndex | None:
        return self.indexes.get(name)

    def rows(self, name: str) -> Iterator[list[Scalar]]:
        if name not in self.held:
            raise ArtifactDamagedError(f"{name} is missing", hint="run the stage that writes it")
        return iter(self.held[name])

    @contextmanager
    def writer(
        self, name: str, *, columns: Sequence[str], inputs: Mapping[str, str]
    ) -> Iterator["MemoryWriter"]:
        yield MemoryWriter(self, name, tuple(columns), dict(inputs))

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

    def commit(self, summary: Mapping[str, object]) -> ArtifactIndex:
        content = repr((self._name, self._columns, self._rows, sorted(self._inputs.items())))
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
