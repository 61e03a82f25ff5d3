"""IAM's nouns as its answers carry them.

Never reads a call. One law: documents go out percent-encoded (IAM API: GetRole).
"""

from collections.abc import Mapping
from urllib.parse import quote

from backfill.sandbox.http.xml import boolean, branch, leaf
from backfill.sandbox.services.iam.store import ManagedPolicy, Role
from backfill.sandbox.services.protocols import instant, members


def role(found: Role, *, is_listed: bool = False) -> list[str]:
    """The members of a Role; a list has neither boundaries nor tags (IAM API: ListRoles)."""
    parts = [
        leaf("Path", found.path),
        leaf("RoleName", found.name),
        leaf("RoleId", found.role_id),
        leaf("Arn", found.arn),
        leaf("CreateDate", instant(found.created_at)),
        leaf("AssumeRolePolicyDocument", quote(found.trust, safe="")),
        leaf("MaxSessionDuration", found.longest_session_s),
    ]
    if found.description:
        parts.append(leaf("Description", found.description))
    if found.boundary is not None and not is_listed:
        kind = leaf("PermissionsBoundaryType", "PermissionsBoundaryPolicy")
        arn = leaf("PermissionsBoundaryArn", found.boundary)
        parts.append(branch("PermissionsBoundary", [kind, arn]))
    if found.tags and not is_listed:
        parts.append(tags(found.tags))
    return parts


def tags(values: Mapping[str, str]) -> str:
    """A list of tags."""
    return members("Tags", [leaf("Key", k) + leaf("Value", v) for k, v in values.items()])


def managed(found: ManagedPolicy, attached_count: int) -> list[str]:
    """The members of a Policy."""
    parts = [
        leaf("PolicyName", found.name),
        leaf("PolicyId", found.policy_id),
        leaf("Arn", found.arn),
        leaf("Path", found.path),
        leaf("DefaultVersionId", found.default),
        leaf("AttachmentCount", attached_count),
        boolean("IsAttachable", value=True),
        leaf("CreateDate", instant(found.created_at)),
        leaf("UpdateDate", instant(found.created_at)),
    ]
    if found.description:
        parts.append(leaf("Description", found.description))
    if found.tags:
        parts.append(tags(found.tags))
    return parts


def version(document: str | None, version_id: str, *, is_default: bool, at: str) -> list[str]:
    """The members of a PolicyVersion; lists carry no document."""
    parts = [] if document is None else [leaf("Document", quote(document, safe=""))]
    return [
        *parts,
        leaf("VersionId", version_id),
        boolean("IsDefaultVersion", value=is_default),
        leaf("CreateDate", at),
    ]


def named_document(owner: str, owner_name: str, policy_name: str, document: str) -> list[str]:
    """What GetRolePolicy and GetUserPolicy answer."""
    return [
        leaf(owner, owner_name),
        leaf("PolicyName", policy_name),
        leaf("PolicyDocument", quote(document, safe="")),
    ]
