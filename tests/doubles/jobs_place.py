"""What jobs need beside two buckets: a batch bucket and a batch role, on the sandbox.

The role has the very policies that the project hands out, so that they are known to suffice.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backfill.sandbox.service import SOURCE, Sandbox
from tests.doubles.old_world import OldWorld

POLICIES = Path(__file__).resolve().parents[2] / "manifests/batch-operations"
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
    filled = {"<SOURCE_BUCKET>": world.source, "<BATCH_BUCKET>": bucket}
    statements = [
        statement | {"Action": granted}
        for name in ("batch-role-replicate.json", "batch-role-replicate-generated.json")
        for statement in statements_of(POLICIES / name, filled)
        if (granted := [action for action in statement["Action"] if action not in without])
    ]
    policy = {"Version": "2012-10-17", "Statement": statements}
    role_arn = sandbox.add_role("source", f"batch-{world.source}", json.dumps(policy))
    return JobsPlace(bucket=bucket, role_arn=role_arn)


def statements_of(path: Path, filled: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the statements of a policy that the project hands out, its placeholders filled in."""
    text = path.read_text()
    for placeholder, value in filled.items():
        text = text.replace(placeholder, value)
    assert "<" not in text, "every placeholder is filled"
    found: list[dict[str, Any]] = json.loads(text)["Statement"]
    return found
