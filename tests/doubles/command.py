"""The `backfill` command as a person has it: a process of its own, told by words and environment.

    command = Command(folder, sandbox.write_profiles(folder / "aws"))
    ended = command.run("run", "source-bucket", "--yes", code=0)

Never imports the product: what it does is read from its exit code, its outputs and its files.
Law: nothing of this process's own AWS or backfill settings reaches the command.
"""

import csv
import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import botocore.httpsession

from tests.doubles.nursery import Child, Nursery, own_environment

ROOT = Path(__file__).parents[2]
"""Where the package lies: the command works in other folders, installed or not."""
TIMEOUT_S = 300.0
"""Far more than any command of the tests takes on a busy machine; only a hang reaches it."""
_NUMBERS = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    def document(self) -> Any:
        """Return stdout as the one JSON document that it is."""
        return json.loads(self.stdout)

    @property
    def events(self) -> list[dict[str, Any]]:
        """Return the log's events."""
        return [json.loads(line) for line in self.stderr.splitlines() if line.startswith("{")]

    @property
    def complaint(self) -> list[str]:
        """Return the lines of stderr that are no log events."""
        return [line for line in self.stderr.splitlines() if not line.startswith("{")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A command at work."""

    child: Child | subprocess.Popen[bytes]
    stdout: Path
    stderr: Path

    def send(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.child.pid, number)

    def has_ended(self) -> bool:
        """Whether it has ended by itself; its end is still waited for by `end`."""
        return self.child.poll() is not None

    def end(self, *, timeout_s: float = TIMEOUT_S) -> Ended:
        """Wait for its end, however it comes."""
        try:
            code = self.child.wait(timeout=timeout_s)
        except (TimeoutError, subprocess.TimeoutExpired):
            self.send(signal.SIGKILL)
            raise
        return Ended(
            code=code,
            stdout=self.stdout.read_text(encoding="utf-8"),
            stderr=self.stderr.read_text(encoding="utf-8"),
        )


@cache
def _one_authority() -> str:
    """Return the first certificate of the SDK's own bundle: the sandbox is asked without TLS."""
    bundle = Path(botocore.httpsession.__file__).with_name("cacert.pem")
    text = bundle.read_text(encoding="utf-8")
    start, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----\n"
    return text[text.index(start) : text.index(end) + len(end)]


class Command:
    """Runs backfill with an environment, in a folder of its own.

    Forked from a `nursery`, or without one as `python -m backfill`.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], nursery: Nursery | None = None
    ) -> None:
        self.folder = folder
        self._nursery = nursery
        self._talk = folder / "talk"
        self._talk.mkdir(exist_ok=True)
        authority = self._talk / "authority.pem"
        authority.write_text(_one_authority(), encoding="ascii")
        self.environment = {
            **own_environment(ROOT),
            "AWS_EC2_METADATA_DISABLED": "true",
            # Each of the SDK's clients reads all authorities, even of endpoints without TLS.
            "AWS_CA_BUNDLE": str(authority),
            **environment,
        }

    def beside(self, **environment: str) -> "Command":
        """Return a command with more environment; an empty value takes a variable away."""
        merged = {**self.environment, **environment}
        changed = Command(self.folder, {}, self._nursery)
        changed.environment = {name: value for name, value in merged.items() if value}
        return changed

    def cold(self) -> "Command":
        """Return the command as `python -m backfill`, imports and all."""
        return Command(self.folder, self.environment)

    def start(self, *words: str, stdin: str = "") -> Started:
        """Start the command."""
        number = next(_NUMBERS)
        files = tuple(self._talk / f"{number}-{name}" for name in ("in", "out", "err"))
        told, stdout, stderr = files
        told.write_text(stdin, encoding="utf-8")
        for file in (stdout, stderr):
            file.touch()  # A forked child opens them later than a test may read them.
        if self._nursery is not None:
            child: Child | subprocess.Popen[bytes] = self._nursery.start(
                words,
                environment=self.environment,
                folder=self.folder,
                files=(told, stdout, stderr),
            )
        else:
            with told.open("rb") as i, stdout.open("wb") as o, stderr.open("wb") as e:
                child = subprocess.Popen(
                    [sys.executable, "-m", "backfill", *words],
                    env=self.environment,
                    cwd=self.folder,
                    stdin=i,
                    stdout=o,
                    stderr=e,
                )
        return Started(child=child, stdout=stdout, stderr=stderr)

    def run(self, *words: str, code: int | None = 0, stdin: str = "") -> Ended:
        """Run the command to its end; `code` is what it must exit with, None for anything."""
        ended = self.start(*words, stdin=stdin).end()
        assert code is None or ended.code == code, f"{ended.code}, not {code}: {ended}"
        return ended


def artifact(run_directory: Path, name: str) -> Iterator[dict[str, Any]]:
    """Read an artefact's rows as JSON says them, not as the product reads them."""
    index = json.loads((run_directory / name / "index.json").read_bytes())
    for segment in index["segments"]:
        with gzip.open(run_directory / name / segment["file"], "rt", encoding="utf-8") as lines:
            for line in lines:
                yield dict(zip(index["columns"], json.loads(line), strict=True))


def report(run_directory: Path) -> Any:
    """Read report.json."""
    return json.loads((run_directory / "report" / "report.json").read_bytes())


def report_rows(run_directory: Path) -> list[dict[str, str]]:
    """Read rows.csv."""
    path = run_directory / "report" / "rows.csv"
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def branch(node: Any, *names: str) -> int:
    """Return the rows of a branch of the report's tree of totals; 0 where there is none."""
    for name in names:
        node = next((child for child in node["children"] if child["name"] == name), None)
        if node is None:
            return 0
    return int(node["rows"])
