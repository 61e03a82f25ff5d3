"""An account's control plane as one identity changes it: the port AccountWriter on the SDK.

Never sends a write twice, and never decides what stands in a document: setup does.
Law: a put replaces a whole document, so that it is given whole.
"""

import json
from collections.abc import Mapping
from typing import Final

from backfill.aws import bucket_documents
from backfill.aws.account_calls import (
    iam_call,
    mapping_of,
    nothing,
    queue_url,
    queue_url_call,
    region_of,
    text_of,
)
from backfill.aws.accounts_reading import AwsAccountReader
from backfill.aws.calls import READ_TIMEOUT_S, Call
from backfill.errors import RefusedError
from backfill.model.accounts import BucketDocument, EventDestinationKind, event_destination_kind
from backfill.model.places import BucketPlace

Policy = Mapping[str, object]

_CLASSIC_REGION: Final = "us-east-1"
"""The one Region that must not be named as a location (S3 API: CreateBucket)."""


class AwsAccountWriter(AwsAccountReader):
    """AccountWriter over the calls of one identity."""

    async def create_bucket(self, place: BucketPlace, *, has_object_lock: bool) -> None:
        """Create a bucket in its Region, for manifests and reports."""
        parameters: dict[str, object] = {
            "Bucket": place.bucket,
            # AWS's default since 2023, said aloud for stores of another opinion.
            "ObjectOwnership": "BucketOwnerEnforced",
        }
        if place.region != _CLASSIC_REGION:
            parameters["CreateBucketConfiguration"] = {"LocationConstraint": place.region}
        if has_object_lock:
            parameters["ObjectLockEnabledForBucket"] = True
        await self._write(Call("CreateBucket", place.region, parameters, limit_s=READ_TIMEOUT_S))

    async def put_bucket_document(
        self, place: BucketPlace, document: BucketDocument, fields: Mapping[str, object]
    ) -> None:
        """Put one configuration of a bucket, in the SDK's shape; a policy as its JSON."""
        await self._write(bucket_documents.writing(place, document, fields))

    async def delete_bucket_document(self, place: BucketPlace, document: BucketDocument) -> None:
        """Take a configuration away: only for one that holds nothing of others."""
        await self._write(bucket_documents.deleting(place, document))

    async def create_role(
        self, name: str, *, path: str, trust: str, description: str, tags: Mapping[str, str]
    ) -> str:
        """Create a role and return its ARN; code EntityAlreadyExists where it is there."""
        parameters: dict[str, object] = {
            "RoleName": name,
            "Path": path,
            "AssumeRolePolicyDocument": trust,
            "Description": description,
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        }
        call = iam_call("CreateRole", self._calls.region, parameters)
        return await self._calls.send(call, lambda reply: text_of(mapping_of(reply, "Role"), "Arn"))

    async def put_role_trust(self, name: str, trust: str) -> None:
        """Replace a role's trust policy."""
        await self._write(self._iam("UpdateAssumeRolePolicy", RoleName=name, PolicyDocument=trust))

    async def put_role_policy(self, name: str, policy_name: str, policy: str) -> None:
        """Put one inline policy of a role."""
        await self._write(
            self._iam("PutRolePolicy", RoleName=name, PolicyName=policy_name, PolicyDocument=policy)
        )

    async def delete_role_policy(self, name: str, policy_name: str) -> None:
        """Delete one inline policy of a role."""
        await self._write(self._iam("DeleteRolePolicy", RoleName=name, PolicyName=policy_name))

    async def delete_role(self, name: str) -> None:
        """Delete a role without policies; code DeleteConflict where it has some."""
        await self._write(self._iam("DeleteRole", RoleName=name))

    async def put_key_policy(self, arn: str, policy: str) -> None:
        """Replace a key policy; KMS refuses one that locks the account out."""
        await self._write(self._kms("PutKeyPolicy", arn, PolicyName="default", Policy=policy))

    async def create_queue(self, arn: str, *, retention_s: int, tags: Mapping[str, str]) -> None:
        """Create a standard queue; code QueueAlreadyExists where one with another retention is."""
        parameters: dict[str, object] = {
            "QueueName": arn.rpartition(":")[2],
            "Attributes": {"MessageRetentionPeriod": str(retention_s)},
            "tags": dict(tags),
        }
        await self._write(Call("CreateQueue", region_of(arn, ""), parameters, service="sqs"))

    async def put_event_destination_policy(
        self, arn: str, policy: Policy | None, *, before: Policy | None
    ) -> None:
        """Put the policy of a queue or topic, or what differs in a function's."""
        region = region_of(arn, "")
        text = "" if policy is None else json.dumps(policy)
        match event_destination_kind(arn):
            case EventDestinationKind.QUEUE:
                url = await self._ask(queue_url_call(arn), queue_url)
                parameters = {"QueueUrl": url, "Attributes": {"Policy": text}}
                await self._write(Call("SetQueueAttributes", region, parameters, service="sqs"))
            case EventDestinationKind.TOPIC:
                assert policy is not None, "a topic always has a policy (SNS API: CreateTopic)"
                parameters = {
                    "TopicArn": arn,
                    "AttributeName": "Policy",
                    "AttributeValue": text,
                }
                await self._write(Call("SetTopicAttributes", region, parameters, service="sns"))
            case EventDestinationKind.FUNCTION:
                for call in function_policy_calls(arn, policy or {}, before=before or {}):
                    await self._write(call)

    async def _write(self, call: Call) -> None:
        await self._calls.send(call, nothing)


def function_policy_calls(arn: str, policy: Policy, *, before: Policy) -> tuple[Call, ...]:
    """Return the calls that turn a function's policy from `before` into `policy`.

    Raises:
        RefusedError: A new statement says what Lambda's AddPermission cannot.
    """
    old, new = _statements(before), _statements(policy)
    changed = [sid for sid, statement in new.items() if old.get(sid) != statement]
    added = [permission(arn, sid, new[sid]) for sid in changed]
    gone = [sid for sid in old if sid not in new or sid in changed]
    region = region_of(arn, "")
    return (
        *(
            Call(
                operation="RemovePermission",
                region=region,
                parameters={"FunctionName": arn, "StatementId": sid},
                service="lambda",
            )
            for sid in gone
        ),
        *(Call("AddPermission", region, parameters, service="lambda") for parameters in added),
    )


def permission(arn: str, sid: str, statement: Policy) -> dict[str, object]:
    """Return the parameters of AddPermission that make a statement.

    Raises:
        RefusedError: It says more than one action for one service, its account and its ARN.
    """
    principal, action = statement.get("Principal"), statement.get("Action")
    condition = statement.get("Condition", {})
    assert isinstance(condition, Mapping), "a condition is an object"
    parameters: dict[str, object] = {
        "FunctionName": arn,
        "StatementId": sid,
        "Action": action,
        "Principal": principal.get("Service") if isinstance(principal, Mapping) else principal,
    }
    for (operator, key), name in _CONDITIONS.items():
        values = condition.get(operator, {})
        assert isinstance(values, Mapping), "an operator holds its keys"
        parameters.update((name, value) for said, value in values.items() if said.lower() == key)
    is_plain = all(isinstance(value, str) for value in parameters.values())
    made = _statement(arn, parameters)
    if not is_plain or made != {**statement, "Condition": _lowered(condition)}:
        raise RefusedError(
            f"Lambda cannot add the statement {sid!r} to {arn}",
            hint="AddPermission takes one action, one service, a source ARN and a source account",
        )
    return parameters


_CONDITIONS: Final = {
    ("ArnLike", "aws:sourcearn"): "SourceArn",
    ("StringEquals", "aws:sourceaccount"): "SourceAccount",
}
"""What Lambda makes of AddPermission's parameters (Lambda Developer Guide: permissions)."""


def _statement(arn: str, parameters: Mapping[str, object]) -> dict[str, object]:
    """Return the statement that AddPermission makes, its condition keys in lower case."""
    condition = {
        operator: {key: parameters[name]}
        for (operator, key), name in _CONDITIONS.items()
        if name in parameters
    }
    return {
        "Sid": parameters["StatementId"],
        "Effect": "Allow",
        "Principal": {"Service": parameters["Principal"]},
        "Action": parameters["Action"],
        "Resource": arn,
        "Condition": condition,
    }


def _lowered(condition: Policy) -> dict[str, object]:
    return {
        operator: {key.lower(): value for key, value in keys.items()}
        for operator, keys in condition.items()
        if isinstance(keys, Mapping)
    }


def _statements(policy: Policy) -> dict[str, Policy]:
    statements = policy.get("Statement", [])
    listed = statements if isinstance(statements, list) else [statements]
    return {
        str(item["Sid"]): item for item in listed if isinstance(item, Mapping) and "Sid" in item
    }
