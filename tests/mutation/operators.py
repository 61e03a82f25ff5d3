"""What a mutant is: one small change of a module's syntax tree, and every one that a module has.

Changes nothing itself: a change is carried out in the process that dies of it (`judging`), on the
tree that all share until then. Left alone: docstrings, assertions, annotations, prose (strings with
a space), formatted strings, limits and sizes with a name, and what classes hold beside methods.
Law: the same source gives the same mutants, under the same names.
"""

import ast
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Function = ast.FunctionDef | ast.AsyncFunctionDef

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change. `statement` is where it is; `home` the outermost thing that is compiled anew."""

    place: str
    """The qualified name of the function or table."""
    operator: str
    home: ast.stmt
    statement: ast.stmt
    change: Callable[[], None]
    number: int
    """Which one of its operator in its place, from 0."""

    @property
    def name(self) -> str:
        """What it is called in lists; does not hang on line numbers."""
        return f"{self.place} {self.operator} {self.number}"


@dataclass(frozen=True, slots=True)
class _Site:
    operator: str
    statement: ast.stmt
    change: Callable[[], None]


def mutants(tree: ast.Module) -> list[Mutant]:
    """Return every mutant of a module."""
    found: list[Mutant] = []
    seen: Counter[tuple[str, str]] = Counter()
    for place, home in homes(tree):
        sites = _of_function(home) if isinstance(home, Function) else _of_table(home)
        for site in sites:
            number = seen[place, site.operator]
            seen[place, site.operator] += 1
            found.append(
                Mutant(
                    place=place,
                    operator=site.operator,
                    home=home,
                    statement=site.statement,
                    change=site.change,
                    number=number,
                )
            )
    return found


def digest(tree: ast.Module) -> str:
    """Return what changes with a module's code, and not with its comments or its layout."""
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]


def homes(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Yield every outermost function and every table (an assignment of a module), by name."""
    yield from _homes(tree.body, "", of_module=True)


def _homes(body: list[ast.stmt], prefix: str, *, of_module: bool) -> Iterator[tuple[str, ast.stmt]]:
    for node in body:
        if isinstance(node, Function):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _homes(node.body, f"{prefix}{node.name}.", of_module=False)
        elif of_module and (name := table_name(node)) is not None:
            yield name, node


def table_name(node: ast.stmt) -> str | None:
    """Return the name that an assignment gives to a value, None where it is none or has many."""
    match node:
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            pass
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            pass
        case _:
            return None
    if isinstance(value, ast.Subscript) or _is_figure(value):
        return None
    # What is written as a class is written is another name of a type.
    return name if name.isupper() or name.startswith("_") else None


def _is_figure(value: ast.expr) -> bool:
    """Return whether a value is one number: that a limit holds is tested, not that it is 16."""
    match value:
        case ast.Constant(value=number):
            return isinstance(number, int | float)
        case ast.BinOp(left=left, right=right):
            return _is_figure(left) and _is_figure(right)
        case _:
            return False


def statements(function: ast.stmt) -> Iterator[tuple[list[ast.stmt], int]]:
    """Yield every statement within a function, as its list and its place there."""
    for node in ast.walk(function):
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list):  # a lambda's and a conditional's are expressions
                yield from ((block, at) for at in range(len(block)))


def _of_function(function: Function) -> Iterator[_Site]:
    for default in _defaults(function.args):
        yield from _of_expressions(function, default)
    for block, at in list(statements(function)):
        statement = block[at]
        if isinstance(statement, ast.Assert) or _is_docstring(statement):
            continue
        yield from _of_statement(block, at)
        yield from _of_expressions(statement, _Root(statement))


def _defaults(arguments: ast.arguments) -> Iterator["_Root"]:
    yield _Root(arguments, ("defaults", "kw_defaults"))


def _of_table(statement: ast.stmt) -> Iterator[_Site]:
    assert isinstance(statement, ast.Assign | ast.AnnAssign), "a table is assigned"
    yield from _of_expressions(statement, _Root(statement, ("value",)))
    assert statement.value is not None, "a table has a value"
    for node in ast.walk(statement.value):
        yield from _less(statement, node)


def _less(statement: ast.stmt, node: ast.AST) -> Iterator[_Site]:
    """Yield a table without each one of its entries."""
    match node:
        case ast.Dict(keys=keys, values=values) if len(keys) > 1:
            for at in range(len(keys)):
                yield _Site("entry removed", statement, _removing(at, keys, values))
        case ast.Set(elts=entries) | ast.Tuple(elts=entries, ctx=ast.Load()) if len(entries) > 1:
            for at in range(len(entries)):
                yield _Site("entry removed", statement, _removing(at, entries))


def _removing(at: int, *lists: list[ast.expr] | list[ast.expr | None]) -> Callable[[], None]:
    def change() -> None:
        for one in lists:
            del one[at]

    return change


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _of_statement(block: list[ast.stmt], at: int) -> Iterator[_Site]:
    statement = block[at]

    def instead(new: ast.stmt) -> Callable[[], None]:
        return lambda: block.__setitem__(at, ast.copy_location(new, statement))

    match statement:
        case ast.Expr(value=ast.Yield(value=ast.expr()) as given):
            yield _Site("gives None", statement, lambda: setattr(given, "value", None))
        case ast.Expr(value=ast.YieldFrom()):
            none = ast.parse("yield from ()").body[0]
            yield _Site("gives nothing", statement, instead(none))
        case ast.Expr() | ast.AugAssign() | ast.Raise() | ast.Delete():
            yield _Site("statement removed", statement, instead(ast.Pass()))
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield _Site("statement removed", statement, instead(ast.Pass()))
        case ast.Return(value=ast.expr() as value) if not _is_nothing(value):
            none_said = ast.Return(value=ast.Constant(value=None))
            yield _Site("returns None", statement, instead(none_said))
        case ast.Continue():
            yield _Site("continue is break", statement, instead(ast.Break()))
        case ast.Break():
            yield _Site("break is continue", statement, instead(ast.Continue()))
        case ast.Match(cases=cases):
            yield from _of_cases(statement, cases)


def _of_cases(statement: ast.stmt, cases: list[ast.match_case]) -> Iterator[_Site]:
    for case in cases if len(cases) > 1 else ():
        yield _Site("case removed", statement, lambda case=case: cases.remove(case))  # type: ignore[misc]  # bound early
    for case in cases:
        if case.guard is not None:
            yield _Site("case unguarded", statement, lambda case=case: setattr(case, "guard", None))  # type: ignore[misc]  # as above


def _is_nothing(value: ast.expr) -> bool:
    """Return whether None says the same to whoever asks for a yes or a no."""
    return isinstance(value, ast.Constant) and not value.value


@dataclass(frozen=True, slots=True)
class _Root:
    """A node and the fields of it under which expressions are looked for."""

    node: ast.AST
    fields: tuple[str, ...] = ()


_BLOCKS = frozenset({"body", "orelse", "finalbody", "handlers", "cases", "annotation", "returns"})
_CHECKS = frozenset({"strict", "usedforsecurity"})
"""What a call is told so that it fails sooner: an assertion, left alone as those are."""
_KEPT = (ast.JoinedStr, ast.arguments)


def _of_expressions(statement: ast.stmt, root: _Root) -> Iterator[_Site]:
    """Yield the changes of expressions of one statement, nested statements left out."""
    for field, value in ast.iter_fields(root.node):
        if root.fields and field not in root.fields:
            continue
        is_block = isinstance(root.node, ast.stmt | ast.ExceptHandler) and field in _BLOCKS
        if isinstance(value, ast.AST) and not is_block:
            yield from _of_node(statement, root.node, field, None, value)
        elif isinstance(value, list) and (not is_block or field == "cases"):
            for at, one in enumerate(value):
                if isinstance(one, ast.match_case):
                    yield from _of_case(statement, one)
                elif isinstance(one, ast.AST) and not isinstance(one, ast.stmt):
                    yield from _of_node(statement, root.node, field, at, one)


def _of_case(statement: ast.stmt, case: ast.match_case) -> Iterator[_Site]:
    yield from _of_expressions(statement, _Root(case, ("pattern", "guard")))


def _of_node(
    statement: ast.stmt, parent: ast.AST, field: str, at: int | None, node: ast.AST
) -> Iterator[_Site]:
    if isinstance(node, _KEPT) or field in ("annotation", "returns", "decorator_list"):
        return
    if isinstance(node, ast.keyword) and node.arg in _CHECKS:
        return
    if isinstance(parent, ast.Call) and at == 0 and ast.unparse(parent.func) == "cast":
        return  # the name of a type, for nobody who runs

    def put(new: ast.AST) -> None:
        fresh = ast.copy_location(new, node)
        if at is None:
            setattr(parent, field, fresh)
        else:
            getattr(parent, field)[at] = fresh

    if field in ("test", "ifs") and isinstance(node, ast.expr) and not _is_opposed(node):
        negated = ast.UnaryOp(op=ast.Not(), operand=node)
        yield _Site("condition negated", statement, lambda: put(negated))
    match node:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield _Site("not removed", statement, lambda: put(operand))
        case ast.Constant(value=value):
            yield from _of_constant(statement, node, value)
            return
        case _:
            yield from _of_operators(statement, node)
    yield from _of_expressions(statement, _Root(node))


def _is_opposed(test: ast.expr) -> bool:
    """Return whether another operator turns a condition into its opposite anyway."""
    opposed = ast.Eq | ast.NotEq | ast.Is | ast.IsNot | ast.In | ast.NotIn
    is_not = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    return is_not or (isinstance(test, ast.Compare) and isinstance(test.ops[0], opposed))


def _of_operators(statement: ast.stmt, node: ast.AST) -> Iterator[_Site]:
    match node:
        case ast.Compare(ops=ops):
            for number, op in enumerate(ops):
                if type(op) in _COMPARISONS:
                    new = _COMPARISONS[type(op)]()
                    yield _Site("comparison", statement, _setting(ops, number, new))
        case ast.BoolOp(op=op):
            other = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield _Site("and or", statement, lambda: setattr(node, "op", other))
        case ast.BinOp(op=op) if type(op) in _ARITHMETIC and not _is_text(node):
            changed = _ARITHMETIC[type(op)]()
            yield _Site("arithmetic", statement, lambda: setattr(node, "op", changed))


def _setting(ops: list[ast.cmpop], number: int, new: ast.cmpop) -> Callable[[], None]:
    return lambda: ops.__setitem__(number, new)


def _is_text(node: ast.BinOp) -> bool:
    """Return whether a sum is one of texts or types, of which a difference only crashes."""
    sides = (node.left, node.right)
    is_type = isinstance(node.op, ast.BitOr) and any(map(_names_type, sides))
    return is_type or any(
        isinstance(side, ast.JoinedStr)
        or (isinstance(side, ast.Constant) and isinstance(side.value, str | bytes | type(None)))
        for side in sides
    )


def _names_type(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id[:1].isupper() and not node.id.isupper()


def _of_constant(statement: ast.stmt, node: ast.Constant, value: object) -> Iterator[_Site]:
    new: object
    match value:
        case bool():
            new = not value
        case int() | float():
            new = value + 1
        case str() if value and " " not in value:
            new = f"{value}XX"
        case bytes() if value:
            new = value + b"X"
        case _:
            return
    yield _Site("constant", statement, lambda: setattr(node, "value", new))
