"""rows.csv: every version, one line each, safe to open in a spreadsheet.

Never writes a key as it is: keys are percent-encoded as Batch Operations manifests encode them, so
that no key can become a formula, a line or a control sequence, and `unquote` gives it back.
Law: no cell begins with a character that a spreadsheet evaluates.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from backfill.model.escaping import visible_text
from backfill.report.tally import ReportRow

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
    "destination_version_id": "the version ID at the destination, where it is known",
    "detail": "for people",
}
COLUMNS = tuple(COLUMN_MEANINGS)
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def encoded_key(key: str) -> str:
    """Return a key percent-encoded, a leading dash too (`-` begins a formula)."""
    encoded = quote(key, safe="/")
    return "%2D" + encoded[1:] if encoded.startswith("-") else encoded


def safe_cell(text: str) -> str:
    """Return text that no spreadsheet evaluates and no terminal obeys."""
    visible = visible_text(text)
    return "'" + visible if visible.startswith(_FORMULA_STARTS) else visible


def csv_cells(row: ReportRow, destinations: Sequence[str]) -> tuple[str, ...]:
    """Return one row's cells in the order of COLUMNS."""
    entry, outcome, verdict = row.entry, row.outcome, row.verdict
    version_id = entry.version_id if entry else None
    details = (entry.detail if entry else "", outcome.detail if outcome else "")
    said = [text for text in (*details, verdict.detail if verdict else "") if text]
    made = (verdict.destination_version_id if verdict else None) or (
        outcome.version_id if outcome else None
    )
    return (
        encoded_key(row.key),
        safe_cell(version_id or ""),
        "delete marker" if entry and entry.is_delete_marker else "object version",
        ("yes" if entry.is_latest else "no") if entry else "",
        entry.last_modified.isoformat() if entry else "",
        str(entry.size_bytes) if entry else "",
        destinations[row.destination],
        row.decision,
        safe_cell(entry.rule_id if entry else ""),
        outcome.kind.value if outcome else "",
        safe_cell(outcome.code if outcome else ""),
        safe_cell(", ".join(f"{one.kind.value} {one.code}".strip() for one in row.earlier)),
        verdict.content.value if verdict else "",
        verdict.evidence.value if verdict else "",
        verdict.fidelity.value if verdict else "",
        " ".join(item.value for item in verdict.fields) if verdict else "",
        safe_cell(made or ""),
        safe_cell("; ".join(said)),
    )


def csv_line(cells: Sequence[str]) -> bytes:
    """Return one CSV line (RFC 4180 quoting, LF) as UTF-8."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue().encode()
