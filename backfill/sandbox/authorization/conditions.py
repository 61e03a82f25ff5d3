"""Condition operators: one function each, in one table.

Never reads a request: it is given the context keys. One law: a key that is absent fails every
operator except Null, ForAllValues and the negated ones
(IAM User Guide: reference_policies_elements_condition_operators).
"""

import ipaddress
import operator as compare
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, TypeAlias

Context: TypeAlias = Mapping[str, tuple[str, ...]]
"""Values by condition key in lower case: one of most keys, several of some."""
Quantifier: TypeAlias = Literal["", "ForAnyValue", "ForAllValues"]

_ARN_PIECES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One operator on one key; any of the values may hold (none may, for negated operators)."""

    operator: str
    is_if_exists: bool
    key: str
    """Lower case: condition keys ignore case."""
    values: tuple[str, ...]
    quantifier: Quantifier = ""


@lru_cache(maxsize=1024)
def _like(pattern: str) -> re.Pattern[str]:
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.compile("".join(parts), re.DOTALL)


def _is_like(actual: str, wanted: str) -> bool:
    return _like(wanted).fullmatch(actual) is not None


def _is_arn_like(actual: str, wanted: str) -> bool:
    """Each of an ARN's six pieces is compared by itself: `*` does not reach over a colon."""
    pieces, patterns = (text.split(":", _ARN_PIECES - 1) for text in (actual, wanted))
    if len(pieces) != len(patterns):
        return _is_like(actual, wanted)
    return all(map(_is_like, pieces, patterns))


def _is_equal(actual: str, wanted: str) -> bool:
    return actual == wanted


def _is_equal_ignoring_case(actual: str, wanted: str) -> bool:
    return actual.casefold() == wanted.casefold()


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")  # equal to nothing, ordered with nothing: the condition fails


def _seconds(text: str) -> float:
    """A moment given in ISO 8601 or in seconds since 1970."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _number(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _is_in_range(actual: str, wanted: str) -> bool:
    try:
        return ipaddress.ip_address(actual) in ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """How one value is compared, and whether the operator says that none may compare so."""

    holds: Callable[[str, str], bool]
    is_negated: bool = False


def _pair(
    equals: str, differs: str, holds: Callable[[str, str], bool]
) -> tuple[tuple[str, Operator], tuple[str, Operator]]:
    return (equals, Operator(holds=holds)), (differs, Operator(holds=holds, is_negated=True))


def _ordered(name: str, read: Callable[[str], float]) -> tuple[tuple[str, Operator], ...]:
    def operator(test: Callable[[float, float], bool]) -> Operator:
        return Operator(holds=lambda actual, wanted: test(read(actual), read(wanted)))

    return (
        *_pair(
            f"{name}Equals", f"{name}NotEquals", lambda actual, wanted: read(actual) == read(wanted)
        ),
        (f"{name}LessThan", operator(compare.lt)),
        (f"{name}LessThanEquals", operator(compare.le)),
        (f"{name}GreaterThan", operator(compare.gt)),
        (f"{name}GreaterThanEquals", operator(compare.ge)),
    )


OPERATORS: Mapping[str, Operator] = dict(
    (
        *_pair("StringEquals", "StringNotEquals", _is_equal),
        *_pair("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", _is_equal_ignoring_case),
        *_pair("StringLike", "StringNotLike", _is_like),
        *_pair("ArnEquals", "ArnNotEquals", _is_arn_like),
        *_pair("ArnLike", "ArnNotLike", _is_arn_like),
        *_pair("IpAddress", "NotIpAddress", _is_in_range),
        *_ordered("Numeric", _number),
        *_ordered("Date", _seconds),
        ("Bool", Operator(holds=_is_equal_ignoring_case)),
        ("Null", Operator(holds=_is_equal_ignoring_case)),
    )
)
"""BinaryEquals is not carried: no key of S3's, KMS's or IAM's policies is compared by it."""


def parsed_operator(text: str) -> tuple[str, bool, Quantifier]:
    """The operator's name by itself, whether `IfExists` was there, and what came before a colon."""
    prefix, colon, rest = text.partition(":")
    quantifier: Quantifier = ""
    if colon and prefix == "ForAnyValue":
        quantifier = "ForAnyValue"
    elif colon and prefix == "ForAllValues":
        quantifier = "ForAllValues"
    elif colon:
        rest = text
    name = rest if colon else text
    return name.removesuffix("IfExists"), name.endswith("IfExists"), quantifier


def holds(condition: Condition, context: Context) -> bool:
    """Whether the condition holds; `context` has lower-case keys."""
    actual = context.get(condition.key)
    if condition.operator == "Null":
        return ("true" if not actual else "false") in {v.lower() for v in condition.values}
    operator = OPERATORS[condition.operator]
    if not actual:
        is_vacuous = condition.quantifier == "ForAllValues"
        is_lenient = operator.is_negated and condition.quantifier != "ForAnyValue"
        return condition.is_if_exists or is_vacuous or is_lenient
    each = [
        any(operator.holds(value, wanted) for wanted in condition.values) is not operator.is_negated
        for value in actual
    ]
    is_each_needed = condition.quantifier == "ForAllValues" or (
        operator.is_negated and not condition.quantifier
    )
    return all(each) if is_each_needed else any(each)
