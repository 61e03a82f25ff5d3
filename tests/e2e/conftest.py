"""End to end through the command."""

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
