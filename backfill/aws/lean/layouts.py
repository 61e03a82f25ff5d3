"""How ordinary answers of a store are laid out, learned from answers that were read in full.

A store writes the same headers in the same order, answer after answer. Once one such answer was
read by the parser, a strict pattern that accounts for every byte recognises the next, and gives its
values in one step. Whatever differs by a byte goes to the parser again.
Never interprets a value, and never recognises an answer whose end it cannot tell.
Law: what a layout recognises, the parser reads as one whole answer with the same values, after
which the connection is free.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from backfill.aws.lean.wire import WireReply

VALUE: Final = "((?:[!-~]++(?: [!-~]++)*)?)"
"""A header's value that reads the same whoever reads it: printable ASCII, single spaces inside.

No group is repeated possessively here or elsewhere: Python before 3.11.5 keeps what such a group
took before it failed (gh-106052), such as the space at the end of a value.
"""

_OK: Final = "HTTP/1.1 200 OK"
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
"""Metadata has names with `_` and `.` as well; any other is the parser's."""
_FRAMING: Final = frozenset({"transfer-encoding", "trailer", "upgrade", "content-encoding"})
"""Of an answer with one of these, only the parser can tell where it ends, or what is in it."""


class Layout(NamedTuple):
    """A pattern of whole answers, and where in its groups the value of each name begins."""

    pattern: str
    places: Mapping[str, int]


def head_layout(text: str, reply: WireReply, patterns: Mapping[str, str]) -> Layout | None:
    """Return the layout of the head of an answer as the parser read it, `reply`; None: none.

    `patterns` are those of values in a form of their own, by name in lower case.
    """
    status, *lines = text.split("\r\n")
    # As many headers as lines: none came twice.
    if status != _OK or len(lines) != len(reply.headers):
        return None
    pattern, places, groups = [re.escape(status)], dict[str, int](), 0
    for line in lines:
        name, colon, value = line.partition(": ")
        lower = name.lower()
        if not colon or not _NAME.fullmatch(name) or reply.headers.get(lower) != value:
            return None
        if lower in _FRAMING:
            return None
        of_value = patterns.get(lower, VALUE)
        pattern.append(f"{re.escape(name)}: {of_value}")
        places[lower] = groups
        groups += re.compile(of_value).groups
    return Layout("\r\n".join(pattern), places)
