"""A look stands for all that it was made from, and for nothing else."""

from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.model.attributes import ContentHeaders, EncryptionKind, ObjectHead
from backfill.model.looks import are_alike, encryption_in, has_checksum, look_of, look_of_listed
from backfill.model.objects import Checksum, ChecksumType, ETag
from tests.doubles.planning import ENCRYPTIONS, head_of, version

LISTED = version("k", "v", "0123456789abcdef" * 2, 7)
TEXTS = st.sampled_from(["", "a", "b", "a', 'b", "\udcff", "None"])
CHECKSUMS = st.builds(
    Checksum,
    algorithm=st.sampled_from(["CRC32", "CRC64NVME"]),
    value=st.sampled_from(["AAAA", "BBBB"]),
    type=st.sampled_from(list(ChecksumType)),
    part_count=st.sampled_from([None, None, 0, 2]),
)
HEADS = st.builds(
    lambda metadata, headers, checksums, kind, tags, missing, raw: head_of(
        LISTED,
        metadata=tuple(metadata),
        content_headers=ContentHeaders(*headers),
        checksums=tuple(checksums),
        encryption=ENCRYPTIONS[kind],
        tag_count=tags,
        missing_metadata_count=missing,
        unmodelled_checksums=raw,
    ),
    st.lists(st.tuples(TEXTS, TEXTS), max_size=2),
    st.lists(st.none() | TEXTS, max_size=6),
    st.lists(CHECKSUMS, max_size=2),
    st.sampled_from([EncryptionKind.NONE, EncryptionKind.SSE_S3, EncryptionKind.SSE_KMS]),
    st.sampled_from([0, 0, 0, 1]),
    st.sampled_from([0, 0, 0, 1]),
    st.sampled_from([(), (), (("x-amz-checksum-xxhash64", "x"),)]),
)


def told(head: ObjectHead) -> tuple[object, ...]:
    """Return what a look must tell apart."""
    return head.checksums, head.metadata, head.content_headers


@given(one=HEADS, two=HEADS)
@settings(max_examples=1500, deadline=None)
def test_equal_looks_mean_that_all_of_it_is_equal(one: ObjectHead, two: ObjectHead) -> None:
    """If this fails, verify calls a copy faithful whose metadata or checksum is another's."""
    ours, theirs = look_of(one), look_of(two)
    if ours is None or theirs is None:
        return
    assert are_alike(ours, theirs) == (told(one) == told(two))
    assert (ours == theirs) == (told(one) == told(two) and one.encryption == two.encryption)
    assert encryption_in(ours) is one.encryption.kind
    assert has_checksum(ours) == bool(one.checksums)


@given(head=HEADS)
@settings(max_examples=500, deadline=None)
def test_what_is_unusual_has_no_look_and_what_is_ordinary_has_one(head: ObjectHead) -> None:
    """If this fails, tags are taken for none, or every object is read twice."""
    is_unusual = (
        head.encryption.kind is EncryptionKind.SSE_KMS
        or head.tag_count
        or head.missing_metadata_count
        or head.unmodelled_checksums
        or len(head.checksums) > 1
        or any(each.type is not ChecksumType.FULL_OBJECT for each in head.checksums)
        or any(each.part_count is not None for each in head.checksums)
    )
    assert (look_of(head) is None) == bool(is_unusual)


def test_a_version_whose_head_is_not_what_was_listed_has_no_look() -> None:
    """If this fails, the plan's size and ETag are taken for those of a HEAD that said others."""
    assert look_of_listed(LISTED, head_of(LISTED)) == look_of(head_of(LISTED)) is not None
    assert look_of_listed(LISTED, head_of(LISTED, size_bytes=8)) is None
    assert look_of_listed(LISTED, head_of(LISTED, etag=ETag("f" * 32))) is None


def test_a_look_holds_one_checksum_of_the_whole_object() -> None:
    """If this fails, versions that differ look alike, or each is read again in vain."""
    plain = head_of(version("k", "v", "e", 1))
    whole = Checksum(algorithm="SHA256", value="abc=", type=ChecksumType.FULL_OBJECT)
    look = look_of(plain)
    assert look is not None
    assert look[0] == "S"
    assert encryption_in(look) is EncryptionKind.SSE_S3
    assert look_of(plain._replace(checksums=(whole,))) == f"{look} SHA256 abc="
    odd = [
        (whole, whole),
        (whole._replace(type=ChecksumType.COMPOSITE),),
        (whole._replace(part_count=2),),
    ]
    assert [look_of(plain._replace(checksums=each)) for each in odd] == [None] * 3
    bare = look_of(plain._replace(encryption=ENCRYPTIONS[EncryptionKind.NONE]))
    assert bare is not None
    assert bare == f"-{look[1:]}"
    assert are_alike(bare, look)
