"""Object Lock: what is asked of a write, who may weaken it, what it protects and who is told."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest

from tests.contract.declarations import differs, table
from tests.contract.protection import Lock
from tests.contract.scenes import digest, full, source_of
from tests.contract.vocabulary import Attributes, Driver, Part, Sum, Written, refused

FAR = datetime(2090, 1, 2, 3, 4, 5, tzinfo=UTC)
PAST = datetime(2020, 1, 1, tzinfo=UTC)
GOVERNED = Lock(mode="GOVERNANCE", until=FAR)
COMPLIANT = Lock(mode="COMPLIANCE", until=FAR)
BODY = b"body"
SUM: Sum = full("SHA256", BODY, told=None)
MD5 = b64encode(digest("MD5", BODY)).decode()


@pytest.fixture
def locked(s3: Driver, bucket: str) -> str:
    """A bucket with Object Lock."""
    s3.set_lock(bucket)
    return bucket


def put(s3: Driver, bucket: str, lock: Lock | None = None, key: str = "key") -> Written:
    return s3.put(bucket, key, BODY, content_md5=MD5, attributes=Attributes(lock=lock))


@differs("seaweedfs", "says OFF where nobody spoke of a hold", rows=("governance", "compliance"))
@pytest.mark.parametrize(
    "lock",
    table(
        {
            "governance": GOVERNED,
            "compliance": COMPLIANT,
            "legal hold": Lock(hold="ON"),
            "both": Lock(mode="COMPLIANCE", until=FAR, hold="ON"),
        }
    ),
)
def test_a_write_says_its_lock_and_head_tells_it(s3: Driver, locked: str, lock: Lock) -> None:
    """If this fails, a copy's lock is lost or not seen."""
    put(s3, locked, lock)
    assert s3.head(locked, "key").attributes.lock == lock
    assert s3.get(locked, "key")[0].attributes.lock == lock


@differs("seaweedfs", "answers ObjectLockConfigurationNotFoundError")
@differs("moto", "answers 500")
def test_an_object_without_a_lock_tells_none(s3: Driver, locked: str) -> None:
    """If this fails, objects look locked that are not."""
    put(s3, locked)
    assert s3.head(locked, "key").attributes.lock is None
    with refused(404, "NoSuchObjectLockConfiguration"):
        s3.lock_of(locked, "key")
    with refused(404, "NoSuchObjectLockConfiguration"):
        s3.hold_of(locked, "key")


@differs("seaweedfs", "copies the lock along")
def test_a_copy_leaves_the_lock_behind(s3: Driver, locked: str) -> None:
    """If this fails, copies are believed to carry what they lose."""
    written = put(s3, locked, Lock(mode="GOVERNANCE", until=FAR, hold="ON"))
    s3.copy(source_of(locked, written), locked, "copy")
    assert s3.head(locked, "copy").attributes.lock is None


@differs("seaweedfs", "ignores a copy's lock")
@differs("moto", "wants a checksum of a copy")
@pytest.mark.parametrize("lock", table({"governance": GOVERNED, "legal hold": Lock(hold="ON")}))
def test_a_copy_says_its_lock_in_the_request(s3: Driver, locked: str, lock: Lock) -> None:
    """If this fails, CopyObject cannot carry a lock; it needs no checksum for that."""
    written = put(s3, locked)
    s3.copy(source_of(locked, written), locked, "copy", attributes=Attributes(lock=lock))
    assert s3.head(locked, "copy").attributes.lock == lock


@differs("seaweedfs", "says OFF where nobody spoke of a hold")
@differs("moto", "drops the lock of an upload")
def test_an_upload_says_its_lock_when_it_begins(s3: Driver, locked: str) -> None:
    """If this fails, large objects cannot carry a lock."""
    upload_id = s3.begin(locked, "key", attributes=Attributes(lock=COMPLIANT))
    part = s3.upload(locked, "key", upload_id, 1, BODY, checksum=SUM)
    s3.complete(locked, "key", upload_id, [Part(number=part.number, etag=part.etag)])
    assert s3.head(locked, "key").attributes.lock == COMPLIANT


@differs("seaweedfs", "says OFF where nobody spoke of a hold")
@differs("moto", "drops the lock of an upload")
def test_a_copied_part_needs_no_checksum(s3: Driver, locked: str) -> None:
    """If this fails, large copies under a lock are refused."""
    source = source_of(locked, put(s3, locked))
    upload_id = s3.begin(locked, "copy", attributes=Attributes(lock=GOVERNED))
    part = s3.upload_copy(source, locked, "copy", upload_id, 1)
    s3.complete(locked, "copy", upload_id, [part])
    assert s3.head(locked, "copy").attributes.lock == GOVERNED


@differs("seaweedfs", "answers InvalidRequest")
@differs("moto", "takes any lock")
@pytest.mark.parametrize(
    "lock",
    table(
        {
            "a mode alone": Lock(mode="GOVERNANCE"),
            "a date alone": Lock(until=FAR),
            "a date gone by": Lock(mode="COMPLIANCE", until=PAST),
            "an unknown mode": Lock(mode="FOREVER", until=FAR),
        }
    ),
)
def test_a_lock_that_makes_no_sense_is_refused(s3: Driver, locked: str, lock: Lock) -> None:
    """If this fails, a write is locked in a way that nobody asked for."""
    with refused(400, "InvalidArgument"):
        put(s3, locked, lock)
    assert s3.list_versions(locked).entries == ()


@differs("seaweedfs", "copies and begins uploads without their lock")
@differs("moto", "wants a checksum of a copy")
@pytest.mark.parametrize("lock", table({"retention": GOVERNED, "legal hold": Lock(hold="ON")}))
def test_a_lock_is_refused_where_the_bucket_has_none(s3: Driver, bucket: str, lock: Lock) -> None:
    """If this fails, a lock is dropped unseen."""
    with refused(400, "InvalidRequest"):
        put(s3, bucket, lock)
    written = put(s3, bucket)
    with refused(400, "InvalidRequest"):
        s3.copy(source_of(bucket, written), bucket, "copy", attributes=Attributes(lock=lock))
    with refused(400, "InvalidRequest"):
        s3.begin(bucket, "upload", attributes=Attributes(lock=lock))


@differs("seaweedfs", "locks without a checksum")
@differs("moto", "answers MissingUploadObjectWithObjectLockHeaders")
def test_what_will_be_locked_must_come_with_a_checksum(s3: Driver, locked: str) -> None:
    """If this fails, an upload works here that S3 refuses."""
    with refused(400, "InvalidRequest"):
        s3.put(locked, "key", BODY, attributes=Attributes(lock=GOVERNED))
    upload_id = s3.begin(locked, "key", attributes=Attributes(lock=GOVERNED))
    with refused(400, "InvalidRequest"):
        s3.upload(locked, "key", upload_id, 1, BODY)


@differs("moto", "wants a checksum of a copy")
def test_a_default_retention_is_told_and_counts_from_the_write(s3: Driver, locked: str) -> None:
    """If this fails, what a destination adds to copies is not foreseen."""
    s3.set_lock(locked, mode="GOVERNANCE", days=3)
    assert s3.default_retention(locked) == ("GOVERNANCE", 3)
    written = put(s3, locked)
    s3.copy(source_of(locked, written), locked, "copy")
    for key in ("key", "copy"):
        head = s3.head(locked, key)
        lock = head.attributes.lock
        assert lock is not None
        assert lock.mode == "GOVERNANCE"
        assert lock.until is not None
        assert abs(lock.until - head.last_modified - timedelta(days=3)) <= timedelta(seconds=2)


@differs("seaweedfs", "says OFF where nobody spoke of a hold")
@differs("moto", "takes a hold for a retention")
def test_a_lock_that_is_said_outdoes_the_default(s3: Driver, locked: str) -> None:
    """If this fails, a destination's default weakens what the source had."""
    s3.set_lock(locked, mode="GOVERNANCE", days=3)
    put(s3, locked, COMPLIANT)
    assert s3.head(locked, "key").attributes.lock == COMPLIANT
    put(s3, locked, Lock(hold="ON"))
    lock = s3.head(locked, "key").attributes.lock
    assert lock is not None
    assert (lock.mode, lock.hold) == ("GOVERNANCE", "ON")


def test_a_bucket_without_lock_has_no_configuration_of_it(s3: Driver, bucket: str) -> None:
    """If this fails, preflight takes a bucket without Object Lock for one with it."""
    with refused(404, "ObjectLockConfigurationNotFoundError"):
        s3.default_retention(bucket)


@differs("moto", "answers 400")
def test_a_lock_needs_versioning(s3: Driver, plain: str) -> None:
    """If this fails, a bucket without versions claims to lock them."""
    with refused(409, "InvalidBucketState"):
        s3.set_lock(plain)


@differs("moto", "suspends it")
def test_versioning_of_a_locked_bucket_stays_enabled(s3: Driver, locked: str) -> None:
    """If this fails, a locked bucket can be made to overwrite."""
    with refused(409, "InvalidBucketState"):
        s3.set_versioning(locked, "Suspended")


@pytest.mark.parametrize(
    ("lock", "is_bypassed"),
    [
        pytest.param(GOVERNED, False, id="governance"),
        pytest.param(COMPLIANT, False, id="compliance"),
        pytest.param(COMPLIANT, True, id="compliance, bypassed"),
        pytest.param(Lock(hold="ON"), True, id="legal hold, bypassed"),
    ],
)
def test_a_locked_version_is_not_removed(
    s3: Driver, locked: str, lock: Lock, is_bypassed: bool
) -> None:
    """If this fails, Object Lock protects nothing."""
    written = put(s3, locked, lock)
    with refused(403, "AccessDenied"):
        s3.remove(locked, "key", written.version_id, is_bypassed=is_bypassed)
    assert s3.head(locked, "key", version_id=written.version_id).status == 200


def test_governance_yields_to_who_may_bypass_it(s3: Driver, locked: str) -> None:
    """If this fails, governance is compliance."""
    written = put(s3, locked, GOVERNED)
    s3.remove(locked, "key", written.version_id, is_bypassed=True)
    assert s3.list_versions(locked).entries == ()


@differs("moto", "lists all versions before all delete markers")
def test_a_locked_version_may_be_hidden_and_overwritten(s3: Driver, locked: str) -> None:
    """If this fails, keys under a lock cannot be written any more."""
    first = put(s3, locked, COMPLIANT)
    second = put(s3, locked)
    assert s3.delete(locked, "key").is_delete_marker
    ids = [entry.version_id for entry in s3.list_versions(locked).entries]
    assert ids[1:] == [second.version_id, first.version_id]


@differs("seaweedfs", "answers InvalidRequest to no retention at all", rows=("none",))
@differs("moto", "takes any retention")
@pytest.mark.parametrize(
    "after",
    table(
        {
            "shorter": Lock(mode="COMPLIANCE", until=FAR - timedelta(days=1)),
            "weaker": GOVERNED,
            "none": Lock(),
        }
    ),
)
def test_compliance_does_not_shrink_whoever_asks(s3: Driver, locked: str, after: Lock) -> None:
    """If this fails, compliance is governance."""
    put(s3, locked, COMPLIANT)
    with refused(403, "AccessDenied"):
        s3.retain(locked, "key", after, is_bypassed=True)
    assert s3.lock_of(locked, "key") == COMPLIANT


@differs("seaweedfs", "does not lengthen a retention")
@differs("moto", "answers 500 when asked for the retention it was told")
def test_retention_grows_in_time_and_mode(s3: Driver, locked: str) -> None:
    """If this fails, protection cannot be made stronger."""
    put(s3, locked, GOVERNED)
    longer = Lock(mode="GOVERNANCE", until=FAR + timedelta(days=1))
    s3.retain(locked, "key", longer)
    assert s3.lock_of(locked, "key") == longer
    stricter = Lock(mode="COMPLIANCE", until=FAR + timedelta(days=1))
    s3.retain(locked, "key", stricter)
    assert s3.lock_of(locked, "key") == stricter


@differs("moto", "takes any retention")
def test_governance_is_shortened_only_by_bypassing_it(s3: Driver, locked: str) -> None:
    """If this fails, retention is shortened by mistake."""
    put(s3, locked, GOVERNED)
    shorter = Lock(mode="GOVERNANCE", until=FAR - timedelta(days=1))
    with refused(403, "AccessDenied"):
        s3.retain(locked, "key", shorter)
    s3.retain(locked, "key", shorter, is_bypassed=True)
    assert s3.lock_of(locked, "key") == shorter


def test_a_legal_hold_comes_and_goes_and_leaves_a_trace(s3: Driver, locked: str) -> None:
    """If this fails, a lifted hold protects still, or is not told from none."""
    written = put(s3, locked)
    s3.hold(locked, "key", "ON")
    assert s3.hold_of(locked, "key") == "ON"
    s3.hold(locked, "key", "OFF")
    assert s3.hold_of(locked, "key") == "OFF"
    assert s3.head(locked, "key").attributes.lock == Lock(hold="OFF")
    s3.remove(locked, "key", written.version_id, is_bypassed=False)
    assert s3.list_versions(locked).entries == ()


@differs("seaweedfs", "locks in any bucket with versioning")
def test_retention_in_a_bucket_without_lock_is_refused(s3: Driver, bucket: str) -> None:
    """If this fails, a lock is believed in that is not there."""
    put(s3, bucket)
    with refused(400, "InvalidRequest"):
        s3.retain(bucket, "key", GOVERNED)
    with refused(400, "InvalidRequest"):
        s3.hold(bucket, "key", "ON")


@differs("seaweedfs", "ignores the bypass")
@differs("moto", "ignores the bypass")
def test_bypassing_means_nothing_without_a_lock(s3: Driver, bucket: str) -> None:
    """If this fails, a header that S3 refuses is taken here."""
    written = put(s3, bucket)
    with refused(400, "InvalidArgument"):
        s3.remove(bucket, "key", written.version_id, is_bypassed=True)
