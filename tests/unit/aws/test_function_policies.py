"""A function's policy has no put: statements are added and removed, and only ours."""

from typing import Any

import pytest

from backfill.aws.accounts_writing import function_policy_calls
from backfill.errors import RefusedError

ARN = "arn:aws:lambda:us-east-1:111111111111:function:events"
BUCKET = "arn:aws:s3:::photos"


def statement(sid: str, *, source: str = BUCKET) -> dict[str, Any]:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": ARN,
        "Condition": {
            "ArnLike": {"AWS:SourceArn": source},
            "StringEquals": {"AWS:SourceAccount": "111111111111"},
        },
    }


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Id": "default", "Statement": list(statements)}


def test_only_what_differs_is_removed_and_added() -> None:
    """If this fails, a permission that another tool gave meanwhile is taken away."""
    before = policy(statement("theirs"), statement("old"), statement("changed", source="x"))
    after = policy(statement("theirs"), statement("changed"), statement("new"))
    calls = function_policy_calls(ARN, after, before=before)
    assert [(call.operation, call.parameters["StatementId"]) for call in calls] == [
        ("RemovePermission", "old"),
        ("RemovePermission", "changed"),
        ("AddPermission", "changed"),
        ("AddPermission", "new"),
    ]
    assert calls[-1].parameters == {
        "FunctionName": ARN,
        "StatementId": "new",
        "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com",
        "SourceArn": BUCKET,
        "SourceAccount": "111111111111",
    }
    assert {(call.service, call.region) for call in calls} == {("lambda", "us-east-1")}


@pytest.mark.parametrize(
    "more",
    [
        {"Effect": "Deny"},
        {"Action": ["lambda:InvokeFunction", "lambda:GetFunction"]},
        {"Resource": "*"},
        {"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}},
        {"Principal": {"AWS": "arn:aws:iam::111111111111:root"}},
    ],
)
def test_a_statement_that_lambda_cannot_add_is_refused_before_anything_is_removed(
    more: dict[str, Any],
) -> None:
    """If this fails, Lambda is given a wider or another permission than was shown."""
    with pytest.raises(RefusedError):
        function_policy_calls(ARN, policy({**statement("new"), **more}), before=policy())
