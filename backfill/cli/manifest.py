"""`backfill manifest`: the work list of a plan; Batch Operations manifests written and checked."""

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from backfill.cli.arguments import add_campaign_arguments, add_run_arguments

if TYPE_CHECKING:
    from backfill.cli.stage import Asked
    from backfill.manifest.operations_rows import ManifestShard, ObjectRow, Oddity

HELP = "write the work list of the plan; export or check Batch Operations manifests"
DESCRIPTION = """\
Write the manifest: one entry for every version that the plan gives a route. Asks nothing of AWS.

  backfill manifest --export FOLDER   # the rows of Batch Replication, as files for jobs
  backfill manifest --check FILE      # read anybody's CSV manifest or manifest.json, as S3 would
"""

READ_BYTES = 1024 * 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("source_bucket", metavar="SOURCE_BUCKET", nargs="?", default="")
    parser.add_argument(
        "--export",
        metavar="FOLDER",
        default="",
        help="write the rows of Batch Replication there, for whoever creates the jobs himself",
    )
    parser.add_argument(
        "--check",
        metavar="FILE",
        default="",
        help="read a CSV manifest, or a manifest.json whose data files lie beside it: count its"
        " rows and oddities, or name the row that S3 could not read; needs no run",
    )
    parser.add_argument(
        "--fields",
        default="Bucket,Key,VersionId",
        help="columns of the CSV to check, as the job's manifest names them"
        " (default: Bucket,Key,VersionId)",
    )
    add_campaign_arguments(parser)
    add_run_arguments(parser)


def call(arguments: argparse.Namespace) -> int:
    """Write the manifest and print its size; or check somebody's."""
    from backfill.cli.output import print_json, print_lines
    from backfill.cli.stage import at_rest
    from backfill.manifest.run import write_manifest
    from backfill.model.units import counted
    from backfill.ports import Events

    if arguments.check:
        return _check(arguments)

    def work(asked: "Asked", _events: Events) -> int:
        index = write_manifest(asked.here.artifacts)
        shards = _exported(asked, Path(arguments.export)) if arguments.export else ()
        if arguments.json:
            document = {"manifest": index.name, "entries": index.rows, "digest": index.digest}
            exported = {"exported": [_shard_document(shard) for shard in shards]}
            print_json(document | (exported if arguments.export else {}))
        else:
            print(f"{index.name}: {counted(index.rows)} entries")
            print_lines(_shard_lines(shards) if arguments.export else ())
        return 0

    return at_rest(arguments, work)


def _exported(asked: "Asked", folder: Path) -> "tuple[ManifestShard, ...]":
    from backfill.batch_operations.manifest_files import shard_steps, write_shards
    from backfill.errors import UsageError
    from backfill.manifest.operations_rows import object_rows
    from backfill.model.jobs import ManifestFormat
    from backfill.plan.routes import Route
    from backfill.work_done import WorkDone

    campaign = asked.campaign
    if campaign.batch.is_inventory_format and not campaign.batch.bucket:
        raise UsageError(
            "an inventory manifest names the bucket that its files lie in",
            hint="add --batch-bucket",
        )
    folder.mkdir(parents=True, exist_ok=True)
    batch = campaign.batch
    entries = (
        entry
        for entry in WorkDone(asked.here.artifacts).manifest_entries(0)
        if entry.route is Route.BATCH_REPLICATION
    )
    steps = shard_steps(
        object_rows(campaign.source_bucket, entries),
        folder,
        format=ManifestFormat.INVENTORY if batch.is_inventory_format else ManifestFormat.CSV,
        rows_max=campaign.settings.job_manifest_rows_max,
        bytes_max=campaign.settings.job_manifest_bytes_max,
        bucket=batch.bucket,
        key_prefix=f"{batch.prefix}/exported",
        source_bucket=campaign.source_bucket,
    )
    return write_shards(steps)


def _shard_document(shard: "ManifestShard") -> dict[str, object]:
    return {
        "format": shard.format.value,
        "file": str(shard.main.path),
        "etag": shard.main.md5_hex,
        "rows": shard.rows,
        "data_files": [str(file.path) for file in shard.others],
    }


def _shard_lines(shards: "tuple[ManifestShard, ...]") -> Iterator[str]:
    from backfill.model.units import counted

    for shard in shards:
        encryption = ", to be uploaded with SSE-S3" if not shard.others else ""
        rows = counted(shard.rows)
        yield f"{shard.main.path}: {rows} rows, ETag {shard.main.md5_hex}{encryption}"
        yield from (f"  {file.path}" for file in shard.others)
    if not shards:
        yield "no row of the plan goes by Batch Replication: nothing was exported"


def _check(arguments: argparse.Namespace) -> int:
    """Read somebody's manifest to its end, and say what is in it and what is odd about it."""
    from backfill.cli.output import print_json, print_lines
    from backfill.errors import UsageError

    path = Path(arguments.check)
    oddities: Counter[Oddity] = Counter()
    versions: Counter[str] = Counter()
    buckets: Counter[str] = Counter()
    try:
        for row in _rows_of(path, arguments.fields.split(","), oddities):
            buckets[row.bucket] += 1
            versions["named" if row.version_id is not None else "current when the job runs"] += 1
    except OSError as fault:
        raise UsageError(f"cannot read {path}: {fault.strerror}") from fault
    if arguments.json:
        print_json(
            {
                "rows": buckets.total(),
                "buckets": buckets,
                "versions": versions,
                "oddities": {each.value: count for each, count in oddities.items()},
            }
        )
    else:
        print_lines(_check_lines(buckets, versions, oddities))
    return 0


def _rows_of(path: Path, fields: list[str], oddities: "Counter[Oddity]") -> "Iterator[ObjectRow]":
    from backfill.manifest.reading import read_csv, read_inventory

    if path.suffix != ".json":
        return read_csv(_chunks(path), fields, oddities=oddities)

    def open_file(key: str) -> Iterable[bytes]:
        # Only the last word of the key is used: a key is no path.
        name = key.rpartition("/")[2]
        beside = path.parent / "data" / name
        return _chunks(beside if name and beside.is_file() else path.parent / (name or "."))

    return read_inventory(path.read_bytes(), open_file, oddities=oddities)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            yield chunk


def _check_lines(
    buckets: Counter[str], versions: Counter[str], oddities: "Counter[Oddity]"
) -> Iterator[str]:
    from backfill.model.escaping import visible_text
    from backfill.model.units import counted

    where = ", ".join(f"{visible_text(name)} {counted(n)}" for name, n in buckets.most_common(10))
    yield f"{counted(buckets.total())} rows of {counted(len(buckets))} buckets: {where or 'none'}"
    yield from (f"version {words}: {counted(n)}" for words, n in versions.items())
    for oddity, count in oddities.most_common():
        yield f"odd, {counted(count)} times: {oddity.value}"
    if oddities:
        yield "backfill reads these; S3 may not: write the manifest anew before a job gets it"
