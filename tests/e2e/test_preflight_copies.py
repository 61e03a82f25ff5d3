"""What copies need of the buckets' and keys' policies: told before a run, and mended as printed."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from backfill.sandbox.service import Sandbox
from tests.doubles.command import Command
from tests.doubles.nursery import Nursery
from tests.doubles.sound_site import Site, allow, document

_NUMBERS = count(1)
COPIES = ("--engine", "copy")
ROUNDS_MAX = 3


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Accounts in which only what was made exists."""
    with Sandbox(seed=7, has_strict_accounts=True) as running:
        yield running


@pytest.fixture
def command(sandbox: Sandbox, nursery: Nursery, tmp_path: Path) -> Command:
    profiles = {
        "BACKFILL_SOURCE_PROFILE": "source",
        "BACKFILL_DESTINATION_PROFILE": "destination",
    }
    return Command(tmp_path, {**sandbox.write_profiles(tmp_path / "aws"), **profiles}, nursery)


def open_source(site: Site) -> None:
    actions = [f"s3:Get{each}" for each in ("Object", "ObjectVersion")]
    actions += [f"{each}Tagging" for each in actions]
    who = {"AWS": f"arn:aws:iam::{site.their_account}:root"}
    statement = allow(actions, f"arn:aws:s3:::{site.source}/*", Principal=who)
    site.s3.put_bucket_policy(Bucket=site.source, Policy=document(statement))


def source_without_policy(_site: Site) -> None:
    pass


def writing_denied(site: Site) -> None:
    open_source(site)
    deny = {
        "Sid": "NoWrites",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{site.destination}/*",
    }
    site.put_destination_policy(*site.destination_statements(), deny)


def source_key_shut(site: Site) -> None:
    """The bucket lets the other account read, its key does not."""
    open_source(site)


FAULTS: dict[str, tuple[dict[str, Any], Callable[[Site], None], str]] = {
    "source without a policy": ({}, source_without_policy, "copy-reads"),
    "writing denied": ({}, writing_denied, "copy-writes"),
    "source key shut": ({"kms": "destination"}, source_key_shut, "copy-reads"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_run_by_copies_is_refused_before_it_begins_and_works_once_mended(
    name: str, sandbox: Sandbox, command: Command
) -> None:
    """If this fails, every copy of a run is denied, hours after preflight was green."""
    options, plant, check = FAULTS[name]
    site = Site(sandbox, f"copies-{next(_NUMBERS)}", **options).build()
    try:
        # What is older than the rules only a backfill brings.
        site.s3.delete_bucket_replication(Bucket=site.source)
        site.s3.put_object(Bucket=site.source, Key="old", Body=b"old", Tagging="a=b")
        site.put_rules()
        plant(site)
        words = ("run", *site.words(*COPIES), "--yes", "--run-dir", "run")
        assert command.run(*words, code=10).code == 10
        found = _wrong(site, command)
        assert {(each["check"], each["verdict"]) for each in found} == {(check, "blocker")}
        for _ in range(ROUNDS_MAX):
            for finding in found:
                site.paste(finding["mend"])
            found = _wrong(site, command)
            if not found:
                break
        assert found == []
        command.run(*words, code=0)
        there = site.their_s3.get_object(Bucket=site.destination, Key="old")
        assert there["Body"].read() == b"old"
        assert there["TagCount"] == 1
    finally:
        site.close()


def test_one_account_needs_no_policy_for_copies(sandbox: Sandbox, command: Command) -> None:
    """If this fails, whoever copies within an account is sent to mend what is right."""
    site = Site(sandbox, f"copies-{next(_NUMBERS)}", is_one_account=True).build()
    try:
        assert _wrong(site, command) == []
    finally:
        site.close()


def _wrong(site: Site, command: Command) -> list[dict[str, Any]]:
    findings: list[dict[str, Any]] = site.check(command, *COPIES).document()["findings"]
    assert {"copy-reads", "copy-writes"} <= {each["check"] for each in findings}
    return [each for each in findings if each["verdict"] != "ok"]
