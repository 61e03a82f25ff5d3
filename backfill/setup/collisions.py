"""Where wanted rules and notifications meet others': what S3 would refuse, told before it is tried.

Never resolves one: whose rule gives way is for people to say.
Law: a refusal carries both texts.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import count

from backfill.model.escaping import quoted
from backfill.setup.layouts import Item
from backfill.setup.wanted import Action, Change, Fields, Resource, ResourceKind, WantedPart


def collisions(
    resource: Resource, parts: Sequence[WantedPart], others: Sequence[Item]
) -> Iterator[Change]:
    """Give a refusal for every wanted item that S3 does not take beside another's."""
    if resource.kind is ResourceKind.REPLICATION:
        yield from _rules(resource, parts, others)
    if resource.kind is ResourceKind.NOTIFICATION:
        yield from _notifications(resource, parts, others)


def _rules(
    resource: Resource, parts: Sequence[WantedPart], others: Sequence[Item]
) -> Iterator[Change]:
    contents = [*(each.content for each in others), *(each.content for each in parts)]
    taken = {content.get("Priority") for content in contents}
    free = (number for number in count() if number not in taken)
    for other in others:
        if "Filter" not in other.content:
            yield Change(
                resource=resource,
                identifier=other.identifier or "",
                action=Action.REFUSE,
                reason="this rule of somebody else's is of the old schema, with a prefix and no"
                " filter, and S3 takes no configuration of both: rewrite it as "
                + json.dumps(in_new_schema(other.content, next(free))),
                before=other.content,
                after=other.content,
            )
        for part in parts:
            same = other.content.get("Priority") == part.content.get("Priority")
            if same and "Priority" in part.content:
                yield Change(
                    resource=resource,
                    identifier=part.identifier,
                    action=Action.REFUSE,
                    reason=f"priority {part.content['Priority']} is that of somebody else's rule"
                    f" {quoted(other.identifier)}: choose another, or leave it out",
                    before=other.content,
                    after=part.content,
                )


def in_new_schema(rule: Fields, priority: int) -> Fields:
    """Return a V1 rule as V2 (S3 User Guide: replication-add-config, backward compatibility).

    A V1 rule needs no priority, since S3 takes none that overlap; V2 rules need one of their own.

    V1 replicates the delete markers of users, so its translation says so.
    """
    rest = {name: value for name, value in rule.items() if name != "Prefix"}
    return {
        **rest,
        "Priority": rule.get("Priority", priority),
        "Filter": {"Prefix": rule.get("Prefix", "")},
        "DeleteMarkerReplication": {"Status": "Enabled"},
    }


def _notifications(
    resource: Resource, parts: Sequence[WantedPart], others: Sequence[Item]
) -> Iterator[Change]:
    for part in parts:
        for other in others:
            if common := _common_events(part.content, other.content):
                yield Change(
                    resource=resource,
                    identifier=part.identifier,
                    action=Action.REFUSE,
                    reason=f"somebody else's notification {quoted(other.identifier)} asks for"
                    f" {', '.join(common)} too, and S3 refuses configurations that overlap",
                    before=other.content,
                    after=part.content,
                )


def _common_events(ours: Fields, theirs: Fields) -> list[str]:
    """Return our events that theirs cover. Ours have no filter, so every filter overlaps."""
    wanted, found = _events(ours), _events(theirs)
    wild = {event[:-1] for event in found if event.endswith("*")}
    return [
        event
        for event in wanted
        if event in found or any(event.startswith(prefix) for prefix in wild)
    ]


def _events(content: Fields) -> list[str]:
    events = content.get("Events", ())
    return [str(event) for event in events] if isinstance(events, Sequence) else []


def overlapping(parts: Sequence[WantedPart], others: Sequence[Item]) -> Iterator[str]:
    """Give a note for every rule of others that has the same destination bucket as one of ours."""
    for part in parts:
        for other in others:
            # Statements and notifications have no destination bucket, and are never told here.
            bucket = _bucket(part.content)
            if bucket and bucket == _bucket(other.content):
                yield (
                    f"rule {quoted(other.identifier)} of somebody else's replicates to {bucket},"
                    f" too: where both match, the higher priority wins"
                    f" ({other.content.get('Priority')}, ours {part.content.get('Priority')})"
                )


def _bucket(content: Fields) -> str:
    destination = content.get("Destination")
    return str(destination.get("Bucket", "")) if isinstance(destination, Mapping) else ""
