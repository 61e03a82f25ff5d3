"""What S3 would refuse of rules and notifications, or what could not work.

Never reads an account: contradictions within the spec.
Law: what passes here is put as it is; no answer of S3 is needed to find a slip of the spec.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Final

from backfill.model.escaping import quoted
from backfill.setup.faults import Fault, key_faults
from backfill.setup.limits import RULES_MAX
from backfill.setup.spec import NotificationSpec, ReplicationEvent, RuleSpec, Spec

PRIORITY_MAX: Final = 2_147_483_647
"""S3's priority is a 32-bit integer."""
PREFIX_BYTES_MAX: Final = 1_024
TAGS_MAX: Final = 10
"""Tags of an object (S3 User Guide: object-tagging): a rule with more would match none."""
TAG_KEY_MAX: Final = 128
TAG_VALUE_MAX: Final = 256
_TAG_MARKS: Final = frozenset(" +-=._:/@")
_TAG_CATEGORIES: Final = "LMN"
"""Letters, marks and digits of any script, and these (S3 User Guide: object-tagging)."""
_QUEUE_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
"""Of a standard queue (SQS Developer Guide: quotas-queues)."""
_EVENT_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:(?:sqs:[a-z0-9-]+:[0-9]{12}:[\w-]{1,80}(?:\.fifo)?"
    r"|sns:[a-z0-9-]+:[0-9]{12}:[\w-]{1,256}(?:\.fifo)?"
    r"|lambda:[a-z0-9-]+:[0-9]{12}:function:[\w-]{1,140}(?::[\w$-]{1,128})?)",
    re.ASCII,
)
_PRINCIPAL: Final = re.compile(r"arn:aws[a-z-]*:(?:iam|sts)::[0-9]{12}:[\x21-\x29\x2b-\x7e]{1,600}")
"""No `*`: a reader is named, not guessed."""
_NOT_IN_XML: Final = re.compile("[\x00-\x1f\ufffe\uffff\ud800-\udfff]")
"""Characters that the XML of a configuration cannot hold, and line ends that it would change."""


def rule_faults(spec: Spec, rule: RuleSpec, place: str) -> Iterator[Fault]:
    """Give what is wrong with one rule."""
    buckets = [destination.bucket for destination in spec.destinations]
    if rule.destination not in buckets:
        yield Fault(
            place=f"{place} destination",
            message=f"{quoted(rule.destination)} is no destination"
            if rule.destination
            else "is missing",
            hint=f"one of: {', '.join(buckets)}" if buckets else "name it in [destination]",
        )
    if rule.priority is not None and not 0 <= rule.priority <= PRIORITY_MAX:
        yield Fault(
            place=f"{place} priority",
            message=f"{rule.priority} is out of range",
            hint=f"0 to {PRIORITY_MAX}; the highest wins",
        )
    if rule.replicates_delete_markers and rule.tags:
        yield Fault(
            place=f"{place} delete-markers",
            message="with tags",
            hint="S3 replicates delete markers only for rules without a tag filter",
        )
    yield from _filter_faults(rule, place)
    yield from _encryption_faults(spec, rule, place)


def _filter_faults(rule: RuleSpec, place: str) -> Iterator[Fault]:
    if len(rule.prefix.encode(errors="surrogatepass")) > PREFIX_BYTES_MAX:
        yield Fault(
            place=f"{place} prefix",
            message="is longer than a key can be",
            hint=f"at most {PREFIX_BYTES_MAX} bytes",
        )
    if len(rule.tags) > TAGS_MAX:
        yield Fault(
            place=f"{place} tags",
            message=f"{len(rule.tags)} tags",
            hint=f"an object has at most {TAGS_MAX}, and all must match",
        )
    for key, value in rule.tags:
        if not 1 <= len(key) <= TAG_KEY_MAX or len(value) > TAG_VALUE_MAX:
            yield Fault(
                place=f"{place} tags",
                message=f"{quoted(key)} is no tag of an object",
                hint=f"keys of 1 to {TAG_KEY_MAX} characters, values of at most {TAG_VALUE_MAX}",
            )
        elif key.lower().startswith("aws:"):
            yield Fault(
                place=f"{place} tags",
                message=f"{quoted(key)} is AWS's own",
                hint="`aws:` begins tags that AWS alone gives; no object of yours has one",
            )
        elif not all(_is_in_tags(mark) for mark in key + value):
            yield Fault(
                place=f"{place} tags",
                message=f"{quoted(key)} with {quoted(value)} is no tag of an object",
                hint="letters, digits, space and + - = . _ : / @, in any script",
            )
    for name, text in (
        ("prefix", rule.prefix),
        *((f"tags {quoted(k)}", k + v) for k, v in rule.tags),
    ):
        if _NOT_IN_XML.search(text):
            yield Fault(
                place=f"{place} {name}",
                message="holds a character that S3's XML cannot carry",
                hint="choose a shorter prefix, or another tag",
            )


def _is_in_tags(mark: str) -> bool:
    # With combining marks, which scripts of India and Thailand cannot do without.
    return mark in _TAG_MARKS or unicodedata.category(mark)[0] in _TAG_CATEGORIES


def _encryption_faults(spec: Spec, rule: RuleSpec, place: str) -> Iterator[Fault]:
    if not rule.kms_key_arn:
        if rule.kms_readers:
            yield Fault(
                place=f"{place} kms-readers",
                message="without a replica key",
                hint="add kms-key-arn: its policy names the readers",
            )
        return
    yield from key_faults(rule.kms_key_arn, f"{place} kms-key-arn")
    if not spec.source.kms_key_arns:
        yield Fault(
            place=f"{place} kms-key-arn",
            message="and no key of the source to decrypt with",
            hint="add [source] kms-key-arns: the role must read what it replicates",
        )
    if rule.syncs_replica_modifications and len(spec.source.kms_key_arns) > 1:
        yield Fault(
            place=f"{place} replica-modifications",
            message="and several keys of the source",
            hint="the reverse rule has one replica key: name one in [source] kms-key-arns",
        )
    for reader in rule.kms_readers:
        if not _PRINCIPAL.fullmatch(reader):
            yield Fault(
                place=f"{place} kms-readers",
                message=f"{quoted(reader)} is no principal",
                hint="arn:aws:iam::ACCOUNT:root, or a role's ARN with its path",
            )


def rules_faults(spec: Spec) -> Iterator[Fault]:
    """Give what is wrong with the rules together."""
    if not spec.rules:
        yield Fault(place="[[rule]]", message="is missing", hint="S3 takes no empty configuration")
    if len(spec.rules) > RULES_MAX:
        yield Fault(
            place="[[rule]]",
            message=f"{len(spec.rules)} rules",
            hint=f"S3 takes at most {RULES_MAX} of one bucket",
        )
    given = Counter(rule.priority for rule in spec.rules if rule.priority is not None)
    for priority, count in given.items():
        if count > 1:
            yield Fault(
                place="[rule] priority",
                message=f"{priority} stands {count} times",
                hint="each rule has its own",
            )
    for destination in spec.destinations:
        rules = spec.rules_for(destination.bucket)
        unsaid = [rule.name for rule in rules if rule.priority is None]
        if len(rules) > 1 and unsaid:
            yield Fault(
                place="[rule] priority",
                message=f"rule {quoted(unsaid[0])} says none, and others have the same destination",
                hint="where two match, the highest wins: say which",
            )


def notification_faults(spec: Spec, notification: NotificationSpec, place: str) -> Iterator[Fault]:
    """Give what is wrong with one notification, and where it meets another."""
    yield from _event_destination_faults(notification, place)
    if not notification.events:
        words = ", ".join(ReplicationEvent)
        yield Fault(place=f"{place} events", message="is missing", hint=f"some of: {words}")
    has_time_control = any(rule.has_time_control for rule in spec.rules)
    has_metrics = has_time_control or any(rule.has_metrics for rule in spec.rules)
    for event in notification.events:
        if event.needs_time_control and not has_time_control:
            yield Fault(
                place=f"{place} events",
                message=f"{quoted(event.value)}, and no rule has time control",
                hint="S3 sends it for rules with time-control = true",
            )
        elif not has_metrics:
            yield Fault(
                place=f"{place} events",
                message=f"{quoted(event.value)}, and no rule has metrics",
                hint="S3 sends it for rules with metrics = true",
            )
    for event, count in Counter(
        each for other in spec.notifications for each in other.events
    ).items():
        if count > 1 and event in notification.events:
            yield Fault(
                place=f"{place} events",
                message=f"{quoted(event.value)} stands in {count} places",
                hint="S3 refuses configurations that overlap: one notification for each event",
            )


def _event_destination_faults(notification: NotificationSpec, place: str) -> Iterator[Fault]:
    arn, queue = notification.arn, notification.queue
    if arn and queue:
        yield Fault(
            place=f"{place} queue",
            message="beside arn",
            hint="arn is of what is there, queue the name of one to make: say one of them",
        )
        return
    word = "queue" if queue else "arn"
    if (arn or queue).endswith(".fifo"):
        hint = "S3 sends only to standard ones"
        yield Fault(place=f"{place} {word}", message="is FIFO", hint=hint)
    elif queue and not _QUEUE_NAME.fullmatch(queue):
        yield Fault(
            place=f"{place} queue",
            message=f"{quoted(queue)} is no name of a queue",
            hint="at most 80 of letters, digits, dashes and underscores; of one that is there: arn",
        )
    elif not queue and not _EVENT_ARN.fullmatch(arn):
        yield Fault(
            place=f"{place} arn",
            message=f"{quoted(arn)} is no queue, topic or function" if arn else "is missing",
            hint="EventBridge gets no replication events" if ":events:" in arn
            else "an ARN of SQS, SNS or Lambda; or queue = NAME, which is made",
        )  # fmt: skip
