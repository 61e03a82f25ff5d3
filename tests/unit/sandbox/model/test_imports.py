"""The reference model stands alone."""

import ast
import sys
from pathlib import Path

import backfill.sandbox.model as package

ROOT = Path(package.__file__).parent


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def test_the_model_imports_only_the_standard_library_awscrt_and_itself() -> None:
    """If this fails, a mistake of the product can hide behind the same mistake in its double."""
    paths = sorted(ROOT.rglob("*.py"))
    assert len(paths) > 20
    strangers = {
        (path.name, name)
        for path in paths
        for name in imported(path)
        if name.split(".")[0] not in {*sys.stdlib_module_names, "awscrt"}
        and not name.startswith("backfill.sandbox.model")
    }
    assert not strangers
