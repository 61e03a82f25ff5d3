"""What a person sees: the question before the first write, and hostile keys made harmless.

On a pseudo-terminal, as a person has it, and in the formats that logs are kept in.
"""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from backfill.sandbox.http.faults import Call, Fault, FaultKind
from backfill.sandbox.service import Sandbox
from tests.doubles.command import TIMEOUT_S, Command, report
from tests.doubles.old_world import HOSTILE_KEYS, OldWorld, Rule

CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
STYLES = re.compile(r"\x1b\[(?:\d+(?:;\d+)*)?[mKAJ]|\x1b\[\?25[lh]|\r")
"""What a progress line needs: colour, erase, cursor up, cursor off and on, carriage return."""


def on_a_terminal(command: Command, *words: str, typed: str = "") -> tuple[int, str]:
    """Run the command on a pseudo-terminal and return its exit code and all that it showed."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "backfill", *words],
            env={**command.environment, "TERM": "xterm", "COLUMNS": "100"},
            cwd=command.folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        os.write(ours, typed.encode())
        shown = bytearray()
        while True:
            try:
                piece = os.read(ours, 65_536)
            except OSError:  # Linux says so when the other end is closed
                break
            if not piece:
                break
            shown += piece
        return process.wait(timeout=TIMEOUT_S), shown.decode("utf-8")
    finally:
        os.close(ours)


def hostile_world(world: OldWorld, sandbox: Sandbox) -> None:
    """Fill the source with hostile keys that all fail, so that every one of them is talked of."""
    with world.days_ago(9):
        for key in HOSTILE_KEYS:
            world.put(key)
    world.set_rules(Rule(to=world.destination))

    def refuse(call: Call) -> Fault | None:
        if call.operation != "CopyObject":
            return None
        message = "no \x1b[31m\x07\r\n copy &lt;of&gt; " + call.key
        return Fault(kind=FaultKind.ERROR, code="InvalidRequest", status=400, message=message)

    sandbox.set_fault_hook(refuse)


@pytest.mark.parametrize(("answer", "code"), [("n\n", 2), ("\n", 2), ("yes\n", 0)])
def test_a_person_is_asked_before_the_first_write(
    sandbox: Sandbox, command: Command, world: OldWorld, answer: str, code: int
) -> None:
    """If this fails, Enter on an unread question writes into somebody's bucket."""
    with world.days_ago(9):
        world.put("a")
    world.set_rules(Rule(to=world.destination))
    before = sandbox.calls().get("CopyObject", 0)
    ended, shown = on_a_terminal(command, "run", world.source, "--run-dir", "run", typed=answer)
    assert ended == code, shown
    assert "[y/N]" in shown
    assert sandbox.calls().get("CopyObject", 0) - before == (1 if code == 0 else 0)
    assert ("nothing was written" in shown) == (code == 2)


def test_hostile_keys_move_no_cursor_on_a_terminal(
    sandbox: Sandbox, command: Command, world: OldWorld
) -> None:
    """If this fails, a key paints over the screen of whoever looks at the run."""
    hostile_world(world, sandbox)
    words = ("run", world.source, "--run-dir", "run", "--yes", "--log-level", "debug")
    code, shown = on_a_terminal(command, *words)
    assert code == 3, shown
    assert "\x1b[31mred" not in shown
    rest = STYLES.sub("", shown)
    assert not CONTROLS.search(rest), CONTROLS.findall(rest)
    assert r"tab\tand\x1b[31mred" in rest.replace("\n", "")


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_hostile_keys_stay_one_line_in_logs_and_reports(
    sandbox: Sandbox, command: Command, world: OldWorld, tmp_path: Path, log_format: str
) -> None:
    """If this fails, a key writes a log line of its own, or a script into the report."""
    hostile_world(world, sandbox)
    words = ("run", world.source, "--run-dir", "run", "--yes", "--log-format", log_format)
    ended = command.run(*words, code=3)
    for text in (ended.stdout, ended.stderr):
        assert not CONTROLS.search(text), CONTROLS.findall(text)
    told = [line for line in ended.stderr.splitlines() if "execute.failed" in line]
    assert len(told) == len(HOSTILE_KEYS)
    assert len(report(tmp_path / "run")["troubles"]) == len(HOSTILE_KEYS)
    page = (tmp_path / "run" / "report" / "report.html").read_text(encoding="utf-8")
    assert not CONTROLS.search(page)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    lines = (tmp_path / "run" / "report" / "rows.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + len(HOSTILE_KEYS)


def test_explain_shows_a_hostile_key_and_finds_it(
    sandbox: Sandbox, command: Command, world: OldWorld
) -> None:
    """If this fails, the keys that most need explaining cannot be asked for."""
    hostile_world(world, sandbox)
    command.run("plan", world.source, "--run-dir", "run")
    for key in ("hostile/tab\tand\x1b[31mred", "-1", "hostile/new\nline"):
        ended = command.run("explain", "--run-dir", "run", "--", key)
        assert "copy-object" in ended.stdout
        assert not CONTROLS.search(ended.stdout)
        assert "\t" not in ended.stdout
    ended = command.run("explain", "--run-dir", "run", "no\x1b[31msuch\nkey", code=2)
    assert not ended.stdout
    assert not CONTROLS.search(ended.stderr)
    assert len(ended.complaint) == 2
