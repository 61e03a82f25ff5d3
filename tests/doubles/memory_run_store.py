"""The port RunStore in memory: true about conditions, with faults where a test wants them.

Keeps a list of all that was asked, and every object ever written.
Law: nothing is overwritten but under the ETag that is named.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path

from backfill.errors import Disposition, StoreFault
from backfill.model.objects import ETag
from backfill.ports.run_store import HeadSeen

Hook = Callable[[str, str], None]
"""Called with an operation and a key before it is carried out; may raise."""


def no_faults(operation: str, key: str) -> None:
    """Let all pass."""
    assert operation, key


class MemoryRunStore:
    """A bucket."""

    def __init__(self, *, obeys: bool = True) -> None:
        self.objects: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []
        self.hook: Hook = no_faults
        self.age_s: float | None = None
        self._obeys = obeys

    async def has_conditional_writes(self, key: str) -> bool:
        self._ask("Probe", key)
        return self._obeys

    async def read_head(self, key: str) -> HeadSeen | None:
        self._ask("GetHead", key)
        data = self.objects.get(key)
        return HeadSeen(data=data, etag=_etag(data), age_s=self.age_s) if data else None

    async def write_head(self, key: str, data: bytes, *, replaces: ETag | None) -> ETag:
        self._ask("PutHead", key)
        held = self.objects.get(key)
        if (_etag(held) if held is not None else None) != replaces:
            raise fault("PutObject", "PreconditionFailed", 412, Disposition.REDECIDE)
        self.objects[key] = data
        return _etag(data)

    async def put_bytes(self, key: str, data: bytes) -> None:
        self._ask("PutObject", key)
        if self.objects.setdefault(key, data) != data:
            raise fault("PutObject", "PreconditionFailed", 412, Disposition.FAIL)

    async def put_file(self, key: str, path: Path) -> None:
        await self.put_bytes(key, await asyncio.to_thread(path.read_bytes))

    async def read_file(self, key: str) -> AsyncIterator[bytes]:
        self._ask("GetObject", key)
        data = self.objects.get(key)
        if data is None:
            raise fault("GetObject", "NoSuchKey", 404, Disposition.SKIP)
        for begin in range(0, len(data), 1000):
            yield data[begin : begin + 1000]

    def key_of(self, ending: str) -> str:
        """Return the one key that ends like this."""
        (key,) = (key for key in self.objects if key.endswith(ending))
        return key

    def _ask(self, operation: str, key: str) -> None:
        self.asked.append((operation, key))
        self.hook(operation, key)


def fault(operation: str, code: str, status: int, disposition: Disposition) -> StoreFault:
    """Return a fault."""
    return StoreFault(operation=operation, code=code, status=status, disposition=disposition)


def _etag(data: bytes) -> ETag:
    return ETag(sha256(data).hexdigest()[:32])
