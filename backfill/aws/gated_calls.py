"""Calls that pass a gate before they change anything: who lost a run directory writes no more.

Never delays a read.
Law: a write is sent right behind the gate, with nothing in between that takes time.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from backfill.aws.calls import AnyCall, Calls
from backfill.aws.faults import WRITES
from backfill.aws.replies import Reply
from backfill.ports.run_store import WriteGate

T = TypeVar("T")


class GatedCalls(Calls):
    """The calls of another, behind a gate."""

    def __init__(self, inner: Calls, gate: WriteGate) -> None:
        self._inner = inner
        self._gate = gate

    @property
    def region(self) -> str:
        """The Region for questions without one."""
        return self._inner.region

    async def send(self, call: AnyCall, parse: Callable[[Reply], T]) -> T:
        """Send once; raises StoreFault, and LeaseLostError instead of sending a write."""
        if call.operation in WRITES:
            await self._gate.admit()
        return await self._inner.send(call, parse)

    @asynccontextmanager
    async def opened(self, call: AnyCall) -> AsyncIterator[Reply]:
        """Send once, and lend the answer; raises StoreFault."""
        assert call.operation not in WRITES, "what is written is small: nobody reads its answer"
        async with self._inner.opened(call) as reply:
            yield reply
