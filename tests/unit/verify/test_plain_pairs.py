"""Two heads that differ in one thing are never a plain pair; alike ones are, with their proof."""

from typing import cast

import pytest

from backfill.model.attributes import (
    ContentHeaders,
    Encryption,
    EncryptionKind,
    ObjectHead,
)
from backfill.model.looks import look_of
from backfill.model.objects import Checksum, ChecksumType, ETag, VersionId
from backfill.verify.joined import KeyCells
from backfill.verify.plain import (
    PlainVerdicts,
    delivered_id,
    is_plain,
    key_of,
    plain_verdict,
    planned_id,
)
from backfill.verify.rows import verdict_of
from backfill.verify.verdicts import Evidence, Fidelity, Verdict, VerdictRow
from tests.doubles.planning import ENCRYPTIONS, head_of
from tests.unit.verify.test_plain import KEY, MD5, joined_of, plain_key, plain_row

CRC = Checksum(algorithm="CRC64NVME", value="a", type=ChecksumType.FULL_OBJECT)
SHA = Checksum(algorithm="SHA256", value="b", type=ChecksumType.FULL_OBJECT)
PARTS = Checksum(algorithm="CRC32", value="c", type=ChecksumType.COMPOSITE, part_count=2)
KMS = Encryption(kind=EncryptionKind.SSE_KMS, kms_key_arn="arn:aws:kms:x:1:key/k")
OPAQUE = ETag("opaque")
EQUAL = VerdictRow(
    number=3,
    key=KEY,
    version_id=VersionId("v1"),
    destination=0,
    content=Verdict.EQUAL,
    evidence=Evidence.MD5_ETAG,
    fidelity=Fidelity.EQUAL,
    destination_version_id=VersionId("copy"),
    destination_etag=ETag(MD5),
)
Heads = tuple[dict[str, object], dict[str, object]]


def verdict(heads: Heads, **entry: object) -> VerdictRow | None:
    """Return the verdict of the long way's two heads; both ways must agree."""
    row, delivery, group = plain_row(**entry)
    source: ObjectHead = head_of(group.source_chain[0], **heads[0])  # type: ignore[arg-type] # no marker here
    destination = head_of(delivery, **heads[1])
    found = plain_verdict(row.entry, delivery.version_id, source, destination)
    by_heads = PlainVerdicts().of_heads(plain_key(row, group), source, destination)
    assert by_heads is None or verdict_of(list(by_heads)) == found
    return found


ALIKE: dict[str, tuple[Heads, dict[str, object], Evidence]] = {
    "MD5 ETags": (({}, {}), {}, Evidence.MD5_ETAG),
    "the same checksum and ETag": (
        ({"checksums": (CRC,)}, {"checksums": (CRC,)}),
        {},
        Evidence.FULL_OBJECT_CHECKSUM,
    ),
    "the same checksum under KMS": (
        (
            {"checksums": (CRC,), "encryption": KMS, "etag": OPAQUE},
            {"checksums": (CRC,), "encryption": KMS, "etag": ETag("x")},
        ),
        {},
        Evidence.FULL_OBJECT_CHECKSUM,
    ),
    "no encryption and S3's, and S3's wanted": (
        ({"encryption": ENCRYPTIONS[EncryptionKind.NONE]}, {}),
        {"encryption": ENCRYPTIONS[EncryptionKind.SSE_S3]},
        Evidence.MD5_ETAG,
    ),
    "whatever encryption, and none wanted": (
        ({}, {}),
        {"encryption": ENCRYPTIONS[EncryptionKind.NONE]},
        Evidence.MD5_ETAG,
    ),
    "the class that was wanted": (
        ({}, {"storage_class": "STANDARD_IA"}),
        {"storage_class": "STANDARD_IA"},
        Evidence.MD5_ETAG,
    ),
    "any class where none was wanted": (
        ({}, {"storage_class": "STANDARD_IA"}),
        {"storage_class": ""},
        Evidence.MD5_ETAG,
    ),
    "the class that S3 does not name": (
        ({}, {"storage_class": ""}),
        {"storage_class": "STANDARD"},
        Evidence.MD5_ETAG,
    ),
}


@pytest.mark.parametrize("case", ALIKE)
def test_a_like_pair_is_equal_by_the_strongest_that_both_have(case: str) -> None:
    """If this fails, every row of a large backfill goes the long way, or names another proof."""
    heads, entry, evidence = ALIKE[case]
    found = verdict(heads, **entry)
    etag = cast("ETag", heads[1].get("etag", ETag(MD5)))
    assert found == EQUAL._replace(evidence=evidence, destination_etag=etag)


def both(**fields: object) -> Heads:
    return dict(fields), dict(fields)


TAG: dict[str, object] = {"tag_count": 1}
BARE: dict[str, object] = {"encryption": ENCRYPTIONS[EncryptionKind.NONE]}
UNLIKE: dict[str, tuple[Heads, dict[str, object]]] = {
    "another size": (({}, {"size_bytes": 8}), {}),
    "another ETag": (({}, {"etag": ETag("f" * 32)}), {}),
    "an ETag of parts": (both(etag=ETag(f"{MD5}-2")), {}),
    "an ETag that is no digest": (both(etag=OPAQUE), {}),
    "an ETag in capitals": (both(etag=ETag(MD5.upper())), {}),
    "opaque ETags alone": (both(encryption=KMS), {}),
    "KMS at one side alone": (({"encryption": KMS}, {}), {}),
    "a checksum at one side alone": (({"checksums": (CRC,)}, {}), {}),
    "a checksum at the other side alone": (({}, {"checksums": (CRC,)}), {}),
    "another value": (
        ({"checksums": (CRC,)}, {"checksums": (CRC._replace(value="z"),)}),
        {},
    ),
    "another algorithm": (({"checksums": (CRC,)}, {"checksums": (SHA,)}), {}),
    "two checksums": (both(checksums=(CRC, SHA)), {}),
    "a checksum of parts": (both(checksums=(PARTS,)), {}),
    "a checksum that the SDK does not know": (
        both(unmodelled_checksums=(("x-amz-checksum-new", "x"),)),
        {},
    ),
    "one that it does not know at the source": (
        ({"unmodelled_checksums": (("x-amz-checksum-new", "x"),)}, {}),
        {},
    ),
    "one that it does not know at the destination": (
        ({}, {"unmodelled_checksums": (("x-amz-checksum-new", "x"),)}),
        {},
    ),
    "the same checksum and another ETag": (
        ({"checksums": (CRC,)}, {"checksums": (CRC,), "etag": ETag("f" * 32)}),
        {},
    ),
    "metadata": (({}, {"metadata": (("a", "b"),)}), {}),
    "content headers": (({}, {"content_headers": ContentHeaders(content_type="x")}), {}),
    "tags to read": (both(**TAG), {}),
    "tags of the source": ((TAG, {}), {}),
    "tags of the destination": (({}, TAG), {}),
    "metadata that cannot be shown": (both(missing_metadata_count=1), {}),
    "metadata of the destination that cannot": (({}, {"missing_metadata_count": 1}), {}),
    "a lock": (both(lock_mode="GOVERNANCE"), {}),
    "a legal hold": (both(has_legal_hold=True), {}),
    "a legal hold of the source": (({"has_legal_hold": True}, {}), {}),
    "a legal hold of the destination": (({}, {"has_legal_hold": True}), {}),
    "a redirect": (both(website_redirect="/a"), {}),
    "another class": (({}, {"storage_class": "STANDARD_IA"}), {}),
    "no class where another was wanted": (
        ({}, {"storage_class": ""}),
        {"storage_class": "STANDARD_IA"},
    ),
    "another encryption than was wanted": (
        (BARE, BARE),
        {"encryption": ENCRYPTIONS[EncryptionKind.SSE_S3]},
    ),
    "a wanted key, which heads name": (
        both(checksums=(CRC,), encryption=KMS),
        {"encryption": KMS},
    ),
    "another encryption than the source's, and nobody asked": (
        ({"encryption": ENCRYPTIONS[EncryptionKind.NONE]}, {}),
        {"encryption": None},
    ),
}


@pytest.mark.parametrize("case", UNLIKE)
def test_one_thing_that_differs_or_is_left_to_read_goes_the_whole_way(case: str) -> None:
    """If this fails, damage to one field of a copy is called equal, by the short way."""
    heads, entry = UNLIKE[case]
    assert verdict(heads, **entry) is None


def test_a_plain_key_tells_whose_versions_it_is_about() -> None:
    """If this fails, heads are asked of other versions than the row's."""
    row, _, group = plain_row()
    plain = plain_key(row, group)
    assert (key_of(plain), planned_id(plain), delivered_id(plain)) == (KEY, "v1", "copy")


def test_what_names_itself_as_its_own_copy_is_not_plain() -> None:
    """If this fails, a replica is taken for a copy of ours, and judged as one."""
    row, delivery, group = plain_row()
    (made,) = row.outcomes
    replica = delivery._replace(version_id=VersionId("v1"))
    as_replica = group._replace(destination_chains=((replica,),))
    itself = row._replace(outcomes=(made._replace(version_id=VersionId("v1")),))
    other = row._replace(outcomes=(made._replace(version_id=VersionId("else")),))
    for changed, chains in ((itself, as_replica), (other, group)):
        joined = joined_of(changed, chains)
        assert isinstance(joined, KeyCells)
        assert not is_plain(joined)


def test_a_look_of_the_plan_serves_while_the_destination_looks_alike() -> None:
    """If this fails, a row without a look is called equal, or each row pays for a second head."""
    row, delivery, group = plain_row()
    source: ObjectHead = head_of(group.source_chain[0])  # type: ignore[arg-type] # no marker here
    look = look_of(source)
    assert look is not None
    seen = plain_key(row._replace(entry=row.entry._replace(source_look=look)), group)
    verdicts = PlainVerdicts()
    for _ in range(2):  # the second by what it remembers of the first
        found = verdicts.of_plan(seen, head_of(delivery))
        assert found is not None
        assert verdict_of(list(found)) == EQUAL
    for changes in (
        {"etag": ETag("f" * 32)},
        {"size_bytes": 8},
        {"metadata": (("a", "b"),)},
        {"lock_mode": "GOVERNANCE"},
    ):
        assert verdicts.of_plan(seen, head_of(delivery, **changes)) is None
    assert verdicts.of_plan(plain_key(row, group), head_of(delivery)) is None
