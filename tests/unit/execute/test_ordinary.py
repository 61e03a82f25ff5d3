"""What goes straight: every answer is the one that `decide` gives, in every small case."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from backfill.execute.decide import first_step, next_step, planned_step
from backfill.execute.endings import outcome_of
from backfill.execute.ordinary import copied, is_as_planned, is_ordinary, is_settled
from backfill.execute.request import copy_request, planned_request
from backfill.execute.views import Chain, Copy, End, Made, View
from backfill.manifest.entries import ManifestEntry
from backfill.model.objects import (
    Checksum,
    ChecksumType,
    DeleteMarker,
    ETag,
    ListedEntry,
    ObjectVersion,
    VersionId,
)
from backfill.model.store import IfAbsent, IfReplaces, Precondition, WriteResult
from backfill.plan.routes import HANDLINGS, Handling, Route
from tests.unit.execute.versioned_store import DESTINATION, PLAIN, SOURCE

ZERO = datetime(2026, 1, 1, tzinfo=UTC)
OURS = VersionId("ours")
FULL = Checksum(algorithm="CRC64NVME", value="yHkE3YQ5bXk=", type=ChecksumType.FULL_OBJECT)
PARTS = Checksum(algorithm="CRC32", value="AAAAAA==", type=ChecksumType.COMPOSITE, part_count=2)


def version(name: str, second: int, etag: str = "") -> ObjectVersion:
    modified = ZERO + timedelta(seconds=second)
    return ObjectVersion(
        key="k",
        version_id=VersionId(name),
        is_latest=False,
        last_modified=modified,
        etag=ETag(etag or f"etag-{name}"),
        size_bytes=5,
        storage_class="STANDARD",
    )


def marker(name: str, second: int) -> DeleteMarker:
    modified = ZERO + timedelta(seconds=second)
    return DeleteMarker(
        key="k", version_id=VersionId(name), is_latest=False, last_modified=modified
    )


def entry_of(
    name: str = "pinned",
    guard: Precondition = IfAbsent(),  # noqa: B008 - frozen
    seen: str | None = None,
    *,
    replicates_delete_markers: bool = True,
) -> ManifestEntry:
    return ManifestEntry(
        number=3,
        plan_number=3,
        key="k",
        version_id=VersionId(name),
        etag=ETag(f"etag-{name}"),
        size_bytes=5,
        last_modified=ZERO + timedelta(seconds=10),
        destination=0,
        route=Route.COPY_OBJECT,
        storage_class="STANDARD_IA",
        encryption=PLAIN,
        precondition=guard,
        seen_version_id=None if seen is None else VersionId(seen),
        replicates_delete_markers=replicates_delete_markers,
    )


ENTRIES = [
    entry_of(name, guard, seen, replicates_delete_markers=replicates)
    for name in ("pinned", "null")
    for guard, seen in (
        (IfAbsent(), None),
        (IfAbsent(), "gone"),
        (IfAbsent(), "old"),
        (IfReplaces(etag=ETag("etag-old")), "old"),
        (IfReplaces(etag=ETag("etag-pinned")), "pinned"),
        (IfReplaces(etag=ETag("etag-old")), None),
    )
    for replicates in (True, False)
]
ELEMENTS: tuple[ListedEntry, ...] = (
    version("pinned", 10),
    version("pinned", 10, etag="etag-other"),
    version("null", 10),
    version("newer", 20),
    version("old", 5),
    version("old", 5, etag="etag-pinned"),
    version("stranger", 7),
    marker("gone", 15),
    marker("old", 5),
    marker("null", 15),
    version("ours", 30, etag="etag-pinned"),
    marker("ours", 30),
)
CHAINS: tuple[Chain, ...] = (
    (),
    *((one,) for one in ELEMENTS),
    *product(ELEMENTS, ELEMENTS),
)


def test_as_planned_means_that_the_planned_step_is_the_next_one() -> None:
    """If this fails, a copy goes straight that `decide` would not send, or not like this."""
    found: Counter[bool] = Counter()
    for entry, source, destination in product(ENTRIES, CHAINS, CHAINS):
        is_planned = is_as_planned(entry, source, destination)
        found[is_planned] += 1
        if is_planned:
            view = View(source=source, destination=destination)
            assert first_step(entry, view) == planned_step(entry)
    assert found[True] > 1000, "what is ordinary is recognised"


def test_settled_means_that_nothing_is_left_to_do() -> None:
    """If this fails, a copy is concluded that `decide` would mend, hide or report."""
    found: Counter[bool] = Counter()
    result = WriteResult(etag=ETag("etag-pinned"), version_id=OURS, checksums=(PARTS, FULL))
    for entry, source, destination in product(ENTRIES, CHAINS, CHAINS):
        is_done = is_settled(entry, source, destination, OURS)
        found[is_done] += 1
        if is_done:
            made = Made(
                version_id=OURS,
                etag=result.etag,
                source_version_id=entry.version_id,
                seen_version_id=entry.seen_version_id,
                checksum="CRC64NVME:yHkE3YQ5bXk=",
            )
            step = next_step(entry, View(source=source, destination=destination, made=made))
            assert isinstance(step, End)
            told = outcome_of(step, entry, attempts=1, bytes_copied=entry.size_bytes)
            assert told == copied(entry, result)
    assert found[True] > 1000, "what is ordinary is recognised"


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_straight_request_is_that_of_the_planned_step(entry: ManifestEntry) -> None:
    """If this fails, the straight way lacks a guard, a class or an encryption."""
    step = planned_step(entry)
    assert isinstance(step, Copy)
    assert planned_request(entry, source=SOURCE, destination=DESTINATION) == copy_request(
        entry, step, source=SOURCE, destination=DESTINATION
    )


@pytest.mark.parametrize(
    ("checksums", "proof"),
    [
        ((FULL,), "CRC64NVME:yHkE3YQ5bXk="),
        ((PARTS,), ""),
        ((), ""),
    ],
)
def test_only_a_checksum_of_the_whole_object_is_kept_as_proof(
    checksums: tuple[Checksum, ...], proof: str
) -> None:
    """If this fails, verify takes a checksum over parts, or none, for proof of the content."""
    result = WriteResult(etag=ETag("e"), version_id=OURS, checksums=checksums)
    assert copied(entry_of(), result).checksum == proof


@pytest.mark.parametrize(
    ("route", "size_bytes", "goes_straight"),
    [
        (Route.COPY_OBJECT, 10, True),
        (Route.COPY_OBJECT, 0, True),
        (Route.COPY_OBJECT, 11, False),
        (Route.MULTIPART_COPY, 5, False),
        (Route.DELETE_MARKER, 0, False),
        (Route.HIDE_EXTRA, 5, False),
    ],
)
def test_only_one_copy_object_goes_straight(
    route: Route, size_bytes: int, *, goes_straight: bool
) -> None:
    """If this fails, an object above S3's limit, or a marker, is sent as a plain copy."""
    entry = entry_of()._replace(route=route, size_bytes=size_bytes)
    assert is_ordinary(entry, copy_object_bytes_max=10) is goes_straight


@pytest.mark.parametrize("handling", HANDLINGS)
def test_what_takes_more_than_the_write_does_not_go_straight(handling: Handling) -> None:
    """If this fails, a lock or a grant is left behind, or buckets with ACLs copy at half speed."""
    goes_straight = handling in (Handling(0), Handling.DEFAULT_ACL)
    entry = entry_of()._replace(handling=handling)
    assert is_ordinary(entry, copy_object_bytes_max=10) is goes_straight
