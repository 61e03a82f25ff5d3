"""What a call carries, in one shape for every protocol: members by name, lists, structures.

Never knows a service. One law: a member of the wrong type is the caller's mistake and is told so.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias
from urllib.parse import parse_qsl

from backfill.sandbox.http.refusals import refused
from backfill.sandbox.model.errors import S3Error

Value: TypeAlias = "str | int | float | bool | Sequence[Value] | Mapping[str, Value] | None"
_LIST_NAMES = ({"member"}, {"entry"})
_PAIRS_LIMIT = 10_000
"""Of one request of the query protocol: far more than any quota lets a call carry."""


def invalid(message: str, *, code: str = "ValidationError") -> S3Error:
    """400 in the words of the query services' own validation."""
    return refused(code=code, status=400, message=message, fact="IAM API: CommonErrors")


class Fields:
    """The members of a request or of a structure in it."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def text(self, name: str) -> str | None:
        """The text of a member, or None without it."""
        value = self._values.get(name)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return str(value)
        raise _wrong_type(name)

    def required(self, name: str) -> str:
        """The text of a member that must be there."""
        value = self.text(name)
        if value is None:
            raise invalid(
                f"1 validation error detected: Value null at '{name[0].lower()}{name[1:]}' "
                "failed to satisfy constraint: Member must not be null"
            )
        return value

    def integer(self, name: str, default: int) -> int:
        """A whole number."""
        value = self.text(name)
        if value is None:
            return default
        try:
            return int(value)
        except ValueError as error:
            raise _wrong_type(name) from error

    def bounded(self, name: str, default: int, *, least: int, most: int) -> int:
        """A whole number between two others."""
        value = self.integer(name, default)
        if not least <= value <= most:
            raise invalid(
                f"1 validation error detected: Value '{value}' at '{name[0].lower()}{name[1:]}' "
                f"failed to satisfy constraint: Member must have value between {least} and {most}"
            )
        return value

    def flag(self, name: str) -> bool:
        """Whether a boolean is there and true."""
        return self.text(name) == "true"

    def strings(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        values = self._list(name)
        texts = tuple(value for value in values if isinstance(value, str))
        if len(texts) != len(values):
            raise _wrong_type(name)
        return texts

    def structures(self, name: str) -> "tuple[Fields, ...]":
        """A list of structures."""
        values = self._list(name)
        found = tuple(Fields(value) for value in values if isinstance(value, Mapping))
        if len(found) != len(values):
            raise _wrong_type(name)
        return found

    def structure(self, name: str) -> "Fields":
        """A structure, empty without the member."""
        value = self._values.get(name)
        if value is None:
            return Fields({})
        if not isinstance(value, Mapping):
            raise _wrong_type(name)
        return Fields(value)

    def mapping(self, name: str) -> dict[str, str]:
        """A map of texts: an object in JSON, entries of `key` and `value` in a query."""
        value = self._values.get(name)
        if value is None:
            return {}
        if isinstance(value, Mapping):
            return {key: Fields(value).text(key) or "" for key in value}
        return {entry.required("key"): entry.text("value") or "" for entry in self.structures(name)}

    def extended(self, values: Mapping[str, Value]) -> "Fields":
        """The same with further members, such as those in a path."""
        return Fields({**self._values, **values})

    def _list(self, name: str) -> Sequence[Value]:
        value = self._values.get(name)
        if value is None or value == "":  # an empty list in a query
            return ()
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise _wrong_type(name)
        return value


def query_fields(body: bytes) -> Fields:
    """The members of a body of the query protocol, whose names are paths: `Tags.member.1.Key`."""
    tree: dict[str, Value] = {}
    pairs = parse_qsl(
        body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_PAIRS_LIMIT
    )
    for path, value in pairs:
        *folders, last = path.split(".")
        place = tree
        for folder in folders:
            inner = place.setdefault(folder, {})
            if not isinstance(inner, dict):
                raise _wrong_type(path)
            place = inner
        place[last] = value
    return Fields({name: _listed(value) for name, value in tree.items()})


def _listed(value: Value) -> Value:
    if not isinstance(value, Mapping):
        return value
    if set(value) in _LIST_NAMES:
        (items,) = value.values()
        if isinstance(items, Mapping) and all(name.isdecimal() for name in items):
            return [_listed(items[name]) for name in sorted(items, key=int)]
    return {name: _listed(inner) for name, inner in value.items()}


def _wrong_type(name: str) -> S3Error:
    return invalid(f"Malformed input: {name}", code="MalformedInput")
