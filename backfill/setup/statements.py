"""Policy statements of a set-up: identity policies, trust, bucket, key and event destinations.

Never merges: `merging` lays them beside what others put there.
Law: least privilege. Each statement names one purpose, the role by its whole ARN, and the buckets.

Confused deputies. Conditions stand where AWS documents that S3 sends what they ask for:
`aws:SourceArn` and `aws:SourceAccount` in policies of queues, topics and functions;
`kms:ViaService` and the encryption context in what is said of keys. Trust policies of replication
and Batch Operations roles have none: neither page of the S3 User Guide
(setting-repl-config-perm-overview, batch-ops-iam-role-policies) documents such a key there, and
one that S3 does not send would stop replication with AssumeRoleNotPermitted. There `iam:PassRole`
keeps strangers out: only who may pass a role can name it, and S3 takes none of another account.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from backfill.model.accounts import EventDestinationKind, event_destination_kind
from backfill.model.places import BucketPlace
from backfill.policies.need import Party
from backfill.setup.wanted import Fields

Statement = Fields

VERSION: Final = "2012-10-17"

PURPOSES: Final = (
    "Bucket",
    "Replicas",
    "Owned",
    "Guard",
    "Decrypt",
    "Encrypt",
    "ReverseDecrypt",
    "ReverseEncrypt",
    "ChecksumDecrypt",
    "Readers",
    "Events",
    "Trust",
    "BatchTrust",
)
"""What a Sid of ours says between `Backfill` and `For`; no other is known again as ours."""


def sid(purpose: str, name: str) -> str:
    """Return the Sid of a purpose: letters and digits alone, as IAM takes no others."""
    assert purpose in PURPOSES, "a purpose that is not listed would not be known again"
    return f"Backfill{purpose}For{_camel(name)}"


def is_own_sid(word: object, name: str) -> bool:
    """Whether a Sid is that of the set-up with that name."""
    return word in {f"Backfill{purpose}For{_camel(name)}" for purpose in PURPOSES}


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))


def policy(statements: Iterable[Statement]) -> Fields:
    """Return a policy document."""
    return {"Version": VERSION, "Statement": list(statements)}


def allow(
    purpose: str,
    actions: Sequence[str],
    resources: str | Sequence[str],
    *,
    principal: Fields | None = None,
    condition: Fields | None = None,
) -> Statement:
    """Return an Allow statement; `purpose` is its Sid."""
    assert actions, f"{purpose}: a statement that allows nothing is no statement"
    return {
        "Sid": purpose,
        "Effect": "Allow",
        **({"Principal": principal} if principal else {}),
        "Action": _one_or_list(actions),
        "Resource": _one_or_list(resources),
        **({"Condition": condition} if condition else {}),
    }


def trust(purpose: str, service: str) -> Statement:
    """Return what lets a service of S3 assume a role; see the module for why unconditionally."""
    return {
        "Sid": purpose,
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }


def roles(arns: Iterable[str]) -> Fields:
    """Return the principals with these ARNs."""
    return {"AWS": _one_or_list(list(dict.fromkeys(arns)))}


def bucket_arn(partition: str, bucket: str) -> str:
    """Return a bucket's ARN."""
    return f"arn:{partition}:s3:::{bucket}"


def by_way_of_s3(partition: str, places: Sequence[BucketPlace]) -> Fields:
    """Return the condition that a key serves S3 alone, and these buckets alone.

    With an S3 Bucket Key the encryption context is the bucket's ARN, else the object's: both are
    said, so that a Bucket Key may be switched on later (S3 User Guide: bucket-key).
    """
    suffix = ".cn" if partition == "aws-cn" else ""
    services = list(dict.fromkeys(f"s3.{each.region}.amazonaws.com{suffix}" for each in places))
    arns = [bucket_arn(partition, each.bucket) for each in places]
    contexts = [arn for each in dict.fromkeys(arns) for arn in (each, f"{each}/*")]
    return {
        "StringEquals": {"kms:ViaService": _one_or_list(services)},
        "StringLike": {"kms:EncryptionContext:aws:s3:arn": contexts},
    }


def guard(purpose: str, arn: str, exempt_roles: Sequence[str]) -> Statement:
    """Return what denies writing an object without a condition.

    S3 User Guide, conditional-writes-enforce: a request that creates an object must say
    If-None-Match or If-Match; creating and filling multipart uploads cannot, and is exempt by
    s3:ObjectCreationOperation. Replication cannot either: its roles are exempt by name.
    """
    return {
        "Sid": purpose,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"{arn}/*",
        "Condition": {
            "Null": {"s3:if-none-match": "true", "s3:if-match": "true"},
            "Bool": {"s3:ObjectCreationOperation": "true"},
            "ArnNotEquals": {"aws:PrincipalArn": _one_or_list(exempt_roles)},
        },
    }


_SEND: Final[Mapping[EventDestinationKind, str]] = {
    EventDestinationKind.QUEUE: "sqs:SendMessage",
    EventDestinationKind.TOPIC: "sns:Publish",
    EventDestinationKind.FUNCTION: "lambda:InvokeFunction",
}


def sending(purpose: str, arn: str, source_arn: str, source_account: str) -> Statement:
    """Return what lets S3 send the events of one bucket of one account, and of no other."""
    return {
        "Sid": purpose,
        "Effect": "Allow",
        "Principal": {"Service": Party.REPLICATION_SERVICE.value},
        "Action": _SEND[event_destination_kind(arn)],
        "Resource": arn,
        "Condition": {
            "ArnLike": {"aws:SourceArn": source_arn},
            "StringEquals": {"aws:SourceAccount": source_account},
        },
    }


def _one_or_list(words: str | Sequence[str]) -> str | list[str]:
    """Return one word as itself, as AWS writes it back, and several as a list."""
    if isinstance(words, str):
        return words
    return words[0] if len(words) == 1 else list(words)
