"""Names are AWS's words, comments say why, and nothing is left half done."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.house import (
    ADAPTERS,
    ENGINES,
    ROOT,
    STAGES,
    Module,
    committed_files,
    modules,
)

VAGUE_MODULES = {"util", "utils", "helper", "helpers", "common", "manager", "misc", "base"}
BANNED_WORDS = {
    "target", "dest", "dst", "src", "remote", "tombstone",
    "util", "utils", "helper", "helpers", "manager", "misc",
}  # fmt: skip
"""AWS says source and destination, and a name says what a thing is."""
NEEDS_UNIT = {"timeout", "delay", "interval", "elapsed", "ttl"}
"""As the last word of a parameter or field: in what?"""
EVENT_PREFIXES = {"run", "library", *STAGES, *ENGINES, *ADAPTERS}

SILENCE = re.compile(
    r"#\s*(?:noqa(?::\s*[A-Z]+[0-9]+(?:,\s*[A-Z]+[0-9]+)*)?|type:\s*ignore(?:\[[\w, -]+\])?)"
    r"(?P<reason>.*)"
)
HALF_DONE = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b|NotImplemented" r"Error")
SKIP = re.compile(
    r"pytest\.(?:mark\.)?(?:skip|skipif|xfail|importorskip)\b(?P<arguments>.{0,200})", re.DOTALL
)


def identifiers(module: Module) -> Iterator[tuple[int, str]]:
    """Give every name that a module introduces."""
    for node in module.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def words_of(identifier: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", identifier)
    return [word for word in spaced.lower().split("_") if word]


def test_names_are_those_of_the_glossary() -> None:
    """If this fails, a reader of AWS's documentation must translate ours."""
    wrong = [
        f"{module.path}:{line}: {name}"
        for module in modules()
        for line, name in identifiers(module)
        if BANNED_WORDS & set(words_of(name))
    ]
    assert not wrong, "\n".join(wrong)


def test_no_module_is_a_drawer_for_odds_and_ends() -> None:
    """If this fails, something has been put where nobody will look for it."""
    assert not [module.name for module in modules() if VAGUE_MODULES & set(module.parts)]


def test_durations_name_their_unit() -> None:
    """If this fails, somebody will pass milliseconds for seconds."""
    wrong = [
        f"{module.path}:{line}: {name}"
        for module in modules()
        for line, name in identifiers(module)
        if (words := words_of(name)) and words[-1] in NEEDS_UNIT and name.islower()
    ]
    assert not wrong, "\n".join(wrong)


def test_every_module_says_what_it_is_for() -> None:
    """If this fails, a newcomer must read the code to learn whether it is what they look for."""
    wrong = [
        str(module.path)
        for module in modules()
        if module.source.strip() and not ast.get_docstring(module.tree)
    ]
    assert not wrong, "\n".join(wrong)


def test_no_wildcard_imports() -> None:
    """If this fails, nobody can say where a name comes from."""
    assert not [m.name for m in modules() for _, name in m.imports() if name.endswith(".*")]


@pytest.mark.parametrize("option", ["frozen", "slots", "kw_only"])
def test_dataclasses_are_frozen_slotted_and_keyword_only_or_say_why_not(option: str) -> None:
    """If this fails, a value can change under its reader or be built in the wrong order."""
    wrong = []
    for module in modules():
        lines = module.source.splitlines()
        for decorator in decorators(module):
            given = ast.unparse(decorator)
            near = lines[decorator.lineno - 2 : decorator.lineno]
            is_open = given.split("(")[0].endswith("dataclass") and f"{option}=True" not in given
            if is_open and not any("#" in line for line in near):
                wrong.append(f"{module.path}:{decorator.lineno}: {given}")
    assert not wrong, "\n".join(wrong)


def decorators(module: Module) -> Iterator[ast.expr]:
    """Give the decorators of every class."""
    for node in module.nodes:
        if isinstance(node, ast.ClassDef):
            yield from node.decorator_list


def test_silenced_checks_give_their_reason() -> None:
    """If this fails, a lint or type error is hidden and nobody knows whether it still must be."""
    wrong = [
        f"{path}:{number}: {line.strip()}"
        for path in python_files()
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if (found := SILENCE.search(line)) and not re.search(r"\w{3}", found["reason"])
        if "re.compile" not in line
    ]
    assert not wrong, "\n".join(wrong)


def test_nothing_is_left_half_done() -> None:
    """If this fails, a promise to somebody later stands in the code instead of an issue."""
    wrong = [
        f"{path}:{number}: {line.strip()}"
        for path in python_files()
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if HALF_DONE.search(line)
    ]
    assert not wrong, "\n".join(wrong)


def test_skipped_and_expected_failures_give_their_reason() -> None:
    """If this fails, a test is green because it does not run, and nobody knows why."""
    wrong = [
        f"{path}: {found[0].splitlines()[0]}"
        for path in python_files()
        if path != ROOT / "tests/architecture/test_words.py"
        for found in SKIP.finditer(path.read_text())
        if not re.search(r"reason\s*=|^\(\s*[frb]*[\"']", found["arguments"])
    ]
    assert not wrong, "\n".join(wrong)


def test_broad_excepts_pass_on_what_they_catch_or_say_why() -> None:
    """If this fails, an error that nobody thought of is swallowed."""
    wrong = [
        f"{module.path}:{node.lineno}"
        for module in modules()
        for node in module.nodes
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
        and ast.unparse(node.body[-1]) != "raise"
        and not any("#" in line for line in module.source.splitlines()[node.lineno - 1 :][:3])
    ]
    assert not wrong, "\n".join(wrong)


def test_events_are_named_by_their_stage() -> None:
    """If this fails, one word no longer finds a stage's folder, verb, page and log events."""
    about = [module for module in modules() if module.top == "events"]
    names = re.findall(r'name: ClassVar\[str\] = "([^"]+)"', "".join(m.source for m in about))
    classes = [node for m in about for node in m.tree.body if isinstance(node, ast.ClassDef)]
    assert len(names) == len(classes) == len(set(names)) > 0
    for name in names:
        prefix, _, what = name.partition(".")
        assert prefix in EVENT_PREFIXES, name
        assert re.fullmatch(r"[a-z_]+", what), name


def python_files() -> list[Path]:
    """Return every Python file that git holds."""
    return [path for path in committed_files() if path.suffix == ".py"]
