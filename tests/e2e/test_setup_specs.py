"""Every spec of manifests/setup, applied to accounts where roles, policies and keys decide."""

import json
import tomllib
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import pytest

from backfill.sandbox.service import DESTINATION, SOURCE, Sandbox
from tests.doubles.command import Command
from tests.doubles.waiting import came_true

SPECS = Path(__file__).parents[2] / "manifests/setup"
NAMES = sorted(path.stem for path in SPECS.glob("*.toml"))
ARRIVES_WITHIN_S = 20.0
"""Live replication has no lag here; only a set-up that does not work takes as long."""
KEYS = {
    "11111111-aaaa-4aaa-8aaa-111111111111": ("source", "us-east-1"),
    "22222222-bbbb-4bbb-8bbb-222222222222": ("destination", "eu-west-1"),
    "33333333-cccc-4ccc-8ccc-333333333333": ("source", "eu-west-1"),
}
"""Key IDs of the specs, whose they are, and where."""
_NUMBERS = count(1)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Accounts in which nothing is there that nobody made."""
    with Sandbox(seed=7, has_strict_accounts=True) as running:
        yield running


class Place:
    """A spec, told of buckets, keys and event destinations that the sandbox has."""

    def __init__(self, sandbox: Sandbox, name: str, folder: Path) -> None:
        self.sandbox = sandbox
        self.number = next(_NUMBERS)
        self.text = (SPECS / f"{name}.toml").read_text()
        # The sandbox's Regions.
        self.text = self.text.replace("eu-west-1", "us-east-1").replace("us-west-2", "eu-west-1")
        self.text = self.text.replace('"photos', f'"photos{self.number}')
        self.text = self.text.replace("replication-events", f"events-{self.number}")
        # New buckets have an element in their default encryption that this SDK does not know, so
        # that setup refuses to write it (test_refusals).
        self.text = self.text.replace("bucket-keys = true\n", "")
        self.source = f"photos{self.number}"
        self.replicas = self._make_buckets()
        self._make_keys()
        self._make_event_destinations()
        self._make_existing_roles()
        self.spec = folder / "setup.toml"
        self.spec.write_text(self.text)

    def call(self, who: str, service: str, operation: str, *, region: str = "", **more: Any) -> Any:
        """Call one operation as a side's root, in its own Region unless another is named."""
        settings: Any = self.sandbox.client_settings(who)
        client = boto3.client(
            service, **{**settings, **({"region_name": region} if region else {})}
        )
        try:
            return getattr(client, operation)(**more)
        finally:
            client.close()

    def _make_buckets(self) -> dict[str, str]:
        """Make the buckets; return who owns each destination bucket."""
        document = tomllib.loads(self.text)
        destinations = document["destination"]
        rows = destinations if isinstance(destinations, list) else [destinations]
        owners = {SOURCE.account_id: "source", DESTINATION.account_id: "destination"}
        for row in (document["source"], *rows):
            region = row["region"]
            where = {"CreateBucketConfiguration": {"LocationConstraint": region}}
            self.call(
                owners[row["account"]],
                "s3",
                "create_bucket",
                region=region,
                Bucket=row["bucket"],
                **({} if region == "us-east-1" else where),
            )
        return {row["bucket"]: owners[row["account"]] for row in rows}

    def _make_keys(self) -> None:
        self.source_key = ""
        for written, (who, region) in KEYS.items():
            if written in self.text:
                made = self.call(who, "kms", "create_key", region=region)["KeyMetadata"]
                self.text = self.text.replace(written, made["KeyId"])
                if written.startswith("1"):
                    self.source_key = made["Arn"]

    def _make_event_destinations(self) -> None:
        if ":sqs:" not in self.text:
            return
        name = f"events-{self.number}"
        self.call("source", "sqs", "create_queue", QueueName=name)
        self.call("source", "sns", "create_topic", Name=name)
        self.call(
            "source",
            "lambda",
            "create_function",
            FunctionName=name,
            Role=self._make_role(name, "lambda.amazonaws.com"),
            Code={"ZipFile": b"x"},
            Handler="x.y",
            Runtime="python3.12",
        )

    def _make_existing_roles(self) -> None:
        if "role/reader" in self.text:
            name = f"reader-{self.number}"
            self._make_role(name, "ec2.amazonaws.com", "destination")
            self.text = self.text.replace("role/reader", f"role/{name}")
        if "role/replicator" in self.text:
            arn = self._make_role(f"replicator-{self.number}", "s3.amazonaws.com")
            self.text = self.text.replace("role/replicator", f"role/{arn.rpartition('/')[2]}")

    def _make_role(self, name: str, service: str, who: str = "source") -> str:
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sts:AssumeRole",
        }
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        made = self.call(who, "iam", "create_role", RoleName=name, AssumeRolePolicyDocument=trust)
        arn: str = made["Role"]["Arn"]
        return arn

    def arrives_everywhere(self) -> bool:
        """Write an object that every rule takes, and wait until it is everywhere."""
        encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.source_key}
        here = {"Key": "raw/x"}
        here["VersionId"] = self.call(
            "source",
            "s3",
            "put_object",
            Bucket=self.source,
            Body=b"x",
            Tagging="keep=yes",
            **here,
            **(encrypted if self.source_key else {}),
        )["VersionId"]

        def status() -> str:
            head = self.call("source", "s3", "head_object", Bucket=self.source, **here)
            return str(head.get("ReplicationStatus", ""))

        came_true(lambda: status() != "PENDING", within_s=ARRIVES_WITHIN_S)
        return status() == "COMPLETED" and all(
            self.call(who, "s3", "head_object", Bucket=bucket, **here)["ReplicationStatus"]
            == "REPLICA"
            for bucket, who in self.replicas.items()
        )


@pytest.mark.parametrize("name", NAMES)
def test_what_setup_makes_of_a_spec_replicates(
    sandbox: Sandbox, command: Command, name: str
) -> None:
    """If this fails, a typical set-up is applied and does not work."""
    place = Place(sandbox, name, command.folder)
    command.run("setup", "apply", "setup.toml", "--yes")
    assert place.arrives_everywhere()
    assert not command.run("setup", "plan", "setup.toml", "--json").document()["is_change"]
    command.run("setup", "destroy", "setup.toml", "--yes")
