"""What a case declares beside itself: where a server differs from AWS, and what only ours has.

Data, not behaviour: `conftest.py` turns it into strict expected failures, `document.py` into the
table of docs/internals/CONTRACT.md.
"""

from collections.abc import Mapping
from typing import Any, Literal, get_args

import pytest

Server = Literal["model", "sandbox", "seaweedfs", "moto"]
SERVERS: tuple[Server, ...] = get_args(Server)
"""The reference model in process, it over HTTP, a real server on disk, and a second opinion."""

LEAN_SERVERS: tuple[Server, ...] = ("sandbox", "seaweedfs")
"""Those that each case is put to a second time, its hot calls sent by the lean client."""
LEAN_MARK = "~lean"
"""Follows the server in the ID of such a case; what is known of a server holds there, too."""

DIFFERS = "differs"
ONLY = "only"


def differs(
    server: Literal["seaweedfs", "moto"], reason: str, *, rows: tuple[str, ...] = ()
) -> pytest.MarkDecorator:
    """Declare what a server does where S3 does what the case says. Ours may not differ.

    `rows` names rows of the case's table by their IDs; none means all of them.
    """
    mark: pytest.MarkDecorator = getattr(pytest.mark, DIFFERS)(server, reason, rows=rows)
    return mark


def only(*servers: Server, because: str) -> pytest.MarkDecorator:
    """Declare that a case is about what only these servers have."""
    mark: pytest.MarkDecorator = getattr(pytest.mark, ONLY)(*servers, because=because)
    return mark


def table(rows: Mapping[str, object]) -> list[Any]:
    """Parameters of a case out of rows by name."""
    return [pytest.param(row, id=name) for name, row in rows.items()]


def row_of(parameters_id: str, server: str) -> str:
    """The row that the ID of a collected case names; empty without a table."""
    assert parameters_id.startswith(server), "the server is the first parameter"
    return parameters_id[len(server) :].removeprefix(LEAN_MARK).removeprefix("-")
