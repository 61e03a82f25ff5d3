"""What the report says of restores: how many, of how much, what was left out, and the estimate."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

from backfill.execute.restoring.ledger import Ledger
from backfill.model.archives import PRICES_AS_OF, Archive, Retrieved
from backfill.ports import ArtifactStore
from backfill.report.html import page
from backfill.report.lines import Streams
from backfill.report.restored import NONE_RESTORED, RestoredArchive, restored_line, restored_of
from backfill.report.run import REPORT_HTML, REPORT_JSON, write_report
from tests.unit.report.test_report import Documents, asked, written

LEDGER = Ledger(
    tier="Standard",
    days=3,
    asked={
        Archive.GLACIER: Retrieved(restores=2000, size_bytes=10**12),
        Archive.DEEP_ARCHIVE: Retrieved(),
    },
    extended=1,
    left_out=Retrieved(restores=5, size_bytes=10**9),
    waiting=Retrieved(restores=7, size_bytes=70),
    begun_at=datetime(2026, 11, 23, tzinfo=UTC),
)


def test_a_report_tells_what_was_restored_and_by_which_prices_it_estimates() -> None:
    """If this fails, the bill comes as a surprise."""
    documents = Documents()
    report = write_report(
        Streams(plan=[], outcomes=[], verdicts=[], unjudged=[]),
        artifacts=cast("ArtifactStore", documents),
        asked=asked(),
        listed=(),
        exit_code_of=lambda _tally: 0,
        restored=restored_of(LEDGER),
    )
    told = report.restored
    assert (told.restores, told.size_bytes, told.left_out) == (2000, 10**12, 5)
    assert told.archives == (RestoredArchive(archive="GLACIER", restores=2000, size_bytes=10**12),)
    # 2,000 requests at 0.05 a thousand and 1,000 GB at 0.01; 1,000 GB for 3 days at 0.023 a month.
    assert told.estimate.startswith("about 10.10 USD for requests and retrieval, and 2.30 USD")
    assert PRICES_AS_OF in told.estimate
    assert json.loads(documents.files[REPORT_JSON])["restored"]["tier"] == "Standard"
    text = documents.files[REPORT_HTML].decode()
    assert "S3 was asked for 2,000 restores of 1 TB by Standard: 2,000 from GLACIER" in text
    assert "5 versions (1 GB) did not fit into the budget" in text
    assert "7 versions could not be read yet" in text
    line = restored_line(told)
    assert line.startswith("restored: 2,000 versions, 1 TB, by Standard; about 10.10 USD")
    assert line.endswith("5 versions, 1 GB, did not fit into the budget; 7 versions still wait")


def test_without_restores_the_page_says_nothing_of_them() -> None:
    """If this fails, whoever has no archive reads of budgets and prices."""
    report, files = written([], [], [], 0)
    assert report.restored == NONE_RESTORED == restored_of(None)
    assert "archives" not in files[REPORT_HTML].decode()
    asked_for_nothing = restored_of(Ledger(tier="Bulk", days=3))
    assert not asked_for_nothing.has_any
    assert "archives" not in page(replace(report, restored=asked_for_nothing)).decode()
