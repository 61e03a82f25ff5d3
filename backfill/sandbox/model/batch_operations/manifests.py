"""Manifests that clients bring: CSV of Batch Operations, and the inventory format.

Read with code of the sandbox's own. Everything is read as the job's role.
Law: keys stay as the manifest encodes them; a row of another length than the others fails the job
(UG: batch-ops-create-job, troubleshooting-batch-operations).
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Sequence

from backfill.sandbox.model import reading
from backfill.sandbox.model.batch_operations import failures
from backfill.sandbox.model.batch_operations.tasks import Task
from backfill.sandbox.model.batch_operations.validation import CSV_FORMAT, object_named
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.operations.jobs import JobManifest
from backfill.sandbox.model.operations.objects import GetObjectResult, ReadObjectRequest
from backfill.sandbox.model.values import ServerSideEncryption
from backfill.sandbox.model.world import World

_MISSING = frozenset({"NoSuchBucket", "NoSuchKey", "NoSuchVersion", "MethodNotAllowed"})


def manifest_tasks(world: World, role: Caller, manifest: JobManifest) -> list[Task]:
    """The tasks that a manifest names, in its order.

    Raises:
        JobFailedError: it cannot be read, is not the one meant, or is malformed.
    """
    location = manifest.location
    named = object_named(location.object_arn)
    assert named is not None, "validation has seen the ARN"
    found = _read(world, role, named[0], named[1], location.object_version_id)
    assert location.etag is not None, "validation has seen the ETag"
    if location.etag.strip('"') != found.description.etag:
        raise failures.manifest_changed()
    if manifest.spec.format != CSV_FORMAT:
        return _inventory_tasks(world, role, found.body)
    if found.description.encryption.algorithm is not ServerSideEncryption.SSE_S3:
        raise failures.manifest_forbidden("AccessDenied")
    return _tasks(found.body, manifest.spec.fields or ())


def _read(
    world: World, role: Caller, bucket: str, key: str, version_id: str | None = None
) -> GetObjectResult:
    there = world.buckets.get(bucket)
    if there is not None and there.region != role.region:
        raise failures.manifest_forbidden("AccessDenied")  # as if it were in another world
    request = ReadObjectRequest(bucket=bucket, key=key, version_id=version_id)
    try:
        return reading.get_object(world, role, request)
    except S3Error as error:
        if error.code in _MISSING:
            raise failures.manifest_missing(error.code) from error
        raise failures.manifest_forbidden("AccessDenied") from error


def _tasks(data: bytes, fields: Sequence[str]) -> list[Task]:
    """The rows of a CSV file. `fields` may have more names than the three that matter."""
    bucket, key = fields.index("Bucket"), fields.index("Key")
    version_id = fields.index("VersionId") if "VersionId" in fields else None
    tasks = []
    try:
        for row in csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True):
            if len(row) != len(fields):
                raise failures.manifest_invalid("Unexpected number of task fields")
            tasks.append(
                Task(
                    bucket=row[bucket],
                    encoded_key=row[key],
                    version_id=None if version_id is None else row[version_id],
                )
            )
    except (UnicodeDecodeError, csv.Error) as error:
        raise failures.manifest_invalid("The manifest is no CSV in UTF-8") from error
    return tasks


def _inventory_tasks(world: World, role: Caller, document: bytes) -> list[Task]:
    """The rows of all data files that a manifest.json names (UG: storage-inventory-location)."""
    try:
        manifest = json.loads(document)
        fields = [name.strip() for name in manifest["fileSchema"].split(",")]
        bucket = manifest["destinationBucket"].rpartition(":")[2]
        files = [(file["key"], file["MD5checksum"].lower()) for file in manifest["files"]]
        is_csv = manifest["fileFormat"] == "CSV"
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise failures.manifest_invalid("manifest.json is no inventory manifest") from error
    if not is_csv or not {"Bucket", "Key"} <= set(fields):
        raise failures.manifest_invalid("The inventory is no CSV with Bucket and Key")
    tasks: list[Task] = []
    for key, md5 in files:
        packed = _read(world, role, bucket, key).body
        if hashlib.md5(packed, usedforsecurity=False).hexdigest() != md5:
            raise failures.manifest_invalid("The MD5 of a data file does not match manifest.json")
        try:
            data = gzip.decompress(packed)
        except (OSError, EOFError, zlib.error) as error:
            raise failures.manifest_invalid("A data file is no gzip file") from error
        tasks += _tasks(data, fields)
    return tasks
