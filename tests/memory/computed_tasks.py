"""A source bucket that is computed and held nowhere, and what a job makes of each of its versions.

    python -m tests.memory.computed_tasks BUCKET_FOLDER MANIFEST REPORTS ATTEMPT

carries out a job as S3 does: reads a CSV manifest, writes a completion report with its rows in no
order, and prints how many tasks succeeded and failed. Keys are hostile; one version in a hundred
fails, for ten reasons; three in a thousand arrive late.
Never imports the product's codecs: a key is spelled here a second time.
Law: what is true of a version follows from its number alone.
"""

import hashlib
import json
import random
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

from backfill.manifest.entries import ManifestEntry
from backfill.model.objects import DeleteMarker, ETag, ListedEntry, ObjectVersion, VersionId
from backfill.model.outcome import OutcomeKind
from backfill.plan.routes import Route

SOURCE, DESTINATION, BATCH = "computed-source", "computed-destination", "computed-batch"
START = datetime(2024, 1, 1, tzinfo=UTC)
SIZE_BYTES = 1000
TAILS = (
    *(f"photo-{number}.jpeg" for number in range(30)),
    "a b+c%2Fd",
    "/double//slash",
    "../../etc/passwd",
    "new\nline",
    "tab\tand\x1b[31mred",
    "=HYPERLINK(1)",
    "Fotos/Zürich & Umgebung (größer)",
    "quote\"and'comma,",
    "\U0001f600/\U0010ffff",
    "x" * 900,
)
"""Ends of keys; three in four are plain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of a version's tasks: rows of the report by attempt, and the outcome."""

    tails: tuple[str, ...]
    kind: OutcomeKind
    is_delivered: bool

    @property
    def attempts(self) -> int:
        """How many jobs it takes until there is nothing left to try."""
        return 1 + (self.tails[0] != self.tails[1])


DONE = "succeeded,200,,Successful"


def _failed(text: str, kind: OutcomeKind, *, is_delivered: bool = False) -> Fate:
    return Fate(tails=(f"failed,{text}",) * 3, kind=kind, is_delivered=is_delivered)


def _busy(text: str) -> Fate:
    tails = (f"failed,{text}", DONE, DONE)
    return Fate(tails=tails, kind=OutcomeKind.REPLICATED, is_delivered=True)


DELIVERED = Fate(tails=(DONE,) * 3, kind=OutcomeKind.REPLICATED, is_delivered=True)
FATES = {
    11: _busy("500,InternalError,We encountered an internal error"),
    111: _busy("503,,"),
    211: _busy('503,SlowDown,"Please reduce your request rate, then ""again"""'),
    311: _failed("500,SrcObjectNotEligible,", OutcomeKind.SKIPPED),
    411: _failed("404,SrcObjectNotFound,gone", OutcomeKind.SKIPPED),
    511: _failed('403,SrcGetObjectNotPermitted,"Access\nDenied, really"', OutcomeKind.FAILED),
    611: _failed("400,SrcReplicationNotPending,done", OutcomeKind.ALREADY_THERE, is_delivered=True),
    711: _failed("403,DstPutObjectNotPermitted,Access Denied", OutcomeKind.FAILED),
    811: _failed("418,NeverHeardOf,a code that nobody documents", OutcomeKind.FAILED),
    911: _failed("409,DstObjectHardDeleted,", OutcomeKind.SKIPPED),
}
LATE = frozenset({46, 77, 115})
"""With two versions a key: a delete marker, an object, a null version."""


def fate_of(number: int) -> Fate:
    return FATES.get(number % 1000, DELIVERED)


def is_late(number: int) -> bool:
    return number % 1000 in LATE


@dataclass(frozen=True, slots=True)
class ComputedSource:
    """So many versions, so many of each key; they are numbered by key, then newest first."""

    versions: int
    of_each_key: int = 2

    def key(self, number: int) -> str:
        place = number // self.of_each_key
        return f"archive/{place // 1000:06d}/{place:09d}-{TAILS[place % len(TAILS)]}"

    def first_of(self, key: str) -> int:
        """Return the number of a key's newest version."""
        return int(key[15:24]) * self.of_each_key

    def is_marker(self, number: int) -> bool:
        return number % self.of_each_key == 0 and number // self.of_each_key % 20 == 3

    def is_null(self, number: int) -> bool:
        is_oldest = number % self.of_each_key == self.of_each_key - 1
        return is_oldest and number // self.of_each_key % 50 == 7

    def version_id(self, number: int) -> VersionId:
        if self.is_null(number):
            return VersionId("null")
        return VersionId(f"{number:09d}.3sL4kqtJlcpXroDTDmJrmS")

    def number(self, key: str, version_id: str) -> int:
        """Return the number of a version."""
        if version_id == "null":
            return self.first_of(key) + self.of_each_key - 1
        return int(version_id[:9])

    def entry(self, number: int) -> ListedEntry:
        key, is_latest = self.key(number), number % self.of_each_key == 0
        modified = START + timedelta(seconds=self.versions - number)
        if self.is_marker(number):
            return DeleteMarker(
                key=key,
                version_id=self.version_id(number),
                is_latest=is_latest,
                last_modified=modified,
            )
        return ObjectVersion(
            key=key,
            version_id=self.version_id(number),
            is_latest=is_latest,
            last_modified=modified,
            etag=ETag(f"{number:032x}"),
            size_bytes=SIZE_BYTES,
            storage_class="STANDARD",
            checksum_algorithms=("CRC64NVME",),
        )

    def is_old(self, number: int) -> bool:
        """Return whether the destination has had the version's key for long."""
        return number // self.of_each_key % 5 == 4

    def work(self, number: int) -> ManifestEntry:
        """Return the row of the manifest: all go by Batch Replication."""
        entry = self.entry(number)
        is_object = isinstance(entry, ObjectVersion)
        return ManifestEntry(
            number=number,
            plan_number=number,
            key=entry.key,
            version_id=entry.version_id,
            etag=entry.etag if isinstance(entry, ObjectVersion) else None,
            size_bytes=SIZE_BYTES if is_object else 0,
            last_modified=entry.last_modified,
            destination=0,
            route=Route.BATCH_REPLICATION,
            rule_id="all",
            storage_class="STANDARD" if is_object else "",
        )


def carry_out(bucket: Path, manifest: str, reports: str, attempt: int) -> dict[str, int]:
    """Write the completion report of a job's tasks below the key `reports`; return their counts."""
    path = bucket / manifest
    source = ComputedSource(**json.loads((path.parent / "source.json").read_text()))
    lines: dict[str, list[str]] = {"succeeded": [], "failed": []}
    with path.open(encoding="ascii", newline="\n") as rows:
        for row in rows:
            spelled = row.rstrip("\n")
            named, key, version_id = spelled.split(",")
            number = source.number(unquote(key), version_id)
            found = named, unquote(key), version_id
            assert found == (SOURCE, source.key(number), source.version_id(number)), row
            tail = fate_of(number).tails[attempt - 1]
            lines[tail.partition(",")[0]].append(f"{spelled},{tail}\n")
    results = []
    for status, own in lines.items():
        random.Random(7).shuffle(own)
        data = "".join(own).encode()
        key = f"{reports}/results/{status}.csv"
        (bucket / key).parent.mkdir(parents=True, exist_ok=True)
        (bucket / key).write_bytes(data)
        results.append(
            {
                "TaskExecutionStatus": status,
                "Bucket": BATCH,
                "MD5Checksum": hashlib.md5(data, usedforsecurity=False).hexdigest(),
                "Key": key,
            }
        )
    document = {"Format": "Report_CSV_20180820", "Results": results, "ReportSchema": "Bucket, Key"}
    (bucket / reports / "manifest.json").write_text(json.dumps(document))
    return {status: len(own) for status, own in lines.items()}


if __name__ == "__main__":
    counts = carry_out(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
    print(json.dumps(counts))  # noqa: T201 - who began this process reads it
