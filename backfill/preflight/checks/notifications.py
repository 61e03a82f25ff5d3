"""Events of replication: somebody hears of failures, and S3 may tell them."""

from collections.abc import Iterator

from backfill.model.accounts import BucketDocument, Unread
from backfill.preflight.access import event_access
from backfill.preflight.checks.check import Check, ok, unread, untold, warned
from backfill.preflight.evidence import (
    REPLICATION_EVENTS,
    Gathered,
    event_receivers,
    receiver_arns,
)
from backfill.preflight.findings import Finding, Mend, Part
from backfill.preflight.mends import with_rules

_FAILED = "s3:Replication:OperationFailedReplication"
_EVERY = frozenset({"s3:Replication:*", "s3:*"})


def _events(seen: Gathered) -> frozenset[str]:
    return frozenset(
        event
        for _, events in event_receivers(seen.source)
        for event in events
        if event.startswith(REPLICATION_EVENTS)
    )


def _coherence(seen: Gathered) -> Iterator[Finding]:
    events, check, bucket = _events(seen), "replication-events", seen.source.name
    fields = seen.source.fields(BucketDocument.NOTIFICATION)
    if isinstance(fields, Unread) and seen.follows_rules and seen.source.region_name:
        what = "whether anybody is told of failed replication is not known"
        yield unread(check, bucket, what, fields, seen.source.arn)
    if not events or not seen.enabled_rules:
        return
    silent = [rule for rule in seen.enabled_rules if not rule.destination.has_metrics]
    untimed = not any(rule.destination.has_replication_time for rule in seen.enabled_rules)
    if silent and (_FAILED in events or events & _EVERY):
        names = {rule.id for rule in silent}
        says = "Switch metrics on in the rule (CloudWatch charges for custom metrics)"
        mend = with_rules(seen.source, lambda rule: _measure(rule, names), says)
        what = "S3 tells of failed replication only for rules with metrics, and some have none"
        yield warned(check, bucket, what, mend, *(f"rule {rule.id}" for rule in silent[:3]))
    elif untimed and events - _EVERY - {_FAILED}:
        what = "events of Replication Time Control are asked for, and no rule has it"
        evidence = ", ".join(sorted(events - _EVERY - {_FAILED}))
        mend = Mend(
            says="Leave these events out, or switch Replication Time Control on in the rule",
            account_id=seen.source.account_id,
        )
        yield warned(check, bucket, what, mend, evidence)
    else:
        yield ok(check, bucket, "what is told about replication fits the rules")


def _measure(rule: dict[str, object], names: set[str]) -> bool:
    destination = rule.get("Destination")
    if rule.get("ID") not in names or not isinstance(destination, dict):
        return False
    destination["Metrics"] = {"Status": "Enabled"}
    return True


def _receivers(seen: Gathered) -> Iterator[Finding]:
    for arn in receiver_arns(seen.source):
        policy = seen.receivers.get(arn)
        if isinstance(policy, Unread):
            if policy.code == "NotFound":
                mend = Mend(
                    says="Create it again, or take it out of the notification configuration",
                    account_id=arn.split(":")[4],
                )
                yield warned("event-receiver", arn, "what gets the events does not exist", mend)
            else:
                what = "whether S3 may send events there is not known"
                yield unread("event-receiver", arn, what, policy, arn)
            continue
        access = event_access(seen, arn)
        if access.is_allowed:
            yield ok("event-receiver", arn, "S3 may send events there")
        elif access.is_denied:
            what = "S3 may not send events there"
            yield warned("event-receiver", arn, what, access.mend, *access.lines)
        else:
            what = "whether S3 may send events there cannot be decided"
            yield untold("event-receiver", arn, what, *access.lines)


CHECKS = (
    Check(
        id="replication-events",
        part=Part.REPLICATION,
        asks="Do the rules have the metrics that the wanted events need?",
        why="S3 sends OperationFailedReplication only for rules with metrics, and the other three"
        " only for rules with Replication Time Control (S3 User Guide:"
        " replication-metrics-events).",
        look=_coherence,
    ),
    Check(
        id="event-receiver",
        part=Part.REPLICATION,
        asks="May S3 send events to the queue, topic or function?",
        why="Without its policy's permission nobody hears of failures.",
        look=_receivers,
    ),
)
