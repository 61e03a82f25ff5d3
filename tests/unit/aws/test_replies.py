"""Answers of the SDK, parsed."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backfill.aws import acl_replies, replies
from backfill.aws.replies import NoETagError, ReplyError, UnknownValueError
from backfill.model.attributes import EncryptionKind, ObjectHead, ReplicationStatus
from backfill.model.objects import Checksum, ChecksumType
from backfill.model.store import Grant

HEAD = {
    "etag": '"abc-2"',
    "content-length": "12",
    "last-modified": "Sun, 22 Nov 2026 10:00:00 GMT",
}


def head(**headers: str) -> ObjectHead:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return replies.object_head({"ResponseMetadata": {"HTTPHeaders": HEAD | named}})


def test_a_bare_head_means_what_s3_documents_for_absent_headers() -> None:
    """STANDARD, null, no tags: absent is a value here."""
    bare = head()
    assert (bare.etag, bare.size_bytes, bare.version_id) == ("abc-2", 12, "null")
    assert bare.last_modified == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert (bare.storage_class, bare.tag_count, bare.metadata) == ("STANDARD", 0, ())
    assert bare.encryption.kind is EncryptionKind.NONE
    assert bare.replication_status is ReplicationStatus.NONE
    assert bare.parts_count is None


def test_metadata_is_sorted_and_decoded() -> None:
    """Two heads of the same object must compare equal."""
    found = head(x_amz_meta_b="=?UTF-8?B?w6k=?=", x_amz_meta_a="x").metadata
    assert found == (("a", "x"), ("b", "é"))


def test_all_else_that_a_head_tells_is_kept() -> None:
    """What is dropped here is a field that nobody can compare or refuse."""
    found = head(
        x_amz_version_id="v",
        x_amz_storage_class="INTELLIGENT_TIERING",
        x_amz_archive_status="ARCHIVE_ACCESS",
        x_amz_restore='ongoing-request="true"',
        x_amz_tagging_count="3",
        x_amz_mp_parts_count="7",
        x_amz_missing_meta="1",
        x_amz_object_lock_mode="GOVERNANCE",
        x_amz_object_lock_retain_until_date="2027-01-01T00:00:00.000Z",
        x_amz_object_lock_legal_hold="ON",
        x_amz_website_redirect_location="/x",
        content_type="a/b",
        cache_control="c",
        expires="Thu, 01 Jan 2026 00:00:00 GMT",
    )
    assert (found.version_id, found.storage_class) == ("v", "INTELLIGENT_TIERING")
    assert (found.archive_status, found.restore) == ("ARCHIVE_ACCESS", 'ongoing-request="true"')
    assert (found.tag_count, found.parts_count, found.missing_metadata_count) == (3, 7, 1)
    assert (found.lock_mode, found.has_legal_hold) == ("GOVERNANCE", True)
    assert found.lock_retain_until == datetime(2027, 1, 1, tzinfo=UTC)
    assert found.website_redirect == "/x"
    assert found.content_headers.content_type == "a/b"
    assert found.content_headers.expires == "Thu, 01 Jan 2026 00:00:00 GMT"


def test_an_expires_that_is_no_date_is_kept_as_it_is() -> None:
    """Botocore removes it from the headers; S3 keeps whatever it was given."""
    reply = {"ResponseMetadata": {"HTTPHeaders": HEAD}, "ExpiresString": "never"}
    assert replies.object_head(reply).content_headers.expires == "never"


@pytest.mark.parametrize(
    ("value", "stated", "checksum"),
    [
        ("AAAA", "FULL_OBJECT", ("AAAA", ChecksumType.FULL_OBJECT, None)),
        ("AAAA-3", "COMPOSITE", ("AAAA", ChecksumType.COMPOSITE, 3)),
        ("AAAA", "COMPOSITE", ("AAAA", ChecksumType.COMPOSITE, None)),
        ("AAAA-3", None, ("AAAA", ChecksumType.COMPOSITE, 3)),
        ("AAAA", None, ("AAAA", ChecksumType.FULL_OBJECT, None)),
    ],
)
def test_a_checksum_is_normalised(
    value: str, stated: str | None, checksum: tuple[str, ChecksumType, int | None]
) -> None:
    """HEAD writes `-N` and GetObjectAttributes does not: compared raw they never agree."""
    headers = {"x_amz_checksum_sha256": value} | ({"x_amz_checksum_type": stated} if stated else {})
    (found,) = head(**headers).checksums
    expected_value, kind, parts = checksum
    assert found == Checksum(algorithm="SHA256", value=expected_value, type=kind, part_count=parts)


def test_a_checksum_that_the_sdk_does_not_know_is_kept_and_not_taken_for_absent() -> None:
    """S3 has more algorithms than this botocore; absent would mean `unverified` for no reason."""
    found = head(
        x_amz_checksum_xxhash64="abc",
        x_amz_checksum_crc32="AAAA",
        x_amz_checksum_type="FULL_OBJECT",
    )
    assert found.unmodelled_checksums == (("x-amz-checksum-xxhash64", "abc"),)
    assert [checksum.algorithm for checksum in found.checksums] == ["CRC32"]


@pytest.mark.parametrize(
    ("headers", "kind", "key"),
    [
        ({"x_amz_server_side_encryption": "AES256"}, EncryptionKind.SSE_S3, None),
        (
            {
                "x_amz_server_side_encryption": "aws:kms",
                "x_amz_server_side_encryption_aws_kms_key_id": "arn:k",
                "x_amz_server_side_encryption_bucket_key_enabled": "true",
            },
            EncryptionKind.SSE_KMS,
            "arn:k",
        ),
        ({"x_amz_server_side_encryption": "aws:kms:dsse"}, EncryptionKind.DSSE_KMS, None),
        (
            {"x_amz_server_side_encryption_customer_algorithm": "AES256"},
            EncryptionKind.SSE_C,
            None,
        ),
    ],
)
def test_encryption_is_read(headers: dict[str, str], kind: EncryptionKind, key: str | None) -> None:
    """Eligibility and the meaning of an ETag depend on it."""
    found = head(**headers).encryption
    assert (found.kind, found.kms_key_arn) == (kind, key)
    assert found.is_bucket_key_enabled is (key is not None)


def test_both_spellings_of_completed_are_one_status() -> None:
    """Both occur in S3's model."""
    for text in ("COMPLETE", "COMPLETED"):
        assert head(x_amz_replication_status=text).replication_status == "COMPLETED"


@pytest.mark.parametrize(
    "headers",
    [
        {"x_amz_server_side_encryption": "aws:fsx"},
        {"x_amz_replication_status": "SOON"},
        {"x_amz_checksum_crc32": "A", "x_amz_checksum_type": "HALF"},
    ],
)
def test_a_value_of_an_unknown_kind_is_refused(headers: dict[str, str]) -> None:
    """A copy of something that we do not understand could lose it silently."""
    with pytest.raises(UnknownValueError):
        head(**headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"etag": ""},
        {"content-length": "many"},
        {"content-length": "-1"},
        {"last-modified": "yesterday"},
        {"x-amz-tagging-count": "²"},
        {"x-amz-object-lock-retain-until-date": "later"},
    ],
)
def test_a_garbled_head_is_refused(headers: dict[str, str]) -> None:
    """Half a head would be compared as if it were whole."""
    with pytest.raises(ReplyError):
        replies.object_head({"ResponseMetadata": {"HTTPHeaders": HEAD | headers}})


@pytest.mark.parametrize(
    "reply",
    [{}, {"CopyObjectResult": {}}, {"CopyObjectResult": {"ETag": '""'}}, {"ETag": '"e"'}],
)
def test_a_copy_without_the_etag_of_its_result_is_no_success(reply: dict[str, object]) -> None:
    """200 with an empty body reads as success in the SDK; the copy may not exist."""
    with pytest.raises(NoETagError):
        replies.write_result(reply, result="CopyObjectResult")


def test_a_copy_is_read_with_its_version_and_checksums() -> None:
    """They are the journal's version-ID map and the first evidence."""
    result = replies.write_result(
        {
            "CopyObjectResult": {
                "ETag": '"e"',
                "ChecksumCRC64NVME": "AAAA",
                "ChecksumType": "FULL_OBJECT",
                "LastModified": datetime(2026, 11, 22, tzinfo=UTC),
            },
            "VersionId": "v",
        },
        result="CopyObjectResult",
    )
    assert (result.etag, result.version_id) == ("e", "v")
    assert [checksum.algorithm for checksum in result.checksums] == ["CRC64NVME"]
    assert result.last_modified == datetime(2026, 11, 22, tzinfo=UTC)


def test_a_delete_that_made_no_marker_is_not_taken_for_one() -> None:
    """In a bucket without versioning the object would be gone for good."""
    with pytest.raises(ReplyError):
        replies.marker_result({})
    assert replies.marker_result({"DeleteMarker": True, "VersionId": "m"}).version_id == "m"


def grant(permission: str = "FULL_CONTROL", **grantee: str) -> dict[str, object]:
    return {"Grantee": {"Type": "CanonicalUser", "ID": "o"} | grantee, "Permission": permission}


@pytest.mark.parametrize(
    ("grants", "is_default"),
    [
        ([grant()], True),
        ([], False),
        ([grant(), grant(ID="other")], False),
        ([grant(ID="other")], False),
        ([grant("READ")], False),
        ([grant(Type="Group", URI="all")], False),
    ],
)
def test_only_full_control_of_the_owner_alone_is_the_default_acl(
    grants: list[dict[str, object]], is_default: bool
) -> None:
    """Any other grant would be lost by a copy, so it must be seen."""
    assert acl_replies.object_acl({"Owner": {"ID": "o"}, "Grants": grants}).is_default is is_default


def test_an_acl_without_an_owner_is_not_default() -> None:
    """If this fails, a grant to somebody is taken for the owner's, and a copy loses it."""
    assert acl_replies.object_acl({"Grants": [grant()]}).is_default is False


@pytest.mark.parametrize(
    "told",
    [
        {"Grantee": {"Type": "CanonicalUser"}, "Permission": "READ"},
        {"Grantee": {"ID": "o"}},
        {"Permission": "READ"},
    ],
)
def test_a_grant_that_cannot_be_read_is_refused(told: dict[str, object]) -> None:
    """If this fails, a copy is given fewer rights than its source gives, without a word."""
    with pytest.raises(replies.ReplyError):
        acl_replies.object_acl({"Owner": {"ID": "o"}, "Grants": [told]})


def test_an_acl_is_read_with_every_kind_of_grantee() -> None:
    """If this fails, a group or another account loses its access to the copy."""
    grants = [
        grant(),
        grant("READ", Type="Group", URI="http://acs.amazonaws.com/groups/global/AllUsers"),
        grant("READ_ACP", ID="another"),
    ]
    acl = acl_replies.object_acl({"Owner": {"ID": "o"}, "Grants": grants})
    assert acl.owner_id == "o"
    assert acl.grants == (
        Grant("FULL_CONTROL", "id", "o"),
        Grant("READ", "uri", "http://acs.amazonaws.com/groups/global/AllUsers"),
        Grant("READ_ACP", "id", "another"),
    )


@pytest.mark.parametrize(
    ("reply", "is_locked"),
    [
        ({"Retention": {"Mode": "GOVERNANCE"}, "LegalHold": {"Status": "ON"}}, True),
        ({"Retention": {"Mode": "COMPLIANCE"}, "LegalHold": {"Status": "ON"}}, True),
        ({"Retention": {"Mode": ""}, "LegalHold": {"Status": "OFF"}}, False),
    ],
)
def test_a_lock_is_read_from_its_word(reply: dict[str, object], *, is_locked: bool) -> None:
    """A copy would lose the lock, so it must be seen."""
    assert replies.is_retained(reply) is is_locked
    assert replies.is_held(reply) is is_locked


@pytest.mark.parametrize("parse", [replies.is_retained, replies.is_held])
def test_an_answer_without_a_lock_is_no_answer(parse: Callable[[replies.Reply], bool]) -> None:
    """S3 says 404 where there is none: an empty 200 is something on the way."""
    with pytest.raises(replies.ReplyError):
        parse({})


ORDINARY_TIME = "Sun, 22 Nov 2026 10:00:00 GMT"


@given(st.integers(0, len(ORDINARY_TIME) - 1), st.sampled_from(" 0123456789:,-+.TGZNov²"))
@example(12, "0")
def test_a_time_is_what_the_standard_library_makes_of_it(position: int, character: str) -> None:
    """The short way reads one form only; it may not read more into it than the long way."""
    text = ORDINARY_TIME[:position] + character + ORDINARY_TIME[position + 1 :]
    try:
        expected = parsedate_to_datetime(text)
    except ValueError:
        with pytest.raises(ReplyError):
            head(last_modified=text)
    else:
        # One whose zone cannot be read is UTC's, as all times of HTTP.
        aware = expected if expected.tzinfo is not None else expected.replace(tzinfo=UTC)
        assert head(last_modified=text).last_modified == aware
