"""From the XML of PutBucketReplication to rules, refusing what S3 refuses.

Shares nothing with the product's reader of the same document, so that a mistake is not made twice.
Never resolves entities: a DOCTYPE is malformed.
Law: first the schema, then the rules among themselves, then the buckets that they name.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from itertools import combinations

from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.errors import Pairs, Refusal, S3Error
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
_BUCKET_ARN = "arn:aws:s3:::"


def validated_configuration(
    document: str, *, source: Bucket, world: World
) -> ReplicationConfiguration:
    """The configuration that a document describes, if S3 would take it for this bucket."""
    root = _read(document)
    _only(root, {"Role", "Rule"})
    elements = root.findall("Rule")
    if not elements:
        raise S3Error(refusals.MALFORMED)
    if len(elements) > world.limits.replication_rules_count:
        raise S3Error(refusals.TOO_MANY_RULES)
    rules = tuple(_rule(element, position) for position, element in enumerate(elements))
    _check_together(elements, rules)
    _check_buckets(elements, rules, source, world)
    return ReplicationConfiguration(document=document, role=_text(root, "Role"), rules=rules)


def _read(document: str) -> ET.Element:
    if "<!" in document.replace("<!--", ""):
        raise S3Error(refusals.MALFORMED)
    try:
        root = ET.fromstring(document)  # noqa: S314 - as above
    except ET.ParseError:
        raise S3Error(refusals.MALFORMED) from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    if root.tag != "ReplicationConfiguration":
        raise S3Error(refusals.MALFORMED)
    return root


def _rule(element: ET.Element, position: int) -> Rule:
    _only(element, _RULE_CHILDREN)
    rule_id = _optional(element, "ID") or f"rule-{position}"
    _refuse_if(refusals.BAD_RULE_ID, len(rule_id) > 255 or not rule_id.isascii())
    prefix, tags = _filter(element)
    selects_kms, replica_key = _kms(element)
    destination = _one(element, "Destination")
    _only(destination, _DESTINATION_CHILDREN)
    time, metrics = destination.find("ReplicationTime"), destination.find("Metrics")
    return Rule(
        rule_id=rule_id,
        is_enabled=_status(element),
        priority=_priority(element),
        prefix=prefix,
        tags=tags,
        destination_bucket=_bucket(destination),
        storage_class=_storage_class(destination),
        replica_kms_key=replica_key,
        selects_kms=selects_kms,
        overrides_owner=_overrides_owner(destination),
        replicates_delete_markers=_markers(element, tags),
        account_id=_optional(destination, "Account"),
        has_metrics=metrics is not None and _status(metrics),
        has_time_control=time is not None and _status(time),
        replicates_modifications=_modifications(element),
    )


def _filter(rule: ET.Element) -> tuple[str, Pairs]:
    found = rule.find("Filter")
    if found is None:
        return _text(rule, "Prefix"), ()
    if rule.find("Prefix") is not None or len(found) > 1:
        raise S3Error(refusals.MALFORMED)
    if len(found) == 0:
        return "", ()
    child = found[0]
    if child.tag == "Prefix":
        return child.text or "", ()
    if child.tag == "Tag":
        return "", (_tag(child),)
    if child.tag != "And":
        raise S3Error(refusals.MALFORMED)
    _only(child, {"Prefix", "Tag"})
    tags = tuple(_tag(tag) for tag in child.findall("Tag"))
    if len(dict(tags)) != len(tags):
        raise S3Error(refusals.MALFORMED)
    return _optional(child, "Prefix") or "", tags


def _tag(element: ET.Element) -> tuple[str, str]:
    _only(element, {"Key", "Value"})
    return _text(element, "Key"), _text(element, "Value")


def _priority(rule: ET.Element) -> int | None:
    text = _optional(rule, "Priority")
    if rule.find("Filter") is None:
        _refuse_if(refusals.V2_ELEMENT_IN_V1, text is not None)
        return None
    if text is None:
        raise S3Error(refusals.FILTER_WITHOUT_PRIORITY)
    if not text.isdigit() or int(text) > 2**31 - 1:
        raise S3Error(refusals.MALFORMED)
    return int(text)


def _markers(rule: ET.Element, tags: Pairs) -> bool:
    found = rule.find("DeleteMarkerReplication")
    if rule.find("Filter") is None:
        _refuse_if(refusals.V2_ELEMENT_IN_V1, found is not None)
        return True
    if found is None:
        raise S3Error(refusals.FILTER_WITHOUT_MARKERS)
    is_wanted = _status(found)
    _refuse_if(refusals.TAGS_WITH_MARKERS, is_wanted and bool(tags))
    return is_wanted


def _kms(rule: ET.Element) -> tuple[bool, str | None]:
    criteria = rule.find("SourceSelectionCriteria")
    selected = criteria.find("SseKmsEncryptedObjects") if criteria is not None else None
    encryption = _one(rule, "Destination").find("EncryptionConfiguration")
    key = _text(encryption, "ReplicaKmsKeyID") if encryption is not None else None
    if criteria is not None:
        _only(criteria, {"SseKmsEncryptedObjects", "ReplicaModifications"})
    if selected is None:
        _refuse_if(refusals.KEY_WITHOUT_KMS, key is not None)
        return False, None
    is_enabled = _status(selected)
    _refuse_if(refusals.KMS_WITHOUT_KEY, is_enabled and not key)
    return is_enabled, key


def _modifications(rule: ET.Element) -> bool:
    found = rule.find("SourceSelectionCriteria/ReplicaModifications")
    _refuse_if(refusals.V2_ELEMENT_IN_V1, found is not None and rule.find("Filter") is None)
    return found is not None and _status(found)


def _bucket(destination: ET.Element) -> str:
    arn = _text(destination, "Bucket")
    name = arn.removeprefix(_BUCKET_ARN)
    _refuse_if(refusals.BAD_DESTINATION, name == arn or not name or "/" in name)
    return name


def _storage_class(destination: ET.Element) -> str | None:
    name = _optional(destination, "StorageClass")
    _refuse_if(refusals.BAD_STORAGE_CLASS, name is not None and name not in _STORAGE_CLASSES)
    return name


def _overrides_owner(destination: ET.Element) -> bool:
    found = destination.find("AccessControlTranslation")
    if found is None:
        return False
    if _text(found, "Owner") != "Destination":
        raise S3Error(refusals.MALFORMED)
    _refuse_if(refusals.OWNER_WITHOUT_ACCOUNT, destination.find("Account") is None)
    return True


def _check_together(elements: list[ET.Element], rules: tuple[Rule, ...]) -> None:
    ids = [rule.rule_id for rule in rules]
    _refuse_if(refusals.SAME_RULE_ID, len(set(ids)) != len(ids))
    priorities = [rule.priority for rule in rules if rule.priority is not None]
    _refuse_if(refusals.SAME_PRIORITY, len(set(priorities)) != len(priorities))
    first_schema = [rule for rule in rules if rule.priority is None]
    for one, other in combinations(first_schema, 2):
        overlap = one.prefix.startswith(other.prefix) or other.prefix.startswith(one.prefix)
        _refuse_if(refusals.OVERLAPPING_PREFIXES, overlap)
        is_other = one.destination_bucket != other.destination_bucket
        _refuse_if(refusals.SEVERAL_V1_DESTINATIONS, is_other)
    for element in elements:
        _check_time(element)


def _check_time(rule: ET.Element) -> None:
    destination = _one(rule, "Destination")
    time, metrics = destination.find("ReplicationTime"), destination.find("Metrics")
    if time is not None:
        _refuse_if(refusals.V2_ELEMENT_IN_V1, rule.find("Filter") is None)
        is_same = metrics is not None and _status(time) == _status(metrics)
        _refuse_if(refusals.TIME_WITHOUT_METRICS, not is_same)
        _check_minutes(_one(time, "Time"))
    if metrics is not None:
        threshold = metrics.find("EventThreshold")
        _refuse_if(refusals.TIME_WITHOUT_METRICS, time is not None and threshold is None)
        if threshold is not None:
            _check_minutes(threshold)


def _check_minutes(element: ET.Element) -> None:
    _refuse_if(refusals.NOT_FIFTEEN_MINUTES, _text(element, "Minutes") != "15")


def _check_buckets(
    elements: list[ET.Element], rules: tuple[Rule, ...], source: Bucket, world: World
) -> None:
    _refuse_if(refusals.SOURCE_NOT_VERSIONED, source.versioning is not Versioning.ENABLED)
    for element, rule in zip(elements, rules, strict=True):
        _refuse_if(refusals.BAD_DESTINATION, rule.destination_bucket == source.name)
        destination = world.buckets.get(rule.destination_bucket)
        if destination is None or destination.versioning is not Versioning.ENABLED:
            raise S3Error(refusals.DESTINATION_NOT_VERSIONED)
        account = _one(element, "Destination").find("Account")
        if account is not None:
            _refuse_if(refusals.WRONG_ACCOUNT, (account.text or "") != destination.owner_id)


def _refuse_if(refusal: Refusal, is_so: bool) -> None:  # noqa: FBT001 - reads as a sentence
    if is_so:
        raise S3Error(refusal)


def _only(element: ET.Element, names: Iterable[str]) -> None:
    known = set(names)
    for child in element:
        _refuse_if(refusals.MALFORMED, child.tag not in known)


def _one(element: ET.Element, name: str) -> ET.Element:
    found = element.findall(name)
    if len(found) != 1:
        raise S3Error(refusals.MALFORMED)
    return found[0]


def _text(element: ET.Element, name: str) -> str:
    return _one(element, name).text or ""


def _optional(element: ET.Element, name: str) -> str | None:
    return _text(element, name) if element.find(name) is not None else None


def _status(element: ET.Element) -> bool:
    text = _text(element, "Status")
    _refuse_if(refusals.MALFORMED, text not in {"Enabled", "Disabled"})
    return text == "Enabled"
