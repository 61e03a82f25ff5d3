"""Who may do what before replication is set up: bucket policies and key policies of old.

Never grants what setup grants: its statements come beside these, which stay as they are.
Law: every statement has the `Sid` of the purpose that it serves.
"""

import json

from backfill.sandbox.service import DESTINATION, SOURCE, Account

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


def key_policy(owner: Account, *users: Account) -> str:
    """Let a KMS key's own account do all with it, as KMS does, and other accounts use it."""
    own: _Statement = {
        "Sid": "EnableIamUserPermissions",
        "Effect": "Allow",
        "Principal": {"AWS": owner.root.arn},
        "Action": "kms:*",
        "Resource": "*",
    }
    use: _Statement = {
        "Sid": "UsedForCopies",
        "Effect": "Allow",
        "Principal": {"AWS": [user.root.arn for user in users]},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Resource": "*",
    }
    return _policy(own, *([use] if users else []))


def _granted(
    sid: str, actions: list[str], resource: str, account: Account | None = None
) -> _Statement:
    principal: _Statement = {"Principal": {"AWS": account.root.arn}} if account else {}
    allowed = {"Action": actions, "Resource": f"arn:aws:s3:::{resource}"}
    return {"Sid": sid, "Effect": "Allow", **principal, **allowed}


def _policy(*statements: _Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
