"""JSON that may be anybody's: a value, or one error that every caller knows.

Never takes what JSON does not have, though Python's reader does: NaN, Infinity, and numbers that
only infinity could stand for.
Law: any bytes and any text give a value or a ValueError; a value given can be written again.
"""

import json
from collections.abc import Callable
from typing import Any


def json_value(
    data: bytes | str,
    *,
    pairs_hook: Callable[[list[tuple[str, object]]], dict[str, object]] | None = None,
) -> Any:  # noqa: ANN401 - whatever JSON says; who asks for a shape checks it
    """Return the value of a JSON text; `pairs_hook` makes what objects become.

    Raises:
        ValueError: It is no JSON, or nested more deeply than can be read (RFC 8259, section 9).
    """
    try:
        return json.loads(
            data, object_pairs_hook=pairs_hook, parse_constant=_refused, parse_float=_finite
        )
    except RecursionError:
        # Not chained: its trace has a thousand lines.
        raise ValueError("JSON that is nested too deeply") from None


def _refused(word: str) -> object:
    raise ValueError(f"{word} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number that is too large")
    return number
