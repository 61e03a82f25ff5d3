"""The SDK's session with a door that every client goes through, those of its own chain, too.

The chain of credentials makes clients by itself: of STS for roles and web identities, of IAM
Identity Center. Made as the SDK makes them, an empty AWS_CA_BUNDLE, or `ca_bundle =` in a profile,
turns their verification off, an AWS_ENDPOINT_URL_STS of plain http is obeyed, redirects followed.
Never makes a client by itself.
Law: whoever is asked, and by whomever: TLS is verified, plain http is for loopback.
"""

from typing import Any

from aiobotocore.client import AioBaseClient
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from backfill.aws.endpoints import refuse_unsafe_endpoint
from backfill.aws.http_session import OneRequestSession


class GuardedSession(AioSession):
    """aiobotocore's session; each of its clients verifies whom it talks to."""

    # Any: the SDK hands these over by keyword and they change between its versions.
    async def _create_client(self, service_name: str, **settings: Any) -> AioBaseClient:  # noqa: ANN401 - as said above
        """Make a client. Raises UsageError for plain http to another machine."""
        trusted = settings.get("verify") or self.get_config_variable("ca_bundle") or True
        settings |= {"verify": trusted, "config": _guarded(settings.get("config"))}
        client: AioBaseClient = await super()._create_client(service_name, **settings)  # type: ignore[misc] # missing in the stub
        refuse_unsafe_endpoint(client.meta.endpoint_url)
        return client


# Any: the stubs know neither the session's class nor what may be merged.
def _guarded(config: Any) -> Any:  # noqa: ANN401 - as said above
    """Return a client's configuration, with a session that follows and repeats nothing."""
    if getattr(config, "http_session_cls", None) is OneRequestSession:
        return config
    guarded: Any = AioConfig() if config is None else AioConfig().merge(config)
    guarded.http_session_cls = OneRequestSession  # merging drops it
    return guarded
