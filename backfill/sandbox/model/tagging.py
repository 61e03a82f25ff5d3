"""Object tags: what a tag may be, and reading, replacing and removing them.

Law: a change of tags makes no new version and leaves the time of the version alone.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

from backfill.sandbox.model import refusals
from backfill.sandbox.model.access import find_bucket
from backfill.sandbox.model.errors import Pairs, S3Error
from backfill.sandbox.model.finding import action_on, find_version, version_id_told
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.limits import Limits
from backfill.sandbox.model.operations.objects import (
    PutObjectTaggingRequest,
    TaggingResult,
    VersionRequest,
)
from backfill.sandbox.model.world import World

_KEY_CHARACTERS = 128
_VALUE_CHARACTERS = 256
_PLAIN = re.compile(r"[A-Za-z0-9 _.:/=+\-@]*\Z")
_PUNCTUATION = "_.:/=+-@"


def _is_legal(text: str) -> bool:
    """Letters, digits and spaces of any script, and `+ - = . _ : / @` (UG: object-tagging)."""
    return _PLAIN.match(text) is not None or all(
        character in _PUNCTUATION or unicodedata.category(character)[0] in "LNZ"
        for character in text
    )


_BUCKET_TAGS = 50


def check_tags(tags: Pairs, limits: Limits) -> None:
    """Refuse object tags that S3 does not take."""
    if len(tags) > limits.tags_count:
        message = f"Object tags cannot be greater than {limits.tags_count}"
        raise S3Error(refusals.TOO_MANY_TAGS, message=message)
    _check_each(tags)


def check_bucket_tags(tags: Pairs) -> None:
    """Refuse bucket tags that S3 does not take (API: PutBucketTagging)."""
    if len(tags) > _BUCKET_TAGS:
        message = f"Bucket tag count cannot be greater than {_BUCKET_TAGS}"
        raise S3Error(refusals.TOO_MANY_TAGS, message=message)
    _check_each(tags)


def _check_each(tags: Pairs) -> None:
    for name, value in tags:
        if not 1 <= len(name) <= _KEY_CHARACTERS or not _is_legal(name):
            message = "The TagKey you have provided is invalid"
            raise S3Error(refusals.INVALID_TAG, message=message, fields=(("TagKey", name),))
        if len(value) > _VALUE_CHARACTERS or not _is_legal(value):
            message = "The TagValue you have provided is invalid"
            raise S3Error(refusals.INVALID_TAG, message=message, fields=(("TagValue", value),))
        if name.startswith("aws:"):
            message = "System tags cannot be added/updated by requester"
            raise S3Error(refusals.INVALID_TAG, message=message)
    if len({name for name, _ in tags}) != len(tags):
        message = "Cannot provide multiple Tags with the same key"
        raise S3Error(refusals.INVALID_TAG, message=message)


def get_object_tagging(world: World, caller: Caller, request: VersionRequest) -> TaggingResult:
    """A version's tags."""
    bucket = find_bucket(world, request.bucket, request.expected_bucket_owner)
    action = action_on("s3:GetObjectTagging", request.version_id)
    version = find_version(world, caller, bucket, request.key, request.version_id, action)
    return TaggingResult(tags=version.tags, version_id=version_id_told(bucket, version))


def put_object_tagging(
    world: World, caller: Caller, request: PutObjectTaggingRequest
) -> TaggingResult:
    """Replace a version's tags."""
    check_tags(request.tags, world.limits)
    where = VersionRequest(
        bucket=request.bucket,
        key=request.key,
        version_id=request.version_id,
        expected_bucket_owner=request.expected_bucket_owner,
    )
    return _changed(world, caller, where, "s3:PutObjectTagging", request.tags)


def delete_object_tagging(world: World, caller: Caller, request: VersionRequest) -> TaggingResult:
    """Remove a version's tags."""
    return _changed(world, caller, request, "s3:DeleteObjectTagging", ())


def _changed(
    world: World, caller: Caller, request: VersionRequest, action: str, tags: Pairs
) -> TaggingResult:
    bucket = find_bucket(world, request.bucket, request.expected_bucket_owner)
    action = action_on(action, request.version_id)
    version = find_version(world, caller, bucket, request.key, request.version_id, action)
    changed = replace(version, tags=tags)
    bucket.swap(changed)
    world.on_attributes_changed(bucket, changed)
    return TaggingResult(tags=tags, version_id=version_id_told(bucket, version))
