"""Policy documents: JSON text or a mapping in, frozen statements out.

Never evaluates, and never drops what it does not know: an unknown element stays by name and makes
its statement undecidable. Law: what comes out says what AWS would read, or it is a PolicyError
that tells where (IAM User Guide: reference_policies_elements).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from backfill.model.json_values import json_value
from backfill.policies.conditions import Condition, condition_of
from backfill.policies.context import Context
from backfill.policies.quoting import quoted

DOCUMENT_CHARACTERS_MAX: Final = 131_072
"""Four times the largest that AWS accepts (a key policy of 32 KB); more is no policy."""
WITH_VARIABLES: Final = "2012-10-17"
_OLD: Final = "2008-10-17"
"""What a document without Version is; it knows no policy variables."""

Effect = Literal["Allow", "Deny"]


class PolicyError(ValueError):
    """The document is no policy. `where` names the place in it that is wrong."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPrincipal:
    """One name in Principal or NotPrincipal. `*` alone is kept as kind AWS, value `*`."""

    kind: str
    """AWS, Service, Federated, CanonicalUser, or a word that this version does not know."""
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement. `principals` and `resources` are None where the element is not there."""

    number: int
    """Counted from 1."""
    sid: str
    effect: Effect
    principals: tuple[NamedPrincipal, ...] | None
    is_not_principal: bool
    actions: tuple[str, ...]
    is_not_action: bool
    resources: tuple[str, ...] | None
    is_not_resource: bool
    conditions: tuple[Condition, ...]
    unknown: tuple[str, ...]
    """Elements of the statement, or of the document, that this version does not know."""
    has_variables: bool

    @property
    def label(self) -> str:
        """The statement's Sid, quoted, or its number: how a person finds it."""
        return f"statement {quoted(self.sid)}" if self.sid else f"statement {self.number}"

    def variables(self, context: Context) -> Context | None:
        """Return what policy variables are filled in from; None if the document knows none."""
        return context if self.has_variables else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole policy document, beside the text that it was read from."""

    text: str
    version: str
    statements: tuple[Statement, ...]
    unknown: tuple[str, ...]


def parsed(document: str | bytes | Mapping[str, object]) -> Document:
    """Return the document's statements. Raises PolicyError."""
    if isinstance(document, Mapping):
        try:
            text = json.dumps(document, ensure_ascii=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise PolicyError("document", "holds what JSON cannot say") from error
    else:
        text = _decoded(document)
    if len(text) > DOCUMENT_CHARACTERS_MAX:
        raise PolicyError("document", f"is longer than {DOCUMENT_CHARACTERS_MAX} characters")
    raw = _object(_loaded(text), "document")
    version = raw.get("Version", _OLD)
    if version not in (WITH_VARIABLES, _OLD):
        raise PolicyError("Version", f"is neither {WITH_VARIABLES} nor {_OLD}")
    unknown = tuple(sorted(raw.keys() - {"Version", "Id", "Statement"}))
    listed = raw.get("Statement")
    statements = listed if isinstance(listed, list) else [listed]
    if not statements:
        raise PolicyError("Statement", "is empty")
    return Document(
        text=text,
        version=str(version),
        unknown=unknown,
        statements=tuple(
            _statement(each, number, unknown, has_variables=version == WITH_VARIABLES)
            for number, each in enumerate(statements, start=1)
        ),
    )


def _decoded(document: str | bytes) -> str:
    try:
        return document.decode() if isinstance(document, bytes) else document
    except UnicodeDecodeError as error:
        raise PolicyError("document", "is no UTF-8") from error


def _loaded(text: str) -> object:
    try:
        loaded: object = json_value(text, pairs_hook=_without_repeats)
    except PolicyError:
        raise
    except ValueError as error:
        raise PolicyError("document", "is no JSON") from error
    return loaded


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse a name that stands twice in one object: nobody says which of the two counts."""
    together = dict(pairs)
    if len(together) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise PolicyError("document", f"{quoted(repeated)} stands twice in one object")
    return together


_ELEMENTS: Final = {
    *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction"),
    *("Resource", "NotResource", "Condition"),
}


def _statement(
    raw: object, number: int, unknown: tuple[str, ...], *, has_variables: bool
) -> Statement:
    where = f"Statement {number}"
    fields = _object(raw, where)
    sid = fields.get("Sid", "")
    if not isinstance(sid, str):
        raise PolicyError(f"{where}, Sid", "is no string")
    where = f"{where} ({quoted(sid)})" if sid else where
    effect = fields.get("Effect")
    if effect != "Allow" and effect != "Deny":  # noqa: PLR1714 - mypy narrows to the literals so
        raise PolicyError(f"{where}, Effect", "is neither Allow nor Deny")
    actions = _one_of(fields, "Action", "NotAction", where)
    if actions is None:
        raise PolicyError(where, "has neither Action nor NotAction")
    if {"Principal", "NotPrincipal"} <= fields.keys():
        raise PolicyError(where, "has Principal and NotPrincipal")
    is_not_principal = "NotPrincipal" in fields
    named = fields.get("NotPrincipal" if is_not_principal else "Principal")
    return Statement(
        number=number,
        sid=sid,
        effect=effect,
        principals=None if named is None else _principals(named, f"{where}, Principal"),
        is_not_principal=is_not_principal,
        actions=actions,
        is_not_action="NotAction" in fields,
        resources=_one_of(fields, "Resource", "NotResource", where),
        is_not_resource="NotResource" in fields,
        conditions=_conditions(fields.get("Condition", {}), f"{where}, Condition"),
        unknown=(*unknown, *sorted(fields.keys() - _ELEMENTS)),
        has_variables=has_variables,
    )


def _object(raw: object, where: str) -> dict[str, object]:
    if not isinstance(raw, dict):
        raise PolicyError(where, "is no object")
    return raw


def _strings(raw: object, where: str) -> tuple[str, ...]:
    values = raw if isinstance(raw, list) else [raw]
    texts = tuple(value for value in values if isinstance(value, str))
    if not texts or len(texts) != len(values):
        raise PolicyError(where, "is neither a string nor a list of strings")
    return texts


def _one_of(
    fields: Mapping[str, object], name: str, negated: str, where: str
) -> tuple[str, ...] | None:
    if name in fields and negated in fields:
        raise PolicyError(where, f"has {name} and {negated}")
    chosen = name if name in fields else negated
    return _strings(fields[chosen], f"{where}, {chosen}") if chosen in fields else None


def _principals(raw: object, where: str) -> tuple[NamedPrincipal, ...]:
    if raw == "*":
        return (NamedPrincipal(kind="AWS", value="*"),)
    named = tuple(
        NamedPrincipal(kind=kind, value=value)
        for kind, values in _object(raw, where).items()
        for value in _strings(values, f"{where}, {quoted(kind)}")
    )
    if not named:
        raise PolicyError(where, "names nobody")
    return named


def _conditions(raw: object, where: str) -> tuple[Condition, ...]:
    return tuple(
        condition_of(operator, key, _values(value, f"{where}, {quoted(operator)}, {quoted(key)}"))
        for operator, keys in _object(raw, where).items()
        for key, value in _object(keys, f"{where}, {quoted(operator)}").items()
    )


def _values(raw: object, where: str) -> tuple[str, ...]:
    values: Iterable[object] = raw if isinstance(raw, list) else [raw]
    return _strings([_as_text(value) for value in values], where)


def _as_text(value: object) -> object:
    """Return booleans and numbers as IAM stores them: as their text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value
