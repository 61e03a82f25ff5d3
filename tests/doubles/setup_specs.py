"""Specs of set-ups for tests: those of manifests/setup by name, and the simple one to vary.

Each is a document as setup.toml would hold it, so that parsing is tried along.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
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
    path.stem: tomllib.loads(path.read_text())
    for path in sorted((Path(__file__).parents[2] / "manifests/setup").glob("*.toml"))
}


def spec(document: Document) -> Spec:
    return spec_of(document, place="setup.toml")


def ground(found: Spec) -> Ground:
    known = ground_of(found)
    assert known is not None, "specs for tests say accounts and Regions"
    return known
