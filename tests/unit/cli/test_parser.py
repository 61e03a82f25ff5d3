"""The command line as it is typed: every verb is explained, and asking for help is cheap."""

import argparse
import os
import subprocess
import sys

import pytest

from backfill.cli.main import VERBS, build_parser, main, verb_module

HEAVY = (
    "asyncio",
    "boto3",
    "botocore",
    "aiobotocore",
    "aiohttp",
    "structlog",
    "rich",
    "jinja2",
    "httptools",
)
HELP_CPU_S_MAX = 0.2


def verb_parsers() -> dict[str, argparse.ArgumentParser]:
    parser = build_parser()
    (verbs,) = (one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    return dict(verbs.choices)


def test_the_verbs_are_those_that_the_command_knows() -> None:
    """If this fails, a module of a verb exists that nobody can call, or a verb without one."""
    assert tuple(verb_parsers()) == VERBS


@pytest.mark.parametrize("verb", VERBS)
def test_every_argument_of_every_verb_is_explained(verb: str) -> None:
    """If this fails, a person must read the code to learn what an option does."""
    module, parser = verb_module(verb), verb_parsers()[verb]
    assert module.HELP
    assert len(module.DESCRIPTION.splitlines()) >= 1
    unexplained = [
        action.dest
        for action in parser._actions
        if not action.help and action.dest != "source_bucket"  # its metavar says it
    ]
    assert unexplained == []


@pytest.mark.parametrize("verb", ["run", "execute", "repair"])
def test_what_writes_to_a_destination_can_be_told_yes(verb: str) -> None:
    """If this fails, a run cannot be started by a machine, or a reading verb asks."""
    asks = {name for name, parser in verb_parsers().items() if "--yes" in parser.format_help()}
    assert verb in asks
    assert asks == {"run", "execute", "repair"}


@pytest.mark.parametrize("words", [["run", "--conc", "8"], ["run", "--dest", "b"], ["ru", "b"]])
def test_abbreviations_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """If this fails, a script breaks or changes its meaning when an option is added."""
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args(words)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["run", "--help"]])
def test_asking_goes_to_stdout_and_ends_well(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """If this fails, `backfill --help | less` shows nothing."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    said = capsys.readouterr()
    assert ended.value.code == 0
    assert "backfill" in said.out
    assert not said.err


def test_help_loads_nothing_heavy() -> None:
    """If this fails, every call of the command waits for an SDK that it does not use."""
    probe = (
        "import sys, contextlib\n"
        "from backfill.cli.main import main\n"
        "with contextlib.suppress(SystemExit): main(['run', '--help'])\n"
        "print(*sys.modules, sep='\\n', file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True)
    loaded = {name.split(".")[0] for name in done.stderr.split()}
    assert "argparse" in loaded
    assert loaded.isdisjoint(HEAVY), loaded & set(HEAVY)


def help_cpu_s() -> float:
    """Return the CPU time, not the wall time, of one `backfill --help` process."""
    argv = [sys.executable, "-m", "backfill", "--help"]
    silence = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    child = os.posix_spawn(sys.executable, argv, os.environ, file_actions=silence)
    _, status, usage = os.wait4(child, 0)
    assert status == 0
    return usage.ru_utime + usage.ru_stime


def test_help_takes_under_a_fifth_of_a_second_of_cpu() -> None:
    """If this fails, the promise of issue 2 on `--help` is broken: something is imported early.

    CPU of the process alone, the least of five, so that a busy machine does not decide.
    """
    assert min(help_cpu_s() for _ in range(5)) < HELP_CPU_S_MAX
