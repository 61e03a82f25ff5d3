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


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The condition keys of a request. Make it with `context_of`."""

    known: Mapping[str, tuple[Said, ...]] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    """Keys that the request does not carry; one that ends in `*` stands for all that begin so."""

    def values(self, key: str) -> tuple[Said, ...] | None:
        """Return the key's values, none if it is absent, None if nothing is known of it."""
        name = key.lower()
        if (values := self.known.get(name)) is not None:
            return values
        if name in self.absent:
            return ()
        is_among = any(each.endswith("*") and name.startswith(each[:-1]) for each in self.absent)
        return () if is_among else None

    def beside(self, derived: Context) -> Context:
        """Return both; where both speak of a key, this one's word counts."""
        unsaid = {key: each for key, each in derived.known.items() if self.values(key) is None}
        return Context(
            known={**unsaid, **self.known},
            absent=self.absent | (derived.absent - frozenset(self.known)),
        )


def context_of(
    known: Mapping[str, Said | Iterable[Said]] | None = None, *, absent: Iterable[str] = ()
) -> Context:
    """Return the context of these keys, a single value or several for each."""
    return Context(
        known={
            key.lower(): (value,) if isinstance(value, str | Every) else tuple(value)
            for key, value in (known or {}).items()
        },
        absent=frozenset(key.lower() for key in absent),
    )
