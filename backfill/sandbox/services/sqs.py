"""SQS: queues, their policies and messages, in its JSON protocol.

Never carries message attributes, FIFO ordering or dead-letter queues: they are refused, not
ignored. One law: a queue's own policy counts in every call, as for S3's events.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import timedelta

from backfill.sandbox.authorization.policies import Policy, resource_policy
from backfill.sandbox.http.refusals import refused
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.services.calls import Call, Doorkeeper, JsonOperation
from backfill.sandbox.services.fields import Fields
from backfill.sandbox.services.kms_keys import KeyStore
from backfill.sandbox.services.publishing import (
    Publication,
    checked_document,
    is_let_in,
    may_use_key,
)
from backfill.sandbox.services.queues import DEFAULTS, Message, Queue

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_URL_PATH = re.compile(r".*/([0-9]{12})/([A-Za-z0-9_.-]{1,80})")
_BATCH_LIMIT = 10
_RANGES = {
    "VisibilityTimeout": (0, 43_200),
    "MessageRetentionPeriod": (60, 1_209_600),
    "DelaySeconds": (0, 900),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "MaximumMessageSize": (1024, 1_048_576),
}
_SETTABLE = {
    *_RANGES,
    "Policy",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
}
Answer = Mapping[str, object]


class Sqs:
    """The calls of SQS."""

    def __init__(
        self,
        doorkeeper: Doorkeeper,
        *,
        keys: KeyStore,
        missing_principal: Callable[[Policy], str | None],
        endpoint_url: Callable[[], str],
    ) -> None:
        self._doorkeeper = doorkeeper
        self._kms = keys
        self._missing_principal = missing_principal
        self._endpoint_url = endpoint_url
        self.queues: dict[str, Queue] = {}
        """By ARN."""

    @property
    def operations(self) -> Mapping[str, JsonOperation]:
        """By name."""
        return {
            "CreateQueue": self.create,
            "GetQueueUrl": self.url,
            "ListQueues": self.list_all,
            "DeleteQueue": self.delete,
            "PurgeQueue": self.purge,
            "GetQueueAttributes": self.get_attributes,
            "SetQueueAttributes": self.set_attributes,
            "TagQueue": self.tag,
            "ListQueueTags": self.list_tags,
            "SendMessage": self.send,
            "SendMessageBatch": self.send_batch,
            "ReceiveMessage": self.receive,
            "DeleteMessage": self.delete_message,
            "DeleteMessageBatch": self.delete_batch,
            "ChangeMessageVisibility": self.change_visibility,
        }

    # --- what other services ask ---

    def may_publish(self, queue: Queue, publication: Publication) -> bool:
        """Whether a service may send to the queue."""
        if not is_let_in(publication, "sqs:SendMessage", queue.arn, queue.policy):
            return False
        key_id = queue.setting("KmsMasterKeyId")
        region = queue.arn.split(":")[3]
        return not key_id or may_use_key(self._kms, publication, key_id, queue.account_id, region)

    # --- queues ---

    def create(self, call: Call) -> Answer:
        """CreateQueue; the same again changes nothing."""
        name = call.fields.required("QueueName")
        if name.endswith(".fifo"):
            raise _unsupported("FIFO queues are not carried by this sandbox")
        if _NAME.fullmatch(name) is None:
            raise _sqs_error(
                "InvalidParameterValue",
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in "
                "length",
            )
        arn = f"arn:aws:sqs:{call.region}:{call.account_id}:{name}"
        self._doorkeeper.require(call, "sqs:CreateQueue", arn)
        attributes = self._checked(call.fields.mapping("Attributes"))
        existing = self.queues.get(arn)
        if existing is None:
            tags = call.fields.mapping("tags")
            self.queues[arn] = Queue(
                arn=arn, created_at=call.now, changed_at=call.now, attributes=attributes, tags=tags
            )
        elif any(existing.setting(key) != value for key, value in attributes.items()):
            raise _sqs_error(
                "QueueAlreadyExists",
                "A queue already exists with the same name and a different value for an attribute",
            )
        return {"QueueUrl": self._url_of(arn)}

    def _checked(self, attributes: Mapping[str, str]) -> dict[str, str]:
        checked = {}
        for name, value in attributes.items():
            if name not in _SETTABLE:
                raise _sqs_error(
                    "InvalidAttributeName", f"Unknown Attribute {name} (or not carried here)."
                )
            least, most = _RANGES.get(name, (0, 0))
            if most and not (value.isdecimal() and least <= int(value) <= most):
                raise _sqs_error(
                    "InvalidAttributeValue", f"Invalid value for the parameter {name}."
                )
            if name == "Policy":
                code = "InvalidAttributeValue"
                checked_document(value, self._missing_principal, code=code)
            checked[name] = value
        return checked

    def _url_of(self, arn: str) -> str:
        account_id, name = arn.split(":")[4:6]
        return f"{self._endpoint_url()}/{account_id}/{name}"

    def _asked(self, call: Call, action: str | None = None) -> Queue:
        """The queue in question, for who may do this with it."""
        found = _URL_PATH.fullmatch(call.fields.required("QueueUrl"))
        if found is None:
            raise _sqs_error("InvalidAddress", "The address is not valid for this endpoint.")
        return self._allowed(call, f"arn:aws:sqs:{call.region}:{found[1]}:{found[2]}", action)

    def _allowed(self, call: Call, arn: str, action: str | None = None) -> Queue:
        queue = self.queues.get(arn)
        if queue is None:
            raise _sqs_error(
                "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist."
            )
        policy = None if queue.policy is None else resource_policy(queue.policy)
        self._doorkeeper.require(call, f"sqs:{action or call.operation}", arn, policy=policy)
        return queue

    def url(self, call: Call) -> Answer:
        """GetQueueUrl."""
        owner = call.fields.text("QueueOwnerAWSAccountId") or call.account_id
        name = call.fields.required("QueueName")
        queue = self._allowed(call, f"arn:aws:sqs:{call.region}:{owner}:{name}")
        return {"QueueUrl": self._url_of(queue.arn)}

    def list_all(self, call: Call) -> Answer:
        """ListQueues."""
        own = f"arn:aws:sqs:{call.region}:{call.account_id}:"
        self._doorkeeper.require(call, "sqs:ListQueues", f"{own}*")
        prefix = own + (call.fields.text("QueueNamePrefix") or "")
        urls = [self._url_of(arn) for arn in sorted(self.queues) if arn.startswith(prefix)]
        return {"QueueUrls": urls} if urls else {}

    def delete(self, call: Call) -> Answer:
        """DeleteQueue."""
        del self.queues[self._asked(call).arn]
        return {}

    def purge(self, call: Call) -> Answer:
        """PurgeQueue."""
        self._asked(call).messages.clear()
        return {}

    def get_attributes(self, call: Call) -> Answer:
        """GetQueueAttributes."""
        queue = self._asked(call)
        known = DEFAULTS | queue.attributes
        if queue.setting("KmsMasterKeyId"):
            known["SqsManagedSseEnabled"] = "false"
        known |= queue.counts(call.now) | {
            "QueueArn": queue.arn,
            "CreatedTimestamp": str(int(queue.created_at.timestamp())),
            "LastModifiedTimestamp": str(int(queue.changed_at.timestamp())),
        }
        wanted = set(call.fields.strings("AttributeNames"))
        found = {name: value for name, value in known.items() if wanted & {name, "All"} and value}
        return {"Attributes": found} if found else {}

    def set_attributes(self, call: Call) -> Answer:
        """SetQueueAttributes: those that are named; an empty policy takes the policy away."""
        queue = self._asked(call)
        queue.attributes |= self._checked(call.fields.mapping("Attributes"))
        if not queue.attributes.get("Policy", "-"):
            del queue.attributes["Policy"]
        queue.changed_at = call.now
        return {}

    def tag(self, call: Call) -> Answer:
        """TagQueue."""
        self._asked(call).tags.update(call.fields.mapping("Tags"))
        return {}

    def list_tags(self, call: Call) -> Answer:
        """ListQueueTags."""
        return {"Tags": self._asked(call).tags}

    # --- messages ---

    def send(self, call: Call) -> Answer:
        """SendMessage."""
        return self._sent(call, self._asked(call), call.fields)

    def _sent(self, call: Call, queue: Queue, entry: Fields) -> dict[str, object]:
        for member in ("MessageAttributes", "MessageGroupId", "MessageDeduplicationId"):
            if member in entry:
                raise _unsupported(f"{member} is not carried by this sandbox")
        body = entry.required("MessageBody")
        if not body or len(body.encode()) > int(queue.setting("MaximumMessageSize") or 0):
            raise _sqs_error(
                "InvalidParameterValue",
                "One or more parameters are invalid. Reason: the message's length is not allowed.",
            )
        visible_at = None
        if "DelaySeconds" in entry:
            seconds = entry.bounded("DelaySeconds", 0, least=0, most=900)
            visible_at = call.now + timedelta(seconds=seconds)
        message = queue.send(body, call.identity.user_id, call.now, visible_at)
        return {"MD5OfMessageBody": _md5(body), "MessageId": message.message_id}

    def send_batch(self, call: Call) -> Answer:
        """SendMessageBatch."""
        queue = self._asked(call, "SendMessage")
        sent = [
            {"Id": entry.required("Id")} | self._sent(call, queue, entry)
            for entry in _entries(call)
        ]
        return {"Successful": sent, "Failed": []}

    def receive(self, call: Call) -> Answer:
        """ReceiveMessage. It never waits: the answer to a long poll comes at once."""
        queue = self._asked(call)
        fields = call.fields
        limit = fields.bounded("MaxNumberOfMessages", 1, least=1, most=10)
        fields.bounded("WaitTimeSeconds", 0, least=0, most=20)
        visibility = queue.seconds("VisibilityTimeout")
        if "VisibilityTimeout" in fields:
            most = _RANGES["VisibilityTimeout"][1]
            seconds = fields.bounded("VisibilityTimeout", 0, least=0, most=most)
            visibility = timedelta(seconds=seconds)
        wanted = {
            *fields.strings("AttributeNames"),
            *fields.strings("MessageSystemAttributeNames"),
        }
        taken = queue.receive(limit, call.now, visibility)
        return {"Messages": [_received(message, wanted) for message in taken]} if taken else {}

    def delete_message(self, call: Call) -> Answer:
        """DeleteMessage; one that is gone is no error."""
        _delete(self._asked(call), call.fields)
        return {}

    def delete_batch(self, call: Call) -> Answer:
        """DeleteMessageBatch."""
        queue = self._asked(call, "DeleteMessage")
        deleted = []
        for entry in _entries(call):
            _delete(queue, entry)
            deleted.append({"Id": entry.required("Id")})
        return {"Successful": deleted, "Failed": []}

    def change_visibility(self, call: Call) -> Answer:
        """ChangeMessageVisibility."""
        queue = self._asked(call)
        most = _RANGES["VisibilityTimeout"][1]
        seconds = call.fields.bounded("VisibilityTimeout", 0, least=0, most=most)
        message = queue.with_receipt(call.fields.required("ReceiptHandle"))
        if message is None:
            raise _sqs_error("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
        message.visible_at = call.now + timedelta(seconds=seconds)
        return {}


def _entries(call: Call) -> tuple[Fields, ...]:
    entries = call.fields.structures("Entries")
    if not entries:
        raise _sqs_error(
            "AWS.SimpleQueueService.EmptyBatchRequest", "There should be at least one entry."
        )
    if len(entries) > _BATCH_LIMIT:
        raise _sqs_error(
            "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            "Maximum number of entries per request are 10.",
        )
    if len({entry.required("Id") for entry in entries}) < len(entries):
        raise _sqs_error(
            "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "Two entries have the same Id."
        )
    return entries


def _delete(queue: Queue, entry: Fields) -> None:
    message = queue.with_receipt(entry.required("ReceiptHandle"))
    if message is not None:
        queue.messages.remove(message)


def _received(message: Message, wanted: set[str]) -> Answer:
    assert message.first_received_at is not None
    known = {
        "SenderId": message.sender_id,
        "SentTimestamp": str(int(message.sent_at.timestamp() * 1000)),
        "ApproximateReceiveCount": str(message.received_count),
        "ApproximateFirstReceiveTimestamp": str(int(message.first_received_at.timestamp() * 1000)),
    }
    attributes = {name: value for name, value in known.items() if wanted & {name, "All"}}
    told: dict[str, object] = {
        "MessageId": message.message_id,
        "ReceiptHandle": message.receipt,
        "MD5OfBody": _md5(message.body),
        "Body": message.body,
    }
    return told | ({"Attributes": attributes} if attributes else {})


def _md5(body: str) -> str:
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()


def _sqs_error(code: str, message: str) -> S3Error:
    return refused(code=code, status=400, message=message, fact="SQS API: errors of the action")


def _unsupported(message: str) -> S3Error:
    return _sqs_error("AWS.SimpleQueueService.UnsupportedOperation", message)
