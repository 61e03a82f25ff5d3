"""From the SDK's answer to GetObjectAcl to our nouns.

Never judges a grant, and never drops one.
Law: as in `replies`: what cannot be kept is refused.
"""

from collections.abc import Mapping
from typing import Final

from backfill.aws.replies import Reply, ReplyError
from backfill.model.store import Grant, ObjectAcl

_GRANTEES: Final = (("URI", "uri"), ("EmailAddress", "email"), ("ID", "id"))
"""How GetObjectAcl names a grantee, and our word for it (S3 API: Grantee)."""


def object_acl(reply: Reply) -> ObjectAcl:
    """Parse GetObjectAcl: the owner's canonical ID (empty where none is told) and all grants."""
    owner, grants = reply.get("Owner"), reply.get("Grants")
    if not isinstance(grants, list):
        raise ReplyError("GetObjectAcl without grants")
    owner_id = owner.get("ID") if isinstance(owner, Mapping) else None
    return ObjectAcl(str(owner_id or ""), tuple(map(_grant, grants)))


def _grant(grant: Reply) -> Grant:
    grantee, permission = grant.get("Grantee"), grant.get("Permission")
    if not isinstance(grantee, Mapping) or not permission:
        raise ReplyError("a grant without a grantee or a permission")
    for name, kind in _GRANTEES:
        if value := grantee.get(name):
            return Grant(str(permission), kind, str(value))
    raise ReplyError("a grant to nobody")
