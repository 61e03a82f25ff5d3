"""What a seed decides of a run that brings whole histories into a quiet destination.

Chains are long for so few keys: identical bytes in a row, delete markers in runs and alone, null
versions of the times when versioning was suspended, uploads in parts. Nobody should write beside
the run; in some seeds somebody does, on either side, at any moment.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from random import Random

from backfill.campaign import Campaign, DestinationSpec, OtherWriters, Scope, Versions
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.model import S3Model
from backfill.sandbox.model.operations import objects
from backfill.sandbox.model.operations.buckets import (
    CreateBucketRequest,
    PutBucketVersioningRequest,
)
from backfill.sandbox.model.replication.settings import Placement
from backfill.sandbox.model.values import WrittenAttributes
from backfill.sandbox.simulation.nemesis import CALM, HEAVY, LIGHT, MEDIUM
from backfill.settings import Settings
from tests.doubles.model_requests import Parameters, text
from tests.doubles.simulated_s3 import SimulatedS3
from tests.doubles.virtual_clock import VirtualClock
from tests.simulation.prehistory import (
    Prehistory,
    attributes,
    forget_others,
    model_of,
    put,
    put_in_parts,
    write_as_stranger,
)
from tests.simulation.scenario import (
    COPY_LIMIT_BYTES,
    DESTINATION,
    OWNER,
    RECEIVER,
    SOURCE,
    Scenario,
)

KEYS = ("h/1", "h/1/", "h/10", "h/%2F", "h/\n", "h/x+y", "i")
LENGTHS = (1, 1, 2, 2, 3, 3, 4, 5, 6, 8, 12)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryScenario(Scenario):
    """`meddling` is how often, in a run, somebody writes where nobody should.

    `zombie_s`: a request of a dead process arrives up to so much later.
    """

    meddling: int
    zombie_s: float

    @property
    def campaign(self) -> Campaign:
        """Return what the person asked for."""
        return Campaign(
            source_bucket=SOURCE,
            destination=DestinationSpec(
                bucket=DESTINATION, replicates_delete_markers=self.replicates_markers
            ),
            destination_owner=RECEIVER.account_id,
            other_writers=OtherWriters.QUIET,
            scope=Scope(versions=Versions.ALL),
            settings=Settings(
                concurrency=4,
                copy_object_bytes_max=COPY_LIMIT_BYTES,
                parts_in_flight_max=3,
                retry_cap_s=3.0,
                settle_delay_s=2.0,
                settle_rounds=1,
                drain_timeout_s=2.0,
                page_max=self.page_max,
            ),
        )


def history_scenario_of(seed: int) -> HistoryScenario:
    """Return the choices of a seed."""
    random = Random(f"history scenario {seed}")
    weather = random.random()
    level = (
        CALM if weather < 0.2 else LIGHT if weather < 0.5 else MEDIUM if weather < 0.85 else HEAVY
    )
    kinds = ("kill", "kill", "kill", "torn", "written", "stop", "end", "lost", "lost")
    count = random.choice((0, 1, 1, 2, 3))
    return HistoryScenario(
        seed=seed,
        keys=tuple(sorted(random.sample(KEYS, random.randint(2, 6)))),
        has_rule=False,
        prefix="",
        replicates_markers=random.random() < 0.9,
        is_first_schema=False,
        storage_class="",
        is_quiet=True,
        allows_hiding=False,
        level=level,
        placement=Placement.ARRIVAL,
        lag_s=(0.0, 0.05),
        writer_operations=0,
        writer_pause_s=0.1,
        has_strangers=False,
        rival_share=random.choice((0.0, 0.0, 0.05, 0.2)),
        is_shuffled=random.random() < 0.5,
        interruptions=tuple(
            (random.choice(kinds), int(random.triangular(1, 700, 200))) for _ in range(count)
        ),
        page_max=random.choice((2, 3, 7, 1000)),
        meddling=random.choice((0, 0, 0, 1, 2, 4)),
        zombie_s=random.choice((0.0, 0.0, 2.0, 12.0)),
    )


def new_history_model(scenario: HistoryScenario, clock: VirtualClock) -> S3Model:
    """Return a model with both buckets and the histories that were before the run."""
    model = model_of(scenario, clock)
    clock.skip(-86_400)
    HistoryPrehistory(scenario, model, clock, Random(f"history {scenario.seed}")).write()
    forget_others(model, scenario)
    clock.skip(86_400)
    return model


class HistoryPrehistory(Prehistory):
    """Writes each key's chain in eras: before versioning, with it, suspended, and with it."""

    def write(self) -> None:
        model = self.model
        for caller, bucket in ((OWNER, SOURCE), (RECEIVER, DESTINATION)):
            model.create_bucket(caller, CreateBucketRequest(bucket=bucket, location=caller.region))
        self._set(DESTINATION, "Enabled")
        eras = self.random.choice((("Enabled",), ("Enabled",), ("", "Enabled"), self._ERAS))
        keys = self.scenario.past_keys or self.scenario.keys
        left = {key: self.random.choice(LENGTHS) for key in keys}
        for number, status in enumerate(eras):
            if status:
                self._set(SOURCE, status)
            is_last = number == len(eras) - 1
            for key in keys:
                many = left[key] if is_last else self.random.randint(0, left[key])
                left[key] -= many
                for _ in range(many):
                    self.clock.skip(self.random.choice((0.0, 0.2, 5.0)))
                    self._step(key)

    _ERAS = ("", "Enabled", "Suspended", "Enabled", "Suspended", "Enabled")

    def _set(self, bucket: str, status: str) -> None:
        caller = OWNER if bucket == SOURCE else RECEIVER
        request = PutBucketVersioningRequest(bucket=bucket, status=status)
        self.model.put_bucket_versioning(caller, request)

    def _step(self, key: str) -> None:
        kind = self.random.random()
        if kind < 0.3:
            self._delete(key)
        elif kind < 0.38:
            put_in_parts(self.model, key, self.random)
        elif kind < 0.65:
            again(self.model, key)
        else:
            write(self.model, key, self.random)


def write(model: S3Model, key: str, random: Random) -> None:
    """Put a source object that is not archived."""
    said = replace(attributes(random), storage_class=None)
    body = bytes([random.choice(b"ABC")]) * random.choice((0, 7, 7, 40))
    request = objects.PutObjectRequest(bucket=SOURCE, key=key, body=body, attributes=said)
    model.put_object(OWNER, request)


def again(model: S3Model, key: str) -> None:
    """Put the very same bytes once more, with attributes that are always the same."""
    request = objects.PutObjectRequest(
        bucket=SOURCE, key=key, body=b"AAAAAAA", attributes=WrittenAttributes()
    )
    model.put_object(OWNER, request)


OPERATIONS = ("stranger", "stranger", "stranger marker", "removal", "put", "delete", "destroy")


async def meddlers(scenario: HistoryScenario, s3: SimulatedS3) -> None:
    """Write beside the run, now and then."""
    random = Random(f"meddlers {scenario.seed}")
    for _ in range(scenario.meddling):
        await asyncio.sleep(random.choice((0.1, 0.5, 2.0, 6.0)) * random.random())
        act(random.choice(OPERATIONS), random.choice(scenario.keys), s3, random)


def history_rival(scenario: HistoryScenario, s3: SimulatedS3) -> Callable[[str, Parameters], None]:
    """Return somebody who goes for a key at the moment at which it is being written."""
    random = Random(f"rival {scenario.seed}")

    def on_sent(operation: str, parameters: Parameters) -> None:
        if operation not in _VISIBLE or random.random() >= scenario.rival_share:
            return
        kind, key = random.choice(OPERATIONS), text(parameters, "Key")
        delay_s = random.random() * 0.1
        asyncio.get_running_loop().call_later(delay_s, partial(act, kind, key, s3, random))

    return on_sent


_VISIBLE = frozenset({"CopyObject", "CompleteMultipartUpload", "DeleteObject"})


def meddle_between(scenario: HistoryScenario, s3: SimulatedS3, random: Random) -> None:
    """Write between plan and execute: what the plan saw is not what execute finds."""
    if scenario.meddling and random.random() < 0.4:
        act(random.choice(OPERATIONS), random.choice(scenario.keys), s3, random)


def act(operation: str, key: str, s3: SimulatedS3, random: Random) -> None:
    """Carry out one write of somebody else, now."""
    at_source = operation in ("put", "delete", "destroy")
    with suppress(S3Error):
        s3.watched(
            lambda: _ACTS[operation](s3, key, random),
            actor="writer" if at_source else "stranger",
            operation=operation,
            bucket=SOURCE if at_source else DESTINATION,
            key=key,
        )


def _delete(s3: SimulatedS3, key: str, _random: Random) -> None:
    s3.model.delete_object(OWNER, objects.DeleteObjectRequest(bucket=SOURCE, key=key))


def _stranger_marker(s3: SimulatedS3, key: str, _random: Random) -> None:
    s3.model.delete_object(RECEIVER, objects.DeleteObjectRequest(bucket=DESTINATION, key=key))


def _remove(s3: SimulatedS3, key: str, random: Random, bucket: str = DESTINATION) -> None:
    if chain := s3.chain(bucket, key):
        version_id = random.choice(chain).version_id
        caller = OWNER if bucket == SOURCE else RECEIVER
        removal = objects.DeleteObjectRequest(bucket=bucket, key=key, version_id=version_id)
        s3.model.delete_object(caller, removal)


_ACTS: dict[str, Callable[[SimulatedS3, str, Random], None]] = {
    "stranger": lambda s3, key, random: write_as_stranger(s3.model, key, random),
    "stranger marker": _stranger_marker,
    "removal": _remove,
    "put": lambda s3, key, random: put(s3.model, key, random),
    "delete": _delete,
    "destroy": lambda s3, key, random: _remove(s3, key, random, SOURCE),
}
