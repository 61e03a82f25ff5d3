"""What two listings of one key say about each other, case by case."""

from datetime import timedelta
from typing import Any

import pytest

from backfill.model.objects import ETag, VersionId
from backfill.plan.chains import Identity, IndexedChain, Standing, identity_at, standing_of
from tests.doubles.planning import HORIZON, marker, version

NOW = version("k", "v3", "e3", 30, is_latest=True)
MIDDLE = version("k", "v2", "e2", 20)
OLDEST = version("k", "v1", "e1", 10)
MARKER = marker("k", "m1")
NULL = version("k", "null", "e3", 30, is_latest=True)
CHAIN = IndexedChain.of([NOW, MIDDLE, MARKER, OLDEST])


def changed(entry: Any, **changes: Any) -> Any:
    return entry._replace(**changes)


def named(entry: Any, name: str) -> Any:
    return entry._replace(version_id=VersionId(name))


def test_a_chain_is_indexed_by_its_ids_and_its_older_contents() -> None:
    """If this fails, what is noncurrent counts as unknown, or what is current as old."""
    assert CHAIN.current == NOW
    assert CHAIN.older_contents == {("e2", 20), ("e1", 10)}
    assert CHAIN.identified(MARKER) == MARKER
    assert CHAIN.identified(named(NOW, "v9")) is None
    assert IndexedChain.of([NULL]).identified(NULL) is None
    assert IndexedChain.of([]).current is None


@pytest.mark.parametrize(
    ("mine", "theirs", "identity"),
    [
        (NOW, [], Identity.ABSENT),
        (NOW, [MIDDLE], Identity.ABSENT),
        (NOW, [NOW], Identity.HELD),
        (NOW, [MIDDLE, NOW], Identity.HELD),
        (NOW, [changed(NOW, etag=ETag("f"))], Identity.HELD_OTHER_ETAG),
        (NOW, [changed(NOW, size_bytes=31)], Identity.DAMAGED),
        (NOW, [changed(NOW, size_bytes=31, etag=ETag("f"))], Identity.DAMAGED),
        (NOW, [named(MARKER, "v3")], Identity.DAMAGED),
        (MARKER, [named(NOW, "m1")], Identity.DAMAGED),
        (MARKER, [MARKER], Identity.HELD),
        (NULL, [NULL], Identity.NULL_PAIR),
        (NULL, [changed(NULL, etag=ETag("f"))], Identity.ABSENT),
        (NULL, [changed(NULL, size_bytes=31)], Identity.ABSENT),
        (NULL, [named(MARKER, "null")], Identity.ABSENT),
        (named(MARKER, "null"), [named(MARKER, "null")], Identity.ABSENT),
    ],
)
def test_a_version_is_held_by_its_id(mine: Any, theirs: list[Any], identity: Identity) -> None:
    """If this fails, a version is delivered twice, or counts as delivered and is another."""
    assert identity_at(mine, IndexedChain.of(theirs)) is identity


NEW = {"last_modified": HORIZON}
BEFORE_IT = {"last_modified": HORIZON - timedelta(seconds=1)}
STRANGER = named(changed(NOW, etag=ETag("x"), size_bytes=99), "x1")
DELETED = [named(changed(MARKER, is_latest=True), "m9"), NOW]


@pytest.mark.parametrize(
    ("mine", "theirs", "standing"),
    [
        ([NOW, MIDDLE], [], Standing.ABSENT),
        # By version ID, whatever it holds, and by content.
        ([NOW, MIDDLE], [changed(MIDDLE, etag=ETag("f"))], Standing.KNOWN_OLDER),
        ([NOW, MIDDLE], [named(MIDDLE, "x1")], Standing.KNOWN_OLDER),
        ([NOW, MIDDLE], [changed(named(MIDDLE, "x1"), **NEW)], Standing.KNOWN_OLDER),
        ([NOW, MARKER], [MARKER], Standing.KNOWN_MARKER),
        ([NOW, MARKER], [named(MARKER, "m9")], Standing.DELETED),
        ([MARKER, NOW], [MARKER], Standing.DELETED),
        ([MARKER, named(MARKER, "m2")], [named(MARKER, "m2")], Standing.DELETED),
        ([NOW], [named(NOW, "x1")], Standing.SAME_CONTENT),
        ([NOW], [NOW], Standing.SAME_CONTENT),
        ([NOW], [changed(named(NOW, "x1"), **NEW)], Standing.SAME_CONTENT),
        ([NOW], [changed(named(NOW, "x1"), etag=ETag("f"))], Standing.MAYBE_SAME_CONTENT),
        ([NOW], [changed(named(NOW, "x1"), etag=ETag("f"), **NEW)], Standing.NEWER),
        ([NOW], [changed(STRANGER, **NEW)], Standing.NEWER),
        ([NOW], [changed(STRANGER, **BEFORE_IT)], Standing.UNKNOWN),
        ([MARKER], [STRANGER], Standing.UNKNOWN),
        ([MARKER, NOW], [named(NOW, "x1")], Standing.KNOWN_OLDER),
        ([NULL, MIDDLE], [named(STRANGER, "null")], Standing.UNKNOWN),
    ],
)
def test_what_is_current_there_is_explained_by_the_source_or_not(
    mine: list[Any], theirs: list[Any], standing: Standing
) -> None:
    """If this fails, somebody's newer object is overwritten, or an older one is left in front."""
    found = standing_of(IndexedChain.of(mine), IndexedChain.of(theirs), HORIZON)
    assert found is standing
