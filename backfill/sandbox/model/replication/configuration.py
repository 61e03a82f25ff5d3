"""From the XML of PutBucketReplication to rules, refusing what S3 refuses.

Shares nothing with the product's reader of the same document, so that a mistake is not made twice.
A rule without an ID is given one, as S3 does; else the document stays as it was put.
Law: first the schema, then the rules among themselves, then the buckets that they name.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import combinations

from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.errors import Pairs, S3Error
from backfill.sandbox.model.markup import (
    check_only,
    is_enabled,
    malformed,
    only_child,
    optional_text,
    refuse_if,
    root_of,
    text_of,
    written,
)
from backfill.sandbox.model.replication import refusals
from backfill.sandbox.model.replication.rules import ReplicationConfiguration, Rule
from backfill.sandbox.model.values import Versioning
from backfill.sandbox.model.world import World

_RULE_CHILDREN = frozenset(
    {
        "ID",
        "Priority",
        "Prefix",
        "Filter",
        "Status",
        "SourceSelectionCriteria",
        "Destination",
        "DeleteMarkerReplication",
    }
)
_DESTINATION_CHILDREN = frozenset(
    {
        "Bucket",
        "Account",
        "StorageClass",
        "AccessControlTranslation",
        "EncryptionConfiguration",
        "ReplicationTime",
        "Metrics",
    }
)
_SHAPES = {
    "Time": {"Minutes"},
    "EventThreshold": {"Minutes"},
    "ReplicationTime": {"Status", "Time"},
    "Metrics": {"Status", "EventThreshold"},
    "AccessControlTranslation": {"Owner"},
    "EncryptionConfiguration": {"ReplicaKmsKeyID"},
    "DeleteMarkerReplication": {"Status"},
    "SseKmsEncryptedObjects": {"Status"},
    "ReplicaModifications": {"Status"},
}
"""What the schema knows inside of the smaller elements."""
_STORAGE_CLASSES = frozenset(
    {
        "STANDARD",
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "DEEP_ARCHIVE",
        "OUTPOSTS",
        "GLACIER_IR",
        "SNOW",
        "EXPRESS_ONEZONE",
    }
)
_DESTINATIONS = 28
_BUCKET_ARN = "arn:aws:s3:::"


def validated_configuration(
    document: str, *, source: Bucket, world: World
) -> ReplicationConfiguration:
    """The configuration that a document describes, if S3 would take it for this bucket."""
    root = root_of(document, "ReplicationConfiguration")
    check_only(root, {"Role", "Rule"})
    elements = root.findall("Rule")
    if not elements:
        raise malformed()
    if len(elements) > world.limits.replication_rules_count:
        raise S3Error(refusals.TOO_MANY_RULES)
    if _named(elements, world):
        document = written(root)
    rules = tuple(_rule(element) for element in elements)
    _check_together(elements, rules)
    _check_buckets(elements, rules, source, world)
    return ReplicationConfiguration(document=document, role=text_of(root, "Role"), rules=rules)


def _named(elements: list[ET.Element], world: World) -> bool:
    """Give an ID to each rule that has none (API: ReplicationRule); whether there was one."""
    nameless = [element for element in elements if not (element.findtext("ID") or "")]
    for element in nameless:
        for empty in element.findall("ID"):
            element.remove(empty)
        child = ET.Element("ID")
        child.text = world.new_id()
        element.insert(0, child)
    return bool(nameless)


def _rule(element: ET.Element) -> Rule:
    check_only(element, _RULE_CHILDREN)
    for inner in element.iter():
        if inner.tag in _SHAPES:
            check_only(inner, _SHAPES[inner.tag])
    rule_id = text_of(element, "ID")
    refuse_if(refusals.BAD_RULE_ID, len(rule_id) > 255 or not rule_id.isascii())
    prefix, tags = _filter(element)
    selects_kms, replica_key = _kms(element)
    destination = only_child(element, "Destination")
    check_only(destination, _DESTINATION_CHILDREN)
    time, metrics = destination.find("ReplicationTime"), destination.find("Metrics")
    return Rule(
        rule_id=rule_id,
        is_enabled=is_enabled(element),
        priority=_priority(element),
        prefix=prefix,
        tags=tags,
        destination_bucket=_bucket(destination),
        storage_class=_storage_class(destination),
        replica_kms_key=replica_key,
        selects_kms=selects_kms,
        overrides_owner=_overrides_owner(destination),
        replicates_delete_markers=_markers(element, tags),
        account_id=optional_text(destination, "Account"),
        has_metrics=metrics is not None and is_enabled(metrics),
        has_time_control=time is not None and is_enabled(time),
        replicates_modifications=_modifications(element),
    )


def _filter(rule: ET.Element) -> tuple[str, Pairs]:
    found = rule.find("Filter")
    if found is None:
        return text_of(rule, "Prefix"), ()
    if rule.find("Prefix") is not None or len(found) > 1:
        raise malformed()
    if len(found) == 0:
        return "", ()
    child = found[0]
    if child.tag == "Prefix":
        return child.text or "", ()
    if child.tag == "Tag":
        return "", (_tag(child),)
    if child.tag != "And":
        raise malformed()
    check_only(child, {"Prefix", "Tag"})
    tags = tuple(_tag(tag) for tag in child.findall("Tag"))
    if len(dict(tags)) != len(tags):
        raise malformed()
    return optional_text(child, "Prefix") or "", tags


def _tag(element: ET.Element) -> tuple[str, str]:
    check_only(element, {"Key", "Value"})
    return text_of(element, "Key"), text_of(element, "Value")


def _priority(rule: ET.Element) -> int | None:
    text = optional_text(rule, "Priority")
    if rule.find("Filter") is None:
        refuse_if(refusals.V2_ELEMENT_IN_V1, text is not None)
        return None
    if text is None:
        raise S3Error(refusals.FILTER_WITHOUT_PRIORITY)
    if not text.isdigit() or int(text) > 2**31 - 1:
        raise malformed()
    return int(text)


def _markers(rule: ET.Element, tags: Pairs) -> bool:
    found = rule.find("DeleteMarkerReplication")
    if rule.find("Filter") is None:
        refuse_if(refusals.V2_ELEMENT_IN_V1, found is not None)
        return True
    if found is None:
        raise S3Error(refusals.FILTER_WITHOUT_MARKERS)
    is_wanted = is_enabled(found)
    refuse_if(refusals.TAGS_WITH_MARKERS, is_wanted and bool(tags))
    return is_wanted


def _kms(rule: ET.Element) -> tuple[bool, str | None]:
    criteria = rule.find("SourceSelectionCriteria")
    selected = criteria.find("SseKmsEncryptedObjects") if criteria is not None else None
    encryption = only_child(rule, "Destination").find("EncryptionConfiguration")
    key = text_of(encryption, "ReplicaKmsKeyID") if encryption is not None else None
    if criteria is not None:
        check_only(criteria, {"SseKmsEncryptedObjects", "ReplicaModifications"})
    if selected is None:
        refuse_if(refusals.KEY_WITHOUT_KMS, key is not None)
        return False, None
    is_selected = is_enabled(selected)
    refuse_if(refusals.KMS_WITHOUT_KEY, is_selected and not key)
    return is_selected, key


def _modifications(rule: ET.Element) -> bool:
    found = rule.find("SourceSelectionCriteria/ReplicaModifications")
    refuse_if(refusals.V2_ELEMENT_IN_V1, found is not None and rule.find("Filter") is None)
    return found is not None and is_enabled(found)


def _bucket(destination: ET.Element) -> str:
    arn = text_of(destination, "Bucket")
    name = arn.removeprefix(_BUCKET_ARN)
    refuse_if(refusals.BAD_DESTINATION, name == arn or not name or "/" in name)
    return name


def _storage_class(destination: ET.Element) -> str | None:
    name = optional_text(destination, "StorageClass")
    refuse_if(refusals.BAD_STORAGE_CLASS, name is not None and name not in _STORAGE_CLASSES)
    return name


def _overrides_owner(destination: ET.Element) -> bool:
    found = destination.find("AccessControlTranslation")
    if found is None:
        return False
    if text_of(found, "Owner") != "Destination":
        raise malformed()
    refuse_if(refusals.OWNER_WITHOUT_ACCOUNT, destination.find("Account") is None)
    return True


def _check_together(elements: list[ET.Element], rules: tuple[Rule, ...]) -> None:
    ids = [rule.rule_id for rule in rules]
    refuse_if(refusals.SAME_RULE_ID, len(set(ids)) != len(ids))
    priorities = [rule.priority for rule in rules if rule.priority is not None]
    destinations = {rule.destination_bucket for rule in rules}
    refuse_if(refusals.TOO_MANY_DESTINATIONS, len(destinations) > _DESTINATIONS)
    refuse_if(refusals.SAME_PRIORITY, len(set(priorities)) != len(priorities))
    first_schema = [rule for rule in rules if rule.priority is None]
    for one, other in combinations(first_schema, 2):
        overlap = one.prefix.startswith(other.prefix) or other.prefix.startswith(one.prefix)
        refuse_if(refusals.OVERLAPPING_PREFIXES, overlap)
        is_other = one.destination_bucket != other.destination_bucket
        refuse_if(refusals.SEVERAL_V1_DESTINATIONS, is_other)
    for element in elements:
        _check_time(element)


def _check_time(rule: ET.Element) -> None:
    destination = only_child(rule, "Destination")
    time, metrics = destination.find("ReplicationTime"), destination.find("Metrics")
    if time is not None:
        refuse_if(refusals.V2_ELEMENT_IN_V1, rule.find("Filter") is None)
        is_same = metrics is not None and is_enabled(time) == is_enabled(metrics)
        refuse_if(refusals.TIME_WITHOUT_METRICS, not is_same)
        _check_minutes(only_child(time, "Time"))
    if metrics is not None:
        threshold = metrics.find("EventThreshold")
        refuse_if(refusals.TIME_WITHOUT_METRICS, time is not None and threshold is None)
        if threshold is not None:
            _check_minutes(threshold)


def _check_minutes(element: ET.Element) -> None:
    refuse_if(refusals.NOT_FIFTEEN_MINUTES, text_of(element, "Minutes") != "15")


def _check_buckets(
    elements: list[ET.Element], rules: tuple[Rule, ...], source: Bucket, world: World
) -> None:
    refuse_if(refusals.SOURCE_NOT_VERSIONED, source.versioning is not Versioning.ENABLED)
    for element, rule in zip(elements, rules, strict=True):
        refuse_if(refusals.BAD_DESTINATION, rule.destination_bucket == source.name)
        destination = world.buckets.get(rule.destination_bucket)
        if destination is None or destination.versioning is not Versioning.ENABLED:
            raise S3Error(refusals.DESTINATION_NOT_VERSIONED)
        account = only_child(element, "Destination").find("Account")
        if account is not None:
            refuse_if(refusals.WRONG_ACCOUNT, (account.text or "") != destination.owner_id)
