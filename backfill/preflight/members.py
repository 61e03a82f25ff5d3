"""Members of a document in the SDK's shape, read without trusting that they are there.

Never raises: a member of another kind than was asked for is as good as absent.
Law: what is read here is only looked at; documents are put back from the whole that was read.
"""

import copy
from collections.abc import Mapping, Sequence

Fields = Mapping[str, object]


def member(fields: object, *path: str) -> Fields:
    """Return the element at a path; an empty one where there is none."""
    for name in path:
        fields = fields.get(name) if isinstance(fields, Mapping) else None
    return fields if isinstance(fields, Mapping) else {}


def members(fields: object, name: str) -> tuple[Fields, ...]:
    """Return a list's elements."""
    value = fields.get(name) if isinstance(fields, Mapping) else None
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    return tuple(each for each in value if isinstance(each, Mapping))


def text(fields: object, *path: str) -> str:
    """Return the text at a path; empty where there is none."""
    value = member(fields, *path[:-1]).get(path[-1])
    return value if isinstance(value, str) else ""


def texts(fields: object, name: str) -> tuple[str, ...]:
    """Return one text or a list of them as a tuple."""
    value = fields.get(name) if isinstance(fields, Mapping) else None
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Sequence):
        return ()
    return tuple(each for each in value if isinstance(each, str))


def altered(fields: Fields) -> dict[str, object]:
    """Return a deep copy that may be altered."""
    return copy.deepcopy(dict(fields))
