"""What one request takes, all in: built, bound, signed, sent, received, parsed, mapped.

    python -m benchmarks.requests [--requests 20000] [--slots 128]

The product's own clients, as `run` composes them, against the canned server: HeadObject, CopyObject
and pages of ListObjectVersions, by the lean client and by the SDK. Beside them, in the same run and
so on the same busy machine, a floor: the same HEADs from a bare epoll loop that signs nothing and
parses nothing. Each row is a process of its own; `start` is taken off.

Law: exits 1 where the server counted other requests than were asked for; times are only printed.
"""

import argparse
import asyncio
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.canned_process import DESTINATION_BUCKET, SOURCE_BUCKET, CannedServer
from benchmarks.canned_server.objects import Objects, shape_of

ACCOUNT = "111122223333"
BUDGET_CPU_US = 28
PAGE = 1000
ROOT = Path(__file__).resolve().parents[1]
COUNTED = {"head": "HeadObject", "copy": "CopyObject", "list": "ListObjectVersions"}


def canned(count: int) -> Objects:
    """Return the objects that a server of as many has."""
    shape = shape_of("hex", count)
    return Objects(count=count, versions=1, shape=shape, size_bytes=None, has_checksums=True)


def floor_s(endpoint: str, count: int, slots: int) -> float:
    """Send HEADs from a bare loop; return its CPU seconds."""
    objects, place = canned(count), urlsplit(endpoint)
    padding = b"x" * 500  # as long as what signing adds
    asked = iter(
        [
            b"HEAD /%s/%s?versionId=%s HTTP/1.1\r\nHost: x\r\nauthorization: %s\r\n\r\n"
            % (
                SOURCE_BUCKET.encode(),
                objects.shape.name(number),
                objects.source_id(number, 0),
                padding,
            )
            for number in range(count)
        ]
    )
    began_s = time.process_time()
    poll, sockets = select.epoll(), {}
    for _ in range(min(slots, count)):
        connection = socket.create_connection((place.hostname, place.port))
        poll.register(connection.fileno(), select.EPOLLIN)
        sockets[connection.fileno()] = connection
        connection.send(next(asked))
    answered = 0
    while answered < count:
        for number, _ in poll.poll():
            sockets[number].recv(65536)
            answered += 1
            if request := next(asked, None):
                sockets[number].send(request)
    took_s = time.process_time() - began_s
    for connection in sockets.values():
        connection.close()
    return took_s


async def product_s(endpoint: str, client: str, what: str, count: int, slots: int) -> float:
    """Send requests by the product's client; return the CPU seconds, without those of its start."""
    async with opened(endpoint, client, slots) as ask_of:
        ask = ask_of(what, count)
        await ask(0)
        numbers = iter(range(1, count))

        async def slot() -> None:
            for number in numbers:
                await ask(number)

        began_s = time.process_time()
        async with asyncio.TaskGroup() as group:
            for _ in range(slots):
                group.create_task(slot())
        return time.process_time() - began_s


@asynccontextmanager
async def opened(
    endpoint: str, client: str, slots: int
) -> AsyncIterator[Callable[[str, int], Callable[[int], Awaitable[object]]]]:
    """Open the stores of both sides; give what makes the n-th request."""
    # Only in a measured process: the one that starts them stays small.
    from backfill.campaign import Access, Campaign, Client  # noqa: PLC0415 - after the floor is measured
    from backfill.compose import clients, machine, talking  # noqa: PLC0415 - after the floor is measured
    from backfill.model.objects import ETag, VersionId  # noqa: PLC0415 - after the floor is measured
    from backfill.model.places import BucketPlace  # noqa: PLC0415 - after the floor is measured
    from backfill.model.store import (  # noqa: PLC0415 - after the floor is measured
        CopyObjectRequest,
        CopySource,
        IfAbsent,
        VersionsPosition,
    )
    from backfill.observe.log import LogOptions  # noqa: PLC0415 - after the floor is measured
    from backfill.settings import Settings  # noqa: PLC0415 - after the floor is measured

    source, destination = (
        BucketPlace(bucket=bucket, region="us-east-1", expected_owner=ACCOUNT, owner_origin="flag")
        for bucket in (SOURCE_BUCKET, DESTINATION_BUCKET)
    )
    campaign = Campaign(
        source_bucket=SOURCE_BUCKET,
        access=Access(endpoint_url=endpoint, client=Client(client), region="us-east-1"),
        settings=Settings(concurrency=slots),
    )
    here = machine(Path(tempfile.gettempdir()) / "no-run")
    log = LogOptions()
    with talking(log, run_id="benchmark", here=here, stream=sys.stderr) as events:
        async with clients(campaign, here, events) as both:

            def ask_of(what: str, count: int) -> Callable[[int], Awaitable[object]]:
                objects = canned(count if what != "list" else count * PAGE)

                def of(number: int) -> tuple[str, VersionId]:
                    name = objects.shape.name(number).decode()
                    return name, VersionId(objects.source_id(number, 0).decode())

                def head(number: int) -> Awaitable[object]:
                    key, version_id = of(number)
                    return both.source.head_object(source, key, version_id=version_id)

                def copy(number: int) -> Awaitable[object]:
                    key, version_id = of(number)
                    etag = ETag(objects.facts(number, 0)[0].decode())
                    return both.destination.copy_object(
                        CopyObjectRequest(
                            destination=destination,
                            key=key,
                            source=CopySource(source, key, version_id, etag),
                            precondition=IfAbsent(),
                            storage_class="STANDARD",
                            encryption=None,
                        )
                    )

                def page(number: int) -> Awaitable[object]:
                    key, version_id = of(max(0, number * PAGE - 1))
                    after = VersionsPosition(key=key, version_id=version_id)
                    return both.source.list_object_versions(source, after=after)

                return {"head": head, "copy": copy, "list": page}[what]

            yield ask_of


def child(arguments: argparse.Namespace) -> int:
    """Be a measured process: print its CPU seconds."""
    words = arguments.endpoint, arguments.requests, arguments.slots
    if arguments.client == "floor":
        took_s = floor_s(*words)
    else:
        import uvloop  # noqa: PLC0415 as `run` has it

        endpoint, count, slots = words
        of_product = product_s(endpoint, arguments.client, arguments.what, count, slots)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            took_s = runner.run(of_product)
    print(json.dumps(took_s))
    return 0


def rows(arguments: argparse.Namespace) -> Iterator[tuple[str, str, int]]:
    """Give client, what, and how many: the SDK a tenth, pages a hundredth."""
    count = arguments.requests
    yield "floor", "head", count
    for client, share in (("lean", 1), ("sdk", 10)):
        for what in COUNTED:
            yield client, what, count // share // (100 if what == "list" else 1)


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--slots", type=int, default=128)
    parser.add_argument("--latency-ms", type=float, default=0.0, help="of every answer")
    parser.add_argument("--product", type=Path, default=ROOT, help="another checkout of backfill")
    for name in ("--endpoint", "--client", "--what"):
        parser.add_argument(name, default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.endpoint:
        return child(arguments)
    print("| client | request | CPU-µs each | of the floor | budget | server CPU-µs |")
    print("| --- | --- | --- | --- | --- | --- |")
    floor_us, wrong = 0.0, 0
    for client, what, count in rows(arguments):
        held = count * (PAGE if what == "list" else 1)
        with CannedServer(held, "--latency-ms", str(arguments.latency_ms)) as server:
            command = [sys.executable, "-m", "benchmarks.requests", "--endpoint", server.endpoint]
            command += ["--client", client, "--what", what, "--requests", str(count)]
            command += ["--slots", str(arguments.slots)]
            environment = {**os.environ, **server.environment}
            environment["PYTHONPATH"] = f"{arguments.product.resolve()}:{ROOT}"
            done = subprocess.run(
                command, check=True, stdout=subprocess.PIPE, env=environment, cwd="/"
            )
            counts = server.counts()
        each_us = 1e6 * json.loads(done.stdout) / count
        floor_us = floor_us or each_us
        budget = "" if what == "list" or client != "lean" else str(BUDGET_CPU_US)
        print(
            f"| {client} | {COUNTED[what]} | {each_us:,.0f} | {each_us / floor_us:.1f} | {budget}"
            f" | {1e6 * counts['cpu_s'] / count:.0f} |",
            flush=True,
        )
        wrong += counts["requests"].get(COUNTED[what], 0) != count
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
