"""No word of anybody's turns TLS verification off, and plain http goes to this machine alone.

For every service that is asked, through the SDK, the lean client and the SDK's own chain of
credentials, which asks STS by itself.
"""

import argparse
import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from botocore.exceptions import BotoCoreError

from backfill.aws.object_store import S3ObjectStore
from backfill.aws.session import AwsSession, Connection
from backfill.campaign_options import OPTIONS
from backfill.cli.main import build_parser
from backfill.errors import Disposition, StoreFault, UsageError
from tests.doubles.authority import write_certificate
from tests.doubles.clients import CLIENTS, opened_calls
from tests.doubles.command import ROOT
from tests.wire.aws.conftest import KeptEvents
from tests.wire.aws.operations import copy_request

REGION = "us-east-1"
CERTIFICATE = re.compile("certificate", re.IGNORECASE)
ASKED = {
    "s3": ("list_buckets", {}),
    "s3control": ("list_jobs", {"AccountId": "111111111111"}),
    "iam": ("list_roles", {}),
    "sts": ("get_caller_identity", {}),
    "kms": ("list_keys", {}),
    "sqs": ("list_queues", {}),
    "sns": ("list_topics", {}),
    "lambda": ("list_functions", {}),
    "cloudwatch": ("list_metrics", {}),
}
"""Every service, and a call without much to say."""
ENDPOINTS = {service: f"AWS_ENDPOINT_URL_{service.upper()}" for service in ASKED} | {
    "s3control": "AWS_ENDPOINT_URL_S3_CONTROL"
}

# --- a server that nobody vouches for ---


@dataclass
class Impostor:
    """An https endpoint with a certificate of its own; it counts what it hears in spite of that."""

    url: str
    certificate: Path
    heard: int = 0


@pytest_asyncio.fixture
async def impostor(tmp_path: Path) -> AsyncIterator[Impostor]:
    """Somebody who says that he is S3, and STS."""
    file = write_certificate(tmp_path / "own.pem", host="localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    made = Impostor(url="", certificate=file)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.heard += len(await reader.read(1))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    made.url = f"https://localhost:{server.sockets[0].getsockname()[1]}"
    yield made
    server.close()
    await server.wait_closed()


# --- whoever wants verification off ---


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Credentials of the environment, and an empty configuration file for cases to fill."""
    for name in ("AWS_PROFILE", "AWS_CA_BUNDLE", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "config"
    file.write_text("")
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "x" * 40,
        "AWS_CONFIG_FILE": str(file),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    return file


SWITCHES = {
    "nothing": {},
    "an empty bundle": {"AWS_CA_BUNDLE": ""},
    "Python's old switch": {"PYTHONHTTPSVERIFY": "0"},
    "OpenSSL's own": {"SSL_CERT_FILE": "{certificate}", "SSL_CERT_DIR": "/"},
    "other tools'": {
        "REQUESTS_CA_BUNDLE": "",
        "CURL_CA_BUNDLE": "",
        "NODE_TLS_REJECT_UNAUTHORIZED": "0",
        "AWS_VERIFY": "false",
        "AWS_NO_VERIFY_SSL": "true",
    },
    "the file's words": {"": "verify = false\nverify_ssl = false\nca_bundle =\nuse_ssl = false\n"},
}


def switch_off(how: str, impostor: Impostor, keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set all of a switch's variables, or words of the configuration file."""
    for name, value in SWITCHES[how].items():
        if name:
            monkeypatch.setenv(name, value.format(certificate=impostor.certificate))
        else:
            fill(keys, f"[default]\n{value}")


def fill(file: Path, words: str) -> None:
    file.write_text(words)


@pytest.mark.parametrize("how", ["an empty bundle", "the file's words"])
async def test_no_switch_makes_a_service_client_talk_to_an_impostor(
    impostor: Impostor, keys: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """If this fails, whoever stands in between reads and answers what is asked of an account."""
    switch_off(how, impostor, keys, monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL", impostor.url)
    async with AwsSession(Connection()) as session:
        for service, (operation, parameters) in ASKED.items():
            async with session.lease(service, REGION) as client:
                with pytest.raises(BotoCoreError, match=CERTIFICATE):
                    await getattr(client, operation)(**parameters)
    assert impostor.heard == 0


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("how", SWITCHES)
async def test_no_switch_makes_either_client_talk_to_an_impostor(
    impostor: Impostor, keys: Path, monkeypatch: pytest.MonkeyPatch, how: str, client: str
) -> None:
    """If this fails, the data plane's copies are signed for whoever stands in between."""
    switch_off(how, impostor, keys, monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", impostor.url)
    async with opened_calls(client, Connection(), KeptEvents()) as calls:
        with pytest.raises(StoreFault) as caught:
            await S3ObjectStore(calls).copy_object(copy_request())
    assert caught.value.code == "ClientConnectorCertificateError"
    assert caught.value.disposition is Disposition.STOP
    assert impostor.heard == 0


@pytest.mark.parametrize("how", SWITCHES)
async def test_no_switch_makes_the_chain_of_credentials_talk_to_an_impostor(
    impostor: Impostor, keys: Path, monkeypatch: pytest.MonkeyPatch, how: str, tmp_path: Path
) -> None:
    """If this fails, a pod's token goes to an impostor, who gives it credentials of his."""
    token = tmp_path / "token"
    token.write_text("a token")
    switch_off(how, impostor, keys, monkeypatch)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", impostor.url)
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::111111111111:role/pod")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    async with AwsSession(Connection(region=REGION)) as session:
        with pytest.raises(BotoCoreError, match=CERTIFICATE):
            await session.credentials()
    assert impostor.heard == 0


# --- plain http ---

ELSEWHERE = "http://s3.example.org"
SERVICES_SECTION = "[default]\nservices = here\n[services here]\n" + "".join(
    f"{service.replace('s3control', 's3_control')} =\n  endpoint_url = {ELSEWHERE}\n"
    for service in ASKED
)
PLAIN = {
    "variables of services": (dict.fromkeys(ENDPOINTS.values(), ELSEWHERE), ""),
    "a variable": ({"AWS_ENDPOINT_URL": ELSEWHERE}, ""),
    "a profile": ({}, f"[default]\nendpoint_url = {ELSEWHERE}\n"),
    "a profile's services": ({}, SERVICES_SECTION),
}


@pytest.mark.parametrize("where", PLAIN)
async def test_nothing_sends_a_service_to_plain_http_elsewhere(
    keys: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """If this fails, a signed request and its session token are read by whoever is on the way."""
    variables, words = PLAIN[where]
    fill(keys, words)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    async with AwsSession(Connection()) as session:
        for service in ASKED:
            with pytest.raises(UsageError, match="plain http"):
                async with session.lease(service, REGION):
                    pass


async def test_the_chain_of_credentials_asks_nobody_over_plain_http(
    keys: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """If this fails, a pod's token goes over the network for everybody to read."""
    fill(keys, "")
    token = tmp_path / "token"
    token.write_text("a token")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", ELSEWHERE)
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::111111111111:role/pod")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    async with AwsSession(Connection(region=REGION)) as session:
        with pytest.raises(UsageError, match="plain http"):
            await session.credentials()


# --- nothing to say it with ---

SWITCH_NAMES = re.compile(
    r"insecure|verif(?:y|ication)[-_]?(?:ssl|tls|certificate)|no[-_]?verify(?![a-z])|ssl|tls|certificate"
)


def option_strings(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from option_strings(child)


def test_no_flag_and_no_option_speaks_of_verification() -> None:
    """If this fails, there is a word by which somebody in a hurry turns verification off."""
    flags = set(option_strings(build_parser()))
    assert len(flags) > 50
    names = {option.name for option in OPTIONS} | flags
    assert not {name for name in names if SWITCH_NAMES.search(name)}


UNVERIFIED = re.compile(
    r"CERT_NONE|CERT_OPTIONAL|check_hostname\s*=\s*False|_create_unverified|_create_default_https"
    r"|verify\s*=\s*False|\bssl\s*=\s*False|use_ssl\s*=\s*False|disable_warnings"
)


def test_no_line_of_the_product_turns_verification_off() -> None:
    """If this fails, a shortcut of an afternoon is in the product."""
    files = list((ROOT / "backfill").rglob("*.py"))
    assert len(files) > 300
    assert not [file for file in files if UNVERIFIED.search(file.read_text(encoding="utf-8"))]
