"""Which queues receive a bucket's replication events, by its notification configuration.

Never asks AWS and never subscribes anything (setup does).
Law: only where S3 sends events is a queue found; a topic or a function is said, not followed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from backfill.model.accounts import EventDestinationKind
from backfill.watch.notices import Word

_PREFIX: Final = "s3:Replication:"
_LISTS: Final = {
    "QueueConfigurations": "QueueArn",
    "TopicConfigurations": "TopicArn",
    "LambdaFunctionConfigurations": "LambdaFunctionArn",
}
"""S3 API: NotificationConfiguration."""

NO_QUEUE: Final = (
    "no queue receives the replication events of this bucket, so failed versions are not named;"
    " `backfill setup` sends them to one, or --queue names one that a topic feeds"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQueues:
    """The queues to read, by ARN, and what a person should know of them."""

    arns: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def event_queues_of(fields: Mapping[str, object] | None) -> EventQueues:
    """Return the queues of a notification configuration (SDK's shape; None: there is none)."""
    arns: list[str] = []
    remarks: list[str] = []
    has_failures = False
    for arn, events, is_filtered in _receivers(fields or {}):
        if not arn or not events:
            continue
        if not is_queue(arn):
            remarks.append(f"replication events go to {arn}, too, which cannot be read")
            continue
        has_failures |= not {f"{_PREFIX}*", f"{_PREFIX}{Word.FAILED}"}.isdisjoint(events)
        arns.append(arn)
        if is_filtered:
            remarks.append(f"only events of some keys go to {arn}: its notification has a filter")
    if not arns:
        remarks.append(NO_QUEUE)
    elif not has_failures:
        remarks.append(f"no queue receives {_PREFIX}{Word.FAILED}: failed versions are not named")
    return EventQueues(arns=tuple(dict.fromkeys(arns)), remarks=tuple(dict.fromkeys(remarks)))


def is_queue(arn: str) -> bool:
    """Return whether an ARN is that of an SQS queue: arn:PARTITION:sqs:REGION:ACCOUNT:NAME."""
    parts = arn.split(":")
    is_arn = len(parts) == 6 and parts[0] == "arn" and all(parts)
    return is_arn and parts[2] == EventDestinationKind.QUEUE


def _receivers(fields: Mapping[str, object]) -> Iterator[tuple[str, frozenset[str], bool]]:
    """Give ARN, replication events, and whether a filter lets only some keys pass."""
    for name, member in _LISTS.items():
        items = fields.get(name)
        for item in items if isinstance(items, Sequence) and not isinstance(items, str) else ():
            if not isinstance(item, Mapping):
                continue
            told = item.get("Events")
            events = told if isinstance(told, Sequence) and not isinstance(told, str) else ()
            replication = frozenset(str(e) for e in events if str(e).startswith(_PREFIX))
            yield str(item.get(member) or ""), replication, bool(item.get("Filter"))
