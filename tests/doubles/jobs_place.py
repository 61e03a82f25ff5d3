"""What jobs need beside two buckets: a batch bucket and a batch role, on the sandbox.

The role has the very policies that the project hands out, so that they are known to suffice.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backfill.sandbox.service import DESTINATION, SOURCE, Sandbox
from tests.doubles.old_world import REPLICA_KEY_ARN, SOURCE_KEY_ARN, OldWorld

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecksumPlace:
    """The flags that let verify have checksums computed on both sides; `buckets` take the files."""

    words: tuple[str, ...]
    buckets: tuple[str, str]


def make_checksum_place(
    sandbox: Sandbox, world: OldWorld, *, without: Sequence[str] = (), on: str = "destination"
) -> ChecksumPlace:
    """Make batch buckets and roles on both sides; the role `on` one side lacks some actions."""
    sides = (
        (SOURCE, "source", world.source, SOURCE_KEY_ARN),
        (DESTINATION, "destination", world.destination, REPLICA_KEY_ARN),
    )
    buckets, arns = [], []
    for account, side, bucket, key_arn in sides:
        files = f"{bucket}-checksums"
        world.make_bucket(account, files, versioning="")
        filled = {
            "<CHECKSUM_BUCKET>": bucket,
            "<CHECKSUM_BATCH_BUCKET>": files,
            "<CHECKSUM_KEY_ARN>": key_arn,
            "<CHECKSUM_REGION>": account.region,
        }
        names = ("batch-role-checksum.json", "batch-role-checksum-kms.json")
        policy = policy_of(names, filled, without=without if side == on else ())
        buckets.append(files)
        arns.append(sandbox.add_role(side, f"checksums-{bucket}", policy))
    words = (
        *("--evidence", "checksum-jobs"),
        *("--batch-role-arn", arns[0], "--batch-bucket", buckets[0]),
        *("--destination-batch-role-arn", arns[1], "--destination-batch-bucket", buckets[1]),
    )
    return ChecksumPlace(words=words, buckets=(buckets[0], buckets[1]))


def policy_of(names: Sequence[str], filled: Mapping[str, str], *, without: Sequence[str]) -> str:
    """Return the policy that documents of the project make together, without some actions."""
    statements = [
        statement | {"Action": granted}
        for name in names
        for statement in statements_of(POLICIES / name, filled)
        if (granted := [action for action in statement["Action"] if action not in without])
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def make_jobs_place(sandbox: Sandbox, world: OldWorld, *, without: Sequence[str] = ()) -> JobsPlace:
    """Make a batch bucket and a role that may do what jobs need, but for some actions."""
    bucket = f"{world.source}-batch"
    world.make_bucket(SOURCE, bucket, versioning="")
    filled = {"<SOURCE_BUCKET>": world.source, "<BATCH_BUCKET>": bucket}
    names = ("batch-role-replicate.json", "batch-role-replicate-generated.json")
    policy = policy_of(names, filled, without=without)
    role_arn = sandbox.add_role("source", f"batch-{world.source}", policy)
    return JobsPlace(bucket=bucket, role_arn=role_arn)


def statements_of(path: Path, filled: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the statements of a policy that the project hands out, its placeholders filled in."""
    text = path.read_text()
    for placeholder, value in filled.items():
        text = text.replace(placeholder, value)
    assert "<" not in text, "every placeholder is filled"
    found: list[dict[str, Any]] = json.loads(text)["Statement"]
    return found
