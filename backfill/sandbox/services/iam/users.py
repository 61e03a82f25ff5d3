"""IAM users, to look at: the sandbox's owner makes them, no call does.

Never makes or changes a user. One law: what is told of a user is what authorization goes by.
"""

from collections.abc import Mapping

from backfill.sandbox.authorization.identities import Directory, Identity
from backfill.sandbox.http.xml import branch, leaf
from backfill.sandbox.services.calls import Call, Doorkeeper, XmlOperation
from backfill.sandbox.services.iam import rendering
from backfill.sandbox.services.iam.reading import name_of, no_such, page_of
from backfill.sandbox.services.protocols import instant, members


class UserOperations:
    """What IAM tells about users."""

    def __init__(self, directory: Directory, doorkeeper: Doorkeeper) -> None:
        self._directory = directory
        self._doorkeeper = doorkeeper

    @property
    def operations(self) -> Mapping[str, XmlOperation]:
        """By name."""
        return {
            "GetUser": self.get,
            "ListUserPolicies": self.list_policies,
            "GetUserPolicy": self.get_policy,
            "ListAttachedUserPolicies": self.list_attached,
            "ListGroupsForUser": self.list_groups,
        }

    def _asked(self, call: Call) -> Identity:
        name = name_of(call, "UserName")
        arn = f"arn:aws:iam::{call.account_id}:user/{name}"
        self._doorkeeper.require(call, f"iam:{call.operation}", arn)
        found = self._directory.with_arn(arn)
        if found is None:
            raise no_such(f"The user with name {name} cannot be found.")
        return found

    def get(self, call: Call) -> list[str]:
        """GetUser; without a name it is the signer."""
        user = call.identity
        if "UserName" in call.fields:
            user = self._asked(call)
        else:
            self._doorkeeper.require(call, "iam:GetUser", user.arn)
        is_user = ":user/" in user.arn
        parts = [leaf("Path", "/"), leaf("UserName", _name(user))] if is_user else []
        parts += [leaf("UserId", user.user_id), leaf("Arn", user.arn)]
        return [branch("User", [*parts, leaf("CreateDate", instant(call.now))])]

    def list_policies(self, call: Call) -> list[str]:
        """ListUserPolicies."""
        page, ending = page_of(call, list(_policies(self._asked(call))))
        return [branch("PolicyNames", [leaf("member", name) for name in page]), *ending]

    def get_policy(self, call: Call) -> list[str]:
        """GetUserPolicy."""
        user = self._asked(call)
        name = name_of(call, "PolicyName", 128)
        document = _policies(user).get(name)
        if document is None:
            raise no_such(f"The user policy with name {name} cannot be found.")
        return rendering.named_document("UserName", _name(user), name, document)

    def list_attached(self, call: Call) -> list[str]:
        """ListAttachedUserPolicies: none, all are inline here."""
        self._asked(call)
        return [members("AttachedPolicies", []), *page_of(call, [])[1]]

    def list_groups(self, call: Call) -> list[str]:
        """ListGroupsForUser: there are no groups here."""
        self._asked(call)
        return [members("Groups", []), *page_of(call, [])[1]]


def _name(user: Identity) -> str:
    return user.arn.rpartition("/")[2]


def _policies(user: Identity) -> dict[str, str]:
    """Documents by name; those without a name are numbered."""
    return {
        policy.name or f"policy-{number}": policy.text
        for number, policy in enumerate(user.policies, 1)
    }
