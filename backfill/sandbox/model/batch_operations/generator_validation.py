"""S3JobManifestGenerator judged before anything exists (API: S3JobManifestGenerator).

Law: as `validation.py`.
"""

from __future__ import annotations

import re

from backfill.sandbox.model.batch_operations import refusals
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.operations.jobs import (
    JobManifestGeneratorFilter,
    S3JobManifestGenerator,
    S3ManifestOutputLocation,
)

OUTPUT_FORMAT = "S3InventoryReport_CSV_20211130"
STATUSES = frozenset({"COMPLETED", "FAILED", "REPLICA", "NONE"})
_STORAGE_CLASSES = frozenset(
    {
        "STANDARD",
        "STANDARD_IA",
        "ONEZONE_IA",
        "GLACIER",
        "INTELLIGENT_TIERING",
        "DEEP_ARCHIVE",
        "GLACIER_IR",
    }
)
_ENCRYPTIONS = frozenset({"SSES3", "SSEKMS", "DSSEKMS", "SSEC", "NOTSSE"})
_BUCKET = re.compile(r"arn:[^:]+:s3:::[^/]+\Z")
_ACCOUNT = re.compile(r"\d{12}\Z", re.ASCII)


def check_generator(generator: S3JobManifestGenerator) -> None:
    """Refuse a generator that s3control does not take."""
    _want(_BUCKET.match(generator.source_bucket), "SourceBucket is the ARN of a bucket")
    _check_owner(generator.expected_bucket_owner)
    output = generator.manifest_output_location
    if generator.is_manifest_output_enabled:
        _want(output, "EnableManifestOutput needs a ManifestOutputLocation")
    if output is not None:
        _check_output(output)
    if generator.filter is not None:
        _check_filter(generator.filter)


def _want(condition: object, message: str) -> None:
    if not condition:
        raise S3Error(refusals.INVALID_REQUEST, message=message)


def _check_owner(owner: str | None) -> None:
    _want(owner is None or _ACCOUNT.match(owner), "An expected bucket owner has twelve digits")


def _check_output(output: S3ManifestOutputLocation) -> None:
    _want(_BUCKET.match(output.bucket), "The manifest's Bucket is the ARN of a bucket")
    _want(output.manifest_format == OUTPUT_FORMAT, f"ManifestFormat is {OUTPUT_FORMAT}")
    prefix = output.manifest_prefix
    _want(prefix is None or 1 <= len(prefix) <= 512, "ManifestPrefix has 1 to 512 characters")
    both = output.has_sse_s3 and output.sse_kms_key_id is not None
    _want(not both, "ManifestEncryption is SSES3 or SSEKMS")
    _check_owner(output.expected_manifest_bucket_owner)


def _check_filter(asked: JobManifestGeneratorFilter) -> None:
    statuses = set(asked.object_replication_statuses)
    _want(statuses <= STATUSES, "ObjectReplicationStatuses are COMPLETED, FAILED, REPLICA, NONE")
    classes = set(asked.match_any_storage_class)
    _want(classes <= _STORAGE_CLASSES, "MatchAnyStorageClass are storage classes")
    encryptions = asked.match_any_object_encryption
    _want(len(encryptions) <= 1, "MatchAnyObjectEncryption has one member")
    _want(all(one.kind in _ENCRYPTIONS for one in encryptions), "No such kind of encryption")
    for size_bytes in (asked.object_size_greater_than_bytes, asked.object_size_less_than_bytes):
        _want(size_bytes is None or size_bytes >= 0, "Sizes are not negative")
    names = asked.key_name_constraint
    if names is not None:
        texts = names.match_any_prefix + names.match_any_suffix + names.match_any_substring
        _want(all(1 <= len(text) <= 1024 for text in texts), "Key names have 1 to 1024 characters")
