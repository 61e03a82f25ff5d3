"""`backfill preflight` and what a run makes of it: canary, failure codes, refusals, words."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from backfill.sandbox.service import Sandbox
from tests.doubles.command import Command
from tests.doubles.nursery import Nursery
from tests.doubles.sound_site import Site

_NUMBERS = count(1)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Accounts in which only what was made exists."""
    with Sandbox(seed=7, has_strict_accounts=True) as running:
        yield running


@pytest.fixture
def command(sandbox: Sandbox, nursery: Nursery, tmp_path: Path, through: str) -> Command:
    profiles = {
        "BACKFILL_CLIENT": through,
        "BACKFILL_SOURCE_PROFILE": "source",
        "BACKFILL_DESTINATION_PROFILE": "destination",
        "BACKFILL_LIMITS_SETTLE_DELAY_S": "0.05",
    }
    return Command(tmp_path, {**sandbox.write_profiles(tmp_path / "aws"), **profiles}, nursery)


@pytest.fixture
def site(sandbox: Sandbox) -> Iterator[Site]:
    made = Site(sandbox, f"site-{next(_NUMBERS)}").build()
    yield made
    made.close()


@pytest.mark.parametrize("kms", ["", "destination"])
def test_a_canary_arrives_and_is_compared(sandbox: Sandbox, command: Command, kms: str) -> None:
    """If this fails, green is a reading of documents and no proof."""
    site = Site(sandbox, f"site-{next(_NUMBERS)}", kms=kms).build()
    try:
        ended = site.check(command, "--canary", "--canary-timeout", "30")
        assert ended.code == 0, ended.stderr
        (canary,) = (f for f in ended.document()["findings"] if f["check"] == "canary")
        assert canary["verdict"] == "ok", canary
        listed = site.s3.list_object_versions(Bucket=site.source)["Versions"]
        (version,) = listed
        assert version["Key"].startswith("backfill-canary/")
        there = site.their_s3.head_object(
            Bucket=site.destination, Key=version["Key"], VersionId=version["VersionId"]
        )
        assert there["ReplicationStatus"] == "REPLICA"
        said = "\n".join(canary["evidence"])
        assert version["Key"] in said
        assert version["VersionId"] in said
    finally:
        site.close()


def test_a_canary_meets_the_rules_prefix_and_tags(site: Site, command: Command) -> None:
    """If this fails, a canary is sent where no rule looks, and is called a failure."""
    tag = {"Key": "keep", "Value": "a b+c=d"}
    both = {"And": {"Prefix": "photos/2026", "Tags": [tag]}}
    off = {"Status": "Disabled"}
    site.put_rules(site.rule(Filter=both, DeleteMarkerReplication=off))
    ended = site.check(command, "--canary", "--canary-timeout", "30")
    (canary,) = (f for f in ended.document()["findings"] if f["check"] == "canary")
    assert canary["verdict"] == "ok", canary
    (version,) = site.s3.list_object_versions(Bucket=site.source)["Versions"]
    assert version["Key"].startswith("photos/2026backfill-canary/")
    tags = site.their_s3.get_object_tagging(Bucket=site.destination, Key=version["Key"])
    assert tags["TagSet"] == [tag]


def test_a_canary_that_fails_is_explained_by_the_checks(site: Site, command: Command) -> None:
    """If this fails, a person learns that it failed, and not why."""
    site.put_destination_policy(without=["s3:ReplicateObject"])
    ended = site.check(command, "--canary", "--canary-timeout", "30")
    assert ended.code == 10
    (canary,) = (f for f in ended.document()["findings"] if f["check"] == "canary")
    assert canary["verdict"] == "blocker"
    assert "destination-policy" in canary["mend"]["says"]
    (cause,) = (f for f in ended.document()["findings"] if f["check"] == "destination-policy")
    site.paste(cause["mend"])
    assert site.check(command, "--canary", "--canary-timeout", "30").code == 0


def test_a_code_is_explained_for_these_accounts(site: Site, command: Command) -> None:
    """If this fails, whoever has a completion report in hand must compare policies by eye."""
    site.put_role_policy(without=["s3:GetObjectVersionTagging"])
    code = "SrcGetTaggingNotPermitted"
    told = command.run("preflight", *site.words("--code", code, "--json")).document()
    assert told["code"] == code
    (cause,) = told["causes"]
    assert cause["check"] == "role-at-source"
    assert "s3:GetObjectVersionTagging" in cause["commands"][0]
    words = command.run("preflight", *site.words("--code", code)).stdout
    assert cause["commands"][0] in words


def test_people_read_lines_and_the_exit_code_says_enough(site: Site, command: Command) -> None:
    """If this fails, the command cannot be read, or a pipeline goes on over a blocker."""
    ended = command.run("preflight", *site.words())
    assert "0 blockers" in ended.stdout
    assert "Not looked at: service and resource control policies" in ended.stdout
    site.put_rules(site.rule(Status="Disabled"))
    ended = command.run("preflight", *site.words(), code=10)
    assert ended.stdout.startswith("BLOCKER")
    assert "aws s3api put-bucket-replication" in ended.stdout


def test_what_cannot_be_told_fails_only_where_it_shall(site: Site, command: Command) -> None:
    """If this fails, one side's owner gets no green, or a strict pipeline goes on in the dark."""
    words = site.words("--destination-profile", "source")
    ended = command.run("preflight", *words)
    assert "cannot tell" in ended.stdout
    command.run("preflight", *words, "--strict", code=10)
    command.run("preflight", *site.words(), "--strict", code=0)


def test_a_run_stops_at_a_blocker_before_it_lists_anything(
    sandbox: Sandbox, command: Command
) -> None:
    """If this fails, hours of listing end in a refusal that was to be known at once."""
    site = Site(sandbox, f"site-{next(_NUMBERS)}", has_jobs=True).build()
    try:
        site.s3.put_object(Bucket=site.source, Key="k", Body=b"k")
        site.put_batch_policy(without=["s3:InitiateReplication"])
        ended = command.run("run", *site.words("--run-dir", "run", "--yes"), code=10)
        assert ended.stdout == ""
        assert "preflight found 1 blocker: batch-role-policy" in ended.stderr
        assert "aws iam put-role-policy" in ended.stderr
        kept = json.loads((command.folder / "run/preflight/findings.json").read_bytes())
        assert kept["verdict"] == "blocked"
        assert not (command.folder / "run/inventory").exists()
        dry = command.run("run", *site.words("--run-dir", "run", "--dry-run"))
        assert "preflight.warned" in {each["event"] for each in dry.events}
        site.put_batch_policy()
        command.run("run", *site.words("--run-dir", "run", "--yes"))
        command.run("run", *site.words("--run-dir", "run", "--yes"))
    finally:
        site.close()


def test_copies_go_on_although_live_replication_is_broken(site: Site, command: Command) -> None:
    """If this fails, nobody can bring objects over by copies while a role is being mended."""
    site.put_rules(site.rule(Filter={"Prefix": "none/"}))
    site.s3.put_object(Bucket=site.source, Key="k", Body=b"k")
    site.put_rules()
    site.iam.delete_role_policy(RoleName=site.name, PolicyName="replication")
    opened = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{site.their_account}:root"},
        "Action": [
            "s3:GetObject",
            "s3:GetObjectTagging",
            "s3:GetObjectVersion",
            "s3:GetObjectVersionTagging",
        ],
        "Resource": f"arn:aws:s3:::{site.source}/*",
    }
    site.s3.put_bucket_policy(
        Bucket=site.source,
        Policy=json.dumps({"Version": "2012-10-17", "Statement": [opened]}),
    )
    ended = command.run("run", site.source, "--run-dir", "run", "--yes")
    warned = {each["check"] for each in ended.events if each["event"] == "preflight.warned"}
    assert {"role-at-source", "role-at-destination"} <= warned
    assert site.their_s3.head_object(Bucket=site.destination, Key="k")["ContentLength"] == 1
