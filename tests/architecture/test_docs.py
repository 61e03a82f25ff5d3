"""The documentation is true: generated pages are current, links lead somewhere, commands parse."""

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from backfill import errors
from backfill.cli.jobs import spelled_out
from backfill.cli.main import EPILOG, VERBS, build_parser
from scripts import reference
from tests.architecture.house import ROOT, STAGES, committed_files, modules

PAGES = sorted(path for path in committed_files() if path.suffix == ".md")
PAGE_NAMES = [str(path.relative_to(ROOT)) for path in PAGES]


@pytest.fixture(scope="module")
def rendered() -> dict[str, str]:
    with pytest.MonkeyPatch.context() as patch:  # rendering sets COLUMNS and NO_COLOR
        patch.setenv("COLUMNS", "100")
        patch.setenv("NO_COLOR", "1")
        return reference.rendered()


def test_generated_pages_are_what_the_code_says(rendered: dict[str, str]) -> None:
    """If this fails, somebody changed an option, an error or a reason and forgot scripts/docs."""
    written = {path.name: path.read_text() for path in reference.FOLDER.iterdir()}
    assert written.keys() == rendered.keys()
    assert [name for name in written if written[name] != rendered[name]] == []


def test_every_verb_event_and_error_has_its_place(rendered: dict[str, str]) -> None:
    """If this fails, the command can do or say something that no page tells."""
    events = "".join(module.source for module in modules() if module.top == "events")
    names = re.findall(r'name: ClassVar\[str\] = "([^"]+)"', events)
    assert len(names) > 5
    assert [name for name in names if f"`{name}`" not in rendered["events.md"]] == []
    assert [verb for verb in VERBS if f"## {verb}\n" not in rendered["cli.md"]] == []
    for kind in vars(errors).values():
        if not (isinstance(kind, type) and issubclass(kind, errors.BackfillError)):
            continue
        assert kind.__name__ in rendered["exit-codes.md"]
        assert re.search(rf"\b{kind.exit_code}\b", EPILOG), kind


def test_every_stage_has_its_verb() -> None:
    """If this fails, one word no longer finds a stage's folder and its verb."""
    built = {stage for stage in STAGES if any(m.top == stage for m in modules())}
    assert built <= set(VERBS)


@pytest.mark.parametrize("page", PAGE_NAMES)
def test_links_lead_somewhere(page: str) -> None:
    """If this fails, a reader is sent to a page that is not there."""
    path = ROOT / page
    links = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


def commands(text: str) -> Iterator[str]:
    """Give the command lines of a page's console blocks, continued lines joined."""
    for block in re.findall(r"^```(?:console|sh)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ "):
                yield line.removeprefix("$ ")


def backfill_words(command: str) -> list[str] | None:
    """Return the arguments of a `backfill` command; None when it is another program."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words = list(lexer)
    if words[:2] == ["docker", "run"]:
        words = words[words.index("backfill", 2) :]
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    ends = [at for at, word in enumerate(words) if re.fullmatch(r"[|&;<>]+", word)]
    words = words[: min(ends, default=len(words))]
    return words[1:] if words and words[0] == "backfill" else None


@pytest.mark.parametrize("page", PAGE_NAMES)
def test_commands_are_understood(page: str) -> None:
    """If this fails, somebody who copies a command from a page gets a usage error."""
    parser = build_parser()
    for command in commands((ROOT / page).read_text()):
        words = backfill_words(command)
        if words is None:
            program = command.split()[0]
            assert not program.startswith("scripts/") or (ROOT / program).is_file(), command
            continue
        said = io.StringIO()
        with (
            contextlib.redirect_stderr(said),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.suppress(SystemExit),
        ):
            parser.parse_args(spelled_out(words))
        assert not said.getvalue(), command


@pytest.mark.parametrize("shelf", ["start", "guides", "concepts"])
def test_every_page_is_on_its_shelf(shelf: str) -> None:
    """If this fails, a page exists that no reader finds."""
    index = (ROOT / "docs/README.md").read_text()
    pages = [path.name for path in Path(ROOT / "docs" / shelf).glob("*.md")]
    assert pages
    assert [name for name in pages if f"({shelf}/{name})" not in index] == []
