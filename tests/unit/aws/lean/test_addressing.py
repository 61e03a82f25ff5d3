"""Where the lean client asks is where the SDK would have asked, signed for the same place."""

import gzip
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import botocore
import pytest
from aiobotocore.client import AioBaseClient
from botocore.awsrequest import AWSPreparedRequest
from botocore.httpsession import get_cert_path

from backfill.aws.lean.addressing import DetourError, address_of, http_session_of
from backfill.aws.lean.wire import Origin
from backfill.aws.session import AwsSession, Connection
from backfill.errors import UsageError

VARIABLES = (
    "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3",
    "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY",
    "https_proxy", "http_proxy", "no_proxy", "ALL_PROXY", "all_proxy",
)  # fmt: skip
POINT = "arn:aws:s3:eu-west-1:111111111111:accesspoint/point"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Made-up credentials, and nothing of this machine's own configuration."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    return monkeypatch


class SentError(Exception):
    """The request is kept; there is nobody to answer it."""


async def sdks(client: AioBaseClient, bucket: str, key: str | None) -> tuple[str, str, str]:
    """Return URL and scope of a request of the SDK's."""
    kept: list[AWSPreparedRequest] = []

    def keep(request: AWSPreparedRequest, **_: object) -> NoReturn:
        kept.append(request)
        raise SentError

    client.meta.events.register("before-send.s3", keep, unique_id="keep")
    name, parameters = (
        ("list_object_versions", {}) if key is None else ("head_object", {"Key": key})
    )
    with pytest.raises(SentError):
        await getattr(client, name)(Bucket=bucket, **parameters)
    client.meta.events.unregister("before-send.s3", unique_id="keep")
    headers = {
        name.lower(): value if isinstance(value, str) else bytes(value).decode()
        for name, value in kept[0].headers.items()
    }
    scope = headers["authorization"].partition("Credential=")[2].partition(",")[0]
    return kept[0].url.partition("?")[0], scope.split("/", 2)[2], headers["host"]


@pytest.mark.parametrize(
    ("bucket", "region", "variables"),
    [
        ("bucket", "us-east-1", {}),
        ("bucket", "eu-west-1", {}),
        ("bucket.with.dots", "eu-west-1", {}),
        ("Upper_Case", "us-east-1", {}),
        ("ab", "us-east-1", {}),
        ("bucket", "cn-north-1", {}),
        ("bucket", "us-gov-west-1", {"AWS_USE_FIPS_ENDPOINT": "true"}),
        ("bucket", "us-west-2", {"AWS_USE_FIPS_ENDPOINT": "true"}),
        ("bucket", "eu-west-1", {"AWS_USE_DUALSTACK_ENDPOINT": "true"}),
        (
            "bucket.dots",
            "us-east-2",
            {"AWS_USE_DUALSTACK_ENDPOINT": "true", "AWS_USE_FIPS_ENDPOINT": "true"},
        ),
        ("bucket", "no-such-region-1", {}),
        (POINT, "eu-west-1", {}),
        (POINT, "eu-west-1", {"AWS_USE_DUALSTACK_ENDPOINT": "true"}),
        ("bucket", "eu-west-1", {"AWS_ENDPOINT_URL_S3": "https://s3.example.org"}),
        ("bucket", "eu-west-1", {"AWS_ENDPOINT_URL_S3": "https://s3.example.org/"}),
        (POINT, "eu-west-1", {"AWS_ENDPOINT_URL_S3": "https://s3.example.org/base/"}),
        ("bucket", "eu-west-1", {"AWS_ENDPOINT_URL_S3": "https://S3.Example.org:8443/base/"}),
        ("bucket.d", "eu-west-1", {"AWS_ENDPOINT_URL": "https://s3.example.org:443/base"}),
        ("bucket", "eu-west-1", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9000"}),
        ("bucket", "eu-west-1", {"AWS_ENDPOINT_URL": "http://127.0.0.1:80"}),
        ("bucket", "eu-west-1", {"AWS_ENDPOINT_URL": "http://[::1]:9000/"}),
        ("bucket", "eu-west-1", {"AWS_ENDPOINT_URL": "http://localhost:9000"}),
    ],
)
async def test_an_address_is_the_sdks_own(
    environment: pytest.MonkeyPatch, bucket: str, region: str, variables: Mapping[str, str]
) -> None:
    """Another endpoint than FIPS asks for, or another Region's, is a breach or a dead run."""
    for name, value in variables.items():
        environment.setenv(name, value)
    async with AwsSession(Connection()) as session, session.lease("s3", region) as client:
        address = await address_of(client, bucket)
        for key in (None, "k", "/", "//a"):
            url, scope, host = await sdks(client, bucket, key)
            path = address.root if key is None else f"{address.base}/{key}"
            parts = urlsplit(url)
            assert parts.path == path
            assert address.host == host
            assert address.origin.scheme == parts.scheme
            assert address.origin.host == parts.hostname
            assert address.origin.port == (parts.port or {"http": 80, "https": 443}[parts.scheme])
            assert scope == f"{address.region}/{address.service}/aws4_request"


@pytest.mark.parametrize(
    "profile",
    [
        "s3 =\n  addressing_style = path\n",
        "s3 =\n  use_accelerate_endpoint = true\n",
        "s3 =\n  signature_version = s3\n",
        "endpoint_url = https://s3.example.org/x\n",
        "use_fips_endpoint = true\n",
    ],
)
async def test_a_profile_is_honoured(tmp_path: Path, profile: str) -> None:
    """What a person wrote into ~/.aws/config is how their bucket is reached."""
    own = "aws_access_key_id = AKIA\naws_secret_access_key = secret\nregion = eu-west-1\n"
    (tmp_path / "config").write_text(f"[profile mine]\n{own}{profile}")
    connection = Connection(profile="mine")
    async with AwsSession(connection) as session, session.lease("s3", "eu-west-1") as client:
        address = await address_of(client, "bucket")
        url, _, host = await sdks(client, "bucket", "k")
        assert (urlsplit(url).path, host) == (f"{address.base}/k", address.host)


async def test_the_origin_of_an_ipv6_host_has_no_brackets(environment: pytest.MonkeyPatch) -> None:
    """What connects takes an address; what is signed is the host of the URL."""
    environment.setenv("AWS_ENDPOINT_URL", "http://[::1]:9000")
    async with AwsSession(Connection()) as session, session.lease("s3", "eu-west-1") as client:
        address = await address_of(client, "bucket")
    assert address.origin == Origin("http", "::1", 9000)
    assert address.host == "[::1]:9000"


@pytest.mark.parametrize(
    ("bucket", "variables", "config", "reason"),
    [
        ("bucket", {"HTTPS_PROXY": "http://proxy:3128"}, "", "proxy"),
        ("bucket", {"https_proxy": "http://proxy:3128"}, "", "proxy"),
        ("bucket", {}, "s3 =\n  payload_signing_enabled = false\n", "payload signing"),
        ("arn:aws:s3::111111111111:accesspoint/name.mrap", {}, "", "signed as"),
        ("bucket--use1-az4--x-s3", {}, "", "signed as"),
        (
            "arn:aws:s3-object-lambda:us-east-1:111111111111:accesspoint/lambda",
            {},
            "",
            "signed as",
        ),
    ],
)
async def test_what_is_more_than_a_plain_connection_is_left_to_the_sdk(
    environment: pytest.MonkeyPatch,
    tmp_path: Path,
    bucket: str,
    variables: Mapping[str, str],
    config: str,
    reason: str,
) -> None:
    """A proxy that is passed by is a run that never connects, or one past a firewall's rules."""
    (tmp_path / "config").write_text(f"[default]\n{config}")
    for name, value in variables.items():
        environment.setenv(name, value)
    async with AwsSession(Connection()) as session, session.lease("s3", "us-east-1") as client:
        with pytest.raises(DetourError, match=reason):
            await address_of(client, bucket)


@pytest.mark.parametrize(
    "variables",
    [
        {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "amazonaws.com"},
        {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "*"},
        {"HTTP_PROXY": "http://proxy:3128"},
        {"HTTPS_PROXY": "http://proxy:3128", "AWS_ENDPOINT_URL": "https://127.0.0.1:9000"},
    ],
)
async def test_a_proxy_that_the_sdk_would_not_use_is_no_detour(
    environment: pytest.MonkeyPatch, variables: Mapping[str, str]
) -> None:
    """Every request by the SDK would be thirty times the CPU, for a proxy of something else."""
    for name, value in variables.items():
        environment.setenv(name, value)
    async with AwsSession(Connection()) as session, session.lease("s3", "us-east-1") as client:
        assert (await address_of(client, "bucket")).service == "s3"


async def test_plain_http_to_another_machine_is_refused_by_both_clients(
    environment: pytest.MonkeyPatch,
) -> None:
    """A signature over http gives its request away."""
    environment.setenv("AWS_ENDPOINT_URL_S3", "http://s3.example.org")
    async with AwsSession(Connection()) as session:
        with pytest.raises(UsageError, match="plain http"):
            async with session.lease("s3", "us-east-1") as client:
                await address_of(client, "bucket")


@pytest.mark.parametrize("bundle", ["", "/some/where.pem"])
async def test_both_clients_trust_the_same_certificates(
    environment: pytest.MonkeyPatch, bundle: str
) -> None:
    """A company's own authority is named once, in AWS_CA_BUNDLE; an empty one means none."""
    environment.setenv("AWS_CA_BUNDLE", bundle)
    async with AwsSession(Connection()) as session, session.lease("s3", "us-east-1") as client:
        trusted = http_session_of(client).ca_bundle
    assert trusted == (bundle or get_cert_path(True))


def test_the_rules_look_at_no_key() -> None:
    """An address is kept for a bucket; a rule by key would make it another one's."""
    folder = Path(botocore.__file__).parent / "data" / "s3" / "2006-03-01"
    rules = json.loads(gzip.decompress((folder / "endpoint-rule-set-1.json.gz").read_bytes()))
    text = json.dumps(rules["rules"])
    seen = set(re.findall(r'"ref": "(\w+)"', text)) | set(re.findall(r"\{(\w+)[}#]", text))
    assert "Bucket" in seen
    assert not seen & {"Key", "Prefix", "CopySource"}
