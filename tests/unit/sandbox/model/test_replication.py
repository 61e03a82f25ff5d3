"""Live replication carries what S3 carries, when it does, and says what S3 says about it."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from backfill.sandbox.model.identities import canonical_id
from backfill.sandbox.model.operations.buckets import DefaultRetention
from backfill.sandbox.model.operations.objects import PutObjectRequest
from backfill.sandbox.model.replication.settings import Placement
from backfill.sandbox.model.values import (
    Grant,
    ObjectLock,
    ReplicationStatus,
    RequestedEncryption,
    ServerSideEncryption,
)
from tests.unit.sandbox.model.replicating import (
    FAR,
    KEY,
    KMS,
    LAG_S,
    MARKERS,
    NEAR,
    OTHER,
    OWN,
    REPLICA_KEY,
    SOURCE,
    TO_KEY,
    Theatre,
    destination,
    rule,
)

TRANSLATION = "<AccessControlTranslation><Owner>Destination</Owner></AccessControlTranslation>"
SSE_KMS = RequestedEncryption(algorithm="aws:kms", kms_key_id=KEY)


def test_a_write_is_pending_then_completed_and_a_replica_with_its_id_and_time() -> None:
    theatre = Theatre()
    theatre.configure(rule())
    version_id = theatre.put(metadata=(("a", "b"),), tags=(("t", "1"),))
    written_at = theatre.now
    assert theatre.status() == ReplicationStatus.PENDING
    assert theatre.chain(NEAR) == []
    assert theatre.wait(LAG_S - 1) == 0
    assert theatre.wait(1) == 1
    assert theatre.status() == ReplicationStatus.COMPLETED
    replica = theatre.only(NEAR)
    assert replica.version_id == version_id
    assert replica.created_at == written_at
    assert replica.replication_status is ReplicationStatus.REPLICA
    assert (replica.metadata, replica.tags) == ((("a", "b"),), (("t", "1"),))
    assert replica.owner_id == OTHER
    assert replica.etag == theatre.only(SOURCE).etag


def test_what_was_there_before_the_rule_stays_behind_without_a_status() -> None:
    theatre = Theatre()
    theatre.put()
    theatre.configure(rule())
    assert theatre.wait() == 0
    assert theatre.status() is None
    assert theatre.chain(NEAR) == []


@pytest.mark.parametrize(
    ("where", "key", "tags", "is_carried"),
    [
        ("", "any", (), True),
        ("<Prefix>a/</Prefix>", "a/1", (), True),
        ("<Prefix>a/</Prefix>", "b/1", (), False),
        ("<Tag><Key>t</Key><Value>1</Value></Tag>", "k", (("t", "1"), ("u", "2")), True),
        ("<Tag><Key>t</Key><Value>1</Value></Tag>", "k", (("t", "2"),), False),
        (
            "<And><Prefix>a/</Prefix><Tag><Key>t</Key><Value>1</Value></Tag></And>",
            "a/1",
            (("t", "1"),),
            True,
        ),
        (
            "<And><Prefix>a/</Prefix><Tag><Key>t</Key><Value>1</Value></Tag></And>",
            "a/1",
            (),
            False,
        ),
    ],
)
def test_filters_decide(
    where: str, key: str, tags: tuple[tuple[str, str], ...], is_carried: bool
) -> None:
    theatre = Theatre()
    theatre.configure(rule(where=where))
    theatre.put(key, tags=tags)
    assert theatre.wait() == int(is_carried)
    assert bool(theatre.chain(NEAR, key)) == is_carried


def test_priority_decides_only_among_rules_for_the_same_destination() -> None:
    theatre = Theatre()
    cold = destination(more="<StorageClass>STANDARD_IA</StorageClass>")
    warm = destination(more="<StorageClass>ONEZONE_IA</StorageClass>")
    theatre.configure(
        rule(rule_id="low", priority=1, to=warm),
        rule(rule_id="high", priority=9, to=cold),
        rule(rule_id="else", priority=2, to=destination(FAR)),
    )
    theatre.put()
    assert theatre.wait() == 2
    assert theatre.only(NEAR).storage_class == "STANDARD_IA"
    assert theatre.only(FAR).storage_class == "STANDARD"


def test_with_two_destinations_one_failure_makes_the_source_failed() -> None:
    theatre = Theatre()
    theatre.configure(
        rule(rule_id="a", priority=1), rule(rule_id="b", priority=2, to=destination(FAR))
    )
    theatre.version(FAR, "Suspended")
    theatre.put()
    assert theatre.wait() == 2
    assert theatre.status() == ReplicationStatus.FAILED
    assert len(theatre.chain(NEAR)) == 1
    assert theatre.chain(FAR) == []


@pytest.mark.parametrize("denied", ["s3:ReplicateObject"])
def test_a_denied_replication_fails(denied: str) -> None:
    theatre = Theatre()
    theatre.configure(rule())
    theatre.denied.add(denied)
    theatre.put()
    theatre.wait()
    assert theatre.status() == ReplicationStatus.FAILED


def test_kms_objects_need_the_opt_in_and_get_the_replica_key() -> None:
    theatre = Theatre()
    theatre.configure(rule())
    theatre.put(encryption=SSE_KMS)
    assert theatre.wait() == 0
    assert theatre.status() is None
    theatre.configure(rule(more=KMS, to=destination(more=TO_KEY)))
    theatre.put("new", encryption=SSE_KMS)
    assert theatre.wait() == 1
    replica = theatre.only(NEAR, "new")
    assert replica.encryption.algorithm is ServerSideEncryption.SSE_KMS
    assert replica.encryption.kms_key_arn == REPLICA_KEY
    assert replica.etag != theatre.only(SOURCE, "new").etag
    assert replica.checksum == theatre.only(SOURCE, "new").checksum


def test_a_disabled_replica_key_fails_the_replication() -> None:
    theatre = Theatre()
    theatre.configure(rule(more=KMS, to=destination(more=TO_KEY)))
    theatre.model.world.keys.disabled.add(REPLICA_KEY)
    theatre.put(encryption=SSE_KMS)
    theatre.wait()
    assert theatre.status() == ReplicationStatus.FAILED


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_archive_classes_are_skipped_without_a_status(storage_class: str) -> None:
    theatre = Theatre()
    theatre.configure(rule())
    theatre.put(storage_class=storage_class)
    assert theatre.wait() == 0
    assert theatre.status() is None


def test_delete_markers_go_by_the_rule_and_by_the_first_schema_always() -> None:
    first_schema = (
        f"<Rule><ID>r</ID><Prefix></Prefix><Status>Enabled</Status>{destination()}</Rule>"
    )
    for rules, markers in ((rule(), 0), (rule(markers=MARKERS), 1), (first_schema, 1)):
        theatre = Theatre()
        theatre.configure(rules)
        theatre.put()
        theatre.delete()
        theatre.wait()
        assert theatre.markers(NEAR) == markers
        assert len(theatre.chain(NEAR)) == 1 + markers


def test_permanent_deletions_are_never_carried_and_a_queued_write_is_dropped() -> None:
    theatre = Theatre()
    theatre.configure(rule(markers=MARKERS))
    kept = theatre.put("kept")
    theatre.wait()
    gone = theatre.put("gone")
    theatre.delete("gone", gone)
    theatre.delete("kept", kept)
    theatre.wait()
    assert theatre.only(NEAR, "kept").version_id == kept
    assert theatre.chain(NEAR, "gone") == []


def test_replicas_are_not_replicated_again() -> None:
    theatre = Theatre()
    theatre.configure(rule())
    theatre.put()
    theatre.wait()
    near = theatre.model.world.buckets[NEAR]
    near.replication = theatre.model.world.buckets[SOURCE].replication
    assert theatre.wait() == 0
    assert theatre.chain(FAR) == []


def test_changed_tags_follow_a_version_that_was_replicated_and_no_other() -> None:
    theatre = Theatre()
    theatre.put("before")
    theatre.configure(rule())
    theatre.put("after")
    theatre.wait()
    theatre.tag("after", (("t", "new"),))
    theatre.tag("before", (("t", "new"),))
    assert theatre.status("after") == ReplicationStatus.PENDING
    assert theatre.wait() == 1
    assert theatre.only(NEAR, "after").tags == (("t", "new"),)
    assert theatre.chain(NEAR, "before") == []


def test_a_tag_that_makes_a_version_eligible_later_is_left_to_batch_replication() -> None:
    theatre = Theatre()
    theatre.configure(rule(where="<Tag><Key>t</Key><Value>1</Value></Tag>"))
    theatre.put()
    theatre.tag("k", (("t", "1"),))
    assert theatre.wait() == 0
    assert theatre.status() is None


def test_a_locked_version_needs_a_destination_with_object_lock() -> None:
    theatre = Theatre()
    theatre.model.world.buckets[SOURCE].is_object_lock_enabled = True
    theatre.configure(rule())
    theatre.put(lock=ObjectLock(has_legal_hold=True))
    theatre.wait()
    assert theatre.status() == ReplicationStatus.FAILED


OWN_LOCK = ObjectLock(mode="COMPLIANCE", retain_until=datetime(2090, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("lock", [OWN_LOCK, ObjectLock(has_legal_hold=True), None])
def test_a_replica_keeps_its_lock_or_gets_the_destinations_default(lock: ObjectLock | None) -> None:
    """If this fails, what replication does to locks is not what verify expects of it."""
    theatre = Theatre()
    for name in (SOURCE, NEAR):
        theatre.model.world.buckets[name].is_object_lock_enabled = True
    default = DefaultRetention(mode="GOVERNANCE", days=3)
    theatre.model.world.buckets[NEAR].default_retention = default
    theatre.configure(rule())
    theatre.put(lock=lock)
    theatre.wait()
    arrived = theatre.only(NEAR).lock
    assert arrived is not None
    if lock == OWN_LOCK:
        assert arrived == OWN_LOCK
    else:
        assert arrived.mode == "GOVERNANCE"
        assert arrived.has_legal_hold is (None if lock is None else True)


@pytest.mark.parametrize(
    ("ownership", "is_kept"), [("ObjectWriter", True), ("BucketOwnerEnforced", False)]
)
def test_a_replica_has_its_sources_grants_where_acls_count(
    ownership: str, *, is_kept: bool
) -> None:
    """If this fails, ACLs are lost on the way, or survive where nobody may set them."""
    theatre = Theatre()
    buckets = theatre.model.world.buckets
    buckets[SOURCE].object_ownership = "ObjectWriter"
    buckets[NEAR].object_ownership = ownership
    theatre.configure(rule())
    grants = (Grant(grantee=canonical_id("999999999999"), permission="READ"),)
    theatre.put(grants=grants, website_redirect_location="/elsewhere")
    theatre.wait()
    replica = theatre.only(NEAR)
    assert replica.acl == (grants if is_kept else None)
    assert replica.website_redirect_location == "/elsewhere"


@pytest.mark.parametrize(
    ("placement", "is_replica_current"),
    [(Placement.ARRIVAL, True), (Placement.ORIGINAL_TIME, False)],
)
def test_where_a_replica_lands_among_later_versions_is_a_switch(
    placement: Placement, is_replica_current: bool
) -> None:
    theatre = Theatre(placement)
    theatre.configure(rule())
    version_id = theatre.put()
    theatre.put(bucket=NEAR, body=b"written there meanwhile")
    theatre.wait()
    current = theatre.chain(NEAR)[-1]
    assert (current.version_id == version_id) == is_replica_current


@pytest.mark.parametrize("placement", Placement)
def test_replicas_keep_the_order_of_their_source_however_they_arrive(placement: Placement) -> None:
    for seed in range(30):
        theatre = Theatre(placement)
        theatre.configure(rule(markers=MARKERS))
        random = Random(seed)
        for _ in range(12):
            if random.random() < 0.3:
                theatre.delete()
            else:
                theatre.put(body=bytes([random.randrange(256)]))
        queue = theatre.model.replication._queue
        shuffled = [
            (due_at + timedelta(seconds=random.random() * 50), number, task)
            for due_at, number, task in queue
        ]
        queue[:] = sorted(shuffled, key=lambda item: item[:2])
        theatre.wait(1000)
        order = [entry.version_id for entry in theatre.chain(SOURCE)]
        assert [entry.version_id for entry in theatre.chain(NEAR)] == order


def test_a_null_version_written_before_versioning_stays_behind() -> None:
    theatre = Theatre()
    theatre.version(SOURCE, "Suspended")
    theatre.model.put_object(theatre.own, PutObjectRequest(bucket=SOURCE, key="k", body=b"null"))
    theatre.version(SOURCE, "Enabled")
    theatre.configure(rule())
    theatre.put()
    assert theatre.wait() == 1
    assert [entry.version_id == "null" for entry in theatre.chain(SOURCE)] == [True, False]
    assert theatre.only(NEAR).version_id != "null"


def test_ownership_follows_the_rule_where_acls_are_enabled() -> None:
    for more, owner in (
        ("", OWN),
        (f"<Account>{OTHER}</Account>{TRANSLATION}", OTHER),
    ):
        theatre = Theatre()
        theatre.model.world.buckets[NEAR].object_ownership = "ObjectWriter"
        theatre.configure(rule(to=destination(more=more)))
        theatre.put()
        theatre.wait()
        assert theatre.only(NEAR).owner_id == owner
