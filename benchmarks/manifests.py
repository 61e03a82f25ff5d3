"""How fast Batch Operations manifests are written and read, and how little memory that takes.

Each measurement is a process of its own, so that its peak is its own. Rows to write are taken from
a short list again and again: making them is no part of what is measured. Exits 1 where a process
held more than it may.

    python -m benchmarks.manifests [--rows 1000000]
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from multiprocessing.connection import Connection
from pathlib import Path

from backfill.batch_operations.manifest_files import shard_steps, write_shards
from backfill.manifest.operations_rows import ManifestShard, ObjectRow
from backfill.manifest.reading import read_csv, read_inventory
from backfill.model.jobs import ManifestFormat
from backfill.model.objects import VersionId

PEAK_MIB_MAX = 250
BUCKET = "my-source-bucket"
LIST_ROWS = 20_000
CHUNK_BYTES = 1 << 20
KEYS: dict[str, Callable[[int], str]] = {
    "plain": lambda number: f"logs/2026/01/02/service-a/part-{number:09d}.json.gz",
    "encoded": lambda number: f"Fotos/Zürich & Umgebung/Bild ({number:09d}), größer.jpg",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one process took."""

    rows: int
    elapsed_s: float
    cpu_s: float
    peak_mib: float


def rows_of(kind: str, count: int) -> Iterator[ObjectRow]:
    """Give rows; after `LIST_ROWS` the same ones come again."""
    made = [
        ObjectRow(
            bucket=BUCKET,
            key=KEYS[kind](number),
            version_id=VersionId(f"3sL4kqtJlcpXroDTDmJ.{number:012d}"),
        )
        for number in range(LIST_ROWS)
    ]
    return islice(cycle(made), count)


def chunks(path: Path) -> Iterator[bytes]:
    """Give a file's bytes."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def file_in(folder: Path, key: str) -> Iterator[bytes]:
    """Give the bytes of a data file."""
    return chunks(folder / key)


def rows_back(shards: tuple[ManifestShard, ...]) -> Iterator[ObjectRow]:
    """Give the rows of manifests as a job's reader would."""
    for shard in shards:
        if shard.format is ManifestFormat.CSV:
            yield from read_csv(chunks(shard.main.path), ("Bucket", "Key", "VersionId"))
        else:
            # The keys have no prefix here, so that they are the files' names.
            folder = shard.main.path.parents[1]
            yield from read_inventory(shard.main.path.read_bytes(), partial(file_in, folder))


def written(
    rows: Iterator[ObjectRow], folder: Path, manifest_format: ManifestFormat
) -> tuple[ManifestShard, ...]:
    """Write manifests with the product's own limits."""
    steps = shard_steps(
        rows,
        folder,
        format=manifest_format,
        rows_max=10_000_000,
        bytes_max=4 << 30,
        bucket="batch-bucket",
        key_prefix="",
        source_bucket=BUCKET,
    )
    return write_shards(steps)


def work(
    pipe: Connection,
    rows: int,
    kind: str,
    folder: Path,
    manifest_format: ManifestFormat,
    shards: tuple[ManifestShard, ...] | None,
) -> None:
    """The measured process: writes manifests, or reads those that are given."""
    source = rows_of(kind, rows) if shards is None else rows_back(shards)
    began_s, cpu_before_s = time.perf_counter(), time.process_time()
    if shards is None:
        shards = written(source, folder, manifest_format)
        count = sum(shard.rows for shard in shards)
    else:
        count = sum(1 for _ in source)
    cpu_s, elapsed_s = time.process_time() - cpu_before_s, time.perf_counter() - began_s
    # Not ru_maxrss: that begins with what the parent held.
    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    peak_kib = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    measured = Measured(rows=count, elapsed_s=elapsed_s, cpu_s=cpu_s, peak_mib=peak_kib / 1024)
    pipe.send((measured, shards))


def measure(*arguments: object) -> tuple[Measured, tuple[ManifestShard, ...]]:
    """Do one piece of work in a process of its own."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=work, args=(theirs, *arguments))
    process.start()
    theirs.close()
    answer: tuple[Measured, tuple[ManifestShard, ...]] = ours.recv()
    process.join()
    return answer


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    worst_mib = 0.0
    print(f"{'':<26} {'keys':<8} {'rows/s':>9} {'CPU-s/10^6':>11} {'peak MiB':>9} {'MB':>6}")
    for manifest_format in ManifestFormat:
        for kind in KEYS:
            with tempfile.TemporaryDirectory() as folder:
                shards = None
                for verb in ("write", "read"):
                    measured, shards = measure(rows, kind, Path(folder), manifest_format, shards)
                    if measured.rows != rows:
                        raise SystemExit(f"{measured.rows} rows instead of {rows}")
                    files = [file for shard in shards for file in (shard.main, *shard.others)]
                    print(
                        f"{verb} {manifest_format.name.lower():<{25 - len(verb)}} {kind:<8} "
                        f"{rows / measured.elapsed_s:>9.0f} {1e6 * measured.cpu_s / rows:>11.2f} "
                        f"{measured.peak_mib:>9.0f} {sum(f.size_bytes for f in files) / 1e6:>6.1f}"
                    )
                    worst_mib = max(worst_mib, measured.peak_mib)
    print(f"{rows} rows; at most {PEAK_MIB_MAX} MiB; {os.cpu_count()} cores here")
    return 0 if worst_mib < PEAK_MIB_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
