"""All parsers under test, by name."""

from collections.abc import Mapping
from typing import Any

from tests.fuzz import of_disks, of_people, of_stores
from tests.fuzz.parser import Parser

PARSERS: Mapping[str, Parser[Any]] = {
    each.name: each for each in (*of_people.PARSERS, *of_stores.PARSERS, *of_disks.PARSERS)
}
assert len(PARSERS) == len(of_people.PARSERS) + len(of_stores.PARSERS) + len(of_disks.PARSERS)
