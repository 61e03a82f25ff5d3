"""Every test of the command runs with both clients, or says why not."""

import os
import re
import subprocess
import sys

from tests.doubles.clients import CLIENTS
from tests.doubles.command import ROOT
from tests.doubles.figures import LANE
from tests.doubles.one_client import ONE_CLIENT, SECOND_IN_RELEASE


def collected() -> dict[str, set[str]]:
    """Return the clients that the release lane runs each test of the command with, by name."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/e2e", "tests/crash"],
        cwd=ROOT,
        env={**os.environ, LANE: "release"},
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, set[str]] = {}
    for module, test, row in re.findall(
        r"/(\w+)\.py::(\w+)(?:\[(.*)\])?$", done.stdout, re.MULTILINE
    ):
        clients = found.setdefault(f"{module}::{test}", set())
        clients |= set(row.split("-")) & set(CLIENTS)
    return found


def _entry(name: str) -> str:
    """Return what a test would stand under in the list: its module, if all of that does."""
    module = name.partition("::")[0]
    return module if module in ONE_CLIENT else name


def test_each_test_of_the_command_runs_with_both_clients_or_says_why_not() -> None:
    """If this fails, a test goes by the default client alone, and nobody has said that it may."""
    found = collected()
    assert len(found) > 100, "of e2e and crash, all"
    alone = {name for name, clients in found.items() if clients != set(CLIENTS)}
    modules = {name.partition("::")[0] for name in found}
    listed = {entry for entry in ONE_CLIENT if entry.partition("::")[0] in modules}
    assert {_entry(name) for name in alone} == listed
    assert all(ONE_CLIENT.values()), "each with its reason"
    both = {name.partition("::")[0] for name in found.keys() - alone}
    assert both >= SECOND_IN_RELEASE.keys(), "who waits for the release lane has a second client"
