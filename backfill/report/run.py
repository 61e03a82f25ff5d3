"""Writes report.json, rows.csv and report.html from the artefacts of a run.

Never asks S3 anything and never changes an artefact: the report can be written again at any time.
Law: the totals are those of the rows written in the same pass.
"""

import dataclasses
import json
from collections.abc import Callable
from datetime import datetime

from backfill.ports import ArtifactStore
from backfill.report.document import (
    EVIDENCE_SENTENCES,
    FIDELITY_SENTENCES,
    SCHEMA,
    Asked,
    Count,
    Report,
    code_counts,
    counts,
    headline_of,
    totals_tree,
    way_counts,
)
from backfill.report.html import page
from backfill.report.lines import Lines, Streams
from backfill.report.next_steps import next_steps
from backfill.report.restored import NONE_RESTORED, Restored
from backfill.report.tally import Tally
from backfill.report.wording import VERDICT_SENTENCES

REPORT_JSON = "report/report.json"
REPORT_HTML = "report/report.html"
ROWS_CSV = "report/rows.csv"


def write_report(
    streams: Streams,
    *,
    artifacts: ArtifactStore,
    asked: Asked,
    listed: tuple[Count, ...],
    exit_code_of: Callable[[Tally], int],
    restored: Restored = NONE_RESTORED,
) -> Report:
    """Write the three files and return what they say.

    Memory does not grow with the rows.

    Raises:
        TotalsError: The artefacts do not add up; no report is written.
    """
    lines = Lines([place.bucket for place in asked.destinations])
    with artifacts.document_writer(ROWS_CSV) as stream:
        for some in lines.of(streams):
            stream.write(some)
        tally = lines.kinds.tally()
        report = _report(asked, tally, lines, listed, exit_code_of(tally), restored)
    artifacts.write_document(REPORT_JSON, report_json(report))
    artifacts.write_document(REPORT_HTML, page(report))
    return report


def report_json(report: Report) -> bytes:
    """Return report.json: the report's own fields, times as ISO 8601."""
    document = dataclasses.asdict(report)
    return json.dumps(document, indent=2, default=_json_value).encode() + b"\n"


def _json_value(value: object) -> str:
    assert isinstance(value, datetime), "a report holds text, numbers and times"
    return value.isoformat()


def _report(
    asked: Asked,
    tally: Tally,
    lines: Lines,
    listed: tuple[Count, ...],
    exit_code: int,
    restored: Restored,
) -> Report:
    headline, tone = headline_of(tally, exit_code)
    verdict_sentences = {name: told[0] for name, told in VERDICT_SENTENCES.items()}
    return Report(
        schema=SCHEMA,
        asked=asked,
        headline=headline,
        tone=tone.value,
        exit_code=exit_code,
        next_steps=next_steps(tally),
        totals=totals_tree(tally),
        verdicts=counts(tally.verdicts, verdict_sentences),
        evidence=counts(tally.evidence, EVIDENCE_SENTENCES),
        fidelity=counts(tally.fidelity, FIDELITY_SENTENCES),
        differences=counts(tally.fields),
        codes=code_counts(tally),
        histories=lines.histories.total(),
        restored=restored,
        ways=way_counts(tally),
        troubles=tuple(lines.troubles),
        troubles_total=lines.troubles_total,
        listed=listed,
    )
