"""Parsers of what people, platforms and the kernel give, and of manifests and reports of jobs."""

import gzip
import hashlib
import json
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from backfill.aws.customer_keys import customer_keys_of
from backfill.aws.endpoints import refuse_unsafe_endpoint
from backfill.aws.faults import _seconds
from backfill.batch_operations.completion_report import result_files
from backfill.batch_operations.report_rows import TaskRow, checksum_of, task_rows
from backfill.batch_operations.sorting import line_of, row_of
from backfill.campaign import Campaign
from backfill.campaign.parsing import campaign_of, values_of_environment
from backfill.campaign_options import OPTIONS
from backfill.cli.run_directory import _lease_s
from backfill.cli.setup_spec import spec_of_arguments
from backfill.cli.spoken import _values_of_file
from backfill.errors import CampaignError, ManifestError, ReportRefusedError, UsageError
from backfill.manifest.inventory_format import inventory_manifest
from backfill.manifest.operations_rows import ObjectRow
from backfill.manifest.reading import read_csv, read_inventory
from backfill.model.escaping import original_text, visible_text
from backfill.observe.memory import memory_limit
from backfill.report.csv_rows import csv_lines
from backfill.run_directory.on_s3.location import location_of
from backfill.setup.fields import FIELDS
from tests.architecture.house import ROOT
from tests.doubles.written_reports import BATCH, JOB_ID, SOURCE, written
from tests.fuzz.of_disks import from_file
from tests.fuzz.parser import Parser

# --- a campaign ---


def _campaign_of_file(folder: Path) -> Campaign:
    values = _values_of_file(str(folder / "campaign.toml"))
    return campaign_of({("source", "bucket"): "old-bucket", **values})


def _campaign_of_environment(data: bytes) -> Campaign:
    """Read variables, one a line, as the kernel gives them: bytes that need be no UTF-8."""
    pairs = (line.partition(b"=") for line in data.replace(b"\0", b"").split(b"\n"))
    environment = {
        name.decode(errors="surrogateescape"): value.decode(errors="surrogateescape")
        for name, _, value in pairs
    }
    return campaign_of({("source", "bucket"): "b-1", **values_of_environment(environment)})


CAMPAIGNS = tuple(path.read_bytes() for path in (ROOT / "manifests/campaigns").glob("*.toml"))
VALUES = {
    "BACKFILL_PREFIX": "logs/",
    "BACKFILL_TAG": "a=1",
    "BACKFILL_CREATED_BEFORE": "2026-11-01",
    "BACKFILL_CONCURRENCY": "5",
    "BACKFILL_LIMITS_SETTLE_DELAY_S": "1.5",
    "BACKFILL_ENGINE": "copy",
    "BACKFILL_SOURCE_ACCOUNT": "111111111111",
    "BACKFILL_RESTORE": "true",
    "BACKFILL_RESTORE_MAX_BYTES": "1000",
}
assert VALUES.keys() <= {option.environment for option in OPTIONS}, "variables that are read"


# --- a set-up ---


def _spec(folder: Path) -> object:
    flags = {
        field.flag.removeprefix("--").replace("-", "_"): None for field in FIELDS if field.flag
    }
    return spec_of_arguments(Namespace(**flags, spec=str(folder / "setup.toml"), action="plan"))


SPECS = tuple(path.read_bytes() for path in sorted((ROOT / "manifests/setup").glob("*.toml")))


# --- manifests ---

CSV = (
    b"old-bucket,a%2Fb,3HL4kqtJ\nold-bucket,c%20d,null\nold-bucket,e,\n",
    b'\xef\xbb\xbfBucket,Key,VersionId\r\n"old-bucket","a ""b""","v1"\r\n\r\nold-bucket,k, v2 \r\n',
)
INVENTORY_CSV = b'"old-bucket","a+b%2B","v1","false"\n"old-bucket","c","","true"\n'


def _rows(data: bytes) -> list[ObjectRow]:
    """Read a manifest at once and in pieces: both say the same."""

    def read(*chunks: bytes) -> list[ObjectRow]:
        return list(read_csv(chunks, ("Bucket", "Key", "VersionId"), bucket="old-bucket"))

    rows = read(data)
    middle = len(data) // 2
    assert read(data[:middle], data[middle:]) == rows, "cut elsewhere, other rows"
    for row in rows:
        assert 0 < len(row.key.encode()) <= 1024, "a key is one"
    return rows


def _inventory_json(data: bytes) -> bytes:
    return json.dumps(
        {
            "sourceBucket": "old-bucket",
            "destinationBucket": "arn:aws:s3:::batch",
            "version": "2016-11-30",
            "fileFormat": "CSV",
            "fileSchema": "Bucket, Key, VersionId, IsDeleteMarker",
            "files": [
                {"key": "f", "size": len(data), "MD5checksum": hashlib.md5(data).hexdigest()}  # noqa: S324 - as S3 has it
            ],
        }
    ).encode()


def _inventory_rows(data: bytes) -> list[ObjectRow]:
    return list(read_inventory(_inventory_json(data), lambda _: [data]))


def _zipped_rows(data: bytes) -> list[ObjectRow]:
    return _inventory_rows(gzip.compress(data, 1, mtime=0))


# --- reports ---

TASKS = [
    TaskRow("a/b c,d", "3HL4", is_succeeded=True, http_status=200, code="", message="Successful"),
    TaskRow("é\n", None, is_succeeded=True, http_status=None, code="", message='{"a": "b\n"}'),
]
REPORT = json.dumps(
    {
        "Format": "Report_CSV_20180820",
        "ReportCreationDate": "2026-11-22T10:00:00.000Z",
        "Results": [
            {
                "TaskExecutionStatus": status,
                "Bucket": BATCH,
                "MD5Checksum": "0" * 32,
                "Key": f"reports/job-{JOB_ID}/results/{status}.csv",
            }
            for status in ("succeeded", "failed")
        ],
    }
).encode()
CHECKSUM = (
    b'{"checksum_base64":"AAAA","etag":"\\"e\\"","checksumAlgorithm":"SHA256",'
    b'"checksum_hex":"000000","checksumType":"FULL_OBJECT"}'
)


def _tasks(data: bytes) -> list[TaskRow]:
    rows = list(task_rows([data], file="f.csv", expected_bucket=SOURCE, is_succeeded=True))
    for row in rows:
        assert row_of(line_of(row)) == row, "a row is sorted as itself"
    return rows


# --- the kernel ---


def _kernel(version: str) -> Callable[[bytes], object]:
    """Return what reads files of the kernel's, `path<LF>text` with a line of `-` between them."""

    def parse(data: bytes) -> object:
        def read(folder: Path) -> object:
            text = (folder / "all").read_bytes()
            group, _, limit = text.partition(b"\n-\n")
            for name, content in (("proc/self/cgroup", group), (version, limit)):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
            return memory_limit(root=folder)

        return from_file("all", read)(data)

    return parse


# --- texts ---


def _shown(data: bytes) -> str:
    text = data.decode(errors="surrogateescape")
    shown = visible_text(text)
    assert shown.isprintable(), "what is shown moves no cursor"
    assert original_text(shown) == text, "what is shown is one text's own"
    return shown


def _text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: read(data.decode(errors="surrogateescape"))


def _lines(names: Mapping[str, str]) -> bytes:
    return "\n".join(f"{name}={value}" for name, value in names.items()).encode()


def _cells(data: bytes) -> bytes:
    """Write a row of the report's CSV: no cell begins a formula or ends the line."""
    cells: Iterable[str] = data.decode(errors="replace").split("\n")
    line = b"".join(csv_lines([list(cells)]))
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    return line


PARSERS: tuple[Parser[Any], ...] = (
    Parser(
        name="campaign-file",
        parse=from_file("campaign.toml", _campaign_of_file),
        refusals=(CampaignError,),
        specimens=CAMPAIGNS,
    ),
    Parser(
        name="campaign-environment",
        parse=_campaign_of_environment,
        refusals=(CampaignError,),
        specimens=(_lines(VALUES),),
    ),
    Parser(
        name="setup-spec",
        parse=from_file("setup.toml", _spec),
        refusals=(UsageError,),
        specimens=SPECS,
        place="setup.toml",
    ),
    Parser(
        name="customer-keys",
        parse=lambda data: customer_keys_of(data, "keys.txt"),
        refusals=(CampaignError,),
        specimens=(b"# ours\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n",),
        place="keys.txt",
    ),
    Parser(
        name="run-directory-location",
        parse=_text(location_of),
        refusals=(UsageError,),
        specimens=(b"s3://bucket/runs/a=1/",),
    ),
    Parser(
        name="lease-seconds",
        parse=_text(_lease_s),
        refusals=(UsageError,),
        specimens=(b"60", b"1.5"),
        place="--run-dir-lease-s",
    ),
    Parser(
        name="endpoint",
        parse=_text(refuse_unsafe_endpoint),
        refusals=(UsageError,),
        specimens=(b"https://s3.example.com:443/", b"http://127.0.0.1:9000", b"http://[::1]:80"),
    ),
    Parser(
        name="retry-after", parse=_text(_seconds), refusals=(), specimens=(b"7", b"Sun, 22 Nov")
    ),
    Parser(name="visible-text", parse=_shown, refusals=(), specimens=("k\u202e\\x\n".encode(),)),
    Parser(name="report-cells", parse=_cells, refusals=(), specimens=(b"=1+1\n\r\n@x\n-k",)),
    Parser(
        name="manifest-csv",
        parse=_rows,
        refusals=(ManifestError,),
        specimens=CSV,
        place="the manifest",
    ),
    Parser(
        name="inventory-manifest",
        parse=inventory_manifest,
        refusals=(ManifestError,),
        specimens=(_inventory_json(b""),),
    ),
    Parser(
        name="inventory-file",
        parse=_inventory_rows,
        refusals=(ManifestError,),
        specimens=(gzip.compress(INVENTORY_CSV, mtime=0), INVENTORY_CSV),
        place="data file 1",
    ),
    Parser(
        name="inventory-rows",
        parse=_zipped_rows,
        refusals=(ManifestError,),
        specimens=(INVENTORY_CSV,),
        place="data file 1",
    ),
    Parser(
        name="report-manifest",
        parse=lambda data: result_files(
            data, key=f"reports/job-{JOB_ID}/manifest.json", expected_bucket=BATCH, job_id=JOB_ID
        ),
        refusals=(ReportRefusedError,),
        specimens=(REPORT,),
        place="manifest.json",
    ),
    Parser(
        name="report-rows",
        parse=_tasks,
        refusals=(ReportRefusedError,),
        specimens=(written(TASKS),),
        place="f.csv, row [0-9]+",
    ),
    Parser(
        name="report-checksum",
        parse=lambda data: checksum_of(data.decode(errors="replace")),
        refusals=(),
        specimens=(CHECKSUM,),
    ),
    Parser(
        name="cgroup-v2",
        parse=_kernel("sys/fs/cgroup/a/b/memory.max"),
        refusals=(),
        specimens=(b"0::/a/b\n-\n268435456\n", b"0::/a/b\n-\nmax\n"),
    ),
    Parser(
        name="cgroup-v1",
        parse=_kernel("sys/fs/cgroup/memory/a/memory.limit_in_bytes"),
        refusals=(),
        specimens=(b"5:cpu,memory:/a\n4:x:/\n-\n268435456\n",),
    ),
)
