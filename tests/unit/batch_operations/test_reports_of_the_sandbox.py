"""Our reader against the reports of the sandbox, whose writer knows nothing of it."""

import base64
import hashlib
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from backfill.batch_operations.collecting import CollectedReport, collect_report
from backfill.batch_operations.failure_codes import FAILURE_CODES, failure_of
from backfill.batch_operations.report_rows import checksum_of
from backfill.errors import ReportMissingError, ReportRefusedError
from backfill.model.jobs import JobProgress, ReportLocation
from backfill.model.places import BucketPlace
from backfill.sandbox.model.batch_operations import faults
from backfill.sandbox.model.batch_operations.faults import JobFaults, ReportFault
from tests.doubles.written_reports import ReportBucket, described_job
from tests.unit.sandbox.batch_operations.works import BATCH, OWN, REPORT, Works, checksumming
from tests.unit.sandbox.model.replicating import SOURCE, rule

KEYS = ("k", "a b+c%2F,\"'\n", "//\N{SNOWMAN}/../\x01")
PLACE = BucketPlace(bucket=BATCH, region="eu-west-1", expected_owner=OWN, owner_origin="flag")


@pytest.fixture
def works() -> Works:
    """A source with objects from before its rule, one of them archived."""
    made = Works()
    for key in KEYS:
        made.put(key, b"bytes")
    made.put("cold", b"bytes", storage_class="GLACIER")
    made.configure(rule())
    return made


def rows_of(works: Works) -> list[tuple[str, str]]:
    return [
        (quote(key), entry.version_id)
        for key in (*KEYS, "cold")
        for entry in works.chain(SOURCE, key)
    ]


async def collected(works: Works, job_id: str, scratch: Path) -> CollectedReport | None:
    """Read the report of a job as DescribeJob describes it."""
    said = works.run(job_id)
    bucket = ReportBucket(
        objects={key: works.read(key) for key in works.stored_keys()}, place=PLACE
    )
    job = described_job(succeeded=0, failed=0)
    progress = JobProgress(
        total=said.progress_summary.total_number_of_tasks,
        succeeded=said.progress_summary.number_of_tasks_succeeded,
        failed=said.progress_summary.number_of_tasks_failed,
    )
    described = replace(
        job,
        summary=replace(job.summary, job_id=job_id, progress=progress),
        report=ReportLocation(bucket=BATCH, prefix=said.report.prefix or "", expected_owner=OWN),
    )
    return await collect_report(bucket, PLACE, described, expected_bucket=SOURCE, scratch=scratch)


@pytest.mark.parametrize("prefix", ["reports", "reports/", None])
async def test_the_report_of_a_job_is_read_whole(
    works: Works, tmp_path: Path, prefix: str | None
) -> None:
    """If this fails, product and sandbox read AWS's words about reports differently."""
    asked = [*rows_of(works), ("gone", "null"), ("empty", "")]
    report = await collected(
        works, works.job_of(*asked, report=replace(REPORT, prefix=prefix)), tmp_path
    )
    assert report is not None
    rows = {(row.key, row.version_id): row for row in report.rows()}
    versions = {key: works.chain(SOURCE, key)[0].version_id for key in (*KEYS, "cold")}
    assert rows.keys() == {*versions.items(), ("gone", "null"), ("empty", None)}
    assert (report.succeeded, report.failed) == (3, 3)
    assert all(rows[key, versions[key]].is_succeeded for key in KEYS)
    classes = {
        key: failure_of(row.code, row.http_status, row.message).cls
        for (key, _), row in rows.items()
        if not row.is_succeeded
    }
    assert classes == {"gone": "gone", "cold": "other-route", "empty": "after-mend"}


@pytest.mark.parametrize("fault", ReportFault)
async def test_a_planted_damage_is_found(works: Works, tmp_path: Path, fault: ReportFault) -> None:
    """If this fails, a fault that the sandbox can plant passes for a good report."""
    works.jobs.fault_hook = lambda _number, _request: JobFaults(report=fault)
    with pytest.raises(ReportRefusedError) as refused:
        await collected(works, works.job_of(*rows_of(works)), tmp_path)
    is_missing = fault in {ReportFault.MISSING, ReportFault.NO_MANIFEST}
    assert isinstance(refused.value, ReportMissingError) is is_missing


async def test_the_checksums_of_a_report_are_read(works: Works, tmp_path: Path) -> None:
    """If this fails, no object's bytes are ever proven by a checksum job."""
    report = await collected(
        works, works.job_of(*rows_of(works)[:-1], operation=checksumming()), tmp_path
    )
    assert report is not None
    found = [checksum_of(row.message) for row in report.rows()]
    assert len(found) == len(KEYS)
    told = {(one.algorithm, one.type, one.value) for one in found if one is not None}
    digest = base64.b64encode(hashlib.sha256(b"bytes").digest()).decode()
    assert told == {("SHA256", "FULL_OBJECT", digest)}


def test_every_code_that_the_sandbox_gives_is_explained() -> None:
    """If this fails, a person who tries the sandbox meets a failure without a sentence."""
    folder = Path(str(faults.__file__)).parent
    text = "".join(path.read_text() for path in folder.glob("*.py"))
    codes = set(re.findall(r"\b(?:(?:Src|Dst)[A-Z][A-Za-z]+|[A-Z][A-Za-z]+NotPermitted)\b", text))
    assert len(codes) > 5
    assert codes - FAILURE_CODES.keys() == set()
