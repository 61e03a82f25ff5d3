"""Every test of the transport runs on asyncio's loop and on libuv's."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
import uvloop

from tests.doubles.scripted_server import ScriptedServer


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The two loops that the product runs in."""
    del config, item
    return {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """A server that does what the test's script says, connection by connection."""
    async with ScriptedServer.running() as running:
        yield running
