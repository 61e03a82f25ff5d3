"""The ladder against an oracle that reasons in facts instead of rungs, over a grid of pairs."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from backfill.model.attributes import Encryption, EncryptionKind, ReplicationStatus
from backfill.model.objects import ETag, VersionId
from backfill.verify.ladder import content_proof, parts_to_compare
from backfill.verify.verdicts import Evidence, Field, Verdict
from tests.doubles.figures import Row, Tried
from tests.unit.verify.two_buckets import PLAIN, Stored, kms

A = b"the first content of twenty bytes"
B = b"The first content of twenty bytes"
LONGER = A + b"!"
LAYOUTS = ((), (len(A),), (10, len(A) - 10), (20, len(A) - 20), (10, 10, len(A) - 20))
ALGORITHMS = ((), ("CRC32",), ("SHA256",), ("CRC32", "SHA256"))
ENCRYPTIONS = (PLAIN, kms("one"), Encryption(kind=EncryptionKind.SSE_C))


@dataclass(frozen=True)
class Pair:
    source: Stored
    destination: Stored
    knows_layouts: bool

    @property
    def are_equal(self) -> bool:
        return self.source.data == self.destination.data


def sides(version_id: str) -> Iterator[Stored]:
    for data, parts, names, encryption in itertools.product(
        (A, B), LAYOUTS, ALGORITHMS, ENCRYPTIONS
    ):
        yield Stored(
            version_id=version_id, data=data, parts=parts, algorithms=names, encryption=encryption
        )


def grid() -> Iterator[Pair]:
    for source, destination in itertools.product(sides("one"), sides("two")):
        if source.data == A:  # the other half is its mirror image
            for knows_layouts in (False, True):
                yield Pair(source, destination, knows_layouts)


def facts(side: Stored, *, knows_layout: bool) -> dict[tuple[object, ...], str]:
    """Return what is known of a side's bytes, under names that two sides share only if they agree.

    A fact about parts is named by its part sizes, known or implied by there being one part.
    """
    known: dict[tuple[object, ...], str] = {}
    count = len(side.parts)
    layout = side.parts if knows_layout or count == 1 else None
    for checksum in side.checksums():
        if checksum.part_count is None:
            known["full", checksum.algorithm] = checksum.value
        elif layout is not None:
            known["composite", checksum.algorithm, layout] = checksum.value
    if side.encryption == PLAIN:
        if count <= 1:  # one part's ETag is a function of the bytes, as the plain MD5 is
            known["one part",] = replace(side, parts=(len(side.data),)).etag
        elif layout is not None:
            known["etag", layout] = side.etag
    return known


def agreements(side: Stored) -> set[tuple[object, ...]]:
    """Return what can only ever agree: values over parts of unknown sizes."""
    found: set[tuple[object, ...]] = {
        (checksum.algorithm, checksum.part_count, checksum.value)
        for checksum in side.checksums()
        if checksum.part_count
    }
    if side.encryption == PLAIN and len(side.parts) > 1:
        found.add((side.etag,))
    return found


def oracle(pair: Pair) -> Verdict:
    one = facts(pair.source, knows_layout=pair.knows_layouts)
    two = facts(pair.destination, knows_layout=pair.knows_layouts)
    shared = one.keys() & two.keys()
    if any(one[name] != two[name] for name in shared):
        return Verdict.DIFFERENT
    if shared:
        return Verdict.EQUAL
    if pair.knows_layouts:
        return Verdict.UNVERIFIED
    return (
        Verdict.EQUAL
        if agreements(pair.source) & agreements(pair.destination)
        else (Verdict.UNVERIFIED)
    )


def proof_of(pair: Pair) -> tuple[Verdict, Evidence]:
    known = pair.knows_layouts
    proof = content_proof(
        pair.source.head(),
        pair.destination.head(),
        source_parts=pair.source.parts if known else None,
        destination_parts=pair.destination.parts if known else None,
    )
    return proof.verdict, proof.evidence


def test_the_ladder_answers_as_an_independent_oracle_over_the_whole_grid(tried: Tried) -> None:
    """If this fails, a verdict on content rests on something else than comparable evidence."""
    verdicts = dict.fromkeys(Verdict, 0)
    for pair in grid():
        verdict, evidence = proof_of(pair)
        assert verdict is oracle(pair), pair
        assert (evidence is Evidence.NONE) == (verdict is Verdict.UNVERIFIED), pair
        verdicts[verdict] += 1
    assert sum(verdicts.values()) == 60 * 120 * 2
    assert min(verdicts[v] for v in (Verdict.EQUAL, Verdict.DIFFERENT, Verdict.UNVERIFIED)) > 500
    tried(Row.DECISIONS, sum(verdicts.values()))


def test_the_ladder_is_never_wrong_about_the_bytes() -> None:
    """If this fails, verify calls damaged bytes equal or sound bytes different."""
    for pair in grid():
        verdict, _ = proof_of(pair)
        if verdict is not Verdict.UNVERIFIED:
            assert (verdict is Verdict.EQUAL) == pair.are_equal, pair


def test_another_size_decides_before_any_evidence() -> None:
    """If this fails, a truncated copy with a stale checksum passes."""
    source = Stored(version_id="v", data=A).head()
    proof = content_proof(source, source._replace(size_bytes=len(LONGER)))
    assert (proof.verdict, proof.evidence) == (Verdict.DIFFERENT, Evidence.SIZE)
    assert proof.fields == (Field.SIZE,)


SAME = Stored(
    version_id="v", data=A, algorithms=(), encryption=kms("k"), status=ReplicationStatus.REPLICA
)


@pytest.mark.parametrize(
    ("version_id", "status", "etag", "verdict"),
    [
        ("v", ReplicationStatus.REPLICA, "same", Verdict.EQUAL),
        ("v", ReplicationStatus.REPLICA, "other", Verdict.UNVERIFIED),
        ("v", ReplicationStatus.NONE, "same", Verdict.UNVERIFIED),
        ("null", ReplicationStatus.REPLICA, "same", Verdict.UNVERIFIED),
    ],
)
def test_a_version_id_is_evidence_only_of_a_replica_with_a_name_and_the_same_etag(
    version_id: str, status: ReplicationStatus, etag: str, verdict: Verdict
) -> None:
    """If this fails, `null` on both sides, or an ID without REPLICA, passes for identity."""
    source = replace(SAME, version_id=version_id).head()
    changes = {"etag": source.etag if etag == "same" else "0" * 32}
    destination = source._replace(replication_status=status, **changes)  # type: ignore[arg-type] # an ETag is a str
    assert content_proof(source, destination).verdict is verdict


def test_one_proof_of_difference_outweighs_the_same_version_id_and_etag() -> None:
    """If this fails, a replica whose stored checksum changed is called equal."""
    source = replace(SAME, algorithms=("CRC32",), encryption=PLAIN)
    damaged = replace(source, data=B).head()
    proof = content_proof(source.head(), damaged._replace(etag=source.etag))
    assert (proof.verdict, proof.evidence) == (Verdict.DIFFERENT, Evidence.FULL_OBJECT_CHECKSUM)


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict", "evidence"),
    [
        (("x-amz-checksum-xxhash64", "abc="), ("x-amz-checksum-xxhash64", "abc="), Verdict.EQUAL,
         Evidence.FULL_OBJECT_CHECKSUM),
        (("x-amz-checksum-xxhash64", "abc="), ("x-amz-checksum-xxhash64", "abd="),
         Verdict.DIFFERENT, Evidence.FULL_OBJECT_CHECKSUM),
        (("x-amz-checksum-sha512", "abc=-2"), ("x-amz-checksum-sha512", "abc=-2"), Verdict.EQUAL,
         Evidence.COMPOSITE_CHECKSUM),
        (("x-amz-checksum-sha512", "abc=-2"), ("x-amz-checksum-sha512", "abd=-2"),
         Verdict.UNVERIFIED, Evidence.NONE),
        (("x-amz-checksum-sha512", "abc=-2"), ("x-amz-checksum-sha512", "abc="),
         Verdict.UNVERIFIED, Evidence.NONE),
        (("x-amz-checksum-sha512", "abc="), ("x-amz-checksum-md5", "abc="), Verdict.UNVERIFIED,
         Evidence.NONE),
        (("x-amz-checksum-type", "FULL_OBJECT"), ("x-amz-checksum-type", "FULL_OBJECT"),
         Verdict.UNVERIFIED, Evidence.NONE),
    ],
)  # fmt: skip
def test_checksums_that_the_sdk_does_not_know_take_part(
    ours: tuple[str, str], theirs: tuple[str, str], verdict: Verdict, evidence: Evidence
) -> None:
    """If this fails, a checksum in a raw header is taken for absent, or for more than it is."""
    source = replace(SAME, version_id="one", raw_checksums=(ours,)).head()
    destination = replace(SAME, version_id="two", raw_checksums=(theirs,)).head()
    proof = content_proof(source, destination)
    assert (proof.verdict, proof.evidence) == (verdict, evidence)


@pytest.mark.parametrize(
    ("ours", "theirs", "parts"),
    [((10, 23), (20, 13), 2), ((10, 23), (10, 10, 13), 0), ((), (10, 23), 0), ((), (), 0)],
)
def test_part_sizes_are_asked_for_only_where_they_can_decide(
    ours: tuple[int, ...], theirs: tuple[int, ...], parts: int
) -> None:
    """If this fails, verify pays for HEADs that prove nothing, or leaves out those that would."""
    source = Stored(version_id="one", data=A, parts=ours, algorithms=())
    destination = Stored(version_id="two", data=A, parts=theirs, algorithms=())
    assert parts_to_compare(source.head(), destination.head()) == parts
    opaque = replace(destination, encryption=kms("k"))
    assert parts_to_compare(source.head(), opaque.head()) == 0


def test_equal_values_over_parts_of_other_sizes_prove_nothing() -> None:
    """If this fails, 32-bit values over different cuts of the bytes pass for proof."""
    source = Stored(version_id="one", data=A, parts=(10, 23), algorithms=()).head()
    destination = source._replace(version_id=VersionId("two"))
    proof = content_proof(source, destination, source_parts=(10,), destination_parts=(20,))
    assert proof.verdict is Verdict.UNVERIFIED
    assert content_proof(source, destination).evidence is Evidence.MULTIPART_ETAG


def test_part_sizes_are_asked_for_by_composite_checksums_alone_too() -> None:
    """If this fails, copies under KMS whose checksums are over parts stay unverified."""
    source = replace(SAME, version_id="one", parts=(10, 23), algorithms=("SHA256",))
    for parts, asked in (((20, 13), 2), ((10, 10, 13), 0), ((), 0)):
        destination = replace(source, version_id="two", parts=parts).head()
        assert parts_to_compare(source.head(), destination) == asked


@pytest.mark.parametrize("kind", [EncryptionKind.NONE, EncryptionKind.SSE_S3])
def test_etags_are_digests_with_and_without_encryption_by_s3(kind: EncryptionKind) -> None:
    """If this fails, objects from before S3 encrypted everything cannot be verified."""
    source = Stored(version_id="one", data=A, algorithms=()).head()
    destination = source._replace(
        version_id=VersionId("two"), encryption=Encryption(kind=EncryptionKind.NONE)
    )
    encrypted = source._replace(encryption=Encryption(kind=kind))
    assert content_proof(encrypted, destination).evidence is Evidence.MD5_ETAG


@pytest.mark.parametrize("odd", ["", "0" * 31, "0" * 33, "G" * 32, "A" * 32])
def test_an_etag_that_is_no_digest_proves_nothing(odd: str) -> None:
    """If this fails, an ETag that some store made up tells equal bytes apart."""
    source = Stored(version_id="one", data=A, algorithms=()).head()
    destination = source._replace(version_id=VersionId("two"), etag=ETag(odd))
    for one, two in ((source, destination), (destination, source)):
        assert content_proof(one, two).verdict is Verdict.UNVERIFIED
