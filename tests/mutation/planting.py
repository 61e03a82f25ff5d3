"""How a changed syntax tree becomes the product that is running: code of functions is exchanged.

Whoever has imported a function has the function object, so exchanging its code reaches everybody.
Tables (assignments of a module) are evaluated anew, with those that were made of them, and put
wherever the old value is known by its name. Never touches a file.
Law: what cannot be planted is not a mutant: `PlantingError`, and nobody counts it.
"""

import ast
import builtins
import copy
import functools
import gc
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, ModuleType

from tests.mutation.operators import Mutant, homes, statements, table_name

_HIT = "__mutation_hit__"


class PlantingError(Exception):
    """A change that Python does not take, or that stands where nothing is run from."""


class Planted:
    """One module of the product, its tree, and the functions that are made of it."""

    def __init__(self, module: ModuleType) -> None:
        assert module.__file__ is not None, "a module of the product is a file"
        self.module = module
        self._filename = module.__file__
        with open(module.__file__, encoding="utf-8") as file:  # noqa: PTH123 - as Python does
            self.source = file.read()
        self.tree = ast.parse(self.source)
        self._keys: dict[tuple[str, int], list[FunctionType]] = defaultdict(list)
        for found in gc.get_objects():
            if type(found) is FunctionType and found.__code__.co_filename == self._filename:
                code = found.__code__
                self._keys[code.co_qualname, code.co_firstlineno].append(found)
        self._own = {
            function: function.__code__
            for functions in self._keys.values()
            for function in functions
        }

    def watch(self, first: int) -> int:
        """Have every statement of every function tell that it is run; return the next number.

        Numbers go from `first`, and are left on the tree's statements as `hit`.
        """
        for _, home in homes(self.tree):
            if table_name(home) is None:
                for block, at in statements(home):
                    block[at].hit = first  # type: ignore[attr-defined]  # a note of our own
                    first += 1
        watching = copy.deepcopy(self.tree)
        for _, home in homes(watching):
            if table_name(home) is None:
                _tell(home)
        self._exchange(watching)
        return first

    def unwatch(self) -> None:
        """Have the product's own code back."""
        for function, code in self._own.items():
            function.__code__ = code

    def plant(self, mutant: Mutant) -> None:
        """Change the running product; there is no way back but to end this process."""
        try:
            mutant.change()
            name = table_name(mutant.home)
            if name is not None:
                self._retell(name, mutant.home)
            else:
                self._exchange(self.tree, only=mutant.home)
        except (ValueError, TypeError, SyntaxError, KeyError, NameError, AttributeError) as error:
            raise PlantingError(f"{mutant.name}: {error}") from error

    def _exchange(self, tree: ast.Module, only: ast.stmt | None = None) -> None:
        ast.fix_missing_locations(tree)
        codes = dict(_functions(compile(tree, self._filename, "exec", dont_inherit=True)))
        planted = 0
        for key, functions in self._keys.items():
            if key not in codes or (only is not None and not _is_at(only, key)):
                continue
            for function in functions:
                function.__code__ = codes[key]
                planted += 1
        if only is not None:
            if not planted:
                raise PlantingError(f"{self.module.__name__}: nobody has it")
            self._redefault(only)

    def _redefault(self, home: ast.stmt) -> None:
        """Evaluate the defaults of a function anew."""
        assert isinstance(home, ast.FunctionDef | ast.AsyncFunctionDef), "tables have none"
        names = vars(self.module)
        for key, functions in self._keys.items():
            if not _is_at(home, key):
                continue
            plain = tuple(_value(one, names) for one in home.args.defaults)
            pairs = zip(home.args.kwonlyargs, home.args.kw_defaults, strict=True)
            by_word = {arg.arg: _value(one, names) for arg, one in pairs if one is not None}
            for function in functions:
                if plain:
                    function.__defaults__ = plain
                if by_word:
                    function.__kwdefaults__ = by_word

    def _retell(self, name: str, home: ast.stmt) -> None:
        """Give a table its new value everywhere, and all later tables that are made of it."""
        changed = {name}
        is_later = False
        for node in self.tree.body:
            is_later |= node is home
            own = table_name(node)
            if not is_later or own is None or isinstance(node, ast.expr):
                continue
            assert isinstance(node, ast.Assign | ast.AnnAssign), "tables are assigned"
            assert node.value is not None, "a table has a value"
            read = {one.id for one in ast.walk(node.value) if isinstance(one, ast.Name)}
            if node is home or read & changed:
                changed.add(own)
                self._give(own, _value(node.value, vars(self.module)))

    def _give(self, name: str, value: object) -> None:
        old = vars(self.module)[name]
        for module in list(sys.modules.values()):
            held = getattr(module, "__dict__", {})
            if held.get(name) is old and module.__name__.startswith(("backfill", "tests")):
                held[name] = value


def caches() -> list["functools._lru_cache_wrapper[object]"]:
    """Return every cache of results of functions: they hold what the whole product made."""
    return [found for found in gc.get_objects() if isinstance(found, functools._lru_cache_wrapper)]


def watching(hits: set[int]) -> None:
    """Let watched statements tell their numbers to `hits`."""
    setattr(builtins, _HIT, hits.add)


def _tell(function: ast.stmt) -> None:
    blocks = {id(block): block for block, _ in statements(function)}
    for block in blocks.values():
        block[:] = [new for old in block for new in (_telling(old), old)]


def _telling(statement: ast.stmt) -> ast.stmt:
    number = getattr(statement, "hit")  # noqa: B009 - a note of our own
    tell = ast.Call(
        func=ast.Name(id=_HIT, ctx=ast.Load()), args=[ast.Constant(number)], keywords=[]
    )
    return ast.copy_location(ast.Expr(value=tell), statement)


def _functions(code: CodeType) -> Iterator[tuple[tuple[str, int], CodeType]]:
    for held in code.co_consts:
        if isinstance(held, CodeType):
            yield (held.co_qualname, held.co_firstlineno), held
            yield from _functions(held)


def _is_at(home: ast.stmt, key: tuple[str, int]) -> bool:
    """Return whether a function's code begins where a definition does, decorators included."""
    assert isinstance(home, ast.FunctionDef | ast.AsyncFunctionDef), "tables have no code"
    first = min([home.lineno, *(one.lineno for one in home.decorator_list)])
    return key[1] == first and key[0].rpartition(".")[2] == home.name


def _value(expression: ast.expr, names: dict[str, object]) -> object:
    evaluated: Callable[..., object] = eval
    whole = ast.fix_missing_locations(ast.Expression(expression))
    return evaluated(compile(whole, "<mutant>", "eval", dont_inherit=True), names)
