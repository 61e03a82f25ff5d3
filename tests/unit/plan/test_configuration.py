import copy
from typing import Any

import pytest

from backfill.campaign import DestinationSpec, Scope
from backfill.errors import CampaignError
from backfill.plan import configuration
from backfill.plan.configuration import parse_configuration, rules_of_campaign
from backfill.plan.rules import Rule, Rules, configuration_digest

ARN = "arn:aws:s3:::destination-bucket"
KEY_ARN = "arn:aws:kms:eu-west-1:222233334444:key/k"
V2: dict[str, Any] = {
    "ID": "r",
    "Priority": 1,
    "Filter": {},
    "Status": "Enabled",
    "DeleteMarkerReplication": {"Status": "Disabled"},
    "Destination": {"Bucket": ARN},
}
V1: dict[str, Any] = {
    "ID": "old",
    "Prefix": "logs/",
    "Status": "Enabled",
    "Destination": {"Bucket": ARN},
}
RTC = {
    "ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": 15}},
    "Metrics": {"Status": "Enabled", "EventThreshold": {"Minutes": 15}},
}


def changed(rule: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a rule with elements set, or taken away where the change is None."""
    merged = {**copy.deepcopy(rule), **changes}
    return {name: value for name, value in merged.items() if value is not None}


def with_destination(**changes: Any) -> dict[str, Any]:
    return changed(V2, Destination={"Bucket": ARN, **changes})


def parsed(*rules: dict[str, Any]) -> Rules:
    return parse_configuration(
        {
            "ReplicationConfiguration": {
                "Role": "arn:aws:iam::111122223333:role/r",
                "Rules": rules,
            },
            "ResponseMetadata": {"HTTPStatusCode": 200},
        }
    )


def only(document: dict[str, Any]) -> Rule:
    (rule,) = parsed(document).rules
    return rule


A, B = {"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}
BOTH = (("a", "1"), ("b", ""))


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (changed(V2, Filter={}), ("", ())),
        (changed(V2, Filter={"Prefix": ""}), ("", ())),
        (changed(V2, Filter={"Prefix": "a/"}), ("a/", ())),
        (changed(V2, Filter={"Tag": A}), ("", (("a", "1"),))),
        (changed(V2, Filter={"And": {"Prefix": "p", "Tags": [B, A]}}), ("p", BOTH)),
        (changed(V2, Filter={"And": {"Tags": [A, B]}}), ("", BOTH)),
        (V1, ("logs/", ())),
        (changed(V1, Prefix=""), ("", ())),
    ],
)
def test_every_shape_of_filter_is_read(document: dict[str, Any], expected: Any) -> None:
    """If this fails, keys that a rule covers are planned as if it did not, or the other way."""
    rule = only(document)
    assert (rule.prefix, rule.tags) == expected


def test_a_v1_rule_replicates_delete_markers_and_has_no_priority() -> None:
    """If this fails, deletions are not carried where S3 carries them."""
    rule = only(V1)
    assert rule.replicates_delete_markers
    assert rule.priority is None


def test_every_element_of_a_full_rule_is_kept() -> None:
    """If this fails, copies take another storage class, key or owner than the rule says."""
    rule = only(
        changed(
            V2,
            Status="Disabled",
            Priority=7,
            DeleteMarkerReplication={"Status": "Enabled"},
            ExistingObjectReplication={"Status": "Enabled"},
            SourceSelectionCriteria={
                "SseKmsEncryptedObjects": {"Status": "Enabled"},
                "ReplicaModifications": {"Status": "Enabled"},
            },
            Destination={
                "Bucket": "arn:aws-us-gov:s3:::my.bucket",
                "Account": "222233334444",
                "StorageClass": "STANDARD_IA",
                "AccessControlTranslation": {"Owner": "Destination"},
                "EncryptionConfiguration": {"ReplicaKmsKeyID": KEY_ARN},
                **RTC,
            },
        )
    )
    assert (rule.is_enabled, rule.priority, rule.names_existing_objects) == (False, 7, True)
    assert (rule.selects_kms, rule.replicates_modifications) == (True, True)
    assert rule.replicates_delete_markers
    destination = rule.destination
    assert (destination.bucket, destination.account) == ("my.bucket", "222233334444")
    assert (destination.storage_class, destination.replica_kms_key) == ("STANDARD_IA", KEY_ARN)
    assert destination.is_owner_translated
    assert destination.has_replication_time
    assert destination.has_metrics


@pytest.mark.parametrize(
    ("document", "named"),
    [
        (changed(V2, Nonsense=1), "'Nonsense'"),
        (changed(V2, Status="On"), "'On'"),
        (changed(V2, Status=None), "Status"),
        (changed(V2, Priority=None), "Priority"),
        (changed(V2, Priority="1"), "Priority"),
        (changed(V2, Priority=-1), "Priority"),
        (changed(V2, DeleteMarkerReplication=None), "DeleteMarkerReplication"),
        (changed(V2, DeleteMarkerReplication={}), "DeleteMarkerReplication"),
        (changed(V2, Prefix="x"), "both Filter and Prefix"),
        (changed(V2, Filter=None), "Prefix"),
        (changed(V2, Filter={"Prefix": "a", "Tag": A}), "Filter"),
        (changed(V2, Filter={"Suffix": "a"}), "'Suffix'"),
        (changed(V2, Filter={"And": {}}), "And"),
        (changed(V2, Filter={"And": {"Tags": [A, {"Key": "a", "Value": "2"}]}}), "twice"),
        (changed(V2, Filter={"Tag": {"Value": "1"}}), "Key"),
        (changed(V2, Filter={"Prefix": "x" * 1025}), "Prefix"),
        (changed(V2, Filter="all"), "Filter"),
        (
            changed(V2, Filter={"Tag": A}, DeleteMarkerReplication={"Status": "Enabled"}),
            "tag filter",
        ),
        (changed(V1, Priority=1), "Priority"),
        (changed(V1, DeleteMarkerReplication={"Status": "Enabled"}), "DeleteMarkerReplication"),
        (
            changed(V1, SourceSelectionCriteria={"ReplicaModifications": {"Status": "Enabled"}}),
            "ReplicaModifications",
        ),
        (changed(V1, Prefix=None), "neither"),
        (changed(V2, ID="é"), "ID"),
        (changed(V2, ID="x" * 256), "ID"),
        (changed(V2, Destination=None), "Destination"),
        (changed(V2, Destination={"Bucket": "destination-bucket"}), "ARN"),
        (changed(V2, Destination={"Bucket": "arn:aws:s3-outposts:::x"}), "ARN"),
        (with_destination(Account="12"), "Account"),
        (with_destination(StorageClass="FSX_OPENZFS"), "FSX_OPENZFS"),
        (with_destination(AccessControlTranslation={"Owner": "Destination"}), "Account"),
        (
            with_destination(Account="222233334444", AccessControlTranslation={"Owner": "Me"}),
            "Owner",
        ),
        (with_destination(EncryptionConfiguration={}), "ReplicaKmsKeyID"),
        (with_destination(ReplicationTime=RTC["ReplicationTime"]), "Metrics"),
        (with_destination(**{**RTC, "Metrics": {**RTC["Metrics"], "Status": "Disabled"}}), "same"),
        (
            with_destination(
                **{**RTC, "ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": 5}}}
            ),
            "Minutes",
        ),
        (
            changed(V2, SourceSelectionCriteria={"SseKmsEncryptedObjects": {"Status": "Enabled"}}),
            "EncryptionConfiguration",
        ),
    ],
)
def test_what_s3_would_refuse_is_refused_with_its_place(
    document: dict[str, Any], named: str
) -> None:
    """If this fails, a configuration that nobody understands is acted upon."""
    with pytest.raises(CampaignError) as refused:
        parsed(document)
    assert named in refused.value.message
    assert f"rule '{document.get('ID', '')}'" in refused.value.message


@pytest.mark.parametrize("document", [{"Role": "r", "Rules": []}, {"Rules": "all"}, {"Rule": []}])
def test_a_document_without_rules_is_refused(document: dict[str, Any]) -> None:
    """If this fails, an answer that is no configuration plans nothing and looks like success."""
    with pytest.raises(CampaignError):
        parse_configuration(document)


UNKNOWN = {"Unknown": "1"}
KMS = {"Status": "Enabled"}


@pytest.mark.parametrize(
    ("document", "place"),
    [
        (changed(V2, **UNKNOWN), ""),
        (changed(V2, DeleteMarkerReplication={**KMS, **UNKNOWN}), "DeleteMarkerReplication"),
        (changed(V2, ExistingObjectReplication={**KMS, **UNKNOWN}), "ExistingObjectReplication"),
        (changed(V2, Filter=UNKNOWN), "Filter"),
        (changed(V2, Filter={"Tag": {**A, **UNKNOWN}}), "Tag"),
        (changed(V2, Filter={"And": {"Prefix": "a", **UNKNOWN}}), "And"),
        (changed(V2, Filter={"And": {"Tags": [{**A, **UNKNOWN}]}}), "Tags 1"),
        (changed(V2, SourceSelectionCriteria=UNKNOWN), "SourceSelectionCriteria"),
        (
            changed(V2, SourceSelectionCriteria={"ReplicaModifications": {**KMS, **UNKNOWN}}),
            "ReplicaModifications",
        ),
        (with_destination(**UNKNOWN), "Destination"),
        (
            with_destination(
                Account="222233334444",
                AccessControlTranslation={"Owner": "Destination", **UNKNOWN},
            ),
            "AccessControlTranslation",
        ),
        (
            with_destination(
                EncryptionConfiguration={"ReplicaKmsKeyID": KEY_ARN, **UNKNOWN},
            ),
            "EncryptionConfiguration",
        ),
        (with_destination(**{**RTC, "Metrics": {**RTC["Metrics"], **UNKNOWN}}), "Metrics"),
        (
            with_destination(
                **{**RTC, "Metrics": {**KMS, "EventThreshold": {"Minutes": 15, **UNKNOWN}}}
            ),
            "EventThreshold",
        ),
    ],
)
def test_an_element_that_nobody_knows_is_refused_at_its_place(
    document: dict[str, Any], place: str
) -> None:
    """If this fails, what S3 adds to rules one day is ignored, and rules are read as others."""
    with pytest.raises(CampaignError) as refused:
        parsed(document)
    assert "'Unknown'" in refused.value.message
    assert place in refused.value.message.partition("Unknown")[0]


@pytest.mark.parametrize(
    "document",
    [
        {"ReplicationConfiguration": {"Rules": [V2]}, "Unknown": 1},
        {"ReplicationConfiguration": {"Rules": [V2], "Unknown": 1}},
        {"ReplicationConfiguration": []},
        {"Rules": [V2], "Role": 7},
    ],
)
def test_a_configuration_around_the_rules_is_read_as_strictly(document: dict[str, Any]) -> None:
    """If this fails, an answer that is not a configuration is acted upon."""
    with pytest.raises(CampaignError) as refused:
        parse_configuration(document)
    assert refused.value.message.startswith("replication configuration: ")


def test_the_role_and_as_many_rules_as_s3_takes_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a configuration that S3 holds is refused, or its role forgotten."""
    assert configuration.RULES_MAX == 1000
    monkeypatch.setattr(configuration, "RULES_MAX", 3)
    rules = [changed(V2, ID=f"r{n}", Priority=n) for n in range(4)]
    found = parse_configuration({"Role": "arn:aws:iam::111122223333:role/r", "Rules": rules[:3]})
    assert (len(found.rules), found.role) == (3, "arn:aws:iam::111122223333:role/r")
    assert parse_configuration({"Rules": [V2]}).role == ""
    with pytest.raises(CampaignError, match="4 rules; S3 takes 1 to 3"):
        parse_configuration({"Rules": rules})


@pytest.mark.parametrize(
    "name",
    [
        "STANDARD",
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "GLACIER_IR",
        "DEEP_ARCHIVE",
    ],
)
def test_each_class_that_a_destination_can_hold_is_taken(name: str) -> None:
    """If this fails, a rule that S3 accepted keeps the whole bucket from being planned."""
    assert only(with_destination(StorageClass=name)).destination.storage_class == name
    spec = DestinationSpec(bucket="b", storage_class=name)
    assert rules_of_campaign(spec, Scope()).rules[0].destination.storage_class == name
    with pytest.raises(CampaignError, match="cannot be asked for"):
        rules_of_campaign(DestinationSpec(bucket="b", storage_class="EXPRESS"), Scope())


def test_a_rule_at_each_limit_is_taken() -> None:
    """If this fails, a rule that S3 accepted is refused for its length."""
    rule = only(changed(V2, ID="x" * 255, Priority=0, Filter={"Prefix": "é" * 512}))
    assert (len(rule.id), rule.priority, len(rule.prefix)) == (255, 0, 512)
    assert only(changed(V2, ID=None)).id == "(rule 1 without ID)"


def test_metrics_without_a_time_limit_are_metrics_alone() -> None:
    """If this fails, a rule with metrics and without RTC is refused, or waits for RTC's metrics."""
    rule = only(with_destination(Metrics={"Status": "Enabled"}))
    assert (rule.destination.has_replication_time, rule.destination.has_metrics) == (False, True)
    off = {"Status": "Disabled"}
    rule = only(
        with_destination(
            ReplicationTime={**RTC["ReplicationTime"], **off}, Metrics={**RTC["Metrics"], **off}
        )
    )
    assert (rule.destination.has_replication_time, rule.destination.has_metrics) == (False, False)


def test_two_rules_of_one_id_are_refused() -> None:
    """If this fails, a plan's rule IDs do not tell which rule won."""
    with pytest.raises(CampaignError, match="same ID"):
        parsed(V2, changed(V2, Priority=2))


@pytest.mark.parametrize(
    ("one", "other", "is_ambiguous"),
    [
        (V2, changed(V2, ID="s"), True),
        (V2, changed(V2, ID="s", Priority=2), False),
        (V2, changed(V2, ID="s", Status="Disabled"), False),
        (V2, changed(V2, ID="s", Destination={"Bucket": ARN + "-2"}), False),
        (changed(V2, Filter={"Prefix": "a"}), changed(V2, ID="s", Filter={"Prefix": "b"}), False),
        (V1, changed(V1, ID="s", Prefix="logs/2024/"), True),
        (V1, changed(V1, ID="s", Prefix="data/"), False),
    ],
)
def test_overlapping_rules_of_equal_priority_are_refused(
    one: dict[str, Any], other: dict[str, Any], *, is_ambiguous: bool
) -> None:
    """If this fails, which of two rules wins is a guess."""
    if is_ambiguous:
        with pytest.raises(CampaignError, match="equal priority"):
            parsed(one, other)
    else:
        assert len(parsed(one, other).rules) == 2


def test_the_campaigns_own_destination_says_the_same_as_a_rule() -> None:
    """If this fails, --destination with --prefix and --tag plans otherwise than the same rule."""
    spec = DestinationSpec(
        bucket="destination-bucket", kms_key_arn=KEY_ARN, storage_class="GLACIER"
    )
    (rule,) = rules_of_campaign(spec, Scope(prefix="p/", tags=(("a", "1"),))).rules
    said = only(
        changed(
            V2,
            ID="campaign",
            Filter={"And": {"Prefix": "p/", "Tags": [A]}},
            SourceSelectionCriteria={"SseKmsEncryptedObjects": {"Status": "Enabled"}},
            Destination={
                "Bucket": ARN,
                "StorageClass": "GLACIER",
                "EncryptionConfiguration": {"ReplicaKmsKeyID": KEY_ARN},
            },
        )
    )
    assert rule == said


def test_delete_markers_under_campaign_tags_are_refused() -> None:
    """If this fails, a campaign promises deletions that S3's rules could not express."""
    spec = DestinationSpec(bucket="b", replicates_delete_markers=True)
    with pytest.raises(CampaignError, match="delete markers"):
        rules_of_campaign(spec, Scope(tags=(("a", "1"),)))


def test_the_digest_follows_the_rules_and_not_their_order() -> None:
    """If this fails, a resumed run is refused for nothing, or goes on under changed rules."""
    other = changed(V2, ID="s", Priority=2)
    assert configuration_digest(parsed(V2, other)) == configuration_digest(parsed(other, V2))
    moved = changed(other, Destination={"Bucket": ARN, "StorageClass": "STANDARD_IA"})
    assert configuration_digest(parsed(V2, other)) != configuration_digest(parsed(V2, moved))


def test_accounts_of_one_destination_must_agree() -> None:
    """If this fails, one of two contradicting owners is sent as the expected one."""
    named = with_destination(Account="222233334444")
    other = changed(named, ID="s", Priority=2)
    assert parsed(named, other).owner_of("destination-bucket") == "222233334444"
    other["Destination"]["Account"] = "555566667777"
    with pytest.raises(CampaignError, match="Accounts"):
        parsed(named, other).owner_of("destination-bucket")
