"""Makes a failing history small: the same promise, broken by less.

A scenario is made simpler piece by piece: keys go (what is left keeps the past that it had), then
interruptions, writes, worlds out of the ordinary, and the nemesis' strikes one by one. A step
stands if the same promise is still broken after it; a smaller scenario is a world of its own, so
nothing else needs to go as it did. Where many keys stay, worlds of a few keys are drawn anew. It
ends when no step stands any more, or its runs are used up.
Law: a history is shown as smaller only after it has been played and judged again.
"""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import Enum

from backfill.model.escaping import visible_text
from backfill.sandbox.model.batch_operations.settings import BatchSettings
from backfill.sandbox.model.replication.settings import Placement
from backfill.sandbox.simulation.nemesis import CALM, LEVELS, Level
from tests.simulation.checkers import Promise, Violation
from tests.simulation.kinds import Kind
from tests.simulation.runs import Run
from tests.simulation.scenario import Scenario

RUNS_MAX = 300
"""Runs that a search may take: half a minute of copies, a minute of jobs."""
FEW, DRAWS = 3, 20
"""Keys of a world that is drawn anew, and how often one is: in all less than a run of many keys."""
TOLD_MAX = 20
"""Violations that a failing test names before it shows one history."""

SIMPLEST: Mapping[str, object] = {
    "placement": Placement.ARRIVAL,
    "lag_s": (0.0, 0.05),
    "prefix": "",
    "storage_class": "",
    "page_max": 1000,
    "rows_max": 1000,
    "is_role_trusted": True,
    "token_memory_s": float("inf"),
    "listing_lag_s": 0.0,
    "report_lag_s": 0.0,
    "zombie_s": 0.0,
}
"""The plainest value of fields whose type does not tell it. The order is one that stays possible:
whoever is listed late must be remembered first."""
HELD = frozenset(
    {
        *("seed", "keys", "past_keys", "interruptions", "strikes"),  # have steps of their own
        *("level", "lag_s"),  # strikes are numbered; a lag is one thing, not a list
        *("has_rule", "is_quiet", "is_plain_past"),  # what others may do hangs on them
    }
)


_replaced: Callable[..., Scenario] = replace
"""Fields by names that only the table above knows; each value is of its field's type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """A history that is as small as it was found, and what it still breaks."""

    kind: Kind
    whole: Scenario
    scenario: Scenario
    run: Run
    violation: Violation
    runs: int
    """How many runs it took."""

    def lines(self) -> list[str]:
        """Return it as a table, with what it has become smaller by and how to see it again."""
        lines = list(self.kind.lines(self.run, ""))
        lines += [f"smaller than seed {self.whole.seed}, after {self.runs} runs, by:"]
        for name in changes(self.whole, self.scenario):
            before, after = (_shown(getattr(one, name)) for one in (self.whole, self.scenario))
            lines.append(f"  {name:20} {before} -> {after}")
        return [*lines, f"again: {self.command()}"]

    def command(self) -> str:
        """Return the words that play it again."""
        drawn = self.kind.draw(self.scenario.seed)
        words = json.dumps(changes(drawn, self.scenario))
        return f"{self.kind.command(self.scenario.seed)} --with {shlex.quote(words)}"


def shrunk(
    kind: Kind, scenario: Scenario, promise: Promise, *, runs_max: int = RUNS_MAX
) -> Shrunk | None:
    """Return the smallest history found that breaks a promise; None if the scenario keeps it."""
    search = _Search(kind, scenario, promise, runs_max)
    if not search.holds(scenario):
        return None
    search.exhaust()
    run = kind.play(search.best)
    found = next(one for one in kind.broken(run) if one.promise is promise)
    return Shrunk(
        kind=kind, whole=scenario, scenario=search.best, run=run, violation=found, runs=search.runs
    )


class _Search:
    """The smallest scenario so far, and what is tried to make it smaller."""

    def __init__(self, kind: Kind, whole: Scenario, promise: Promise, runs_max: int) -> None:
        self._kind = kind
        self._whole = whole
        self._promise = promise
        self._key = ""
        self._runs_max = runs_max
        self.best = whole
        self.runs = 0
        self._strikes_drawn = 0

    def exhaust(self) -> None:
        """Take every step until none stands any more."""
        before = None
        while before != self.best and self.runs < self._runs_max:
            before = self.best
            self._fewer("keys")
            self._fewer("interruptions")
            self._plainer()
            self._fewer_strikes()
            if before == self.best:
                self._drawn_anew()

    def holds(self, candidate: Scenario) -> bool:
        """Return whether the promise is broken here too; then this is the smallest so far."""
        if self.runs >= self._runs_max:
            return False
        self.runs += 1
        try:
            run = self._kind.play(candidate)
            found = [one for one in self._kind.broken(run) if one.promise is self._promise]
        except Exception:  # noqa: BLE001 - choices that do not go together make no smaller history
            return False
        if found:
            self.best, self._strikes_drawn = candidate, run.nemesis.drawn
            self._key = found[0].key
        return bool(found)

    def _takes(self, **chosen: object) -> bool:
        return self.holds(with_choices(self.best, chosen))

    def _fewer(self, name: str) -> None:
        """Leave out stretches of a list: all of it, halves, quarters, single ones."""
        items: tuple[object, ...] = getattr(self.best, name)
        size = len(items)
        while size:
            at = 0
            while at < len(items):
                left = items[:at] + items[at + size :]
                if (left or name != "keys") and self._takes(**{name: left}):
                    items = left
                else:
                    at += size
            size //= 2

    def _fewer_strikes(self) -> None:
        if self.best.strikes is None:
            self.best = replace(self.best, strikes=tuple(range(self._strikes_drawn)))
        self._fewer("strikes")
        if not self.best.strikes:
            self.best = replace(self.best, strikes=None, level=CALM)

    def _drawn_anew(self) -> None:
        """Let another seed fill the same choices, with few keys: such runs take next to nothing."""
        names = sorted(self._whole.keys, key=lambda key: key != self._key)
        for count in range(1, min(FEW, len(self.best.keys) - 1) + 1):
            keys = tuple(sorted(names[:count]))
            for seed in range(DRAWS):
                few = replace(self._whole, keys=keys, past_keys=(), seed=seed)
                if self.holds(few):
                    return

    def _plainer(self) -> None:
        for name, plain in SIMPLEST.items():
            if getattr(self.best, name, plain) != plain:
                self._takes(**{name: plain})
        for field in fields(self.best):
            if field.name not in HELD and field.name not in SIMPLEST:
                self._plain(field.name, getattr(self.best, field.name))

    def _plain(self, name: str, value: object) -> None:
        """Switch off, or make less of, what the type of a field says how to."""
        match value:
            case True:
                self._takes(**{name: False})
            case tuple() if value:
                self._fewer(name)
            case float() if value and name.endswith("_share"):
                self._takes(**{name: 0.0})
            case int() if value and not name.endswith("_max") and not self._takes(**{name: 0}):
                self._least(name, value)

    def _least(self, name: str, enough: int) -> None:
        """Find a number between nought, which is too little, and one that is enough."""
        too_few = 0
        while enough - too_few > 1:
            middle = (enough + too_few) // 2
            if self._takes(**{name: middle}):
                enough = middle
            else:
                too_few = middle


def with_choices(scenario: Scenario, chosen: Mapping[str, object]) -> Scenario:
    """Return a scenario with other choices, as they are or as `changes` writes them.

    Fewer keys keep the past that they had. Raises ValueError for what is no choice.
    """
    known = {field.name for field in fields(scenario)}
    if unknown := sorted(chosen.keys() - known):
        raise ValueError(f"not chosen by a seed: {', '.join(unknown)}")
    read = {name: _read(getattr(scenario, name), value) for name, value in chosen.items()}
    if "keys" in read:
        read.setdefault("past_keys", scenario.past_keys or scenario.keys)
    return _replaced(scenario, **read)


def changes(whole: Scenario, smaller: Scenario) -> dict[str, object]:
    """Return the choices of a smaller scenario that a seed does not make, fit for JSON."""
    names = [field.name for field in fields(whole) if field.name != "past_keys"]
    return {
        name: _written(getattr(smaller, name))
        for name in names
        if getattr(smaller, name) != getattr(whole, name)
    }


def _written(value: object) -> object:
    if isinstance(value, Level):
        return value.name
    if isinstance(value, BatchSettings):
        usual = BatchSettings()
        named = {field.name: getattr(value, field.name) for field in fields(value)}
        return {name: one for name, one in named.items() if one != getattr(usual, name)}
    return value


def _read(like: object, value: object) -> object:
    match value:
        case str() if isinstance(like, Level):
            return next(level for level in LEVELS if level.name == value)
        case dict() if isinstance(like, BatchSettings):
            return BatchSettings(**value)
        case list() | tuple():
            return tuple(_read(None, one) for one in value)
        case _:
            return type(like)(value) if isinstance(like, Enum) else value


def _shown(value: object) -> str:
    match value:
        case tuple() if len(value) > 3:
            return f"{len(value)} of them"
        case Level():
            return value.name
        case None:
            return "all"
        case _:
            return visible_text(str(value))


def story(kind: Kind, broken: Mapping[int, Sequence[Violation]]) -> str:
    """Tell what seeds broke, and show the first of them as small as it gets.

    For the message of a failing test: it takes as many runs as `RUNS_MAX` allows.
    """
    lines = [f"{kind.command(seed)}: {one}" for seed, found in broken.items() for one in found]
    lines[TOLD_MAX:] = [f"... {len(lines) - TOLD_MAX} more"] * (len(lines) > TOLD_MAX)
    for seed, found in list(broken.items())[:1]:
        smaller = shrunk(kind, kind.draw(seed), found[0].promise)
        lines += (
            smaller.lines() if smaller else [f"{kind.command(seed)} keeps it when played alone"]
        )
    return "\n".join(lines)
