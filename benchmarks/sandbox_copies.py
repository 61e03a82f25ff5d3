"""How many CopyObject requests a second the sandbox answers on one core.

The server runs in a process of its own; the client sends signed requests that were built before
the clock started, a fixed number of them ahead on each keep-alive connection, so that what is
measured is the server. Exits 1 below the floor.

    python -m benchmarks.sandbox_copies [--copies 3000] [--connections 8] [--ahead 4]
"""

import argparse
import hashlib
import hmac
import multiprocessing
import os
import socket
import sys
import threading
import time
from datetime import UTC, datetime
from multiprocessing.connection import Connection

from backfill.sandbox.service import SOURCE, Sandbox

FLOOR_PER_CPU_S = 600
BUCKET = "copies"
BODY = b"x" * 1024


def serve(pipe: Connection) -> None:
    """The server process: says its port, then its CPU time whenever it is asked."""
    with Sandbox(seed=1) as sandbox:
        pipe.send(sandbox.port)
        while pipe.recv() != "stop":
            pipe.send(time.process_time())


def signed(method: str, path: str, port: int, headers: dict[str, str], body: bytes = b"") -> bytes:
    """One signed request on the wire."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    everything = headers | {
        "host": f"127.0.0.1:{port}",
        "x-amz-content-sha256": hashlib.sha256(body).hexdigest(),
        "x-amz-date": moment,
    }
    names = sorted(everything)
    canonical = "\n".join(
        [
            method,
            path.partition("?")[0],
            "versioning=" if "?versioning" in path else "",
            *(f"{name}:{everything[name]}" for name in names),
            "",
            ";".join(names),
            everything["x-amz-content-sha256"],
        ]
    )
    scope = f"{moment[:8]}/{SOURCE.region}/s3/aws4_request"
    key = b"AWS4" + SOURCE.root.secret_access_key.encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    everything["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={SOURCE.root.access_key_id}/{scope}, "
        f"SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    everything["content-length"] = str(len(body))
    lines = [f"{method} {path} HTTP/1.1", *(f"{n}: {v}" for n, v in everything.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def copies(port: int, first: int, count: int) -> list[bytes]:
    """Conditional, pinned copies with expected owners, as the product sends them."""
    etag = hashlib.md5(BODY, usedforsecurity=False).hexdigest()
    return [
        signed(
            "PUT",
            f"/{BUCKET}/copied/{number}",
            port,
            {
                "x-amz-copy-source": f"{BUCKET}/original",
                "x-amz-copy-source-if-match": f'"{etag}"',
                "if-none-match": "*",
                "x-amz-expected-bucket-owner": SOURCE.account_id,
                "x-amz-source-expected-bucket-owner": SOURCE.account_id,
            },
        )
        for number in range(first, first + count)
    ]


def exchange(port: int, requests: list[bytes], ahead: int) -> None:
    """Send all requests on one connection, a few ahead of the answers; each must be a 200."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        stream = connection.makefile("rb")
        sent = 0
        for answered in range(len(requests)):
            while sent < len(requests) and sent - answered < ahead:
                connection.sendall(requests[sent])
                sent += 1
            status = stream.readline()
            size_bytes = 0
            while (line := stream.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    size_bytes = int(line.split(b":")[1])
            body = stream.read(size_bytes)
            if b" 200 " not in status:
                raise SystemExit(f"not a copy: {status!r} {body!r}")


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=3000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--ahead", type=int, default=4)
    options = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,))
    server.start()
    port = ours.recv()
    exchange(port, [signed("PUT", f"/{BUCKET}", port, {})], 1)
    status = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    exchange(port, [signed("PUT", f"/{BUCKET}?versioning", port, {}, status)], 1)
    exchange(port, [signed("PUT", f"/{BUCKET}/original", port, {}, BODY)], 1)
    each = options.copies // options.connections
    batches = [copies(port, each * number, each) for number in range(options.connections)]
    ours.send("cpu")
    cpu_before_s, began_s = ours.recv(), time.perf_counter()
    threads = [
        threading.Thread(target=exchange, args=(port, batch, options.ahead)) for batch in batches
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed_s = time.perf_counter() - began_s
    ours.send("cpu")
    cpu_s = ours.recv() - cpu_before_s
    ours.send("stop")
    server.join()
    count = each * options.connections
    per_cpu_s = count / cpu_s
    print(f"{'copies':>8} {'seconds':>8} {'copies/s':>9} {'CPU-s/1000':>11} {'copies/CPU-s':>13}")
    print(
        f"{count:>8} {elapsed_s:>8.2f} {count / elapsed_s:>9.0f} "
        f"{1000 * cpu_s / count:>11.3f} {per_cpu_s:>13.0f}"
    )
    print(f"floor: {FLOOR_PER_CPU_S} copies per server CPU-second, {os.cpu_count()} cores here")
    return 0 if per_cpu_s >= FLOOR_PER_CPU_S else 1


if __name__ == "__main__":
    sys.exit(main())
