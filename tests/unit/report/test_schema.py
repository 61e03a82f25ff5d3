"""report.json is what docs/reference/report.schema.json promises to programs that read it."""

import json
from pathlib import Path

import jsonschema
import pytest

from backfill.report.run import REPORT_JSON
from tests.unit.report.test_report import bad_run, written

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[3] / "docs/reference/report.schema.json").read_text()
)
VALIDATOR = jsonschema.Draft202012Validator(
    SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)


def test_the_schema_is_one() -> None:
    """If this fails, no validator can be built from the page."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("files", [bad_run()[1], written([], [], [], 0)[1]], ids=["bad", "empty"])
def test_a_written_report_is_valid(files: dict[str, bytes]) -> None:
    """If this fails, a program that trusts the schema breaks over a report."""
    VALIDATOR.validate(json.loads(files[REPORT_JSON]))


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("schema", "backfill.report/2"),
        ("exit_code", 7),
        ("tone", "loud"),
        ("headline", None),
        ("totals", {"name": "versions"}),
        ("troubles", [{"key": "a"}]),
        ("asked", {}),
        ("next_steps", "look"),
    ],
)
def test_another_document_is_not_valid(member: str, value: object) -> None:
    """If this fails, the schema says nothing: everything would be valid."""
    document = json.loads(bad_run()[1][REPORT_JSON])
    assert VALIDATOR.is_valid(document)
    assert not VALIDATOR.is_valid({**document, member: value})
    del document[member]
    assert not VALIDATOR.is_valid(document)
