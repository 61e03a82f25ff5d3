"""Compute checksum: of the stored bytes of a version, whatever its class.

(UG: batch-ops-compute-checksums.) Changes and stores nothing; the row of the completion report is
the result. Archived bytes need no restore, and what takes S3 up to a week takes no time here.
Law: a checksum is computed from the bytes, never taken from what is stored beside them.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from hashlib import md5

from backfill.sandbox.model import reading
from backfill.sandbox.model.access import find_bucket
from backfill.sandbox.model.batch_operations.tasks import Task, TaskFailure, TaskResult, success
from backfill.sandbox.model.bodies import digest
from backfill.sandbox.model.encryption import check_decryption
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.finding import action_on, find_version
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.operations.jobs import ComputeObjectChecksum, JobOperation
from backfill.sandbox.model.values import ChecksumAlgorithm, ServerSideEncryption
from backfill.sandbox.model.versions import ObjectVersion
from backfill.sandbox.model.world import World

_NO_VERSION_ID = TaskFailure(
    code="InvalidRequest", http_status=400, message="Task failed due to missing VersionId"
)
_WRONG_REGION = TaskFailure(
    code="PermanentRedirect", http_status=301, message="The bucket is in another Region"
)
_CUSTOMER_KEY = TaskFailure(
    code="InvalidRequest", http_status=400, message="Objects under SSE-C are not supported"
)
_NO_PARTS = TaskFailure(
    code="InvalidRequest",
    http_status=400,
    message="COMPOSITE is computed of objects that were uploaded in parts",
)


def result(world: World, role: Caller, operation: JobOperation, task: Task) -> TaskResult:
    """Carry out one task."""
    asked = operation.compute_checksum or ComputeObjectChecksum()
    algorithm = asked.checksum_algorithm or "CRC64NVME"
    kind = asked.checksum_type or "FULL_OBJECT"
    if task.version_id == "":
        return _NO_VERSION_ID.of(task)
    try:
        bucket = find_bucket(world, task.bucket, None)
        if bucket.region != role.region:
            return _WRONG_REGION.of(task)
        action = action_on("s3:GetObject", task.version_id)
        version = find_version(world, role, bucket, task.key, task.version_id, action)
        if version.encryption.algorithm is ServerSideEncryption.CUSTOMER:
            return _CUSTOMER_KEY.of(task)
        check_decryption(world, role, bucket, version)
    except S3Error as error:
        failure = TaskFailure(code=error.code, http_status=error.status, message=error.message)
        return failure.of(task)
    if kind == "COMPOSITE" and not version.parts:
        return _NO_PARTS.of(task)
    raw = _checksum(version, _digest_named(algorithm), is_composite=kind == "COMPOSITE")
    told = {
        "checksum_base64": b64encode(raw).decode("ascii"),
        "etag": version.etag,
        "checksumAlgorithm": algorithm,
        "checksumType": kind,
        "checksum_hex": raw.hex().upper(),
    }
    return success(task, json.dumps(told, separators=(",", ":")))


def _digest_named(name: str) -> Callable[[bytes], bytes]:
    if name == "MD5":
        return lambda data: md5(data, usedforsecurity=False).digest()
    algorithm = ChecksumAlgorithm(name)
    return lambda data: digest(algorithm, data)


def _checksum(version: ObjectVersion, of: Callable[[bytes], bytes], *, is_composite: bool) -> bytes:
    data = version.body.data
    if not is_composite:
        return of(data)
    spans = reading.part_spans(version)
    pieces = (data[start:end] for _, (start, end) in sorted(spans.items()))
    return of(b"".join(of(piece) for piece in pieces))
