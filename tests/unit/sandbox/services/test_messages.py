"""SQS, SNS and Lambda over HTTP with boto3: targets of events, and who may publish to them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from tests.unit.sandbox.services.acts import S3, A, Client, Desk, allow, policy, refused, trust

BUCKET = "events-source"
BUCKET_ARN = f"arn:aws:s3:::{BUCKET}"
EVENT = json.dumps({"Records": [{"s3": {"bucket": {"name": BUCKET}}}]})
OWN = {"StringEquals": {"aws:SourceAccount": A}}
OTHER = {"StringEquals": {"aws:SourceAccount": "333333333333"}}
THIS = {"ArnLike": {"aws:SourceArn": "arn:aws:s3:*:*:events-*"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A queue and a topic, both empty, of the account that owns the bucket."""

    desk: Desk
    sqs: Client
    sns: Client
    queue_url: str
    queue: str
    topic: str

    def let_in(self, service: str = S3, condition: object = OWN) -> None:
        statement = allow(
            "sqs:SendMessage", self.queue, Principal={"Service": service}, Condition=condition
        )
        self.set_policy(policy(statement))

    def set_policy(self, document: str) -> None:
        self.sqs.set_queue_attributes(QueueUrl=self.queue_url, Attributes={"Policy": document})

    def deliver(self, arn: str) -> None:
        with self.desk.sandbox.held():
            self.desk.sandbox.services.deliver(arn, EVENT)

    def flaw(self, arn: str) -> str | None:
        with self.desk.sandbox.held():
            return self.desk.sandbox.services.delivery_flaw(arn, BUCKET)

    def received(self) -> list[str]:
        answer = self.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10)
        return [message["Body"] for message in answer.get("Messages", [])]


@pytest.fixture
def post(desk: Desk) -> Post:
    sqs, sns = desk.client("sqs"), desk.client("sns")
    desk.client("s3").create_bucket(Bucket=BUCKET)
    url = sqs.create_queue(QueueName="events")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    topic = sns.create_topic(Name="events")["TopicArn"]
    return Post(
        desk=desk, sqs=sqs, sns=sns, queue_url=url, queue=attributes["QueueArn"], topic=topic
    )


# --- queues ---


def test_queue_urls_lead_to_the_sandbox(post: Post) -> None:
    """If this fails, clients send the sandbox's events to AWS."""
    assert post.queue_url == f"{post.desk.sandbox.endpoint_url}/{A}/events"
    assert post.queue == f"arn:aws:sqs:us-east-1:{A}:events"
    assert post.sqs.get_queue_url(QueueName="events")["QueueUrl"] == post.queue_url


def test_a_message_comes_again_until_it_is_deleted(post: Post) -> None:
    """If this fails, watch loses an event that it did not finish with."""
    post.sqs.send_message(QueueUrl=post.queue_url, MessageBody="one")
    assert post.received() == ["one"]
    assert post.received() == []
    post.desk.sandbox.clock.offset = timedelta(seconds=31)
    answer = post.sqs.receive_message(
        QueueUrl=post.queue_url, MessageSystemAttributeNames=["ApproximateReceiveCount"]
    )
    (message,) = answer["Messages"]
    assert message["Attributes"] == {"ApproximateReceiveCount": "2"}
    entries = [{"Id": "a", "ReceiptHandle": message["ReceiptHandle"]}]
    post.sqs.delete_message_batch(QueueUrl=post.queue_url, Entries=entries)
    post.desk.sandbox.clock.offset = timedelta(minutes=10)
    assert post.received() == []


def test_batches_and_delays_are_kept(post: Post) -> None:
    """If this fails, a queue with a delay hands out too early."""
    entries = [
        {"Id": "now", "MessageBody": "now"},
        {"Id": "late", "MessageBody": "late", "DelaySeconds": 60},
    ]
    sent = post.sqs.send_message_batch(QueueUrl=post.queue_url, Entries=entries)["Successful"]
    assert [each["Id"] for each in sent] == ["now", "late"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"]
    counts = post.sqs.get_queue_attributes(QueueUrl=post.queue_url, AttributeNames=names)
    assert list(counts["Attributes"].values()) == ["1", "1"]
    assert post.received() == ["now"]
    post.desk.sandbox.clock.offset = timedelta(seconds=61)
    assert sorted(post.received()) == ["late", "now"]


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (
            lambda post: post.sqs.receive_message(QueueUrl=post.queue_url + "x"),
            "AWS.SimpleQueueService.NonExistentQueue",
        ),
        (
            lambda post: post.sqs.create_queue(QueueName="events.fifo"),
            "AWS.SimpleQueueService.UnsupportedOperation",
        ),
        (
            lambda post: post.sqs.create_queue(
                QueueName="events", Attributes={"VisibilityTimeout": "7"}
            ),
            "QueueAlreadyExists",
        ),
        (lambda post: post.set_policy("{"), "InvalidAttributeValue"),
        (
            lambda post: post.sqs.set_queue_attributes(
                QueueUrl=post.queue_url, Attributes={"VisibilityTimeout": "x"}
            ),
            "InvalidAttributeValue",
        ),
        (
            lambda post: post.sqs.send_message_batch(QueueUrl=post.queue_url, Entries=[]),
            "AWS.SimpleQueueService.EmptyBatchRequest",
        ),
    ],
)
def test_what_sqs_would_refuse_is_refused(
    post: Post, act: Callable[[Post], object], code: str
) -> None:
    """If this fails, setup makes a queue here that SQS does not make."""
    assert refused(lambda: act(post)) == (code, 400)


def test_a_queue_opens_to_other_accounts_by_its_policy_only(post: Post) -> None:
    """If this fails, watch reads a queue here that it may not read on AWS."""
    theirs = post.desk.client("sqs", "destination", "us-east-1")
    read = {"QueueUrl": post.queue_url}
    assert refused(lambda: theirs.receive_message(**read)) == ("AccessDenied", 403)
    statement = allow("sqs:ReceiveMessage", post.queue, Principal={"AWS": "222222222222"})
    post.set_policy(policy(statement))
    assert "Messages" not in theirs.receive_message(**read)
    assert refused(lambda: theirs.purge_queue(**read)) == ("AccessDenied", 403)
    post.set_policy("")
    assert refused(lambda: theirs.receive_message(**read)) == ("AccessDenied", 403)


# --- what S3 may deliver ---


@pytest.mark.parametrize(
    ("condition", "is_delivered"),
    [(OWN, True), (THIS, True), (OWN | THIS, True), (OTHER, False), (OWN | OTHER, False)],
)
def test_an_event_arrives_only_where_the_policy_lets_this_bucket_in(
    post: Post, condition: object, *, is_delivered: bool
) -> None:
    """If this fails, confused-deputy conditions in generated policies are never tried."""
    post.deliver(post.queue)
    assert post.received() == []
    post.let_in(condition=condition)
    assert (post.flaw(post.queue) is None) is is_delivered
    post.deliver(post.queue)
    assert post.received() == ([EVENT] if is_delivered else [])


def test_a_target_has_to_be_there_and_in_the_buckets_region(post: Post) -> None:
    """If this fails, a notification to nowhere is configured."""
    assert post.flaw(f"{post.queue}x") == "The destination queue does not exist"
    assert post.flaw(post.topic + "x") == "The destination topic does not exist"
    elsewhere = post.queue.replace("us-east-1", "eu-west-1")
    assert "region is not valid" in (post.flaw(elsewhere) or "")
    assert post.flaw("arn:aws:dynamodb:us-east-1:1:t") == "The ARN is not well formed"


def test_an_encrypted_queue_needs_a_key_that_lets_s3_in(post: Post) -> None:
    """If this fails, a queue under alias/aws/sqs looks fine and gets nothing on AWS."""
    post.let_in()
    kms = post.desk.client("kms")
    root = allow("kms:*", Principal={"AWS": A})
    key = kms.create_key(Policy=policy(root))["KeyMetadata"]["Arn"]
    for key_id in ("alias/aws/sqs", key):
        attributes = {"KmsMasterKeyId": key_id}
        post.sqs.set_queue_attributes(QueueUrl=post.queue_url, Attributes=attributes)
        assert "Permissions on the destination queue" in (post.flaw(post.queue) or "")
    for actions, is_enough in (
        (["kms:Decrypt"], False),
        (["kms:GenerateDataKey*", "kms:D*"], True),
    ):
        lets = allow(actions, Principal={"Service": S3})
        kms.put_key_policy(KeyId=key, Policy=policy(root, lets))
        assert (post.flaw(post.queue) is None) is is_enough


def test_a_topic_hands_s3s_events_to_queues_that_let_it_in(post: Post) -> None:
    """If this fails, notifications by SNS seem to work without the queue's consent."""
    post.sns.subscribe(TopicArn=post.topic, Protocol="sqs", Endpoint=post.queue)
    assert "Permissions on the destination topic" in (post.flaw(post.topic) or "")
    post.let_in("sns.amazonaws.com", {"ArnEquals": {"aws:SourceArn": post.topic}})
    post.deliver(post.topic)
    assert post.received() == []
    post.set_policy("")
    statement = allow("sns:Publish", post.topic, Principal={"Service": S3}, Condition=OWN)
    post.sns.set_topic_attributes(
        TopicArn=post.topic, AttributeName="Policy", AttributeValue=policy(statement)
    )
    post.deliver(post.topic)
    assert post.received() == []
    post.let_in("sns.amazonaws.com", {"ArnEquals": {"aws:SourceArn": post.topic}})
    post.deliver(post.topic)
    (body,) = post.received()
    assert json.loads(body)["Message"] == EVENT
    assert json.loads(body)["TopicArn"] == post.topic


def test_a_raw_subscription_hands_on_the_bare_message(post: Post) -> None:
    """If this fails, a raw subscription is read wrongly."""
    made = post.sns.subscribe(
        TopicArn=post.topic,
        Protocol="sqs",
        Endpoint=post.queue,
        Attributes={"RawMessageDelivery": "true"},
    )
    post.let_in("sns.amazonaws.com", {"ArnEquals": {"aws:SourceArn": post.topic}})
    post.sns.publish(TopicArn=post.topic, Message="hello")
    assert post.received() == ["hello"]
    (listed,) = post.sns.list_subscriptions_by_topic(TopicArn=post.topic)["Subscriptions"]
    assert listed["SubscriptionArn"] == made["SubscriptionArn"]
    post.sns.unsubscribe(SubscriptionArn=made["SubscriptionArn"])
    post.sns.publish(TopicArn=post.topic, Message="again")
    assert post.received() == []


def test_a_topic_is_for_its_own_account(post: Post) -> None:
    """If this fails, another account publishes where it may not."""
    theirs = post.desk.client("sns", "destination", "us-east-1")
    publish = {"TopicArn": post.topic, "Message": "x"}
    assert refused(lambda: theirs.publish(**publish)) == ("AuthorizationError", 403)
    gone = {"TopicArn": post.topic + "x"}
    assert refused(lambda: post.sns.get_topic_attributes(**gone)) == ("NotFound", 404)
    bad = {"TopicArn": post.topic, "AttributeName": "Policy", "AttributeValue": "{"}
    assert refused(lambda: post.sns.set_topic_attributes(**bad)) == ("InvalidParameter", 400)


# --- functions ---


def test_a_function_is_invoked_by_s3_only_with_its_permission(post: Post) -> None:
    """If this fails, a Lambda target is set up without the permission that S3 needs."""
    role = {"RoleName": "runs", "AssumeRolePolicyDocument": trust({"Service": S3})}
    arn = post.desk.client("iam").create_role(**role)["Role"]["Arn"]
    functions = post.desk.client("lambda")
    create = {
        "FunctionName": "told",
        "Role": arn,
        "Code": {"ZipFile": b"x"},
        "Handler": "m.f",
        "Runtime": "python3.12",
    }
    assert refused(lambda: functions.create_function(**create)) == (
        "InvalidParameterValueException",
        400,
    )
    post.desk.client("iam").update_assume_role_policy(
        RoleName="runs", PolicyDocument=trust({"Service": "lambda.amazonaws.com"})
    )
    function = functions.create_function(**create)["FunctionArn"]
    assert post.flaw(function) == f"Not authorized to invoke function [{function}]"
    policy_of = {"FunctionName": function}
    not_found = ("ResourceNotFoundException", 404)
    assert refused(lambda: functions.get_policy(**policy_of)) == not_found
    permission = policy_of | {
        "StatementId": "s3",
        "Action": "lambda:InvokeFunction",
        "Principal": S3,
        "SourceArn": BUCKET_ARN,
        "SourceAccount": A,
    }
    functions.add_permission(**permission)
    assert refused(lambda: functions.add_permission(**permission)) == (
        "ResourceConflictException",
        409,
    )
    assert post.flaw(function) is None
    post.deliver(function)
    with post.desk.sandbox.held():
        kept = post.desk.sandbox.services.functions.functions[function].invocations
        assert list(kept) == [EVENT]
    functions.remove_permission(FunctionName="told", StatementId="s3")
    assert post.flaw(function) is not None
    assert refused(lambda: functions.get_function(FunctionName="gone")) == not_found
