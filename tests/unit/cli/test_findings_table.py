"""Findings on a terminal: a table, and commands that are whole lines."""

import sys

import pytest

from backfill.cli.findings_table import show
from backfill.preflight.findings import Findings, Mend, Verdict, found

LONG = (
    "aws",
    "s3api",
    "put-bucket-policy",
    "--bucket",
    "b",
    "--policy",
    '{"a":"' + "x" * 300 + '"}',
)
FINDINGS = Findings(
    findings=(
        found("clock", Verdict.OK, "right"),
        found(
            "destination-policy",
            Verdict.BLOCKER,
            "shut\x1b[31m",
            subject="bucket[bold]",
            evidence=["line\x07"],
            mend=Mend(says="open it", account_id="1" * 12, commands=(LONG,)),
        ),
    ),
    notes=("a note",),
)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_command_is_one_line_and_hostile_text_is_visible(
    is_terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If this fails, a pasted command is cut in two, or a rule's name colours the screen."""
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    show(FINDINGS)
    said = capsys.readouterr().out
    (line,) = (line for line in said.splitlines() if "put-bucket-policy" in line)
    assert line.strip() == Mend(says="", commands=(LONG,)).lines[0]
    assert "\x07" not in said
    assert "\x1b[31m" not in said
    assert "bucket[bold]" in said.replace("\n", "")
    assert "1 blocker, 0 warnings, 0 cannot tell, 1 ok" in said
