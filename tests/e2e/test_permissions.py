"""The command under the policies of manifests/iam, filled in: they suffice, and less is noticed."""

import json
from collections.abc import Iterator
from configparser import ConfigParser
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from backfill.sandbox.service import DESTINATION, SOURCE, Sandbox
from tests.doubles.command import Command, Ended, branch, report_rows
from tests.doubles.old_world import OldWorld, Rule
from tests.doubles.own_eyes import S3Client, current, versions

POLICIES = Path(__file__).parents[2] / "manifests/iam"
_NUMBERS = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """A user of each account with nothing but its policies, and the command as both of them."""

    world: OldWorld
    command: Command
    source: str
    """The source bucket; it may have Object Lock, which the world's own has not."""

    def run(self, *words: str) -> Ended:
        return self.command.run("run", self.source, "--run-dir", "run", *words, code=None)

    def hire(self, account: str, *files: str, without: frozenset[str] = frozenset()) -> None:
        """Give an account's profile to a user with policy files, without some of their actions."""
        document, *more = (json.loads(self.filled(file)) for file in files)
        for each in more:
            document["Statement"] += each["Statement"]
        for statement in document["Statement"]:
            statement["Action"] = [a for a in statement["Action"] if a not in without]
        name = f"{account}-{next(_NUMBERS)}"
        user = self.world.sandbox.add_user(account, name, json.dumps(document))
        if account == "destination":
            self.open_source(user.arn)
        path = Path(self.command.environment["AWS_SHARED_CREDENTIALS_FILE"])
        profiles = ConfigParser(interpolation=None)
        profiles.read(path)
        profiles[account]["aws_access_key_id"] = user.access_key_id
        profiles[account]["aws_secret_access_key"] = user.secret_access_key
        with path.open("w") as file_:
            profiles.write(file_)

    def open_source(self, arn: str) -> None:
        document = json.loads(self.filled("source-bucket-policy.json"))
        for statement in document["Statement"]:
            statement["Principal"] = {"AWS": arn}
        self.world.set_policy(SOURCE, self.source, *document["Statement"])

    def filled(self, file: str) -> str:
        text = (POLICIES / file).read_text()
        for placeholder, value in {
            "<SOURCE_BUCKET>": self.source,
            "<DESTINATION_BUCKET>": self.world.destination,
            "<SOURCE_ACCOUNT>": SOURCE.account_id,
            "<DESTINATION_ACCOUNT>": DESTINATION.account_id,
        }.items():
            text = text.replace(placeholder, value)
        return text


@pytest.fixture(params=["plain", "Object Lock"])
def users(
    request: pytest.FixtureRequest,
    world: OldWorld,
    command: Command,
    sandbox: Sandbox,
    source_client: S3Client,
) -> Iterator[Users]:
    """Two users with exactly their policies; a tagged object and, perhaps, a locked one."""
    bucket = world.source
    if request.param == "Object Lock":
        bucket = f"{world.source}-locked"
        source_client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    source_client.put_object(Bucket=bucket, Key="plain", Body=b"plain")
    source_client.put_object(Bucket=bucket, Key="tagged", Body=b"tagged", Tagging="a=b")
    source_client.put_object(Bucket=bucket, Key="z", Body=b"z")
    if request.param == "Object Lock":
        until = sandbox.clock() + timedelta(days=9)
        lock = {"Mode": "GOVERNANCE", "RetainUntilDate": until}
        source_client.put_object_retention(Bucket=bucket, Key="z", Retention=lock)
    world.set_rules(Rule(to=world.destination), bucket=bucket)
    made = Users(world=world, command=command, source=bucket)
    made.hire("source", "source-identity.json")
    made.hire("destination", "destination-identity.json")
    yield made
    command.environment.update(sandbox.write_profiles(command.folder / "aws"))


def test_the_policies_that_we_hand_out_suffice(users: Users, destination_client: S3Client) -> None:
    """If this fails, whoever follows the guide ends in AccessDenied, or loses tags or a lock."""
    ended = users.run("--yes", "--json")
    assert ended.code == 0, ended.stderr
    there = current(versions(destination_client, users.world.destination))
    is_locked = users.source != users.world.source
    assert set(there) == {"plain", "tagged"} | (set() if is_locked else {"z"})
    totals = ended.document()["totals"]
    if is_locked:
        assert branch(totals, "explained", "object-lock") == 1
    answer = destination_client.get_object_tagging(Bucket=users.world.destination, Key="tagged")
    assert answer["TagSet"] == [{"Key": "a", "Value": "b"}]


@pytest.mark.parametrize(
    ("account", "operation", "actions", "needs_lock"),
    [
        ("source", "GetObjectTagging", ("Tagging",), False),
        ("source", "GetObjectRetention", ("Retention",), True),
        ("source", "GetObjectLegalHold", ("LegalHold",), True),
    ],
)
def test_10_what_head_would_hide_is_refused_before_the_plan(
    users: Users, account: str, operation: str, actions: tuple[str, ...], *, needs_lock: bool
) -> None:
    """If this fails, objects lose their tags or their lock, and the run says that all is well."""
    without = {f"s3:GetObject{v}{a}" for a in actions for v in ("", "Version")}
    users.hire(account, f"{account}-identity.json", without=frozenset(without))
    ended = users.run("--dry-run")
    if needs_lock and users.source == users.world.source:
        assert ended.code == 0, ended.stderr
        return
    assert ended.code == 10, ended.stderr
    assert f"({operation}: AccessDenied)" in ended.complaint[0]
    assert f'"s3:{operation}"' in ended.complaint[1]
    assert not (users.command.folder / "run/plan").exists()
    users.hire(account, f"{account}-identity.json")
    assert users.run("--dry-run").code == 0


TO_KEEP_ALL = (
    "destination-identity.json",
    "destination-identity-object-lock.json",
    "destination-identity-acls.json",
)


@pytest.fixture
def keepers(
    world: OldWorld,
    command: Command,
    sandbox: Sandbox,
    source_client: S3Client,
    destination_client: S3Client,
) -> Iterator[Users]:
    """Two users, and two buckets with Object Lock and ACLs: one object of each kind."""
    source, destination = f"{world.source}-kept", f"{world.destination}-kept"
    asked = {"ObjectOwnership": "ObjectWriter", "ObjectLockEnabledForBucket": True}
    source_client.create_bucket(Bucket=source, **asked)
    where = {"LocationConstraint": destination_client.meta.region_name}
    destination_client.create_bucket(Bucket=destination, CreateBucketConfiguration=where, **asked)
    until = sandbox.clock() + timedelta(days=9)
    retained = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}
    extras: dict[str, dict[str, Any]] = {
        "plain": {},
        "retained": retained,
        "held": {"ObjectLockLegalHoldStatus": "ON"},
        "shared": {"GrantRead": f'id="{"c" * 64}"'},
    }
    for key, extra in extras.items():
        source_client.put_object(Bucket=source, Key=key, Body=key.encode(), **extra)
    world.destination = destination
    made = Users(world=world, command=command, source=source)
    made.hire("source", "source-identity.json")
    yield made
    command.environment.update(sandbox.write_profiles(command.folder / "aws"))


COPIES = ("--other-writers", "quiet", "--yes", "--json")


def test_the_policies_for_locks_and_grants_suffice(
    keepers: Users, destination_client: S3Client
) -> None:
    """If this fails, whoever follows the guide ends in AccessDenied, or loses locks and grants."""
    keepers.hire("destination", *TO_KEEP_ALL)
    destination = keepers.world.destination
    ended = keepers.run("--destination", destination, *COPIES)
    assert ended.code == 0, ended.stderr
    heads = {
        key: destination_client.head_object(Bucket=destination, Key=key)
        for key in ("plain", "retained", "held", "shared")
    }
    assert [key for key, head in heads.items() if "ObjectLockMode" in head] == ["retained"]
    assert heads["held"]["ObjectLockLegalHoldStatus"] == "ON"
    acl = destination_client.get_object_acl(Bucket=destination, Key="shared")
    assert [grant["Permission"] for grant in acl["Grants"]] == ["READ"]


@pytest.mark.parametrize(
    ("lacking", "code", "key"),
    [
        ("s3:PutObjectRetention", 3, "retained"),
        ("s3:PutObjectLegalHold", 3, "held"),
        ("s3:PutObjectAcl", 3, "shared"),
        ("s3:GetObjectRetention", 10, ""),
        ("s3:GetObjectLegalHold", 10, ""),
        ("s3:GetObjectVersionAcl", 10, ""),
        ("s3:GetBucketAcl", 0, "shared"),
    ],
)
def test_a_right_that_lacks_loses_neither_lock_nor_grant(
    keepers: Users, destination_client: S3Client, lacking: str, code: int, key: str
) -> None:
    """If this fails, a copy arrives without its lock or its readers, and all is called well."""
    keepers.hire("destination", *TO_KEEP_ALL, without=frozenset({lacking}))
    destination = keepers.world.destination
    ended = keepers.run("--destination", destination, *COPIES)
    assert ended.code == code, ended.stderr
    there = set(current(versions(destination_client, destination)))
    assert there == {"plain", "retained", "held", "shared"} - {key}
    if code == 10:
        assert lacking in "".join(ended.complaint)
    if code == 3:
        (row,) = (
            each for each in report_rows(keepers.command.folder / "run") if each["key"] == key
        )
        assert row["outcome_code"] == "AccessDenied"
        assert lacking.partition(":")[2] in row["detail"]
