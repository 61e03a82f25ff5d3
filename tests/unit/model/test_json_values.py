"""JSON that may be anybody's, and the one spelling of ours."""

import json

import pytest

from backfill.model.json_values import spelled_json

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
