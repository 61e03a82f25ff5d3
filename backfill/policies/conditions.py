"""Condition operators: does a condition hold, fail, or can nobody tell?

Never reads a request: it is given the condition keys, each known, absent or unknown.
Law: an operator that is not in the table, a value that cannot be compared and a key of which
nothing is known leave the condition open (IAM User Guide:
reference_policies_elements_condition_operators).
"""

import base64
import binascii
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from operator import eq, ge, gt, le, lt
from typing import Final

from backfill.policies.answers import NO, YES, Answer, Truth, any3, not3, unsure
from backfill.policies.context import Context, Every, Said, Values
from backfill.policies.patterns import is_arn_like, literal_of, pattern_of, tokens_of
from backfill.policies.quoting import shown

FOR_ALL: Final = "ForAllValues"
FOR_ANY: Final = "ForAnyValue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One operator on one key; any of the values may match (none may, for negated operators)."""

    operator: str
    """Without qualifier and IfExists; kept as written when it is none that we know."""
    qualifier: str
    """ForAllValues, ForAnyValue, another word that nobody knows, or empty."""
    is_if_exists: bool
    key: str
    values: tuple[str, ...]

    @property
    def written(self) -> str:
        """The operator as the document has it, safe to show."""
        prefix = f"{self.qualifier}:" if self.qualifier else ""
        return f"{shown(prefix + self.operator)}{'IfExists' if self.is_if_exists else ''}"


def condition_of(operator: str, key: str, values: tuple[str, ...]) -> Condition:
    """Return the condition that the element's names and values say."""
    qualifier, _, name = operator.rpartition(":")
    plain_name = name.removesuffix("IfExists")
    return Condition(
        operator=plain_name,
        qualifier=qualifier,
        is_if_exists=plain_name != name,
        key=key,
        values=values,
    )


Compared = Callable[[Said, str, Context | None], Truth]
"""Whether the request's value matches the policy's, whose variables stand for the third's keys."""


def _is_equal(said: Said, wanted: str, variables: Context | None) -> Truth:
    text = literal_of(wanted, variables)
    if text is None:
        return None
    if isinstance(said, Every):
        return None if text.startswith(said.prefix) else False
    return said == text


def _is_equal_ignoring_case(said: Said, wanted: str, variables: Context | None) -> Truth:
    text = literal_of(wanted, variables)
    if text is None:
        return None
    if isinstance(said, Every):
        return None if text.casefold().startswith(said.prefix.casefold()) else False
    return said.casefold() == text.casefold()


def _is_like(said: Said, wanted: str, variables: Context | None) -> Truth:
    pattern = pattern_of(wanted, variables)
    return None if pattern is None else pattern.covers(said)


def _is_arn(said: Said, wanted: str, variables: Context | None) -> Truth:
    tokens = tokens_of(wanted, variables)
    return None if tokens is None else is_arn_like(said, tokens)


def _by_value(compare: Callable[[str, str], Truth]) -> Compared:
    return partial(_compared_values, compare)


def _compared_values(
    compare: Callable[[str, str], Truth], said: Said, wanted: str, _variables: Context | None
) -> Truth:
    return None if isinstance(said, Every) else compare(said, wanted)


def _is_same_truth(said: str, wanted: str) -> Truth:
    truths = {"true", "false"}
    if not {said.lower(), wanted.lower()} <= truths:
        return None
    return said.lower() == wanted.lower()


def _is_same_binary(said: str, wanted: str) -> Truth:
    try:
        return base64.b64decode(said, validate=True) == base64.b64decode(wanted, validate=True)
    except (binascii.Error, ValueError):
        return None


def _is_in_network(said: str, wanted: str) -> Truth:
    try:
        address = ipaddress.ip_address(said)
        network = ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return None
    return address.version == network.version and address in network


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _moment(text: str) -> Decimal | None:
    """Return seconds since 1970: dates are in ISO 8601 or already in seconds."""
    if (number := _number(text)) is not None:
        return number
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return Decimal(str(aware.timestamp()))


Parse = Callable[[str], Decimal | None]
Holds = Callable[[Decimal, Decimal], bool]


def _compared_in_order(parse: Parse, holds: Holds, said: str, wanted: str) -> Truth:
    left, right = parse(said), parse(wanted)
    return None if left is None or right is None else holds(left, right)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """How one value is compared, and whether the operator says that none may compare so."""

    compared: Compared
    is_negated: bool = False


def _ordered(parse: Parse, holds: Holds) -> Operator:
    return Operator(compared=_by_value(partial(_compared_in_order, parse, holds)))


def _pair(name: str, negated: str, compared: Compared) -> dict[str, Operator]:
    return {
        name: Operator(compared=compared),
        negated: Operator(compared=compared, is_negated=True),
    }


def _orders(family: str, parse: Parse) -> dict[str, Operator]:
    is_equal = _ordered(parse, eq)
    return {
        **_pair(f"{family}Equals", f"{family}NotEquals", is_equal.compared),
        f"{family}LessThan": _ordered(parse, lt),
        f"{family}LessThanEquals": _ordered(parse, le),
        f"{family}GreaterThan": _ordered(parse, gt),
        f"{family}GreaterThanEquals": _ordered(parse, ge),
    }


OPERATORS: Final[dict[str, Operator]] = {
    **_pair("StringEquals", "StringNotEquals", _is_equal),
    **_pair("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", _is_equal_ignoring_case),
    **_pair("StringLike", "StringNotLike", _is_like),
    # AWS: ArnEquals and ArnLike behave alike.
    **_pair("ArnEquals", "ArnNotEquals", _is_arn),
    **_pair("ArnLike", "ArnNotLike", _is_arn),
    **_orders("Numeric", _number),
    **_orders("Date", _moment),
    "Bool": Operator(compared=_by_value(_is_same_truth)),
    "BinaryEquals": Operator(compared=_by_value(_is_same_binary)),
    **_pair("IpAddress", "NotIpAddress", _by_value(_is_in_network)),
}


def holds(condition: Condition, context: Context, variables: Context | None) -> Answer[str]:
    """Return whether the condition holds; policy variables are filled in from `variables`."""
    if condition.operator == "Null":
        if condition.qualifier or condition.is_if_exists:
            return unsure(f"{condition.written} is no test that AWS documents")
    elif condition.operator not in OPERATORS or condition.qualifier not in {"", FOR_ALL, FOR_ANY}:
        return unsure(f"the condition operator {condition.written} is not known here")
    alternatives = context.alternatives(condition.key)
    if alternatives is None:
        return unsure(f"the condition key {shown(condition.key)} has a value that is not known")
    answers = {_holds_for(values, condition, variables) for values in alternatives}
    if len(answers) > 1:
        key = shown(condition.key)
        return unsure(f"what the condition key {key} is in this request is not documented")
    value = answers.pop()
    if value is None:
        return unsure(f"{condition.written} on {shown(condition.key)} cannot be compared")
    return YES if value else NO


def _holds_for(values: Values, condition: Condition, variables: Context | None) -> Truth:
    if condition.operator == "Null":
        return _is_null(condition, values)
    operator = OPERATORS[condition.operator]
    if not values:
        return _of_absent(condition, operator)
    each = [_matches(condition, operator, said, variables) for said in values]
    return _together(condition.qualifier, each)


def _matches(
    condition: Condition, operator: Operator, said: Said, variables: Context | None
) -> Truth:
    found = any3(operator.compared(said, wanted, variables) for wanted in condition.values)
    return not3(found) if operator.is_negated else found


def _together(qualifier: str, each: list[Truth]) -> Truth:
    if qualifier == FOR_ANY:
        return any3(each)
    if qualifier == FOR_ALL:
        return not3(any3(not3(value) for value in each))
    # A key with several values needs a qualifier; AWS does not say what happens without.
    return each[0] if len(each) == 1 else None


def _of_absent(condition: Condition, operator: Operator) -> Truth:
    if condition.qualifier == FOR_ALL:
        return True
    if condition.qualifier == FOR_ANY:
        # "No matching keys: false", and "IfExists: true if not present"; which one wins is open.
        return None if condition.is_if_exists else False
    return condition.is_if_exists or operator.is_negated


def _is_null(condition: Condition, values: Values) -> Truth:
    wanted = {value.lower() for value in condition.values}
    if not wanted <= {"true", "false"}:
        return None
    return ("false" if values else "true") in wanted
