"""Replication rules for cases, and the mark of cases about them."""

from collections.abc import Mapping
from typing import Any

from tests.contract.declarations import only
from tests.contract.vocabulary import Driver

OURS = only("model", "sandbox", because="no other server here replicates, or checks its rules")
ROLE = "arn:aws:iam::111111111111:role/replication"
DISABLED = {"Status": "Disabled"}
ENABLED = {"Status": "Enabled"}
TAG = {"Key": "team", "Value": "red"}
FAR_KMS_KEY = "arn:aws:kms:eu-west-1:222222222222:key/99999999-2222-3333-4444-555555555555"

Rule = Mapping[str, Any]


def rule(destination: str, **changes: object) -> dict[str, Any]:
    """A rule of the second schema for everything, with changes; None leaves an element out."""
    whole: dict[str, object] = {
        "ID": "rule",
        "Priority": 1,
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": DISABLED,
        "Destination": {"Bucket": f"arn:aws:s3:::{destination}"},
    } | changes
    return {name: value for name, value in whole.items() if value is not None}


def configure(s3: Driver, bucket: str, *rules: Rule) -> None:
    """Put a configuration of these rules, under a role of the owner's account."""
    role = f"arn:aws:iam::{s3.account_id}:role/replication"
    s3.set_replication(bucket, {"Role": role, "Rules": list(rules)})
