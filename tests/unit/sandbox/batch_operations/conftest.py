import pytest

from tests.unit.sandbox.batch_operations.works import Works
from tests.unit.sandbox.model.replicating import rule


@pytest.fixture
def works() -> Works:
    """Objects from before the rule: that is what Batch Replication is for."""
    return Works()


@pytest.fixture
def ruled(works: Works) -> Works:
    """A source with two old versions of `k`, and a rule to `near` made since."""
    works.put("k", b"one")
    works.put("k", b"two")
    works.configure(rule())
    return works
