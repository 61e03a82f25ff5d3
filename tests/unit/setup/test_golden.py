"""Golden files are what the code makes, and every field of a spec has a test of its own."""

import ast
from pathlib import Path

import pytest

from backfill.setup.fields import FIELDS, SpecField
from scripts import golden_policies

HERE = Path(__file__).parent


def test_golden_files_are_what_setup_makes() -> None:
    """If this fails, a policy changed: read what; python -m scripts.golden_policies writes it."""
    written = {path.name: path.read_text() for path in golden_policies.FOLDER.glob("*.json")}
    assert written == golden_policies.rendered()


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: f"{field.table}.{field.name}")
def test_every_field_names_a_test_that_exists(field: SpecField) -> None:
    """If this fails, the reference promises a test that nobody wrote."""
    file, _, name = field.test.partition("::")
    tree = ast.parse((HERE / file).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
