"""What a destination's bucket policy grants: too much, too little, and the widely copied one."""

from collections.abc import Collection

import pytest

from backfill.policies.destination_policy import Granted, granted_by
from backfill.policies.need import Feature
from backfill.policies.request import Held, reading_of
from tests.unit.policies.pairs import ACROSS, ROLE, WITHIN, A, B

OBJECTS = ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"]
BUCKET = ["s3:List*", "s3:GetBucketVersioning", "s3:PutBucketVersioning"]
COPIED = [
    *("s3:PutObject", "s3:PutObjectAcl", "s3:GetObjectVersionForReplication"),
    *("s3:GetObjectVersionAcl", *OBJECTS),
]
FEATURES = {Feature.TAGS, Feature.DELETE_MARKERS, Feature.OWNER_OVERRIDE}


def held(*statements: dict[str, object]) -> Held:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    reading = reading_of("bucket policy of dst", B, document)
    assert isinstance(reading, Held)
    return reading


def allow(actions: list[str], resource: str = "/*", principal: str = ROLE) -> dict[str, object]:
    return {
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": actions,
        "Resource": f"arn:aws:s3:::dst{resource}",
    }


def granted(*statements: dict[str, object], features: Collection[Feature] = FEATURES) -> Granted:
    return granted_by(held(*statements), ACROSS, features)


def lacking(found: Granted) -> list[str]:
    return [need.action for need in found.lacking]


def test_the_widely_copied_policy_is_recognised_with_what_is_more_and_what_lacks() -> None:
    """If this fails, the policy of many articles passes for least privilege, or for broken."""
    found = granted(allow(COPIED))
    assert found.is_widely_copied
    assert found.more_than_needed == (
        "s3:GetObjectVersionAcl",
        "s3:GetObjectVersionForReplication",
        "s3:PutObject",
        "s3:PutObjectAcl",
    )
    assert lacking(found) == [
        "s3:ObjectOwnerOverrideToBucketOwner",
        "s3:GetBucketVersioning",
        "s3:PutBucketVersioning",
        "s3:ListBucket",
    ]
    assert {need.weight.value for need in found.lacking} == {"required", "advised"}


def test_the_documented_policy_lacks_nothing_and_has_nothing_more() -> None:
    """If this fails, AWS's own example is reported."""
    owned = [*OBJECTS, "s3:ObjectOwnerOverrideToBucketOwner"]
    found = granted(allow(owned), allow(BUCKET, ""))
    assert found == Granted(is_widely_copied=False, more_than_needed=(), lacking=(), undecided=())


@pytest.mark.parametrize(
    "statement",
    [
        allow(COPIED, principal=f"arn:aws:iam::{A}:role/replicator"),  # the path is missing
        allow(COPIED, resource=""),
        {**allow(COPIED), "Effect": "Deny"},
    ],
)
def test_a_policy_that_does_not_mean_the_role_grants_nothing(statement: dict[str, object]) -> None:
    """If this fails, a policy with a slip in it is said to work."""
    assert (
        "s3:ReplicateObject" in lacking(granted(statement))
        or not granted(statement).more_than_needed
    )


def test_an_explicit_deny_is_neither_granted_nor_lacking() -> None:
    """If this fails, a person adds an Allow beside the Deny that overrides it."""
    deny = {**allow(["s3:ReplicateDelete"]), "Effect": "Deny"}
    found = granted(allow(OBJECTS), deny, features={Feature.DELETE_MARKERS})
    assert "s3:ReplicateDelete" in [need.action for need in found.undecided]
    assert "s3:ReplicateDelete" not in lacking(found)


def test_a_grant_to_the_whole_account_works_and_wildcards_are_more() -> None:
    """If this fails, S3's console policy is said to lack everything."""
    found = granted(allow(["s3:*"], "*", principal=f"arn:aws:iam::{A}:root"))
    assert (found.lacking, found.more_than_needed) == ((), ("s3:*",))


def test_what_is_for_others_is_not_ours_to_judge() -> None:
    """If this fails, another team's right to write is reported as too much for replication."""
    other = allow(["s3:PutObject"], principal=f"arn:aws:iam::{B}:role/writer")
    assert granted(other).more_than_needed == ()


def test_within_an_account_the_bucket_policy_may_be_silent() -> None:
    """If this fails, set-ups in one account are said to lack a bucket policy."""
    found = granted_by(held(allow(["s3:GetObject"])), WITHIN, FEATURES)
    assert found.lacking == ()
