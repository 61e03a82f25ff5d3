"""Setup, preflight and watch under the policies of manifests/iam, filled in: they suffice."""

import json
import re
from collections.abc import Iterator
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from backfill.sandbox.service import DESTINATION, SOURCE, Sandbox
from tests.doubles.command import Command, Ended

POLICIES = Path(__file__).parents[2] / "manifests/iam"
NAMES = {
    "SOURCE_BUCKET": "photos",
    "DESTINATION_BUCKET": "photos-replica",
    "BATCH_BUCKET": "photos-jobs",
    "SOURCE_ACCOUNT": SOURCE.account_id,
    "DESTINATION_ACCOUNT": DESTINATION.account_id,
    "QUEUE_ARN": f"arn:aws:sqs:{SOURCE.region}:{SOURCE.account_id}:failures",
    "SOURCE_REGION": SOURCE.region,
    "DESTINATION_REGION": DESTINATION.region,
}
BOTH = ("--source-profile", "source", "--destination-profile", "destination")
JOBS = (
    *("--batch-bucket", "photos-jobs", "--batch-role-arn"),
    f"arn:aws:iam::{SOURCE.account_id}:role/service-role/backfill-photos-batch",
)


@dataclass
class Place:
    """Two strict accounts; each profile is a user with what files it was hired for."""

    sandbox: Sandbox
    folder: Path
    names: dict[str, str]

    def client(self, who: str, service: str) -> Any:
        settings: Any = self.sandbox.client_settings(who)
        return boto3.client(service, **settings)

    def prepare(self) -> None:
        self.client("source", "s3").create_bucket(Bucket="photos")
        self.client("destination", "s3").create_bucket(
            Bucket="photos-replica",
            CreateBucketConfiguration={"LocationConstraint": DESTINATION.region},
        )
        for who in ("source", "destination"):
            made = self.client(who, "kms").create_key()
            self.names[f"{who.upper()}_KEY_ARN"] = made["KeyMetadata"]["Arn"]
        (self.folder / "setup.toml").write_text(f"""
name = "photos"

[source]
bucket = "photos"
kms-key-arns = ["{self.names["SOURCE_KEY_ARN"]}"]

[destination]
bucket = "photos-replica"

[[rule]]
name = "all"
kms-key-arn = "{self.names["DESTINATION_KEY_ARN"]}"

[[notification]]
name = "failures"
queue = "failures"
events = ["failed"]

[batch]
bucket = "photos-jobs"
""")

    def hire(self, who: str, *files: str) -> None:
        """Make the profile a user with these policies, and no more."""
        user = self.sandbox.add_user(who, who, *(self._filled(file) for file in files))
        path = self.folder / "aws/credentials"
        profiles = ConfigParser(interpolation=None)
        profiles.read(path)
        profiles[who]["aws_access_key_id"] = user.access_key_id
        profiles[who]["aws_secret_access_key"] = user.secret_access_key
        with path.open("w") as file_:
            profiles.write(file_)

    def _filled(self, file: str) -> str:
        text = (POLICIES / file).read_text()
        return re.sub(r"<([A-Z_]+)>", lambda found: self.names[found[1]], text)

    def run(self, *words: str) -> Ended:
        environment = self.sandbox.write_profiles(self.folder / "unused") | {
            "AWS_CONFIG_FILE": str(self.folder / "aws/config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "aws/credentials"),
        }
        return Command(self.folder, environment).run(*words, *BOTH, code=None)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Strict accounts with the buckets and the keys that the spec names."""
    with Sandbox(seed=3, has_strict_accounts=True) as sandbox:
        sandbox.write_profiles(tmp_path / "aws")
        made = Place(sandbox=sandbox, folder=tmp_path, names=dict(NAMES))
        made.prepare()
        yield made


def test_setup_preflight_and_watch_work_under_the_policies_that_we_hand_out(place: Place) -> None:
    """If this fails, whoever attaches our policies is denied, or the files grant for nothing."""
    place.hire("source", "setup-source-identity.json")
    place.hire("destination", "setup-destination-identity.json")
    applied = place.run("setup", "apply", "setup.toml", "--yes", "--json")
    assert applied.code == 0, applied.stderr

    place.hire("source", "preflight-source-identity.json", "source-identity.json")
    place.hire("destination", "preflight-destination-identity.json", "destination-identity.json")
    looked = place.run("preflight", "photos", *JOBS, "--canary", "--json")
    assert looked.code == 0, looked.stderr
    findings: Any = looked.document()["findings"]
    unseen = [one for one in findings if one["verdict"] == "cannot tell"]
    # A user may not read its own policies by these files, and need not.
    assert {one["check"] for one in unseen} <= {"job-caller"}, json.dumps(unseen, indent=1)
    (canary,) = [one for one in findings if one["check"] == "canary"]
    assert canary["verdict"] == "ok", canary

    place.hire("source", "watch-identity.json")
    watched = place.run("watch", "photos", "--once", "--json")
    assert watched.code in {0, 5}, watched.stderr
    assert "AccessDenied" not in watched.stdout + watched.stderr

    place.hire("source", "setup-source-identity.json")
    place.hire("destination", "setup-destination-identity.json")
    destroyed = place.run("setup", "destroy", "setup.toml", "--yes", "--json")
    assert destroyed.code == 0, destroyed.stderr
    assert place.client("source", "iam").list_roles()["Roles"] == []
