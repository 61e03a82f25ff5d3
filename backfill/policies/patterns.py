"""Wildcards, ARN patterns and policy variables, against one string or all that begin alike.

Never backtracks: a pattern is a set of positions that moves along the text, so that a hostile
policy costs no more than its length times the text's.
Law: for `Every`, yes means every such string, no means none of them, None that some do.
"""

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from backfill.policies.answers import Truth
from backfill.policies.context import Context, Every, Said

_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")
_WITH_DEFAULT: Final = re.compile(r"\s*([^,\s]+)\s*(?:,\s*'([^']*)'\s*)?", re.DOTALL)
ARN_PARTS: Final = 6
"""arn, partition, service, Region, account, resource; the last may hold colons itself."""


class Wild(enum.Enum):
    """What stands for other characters."""

    ONE = "?"
    MANY = "*"


Token = str | Wild
"""One character, or a wildcard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A pattern as a machine: bit n of a set of positions means that n tokens are behind us."""

    steps: dict[str, int]
    """For each character the positions that it can move on."""
    any_steps: int
    """Positions that every character moves on (`?`)."""
    stays: int
    """Positions where every character may be swallowed (`*`)."""
    end: int

    def covers(self, said: Said) -> Truth:
        """Whether the pattern stands for the text; for `Every`, None if only for some."""
        if not isinstance(said, Every):
            return bool(self._after(said) & self.end)
        positions = self._after(said.prefix)
        if not positions:
            return False
        return True if positions & self.end & self.stays else None

    def _after(self, text: str) -> int:
        positions = 1
        for character in text:
            moved = positions & (self.steps.get(character, 0) | self.any_steps)
            positions = (moved << 1) | (positions & self.stays)
            if not positions:
                return 0
        return positions


def compiled(tokens: Iterable[Token]) -> Pattern:
    """Return the machine of these tokens."""
    steps: dict[str, int] = {}
    any_steps = stays = 0
    position = 1
    for token in tokens:
        if token is Wild.MANY:
            stays |= position
            continue
        if token is Wild.ONE:
            any_steps |= position
        else:
            assert isinstance(token, str), "a token is a character or a wildcard"
            steps[token] = steps.get(token, 0) | position
        position <<= 1
    return Pattern(steps=steps, any_steps=any_steps, stays=stays, end=position)


_WILD: Final[dict[str, Token]] = {"*": Wild.MANY, "?": Wild.ONE}


@lru_cache(maxsize=4096)
def plain(text: str) -> Pattern:
    """Return the pattern of a text without policy variables."""
    return compiled(_WILD.get(character, character) for character in text)


def is_action_named(named: str, action: str) -> bool:
    """Whether an Action element names the action; case does not count there."""
    return plain(named.lower()).covers(action.lower()) is True


def tokens_of(text: str, variables: Context | None) -> tuple[Token, ...] | None:
    """Return the tokens of a text with its variables filled in; None if one is not known.

    `variables` is None for a document that knows none: there `${` is plain text.

    `${*}`, `${?}` and `${$}` are these characters themselves. What a variable stands for is taken
    literally. A key that is absent and has no default leaves it open: AWS says only that the
    statement "might" be invalid (IAM User Guide: reference_policies_variables).
    """
    if variables is None or "${" not in text:
        return tuple(_WILD.get(character, character) for character in text)
    tokens: list[Token] = []
    behind = 0
    for found in _VARIABLE.finditer(text):
        tokens += (_WILD.get(each, each) for each in text[behind : found.start()])
        value = _value_of(found.group(1), variables)
        if value is None:
            return None
        tokens += value
        behind = found.end()
    tokens += (_WILD.get(each, each) for each in text[behind:])
    return tuple(tokens)


def _value_of(variable: str, context: Context) -> str | None:
    if variable in {"*", "?", "$"}:
        return variable
    parts = _WITH_DEFAULT.fullmatch(variable)
    values = None if parts is None else context.values(parts.group(1))
    if parts is None or values is None:
        return None
    if not values:
        default: str | None = parts.group(2)
        return default
    value = values[0]
    # Nobody documents whether a wildcard that comes out of a variable is one.
    if len(values) > 1 or isinstance(value, Every) or "*" in value or "?" in value:
        return None
    return value


def pattern_of(text: str, variables: Context | None) -> Pattern | None:
    """Return the pattern of a text with its variables filled in; None if one is not known."""
    if variables is None or "${" not in text:
        return plain(text)
    tokens = tokens_of(text, variables)
    return None if tokens is None else compiled(tokens)


def literal_of(text: str, variables: Context | None) -> str | None:
    """Return a text in which wildcards are nothing special, with its variables filled in."""
    tokens = tokens_of(text, variables)
    if tokens is None:
        return None
    return "".join(token.value if isinstance(token, Wild) else token for token in tokens)


def is_arn_like(said: Said, tokens: tuple[Token, ...]) -> Truth:
    """Whether each of the six parts of an ARN fits the pattern's part (ArnLike and ArnEquals).

    None where the pattern is no ARN, such as a lone `*`: AWS does not say what that means.
    Source: IAM User Guide, reference_policies_elements_condition_operators, ARN operators.
    """
    wanted = _arn_parts(tokens)
    text = said.prefix if isinstance(said, Every) else said
    parts = text.split(":", ARN_PARTS - 1)
    if len(wanted) < ARN_PARTS or len(parts) < ARN_PARTS:
        return None
    last: Said = Every(prefix=parts[-1]) if isinstance(said, Every) else parts[-1]
    if not all(compiled(each).covers(part) for each, part in zip(wanted, parts[:-1], strict=False)):
        return False
    return compiled(wanted[-1]).covers(last)


def _arn_parts(tokens: tuple[Token, ...]) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    for each in tokens:
        if each == ":" and len(parts) < ARN_PARTS:
            parts.append([])
        else:
            parts[-1].append(each)
    return parts
