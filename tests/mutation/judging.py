"""Who catches a mutant: a pytest session that stays warm, and forks itself for each of them.

Every chosen test runs once while the product tells which statements it runs; then each mutant is
planted in a child of its own, which runs tests that reach its statement, one case of each first,
until one fails. Which they are never depends on how fast a machine is. Properties try few
examples, always the same, and shrink nothing.
Law: a mutant whose tests did not run is not caught; one that Python refuses is none.
"""

import ast
import functools
import gc
import importlib
import os
import resource
import select
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import Phase, settings

from tests.mutation.operators import Mutant, digest, mutants, table_name
from tests.mutation.planting import Planted, PlantingError, caches, watching

EXAMPLES_MAX = 25
"""Of a property, for each mutant. A release of the product tries thousands; here minutes count."""
TESTS_MAX = 60
"""Tests that one mutant gets when none fails; others are not run for it, and it may be said to live
though they would catch it. The release lane has ten times as many."""
DEAR_S = 0.25
"""Of the tests that a mutant gets, those that take more CPU run last: who catches it may hang on
the machine, whether it is caught does not."""
SPARE_S, SLOW_FACTOR = 5, 8.0
"""A mutant hangs that takes so many times the CPU that its tests took without it, and some spare:
far from what a slow test may take, and a limit that ends early would only count it as caught."""
HUNG_S = 120.0
"""A child that waits for something that never comes uses no CPU: then this ends it."""
MEMORY_BYTES = 3 << 30
_CAUGHT, _LIVES, _INVALID = 0, 1, 2


@dataclass(slots=True)
class Tally:
    """What became of the mutants of one module."""

    module: str
    digest: str
    possible: int = 0
    tried: int = 0
    caught: int = 0
    by_time: int = 0
    """Of those caught, how many only by the limit of time or memory."""
    unreached: int = 0
    """Of those that live, how many no test reaches."""
    equivalent: int = 0
    invalid: int = 0
    lives: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A module, and how many of its mutants are to be tried; None: all."""

    module: str
    sample: int | None


class Session:
    """The plugin that runs instead of pytest's own loop."""

    def __init__(
        self, wanted: Iterable[Wanted], equivalents: frozenset[str], tests_max: int
    ) -> None:
        self._wanted = list(wanted)
        self._equivalents = equivalents
        self._tests_max = tests_max
        self._hits: set[int] = set()
        self._reaching: dict[int, list[int]] = defaultdict(list)
        self._sound: set[int] = set()
        self._items: list[pytest.Item] = []
        self._cpu_s: list[float] = []
        self._caches: list[functools._lru_cache_wrapper[object]] = []
        self.broken: list[str] = []
        self.tallies: list[Tally] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try the mutants of every wanted module."""
        self._items = [item for item in session.items if _is_quick(item)]
        watching(self._hits)
        planted = [Planted(importlib.import_module(wanted.module)) for wanted in self._wanted]
        number = 0
        for one in planted:
            number = one.watch(number)
        self._warm_up()
        for one in planted:
            one.unwatch()
        self._caches = caches()
        gc.freeze()  # a child copies no page only because its objects are counted
        for wanted, one in zip(self._wanted, planted, strict=True):
            self.tallies.append(self._tried(wanted, one))
        return True

    def _warm_up(self) -> None:
        for at, item in enumerate(self._items):
            _calm(item)
            following = self._items[at + 1] if at + 1 < len(self._items) else None
            self._hits.clear()
            before = time.process_time()
            reports = runtestprotocol(item, log=False, nextitem=following)
            self._cpu_s.append(time.process_time() - before)
            if any(report.failed for report in reports):
                self.broken.append(item.nodeid)
            else:
                self._sound.add(at)
                for hit in self._hits:
                    self._reaching[hit].append(at)

    def _tried(self, wanted: Wanted, planted: Planted) -> Tally:
        every = mutants(planted.tree)
        code = digest(planted.tree)
        tally = Tally(module=wanted.module, digest=code, possible=len(every))
        for mutant in _sample(every, wanted.sample, code):
            line = mutant.statement.lineno
            name = f"{wanted.module} {mutant.name}"
            if name in self._equivalents:
                tally.equivalent += 1
                continue
            tests = self._tests_of(mutant, planted)
            verdict, by_time = self._judged(mutant, planted, tests) if tests else (_LIVES, False)
            if verdict == _INVALID:
                tally.invalid += 1
                continue
            tally.tried += 1
            if verdict == _CAUGHT:
                tally.caught += 1
                tally.by_time += by_time
            else:
                tally.unreached += not tests
                where = "unreached" if not tests else f"{len(tests)} tests"
                tally.lives.append(f"{name} | line {line} | {where} | {_shown(mutant)}")
        return tally

    def _tests_of(self, mutant: Mutant, planted: Planted) -> list[int]:
        """Return the tests that reach a mutant, as many as it may have: one case of each first."""
        is_table = table_name(mutant.home) is not None
        if not is_table:
            # A default is read where the function is called, so by whoever gets into it.
            own = [mutant.statement] if hasattr(mutant.statement, "hit") else mutant.home.body[-1:]  # type: ignore[attr-defined]  # a function
            reached = own if mutant.statement is not mutant.home else _first(mutant.home)
        else:
            reached = _reading(planted.tree, table_name(mutant.home) or "")
        found = {at for one in reached for at in self._reaching[getattr(one, "hit", -1)]}
        if is_table:
            found |= self._reading_itself(table_name(mutant.home) or "", planted)
        if not found and is_table:  # others read it, under its name; a test itself, maybe
            found = self._sound
        mine = self._by_turns(found, planted.module.__name__)[: self._tests_max]
        return sorted(mine, key=lambda at: self._cpu_s[at] > DEAR_S)

    def _reading_itself(self, table: str, planted: Planted) -> set[int]:
        """Return the tests whose file imports a table: they may hold it to what it should be."""
        home = vars(planted.module)
        return {
            at
            for at in self._sound
            for held in [vars(getattr(self._items[at], "module", None) or object)]
            if table in held and table in home and held[table] is home[table]
        }

    def _by_turns(self, found: set[int], module: str) -> list[int]:
        """Return tests in an order of names alone: first cases first, a module's own tests ahead.

        By turns, for a table of two hundred cases would leave no room for other tests.
        """
        own = f"test_{module.rpartition('.')[2]}"
        turns = Counter[str]()
        order: list[tuple[int, bool, str, int]] = []
        for name, at in sorted((self._items[at].nodeid, at) for at in found):
            function = name.partition("[")[0]
            is_elsewhere = not self._items[at].path.stem.startswith(own)
            order.append((turns[function], is_elsewhere, name, at))
            turns[function] += 1
        return [at for *_, at in sorted(order)]

    def _judged(self, mutant: Mutant, planted: Planted, tests: list[int]) -> tuple[int, bool]:
        limit_s = int(SPARE_S + SLOW_FACTOR * sum(self._cpu_s[at] for at in tests))
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            os._exit(self._as_mutant(mutant, planted, tests, limit_s))
        os.close(write)
        has_ended = bool(select.select([read], [], [], HUNG_S + 5 * limit_s)[0])
        os.close(read)
        if not has_ended:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            return os.WEXITSTATUS(status), False
        return _CAUGHT, True

    def _as_mutant(self, mutant: Mutant, planted: Planted, tests: list[int], limit_s: int) -> int:
        """In the child: return what became of the mutant."""
        gc.disable()  # a collection writes to every page, and the child would copy them all
        resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s + 5))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(BaseException):
            try:
                planted.plant(mutant)
            except PlantingError:
                return _INVALID
            for cache in self._caches:
                cache.cache_clear()
            for place, at in enumerate(tests):
                following = self._items[tests[place + 1]] if place + 1 < len(tests) else None
                reports = runtestprotocol(self._items[at], log=False, nextitem=following)
                if any(report.failed for report in reports):
                    return _CAUGHT
            return _LIVES
        return _CAUGHT


def _sample(every: list[Mutant], many: int | None, code: str) -> list[Mutant]:
    """Return so many mutants, the same ones for the same code."""
    if many is None or many >= len(every):
        return every
    numbers = sorted(Random(code).sample(range(len(every)), many))
    return [every[number] for number in numbers]


def _first(home: ast.stmt) -> list[ast.stmt]:
    body = getattr(home, "body", [])
    return list(body[:2])


def _reading(tree: ast.Module, name: str) -> Iterator[ast.stmt]:
    """Yield the statements of functions that read a table, or one that is made of it."""
    names = {name}
    for node in tree.body:
        own = table_name(node)
        if own is not None and names & _names(node):
            names.add(own)
    for statement in ast.walk(tree):
        if hasattr(statement, "hit") and names & _names(statement):
            assert isinstance(statement, ast.stmt), "statements are watched"
            yield statement


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _shown(mutant: Mutant) -> str:
    """Return what a mutant's statement was; the change is made in children alone."""
    lines = ast.unparse(mutant.statement).splitlines()
    return lines[0][:110] if lines else ""


def _is_quick(item: pytest.Item) -> bool:
    """Return whether a test may run many times in forks: it starts no process or server."""
    return isinstance(item, pytest.Function)


def _calm(item: pytest.Item) -> None:
    """Let a property try few examples, the same ones each time."""
    function = getattr(item, "obj", None)
    function = getattr(function, "__func__", function)
    own = getattr(function, "_hypothesis_internal_use_settings", None)
    if function is None or own is None:
        return
    calm = settings(
        own,
        max_examples=min(EXAMPLES_MAX, own.max_examples),
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
    )
    function._hypothesis_internal_use_settings = calm
