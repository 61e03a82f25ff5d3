"""What every operation of IAM reads alike: names, paths, documents, tags, pages.

Never changes anything. One law: what AWS would not take is refused here, with its code
(IAM API Reference; IAM User Guide: reference_iam-quotas).
"""

import re
from collections.abc import Sequence
from typing import TypeVar

from backfill.sandbox.authorization.policies import (
    Policy,
    PolicyError,
    identity_policy,
    trust_policy,
)
from backfill.sandbox.http.refusals import refused
from backfill.sandbox.http.xml import boolean, leaf
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.services.calls import Call
from backfill.sandbox.services.fields import invalid

T = TypeVar("T")
_NAME = re.compile(r"[\w+=,.@-]+", re.ASCII)
_PATH = re.compile(r"/|/[\x21-\x7e]+/")
_ACTION = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+")
_RESOURCE = re.compile(r"\*|arn:[^:]*:[^:]*:[^:]*:[^:]*:.+", re.DOTALL)
_STATEMENT_ID = re.compile(r"[0-9A-Za-z]*")
_SPACE = re.compile(r"\s+")
_PAGE = 100
_PAGE_LIMIT = 1000
TAGS_LIMIT = 50


def iam_error(code: str, status: int, message: str) -> S3Error:
    """A refusal in IAM's words."""
    return refused(code=code, status=status, message=message, fact="IAM API: errors of the action")


def no_such(message: str) -> S3Error:
    """404 NoSuchEntity."""
    return iam_error("NoSuchEntity", 404, message)


def exists(message: str) -> S3Error:
    """409 EntityAlreadyExists."""
    return iam_error("EntityAlreadyExists", 409, message)


def conflict(message: str) -> S3Error:
    """409 DeleteConflict."""
    return iam_error("DeleteConflict", 409, message)


def over_quota(message: str) -> S3Error:
    """409 LimitExceeded."""
    return iam_error("LimitExceeded", 409, message)


def malformed(message: str) -> S3Error:
    """400 MalformedPolicyDocument."""
    return iam_error("MalformedPolicyDocument", 400, message)


def name_of(call: Call, member: str, limit: int = 64) -> str:
    """A name as IAM allows it."""
    name = call.fields.required(member)
    if len(name) > limit or _NAME.fullmatch(name) is None:
        raise invalid(
            f"The specified value for {member[0].lower()}{member[1:]} is invalid. It must contain "
            "only alphanumeric characters and/or the following: +=,.@_-"
        )
    return name


def path_of(call: Call) -> str:
    """The path of what is made; `/` without one."""
    path = call.fields.text("Path") or "/"
    if _PATH.fullmatch(path) is None or len(path) > 512:
        raise invalid(
            "The specified value for path is invalid. It must begin and end with / and contain "
            "only alphanumeric characters and/or / characters."
        )
    return path


def tags_of(call: Call) -> dict[str, str]:
    """Tags by key."""
    tags = {tag.required("Key"): tag.required("Value") for tag in call.fields.structures("Tags")}
    if len(tags) > TAGS_LIMIT:
        raise over_quota("The number of tags has reached the maximum limit.")
    return tags


def size_of(document: str) -> int:
    """What counts against a policy's quota: white space does not."""
    return len(_SPACE.sub("", document))


def checked_policy(document: str) -> Policy:
    """An identity policy that IAM would take."""
    try:
        policy = identity_policy(document)
    except PolicyError as error:
        raise malformed(str(error)) from error
    for statement in policy.statements:
        if any(_ACTION.fullmatch(action) is None for action in statement.actions):
            raise malformed(
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
            )
        for resource in statement.resources:
            if _RESOURCE.fullmatch(resource) is None:
                raise malformed(f'Resource {resource} must be in ARN format or "*".')
    _check_statement_ids(policy)
    return policy


def _check_statement_ids(policy: Policy) -> None:
    """IAM's own, stricter than S3's and KMS's (IAM User Guide: reference_policies_elements_sid)."""
    named = [statement.sid for statement in policy.statements if statement.sid]
    if any(_STATEMENT_ID.fullmatch(sid) is None for sid in named):
        raise malformed(
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the "
            "regular expression [0-9A-Za-z]*"
        )
    if len(set(named)) < len(named):
        raise malformed("Statement IDs (SID) in a single policy must be unique.")


def checked_trust(document: str) -> Policy:
    """A trust policy that IAM would take."""
    try:
        policy = trust_policy(document)
    except PolicyError as error:
        raise malformed(str(error)) from error
    for statement in policy.statements:
        if any(not action.lower().startswith("sts:") for action in statement.actions):
            raise malformed("AssumeRole policy may only specify STS AssumeRole actions.")
    _check_statement_ids(policy)
    return policy


def page_of(call: Call, items: Sequence[T]) -> tuple[Sequence[T], list[str]]:
    """The page that is asked for, and the members that say whether and where it goes on."""
    size = call.fields.bounded("MaxItems", _PAGE, least=1, most=_PAGE_LIMIT)
    marker = call.fields.text("Marker") or "0"
    if not marker.isdecimal():
        raise invalid(f"Invalid Marker: {marker}")
    first = int(marker)
    is_truncated = first + size < len(items)
    ending = [boolean("IsTruncated", value=is_truncated)]
    if is_truncated:
        ending.append(leaf("Marker", first + size))
    return items[first : first + size], ending
