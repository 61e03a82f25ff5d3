"""IAM's operations on managed policies.

Never changes one that is AWS's own. One law: a policy that is attached cannot be deleted, nor can
its default version (IAM API: DeletePolicy, DeletePolicyVersion).
"""

from collections.abc import Mapping

from backfill.sandbox.http.xml import branch, leaf
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.services.calls import Call, Doorkeeper, XmlOperation
from backfill.sandbox.services.fields import invalid
from backfill.sandbox.services.iam import rendering
from backfill.sandbox.services.iam.reading import (
    checked_policy,
    conflict,
    exists,
    name_of,
    no_such,
    over_quota,
    page_of,
    path_of,
    size_of,
    tags_of,
)
from backfill.sandbox.services.iam.store import AWS_POLICIES, IamStore, ManagedPolicy
from backfill.sandbox.services.protocols import instant, members

MANAGED_LIMIT = 6144
"""Characters of a managed policy (IAM User Guide: reference_iam-quotas)."""
VERSIONS_LIMIT = 5


class PolicyOperations:
    """What IAM does with managed policies."""

    def __init__(self, store: IamStore, doorkeeper: Doorkeeper) -> None:
        self._store = store
        self._doorkeeper = doorkeeper

    @property
    def operations(self) -> Mapping[str, XmlOperation]:
        """By name."""
        return {
            "CreatePolicy": self.create,
            "GetPolicy": self.get,
            "ListPolicies": self.list_all,
            "DeletePolicy": self.delete,
            "CreatePolicyVersion": self.create_version,
            "GetPolicyVersion": self.get_version,
            "ListPolicyVersions": self.list_versions,
            "SetDefaultPolicyVersion": self.set_default,
            "DeletePolicyVersion": self.delete_version,
            "ListEntitiesForPolicy": self.list_entities,
        }

    def _asked(self, call: Call) -> ManagedPolicy:
        arn = call.fields.required("PolicyArn")
        self._doorkeeper.require(call, f"iam:{call.operation}", arn)
        found = self._store.policies.get(arn)
        if found is not None and arn.split(":")[4] == call.account_id:
            return found
        if arn in AWS_POLICIES:
            return ManagedPolicy(
                arn=arn,
                name=arn.rpartition("/")[2],
                path="/",
                policy_id="ANPASANDBOX",
                created_at=call.now,
                versions={"v1": AWS_POLICIES[arn]},
            )
        raise no_such(f"Policy {arn} was not found.")

    def _own(self, call: Call) -> ManagedPolicy:
        found = self._asked(call)
        if found.arn in AWS_POLICIES:
            raise self._doorkeeper.denied(call, f"iam:{call.operation}", found.arn)
        return found

    def _rendered(self, found: ManagedPolicy) -> str:
        users = sum(found.arn in role.attached for role in self._store.roles.values())
        return "".join(rendering.managed(found, users))

    def create(self, call: Call) -> list[str]:
        """CreatePolicy."""
        name, path = name_of(call, "PolicyName", 128), path_of(call)
        document = call.fields.required("PolicyDocument")
        arn = f"arn:aws:iam::{call.account_id}:policy{path}{name}"
        self._doorkeeper.require(call, "iam:CreatePolicy", arn)
        self._check(document)
        if arn in self._store.policies:
            raise exists(f"A policy called {name} already exists. Duplicate names are not allowed.")
        made = ManagedPolicy(
            arn=arn,
            name=name,
            path=path,
            policy_id=self._store.new_id("ANPA"),
            created_at=call.now,
            description=call.fields.text("Description") or "",
            versions={"v1": document},
            tags=tags_of(call),
        )
        self._store.policies[arn] = made
        return [branch("Policy", [self._rendered(made)])]

    def _check(self, document: str) -> None:
        checked_policy(document)
        if size_of(document) > MANAGED_LIMIT:
            raise over_quota(f"Cannot exceed quota for PolicySize: {MANAGED_LIMIT}")

    def get(self, call: Call) -> list[str]:
        """GetPolicy."""
        return [branch("Policy", [self._rendered(self._asked(call))])]

    def list_all(self, call: Call) -> list[str]:
        """ListPolicies: the account's own."""
        everything = f"arn:aws:iam::{call.account_id}:policy/"
        self._doorkeeper.require(call, "iam:ListPolicies", everything)
        own = [
            policy
            for arn, policy in sorted(self._store.policies.items())
            if arn.split(":")[4] == call.account_id
        ]
        page, ending = page_of(call, own)
        return [members("Policies", [self._rendered(policy) for policy in page]), *ending]

    def delete(self, call: Call) -> list[str]:
        """DeletePolicy."""
        found = self._own(call)
        if self._store.is_attached(found.arn):
            raise conflict("Cannot delete a policy attached to entities.")
        if len(found.versions) > 1:
            raise conflict(
                "This policy has more than one version. Before you delete a policy, you must "
                "delete the policy's versions. The default version is deleted with the policy."
            )
        del self._store.policies[found.arn]
        return []

    def create_version(self, call: Call) -> list[str]:
        """CreatePolicyVersion."""
        found = self._own(call)
        document = call.fields.required("PolicyDocument")
        self._check(document)
        if len(found.versions) >= VERSIONS_LIMIT:
            raise over_quota(
                "A managed policy can have up to 5 versions. Before you create a new version, you "
                "must delete an existing version."
            )
        found.versions_count += 1
        version_id = f"v{found.versions_count}"
        found.versions[version_id] = document
        if call.fields.flag("SetAsDefault"):
            self._make_default(call, found, version_id)
        return [branch("PolicyVersion", self._version(found, version_id, has_document=False))]

    def _make_default(self, call: Call, found: ManagedPolicy, version_id: str) -> None:
        found.default = version_id
        self._store.publish_users_of(found.arn, call.now)

    def _version(self, found: ManagedPolicy, version_id: str, *, has_document: bool) -> list[str]:
        return rendering.version(
            found.versions[version_id] if has_document else None,
            version_id,
            is_default=version_id == found.default,
            at=instant(found.created_at),
        )

    def _version_id(self, call: Call, found: ManagedPolicy) -> str:
        version_id = call.fields.required("VersionId")
        if version_id not in found.versions:
            raise no_such(f"Policy {found.arn} version {version_id} does not exist.")
        return version_id

    def get_version(self, call: Call) -> list[str]:
        """GetPolicyVersion."""
        found = self._asked(call)
        version_id = self._version_id(call, found)
        return [branch("PolicyVersion", self._version(found, version_id, has_document=True))]

    def list_versions(self, call: Call) -> list[str]:
        """ListPolicyVersions."""
        found = self._asked(call)
        page, ending = page_of(call, list(reversed(found.versions)))
        items = ["".join(self._version(found, each, has_document=False)) for each in page]
        return [members("Versions", items), *ending]

    def set_default(self, call: Call) -> list[str]:
        """SetDefaultPolicyVersion."""
        found = self._own(call)
        self._make_default(call, found, self._version_id(call, found))
        return []

    def delete_version(self, call: Call) -> list[str]:
        """DeletePolicyVersion."""
        found = self._own(call)
        version_id = self._version_id(call, found)
        if version_id == found.default:
            raise conflict("Cannot delete the default version of a policy.")
        del found.versions[version_id]
        return []

    def list_entities(self, call: Call) -> list[str]:
        """ListEntitiesForPolicy: roles, which alone have managed policies here."""
        found = self._asked(call)
        if call.fields.text("EntityFilter") not in {None, "Role"}:
            raise _only_roles()
        roles = [role for role in self._store.roles.values() if found.arn in role.attached]
        page, ending = page_of(call, roles)
        items = [leaf("RoleName", role.name) + leaf("RoleId", role.role_id) for role in page]
        return [
            members("PolicyRoles", items),
            members("PolicyUsers", []),
            members("PolicyGroups", []),
            *ending,
        ]


def _only_roles() -> S3Error:
    return invalid("This sandbox knows managed policies of roles only.")
