"""What holds for all tests of the wire."""

from collections.abc import Iterator

import pytest

from tests.doubles.known_models import models_read_once


@pytest.fixture(scope="session", autouse=True)
def models() -> Iterator[None]:
    """Let the hundreds of clients share what botocore ships."""
    with models_read_once():
        yield
