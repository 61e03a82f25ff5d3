"""The guide from two empty accounts to a verified copy, command by command as it is printed."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from backfill.sandbox.service import Sandbox
from tests.doubles.command import ROOT, Command
from tests.doubles.jobs_place import POLLS

GUIDE = ROOT / "docs/guides/setting-up.md"
APART = ("--only", "export")
"""Ways for two owners, beside the way from begin to end; tests/e2e/test_setup.py goes them."""


@pytest.fixture(scope="module")
def sandbox(through: str) -> Iterator[Sandbox]:
    """Two empty accounts for each client."""
    assert through
    with Sandbox(seed=7, has_strict_accounts=True, iam_settling_s=0.5) as running:
        yield running


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), flags=re.DOTALL)


def commands() -> list[list[str]]:
    lines = [line for block in blocks("console") for line in block.splitlines()]
    assert all(line.startswith("$ ") for line in lines)
    told = [shlex.split(line.removeprefix("$ ")) for line in lines]
    return [words for words in told if not set(APART) & set(words)]


class Reader:
    """Somebody who does what the guide says. `aws s3 mb` is done by boto3: nobody tries the CLI."""

    def __init__(self, sandbox: Sandbox, command: Command) -> None:
        self.sandbox = sandbox
        self.command = command.beside(**POLLS)
        self.versions: dict[str, str] = {}

    def do(self, words: list[str]) -> None:
        match words:
            case ["export", *pairs]:
                given = dict(pair.split("=", 1) for pair in pairs)
                self.command = self.command.beside(**given)
            case ["aws", "s3", "mb", url, "--profile", profile]:
                self.make_bucket(url.removeprefix("s3://"), profile)
            case ["backfill", *rest]:
                self.command.run(*rest)
            case _:
                raise AssertionError(words)

    def make_bucket(self, bucket: str, profile: str) -> None:
        settings: Any = self.sandbox.client_settings(profile)
        s3 = boto3.client("s3", **settings)
        region = settings["region_name"]
        placed: Any = (
            {}
            if region == "us-east-1"
            else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        )
        s3.create_bucket(Bucket=bucket, **placed)
        if profile == "source":
            for key in ("2019/a.jpg", "2020/b c.jpg", "ü/d.jpg"):
                s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
        s3.close()


def test_the_guide_leads_from_two_empty_accounts_to_a_verified_copy_and_back(
    sandbox: Sandbox, command: Command
) -> None:
    """If this fails, the first page that a person follows leads nowhere."""
    (spec,) = blocks("toml")
    (command.folder / "setup.toml").write_text(spec)
    reader = Reader(sandbox, command)
    told = commands()
    assert [words[1] for words in told if words[0] == "backfill"] == [
        *["setup"] * 2,
        *["preflight", "run", "verify", "watch"],
        "setup",
    ]
    for words in told[:-1]:
        reader.do(words)
    settings: Any = sandbox.client_settings("destination")
    there = boto3.client("s3", **settings)
    listed = there.list_objects_v2(Bucket="photos-archive")["Contents"]
    there.close()
    keys = {item["Key"] for item in listed if not item["Key"].startswith("backfill-canary/")}
    assert keys == {"2019/a.jpg", "2020/b c.jpg", "ü/d.jpg"}
    reader.do(told[-1])
