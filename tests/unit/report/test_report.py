"""The report says what the rows say: its tree adds up, its headline is no better than the facts."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from backfill.model.outcome import Outcome, OutcomeKind
from backfill.plan.entries import PlanEntry
from backfill.plan.routes import Reason, Route
from backfill.plan.rows import row_of as plan_row_of
from backfill.ports import ArtifactStore
from backfill.report.document import Asked, Count, Node, Place, Report, headline_of
from backfill.report.html import page
from backfill.report.lines import Streams
from backfill.report.run import REPORT_HTML, REPORT_JSON, ROWS_CSV, write_report
from backfill.report.tally import Tally
from backfill.report.wording import OUTCOME_SENTENCES, REASON_TONES, VERDICT_SENTENCES, Tone
from backfill.verify.rows import row_of
from backfill.verify.verdicts import Field, Verdict, VerdictRow
from tests.unit.report.rows import entry, outcome, verdict

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e&\"'\n"


class Documents:
    """The document half of an ArtifactStore, in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def write_document(self, name: str, data: bytes) -> None:
        self.files[name] = data

    @contextmanager
    def document_writer(self, name: str) -> Iterator[io.BytesIO]:
        buffer = io.BytesIO()
        yield buffer
        self.files[name] = buffer.getvalue()


def asked() -> Asked:
    place = Place(
        bucket="from-bucket", region="us-east-1", account="111111111111", account_origin="STS"
    )
    return Asked(
        run_id="R",
        source=place,
        destinations=(place,),
        horizon=datetime(2026, 11, 1, tzinfo=UTC),
        rules=(HOSTILE,),
        scope=(),
        delivery=(),
        generated_at=datetime(2026, 11, 2, tzinfo=UTC),
        version="0",
    )


def written(
    entries: list[PlanEntry],
    outcomes: list[tuple[int, Outcome]],
    verdicts: list[VerdictRow],
    exit_code: int,
) -> tuple[Report, dict[str, bytes]]:
    documents = Documents()
    store: ArtifactStore = documents  # type: ignore[assignment] # the report uses documents only
    report = write_report(
        Streams(
            plan=[list(plan_row_of(each)) for each in entries],
            outcomes=[list(each._replace(number=number)) for number, each in outcomes],
            verdicts=[list(row_of(each)) for each in verdicts],
            unjudged=[],
        ),
        artifacts=store,
        asked=asked(),
        listed=(Count(name="source versions", sentence="", rows=len(entries)),),
        exit_code_of=lambda _tally: exit_code,
    )
    return report, documents.files


def leaves(node: Node) -> int:
    if not node.children:
        return node.rows
    total = sum(leaves(child) for child in node.children)
    assert total == node.rows, node.name
    return total


def bad_run() -> tuple[Report, dict[str, bytes]]:
    return written(
        [
            entry(0, HOSTILE),
            entry(1, "b", Route.MULTIPART_COPY),
            entry(2, "c", Reason.ARCHIVED),
            entry(3, "d"),
            entry(4, "e"),
        ],
        [
            (0, outcome(0)),
            (1, outcome(1, OutcomeKind.FAILED, "AccessDenied")),
            (3, outcome(3)),
        ],
        [
            verdict(0, HOSTILE, Verdict.DIFFERENT, (Field.METADATA, Field.TAGS)),
            verdict(1, "b", Verdict.MISSING),
            verdict(3, "d"),
            verdict(None, "x", Verdict.EXTRA),
        ],
        4,
    )


def test_the_tree_adds_up_from_leaves_to_root_and_holds_every_row() -> None:
    report, _ = bad_run()
    assert leaves(report.totals) == 5
    assert report.totals.rows == 5


def test_the_page_is_inert_whatever_a_key_says_and_needs_no_network() -> None:
    _, files = bad_run()
    text = files[REPORT_HTML].decode()
    tags: list[str] = []
    attributes: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.append(tag)
            attributes.extend(name for name, _ in attrs)

    Reader().feed(text)
    assert not {"script", "link", "img", "iframe", "object"} & set(tags)
    assert not {"src", "href", "onclick", "onload", "srcset"} & set(attributes)
    assert "\x1b" not in text
    assert "\u202e" not in text.replace(HOSTILE, "")
    assert "url(" not in text
    assert "@import" not in text


def test_the_page_tells_every_number_and_remedy_that_the_document_holds() -> None:
    report, files = bad_run()
    text = files[REPORT_HTML].decode()
    assert report.headline in text
    for step in report.next_steps:
        assert step in text
    assert "&lt;script&gt;" in text
    assert report.troubles_total == 4


def test_report_json_is_versioned_and_equals_the_report() -> None:
    report, files = bad_run()
    document = json.loads(files[REPORT_JSON])
    assert document["schema"] == "backfill.report/1"
    assert document["exit_code"] == 4
    assert document["totals"]["rows"] == report.totals.rows
    assert {count["name"]: count["rows"] for count in document["differences"]} == {
        "metadata": 1,
        "tags": 1,
    }
    assert files[ROWS_CSV].count(b"\n") == 1 + 5 + 1


def test_a_clean_run_has_nothing_left_to_do_and_says_so() -> None:
    report, files = written([entry(0, "a")], [(0, outcome(0))], [verdict(0, "a")], 0)
    assert report.next_steps == ()
    assert report.tone == "good"
    assert b"Nothing is left to do" in files[REPORT_HTML]


def test_a_bad_run_names_failures_repairs_and_what_is_unfinished() -> None:
    report, _ = bad_run()
    words = " ".join(report.next_steps)
    for expected in ("failed: 1.", "different: 1, missing: 1.", "still to be moved: 1."):
        assert expected in words
    assert "at the destination only" in words
    assert "archived" in words


@pytest.mark.parametrize(
    ("verdicts", "exit_code", "tone"),
    [
        ({Verdict.EQUAL: 3}, 0, Tone.GOOD),
        ({Verdict.EQUAL: 3, Verdict.UNVERIFIED: 1}, 0, Tone.WAIT),
        ({Verdict.EQUAL: 3, Verdict.UNVERIFIED: 1}, 5, Tone.WAIT),
        ({Verdict.EQUAL: 3, Verdict.MISSING: 1}, 4, Tone.BAD),
        ({}, 3, Tone.WAIT),
    ],
)
def test_the_headline_is_never_better_than_the_exit_code(
    verdicts: dict[Verdict, int], exit_code: int, tone: Tone
) -> None:
    tally = Tally(rows=3)
    tally.verdicts.update({verdict.value: n for verdict, n in verdicts.items()})
    sentence, found = headline_of(tally, exit_code)
    assert found is tone
    assert ("Proven" in sentence) == (tone is Tone.GOOD)


def test_every_member_of_the_closed_lists_has_its_words() -> None:
    assert set(REASON_TONES) == set(Reason)
    assert set(OUTCOME_SENTENCES) == {*OutcomeKind, "not executed"}
    assert set(VERDICT_SENTENCES) == {*Verdict, "superseded", "vanished", "not verified"}


def test_an_empty_bucket_makes_an_honest_page() -> None:
    report, _ = written([], [], [], 0)
    assert report.totals.rows == 0
    assert b"<!doctype html>" in page(report)


def test_the_headline_names_those_that_only_a_person_can_get_delivered() -> None:
    report, _ = written(
        [entry(0, "a"), entry(1, "b", Reason.ARCHIVED)], [(0, outcome(0))], [verdict(0, "a")], 0
    )
    assert "1 others stay behind" in report.headline


@pytest.mark.parametrize(
    ("entries", "verdicts", "words"),
    [
        ([], [], "Nothing to prove"),
        ([entry(0, "a", Reason.NO_RULE)], [], "Not verified yet"),
        ([entry(0, "a")], [verdict(0, "a", Verdict.EQUAL, (Field.TAGS,))], "1 different; 0 proven"),
        ([entry(0, "a")], [verdict(0, "a", Verdict.MISSING)], "1 missing; 0 proven"),
    ],
)
def test_the_headline_counts_what_verify_said(
    entries: list[PlanEntry], verdicts: list[VerdictRow], words: str
) -> None:
    exit_code = 4 if verdicts else 0
    report, _ = written(entries, [], verdicts, exit_code)
    assert words in report.headline


def test_a_field_that_differs_is_called_a_difference() -> None:
    unlike = verdict(0, "a", Verdict.EQUAL, (Field.TAGS,))
    report, _ = written([entry(0, "a")], [(0, outcome(0))], [unlike], 4)
    assert [trouble.problem for trouble in report.troubles] == ["different: tags"]
    assert "different: 1." in report.next_steps[0]


def test_a_way_says_why_a_version_went_twice_and_only_what_is_left_has_a_mend() -> None:
    """If this fails, nobody learns why a job refused a version, or mends what a copy mended."""
    refused = outcome(0, OutcomeKind.SKIPPED, "DstObjectHardDeleted")
    denied = outcome(1, OutcomeKind.FAILED, "DstPutObjectNotPermitted")
    report, files = written(
        [entry(0, "a", Route.BATCH_REPLICATION), entry(1, "b", Route.BATCH_REPLICATION)],
        [(0, refused), (0, outcome(0)), (1, denied)],
        [],
        3,
    )
    ways = {way.name: way.sentence for way in report.ways}
    twice = ways["skipped (DstObjectHardDeleted), then copied"]
    assert "deleted this very version" in twice
    assert twice.endswith("; then copied by us")
    assert "may not write the replica" in ways["failed (DstPutObjectNotPermitted)"]
    mends = {code.name: code.remedy for code in report.codes}
    assert mends["DstObjectHardDeleted"] == ""
    assert "s3:ReplicateObject" in mends["DstPutObjectNotPermitted"]
    assert b"To do: Grant s3:ReplicateObject" in files[REPORT_HTML]
    (batch,) = report.totals.children[0].children
    assert [child.sentence for child in batch.children if child.name == "copied"] == [
        "copied by us: what S3 refused or left out, and what a repair mended"
    ]


def test_a_code_that_nobody_documents_is_counted_without_words() -> None:
    """If this fails, S3's next code breaks the report, or gets a sentence about something else."""
    strange = outcome(0, OutcomeKind.FAILED, "BrandNewCode")
    report, _ = written([entry(0, "a")], [(0, strange)], [], 3)
    assert report.codes == (Count(name="BrandNewCode", sentence="", rows=1),)
    assert report.ways[0].sentence == "every attempt failed"


def test_what_is_copied_beside_jobs_says_where_its_why_stands() -> None:
    """If this fails, the page shows two engines and not why a version had the lesser one."""
    entries = [entry(0, "a", Route.BATCH_REPLICATION), entry(1, "b")]
    both, _ = written(entries, [], [], 5)
    batch, copies = both.totals.children[0].children
    assert "rows.csv" not in batch.sentence
    assert "its detail in rows.csv names what is in the way" in copies.sentence
    alone, _ = written([entry(0, "a")], [], [], 5)
    assert "rows.csv" not in alone.totals.children[0].children[0].sentence
