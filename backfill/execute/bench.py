"""What every copy worker of one run shares: places, ports, limits, counters.

Never decides and never writes.
Law: all awaiting is done through the ports, so a seeded loop can drive a whole run.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from backfill.errors import BackfillError, StoreFault
from backfill.model.pauses import Pauses, RetryBudget
from backfill.model.places import BucketPlace
from backfill.model.store import NO_EXTRAS, Extras
from backfill.plan.header import PlanHeader
from backfill.ports import (
    ArtifactStore,
    Clock,
    ControlPlane,
    Events,
    Journal,
    ObjectStore,
    Random,
)
from backfill.settings import Settings


async def kept_already() -> None:
    """Return at once: what was written is where it stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutePorts:
    """The ports of execute.

    `source` reads the source as the source identity, `destination` writes and reads the
    destinations as the destination identity, and `control` is that identity's control plane.
    `error_of` turns a fault that stops the run into the error a person reads (aws.faults has it).
    `budget` is the process's, which its reads spend from as well; None: one of this run's own.
    `keep` returns when documents that were written are where no lost disk takes them from; what
    S3 bills is asked for after that. On a local disk they are there at once.
    """

    source: ObjectStore
    destination: ObjectStore
    control: ControlPlane
    journal: Journal
    artifacts: ArtifactStore
    events: Events
    clock: Clock
    random: Random
    error_of: Callable[[StoreFault], BackfillError]
    budget: RetryBudget | None = None
    keep: Callable[[], Awaitable[None]] = kept_already


class AbandonedError(Exception):
    """The run is ending: this entry stays open, and the next run settles it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How many archived versions are waited for, and since when."""

    versions: int
    since: datetime


@dataclass(slots=True, kw_only=True)  # counts while the run works
class Bench:
    """Shared by the workers of one run."""

    ports: ExecutePorts
    header: PlanHeader
    settings: Settings
    allows_hiding: bool
    budget: RetryBudget
    halt: asyncio.Event = field(default_factory=asyncio.Event)
    errors: Counter[str] = field(default_factory=Counter)
    extras: Extras = field(init=False)
    """What every copy of the campaign names, one and the same object; a copy may name more."""
    parts: asyncio.Semaphore = field(init=False)
    """One of them for each part in flight, of whichever object; who waits longest is next."""
    can_list_parts: bool = True
    """Until S3 denies it: then uploads that were left open are begun anew."""

    waiting: Waiting | None = None
    """As the last look at archived versions found; None: none was needed."""

    def __post_init__(self) -> None:
        algorithm = self.header.checksum_algorithm
        self.extras = Extras(checksum_algorithm=algorithm) if algorithm else NO_EXTRAS
        self.parts = asyncio.Semaphore(self.settings.parts_in_flight_max)

    def place(self, destination: int) -> BucketPlace:
        """Return the place of a destination by its number."""
        return self.header.destinations[destination]

    async def pause(self, attempt: int, fault: StoreFault) -> None:
        """Pause before a retry: full jitter, longest once the run's retry budget is spent.

        Raises:
            AbandonedError: the run is ending.
        """
        is_paid = self.budget.spend()
        base_s = self.settings.retry_base_s if is_paid else self.settings.retry_cap_s
        pauses = Pauses(base_s=base_s, cap_s=self.settings.retry_cap_s)
        draw = self.ports.random.random()
        await self.rest(pauses.pause_s(attempt, draw=draw, retry_after_s=fault.retry_after_s))

    async def rest(self, duration_s: float) -> None:
        """Let time pass, but not once the run is ending.

        Raises:
            AbandonedError: the run is ending.
        """
        sleep = asyncio.ensure_future(self.ports.clock.sleep(duration_s))
        halt = asyncio.ensure_future(self.halt.wait())
        try:
            await asyncio.wait({sleep, halt}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            halt.cancel()
            await asyncio.gather(sleep, halt, return_exceptions=True)
        if self.halt.is_set():
            raise AbandonedError
