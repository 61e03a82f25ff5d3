"""Which IAM actions each call needs, so that a denial names the statement that is missing.

Never a whole policy (those lie in manifests/iam), only what one denied call needs.
Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3".
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
}

_BUCKET_ACTIONS: Final[dict[str, tuple[str, ...]]] = {
    "ListObjectVersions": ("s3:ListBucketVersions",),
    "HeadBucket": ("s3:ListBucket",),
    "GetBucketVersioning": ("s3:GetBucketVersioning",),
    "GetBucketReplication": ("s3:GetReplicationConfiguration",),
    "GetObjectLockConfiguration": ("s3:GetBucketObjectLockConfiguration",),
    "GetBucketOwnershipControls": ("s3:GetBucketOwnershipControls",),
}

_JOB_ACTIONS: Final[dict[str, tuple[str, ...]]] = {
    # Tags and the job's role are refused with the same AccessDenied as the job itself.
    "CreateJob": ("s3:CreateJob", "s3:PutJobTagging"),
    "DescribeJob": ("s3:DescribeJob",),
    "ListJobs": ("s3:ListJobs",),
    "GetJobTagging": ("s3:GetJobTagging",),
    "UpdateJobStatus": ("s3:UpdateJobStatus",),
    "UpdateJobPriority": ("s3:UpdateJobPriority",),
}

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
    if not statements:
        return f"allow the action behind {operation} for this identity"
    hint = "allow this identity: " + ", ".join(statements)
    if operation in _READS_ITS_SOURCE:
        hint += f"; and in the source bucket's policy {_statement(_SOURCE_ACTIONS, 'SOURCE/*')}"
    return hint + _ELSE


def _statement(actions: tuple[str, ...], resource: str) -> str:
    return json.dumps({"Effect": "Allow", "Action": list(actions), "Resource": resource})
