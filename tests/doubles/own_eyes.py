"""Both buckets as a reader with boto3 sees them: the listing that the product did not make.

Never imports the product. What can be read of an object here is all that a reader cares about.
Law: it looks through S3's ordinary doors, with the owner's keys, at the moment it is asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import unquote_plus

import boto3
from botocore.config import Config

S3Client: TypeAlias = Any
"""boto3 makes its clients' methods at run time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A version or delete marker as ListObjectVersions shows it."""

    key: str
    version_id: str
    is_latest: bool
    is_marker: bool
    size_bytes: int
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a reader gets of an object."""

    body: bytes
    metadata: Mapping[str, str]
    content_type: str
    cache_control: str | None
    tags: frozenset[tuple[str, str]]
    encryption: str


def s3_client(settings: Mapping[str, str]) -> S3Client:
    """Return a boto3 client for `Sandbox.client_settings` and its like."""
    return boto3.client(
        "s3",
        endpoint_url=settings["endpoint_url"],
        region_name=settings["region_name"],
        aws_access_key_id=settings["aws_access_key_id"],
        aws_secret_access_key=settings["aws_secret_access_key"],
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 3}),
    )


def versions(client: S3Client, bucket: str, prefix: str = "") -> list[Listed]:
    """List every version and delete marker."""
    # Asked for url-encoded, because XML cannot hold every key; a space comes as a plus. Not every
    # server does as it is asked.
    found: list[Listed] = []
    pages = client.get_paginator("list_object_versions").paginate(
        Bucket=bucket, Prefix=prefix, EncodingType="url"
    )
    for page in pages:
        spelled = unquote_plus if page.get("EncodingType") == "url" else str
        found += [
            Listed(
                key=spelled(item["Key"]),
                version_id=item["VersionId"],
                is_latest=item["IsLatest"],
                is_marker=False,
                size_bytes=item["Size"],
                etag=item["ETag"],
            )
            for item in page.get("Versions", [])
        ]
        found += [
            Listed(
                key=spelled(item["Key"]),
                version_id=item["VersionId"],
                is_latest=item["IsLatest"],
                is_marker=True,
                size_bytes=0,
                etag="",
            )
            for item in page.get("DeleteMarkers", [])
        ]
    return found


def current(listing: list[Listed]) -> dict[str, Listed]:
    """Return what readers see: the current object versions by key."""
    return {one.key: one for one in listing if one.is_latest and not one.is_marker}


def seen(client: S3Client, bucket: str, key: str) -> Seen:
    """Read an object."""
    got = client.get_object(Bucket=bucket, Key=key)
    tags = client.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
    with got["Body"] as body:
        data = body.read()
    return Seen(
        body=data,
        metadata=got["Metadata"],
        content_type=got["ContentType"],
        cache_control=got.get("CacheControl"),
        tags=frozenset((tag["Key"], tag["Value"]) for tag in tags),
        encryption=got.get("ServerSideEncryption", ""),
    )
