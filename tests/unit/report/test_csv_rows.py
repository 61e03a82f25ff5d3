"""rows.csv gives every key back and never runs in a spreadsheet."""

import csv
import io
from urllib.parse import unquote

from hypothesis import example, given
from hypothesis import strategies as st

from backfill.plan.routes import Reason
from backfill.report.csv_rows import COLUMNS, csv_cells, csv_lines, encoded_key, safe_cell
from backfill.report.tally import ReportRow
from backfill.verify.verdicts import Verdict
from tests.unit.report.rows import entry, outcome, verdict

KEYS = st.text(
    st.characters(exclude_categories=["Cs"]),
    min_size=1,
    max_size=60,
)
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")


@given(KEYS)
@example("=HYPERLINK(1)")
@example("-1+1")
@example('a,b\n"c"\x00\x1b[31m')
@example("+%2F../ //")
def test_a_key_comes_back_exactly_and_begins_no_formula(key: str) -> None:
    encoded = encoded_key(key)
    assert unquote(encoded) == key
    assert encoded.isascii()
    assert not encoded.startswith(DANGEROUS)
    assert not set(encoded) & set(',"\n\r\x1b')


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_no_cell_is_evaluated_or_ends_a_line(text: str) -> None:
    cell = safe_cell(text)
    assert not cell.startswith(DANGEROUS)
    assert "\n" not in cell
    assert "\x1b" not in cell


def test_every_row_has_every_column_and_reads_back() -> None:
    rows = [
        ReportRow(
            key="a,\n", destination=0, entry=entry(0, "a,\n"), outcome=outcome(0), verdict=None
        ),
        ReportRow(
            key="b", destination=0, entry=entry(1, "b", Reason.ARCHIVED), outcome=None, verdict=None
        ),
        ReportRow(
            key="c",
            destination=0,
            entry=None,
            outcome=None,
            verdict=verdict(None, "c", Verdict.EXTRA),
        ),
    ]
    text = b"".join(csv_lines(csv_cells(row, ("to-bucket",)) for row in rows)).decode()
    read = list(csv.reader(io.StringIO(text)))
    assert [len(cells) for cells in read] == [len(COLUMNS)] * 3
    named = [dict(zip(COLUMNS, cells, strict=True)) for cells in read]
    assert [unquote(row["key"]) for row in named] == ["a,\n", "b", "c"]
    assert [row["decision"] for row in named] == ["copy-object", "archived", "extra"]
    assert named[0]["outcome"] == "copied"
    assert named[2]["verdict"] == "extra"
    assert named[1]["destination"] == "to-bucket"
