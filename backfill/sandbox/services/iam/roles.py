"""IAM's operations on roles.

Never decides for S3: the store publishes what was changed. One law: a role is deleted only when
nothing is attached to it any more (IAM API: DeleteRole).
"""

from collections.abc import Callable, Mapping

from backfill.sandbox.authorization.policies import Policy
from backfill.sandbox.http.xml import branch, leaf
from backfill.sandbox.model.errors import Pairs
from backfill.sandbox.services.calls import Call, Doorkeeper, XmlOperation
from backfill.sandbox.services.iam import rendering
from backfill.sandbox.services.iam.reading import (
    TAGS_LIMIT,
    checked_policy,
    checked_trust,
    conflict,
    exists,
    malformed,
    name_of,
    no_such,
    over_quota,
    page_of,
    path_of,
    size_of,
    tags_of,
)
from backfill.sandbox.services.iam.store import IamStore, Role
from backfill.sandbox.services.protocols import members

TRUST_LIMIT = 2048
INLINE_LIMIT = 10_240
ATTACHED_LIMIT = 10
"""Quotas of a role: characters of its trust policy and of all inline policies, and policies.

(IAM User Guide: reference_iam-quotas).
"""

MissingPrincipal = Callable[[Policy], str | None]


class RoleOperations:
    """What IAM does with roles."""

    def __init__(
        self, store: IamStore, doorkeeper: Doorkeeper, missing_principal: MissingPrincipal
    ) -> None:
        self._store = store
        self._doorkeeper = doorkeeper
        self._missing_principal = missing_principal

    @property
    def operations(self) -> Mapping[str, XmlOperation]:
        """By name."""
        return {
            "CreateRole": self.create,
            "GetRole": self.get,
            "ListRoles": self.list_all,
            "UpdateRole": self.update,
            "DeleteRole": self.delete,
            "UpdateAssumeRolePolicy": self.put_trust,
            "PutRolePolicy": self.put_policy,
            "GetRolePolicy": self.get_policy,
            "ListRolePolicies": self.list_policies,
            "DeleteRolePolicy": self.delete_policy,
            "AttachRolePolicy": self.attach,
            "DetachRolePolicy": self.detach,
            "ListAttachedRolePolicies": self.list_attached,
            "PutRolePermissionsBoundary": self.put_boundary,
            "DeleteRolePermissionsBoundary": self.delete_boundary,
            "TagRole": self.tag,
            "UntagRole": self.untag,
            "ListRoleTags": self.list_tags,
        }

    def _asked(self, call: Call, conditions: Pairs = ()) -> Role:
        """The role in question, for who may do this with it."""
        name = name_of(call, "RoleName")
        found = self._store.roles.get((call.account_id, name))
        path = "/" if found is None else found.path
        arn = f"arn:aws:iam::{call.account_id}:role{path}{name}"
        self._doorkeeper.require(call, f"iam:{call.operation}", arn, conditions=conditions)
        if found is None:
            raise no_such(f"The role with name {name} cannot be found.")
        return found

    def create(self, call: Call) -> list[str]:
        """CreateRole."""
        fields = call.fields
        boundary = fields.text("PermissionsBoundary")
        role = Role(
            account_id=call.account_id,
            name=name_of(call, "RoleName"),
            path=path_of(call),
            role_id=self._store.new_id("AROA"),
            trust=fields.required("AssumeRolePolicyDocument"),
            created_at=call.now,
            description=fields.text("Description") or "",
            longest_session_s=fields.bounded("MaxSessionDuration", 3600, least=3600, most=43_200),
            tags=tags_of(call),
            boundary=boundary,
        )
        conditions = () if boundary is None else (("iam:PermissionsBoundary", boundary),)
        self._doorkeeper.require(call, "iam:CreateRole", role.arn, conditions=conditions)
        self._check_trust(role.trust)
        self._check_attachable(boundary)
        if (role.account_id, role.name) in self._store.roles:
            raise exists(f"Role with name {role.name} already exists.")
        self._store.roles[role.account_id, role.name] = role
        self._store.publish(role, call.now)
        return [branch("Role", rendering.role(role))]

    def _check_trust(self, document: str) -> None:
        policy = checked_trust(document)
        missing = self._missing_principal(policy)
        if missing is not None:
            raise malformed(f'Invalid principal in policy: "AWS":"{missing}"')
        if size_of(document) > TRUST_LIMIT:
            raise over_quota(f"Cannot exceed quota for ACLSizePerRole: {TRUST_LIMIT}")

    def _check_attachable(self, policy_arn: str | None) -> None:
        if policy_arn is not None and self._store.document_of(policy_arn) is None:
            raise no_such(f"Policy {policy_arn} does not exist or is not attachable.")

    def get(self, call: Call) -> list[str]:
        """GetRole."""
        return [branch("Role", rendering.role(self._asked(call)))]

    def list_all(self, call: Call) -> list[str]:
        """ListRoles: without tags and boundaries, as IAM lists them."""
        self._doorkeeper.require(call, "iam:ListRoles", f"arn:aws:iam::{call.account_id}:role/")
        prefix = call.fields.text("PathPrefix") or "/"
        own = [
            role
            for (account_id, _), role in sorted(self._store.roles.items())
            if account_id == call.account_id and role.path.startswith(prefix)
        ]
        page, ending = page_of(call, own)
        items = ["".join(rendering.role(role, is_listed=True)) for role in page]
        return [members("Roles", items), *ending]

    def update(self, call: Call) -> list[str]:
        """UpdateRole: description and longest session."""
        role = self._asked(call)
        role.description = call.fields.text("Description") or ""
        role.longest_session_s = call.fields.bounded(
            "MaxSessionDuration", role.longest_session_s, least=3600, most=43_200
        )
        return []

    def delete(self, call: Call) -> list[str]:
        """DeleteRole."""
        role = self._asked(call)
        if role.attached:
            raise conflict("Cannot delete entity, must detach all policies first.")
        if role.inline:
            raise conflict("Cannot delete entity, must delete policies first.")
        self._store.withdraw(role, call.now)
        return []

    def put_trust(self, call: Call) -> list[str]:
        """UpdateAssumeRolePolicy."""
        role = self._asked(call)
        document = call.fields.required("PolicyDocument")
        self._check_trust(document)
        role.trust = document
        self._store.publish(role, call.now)
        return []

    # --- inline policies ---

    def put_policy(self, call: Call) -> list[str]:
        """PutRolePolicy."""
        role = self._asked(call)
        name, document = name_of(call, "PolicyName", 128), call.fields.required("PolicyDocument")
        checked_policy(document)
        others = [text for other, text in role.inline.items() if other != name]
        if sum(map(size_of, [*others, document])) > INLINE_LIMIT:
            raise over_quota(
                f"Maximum policy size of {INLINE_LIMIT} bytes exceeded for role {role.name}"
            )
        role.inline[name] = document
        self._store.publish(role, call.now)
        return []

    def _inline(self, call: Call) -> tuple[Role, str]:
        role = self._asked(call)
        name = name_of(call, "PolicyName", 128)
        if name not in role.inline:
            raise no_such(f"The role policy with name {name} cannot be found.")
        return role, name

    def get_policy(self, call: Call) -> list[str]:
        """GetRolePolicy."""
        role, name = self._inline(call)
        return rendering.named_document("RoleName", role.name, name, role.inline[name])

    def list_policies(self, call: Call) -> list[str]:
        """ListRolePolicies."""
        page, ending = page_of(call, sorted(self._asked(call).inline))
        return [branch("PolicyNames", [leaf("member", name) for name in page]), *ending]

    def delete_policy(self, call: Call) -> list[str]:
        """DeleteRolePolicy."""
        role, name = self._inline(call)
        del role.inline[name]
        self._store.publish(role, call.now)
        return []

    # --- attached policies, boundary ---

    def attach(self, call: Call) -> list[str]:
        """AttachRolePolicy; attaching what is attached changes nothing."""
        arn = call.fields.required("PolicyArn")
        role = self._asked(call, (("iam:PolicyARN", arn),))
        self._check_attachable(arn)
        if arn not in role.attached:
            if len(role.attached) >= ATTACHED_LIMIT:
                raise over_quota(f"Cannot exceed quota for PoliciesPerRole: {ATTACHED_LIMIT}")
            role.attached.append(arn)
        self._store.publish(role, call.now)
        return []

    def detach(self, call: Call) -> list[str]:
        """DetachRolePolicy."""
        arn = call.fields.required("PolicyArn")
        role = self._asked(call, (("iam:PolicyARN", arn),))
        if arn not in role.attached:
            raise no_such(f"Policy {arn} was not found.")
        role.attached.remove(arn)
        self._store.publish(role, call.now)
        return []

    def list_attached(self, call: Call) -> list[str]:
        """ListAttachedRolePolicies."""
        page, ending = page_of(call, self._asked(call).attached)
        names = [leaf("PolicyName", arn.rpartition("/")[2]) for arn in page]
        items = [name + leaf("PolicyArn", arn) for name, arn in zip(names, page, strict=True)]
        return [members("AttachedPolicies", items), *ending]

    def put_boundary(self, call: Call) -> list[str]:
        """PutRolePermissionsBoundary."""
        arn = call.fields.required("PermissionsBoundary")
        role = self._asked(call, (("iam:PermissionsBoundary", arn),))
        self._check_attachable(arn)
        role.boundary = arn
        self._store.publish(role, call.now)
        return []

    def delete_boundary(self, call: Call) -> list[str]:
        """DeleteRolePermissionsBoundary."""
        role = self._asked(call)
        if role.boundary is None:
            raise no_such(f"Role {role.name} does not have a permissions boundary attached.")
        role.boundary = None
        self._store.publish(role, call.now)
        return []

    # --- tags ---

    def tag(self, call: Call) -> list[str]:
        """TagRole: adds and replaces."""
        role, tags = self._asked(call), tags_of(call)
        if len(role.tags | tags) > TAGS_LIMIT:
            raise over_quota("The number of tags has reached the maximum limit.")
        role.tags |= tags
        return []

    def untag(self, call: Call) -> list[str]:
        """UntagRole."""
        role = self._asked(call)
        for key in call.fields.strings("TagKeys"):
            role.tags.pop(key, None)
        return []

    def list_tags(self, call: Call) -> list[str]:
        """ListRoleTags."""
        page, ending = page_of(call, sorted(self._asked(call).tags.items()))
        return [rendering.tags(dict(page)), *ending]
