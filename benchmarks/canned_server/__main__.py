"""Run the canned S3 server.

    python -m benchmarks.canned_server [--objects 1000000] [--shape hex|dated|skewed] [--tls DIR]

Prints one JSON line when it serves (port, endpoint, ca) and one with its totals when it is ended
(SIGTERM or SIGINT). GET /_canned/counts tells the counters at any time; GET /_canned/reset empties
the destination and begins to count anew.
"""

import argparse
import gc
import json
import os
import signal
import socket
import ssl
import sys
import time
from pathlib import Path

from benchmarks.canned_server.answers import Answers
from benchmarks.canned_server.loop import Loop, Throttle
from benchmarks.canned_server.objects import Objects, shape_of
from benchmarks.canned_server.pages import Pages
from benchmarks.canned_server.shared import Shared


def main() -> int:
    """Prepare everything, fork, serve, tell."""
    options = _options()
    objects = Objects(
        count=options.objects,
        versions=options.versions,
        shape=shape_of(options.shape, options.objects),
        size_bytes=options.size,
        has_checksums=not options.no_checksums,
    )
    shared = Shared(options.objects, options.processes)
    pages = Pages(objects=objects, shared=shared, source=options.source)
    pages.warm(options.warm)
    if options.copied:
        now_s = int(time.time())
        for number in range(options.objects):
            shared.copied_s[number] = now_s
    tls, ca = _tls(options.tls)
    first = _listener(options.port)
    port = first.getsockname()[1]
    answers = Answers(
        objects, pages, shared, (options.source, options.destination), has_rule=options.rule
    )
    is_over: list[int] = []
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: is_over.append(1))
    children: list[int] = []
    process = 0
    for number in range(1, options.processes):
        child = os.fork()
        if not child:
            process, children = number, []
            first.close()
            break
        children.append(child)
    gc.disable()  # nothing here is a cycle
    shared.enter(process)
    answers.enter()
    throttle = Throttle(options.throttle / options.processes) if options.throttle else None
    loop = Loop(
        first if not process else _listener(port),
        answers,
        shared,
        tls=tls,
        latency_s=options.latency_ms / 1000,
        throttle=throttle,
    )
    if not process:
        endpoint = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        ready = {"port": port, "endpoint": endpoint, "ca": ca, "objects": options.objects}
        print(json.dumps(ready), flush=True)
    parent = os.getppid()
    loop.run(lambda: bool(is_over) or (process > 0 and os.getppid() != parent))
    if not process:
        print(json.dumps(shared.told()), flush=True)
        for child in children:
            os.kill(child, signal.SIGTERM)
            os.waitpid(child, 0)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--objects", type=int, default=1_000_000, help="keys of the source")
    parser.add_argument("--versions", type=int, default=1, help="versions of each key")
    parser.add_argument("--shape", choices=["hex", "dated", "skewed"], default="hex")
    parser.add_argument("--size", type=int, help="bytes of each object (default: many sizes)")
    parser.add_argument("--no-checksums", action="store_true", help="objects of before 2025")
    parser.add_argument("--copied", action="store_true", help="begin with everything copied")
    parser.add_argument("--rule", action="store_true", help="the source has a replication rule")
    parser.add_argument("--source", default="source-bucket")
    parser.add_argument("--destination", default="destination-bucket")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--throttle", type=float, help="requests a second, beyond it SlowDown")
    parser.add_argument("--tls", type=Path, metavar="DIR", help="serve https; ca.pem goes there")
    parser.add_argument("--warm", type=int, default=2_000_000, help="entries rendered ahead")
    return parser.parse_args()


def _tls(folder: Path | None) -> tuple[ssl.SSLContext | None, str | None]:
    if folder is None:
        return None, None
    from benchmarks.canned_server.certificates import write_certificates  # noqa: PLC0415 - only for --tls

    ca, own = write_certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)
    return context, str(ca)


def _listener(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(4096)
    listener.setblocking(False)
    return listener


if __name__ == "__main__":
    sys.exit(main())
