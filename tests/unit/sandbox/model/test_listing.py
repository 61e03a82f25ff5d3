"""Pages of listings against a naive listing of the same keys."""

from collections.abc import Iterator
from random import Random

import pytest

from backfill.sandbox.model.operations.listings import (
    ListObjectsRequest,
    ListObjectsV2Request,
    ListObjectVersionsRequest,
)
from backfill.sandbox.model.operations.multipart import ListMultipartUploadsRequest
from tests.unit.sandbox.model.conftest import BUCKET, Stage

PAGES_MAX = 100
"""More than 60 keys can fill: a pager that does not advance fails instead of hanging."""
PIECES = ["a", "b", "/", "//", "\U0010ffff", "\U0010ffff\U0010ffff", "é", "\n", "%2F", "+", "../"]


def keys_of(seed: int) -> list[str]:
    random = Random(seed)
    made = {"".join(random.choices(PIECES, k=random.randint(1, 4))) for _ in range(60)}
    return sorted(made, key=str.encode)


def naive(keys: list[str], prefix: str, delimiter: str | None) -> list[tuple[str, bool]]:
    """Keys and common prefixes, as one list in order."""
    rolled: list[tuple[str, bool]] = []
    for key in keys:
        if not key.startswith(prefix):
            continue
        head, found, _ = key[len(prefix) :].partition(delimiter or "\0")
        row = (prefix + head + found, True) if delimiter and found else (key, False)
        if row not in rolled:
            rolled.append(row)
    return rolled


def merged(keys: list[str], prefixes: tuple[str, ...]) -> list[tuple[str, bool]]:
    rows = [(key, False) for key in keys] + [(prefix, True) for prefix in prefixes]
    return sorted(rows, key=lambda row: row[0].encode())


def v2_pages(
    stage: Stage, prefix: str, delimiter: str | None, size: int
) -> Iterator[list[tuple[str, bool]]]:
    token = None
    for _ in range(PAGES_MAX):
        page = stage.model.list_objects_v2(
            stage.own,
            ListObjectsV2Request(
                bucket=BUCKET,
                prefix=prefix,
                delimiter=delimiter,
                max_keys=size,
                continuation_token=token,
            ),
        )
        yield merged([row.key for row in page.objects], page.common_prefixes)
        if not page.is_truncated:
            assert page.next_continuation_token is None
            return
        token = page.next_continuation_token
    raise AssertionError("the listing does not advance")


def v1_pages(
    stage: Stage, prefix: str, delimiter: str | None, size: int
) -> Iterator[list[tuple[str, bool]]]:
    marker = None
    for _ in range(PAGES_MAX):
        page = stage.model.list_objects(
            stage.own,
            ListObjectsRequest(
                bucket=BUCKET, prefix=prefix, delimiter=delimiter, max_keys=size, marker=marker
            ),
        )
        yield merged([row.key for row in page.objects], page.common_prefixes)
        if not page.is_truncated:
            return
        marker = page.next_marker
    raise AssertionError("the listing does not advance")


def version_pages(
    stage: Stage, prefix: str, delimiter: str | None, size: int
) -> Iterator[list[tuple[str, bool]]]:
    markers: dict[str, str | None] = {}
    for _ in range(PAGES_MAX):
        page = stage.model.list_object_versions(
            stage.own,
            ListObjectVersionsRequest(
                bucket=BUCKET,
                prefix=prefix,
                delimiter=delimiter,
                max_keys=size,
                **markers,
            ),
        )
        yield merged([row.key for row in page.entries], page.common_prefixes)
        if not page.is_truncated:
            return
        markers = {
            "key_marker": page.next_key_marker,
            "version_id_marker": page.next_version_id_marker,
        }
    raise AssertionError("the listing does not advance")


def upload_pages(
    stage: Stage, prefix: str, delimiter: str | None, size: int
) -> Iterator[list[tuple[str, bool]]]:
    markers: dict[str, str | None] = {}
    for _ in range(PAGES_MAX):
        page = stage.model.list_multipart_uploads(
            stage.own,
            ListMultipartUploadsRequest(
                bucket=BUCKET,
                prefix=prefix,
                delimiter=delimiter,
                max_uploads=size,
                **markers,
            ),
        )
        yield merged([row.key for row in page.uploads], page.common_prefixes)
        if not page.is_truncated:
            return
        markers = {
            "key_marker": page.next_key_marker,
            "upload_id_marker": page.next_upload_id_marker,
        }
    raise AssertionError("the listing does not advance")


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("prefix", "delimiter"),
    [("", None), ("", "/"), ("a", None), ("a/", "/"), ("\U0010ffff", "/"), ("", "\U0010ffff")],
)
@pytest.mark.parametrize("lister", [v1_pages, v2_pages, version_pages, upload_pages])
def test_pages_put_together_are_the_whole_listing(
    stage: Stage, lister: object, prefix: str, delimiter: str | None, size: int
) -> None:
    """If this fails, a key is listed twice, left out, or out of UTF-8 order."""
    keys = keys_of(1)
    for key in Random(2).sample(keys, len(keys)):
        stage.put(key)
        stage.create_upload(key)
    assert callable(lister)
    pages = list(lister(stage, prefix, delimiter, size))
    assert [row for page in pages for row in page] == naive(keys, prefix, delimiter)
    assert all(len(page) == min(size, stage.limits.page_size) for page in pages[:-1])


def test_keys_hidden_by_delete_markers_are_not_objects(stage: Stage) -> None:
    """If this fails, deleted keys, or folders of nothing but deleted keys, are listed."""
    for key in ("a/1", "b/1", "b/2", "c"):
        stage.put(key)
    stage.delete("a/1")
    stage.delete("b/1")
    assert list(v2_pages(stage, "", "/", 1)) == [[("b/", True)], [("c", False)]]
    assert [row for page in v2_pages(stage, "", None, 1) for row in page] == [
        ("b/2", False),
        ("c", False),
    ]


def versions(stage: Stage, **asked: object) -> list[tuple[str, str]]:
    request = ListObjectVersionsRequest(bucket=BUCKET, **asked)  # type: ignore[arg-type] # a table's
    page = stage.model.list_object_versions(stage.own, request)
    return [(row.key, row.version_id) for row in page.entries]


def test_a_key_marker_alone_skips_the_whole_key(stage: Stage) -> None:
    """If this fails, KeyMarker is inclusive as in moto, and pages repeat (LS: markers)."""
    first = stage.put("a").version_id
    second = stage.put("a").version_id
    other = stage.put("b").version_id
    assert versions(stage, key_marker="a") == [("b", other)]
    assert versions(stage, key_marker="a", version_id_marker=second) == [("a", first), ("b", other)]
    assert versions(stage, key_marker="a", version_id_marker=first) == [("b", other)]


def test_versions_and_markers_come_in_their_true_order(stage: Stage) -> None:
    """If this fails, nobody can tell whether a marker hides a version or the other way round."""
    first = stage.put("a").version_id
    marker = stage.delete("a").version_id
    last = stage.put("a").version_id
    request = ListObjectVersionsRequest(bucket=BUCKET)
    rows = stage.model.list_object_versions(stage.own, request).entries
    told = [(row.version_id, row.is_delete_marker, row.is_latest) for row in rows]
    assert told == [(last, False, True), (marker, True, False), (first, False, False)]
    assert (rows[1].etag, rows[1].size_bytes, rows[1].storage_class) == (None, None, None)
    assert rows[0].checksum_algorithm == "CRC64NVME"


def test_no_keys_asked_is_an_empty_page_that_is_whole(stage: Stage) -> None:
    """If this fails, max-keys=0 loops for ever."""
    stage.put("a")
    request = ListObjectVersionsRequest(bucket=BUCKET, max_keys=0)
    page = stage.model.list_object_versions(stage.own, request)
    assert (page.entries, page.is_truncated, page.max_keys) == ((), False, 0)
    objects = stage.model.list_objects_v2(
        stage.own, ListObjectsV2Request(bucket=BUCKET, max_keys=0)
    )
    assert (objects.objects, objects.is_truncated) == ((), False)


def test_a_start_after_begins_behind_a_key_and_yields_to_the_token(stage: Stage) -> None:
    """If this fails, ListObjectsV2 ranges overlap."""
    for key in ("a", "b", "c"):
        stage.put(key)
    request = ListObjectsV2Request(bucket=BUCKET, start_after="a", max_keys=1)
    page = stage.model.list_objects_v2(stage.own, request)
    assert [row.key for row in page.objects] == ["b"]
    request = ListObjectsV2Request(
        bucket=BUCKET, start_after="a", continuation_token=page.next_continuation_token
    )
    assert [row.key for row in stage.model.list_objects_v2(stage.own, request).objects] == ["c"]
