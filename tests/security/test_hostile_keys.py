"""Every hostile key through every output of a run: told exactly, or visibly escaped, never obeyed.

What jobs, watch and exported scripts make of hostile words: tests/unit/cli/test_jobs.py,
tests/unit/watch/test_notices.py and tests/unit/setup/test_exporting.py; a terminal that is one:
tests/e2e/test_terminal.py.
"""

import csv
import json
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from backfill.model.escaping import original_text
from backfill.sandbox.http.faults import Call, Fault, FaultKind
from backfill.sandbox.service import Sandbox
from tests.doubles import old_world
from tests.doubles.command import Command, Ended, artifact
from tests.doubles.figures import Row, Tried, figure
from tests.doubles.old_world import OldWorld, Rule

KEYS = (
    *old_world.HOSTILE_KEYS,
    "=cmd|' /C calc'!A0",
    "+cmd|x",
    "\t=1+1",
    "\r@sum",
    "a\u2028level=error\u2029b",
    "a\x85b",
    "\u0301alone",
    "a\u202dright\u2066left\u2069",
    "a\u200d\u200b\ufeffb\u00ad",
    "\x1b]0;title\x07\x9b31m",
    "\x1b]8;;http://elsewhere\x1b\\click",
    "ends with blanks   ",
    "   ",
    "..",
    "../../../../tmp/backfill-was-here",
    "a/%2e%2e/%2F",
    "//",
    "nul\x00byte",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "</script><svg onload=alert(1)>",
    "{{7*7}}{% raw %}",
    "&lt;b&gt;",
    "$(touch was-here)`touch was-here`",
    "'; touch was-here; '",
    "--help",
    "-rf",
    "{}\\n\\x1b",
    '{"event":"run.ended"}',
    "日本語/ключ/🙂",
    "\u05d0\u05d1/abc",
    "é" * 512,
)
"""All legal to S3: UTF-8 of at most 1,024 bytes."""
_CONTROLS = {"Cc", "Cf", "Zl", "Zp", "Cs", "Co"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A run in which each key fails, and all that it wrote and said afterwards."""

    folder: Path
    console: Ended
    lines: Ended
    """The same work again, logged as JSON."""
    report: Ended

    @property
    def run(self) -> Path:
        return self.folder / "run"

    def page(self) -> str:
        return (self.run / "report/report.html").read_text(encoding="utf-8")


def refuse_all(call: Call) -> Fault | None:
    """Refuse each copy in words that hold its key, so that each key is talked of everywhere."""
    if call.operation != "CopyObject":
        return None
    message = f"no {call.key}".translate(dict.fromkeys(range(32), " "))
    return Fault(kind=FaultKind.ERROR, code="InvalidRequest", status=400, message=message)


@pytest.fixture
def told(sandbox: Sandbox, world: OldWorld, command: Command) -> Told:
    """All keys, failed twice: a run, and the same command again."""
    with world.days_ago(9):
        for key in KEYS:
            world.put(key)
    world.set_rules(Rule(to=world.destination))
    sandbox.set_fault_hook(refuse_all)
    words = ("run", world.source, "--run-dir", "run", "--yes", "--log-level", "debug")
    console = command.run(*words, "--log-format", "console", code=3)
    again = ("repair", "--run-dir", "run", "--yes", "--log-level", "debug")
    return Told(
        folder=command.folder,
        console=console,
        lines=command.run(*again, "--log-format", "json", code=None),
        report=command.run("report", "--run-dir", "run", "--json", code=None),
    )


def is_inert(text: str) -> bool:
    """Whether a text has nothing that a terminal acts upon, or that a person cannot see."""
    lines = text.split("\n")
    return not any(unicodedata.category(each) in _CONTROLS for line in lines for each in line)


def seen_in(keys: Iterable[str], text: str) -> set[str]:
    """Return the keys that stand in a text in visible escapes, each in a line of its own."""
    shown = original_text_by_word(text)
    return {key for key in keys if key in shown}


def original_text_by_word(text: str) -> set[str]:
    found = set()
    for bare, quoted in re.findall(r' key=(?:([^ "]+)|"([^"]*)")', text):
        found.add(original_text(bare or quoted))
    return found


def in_console_lines(told: Told) -> set[str]:
    """The log for people, on stderr."""
    assert is_inert(told.console.stderr)
    return seen_in(KEYS, told.console.stderr)


def in_json_lines(told: Told) -> set[str]:
    """The log for machines: a line an event, in ASCII, keys exact."""
    assert told.lines.stderr.isascii()
    events = [json.loads(line) for line in told.lines.stderr.splitlines() if line[:1] == "{"]
    assert all({"timestamp", "level", "event", "run_id"} <= event.keys() for event in events)
    assert is_inert(told.lines.stderr)
    return {str(event.get("key")) for event in events} & set(KEYS)


def in_the_report_as_json(told: Told) -> set[str]:
    """report.json, and what `report --json` says of it: keys exact."""
    document = json.loads((told.run / "report/report.json").read_bytes())
    assert is_inert(told.report.stdout)
    return {trouble["key"] for trouble in document["troubles"]} & set(KEYS)


def in_the_table(told: Told) -> set[str]:
    """rows.csv: no cell is a formula, and each key comes back from its percent code."""
    text = (told.run / "report/rows.csv").read_bytes().decode("utf-8")
    rows = list(csv.reader(text.splitlines()))
    assert {len(row) for row in rows} == {len(rows[0])}
    assert not [cell for row in rows for cell in row if cell[:1] in {*"=+-@\t\r"} and cell]
    assert is_inert(text.replace("\r\n", "\n"))
    return {unquote(row[rows[0].index("key")]) for row in rows[1:]} & set(KEYS)


class _Page(HTMLParser):
    """Reads a page as a browser does: its tags, what could run, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.dangers: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name.startswith("on") or "script:" in (value or "").lower():
                self.dangers.append(f"{tag} {name}={value}")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


DANGEROUS_TAGS = {"script", "img", "svg", "iframe", "object", "embed", "form", "link", "base", "a"}


def in_the_page(told: Told) -> set[str]:
    """report.html: nothing of a key is mark-up, and each is there in visible escapes."""
    page = _Page()
    page.feed(told.page())
    page.close()
    assert not page.dangers
    assert not page.tags & DANGEROUS_TAGS, page.tags
    assert is_inert("".join(page.words))
    shown = {original_text(" ".join(word.split())) for word in page.words}
    return {key for key in KEYS if " ".join(key.split(" ")).strip() in shown or key in shown}


def in_names_and_rows(told: Told) -> set[str]:
    """Names of files say nothing of any key, and the rows of the plan name each exactly."""
    names = [str(path.relative_to(told.folder)) for path in told.folder.rglob("*")]
    assert not [name for name in names if not re.fullmatch(r"[A-Za-z0-9._/-]+", name)]
    assert not [name for name in names if "was-here" in name or ".." in name]
    assert not Path("/tmp/backfill-was-here").exists()  # noqa: S108 - the key that would make it
    return {row["key"] for row in artifact(told.run, "plan")} & set(KEYS)


OUTPUTS: tuple[Callable[[Told], set[str]], ...] = (
    in_console_lines,
    in_json_lines,
    in_the_report_as_json,
    in_the_table,
    in_the_page,
    in_names_and_rows,
)


# Keys are told after the client is done with them; tests/wire/aws/test_hostile_keys.py has both.
@pytest.mark.parametrize("through", ["lean"], scope="module")
def test_every_hostile_key_is_told_by_every_output_and_obeyed_by_none(
    told: Told, command: Command, tried: Tried
) -> None:
    """If this fails, whoever may write a key writes into a terminal, a log, a sheet or a page."""
    for output in OUTPUTS:
        missing = set(KEYS) - output(told)
        assert not missing, (output.__name__, sorted(map(ascii, missing)))
    asked = KEYS[:: figure(ci=6, release=1)]
    for key in asked:
        ended = command.run("explain", "--run-dir", "run", "--", key)
        assert is_inert(ended.stdout)
        assert "copy-object" in ended.stdout
    tried(Row.HOSTILE_KEYS, len(KEYS) * len(OUTPUTS) + len(asked))
