"""Where text of others comes in, and where memory and words go out: no secret passes."""

import asyncio
import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from backfill import copiers
from backfill.aws import endpoints
from backfill.aws.faults import MESSAGE_CHARACTERS_MAX, error_of, fault_of_exception, store_fault
from backfill.aws.job_replies import job_description
from backfill.aws.object_store import S3ObjectStore
from backfill.aws.session import Connection
from backfill.batch_operations.report_rows import task_rows
from backfill.cli.main import main
from backfill.copiers import CopierTask
from backfill.errors import StoreFault, UsageError
from backfill.model.redaction import redacted
from tests.doubles.clients import opened_calls
from tests.doubles.command import ROOT
from tests.doubles.figures import Row, Tried, figure, first_seed
from tests.doubles.planted_secrets import planted, secret_access_key, shows
from tests.wire.aws.conftest import KeptEvents
from tests.wire.aws.operations import copy_request

SECRETS = 2_000
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_no_message_of_a_store_brings_a_secret_into_a_fault(tried: Tried) -> None:
    """If this fails, journals, reports and errors hold what a store or a library echoed."""
    draw = random.Random(f"faults {first_seed()}")
    secrets = figure(ci=SECRETS, release=100_000)
    for number in range(secrets):
        secret, text = planted(draw)
        if number % 2:
            fault = fault_of_exception(operation="CopyObject", bucket="b", error=OSError(text))
        else:
            fault = store_fault(
                operation="GetObject", code="X", status=400, bucket="b", message=text
            )
        said = error_of(fault)
        assert not shows(secret, f"{fault.message} {fault} {said.message} {said.hint}"), text
        assert len(fault.message) <= MESSAGE_CHARACTERS_MAX
    tried(Row.SECRETS, secrets)


def test_no_reason_of_a_job_and_no_row_of_its_report_brings_one(tried: Tried) -> None:
    """If this fails, what a role's task said of its own signature is kept for ever."""
    draw = random.Random(f"jobs {first_seed()}")
    secrets = figure(ci=500, release=20_000)
    for _ in range(secrets):
        secret, text = planted(draw)
        job = {"JobId": "j", "Status": "Failed", "CreationTime": NOW}
        failure = {"FailureCode": "X", "FailureReason": text}
        reply = {"Job": {**job, "FailureReasons": [failure], "StatusUpdateReason": text}}
        assert not shows(secret, repr(job_description(reply)))
        quoted = text.replace('"', '""')
        row = f'b,k,v,failed,400,InvalidRequest,"{quoted}"\r\n'.encode()
        (told,) = task_rows([row], file="f.csv", expected_bucket="b", is_succeeded=False)
        assert not shows(secret, told.message), text
    tried(Row.SECRETS, secrets)


def test_a_checksum_that_a_task_computed_is_no_secret() -> None:
    """If this fails, redaction takes the evidence away that a checksum job was paid for."""
    message = '{""checksum_base64"":""n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=""}'
    row = f'b,k,v,succeeded,200,,"{message}"\r\n'.encode()
    (told,) = task_rows([row], file="f.csv", expected_bucket="b", is_succeeded=True)
    assert told.message == message.replace('""', '"')


@pytest.mark.parametrize(
    "url",
    [
        "https://b.s3.amazonaws.com/k?X-Amz-Signature={secret}",
        "https://name:{secret}@s3.example.org",
        "http://{secret}:x@127.0.0.1:9000",
    ],
)
def test_an_endpoint_with_a_secret_is_refused_without_showing_it(url: str) -> None:
    """If this fails, a presigned URL that was pasted into a flag is in the terminal's log."""
    secret = secret_access_key(random.Random(1)).replace("/", "x")
    with pytest.raises(UsageError) as refused:
        endpoints.refuse_unsafe_endpoint(url.format(secret=secret))
    assert not shows(secret, f"{refused.value.message} {refused.value.hint}")


@pytest.mark.parametrize("text", ["http://proxy:{}@10.0.0.1:3128", "https://a:{}@h/?q=1 failed"])
def test_the_password_of_a_proxy_is_redacted_and_its_host_is_not(text: str) -> None:
    """If this fails, a proxy that refuses has its password told to whoever reads the log."""
    shown = redacted(text.format("hunter2.p:w"))
    assert "hunter2" not in shown
    assert shown.partition("@")[2] == text.partition("@")[2]


def test_words_of_a_command_line_that_hold_a_secret_are_not_told_again(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """If this fails, a key that was pasted into a campaign is shown by what refuses it."""
    secret = secret_access_key(random.Random(2))
    campaign = tmp_path / "campaign.toml"
    campaign.write_text(f'[source]\nbucket = "b"\naws_secret_access_key = "{secret}"\n')
    assert main(["plan", "--campaign", str(campaign), "--run-dir", str(tmp_path / "run")]) == 2
    said = capsys.readouterr()
    assert "aws_secret_access_key" in said.err
    assert not shows(secret, said.err + said.out)


def test_no_process_of_the_command_leaves_a_core() -> None:
    """If this fails, a crash writes credentials and customers' keys to a disk."""
    program = """
import resource, sys
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
from backfill.cli.main import entry_point
sys.argv = ["backfill", "--version"]
try:
    entry_point()
except SystemExit:
    print(resource.getrlimit(resource.RLIMIT_CORE)[0])
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == "0"


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """Yield a port that refuses: it is ours, so nobody else listens there, and nor do we."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


async def test_a_proxy_that_does_not_answer_has_no_password_told(
    monkeypatch: pytest.MonkeyPatch, deaf_port: int
) -> None:
    """If this fails, whoever reads a failed run may use the company's proxy as its owner."""
    for name, value in {
        "HTTPS_PROXY": f"http://somebody:hunter2.word@127.0.0.1:{deaf_port}",
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "x" * 40,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with opened_calls("lean", Connection(), KeptEvents()) as calls:
        with pytest.raises(StoreFault) as caught:
            await S3ObjectStore(calls).copy_object(copy_request())
    error = error_of(caught.value)
    assert "127.0.0.1" in caught.value.message
    assert "hunter2" not in f"{caught.value.message} {caught.value} {error.message} {error.hint}"


async def test_a_copy_process_is_told_nothing_by_words_or_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If this fails, whoever may list processes reads what a campaign holds."""
    seen: list[tuple[tuple[object, ...], dict[str, object]]] = []

    async def start(*words: object, **settings: object) -> None:
        seen.append((words, settings))
        raise ConnectionError("enough was seen")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    with pytest.raises(ConnectionError):
        async with copiers.started(cast("CopierTask", object()), 7):
            pass
    ((words, settings),) = seen
    assert words[:3] == (sys.executable, "-m", "backfill.cli.copier")
    assert all(str(word).isdigit() for word in words[3:])
    assert "env" not in settings
