"""The generator of hostile histories, and the model that it is written into, of one mind."""

import pytest

from backfill.sandbox.model import raw_edits
from backfill.sandbox.model.versions import DeleteMarker
from backfill.sandbox.service import SOURCE, Sandbox
from tests.doubles.old_world import OldWorld, caller_of
from tests.doubles.version_histories import Delete, hostile_history, write_into

Seen = tuple[bool, bool, int]
"""Whether it is a marker, whether its version ID is `null`, and its size in bytes."""


@pytest.mark.parametrize("versions", [1, 2, 40, 1_500])
def test_a_history_has_exactly_the_versions_that_were_asked_for(versions: int) -> None:
    """If this fails, a test that says 20,000 versions is about some other number."""
    history = hostile_history(seed=versions, versions=versions)
    assert history.versions == versions
    assert history == hostile_history(seed=versions, versions=versions)


def test_the_sandbox_keeps_of_a_history_what_the_documentation_says() -> None:
    """If this fails, suspended versioning of the sandbox is not S3's, or the generator's is not."""
    history = hostile_history(seed=7, versions=1_500, large_uploads=1)
    world = OldWorld(Sandbox(seed=11), "histories")
    with world.sandbox.held() as model:
        write_into(model, caller_of(SOURCE), world.source, history)
        kept: dict[str, list[Seen]] = {}
        for entry in raw_edits.snapshot(model, world.source):
            is_marker = isinstance(entry, DeleteMarker)
            size = 0 if isinstance(entry, DeleteMarker) else entry.size_bytes
            # A snapshot stands newest first.
            kept.setdefault(entry.key, []).insert(0, (is_marker, entry.version_id == "null", size))
    expected: dict[str, list[Seen]] = {
        key: [
            (isinstance(each.step, Delete), each.is_null, _size_bytes(each.step)) for each in chain
        ]
        for key, chain in history.chains().items()
    }
    assert kept == expected
    kinds = {(is_marker, is_null) for chain in kept.values() for is_marker, is_null, _ in chain}
    assert len(kinds) == 4, "markers and objects, null and not"
    assert any(all(marker for marker, _, _ in chain) for chain in kept.values())


def _size_bytes(step: object) -> int:
    return len(getattr(step, "body", b""))
