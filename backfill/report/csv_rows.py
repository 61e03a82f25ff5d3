"""rows.csv: every version, one line each, safe to open in a spreadsheet.

Never writes a key as it is: keys are percent-encoded as Batch Operations manifests encode them, so
that no key can become a formula, a line or a control sequence, and `unquote` gives it back.
Law: no cell begins with a character that a spreadsheet evaluates.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final
from urllib.parse import quote

from backfill.model.escaping import visible_text
from backfill.plan.entries import PlanEntry
from backfill.report.tally import ReportRow
from backfill.verify.verdicts import VerdictRow

COLUMN_MEANINGS: Mapping[str, str] = {
    "key": "the key, percent-encoded as in a Batch Operations manifest",
    "version_id": "the source's version ID; `null` where versioning was off; empty for an extra",
    "type": "`object version` or `delete marker`",
    "current": "whether it was the source's current version when it was listed: `yes` or `no`",
    "last_modified": "when the source version was created, ISO 8601",
    "size_bytes": "its size",
    "destination": "the destination bucket that the line is about",
    "decision": "its route or reason",
    "rule": "the ID of the rule that decided, empty where none did",
    "outcome": "what became of the attempt, empty where nothing was to be done",
    "outcome_code": "S3's error code, or ours, for an outcome that has one",
    "earlier_outcomes": "what came before it, such as Batch Replication's answer before a copy",
    "verdict": "what verify says of its content, empty where it did not look",
    "evidence": "by which evidence",
    "fidelity": "what verify says of metadata, headers, tags, storage class and encryption",
    "differences": "the fields that differ, apart by blanks",
    "destination_version_id": "the version ID at the destination, where it is known: a copy has one"
    " of its own, so this maps old to new",
    "detail": "for people",
}
COLUMNS = tuple(COLUMN_MEANINGS)
_FORMULA_STARTS = ("=", "+", "-", "@")
"""Tab and carriage return begin formulas, too, but are visible escapes by then."""
_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_.~/][A-Za-z0-9_.~/-]*", re.ASCII)
"""A key that percent-encoding leaves as it is."""
_PLAIN_MARKS: Final = "_.~/-"
"""What such a key may have beside letters and digits."""
LINES_AT_ONCE: Final = 500
"""Lines handed over together."""


def encoded_key(key: str) -> str:
    """Return a key percent-encoded, a leading dash too (`-` begins a formula)."""
    if _PLAIN_KEY.fullmatch(key):
        return key
    encoded = quote(key, safe="/")
    return "%2D" + encoded[1:] if encoded.startswith("-") else encoded


def are_plain(texts: Sequence[str]) -> bool:
    """Return whether every text is as it is a key's encoding and a safe cell that needs no quotes.

    False is no answer for each of them.
    """
    together = "".join(texts)
    for mark in _PLAIN_MARKS:
        together = together.replace(mark, "")
    is_plain = together.isascii() and (not together or together.isalnum())
    return is_plain and not any(text.startswith("-") for text in texts)


def safe_cell(text: str) -> str:
    """Return text that no spreadsheet evaluates and no terminal obeys."""
    if not text:
        return text
    visible = visible_text(text)
    return "'" + visible if visible.startswith(_FORMULA_STARTS) else visible


def csv_cells(row: ReportRow, destinations: Sequence[str]) -> tuple[str, ...]:
    """Return one row's cells in the order of COLUMNS."""
    key, destination, entry, outcome, verdict, _, earlier = row
    made = (verdict.destination_version_id if verdict else None) or (
        outcome.version_id if outcome else None
    )
    details = (
        entry.detail if entry else "",
        outcome.detail if outcome else "",
        verdict.detail if verdict else "",
    )
    said = "; ".join(filter(None, details)) if any(details) else ""
    told = [f"{one.kind.value} {one.code}".strip() for one in earlier] if earlier else ()
    return (
        encoded_key(key),
        *_version_cells(entry, verdict),
        destinations[destination],
        row.decision,
        safe_cell(entry.rule_id if entry else ""),
        outcome.kind.value if outcome else "",
        safe_cell(outcome.code if outcome else ""),
        safe_cell(", ".join(told)),
        *_verdict_cells(verdict),
        safe_cell(made or ""),
        safe_cell(said),
    )


def _version_cells(
    entry: PlanEntry | None, verdict: VerdictRow | None
) -> tuple[str, str, str, str, str]:
    if entry is None:
        is_marker = verdict is not None and verdict.destination_is_delete_marker
        return "", "delete marker" if is_marker else "object version", "", "", ""
    return (
        safe_cell(entry.version_id),
        "delete marker" if entry.is_delete_marker else "object version",
        "yes" if entry.is_latest else "no",
        entry.last_modified.isoformat(),
        str(entry.size_bytes),
    )


def _verdict_cells(verdict: VerdictRow | None) -> tuple[str, str, str, str]:
    if verdict is None:
        return "", "", "", ""
    _, _, _, _, content, evidence, fidelity, fields, *_ = verdict
    differences = " ".join(item.value for item in fields) if fields else ""
    return content.value, evidence.value, fidelity.value, differences


def csv_lines(rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """Give CSV lines (RFC 4180 quoting, LF) as UTF-8, some hundred at a time."""
    remaining = iter(rows)
    while some := list(islice(remaining, LINES_AT_ONCE)):
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerows(some)
        yield buffer.getvalue().encode()
