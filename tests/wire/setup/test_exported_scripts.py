"""What `backfill setup export` writes, run as it is by each account's owner with the aws cli."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from backfill.sandbox.service import Sandbox
from tests.doubles.aws_command import aws
from tests.doubles.command import Command

__all__ = ["aws"]
pytestmark = pytest.mark.awscli

SPEC = """\
name = "docs"

[source]
bucket = "photos"
account = "111111111111"
region = "us-east-1"

[destination]
bucket = "photos-replica"
account = "222222222222"
region = "eu-west-1"

[[rule]]
name = "all"

[[notification]]
name = "failures"
arn = "arn:aws:sns:us-east-1:111111111111:failures"
events = ["failed"]
"""
EVENT_BRIDGE: dict[str, Any] = {"EventBridgeConfiguration": {}}
THEIRS = {
    "Sid": "Theirs",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": "arn:aws:s3:::photos-replica/*",
    "Condition": {"Bool": {"aws:SecureTransport": "false", "aws:ViaAWSService": "true"}},
}
OTHERS_TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    }
)
ROLE = "backfill-docs-replication"


class Owners:
    """Two accounts, and their owners with the scripts of the export."""

    def __init__(self, sandbox: Sandbox, aws: Path, folder: Path) -> None:
        self.sandbox = sandbox
        self._aws = aws
        self._folder = folder
        self.source = self.client("source", "s3")
        self.destination = self.client("destination", "s3")
        self.source.create_bucket(Bucket="photos")
        self.destination.create_bucket(
            Bucket="photos-replica", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        # Version 1 of the aws cli asks AWS about queues, whatever endpoint it is told.
        self.client("source", "sns").create_topic(Name="failures")
        (folder / "setup.toml").write_text(SPEC)
        out = folder / "out"
        command = Command(folder, {})  # Nobody's credentials: the export asks no account.
        command.run("setup", "export", str(folder / "setup.toml"), "--output", str(out), code=0)

    def left_to_do(self) -> list[str]:
        """What the pages say of an export that looked at both accounts."""
        out = self._folder / "looked"
        command = Command(self._folder, self.sandbox.write_profiles(self._folder / "aws"))
        words = ("--output", str(out), "--read", "--source-profile", "source")
        sides = ("--destination-profile", "destination")
        command.run("setup", "export", str(self._folder / "setup.toml"), *words, *sides, code=0)
        return [page.read_text().splitlines()[2] for page in out.glob("*/README.md")]

    def client(self, who: str, service: str) -> Any:
        settings: Any = self.sandbox.client_settings(who)
        return boto3.client(service, **settings)

    def run(self, account: str, script: str) -> subprocess.CompletedProcess[str]:
        """Run one script as the account's owner, whose profile prints text."""
        who = {"111111111111": "source", "222222222222": "destination"}[account]
        path = f"{self._aws.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        return subprocess.run(
            ["bash", str(self._folder / f"out/account-{account}" / script)],
            check=False,
            capture_output=True,
            text=True,
            env={
                "PATH": path,
                "HOME": str(self._folder),
                "AWS_DEFAULT_OUTPUT": "text",
                **self.sandbox.environment(who),
            },
        )


@pytest.fixture
def owners(aws: Path, tmp_path: Path) -> Iterator[Owners]:
    """Two owners in accounts where nothing is there that nobody made."""
    with Sandbox(seed=7, has_strict_accounts=True) as sandbox:
        yield Owners(sandbox, aws, tmp_path)


def test_two_owners_set_replication_up_by_the_scripts_alone(owners: Owners) -> None:
    """If this fails, owners without access to each other get nothing, or lose what was there."""
    owners.source.put_bucket_notification_configuration(
        Bucket="photos", NotificationConfiguration=EVENT_BRIDGE
    )
    policy = {"Version": "2012-10-17", "Statement": THEIRS}
    owners.destination.put_bucket_policy(Bucket="photos-replica", Policy=json.dumps(policy))
    for account, script in (
        ("111111111111", "1-roles.sh"),
        ("222222222222", "1-roles.sh"),
        ("111111111111", "2-policies.sh"),
        ("222222222222", "2-policies.sh"),
        ("111111111111", "3-rules.sh"),
    ):
        done = owners.run(account, script)
        assert done.returncode == 0, (account, script, done.stderr)
    again = owners.run("111111111111", "3-rules.sh")
    assert again.returncode == 0, again.stderr
    told = owners.source.get_bucket_notification_configuration(Bucket="photos")
    assert told["EventBridgeConfiguration"] == {}
    assert [one["Id"] for one in told["TopicConfigurations"]] == ["backfill.docs.failures"]
    there = json.loads(owners.destination.get_bucket_policy(Bucket="photos-replica")["Policy"])
    assert there["Statement"][0] == THEIRS
    owners.source.put_object(Bucket="photos", Key="k", Body=b"new")
    owners.sandbox.advance()
    assert owners.left_to_do() == ["Nothing is to be done in this account."] * 2
    assert owners.destination.get_object(Bucket="photos-replica", Key="k")["Body"].read() == b"new"


def test_a_role_of_somebody_else_is_left_alone(owners: Owners) -> None:
    """If this fails, a script rewrites a role that another application lives on."""
    iam = owners.client("source", "iam")
    iam.create_role(Path="/service-role/", RoleName=ROLE, AssumeRolePolicyDocument=OTHERS_TRUST)
    done = owners.run("111111111111", "1-roles.sh")
    assert done.returncode != 0
    assert "somebody else's" in done.stderr
    assert iam.list_role_policies(RoleName=ROLE)["PolicyNames"] == []


def test_a_policy_that_was_changed_is_not_written_over(owners: Owners) -> None:
    """If this fails, a script run again takes back what an owner had mended."""
    assert owners.run("111111111111", "1-roles.sh").returncode == 0
    iam = owners.client("source", "iam")
    (name,) = iam.list_role_policies(RoleName=ROLE)["PolicyNames"]
    changed = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}],
    }
    iam.put_role_policy(RoleName=ROLE, PolicyName=name, PolicyDocument=json.dumps(changed))
    done = owners.run("111111111111", "1-roles.sh")
    assert done.returncode != 0
    assert "somebody changed the document" in done.stderr
    found = iam.get_role_policy(RoleName=ROLE, PolicyName=name)["PolicyDocument"]
    assert found == changed
