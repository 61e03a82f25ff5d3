"""Both buckets as a reader with boto3 sees them: the listing that the product did not make.

Never imports the product. What can be read of an object here is all that a reader cares about.
Law: it looks through S3's ordinary doors, with the owner's keys, at the moment it is asked.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import unquote_plus
from xml.etree.ElementTree import fromstring

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
    """List every version and delete marker, in the order of S3's listing."""
    return [one for chain in chains(client, bucket, prefix).values() for one in chain]


def chains(client: S3Client, bucket: str, prefix: str = "") -> dict[str, list[Listed]]:
    """List every key's versions and delete markers in their order, newest first.

    boto3 sorts them into two lists and loses the order between these; so its answer is only asked
    for, and what came over the wire is read here. Asked for url-encoded, because XML cannot hold
    every key; boto3's own paginator would send such a key back as the next page's marker.
    """
    found: dict[str, list[Listed]] = {}
    bodies: list[bytes] = []
    after: dict[str, str] = {}

    def keep(response_dict: Mapping[str, bytes], **_: object) -> None:
        bodies.append(response_dict["body"])

    client.meta.events.register("before-parse.s3.ListObjectVersions", keep)
    try:
        while True:
            page = client.list_object_versions(
                Bucket=bucket, Prefix=prefix, EncodingType="url", **after
            )
            # Not every server does as it is asked. A space comes as a plus.
            spelled = unquote_plus if page.get("EncodingType") == "url" else str
            for one in _in_order(bodies.pop(), spelled):
                found.setdefault(one.key, []).append(one)
            if not page["IsTruncated"]:
                return found
            following = {
                "KeyMarker": spelled(page["NextKeyMarker"]),
                "VersionIdMarker": page["NextVersionIdMarker"],
            }
            assert following != after, "a listing goes on"
            after = following
    finally:
        client.meta.events.unregister("before-parse.s3.ListObjectVersions", keep)


def _in_order(body: bytes, spelled: Callable[[str], str]) -> Iterator[Listed]:
    """Give the entries of one answer as it has them."""
    top = fromstring(body)  # noqa: S314 - our own servers, on loopback
    space = top.tag.partition("}")[0] + "}" if "}" in top.tag else ""
    for element in top:
        kind = element.tag.removeprefix(space)
        if kind in ("Version", "DeleteMarker"):
            texts = {child.tag.removeprefix(space): child.text or "" for child in element}
            yield Listed(
                key=spelled(texts["Key"]),
                version_id=texts["VersionId"],
                is_latest=texts["IsLatest"] == "true",
                is_marker=kind == "DeleteMarker",
                size_bytes=int(texts.get("Size", "0")),
                etag=texts.get("ETag", ""),
            )


def current(listing: list[Listed]) -> dict[str, Listed]:
    """Return what readers see: the current object versions by key."""
    return {one.key: one for one in listing if one.is_latest and not one.is_marker}


def seen(client: S3Client, bucket: str, key: str, version_id: str = "") -> Seen:
    """Read an object, or one of its versions."""
    which = {"VersionId": version_id} if version_id else {}
    got = client.get_object(Bucket=bucket, Key=key, **which)
    tags = client.get_object_tagging(Bucket=bucket, Key=key, **which)["TagSet"]
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
