"""How the command ends: one line, a hint, a code, and no stack trace for what is no bug."""

import argparse
import errno
import io
import os
import random
import re
import sys

import pytest

from backfill.cli import main as command
from backfill.cli.stage import confirm
from backfill.errors import (
    ArtifactDamagedError,
    BackfillError,
    ClockSkewError,
    CredentialsError,
    FailureRateError,
    InterruptedRunError,
    LeaseHeldError,
    RefusedError,
    TotalsError,
    UsageError,
    VersionsFailedError,
)
from tests.doubles.figures import Row, Tried, figure, first_seed
from tests.doubles.planted_secrets import planted, shows


class FailingVerb:
    """A verb whose call raises what a case states."""

    HELP = DESCRIPTION = "fails"

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--log-level", default="info")

    def call(self, arguments: argparse.Namespace) -> int:
        del arguments
        raise self._error


def ended(error: BaseException, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    verb = FailingVerb(error)
    monkeypatch.setattr(command, "verb_module", lambda _name: verb)
    return command.main(["run", *words])


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (UsageError, 2),
        (VersionsFailedError, 3),
        (RefusedError, 10),
        (LeaseHeldError, 11),
        (CredentialsError, 12),
        (ArtifactDamagedError, 20),
        (FailureRateError, 21),
        (ClockSkewError, 22),
        (TotalsError, 70),
    ],
)
def test_an_error_of_ours_is_one_line_a_hint_and_its_code(
    kind: type[BackfillError],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """If this fails, a script cannot tell what happened, or a person reads a stack trace."""
    assert ended(kind("it went wrong", hint="mend it"), monkeypatch) == code
    said = capsys.readouterr()
    assert said.err == "backfill: it went wrong\n  hint: mend it\n"
    assert not said.out


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143)])
def test_a_signal_ends_in_the_code_that_shells_expect(
    number: int, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a scheduler takes an interrupted run for a failed one."""
    assert ended(InterruptedRunError("stopped", signal_number=number), monkeypatch) == code
    assert ended(KeyboardInterrupt(), monkeypatch) == 130


def test_a_hostile_name_in_a_message_stays_on_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If this fails, a key can forge a line of the log or move a terminal's cursor."""
    key = "a\nbackfill: all is well\x1b[2J\u202e"
    ended(RefusedError(f"no {key}", hint=f"look at {key}"), monkeypatch)
    lines = capsys.readouterr().err.splitlines()
    assert [line[:9] for line in lines] == ["backfill:", "  hint: l"]
    assert all(line.isprintable() for line in lines)


def test_a_secret_in_a_message_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If this fails, a signed URL in an error ends in somebody's ticket."""
    url = "https://b.s3.amazonaws.com/k?X-Amz-Signature=" + "0123456789abcdef" * 4
    ended(RefusedError(f"no answer from {url}", hint=url), monkeypatch)
    assert "0123456789abcdef" not in capsys.readouterr().err


def test_a_bug_is_one_line_too_unless_debug_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If this fails, a bug looks like damage, or nobody can report where it was."""
    assert ended(RuntimeError("boom"), monkeypatch) == 70
    said = capsys.readouterr().err
    assert re.fullmatch(r"backfill: this is a bug .*RuntimeError: boom\n  hint: .*\n", said)
    assert ended(RuntimeError("boom"), monkeypatch, "--log-level", "debug") == 70
    traceback, line, hint = capsys.readouterr().err.rsplit("\n", 3)[:3]
    assert traceback.startswith("Traceback (most recent call last):\n")
    assert traceback.endswith("RuntimeError: boom")
    assert [f"{line}\n{hint}\n"] == [said]


def test_a_traceback_shows_no_secret_and_moves_no_cursor(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tried: Tried
) -> None:
    """If this fails, the debug output that we ask people for holds their credentials."""
    draw = random.Random(f"tracebacks {first_seed()}")
    secrets = figure(ci=300, release=10_000)
    for _ in range(secrets):
        secret, text = planted(draw)
        error = RuntimeError(f"\x1b[2J{text}")
        error.__cause__ = ValueError(text)
        assert ended(error, monkeypatch, "--log-level", "debug") == 70
        said = capsys.readouterr().err
        assert not shows(secret, said), text
        assert "ValueError" in said
        assert "\x1b" not in said
    tried(Row.SECRETS, secrets)


def test_a_reader_that_leaves_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, `backfill explain KEY | head -1` ends with a stack trace."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert ended(BrokenPipeError(), monkeypatch) == 0


class Terminal(io.StringIO):
    """A text stream that is, or is not, a terminal."""

    def __init__(self, text: str = "", *, is_terminal: bool = True) -> None:
        super().__init__(text)
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def asked(
    monkeypatch: pytest.MonkeyPatch, stdin: Terminal, stderr: Terminal, *, says_yes: bool = False
) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)
    monkeypatch.setattr(sys, "stderr", stderr)
    confirm(argparse.Namespace(yes=says_yes), "Write 7 versions?")


@pytest.mark.parametrize("answer", ["y\n", "Y\n", " yes \n"])
def test_a_yes_is_a_yes(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    """If this fails, nobody can begin a run from a terminal."""
    stderr = Terminal()
    asked(monkeypatch, Terminal(answer), stderr)
    assert stderr.getvalue() == "Write 7 versions? [y/N] "


@pytest.mark.parametrize("answer", ["", "\n", "n\n", "no\n", "yep\n", "yy\n"])
def test_anything_else_writes_nothing(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    """If this fails, a slip of the finger or a closed terminal starts writing."""
    with pytest.raises(UsageError, match="nothing was written"):
        asked(monkeypatch, Terminal(answer), Terminal())


@pytest.mark.parametrize(("stdin", "stderr"), [(False, True), (True, False), (False, False)])
def test_nobody_to_ask_is_refused_without_reading(
    monkeypatch: pytest.MonkeyPatch, *, stdin: bool, stderr: bool
) -> None:
    """If this fails, a job in a pipe hangs at a question, or takes data for an answer."""
    source = Terminal("y\n", is_terminal=stdin)
    with pytest.raises(UsageError) as refused:
        asked(monkeypatch, source, Terminal(is_terminal=stderr))
    assert "--dry-run" in refused.value.hint
    assert source.tell() == 0


def test_yes_on_the_command_line_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a scheduled run waits for ever."""
    source, stderr = Terminal(is_terminal=False), Terminal(is_terminal=False)
    asked(monkeypatch, source, stderr, says_yes=True)
    assert not stderr.getvalue()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
def test_a_disk_that_fails_where_nobody_expected_it_is_no_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    """If this fails, who has a dying disk is asked to report a bug, and is not told to resume."""
    assert ended(OSError(number, os.strerror(number), "run/a"), monkeypatch) == 10
    line, hint = capsys.readouterr().err.splitlines()
    assert line == f"backfill: the disk failed at run/a: {os.strerror(number)}"
    assert hint.endswith("the same command resumes")


@pytest.mark.parametrize("number", [errno.ECONNRESET, errno.EBADF])
def test_a_fault_that_no_disk_has_stays_a_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    """If this fails, a bug passes for a disk, and nobody reports it."""
    assert ended(OSError(number, os.strerror(number)), monkeypatch) == 70
    assert "this is a bug" in capsys.readouterr().err
