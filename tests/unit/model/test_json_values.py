"""JSON that may be anybody's, and the one spelling of ours."""

import json

import pytest

from backfill.errors import ArtifactDamagedError
from backfill.model.json_values import spelled_json
from backfill.run_directory.sealed import unsealed

VALUES: tuple[object, ...] = (
    {},
    [],
    "",
    {"b": [1, 0, True, False, None, 2.5, "\n"], "a": {}, "": ()},
    [[], [[]], {"é\U0001f600": {'\x00"': -1}}],
    {"deep": [{"z": ({"y": [None]}, "x")}, {}], "Z": 10**20},
)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("indent", [1, 2])
def test_a_value_is_spelled_as_python_spells_it(value: object, indent: int) -> None:
    """If this fails, sealed files of earlier releases are taken for altered ones."""
    said = json.dumps(value, ensure_ascii=True, allow_nan=False, sort_keys=True, indent=indent)
    assert spelled_json(value, indent=indent) == said


def test_what_json_has_no_word_for_is_refused() -> None:
    """If this fails, a file is written that no reader of JSON can read."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        spelled_json({"size": [float("nan")]}, indent=1)


def test_what_is_nested_too_deeply_to_spell_is_refused() -> None:
    """If this fails, a value that could be read ends the command with a trace where it is kept."""
    value: object = 0
    for _ in range(5_000):
        value = [{"a": value}]
    with pytest.raises(ValueError, match="nested too deeply"):
        spelled_json(value, indent=1)


@pytest.mark.parametrize("depth", range(100, 1_000, 100))
def test_a_sealed_file_is_damaged_however_deep_it_is(depth: int) -> None:
    """If this fails, whoever writes the bucket of a run directory ends the command with a trace."""
    nested = "[" * depth + "]" * depth
    data = f'{{"schema": 1, "seal": "", "more": {nested}}}'.encode()
    with pytest.raises(ArtifactDamagedError):
        unsealed(data, "head.json", schema=1, hint="")
