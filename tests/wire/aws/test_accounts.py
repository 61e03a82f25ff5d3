"""Ports of an account: the double in memory and the adapters over the sandbox, case by case alike.

What a stage's tests find of the double must be what its users find of the SDK.
"""

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import boto3
import pytest
import pytest_asyncio

from backfill.aws.accounts_writing import AwsAccountWriter
from backfill.aws.calls import Calls
from backfill.aws.clock import SystemClock, SystemRandom
from backfill.aws.retry import ReadRetries
from backfill.aws.session import AwsSession, Connection
from backfill.aws.watching import AwsWatching
from backfill.errors import StoreFault
from backfill.model.accounts import BucketDocument, MetricQuery
from backfill.model.pauses import Pauses, RetryBudget
from backfill.model.places import BucketPlace
from backfill.ports.accounts import AccountWriter, Watching
from backfill.sandbox.service import Sandbox
from tests.doubles.accounts import Accounts
from tests.wire.aws.conftest import KeptEvents

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOURCE, DESTINATION = "111111111111", "222222222222"
_NUMBERS = count(1)


@dataclass
class Side:
    """One account by its ports, and how a test makes what the ports do not."""

    account_id: str
    region: str
    writer: AccountWriter
    watching: Watching
    make_key: Callable[[], str]
    make_queue: Callable[[str], str]
    make_topic: Callable[[str], str]
    make_function: Callable[[str], str]
    send: Callable[[str, str], None]

    def place(self, bucket: str) -> BucketPlace:
        return BucketPlace(
            bucket=bucket,
            region=self.region,
            expected_owner=self.account_id,
            owner_origin="test",
        )

    async def bucket(self, *, is_versioned: bool = True) -> BucketPlace:
        place = self.place(f"account-ports-{next(_NUMBERS)}")
        await self.writer.create_bucket(place, has_object_lock=False)
        if is_versioned:
            await self.put(place, BucketDocument.VERSIONING, {"Status": "Enabled"})
        return place

    async def put(
        self, place: BucketPlace, document: BucketDocument, fields: dict[str, object]
    ) -> None:
        await self.writer.put_bucket_document(place, document, fields)

    async def fields(self, place: BucketPlace, document: BucketDocument) -> object:
        found = await self.writer.bucket_document(place, document)
        assert found is None or not found.unmodelled
        return None if found is None else found.fields


@dataclass
class Pair:
    source: Side
    destination: Side
    kind: str = field(default="")


@pytest.fixture(scope="module")
def strict_sandbox() -> Iterator[Sandbox]:
    with Sandbox(has_strict_accounts=True) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["double", "sandbox"])
async def pair(
    request: pytest.FixtureRequest, strict_sandbox: Sandbox, identity: pytest.MonkeyPatch
) -> AsyncIterator[Pair]:
    if request.param == "double":
        world = Accounts()
        yield Pair(
            _double_side(world, SOURCE, "us-east-1"),
            _double_side(world, DESTINATION, "eu-west-1"),
            "double",
        )
        return
    async with AsyncExitStack() as stack:
        source = await _sandbox_side(stack, strict_sandbox, "source", SOURCE, identity)
        destination = await _sandbox_side(
            stack, strict_sandbox, "destination", DESTINATION, identity
        )
        yield Pair(source, destination, "sandbox")


def _double_side(world: Accounts, account_id: str, region: str) -> Side:
    account = world.account(account_id, region=region)

    def key() -> str:
        return world.add_key(f"arn:aws:kms:{region}:{account_id}:key/k{next(_NUMBERS)}").arn

    def thing(service: str) -> Callable[[str], str]:
        def make(name: str) -> str:
            arn = f"arn:aws:{service}:{region}:{account_id}:{name}"
            world.event_destinations[arn] = None
            return arn

        return make

    def send(arn: str, body: str) -> None:
        world.send(arn, body)

    def function(name: str) -> str:
        return thing("lambda")(f"function:{name}")

    return Side(
        account_id, region, account, account, key, thing("sqs"), thing("sns"), function, send
    )


async def _sandbox_side(
    stack: AsyncExitStack,
    sandbox: Sandbox,
    who: str,
    account_id: str,
    identity: pytest.MonkeyPatch,
) -> Side:
    settings: Any = sandbox.client_settings(who)
    region = settings["region_name"]
    with identity.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", settings["aws_access_key_id"])
        patch.setenv("AWS_SECRET_ACCESS_KEY", settings["aws_secret_access_key"])
        connection = Connection(endpoint_url=sandbox.endpoint_url, region=region)
        session = await stack.enter_async_context(AwsSession(connection))
        await session.credentials()  # found now, while the environment holds them
    calls = Calls(session, KeptEvents())
    retries = ReadRetries(
        attempts_max=2,
        pauses=Pauses(base_s=0.01, cap_s=0.02),
        budget=RetryBudget(ratio=1, floor=100),
        clock=SystemClock(),
        random=SystemRandom(),
        events=KeptEvents(),
    )
    services = ("kms", "sqs", "sns", "iam", "lambda")
    clients = {name: boto3.client(name, **settings) for name in services}
    for client in clients.values():
        stack.callback(client.close)

    def key() -> str:
        arn: str = clients["kms"].create_key()["KeyMetadata"]["Arn"]
        return arn

    def queue(name: str) -> str:
        clients["sqs"].create_queue(QueueName=name)
        return f"arn:aws:sqs:{region}:{account_id}:{name}"

    def topic(name: str) -> str:
        arn: str = clients["sns"].create_topic(Name=name)["TopicArn"]
        return arn

    def function(name: str) -> str:
        role_name = f"{name}-role"
        made = clients["iam"].create_role(
            RoleName=role_name, AssumeRolePolicyDocument=trust("lambda.amazonaws.com")
        )
        arn: str = clients["lambda"].create_function(
            FunctionName=name,
            Role=made["Role"]["Arn"],
            Code={"ZipFile": b"none"},
            Runtime="python3.12",
            Handler="none.none",
        )["FunctionArn"]
        return arn

    def send(arn: str, body: str) -> None:
        url = clients["sqs"].get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
        clients["sqs"].send_message(QueueUrl=url, MessageBody=body)

    return Side(
        account_id,
        region,
        AwsAccountWriter(calls, retries),
        AwsWatching(calls, retries),
        key,
        queue,
        topic,
        function,
        send,
    )


def policy(*statements: Mapping[str, object]) -> dict[str, object]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def trust(service: str = "s3.amazonaws.com") -> str:
    statement: dict[str, object] = {
        "Sid": "Trust",
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    return json.dumps(policy(statement))


async def role(side: Side, name: str) -> str:
    return await side.writer.create_role(
        name, path="/service-role/", trust=trust(), description="of a test", tags={"k": "v"}
    )


async def code(call: Any) -> str:
    with pytest.raises(StoreFault) as caught:
        await call
    return f"{caught.value.code} {caught.value.message}"


async def test_the_caller_is_told_with_its_account(pair: Pair) -> None:
    """If this fails, setup writes with an identity that nobody meant."""
    assert (await pair.source.writer.caller()).account_id == SOURCE
    assert (await pair.destination.writer.caller()).account_id == DESTINATION


async def test_a_bucket_is_there_once_it_is_made(pair: Pair) -> None:
    """If this fails, the report bucket is made again with each apply, or never."""
    place = pair.source.place(f"account-ports-{next(_NUMBERS)}")
    assert not await pair.source.writer.has_bucket(place)
    await pair.source.writer.create_bucket(place, has_object_lock=False)
    assert await pair.source.writer.has_bucket(place)
    assert "BucketAlreadyOwnedByYou" in await code(
        pair.destination.writer.create_bucket(
            pair.destination.place((await pair.destination.bucket()).bucket), has_object_lock=False
        )
    )


RULE: dict[str, object] = {
    "ID": "r",
    "Priority": 3,
    "Status": "Enabled",
    "Filter": {"And": {"Prefix": "a/", "Tags": [{"Key": "k", "Value": "v"}]}},
    "DeleteMarkerReplication": {"Status": "Disabled"},
}
DOCUMENTS: list[tuple[BucketDocument, dict[str, object]]] = [
    (BucketDocument.VERSIONING, {"Status": "Enabled"}),
    (BucketDocument.OWNERSHIP, {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}),
    (BucketDocument.OBJECT_LOCK, {"ObjectLockEnabled": "Enabled"}),
    (
        BucketDocument.LIFECYCLE,
        {
            "Rules": [
                {
                    "ID": "old",
                    "Status": "Enabled",
                    "Filter": {"Prefix": "tmp/"},
                    "Expiration": {"Days": 3},
                }
            ]
        },
    ),
]


@pytest.mark.parametrize(("document", "fields"), DOCUMENTS, ids=lambda value: str(value)[:12])
async def test_a_document_is_read_as_it_was_put(
    pair: Pair, document: BucketDocument, fields: dict[str, object]
) -> None:
    """If this fails, what setup reads is not what it would put back."""
    place = await pair.source.bucket()
    await pair.source.put(place, document, fields)
    found: Any = await pair.source.fields(place, document)
    found.pop("TransitionDefaultMinimumObjectSize", None)  # S3 says its default beside the rules
    assert found == fields


@pytest.mark.parametrize(
    "document",
    [
        BucketDocument.REPLICATION,
        BucketDocument.POLICY,
        BucketDocument.NOTIFICATION,
        BucketDocument.LIFECYCLE,
        BucketDocument.OBJECT_LOCK,
        BucketDocument.VERSIONING,
    ],
)
async def test_a_bucket_without_a_configuration_has_none(
    pair: Pair, document: BucketDocument
) -> None:
    """If this fails, a new bucket looks as if somebody had set it up."""
    place = await pair.source.bucket(is_versioned=False)
    assert await pair.source.fields(place, document) is None


async def test_rules_are_put_read_and_taken_away_whole(pair: Pair) -> None:
    """If this fails, a rule is lost or kept when another is written."""
    source, destination = await pair.source.bucket(), await pair.destination.bucket()
    arn = await role(pair.source, f"rules-{next(_NUMBERS)}")
    configuration: dict[str, object] = {
        "Role": arn,
        "Rules": [{**RULE, "Destination": {"Bucket": f"arn:aws:s3:::{destination.bucket}"}}],
    }
    await pair.source.put(source, BucketDocument.REPLICATION, configuration)
    assert await pair.source.fields(source, BucketDocument.REPLICATION) == configuration
    await pair.source.writer.delete_bucket_document(source, BucketDocument.REPLICATION)
    assert await pair.source.fields(source, BucketDocument.REPLICATION) is None


async def test_rules_between_buckets_without_versioning_are_refused(pair: Pair) -> None:
    """If this fails, setup's waiting for versioning is tried against a store that never refuses."""
    source = await pair.source.bucket(is_versioned=False)
    destination = await pair.destination.bucket()
    configuration: dict[str, object] = {
        "Role": await role(pair.source, f"early-{next(_NUMBERS)}"),
        "Rules": [{**RULE, "Destination": {"Bucket": f"arn:aws:s3:::{destination.bucket}"}}],
    }
    said = await code(pair.source.put(source, BucketDocument.REPLICATION, configuration))
    assert said.startswith("InvalidRequest")
    assert "versioning" in said.lower()


async def test_a_policy_that_names_a_role_not_there_is_refused_until_it_is(pair: Pair) -> None:
    """If this fails, setup's waiting for IAM is tried against a store that never refuses."""
    place = await pair.destination.bucket()
    name = f"replication-{next(_NUMBERS)}"
    arn = f"arn:aws:iam::{SOURCE}:role/service-role/{name}"
    statement = {
        "Sid": "Replicas",
        "Effect": "Allow",
        "Principal": {"AWS": arn},
        "Action": "s3:ReplicateObject",
        "Resource": f"arn:aws:s3:::{place.bucket}/*",
    }
    said = await code(pair.destination.put(place, BucketDocument.POLICY, policy(statement)))
    assert said.startswith("MalformedPolicy")
    assert "principal" in said.lower()
    assert await role(pair.source, name) == arn
    await pair.destination.put(place, BucketDocument.POLICY, policy(statement))
    assert await pair.destination.fields(place, BucketDocument.POLICY) == policy(statement)
    await pair.destination.writer.delete_bucket_document(place, BucketDocument.POLICY)
    assert await pair.destination.fields(place, BucketDocument.POLICY) is None


async def test_another_accounts_bucket_is_denied_by_its_expected_owner(pair: Pair) -> None:
    """If this fails, a bucket of the same name in other hands is set up."""
    place = await pair.destination.bucket()
    wrong = BucketPlace(
        bucket=place.bucket, region=place.region, expected_owner=SOURCE, owner_origin="test"
    )
    said = await code(pair.destination.writer.bucket_document(wrong, BucketDocument.VERSIONING))
    assert said.startswith("AccessDenied")


async def test_a_role_is_made_read_and_taken_away(pair: Pair) -> None:
    """If this fails, setup takes another's role for its own, or cannot take its own away."""
    writer, name = pair.source.writer, f"life-{next(_NUMBERS)}"
    assert await writer.role(name) is None
    arn = await role(pair.source, name)
    assert (await code(role(pair.source, name))).startswith("EntityAlreadyExists")
    text = json.dumps(policy({"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}))
    await writer.put_role_policy(name, "backfill.x.replicate", text)
    await writer.put_role_trust(name, trust("batchoperations.s3.amazonaws.com"))
    found = await writer.role(name)
    assert found is not None
    assert (found.arn, found.name, found.path) == (arn, name, "/service-role/")
    assert (dict(found.tags), dict(found.attached), found.boundary) == ({"k": "v"}, {}, None)
    assert json.loads(found.trust) == json.loads(trust("batchoperations.s3.amazonaws.com"))
    assert {key: json.loads(value) for key, value in found.inline.items()} == {
        "backfill.x.replicate": json.loads(text)
    }
    assert (await code(writer.delete_role(name))).startswith("DeleteConflict")
    await writer.delete_role_policy(name, "backfill.x.replicate")
    await writer.delete_role(name)
    assert await writer.role(name) is None


async def test_a_key_and_its_policy_are_read_and_written_by_its_own_account_only(
    pair: Pair,
) -> None:
    """If this fails, a key policy is taken for absent because another account owns it."""
    arn = pair.source.make_key()
    key = await pair.source.writer.kms_key(arn)
    assert key is not None
    assert (key.arn, key.account_id, key.region) == (arn, SOURCE, "us-east-1")
    assert (key.state, key.managed_by) == ("Enabled", "CUSTOMER")
    assert await pair.source.writer.kms_key(f"{arn[:-2]}zz") is None
    document = await pair.source.writer.key_policy(arn)
    statements: Any = document.fields["Statement"]
    more = {
        "Sid": "More",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{DESTINATION}:root"},
        "Action": "kms:Decrypt",
        "Resource": "*",
    }
    whole = {**document.fields, "Statement": [*statements, more]}
    await pair.source.writer.put_key_policy(arn, json.dumps(whole))
    assert (await pair.source.writer.key_policy(arn)).fields == whole
    locked = json.dumps(policy(more))
    assert (await code(pair.source.writer.put_key_policy(arn, locked))).startswith(
        "MalformedPolicyDocument"
    )
    assert (await code(pair.destination.writer.key_policy(arn))).startswith("AccessDenied")


async def test_a_notification_needs_a_queue_that_lets_s3_send(pair: Pair) -> None:
    """If this fails, the order in which setup writes is tried against a store that takes any."""
    place, writer = await pair.source.bucket(), pair.source.writer
    queue = pair.source.make_queue(f"events-{next(_NUMBERS)}")
    configuration: dict[str, object] = {
        "QueueConfigurations": [
            {"Id": "n", "QueueArn": queue, "Events": ["s3:Replication:OperationFailedReplication"]}
        ]
    }
    assert await writer.event_destination_policy(queue) is None
    said = await code(pair.source.put(place, BucketDocument.NOTIFICATION, configuration))
    assert said.startswith("InvalidArgument")
    assert "validate" in said
    sending: dict[str, object] = {
        "Sid": "Events",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{place.bucket}"}},
    }
    await writer.put_event_destination_policy(queue, policy(sending), before=None)
    found = await writer.event_destination_policy(queue)
    assert found is not None
    assert found.fields == policy(sending)
    await pair.source.put(place, BucketDocument.NOTIFICATION, configuration)
    assert await pair.source.fields(place, BucketDocument.NOTIFICATION) == configuration
    await writer.delete_bucket_document(place, BucketDocument.NOTIFICATION)
    assert await pair.source.fields(place, BucketDocument.NOTIFICATION) is None
    await writer.put_event_destination_policy(queue, None, before=policy(sending))
    assert await writer.event_destination_policy(queue) is None


async def test_a_queue_is_made_once_and_never_another_in_its_place(pair: Pair) -> None:
    """If this fails, setup run again is refused, or a queue of others changes by it."""
    writer = pair.source.writer
    arn = f"arn:aws:sqs:us-east-1:{SOURCE}:made-{next(_NUMBERS)}"
    tags = {"backfill:setup": "photos"}
    for _ in range(2):
        await writer.create_queue(arn, retention_s=1_209_600, tags=tags)
        assert await writer.event_destination_policy(arn) is None
    theirs = pair.source.make_queue(f"theirs-{next(_NUMBERS)}")
    said = await code(writer.create_queue(theirs, retention_s=1_209_600, tags=tags))
    assert said.startswith("QueueAlreadyExists")


@pytest.mark.parametrize("service", ["sqs", "sns", "lambda"])
async def test_what_gets_events_and_is_not_there_is_told_by_one_code(
    pair: Pair, service: str
) -> None:
    """If this fails, a slip in an ARN looks like a queue without a policy."""
    kind = "function:" if service == "lambda" else ""
    arn = f"arn:aws:{service}:us-east-1:{SOURCE}:{kind}nowhere"
    assert (await code(pair.source.writer.event_destination_policy(arn))).startswith("NotFound ")


async def test_a_topics_policy_is_replaced_whole(pair: Pair) -> None:
    """If this fails, a statement of others on a topic is lost, or ours is not there."""
    topic = pair.source.make_topic(f"events-{next(_NUMBERS)}")
    before = await pair.source.writer.event_destination_policy(topic)
    sending: dict[str, object] = {
        "Sid": "Events",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
    }
    fields = None if before is None else before.fields
    await pair.source.writer.put_event_destination_policy(topic, policy(sending), before=fields)
    found = await pair.source.writer.event_destination_policy(topic)
    assert found is not None
    assert found.fields == policy(sending)


async def test_only_our_statement_of_a_functions_policy_changes(pair: Pair) -> None:
    """If this fails, a permission that somebody added meanwhile is taken away."""
    arn, writer = pair.source.make_function(f"events-{next(_NUMBERS)}"), pair.source.writer
    assert await writer.event_destination_policy(arn) is None

    def sending(sid: str, bucket: str) -> dict[str, object]:
        return {
            "Sid": sid,
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "lambda:InvokeFunction",
            "Resource": arn,
            "Condition": {
                "ArnLike": {"AWS:SourceArn": f"arn:aws:s3:::{bucket}"},
                "StringEquals": {"AWS:SourceAccount": SOURCE},
            },
        }

    async def put(fields: dict[str, object], before: Mapping[str, object] | None) -> Any:
        await writer.put_event_destination_policy(arn, fields, before=before)
        found = await writer.event_destination_policy(arn)
        assert found is not None
        return found.fields

    await put(policy(sending("theirs", "a")), None)
    await put(policy(sending("ours", "b")), None)  # written by who did not see theirs
    found = await put(policy(sending("ours", "c")), policy(sending("ours", "b")))
    named = {each["Sid"]: each["Condition"]["ArnLike"] for each in found["Statement"]}
    assert {sid: list(source.values()) for sid, source in named.items()} == {
        "theirs": ["arn:aws:s3:::a"],
        "ours": ["arn:aws:s3:::c"],
    }


async def test_messages_come_until_they_are_deleted(pair: Pair) -> None:
    """If this fails, watch loses a failure, or counts it for ever."""
    queue = pair.source.make_queue(f"events-{next(_NUMBERS)}")
    assert not await pair.source.watching.receive(queue, wait_s=0)
    for number in range(3):
        pair.source.send(queue, f"body {number}")
    received = await pair.source.watching.receive(queue, wait_s=0)
    assert sorted(message.body for message in received) == [f"body {n}" for n in range(3)]
    await pair.source.watching.delete(queue, received)
    assert not await pair.source.watching.receive(queue, wait_s=0)


async def test_a_metric_without_values_has_none(pair: Pair) -> None:
    """If this fails, silence of CloudWatch is taken for a zero."""
    end = datetime.now(UTC)
    query = MetricQuery(
        region="us-east-1",
        name="OperationsFailedReplication",
        dimensions=(("SourceBucket", "nobody"),),
        statistic="Sum",
    )
    start = end - timedelta(hours=1)
    assert not await pair.source.watching.metric(query, start=start, end=end)
