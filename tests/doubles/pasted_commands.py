"""The AWS CLI as far as printed commands need it: a line is parsed and carried out with boto3.

    Shell(sandbox).paste("aws s3api put-bucket-policy --bucket b --policy '{...}'", "111111111111")

Options become members by botocore's own model of the operation, as the AWS CLI does it, so that a
command with an option or a shape that AWS does not have fails. Never knows what a command is for.
"""

import json
import shlex
from typing import Any

import boto3
from botocore.config import Config
from botocore.model import OperationModel

from backfill.sandbox.service import ACCOUNTS, Sandbox

_SERVICES = {"s3api": "s3"}
_SESSION = boto3.Session()


class Shell:
    """A shell of each account's owner on a sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._clients: dict[tuple[str, str, str], Any] = {}

    def paste(self, line: str, account_id: str) -> Any:
        """Carry out one line as an account's owner."""
        program, service, operation, *rest = shlex.split(line)
        assert program == "aws", line
        words = dict(_options(rest))
        region = words.pop("region", "")
        client = self._client(_SERVICES.get(service, service), account_id, region)
        name = next(
            name for name in client.meta.service_model.operation_names if _kebab(name) == operation
        )
        model = client.meta.service_model.operation_model(name)
        parameters = dict(_parameter(model, option, value) for option, value in words.items())
        method = next(m for m, n in client.meta.method_to_api_mapping.items() if n == name)
        return getattr(client, method)(**parameters)

    def close(self) -> None:
        """Close every client."""
        for client in self._clients.values():
            client.close()

    def _client(self, service: str, account_id: str, region: str) -> Any:
        who = next(name for name, each in ACCOUNTS.items() if each.account_id == account_id)
        if (service, who, region) not in self._clients:
            settings: Any = {**self._sandbox.client_settings(who)}
            if region:
                settings["region_name"] = region
            config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
            self._clients[service, who, region] = _SESSION.client(
                service, **settings, config=config
            )
        return self._clients[service, who, region]


def _options(words: list[str]) -> list[tuple[str, str]]:
    found = []
    while words:
        option = words.pop(0)
        assert option.startswith("--"), option
        has_value = bool(words) and not words[0].startswith("--")
        found.append((option.removeprefix("--"), words.pop(0) if has_value else ""))
    return found


def _kebab(name: str) -> str:
    spaced = "".join(f"-{c.lower()}" if c.isupper() else c for c in name)
    return spaced.removeprefix("-")


def _parameter(model: OperationModel, option: str, value: str) -> tuple[str, Any]:
    shape = model.input_shape
    assert shape is not None, model.name
    members = {_kebab(name).replace("-", ""): name for name in shape.members}
    name = members[option.replace("-", "")]
    kind = shape.members[name].type_name
    if kind == "boolean":
        assert not value, option
        return name, True
    return name, json.loads(value) if kind in {"structure", "map", "list"} else value
