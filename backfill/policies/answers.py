"""Yes, no, or cannot tell, and why: the three-valued logic that policies are judged with.

Never guesses: an open question stays open unless something else settles it.
Law: a no settles `all_of`, a yes settles `any_of`; only then may an open answer be left out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

Reason_co = TypeVar("Reason_co", covariant=True)

Truth = bool | None
"""An answer without reasons; None where it cannot be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[Reason_co]):
    """`value` is None where it cannot be told; `why` holds what the answer rests on."""

    value: Truth
    why: tuple[Reason_co, ...] = ()


YES: Answer[str] = Answer(value=True)
NO: Answer[str] = Answer(value=False)


def unsure(why: str) -> Answer[str]:
    """Return the answer that nobody can give, with its reason."""
    return Answer(value=None, why=(why,))


def any_of(answers: Iterable[Answer[Reason_co]]) -> Answer[Reason_co]:
    """Return yes with the first yes; else open with all open ones; else no with all of them."""
    given = tuple(answers)
    for answer in given:
        if answer.value is True:
            return answer
    return _rest(given, settled=False)


def all_of(answers: Iterable[Answer[Reason_co]]) -> Answer[Reason_co]:
    """Return no with every no; else open with all open ones; else yes with all of them."""
    given = tuple(answers)
    refused = tuple(answer for answer in given if answer.value is False)
    if refused:
        return Answer(value=False, why=tuple(why for answer in refused for why in answer.why))
    return _rest(given, settled=True)


def _rest(given: tuple[Answer[Reason_co], ...], *, settled: bool) -> Answer[Reason_co]:
    pending = tuple(answer for answer in given if answer.value is None)
    return Answer(
        value=None if pending else settled,
        why=tuple(why for answer in (pending or given) for why in answer.why),
    )


def any3(values: Iterable[Truth]) -> Truth:
    """Return `any_of` for answers without reasons."""
    is_open = False
    for value in values:
        if value is True:
            return True
        is_open = is_open or value is None
    return None if is_open else False


def not3(value: Truth) -> Truth:
    """Return the opposite; what is open stays open."""
    return None if value is None else not value
