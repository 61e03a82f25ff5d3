"""Read a bucket's replication configuration, in every shape that S3 gives it, into `Rules`.

Never guesses: an element that is unknown here, or a shape that S3 would refuse, is a CampaignError
that names the rule and the element.
Law: what was read means what S3 means by it (S3 API: ReplicationRule; S3 User Guide:
replication-add-config).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from backfill.campaign import DestinationSpec, Scope
from backfill.errors import CampaignError
from backfill.model.attributes import Pairs
from backfill.plan.rules import Rule, RuleDestination, Rules

RULES_MAX = 1000
"""S3 API: PutBucketReplication."""
RULE_ID_MAX = 255
PREFIX_BYTES_MAX = 1024
RTC_MINUTES = 15
"""The only value that S3 takes for Time and EventThreshold (S3 API: ErrorResponses)."""
CAMPAIGN_RULE_ID = "campaign"

STORAGE_CLASSES: Final = frozenset(
    {
        "STANDARD",
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "GLACIER_IR",
        "DEEP_ARCHIVE",
    }
)
"""What a general-purpose destination bucket can hold (S3 API: Destination)."""
_BUCKET_ARN: Final = re.compile(r"arn:aws[a-z-]*:s3:::([a-z0-9][a-z0-9._-]{1,62})", re.ASCII)
_ACCOUNT: Final = re.compile(r"\d{12}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Element:
    """One element of the document and where it stands, so that a refusal can say so."""

    where: str
    members: Mapping[str, object]

    @classmethod
    def of(cls, where: str, value: object) -> "_Element":
        if not isinstance(value, Mapping):
            raise CampaignError(f"replication configuration: {where} is not an element")
        return cls(where=where, members=value)

    def refuse(self, what: str) -> CampaignError:
        return CampaignError(
            f"replication configuration: {self.where}: {what}",
            hint="S3 would not accept this shape, or this version of backfill does not know it",
        )

    def only(self, *names: str) -> None:
        for name in self.members:
            if name not in names:
                raise self.refuse(f"unknown element {name!r}")

    def child(self, name: str) -> "_Element | None":
        if name not in self.members:
            return None
        return _Element.of(f"{self.where}, {name}", self.members[name])

    def text(self, name: str) -> str | None:
        value = self.members.get(name)
        if value is not None and not isinstance(value, str):
            raise self.refuse(f"{name} is not text")
        return value

    def required_text(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise self.refuse(f"{name} is missing")
        return value

    def number(self, name: str) -> int | None:
        value = self.members.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise self.refuse(f"{name} is not a number")
        return value

    def items(self, name: str) -> "Iterator[_Element]":
        values = self.members.get(name, ())
        if not isinstance(values, Sequence) or isinstance(values, str):
            raise self.refuse(f"{name} is not a list")
        return (
            _Element.of(f"{self.where}, {name} {position}", value)
            for position, value in enumerate(values, 1)
        )

    def is_enabled(self) -> bool:
        status = self.required_text("Status")
        if status not in {"Enabled", "Disabled"}:
            raise self.refuse(f"Status is {status!r}, neither Enabled nor Disabled")
        return status == "Enabled"


def parse_configuration(document: Mapping[str, object]) -> Rules:
    """Return the rules of a GetBucketReplication response, or of the configuration inside it.

    Raises CampaignError that names the rule and the element.
    """
    root = _Element.of("response", document)
    if "ReplicationConfiguration" in document:
        root.only("ReplicationConfiguration", "ResponseMetadata")
        root = _Element.of("configuration", document["ReplicationConfiguration"])
    root.only("Role", "Rules")
    rules = tuple(_rule(element, n) for n, element in enumerate(root.items("Rules"), 1))
    if not 1 <= len(rules) <= RULES_MAX:
        raise root.refuse(f"{len(rules)} rules; S3 takes 1 to {RULES_MAX}")
    ids = [rule.id for rule in rules]
    if len(set(ids)) != len(ids):
        raise root.refuse("two rules have the same ID")
    return Rules(rules=rules, role=root.text("Role") or "")


def rules_of_campaign(destination: DestinationSpec, scope: Scope) -> Rules:
    """Return the one rule that `--destination` with `--prefix` and `--tag` states."""
    if destination.replicates_delete_markers and scope.tags:
        raise CampaignError(
            "delete markers cannot be replicated under a tag filter",
            hint="delete markers have no tags; drop the tags or the delete markers",
        )
    if destination.storage_class and destination.storage_class not in STORAGE_CLASSES:
        raise CampaignError(f"storage class {destination.storage_class!r} cannot be asked for")
    rule = Rule(
        id=CAMPAIGN_RULE_ID,
        is_enabled=True,
        prefix=scope.prefix,
        tags=scope.tags,
        priority=1,
        destination=RuleDestination(
            bucket=destination.bucket,
            storage_class=destination.storage_class,
            replica_kms_key=destination.kms_key_arn,
        ),
        replicates_delete_markers=destination.replicates_delete_markers,
        selects_kms=bool(destination.kms_key_arn),
    )
    return Rules(rules=(rule,))


def _rule(element: _Element, position: int) -> Rule:
    rule_id = element.text("ID") or f"(rule {position} without ID)"
    element = _Element(where=f"rule {rule_id!r}", members=element.members)
    element.only(
        "ID", "Priority", "Prefix", "Filter", "Status", "SourceSelectionCriteria",
        "ExistingObjectReplication", "Destination", "DeleteMarkerReplication",
    )  # fmt: skip
    if len(rule_id) > RULE_ID_MAX or not rule_id.isascii():
        raise element.refuse(f"ID is not ASCII of at most {RULE_ID_MAX} characters")
    prefix, tags = _filter(element)
    destination = _destination(element)
    is_v2 = "Filter" in element.members or destination.has_replication_time
    selects_kms, replicates_modifications = _source_selection(element, destination, is_v2=is_v2)
    existing = element.child("ExistingObjectReplication")
    return Rule(
        id=rule_id,
        is_enabled=element.is_enabled(),
        prefix=prefix,
        tags=tags,
        priority=_priority(element, is_v2=is_v2),
        destination=destination,
        replicates_delete_markers=_replicates_markers(element, tags, is_v2=is_v2),
        selects_kms=selects_kms,
        replicates_modifications=replicates_modifications,
        names_existing_objects=existing is not None and _switch(existing),
    )


def _switch(element: _Element) -> bool:
    """Return an element that holds nothing but a Status."""
    element.only("Status")
    return element.is_enabled()


def _priority(rule: _Element, *, is_v2: bool) -> int | None:
    priority = rule.number("Priority")
    if is_v2 and priority is None:
        raise rule.refuse("Priority is missing; the V2 schema demands it")
    if not is_v2 and priority is not None:
        raise rule.refuse("Priority without Filter: the V1 schema has no priorities")
    if priority is not None and priority < 0:
        raise rule.refuse("Priority is negative")
    return priority


def _replicates_markers(rule: _Element, tags: Pairs, *, is_v2: bool) -> bool:
    """Return whether user delete markers replicate; V1 always does (delete-marker-replication)."""
    switch = rule.child("DeleteMarkerReplication")
    if not is_v2:
        if switch is not None:
            raise rule.refuse("DeleteMarkerReplication without Filter: the V1 schema has none")
        return True
    if switch is None:
        raise rule.refuse("DeleteMarkerReplication is missing; the V2 schema demands it")
    is_on = _switch(switch)
    if is_on and tags:
        raise rule.refuse("DeleteMarkerReplication cannot be Enabled under a tag filter")
    return is_on


def _filter(rule: _Element) -> tuple[str, Pairs]:
    if "Filter" not in rule.members:
        prefix = rule.text("Prefix")
        if prefix is None:
            raise rule.refuse("neither Filter nor Prefix: it does not say which keys")
        return _checked_prefix(rule, prefix), ()
    if "Prefix" in rule.members:
        raise rule.refuse("both Filter and Prefix")
    element = rule.child("Filter")
    assert element is not None, "checked above"
    element.only("Prefix", "Tag", "And")
    if len(element.members) > 1:
        raise element.refuse("more than one of Prefix, Tag and And")
    tag, both = element.child("Tag"), element.child("And")
    if tag is not None:
        return "", (_tag(tag),)
    if both is None:
        return _checked_prefix(element, element.text("Prefix") or ""), ()
    both.only("Prefix", "Tags")
    tags = tuple(sorted(_tag(each) for each in both.items("Tags")))
    if not both.members:
        raise both.refuse("is empty")
    if len({name for name, _ in tags}) != len(tags):
        raise both.refuse("names a tag key twice; no object could meet it")
    return _checked_prefix(both, both.text("Prefix") or ""), tags


def _checked_prefix(element: _Element, prefix: str) -> str:
    if len(prefix.encode()) > PREFIX_BYTES_MAX:
        raise element.refuse(f"Prefix is longer than {PREFIX_BYTES_MAX} bytes")
    return prefix


def _tag(element: _Element) -> tuple[str, str]:
    element.only("Key", "Value")
    return element.required_text("Key"), element.text("Value") or ""


def _source_selection(
    rule: _Element, destination: RuleDestination, *, is_v2: bool
) -> tuple[bool, bool]:
    """Return whether SSE-KMS objects are selected, and whether replica modifications are."""
    element = rule.child("SourceSelectionCriteria")
    if element is None:
        return False, False
    element.only("SseKmsEncryptedObjects", "ReplicaModifications")
    kms, modifications = (
        element.child("SseKmsEncryptedObjects"),
        element.child("ReplicaModifications"),
    )
    selects_kms = kms is not None and _switch(kms)
    if selects_kms and not destination.replica_kms_key:
        raise element.refuse("SseKmsEncryptedObjects needs EncryptionConfiguration")
    if modifications is not None and not is_v2:
        raise element.refuse("ReplicaModifications without Filter: the V1 schema has none")
    return selects_kms, modifications is not None and _switch(modifications)


def _destination(rule: _Element) -> RuleDestination:
    element = rule.child("Destination")
    if element is None:
        raise rule.refuse("Destination is missing")
    element.only(
        "Bucket", "Account", "StorageClass", "AccessControlTranslation",
        "EncryptionConfiguration", "ReplicationTime", "Metrics",
    )  # fmt: skip
    arn = _BUCKET_ARN.fullmatch(element.required_text("Bucket"))
    if arn is None:
        raise element.refuse("Bucket is not the ARN of a general-purpose bucket")
    account = element.text("Account")
    if account is not None and not _ACCOUNT.fullmatch(account):
        raise element.refuse("Account is not a 12-digit account ID")
    storage_class = element.text("StorageClass") or ""
    if storage_class and storage_class not in STORAGE_CLASSES:
        raise element.refuse(f"StorageClass {storage_class!r} is not one for a replica")
    has_replication_time, has_metrics = _replication_time(element)
    return RuleDestination(
        bucket=arn[1],
        account=account or "",
        storage_class=storage_class,
        replica_kms_key=_replica_key(element),
        is_owner_translated=_is_owner_translated(element, account),
        has_replication_time=has_replication_time,
        has_metrics=has_metrics,
    )


def _replica_key(destination: _Element) -> str:
    element = destination.child("EncryptionConfiguration")
    if element is None:
        return ""
    element.only("ReplicaKmsKeyID")
    return element.required_text("ReplicaKmsKeyID")


def _is_owner_translated(destination: _Element, account: str | None) -> bool:
    element = destination.child("AccessControlTranslation")
    if element is None:
        return False
    element.only("Owner")
    if element.required_text("Owner") != "Destination":
        raise element.refuse("Owner is not Destination")
    if account is None:
        raise element.refuse("needs Account beside it")
    return True


def _replication_time(destination: _Element) -> tuple[bool, bool]:
    """Return whether RTC and metrics are on; RTC needs metrics of the same status."""
    time, metrics = destination.child("ReplicationTime"), destination.child("Metrics")
    has_time = time is not None and _timed_switch(time, "Time", is_time_required=True)
    has_metrics = metrics is not None and _timed_switch(
        metrics, "EventThreshold", is_time_required=time is not None
    )
    if time is not None and (metrics is None or has_time != has_metrics):
        raise destination.refuse("ReplicationTime needs Metrics of the same Status")
    return has_time, has_metrics


def _timed_switch(element: _Element, name: str, *, is_time_required: bool) -> bool:
    element.only("Status", name)
    time = element.child(name)
    if time is None and is_time_required:
        raise element.refuse(f"{name} is missing")
    if time is not None:
        time.only("Minutes")
        if time.number("Minutes") != RTC_MINUTES:
            raise time.refuse(f"Minutes is not {RTC_MINUTES}")
    return element.is_enabled()
