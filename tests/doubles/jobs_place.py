"""What jobs need beside two buckets: a batch bucket and a batch role, on the sandbox.

Never grants more than the policies that the project hands out.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from backfill.sandbox.service import SOURCE, Sandbox
from tests.doubles.old_world import OldWorld

POLLS = {
    "BACKFILL_LIMITS_JOB_POLL_S": "0.1",
    "BACKFILL_LIMITS_SETTLE_DELAY_S": "0.1",
    "BACKFILL_REPLICATION_DEADLINE_S": "20",
}
"""Pauses for a sandbox: its jobs take moments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsPlace:
    """The batch bucket and the batch role of a world."""

    bucket: str
    role_arn: str

    @property
    def words(self) -> tuple[str, ...]:
        """Return the flags that name both."""
        return "--batch-role-arn", self.role_arn, "--batch-bucket", self.bucket


def make_jobs_place(sandbox: Sandbox, world: OldWorld, *, without: Sequence[str] = ()) -> JobsPlace:
    """Make a batch bucket and a role that may do what jobs need, but for some actions."""
    bucket = f"{world.source}-batch"
    world.make_bucket(SOURCE, bucket, versioning="")
    objects = ["s3:InitiateReplication"]
    configuration = ["s3:GetReplicationConfiguration", "s3:PutInventoryConfiguration"]
    batch = ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"]
    statements = [
        (objects, f"arn:aws:s3:::{world.source}/*"),
        (configuration, f"arn:aws:s3:::{world.source}"),
        (batch, f"arn:aws:s3:::{bucket}/*"),
    ]
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": granted, "Resource": resource}
            for actions, resource in statements
            if (granted := [action for action in actions if action not in without])
        ],
    }
    role_arn = sandbox.add_role("source", f"batch-{world.source}", json.dumps(policy))
    return JobsPlace(bucket=bucket, role_arn=role_arn)
