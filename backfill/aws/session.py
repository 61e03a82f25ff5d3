"""Sessions and clients of one identity: credentials from the SDK's chain, a client per Region.

Never takes credentials from flags or environment variables of its own, never turns TLS
verification off, never retries: `total_max_attempts` is 1 and redirects are not followed.
Law: this is the only importer of aioboto3, so moving on to another release is one file.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Final, Self

import aioboto3  # type: ignore[import-untyped] # aioboto3 ships no types
import aiohttp
from aiobotocore.client import AioBaseClient
from aiobotocore.config import AioConfig
from botocore import xform_name
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigNotFound,
    ConfigParseError,
    CredentialRetrievalError,
    NoCredentialsError,
    ProfileNotFound,
)

import backfill
from backfill.aws import raw_documents, versions_page
from backfill.aws.assumed_role import (
    AssumedRole,
    AssumeRoleError,
    assume_role_parameters,
    resolver,
    session_credentials,
)
from backfill.aws.chain_faults import told_as_credentials
from backfill.aws.echoes import ECHOING, cut_echo
from backfill.aws.endpoints import (
    as_asked,
    companion_endpoint,
    is_loopback,
    nameable,
    refuse_unsafe_endpoint,
    without_account_label,
)
from backfill.aws.http_session import OneRequestSession
from backfill.aws.replies import ReplyError
from backfill.aws.sdk_session import GuardedSession
from backfill.errors import CredentialsError

FALLBACK_REGION: Final = "us-east-1"
"""Where questions go that have no Region yet (GetCallerIdentity, the Region of a bucket)."""

POOL_RESERVE: Final = 32
"""Connections beyond the copies in flight: listings, HEADs and tag reads run beside them."""


_SENDABLE: Final = re.compile("[ -~]+", re.ASCII)
"""An access key and a token; a line end in one would begin another header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How one identity connects.

    Attributes:
        profile: A profile of the shared configuration; None for the chain's default.
        role: Assumed by the identity of the profile, then signs all; None: that identity signs.
        region: For questions without a Region; None for the SDK's own choice.
        endpoint_url: S3's endpoint, and that of STS and S3 Control too if it is loopback (see
            `endpoints`); None for AWS's, or what AWS_ENDPOINT_URL_S3 and its like say.
        concurrency: Requests in flight; the pool holds as many connections and a reserve.
        connect_timeout_s: S3's front ends accept in milliseconds; 10 s covers a lost SYN or two.
        read_timeout_s: Silence allowed on a connection. CopyObject and CompleteMultipartUpload may
            stay open for minutes before they answer (S3 API: CopyObject): 600 s is 5 GB at 8 MB/s.
            Hosts that are gone are noticed sooner by keep-alive probes, and reads have the
            shorter limit of `calls.READ_TIMEOUT_S` over the whole request.
    """

    profile: str | None = None
    role: AssumedRole | None = None
    region: str | None = None
    endpoint_url: str | None = None
    concurrency: int = 128
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 600.0


class AwsSession:
    """An identity's clients. Use as an async context manager; leaving it closes every client.

    Raises:
        CredentialsError: The profile does not exist.
        UsageError: The endpoint is plain http and not loopback.
    """

    def __init__(self, connection: Connection) -> None:
        if connection.endpoint_url is not None:
            refuse_unsafe_endpoint(connection.endpoint_url)
        self._connection = connection
        self._renewal = asyncio.Lock()
        self._clients = _Clients(connection, generation=1)
        self._companions = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._companions.aclose()
        await self._clients.retire()

    @property
    def connection(self) -> Connection:
        """How this identity connects."""
        return self._connection

    @property
    def region(self) -> str:
        """The Region for questions without one."""
        return self._clients.region

    def on_leaving(self, close: Callable[[], Awaitable[None]]) -> None:
        """Have something closed with the session that lives as long, such as a transport."""
        self._companions.push_async_callback(close)

    async def credentials(self) -> ReadOnlyCredentials:
        """Return what signs now; the SDK renews before it expires, and may sign in for it.

        Raises:
            BotoCoreError: The chain has none, or a part of it failed.
        """
        return await self._clients.credentials()

    @property
    def generation(self) -> int:
        """Grows by one with each renewal of the credentials."""
        return self._clients.generation

    @asynccontextmanager
    async def lease(self, service: str, region: str) -> AsyncIterator[AioBaseClient]:
        """Lend the client of a service in a Region; it stays open while it is lent."""
        async with self._clients.lease(service, region) as client:
            yield client

    async def renew(self, generation: int) -> bool:
        """Resolve the credentials anew after ExpiredToken under `generation`.

        Returns whether there are other credentials now, so that asking again makes sense. Many
        calls fail at once when a token expires; the first of them renews for all.
        """
        async with self._renewal:
            if self.generation != generation:
                return True
            fresh = _Clients(self._connection, generation=generation + 1)
            if await fresh.access_key() == await self._clients.access_key():
                await fresh.retire()
                return False
            stale, self._clients = self._clients, fresh
        await stale.retire()
        return True


class _Clients:
    """The clients made from one resolution of the credentials, by service and Region."""

    def __init__(self, connection: Connection, *, generation: int) -> None:
        self.generation = generation
        self._connection = connection
        self._base: _Clients | None = None
        self._session = _sdk_session(connection)
        if connection.role is not None:
            # The identity that assumes: its clients are of its own, and ask STS for the role's.
            self._base = _Clients(replace(connection, role=None), generation=generation)
            self._session = _sdk_session(connection, assume=self._assume)
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._open: dict[tuple[str, str], AioBaseClient] = {}
        self._was_local = False  # the last one's endpoint; the next one is likely found there, too
        self._lent = 0
        self._is_retired = False

    @property
    def region(self) -> str:
        return self._session.region_name or FALLBACK_REGION

    async def credentials(self) -> ReadOnlyCredentials:
        with told_as_credentials():
            credentials = await self._session.get_credentials()
            if credentials is None:
                raise NoCredentialsError
            frozen: ReadOnlyCredentials = await credentials.get_frozen_credentials()
        if not _SENDABLE.fullmatch(f"{frozen.access_key}{frozen.token or ''}"):
            raise CredentialRetrievalError(
                provider=str(credentials.method),
                error_msg="an access key or token with characters that no header carries",
            )
        return frozen

    async def _assume(self) -> dict[str, str]:
        assert self._base is not None, "only a role's clients assume it"
        assert self._connection.role is not None, "as above"
        try:
            async with self._base.lease("sts", self._base.region) as sts:
                assume = getattr(sts, xform_name("AssumeRole"))
                parameters = assume_role_parameters(self._connection.role)
                return session_credentials(await assume(**parameters))
        except (ClientError, BotoCoreError, aiohttp.ClientError, OSError) as error:
            raise AssumeRoleError from error
        except (KeyError, TypeError) as error:
            raise AssumeRoleError from ReplyError(f"AssumeRole: {error!r}")

    async def access_key(self) -> tuple[str | None, str | None] | None:
        """Return what tells one set of credentials from the next, without keeping the secret."""
        try:
            frozen = await self.credentials()
        except NoCredentialsError:
            return None
        return (frozen.access_key, frozen.token)

    @asynccontextmanager
    async def lease(self, service: str, region: str) -> AsyncIterator[AioBaseClient]:
        self._lent += 1
        try:
            yield self._open.get((service, region)) or await self._client(service, region)
        finally:
            self._lent -= 1
            if self._is_retired and self._lent == 0:
                await self._stack.aclose()

    async def retire(self) -> None:
        """Close the clients now, or when the last lease is given back."""
        self._is_retired = True
        if self._base is not None:
            await self._base.retire()
        if self._lent == 0:
            await self._stack.aclose()

    async def _client(self, service: str, region: str) -> AioBaseClient:
        async with self._opening:
            if (service, region) not in self._open:
                url = _endpoint(self._connection, service)
                is_local = self._was_local if url is None else is_loopback(url)
                client = await self._opened(service, region, is_local=is_local)
                # The environment or a profile may name an endpoint, which only the client knows.
                self._was_local = is_loopback(client.meta.endpoint_url)
                if self._was_local != is_local:
                    client = await self._opened(service, region, is_local=self._was_local)
                self._open[service, region] = client
            return self._open[service, region]

    async def _opened(self, service: str, region: str, *, is_local: bool) -> AioBaseClient:
        url, is_labelled = _endpoint(self._connection, service), service == "s3control" and is_local
        client: AioBaseClient = await self._stack.enter_async_context(
            self._session.client(
                service,
                region_name=region,
                endpoint_url=nameable(url) if url and is_labelled else url,
                config=_config(self._connection, is_local=is_local),
            )
        )
        if service == "s3":
            _adjust_s3(client)
        if is_labelled:
            drop = partial(_drop_account_label, url or "")
            client.meta.events.register("before-call.s3-control", drop)
        return client


_OWN_ENDPOINT: Final = {
    "sts": "AWS_ENDPOINT_URL_STS",
    "s3control": "AWS_ENDPOINT_URL_S3_CONTROL",
    "iam": "AWS_ENDPOINT_URL_IAM",
    "kms": "AWS_ENDPOINT_URL_KMS",
    "sns": "AWS_ENDPOINT_URL_SNS",
    "sqs": "AWS_ENDPOINT_URL_SQS",
    "lambda": "AWS_ENDPOINT_URL_LAMBDA",
    "cloudwatch": "AWS_ENDPOINT_URL_CLOUDWATCH",
}
"""The variables by which the SDK is told a service's own endpoint, beside S3's."""


def _endpoint(connection: Connection, service: str) -> str | None:
    if service == "s3" or connection.endpoint_url is None:
        return connection.endpoint_url
    own = os.environ.get(_OWN_ENDPOINT[service], "")
    return companion_endpoint(connection.endpoint_url, own=own)


def _sdk_session(
    connection: Connection, *, assume: Callable[[], Awaitable[dict[str, str]]] | None = None
) -> aioboto3.Session:
    core = GuardedSession()
    if assume is not None:
        core.register_component("credential_provider", resolver(assume))
    try:
        session = aioboto3.Session(
            botocore_session=core, profile_name=connection.profile, region_name=connection.region
        )
        # The files are read at the first question; this one is asked of every session anyway.
        _ = session.region_name
    except (ConfigParseError, ConfigNotFound) as error:
        hint = "see AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE (default: ~/.aws)"
        raise CredentialsError(str(error), hint=hint) from error
    except ProfileNotFound as error:
        hint = "list the profiles of this machine with: aws configure list-profiles"
        raise CredentialsError(str(error), hint=hint) from error
    return session


def _config(connection: Connection, *, is_local: bool) -> AioConfig:
    return AioConfig(
        http_session_cls=OneRequestSession,
        connect_timeout=connection.connect_timeout_s,
        read_timeout=connection.read_timeout_s,
        max_pool_connections=connection.concurrency + POOL_RESERVE,
        # The one retry policy is ours: a second one below it would multiply.
        retries={"total_max_attempts": 1, "mode": "standard"},
        # Copies carry no body, and what we read is checked by what verify compares.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        user_agent_extra=f"s3-backfill/{backfill.__version__}",
        # What is on this machine is not behind a proxy, whatever HTTP_PROXY says; None: as it says.
        proxies={} if is_local else None,
        s3={
            # The SDK addresses IP endpoints by path, but would put the bucket before `localhost`,
            # which resolves on some machines only.
            "addressing_style": "path" if is_local else "auto",
            # The global endpoint of us-east-1 answers for other Regions by redirects.
            "us_east_1_regional_endpoint": "regional",
        },
    )


def _drop_account_label(endpoint: str, params: MutableMapping[str, object], **_: object) -> None:
    """Ask a loopback endpoint under its own name, before the request is signed for a host."""
    headers, url = params.get("headers"), params.get("url")
    assert isinstance(headers, Mapping), "botocore has built the headers by now"
    assert isinstance(url, str), "botocore has resolved the endpoint by now"
    plain = without_account_label(url, str(headers["x-amz-account-id"]))
    params["url"] = as_asked(plain, endpoint)


def _adjust_s3(client: AioBaseClient) -> None:
    """Register what we need from the SDK's events, and turn its own second requests off."""
    events = client.meta.events
    events.register_last("before-parameter-build.s3", _stay_in_region)
    events.register_first("before-parse.s3.ListObjectVersions", versions_page.keep_raw_page)
    for operation in raw_documents.READINGS:
        events.register_first(f"before-parse.s3.{operation}", raw_documents.keep_raw_document)
    for operation in ECHOING:
        # A name with a wildcard is called before those without: botocore's own first handler there
        # makes a 500 of a 200 that it cannot parse.
        events.register_first(f"before-parse.*.{operation}", cut_echo)
    events.register("before-parameter-build.s3.CreateMultipartUpload", _take_expires)
    events.register("before-call.s3.CreateMultipartUpload", _give_expires)


def _stay_in_region(context: MutableMapping[str, object], **_: object) -> None:
    """Tell S3RegionRedirectorv2 that it has redirected already: it would send a write again."""
    redirect = context.get("s3_redirect")
    assert isinstance(redirect, dict), "botocore annotates every S3 request"
    redirect["redirected"] = True


def _take_expires(
    params: MutableMapping[str, object], context: MutableMapping[str, object], **_: object
) -> None:
    """Set `Expires` aside: the SDK wants a date, S3 keeps whatever header it was given."""
    if (expires := params.pop("Expires", None)) is not None:
        context["backfill_expires"] = expires


def _give_expires(
    params: Mapping[str, MutableMapping[str, object]], context: Mapping[str, object], **_: object
) -> None:
    """Put `Expires` back as the header it was, before the request is signed."""
    if (expires := context.get("backfill_expires")) is not None:
        params["headers"]["Expires"] = expires
