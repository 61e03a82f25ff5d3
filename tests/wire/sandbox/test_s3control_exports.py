"""What a person does: take the exports that are printed, and use a client without any hook."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from backfill.sandbox.service import ACCOUNTS, Sandbox

STOCK = """
import boto3
account = boto3.client("sts").get_caller_identity()["Account"]
jobs = boto3.client("s3control").list_jobs(AccountId=account)["Jobs"]
s3 = boto3.client("s3")
region = boto3.session.Session().region_name
location = {} if region == "us-east-1" else {
    "CreateBucketConfiguration": {"LocationConstraint": region}
}
s3.create_bucket(Bucket="stock-" + account, **location)
s3.put_object(Bucket="stock-" + account, Key="k", Body=b"body")
body = s3.get_object(Bucket="stock-" + account, Key="k")["Body"].read()
print(account, jobs, body.decode())
"""
_START_TIMEOUT_S = 30.0


def told(environment: dict[str, str], home: Path, script: str = STOCK) -> str:
    """What a stock client prints with nothing else in its environment."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PATH": os.environ["PATH"], "HOME": str(home), **environment},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


@pytest.mark.parametrize("account", sorted(ACCOUNTS))
def test_the_environment_is_all_that_a_stock_client_needs(account: str, tmp_path: Path) -> None:
    """If this fails, only clients with hooks of ours reach S3 Control."""
    with Sandbox(seed=2) as sandbox:
        printed = told(sandbox.environment(account), tmp_path)
        assert printed == f"{ACCOUNTS[account].account_id} [] body"
        calls = sandbox.calls()
    assert (calls["ListJobs"], calls["PutObject"], calls["GetObject"]) == (1, 1, 1)


@pytest.mark.parametrize("account", sorted(ACCOUNTS))
def test_the_profiles_are_all_that_a_stock_client_needs(account: str, tmp_path: Path) -> None:
    """If this fails, two accounts cannot be worked with side by side."""
    with Sandbox(seed=2) as sandbox:
        variables = sandbox.write_profiles(tmp_path / "aws")
        printed = told({**variables, "AWS_PROFILE": account}, tmp_path)
    assert printed == f"{ACCOUNTS[account].account_id} [] body"


def test_the_printed_exports_outweigh_a_proxy_of_the_shell(tmp_path: Path) -> None:
    """If this fails, a shell behind a company's proxy cannot reach the sandbox."""
    shell = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "http_proxy": "http://127.0.0.1:9",
        "no_proxy": "localhost,127.0.0.1",
    }
    exports = tmp_path / "exports.sh"
    with exports.open("wb") as out:
        running = subprocess.Popen(
            [sys.executable, "-m", "backfill", "sandbox"],
            env=shell,
            stdout=out,
            stderr=subprocess.PIPE,
        )
    try:
        assert running.stderr is not None
        assert b"listening on" in running.stderr.readline()
        client = shlex.join([sys.executable, "-c", STOCK])
        script = f". {shlex.quote(str(exports))}; exec {client}"
        done = subprocess.run(
            ["/bin/sh", "-c", script], env=shell, capture_output=True, check=False, timeout=60
        )
    finally:
        running.send_signal(signal.SIGTERM)
        _, rest = running.communicate(timeout=_START_TIMEOUT_S)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().strip() == "111111111111 [] body"
    assert running.returncode == 128 + signal.SIGTERM, rest
