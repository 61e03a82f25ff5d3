"""SNS: topics, their policies, and subscriptions by which queues get what is published.

Never sends e-mail, calls a URL or runs a function: such subscriptions stay unconfirmed. One law: a
subscribed queue gets a message only if its own policy lets the topic in.
"""

import json
import re
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from backfill.sandbox.authorization.policies import Policy, resource_policy
from backfill.sandbox.http.refusals import refused
from backfill.sandbox.http.xml import branch, leaf
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.services.calls import Call, Doorkeeper, XmlOperation
from backfill.sandbox.services.kms_keys import KeyStore
from backfill.sandbox.services.protocols import members
from backfill.sandbox.services.publishing import (
    Publication,
    checked_document,
    is_let_in,
    may_use_key,
)

_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_SETTABLE = {"Policy", "DisplayName", "KmsMasterKeyId"}
_SNS = "sns.amazonaws.com"
SendToQueue = Callable[[str, str, Publication], None]
"""Put a body into the queue of an ARN, if its policy lets the publication in."""


# Open to change: calls change it.
@dataclass(slots=True, kw_only=True)
class Subscription:
    """Who gets what a topic publishes."""

    arn: str
    protocol: str
    endpoint: str
    owner: str
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def is_confirmed(self) -> bool:
        """Whether the endpoint gets messages: a queue at once, others never here."""
        return self.protocol == "sqs"


# Open to change: calls change it.
@dataclass(slots=True, kw_only=True)
class Topic:
    """A topic."""

    arn: str
    attributes: dict[str, str]
    subscriptions: list[Subscription] = field(default_factory=list)
    published_count: int = 0

    @property
    def account_id(self) -> str:
        """Whose topic it is."""
        return self.arn.split(":")[4]


class Sns:
    """The calls of SNS."""

    def __init__(
        self,
        doorkeeper: Doorkeeper,
        *,
        keys: KeyStore,
        missing_principal: Callable[[Policy], str | None],
        send_to_queue: SendToQueue,
    ) -> None:
        self._doorkeeper = doorkeeper
        self._kms = keys
        self._missing_principal = missing_principal
        self._send_to_queue = send_to_queue
        self.topics: MutableMapping[str, Topic] = {}
        """By ARN."""
        self._subscriptions_count = 0

    @property
    def operations(self) -> Mapping[str, XmlOperation]:
        """By name."""
        return {
            "CreateTopic": self.create,
            "DeleteTopic": self.delete,
            "ListTopics": self.list_all,
            "GetTopicAttributes": self.get_attributes,
            "SetTopicAttributes": self.set_attributes,
            "Subscribe": self.subscribe,
            "Unsubscribe": self.unsubscribe,
            "ListSubscriptionsByTopic": self.list_subscriptions,
            "GetSubscriptionAttributes": self.get_subscription,
            "SetSubscriptionAttributes": self.set_subscription,
            "Publish": self.publish,
        }

    # --- what S3 asks ---

    def may_publish(self, topic: Topic, publication: Publication) -> bool:
        """Whether a service may publish to the topic."""
        if not is_let_in(publication, "sns:Publish", topic.arn, topic.attributes["Policy"]):
            return False
        key_id, region = topic.attributes.get("KmsMasterKeyId"), topic.arn.split(":")[3]
        return not key_id or may_use_key(self._kms, publication, key_id, topic.account_id, region)

    def hand_out(self, topic: Topic, body: str, now: datetime, subject: str | None = None) -> str:
        """Hand a message to every queue that is subscribed; returns its ID."""
        topic.published_count += 1
        message_id = str(uuid5(NAMESPACE_URL, f"{topic.arn}/{topic.published_count}"))
        wrapped = {
            "Type": "Notification",
            "MessageId": message_id,
            "TopicArn": topic.arn,
            **({} if subject is None else {"Subject": subject}),
            "Message": body,
            "Timestamp": now.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        }
        publication = Publication(
            service=_SNS, source_arn=topic.arn, source_account=topic.account_id
        )
        for each in topic.subscriptions:
            if each.is_confirmed:
                is_raw = each.attributes.get("RawMessageDelivery") == "true"
                text = body if is_raw else json.dumps(wrapped)
                self._send_to_queue(each.endpoint, text, publication)
        return message_id

    # --- topics ---

    def create(self, call: Call) -> list[str]:
        """CreateTopic; the same again changes nothing."""
        name = call.fields.required("Name")
        if _NAME.fullmatch(name) is None:
            raise _invalid("Topic Name")
        arn = f"arn:aws:sns:{call.region}:{call.account_id}:{name}"
        self._doorkeeper.require(call, "sns:CreateTopic", arn)
        attributes = call.fields.mapping("Attributes")
        for attribute, value in attributes.items():
            self._check(attribute, value)
        if arn not in self.topics:
            policy = {"Policy": _default_policy(arn, call.account_id)}
            self.topics[arn] = Topic(arn=arn, attributes=policy | attributes)
        return [leaf("TopicArn", arn)]

    def _check(self, attribute: str, value: str) -> None:
        if attribute not in _SETTABLE:
            raise _invalid(f"AttributeName (or not carried here): {attribute}")
        if attribute == "Policy":
            if not value:
                raise _invalid("Policy: Policy is empty")
            checked_document(value, self._missing_principal, code="InvalidParameter")

    def _asked(self, call: Call) -> Topic:
        """The topic in question, for who may do this with it."""
        arn = call.fields.text("TopicArn") or call.fields.text("TargetArn")
        if arn is None:
            raise _invalid("TopicArn")
        topic = self.topics.get(arn)
        if topic is None or arn.split(":")[3] != call.region:
            raise _not_found("Topic does not exist")
        self._doorkeeper.require(
            call,
            f"sns:{call.operation}",
            arn,
            policy=resource_policy(topic.attributes["Policy"]),
            conditions=(("aws:SourceOwner", call.account_id),),
        )
        return topic

    def delete(self, call: Call) -> list[str]:
        """DeleteTopic."""
        arn = call.fields.required("TopicArn")
        if arn in self.topics:
            del self.topics[self._asked(call).arn]
        return []

    def list_all(self, call: Call) -> list[str]:
        """ListTopics."""
        own = f"arn:aws:sns:{call.region}:{call.account_id}:"
        self._doorkeeper.require(call, "sns:ListTopics", f"{own}*")
        arns = [leaf("TopicArn", arn) for arn in sorted(self.topics) if arn.startswith(own)]
        return [members("Topics", arns)]

    def get_attributes(self, call: Call) -> list[str]:
        """GetTopicAttributes."""
        topic = self._asked(call)
        confirmed = sum(each.is_confirmed for each in topic.subscriptions)
        return [
            _entries(
                {
                    "TopicArn": topic.arn,
                    "Owner": topic.account_id,
                    "DisplayName": "",
                    **topic.attributes,
                    "SubscriptionsConfirmed": str(confirmed),
                    "SubscriptionsPending": str(len(topic.subscriptions) - confirmed),
                    "SubscriptionsDeleted": "0",
                }
            )
        ]

    def set_attributes(self, call: Call) -> list[str]:
        """SetTopicAttributes: one at a time."""
        topic = self._asked(call)
        name = call.fields.required("AttributeName")
        value = call.fields.text("AttributeValue") or ""
        self._check(name, value)
        topic.attributes[name] = value
        return []

    # --- subscriptions ---

    def subscribe(self, call: Call) -> list[str]:
        """Subscribe; the same again changes nothing."""
        topic = self._asked(call)
        protocol, endpoint = call.fields.required("Protocol"), call.fields.required("Endpoint")
        if protocol == "sqs" and not endpoint.startswith("arn:aws:sqs:"):
            raise _invalid("SQS endpoint ARN")
        found = next(
            (s for s in topic.subscriptions if (s.protocol, s.endpoint) == (protocol, endpoint)),
            None,
        )
        if found is None:
            self._subscriptions_count += 1
            token = uuid5(NAMESPACE_URL, f"{topic.arn}/{self._subscriptions_count}")
            found = Subscription(
                arn=f"{topic.arn}:{token}",
                protocol=protocol,
                endpoint=endpoint,
                owner=call.account_id,
                attributes=call.fields.mapping("Attributes"),
            )
            topic.subscriptions.append(found)
        is_told = found.is_confirmed or call.fields.flag("ReturnSubscriptionArn")
        return [leaf("SubscriptionArn", found.arn if is_told else "pending confirmation")]

    def _subscription(self, call: Call) -> tuple[Topic, Subscription]:
        arn = call.fields.required("SubscriptionArn")
        topic = self.topics.get(arn.rpartition(":")[0])
        found = None
        if topic is not None:
            found = next((each for each in topic.subscriptions if each.arn == arn), None)
        if topic is None or found is None:
            raise _not_found("Subscription does not exist")
        self._doorkeeper.require(call, f"sns:{call.operation}", topic.arn)
        return topic, found

    def unsubscribe(self, call: Call) -> list[str]:
        """Unsubscribe."""
        topic, found = self._subscription(call)
        topic.subscriptions.remove(found)
        return []

    def list_subscriptions(self, call: Call) -> list[str]:
        """ListSubscriptionsByTopic."""
        topic = self._asked(call)
        items = [
            leaf("SubscriptionArn", each.arn if each.is_confirmed else "PendingConfirmation")
            + leaf("Owner", each.owner)
            + leaf("Protocol", each.protocol)
            + leaf("Endpoint", each.endpoint)
            + leaf("TopicArn", topic.arn)
            for each in topic.subscriptions
        ]
        return [members("Subscriptions", items)]

    def get_subscription(self, call: Call) -> list[str]:
        """GetSubscriptionAttributes."""
        topic, found = self._subscription(call)
        known = {
            "SubscriptionArn": found.arn,
            "TopicArn": topic.arn,
            "Protocol": found.protocol,
            "Endpoint": found.endpoint,
            "Owner": found.owner,
            "RawMessageDelivery": "false",
            "PendingConfirmation": "false" if found.is_confirmed else "true",
        }
        return [_entries(known | found.attributes)]

    def set_subscription(self, call: Call) -> list[str]:
        """SetSubscriptionAttributes: how raw a queue gets its messages."""
        _, found = self._subscription(call)
        name = call.fields.required("AttributeName")
        if name != "RawMessageDelivery":
            raise _invalid(f"AttributeName (or not carried here): {name}")
        found.attributes[name] = call.fields.text("AttributeValue") or "false"
        return []

    def publish(self, call: Call) -> list[str]:
        """Publish."""
        topic = self._asked(call)
        body, subject = call.fields.required("Message"), call.fields.text("Subject")
        return [leaf("MessageId", self.hand_out(topic, body, call.now, subject))]


def _entries(values: Mapping[str, str]) -> str:
    items = [
        branch("entry", [leaf("key", name), leaf("value", value)]) for name, value in values.items()
    ]
    return branch("Attributes", items)


def _default_policy(arn: str, account_id: str) -> str:
    """What a topic gets that is made without one: it is for its own account."""
    actions = [
        "GetTopicAttributes",
        "SetTopicAttributes",
        "AddPermission",
        "RemovePermission",
        "DeleteTopic",
        "Subscribe",
        "ListSubscriptionsByTopic",
        "Publish",
    ]
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in actions],
        "Resource": arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": account_id}},
    }
    return json.dumps(
        {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]}
    )


def _invalid(what: str) -> S3Error:
    return refused(
        code="InvalidParameter",
        status=400,
        message=f"Invalid parameter: {what}",
        fact="SNS API: errors of the action",
    )


def _not_found(message: str) -> S3Error:
    return refused(
        code="NotFound", status=404, message=message, fact="SNS API: errors of the action"
    )
