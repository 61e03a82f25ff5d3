"""Specs of set-ups for tests: a dozen that people ask for, by the name of their golden file.

Accounts and keys are made up. Each is a document as setup.toml would hold it, so that parsing is
tried along.
"""

from collections.abc import Mapping
from typing import Final

from backfill.setup.parsing import spec_of
from backfill.setup.spec import Ground, Spec, ground_of

SOURCE: Final = "111111111111"
DESTINATION: Final = "222222222222"
ROLE: Final = f"arn:aws:iam::{SOURCE}:role/service-role/backfill-photos-replication"
SOURCE_KEY: Final = f"arn:aws:kms:eu-west-1:{SOURCE}:key/11111111-aaaa-4aaa-8aaa-111111111111"
SOURCE_REPLICA_KEY: Final = (
    f"arn:aws:kms:us-west-2:{SOURCE}:key/33333333-cccc-4ccc-8ccc-333333333333"
)
DESTINATION_KEY: Final = (
    f"arn:aws:kms:us-west-2:{DESTINATION}:key/22222222-bbbb-4bbb-8bbb-222222222222"
)
QUEUE: Final = f"arn:aws:sqs:eu-west-1:{SOURCE}:replication-events"
TOPIC: Final = f"arn:aws:sns:eu-west-1:{SOURCE}:replication-events"
FUNCTION: Final = f"arn:aws:lambda:eu-west-1:{SOURCE}:function:replication-events"

Document = dict[str, object]


def plain(**more: object) -> Document:
    """A spec of two accounts, one rule; tables are replaced by those in `more`."""
    return {
        "name": "photos",
        "source": {"bucket": "photos", "account": SOURCE, "region": "eu-west-1"},
        "destination": {
            "bucket": "photos-replica",
            "account": DESTINATION,
            "region": "us-west-2",
        },
        "rule": [{"name": "all"}],
        **more,
    }


def source(**more: object) -> Document:
    return {"bucket": "photos", "account": SOURCE, "region": "eu-west-1", **more}


def destination(**more: object) -> Document:
    return {
        "bucket": "photos-replica",
        "account": DESTINATION,
        "region": "us-west-2",
        **more,
    }


GOLDEN: Final[Mapping[str, Document]] = {
    "two-accounts": plain(),
    "one-account": plain(destination=destination(account=SOURCE)),
    "one-account-one-region": plain(
        destination=destination(account=SOURCE, region="eu-west-1", **{"bucket-policy": True})
    ),
    "several-rules": plain(
        rule=[
            {"name": "raw", "priority": 2, "prefix": "raw/", "tags": {"keep": "yes"}},
            {"name": "rest", "priority": 1, "delete-markers": True, "storage-class": "STANDARD_IA"},
            {"name": "old", "priority": 3, "enabled": False, "tags": {"a": "1", "b": "2"}},
        ]
    ),
    "several-destinations": plain(
        destination=[
            destination(),
            destination(bucket="photos-near", account=SOURCE, region="eu-west-1"),
        ],
        rule=[
            {"name": "far", "destination": "photos-replica"},
            {"name": "near", "destination": "photos-near", "delete-markers": True},
        ],
    ),
    "owner-source": plain(rule=[{"name": "all", "owner": "source"}]),
    "kms-destination-key": plain(
        source=source(**{"kms-key-arns": [SOURCE_KEY]}),
        destination=destination(**{"bucket-keys": True}),
        rule=[{"name": "all", "kms-key-arn": DESTINATION_KEY}],
    ),
    "kms-source-key": plain(
        source=source(**{"kms-key-arns": [SOURCE_KEY]}),
        rule=[
            {
                "name": "all",
                "kms-key-arn": SOURCE_REPLICA_KEY,
                "kms-readers": [f"arn:aws:iam::{DESTINATION}:role/reader"],
            }
        ],
    ),
    "object-lock": plain(source=source(**{"object-lock": True, "annotations": True})),
    "time-control": plain(
        rule=[{"name": "all", "time-control": True}],
        notification=[
            {"name": "failed", "arn": QUEUE, "events": ["failed"]},
            {"name": "late", "arn": TOPIC, "events": ["missed-threshold", "not-tracked"]},
            {"name": "arrived", "arn": FUNCTION, "events": ["replicated-after-threshold"]},
        ],
    ),
    "two-way": plain(
        source=source(**{"kms-key-arns": [SOURCE_KEY]}),
        rule=[
            {
                "name": "all",
                "kms-key-arn": DESTINATION_KEY,
                "replica-modifications": True,
            }
        ],
    ),
    "guarded": plain(destination=destination(guard=True)),
    "batch": plain(batch={"bucket": "photos-reports"}),
    "batch-checksums": plain(
        source=source(**{"kms-key-arns": [SOURCE_KEY]}),
        rule=[{"name": "all", "kms-key-arn": DESTINATION_KEY}],
        batch={
            "bucket": "photos-reports",
            "checksums": True,
            "destination-bucket": "photos-replica-reports",
        },
    ),
    "existing-role": plain(role={"arn": f"arn:aws:iam::{SOURCE}:role/replicator"}),
}


def spec(document: Document) -> Spec:
    return spec_of(document, place="setup.toml")


def ground(found: Spec) -> Ground:
    known = ground_of(found)
    assert known is not None, "specs for tests say accounts and Regions"
    return known
