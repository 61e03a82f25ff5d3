"""An outage of S3 does not become a storm of ours: requests, retries and what comes after it.

The product runs on the model in virtual time, paced by its own `Pace`. Amid its copies every
request begins to fail, for a minute in CI, and in the release lane for an hour.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any, TypeVar

import pytest

from backfill import pipeline
from backfill.aws.calls import Call
from backfill.aws.pace import Pace
from backfill.errors import BackfillError, StoreFault
from backfill.execute.stop import StopRequest
from backfill.sandbox.model import raw_edits
from backfill.sandbox.model.model import S3Model
from backfill.sandbox.simulation.nemesis import CALM, Fault, Nemesis
from tests.damage.originals import write
from tests.damage.place import SETTINGS, Place, Story, in_place
from tests.doubles.damage_table import Kind
from tests.doubles.figures import Row, Tried, figure
from tests.doubles.listings import KeptEvents
from tests.doubles.model_requests import Parameters
from tests.doubles.simulated_s3 import Wire
from tests.doubles.virtual_clock import VirtualClock
from tests.simulation.scenario import DESTINATION

Result = TypeVar("Result")

OBJECTS = 1_000
WORKERS = 64
BEFORE_S = 1.5
"""Virtual seconds of copies before the outage: their rate is the normal one."""
OUTAGE_S = figure(ci=60, release=3600)
SHARE_MAX = 0.1
AGAIN_S = 30.0
"""After so long a platform begins an ended process anew."""
PROCESSES_MAX = OUTAGE_S // int(AGAIN_S) + 10
AFTER_MAX_S = 900.0
"""P9: so long after its end the outage is made good."""


class Outage(Nemesis):
    """Lets everything pass, until an outage begins; then one fault strikes every request."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(Random(1), CALM)
        self._fault = fault
        self.began_s = float("inf")

    @property
    def ends_s(self) -> float:
        return self.began_s + OUTAGE_S

    def strike(self, operation: str, *, is_conditional: bool = True) -> Fault | None:
        assert operation
        assert is_conditional in (True, False)
        now_s = asyncio.get_running_loop().time()
        return self._fault if self.began_s <= now_s < self.ends_s else None


class PacedWire(Wire):
    """A wire behind the product's own pace, as `PacedCalls` puts it before the network."""

    __slots__ = ("_pace",)

    def __init__(self, pace: Pace, **of_wire: Any) -> None:
        super().__init__(**of_wire)
        self._pace = pace

    async def send(
        self,
        operation: str,
        parameters: Parameters,
        act: Callable[[Parameters], Result],
        *,
        seen: Callable[[Result], None] | None = None,
    ) -> Result:
        call = Call(operation=operation, region="", parameters=parameters)
        await self._pace.admit(call)
        number = self._pace.next_number()
        try:
            result = await super().send(operation, parameters, act, seen=seen)
        except StoreFault as fault:
            self._pace.heed(call, fault, number)
            raise
        self._pace.count_success()
        return result


def now_s() -> float:
    return asyncio.get_running_loop().time()


def fill(model: S3Model, clock: VirtualClock) -> None:
    random = Random("before the storm")
    for number in range(OBJECTS):
        clock.skip(0.01)
        write(model, Kind.ONE_PART, f"k{number:04}", random, is_rich=False)


async def until_over(work: Callable[[], Awaitable[object]]) -> None:
    """Do some work, as a platform has it: what ends with an error is begun again."""
    for _ in range(PROCESSES_MAX):
        try:
            await work()
        except (BackfillError, StoreFault):
            await asyncio.sleep(AGAIN_S)
        else:
            return
    raise AssertionError("the outage was never made good")


async def through_the_storm(place: Place, outage: Outage) -> None:
    """Begin to copy, let the outage come and go, and mend what it left."""
    place.nemesis = outage
    place.wire_type = partial(PacedWire, Pace(clock=place.clock, events=KeptEvents()))
    sent_s = list[float]()

    def on_sent(operation: str, _: Parameters) -> None:
        sent_s.append(now_s())
        if operation == "CopyObject":
            outage.began_s = min(outage.began_s, now_s() + BEFORE_S)

    place.s3.on_sent = on_sent
    run = await place.begin()
    await pipeline.take_inventories(run)
    await pipeline.plan(run)

    async def copy() -> None:
        await pipeline.execute(await place.begin(), StopRequest())

    await until_over(copy)
    copying_s = outage.began_s - BEFORE_S
    normal = sum(copying_s <= each < outage.began_s for each in sent_s) / BEFORE_S
    during = sum(outage.began_s <= each < outage.ends_s for each in sent_s)
    assert normal > 100, "there was work to do"
    assert 0 < during <= SHARE_MAX * normal * OUTAGE_S, (during, normal)
    for budget in place.budgets:
        assert budget.retries <= budget.floor + budget.ratio * budget.first_attempts + 1
    await asyncio.sleep(max(0.0, outage.ends_s - now_s()))

    async def mend() -> None:
        run = await place.begin()
        await pipeline.verify(run)
        await pipeline.plan_repair(run)
        await pipeline.execute(run, StopRequest())

    await until_over(mend)
    assert all(row.is_good for row in await place.verify(await place.begin()))
    assert now_s() < outage.ends_s + AFTER_MAX_S
    copies = list(raw_edits.snapshot(place.model, DESTINATION))
    assert len(copies) == OBJECTS, "nothing is lost, and nothing is there twice"


@pytest.mark.parametrize("fault", [Fault.THROTTLE, Fault.ERROR_BEFORE, Fault.LOST_AFTER])
def test_an_outage_is_no_storm_and_is_made_good(fault: Fault, tried: Tried) -> None:
    """If this fails, we keep S3 down, or pay for requests that cannot succeed, or lose copies."""
    settings = replace(SETTINGS, concurrency=WORKERS)
    story = Story(seed=1, has_rule=False, has_acls=False, settings=settings)
    outage = Outage(fault)
    in_place(story, fill, lambda place: through_the_storm(place, outage))
    tried(Row.STORM_SECONDS, OUTAGE_S)
