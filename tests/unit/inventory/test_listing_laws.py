"""The laws of listing, against servers that break them one at a time."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.errors import ListingStuckError
from backfill.inventory.listing_laws import ListingLaws
from backfill.model.listed import Cells, entry_of
from backfill.model.objects import DeleteMarker, ETag, ListedEntry, ObjectVersion, VersionId
from backfill.model.store import VersionsPage, VersionsPosition

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def version(key: str, version_id: str, *, is_latest: bool = False) -> ObjectVersion:
    return ObjectVersion(
        key=key,
        version_id=VersionId(version_id),
        is_latest=is_latest,
        last_modified=NOON,
        etag=ETag("e"),
        size_bytes=1,
        storage_class="STANDARD",
    )


def latest(key: str, version_id: str = "1") -> ObjectVersion:
    return version(key, version_id, is_latest=True)


def marker(key: str, version_id: str, *, is_latest: bool = False) -> DeleteMarker:
    return DeleteMarker(
        key=key, version_id=VersionId(version_id), is_latest=is_latest, last_modified=NOON
    )


def at(key: str, version_id: str | None = "1") -> VersionsPosition:
    return VersionsPosition(key=key, version_id=VersionId(version_id) if version_id else None)


def page(*entries: ListedEntry, then: VersionsPosition | None = None) -> VersionsPage:
    return VersionsPage(entries=entries, next_position=then)


def admitted(*pages: VersionsPage, prefix: str = "") -> list[ListedEntry]:
    laws = ListingLaws("bucket", prefix)
    return [entry_of(cells) for one in pages for cells in laws.admit(one)]


BROKEN = {
    "repeats a page": (
        [
            page(latest("a"), latest("b"), then=at("b")),
            page(latest("a"), latest("b"), then=at("b")),
        ],
        "went back from",
    ),
    "repeats the last entry of a page": (
        [page(latest("a"), then=at("a")), page(latest("a"), latest("b"))],
        "repeated version 1",
    ),
    "goes backwards between pages": (
        [page(latest("b"), then=at("b")), page(latest("a"))],
        'went back from "b" to "a"',
    ),
    "loses order within a page": ([page(latest("b"), latest("a"))], "went back"),
    "sorts by UTF-16": ([page(latest("\U00010000"), latest("\uff5e"))], "went back"),
    "comes back to a key": (
        [page(latest("a"), latest("b"), version("a", "2"))],
        'went back from "b" to "a"',
    ),
    "repeats a version": (
        [page(latest("a"), version("a", "2"), version("a", "2"))],
        "repeated version 2",
    ),
    "repeats a version as a marker": (
        [page(latest("a"), version("a", "2"), then=at("a", "2")), page(marker("a", "1"))],
        "repeated version 1",
    ),
    "lists oldest first": ([page(version("a", "1"), latest("a", "2"))], "not latest"),
    "calls two latest": ([page(latest("a", "2"), latest("a", "1"))], "two versions"),
    "calls none latest": ([page(latest("a"), version("b", "1"))], "not latest"),
    "separates markers from versions": (
        [page(version("a", "1"), marker("a", "2", is_latest=True))],
        "not latest",
    ),
    "leaves the prefix": ([page(latest("p/a"), latest("q"))], "outside"),
    "gives an empty page and a new marker": ([page(then=at("p/z"))], "without entries"),
    "repeats a marker": (
        [page(latest("p/a"), then=at("p/a")), page(latest("p/b"), then=at("p/a"))],
        "twice",
    ),
    "repeats a marker without entries": (
        [page(latest("p/a"), then=at("p/a")), page(then=at("p/a"))],
        "twice",
    ),
    "sets its marker back": (
        [page(latest("p/a"), latest("p/b"), then=at("p/a"))],
        "set its marker back",
    ),
}


@pytest.mark.parametrize(("pages", "message"), BROKEN.values(), ids=BROKEN)
def test_a_server_that_breaks_a_law_is_stopped(pages: list[VersionsPage], message: str) -> None:
    """Believing it would lose versions, double them, or list for ever."""
    prefix = "p/" if "p/" in repr(pages) else ""
    with pytest.raises(ListingStuckError, match=message) as caught:
        admitted(*pages, prefix=prefix)
    assert "server" in caught.value.hint


def test_lawful_pages_pass_unchanged() -> None:
    """Markers and versions interleaved, a null version, a key split by a page, an empty bucket."""
    first = page(marker("a", "3", is_latest=True), version("a", "2"), then=at("a", "2"))
    second = page(marker("a", "1"), version("a", "null"), latest("b"))
    assert admitted(first, second) == [*first.entries, *second.entries]
    assert admitted(page()) == []
    assert admitted(first, page()) == [*first.entries]


def test_the_listing_resumes_at_the_last_entry_whatever_the_marker_says() -> None:
    """A marker beyond the last entry would skip entries, a bare key its older versions."""
    laws = ListingLaws("bucket", "")
    laws.admit(page(latest("a", "2"), then=at("c")))
    assert laws.position == at("a", "2")
    laws.admit(page(version("a", "1"), then=at("a", None)))
    assert laws.position == at("a", "1")


def test_a_chain_begun_before_its_head_was_deleted_keeps_one_latest() -> None:
    """A bucket in use is no broken server: the head of a split chain can vanish between pages."""
    entries = admitted(
        page(latest("a", "3"), version("a", "2"), then=at("a", "2")),
        page(latest("a", "1"), latest("b")),
    )
    assert [entry.is_latest for entry in entries] == [True, False, False, True]


class OneByOne(ListingLaws):
    """Judges each entry alone, as is done to find the one that breaks a law."""

    def _admit_at_once(self, entries: Sequence[Cells]) -> bool:
        return not entries


def judged(laws: ListingLaws, pages: list[VersionsPage]) -> list[object]:
    """Return what laws say of pages in turn, up to the first that breaks them."""
    said: list[object] = []
    try:
        for one in pages:
            said += [list(laws.admit(one)), laws.position]
    except ListingStuckError as fault:
        said.append(str(fault))
    return said


chains = st.lists(
    st.lists(st.sampled_from("12345"), min_size=1, max_size=4, unique=True), min_size=1, max_size=6
)


@given(chains, st.data(), st.sampled_from([None, at("a", None), at("a", "1"), at("b")]))
@settings(max_examples=500)
def test_a_page_judged_at_once_is_judged_as_entry_by_entry(
    version_ids: list[list[str]], data: st.DataObject, start: VersionsPosition | None
) -> None:
    """If this fails, a broken server is believed for the sake of speed, or an honest one is not."""
    entries = [
        (latest if depth == 0 else version)(key, version_id)
        for key, chain in zip("abcdef", version_ids, strict=False)
        for depth, version_id in enumerate(chain)
    ]
    if data.draw(st.booleans()):  # one thing wrong
        place = data.draw(st.integers(0, len(entries) - 1))
        entries[place] = entries[place]._replace(
            key=data.draw(st.sampled_from("abcdef")),
            version_id=VersionId(data.draw(st.sampled_from("12345"))),
            is_latest=data.draw(st.booleans()),
        )
    cuts = sorted(data.draw(st.sets(st.integers(0, len(entries)), max_size=3)))
    pages = [page(*entries[a:b]) for a, b in pairwise([0, *cuts, len(entries)])]
    prefix = data.draw(st.sampled_from(["", "a"]))
    assert judged(ListingLaws("bucket", prefix, start), pages) == judged(
        OneByOne("bucket", prefix, start), pages
    )


def test_hostile_keys_are_inert_in_messages() -> None:
    """A key must not move the cursor of whoever reads the error."""
    with pytest.raises(ListingStuckError, match=r"b\\x1b\[2J"):
        admitted(page(latest("b\x1b[2J"), latest("a")))
