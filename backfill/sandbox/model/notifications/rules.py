"""A notification configuration as delivery uses it.

Never validated here (`configuration` does).
Law: configurations are values; a changed one is a new one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One configuration: which events, of which keys, go to which queue, topic or function."""

    configuration_id: str
    destination_arn: str
    events: tuple[str, ...]
    """As configured, e.g. `s3:Replication:*`."""
    prefix: str = ""
    suffix: str = ""

    def wants(self, event: str, key: str) -> bool:
        """Whether this event, e.g. `s3:Replication:OperationNotTracked`, of this key is sent."""
        if not (key.startswith(self.prefix) and key.endswith(self.suffix)):
            return False
        return any(
            event == named or (named.endswith("*") and event.startswith(named[:-1]))
            for named in self.events
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationConfiguration:
    """All of a bucket; `document` is the XML as it is handed back."""

    document: str
    notifications: tuple[Notification, ...]
    has_event_bridge: bool
    """EventBridge has no events of replication (UG: EventBridge)."""
