"""A repair of very many bad rows in this process, everything that it reads computed or on disk.

    python -m tests.memory.streamed_repair FOLDER ROWS

Repairs twice, so that the second one reads what the first decided. Prints one JSON document: the
entries of both manifests, and the process's peak memory before and after, in KiB.
"""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from backfill.compose import machine
from backfill.model.attributes import Encryption, EncryptionKind
from backfill.model.objects import ETag, VersionId
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.model.store import IfAbsent
from backfill.plan.entries import PlanEntry
from backfill.plan.routes import Route
from backfill.repair.run import RepairRequest, repair
from backfill.run_directory.lock import hold_run_directory
from backfill.verify.keys import PlannedOutcome
from backfill.verify.rows import VERDICT_COLUMNS, row_of, verdicts_name
from backfill.verify.verdicts import Evidence, Fidelity, Field, Verdict, VerdictRow
from tests.memory.one_key import HEADER
from tests.memory.whole_pipeline import QuietEvents, peak_kib

START = datetime(2020, 1, 1, tzinfo=UTC)


def plan(rows: int) -> Iterator[PlanEntry]:
    """Yield a plan in which every version is copied."""
    for number in range(rows):
        yield PlanEntry(
            number=number,
            key=f"data/{number:09d}.bin",
            version_id=VersionId(f"{number:032d}"),
            is_delete_marker=False,
            is_latest=True,
            last_modified=START,
            etag=ETag(f"{number:032x}"),
            size_bytes=number,
            destination=0,
            route=Route.COPY_OBJECT,
            precondition=IfAbsent(),
            storage_class="STANDARD",
            encryption=Encryption(kind=EncryptionKind.SSE_S3),
        )


def outcomes(rows: int) -> Iterator[PlannedOutcome]:
    """Yield what came of it: everything was copied."""
    for entry in plan(rows):
        yield (
            entry.number,
            Outcome(
                number=entry.number,
                kind=OutcomeKind.COPIED,
                version_id=VersionId(f"copy-{entry.number:027d}"),
                etag=entry.etag,
                attempts=1,
            ),
        )


def verdicts(rows: int, field: Field) -> Iterator[VerdictRow]:
    """Yield that all of it is different now."""
    for entry in plan(rows):
        yield VerdictRow(
            number=entry.number,
            key=entry.key,
            version_id=entry.version_id,
            destination=0,
            content=Verdict.DIFFERENT,
            evidence=Evidence.MD5_ETAG,
            fidelity=Fidelity.EQUAL,
            fields=(field,),
            detail="The bytes differ.",
            destination_version_id=VersionId(f"copy-{entry.number:027d}"),
            destination_etag=ETag("d" * 32),
        )


def main() -> None:
    folder, rows = Path(sys.argv[1]), int(sys.argv[2])
    entries = []
    with hold_run_directory(folder, clock=machine(folder).clock):
        artifacts = machine(folder).artifacts
        base_kib = peak_kib()
        for number, field in ((1, Field.CONTENT), (2, Field.TAGS)):
            with artifacts.writer(
                verdicts_name(number), columns=VERDICT_COLUMNS, inputs={}
            ) as writer:
                for verdict in verdicts(rows, field):
                    writer.write(row_of(verdict))
                writer.commit({})
            request = RepairRequest(round=number, verification=number, header=HEADER)
            totals = repair(
                request,
                lambda: plan(rows),
                lambda: outcomes(rows),
                artifacts=artifacts,
                events=QuietEvents(),
            )
            entries.append(totals.entries)
    told = {"entries": entries, "base_kib": base_kib, "peak_kib": peak_kib()}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
