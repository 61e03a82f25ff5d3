"""The canned server of the benchmarks: if it is wrong, what they measure is another work."""

import re
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from benchmarks.canned_process import DESTINATION_BUCKET, SOURCE_BUCKET, CannedServer
from benchmarks.canned_server.answers import Answers
from benchmarks.canned_server.loop import Throttle
from benchmarks.canned_server.objects import Objects, shape_of
from benchmarks.canned_server.pages import Pages
from benchmarks.canned_server.shared import Shared

SHAPES = ("hex", "dated", "skewed")


def objects_of(shape: str, count: int, versions: int = 1) -> Objects:
    return Objects(
        count=count,
        versions=versions,
        shape=shape_of(shape, count),
        size_bytes=None,
        has_checksums=True,
    )


def answers_of(objects: Objects) -> tuple[Answers, Shared]:
    shared = Shared(objects.count, 1)
    pages = Pages(objects=objects, shared=shared, source=SOURCE_BUCKET)
    pages.warm(0)
    buckets = (SOURCE_BUCKET, DESTINATION_BUCKET)
    return Answers(objects, pages, shared, buckets, has_rule=False), shared


def listed(answers: Answers, bucket: str, page_max: int) -> Iterator[tuple[str, str]]:
    target = start = f"/{bucket}?versions&encoding-type=url&max-keys={page_max}"
    for _ in range(10_000):
        page = answers.answer(b"GET", target.encode(), b"", b"").decode()
        pattern = r"<Key>([^<]*)</Key><VersionId>([^<]*)</VersionId>"
        yield from re.findall(pattern, page)
        if "<IsTruncated>true" not in page:
            return
        marker = re.search(
            r"<NextKeyMarker>(.*)</NextKeyMarker><NextVersionIdMarker>(.*)</NextV", page
        )
        assert marker is not None
        target = f"{start}&key-marker={marker[1]}&version-id-marker={marker[2]}"
    raise AssertionError("a listing without end")


@pytest.mark.parametrize("shape", SHAPES)
def test_names_grow_with_their_numbers_and_lead_back_to_them(shape: str) -> None:
    """If one did not, a page would skip keys or a HEAD would tell of another object."""
    objects = objects_of(shape, 5_000)
    names = [objects.shape.name(number) for number in range(objects.count)]
    assert names == sorted(set(names))
    assert [objects.number(name) for name in names] == list(range(objects.count))
    assert objects.number(names[7] + b"x") is None


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("versions", "page_max"), [(1, 1000), (1, 7), (3, 7), (3, 1)])
def test_pages_of_any_size_hold_every_version_once_in_order(
    shape: str, versions: int, page_max: int
) -> None:
    """If not, a client would look wrong, or fast, that lists another bucket."""
    objects = objects_of(shape, 60, versions)
    answers, _ = answers_of(objects)
    expected = [
        (objects.shape.name(number).decode(), objects.source_id(number, version).decode())
        for number in range(60)
        for version in range(versions)
    ]
    assert list(listed(answers, SOURCE_BUCKET, page_max)) == expected


def test_a_second_conditional_copy_is_refused_and_listings_show_the_first() -> None:
    """If it passed, 'every object exactly once' would be no finding."""
    objects = objects_of("hex", 50)
    answers, shared = answers_of(objects)
    key, version_id = objects.shape.name(9), objects.source_id(9, 0)
    head = b"\r\nx-amz-copy-source: %s/%s?versionId=%s\r\nif-none-match: *\r\n" % (
        SOURCE_BUCKET.encode(),
        key,
        version_id,
    )
    target = f"/{DESTINATION_BUCKET}/{key.decode()}".encode()
    first, second = (answers.answer(b"PUT", target, head, b"") for _ in range(2))
    assert first.startswith(b"HTTP/1.1 200")
    assert b"<CopyObjectResult" in first
    assert second.startswith(b"HTTP/1.1 412")
    copied = [(key.decode(), objects.copy_id(9).decode())]
    assert list(listed(answers, DESTINATION_BUCKET, 1000)) == copied
    told = shared.told()
    assert (told["accepted_copies"], told["copied_keys"], told["refused_412"]) == (1, 1, 1)


def test_a_copy_of_another_version_than_the_named_key_has_is_refused() -> None:
    """If it passed, a client that pins the wrong version would look right."""
    objects = objects_of("hex", 50)
    answers, _ = answers_of(objects)
    key = objects.shape.name(9)
    head = b"\r\nX-Amz-Copy-Source: /%s/%s?versionId=%s\r\n" % (
        SOURCE_BUCKET.encode(),
        key,
        objects.source_id(8, 0),
    )
    answer = answers.answer(b"PUT", f"/{DESTINATION_BUCKET}/{key.decode()}".encode(), head, b"")
    assert answer.startswith(b"HTTP/1.1 404")


def test_a_throttle_refuses_what_is_beyond_its_rate() -> None:
    """If it did not, no benchmark of pace would meet a SlowDown."""
    throttle = Throttle(3)
    assert [throttle.lets_pass() for _ in range(4)] == [True, True, True, False]


def test_the_process_answers_pipelined_requests_in_order_and_counts_them() -> None:
    """If it mixed them up, clients would take one object's head for another's."""
    objects = objects_of("hex", 40)
    with CannedServer(40) as server:
        place = urlsplit(server.endpoint)
        assert place.hostname is not None
        assert place.port is not None
        asked = b"".join(
            b"HEAD /%s/%s HTTP/1.1\r\nHost: x\r\n\r\n"
            % (SOURCE_BUCKET.encode(), objects.shape.name(number))
            for number in range(40)
        )
        with socket.create_connection((place.hostname, place.port)) as connection:
            connection.sendall(asked)
            answers = b""
            while answers.count(b"\r\n\r\n") < 40:
                answers += connection.recv(65536)
        found = re.findall(rb"ETag: \"([0-9a-f]{32})\"", answers)
        assert found == [objects.facts(number, 0)[0] for number in range(40)]
        assert server.counts()["requests"] == {"HeadObject": 40}
