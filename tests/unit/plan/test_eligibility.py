"""What keeps a version from being moved whole, obstacle by obstacle, and what its replica is."""

from datetime import timedelta
from typing import Any

import pytest

from backfill.model.attributes import Encryption, EncryptionKind, ReplicationStatus
from backfill.model.extras import Abilities
from backfill.model.objects import Checksum, ChecksumType, ETag
from backfill.plan.eligibility import (
    Obstacle,
    batch_obstacle_of,
    is_archived_class,
    obstacle_of,
    proves_itself_in_parts,
    replica_encryption,
    selects_kms,
)
from backfill.plan.routes import Reason
from backfill.settings import OBJECT_BYTES_MAX, PART_BYTES_MIN
from tests.doubles.planning import ENCRYPTIONS, HORIZON, head_of, rule, version

ENTRY = version("k", "v", "e", 30, is_latest=True)
PLAIN = rule()
KMS = rule(selects_kms=True, replica_kms_key="arn:key")
LOCKING = Abilities(has_object_lock=True)
RETAINED = {"lock_mode": "GOVERNANCE", "lock_retain_until": HORIZON}
SSE_KMS, DSSE_KMS = ENCRYPTIONS[EncryptionKind.SSE_KMS], ENCRYPTIONS[EncryptionKind.DSSE_KMS]
LACKS_LOCK = ", and the destination has no Object Lock"
OPENED = Encryption(kind=EncryptionKind.SSE_C, customer_key_md5="md5==")


@pytest.mark.parametrize(
    ("head", "asked", "by_copy", "by_batch"),
    [
        ({}, {}, None, None),
        ({"replication_status": ReplicationStatus.FAILED}, {}, None, None),
        (
            {"etag": ETag("other")},
            {},
            (Reason.VANISHED, "the null version was overwritten meanwhile"),
            (Reason.VANISHED, "the null version was overwritten meanwhile"),
        ),
        (
            {"replication_status": ReplicationStatus.PENDING},
            {},
            (Reason.IN_FLIGHT, ""),
            (Reason.IN_FLIGHT, ""),
        ),
        (
            {"storage_class": "DEEP_ARCHIVE"},
            {},
            (Reason.ARCHIVED, "DEEP_ARCHIVE"),
            (Reason.ARCHIVED, "DEEP_ARCHIVE"),
        ),
        (
            {"storage_class": "INTELLIGENT_TIERING", "archive_status": "ARCHIVE_ACCESS"},
            {},
            (Reason.ARCHIVED, "INTELLIGENT_TIERING ARCHIVE_ACCESS"),
            (Reason.ARCHIVED, "INTELLIGENT_TIERING ARCHIVE_ACCESS"),
        ),
        (
            {"storage_class": "DEEP_ARCHIVE"},
            {"restore_tier": "Bulk"},
            None,
            (Reason.ARCHIVED, "DEEP_ARCHIVE"),
        ),
        (
            {"storage_class": "DEEP_ARCHIVE"},
            {"restore_tier": "Expedited"},
            (Reason.ARCHIVED, "DEEP_ARCHIVE; it has no Expedited retrieval"),
            (Reason.ARCHIVED, "DEEP_ARCHIVE"),
        ),
        ({"encryption": ENCRYPTIONS[EncryptionKind.SSE_C]}, {}, (Reason.SSE_C, ""), None),
        ({"encryption": OPENED}, {}, None, None),
        (
            {"encryption": SSE_KMS},
            {},
            (Reason.KMS_NOT_SELECTED, "aws:kms"),
            (Reason.KMS_NOT_SELECTED, "aws:kms"),
        ),
        (
            {"encryption": DSSE_KMS},
            {"rule": rule(selects_kms=True)},
            (Reason.ENCRYPTION_WOULD_WEAKEN, "aws:kms:dsse"),
            (Reason.ENCRYPTION_WOULD_WEAKEN, "aws:kms:dsse"),
        ),
        ({"encryption": DSSE_KMS}, {"rule": KMS}, None, None),
        ({"missing_metadata_count": 2}, {}, (Reason.METADATA_NOT_READABLE, "2 values"), None),
        (
            RETAINED,
            {},
            (
                Reason.OBJECT_LOCK,
                f"GOVERNANCE until 2026-01-01T00:00:00+00:00{LACKS_LOCK}",
            ),
            None,
        ),
        (RETAINED, {"abilities": LOCKING}, None, None),
        (RETAINED, {"as_of": HORIZON + timedelta(days=1)}, None, None),
        (
            {"has_legal_hold": True},
            {"as_of": HORIZON},
            (Reason.OBJECT_LOCK, f"legal hold{LACKS_LOCK}"),
            None,
        ),
        ({"website_redirect": "/there"}, {}, None, None),
        (
            {"website_redirect": "/é"},
            {},
            (Reason.WEBSITE_REDIRECT, "no header can carry it unchanged"),
            None,
        ),
    ],
)
def test_each_obstacle_is_told_with_its_detail(
    head: dict[str, Any], asked: dict[str, Any], by_copy: Any, by_batch: Any
) -> None:
    """If this fails, a copy loses what it cannot carry, or a version stays for a wrong reason."""
    asked = {"rule": PLAIN, **asked}
    seen = head_of(ENTRY, **head)
    found = obstacle_of(ENTRY, seen, **asked), batch_obstacle_of(ENTRY, seen, asked["rule"])
    assert found == tuple(
        told and Obstacle(reason=told[0], detail=told[1]) for told in (by_copy, by_batch)
    )


def test_only_a_copy_has_a_largest_object() -> None:
    """If this fails, an upload of more parts than S3 takes is begun, or a job is refused one."""
    entries = [ENTRY._replace(size_bytes=OBJECT_BYTES_MAX + more) for more in (0, 1)]
    found = [obstacle_of(each, head_of(each), PLAIN) for each in entries]
    assert found == [None, Obstacle(reason=Reason.TOO_LARGE)]
    assert batch_obstacle_of(entries[1], head_of(entries[1]), PLAIN) is None


@pytest.mark.parametrize(
    ("asked", "selects"),
    [
        (PLAIN, False),
        (rule(selects_kms=True), False),
        (rule(replica_kms_key="arn:key"), False),
        (KMS, True),
    ],
)
def test_kms_is_selected_by_a_rule_that_names_a_key(asked: Any, selects: bool) -> None:
    """If this fails, KMS objects are listed for a job that S3 fails for each of them."""
    assert selects_kms(asked) is selects


def test_two_classes_are_archives() -> None:
    """If this fails, objects that can be read at once are left behind, or archives are copied."""
    classes = ("STANDARD", "GLACIER", "GLACIER_IR", "DEEP_ARCHIVE", "INTELLIGENT_TIERING")
    assert [name for name in classes if is_archived_class(name)] == ["GLACIER", "DEEP_ARCHIVE"]


COMPOSITE = Checksum(algorithm="CRC32", value="x", type=ChecksumType.COMPOSITE, part_count=2)
FULL = COMPOSITE._replace(type=ChecksumType.FULL_OBJECT, part_count=None)
TWO = {"etag": ETag("e-2"), "size_bytes": PART_BYTES_MIN + 1}


@pytest.mark.parametrize(
    ("head", "proves"),
    [
        (TWO, True),
        ({**TWO, "encryption": ENCRYPTIONS[EncryptionKind.NONE]}, True),
        ({**TWO, "checksums": (COMPOSITE,)}, True),
        ({**TWO, "checksums": (COMPOSITE, FULL)}, False),
        ({**TWO, "unmodelled_checksums": (("x", "y"),)}, False),
        ({**TWO, "encryption": SSE_KMS}, False),
        ({**TWO, "size_bytes": PART_BYTES_MIN}, False),
        ({**TWO, "etag": ETag("e-3"), "size_bytes": 2 * PART_BYTES_MIN}, False),
        ({**TWO, "etag": ETag("e-3"), "size_bytes": 2 * PART_BYTES_MIN + 1}, True),
        ({**TWO, "etag": ETag("e-1")}, False),
        ({**TWO, "etag": ETag("e")}, False),
    ],
)
def test_parts_prove_what_one_copy_could_not(head: dict[str, Any], proves: bool) -> None:
    """If this fails, nobody can tell a copy from a damaged one, or parts are copied in vain."""
    assert proves_itself_in_parts(head_of(ENTRY, **head)) is proves


BUCKET_KEY = Encryption(kind=EncryptionKind.SSE_KMS, is_bucket_key_enabled=True)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (ENCRYPTIONS[EncryptionKind.NONE], None),
        (ENCRYPTIONS[EncryptionKind.SSE_S3], ENCRYPTIONS[EncryptionKind.SSE_S3]),
        (OPENED, OPENED),
        (SSE_KMS, Encryption(kind=EncryptionKind.SSE_KMS, kms_key_arn="arn:key")),
        (
            BUCKET_KEY,
            Encryption(
                kind=EncryptionKind.SSE_KMS, kms_key_arn="arn:key", is_bucket_key_enabled=True
            ),
        ),
        (
            Encryption(kind=EncryptionKind.DSSE_KMS, is_bucket_key_enabled=True),
            Encryption(kind=EncryptionKind.DSSE_KMS, kms_key_arn="arn:key"),
        ),
    ],
)
def test_a_replica_is_encrypted_as_its_source_under_the_rules_key(
    source: Encryption, expected: Encryption | None
) -> None:
    """If this fails, a copy lies there under another key or more weakly encrypted."""
    assert replica_encryption(source, KMS) == expected
