"""One screen, one idea: sizes that keep every piece readable at a glance."""

import ast
import statistics

from tests.architecture.house import modules

FUNCTION_LINES_MAX = 60
FUNCTION_LINES_P90 = 20
MODULE_LINES_MAX = 400


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function's body, its docstring left out."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not body:
        return 0
    end = body[-1].end_lineno
    assert end is not None, "parsed code has an end"
    return end - body[0].lineno + 1


def test_no_function_is_longer_than_a_screen() -> None:
    """If this fails, somebody must scroll to understand one step."""
    wrong = [
        f"{module.path}:{function.lineno}: {function.name} has {length(function)} lines"
        for module in modules()
        for function in module.functions()
        if length(function) > FUNCTION_LINES_MAX
    ]
    assert not wrong, "\n".join(wrong)


def test_nine_of_ten_functions_are_short() -> None:
    """If this fails, long functions have become the habit."""
    lengths = [length(function) for module in modules() for function in module.functions()]
    assert statistics.quantiles(lengths, n=10)[-1] <= FUNCTION_LINES_P90


def test_no_module_is_longer_than_a_chapter() -> None:
    """If this fails, a module holds two ideas."""
    wrong = [
        f"{module.path} has {lines} lines"
        for module in modules()
        if (lines := len(module.source.splitlines())) > MODULE_LINES_MAX
    ]
    assert not wrong, "\n".join(wrong)
