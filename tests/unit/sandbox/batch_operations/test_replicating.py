"""Replicate tasks: what each initiates, and by which code each refuses."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from backfill.sandbox.model import raw_edits
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.operations.buckets import (
    BucketRequest,
    PutBucketVersioningRequest,
)
from backfill.sandbox.model.operations.objects import PutObjectRequest
from backfill.sandbox.model.values import (
    ArchiveStatus,
    CustomerKey,
    Encryption,
    ObjectLock,
    ReplicationStatus,
    RequestedEncryption,
    ServerSideEncryption,
    WrittenAttributes,
)
from backfill.sandbox.model.versions import DeleteMarker
from tests.unit.sandbox.batch_operations.works import FAR, NEAR, OWN, ROLE, SOURCE, Works
from tests.unit.sandbox.model.replicating import (
    KEY,
    KMS,
    MARKERS,
    REPLICA_KEY,
    TO_KEY,
    destination,
    rule,
)

REPLICATION_ROLE = f"arn:aws:iam::{OWN}:role/replication"
SUCCEEDED = ("succeeded", "200", "")
FAR_RULE = rule(rule_id="far", priority=2, to=destination(FAR))


def status(works: Works, key: str = "k", version_id: str | None = None) -> str | None:
    bucket = works.model.world.buckets[SOURCE]
    entry = bucket.current(key) if version_id is None else bucket.find(key, version_id)
    assert entry is not None
    return entry.replication_status


def test_a_task_initiates_and_the_queue_delivers_to_every_destination(works: Works) -> None:
    """If this fails, "Complete" means delivered here, and nobody waits for the truth at AWS."""
    version_id = works.put("k", b"body", metadata=(("m", "1"),))
    created_at = works.only(SOURCE).created_at
    works.configure(rule(), FAR_RULE)
    assert works.outcome("k", version_id) == SUCCEEDED
    assert status(works) == "PENDING"
    assert works.chain(NEAR) == works.chain(FAR) == []
    assert works.wait() == 2
    for bucket in (NEAR, FAR):
        replica = works.only(bucket)
        assert (replica.version_id, replica.created_at) == (version_id, created_at)
        assert (replica.metadata, replica.replication_status) == ((("m", "1"),), "REPLICA")
    assert status(works) == "COMPLETED"


def test_a_history_arrives_in_its_order_whatever_the_order_of_tasks(works: Works) -> None:
    """If this fails, an old version may become the current one at the destination."""
    rows = [("k", works.put("k", str(number).encode())) for number in range(5)]
    works.delete("k")
    rows.append(("k", works.chain(SOURCE)[-1].version_id))
    works.configure(rule(markers=MARKERS))
    works.run(works.job_of(*rows))
    assert [task.version_id for task in works.jobs.jobs()[0].tasks] != [row[1] for row in rows]
    works.wait()
    theirs = [entry.version_id for entry in works.chain(NEAR)]
    assert theirs == [entry.version_id for entry in works.chain(SOURCE)]
    assert isinstance(works.chain(NEAR)[-1], DeleteMarker)


def test_live_writes_stay_on_top_of_what_arrives_later(works: Works) -> None:
    """If this fails, a backfill buries what live replication delivered."""
    old = works.put("k", b"old")
    works.configure(rule())
    new = works.put("k", b"new")
    works.wait()
    works.run(works.job_of(("k", old)))
    works.wait()
    assert [entry.version_id for entry in works.chain(NEAR)] == [old, new]


@pytest.mark.parametrize("before", [None, *ReplicationStatus])
def test_a_version_is_carried_whatever_its_status_was(
    before: ReplicationStatus | None, works: Works
) -> None:
    """If this fails, FAILED versions, replicas or those of another destination stay behind."""
    version_id = works.put()
    works.configure(rule())
    raw_edits.set_replication_status(works.model, SOURCE, "k", version_id, before)
    assert works.outcome("k", version_id) == SUCCEEDED
    works.wait()
    assert works.only(NEAR).version_id == version_id


def test_the_null_version_is_named_null(works: Works) -> None:
    """If this fails, objects from before versioning cannot be named."""
    works.version(SOURCE, "Suspended")
    assert works.put() == "null"
    works.version(SOURCE, "Enabled")
    works.configure(rule())
    assert works.outcome("k", "") == ("failed", "404", "SrcObjectNotFound")
    assert works.outcome("k", "null") == SUCCEEDED
    works.wait()
    assert works.only(NEAR).version_id == "null"
    assert works.outcome("k", "null") == ("failed", "409", "SrcReplicationNotPending")


def test_a_version_under_way_is_not_sent_twice(works: Works) -> None:
    """If this fails, a manifest with live versions in it doubles traffic."""
    works.configure(rule())
    version_id = works.put()
    assert works.outcome("k", version_id) == SUCCEEDED
    works.configure(rule(), FAR_RULE)
    assert works.outcome("k", version_id) == SUCCEEDED
    assert sorted(one.destination_bucket for one in works.model.replication.pending()) == [
        FAR,
        NEAR,
    ]
    works.wait()
    assert (len(works.chain(NEAR)), len(works.chain(FAR)), status(works)) == (1, 1, "COMPLETED")


def test_a_new_destination_gets_what_another_has(works: Works) -> None:
    """If this fails, COMPLETED versions never reach a destination that was added."""
    works.configure(rule())
    version_id = works.put()
    works.wait()
    works.configure(rule(), FAR_RULE)
    assert works.outcome("k", version_id) == SUCCEEDED
    assert works.wait() == 1
    assert works.only(FAR).version_id == version_id


def test_a_failed_change_of_a_replica_is_carried_again(works: Works) -> None:
    """If this fails, FAILED versions whose replica is there cannot be mended."""
    works.configure(rule())
    version_id = works.put()
    works.wait()
    raw_edits.change_attributes(works.model, SOURCE, "k", tags=(("late", "1"),))
    raw_edits.set_replication_status(works.model, SOURCE, "k", version_id, ReplicationStatus.FAILED)
    assert works.outcome("k", version_id) == SUCCEEDED
    works.wait()
    assert works.only(NEAR).tags == (("late", "1"),)
    assert status(works) == "COMPLETED"


def no_rule(works: Works) -> None:
    request = BucketRequest(bucket=SOURCE)
    works.model.delete_bucket_replication(works.own, request)


def unversioned(works: Works) -> None:
    other = Caller(account_id="222222222222", arn="arn:o", region="eu-west-1")
    request = PutBucketVersioningRequest(bucket=NEAR, status="Suspended")
    works.model.put_bucket_versioning(other, request)


def archived_tier(works: Works) -> None:
    raw_edits.set_archived(
        works.model,
        SOURCE,
        "k",
        storage_class="INTELLIGENT_TIERING",
        archive_status=ArchiveStatus.ARCHIVE_ACCESS,
    )


def encrypted(works: Works) -> None:
    kms = Encryption(algorithm=ServerSideEncryption.SSE_KMS, kms_key_arn=KEY)
    raw_edits.change_attributes(works.model, SOURCE, "k", encryption=kms)


def opted_in(works: Works) -> None:
    encrypted(works)
    works.configure(rule(more=KMS, to=destination(more=TO_KEY)))


def locked(works: Works) -> None:
    held = replace(works.only(SOURCE), lock=ObjectLock(has_legal_hold=True))
    works.model.world.buckets[SOURCE].swap(held)


def customer_encrypted(works: Works) -> None:
    sse_c = Encryption(algorithm=ServerSideEncryption.CUSTOMER, customer_key_md5="m")
    raw_edits.change_attributes(works.model, SOURCE, "k", encryption=sse_c)


def disabled(key: str) -> Callable[[Works], None]:
    def act(works: Works) -> None:
        opted_in(works)
        works.model.world.keys.disabled.add(key)

    return act


def no_replica_key(works: Works) -> None:
    opted_in(works)
    works.model.world.keys.missing.add(REPLICA_KEY)


def denied(arn: str, action: str) -> Callable[[Works], None]:
    return lambda works: works.denied_to.add((arn, action))


def untrusted(works: Works) -> None:
    works.model.world.roles.put(REPLICATION_ROLE, ["batchoperations.s3.amazonaws.com"])


def dropped(name: str) -> Callable[[Works], None]:
    def act(works: Works) -> None:
        del works.model.world.buckets[name]

    return act


def moved(works: Works) -> None:
    works.model.world.buckets[SOURCE].region = "eu-west-1"


def archived(works: Works) -> None:
    raw_edits.set_archived(works.model, SOURCE, "k")


def reconfigured(*rules: str) -> Callable[[Works], None]:
    return lambda works: works.configure(*rules)


REFUSED: dict[str, tuple[Callable[[Works], None], str, str]] = {
    "no source bucket": (dropped(SOURCE), "SrcBucketNotFound", "404"),
    "another Region": (moved, "SrcBucketInvalidRegion", "400"),
    "no permission": (
        denied(ROLE, "s3:InitiateReplication"),
        "InitiateReplicationNotPermitted",
        "403",
    ),
    "no configuration": (no_rule, "SrcBucketReplicationConfigMissing", "404"),
    "an archived object": (archived, "SrcObjectNotEligible", "500"),
    "an archive tier": (archived_tier, "SrcObjectNotEligible", "500"),
    "SSE-KMS without the opt-in": (encrypted, "SrcObjectNotEligible", "500"),
    "only a disabled rule": (reconfigured(rule(status="Disabled")), "SrcObjectNotEligible", "500"),
    "another prefix": (
        reconfigured(rule(where="<Prefix>other/</Prefix>")),
        "SrcObjectNotEligible",
        "500",
    ),
    "no trust in the replication role": (untrusted, "AssumeRoleNotPermitted", "403"),
    "no destination bucket": (dropped(NEAR), "DstBucketNotFound", "404"),
    "an unversioned destination": (unversioned, "DstBucketUnversioned", "400"),
    "no write permission": (
        denied(REPLICATION_ROLE, "s3:ReplicateObject"),
        "DstPutObjectNotPermitted",
        "403",
    ),
    "no Object Lock there": (locked, "DstBucketObjectLockConfigMissing", "400"),
    "SSE-C blocked there": (customer_encrypted, "DstPutObjectNotPermitted", "403"),
    "the source's key disabled": (disabled(KEY), "SrcKmsKeyInvalidState", "400"),
    "the replica's key disabled": (disabled(REPLICA_KEY), "DstKmsKeyInvalidState", "400"),
    "no replica key": (no_replica_key, "DstKmsKeyNotFound", "404"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_task_fails_by_its_documented_code(case: str, works: Works) -> None:
    """If this fails, the explanation of a code is never tried before its first real day."""
    arrange, code, http_status = REFUSED[case]
    version_id = works.put()
    works.configure(rule())
    source = works.model.world.buckets[SOURCE]
    arrange(works)
    assert works.outcome("k", version_id) == ("failed", http_status, code)
    found = source.find("k", version_id)
    assert found is not None
    is_tried = code.startswith(("Dst", "SrcKms", "AssumeRole"))
    assert found.replication_status == ("FAILED" if is_tried else None)
    assert works.wait() == 0


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (("k", "A" * 32), "SrcVersionNotFound"),
        (("gone", "A" * 32), "SrcObjectNotFound"),
        (("k", ""), "SrcObjectNotFound"),
        (("K", "null"), "SrcObjectNotFound"),
    ],
)
def test_what_is_not_there_is_said_so(row: tuple[str, str], code: str, ruled: Works) -> None:
    """If this fails, gone versions look like failures that could be mended."""
    assert ruled.outcome(*row) == ("failed", "404", code)


def test_without_list_permission_a_deleted_version_is_forbidden(ruled: Works) -> None:
    """If this fails, 403 of a missing version is never met before AWS."""
    ruled.denied_to.add((REPLICATION_ROLE, "s3:ListBucket"))
    assert ruled.outcome("gone", "A" * 32) == ("failed", "403", "SrcHeadObjectNotPermitted")


def test_a_replica_that_was_deleted_for_good_never_comes_back(works: Works) -> None:
    """If this fails, the one case that only a copy can mend is never met before AWS."""
    works.configure(rule(), FAR_RULE)
    version_id = works.put()
    works.wait()
    assert works.outcome("k", version_id) == ("failed", "409", "SrcReplicationNotPending")
    works.remove(NEAR, "k", version_id)
    assert works.outcome("k", version_id) == ("failed", "409", "DstObjectHardDeleted")
    assert works.wait() == 0
    assert works.chain(NEAR) == []
    copied = works.put()  # a new version of the same key is another matter
    works.wait()
    assert works.only(NEAR).version_id == copied


def test_one_broken_rule_fails_the_task_but_not_the_other_destination(works: Works) -> None:
    """If this fails, one broken rule is not seen, or keeps every destination from its objects."""
    version_id = works.put()
    works.configure(rule(), FAR_RULE)
    del works.model.world.buckets[FAR]
    assert works.outcome("k", version_id) == ("failed", "404", "DstBucketNotFound")
    assert status(works) == "PENDING"
    works.wait()
    assert works.only(NEAR).version_id == version_id
    assert status(works) == "FAILED"


@pytest.mark.parametrize(
    ("is_made_by_lifecycle", "code"), [(True, "SrcObjectNotEligible"), (False, "")]
)
def test_delete_markers_of_lifecycle_are_never_replicated(
    is_made_by_lifecycle: bool, code: str, works: Works
) -> None:
    """If this fails, an expiration at the source hides keys at the destination."""
    marker = raw_edits.add_delete_marker(
        works.model, SOURCE, "k", is_made_by_lifecycle=is_made_by_lifecycle
    )
    works.configure(rule(markers=MARKERS))
    assert works.outcome("k", marker.version_id)[2] == code
    works.wait()
    assert works.markers(NEAR) == (not is_made_by_lifecycle)


def test_delete_markers_need_a_rule_that_wants_them_and_their_own_permission(works: Works) -> None:
    """If this fails, deletions are carried where nobody asked for them."""
    works.put()
    works.delete()
    marker_id = works.chain(SOURCE)[-1].version_id
    works.configure(rule())
    assert works.outcome("k", marker_id) == ("failed", "500", "SrcObjectNotEligible")
    works.configure(rule(markers=MARKERS))
    works.denied_to.add((REPLICATION_ROLE, "s3:ReplicateDelete"))
    assert works.outcome("k", marker_id) == ("failed", "403", "DstDelObjNotPermitted")
    works.denied_to.clear()
    assert works.outcome("k", marker_id) == SUCCEEDED


def test_an_obstacle_that_comes_after_the_task_makes_the_version_failed(works: Works) -> None:
    """If this fails, a succeeded task is taken for a replica that is there."""
    version_id = works.put()
    works.configure(rule())
    assert works.outcome("k", version_id) == SUCCEEDED
    unversioned(works)
    works.wait()
    assert status(works) == "FAILED"
    assert works.chain(NEAR) == []


def test_a_broken_replica_key_is_no_matter_of_other_objects(works: Works) -> None:
    """If this fails, one broken key keeps back what is not encrypted with it."""
    version_id = works.put()
    works.configure(rule(more=KMS, to=destination(more=TO_KEY)))
    works.model.world.keys.disabled.add(REPLICA_KEY)
    assert works.outcome("k", version_id) == SUCCEEDED


def test_sse_c_is_carried_where_it_is_not_blocked(works: Works) -> None:
    """If this fails, Batch Replication refuses what only Batch Copy does not support."""
    for name in (SOURCE, NEAR):
        works.model.world.buckets[name].blocks_sse_c = False
    request = PutObjectRequest(
        bucket=SOURCE,
        key="k",
        body=b"b",
        attributes=WrittenAttributes(
            encryption=RequestedEncryption(customer_key=CustomerKey(key_md5="m"))
        ),
    )
    version_id = works.model.put_object(works.own, request).version_id
    works.configure(rule())
    assert version_id is not None
    assert works.outcome("k", version_id) == SUCCEEDED
    works.wait()
    assert works.only(NEAR).encryption.customer_key_md5 == "m"
