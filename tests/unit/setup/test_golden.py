"""Golden files are what the code makes, and every field of a spec has a test of its own."""

import ast
from pathlib import Path

import pytest

from backfill.setup.fields import FIELDS, REPEATED, SpecField
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


CONSOLE = {
    "Source bucket",
    "Replication rule name",
    "Status",
    "Priority",
    "Choose a rule scope: prefix",
    "Choose a rule scope: tags",
    "Destination: bucket in this or in another account",
    "Destination: account ID",
    "Change object ownership to destination bucket owner",
    "IAM role: create new role",
    "IAM role: choose from existing IAM roles",
    "Encryption: replicate objects encrypted with AWS KMS",
    "Encryption: AWS KMS keys for decrypting source objects",
    "Change the storage class for the replicated objects",
    "Replication Time Control (RTC)",
    "Replication metrics",
    "Replication metrics: event notifications",
    "Delete marker replication",
    "Replica modification sync",
}
"""What the pages `Create replication rule` and `Edit` of S3's console ask for (S3 User Guide:
replication-walkthrough1 and its like). Existing objects are asked for after it, as a batch job."""


def test_every_option_of_the_console_has_a_row() -> None:
    """If this fails, somebody who knows the console cannot find an option in the reference."""
    assert {field.console for field in FIELDS} >= CONSOLE


def test_the_reference_tells_every_field_as_it_is() -> None:
    """If this fails, a person who goes by the reference uses a flag or a word that there is not."""
    page = (HERE.parents[2] / "docs/reference/setup-spec.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows == [row_of(field) for field in FIELDS]


def row_of(field: SpecField) -> str:
    where = f"[[{field.table}]] " if field.table in REPEATED else f"[{field.table}] "
    file, _, test = field.test.partition("::")
    if "option" in test:  # its cases are named by fields
        test += f"\\[{field.table}-{field.name}\\]"
    cells = (
        f"`{where if field.table else ''}{field.name}`",
        f"`{field.flag}`" if field.flag else "",
        f"{field.kind.value}: {', '.join(field.choices)}" if field.choices else field.kind.value,
        field.sets,
        field.console,
        f"[{test}](../../tests/unit/setup/{file})",
    )
    return f"| {' | '.join(cells)} |"
