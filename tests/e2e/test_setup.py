"""`backfill setup` on accounts where roles, policies and keys really decide."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from signal import SIGKILL
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from backfill.sandbox.service import DESTINATION, SOURCE, Sandbox
from tests.doubles.command import Command, Ended
from tests.doubles.waiting import came_true

_NUMBERS = count(1)
ARRIVES_WITHIN_S = 20.0
"""Live replication has no lag here; only a rule that does not work takes as long."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Accounts in which nothing is there that nobody made, and IAM takes a moment to be seen."""
    with Sandbox(seed=5, has_strict_accounts=True, iam_settling_s=0.7) as running:
        yield running


@dataclass
class Owners:
    """Both owners of a pair of buckets, who have nothing else yet."""

    sandbox: Sandbox
    command: Command
    source: str
    destination: str
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def client(self, service: str, who: str = "source") -> Any:
        if (service, who) not in self._clients:
            settings: Any = self.sandbox.client_settings(who)
            self._clients[service, who] = boto3.client(service, **settings)
        return self._clients[service, who]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def make_buckets(self) -> None:
        self.client("s3").create_bucket(Bucket=self.source)
        self.client("s3", "destination").create_bucket(
            Bucket=self.destination,
            CreateBucketConfiguration={"LocationConstraint": DESTINATION.region},
        )

    def make_key(self, who: str) -> str:
        arn: str = self.client("kms", who).create_key()["KeyMetadata"]["Arn"]
        return arn

    def make_queue(self, name: str) -> str:
        self.client("sqs").create_queue(QueueName=name)
        return f"arn:aws:sqs:{SOURCE.region}:{SOURCE.account_id}:{name}"

    def write_spec(self, more: str = "", rule: str = "", source: str = "") -> None:
        text = f"""
name = "{self.source.replace("-", "")}"

[source]
bucket = "{self.source}"
{source}

[[destination]]
bucket = "{self.destination}"

[[rule]]
name = "all"
delete-markers = true
{rule}
{more}
"""
        (self.command.folder / "setup.toml").write_text(text)

    def setup(self, action: str, *more: str, code: int = 0) -> Ended:
        return self.command.run("setup", action, "setup.toml", *more, code=code)

    def put(self, key: str, **more: Any) -> str:
        version_id: str = self.client("s3").put_object(
            Bucket=self.source, Key=key, Body=b"body", **more
        )["VersionId"]
        return version_id

    def status_of(self, key: str, version_id: str) -> str:
        head = self.client("s3").head_object(Bucket=self.source, Key=key, VersionId=version_id)
        return str(head.get("ReplicationStatus", ""))

    def arrives(self, key: str, version_id: str) -> bool:
        """Wait until live replication has ended for a version; whether it is a replica there."""
        came_true(lambda: self.status_of(key, version_id) != "PENDING", within_s=ARRIVES_WITHIN_S)
        if self.status_of(key, version_id) != "COMPLETED":
            return False
        replica = self.client("s3", "destination").head_object(
            Bucket=self.destination, Key=key, VersionId=version_id
        )
        return bool(replica["ReplicationStatus"] == "REPLICA")

    def documents(self) -> dict[str, object]:
        """Everything that others see of both accounts, but for versioning, which stays."""
        asked: dict[str, Any] = {
            "policy": lambda s3, b: s3.get_bucket_policy(Bucket=b)["Policy"],
            "replication": lambda s3, b: s3.get_bucket_replication(Bucket=b),
            "notification": lambda s3, b: s3.get_bucket_notification_configuration(Bucket=b),
        }
        found: dict[str, object] = {}
        for who, bucket in (("source", self.source), ("destination", self.destination)):
            for name, ask in asked.items():
                try:
                    answer = ask(self.client("s3", who), bucket)
                except ClientError as error:
                    answer = error.response["Error"]["Code"]
                if isinstance(answer, dict):
                    answer.pop("ResponseMetadata")
                found[f"{who} {name}"] = answer
        for who in ("source", "destination"):
            keys = self.client("kms", who).list_keys()["Keys"]
            for key in keys:
                policy = self.client("kms", who).get_key_policy(KeyId=key["KeyId"])["Policy"]
                found[key["KeyArn"]] = json.loads(policy)
            roles = self.client("iam", who).list_roles()["Roles"]
            found[f"{who} roles"] = sorted(role["Arn"] for role in roles)
        return found


@pytest.fixture
def owners(sandbox: Sandbox, command: Command) -> Iterator[Owners]:
    number = next(_NUMBERS)
    made = Owners(sandbox, command, f"photos-{number}", f"archive-{number}")
    made.make_buckets()
    yield made
    made.close()


def test_from_two_empty_accounts_to_replication_that_works_and_back(owners: Owners) -> None:
    """If this fails, what setup makes is not what S3 needs, or it cannot be taken away."""
    owners.write_spec(more='[batch]\nbucket = "jobs-of-photos"\n')
    before = owners.documents()
    planned = owners.setup("plan")
    assert "S3 replicates between versioned buckets only" in planned.stdout
    assert owners.documents() == before, "a plan writes nothing"

    applied = owners.setup("apply", "--yes")
    assert any(event["event"] == "setup.waits" for event in applied.events), "IAM had to settle"
    version_id = owners.put("a/b c")
    assert owners.arrives("a/b c", version_id)
    again = owners.setup("apply", "--yes")
    assert not again.events, "nothing is written twice"
    assert "as they were" in again.complaint[0]

    owners.setup("destroy", "--yes")
    assert owners.documents() == before
    version_id = owners.put("after")
    assert not owners.status_of("after", version_id)
    versioning = owners.client("s3").get_bucket_versioning(Bucket=owners.source)
    assert versioning["Status"] == "Enabled", "switching it off would endanger what is there"
    owners.setup("destroy", "--yes")


def test_an_apply_that_was_killed_is_taken_up_and_taken_away(owners: Owners) -> None:
    """If this fails, a lost connection to the machine leaves half a set-up that nobody owns."""
    owners.write_spec()
    before = owners.documents()
    started = owners.command.start("setup", "apply", "setup.toml", "--yes")
    came_true(
        lambda: "setup.document_written" in started.stderr.read_text(), within_s=ARRIVES_WITHIN_S
    )
    started.send(SIGKILL)
    assert started.end().code != 0, "it was killed before its end"
    owners.setup("apply", "--yes")
    assert owners.arrives("x", owners.put("x"))
    owners.setup("destroy", "--yes")
    assert owners.documents() == before


def test_objects_under_keys_of_both_accounts_arrive(owners: Owners) -> None:
    """If this fails, a key policy lacks what the role needs, and versions fail one by one."""
    source_key, replica_key = owners.make_key("source"), owners.make_key("destination")
    owners.write_spec(
        source=f'kms-key-arns = ["{source_key}"]', rule=f'kms-key-arn = "{replica_key}"'
    )
    owners.setup("apply", "--yes")
    version_id = owners.put("secret", ServerSideEncryption="aws:kms", SSEKMSKeyId=source_key)
    assert owners.arrives("secret", version_id)
    replica = owners.client("s3", "destination").head_object(
        Bucket=owners.destination, Key="secret"
    )
    assert replica["SSEKMSKeyId"] == replica_key


def test_documents_of_others_survive_apply_and_destroy(owners: Owners) -> None:
    """If this fails, somebody else's replication, policy or notification is gone after ours."""
    s3, there = owners.client("s3"), owners.client("s3", "destination")
    for client, bucket in ((s3, owners.source), (there, owners.destination)):
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    secure = {
        "Sid": "OnlyTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:DeleteObjectVersion",
        "Resource": f"arn:aws:s3:::{owners.destination}/*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = {"Version": "2012-10-17", "Id": "theirs", "Statement": [secure]}
    there.put_bucket_policy(Bucket=owners.destination, Policy=json.dumps(policy))
    queue = owners.make_queue(f"uploads-{owners.source}")
    sending = {
        "Sid": "Uploads",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
    }
    url = owners.client("sqs").get_queue_url(QueueName=queue.rpartition(":")[2])["QueueUrl"]
    statement = json.dumps({"Version": "2012-10-17", "Statement": [sending]})
    owners.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": statement})
    uploads = {"Id": "uploads", "QueueArn": queue, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=owners.source, NotificationConfiguration={"QueueConfigurations": [uploads]}
    )
    before = owners.documents()
    ours = owners.make_queue(f"failures-{owners.source}")
    owners.write_spec(more=f'[[notification]]\nname = "n"\narn = "{ours}"\nevents = ["failed"]\n')
    owners.setup("apply", "--yes")
    during: Any = owners.documents()
    assert secure in json.loads(during["destination policy"])["Statement"]
    kept = during["source notification"]["QueueConfigurations"]
    assert uploads in kept
    assert len(kept) == 2
    owners.setup("destroy", "--yes")
    assert owners.documents() == before
    url = owners.client("sqs").get_queue_url(QueueName=ours.rpartition(":")[2])["QueueUrl"]
    left = owners.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    assert not left.get("Attributes")


def test_each_owner_applies_a_part_without_access_to_the_other(owners: Owners) -> None:
    """If this fails, two owners must give each other credentials."""
    owners.write_spec(
        source=f'account = "{SOURCE.account_id}"\nregion = "{SOURCE.region}"',
    )
    spec = owners.command.folder / "setup.toml"
    said = f'bucket = "{owners.destination}"\naccount = "{DESTINATION.account_id}"\n'
    text = spec.read_text().replace(f'bucket = "{owners.destination}"\n', said)
    spec.write_text(text.replace("[[rule]]", f'region = "{DESTINATION.region}"\n[[rule]]'))
    blind = owners.command.beside(BACKFILL_DESTINATION_PROFILE="nobody")
    # The source's owner makes the role; S3 refuses the rule until the other has versioning on.
    first = blind.run("setup", "apply", "setup.toml", "--only", "source", "--yes", code=10)
    assert "ersioning" in "".join(first.complaint)
    other = owners.command.beside(BACKFILL_SOURCE_PROFILE="nobody")
    other.run("setup", "apply", "setup.toml", "--only", "destination", "--yes")
    blind.run("setup", "apply", "setup.toml", "--only", "source", "--yes")
    assert owners.arrives("x", owners.put("x"))
    again = blind.run("setup", "apply", "setup.toml", "--only", "source")
    assert "added" not in "".join(again.complaint), "nothing is left to write, or to ask about"
    planned = blind.run("setup", "plan", "setup.toml", "--only", "source")
    assert "NotAsked" in planned.stdout, "what was not seen is said"


def test_flags_say_the_simple_case(owners: Owners) -> None:
    """If this fails, the one-line way of the guide does not work."""
    words = ("--source-bucket", owners.source, "--destination-bucket", owners.destination)
    planned = owners.command.run("setup", "plan", *words, "--json").document()
    assert planned["is_change"]
    owners.command.run("setup", "apply", *words, "--yes")
    assert owners.arrives("x", owners.put("x"))
    assert not owners.command.run("setup", "plan", *words, "--json").document()["is_change"]
    folders = [path.name for path in owners.command.folder.glob("backfill-setup-*")]
    assert len(folders) == 1
    owners.command.run("setup", "destroy", *words, "--yes")


def test_a_second_copy_by_the_same_name_is_refused_and_by_another_made(owners: Owners) -> None:
    """If this fails, a second person's copy of a bucket stops the first one, without a word."""
    second = f"{owners.destination}-b"
    owners.client("s3", "destination").create_bucket(
        Bucket=second, CreateBucketConfiguration={"LocationConstraint": DESTINATION.region}
    )
    owners.write_spec()
    owners.setup("apply", "--yes")
    spec = owners.command.folder / "setup.toml"
    text = spec.read_text().replace(owners.destination, second).replace('"all"', '"second"')
    spec.write_text(text)
    before = owners.documents()
    told = owners.setup("apply", "--yes", "--record", "elsewhere", code=10)
    assert "another set-up of this name, not recorded here" in "".join(told.complaint)
    assert "--record DIR" in "".join(told.complaint)
    nothing = owners.setup("destroy", "--yes", "--record", "elsewhere", code=2)
    assert "holds no record" in "".join(nothing.complaint)
    assert owners.documents() == before
    assert owners.arrives("x", owners.put("x"))


def test_a_lost_record_is_had_again_by_the_same_apply(owners: Owners) -> None:
    """If this fails, what setup made stays for ever once a directory is gone."""
    owners.write_spec()
    before = owners.documents()
    owners.setup("apply", "--yes")
    assert "it takes over what stands there" in "".join(
        owners.setup("destroy", "--yes", "--record", "found", code=2).complaint
    )
    assert "apply takes it over" in owners.setup("plan", "--record", "found").stdout
    assert not owners.setup("apply", "--record", "found").events, "nothing is written"
    owners.setup("destroy", "--yes", "--record", "found")
    assert owners.documents() == before


def test_destroy_goes_on_where_a_bucket_is_gone(owners: Owners) -> None:
    """If this fails, a deleted bucket leaves the rule and the role that were made for it."""
    owners.write_spec()
    owners.setup("apply", "--yes")
    owners.client("s3", "destination").delete_bucket(Bucket=owners.destination)
    told = owners.setup("destroy", "--yes")
    assert "it is gone (NoSuchBucket)" in told.stdout
    roles: Any = owners.documents()["source roles"]
    assert not [role for role in roles if owners.source.replace("-", "") in role]
    again = owners.setup("destroy", "--yes")
    assert owners.destination not in again.stdout, "what is gone is forgotten"


@pytest.mark.parametrize("action", ["plan", "apply"])
def test_the_help_says_what_no_care_can_prevent(command: Command, action: str) -> None:
    """If this fails, nobody knows that a write at the same moment as ours may be lost."""
    told = " ".join(command.run("setup", action, "--help").stdout.split())
    assert "between our read and our write right after it may be lost" in told


def test_without_a_yes_nothing_is_written(owners: Owners) -> None:
    """If this fails, a script that forgot --yes changes two accounts."""
    owners.write_spec()
    before = owners.documents()
    refused = owners.setup("apply", code=2)
    assert "nobody can be asked" in refused.complaint[0]
    assert owners.documents() == before


def test_faults_of_a_spec_are_told_all_at_once(owners: Owners) -> None:
    """If this fails, a person mends a spec fault by fault, one command each."""
    (owners.command.folder / "setup.toml").write_text(
        'name = "x"\n[source]\nbucket = 3\n[[destination]]\nbucket = ""\ncolour = "red"\n'
    )
    told = owners.setup("plan", code=2)
    assert told.complaint[0].startswith("backfill: setup.toml:")
    assert len(told.complaint) > 2
    assert any("colour" in line for line in told.complaint)


def test_another_accounts_identity_is_told_before_anything_is_asked_of_it(owners: Owners) -> None:
    """If this fails, a forgotten profile ends in a wall of AccessDenied."""
    owners.write_spec()
    same = owners.command.beside(BACKFILL_DESTINATION_PROFILE="source")
    spec = owners.command.folder / "setup.toml"
    said = f'bucket = "{owners.destination}"\naccount = "{DESTINATION.account_id}"\n'
    spec.write_text(spec.read_text().replace(f'bucket = "{owners.destination}"\n', said))
    told = same.run("setup", "plan", "setup.toml", code=12)
    assert "--destination-profile" in "".join(told.complaint)


def test_a_bucket_that_is_not_there_is_told_with_the_command_that_makes_it(owners: Owners) -> None:
    """If this fails, a slip in a name looks like a missing permission."""
    owners.write_spec()
    spec = owners.command.folder / "setup.toml"
    spec.write_text(spec.read_text().replace(owners.destination, f"{owners.destination}-slip"))
    told = owners.setup("plan", code=10)
    assert "aws s3api create-bucket" in "".join(told.complaint)


def test_an_assumed_role_sets_up_with_its_own_rights_only(owners: Owners) -> None:
    """If this fails, --source-role-arn signs with more, or other, rights than the role's."""
    name = f"setup-{owners.source}"
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{SOURCE.account_id}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "from:outside"}},
    }
    allow = {"Effect": "Allow", "Action": ["s3:*", "iam:*", "kms:*"], "Resource": "*"}
    iam = owners.client("iam")
    role = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]["Arn"]
    iam.put_role_policy(
        RoleName=name,
        PolicyName="p",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]}),
    )
    owners.sandbox.clock.offset += timedelta(seconds=1)  # IAM has settled by then
    owners.write_spec()
    # Root may assume no role, so that a user does.
    assume = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [assume]})
    user = owners.sandbox.add_user("source", f"jane-{owners.source}", policy)
    jane = owners.command.beside(
        BACKFILL_SOURCE_PROFILE="",
        AWS_ENDPOINT_URL=owners.sandbox.endpoint_url,
        AWS_ACCESS_KEY_ID=user.access_key_id,
        AWS_SECRET_ACCESS_KEY=user.secret_access_key,
    )
    words = ("setup", "apply", "setup.toml", "--yes", "--source-role-arn", role)
    denied = jane.run(*words, code=12)
    assert not denied.events, "told once"
    assert user.arn in denied.complaint[0]
    assert "trust policy" in denied.complaint[1]
    jane.run(*words, "--source-external-id", "from:outside")
    assert owners.arrives("x", owners.put("x"))


def test_an_export_is_made_without_asking_anybody(owners: Owners, tmp_path: Path) -> None:
    """If this fails, an owner without credentials of the other cannot be handed a part."""
    words = (
        *("--source-bucket", owners.source, "--source-account", SOURCE.account_id),
        *("--source-region", SOURCE.region, "--destination-bucket", owners.destination),
        *("--destination-account", DESTINATION.account_id),
        *("--destination-region", DESTINATION.region),
    )
    blind = owners.command.beside(AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_PROFILE="nobody")
    told = blind.run("setup", "export", *words, "--output", "out", "--json").document()
    assert {path.partition("/")[0] for path in told} == {
        f"account-{SOURCE.account_id}",
        f"account-{DESTINATION.account_id}",
    }
    assert all((tmp_path / "out" / path).is_file() for path in told)
    blind.run("setup", "export", *words, "--output", "out", code=2)
