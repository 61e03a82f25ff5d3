"""A strict sandbox with clients of every service."""

from collections.abc import Iterator

import pytest

from backfill.sandbox.service import Sandbox
from tests.unit.sandbox.services.acts import Desk


@pytest.fixture
def desk() -> Iterator[Desk]:
    with Sandbox(seed=1, has_strict_accounts=True) as sandbox:
        desk = Desk(sandbox)
        yield desk
        desk.close()
