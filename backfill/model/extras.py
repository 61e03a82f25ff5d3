"""What a version has that a copy leaves behind unless it is named, and what of it can be named.

Never reads a store. The plan, the worker and verify ask the same functions, so that what one of
them promises is what the next one does and the last one compares.
Law: what cannot be named whole is an obstacle in words, never left out.

Sources: S3 API, CopyObject (not copied: ACL, website redirect, Object Lock) and PutObjectAcl;
S3 User Guide, object-lock and acl-overview.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from backfill.model.attributes import ObjectHead
from backfill.model.store import Extras, Grant, ObjectAcl, ObjectLock

ENDING: Final = timedelta(minutes=1)
"""S3 refuses a retain-until date that has passed by its clock. What ends within a minute may do so
before the request is answered, and protects nobody by then."""
LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
"""A moment at which no retention had ended yet."""
GRANTS_MAX: Final = 100
"""S3 User Guide: acl-overview."""
PERMISSIONS: Final = ("FULL_CONTROL", "READ", "READ_ACP", "WRITE_ACP")
"""What a copy can grant. WRITE means nothing on an object, and no header grants it."""
PUBLIC_GROUPS: Final = frozenset(
    f"http://acs.amazonaws.com/groups/global/{name}" for name in ("AllUsers", "AuthenticatedUsers")
)
"""Whom Block Public Access keeps out (S3 User Guide: access-control-block-public-access)."""


class Abilities(NamedTuple):
    """What a destination lets a copy keep, as its bucket's settings tell.

    `keeps_acls`: an object's own ACL means something on both sides, and some rule leaves copies
    theirs. `owner_id` is the canonical user ID of who will own copies, empty where it is not known.
    """

    has_object_lock: bool = False
    keeps_acls: bool = True
    owner_id: str = ""
    blocks_public_acls: bool = False


NO_ABILITIES: Final = Abilities()
"""Of a destination that nothing is known of: nothing is named that it might not keep."""


def lock_at(head: ObjectHead, moment: datetime) -> ObjectLock | None:
    """Return what protects a version at a moment; None where nothing does.

    Retention that has ended protects nothing, and S3 takes no date that has passed. Its end is in
    whole seconds, rounded up: the SDK sends no fractions.
    """
    until = head.lock_retain_until
    is_retained = bool(head.lock_mode) and (until is None or until - ENDING > moment)
    if not is_retained and not head.has_legal_hold:
        return None
    if not is_retained:
        return ObjectLock(has_legal_hold=True)
    return ObjectLock(head.lock_mode or "", until and whole_second(until), head.has_legal_hold)


def whole_second(moment: datetime) -> datetime:
    """Return the end of the second that a moment lies in; of a whole one, itself."""
    return (
        moment if not moment.microsecond else moment.replace(microsecond=0) + timedelta(seconds=1)
    )


def lock_words(lock: ObjectLock) -> str:
    """Return a lock in a few words."""
    until = f" until {lock.retain_until.isoformat()}" if lock.retain_until else ""
    words = (f"{lock.mode}{until}" if lock.mode else "", "legal hold" * lock.has_legal_hold)
    return " and ".join(filter(None, words))


def lock_obstacle(lock: ObjectLock, abilities: Abilities) -> str:
    """Return why a copy cannot have this lock; empty where it can."""
    if not abilities.has_object_lock:
        return f"{lock_words(lock)}, and the destination has no Object Lock"
    if lock.mode and lock.retain_until is None:
        return f"{lock.mode}, and until when is not told"
    return ""


def redirect_obstacle(redirect: str) -> str:
    """Return why a copy cannot redirect there; empty where it can."""
    is_plain = redirect.isascii() and redirect.isprintable() and "  " not in redirect
    return "" if is_plain and redirect == redirect.strip() else "no header can carry it unchanged"


def supplied_grants(acl: ObjectAcl, owner_id: str) -> tuple[Grant, ...]:
    """Return an ACL's grants for a copy with that owner; none for the default ACL.

    What the source's owner was granted, the copy's owner is.
    """
    if acl.is_default:
        return ()
    return tuple(
        dict.fromkeys(
            grant._replace(grantee=owner_id)
            if grant.kind == "id" and grant.grantee == acl.owner_id
            else grant
            for grant in acl.grants
        )
    )


def acl_obstacle(acl: ObjectAcl, abilities: Abilities) -> str:
    """Return why a copy cannot have this ACL; empty where it can, as every copy the default one."""
    if acl.is_default:
        return ""
    if not acl.grants:
        return "it grants nobody anything, which no header says"
    if len(acl.grants) > GRANTS_MAX:
        return f"it has more than {GRANTS_MAX} grants"
    told = (_grant_obstacle(grant, abilities) for grant in acl.grants)
    nobody = "" if abilities.owner_id else "who will own the copy is not known: s3:GetBucketAcl"
    return next(filter(None, told), nobody)


def _grant_obstacle(grant: Grant, abilities: Abilities) -> str:
    if grant.permission not in PERMISSIONS:
        return f"no header grants {grant.permission} on an object"
    if not (grant.grantee.isascii() and grant.grantee.isprintable()) or '"' in grant.grantee:
        return "no header can name one of its grantees"
    if abilities.blocks_public_acls and grant.grantee in PUBLIC_GROUPS:
        return "it grants everybody something, and the destination blocks public ACLs"
    return ""


def has_extras(head: ObjectHead, moment: datetime) -> bool:
    """Return whether a HEAD shows anything that a copy leaves behind unless it is named."""
    return bool(head.website_redirect) or lock_at(head, moment) is not None


def extras_of(
    head: ObjectHead, acl: ObjectAcl | None, owner_id: str, moment: datetime, algorithm: str
) -> Extras:
    """Return what a request has to name, of a version without an obstacle.

    `acl` None: it does not matter. `algorithm` empty: S3 keeps the source's.
    """
    return Extras(
        website_redirect=head.website_redirect or "",
        lock=lock_at(head, moment),
        grants=() if acl is None else supplied_grants(acl, owner_id),
        checksum_algorithm=algorithm,
    )
