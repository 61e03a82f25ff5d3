"""Words for the tests of the sandbox's services: clients, documents, refusals."""

import json
from collections.abc import Callable
from typing import Any, TypeAlias

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from backfill.sandbox.authorization.identities import Identity
from backfill.sandbox.service import Sandbox

A, B = "111111111111", "222222222222"
S3 = "s3.amazonaws.com"
Client: TypeAlias = Any
"""boto3 makes its clients' methods at run time."""

_CONFIG = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
_SESSION = boto3.session.Session()


class Desk:
    """A sandbox and the clients that talk to it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._clients: list[Client] = []

    def client(
        self, service: str, who: str | Identity = "source", region: str | None = None
    ) -> Client:
        """A client of a service, signed by a root or an identity."""
        settings: dict[str, Any] = dict(self.sandbox.client_settings(who))
        if region is not None:
            settings["region_name"] = region
        made = _SESSION.client(service, config=_CONFIG, **settings)
        self._clients.append(made)
        return made

    def user(self, name: str, *statements: dict[str, object], account: str = "source") -> Identity:
        """A user who may do what the statements say."""
        return self.sandbox.add_user(account, name, policy(*statements))

    def close(self) -> None:
        for client in self._clients:
            client.close()


def policy(*statements: dict[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(
    action: object, resource: object = "*", effect: str = "Allow", **parts: object
) -> dict[str, object]:
    return {"Effect": effect, "Action": action, "Resource": resource} | parts


def trust(principal: object, condition: object = None) -> str:
    statement: dict[str, object] = {
        "Effect": "Allow",
        "Principal": principal,
        "Action": "sts:AssumeRole",
    }
    return policy(statement | ({} if condition is None else {"Condition": condition}))


TRUSTS_S3 = trust({"Service": S3})


def refused(act: Callable[[], object]) -> tuple[str, int]:
    """The code and status with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        act()
    response: Any = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]
