"""From a key and perhaps a version ID to the version that is meant, with permission.

Law: what is there is told only to those who may know: without s3:ListBucket a missing key is 403
(API: GetObject).
"""

from __future__ import annotations

import re
from email.utils import format_datetime

from backfill.sandbox.model import refusals
from backfill.sandbox.model.access import is_allowed, require
from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.errors import Pairs, Refusal, S3Error
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.versions import NULL_VERSION_ID, DeleteMarker, Entry, ObjectVersion
from backfill.sandbox.model.world import World

_VERSION_ID = re.compile(r"[A-Za-z0-9._]{32}\Z", re.ASCII)


def action_on(action: str, version_id: str | None) -> str:
    """The IAM action, which has another name where a version is named.

    (Service Authorization Reference: Amazon S3.)
    """
    return action if version_id is None else action.replace("Object", "ObjectVersion", 1)


def version_id_told(bucket: Bucket, entry: Entry) -> str | None:
    """The version ID as answers tell it: never of a bucket that had no versioning ever."""
    return None if bucket.versioning is None else entry.version_id


def check_version_id(version_id: str) -> None:
    """Refuse an ID that S3 cannot have made."""
    if version_id != NULL_VERSION_ID and _VERSION_ID.match(version_id) is None:
        fields = (("ArgumentName", "versionId"), ("ArgumentValue", version_id))
        raise S3Error(refusals.INVALID_VERSION_ID, fields=fields)


def tag_conditions(entry: Entry | None) -> Pairs:
    """The condition keys of an object's tags."""
    if not isinstance(entry, ObjectVersion) or not entry.tags:
        return ()
    return tuple((f"s3:ExistingObjectTag/{name}", value) for name, value in entry.tags)


def find_version(
    world: World,
    caller: Caller,
    bucket: Bucket,
    key: str,
    version_id: str | None,
    *actions: str,
    marker_refusal: Refusal = refusals.MARKER_HAS_NO_CONTENT,
) -> ObjectVersion:
    """The version meant, after asking for each action.

    Raises:
        S3Error: 403, 404, or 405 for a delete marker by its version ID.
    """
    entry = bucket.current(key) if version_id is None else bucket.find(key, version_id)
    conditions = tag_conditions(entry)
    for action in actions:
        require(world, caller, action, bucket, key, version_id, conditions=conditions)
    if isinstance(entry, ObjectVersion):
        return entry
    if entry is None and version_id is not None:
        check_version_id(version_id)
    if entry is not None and version_id is not None:
        headers = (
            *_marker_headers(entry),
            ("allow", "DELETE"),
            ("last-modified", format_datetime(entry.last_modified, usegmt=True)),
        )
        raise S3Error(marker_refusal, fields=(("ResourceType", "DeleteMarker"),), headers=headers)
    headers = () if entry is None else _marker_headers(entry)
    if not is_allowed(world, caller, "s3:ListBucket", bucket, conditions=(("s3:prefix", key),)):
        raise S3Error(refusals.ACCESS_DENIED, headers=headers)
    if version_id is not None:
        fields = (("Key", key), ("VersionId", version_id))
        raise S3Error(refusals.NO_SUCH_VERSION, fields=fields)
    raise S3Error(refusals.NO_SUCH_KEY, fields=(("Key", key),), headers=headers)


def _marker_headers(marker: DeleteMarker) -> Pairs:
    return (("x-amz-delete-marker", "true"), ("x-amz-version-id", marker.version_id))
