"""Replica modification sync: what is changed on a replica goes back, where both sides want it."""

import pytest

from backfill.sandbox.model.identities import canonical_id
from backfill.sandbox.model.operations.buckets import PutBucketReplicationRequest
from backfill.sandbox.model.operations.objects import (
    PutObjectAclRequest,
    PutObjectLockRequest,
    PutObjectTaggingRequest,
)
from backfill.sandbox.model.values import Grant
from backfill.sandbox.model.versions import ObjectVersion
from tests.unit.sandbox.model.replicating import (
    NEAR,
    SOURCE,
    Theatre,
    configuration,
    destination,
    rule,
)

SYNC = (
    "<SourceSelectionCriteria><ReplicaModifications><Status>{0}</Status></ReplicaModifications>"
    "</SourceSelectionCriteria>"
)
ON, OFF = SYNC.format("Enabled"), SYNC.format("Disabled")
TAGS = (("changed", "there"),)


class TwoWays(Theatre):
    """A rule each way; what was written at the source has arrived."""

    def __init__(self, there: str = ON, back: str = ON) -> None:
        super().__init__()
        buckets = self.model.world.buckets
        for name in (SOURCE, NEAR):
            buckets[name].is_object_lock_enabled = True
        buckets[SOURCE].object_ownership = "ObjectWriter"
        self.configure(rule(more=there))
        document = configuration(rule(more=back, to=destination(SOURCE))).replace(
            "111111111111:role", "222222222222:role"
        )
        request = PutBucketReplicationRequest(bucket=NEAR, document=document)
        self.model.put_bucket_replication(self.own, request)
        self.put()
        self.wait()
        assert self.status(bucket=NEAR) == "REPLICA"

    def tag_replica(self) -> None:
        request = PutObjectTaggingRequest(bucket=NEAR, key="k", tags=TAGS)
        self.model.put_object_tagging(self.own, request)


@pytest.mark.parametrize(("there", "back"), [(ON, OFF), (OFF, ON), ("", ""), ("", ON)])
def test_unless_both_sides_want_it_a_change_stays_where_it_was_made(there: str, back: str) -> None:
    """If this fails, half a set-up of replica modification sync works here."""
    theatre = TwoWays(there, back)
    theatre.tag_replica()
    assert theatre.wait() == 0
    assert theatre.only(SOURCE).tags == ()
    assert theatre.status(bucket=NEAR) == "REPLICA"


def test_changed_tags_go_back_and_the_replica_is_pending_meanwhile() -> None:
    """If this fails, the status that replicas show under the sync is never met before AWS."""
    theatre = TwoWays()
    theatre.tag_replica()
    assert theatre.status(bucket=NEAR) == "PENDING"
    assert theatre.wait() == 1
    assert theatre.only(SOURCE).tags == TAGS
    assert theatre.status(bucket=NEAR) == "REPLICA"
    assert theatre.status() == "COMPLETED"
    assert theatre.wait() == 0, "it does not come back again"


def test_a_lock_and_an_acl_go_back_too() -> None:
    """If this fails, only tags are kept in step."""
    theatre = TwoWays()
    hold = PutObjectLockRequest(bucket=NEAR, key="k", has_legal_hold=True)
    theatre.model.put_object_lock(theatre.own, hold)
    grants = (Grant(grantee=canonical_id("999999999999"), permission="READ"),)
    for bucket in (NEAR, SOURCE):
        theatre.model.world.buckets[bucket].object_ownership = "BucketOwnerPreferred"
    acl = PutObjectAclRequest(bucket=NEAR, key="k", grants=grants)
    theatre.model.put_object_acl(theatre.own, acl)
    assert theatre.wait() == 2
    original = theatre.only(SOURCE)
    assert original.lock is not None
    assert original.lock.has_legal_hold
    reader = Grant(grantee=canonical_id("999999999999"), permission="READ")
    assert original.acl == (reader,)
    assert theatre.status(bucket=NEAR) == "REPLICA"


def test_a_change_at_the_source_goes_there_as_ever() -> None:
    """If this fails, the sync breaks the direction that needs no sync."""
    theatre = TwoWays()
    theatre.tag("k", TAGS)
    assert theatre.wait() == 1
    assert theatre.only(NEAR).tags == TAGS
    assert theatre.status(bucket=NEAR) == "REPLICA"


def test_a_change_that_cannot_go_back_makes_the_replica_failed_and_it_may_be_tried_again() -> None:
    """If this fails, a replica whose sync failed is taken for an original."""
    theatre = TwoWays()
    theatre.denied.add("s3:ReplicateObject")
    theatre.tag_replica()
    theatre.wait()
    assert theatre.status(bucket=NEAR) == "FAILED"
    theatre.denied.clear()
    theatre.tag_replica()
    theatre.wait()
    assert theatre.status(bucket=NEAR) == "REPLICA"
    assert theatre.only(SOURCE).tags == TAGS


def test_bytes_of_a_replica_never_go_back() -> None:
    """If this fails, two-way replication runs in circles."""
    theatre = TwoWays()
    original = theatre.only(SOURCE)
    theatre.tag_replica()
    theatre.wait()
    after = theatre.only(SOURCE)
    assert isinstance(after, ObjectVersion)
    assert (after.version_id, after.etag) == (original.version_id, original.etag)
    assert len(theatre.chain(SOURCE)) == len(theatre.chain(NEAR)) == 1
