"""The evaluation logic: boundaries, excepted principals, services, keys of several values."""

import json

import pytest

from backfill.sandbox.authorization.conditions import holds
from backfill.sandbox.authorization.evaluation import (
    Inquiry,
    Verdict,
    decided,
    is_service_granted,
)
from backfill.sandbox.authorization.identities import Identity, root_of
from backfill.sandbox.authorization.policies import (
    Policy,
    PolicyError,
    identity_policy,
    resource_policy,
    trust_policy,
)

A, B = "111111111111", "222222222222"
ROLE = f"arn:aws:iam::{A}:role/copier"
SESSION = f"arn:aws:sts::{A}:assumed-role/copier/run"
READ = Inquiry(action="s3:GetObject", resource="arn:aws:s3:::b/k", context={})


def text(*statements: dict[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def says(effect: str = "Allow", **parts: object) -> dict[str, object]:
    plain: dict[str, object] = {"Effect": effect, "Action": "s3:*", "Resource": "*"}
    return plain | parts


def one(
    *policies: Policy, boundary: Policy | None = None, arn: str = SESSION, role: str | None = ROLE
) -> Identity:
    return Identity(
        account_id=A,
        arn=arn,
        user_id="AROAEXAMPLE:run",
        access_key_id="ASIA",
        secret_access_key="secret",
        policies=policies,
        boundary=boundary,
        role_arn=role,
    )


ALLOW = identity_policy(text(says()))
DENY = identity_policy(text(says("Deny")))
LISTING = identity_policy(text(says(Action="s3:ListBucket")))
USER = f"arn:aws:iam::{A}:user/worker"


@pytest.mark.parametrize(
    ("identity", "policy", "verdict"),
    [
        (one(ALLOW, boundary=ALLOW), None, Verdict.ALLOWED),
        (one(ALLOW, boundary=LISTING), None, Verdict.IMPLICIT_DENY),
        (one(ALLOW, boundary=DENY), None, Verdict.EXPLICIT_DENY),
        (one(ALLOW, DENY), None, Verdict.EXPLICIT_DENY),
        (one(boundary=LISTING), says(Principal={"AWS": ROLE}), Verdict.IMPLICIT_DENY),
        (
            one(boundary=LISTING, arn=USER, role=None),
            says(Principal={"AWS": USER}),
            Verdict.ALLOWED,
        ),
        (one(), says(Principal={"AWS": "AROAEXAMPLE"}), Verdict.ALLOWED),
        (one(ALLOW), says("Deny", NotPrincipal={"AWS": [ROLE, A]}), Verdict.ALLOWED),
        (one(ALLOW), says("Deny", NotPrincipal={"AWS": ROLE}), Verdict.EXPLICIT_DENY),
        (one(ALLOW), says("Deny", NotPrincipal={"AWS": B}), Verdict.EXPLICIT_DENY),
    ],
)
def test_boundaries_and_excepted_principals_count(
    identity: Identity, policy: dict[str, object] | None, verdict: Verdict
) -> None:
    """If this fails, a role that a boundary holds back works here and fails on AWS."""
    statements = () if policy is None else resource_policy(text(policy)).statements
    assert (
        decided(identity=identity, owner_account_id=A, statements=statements, inquiry=READ)
        is verdict
    )


def test_a_role_needs_its_own_policys_word_even_within_the_account() -> None:
    """If this fails, identity policies alone open roles and keys."""
    root = root_of(A, access_key_id="AKIA", secret_access_key="secret")
    for is_needed, verdict in [(False, Verdict.ALLOWED), (True, Verdict.IMPLICIT_DENY)]:
        found = decided(
            identity=root,
            owner_account_id=A,
            statements=(),
            inquiry=READ,
            is_grant_needed=is_needed,
        )
        assert found is verdict


@pytest.mark.parametrize(
    ("statement", "account", "is_granted"),
    [
        (says(Principal={"Service": "s3.amazonaws.com"}), A, True),
        (says(Principal={"Service": "sns.amazonaws.com"}), A, False),
        (says(Principal={"AWS": A}), A, False),
        (says(Principal="*"), A, True),
        (says("Deny", Principal="*"), A, False),
        (
            says(
                Principal={"Service": "s3.amazonaws.com"},
                Condition={"StringEquals": {"aws:SourceAccount": A}},
            ),
            B,
            False,
        ),
    ],
)
def test_a_service_is_let_in_only_as_the_policy_says(
    statement: dict[str, object], account: str, *, is_granted: bool
) -> None:
    """If this fails, confused-deputy conditions are never tried."""
    inquiry = Inquiry(
        action="s3:GetObject", resource="x", context={"aws:sourceaccount": (account,)}
    )
    statements = resource_policy(text(statement)).statements
    assert is_service_granted(statements, "s3.amazonaws.com", inquiry) is is_granted


@pytest.mark.parametrize(
    ("operator", "values", "is_met"),
    [
        ("ForAnyValue:StringEquals", ("a", "x"), True),
        ("ForAllValues:StringEquals", ("a", "x"), False),
        ("ForAllValues:StringEquals", ("a", "b"), True),
        ("ForAnyValue:StringNotEquals", ("a", "x"), True),
        ("ForAllValues:StringNotEquals", ("a", "x"), False),
        ("StringNotEquals", ("a", "x"), False),
    ],
)
def test_keys_of_several_values_are_compared_as_the_quantifier_says(
    operator: str, values: tuple[str, ...], *, is_met: bool
) -> None:
    """If this fails, conditions on tag keys mean something else than on AWS."""
    policy = identity_policy(text(says(Condition={operator: {"aws:TagKeys": ["a", "b"]}})))
    (condition,) = policy.statements[0].conditions
    assert holds(condition, {"aws:tagkeys": values}) is is_met


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow", "Action": "sts:AssumeRole"},
        says(Principal="*", Action="sts:AssumeRole"),
        {"Effect": "Allow", "Principal": "*"},
    ],
)
def test_a_trust_policy_names_whom_it_trusts_and_no_resource(statement: dict[str, object]) -> None:
    """If this fails, IAM takes trust policies here that it refuses on AWS."""
    with pytest.raises(PolicyError):
        trust_policy(text(statement))
