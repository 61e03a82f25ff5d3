"""IAM's policy simulator: what an identity's policies say about actions that nobody carries out.

Never reads a resource's policy by itself, and takes none for a role (IAM API:
SimulatePrincipalPolicy, "Simulation of resource-based policies isn't supported for IAM roles").
One law: a condition key that matters and was not given is named as missing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from backfill.sandbox.authorization.conditions import Context
from backfill.sandbox.authorization.decision import principal_context
from backfill.sandbox.authorization.evaluation import (
    Inquiry,
    Verdict,
    decided,
    identity_verdict,
    said,
    speaks_of,
)
from backfill.sandbox.authorization.identities import Identity
from backfill.sandbox.authorization.policies import (
    Policy,
    PolicyError,
    applies,
    identity_policy,
    resource_policy,
)
from backfill.sandbox.http.xml import boolean, branch, leaf
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.services.calls import Call, Doorkeeper, XmlOperation
from backfill.sandbox.services.fields import invalid
from backfill.sandbox.services.iam.reading import iam_error, no_such, page_of
from backfill.sandbox.services.iam.store import IamStore
from backfill.sandbox.services.protocols import members

_ACTIONS_LIMIT = 1000
"""Of one request, times its resources: more would hold the sandbox up for everybody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Simulation:
    """What is simulated: an identity with its policies, and everything else that counts."""

    identity: Identity
    given: Context
    resource_policy: Policy | None
    resource_owner: str

    def inquiry(self, action: str, resource: str) -> Inquiry:
        known = {name: (value,) for name, value in principal_context(self.identity).items()}
        return Inquiry(action=action, resource=resource, context={**known, **self.given})

    @property
    def policies(self) -> tuple[Policy, ...]:
        """All that are evaluated."""
        boundary = () if self.identity.boundary is None else (self.identity.boundary,)
        return (*self.identity.policies, *boundary)


class Simulator:
    """SimulatePrincipalPolicy, and the context keys that it would need."""

    def __init__(self, store: IamStore, doorkeeper: Doorkeeper) -> None:
        self._store = store
        self._doorkeeper = doorkeeper

    @property
    def operations(self) -> Mapping[str, XmlOperation]:
        """By name."""
        return {
            "SimulatePrincipalPolicy": self.simulate,
            "GetContextKeysForPrincipalPolicy": self.context_keys,
        }

    def context_keys(self, call: Call) -> list[str]:
        """GetContextKeysForPrincipalPolicy."""
        identity = self._source(call)
        names = {
            condition.key
            for policy in _with_input(identity, call, "PolicyInputList").policies
            for statement in policy.statements
            for condition in statement.conditions
        }
        return [branch("ContextKeyNames", [leaf("member", name) for name in sorted(names)])]

    def simulate(self, call: Call) -> list[str]:
        """SimulatePrincipalPolicy."""
        simulation = self._simulation(call)
        actions = call.fields.strings("ActionNames")
        resources = call.fields.strings("ResourceArns") or ("*",)
        if not actions or len(actions) * len(resources) > _ACTIONS_LIMIT:
            raise invalid("ActionNames: between 1 and 1000 evaluations are made at once")
        for action in actions:
            if ":" not in action:
                raise _invalid_input(f"Invalid Action Name: {action}")
        results = [
            _result(simulation, simulation.inquiry(action, resource))
            for action in actions
            for resource in resources
        ]
        page, ending = page_of(call, results)
        return [members("EvaluationResults", page), *ending]

    def _source(self, call: Call) -> Identity:
        """The user or role whose policies are simulated, as IAM has it by now."""
        arn = call.fields.required("PolicySourceArn")
        self._doorkeeper.require(call, f"iam:{call.operation}", arn)
        role = self._store.role_with_arn(arn)
        if arn.split(":")[4:5] == [call.account_id]:
            found = self._store.directory.with_arn(arn)
            if role is not None:
                return Identity(
                    account_id=role.account_id,
                    arn=role.arn,
                    user_id=role.role_id,
                    access_key_id="",
                    secret_access_key="",
                    policies=self._store.policies_of(role),
                    boundary=self._store.boundary_of(role),
                )
            if found is not None and ":user/" in arn:
                return found
        raise no_such(f"{arn} cannot be found.")

    def _simulation(self, call: Call) -> _Simulation:
        fields = call.fields
        identity = _with_input(self._source(call), call, "PolicyInputList")
        limits = _policies(call, "PermissionsBoundaryPolicyInputList")
        if limits:
            identity = replace(identity, boundary=limits[0])
        caller_arn = fields.text("CallerArn")
        document = fields.text("ResourcePolicy")
        if caller_arn is not None and ":user/" not in caller_arn:
            raise _invalid_input("CallerArn can be the ARN of an IAM user only.")
        if document is not None and identity.is_role and caller_arn is None:
            raise _invalid_input(
                "CallerArn is required: simulation of resource-based policies isn't supported for "
                "IAM roles."
            )
        if caller_arn is not None:
            identity = replace(identity, arn=caller_arn, account_id=caller_arn.split(":")[4])
        return _Simulation(
            identity=identity,
            given=_context(call),
            resource_policy=None if document is None else _resource_policy(document),
            resource_owner=_account(fields.text("ResourceOwner")) or identity.account_id,
        )


def _result(simulation: _Simulation, inquiry: Inquiry) -> str:
    identity = simulation.identity
    verdict = identity_verdict(identity, inquiry)
    if simulation.resource_policy is not None:
        verdict = decided(
            identity=identity,
            owner_account_id=simulation.resource_owner,
            statements=simulation.resource_policy.statements,
            inquiry=inquiry,
        )
    detail = []
    if identity.boundary is not None:
        is_within = said((identity.boundary,), inquiry) is Verdict.ALLOWED
        inner = [boolean("AllowedByPermissionsBoundary", value=is_within)]
        detail = [branch("PermissionsBoundaryDecisionDetail", inner)]
    return "".join(
        [
            leaf("EvalActionName", inquiry.action),
            leaf("EvalResourceName", inquiry.resource),
            leaf("EvalDecision", verdict),
            members("MatchedStatements", _matched(simulation.policies, inquiry, verdict)),
            branch(
                "MissingContextValues",
                [leaf("member", name) for name in _missing(simulation, inquiry)],
            ),
            *detail,
        ]
    )


def _matched(policies: Iterable[Policy], inquiry: Inquiry, verdict: Verdict) -> list[str]:
    """The statements that decided: those that deny, else those that allow."""
    effect = "Deny" if verdict is Verdict.EXPLICIT_DENY else "Allow"
    return [
        leaf("SourcePolicyId", policy.name or "PolicyInputList.1")
        + leaf("SourcePolicyType", "IAM Policy")
        for policy in policies
        for statement in policy.statements
        if verdict is not Verdict.IMPLICIT_DENY
        and statement.effect == effect
        and speaks_of(statement, inquiry)
    ]


def _missing(simulation: _Simulation, inquiry: Inquiry) -> list[str]:
    """Keys that statements on this action and resource ask for and nobody gave."""
    extra = () if simulation.resource_policy is None else (simulation.resource_policy,)
    return sorted(
        {
            condition.key
            for policy in (*simulation.policies, *extra)
            for statement in policy.statements
            if applies(statement, inquiry.action, inquiry.resource)
            for condition in statement.conditions
            if condition.key not in inquiry.context
        }
    )


def _context(call: Call) -> Context:
    return {
        entry.required("ContextKeyName").lower(): entry.strings("ContextKeyValues")
        for entry in call.fields.structures("ContextEntries")
    }


def _with_input(identity: Identity, call: Call, member: str) -> Identity:
    return replace(identity, policies=(*identity.policies, *_policies(call, member)))


def _policies(call: Call, member: str) -> Sequence[Policy]:
    try:
        return [
            identity_policy(text, f"{member}.{number}")
            for number, text in enumerate(call.fields.strings(member), 1)
        ]
    except PolicyError as error:
        raise _invalid_input(str(error)) from error


def _resource_policy(document: str) -> Policy:
    try:
        return resource_policy(document)
    except PolicyError as error:
        raise _invalid_input(str(error)) from error


def _account(arn_or_id: str | None) -> str | None:
    if arn_or_id is None or arn_or_id.isdecimal():
        return arn_or_id
    return (arn_or_id.split(":") + [""] * 5)[4]


def _invalid_input(message: str) -> S3Error:
    return iam_error("InvalidInput", 400, message)
