"""Compute checksum tasks: the message of each row, against digests computed here."""

import hashlib
import json
import zlib
from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest

from backfill.sandbox.model import raw_edits
from backfill.sandbox.model.operations.copies import UploadPartRequest
from backfill.sandbox.model.operations.multipart import (
    CompletedPart,
    CompleteMultipartUploadRequest,
    CreateMultipartUploadRequest,
)
from backfill.sandbox.model.values import ArchiveStatus, Encryption, ServerSideEncryption
from tests.unit.sandbox.batch_operations.works import ROLE, SOURCE, Works, checksumming
from tests.unit.sandbox.model.replicating import KEY

BODY = b"some bytes"
CHECK = b"123456789"
"""The input whose CRCs every specification gives."""


def message(works: Works, row: tuple[str, ...], operation: Any) -> dict[str, str]:
    job_id = works.job_of(row, operation=operation)
    works.run(job_id)
    ((*_, status, http_status, code, text),) = works.rows(job_id)
    assert (status, http_status, code) == ("succeeded", "200", ""), text
    found: dict[str, str] = json.loads(text)
    return found


@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [
        ("CRC32", zlib.crc32(CHECK).to_bytes(4, "big")),
        ("CRC32C", bytes.fromhex("E3069283")),
        ("CRC64NVME", bytes.fromhex("AE8B14860A799888")),
        ("SHA1", hashlib.sha1(CHECK, usedforsecurity=False).digest()),
        ("SHA256", hashlib.sha256(CHECK).digest()),
        ("MD5", hashlib.md5(CHECK, usedforsecurity=False).digest()),
    ],
)
def test_a_row_tells_the_checksum_in_both_spellings(
    algorithm: str, digest: bytes, works: Works
) -> None:
    """If this fails, proofs without download compare something else than the bytes."""
    version_id = works.put("k", CHECK)
    assert message(works, ("k", version_id), checksumming(algorithm)) == {
        "checksum_base64": b64encode(digest).decode(),
        "etag": hashlib.md5(CHECK, usedforsecurity=False).hexdigest(),
        "checksumAlgorithm": algorithm,
        "checksumType": "FULL_OBJECT",
        "checksum_hex": digest.hex().upper(),
    }


def test_the_default_is_crc64nvme_of_the_whole_object(works: Works) -> None:
    """If this fails, a request without an algorithm gives another one than at AWS."""
    found = message(works, ("k", works.put("k", CHECK)), checksumming(None, None))
    assert (found["checksumAlgorithm"], found["checksumType"]) == ("CRC64NVME", "FULL_OBJECT")
    assert found["checksum_hex"] == "AE8B14860A799888"


def test_checksums_are_of_the_bytes_not_of_what_is_stored_beside_them(works: Works) -> None:
    """If this fails, damaged bytes are proven by the checksum of the whole ones."""
    version_id = works.put("k", BODY)
    bucket = works.model.world.buckets[SOURCE]
    good = works.only(SOURCE)
    damaged = raw_edits.replace_bytes(works.model, SOURCE, "k", b"other bytes")
    bucket.swap(replace(good, body=damaged.body))
    found = message(works, ("k", version_id), checksumming("SHA256"))
    assert found["checksum_hex"] == hashlib.sha256(b"other bytes").hexdigest().upper()
    assert found["etag"] == good.etag


def multipart(works: Works, *bodies: bytes) -> str:
    model, own = works.model, works.own
    create = CreateMultipartUploadRequest(bucket=SOURCE, key="parts")
    upload_id = model.create_multipart_upload(own, create).upload_id
    parts = []
    for number, body in enumerate(bodies, start=1):
        request = UploadPartRequest(
            bucket=SOURCE, key="parts", upload_id=upload_id, part_number=number, body=body
        )
        etag = model.upload_part(own, request).etag
        parts.append(CompletedPart(number=number, etag=etag))
    complete = CompleteMultipartUploadRequest(
        bucket=SOURCE, key="parts", upload_id=upload_id, parts=tuple(parts)
    )
    model.complete_multipart_upload(own, complete)
    return works.only(SOURCE, "parts").version_id


def test_composite_is_the_checksum_of_the_parts_checksums(works: Works) -> None:
    """If this fails, COMPOSITE and FULL_OBJECT cannot be told apart."""
    pieces = (b"x" * 5 * 2**20, b"the rest")
    row = ("parts", multipart(works, *pieces))
    composite = message(works, row, checksumming("SHA256", "COMPOSITE"))
    inner = b"".join(hashlib.sha256(piece).digest() for piece in pieces)
    assert composite["checksum_hex"] == hashlib.sha256(inner).hexdigest().upper()
    assert composite["checksumType"] == "COMPOSITE"
    whole = message(works, row, checksumming("SHA256"))
    assert whole["checksum_hex"] == hashlib.sha256(b"".join(pieces)).hexdigest().upper()


@pytest.mark.parametrize("how", ["GLACIER", "DEEP_ARCHIVE", "tier", "kms", "noncurrent"])
def test_any_class_is_read_without_a_restore(how: str, works: Works) -> None:
    """If this fails, archived or encrypted objects stay unverified for no reason."""
    version_id = works.put("k", BODY)
    if how == "tier":
        tier = ArchiveStatus.DEEP_ARCHIVE_ACCESS
        raw_edits.set_archived(
            works.model, SOURCE, "k", storage_class="INTELLIGENT_TIERING", archive_status=tier
        )
    elif how == "kms":
        kms = Encryption(algorithm=ServerSideEncryption.SSE_KMS, kms_key_arn=KEY)
        raw_edits.change_attributes(works.model, SOURCE, "k", encryption=kms)
    elif how == "noncurrent":
        works.delete("k")
    else:
        raw_edits.set_archived(works.model, SOURCE, "k", storage_class=how)
    found = message(works, ("k", version_id), checksumming("SHA1"))
    assert found["checksum_hex"] == hashlib.sha1(BODY, usedforsecurity=False).hexdigest().upper()


def test_the_checksums_of_sse_c_objects_are_not_computed(works: Works) -> None:
    """If this fails, SSE-C objects are proven here that AWS cannot read."""
    version_id = works.put("k", BODY)
    sse_c = Encryption(algorithm=ServerSideEncryption.CUSTOMER, customer_key_md5="m")
    raw_edits.change_attributes(works.model, SOURCE, "k", encryption=sse_c)
    outcome = works.outcome("k", version_id, operation=checksumming())
    assert outcome == ("failed", "400", "InvalidRequest")


@pytest.mark.parametrize(
    ("action", "outcome"),
    [
        ("s3:GetObjectVersion", ("failed", "403", "AccessDenied")),
        ("kms:Decrypt", ("failed", "403", "AccessDenied")),
        ("s3:GetObject", ("succeeded", "200", "")),
    ],
)
def test_the_role_reads_versions_and_uses_their_keys(
    action: str, outcome: tuple[str, str, str], works: Works
) -> None:
    """If this fails, a role that AWS refuses computes checksums here."""
    version_id = works.put("k", BODY)
    kms = Encryption(algorithm=ServerSideEncryption.SSE_KMS, kms_key_arn=KEY)
    raw_edits.change_attributes(works.model, SOURCE, "k", encryption=kms)
    request = works.request(f"source,k,{version_id}\n".encode(), operation=checksumming())
    job_id = works.create(replace(request, is_confirmation_required=True))
    works.run(job_id)  # the manifest has been read: what follows is about the object
    works.denied_to.add((ROLE, action))
    works.confirm(job_id)
    works.run(job_id)
    ((*_, status, http_status, code, _),) = works.rows(job_id)
    assert (status, http_status, code) == outcome


@pytest.mark.parametrize(
    ("row", "outcome"),
    [
        (("k", ""), ("failed", "400", "InvalidRequest")),
        (("k", "A" * 32), ("failed", "404", "NoSuchVersion")),
        (("gone", "A" * 32), ("failed", "404", "NoSuchVersion")),
        (("k", "marker"), ("failed", "405", "MethodNotAllowed")),
        (("single", "composite"), ("failed", "400", "InvalidRequest")),
    ],
)
def test_what_has_no_bytes_fails_its_task(
    row: tuple[str, str], outcome: tuple[str, str, str], works: Works
) -> None:
    """If this fails, rows without bytes count as proven."""
    single = works.put("single", BODY)
    works.put("k", BODY)
    works.delete("k")
    key, version_id = row
    kind = "COMPOSITE" if version_id == "composite" else "FULL_OBJECT"
    names = {"marker": works.chain(SOURCE)[-1].version_id, "composite": single}
    operation = checksumming("SHA256", kind)
    assert works.outcome(key, names.get(version_id, version_id), operation=operation) == outcome


def test_a_bucket_elsewhere_is_not_read(works: Works) -> None:
    """If this fails, a job in the wrong Region passes."""
    job_id = works.create(works.request(b"near,k,null\n", operation=checksumming()))
    works.run(job_id)
    assert works.rows(job_id)[0][4:6] == ["301", "PermanentRedirect"]
