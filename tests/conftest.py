"""What holds for all tests. Law: no test's result hangs on how fast a machine is."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.doubles.figures import Figures, tried
from tests.doubles.known_models import models_read_once

__all__ = ["tried"]

settings.register_profile(
    "unhurried",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("unhurried")

_FIGURES = pytest.StashKey[Figures]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that keeps the figures of a run."""
    parser.addoption("--figures", metavar="FILE", type=Path, help="write how much was tried")


def pytest_configure(config: pytest.Config) -> None:
    """Listen to what tests tell, in the process that hears all of them."""
    if config.getoption("--figures") is not None and not hasattr(config, "workerinput"):
        config.stash[_FIGURES] = Figures()
        config.pluginmanager.register(config.stash[_FIGURES], "figures")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Write what was told."""
    if _FIGURES in config.stash:
        config.stash[_FIGURES].write(config.getoption("--figures"))


@pytest.fixture(scope="session", autouse=True)
def known_models() -> Iterator[None]:
    """Let the hundreds of clients share what botocore ships."""
    with models_read_once():
        yield
