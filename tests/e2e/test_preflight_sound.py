"""Sound set-ups of many kinds: preflight finds nothing to mend and nothing that it cannot tell."""

import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from backfill.sandbox.service import DESTINATION, SOURCE, Sandbox
from tests.doubles.command import Command
from tests.doubles.nursery import Nursery
from tests.doubles.sound_site import (
    BATCH,
    READ_BUCKET,
    READ_OBJECTS,
    REPLICATION,
    WRITE,
    Site,
    allow,
    document,
    trust,
)

_NUMBERS = count(1)
Change = Callable[[Site], None]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Accounts in which only what was made exists."""
    with Sandbox(seed=5, has_strict_accounts=True) as running:
        yield running


@pytest.fixture
def command(sandbox: Sandbox, nursery: Nursery, tmp_path: Path) -> Command:
    profiles = {
        "BACKFILL_SOURCE_PROFILE": "source",
        "BACKFILL_DESTINATION_PROFILE": "destination",
    }
    return Command(tmp_path, {**sandbox.write_profiles(tmp_path / "aws"), **profiles}, nursery)


def nothing(_site: Site) -> None:
    pass


def rules(*made: dict[str, Any]) -> Change:
    return lambda site: site.put_rules(*({**site.rule(), **each} for each in made))


def one_prefix(site: Site) -> None:
    site.put_rules(site.rule(Filter={"Prefix": "photos/"}))


def schema_v1(site: Site) -> None:
    rule = site.rule(Prefix="")
    for name in ("Filter", "Priority", "DeleteMarkerReplication"):
        del rule[name]
    site.put_rules(rule)


def tags(site: Site) -> None:
    off = {"Status": "Disabled"}
    tag = {"Key": "keep", "Value": "yes"}
    both = {"And": {"Prefix": "a/", "Tags": [tag]}}
    site.put_rules(
        site.rule(1, Filter={"Tag": tag}, DeleteMarkerReplication=off),
        site.rule(2, Filter=both, DeleteMarkerReplication=off),
    )


def priorities(site: Site) -> None:
    site.put_rules(
        site.rule(1),
        site.rule(2, Filter={"Prefix": "b/"}, Destination={"StorageClass": "STANDARD_IA"}),
    )


def a_disabled_rule_beside(site: Site) -> None:
    site.put_rules(site.rule(1), site.rule(2, Filter={"Prefix": "old/"}, Status="Disabled"))


def no_markers(site: Site) -> None:
    site.put_rules(site.rule(DeleteMarkerReplication={"Status": "Disabled"}))
    site.put_role_policy(without=["s3:ReplicateDelete"])
    site.put_destination_policy(without=["s3:ReplicateDelete"])


def time_control(site: Site) -> None:
    minutes = {"Minutes": 15}
    timed = {"Status": "Enabled", "Time": minutes}
    measured = {"Status": "Enabled", "EventThreshold": minutes}
    site.put_rules(site.rule(Destination={"ReplicationTime": timed, "Metrics": measured}))


def events_to_a_queue(site: Site) -> None:
    site.put_rules(site.rule(Destination={"Metrics": {"Status": "Enabled"}}))
    sqs = site.client("sqs")
    url = sqs.create_queue(QueueName=site.name)["QueueUrl"]
    arn = f"arn:aws:sqs:{SOURCE.region}:{SOURCE.account_id}:{site.name}"
    lets_s3 = allow(["sqs:SendMessage"], arn, Principal={"Service": REPLICATION})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(lets_s3)})
    events = ["s3:Replication:OperationFailedReplication"]
    site.s3.put_bucket_notification_configuration(
        Bucket=site.source,
        NotificationConfiguration={"QueueConfigurations": [{"QueueArn": arn, "Events": events}]},
    )


def events_to_a_topic(site: Site) -> None:
    site.put_rules(site.rule(Destination={"Metrics": {"Status": "Enabled"}}))
    sns = site.client("sns")
    arn = sns.create_topic(Name=site.name)["TopicArn"]
    lets_s3 = allow(
        ["sns:Publish"],
        arn,
        Principal={"Service": REPLICATION},
        Condition={
            "ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{site.source}"},
            "StringEquals": {"aws:SourceAccount": SOURCE.account_id},
        },
    )
    sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=document(lets_s3))
    site.s3.put_bucket_notification_configuration(
        Bucket=site.source,
        NotificationConfiguration={
            "TopicConfigurations": [{"TopicArn": arn, "Events": ["s3:Replication:*"]}]
        },
    )


def one_role_for_both(site: Site) -> None:
    site.iam.update_assume_role_policy(
        RoleName=site.batch_role, PolicyDocument=trust(REPLICATION, BATCH)
    )


def harmless_lifecycle(site: Site) -> None:
    harmless = [
        {
            "ID": "uploads",
            "Status": "Enabled",
            "Filter": {},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        },
        {
            "ID": "colder",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}],
        },
        {"ID": "off", "Status": "Disabled", "Filter": {}, "Expiration": {"Days": 1}},
    ]
    for client, bucket in ((site.s3, site.source), (site.their_s3, site.destination)):
        client.put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration={"Rules": harmless}
        )


def tls_only(site: Site) -> None:
    arn = f"arn:aws:s3:::{site.destination}"
    insecure = {
        "Sid": "TLS",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    site.put_destination_policy(*site.destination_statements(), insecure)


def all_but_the_role_denied(site: Site) -> None:
    arn = f"arn:aws:s3:::{site.destination}"
    others = {
        "Sid": "OnlyTheRole",
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["s3:ReplicateObject", "s3:ReplicateDelete"],
        "Resource": f"{arn}/*",
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": site.role_arn}},
    }
    site.put_destination_policy(*site.destination_statements(), others)


def the_account_and_wildcards(site: Site) -> None:
    source = {"AWS": SOURCE.account_id}
    arn = f"arn:aws:s3:::{site.destination}"
    site.put_destination_policy(
        allow(["s3:Replicate*", "s3:ObjectOwner*"], f"{arn}/*", Principal=source)
    )
    site.put_role_policy(allow(["s3:*"], "*"))


def a_managed_policy_and_a_boundary(site: Site) -> None:
    policy = site.iam.create_policy(
        PolicyName=f"{site.name}-managed", PolicyDocument=document(*site.role_statements())
    )["Policy"]["Arn"]
    boundary = site.iam.create_policy(
        PolicyName=f"{site.name}-boundary", PolicyDocument=document(allow(["s3:*", "kms:*"], "*"))
    )["Policy"]["Arn"]
    site.iam.delete_role_policy(RoleName=site.name, PolicyName="replication")
    site.iam.attach_role_policy(RoleName=site.name, PolicyArn=policy)
    site.iam.put_role_permissions_boundary(RoleName=site.name, PermissionsBoundary=boundary)


def owner_enforced_without_override(site: Site) -> None:
    actions = ["s3:ObjectOwnerOverrideToBucketOwner"]
    site.put_role_policy(without=actions)
    site.put_destination_policy(without=actions)


def plain_read_permission(site: Site) -> None:
    statements = json.loads(
        document(*site.role_statements()).replace(
            "s3:GetObjectVersionForReplication", "s3:GetObjectVersion"
        )
    )["Statement"]
    site.put_role_policy(*statements)


def locked_by_default(site: Site) -> None:
    retention = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    site.their_s3.put_object_lock_configuration(
        Bucket=site.destination,
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": retention},
    )


def only_what_the_prefix_needs(site: Site) -> None:
    source, there = f"arn:aws:s3:::{site.source}", f"arn:aws:s3:::{site.destination}"
    site.put_rules(site.rule(Filter={"Prefix": "photos/"}))
    site.put_role_policy(
        allow(READ_BUCKET, source),
        allow(READ_OBJECTS, f"{source}/photos/*"),
        allow(WRITE, f"{there}/photos/*"),
    )


KINDS: dict[str, tuple[dict[str, Any], Change]] = {
    "two accounts, ownership changed": ({}, nothing),
    "two accounts, owner enforced": ({"overrides": False}, owner_enforced_without_override),
    "one account, two Regions": ({"is_one_account": True}, nothing),
    "one account, one Region": ({"is_one_account": True, "is_one_region": True}, nothing),
    "a role without a path": ({"path": "/"}, nothing),
    "a prefix": ({}, one_prefix),
    "policies for the prefix alone": ({}, only_what_the_prefix_needs),
    "tags": ({}, tags),
    "the V1 schema": ({}, schema_v1),
    "two rules by priority": ({}, priorities),
    "two destinations": ({"destinations": 2}, nothing),
    "a disabled rule beside": ({}, a_disabled_rule_beside),
    "no delete markers": ({}, no_markers),
    "a key of the destination": ({"kms": "destination"}, nothing),
    "a key of the destination, Bucket Keys": (
        {"kms": "destination", "has_bucket_key": True},
        nothing,
    ),
    "a key of the source, with readers": ({"kms": "source"}, nothing),
    "KMS in one account": ({"kms": "source", "is_one_account": True}, nothing),
    "Object Lock": ({"has_locks": True}, nothing),
    "Object Lock by default": ({"has_locks": True}, locked_by_default),
    "Replication Time Control": ({}, time_control),
    "events to a queue": ({}, events_to_a_queue),
    "events to a topic": ({}, events_to_a_topic),
    "jobs": ({"has_jobs": True}, nothing),
    "a role for both services": ({"has_jobs": True}, one_role_for_both),
    "harmless lifecycle rules": ({}, harmless_lifecycle),
    "TLS only": ({}, tls_only),
    "all but the role denied": ({}, all_but_the_role_denied),
    "the account named, wildcards": ({}, the_account_and_wildcards),
    "managed policy and boundary": ({}, a_managed_policy_and_a_boundary),
    "s3:GetObjectVersion without KMS": ({}, plain_read_permission),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_sound_set_up_has_no_finding(kind: str, sandbox: Sandbox, command: Command) -> None:
    """If this fails, people are sent to mend what is right, and learn to ignore findings."""
    options, change = KINDS[kind]
    site = Site(sandbox, f"sound-{next(_NUMBERS)}", **options).build()
    try:
        change(site)
        ended = site.check(command)
        findings = ended.document()["findings"]
        assert [each for each in findings if each["verdict"] != "ok"] == []
        assert ended.code == 0
        assert len(findings) > 20, "it did look"
    finally:
        site.close()


def test_the_accounts_are_two() -> None:
    """If this fails, the kinds above are all about one account."""
    assert SOURCE.account_id != DESTINATION.account_id
