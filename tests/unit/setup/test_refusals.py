"""What cannot be done without harm to others is refused before anything is written."""

import json

import pytest

from backfill.model.accounts import RawDocument, Unread
from backfill.setup.desired import wanted_of
from backfill.setup.difference import differences, removals
from backfill.setup.merging import merged
from backfill.setup.removing import removed
from backfill.setup.wanted import (
    Action,
    Actual,
    DocumentDifference,
    Fields,
    Resource,
    ResourceKind,
    Side,
    Wanted,
)
from tests.doubles.setup_specs import GOLDEN, QUEUE, ROLE, SOURCE, ground, spec

NAME = "photos"


def wanted(golden: str = "two-accounts") -> Wanted:
    found = spec(GOLDEN[golden])
    return wanted_of(found, ground(found))


def resource_of(found: Wanted, kind: ResourceKind, side: Side | None = None) -> Resource:
    return next(
        resource
        for resource in found.resources
        if resource.kind is kind and side in {None, resource.side}
    )


def laid(
    kind: ResourceKind, before: Fields, golden: str = "two-accounts", *, side: Side | None = None
) -> DocumentDifference:
    found = wanted(golden)
    resource = resource_of(found, kind, side)
    raw = RawDocument(text="", fields=before)
    return merged(resource, found.parts_of(resource), raw, name=NAME)


V2_RULE: Fields = {
    "ID": "theirs",
    "Priority": 1,
    "Filter": {"Prefix": ""},
    "Status": "Enabled",
    "Destination": {"Bucket": "arn:aws:s3:::else"},
    "DeleteMarkerReplication": {"Status": "Disabled"},
}
V1_RULE: Fields = {
    "ID": "old",
    "Prefix": "logs/",
    "Status": "Enabled",
    "Destination": {"Bucket": "arn:aws:s3:::else"},
}
BIG: Fields = {"Sid": "Big", "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "s3:*"}


def padded(size: int) -> Fields:
    return {"Statement": [{**BIG, "Resource": "x" * size}]}


REFUSED: dict[str, tuple[ResourceKind, Fields, str, str]] = {
    "a rule of the old schema": (
        ResourceKind.REPLICATION,
        {"Role": ROLE, "Rules": [V1_RULE]},
        "two-accounts",
        '"Filter": {"Prefix": "logs/"}',
    ),
    "another role beside rules of others": (
        ResourceKind.REPLICATION,
        {"Role": f"arn:aws:iam::{SOURCE}:role/theirs", "Rules": [V2_RULE]},
        "two-accounts",
        "a bucket has one role for all its rules",
    ),
    "a priority that another has": (
        ResourceKind.REPLICATION,
        {"Role": ROLE, "Rules": [V2_RULE]},
        "several-rules",
        "priority 1 is that of somebody else's rule 'theirs'",
    ),
    "a rule ID that is about another bucket": (
        ResourceKind.REPLICATION,
        {"Role": ROLE, "Rules": [{**V2_RULE, "ID": "backfill.photos.all"}]},
        "two-accounts",
        "about something else",
    ),
    "more rules than S3 takes": (
        ResourceKind.REPLICATION,
        {
            "Role": ROLE,
            "Rules": [{**V2_RULE, "ID": f"r{n}", "Priority": n} for n in range(1_000)],
        },
        "two-accounts",
        "1001 rules, AWS takes 1000",
    ),
    "a statement of ours about another role": (
        ResourceKind.BUCKET_POLICY,
        {
            "Statement": [
                {
                    **BIG,
                    "Sid": "BackfillOwnedForPhotos",
                    "Principal": {"AWS": "arn:aws:iam::999999999999:role/else"},
                }
            ]
        },
        "two-accounts",
        "another set-up of this name",
    ),
    "a Sid twice": (
        ResourceKind.BUCKET_POLICY,
        {"Statement": [{**BIG, "Sid": "BackfillBucketForPhotos"}] * 2},
        "two-accounts",
        "which is ours?",
    ),
    "a bucket policy that is full": (
        ResourceKind.BUCKET_POLICY,
        padded(20_300),
        "two-accounts",
        "bytes, AWS takes 20480",
    ),
    "a key policy that is full": (
        ResourceKind.KEY_POLICY,
        padded(32_700),
        "kms-destination-key",
        "bytes, AWS takes 32768",
    ),
    "a queue policy that is full": (
        ResourceKind.EVENT_DESTINATION_POLICY,
        {"Statement": [{**BIG, "Sid": f"s{n}"} for n in range(20)]},
        "time-control",
        "21 statements, AWS takes 20",
    ),
    "inline policies that are full": (
        ResourceKind.ROLE_POLICIES,
        {"theirs": padded(10_200)},
        "two-accounts",
        "characters in all inline policies, AWS takes 10240",
    ),
    "a trust policy that is full": (
        ResourceKind.ROLE_TRUST,
        {
            "AssumeRolePolicyDocument": padded(2_000),
            "Path": "/service-role/",
            "Tags": {"backfill:setup": "photos"},
        },
        "two-accounts",
        "characters, AWS takes 2048",
    ),
    "a role that somebody else made": (
        ResourceKind.ROLE_TRUST,
        {"AssumeRolePolicyDocument": {"Statement": []}, "Path": "/service-role/", "Tags": {}},
        "two-accounts",
        "made by somebody else",
    ),
    "a role of another set-up": (
        ResourceKind.ROLE_TRUST,
        {
            "AssumeRolePolicyDocument": {"Statement": []},
            "Path": "/service-role/",
            "Tags": {"backfill:setup": "films"},
        },
        "two-accounts",
        "made by the set-up 'films'",
    ),
    "a role that lies elsewhere": (
        ResourceKind.ROLE_TRUST,
        {
            "AssumeRolePolicyDocument": {"Statement": []},
            "Path": "/",
            "Tags": {"backfill:setup": "photos"},
        },
        "two-accounts",
        "IAM cannot move it",
    ),
    "more notifications than S3 takes": (
        ResourceKind.NOTIFICATION,
        {
            "QueueConfigurations": [
                {"Id": f"q{n}", "QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*"]}
                for n in range(98)
            ]
        },
        "time-control",
        "101 notifications, AWS takes 100",
    ),
    "an event that somebody else asks for": (
        ResourceKind.NOTIFICATION,
        {
            "TopicConfigurations": [
                {"Id": "theirs", "TopicArn": "arn", "Events": ["s3:Replication:*"]}
            ]
        },
        "time-control",
        "S3 refuses configurations that overlap",
    ),
    "versioning under MFA delete": (
        ResourceKind.VERSIONING,
        {"Status": "Suspended", "MFADelete": "Enabled"},
        "two-accounts",
        "only the root user",
    ),
    "a key that somebody chose": (
        ResourceKind.ENCRYPTION,
        {
            "Rules": [
                {
                    "ApplyServerSideEncryptionByDefault": {
                        "SSEAlgorithm": "aws:kms",
                        "KMSMasterKeyID": "theirs",
                    }
                }
            ]
        },
        "kms-destination-key",
        "theirs is somebody's choice",
    ),
    "a report bucket elsewhere": (
        ResourceKind.BUCKET,
        {"Region": "ap-south-1"},
        "batch",
        "it is in ap-south-1",
    ),
    "rules that are no list": (
        ResourceKind.REPLICATION,
        {"Role": ROLE, "Rules": "all"},
        "two-accounts",
        "a shape that setup does not know",
    ),
    "statements that are no elements": (
        ResourceKind.BUCKET_POLICY,
        {"Statement": ["Allow"]},
        "two-accounts",
        "a shape that setup does not know",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_harm_others_is_refused(case: str) -> None:
    """If this fails, setup overwrites somebody's choice, or S3 refuses half way through."""
    kind, before, golden, words = REFUSED[case]
    found = laid(kind, before, golden)
    assert found.is_refused
    reasons = [change.reason for change in found.changes if change.action is Action.REFUSE]
    assert any(words in reason for reason in reasons), reasons


def test_a_refusal_carries_both_texts() -> None:
    """If this fails, a person cannot see what stands against what."""
    kind, before, golden, _ = REFUSED["a statement of ours about another role"]
    (change, *_) = laid(kind, before, golden).changes
    assert change.action is Action.REFUSE
    statements = before["Statement"]
    assert isinstance(statements, list)
    assert change.before == statements[0]
    assert change.after is not None
    assert change.after["Principal"] == {"AWS": ROLE}


def test_settings_are_laid_in_field_by_field() -> None:
    """If this fails, a default retention, a Bucket Key or a blocked encryption type is lost."""
    retention = {"Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
    lock = laid(ResourceKind.OBJECT_LOCK, retention, "object-lock")
    assert lock.after == {**retention, "ObjectLockEnabled": "Enabled"}
    rule = {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
        "BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]},
    }
    found = laid(ResourceKind.ENCRYPTION, {"Rules": [rule]}, "kms-destination-key")
    assert found.after is not None
    rules = found.after["Rules"]
    assert isinstance(rules, list)
    (after,) = rules
    assert after["BlockedEncryptionTypes"] == rule["BlockedEncryptionTypes"]
    assert after["BucketKeyEnabled"] is True
    suspended = {"Status": "Suspended", "MFADelete": "Disabled"}
    assert laid(ResourceKind.VERSIONING, suspended).after == {"Status": "Enabled"}


def test_a_role_that_serves_only_our_rules_may_be_changed() -> None:
    """If this fails, a spec that names another role can never be applied."""
    ours = {
        **V2_RULE,
        "ID": "backfill.photos.all",
        "Destination": {"Bucket": "arn:aws:s3:::photos-replica"},
    }
    found = laid(ResourceKind.REPLICATION, {"Role": "arn:old", "Rules": [ours]})
    assert not found.is_refused
    assert [change.action for change in found.changes] == [Action.REPLACE, Action.REPLACE]


def test_what_was_not_read_is_neither_written_nor_taken_for_absent() -> None:
    """If this fails, a document that was denied is overwritten as if it were empty."""
    found = wanted()
    unread = Unread(operation="GetBucketPolicy", code="AccessDenied")
    for documents in (
        differences(found, dict.fromkeys(found.resources, unread)).documents,
        removals(found, {}).documents,
    ):
        assert all(document.is_refused for document in documents)


def test_an_existing_role_that_is_not_there_is_refused() -> None:
    """If this fails, rights are given to a role that nobody made."""
    found = wanted("existing-role")
    nothing: dict[Resource, Actual] = dict.fromkeys(found.resources)
    refused = [each for each in differences(found, nothing).documents if each.is_refused]
    assert [document.resource.kind for document in refused] == [ResourceKind.ROLE_POLICIES]
    there: dict[Resource, Actual] = {
        refused[0].resource: RawDocument(text="", fields={}),
    }
    assert not differences(found, {**nothing, **there}).is_refused


def test_a_role_that_a_changed_rule_still_uses_keeps_its_rights() -> None:
    """If this fails, destroy breaks a rule that somebody made their own."""
    found = wanted()
    applied = differences(found, dict.fromkeys(found.resources))
    actual: dict[Resource, Actual] = {
        document.resource: RawDocument(text="", fields=document.after or {})
        for document in applied.documents
    }
    replication = resource_of(found, ResourceKind.REPLICATION)
    raw = actual[replication]
    assert isinstance(raw, RawDocument)
    rules = raw.fields["Rules"]
    assert isinstance(rules, list)
    changed = {**raw.fields, "Rules": [{**rules[0], "Status": "Disabled"}]}
    actual[replication] = RawDocument(text="", fields=changed)
    taken = removals(found, actual)
    assert not taken.is_change
    reasons = {change.reason for document in taken.documents for change in document.changes}
    assert any("still uses it" in reason for reason in reasons)


def test_a_role_with_policies_of_others_stays() -> None:
    """If this fails, destroy deletes a role that others work with."""
    found = wanted()
    resource = resource_of(found, ResourceKind.ROLE_TRUST)
    applied = merged(resource, found.parts_of(resource), None, name=NAME).after
    assert applied is not None
    fields = {**applied, "Policies": ["backfill.photos.replicate", "arn:aws:iam::aws:policy/X"]}
    raw = RawDocument(text="", fields=fields)
    taken = removed(resource, found.parts_of(resource), raw, name=NAME)
    assert taken.after == fields
    assert "policies of others: arn:aws:iam::aws:policy/X" in taken.changes[0].reason


def test_the_widely_copied_policy_is_recognised_and_stays() -> None:
    """If this fails, people are not told what an article's policy lacks and exceeds."""
    copied: Fields = {
        "Sid": "Stmt123",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{SOURCE}:root"},
        "Action": [
            "s3:GetObjectVersionForReplication",
            "s3:GetObjectVersionAcl",
            "s3:PutObject",
            "s3:PutObjectAcl",
            "s3:ReplicateObject",
            "s3:ReplicateTags",
            "s3:ReplicateDelete",
        ],
        "Resource": "arn:aws:s3:::photos-replica/*",
    }
    found = laid(ResourceKind.BUCKET_POLICY, {"Statement": copied})
    assert not found.is_refused
    assert found.after is not None
    statements = found.after["Statement"]
    assert isinstance(statements, list)
    assert statements[0] == copied
    (note,) = found.notes
    assert "widely copied statement 'Stmt123'" in note
    more, _, lacking = note.partition("lacking: ")
    for word in ("s3:putobject (", "s3:putobjectacl (", "s3:getobjectversionforreplication ("):
        assert word in more
    assert "s3:GetBucketVersioning" in lacking
    assert "s3:ObjectOwnerOverrideToBucketOwner" in lacking
    assert "s3:ReplicateObject" not in lacking


def test_policies_of_others_that_are_not_about_us_are_not_spoken_of() -> None:
    """If this fails, people read about statements that have nothing to do with replication."""
    theirs: Fields = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::999999999999:root"},
        "Action": ["s3:PutObject", "s3:ReplicateObject"],
        "Resource": "*",
    }
    reader = {**theirs, "Principal": {"AWS": ROLE}, "Action": "s3:GetObject"}
    found = laid(ResourceKind.BUCKET_POLICY, {"Statement": [theirs, reader]})
    assert found.notes == ()


def test_rules_of_the_old_schema_are_printed_with_a_priority_each() -> None:
    """If this fails, S3 refuses what the refusal itself advises to put."""
    before = {"Role": ROLE, "Rules": [{**V1_RULE, "ID": f"old-{n}"} for n in range(3)]}
    refusals = [
        change.reason
        for change in laid(ResourceKind.REPLICATION, before).changes
        if change.action is Action.REFUSE
    ]
    printed = [json.loads(reason[reason.index("{") :]) for reason in refusals]
    assert len({rule["Priority"] for rule in printed}) == 3
    mended = laid(ResourceKind.REPLICATION, {"Role": ROLE, "Rules": printed})
    assert not mended.is_refused
