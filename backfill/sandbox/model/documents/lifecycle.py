"""PutBucketLifecycleConfiguration, its Get and its Delete.

Nothing is expired or moved: rules are kept and handed back, tests do the rest by raw edits.
Law: a rule that S3 would refuse is refused, an element that S3 does not know included.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET

from backfill.sandbox.model.access import asked_bucket
from backfill.sandbox.model.documents import refusals
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.markup import (
    check_only,
    is_enabled,
    malformed,
    optional_text,
    refuse_if,
    root_of,
    text_of,
    written,
)
from backfill.sandbox.model.operations.buckets import BucketRequest, DocumentResult
from backfill.sandbox.model.operations.documents import PutLifecycleRequest
from backfill.sandbox.model.world import World

_ACTIONS = {
    "Expiration": {"Date", "Days", "ExpiredObjectDeleteMarker"},
    "Transition": {"Date", "Days", "StorageClass"},
    "NoncurrentVersionTransition": {"NoncurrentDays", "StorageClass", "NewerNoncurrentVersions"},
    "NoncurrentVersionExpiration": {"NoncurrentDays", "NewerNoncurrentVersions"},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation"},
}
_CONDITIONS = {"Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan"}
_CLASSES = frozenset(
    {
        "GLACIER",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "DEEP_ARCHIVE",
        "GLACIER_IR",
    }
)
_RULES = 1000


def put_lifecycle(world: World, caller: Caller, request: PutLifecycleRequest) -> None:
    """Replace all rules."""
    bucket = asked_bucket(world, caller, request, "s3:PutLifecycleConfiguration")
    bucket.lifecycle = _validated(request.document, world)


def get_lifecycle(world: World, caller: Caller, request: BucketRequest) -> DocumentResult:
    """The rules as they were put."""
    bucket = asked_bucket(world, caller, request, "s3:GetLifecycleConfiguration")
    if bucket.lifecycle is None:
        raise S3Error(refusals.NO_LIFECYCLE, fields=(("BucketName", bucket.name),))
    return DocumentResult(document=bucket.lifecycle)


def delete_lifecycle(world: World, caller: Caller, request: BucketRequest) -> None:
    """Drop all rules; there may be none. IAM has no action of its own for it."""
    asked_bucket(world, caller, request, "s3:PutLifecycleConfiguration").lifecycle = None


def _validated(document: str, world: World) -> str:
    root = root_of(document, "LifecycleConfiguration")
    check_only(root, {"Rule"})
    rules = root.findall("Rule")
    if not rules:
        raise malformed()
    refuse_if(refusals.TOO_MANY_LIFECYCLE_RULES, len(rules) > _RULES)
    for rule in rules:
        if not rule.findtext("ID"):
            for empty in rule.findall("ID"):
                rule.remove(empty)
            child = ET.Element("ID")
            child.text = world.new_id()
            rule.insert(0, child)
        _check_rule(rule)
    ids = [text_of(rule, "ID") for rule in rules]
    refuse_if(refusals.SAME_LIFECYCLE_ID, len(set(ids)) != len(ids))
    return written(root)


def _check_rule(rule: ET.Element) -> None:
    check_only(rule, {"ID", "Prefix", "Filter", "Status", *_ACTIONS})
    refuse_if(refusals.LONG_LIFECYCLE_ID, len(text_of(rule, "ID")) > 255)
    is_enabled(rule)
    if (rule.find("Filter") is None) is (rule.find("Prefix") is None):
        raise malformed()
    has_tags = _has_tags(rule)
    actions = [child for child in rule if child.tag in _ACTIONS]
    refuse_if(refusals.NO_LIFECYCLE_ACTION, not actions)
    for action in actions:
        check_only(action, _ACTIONS[action.tag])
        _check_action(action)
        is_untaggable = action.tag == "AbortIncompleteMultipartUpload" or (
            action.find("ExpiredObjectDeleteMarker") is not None
        )
        refuse_if(refusals.TAGS_WITH_MARKER_EXPIRATION, is_untaggable and has_tags)


def _has_tags(rule: ET.Element) -> bool:
    found = rule.find("Filter")
    if found is None:
        return False
    check_only(found, _CONDITIONS | {"And"})
    if len(found) > 1:
        raise malformed()
    conditions = found.find("And")
    if conditions is not None:
        check_only(conditions, _CONDITIONS)
    return any(True for _ in found.iter("Tag"))


def _check_action(action: ET.Element) -> None:
    when = [name for name in ("Date", "Days", "ExpiredObjectDeleteMarker") if _has(action, name)]
    if action.tag in {"Expiration", "Transition"} and len(when) != 1:
        raise malformed()
    for name in ("Days", "NoncurrentDays", "DaysAfterInitiation", "NewerNoncurrentVersions"):
        text = optional_text(action, name)
        if text is None:
            continue
        if not text.isdecimal():
            raise malformed()
        is_zero_fine = action.tag == "Transition"
        refuse_if(refusals.NO_POSITIVE_DAYS, int(text) == 0 and not is_zero_fine)
    if action.tag.endswith("Transition") and text_of(action, "StorageClass") not in _CLASSES:
        raise malformed()


def _has(action: ET.Element, name: str) -> bool:
    return action.find(name) is not None
