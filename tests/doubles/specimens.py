"""One object for each thing that a version can have, written and looked at through plain boto3.

Never imports the product. What a reader finds of a field is one value; two are compared by `==`.
Law: a specimen has its field and nothing else that is out of the ordinary.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from botocore.exceptions import ClientError

from tests.doubles.fidelity_table import FidelityField as F
from tests.doubles.old_world import PART, SOURCE_KEY_ARN
from tests.doubles.own_eyes import S3Client

Facts = Mapping[str, Any]

STRANGER: Final = "c" * 64
"""Canonical user ID of an account that is neither."""
EVERYBODY: Final = "http://acs.amazonaws.com/groups/global/AllUsers"
TEN_TAGS: Final = "&".join(f"tag{number}=value%20{number}%2F%C3%A9" for number in range(10))
LONG: Final = "x" * 1_900
KMS: Final = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": SOURCE_KEY_ARN}
HEADERS: Final = {
    "CacheControl": "no-store",
    "ContentDisposition": 'attachment; filename="a b.txt"',
    "ContentEncoding": "gzip",
    "ContentLanguage": "de-AT, en",
    "ContentType": "text/x-old; charset=utf-8",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """What an object of a field is written with, and what of it is compared."""

    attributes: Mapping[str, Any] = field(default_factory=dict)
    probe: Callable[[Facts], object]
    is_upload: bool = False
    """Written in parts on every way, though not too large for one CopyObject."""
    editions: int = 1


def specimens(until: datetime) -> dict[F, Specimen]:
    """Return the specimens; `until` is a time to come."""

    def locked(mode: str) -> dict[str, Any]:
        return {"ObjectLockMode": mode, "ObjectLockRetainUntilDate": until}

    def one(name: str, **attributes: Any) -> Specimen:
        return Specimen(attributes=attributes, probe=lambda facts: facts[name])

    def lock(facts: Facts) -> object:
        return facts["lock"], facts["hold"]

    return {
        F.BYTES: one("body"),
        F.METADATA: one("metadata", Metadata={"origin": "tests", "empty": ""}),
        F.METADATA_LIMITS: one(
            "metadata", Metadata={"UPPER-Case": LONG, "word": "=?UTF-8?B?w6kgw6g=?="}
        ),
        F.CONTENT_HEADERS: one("headers", **HEADERS),
        F.EXPIRES: one("expires", Expires="Thu, 01 Dec 1994 16:00:00 GMT"),
        F.TAGS: one("tags", Tagging=TEN_TAGS),
        F.CHECKSUM_ALGORITHM: one("algorithms", ChecksumAlgorithm="SHA256"),
        F.CHOSEN_ALGORITHM: one("algorithms", ChecksumAlgorithm="SHA1"),
        F.SSE_C: one("body", SSECustomerAlgorithm="AES256", SSECustomerKey="0" * 32),
        F.CHECKSUM_TYPE: Specimen(
            # Under KMS, where parts prove no more: otherwise it would go by its parts on every way.
            attributes={"ChecksumAlgorithm": "CRC32", **KMS},
            probe=lambda facts: facts["checksum type"],
            is_upload=True,
        ),
        F.PART_LAYOUT: Specimen(probe=lambda facts: facts["parts"], is_upload=True),
        F.ETAG: Specimen(probe=lambda facts: facts["etag"], is_upload=True),
        F.STORAGE_CLASS: one("class", StorageClass="STANDARD_IA"),
        F.ARCHIVED: one("body", StorageClass="GLACIER"),
        F.SSE_S3: one("encryption", ServerSideEncryption="AES256"),
        F.SSE_KMS: one("encryption", **KMS),
        F.DSSE_KMS: one("encryption", **{**KMS, "ServerSideEncryption": "aws:kms:dsse"}),
        F.BUCKET_KEY: one("bucket key", BucketKeyEnabled=True, **KMS),
        F.COMPLIANCE: Specimen(attributes=locked("COMPLIANCE"), probe=lock),
        F.GOVERNANCE: Specimen(attributes=locked("GOVERNANCE"), probe=lock),
        F.LEGAL_HOLD: one("hold", ObjectLockLegalHoldStatus="ON"),
        F.ENDED_RETENTION: Specimen(attributes=locked("GOVERNANCE"), probe=lock),
        F.NO_RETENTION: Specimen(probe=lock),
        F.ACL: one(
            "grants",
            GrantRead=f'uri="{EVERYBODY}", id="{STRANGER}"',
            GrantWriteACP=f'id="{STRANGER}"',
        ),
        F.WEBSITE_REDIRECT: one("redirect", WebsiteRedirectLocation="/elsewhere?a=b%20c"),
        F.VERSION_ID: one("version id"),
        F.LAST_MODIFIED: one("last modified"),
        F.OWNER: one("owner"),
        F.PLACE: Specimen(probe=lambda facts: facts["place"], editions=3),
    }


def write(client: S3Client, bucket: str, key: str, specimen: Specimen, *, in_parts: bool) -> None:
    """Write a specimen."""
    for edition in range(specimen.editions):
        body = f"the bytes of {key}".encode() + b"!" * edition
        if in_parts or specimen.is_upload:
            _upload(client, bucket, key, specimen, body)
        else:
            client.put_object(Bucket=bucket, Key=key, Body=body, **specimen.attributes)


def _upload(client: S3Client, bucket: str, key: str, specimen: Specimen, body: bytes) -> None:
    where = {"Bucket": bucket, "Key": key}
    upload = client.create_multipart_upload(**where, **specimen.attributes)
    algorithm = specimen.attributes.get("ChecksumAlgorithm")
    asked = {n: v for n, v in specimen.attributes.items() if n.startswith("SSECustomer")}
    asked |= {"ChecksumAlgorithm": algorithm} if algorithm else {}
    name = f"Checksum{algorithm}"
    parts = []
    for number, data in enumerate((PART, body), 1):
        told = client.upload_part(
            **where, UploadId=upload["UploadId"], PartNumber=number, Body=data, **asked
        )
        sums = {name: told[name]} if algorithm else {}
        parts.append({"PartNumber": number, "ETag": told["ETag"], **sums})
    client.complete_multipart_upload(
        **where, UploadId=upload["UploadId"], MultipartUpload={"Parts": parts}
    )


def facts_of(client: S3Client, bucket: str, key: str) -> Facts | None:
    """Return what a reader finds of the current version; None where there is none."""
    where = {"Bucket": bucket, "Key": key}
    try:
        head = client.head_object(**where, ChecksumMode="ENABLED")
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 404):
            return None
        raise
    acl = client.get_object_acl(**where)
    raw = head["ResponseMetadata"]["HTTPHeaders"]
    archived = head.get("StorageClass") == "GLACIER" and "Restore" not in head
    body = b"" if archived else client.get_object(**where)["Body"].read()
    listed = client.list_object_versions(Bucket=bucket, Prefix=key)["Versions"]
    return {
        "body": sha256(body).hexdigest(),
        "metadata": head["Metadata"],
        "headers": [raw.get(name) for name in _HEADERS],
        "expires": raw.get("expires"),
        "tags": sorted(
            (t["Key"], t["Value"]) for t in client.get_object_tagging(**where)["TagSet"]
        ),
        "algorithms": sorted(
            name for name in head if name.startswith("ChecksumC") or "SHA" in name
        ),
        "checksum type": head.get("ChecksumType"),
        "parts": _parts(client, where),
        "etag": head["ETag"],
        "class": head.get("StorageClass", "STANDARD"),
        "encryption": head.get("ServerSideEncryption"),
        "bucket key": head.get("BucketKeyEnabled", False),
        "lock": (head.get("ObjectLockMode"), head.get("ObjectLockRetainUntilDate")),
        "hold": head.get("ObjectLockLegalHoldStatus", "OFF"),
        "grants": _grants(acl),
        "redirect": head.get("WebsiteRedirectLocation"),
        "version id": head["VersionId"],
        "last modified": head["LastModified"],
        "owner": acl["Owner"]["ID"],
        "place": [each["Size"] for each in listed],
    }


_HEADERS: Final = (
    *("cache-control", "content-disposition", "content-encoding", "content-language"),
    "content-type",
)


def _parts(client: S3Client, where: Mapping[str, str]) -> list[int]:
    count = client.head_object(**where, PartNumber=1).get("PartsCount", 1)
    return [
        client.head_object(**where, PartNumber=number)["ContentLength"]
        for number in range(1, count + 1)
    ]


def _grants(acl: Facts) -> list[tuple[str, str]]:
    """Return who is granted what; the owner, whoever that is, by that word."""
    found = []
    for grant in acl["Grants"]:
        grantee = grant["Grantee"].get("ID") or grant["Grantee"]["URI"]
        found.append(("owner" if grantee == acl["Owner"]["ID"] else grantee, grant["Permission"]))
    return sorted(found)
