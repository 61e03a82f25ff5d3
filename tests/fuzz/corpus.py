"""Inputs that are tried again for ever: what once broke a parser, and what led a fuzzer on.

One file a parser, one input a line, in the escapes of Python's bytes, so that a person can read
them and a difference shows. Never holds a valid document: those are the parsers' specimens.
Law: what `keep` wrote, `kept` reads.
"""

import ast
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"
INPUT_BYTES_MAX = 8_192
"""What is longer is no example for a person; a repetition stands for it (`b"[" * 5000`)."""


def kept(name: str) -> list[bytes]:
    """Return the inputs of a parser; none where there is no file."""
    path = FOLDER / f"{name}.txt"
    if not path.exists():
        return []
    lines = path.read_text(encoding="ascii").splitlines()
    return [_input(line) for line in lines if line and not line.startswith("#")]


def keep(name: str, inputs: Iterable[bytes], *, why: str) -> None:
    """Add inputs to a parser's file, those that are not there yet."""
    known = set(kept(name))
    lines = [repr(each) for each in dict.fromkeys(inputs) if each not in known]
    if lines:
        FOLDER.mkdir(exist_ok=True)
        with (FOLDER / f"{name}.txt").open("a", encoding="ascii") as file:
            file.write("\n".join((f"# {why}", *lines, "")))


def _input(line: str) -> bytes:
    """Return the bytes of a literal, or of literals joined by `+`, each perhaps with `* N`."""
    pieces = []
    for term in _terms(ast.parse(line, mode="eval").body):
        match term:
            case ast.Constant(value=bytes(piece)):
                pieces.append(piece)
            case ast.BinOp(
                left=ast.Constant(value=bytes(piece)),
                op=ast.Mult(),
                right=ast.Constant(value=int(times)),
            ):
                pieces.append(piece * times)
            case _:
                raise AssertionError(f"no input: {line}")
    return b"".join(pieces)


def _terms(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [*_terms(node.left), *_terms(node.right)]
    return [node]
