"""moto's opinion of the same calls: where it does otherwise is declared, and held to strictly.

The sandbox's services are own code: moto's backends are one set a process, go by the wall clock and
take much that AWS refuses. Here both are asked the same, as servers.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any, TypeAlias

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from backfill.sandbox.service import Sandbox
from tests.unit.sandbox.services.acts import TRUSTS_S3, Client, allow, policy

READ = policy(allow("s3:GetObject"))
NO_MATCH = "MalformedPolicyDocument"
Ask: TypeAlias = Callable[[dict[str, Client]], object]


def _role(c: dict[str, Client], name: str = "here", trust: str = TRUSTS_S3) -> Any:
    return c["iam"].create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]


def _inline(c: dict[str, Client], document: str = READ) -> None:
    _role(c)
    c["iam"].put_role_policy(RoleName="here", PolicyName="p", PolicyDocument=document)


def _delete_with_inline(c: dict[str, Client]) -> None:
    _inline(c)
    c["iam"].delete_role(RoleName="here")


def _role_twice(c: dict[str, Client]) -> None:
    _role(c)
    _role(c)


def _read_back(c: dict[str, Client]) -> object:
    _inline(c)
    return c["iam"].get_role_policy(RoleName="here", PolicyName="p")["PolicyDocument"]


def _attached(c: dict[str, Client]) -> object:
    _role(c)
    arn = c["iam"].create_policy(PolicyName="m", PolicyDocument=READ)["Policy"]["Arn"]
    c["iam"].attach_role_policy(RoleName="here", PolicyArn=arn)
    c["iam"].delete_policy(PolicyArn=arn)
    return "deleted"


def _key(c: dict[str, Client]) -> str:
    return str(c["kms"].create_key()["KeyMetadata"]["KeyId"])


def _disabled(c: dict[str, Client]) -> object:
    key = _key(c)
    c["kms"].disable_key(KeyId=key)
    return c["kms"].describe_key(KeyId=key)["KeyMetadata"]["KeyState"]


def _pending(c: dict[str, Client]) -> object:
    key = _key(c)
    c["kms"].schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    c["kms"].enable_key(KeyId=key)
    return "enabled"


def _cancelled(c: dict[str, Client]) -> object:
    key = _key(c)
    c["kms"].schedule_key_deletion(KeyId=key)
    c["kms"].cancel_key_deletion(KeyId=key)
    return c["kms"].describe_key(KeyId=key)["KeyMetadata"]["KeyState"]


def _locked_out(c: dict[str, Client]) -> object:
    nobody = policy(allow("kms:*", Principal={"AWS": "222222222222"}))
    c["kms"].put_key_policy(KeyId=_key(c), PolicyName="default", Policy=nobody)
    return "locked out"


def _same_alias(c: dict[str, Client]) -> object:
    key = _key(c)
    c["kms"].create_alias(AliasName="alias/a", TargetKeyId=key)
    c["kms"].create_alias(AliasName="alias/a", TargetKeyId=key)
    return "twice"


def _queue(c: dict[str, Client]) -> str:
    return str(c["sqs"].create_queue(QueueName="q")["QueueUrl"])


def _received(c: dict[str, Client]) -> object:
    url = _queue(c)
    c["sqs"].send_message(QueueUrl=url, MessageBody="x")
    first = c["sqs"].receive_message(QueueUrl=url)["Messages"][0]["Body"]
    return [first, c["sqs"].receive_message(QueueUrl=url).get("Messages")]


def _bad_queue_policy(c: dict[str, Client]) -> object:
    c["sqs"].set_queue_attributes(QueueUrl=_queue(c), Attributes={"Policy": "{"})
    return "taken"


def _topic(c: dict[str, Client]) -> str:
    return str(c["sns"].create_topic(Name="t")["TopicArn"])


def _wrapped(c: dict[str, Client]) -> object:
    url, topic = _queue(c), _topic(c)
    names = ["QueueArn"]
    got = c["sqs"].get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    opens = policy(
        allow("sqs:SendMessage", got["QueueArn"], Principal={"Service": "sns.amazonaws.com"})
    )
    c["sqs"].set_queue_attributes(QueueUrl=url, Attributes={"Policy": opens})
    c["sns"].subscribe(TopicArn=topic, Protocol="sqs", Endpoint=got["QueueArn"])
    c["sns"].publish(TopicArn=topic, Message="hello")
    body = c["sqs"].receive_message(QueueUrl=url)["Messages"][0]["Body"]
    return [json.loads(body)[name] for name in ("Type", "Message")]


CASES: dict[str, tuple[Ask, object]] = {
    "a role made twice": (_role_twice, "EntityAlreadyExists"),
    "a role that is not there": (lambda c: c["iam"].get_role(RoleName="x"), "NoSuchEntity"),
    "trust that is no JSON": (lambda c: _role(c, trust="x"), NO_MATCH),
    "trust without a principal": (lambda c: _role(c, trust=READ), NO_MATCH),
    "a policy with a principal": (lambda c: _inline(c, TRUSTS_S3), NO_MATCH),
    "a policy without a vendor": (lambda c: _inline(c, policy(allow("Get"))), NO_MATCH),
    "a resource that is no ARN": (lambda c: _inline(c, policy(allow("s3:*", "b"))), NO_MATCH),
    "a statement ID with a space": (
        lambda c: _inline(c, policy(allow("s3:*", Sid="a b"))),
        NO_MATCH,
    ),
    "a policy read back": (_read_back, json.loads(READ)),
    "a role with a policy deleted": (_delete_with_inline, "DeleteConflict"),
    "an attached policy deleted": (_attached, "DeleteConflict"),
    "a key that is not there": (
        lambda c: c["kms"].describe_key(KeyId="12345678-1234-1234-1234-123456789012"),
        "NotFoundException",
    ),
    "a key disabled": (_disabled, "Disabled"),
    "a key enabled while it waits": (_pending, "KMSInvalidStateException"),
    "a deletion cancelled": (_cancelled, "Disabled"),
    "a key policy that locks out": (_locked_out, "MalformedPolicyDocumentException"),
    "an alias made twice": (_same_alias, "AlreadyExistsException"),
    "a queue that is not there": (
        lambda c: c["sqs"].get_queue_url(QueueName="x"),
        "AWS.SimpleQueueService.NonExistentQueue",
    ),
    "a message that was received": (_received, ["x", None]),
    "a queue policy that is no JSON": (_bad_queue_policy, "InvalidAttributeValue"),
    "a topic that is not there": (
        lambda c: c["sns"].get_topic_attributes(TopicArn=_topic(c) + "x"),
        "NotFound",
    ),
    "a topic's message in a queue": (_wrapped, ["Notification", "hello"]),
    "a function without a policy": (
        lambda c: c["lambda"].get_policy(FunctionName="x"),
        "ResourceNotFoundException",
    ),
}
"""What is asked, and AWS's answer: an error code, or a value."""
MOTO_DIFFERS = {
    "trust that is no JSON": "keeps any text as a trust policy",
    "trust without a principal": "keeps any text as a trust policy",
    "a statement ID with a space": "takes any statement ID",
    "an attached policy deleted": "deletes what roles still have",
    "a key enabled while it waits": "enables keys that wait for their deletion",
    "a key policy that locks out": "has no lockout check",
    "a queue policy that is no JSON": "answers 500",
}


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def answered(settings: dict[str, Any], case: str) -> object:
    """What a fresh world says."""
    config = Config(retries={"total_max_attempts": 1})
    names = ("iam", "kms", "sqs", "sns", "lambda")
    made = {name: boto3.client(name, config=config, **settings) for name in names}
    try:
        return CASES[case][0](made)
    except ClientError as error:
        return error.response["Error"]["Code"]
    finally:
        for client in made.values():
            client.close()


@pytest.mark.parametrize("case", CASES)
def test_the_sandbox_answers_as_aws_does(case: str) -> None:
    """If this fails, setup is proven against something that AWS does not do."""
    with Sandbox() as sandbox:
        assert answered(dict(sandbox.client_settings("source")), case) == CASES[case][1]


@pytest.mark.parametrize("case", CASES)
def test_moto_agrees_but_where_it_is_known_to_differ(moto_url: str, case: str) -> None:
    """If this fails, a second reader of AWS's documentation sees it otherwise than we do."""
    settings = {
        "endpoint_url": moto_url,
        "region_name": "us-east-1",
        "aws_access_key_id": "moto",
        "aws_secret_access_key": "moto",
    }
    with closing(HTTPConnection(moto_url.removeprefix("http://"))) as connection:
        connection.request("POST", "/moto-api/reset")
        assert connection.getresponse().status == 200
    agrees = answered(settings, case) == CASES[case][1]
    assert agrees is (case not in MOTO_DIFFERS)
