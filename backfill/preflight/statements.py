"""The policy statements that copy workers need, with the names of this run filled in.

Never grants anything: a person pastes them. The same statements lie in manifests/iam/, and a test
holds the two together.
Law: never `s3:DeleteObjectVersion`, never a wildcard action.
"""

import json

SOURCE_OBJECT_ACTIONS = (
    "s3:GetObject",
    "s3:GetObjectTagging",
    "s3:GetObjectVersion",
    "s3:GetObjectVersionTagging",
)


def source_statement(*, source_bucket: str, account: str) -> str:
    """Return the source bucket policy's statement that lets the destination side read for copies.

    CopyObject is signed by the destination identity, which must read the source version and its
    tags (S3 API: CopyObject, Permissions); without the tags' permission the whole copy is denied.
    """
    statement = {
        "Sid": "BackfillReadsForCopies",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": list(SOURCE_OBJECT_ACTIONS),
        "Resource": f"arn:aws:s3:::{source_bucket}/*",
    }
    return json.dumps(statement, separators=(", ", ": "))


def source_key_statement(*, account: str) -> str:
    """Return the source KMS key policy's statement for copies of SSE-KMS objects."""
    statement = {
        "Sid": "BackfillDecryptsForCopies",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": "kms:Decrypt",
        "Resource": "*",
    }
    return json.dumps(statement, separators=(", ", ": "))
