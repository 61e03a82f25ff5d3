"""Findings on a terminal: a table in colour, with what is wrong beneath it; plain lines otherwise.

Never decides what is shown: `preflight.lines` words it.
Law: commands are printed alone on their lines, unwrapped, so that they can be pasted.
"""

import sys

from backfill.cli.output import print_lines
from backfill.model.escaping import visible_text
from backfill.preflight.findings import Findings, Verdict
from backfill.preflight.lines import WORDS, finding_lines, lines_of, summary, worst_first

_STYLES = {
    Verdict.BLOCKER: "bold red",
    Verdict.WARNING: "yellow",
    Verdict.CANNOT_TELL: "magenta",
    Verdict.OK: "green",
}


def show(findings: Findings) -> None:
    """Print findings to stdout."""
    if not sys.stdout.isatty():
        print_lines(finding_lines(findings))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, markup=False, emoji=False)
    table = Table("", "check", "about", "", box=None, pad_edge=False)
    for finding in worst_first(findings.findings):
        table.add_row(
            Text(WORDS[finding.verdict], style=_STYLES[finding.verdict]),
            finding.check,
            Text(visible_text(finding.subject), style="dim"),
            Text(visible_text(finding.what)),
        )
    console.print(table)
    for finding in worst_first(findings.findings):
        if not finding.is_ok:
            console.print()
            first, *rest = lines_of(finding)
            console.print(Text(first, style=_STYLES[finding.verdict]))
            # Printed past the console: a wrapped command cannot be pasted.
            print_lines(rest)
    console.print()
    console.print(summary(findings), style="bold")
    print_lines(visible_text(note) for note in findings.notes)
