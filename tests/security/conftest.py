"""The command at work, as tests/e2e has it: with both clients wherever `through` is asked for."""

from tests.doubles.at_work import (
    command,
    destination_client,
    make_command,
    nursery,
    pytest_generate_tests,
    sandbox,
    source_client,
    world,
)

__all__ = [
    "command",
    "destination_client",
    "make_command",
    "nursery",
    "pytest_generate_tests",
    "sandbox",
    "source_client",
    "world",
]
