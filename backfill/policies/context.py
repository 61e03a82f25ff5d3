"""What is known of a request's condition keys: the values, that a key is absent, or nothing.

Never fills in what nobody said: a key that is not named here is unknown, which is not absent.
Law: condition keys ignore case (IAM User Guide: reference_policies_elements_condition).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """Every string that begins so, as all the objects below a prefix do."""

    prefix: str

    def __str__(self) -> str:
        return f"{self.prefix}*"


Said = str | Every
"""A resource or a condition key's value: one string, or all that begin alike."""


Values = tuple[Said, ...]
"""The values of one key; none: the request does not carry it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The condition keys of a request. Make it with `context_of`."""

    known: Mapping[str, Values] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    """Keys that the request does not carry; one that ends in `*` stands for all that begin so."""
    possible: Mapping[str, tuple[Values, ...]] = field(default_factory=dict)
    """Keys of which one of a few things is true, and nobody documents which."""

    def alternatives(self, key: str) -> tuple[Values, ...] | None:
        """Return all that the key's values can be; None if nothing is known of it."""
        name = key.lower()
        if (values := self.known.get(name)) is not None:
            return (values,)
        if name in self.absent:
            return ((),)
        if (possible := self.possible.get(name)) is not None:
            return possible
        is_among = any(each.endswith("*") and name.startswith(each[:-1]) for each in self.absent)
        return ((),) if is_among else None

    def values(self, key: str) -> Values | None:
        """Return the key's values, none if it is absent, None if they are not known for certain."""
        alternatives = self.alternatives(key)
        return alternatives[0] if alternatives is not None and len(alternatives) == 1 else None

    def beside(self, derived: Context) -> Context:
        """Return both; where both speak of a key, this one's word counts."""

        def unsaid(keys: Iterable[str]) -> frozenset[str]:
            return frozenset(key for key in keys if self.alternatives(key) is None)

        new = unsaid(derived.known)
        perhaps = unsaid(derived.possible)
        said = {*self.known, *self.possible}
        return Context(
            known={**{key: derived.known[key] for key in new}, **self.known},
            absent=self.absent | frozenset(key for key in derived.absent if key not in said),
            possible={**{key: derived.possible[key] for key in perhaps}, **self.possible},
        )


NOTHING_KNOWN = Context()


def context_of(
    known: Mapping[str, Said | Iterable[Said]] | None = None,
    *,
    absent: Iterable[str] = (),
    possible: Mapping[str, Iterable[Said | None]] | None = None,
) -> Context:
    """Return the context of these keys, a single value or several for each.

    `possible` has single values of which one is true; None among them: perhaps it is absent.
    """
    return Context(
        known={
            key.lower(): (value,) if isinstance(value, str | Every) else tuple(value)
            for key, value in (known or {}).items()
        },
        absent=frozenset(key.lower() for key in absent),
        possible={
            key.lower(): tuple(() if value is None else (value,) for value in values)
            for key, values in (possible or {}).items()
        },
    )
