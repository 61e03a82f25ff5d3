"""Findings as lines for people, the worst first; commands are printed so that they can be pasted.

Never colours (the command line may).
Law: text out of buckets, policies and rules is escaped; commands are ASCII as made.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from backfill.model.escaping import visible_text
from backfill.preflight.findings import WORST_FIRST, Finding, Findings, Mend, Verdict
from backfill.preflight.mends import as_json

WORDS: Final = {
    Verdict.BLOCKER: "BLOCKER",
    Verdict.WARNING: "warning",
    Verdict.CANNOT_TELL: "cannot tell",
    Verdict.OK: "ok",
}
_WIDTH: Final = max(map(len, WORDS.values()))


def finding_lines(findings: Findings, *, has_ok: bool = True) -> Iterator[str]:
    """Give all findings, what cannot be seen, and the sum."""
    for verdict in WORST_FIRST:
        for finding in findings.of(verdict):
            if has_ok or not finding.is_ok:
                yield from lines_of(finding)
    yield ""
    yield summary(findings)
    yield from (visible_text(note) for note in findings.notes)


def lines_of(finding: Finding) -> Iterator[str]:
    """Give one finding: a line, and beneath it evidence and mend unless all is well."""
    about = f" ({visible_text(finding.subject)})" if finding.subject else ""
    what = visible_text(finding.what)
    yield f"{WORDS[finding.verdict]:{_WIDTH}}  {finding.check}{about}: {what}"
    if finding.is_ok and finding.check != "canary":
        return
    indent = " " * (_WIDTH + 2)
    yield from (f"{indent}- {visible_text(line)}" for line in finding.evidence)
    if finding.mend is not None:
        yield from (f"{indent}{line}" for line in mend_lines(finding.mend))


def mend_lines(mend: Mend) -> Iterator[str]:
    """Give a mend: whose it is, what to do, and the commands."""
    whose = f" (account {mend.account_id})" if mend.account_id else ""
    yield f"mend{whose}: {visible_text(mend.says)}"
    for line in mend.lines:
        yield f"  {line if line.isprintable() else visible_text(line)}"
    if not mend.commands:
        yield from (f"  {as_json(statement)}" for statement in mend.statements)


def summary(findings: Findings) -> str:
    """Return the counts in a line."""
    counts = (
        (findings.count(Verdict.BLOCKER), "blocker", "blockers"),
        (findings.count(Verdict.WARNING), "warning", "warnings"),
        (findings.count(Verdict.CANNOT_TELL), "cannot tell", "cannot tell"),
        (findings.count(Verdict.OK), "ok", "ok"),
    )
    return ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in counts)


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings by verdict, each in the order of the catalogue."""
    return sorted(findings, key=lambda finding: WORST_FIRST.index(finding.verdict))
