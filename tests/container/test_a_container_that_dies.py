"""The container that people run: no terminal, a read-only root, and no disk that lasts.

A whole backfill with its run directory on S3, by the image that the Dockerfile makes, as its user
10001. It is killed twice and told to stop once, at moments that a seed chose, and each time its
disk is thrown away. What came of it is read with boto3, not with the product.
The log of each session is kept in build/logs/container-scenario.log.
"""

import json
import os
import shutil
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from backfill.sandbox.http.faults import Call, Fault, FaultKind
from backfill.sandbox.model.limits import Limits
from backfill.sandbox.service import SOURCE, Sandbox
from tests.container.containers import ROOT, WAIT_S, child_of, needs_roots, probed
from tests.container.image import SECRETS, Stage, run_command
from tests.crash.test_kills import CHANGED, DELETED, ENTRIES, LARGE, SMALL, write_work
from tests.doubles.killer import Killer, Moment, Way
from tests.doubles.old_world import COPY_BYTES_MAX, OldWorld
from tests.doubles.own_eyes import S3Client, current, s3_client, seen, versions
from tests.doubles.waiting import wait_until

SEED = "container"
LEASE_S = 2
LOG = ROOT / "build" / "logs" / "container-scenario.log"
UNSHARE_SAYS = "unshare: sigprocmask unblock failed: Invalid argument"
"""Of a child that SIGKILL ended, util-linux 2.38 to 2.40 says this, and exits with 1."""
STAYS_S = 600.0
"""How late answers come once a container is to be told to stop: copies are in flight then."""


class Slowly:
    """A fault hook: lets `count` copies pass, then says so and carries out without an answer."""

    def __init__(self, count: int) -> None:
        self.reached = threading.Event()
        self._left = count

    def __call__(self, call: Call) -> Fault | None:
        if call.operation != "CopyObject":
            return None
        self._left -= 1
        if self._left >= 0:
            return None
        self.reached.set()
        return Fault(kind=FaultKind.NONE, delay_s=STAYS_S)


class Log:
    """What happened, as it happened."""

    def __init__(self) -> None:
        LOG.parent.mkdir(parents=True, exist_ok=True)
        LOG.write_text("")

    def tell(self, *lines: str) -> None:
        with LOG.open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)


class Platform:
    """Starts the job's containers one after the other, each with a new disk."""

    def __init__(self, image: Stage, world: OldWorld, folder: Path) -> None:
        self.log = Log()
        self.image = image
        self._folder = folder
        self._lives: list[Life] = []
        self._secrets = folder / "secrets"
        found = world.sandbox.write_profiles(self._secrets)
        self._secrets.chmod(0o755)
        for path in self._secrets.iterdir():
            path.chmod(0o644)
        bucket = f"{world.source}-runs"
        world.make_bucket(SOURCE, bucket)
        self.environment = {
            **{name: value.replace(str(self._secrets), SECRETS) for name, value in found.items()},
            "BACKFILL_SOURCE_BUCKET": world.source,
            "BACKFILL_SOURCE_PROFILE": "source",
            "BACKFILL_DESTINATION_PROFILE": "destination",
            "BACKFILL_RUN_DIR": f"s3://{bucket}/backfill/job",
            "BACKFILL_RUN_DIR_LEASE_S": str(LEASE_S),
            "BACKFILL_CONCURRENCY": "6",
            "BACKFILL_PROGRESS_INTERVAL_S": "1",
            "BACKFILL_LIMITS_COPY_OBJECT_BYTES_MAX": str(COPY_BYTES_MAX),
            "BACKFILL_LIMITS_SETTLE_DELAY_S": "0.05",
            "BACKFILL_LIMITS_DRAIN_TIMEOUT_S": "2",
        }

    def life(self) -> "Life":
        """Start the next container."""
        number = len(self._lives) + 1
        disk = self._folder / f"disk-{number}"
        disk.mkdir(mode=0o700)
        os.chown(disk, 10001, 10001)
        self.log.tell("", f"== container {number}: an empty disk, the same command")
        self._lives.append(Life(self, disk, self._secrets))
        return self._lives[-1]

    def close(self) -> None:
        """End what a failed test left running."""
        for life in self._lives:
            life.kill()


class Life:
    """One container, from its start to its end; its disk goes with it."""

    def __init__(self, platform: Platform, disk: Path, secrets: Path) -> None:
        self._platform = platform
        self._disk = disk
        command = run_command(
            platform.image,
            disk,
            ["run", "--yes", "--json"],
            environment=platform.environment,
            secrets=secrets,
        )
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.pid = child_of(self._process.pid)

    def probe(self, question: str) -> int:
        """Ask in the container, as the platform's probe does."""
        platform = self._platform
        code = probed(platform.image, self.pid, platform.environment, "status", question)
        platform.log.tell(f"probe: backfill status {question} exits with {code}")
        return code

    def kill(self) -> None:
        """End it, if it has not ended."""
        if self._process.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
            self._process.communicate(timeout=WAIT_S)

    def end(self, cause: str) -> tuple[int, str, list[dict[str, Any]]]:
        """Wait for the end; throw the disk away; return code, stdout and events."""
        output, talk = self._process.communicate(timeout=5 * WAIT_S)
        shutil.rmtree(self._disk)
        lines = talk.decode().splitlines()
        code = self._process.returncode
        if lines[-1:] == [UNSHARE_SAYS]:
            lines.pop()
            code = -signal.SIGKILL
        self._platform.log.tell(*lines, f"== {cause}: ended with {code}, and its disk is gone")
        return code, output.decode(), [json.loads(line) for line in lines if line.startswith("{")]


@pytest.fixture
def world() -> Iterator[OldWorld]:
    """Two accounts with work of every route."""
    with Sandbox(seed=23, limits=Limits(copy_size_bytes=COPY_BYTES_MAX)) as sandbox:
        world = OldWorld(sandbox, "container")
        write_work(world)
        yield world


def assert_same_for_readers(source: S3Client, destination: S3Client, world: OldWorld) -> int:
    """Every key shows what the source shows, once; return how many versions there are."""
    theirs, ours = versions(source, world.source), versions(destination, world.destination)
    assert current(ours).keys() == current(theirs).keys()
    for key in current(theirs):
        assert seen(destination, world.destination, key) == seen(source, world.source, key), key
    counts = Counter(one.key for one in ours)
    assert counts.keys() == {one.key for one in theirs}
    # What was replicated long ago has one version, and one of ours above it; all else has ours.
    assert all(count == (2 if key.startswith("had/") else 1) for key, count in counts.items())
    return len(ours)


@pytest.fixture
def platform(image: Stage, world: OldWorld, tmp_path: Path) -> Iterator[Platform]:
    """The platform, which lets nothing run on."""
    started = Platform(image, world, tmp_path)
    yield started
    started.close()


@needs_roots
def test_a_container_killed_twice_and_stopped_once_finishes_right_without_a_disk(
    platform: Platform, world: OldWorld
) -> None:
    """If this fails, the job that people really run loses versions, doubles them or never ends."""
    random, killer = Random(SEED), Killer()
    sandbox = world.sandbox
    fences = []
    # Large objects are begun first: the first container has parts to copy, whatever its speed, and
    # leaves small ones for all others.
    for operation, nth_max in (("UploadPartCopy", 3), ("CopyObject", 5)):
        sandbox.set_fault_hook(killer)
        moment = Moment(
            operation=operation,
            nth=random.randint(1, nth_max),
            way=Way.UNHEARD,
            later_s=0.0,
        )
        life = platform.life()
        killer.aim(life.pid, moment)
        code, output, events = life.end(f"SIGKILL at {operation} {moment.nth}, which took effect")
        killer.rest()
        assert (code, output) == (-signal.SIGKILL, "")
        fences += [event["fence"] for event in events if event["event"] == "run.lease_taken"]

    slowly = Slowly(random.randint(3, 8))
    sandbox.set_fault_hook(slowly)
    life = platform.life()
    assert slowly.reached.wait(2 * WAIT_S)
    # It says so with its next beat, which may be seconds away.
    wait_until(lambda: life.probe("--ready") == 0, "a container that copies is ready")
    assert life.probe("--live") == 0
    os.kill(life.pid, signal.SIGTERM)
    code, output, events = life.end(f"SIGTERM after some copies (seed {SEED!r})")
    assert (code, output) == (143, "")
    assert [e["signal"] for e in events if e["event"] == "execute.draining"] == ["SIGTERM"]
    fences += [event["fence"] for event in events if event["event"] == "run.lease_taken"]

    sandbox.set_fault_hook(lambda _: None)
    code, output, events = platform.life().end("nothing happened to it")
    fences += [event["fence"] for event in events if event["event"] == "run.lease_taken"]
    document = json.loads(output)
    assert (code, document["exit_code"], document["troubles"]) == (0, 0, [])
    assert fences == [1, 2, 3, 4], "each holder has its own fencing number"

    clients = [s3_client(sandbox.client_settings(who)) for who in ("source", "destination")]
    there = assert_same_for_readers(clients[0], clients[1], world)
    for client in clients:
        client.close()
    assert there == SMALL + LARGE + 2 * (CHANGED + DELETED)
    platform.log.tell(
        "",
        f"== {ENTRIES} versions were to be brought; the destination holds {there} versions and",
        "markers, as an independent listing has it: each key as at the source, none twice",
    )
