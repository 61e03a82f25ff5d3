"""Queues and their messages.

Never answers a call. One law: a message that was received comes again when its visibility timeout
is over, unless it was deleted by its newest receipt (SQS Developer Guide: visibility timeout).
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

MESSAGES_LIMIT = 100_000
"""Of one queue, where SQS has none: the oldest go beyond, since all of them are in memory."""
DEFAULTS = {
    "VisibilityTimeout": "30",
    "MessageRetentionPeriod": "345600",
    "DelaySeconds": "0",
    "ReceiveMessageWaitTimeSeconds": "0",
    "MaximumMessageSize": "1048576",
    "SqsManagedSseEnabled": "true",
}
"""What a new queue has (SQS API: SetQueueAttributes)."""


# Open to change: receiving changes it.
@dataclass(slots=True, kw_only=True)
class Message:
    """A message in a queue."""

    message_id: str
    body: str
    sender_id: str
    sent_at: datetime
    visible_at: datetime
    receipt: str = ""
    received_count: int = 0
    first_received_at: datetime | None = None


# Open to change: calls change it.
@dataclass(slots=True, kw_only=True)
class Queue:
    """A queue."""

    arn: str
    created_at: datetime
    changed_at: datetime
    attributes: dict[str, str] = field(default_factory=dict)
    """As they were set; the rest are defaults."""
    tags: dict[str, str] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=count)

    @property
    def name(self) -> str:
        """The last part of the ARN."""
        return self.arn.rpartition(":")[2]

    @property
    def account_id(self) -> str:
        """Whose queue it is."""
        return self.arn.split(":")[4]

    @property
    def policy(self) -> str | None:
        """The queue policy."""
        return self.attributes.get("Policy")

    def setting(self, name: str) -> str | None:
        """An attribute as it holds."""
        return self.attributes.get(name, DEFAULTS.get(name))

    def seconds(self, name: str) -> timedelta:
        """An attribute that is a time."""
        return timedelta(seconds=int(self.setting(name) or 0))

    def send(
        self, body: str, sender_id: str, now: datetime, visible_at: datetime | None = None
    ) -> Message:
        """Put a message in; unless told otherwise it is to be had after the queue's own delay."""
        token = hashlib.sha256(f"{self.arn}/{next(self._numbers)}".encode()).hexdigest()
        message = Message(
            message_id="-".join((token[:8], token[8:12], token[12:16], token[16:20], token[20:32])),
            body=body,
            sender_id=sender_id,
            sent_at=now,
            visible_at=visible_at or now + self.seconds("DelaySeconds"),
        )
        self.messages.append(message)
        del self.messages[:-MESSAGES_LIMIT]
        return message

    def receive(self, limit: int, now: datetime, visibility: timedelta) -> list[Message]:
        """Take visible messages, oldest first; they hide until the timeout is over."""
        self.expire(now)
        taken = [message for message in self.messages if message.visible_at <= now][:limit]
        for message in taken:
            message.received_count += 1
            message.first_received_at = message.first_received_at or now
            message.visible_at = now + visibility
            token = f"{message.message_id}/{message.received_count}"
            message.receipt = hashlib.sha256(token.encode()).hexdigest()
        return taken

    def expire(self, now: datetime) -> None:
        """Drop what was kept long enough."""
        oldest = now - self.seconds("MessageRetentionPeriod")
        self.messages[:] = [message for message in self.messages if message.sent_at > oldest]

    def with_receipt(self, receipt: str) -> Message | None:
        """The message that was received last under this receipt."""
        return next((message for message in self.messages if message.receipt == receipt), None)

    def counts(self, now: datetime) -> dict[str, str]:
        """How many messages are to be had, in flight, and not yet due."""
        self.expire(now)
        hidden = [message for message in self.messages if message.visible_at > now]
        delayed = sum(message.received_count == 0 for message in hidden)
        return {
            "ApproximateNumberOfMessages": str(len(self.messages) - len(hidden)),
            "ApproximateNumberOfMessagesNotVisible": str(len(hidden) - delayed),
            "ApproximateNumberOfMessagesDelayed": str(delayed),
        }
