"""Words that AWS gave, and what a spec tells of itself, are exactly these."""

import pytest

from backfill.model.accounts import BucketDocument, EventDestinationKind
from backfill.policies.need import Feature
from backfill.setup.configuration import EVENT_LISTS
from backfill.setup.grants import lane_features, route_features
from backfill.setup.lanes import lanes_of
from backfill.setup.spec import STORAGE_CLASSES, ReplicationEvent, RoleSpec, ground_of
from backfill.setup.wanted import SETTLES, Resource, ResourceKind, Side
from tests.doubles.setup_specs import (
    DESTINATION,
    SOURCE,
    Document,
    destination,
    ground,
    plain,
    source,
    spec,
)


def test_a_rule_may_name_the_classes_of_s3_and_no_others() -> None:
    """If this fails, a rule is refused for a class that S3 takes, or put with one of another's."""
    assert STORAGE_CLASSES == (
        "STANDARD",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER_IR",
        "GLACIER",
        "DEEP_ARCHIVE",
        "REDUCED_REDUNDANCY",
    )


@pytest.mark.parametrize(
    ("event", "name", "needs_time_control"),
    [
        ("failed", "s3:Replication:OperationFailedReplication", False),
        ("missed-threshold", "s3:Replication:OperationMissedThreshold", True),
        ("replicated-after-threshold", "s3:Replication:OperationReplicatedAfterThreshold", True),
        ("not-tracked", "s3:Replication:OperationNotTracked", True),
    ],
)
def test_events_have_the_names_of_s3(event: str, name: str, needs_time_control: bool) -> None:
    """If this fails, S3 refuses a notification, or sends what nobody asked for."""
    known = ReplicationEvent(event)
    assert (known.event_name, known.needs_time_control) == (name, needs_time_control)


def test_a_role_is_in_the_account_that_it_belongs_to_with_its_path() -> None:
    """If this fails, every policy names a role that there is not."""
    made = RoleSpec(name="mover")
    assert made.is_made
    assert made.arn_in("aws-cn", SOURCE) == f"arn:aws-cn:iam::{SOURCE}:role/service-role/mover"
    there = RoleSpec(name="mover", arn="arn:there")
    assert not there.is_made
    assert there.arn_in("aws", SOURCE) == "arn:there"


@pytest.mark.parametrize(
    "lacking",
    [
        {"source": source(account="")},
        {"source": source(region="")},
        {"destination": destination(account="")},
        {"destination": destination(region="")},
    ],
)
def test_the_ground_is_known_only_where_the_spec_says_all_of_it(lacking: Document) -> None:
    """If this fails, an export is made for accounts and Regions that nobody named."""
    assert ground_of(spec(plain(**lacking))) is None
    assert ground(spec(plain())).partition == "aws"
    known = ground_of(spec(plain()), partition="aws-us-gov")
    assert known is not None
    assert known.partition == "aws-us-gov"
    (near, far) = (known.source, known.destination("photos-replica"))
    assert (near.bucket, near.expected_owner, near.region) == ("photos", SOURCE, "eu-west-1")
    assert (far.expected_owner, far.region) == (DESTINATION, "us-west-2")
    assert known.destinations == (far,)
    assert known.is_across_accounts(far)
    assert not known.is_across_accounts(near)


SEVERAL = plain(
    destination=[
        destination(bucket="one"),
        destination(bucket="two"),
        destination(bucket="three", account=SOURCE),
    ],
    rule=[
        {"name": "a", "destination": "one", "priority": 1},
        {"name": "b", "destination": "two", "priority": 2, "replica-modifications": True},
        {"name": "c", "destination": "two", "priority": 3, "delete-markers": True},
        {"name": "d", "destination": "three", "priority": 4, "replica-modifications": True},
    ],
)


def test_each_destination_that_syncs_modifications_has_its_own_way_back() -> None:
    """If this fails, modifications of one destination never reach the source."""
    found = spec(SEVERAL)
    forward, *back = lanes_of(found, ground(found))
    assert [route.place.bucket for route in forward.routes] == ["one", "two", "three"]
    assert [[rule.name for rule in route.rules] for route in forward.routes] == [
        ["a"],
        ["b", "c"],
        ["d"],
    ]
    assert [(lane.source.bucket, lane.side, lane.is_reverse) for lane in back] == [
        ("two", Side.DESTINATION, True),
        ("three", Side.SOURCE, True),
    ]
    for lane, name in zip(back, "bd", strict=True):
        (route,) = lane.routes
        assert route.place.bucket == "photos"
        assert [(rule.name, rule.destination) for rule in route.rules] == [(name, "photos")]


def test_a_lane_uses_delete_markers_where_one_of_its_rules_replicates_them() -> None:
    """If this fails, a deletion does not arrive for want of a right, or a right is granted idly."""
    found = spec(SEVERAL)
    forward, *back = lanes_of(found, ground(found))
    assert Feature.DELETE_MARKERS in lane_features(found, forward)
    assert [Feature.DELETE_MARKERS in route_features(route) for route in forward.routes] == [
        False,
        True,
        False,
    ]
    for lane in back:
        assert Feature.DELETE_MARKERS not in lane_features(found, lane)
        assert Feature.DELETE_MARKERS not in route_features(lane.routes[0])


def test_each_kind_of_receiver_has_its_list_and_its_field() -> None:
    """If this fails, S3 refuses a notification, or another's is not seen beside ours."""
    assert EVENT_LISTS == {
        EventDestinationKind.QUEUE: ("QueueConfigurations", "QueueArn"),
        EventDestinationKind.TOPIC: ("TopicConfigurations", "TopicArn"),
        EventDestinationKind.FUNCTION: ("LambdaFunctionConfigurations", "LambdaFunctionArn"),
    }


def test_documents_are_written_in_an_order_in_which_each_finds_what_it_needs() -> None:
    """If this fails, S3 refuses a rule whose role or versioning comes after it."""
    kinds = sorted(ResourceKind, key=lambda kind: kind.order)
    assert [kind.name for kind in kinds] == [
        "BUCKET",
        "QUEUE",
        "VERSIONING",
        "OBJECT_LOCK",
        "ENCRYPTION",
        "ROLE_TRUST",
        "ROLE_POLICIES",
        "KEY_POLICY",
        "BUCKET_POLICY",
        "EVENT_DESTINATION_POLICY",
        "REPLICATION",
        "NOTIFICATION",
    ]
    assert {ResourceKind.ROLE_TRUST, ResourceKind.ROLE_POLICIES} == SETTLES
    documents = {kind: kind.bucket_document for kind in kinds if kind.bucket_document}
    assert documents == {
        ResourceKind.VERSIONING: BucketDocument.VERSIONING,
        ResourceKind.OBJECT_LOCK: BucketDocument.OBJECT_LOCK,
        ResourceKind.ENCRYPTION: BucketDocument.ENCRYPTION,
        ResourceKind.BUCKET_POLICY: BucketDocument.POLICY,
        ResourceKind.REPLICATION: BucketDocument.REPLICATION,
        ResourceKind.NOTIFICATION: BucketDocument.NOTIFICATION,
    }


@pytest.mark.parametrize(
    ("kind", "arn", "name", "path"),
    [
        (ResourceKind.VERSIONING, "arn:aws:s3:::photos", "photos", None),
        (ResourceKind.ROLE_TRUST, "arn:aws:iam::1:role/r", "r", "/"),
        (ResourceKind.ROLE_POLICIES, "arn:aws:iam::1:role/a/b/r", "r", "/a/b/"),
        (ResourceKind.KEY_POLICY, "arn:aws:kms:x:1:key/k", "k", None),
        (ResourceKind.QUEUE, "arn:aws:sqs:x:1:q", "q", None),
    ],
)
def test_a_resource_has_the_name_and_path_of_its_arn(
    kind: ResourceKind, arn: str, name: str, path: str | None
) -> None:
    """If this fails, a call is about another bucket, role or key than the plan says."""
    of = Resource(side=Side.SOURCE, kind=kind, arn=arn, account="1")
    assert of.name == name
    assert of.title == f"{kind.value} of {arn}"
    if path is not None:
        assert of.path == path
