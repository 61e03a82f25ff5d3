"""The machinery of mutation testing itself, and the mutants of modules that have changed."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.house import ROOT, by_name
from tests.doubles.figures import Row, Tried
from tests.mutation.__main__ import main
from tests.mutation.floor import equivalents, floor
from tests.mutation.operators import mutants
from tests.mutation.table import PAGE, table

SMALL = "backfill.campaign.raw_values"
"""A module whose unit tests take a second."""


MATCHING = """
def f(a):
    match a:
        case 1 if a:
            a()
        case _:
            return
"""


def of(source: str) -> list[str]:
    """Return what each mutant of a source is, as text."""
    found = []
    for number in range(len(mutants(ast.parse(source)))):
        tree = ast.parse(source)
        mutants(tree)[number].change()
        found.append(ast.unparse(ast.fix_missing_locations(tree)))
    return found


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("def f(a):\n    return a < 1", {"return a <= 1", "return a < 2", "return None"}),
        ("def f(a):\n    return not a", {"return a", "return None"}),
        ("def f(a):\n    return False", {"return True"}),
        ("def f(a, b):\n    return a and b", {"return a or b", "return None"}),
        ("def f(a, b=3):\n    a(b)", {"pass", "def f(a, b=4)"}),
        ("def f(a):\n    if a:\n        a.x = 1", {"if not a", "pass", "a.x = 2"}),
        ("def f(a):\n    yield a + a", {"yield (a - a)", "yield"}),
        ("def f(a):\n    raise a", {"pass"}),
        ("def f(a):\n    assert a > 1", set()),
        ("def f(a):\n    '''prose'''", set()),
        ("def f(a):\n    return {b for b in a if b}", {"if not b", "return None"}),
        ("def f(a):\n    for b in a:\n        continue", {"break"}),
        ("TABLE = {'a': 1, 'b': 2}", {"'aXX'", "'bXX'", ": 3}", ": 2, ", "{'b': 2}", "{'a': 1}"}),
        ("Alias = tuple[int, 3]", set()),
        ("_Alias = tuple[int, 3]", set()),
        ("SIZE: Final = 16 * 1024", set()),
        ("def f(a):\n    zip(a, strict=True)", {"pass"}),
        ("class C:\n    @property\n    def f(self):\n        return self.a - 1",
         {"self.a + 1", "self.a - 2", "return None"}),
        (MATCHING, {"case 2 if a", "case 1:", "a:\n        case _"}),
    ],
)  # fmt: skip
def test_every_kind_of_mistake_is_made(source: str, changed: set[str]) -> None:
    """If this fails, an operator is gone, and a score says more than was tried."""
    found = of(source)
    missing = {one for one in changed if not any(one in text for text in found)}
    assert not missing, found
    assert all(text != ast.unparse(ast.parse(source)) for text in found)
    assert bool(found) == bool(changed)


def test_mutants_have_names_of_their_own() -> None:
    """If this fails, an excused mutant excuses another one, too."""
    for module in floor():
        names = [mutant.name for mutant in mutants(module.tree)]
        assert len(names) == len(set(names)), module.name


def tried_in(folder: Path, *arguments: str) -> tuple[int, dict[str, int]]:
    report = folder / "report.json"
    code = main([*arguments, "--report", str(report)])
    found: dict[str, int] = json.loads(report.read_text())
    return code, found


def test_mistakes_are_caught_by_the_tests_that_reach_them(tmp_path: Path) -> None:
    """If this fails, mutants are planted where nothing is run, or counted without having been."""
    code, found = tried_in(tmp_path, "--only", SMALL, "--sample", "12")
    assert code == 0
    assert found["tried"] == 12
    assert found["caught"] >= 8


def test_nobody_catches_what_no_test_reaches(tmp_path: Path) -> None:
    """If this fails, whatever is planted counts as caught."""
    place = tmp_path / "session.json"
    paths = ["tests/unit/model/test_escaping.py"]
    place.write_text(json.dumps({"modules": [SMALL], "paths": paths, "sample": 10}))
    command = [sys.executable, "-m", "tests.mutation", "--session", str(place)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (tally,) = json.loads(place.read_text())
    assert (tally["tried"], tally["caught"]) == (10, 0)
    # A table that no function of its module reads is tried by every test: others may read it.
    assert tally["unreached"] >= 8


def test_changed_modules_are_not_without_tests(tmp_path: Path, tried: Tried) -> None:
    """If this fails, somebody changed what decides, and tests would not notice if it were wrong."""
    code, found = tried_in(tmp_path, "--changed")
    assert code == 0, found
    tried(Row.CODE_MUTANTS, found["caught"])


def test_what_is_excused_exists_and_has_a_reason() -> None:
    """If this fails, a mutant is excused that is gone, or for no reason."""
    excused = equivalents()
    known = {
        f"{name} {mutant.name}"
        for name in {name.split(" ")[0] for name in excused}
        for mutant in mutants(ast.parse(by_name()[name].source))
    }
    assert excused.keys() <= known
    assert all(len(reason) > 20 for reason in excused.values())


def test_the_page_tells_what_was_found() -> None:
    """If this fails, docs/internals/MUTATION.md has scores that nobody measured."""
    measured = [row for row in table().splitlines() if row.startswith("| backfill")]
    held = PAGE.read_text().splitlines()
    # What has changed since is told as older when the page is written next.
    lost = [row for row in measured if "older" not in row and row not in held]
    assert len(measured) == len(floor())
    assert not lost, "run scripts/mutants --release, or --only the module with --keep"
