"""Condition operators: one function each, in one table.

Never reads a request: it is given the context keys. One law: a key that is absent fails every
operator except Null and the negated ones (IAM User Guide: reference_policies_elements_condition).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One operator on one key; any of the values may hold (none may, for negated operators)."""

    operator: str
    is_if_exists: bool
    key: str
    """Lower case: condition keys ignore case."""
    values: tuple[str, ...]


@lru_cache(maxsize=1024)
def _like(pattern: str) -> re.Pattern[str]:
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.compile("".join(parts), re.DOTALL)


def _is_like(actual: str, wanted: str) -> bool:
    return _like(wanted).fullmatch(actual) is not None


def _is_equal(actual: str, wanted: str) -> bool:
    return actual == wanted


def _is_equal_ignoring_case(actual: str, wanted: str) -> bool:
    return actual.casefold() == wanted.casefold()


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")  # equal to nothing, ordered with nothing: the condition fails


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """How one value is compared, and whether the operator says that none may compare so."""

    holds: Callable[[str, str], bool]
    is_negated: bool = False


OPERATORS = {
    "StringEquals": Operator(holds=_is_equal),
    "StringNotEquals": Operator(holds=_is_equal, is_negated=True),
    "StringEqualsIgnoreCase": Operator(holds=_is_equal_ignoring_case),
    "StringNotEqualsIgnoreCase": Operator(holds=_is_equal_ignoring_case, is_negated=True),
    "StringLike": Operator(holds=_is_like),
    "StringNotLike": Operator(holds=_is_like, is_negated=True),
    "ArnEquals": Operator(holds=_is_like),
    "ArnLike": Operator(holds=_is_like),
    "ArnNotEquals": Operator(holds=_is_like, is_negated=True),
    "ArnNotLike": Operator(holds=_is_like, is_negated=True),
    "Bool": Operator(holds=_is_equal_ignoring_case),
    "NumericEquals": Operator(holds=lambda actual, wanted: _number(actual) == _number(wanted)),
    "NumericLessThanEquals": Operator(
        holds=lambda actual, wanted: _number(actual) <= _number(wanted)
    ),
    "NumericGreaterThan": Operator(holds=lambda actual, wanted: _number(actual) > _number(wanted)),
    "Null": Operator(holds=_is_equal_ignoring_case),
}


def parsed_operator(text: str) -> tuple[str, bool]:
    """The operator's name without `IfExists`, and whether that was there."""
    name = text.removesuffix("IfExists")
    return name, name != text


def holds(condition: Condition, context: Mapping[str, str]) -> bool:
    """Whether the condition holds; `context` has lower-case keys."""
    actual = context.get(condition.key)
    if condition.operator == "Null":
        return ("false" if actual is not None else "true") in {v.lower() for v in condition.values}
    operator = OPERATORS[condition.operator]
    if actual is None:
        return condition.is_if_exists or operator.is_negated
    is_any = any(operator.holds(actual, wanted) for wanted in condition.values)
    return is_any is not operator.is_negated
