"""Buckets and their configurations: what is set is told again, to those who may ask."""

import pytest

from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.operations.buckets import (
    BucketRequest,
    PutBucketOwnershipControlsRequest,
    PutBucketPolicyRequest,
)
from backfill.sandbox.model.values import WrittenAttributes
from tests.unit.sandbox.model.acts import lock_default, replicate
from tests.unit.sandbox.model.conftest import (
    BUCKET,
    DESTINATION,
    LOCKED,
    OTHER,
    OWN,
    PLAIN,
    START,
    Stage,
    caller,
)

HERE = BucketRequest(bucket=BUCKET)


def test_each_account_lists_its_own_buckets_by_name(stage: Stage) -> None:
    """If this fails, one account sees another's buckets, or misses its own."""
    own, other = (stage.model.list_buckets(who) for who in (stage.own, stage.other))
    assert [row.name for row in own.buckets] == sorted([BUCKET, LOCKED, PLAIN])
    assert [(row.name, row.region) for row in other.buckets] == [(DESTINATION, "eu-west-1")]
    assert (own.owner_id, other.owner_id) == (OWN, OTHER)
    assert all(row.created_at > START for row in own.buckets)
    with pytest.raises(S3Error, match="AccessDenied"):
        stage.model.list_buckets(caller(""))


def test_a_bucket_lies_in_the_region_of_the_endpoint_that_made_it(stage: Stage) -> None:
    """If this fails, requests are answered in the wrong Region."""
    assert stage.model.bucket_region(DESTINATION) == "eu-west-1"
    assert stage.model.bucket_region("nowhere") is None
    assert stage.model.bucket_owner(DESTINATION) == OTHER
    assert stage.model.bucket_owner("nowhere") is None
    there = BucketRequest(bucket=DESTINATION)
    assert stage.model.head_bucket(stage.own, there).region == "eu-west-1"
    assert stage.model.get_bucket_location(stage.own, HERE).region == "us-east-1"


def test_versioning_is_told_and_never_goes_back_to_none(stage: Stage) -> None:
    """If this fails, the product cannot tell an unversioned destination."""
    plain = BucketRequest(bucket=PLAIN)
    assert stage.model.get_bucket_versioning(stage.own, plain).status is None
    for status in ("Enabled", "Suspended", "Enabled"):
        stage.version(PLAIN, status)
        assert stage.model.get_bucket_versioning(stage.own, plain).status == status


def test_a_policy_is_kept_word_for_word_until_it_is_dropped(stage: Stage) -> None:
    """If this fails, the authorization evaluates another policy than was put."""
    document = '{ "Version": "2012-10-17",\n "Statement": [] }'
    request = PutBucketPolicyRequest(bucket=BUCKET, document=document)
    stage.model.put_bucket_policy(stage.own, request)
    assert stage.model.get_bucket_policy(stage.own, HERE).document == document
    assert stage.model.bucket_policy(BUCKET) == document
    for _ in range(2):  # there may be none
        stage.model.delete_bucket_policy(stage.own, HERE)
    assert stage.model.bucket_policy(BUCKET) is None
    assert stage.model.bucket_policy("nowhere") is None


def test_a_replication_configuration_is_handed_back_until_it_is_dropped(stage: Stage) -> None:
    """If this fails, read, modify and write of a configuration loses rules."""
    with pytest.raises(S3Error, match="ReplicationConfigurationNotFoundError"):
        stage.model.get_bucket_replication(stage.own, HERE)
    replicate(stage)
    document = stage.model.get_bucket_replication(stage.own, HERE).document
    assert "<ID>" in document, "S3 names a rule that has no name"
    for _ in range(2):  # there may be none
        stage.model.delete_bucket_replication(stage.own, HERE)
    with pytest.raises(S3Error, match="ReplicationConfigurationNotFoundError"):
        stage.model.get_bucket_replication(stage.own, HERE)


def test_object_ownership_decides_whether_acls_are_taken(stage: Stage) -> None:
    """If this fails, ACLs are refused, or taken, against the bucket's setting."""
    public = WrittenAttributes(acl="public-read")
    with pytest.raises(S3Error, match="AccessControlListNotSupported"):
        stage.put(attributes=public)
    request = PutBucketOwnershipControlsRequest(bucket=BUCKET, object_ownership="ObjectWriter")
    stage.model.put_bucket_ownership_controls(stage.own, request)
    stage.bucket().public_access_block = None
    told = stage.model.get_bucket_ownership_controls(stage.own, HERE).object_ownership
    assert told == "ObjectWriter"
    stage.put(attributes=public)


def test_a_lock_configuration_is_told_with_its_default(stage: Stage) -> None:
    """If this fails, a destination's Object Lock cannot be checked."""
    there = BucketRequest(bucket=LOCKED)
    told = stage.model.get_object_lock_configuration(stage.own, there)
    assert told.default_retention is None
    assert stage.model.get_bucket_versioning(stage.own, there).status == "Enabled"
    lock_default(stage, mode="COMPLIANCE", years=1)
    default = stage.model.get_object_lock_configuration(stage.own, there).default_retention
    assert default is not None
    assert (default.mode, default.years, default.days) == ("COMPLIANCE", 1, None)


@pytest.mark.parametrize(
    ("method", "action"),
    [
        ("head_bucket", "s3:ListBucket"),
        ("get_bucket_location", "s3:GetBucketLocation"),
        ("get_bucket_versioning", "s3:GetBucketVersioning"),
        ("get_bucket_replication", "s3:GetReplicationConfiguration"),
        ("delete_bucket_replication", "s3:PutReplicationConfiguration"),
        ("get_bucket_policy", "s3:GetBucketPolicy"),
        ("delete_bucket_policy", "s3:DeleteBucketPolicy"),
        ("get_bucket_encryption", "s3:GetEncryptionConfiguration"),
        ("get_bucket_ownership_controls", "s3:GetBucketOwnershipControls"),
        ("get_object_lock_configuration", "s3:GetBucketObjectLockConfiguration"),
    ],
)
def test_configurations_are_told_to_those_who_may_ask(
    stage: Stage, method: str, action: str
) -> None:
    """If this fails, the permissions that preflight asks for are not those that AWS asks for."""
    stage.denied = lambda question: question.action == action
    with pytest.raises(S3Error, match="AccessDenied"):
        getattr(stage.model, method)(stage.own, HERE)
    assert [question.action for question in stage.asked] == [action]
