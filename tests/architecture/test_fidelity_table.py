"""The fidelity table is whole, and each of its cells is held to by a test that exists."""

import ast
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.doubles.fidelity_table import (
    E2E,
    MARKERS,
    ROUTES,
    TABLE,
    FidelityField,
    Keeping,
    markdown_table,
)
from tests.doubles.specimens import specimens
from tests.e2e.test_fidelity import REASONS
from tests.e2e.test_fidelity import ROUTES as TRIED

ROOT = Path(__file__).resolve().parents[2]
PROOFS = sorted({cell.proof for cell in TABLE.values()})


def test_every_field_has_a_word_for_every_route() -> None:
    """If this fails, the reference has an empty cell."""
    assert set(TABLE) == {(field, route) for field in FidelityField for route in ROUTES}
    text = markdown_table()
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == len(FidelityField) + 2
    assert all(all(cell.strip() for cell in row.split("|")[1:-1]) for row in rows)


@pytest.mark.parametrize("proof", PROOFS)
def test_every_proof_is_a_test_with_an_assertion(proof: str) -> None:
    """If this fails, a cell names a test that is not there, or that proves nothing."""
    path, _, name = proof.partition("::")
    found = [
        node
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
    ]
    assert len(found) == 1
    assert any(isinstance(node, ast.Assert) for node in ast.walk(found[0]))


def test_what_is_tried_end_to_end_has_a_specimen_and_a_run() -> None:
    """If this fails, a cell claims the end-to-end test, which does not try it."""
    written = specimens(datetime(2040, 1, 1, tzinfo=UTC))
    for (field, route), cell in TABLE.items():
        if cell.proof == E2E:
            assert field in written
            assert route in TRIED
        if cell.proof == E2E and cell.keeping is Keeping.REFUSED:
            assert field in REASONS
        assert (cell.proof == MARKERS) == (route == "delete-marker")
    assert set(TRIED) == set(ROUTES) - {"delete-marker"}
