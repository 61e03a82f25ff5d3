"""IAM over HTTP with boto3: what it keeps, what it refuses, what its simulator says."""

import json
from collections.abc import Callable

import pytest

from tests.unit.sandbox.services.acts import (
    TRUSTS_S3,
    A,
    Client,
    Desk,
    allow,
    policy,
    refused,
    trust,
)

READ = policy(allow("s3:GetObject"))
VPC_ONLY = {"StringEquals": {"aws:SourceVpc": "vpc-1"}}


@pytest.fixture
def iam(desk: Desk) -> Client:
    """A client with a role `here` in it, which has an inline policy."""
    client = desk.client("iam")
    client.create_role(RoleName="here", Path="/service-role/", AssumeRolePolicyDocument=TRUSTS_S3)
    client.put_role_policy(RoleName="here", PolicyName="inline", PolicyDocument=READ)
    return client


def test_a_role_is_kept_with_its_path_tags_and_policies(desk: Desk, iam: Client) -> None:
    """If this fails, setup reads another role than it wrote."""
    managed = iam.create_policy(PolicyName="managed", PolicyDocument=READ)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="here", PolicyArn=managed)
    iam.put_role_permissions_boundary(RoleName="here", PermissionsBoundary=managed)
    iam.tag_role(RoleName="here", Tags=[{"Key": "a", "Value": "b"}])
    role = iam.get_role(RoleName="here")["Role"]
    assert role["Arn"] == f"arn:aws:iam::{A}:role/service-role/here"
    assert role["AssumeRolePolicyDocument"] == json.loads(TRUSTS_S3)
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == managed
    assert role["Tags"] == iam.list_role_tags(RoleName="here")["Tags"] != []
    assert iam.list_role_policies(RoleName="here")["PolicyNames"] == ["inline"]
    inline = iam.get_role_policy(RoleName="here", PolicyName="inline")
    assert inline["PolicyDocument"] == json.loads(READ)
    attached = iam.list_attached_role_policies(RoleName="here")["AttachedPolicies"]
    assert attached == [{"PolicyName": "managed", "PolicyArn": managed}]
    (listed,) = iam.list_roles(PathPrefix="/service-role/")["Roles"]
    assert "Tags" not in listed
    assert iam.list_roles(PathPrefix="/other/")["Roles"] == []
    assert desk.client("iam", "destination").list_roles()["Roles"] == []


def test_a_managed_policy_has_versions_of_which_one_holds(iam: Client) -> None:
    """If this fails, preflight reads a version that decides nothing."""
    arn = iam.create_policy(PolicyName="p", PolicyDocument=READ)["Policy"]["Arn"]
    other = policy(allow("s3:ListBucket"))
    made = iam.create_policy_version(PolicyArn=arn, PolicyDocument=other)["PolicyVersion"]
    assert made["VersionId"] == "v2"
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v1"
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    version = iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]
    assert (version["Document"], version["IsDefaultVersion"]) == (json.loads(other), True)
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    assert len(iam.list_policy_versions(PolicyArn=arn)["Versions"]) == 1
    iam.delete_policy(PolicyArn=arn)
    assert iam.list_policies()["Policies"] == []


def _attach_unknown(iam: Client) -> None:
    iam.attach_role_policy(RoleName="here", PolicyArn=f"arn:aws:iam::{A}:policy/none")


def _put_big(iam: Client) -> None:
    keys = [f"arn:aws:s3:::b/{number:04}" for number in range(600)]
    iam.put_role_policy(RoleName="here", PolicyName="p", PolicyDocument=policy(allow("s3:*", keys)))


def _create(iam: Client, document: str = TRUSTS_S3, name: str = "new", **more: object) -> None:
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=document, **more)


def _delete_attached(iam: Client) -> None:
    iam.attach_role_policy(RoleName="here", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    iam.delete_role_policy(RoleName="here", PolicyName="inline")
    iam.delete_role(RoleName="here")


@pytest.mark.parametrize(
    ("act", "refusal"),
    [
        (lambda iam: _create(iam, name="here"), ("EntityAlreadyExists", 409)),
        (lambda iam: _create(iam, "{}"), ("MalformedPolicyDocument", 400)),
        (lambda iam: _create(iam, "no json"), ("MalformedPolicyDocument", 400)),
        (lambda iam: _create(iam, READ), ("MalformedPolicyDocument", 400)),
        (
            lambda iam: _create(iam, trust({"AWS": f"arn:aws:iam::{A}:role/nobody"})),
            ("MalformedPolicyDocument", 400),
        ),
        (lambda iam: _create(iam, trust({"Service": "s3"})), ("MalformedPolicyDocument", 400)),
        (lambda iam: _create(iam, name="a b"), ("ValidationError", 400)),
        (lambda iam: _create(iam, Path="no/slash"), ("ValidationError", 400)),
        (
            lambda iam: _create(iam, PermissionsBoundary=f"arn:aws:iam::{A}:policy/none"),
            ("NoSuchEntity", 404),
        ),
        (lambda iam: iam.get_role(RoleName="gone"), ("NoSuchEntity", 404)),
        (
            lambda iam: iam.get_role_policy(RoleName="here", PolicyName="gone"),
            ("NoSuchEntity", 404),
        ),
        (
            lambda iam: iam.delete_role_policy(RoleName="here", PolicyName="gone"),
            ("NoSuchEntity", 404),
        ),
        (_attach_unknown, ("NoSuchEntity", 404)),
        (lambda iam: iam.delete_role(RoleName="here"), ("DeleteConflict", 409)),
        (_delete_attached, ("DeleteConflict", 409)),
        (_put_big, ("LimitExceeded", 409)),
        (
            lambda iam: iam.put_role_policy(
                RoleName="here", PolicyName="p", PolicyDocument=TRUSTS_S3
            ),
            ("MalformedPolicyDocument", 400),
        ),
        (
            lambda iam: iam.update_assume_role_policy(RoleName="here", PolicyDocument=READ),
            ("MalformedPolicyDocument", 400),
        ),
        *(
            (
                lambda iam, parts=parts: iam.put_role_policy(
                    RoleName="here", PolicyName="p", PolicyDocument=policy(*parts)
                ),
                ("MalformedPolicyDocument", 400),
            )
            for parts in (
                [allow("GetObject")],
                [allow("s3:GetObject", "bucket/*")],
                [allow("s3:GetObject", Sid="with space")],
                [allow("s3:GetObject", Sid="same"), allow("s3:PutObject", Sid="same")],
            )
        ),
        (lambda iam: iam.list_groups(), ("InvalidAction", 400)),
    ],
)
def test_what_iam_would_refuse_is_refused(
    iam: Client, act: Callable[[Client], object], refusal: tuple[str, int]
) -> None:
    """If this fails, a set-up is proven that AWS would not take."""
    assert refused(lambda: act(iam)) == refusal


def test_a_role_goes_when_nothing_is_attached(iam: Client) -> None:
    """If this fails, destroy leaves roles behind."""
    iam.delete_role_policy(RoleName="here", PolicyName="inline")
    iam.delete_role(RoleName="here")
    assert refused(lambda: iam.get_role(RoleName="here")) == ("NoSuchEntity", 404)
    again = iam.create_role(RoleName="here", AssumeRolePolicyDocument=TRUSTS_S3)["Role"]
    assert again["Path"] == "/"


@pytest.mark.usefixtures("iam")
def test_iam_asks_for_the_callers_own_permission(desk: Desk) -> None:
    """If this fails, the rights that setup needs are never found out."""
    arn = f"arn:aws:iam::{A}:role/service-role/here"
    narrow = desk.client("iam", desk.user("narrow", allow("iam:GetRole", arn)))
    assert narrow.get_role(RoleName="here")["Role"]["Arn"] == arn
    assert refused(lambda: narrow.get_role(RoleName="gone")) == ("AccessDenied", 403)
    assert refused(lambda: narrow.delete_role(RoleName="here")) == ("AccessDenied", 403)
    denies = allow("iam:*", effect="Deny")
    barred = desk.client("iam", desk.user("barred", allow("*"), denies))
    assert refused(barred.list_roles) == ("AccessDenied", 403)


def test_lists_come_in_pages(iam: Client) -> None:
    """If this fails, a reader that stops after one page is never caught."""
    for number in range(5):
        _create(iam, name=f"r{number}")
    pages = list(iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["Roles"]) for page in pages] == [2, 2, 2]


# --- the simulator ---


def simulated(iam: Client, *actions: str, **more: object) -> dict[str, str]:
    answer = iam.simulate_principal_policy(
        PolicySourceArn=f"arn:aws:iam::{A}:role/service-role/here",
        ActionNames=list(actions),
        ResourceArns=["arn:aws:s3:::b/k"],
        **more,
    )
    return {r["EvalActionName"]: r["EvalDecision"] for r in answer["EvaluationResults"]}


def test_the_simulator_says_what_the_roles_policies_say(iam: Client) -> None:
    """If this fails, preflight calls a role complete that is not."""
    iam.put_role_policy(
        RoleName="here",
        PolicyName="no",
        PolicyDocument=policy(allow("s3:PutObject", effect="Deny")),
    )
    assert simulated(iam, "s3:GetObject", "s3:PutObject", "s3:ListBucket") == {
        "s3:GetObject": "allowed",
        "s3:PutObject": "explicitDeny",
        "s3:ListBucket": "implicitDeny",
    }


def test_the_simulator_counts_attached_policies_and_boundaries(iam: Client) -> None:
    """If this fails, half of what decides about a role is not looked at."""
    arn = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    iam.attach_role_policy(RoleName="here", PolicyArn=arn)
    assert simulated(iam, "s3:ListBucket") == {"s3:ListBucket": "allowed"}
    lists = policy(allow("s3:ListBucket"))
    boundary = iam.create_policy(PolicyName="b", PolicyDocument=lists)["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName="here", PermissionsBoundary=boundary)
    found = simulated(iam, "s3:ListBucket", "s3:GetObject")
    assert found == {"s3:ListBucket": "allowed", "s3:GetObject": "implicitDeny"}


def test_the_simulator_names_the_context_that_it_lacks(iam: Client) -> None:
    """If this fails, an answer that depends on unknown context passes for one."""
    document = policy(allow("s3:DeleteObject", Condition=VPC_ONLY))
    iam.put_role_policy(RoleName="here", PolicyName="vpc", PolicyDocument=document)
    source = f"arn:aws:iam::{A}:role/service-role/here"
    question = {"PolicySourceArn": source, "ActionNames": ["s3:DeleteObject"]}
    (without,) = iam.simulate_principal_policy(**question)["EvaluationResults"]
    assert (without["EvalDecision"], without["MissingContextValues"]) == (
        "implicitDeny",
        ["aws:sourcevpc"],
    )
    given = {
        "ContextKeyName": "aws:SourceVpc",
        "ContextKeyValues": ["vpc-1"],
        "ContextKeyType": "string",
    }
    (with_,) = iam.simulate_principal_policy(**question, ContextEntries=[given])[
        "EvaluationResults"
    ]
    assert (with_["EvalDecision"], with_["MissingContextValues"]) == ("allowed", [])
    assert with_["MatchedStatements"][0]["SourcePolicyId"] == "vpc"
    keys = iam.get_context_keys_for_principal_policy(PolicySourceArn=source)
    assert keys["ContextKeyNames"] == ["aws:sourcevpc"]


def test_the_simulator_takes_resource_policies_for_users_only(desk: Desk, iam: Client) -> None:
    """If this fails, preflight relies on an answer that IAM does not give for roles."""
    user = desk.user("someone", allow("s3:ListBucket"))
    opens = policy(allow("s3:*", Principal={"AWS": user.arn}))
    (result,) = iam.simulate_principal_policy(
        PolicySourceArn=user.arn,
        ActionNames=["s3:GetObject"],
        ResourceArns=["arn:aws:s3:::b/k"],
        ResourcePolicy=opens,
    )["EvaluationResults"]
    assert result["EvalDecision"] == "allowed"
    assert refused(lambda: simulated(iam, "s3:GetObject", ResourcePolicy=opens)) == (
        "InvalidInput",
        400,
    )
    gone = {"PolicySourceArn": f"arn:aws:iam::{A}:role/gone", "ActionNames": ["s3:GetObject"]}
    assert refused(lambda: iam.simulate_principal_policy(**gone)) == ("NoSuchEntity", 404)


def test_users_and_roles_made_in_process_are_shown(desk: Desk) -> None:
    """If this fails, what tests make for a run cannot be looked at by preflight."""
    user = desk.user("worker", allow("iam:GetUser"), allow("s3:GetObject"))
    assert desk.client("iam", user).get_user()["User"]["UserName"] == "worker"
    iam = desk.client("iam")
    (name,) = iam.list_user_policies(UserName="worker")["PolicyNames"]
    document = iam.get_user_policy(UserName="worker", PolicyName=name)["PolicyDocument"]
    assert document["Statement"][1]["Action"] == "s3:GetObject"
    desk.sandbox.add_role("source", "batch", READ, trusts=["batchoperations.s3.amazonaws.com"])
    role = iam.get_role(RoleName="batch")["Role"]
    principal = role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]
    assert principal == {"Service": ["batchoperations.s3.amazonaws.com"]}
    assert iam.list_role_policies(RoleName="batch")["PolicyNames"] == ["policy-1"]
