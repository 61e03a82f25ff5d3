"""Policies and the decision over them."""

import json
from collections.abc import Mapping

import pytest

from backfill.sandbox.authorization.bucket_policies import bucket_policy_flaw
from backfill.sandbox.authorization.decision import Authorization
from backfill.sandbox.authorization.identities import Directory, Identity, root_of
from backfill.sandbox.authorization.policies import PolicyError, identity_policy, resource_policy
from backfill.sandbox.model.identities import AccessQuestion, Caller

A, B = "111111111111", "222222222222"
USER_ARN = f"arn:aws:iam::{A}:user/worker"
SESSION_ARN = f"arn:aws:sts::{B}:assumed-role/copier/run"
ROLE_ARN = f"arn:aws:iam::{B}:role/service-role/copier"
KEY_ARN = f"arn:aws:kms:eu-west-1:{B}:key/k"
Pairs = tuple[tuple[str, str], ...]


def statement(effect: str = "Allow", **changes: object) -> dict[str, object]:
    plain: dict[str, object] = {"Effect": effect, "Action": "s3:*", "Resource": "*"}
    return plain | changes


def with_part(part: Mapping[str, object]) -> dict[str, object]:
    return {**statement(), **part}


def document(*statements: Mapping[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def identity(arn: str, account: str, *policies: str, role: str | None = None) -> Identity:
    return Identity(
        account_id=account,
        arn=arn,
        user_id="AIDA",
        access_key_id=arn,
        secret_access_key="secret",
        policies=tuple(identity_policy(each) for each in policies),
        role_arn=role,
    )


def may(
    who: Identity | None,
    action: str = "s3:GetObject",
    *,
    owner: str = A,
    policy: str | None = None,
    key_policy: str | None = None,
    conditions: Pairs = (),
    kms_key_arn: str | None = None,
) -> bool:
    directory = Directory()
    if who is not None:
        directory.add(who)
    authorization = Authorization(
        directory=directory,
        bucket_policy_of=lambda _bucket: policy,
        key_policy_of=lambda _arn: key_policy,
    )
    caller = Caller(
        account_id="" if who is None else who.account_id,
        arn="" if who is None else who.arn,
        region="us-east-1",
    )
    return authorization(
        AccessQuestion(
            caller=caller,
            action=action,
            bucket="b",
            bucket_owner=owner,
            key="folder/k",
            kms_key_arn=kms_key_arn,
            conditions=conditions,
        )
    )


ROOT_A = root_of(A, access_key_id="AKIAA", secret_access_key="secret")
ROOT_B = root_of(B, access_key_id="AKIAB", secret_access_key="secret")
ALLOW_ALL = document(statement())
USER = identity(USER_ARN, A, ALLOW_ALL)
BARE_USER = identity(USER_ARN, A)
SESSION = identity(SESSION_ARN, B, ALLOW_ALL, role=ROLE_ARN)


def for_(principal: object, effect: str = "Allow", **changes: object) -> str:
    return document(statement(effect, Principal=principal, **changes))


@pytest.mark.parametrize(
    ("who", "policy", "is_allowed"),
    [
        (ROOT_A, None, True),
        (ROOT_A, for_("*", "Deny"), False),
        (USER, None, True),
        (BARE_USER, None, False),
        (BARE_USER, for_({"AWS": USER_ARN}), True),
        (BARE_USER, for_("*"), True),
        (BARE_USER, for_({"AWS": A}), False),  # the account is named: the user still needs its own
        (USER, for_({"AWS": USER_ARN}, "Deny"), False),
        (USER, for_({"AWS": [B, f"arn:aws:iam::{A}:root"]}, "Deny"), False),
        (ROOT_B, None, False),
        (ROOT_B, for_({"AWS": B}), True),
        (ROOT_B, for_({"AWS": f"arn:aws:iam::{B}:root"}), True),
        (ROOT_B, for_({"AWS": A}), False),
        (SESSION, None, False),
        (SESSION, for_({"AWS": ROLE_ARN}), True),
        (SESSION, for_({"AWS": SESSION_ARN}), True),
        (SESSION, for_({"AWS": f"arn:aws:iam::{B}:role/copier"}), False),  # the path is missing
        (identity(SESSION_ARN, B, role=ROLE_ARN), for_({"AWS": ROLE_ARN}), False),
        (None, None, False),
        (None, for_({"AWS": B}), False),
        (None, for_("*"), True),
    ],
)
def test_both_sides_must_allow_across_accounts_and_one_within(
    who: Identity | None, policy: str | None, *, is_allowed: bool
) -> None:
    """If this fails, the sandbox opens what AWS closes, or closes what AWS opens."""
    assert may(who, policy=policy) is is_allowed


@pytest.mark.parametrize(
    ("part", "is_allowed"),
    [
        ({"Action": "s3:GetObject"}, True),
        ({"Action": "S3:getobject"}, True),
        ({"Action": "s3:Get*"}, True),
        ({"Action": ["s3:PutObject", "s3:GetObject?ersion"]}, False),
        ({"Resource": "arn:aws:s3:::b/*"}, True),
        ({"Resource": "arn:aws:s3:::b/folder/?"}, True),
        ({"Resource": "arn:aws:s3:::b"}, False),
        ({"Resource": "arn:aws:s3:::B/*"}, False),
    ],
)
def test_wildcards_match_actions_without_case_and_resources_with_it(
    part: dict[str, object], *, is_allowed: bool
) -> None:
    """If this fails, a least-privilege policy is proven with the wrong actions."""
    assert may(identity(USER_ARN, A, document(with_part(part)))) is is_allowed


def test_not_action_and_not_resource_mean_everything_else() -> None:
    """If this fails, a guard that denies all but a few actions denies the wrong ones."""
    deny = {"Effect": "Deny", "NotAction": "s3:GetObject", "Resource": "*"}
    user = identity(USER_ARN, A, document(statement(), deny))
    assert may(user, "s3:GetObject")
    assert not may(user, "s3:PutObject")
    elsewhere = {"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::b/folder/*"}
    assert not may(identity(USER_ARN, A, document(elsewhere)))


@pytest.mark.parametrize(
    ("condition", "context", "is_denied"),
    [
        ({"Bool": {"aws:SecureTransport": "false"}}, (), False),
        ({"Null": {"s3:if-none-match": "true"}}, (), True),
        ({"Null": {"s3:if-none-match": "true"}}, (("s3:if-none-match", "*"),), False),
        ({"StringNotEquals": {"s3:if-none-match": "*"}}, (), True),
        ({"StringNotEquals": {"s3:if-none-match": "*"}}, (("s3:if-none-match", "*"),), False),
        ({"StringEquals": {"S3:Prefix": ["a", "b"]}}, (("s3:prefix", "b"),), True),
        ({"StringEquals": {"s3:prefix": "a"}}, (), False),
        ({"StringEqualsIfExists": {"s3:prefix": "a"}}, (), True),
        ({"StringLike": {"s3:prefix": "a/*"}}, (("s3:prefix", "a/b"),), True),
        ({"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{A}:user/*"}}, (), True),
        ({"NumericGreaterThan": {"s3:max-keys": "10"}}, (("s3:max-keys", "9"),), False),
        ({"NumericLessThan": {"s3:max-keys": "10"}}, (("s3:max-keys", "9"),), True),
        ({"DateLessThan": {"s3:date": "2026-01-02T00:00:00Z"}}, (("s3:date", "2026-01-01"),), True),
        ({"DateGreaterThan": {"s3:date": "1767225600"}}, (("s3:date", "2026-01-01"),), False),
        (
            {"ArnLike": {"aws:SourceArn": "arn:aws:s3:*"}},
            (("aws:SourceArn", "arn:aws:s3:::b"),),
            True,
        ),
        (
            {"ArnLike": {"aws:SourceArn": "arn:aws:*:::b"}},
            (("aws:SourceArn", "arn:aws:s3:::a:::b"),),
            False,
        ),
        ({"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "127.0.0.0/24"]}}, (), True),
        ({"NotIpAddress": {"aws:SourceIp": "127.0.0.1/32"}}, (), False),
        ({"StringNotLike": {"aws:PrincipalArn": ["*:user/x", "*:user/work*"]}}, (), False),
        ({"ForAllValues:StringEquals": {"s3:prefix": "a"}}, (), True),
        ({"ForAnyValue:StringEquals": {"s3:prefix": "a"}}, (), False),
        ({"ForAnyValue:StringNotEquals": {"s3:prefix": "a"}}, (), False),
        ({"ForAnyValue:StringLikeIfExists": {"s3:prefix": "a"}}, (), True),
        ({"StringEquals": {"aws:username": "worker", "aws:PrincipalAccount": A}}, (), True),
        ({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, (), False),
        (
            {
                "Null": {"s3:if-match": "true", "s3:if-none-match": "true"},
                "Bool": {"s3:ObjectCreationOperation": "true"},
            },
            (("s3:ObjectCreationOperation", "false"),),
            False,
        ),
    ],
)
def test_a_deny_with_conditions_holds_only_when_all_hold(
    condition: dict[str, object], context: Pairs, *, is_denied: bool
) -> None:
    """If this fails, the guard against unconditional writes lets them through, or blocks all."""
    deny = statement("Deny", Condition=condition)
    user = identity(USER_ARN, A, document(statement(), deny))
    assert may(user, conditions=context) is not is_denied


@pytest.mark.parametrize(
    ("who", "key_policy", "is_allowed"),
    [
        (ROOT_B, None, True),
        (ROOT_A, None, False),
        (
            ROOT_A,
            for_({"AWS": A}, Action="kms:Decrypt"),
            False,
        ),
        (ROOT_A, for_({"AWS": A}, Action="kms:GenerateDataKey"), True),
        (
            ROOT_A,
            for_(
                {"AWS": A},
                Action="kms:*",
                Condition={"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}},
            ),
            True,
        ),
        (ROOT_B, for_({"AWS": A}, Action="kms:*"), False),  # its own account is not named
    ],
)
def test_a_kms_key_is_used_only_as_its_policy_says(
    who: Identity, key_policy: str | None, *, is_allowed: bool
) -> None:
    """If this fails, a copy with the other account's key succeeds here and fails on AWS."""
    answer = may(who, "kms:GenerateDataKey", key_policy=key_policy, kms_key_arn=KEY_ARN)
    assert answer is is_allowed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        document(),
        json.dumps({"Statement": []}),
        document(statement("Maybe", Principal="*")),
        document(statement()),
        document(statement(Principal="*", Condition={"BinaryEquals": {"a:b": "eA=="}})),
        document(
            statement(Principal="*", Condition={"ForEach:Bool": {"aws:SecureTransport": "true"}})
        ),
        document(statement(Principal={"AWS": "s3.amazonaws.com"})),
        document(statement(Principal="*", NotPrincipal="*")),
        document(statement(Principal="*", Resource="arn:aws:s3:::b/${aws:username}")),
        document(statement(Principal={"AWS": "arn:aws:iam::*:root"})),
        document(statement(Principal="*", NotAction="s3:GetObject")),
        document(statement(Principal="*", Surprise="x")),
        document(statement(Principal="*", Action=[])),
    ],
)
def test_a_policy_that_is_not_understood_is_refused(text: str) -> None:
    """If this fails, half a policy is enforced and the rest is silently dropped."""
    with pytest.raises(PolicyError):
        resource_policy(text)


@pytest.mark.parametrize(
    ("resource", "is_flawed"),
    [("arn:aws:s3:::b", False), ("arn:aws:s3:::b/*", False), ("arn:aws:s3:::bc/*", True)],
)
def test_a_bucket_policy_speaks_of_its_own_bucket_only(resource: str, *, is_flawed: bool) -> None:
    """If this fails, a policy for another bucket is accepted and protects nothing."""
    flaw = bucket_policy_flaw(for_("*", Resource=resource), "b")
    assert (flaw is not None) is is_flawed


@pytest.mark.parametrize(
    ("part", "flaw"),
    [
        ({"Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b"}, None),
        ({"Action": "s3:List*", "Resource": "arn:aws:s3:::b"}, None),
        (
            {
                "Action": ["s3:GetObject", "s3:ListBucket"],
                "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"],
            },
            None,
        ),
        ({"Action": "*", "Resource": "arn:aws:s3:::b/*"}, None),
        ({"Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b/*"}, "Action does not apply"),
        ({"Action": "s3:Replicate*", "Resource": "arn:aws:s3:::b"}, "Action does not apply"),
        ({"Action": "s3:GetObjects", "Resource": "arn:aws:s3:::b/*"}, "Policy has invalid action"),
        ({"Action": "kms:Decrypt", "Resource": "arn:aws:s3:::b/*"}, "Policy has invalid action"),
        (
            {
                "Resource": "arn:aws:s3:::b",
                "Condition": {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}},
            },
            "Policy has an invalid condition key",
        ),
    ],
)
def test_a_bucket_policy_names_actions_that_its_resources_have(
    part: dict[str, object], flaw: str | None
) -> None:
    """If this fails, setup writes a bucket policy here that S3 does not take."""
    found = bucket_policy_flaw(document(statement(Principal="*") | part), "b")
    assert found is None if flaw is None else (found or "").startswith(flaw)
