"""What happened in a simulated run, in order: the only thing that checkers read beside its end.

Recorded where effects happen (the model, the wire, the process's own talk), never by the code under
test. Positions in `events` are the clock that checkers compare by; `at_s` is for people.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from backfill.sandbox.model.versions import DeleteMarker, Entry, ObjectVersion

Chain = tuple[Entry, ...]
"""A key's entries, newest first, as the model holds them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A chain changed. `source` is the source version that a write of a process carried.

    `parameters` are those of the request, for the writes of processes. `is_lost`: the process that
    sent it never got the answer.
    """

    at_s: float
    actor: str
    operation: str
    bucket: str
    key: str
    before: Chain
    after: Chain
    source: ObjectVersion | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_ours(self) -> bool:
        return self.actor.startswith("process")

    @property
    def made(self) -> Entry | None:
        """Return the entry that is new; None where one was removed for good."""
        known = {id(entry) for entry in self.before}
        return next((entry for entry in self.after if id(entry) not in known), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retagged:
    """A source version has other object tags now."""

    at_s: float
    version: ObjectVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A process sent a request; `fault` is what the nemesis did to it, empty for nothing."""

    at_s: float
    actor: str
    operation: str
    parameters: Mapping[str, object]
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A process was shown a page of versions, as things stood at position `seen`.

    The page covers every key with `prefix`, from `first` to `last` (None: to the end).
    """

    at_s: float
    actor: str
    bucket: str
    prefix: str
    first: str
    last: str | None
    seen: int

    def covers(self, key: str) -> bool:
        is_reached = self.last is None or key <= self.last
        return key.startswith(self.prefix) and self.first <= key and is_reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A process said that so many entries are done."""

    at_s: float
    actor: str
    done: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopened:
    """A process ended, and its journal on disk holds so many outcomes."""

    at_s: float
    actor: str
    outcomes: int
    ending: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """A process made an artefact durable."""

    at_s: float
    actor: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Damaged:
    """Somebody has damaged what the destination shows of a key, if it showed anything."""

    at_s: float
    key: str
    how: str


Event = Changed | Retagged | Sent | Listed | Counted | Reopened | Committed | Damaged


@dataclass(slots=True)
class History:
    """Everything of one run. `origins` are the chains before the first event, by bucket and key."""

    events: list[Event] = field(default_factory=list)
    origins: dict[tuple[str, str], Chain] = field(default_factory=dict)

    def changes(self, bucket: str) -> Iterator[tuple[int, Changed]]:
        """Give every change of a bucket and its position."""
        for position, event in enumerate(self.events):
            if isinstance(event, Changed) and event.bucket == bucket:
                yield position, event

    def written_by_us(self, bucket: str) -> Iterator[tuple[int, Changed]]:
        """Give every change that a process made."""
        return ((position, change) for position, change in self.changes(bucket) if change.is_ours)

    def last_reading(self, bucket: str, key: str, position: int, actor: str) -> int:
        """Return the position of the last state of a key that a process had been shown.

        A process that has not read the key relies on what an earlier one has put in the plan. A
        listing with another key as its prefix is a reading of that key alone: who settles `c` takes
        nothing from what the page shows of `c1`, and cannot stop what another task does there.
        """
        others = {name for _, name in self.origins if name != key}
        readings = [
            (event.actor == actor, event.seen)
            for event in self.events[:position]
            if isinstance(event, Listed)
            and event.bucket == bucket
            and event.covers(key)
            and event.prefix not in others
        ]
        own = [seen for is_own, seen in readings if is_own]
        return max(own) if own else min((seen for _, seen in readings), default=0)


def is_marker(entry: Entry | None) -> bool:
    """Return whether readers see the key deleted by this entry."""
    return isinstance(entry, DeleteMarker)
