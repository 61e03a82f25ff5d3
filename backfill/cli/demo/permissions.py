"""Who may do what in the demo: bucket policies, key policies, and the role that jobs run under.

Never grants what the product does not ask for: what runs here would run on AWS with the same.
Law: every statement has the `Sid` of the purpose that it serves.
"""

import json

from backfill.sandbox.service import DESTINATION, SOURCE, Account, Sandbox

_Statement = dict[str, object]


def source_policy(bucket: str) -> str:
    """Let the destination's identity, which signs the copies, read the source."""
    read = [f"s3:Get{what}" for what in ("Object", "ObjectTagging")]
    read += [f"s3:Get{what}" for what in ("ObjectVersion", "ObjectVersionTagging")]
    return _policy(_granted("BackfillReadsForCopies", read, f"{bucket}/*", DESTINATION))


def destination_policy(bucket: str) -> str:
    """Let the source account's replication role write replicas."""
    write = ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"]
    return _policy(_granted("LiveReplication", write, f"{bucket}/*", SOURCE))


def key_policy(*accounts: Account) -> str:
    """Let accounts use a KMS key."""
    return _policy(
        {
            "Effect": "Allow",
            "Principal": {"AWS": [account.root.arn for account in accounts]},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey", "kms:Encrypt"],
            "Resource": "*",
        }
    )


def add_batch_role(sandbox: Sandbox, source_bucket: str, batch_bucket: str) -> str:
    """Make the role that jobs run under, and return its ARN.

    It starts replications and keeps manifests and reports; it reads and writes no object of ours.
    """
    read = ["s3:GetObject", "s3:GetObjectVersion"]
    policy = _policy(
        _granted("InitiateReplication", ["s3:InitiateReplication"], f"{source_bucket}/*"),
        _granted("ReadManifests", read, f"{batch_bucket}/*"),
        _granted("WriteReports", ["s3:PutObject"], f"{batch_bucket}/*"),
    )
    return sandbox.add_role("source", "demo-batch", policy)


def _granted(
    sid: str, actions: list[str], resource: str, account: Account | None = None
) -> _Statement:
    principal: _Statement = {"Principal": {"AWS": account.root.arn}} if account else {}
    allowed = {"Action": actions, "Resource": f"arn:aws:s3:::{resource}"}
    return {"Sid": sid, "Effect": "Allow", **principal, **allowed}


def _policy(*statements: _Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
