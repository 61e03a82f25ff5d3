"""Part boundaries, requests, refusals and the breaker: the small pure pieces."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.execute.breaker import Breaker
from backfill.execute.parts import computed_ranges, ranges_of, uniform_sizes
from backfill.execute.refusals import copy_refusal
from backfill.execute.request import mark_absent_request, upload_checksum
from backfill.model.attributes import Encryption, EncryptionKind
from backfill.model.objects import Checksum, ChecksumType
from backfill.settings import OBJECT_BYTES_MAX, PART_BYTES_MAX, PART_BYTES_MIN, PARTS_MAX
from tests.unit.execute.campaign_double import Run
from tests.unit.execute.versioned_store import DESTINATION, SOURCE

MIB = 1024 * 1024


@settings(deadline=None, max_examples=25)
@given(st.integers(1, OBJECT_BYTES_MAX), st.integers(1, 6 * 1024 * MIB))
def test_computed_parts_obey_every_limit(size: int, part_bytes: int) -> None:
    """If this fails, S3 refuses an upload after hours of parts."""
    ranges = computed_ranges(size, part_bytes=part_bytes)
    assert 1 <= len(ranges) <= PARTS_MAX
    assert (ranges[0].first_byte, ranges[-1].last_byte) == (0, size - 1)
    sizes = [r.last_byte + 1 - r.first_byte for r in ranges]
    assert sum(sizes) == size
    assert all(PART_BYTES_MIN <= part <= PART_BYTES_MAX for part in sizes[:-1])
    assert 1 <= sizes[-1] <= PART_BYTES_MAX
    assert [r.number for r in ranges] == list(range(1, len(ranges) + 1))


@pytest.mark.parametrize("size", [1, PART_BYTES_MIN, OBJECT_BYTES_MAX, OBJECT_BYTES_MAX - 1])
def test_the_ends_of_the_range_of_sizes_work(size: int) -> None:
    """If this fails, the smallest or the largest object cannot be copied."""
    assert computed_ranges(size, part_bytes=64 * MIB)[-1].last_byte == size - 1


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30))
def test_mirrored_parts_keep_their_sizes(sizes: list[int]) -> None:
    """If this fails, the copy's ETag differs from its source's for no reason."""
    ranges = ranges_of(sizes)
    assert [r.last_byte + 1 - r.first_byte for r in ranges] == sizes
    assert all(a.last_byte + 1 == b.first_byte for a, b in pairwise(ranges))


def test_even_parts_are_seen_from_two_of_them() -> None:
    """If this fails, ten thousand HEADs are sent, or uneven parts pass for even ones."""
    even = uniform_sizes(size_bytes=12, parts_count=3, first_bytes=5, last_bytes=2)
    assert even == (5, 5, 2)
    assert uniform_sizes(size_bytes=13, parts_count=3, first_bytes=5, last_bytes=2) is None


@pytest.mark.parametrize(
    ("algorithm", "kind", "expected"),
    [
        ("CRC64NVME", ChecksumType.FULL_OBJECT, ChecksumType.FULL_OBJECT),
        ("CRC32", ChecksumType.FULL_OBJECT, ChecksumType.FULL_OBJECT),
        ("CRC32C", ChecksumType.COMPOSITE, ChecksumType.COMPOSITE),
        ("SHA256", ChecksumType.COMPOSITE, ChecksumType.COMPOSITE),
        ("SHA256", ChecksumType.FULL_OBJECT, ChecksumType.COMPOSITE),
        ("SHA1", ChecksumType.FULL_OBJECT, ChecksumType.COMPOSITE),
    ],
)
def test_an_upload_asks_for_a_checksum_type_that_s3_allows(
    algorithm: str, kind: ChecksumType, expected: ChecksumType
) -> None:
    """FULL_OBJECT with SHA-256 is 400 InvalidRequest: if this fails, such objects all fail."""
    stored = (Checksum(algorithm=algorithm, value="x", type=kind),)
    assert upload_checksum(stored) == (algorithm, expected)


def test_a_source_without_checksum_asks_for_none() -> None:
    """Part checksums without an algorithm are refused: S3 adds its own."""
    assert upload_checksum(()) is None


@pytest.mark.parametrize(
    ("given_kind", "wanted_kind", "is_refused"),
    [
        (EncryptionKind.NONE, EncryptionKind.SSE_S3, False),
        (EncryptionKind.SSE_S3, EncryptionKind.SSE_KMS, False),
        (EncryptionKind.SSE_KMS, EncryptionKind.SSE_KMS, False),
        (EncryptionKind.SSE_KMS, EncryptionKind.SSE_S3, True),
        (EncryptionKind.DSSE_KMS, EncryptionKind.SSE_KMS, True),
        (EncryptionKind.SSE_C, EncryptionKind.DSSE_KMS, True),
    ],
)
async def test_encryption_is_never_weakened(
    given_kind: EncryptionKind, wanted_kind: EncryptionKind, *, is_refused: bool
) -> None:
    """If this fails, a KMS object silently becomes an SSE-S3 one."""
    run = Run()
    run.store.put("src", "k", b"x", encryption=Encryption(kind=given_kind))
    head = await run.store.head_object(SOURCE, "k")
    assert (copy_refusal(head, Encryption(kind=wanted_kind)) is not None) == is_refused


def test_an_unconditional_marker_needs_a_quiet_key() -> None:
    """If this fails, the one unconditional write can race a live writer."""
    run = Run()
    entry = run.add(run.store.mark("src", "k"))
    with pytest.raises(AssertionError, match="quiet key"):
        mark_absent_request(entry, DESTINATION)


def test_the_breaker_opens_on_a_full_window_of_failures_only() -> None:
    """If this fails, a few early failures stop a healthy run, or nothing ever does."""
    breaker = Breaker(window=10, failure_ratio=0.9)
    states = []
    for is_failure in [True] * 9 + [False] * 2 + [True] * 9:
        breaker.note(is_failure=is_failure)
        states.append(breaker.is_open)
    # Full at the tenth; the second success makes it eight of ten; then the old ones leave.
    assert states == [False] * 9 + [True] + [False] * 9 + [True]
