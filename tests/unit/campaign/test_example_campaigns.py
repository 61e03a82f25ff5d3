"""The example campaigns are what people copy: each must load, and together they show every key."""

import tomllib
from pathlib import Path

import pytest

from backfill.campaign.parsing import campaign_of, values_of_document
from backfill.campaign_options import OPTIONS

EXAMPLES = sorted((Path(__file__).parents[3] / "manifests" / "campaigns").glob("*.toml"))


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_loads_as_a_campaign(example: Path) -> None:
    values = values_of_document(tomllib.loads(example.read_text()), place=example.name)
    assert campaign_of(values).source_bucket == "example-source"


def test_one_example_holds_every_key() -> None:
    example = next(path for path in EXAMPLES if path.stem == "every-setting")
    values = values_of_document(tomllib.loads(example.read_text()), place=example.name)
    assert set(values) == {(option.table, option.name) for option in OPTIONS}
