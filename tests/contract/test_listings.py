"""Order, pages, markers, prefixes and delimiters of listings: S3 API, ListObjectVersions, V2."""

from itertools import pairwise

import pytest

from tests.contract.declarations import differs
from tests.contract.scenes import full, md5, put_twice
from tests.contract.vocabulary import Driver, Entry, Page, refused

PAGES_MAX = 50
"""More than any case needs: a listing that does not advance ends here."""


def versions_in_pages(
    s3: Driver, bucket: str, max_keys: int, *, prefix: str = "", delimiter: str | None = None
) -> list[Page]:
    """All pages, one after the other by their markers."""
    pages = [s3.list_versions(bucket, prefix=prefix, delimiter=delimiter, max_keys=max_keys)]
    while pages[-1].is_truncated:
        assert len(pages) < PAGES_MAX, "the listing does not advance"
        pages.append(
            s3.list_versions(
                bucket,
                prefix=prefix,
                delimiter=delimiter,
                max_keys=max_keys,
                key_marker=pages[-1].next_marker,
                version_id_marker=pages[-1].next_version_id_marker,
            )
        )
    return pages


def objects_in_pages(
    s3: Driver, bucket: str, max_keys: int, *, delimiter: str | None = None
) -> list[Page]:
    """All pages of the current versions."""
    pages = [s3.list_objects(bucket, delimiter=delimiter, max_keys=max_keys)]
    while pages[-1].is_truncated:
        assert len(pages) < PAGES_MAX, "the listing does not advance"
        token = pages[-1].next_marker
        pages.append(s3.list_objects(bucket, delimiter=delimiter, max_keys=max_keys, token=token))
    return pages


def history(s3: Driver, bucket: str) -> list[str | None]:
    """A key with versions and markers by turns; its version IDs, newest first."""
    made: list[str | None] = []
    for _ in range(2):
        made.append(s3.put(bucket, "key").version_id)
        made.append(s3.delete(bucket, "key").version_id)
        made.append(s3.delete(bucket, "key").version_id)
    made.append(s3.put(bucket, "key").version_id)
    return made[::-1]


UNORDERED = ["b", "a", "B", "aa", "a/", "a-", "é", "z", "日", "\U0001f600", "\ue000", "~"]


@differs("seaweedfs", "sorts listings by the URL-encoded key")
def test_keys_are_listed_in_the_order_of_their_bytes(s3: Driver, bucket: str) -> None:
    """If this fails, two sorted listings cannot be joined."""
    for key in UNORDERED:
        s3.put(bucket, key)
    ordered = sorted(UNORDERED, key=str.encode)
    assert s3.list_versions(bucket).keys == ordered
    assert s3.list_objects(bucket).keys == ordered
    assert ordered == sorted(UNORDERED), "code points sort as their UTF-8 does"


@differs("moto", "lists all versions before all delete markers")
def test_versions_and_markers_of_a_key_are_listed_newest_first(s3: Driver, bucket: str) -> None:
    """If this fails, nobody can say whether a marker hides a version or lies below it."""
    made = history(s3, bucket)
    entries = s3.list_versions(bucket).entries
    assert [row.version_id for row in entries] == made
    assert [row.is_delete_marker for row in entries] == [
        False, True, True, False, True, True, False,
    ]  # fmt: skip
    assert [row.is_latest for row in entries] == [True] + [False] * 6


@differs("moto", "lists all versions before all delete markers", rows=("2", "3", "5"))
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_a_page_may_end_within_a_key(s3: Driver, bucket: str, size: int) -> None:
    """If this fails, versions are lost or doubled where a page ends."""
    made = history(s3, bucket)
    s3.put(bucket, "before")
    s3.put(bucket, "later")
    pages = versions_in_pages(s3, bucket, size)
    assert all(len(page.entries) == size for page in pages[:-1])
    rows = [row for page in pages for row in page.entries]
    assert [row.version_id for row in rows if row.key == "key"] == made
    assert [row.key for row in rows] == ["before"] + ["key"] * 7 + ["later"]
    assert [row.is_latest for row in rows] == [True, True] + [False] * 6 + [True]


def test_a_page_names_the_last_entry_as_the_next_marker(s3: Driver, bucket: str) -> None:
    """If this fails, the next page begins somewhere else."""
    first, second = put_twice(s3, bucket)
    page = s3.list_versions(bucket, max_keys=1)
    assert (page.next_marker, page.next_version_id_marker) == ("key", second.version_id)
    rest = s3.list_versions(bucket, key_marker="key", version_id_marker=second.version_id)
    assert rest.version_ids == [first.version_id]
    assert (rest.is_truncated, rest.next_marker) == (False, None)


def test_a_full_last_page_is_not_truncated(s3: Driver, bucket: str) -> None:
    """If this fails, a listing asks for a page that does not exist."""
    put_twice(s3, bucket)
    assert not s3.list_versions(bucket, max_keys=2).is_truncated
    assert not s3.list_objects(bucket, max_keys=1).is_truncated


@differs("moto", "begins at the key marker")
def test_a_key_marker_alone_leaves_out_all_versions_of_the_key(s3: Driver, bucket: str) -> None:
    """If this fails, a listing by ranges counts the key at a border twice."""
    for key in ("a", "b", "b", "c"):
        s3.put(bucket, key)
    assert s3.list_versions(bucket, key_marker="b").keys == ["c"]


@differs("moto", "lists nothing after a key marker that does not exist")
def test_a_key_marker_need_not_exist(s3: Driver, bucket: str) -> None:
    """If this fails, a range cannot begin at any key."""
    for key in ("a", "c"):
        s3.put(bucket, key)
    assert s3.list_versions(bucket, key_marker="b").keys == ["c"]
    assert s3.list_versions(bucket, key_marker="d").keys == []


@differs("seaweedfs", "ignores a version ID marker alone")
@differs("moto", "ignores a version ID marker alone")
def test_a_version_id_marker_needs_a_key_marker(s3: Driver, bucket: str) -> None:
    """If this fails, half a marker lists from the start."""
    first, _ = put_twice(s3, bucket)
    with refused(400, "InvalidArgument"):
        s3.list_versions(bucket, version_id_marker=first.version_id)


def test_a_null_version_is_a_marker_like_any_other(s3: Driver, plain: str) -> None:
    """If this fails, a page that ends at a null version begins again at its key."""
    s3.put(plain, "key", b"null")
    s3.set_versioning(plain, "Enabled")
    s3.put(plain, "key", b"later")
    s3.put(plain, "next", b"next")
    pages = versions_in_pages(s3, plain, 1)
    assert [page.keys for page in pages] == [["key"], ["key"], ["next"]]
    assert pages[1].next_version_id_marker == "null"


def test_a_prefix_is_text_and_no_folder(s3: Driver, bucket: str) -> None:
    """If this fails, a rule's prefix meets other keys than S3 says."""
    for key in ("log", "logs/1", "logs/2", "lo", "Logs/1"):
        s3.put(bucket, key)
    assert s3.list_versions(bucket, prefix="log").keys == ["log", "logs/1", "logs/2"]
    assert s3.list_objects(bucket, prefix="logs/").keys == ["logs/1", "logs/2"]
    assert s3.list_objects(bucket, prefix="none").keys == []


def test_a_delimiter_rolls_up_keys(s3: Driver, bucket: str) -> None:
    """If this fails, sub-ranges of keys cannot be found."""
    for key in ("a/1", "a/2", "b", "c/1/2", "c/d"):
        s3.put(bucket, key)
    for page in (
        s3.list_objects(bucket, delimiter="/"),
        s3.list_versions(bucket, delimiter="/"),
    ):
        assert page.keys == ["b"]
        assert page.common_prefixes == ("a/", "c/")
    below = s3.list_versions(bucket, prefix="c/", delimiter="/")
    assert (below.keys, below.common_prefixes) == (["c/d"], ("c/1/",))


def test_a_delimiter_has_any_length(s3: Driver, bucket: str) -> None:
    """If this fails, only a slash delimits."""
    for key in ("a--1", "a--2", "b-3"):
        s3.put(bucket, key)
    page = s3.list_objects(bucket, delimiter="--")
    assert (page.keys, page.common_prefixes) == (["b-3"], ("a--",))


@differs("moto", "does not count common prefixes as entries of a page")
@pytest.mark.parametrize("size", [1, 2])
def test_a_common_prefix_counts_as_one_entry_of_a_page(s3: Driver, bucket: str, size: int) -> None:
    """If this fails, a paged listing with a delimiter repeats or loses prefixes."""
    for key in ("a/1", "a/2", "b", "c/1", "c/2", "d"):
        s3.put(bucket, key)
    for pages in (
        versions_in_pages(s3, bucket, size, delimiter="/"),
        objects_in_pages(s3, bucket, size, delimiter="/"),
    ):
        assert all(len(page.entries) + len(page.common_prefixes) == size for page in pages)
        assert [key for page in pages for key in page.keys] == ["b", "d"]
        assert [name for page in pages for name in page.common_prefixes] == ["a/", "c/"]


@differs("moto", "rolls up deleted keys in ListObjectsV2")
def test_versions_of_deleted_keys_are_rolled_up_too(s3: Driver, bucket: str) -> None:
    """If this fails, a prefix that holds only deleted keys is never looked into."""
    s3.put(bucket, "gone/1")
    s3.delete(bucket, "gone/1")
    assert s3.list_versions(bucket, delimiter="/").common_prefixes == ("gone/",)
    assert s3.list_objects(bucket, delimiter="/").common_prefixes == ()


@pytest.mark.parametrize("size", [1, 2, 4])
def test_current_versions_are_paged_by_a_token(s3: Driver, bucket: str, size: int) -> None:
    """If this fails, a paged listing loses or repeats keys."""
    keys = ["a", "b b", "c+c", "d%d", "e"]
    for key in keys:
        s3.put(bucket, key)
    pages = objects_in_pages(s3, bucket, size)
    assert [key for page in pages for key in page.keys] == keys


def test_start_after_is_exclusive_and_need_not_exist(s3: Driver, bucket: str) -> None:
    """If this fails, a range of keys begins one too early or too late."""
    for key in ("a", "b", "c"):
        s3.put(bucket, key)
    assert s3.list_objects(bucket, start_after="b").keys == ["c"]
    assert s3.list_objects(bucket, start_after="aa").keys == ["b", "c"]


def test_max_keys_of_zero_asks_for_nothing(s3: Driver, bucket: str) -> None:
    """If this fails, a probe of a bucket looks truncated for ever."""
    s3.put(bucket, "key")
    page = s3.list_objects(bucket, max_keys=0)
    assert (page.entries, page.is_truncated) == ((), False)


@differs("seaweedfs", "takes a negative page size")
@differs("moto", "takes a negative page size")
def test_negative_max_keys_are_refused(s3: Driver, bucket: str) -> None:
    """If this fails, a wrong page size goes unnoticed."""
    with refused(400, "InvalidArgument"):
        s3.list_versions(bucket, max_keys=-1)


@differs("seaweedfs", "takes any token")
@differs("moto", "takes any token")
def test_a_made_up_token_is_refused(s3: Driver, bucket: str) -> None:
    """If this fails, a mangled token lists from the start."""
    with refused(400, "InvalidArgument"):
        s3.list_objects(bucket, token="made up")


def test_an_empty_bucket_lists_nothing(s3: Driver, bucket: str) -> None:
    """If this fails, an empty destination looks like an error."""
    page = s3.list_versions(bucket)
    assert (page.entries, page.common_prefixes, page.is_truncated) == ((), (), False)


def test_a_missing_bucket_is_not_listed(s3: Driver, bucket: str) -> None:
    """If this fails, a missing bucket looks like an empty one."""
    with refused(404, "NoSuchBucket"):
        s3.list_versions(f"{bucket}-absent")


@differs("seaweedfs", "lists no checksum algorithm")
@differs("moto", "lists versions before markers, and no checksum algorithm")
def test_rows_say_size_etag_and_kind_of_checksum(s3: Driver, bucket: str) -> None:
    """If this fails, two listings cannot prove equality."""
    written = s3.put(bucket, "key", b"body", checksum=full("CRC32", b"body"))
    marker = s3.delete(bucket, "key")
    expected = (
        Entry(
            key="key",
            etag=None,
            size_bytes=None,
            version_id=marker.version_id,
            is_latest=True,
            is_delete_marker=True,
        ),
        Entry(
            key="key",
            etag=md5(b"body"),
            size_bytes=4,
            version_id=written.version_id,
            is_latest=False,
            checksum_algorithm="CRC32",
            checksum_type="FULL_OBJECT",
        ),
    )
    assert s3.list_versions(bucket).entries == expected


def test_pages_of_hostile_keys_advance(s3: Driver, bucket: str) -> None:
    """If this fails, a page that ends at a key which encodes differently loops or skips."""
    keys = ["!*'()", "a b", "a+b", "a&b=c", "ü", "~tilde", '"quoted"', "<x>", "100%"]
    for key in keys:
        s3.put(bucket, key)
        s3.put(bucket, key)
    pages = versions_in_pages(s3, bucket, 3)
    rows = [row for page in pages for row in page.entries]
    assert [row.key for row in rows[::2]] == sorted(keys)
    assert len({row.version_id for row in rows}) == 2 * len(keys)
    assert all(one.key <= other.key for one, other in pairwise(rows))
