"""Credentials of a role that the SDK chain's own identity assumes, renewed before they expire.

Never stores them, never asks for a second factor, and never assumes a role at import or opening:
the first request that is signed does.
Law: a role that cannot be assumed is told as that, never as a denial of what was to be signed.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiobotocore.credentials import (
    AioCredentialResolver,
    AioDeferredRefreshableCredentials,
)
from botocore.credentials import CredentialProvider
from botocore.exceptions import BotoCoreError

DURATION_S: Final = 3600
"""STS's own default, the least that a role's MaxSessionDuration can be, and the most that it gives
to who is in a role already (STS API: AssumeRole). A run of hours renews; the SDK's renewal begins
15 minutes before the end, so that much less than this would renew all the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssumedRole:
    """A role to assume. `external_id` is what its trust policy asks for; empty for none."""

    arn: str
    session_name: str
    external_id: str = ""


class AssumeRoleError(BotoCoreError):
    """AssumeRole failed; its cause says how. Nothing else was sent."""

    fmt = "the role could not be assumed"


def assume_role_parameters(role: AssumedRole) -> dict[str, object]:
    """Return the parameters of AssumeRole."""
    parameters: dict[str, object] = {
        "RoleArn": role.arn,
        "RoleSessionName": role.session_name,
        "DurationSeconds": DURATION_S,
    }
    if role.external_id:
        parameters["ExternalId"] = role.external_id
    return parameters


def session_credentials(reply: Mapping[str, object]) -> dict[str, str]:
    """Return what the SDK's renewal takes, from the answer to AssumeRole.

    Raises:
        KeyError, TypeError: An answer without credentials.
    """
    found = reply["Credentials"]
    if not isinstance(found, Mapping):
        raise TypeError("AssumeRole without credentials")
    expiration = found["Expiration"]
    if not isinstance(expiration, datetime):
        raise TypeError("AssumeRole without an expiration")
    return {
        "access_key": str(found["AccessKeyId"]),
        "secret_key": str(found["SecretAccessKey"]),
        "token": str(found["SessionToken"]),
        "expiry_time": expiration.isoformat(),
    }


class _AssumeRoleProvider(CredentialProvider):
    """Gives the SDK credentials that are asked for when they are first needed."""

    METHOD = "assume-role"

    def __init__(self, assume: Callable[[], Awaitable[dict[str, str]]]) -> None:
        super().__init__()
        self._assume = assume

    async def load(self) -> AioDeferredRefreshableCredentials:
        return AioDeferredRefreshableCredentials(refresh_using=self._assume, method=self.METHOD)


def resolver(assume: Callable[[], Awaitable[dict[str, str]]]) -> AioCredentialResolver:
    """Return what stands in a session for the SDK's chain."""
    return AioCredentialResolver(providers=[_AssumeRoleProvider(assume)])
