"""Events of replication on their way to queues, topics and functions.

The configuration that counts is the source bucket's (UG: replication-metrics-events), as it is when
the event happens. Late, unordered and doubled events are a setting.
Law: an event is sent at least once to each configuration that wants it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from heapq import heappop, heappush

from backfill.sandbox.model.notifications.events import ReplicationEvent, event_json
from backfill.sandbox.model.replication.settings import ReplicationSettings
from backfill.sandbox.model.world import World


class Announcer:
    """Sends events, at once or when their time has come."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._number = 0
        self._on_the_way: list[tuple[datetime, int, str, str]] = []
        self._sent = 0

    def announce(self, said: ReplicationEvent, settings: ReplicationSettings) -> None:
        """Send the event to whom the source bucket's configuration names."""
        configuration = said.bucket.notifications
        if configuration is None:
            return
        self._number += 1
        for one in configuration.notifications:
            if not one.wants(said.event, said.entry.key):
                continue
            body = event_json(said, configuration_id=one.configuration_id, number=self._number)
            for _ in range(1 + self._is_doubled(settings)):
                self._send(one.destination_arn, body, said.at, settings)

    def advance(self, now: datetime) -> None:
        """Hand over what is due."""
        while self._on_the_way and self._on_the_way[0][0] <= now:
            _, _, arn, body = heappop(self._on_the_way)
            self._world.notify(arn, body)

    def _is_doubled(self, settings: ReplicationSettings) -> bool:
        # Without doubles nothing is drawn, so that a seed repeats histories without events.
        share = settings.doubled_events
        return share > 0 and self._world.random.random() < share

    def _send(self, arn: str, body: str, at: datetime, settings: ReplicationSettings) -> None:
        if settings.longest_event_lag_s <= 0:
            self._world.notify(arn, body)
            return
        lag = timedelta(seconds=self._world.random.uniform(0, settings.longest_event_lag_s))
        self._sent += 1
        heappush(self._on_the_way, (at + lag, self._sent, arn, body))
