"""Settling an attempt whose answer was lost or refused: what is ours, and what never is."""

from datetime import UTC, datetime, timedelta

import pytest

from backfill.execute.settle import CANDIDATES_MAX, settled_attempt
from backfill.execute.views import Adopt, Attempt, Compare, Likeness, Made, Step, View
from backfill.manifest.entries import ManifestEntry
from backfill.model.objects import (
    NULL_VERSION_ID,
    DeleteMarker,
    ETag,
    ListedEntry,
    ObjectVersion,
    VersionId,
)
from backfill.plan.routes import Route

ZERO = datetime(2026, 1, 1, tzinfo=UTC)


def version(name: str, *, size: int = 5) -> ObjectVersion:
    return ObjectVersion(
        key="k",
        version_id=VersionId(name),
        is_latest=False,
        last_modified=ZERO + timedelta(seconds=1),
        etag=ETag(f"etag-{name}"),
        size_bytes=size,
        storage_class="STANDARD",
    )


def marker(name: str) -> DeleteMarker:
    return DeleteMarker(key="k", version_id=VersionId(name), is_latest=False, last_modified=ZERO)


PINNED, LATER = version("pinned"), version("later", size=9)
SEEN, SEEN_MARKER = version("seen"), marker("seen-marker")
ENTRY = ManifestEntry(
    number=0,
    plan_number=0,
    key="k",
    version_id=PINNED.version_id,
    etag=PINNED.etag,
    size_bytes=5,
    last_modified=PINNED.last_modified,
    destination=0,
    route=Route.COPY_OBJECT,
)


def attempt(
    source: str | None = "pinned", *, seen: str | None = "seen", was_refused: bool = False
) -> Attempt:
    return Attempt(
        source_version_id=None if source is None else VersionId(source),
        seen_version_id=None if seen is None else VersionId(seen),
        was_refused=was_refused,
    )


def settled(
    *destination: ListedEntry,
    attempts: tuple[Attempt, ...] = (attempt(),),
    source: tuple[ListedEntry, ...] = (PINNED,),
    compared: dict[str, Likeness] | None = None,
    against: str = "pinned",
    has_moved_on: bool = False,
    made: Made | None = None,
) -> Step | None:
    known = {
        (VersionId(name), VersionId(against)): likeness
        for name, likeness in (compared or {}).items()
    }
    view = View(
        source=source, destination=destination, attempts=attempts, compared=known, made=made
    )
    return settled_attempt(ENTRY, view, has_moved_on=has_moved_on)


def adopted(step: Step | None) -> str | None:
    assert step is None or isinstance(step, Adopt)
    return step.made.version_id if isinstance(step, Adopt) else None


def test_what_lies_above_what_was_seen_is_compared_first() -> None:
    """If this fails, a stranger's object of the same size is taken for our copy."""
    assert settled(version("new"), SEEN) == Compare(
        destination_version_id=VersionId("new"), source_version_id=PINNED.version_id
    )


@pytest.mark.parametrize(
    ("likeness", "was_refused", "is_ours"),
    [
        (Likeness.SAME, False, True),
        (Likeness.UNKNOWN, False, True),
        (Likeness.DIFFERENT, False, False),
        (Likeness.REPLICA, False, False),
        (Likeness.SAME, True, True),
        (Likeness.UNKNOWN, True, False),
    ],
)
def test_a_copy_is_ours_by_what_it_holds(
    likeness: Likeness, was_refused: bool, is_ours: bool
) -> None:
    """If this fails, a refused attempt owns what nobody compared, or an own copy is disowned."""
    step = settled(
        version("new"),
        SEEN,
        attempts=(attempt(was_refused=was_refused),),
        compared={"new": likeness},
        has_moved_on=True,
    )
    assert adopted(step) == ("new" if is_ours else None)


@pytest.mark.parametrize(
    "destination",
    [
        (SEEN,),
        (SEEN, version("older")),
        (version("new", size=6), SEEN),
        (PINNED, SEEN),  # a replica of it: never a write of ours
        (version(NULL_VERSION_ID), SEEN),
        (marker("new"), SEEN),
        (),
    ],
)
def test_what_cannot_be_ours_is_not(destination: tuple[ListedEntry, ...]) -> None:
    """If this fails, what was there before, is a replica, or has another size is adopted."""
    assert settled(*destination) is None


def test_a_copy_of_a_later_version_has_that_versions_size() -> None:
    """If this fails, the copy of what had become current is not recognised as ours."""
    later = (attempt("later"),)
    assert settled(version("new", size=9), SEEN, attempts=later, source=(LATER, PINNED)) == Compare(
        destination_version_id=VersionId("new"), source_version_id=LATER.version_id
    )
    assert settled(version("new"), SEEN, attempts=later, source=(LATER, PINNED)) is None
    # The later version is gone, or was a marker: nothing tells what we sent.
    assert settled(version("new", size=9), SEEN, attempts=later) is None
    assert settled(version("new"), SEEN, attempts=later, source=(marker("later"), PINNED)) is None


def test_the_newest_attempt_is_asked_about_first() -> None:
    """If this fails, an older attempt of ours hides that the last one succeeded."""
    step = settled(
        version("second"),
        version("first"),
        attempts=(attempt(seen=None), attempt(seen="first")),
        compared={"second": Likeness.SAME, "first": Likeness.SAME},
    )
    assert adopted(step) == "second"
    assert isinstance(step, Adopt)
    assert step.made.seen_version_id == "first"


def test_an_attempt_that_failed_gives_way_to_the_one_before() -> None:
    """If this fails, one refused attempt makes the product forget the one that succeeded."""
    refused = attempt(seen="first", was_refused=True)
    step = settled(
        version("first"),
        attempts=(attempt(seen=None), refused),
        compared={"first": Likeness.SAME},
    )
    assert adopted(step) == "first"


def test_the_oldest_new_marker_is_ours() -> None:
    """If this fails, a marker that somebody put above ours is told as ours."""
    attempts = (attempt(None),)
    step = settled(marker("theirs"), marker("ours"), SEEN, attempts=attempts)
    assert adopted(step) == "ours"
    assert isinstance(step, Adopt)
    assert (step.made.etag, step.made.source_version_id) == (None, None)
    assert settled(SEEN_MARKER, attempts=(attempt(None, seen="seen-marker"),)) is None
    # A marker that is not there says nothing of the copy that was tried before it.
    both = (attempt(seen=None), attempt(None, seen="new"))
    assert adopted(settled(version("new"), attempts=both, compared={"new": Likeness.SAME})) == "new"


@pytest.mark.parametrize(
    ("destination", "seen", "is_asked"),
    [
        ((version("new"), SEEN), "seen", False),
        ((version("new"),), None, False),
        # Over a marker that was not seen: a deleted object may have come back.
        ((version("new"), marker("unseen"), SEEN), "seen", True),
        ((version("new"), SEEN_MARKER), "seen-marker", False),
        # A marker deeper down is no matter; one at the very top is not below ours.
        ((version("new"), SEEN, marker("deep")), "seen", False),
        # Somebody wrote over what may be ours.
        ((version("theirs"), version("new"), SEEN), "seen", True),
    ],
)
def test_a_refused_attempt_matters_where_something_must_be_mended(
    destination: tuple[ListedEntry, ...], seen: str | None, is_asked: bool
) -> None:
    """If this fails, a request delivered twice covers a deletion, and nobody looks."""
    refused = (attempt(seen=seen, was_refused=True),)
    assert isinstance(settled(*destination, attempts=refused), Compare) is is_asked
    # Where the source has moved on it always matters.
    assert isinstance(settled(*destination, attempts=refused, has_moved_on=True), Compare)


def test_a_refused_mend_always_matters() -> None:
    """If this fails, a marker of ours that landed by its first delivery is not recognised."""
    made = Made(
        version_id=VersionId("ours"), etag=None, source_version_id=None, seen_version_id=None
    )
    refused = (attempt(None, seen="seen", was_refused=True),)
    assert settled(marker("new"), SEEN, attempts=refused) is None
    assert adopted(settled(marker("new"), SEEN, attempts=refused, made=made)) == "new"


def test_no_more_than_a_few_strangers_are_compared() -> None:
    """If this fails, a key that many write costs two HEADs for each of their versions."""
    strangers = [version(f"stranger-{n}") for n in range(CANDIDATES_MAX + 1)]
    others = {str(one.version_id): Likeness.DIFFERENT for one in strangers}
    assert settled(*strangers, SEEN, compared=others) is None
    del others[f"stranger-{CANDIDATES_MAX}"]
    assert settled(*strangers, SEEN, compared=others) is None
    del others[f"stranger-{CANDIDATES_MAX - 1}"]
    assert isinstance(settled(*strangers, SEEN, compared=others), Compare)
