"""Conditions on requests: of reads, of copy sources and of writes.

Decides only; nothing here changes anything.
Law: a write's condition looks at the current version alone, and a delete marker is nothing
(UG: conditional-writes).
"""

from __future__ import annotations

from datetime import datetime

from backfill.sandbox.model import refusals
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.values import ReadConditions, WriteConditions
from backfill.sandbox.model.versions import Entry, ObjectVersion


def _bare(etag: str) -> str:
    return etag.strip().strip('"')


def _matches(wanted: str, etag: str) -> bool:
    """Whether a list of ETags, or *, has this one."""
    if wanted.strip() == "*":
        return True
    return any(_bare(one) == etag for one in wanted.split(","))


def failed(condition: str) -> S3Error:
    """412, naming the condition."""
    return S3Error(refusals.PRECONDITION_FAILED, fields=(("Condition", condition),))


def _not_implemented(header: str) -> S3Error:
    additional = f"We don't accept the provided value of {header} header for this API"
    return S3Error(
        refusals.CONDITION_NOT_IMPLEMENTED,
        fields=(("Header", header), ("additionalMessage", additional)),
    )


def _broken_read_condition(
    conditions: ReadConditions, etag: str, last_modified: datetime
) -> str | None:
    """The name of the first condition that does not hold (RFC 9110, section 13.2.2)."""
    if conditions.if_match is not None:
        if not _matches(conditions.if_match, etag):
            return "If-Match"
    elif conditions.if_unmodified_since and last_modified > conditions.if_unmodified_since:
        return "If-Unmodified-Since"
    if conditions.if_none_match is not None:
        if _matches(conditions.if_none_match, etag):
            return "If-None-Match"
    elif conditions.if_modified_since and last_modified <= conditions.if_modified_since:
        return "If-Modified-Since"
    return None


def check_read(conditions: ReadConditions, version: ObjectVersion) -> None:
    """Refuse a read with 412 or 304 where a condition does not hold."""
    broken = _broken_read_condition(conditions, version.etag, version.last_modified)
    if broken in ("If-None-Match", "If-Modified-Since"):
        raise S3Error(refusals.NOT_MODIFIED, headers=(("etag", f'"{version.etag}"'),))
    if broken is not None:
        raise failed(broken)


def check_copy_source(conditions: ReadConditions, version: ObjectVersion) -> None:
    """Refuse a copy with 412: unlike a read, never 304 (API: CopyObject)."""
    broken = _broken_read_condition(conditions, version.etag, version.last_modified)
    if broken is not None:
        raise failed(f"x-amz-copy-source-{broken}")


def check_write_form(conditions: WriteConditions) -> None:
    """Refuse what S3 has no answer for: other values, or both headers (501)."""
    if conditions.if_none_match is not None:
        if conditions.if_match is not None:
            raise _not_implemented("If-Match,If-None-Match")
        if conditions.if_none_match.strip() != "*":
            raise _not_implemented("If-None-Match")
    elif conditions.if_match is not None and conditions.if_match.strip() == "*":
        raise _not_implemented("If-Match")


def check_write(conditions: WriteConditions, key: str, current: Entry | None) -> None:
    """Refuse a write whose condition on the current version does not hold."""
    exists = isinstance(current, ObjectVersion)
    if conditions.if_none_match is not None and exists:
        raise failed("If-None-Match")
    if conditions.if_match is not None:
        if not isinstance(current, ObjectVersion):
            raise S3Error(refusals.NO_SUCH_KEY, fields=(("Key", key),))
        if _bare(conditions.if_match) != current.etag:
            raise failed("If-Match")


def check_completion(
    conditions: WriteConditions, key: str, current: Entry | None, *, initiated_at: int
) -> None:
    """Refuse completing an upload, also where the key changed since its initiation (409).

    `initiated_at` is the sequence of CreateMultipartUpload. A condition that is broken anyway is
    412; one that holds only thanks to what happened meanwhile is 409 (UG: conditional-writes).
    """
    check_write(conditions, key, current)
    is_conditional = conditions.if_match is not None or conditions.if_none_match is not None
    if is_conditional and current is not None and current.sequence > initiated_at:
        name = "If-Match" if conditions.if_match is not None else "If-None-Match"
        raise S3Error(refusals.CONDITIONAL_CONFLICT, fields=(("Condition", name), ("Key", key)))


def check_delete(
    if_match: str | None, key: str, version_id: str | None, current: Entry | None
) -> None:
    """Refuse a conditional delete (UG: conditional-deletes): * asks only for existence."""
    if if_match is None:
        return
    if version_id is not None:
        raise _not_implemented("If-Match")
    if not isinstance(current, ObjectVersion):
        raise S3Error(refusals.NO_SUCH_KEY, fields=(("Key", key),))
    if not _matches(if_match, current.etag):
        raise failed("If-Match")
