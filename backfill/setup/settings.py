"""Settings of one value: versioning, Object Lock, default encryption, a bucket, a role itself.

Never takes a setting away. Field by field: what others set beside ours stays.
Law: what somebody chose otherwise is refused, not overwritten; S3's own defaults are no choice.
"""

from collections.abc import Mapping, Sequence

from backfill.setup.wanted import (
    ROLE_TAG,
    Action,
    Change,
    Fields,
    Resource,
    ResourceKind,
    WantedPart,
)


def merged_setting(
    resource: Resource, parts: Sequence[WantedPart], before: Fields | None
) -> tuple[Fields | None, tuple[Change, ...]]:
    """Return the document as it shall be, and what becomes of its one part."""
    (part,) = parts
    action, after, reason = _MERGES[resource.kind](part.content, before)
    change = Change(
        resource=resource,
        identifier="",
        action=action,
        reason=f"{part.reason}; {reason}" if reason else part.reason,
        before=before,
        after=after,
    )
    return after, (change,)


_Merge = tuple[Action, Fields | None, str]


def _versioning(wanted: Fields, before: Fields | None) -> _Merge:
    status = (before or {}).get("Status")
    if status == wanted["Status"]:
        return Action.KEEP, before, ""
    if (before or {}).get("MFADelete") == "Enabled":
        reason = "MFA delete is on: only the root user can change it, with the device's code"
        return Action.REFUSE, before, reason
    # Without MFADelete, which S3 takes only together with a code.
    after = {key: value for key, value in (before or {}).items() if key != "MFADelete"}
    if status == "Suspended":
        reason = "it is suspended: objects written meanwhile have the version ID `null`"
        return Action.REPLACE, {**after, **wanted}, reason
    return Action.ADD, {**after, **wanted}, ""


def _object_lock(wanted: Fields, before: Fields | None) -> _Merge:
    if (before or {}).get("ObjectLockEnabled") == "Enabled":
        return Action.KEEP, before, ""
    return Action.ADD, {**(before or {}), **wanted}, ""


def _encryption(wanted: Fields, before: Fields | None) -> _Merge:
    rules = (before or {}).get("Rules") or [{}]
    if not isinstance(rules, Sequence) or len(rules) != 1 or not isinstance(rules[0], Mapping):
        return Action.REFUSE, before, "the configuration has not one rule, as S3's have"
    rule = rules[0]
    default = rule.get("ApplyServerSideEncryptionByDefault")
    default = default if isinstance(default, Mapping) else {}
    key = default.get("KMSMasterKeyID")
    ours = wanted["ApplyServerSideEncryptionByDefault"]
    assert isinstance(ours, Mapping), "made by configuration"
    is_ours = key == ours["KMSMasterKeyID"] and str(default.get("SSEAlgorithm", "")) == "aws:kms"
    if is_ours and rule.get("BucketKeyEnabled") is True:
        return Action.KEEP, before, ""
    if not is_ours and default.get("SSEAlgorithm") not in {None, "AES256"}:
        reason = f"{default.get('SSEAlgorithm')} with {key or 'aws/s3'} is somebody's choice"
        return Action.REFUSE, before, reason
    after = {**(before or {}), "Rules": [{**rule, **wanted}]}
    if not default:
        return Action.ADD, after, ""
    return Action.REPLACE, after, "all who write to the bucket write under this key from now on"


def _bucket(wanted: Fields, before: Fields | None) -> _Merge:
    if before is None:
        return Action.ADD, wanted, ""
    region = before.get("Region", wanted["Region"])
    if region != wanted["Region"]:
        return Action.REFUSE, before, f"it is in {region}, and must be in {wanted['Region']}"
    return Action.KEEP, before, ""


def _queue(wanted: Fields, before: Fields | None) -> _Merge:
    if before is None:
        return Action.ADD, wanted, ""
    return Action.KEEP, before, "a queue of that name is there, and is used as it is"


_MERGES = {
    ResourceKind.VERSIONING: _versioning,
    ResourceKind.OBJECT_LOCK: _object_lock,
    ResourceKind.ENCRYPTION: _encryption,
    ResourceKind.BUCKET: _bucket,
    ResourceKind.QUEUE: _queue,
}


def role_change(part: WantedPart, before: Fields | None) -> Change:
    """Return what becomes of a role itself: made, ours already, or somebody else's."""
    action, reason = _role_fate(part.content, before)
    return Change(
        resource=part.resource,
        identifier="",
        action=action,
        reason=reason or part.reason,
        before=before,
        after=before if action is Action.KEEP else part.content,
    )


def _role_fate(wanted: Fields, before: Fields | None) -> tuple[Action, str]:
    if before is None:
        return Action.ADD, ""
    tags, ours = before.get("Tags"), wanted["Tags"]
    assert isinstance(ours, Mapping), "made by desired"
    owner = tags.get(ROLE_TAG) if isinstance(tags, Mapping) else None
    if owner != ours[ROLE_TAG]:
        whose = f"the set-up {owner!r}" if owner else "somebody else"
        return Action.REFUSE, (
            f"a role of that name is there, made by {whose}: name it by `arn` to use it, or choose"
            " another `name`"
        )
    if before.get("Path") != wanted["Path"]:
        return Action.REFUSE, f"the role has the path {before.get('Path')}: IAM cannot move it"
    return Action.KEEP, ""


def role_name_change(part: WantedPart, before: Fields | None, *, has_others: bool) -> Change:
    """Return what becomes of the one role that a replication configuration names."""
    found = None if before is None else before.get("Role")
    action, reason = Action.ADD, part.reason
    if found == part.content["Role"]:
        action = Action.KEEP
    elif found is not None and has_others:
        action = Action.REFUSE
        reason = (
            f"rules of others replicate as {found}, and a bucket has one role for all its rules:"
            " name that one, [role] arn = ..., and setup adds what it lacks"
        )
    elif found is not None:
        action, reason = Action.REPLACE, f"{part.reason}; all rules are this set-up's"
    return Change(
        resource=part.resource,
        identifier="",
        action=action,
        reason=reason,
        before=None if found is None else {"Role": found},
        after=part.content,
    )
