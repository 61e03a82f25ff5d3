"""A report in a terminal: the headline, the tree of totals, what to do next, where the page is.

Never shows more than fits a screen or two; report.html and rows.csv have the rest.
Law: the same words and numbers as the page.
"""

from collections.abc import Callable, Iterator

from backfill.model.escaping import visible_text
from backfill.model.units import counted, readable_size
from backfill.report.document import Node, Report
from backfill.report.restored import restored_line
from backfill.report.run import REPORT_HTML


def report_lines(report: Report, shown_file: Callable[[str], str]) -> Iterator[str]:
    """Give the lines; `shown_file` tells where a person finds a file of the run directory."""
    yield visible_text(report.headline)
    yield from _branch(report.totals, "")
    if report.ways:
        words = "; ".join(f"{visible_text(item.name)} {counted(item.rows)}" for item in report.ways)
        yield f"which way: {words}"
    if report.histories.keys:
        told = report.histories
        yield (
            f"histories: {counted(told.keys)} keys, {counted(told.proven_keys)} of them proven;"
            f" {told.not_kept}"
        )
    if report.restored.has_any:
        yield restored_line(report.restored)
    if report.evidence:
        words = ", ".join(f"{item.name} {counted(item.rows)}" for item in report.evidence)
        yield f"evidence: {words}"
    if report.differences:
        words = ", ".join(f"{item.name} {counted(item.rows)}" for item in report.differences)
        yield f"differences: {words}"
    for number, step in enumerate(report.next_steps, 1):
        yield f"{number}. {visible_text(step)}"
    yield f"report: {shown_file(REPORT_HTML)}"


def _branch(node: Node, indent: str) -> Iterator[str]:
    size = f", {readable_size(node.size_bytes)}" if node.size_bytes else ""
    yield f"{indent}{counted(node.rows)} {node.name}{size}: {visible_text(node.sentence)}"
    for child in node.children:
        yield from _branch(child, indent + "  ")
