"""What a parser promises, and one attempt to make it break its word.

Never makes documents (`mutation` does) and never knows what one means.
Law: any bytes are taken, or refused by the parser's own errors in words that a person can use.
"""

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from backfill.model.escaping import visible_text

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parser(Generic[T]):
    """A parser under test.

    `refusals` are its stated errors, and `place` is a pattern of what each must name. `specimens`
    are documents that it takes. `written` is its inverse where there is one; `is_canonical`: no
    other bytes pass than those.
    """

    name: str
    parse: Callable[[bytes], T]
    refusals: tuple[type[Exception], ...]
    specimens: tuple[bytes, ...]
    place: str = ""
    written: Callable[[T], bytes] | None = None
    is_canonical: bool = False


def attempt(parser: Parser[T], data: bytes) -> bool:
    """Have a document parsed and hold the parser to its word; whether it took it.

    Raises whatever the parser should not have raised, or AssertionError.
    """
    with warnings.catch_warnings():
        # dateutil, which reads odd times for botocore, warns of zones that it does not know.
        warnings.filterwarnings("ignore", module="dateutil")
        try:
            found = parser.parse(data)
        except parser.refusals as refusal:
            said = visible_text(str(refusal))
            assert said, "a refusal says something"
            assert re.search(parser.place, said), f"{said!r} does not name its place"
            return False
    if parser.written is not None:
        written = parser.written(found)
        assert parser.parse(written) == found, "what is written is read again"
        assert not parser.is_canonical or written == data, "other bytes than are written passed"
    return True
