"""Render docs/internals/CONTRACT.md from the cases and what they declare.

    python -m tests.contract.document        writes the page

It reads the test modules as data and runs nothing. `test_document.py` compares.
"""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, TypeGuard

from tests.contract.declarations import DIFFERS, ONLY, SERVERS

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "internals" / "CONTRACT.md"

_TOP = """\
# The contract: what our S3 and others do where Amazon S3 is documented to do something

Written by `python -m tests.contract.document`; a test compares it with the cases.

The suite in `tests/contract/` states behaviour of Amazon S3, one case each, in words of its own
(`vocabulary.py`), and puts every case to four servers: the reference model in process (`model`),
the sandbox over HTTP (`sandbox`), SeaweedFS, a real server on disk that the suite starts
(`seaweedfs`), and moto's server (`moto`). Sandbox and SeaweedFS get every case twice: from boto3,
and with its hot calls sent by the lean client. A case passes on the first two without exception.
Where one of the others is known to do something else, the case says so beside itself and is a
strict expected failure: the day the server does as S3 does, the suite fails and the line below
goes. Nothing is skipped.

It proves that the sandbox and its model mean the same, that most cases are met by servers which we
did not write, and how far each stand-in may be believed. It does not prove what AWS does: the cases
come from AWS's documentation and from answers of AWS that others recorded, and nobody has run them
on an account.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A test function of the suite."""

    name: str
    rows: tuple[str, ...]
    """Its table's IDs; empty without one."""
    servers: tuple[str, ...]
    because: str
    """Why not every server, where that is so."""
    differences: tuple[tuple[str, str, tuple[str, ...]], ...]
    """Server, what it does, and on which rows (none: all)."""

    @property
    def count(self) -> int:
        """Of cases: a table has one a row."""
        return len(self.rows) or 1

    @property
    def sentence(self) -> str:
        """The name as words."""
        return self.name.removeprefix("test_").replace("_", " ")


def topics() -> Iterator[tuple[ModuleType, list[Case]]]:
    """Every module of the suite that has cases for servers."""
    for path in sorted(HERE.glob("test_*.py")):
        module = import_module(f"tests.contract.{path.stem}")
        found = [_case(module, item) for item in vars(module).values() if _is_case(item)]
        if found:
            yield module, found


def _is_case(item: object) -> TypeGuard[FunctionType]:
    if not isinstance(item, FunctionType) or not item.__name__.startswith("test_"):
        return False
    return "s3" in inspect.signature(item).parameters


def _case(module: ModuleType, function: FunctionType) -> Case:
    whole = getattr(module, "pytestmark", [])
    marks = [*getattr(function, "pytestmark", []), *(whole if isinstance(whole, list) else [whole])]
    tables = [mark for mark in marks if mark.name == "parametrize"]
    assert len(tables) <= 1, "a case has one table"
    limits = [mark for mark in marks if mark.name == ONLY]
    return Case(
        name=function.__name__,
        rows=tuple(_row_name(row) for table in tables for row in table.args[1]),
        servers=limits[0].args if limits else SERVERS,
        because=limits[0].kwargs["because"] if limits else "",
        differences=tuple(
            (*mark.args, mark.kwargs["rows"]) for mark in reversed(marks) if mark.name == DIFFERS
        ),
    )


def _row_name(row: Any) -> str:
    name = getattr(row, "id", None)
    return str(row if name is None else name)


def render() -> str:
    """Write the whole page."""
    found = list(topics())
    cases = [case for _, group in found for case in group]
    lines = [_TOP, "## What is covered\n", "| topic | cases |", "| --- | ---: |"]
    for module, group in found:
        what = (module.__doc__ or "").partition("\n")[0]
        lines.append(f"| {what} | {sum(case.count for case in group)} |")
    lines.append(f"| **all** | **{sum(case.count for case in cases)}** |")
    lines.append("\n## Cases about what only some servers have\n")
    for because, servers in sorted({(case.because, case.servers) for case in cases}):
        if because:
            group = [case for case in cases if (case.because, case.servers) == (because, servers)]
            number = sum(case.count for case in group)
            lines.append(f"- {', '.join(servers)} ({number} cases): {because}.")
    for server in ("seaweedfs", "moto"):
        lines += ["", *_differences(server, cases)]
    return "\n".join(lines) + "\n"


def _differences(server: str, cases: list[Case]) -> Iterator[str]:
    rows = [
        (case, reason, on or case.rows)
        for case in cases
        for named, reason, on in case.differences
        if named == server
    ]
    asked = sum(case.count for case in cases if server in case.servers)
    unlike = sum(len(on) or 1 for _, _, on in rows)
    yield f"## Where {server} differs: {unlike} of {asked} cases\n"
    yield "| S3 | this server |"
    yield "| --- | --- |"
    for case, reason, on in rows:
        named = f" ({', '.join(on)})" if on and on != case.rows else ""
        yield f"| {case.sentence}{named} | {reason} |"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
