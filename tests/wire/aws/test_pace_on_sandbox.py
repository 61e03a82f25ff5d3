"""The pace against the sandbox, which throttles at a set rate by its own clock."""

import asyncio
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest

from backfill.aws.calls import Calls
from backfill.aws.clock import SystemClock
from backfill.aws.object_store import S3ObjectStore
from backfill.aws.pace import Pace, PacedCalls
from backfill.aws.session import Connection
from backfill.errors import StoreFault
from backfill.model.places import BucketPlace
from backfill.sandbox.http.faults import Call, Fault, FaultKind
from backfill.sandbox.service import SOURCE, Sandbox
from tests.doubles.clients import opened_calls
from tests.wire.aws.conftest import KeptEvents

LIMIT = 80.0
"""Requests a second: below what the sandbox serves on a busy machine, so that it binds."""

WORKERS = 16
SETTLING_S = 6.0
MEASURED_S = 8.0
PLACE = BucketPlace(
    bucket="throttled", region=SOURCE.region, expected_owner=SOURCE.account_id, owner_origin="flag"
)


@dataclass(slots=True)
class Throttle:
    """A fault hook that lets `LIMIT` requests a second pass, and remembers what it refused."""

    tokens: float = LIMIT / 20
    filled_s: float = field(default_factory=time.monotonic)
    answers: list[tuple[float, bool]] = field(default_factory=list)

    def __call__(self, _: Call) -> Fault | None:
        now_s = time.monotonic()
        self.tokens = min(LIMIT / 20, self.tokens + LIMIT * (now_s - self.filled_s))
        is_passing = self.tokens >= 1
        self.tokens, self.filled_s = self.tokens - is_passing, now_s
        self.answers.append((now_s, is_passing))
        return None if is_passing else Fault(kind=FaultKind.ERROR)


async def ask_until(end_s: float, calls: Calls) -> None:
    store = S3ObjectStore(calls)
    while time.monotonic() < end_s:
        try:
            await store.list_object_versions(PLACE)
        except StoreFault as fault:
            if fault.code != "SlowDown":
                raise


async def test_the_pace_settles_on_a_store_that_throttles_at_a_set_rate(
    identity: pytest.MonkeyPatch, tmp_path: Path, client: str
) -> None:
    """Under 2 % are refused once it has settled; without a pace it would be nine in ten."""
    throttle = Throttle()
    with Sandbox(seed=7) as sandbox, identity.context() as patch:
        patch.delenv("AWS_DEFAULT_REGION")
        for name, value in sandbox.write_profiles(tmp_path).items():
            patch.setenv(name, value)
        settings: dict[str, Any] = dict(sandbox.client_settings("source"))
        with closing(boto3.client("s3", **settings)) as plain:
            plain.create_bucket(Bucket=PLACE.bucket)
        sandbox.set_fault_hook(throttle)
        events = KeptEvents()
        async with opened_calls(client, Connection(profile="source"), events) as opened:
            calls = PacedCalls(opened, Pace(clock=SystemClock(), events=events))
            began_s = time.monotonic()
            async with asyncio.TaskGroup() as tasks:
                for _ in range(WORKERS):
                    tasks.create_task(ask_until(began_s + SETTLING_S + MEASURED_S, calls))
    early = [passed for at_s, passed in throttle.answers if at_s < began_s + SETTLING_S]
    later = [passed for at_s, passed in throttle.answers if at_s >= began_s + SETTLING_S]
    assert early.count(False) > 0
    assert later.count(False) < 0.02 * len(later)
