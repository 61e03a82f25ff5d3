"""Which IAM actions each call needs, so that a denial names the statement that is missing.

Never a whole policy (those lie in manifests/iam), only what one denied call needs.
Source: Service Authorization Reference, "Actions, resources, and condition keys" for each service.
Law: a hint grants what the call needs and no more.
"""

import json
from typing import Final

_OBJECT_ACTIONS: Final[dict[str, tuple[str, ...]]] = {
    "HeadObject": ("s3:GetObject", "s3:GetObjectVersion"),
    "GetObject": ("s3:GetObject", "s3:GetObjectVersion"),
    "GetObjectTagging": ("s3:GetObjectTagging", "s3:GetObjectVersionTagging"),
    "GetObjectAcl": ("s3:GetObjectAcl", "s3:GetObjectVersionAcl"),
    "GetObjectRetention": ("s3:GetObjectRetention",),
    "GetObjectLegalHold": ("s3:GetObjectLegalHold",),
    # IfMatch with an ETag needs s3:GetObject on the destination beside the right to write.
    "CopyObject": ("s3:PutObject", "s3:PutObjectTagging", "s3:GetObject"),
    "CreateMultipartUpload": ("s3:PutObject", "s3:PutObjectTagging"),
    "UploadPartCopy": ("s3:PutObject",),
    "CompleteMultipartUpload": ("s3:PutObject", "s3:GetObject"),
    "AbortMultipartUpload": ("s3:AbortMultipartUpload",),
    "ListParts": ("s3:ListMultipartUploadParts",),
    "DeleteObject": ("s3:DeleteObject", "s3:GetObject"),
    "PutObject": ("s3:PutObject",),
    "RestoreObject": ("s3:RestoreObject",),
}

_BUCKET_ACTIONS: Final[dict[str, tuple[str, ...]]] = {
    "ListObjectVersions": ("s3:ListBucketVersions",),
    "HeadBucket": ("s3:ListBucket",),
    "GetBucketVersioning": ("s3:GetBucketVersioning",),
    "GetBucketReplication": ("s3:GetReplicationConfiguration",),
    "GetObjectLockConfiguration": ("s3:GetBucketObjectLockConfiguration",),
    "GetBucketOwnershipControls": ("s3:GetBucketOwnershipControls",),
    "GetBucketAcl": ("s3:GetBucketAcl",),
    "GetBucketPolicy": ("s3:GetBucketPolicy",),
    "GetBucketNotificationConfiguration": ("s3:GetBucketNotification",),
    "GetBucketEncryption": ("s3:GetEncryptionConfiguration",),
    "GetBucketLifecycleConfiguration": ("s3:GetLifecycleConfiguration",),
    "GetPublicAccessBlock": ("s3:GetBucketPublicAccessBlock",),
    "GetBucketRequestPayment": ("s3:GetBucketRequestPayment",),
    "CreateBucket": ("s3:CreateBucket", "s3:PutBucketOwnershipControls"),
    "PutBucketReplication": ("s3:PutReplicationConfiguration",),
    "DeleteBucketReplication": ("s3:PutReplicationConfiguration",),
    "PutBucketPolicy": ("s3:PutBucketPolicy",),
    "DeleteBucketPolicy": ("s3:DeleteBucketPolicy",),
    "PutBucketNotificationConfiguration": ("s3:PutBucketNotification",),
    "PutBucketVersioning": ("s3:PutBucketVersioning",),
    "PutBucketOwnershipControls": ("s3:PutBucketOwnershipControls",),
    "PutBucketEncryption": ("s3:PutEncryptionConfiguration",),
    "PutObjectLockConfiguration": ("s3:PutBucketObjectLockConfiguration",),
}

_ACCOUNT_ACTIONS: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "GetRole": (("iam:GetRole",), "ROLE_ARN"),
    "ListRolePolicies": (("iam:ListRolePolicies",), "ROLE_ARN"),
    "GetRolePolicy": (("iam:GetRolePolicy",), "ROLE_ARN"),
    "ListAttachedRolePolicies": (("iam:ListAttachedRolePolicies",), "ROLE_ARN"),
    "GetPolicy": (("iam:GetPolicy",), "POLICY_ARN"),
    "GetPolicyVersion": (("iam:GetPolicyVersion",), "POLICY_ARN"),
    "SimulatePrincipalPolicy": (("iam:SimulatePrincipalPolicy",), "ROLE_ARN"),
    "CreateRole": (("iam:CreateRole", "iam:TagRole"), "ROLE_ARN"),
    "UpdateAssumeRolePolicy": (("iam:UpdateAssumeRolePolicy",), "ROLE_ARN"),
    "PutRolePolicy": (("iam:PutRolePolicy",), "ROLE_ARN"),
    "DeleteRolePolicy": (("iam:DeleteRolePolicy",), "ROLE_ARN"),
    "DeleteRole": (("iam:DeleteRole",), "ROLE_ARN"),
    "DescribeKey": (("kms:DescribeKey",), "KEY_ARN"),
    "GetKeyPolicy": (("kms:GetKeyPolicy",), "KEY_ARN"),
    "PutKeyPolicy": (("kms:PutKeyPolicy",), "KEY_ARN"),
    "CreateQueue": (("sqs:CreateQueue", "sqs:TagQueue"), "QUEUE_ARN"),
    "GetQueueUrl": (("sqs:GetQueueUrl",), "QUEUE_ARN"),
    "GetQueueAttributes": (("sqs:GetQueueAttributes",), "QUEUE_ARN"),
    "SetQueueAttributes": (("sqs:SetQueueAttributes",), "QUEUE_ARN"),
    "ReceiveMessage": (("sqs:ReceiveMessage",), "QUEUE_ARN"),
    "DeleteMessageBatch": (("sqs:DeleteMessage",), "QUEUE_ARN"),
    "GetTopicAttributes": (("sns:GetTopicAttributes",), "TOPIC_ARN"),
    "SetTopicAttributes": (("sns:SetTopicAttributes",), "TOPIC_ARN"),
    "GetFunctionConfiguration": (("lambda:GetFunctionConfiguration",), "FUNCTION_ARN"),
    "AddPermission": (("lambda:AddPermission",), "FUNCTION_ARN"),
    "RemovePermission": (("lambda:RemovePermission",), "FUNCTION_ARN"),
    "GetMetricData": (("cloudwatch:GetMetricData",), "*"),
}
"""Of services but S3, which say no bucket: what stands for the ARN is told in capitals."""

_JOB_ACTIONS: Final[dict[str, tuple[str, ...]]] = {
    # Tags and the job's role are refused with the same AccessDenied as the job itself.
    "CreateJob": ("s3:CreateJob", "s3:PutJobTagging"),
    "DescribeJob": ("s3:DescribeJob",),
    "ListJobs": ("s3:ListJobs",),
    "GetJobTagging": ("s3:GetJobTagging",),
    "UpdateJobStatus": ("s3:UpdateJobStatus",),
    "UpdateJobPriority": ("s3:UpdateJobPriority",),
}

_NAMES_EXTRAS: Final = frozenset({"CopyObject", "CreateMultipartUpload"})
_LOCK_ACTIONS: Final = ("s3:PutObjectRetention", "s3:PutObjectLegalHold")
_ACL_ACTIONS: Final = ("s3:PutObjectAcl",)
_FOR_EXTRAS: Final = (
    f"; a copy of a locked version also needs {' and '.join(_LOCK_ACTIONS)}, one with an ACL of its"
    f" own {_ACL_ACTIONS[0]}, and no Block Public Access where that grants everybody something"
)

_READS_ITS_SOURCE: Final = frozenset({"CopyObject", "UploadPartCopy"})

_SOURCE_ACTIONS: Final = (
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:GetObjectTagging",
    "s3:GetObjectVersionTagging",
)


_ELSE: Final = (
    "; then check the expected owner, KMS key policies, explicit denies, and that the bucket is not"
    " Requester Pays: backfill never offers to pay, so other accounts are denied there"
)

ASSUME_ROLE_HINT: Final = (
    "the role's trust policy must allow sts:AssumeRole to the identity named above, under the"
    " external ID that --source-external-id or --destination-external-id gives if it asks for one:"
    ' {"Effect": "Allow", "Principal": {"AWS": "IDENTITY_ARN"}, "Action": "sts:AssumeRole",'
    ' "Condition": {"StringEquals": {"sts:ExternalId": "EXTERNAL_ID"}}}; and where that identity is'
    " of another account, its own policy must allow sts:AssumeRole on the role, too"
)
"""Who may assume a role, in the words of every verb that could not."""


def missing_statements(*, operation: str, bucket: str) -> str:
    """Return the statement, or statements, one of which is missing for a denied call."""
    statements = []
    if actions := _BUCKET_ACTIONS.get(operation):
        statements.append(_statement(actions, f"arn:aws:s3:::{bucket}"))
    if actions := _OBJECT_ACTIONS.get(operation):
        statements.append(_statement(actions, f"arn:aws:s3:::{bucket}/*"))
    if actions := _JOB_ACTIONS.get(operation):
        statements.append(_statement(actions, "*"))
        if operation == "CreateJob":
            statements.append(_statement(("iam:PassRole",), "ROLE_ARN"))
        return f"allow this identity: {', '.join(statements)}; and check the account ID"
    if operation in _ACCOUNT_ACTIONS:
        return f"allow this identity: {_statement(*_ACCOUNT_ACTIONS[operation])}"
    if not statements:
        return f"allow the action behind {operation} for this identity"
    hint = "allow this identity: " + ", ".join(statements)
    if operation in _READS_ITS_SOURCE:
        hint += f"; and in the source bucket's policy {_statement(_SOURCE_ACTIONS, 'SOURCE/*')}"
    if operation in _NAMES_EXTRAS:
        hint += _FOR_EXTRAS
    return hint + _ELSE


def read_actions(operation: str, resource: str) -> tuple[str, ...]:
    """Return the actions behind a read of an ARN; none where no policy of the caller's allows it.

    Operations that the tables lack are called as their action is, in the service of the ARN.
    """
    service = resource.split(":")[2] if resource.count(":") >= 2 else "s3"
    if operation in {"AssumeRole", "GetCallerIdentity"}:
        return ()
    if operation in _BUCKET_ACTIONS and service == "s3":
        return _BUCKET_ACTIONS[operation]
    actions, _ = _ACCOUNT_ACTIONS.get(operation, ((), ""))
    # GetPolicy is IAM's and Lambda's.
    fitting = tuple(each for each in actions if each.startswith(f"{service}:"))
    return fitting or (f"{service}:{operation}",)


def _statement(actions: tuple[str, ...], resource: str) -> str:
    return json.dumps({"Effect": "Allow", "Action": list(actions), "Resource": resource})
