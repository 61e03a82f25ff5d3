"""Where a bucket is asked: botocore's own rules, followed once for a bucket and a Region.

The client that is asked honours the environment and the profile: endpoint URLs, FIPS, dual-stack,
access points, partitions, path style. The rules look at no key (a test says so).

Never guesses an endpoint and never opens a connection.
Law: where anything is needed beyond a plain connection and plain Signature Version 4, it says so.
"""

from typing import Any, Final
from urllib.parse import urlsplit

from aiobotocore.client import AioBaseClient

from backfill.aws.endpoints import refuse_unsafe_endpoint
from backfill.aws.http_session import OneRequestSession
from backfill.aws.lean.wire import Address, Origin

SIGNER: Final = "s3v4"
"""botocore's name for what `signature` does. Not SigV4A (multi-Region access points), not the
sessions of directory buckets, not anonymous."""

_PORTS: Final = {"http": 80, "https": 443}


class DetourError(Exception):
    """The lean client cannot ask this bucket; the message says why."""


async def address_of(client: AioBaseClient, bucket: str) -> Address:
    """Return the address of a bucket by the rules of a client, whose Region it is asked in.

    Raises:
        DetourError: More is needed than the lean client does.
        BotoCoreError: There is no such endpoint, or no such name of a bucket.
        UsageError: Plain http to another machine.
    """
    url, headers, signing = await _followed_rules(client, bucket)
    if signing.get("signer") != SIGNER or signing.get("signing_name") != "s3" or headers:
        raise DetourError(f"signed as {signing.get('signer')} for {signing.get('signing_name')}")
    refuse_unsafe_endpoint(url)
    session = http_session_of(client)
    if detour := session.detour(url):
        raise DetourError(detour)
    return _address(url, region=signing["region"])


async def _followed_rules(
    client: AioBaseClient, bucket: str
) -> tuple[str, dict[str, str], dict[str, str]]:
    """Return a bucket's URL, headers of its own, and how requests to it are signed.

    The client's own calls and its presigned URLs take these steps; the release is pinned.
    """
    private: Any = client  # the stubs leave out what is private
    # HeadObject stands for all: only GetBucketLocation's rules differ.
    operation = client.meta.service_model.operation_model("HeadObject")
    context: dict[str, Any] = {  # botocore's own bag
        "client_region": client.meta.region_name,
        "client_config": client.meta.config,
        "auth_type": operation.resolved_auth_type,
    }
    parameters = await private._emit_api_params(  # noqa: SLF001 - see above
        api_params={"Bucket": bucket, "Key": "key"}, operation_model=operation, context=context
    )
    url, headers, _ = await private._resolve_endpoint_ruleset(operation, parameters, context)  # noqa: SLF001 - see above
    signer = await private._request_signer._choose_signer("HeadObject", "standard", context)  # noqa: SLF001 - see above
    if (private.meta.config.s3 or {}).get("payload_signing_enabled") is False:
        raise DetourError("payload signing is switched off in the configuration")
    return url, headers, {**context.get("signing", {}), "signer": signer}


def http_session_of(client: AioBaseClient) -> OneRequestSession:
    """Return what the client sends with."""
    private: Any = client  # the stubs leave out what is private
    session = private._endpoint.http_session  # noqa: SLF001 - there is no other way to it
    assert isinstance(session, OneRequestSession), "our session's clients send with nothing else"
    return session


def _address(url: str, *, region: str) -> Address:
    parts = urlsplit(url)
    assert parts.hostname is not None, "an endpoint has a host"
    default = _PORTS[parts.scheme]
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = parts.port or default
    return Address(
        origin=Origin(parts.scheme, parts.hostname, port),
        host=host if port == default else f"{host}:{port}",
        base=parts.path.removesuffix("/"),
        root=parts.path or "/",
        region=region,
        service="s3",
    )
