"""Who is asked before a manifest is written to a destination, on a real terminal."""

import argparse
import asyncio
import os
import pty
import select
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TextIO, cast

import pytest

from backfill.cli.stage import Signals, confirm_manifest
from backfill.errors import UsageError
from backfill.manifest.run import manifest_name
from backfill.pipeline import Run
from tests.doubles.memory_artifacts import MemoryArtifacts

READ_BYTES_MAX = 4096
SHOWN_WITHIN_S = 10.0
"""Far more than a terminal takes; only what never comes reaches it."""


class Terminal:
    """A terminal with a person before it, who answers before the question comes."""

    def __init__(self, person: int, stdin: TextIO, stderr: TextIO) -> None:
        self._person = person
        self._streams = {"stdin": stdin, "stderr": stderr}

    def confirm(
        self, run: Run, answer: str = "", *, signals: Signals | None = None, is_yes: bool = False
    ) -> None:
        """Let the command ask here; the terminal holds the answer until then."""
        os.write(self._person, answer.encode())
        # Here and not in the fixture: pytest puts its own streams back before a test begins.
        with pytest.MonkeyPatch.context() as patch:
            for name, stream in self._streams.items():
                patch.setattr(sys, name, stream)
            confirm_manifest(argparse.Namespace(yes=is_yes), run, signals or Signals())

    def shows(self, words: str) -> bool:
        """Whether these words come to stand on it; a terminal shows things when it gets to it."""
        shown = b""
        while words.encode() not in shown:
            if not select.select([self._person], [], [], SHOWN_WITHIN_S)[0]:
                return False
            shown += os.read(self._person, READ_BYTES_MAX)
        return True


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal of our own."""
    person, ours = pty.openpty()
    with (
        os.fdopen(ours, encoding="utf-8") as stdin,
        os.fdopen(os.dup(ours), "w", encoding="utf-8") as stderr,
    ):
        yield Terminal(person, stdin, stderr)
    os.close(person)


def run_in(root: Path, *rows_of_rounds: int) -> Run:
    """Return a run with manifests of so many entries."""
    artifacts = MemoryArtifacts()
    for number, rows in enumerate(rows_of_rounds):
        with artifacts.writer(manifest_name(number), columns=("number",), inputs={}) as writer:
            for row in range(rows):
                writer.write((row,))
            writer.commit({})
    return cast(
        "Run", SimpleNamespace(here=SimpleNamespace(artifacts=artifacts, root=root, copy=None))
    )


@pytest.mark.parametrize(
    ("rounds", "question"),
    [
        ((3,), "Write 3 versions (manifest/00)?"),
        ((9, 1_234), "Write 1,234 versions (manifest/01)?"),
    ],
)
@pytest.mark.parametrize("answer", ["y\n", "Yes\n"])
async def test_the_question_is_about_the_manifest_that_is_written(
    terminal: Terminal, tmp_path: Path, rounds: tuple[int, ...], question: str, answer: str
) -> None:
    """If this fails, a person says yes to the plan's numbers and something else is written."""
    terminal.confirm(run_in(tmp_path, *rounds), answer)
    assert terminal.shows(question)


@pytest.mark.parametrize("answer", ["\n", "n\n", "no\n", "yes please\n", "\x04"])
async def test_anything_but_a_yes_is_a_no(terminal: Terminal, tmp_path: Path, answer: str) -> None:
    """If this fails, an empty line or the end of the input writes to a destination."""
    with pytest.raises(UsageError, match="not confirmed"):
        terminal.confirm(run_in(tmp_path, 3), answer)


async def test_without_a_terminal_nobody_is_taken_to_have_said_yes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """If this fails, `yes | backfill run` or a scheduler's empty input writes to a destination."""
    told = tmp_path / "told"
    told.write_text("y\n")
    with told.open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(UsageError, match="nobody can be asked"):
            confirm_manifest(argparse.Namespace(yes=False), run_in(tmp_path, 3), Signals())


@pytest.mark.parametrize(
    ("rounds", "begun", "is_yes"),
    [
        ((0,), None, False),
        ((5, 0), 0, False),
        ((5,), 0, False),
        ((5, 2), 1, False),
        ((5,), None, True),
    ],
    ids=["nothing-to-do", "nothing-to-repair", "begun", "repair-begun", "yes-was-given"],
)
async def test_what_was_begun_or_is_nothing_needs_no_yes(
    terminal: Terminal, tmp_path: Path, rounds: tuple[int, ...], begun: int | None, is_yes: bool
) -> None:
    """If this fails, a scheduler cannot resume, or is refused over nothing."""
    if begun is not None:
        (tmp_path / "journal" / f"manifest-{begun:02d}").mkdir(parents=True)
    # Whoever asked would hear a no, and refuse.
    terminal.confirm(run_in(tmp_path, *rounds), "n\n", is_yes=is_yes)


async def test_the_journal_of_an_earlier_manifest_is_no_yes_to_the_newest(
    terminal: Terminal, tmp_path: Path
) -> None:
    """If this fails, whoever once said yes to a run has said yes to every repair after it."""
    (tmp_path / "journal" / "manifest-00").mkdir(parents=True)
    with pytest.raises(UsageError, match="not confirmed"):
        terminal.confirm(run_in(tmp_path, 5, 2), "n\n")


async def test_after_the_question_signals_drain_again(terminal: Terminal, tmp_path: Path) -> None:
    """If this fails, the first Ctrl-C after a yes kills copies instead of letting them end."""
    signals = Signals()
    terminal.confirm(run_in(tmp_path, 3), "y\n", signals=signals)
    with signals.unhandled(), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    with signals.draining() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.wait_for(stop.draining.wait(), timeout=60)
    assert stop.signal_name == "SIGINT"
