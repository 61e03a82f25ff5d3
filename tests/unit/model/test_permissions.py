"""Which statement is missing when a call is denied (Service Authorization Reference)."""

import json
import re
from typing import Any

import pytest

from backfill.model.permissions import missing_statements, read_actions

OF_OBJECTS = {
    "HeadObject": "GetObject GetObjectVersion",
    "GetObject": "GetObject GetObjectVersion",
    "GetObjectTagging": "GetObjectTagging GetObjectVersionTagging",
    "GetObjectAcl": "GetObjectAcl GetObjectVersionAcl",
    "GetObjectRetention": "GetObjectRetention",
    "GetObjectLegalHold": "GetObjectLegalHold",
    "CopyObject": "PutObject PutObjectTagging GetObject",
    "CreateMultipartUpload": "PutObject PutObjectTagging",
    "UploadPartCopy": "PutObject",
    "CompleteMultipartUpload": "PutObject GetObject",
    "AbortMultipartUpload": "AbortMultipartUpload",
    "ListParts": "ListMultipartUploadParts",
    "DeleteObject": "DeleteObject GetObject",
    "PutObject": "PutObject",
    "RestoreObject": "RestoreObject",
}
OF_BUCKETS = {
    "ListObjectVersions": "ListBucketVersions",
    "HeadBucket": "ListBucket",
    "GetBucketVersioning": "GetBucketVersioning",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetBucketOwnershipControls": "GetBucketOwnershipControls",
    "GetBucketAcl": "GetBucketAcl",
    "GetBucketPolicy": "GetBucketPolicy",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "GetBucketRequestPayment": "GetBucketRequestPayment",
    "CreateBucket": "CreateBucket PutBucketOwnershipControls",
    "PutBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "PutBucketPolicy": "PutBucketPolicy",
    "DeleteBucketPolicy": "DeleteBucketPolicy",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutBucketVersioning": "PutBucketVersioning",
    "PutBucketOwnershipControls": "PutBucketOwnershipControls",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
}
OF_JOBS = {
    "CreateJob": "CreateJob PutJobTagging",
    "DescribeJob": "DescribeJob",
    "ListJobs": "ListJobs",
    "GetJobTagging": "GetJobTagging",
    "UpdateJobStatus": "UpdateJobStatus",
    "UpdateJobPriority": "UpdateJobPriority",
}
ELSEWHERE = {
    "iam ROLE_ARN": "GetRole ListRolePolicies GetRolePolicy ListAttachedRolePolicies"
    " SimulatePrincipalPolicy UpdateAssumeRolePolicy PutRolePolicy DeleteRolePolicy DeleteRole",
    "iam POLICY_ARN": "GetPolicy GetPolicyVersion",
    "kms KEY_ARN": "DescribeKey GetKeyPolicy PutKeyPolicy",
    "sqs QUEUE_ARN": "GetQueueUrl GetQueueAttributes SetQueueAttributes ReceiveMessage",
    "sns TOPIC_ARN": "GetTopicAttributes SetTopicAttributes",
    "lambda FUNCTION_ARN": "GetFunctionConfiguration AddPermission RemovePermission",
    "cloudwatch *": "GetMetricData",
}
OF_OTHERS = {
    **{
        operation: (f"{place.split()[0]}:{operation}", place.split()[1])
        for place, operations in ELSEWHERE.items()
        for operation in operations.split()
    },
    # Two rights of one call, and one whose name is not the operation's.
    "CreateRole": ("iam:CreateRole iam:TagRole", "ROLE_ARN"),
    "CreateQueue": ("sqs:CreateQueue sqs:TagQueue", "QUEUE_ARN"),
    "DeleteMessageBatch": ("sqs:DeleteMessage", "QUEUE_ARN"),
}


def statements(hint: str) -> list[tuple[list[str], str]]:
    """Return the statements that a hint holds, as JSON reads them."""
    found: list[dict[str, Any]] = [json.loads(one) for one in re.findall(r"\{[^{}]*\}", hint)]
    assert all(each["Effect"] == "Allow" for each in found)
    assert all(set(each) == {"Effect", "Action", "Resource"} for each in found)
    return [(each["Action"], each["Resource"]) for each in found]


def of_s3(words: str) -> list[str]:
    return [f"s3:{word}" for word in words.split()]


@pytest.mark.parametrize(("operation", "actions"), OF_OBJECTS.items())
def test_a_denied_call_about_an_object_names_its_statement(operation: str, actions: str) -> None:
    """If this fails, a person grants something else than the call needs, and is denied again."""
    hint = missing_statements(operation=operation, bucket="b")
    expected = [(of_s3(actions), "arn:aws:s3:::b/*")]
    if operation in ("CopyObject", "UploadPartCopy"):
        source = "GetObject GetObjectVersion GetObjectTagging GetObjectVersionTagging"
        expected.append((of_s3(source), "SOURCE/*"))
        assert "; and in the source bucket's policy {" in hint
    assert statements(hint) == expected
    assert hint.startswith("allow this identity: {")
    assert "; then check the expected owner" in hint
    names_locks = "s3:PutObjectRetention and s3:PutObjectLegalHold" in hint
    assert names_locks == (operation in ("CopyObject", "CreateMultipartUpload"))
    assert names_locks == ("an ACL of its own s3:PutObjectAcl, " in hint)


@pytest.mark.parametrize(("operation", "actions"), OF_BUCKETS.items())
def test_a_denied_call_about_a_bucket_names_its_statement(operation: str, actions: str) -> None:
    """If this fails, a person grants something else than the call needs, and is denied again."""
    hint = missing_statements(operation=operation, bucket="b")
    assert statements(hint) == [(of_s3(actions), "arn:aws:s3:::b")]
    assert "; then check the expected owner" in hint
    assert read_actions(operation, "arn:aws:s3:::b") == tuple(of_s3(actions))


@pytest.mark.parametrize(("operation", "actions"), OF_JOBS.items())
def test_a_denied_call_about_a_job_names_its_statement(operation: str, actions: str) -> None:
    """If this fails, a person grants something else than the call needs, and is denied again."""
    hint = missing_statements(operation=operation, bucket="b")
    passing = [(["iam:PassRole"], "ROLE_ARN")] if operation == "CreateJob" else []
    assert statements(hint) == [(of_s3(actions), "*"), *passing]
    assert hint.endswith("}; and check the account ID")


@pytest.mark.parametrize(("operation", "said"), OF_OTHERS.items())
def test_a_denied_call_of_another_service_names_its_statement(
    operation: str, said: tuple[str, str]
) -> None:
    """If this fails, a person grants something else than the call needs, and is denied again."""
    actions, resource = said[0].split(), said[1]
    hint = missing_statements(operation=operation, bucket="")
    assert statements(hint) == [(actions, resource)]
    assert hint.startswith("allow this identity: {")
    assert hint.endswith("}")
    service = actions[0].partition(":")[0]
    assert read_actions(operation, f"arn:aws:{service}:eu-west-1:111122223333:x") == tuple(actions)


def test_a_call_that_nobody_knows_is_named_itself() -> None:
    """If this fails, a denial of a new call has no hint at all."""
    assert missing_statements(operation="GetNews", bucket="b") == (
        "allow the action behind GetNews for this identity"
    )


@pytest.mark.parametrize(
    ("operation", "resource", "actions"),
    [
        ("AssumeRole", "arn:aws:iam::111122223333:role/r", ()),
        ("GetCallerIdentity", "*", ()),
        ("GetPolicy", "arn:aws:iam::aws:policy/p", ("iam:GetPolicy",)),
        ("GetPolicy", "arn:aws:lambda:eu-west-1:111122223333:function:f", ("lambda:GetPolicy",)),
        ("ListTags", "arn:aws:kms:eu-west-1:111122223333:key/k", ("kms:ListTags",)),
        ("GetBucketPolicy", "arn:aws:sqs:::q", ("sqs:GetBucketPolicy",)),
        ("GetBucketPolicy", "bucket", ("s3:GetBucketPolicy",)),
        ("GetBucketWebsite", "a:b", ("s3:GetBucketWebsite",)),
    ],
)
def test_a_read_is_allowed_by_the_service_of_what_it_reads(
    operation: str, resource: str, actions: tuple[str, ...]
) -> None:
    """If this fails, doctor asks for rights that no policy has, or of another service."""
    assert read_actions(operation, resource) == actions
