"""Object Lock: what protects a version, and what may change it."""

from datetime import timedelta
from typing import Any

import pytest

from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.operations.buckets import BucketRequest
from backfill.sandbox.model.operations.objects import VersionRequest
from backfill.sandbox.model.values import ObjectLock, WrittenAttributes
from tests.unit.sandbox.model.acts import LATER, current_id, lock_default, locked, put_lock
from tests.unit.sandbox.model.conftest import LOCKED, Stage


def test_a_locked_version_may_be_hidden_but_not_removed(stage: Stage) -> None:
    """If this fails, Object Lock protects too much or too little."""
    version_id = locked(stage)
    assert stage.delete(bucket=LOCKED).is_delete_marker
    with pytest.raises(S3Error, match="AccessDenied"):
        stage.delete("k", version_id, LOCKED)
    stage.now = LATER + timedelta(days=1)
    stage.delete("k", version_id, LOCKED)
    assert stage.bucket(LOCKED).find("k", version_id) is None


@pytest.mark.parametrize(
    ("mode", "is_bypassed", "is_permitted", "is_removed"),
    [
        ("GOVERNANCE", True, True, True),
        ("GOVERNANCE", True, False, False),
        ("GOVERNANCE", False, True, False),
        ("COMPLIANCE", True, True, False),
    ],
)
def test_only_governance_mode_yields_to_those_who_may_bypass_it(
    stage: Stage, mode: str, is_bypassed: bool, is_permitted: bool, is_removed: bool
) -> None:
    """If this fails, a locked version is lost, or governance mode is no different."""
    version_id = locked(stage, mode)
    if not is_permitted:
        stage.denied = lambda question: question.action == "s3:BypassGovernanceRetention"
    if is_removed:
        stage.delete("k", version_id, LOCKED, is_governance_bypassed=is_bypassed)
    else:
        with pytest.raises(S3Error, match="AccessDenied"):
            stage.delete("k", version_id, LOCKED, is_governance_bypassed=is_bypassed)
    assert (stage.bucket(LOCKED).find("k", version_id) is None) is is_removed


def test_a_legal_hold_protects_until_it_is_lifted_whoever_asks(stage: Stage) -> None:
    """If this fails, a legal hold can be bypassed."""
    stage.put(bucket=LOCKED)
    put_lock(stage, has_legal_hold=True)
    version_id = current_id(stage, LOCKED)
    with pytest.raises(S3Error, match="AccessDenied"):
        stage.delete("k", version_id, LOCKED, is_governance_bypassed=True)
    put_lock(stage, has_legal_hold=False)
    stage.delete("k", version_id, LOCKED)
    assert stage.bucket(LOCKED).chain("k") == []


@pytest.mark.parametrize(
    ("before", "said", "is_taken"),
    [
        ("COMPLIANCE", {"mode": "COMPLIANCE", "retain_until": LATER + timedelta(days=1)}, True),
        ("COMPLIANCE", {"mode": "GOVERNANCE", "retain_until": LATER}, False),
        ("GOVERNANCE", {"mode": "COMPLIANCE", "retain_until": LATER}, True),
        ("GOVERNANCE", {"mode": "GOVERNANCE", "retain_until": LATER - timedelta(days=1)}, False),
        ("GOVERNANCE", {"is_governance_bypassed": True}, True),
        ("COMPLIANCE", {"is_governance_bypassed": True}, False),
    ],
)
def test_retention_grows_but_does_not_shrink(
    stage: Stage,
    before: str,
    said: dict[str, Any],  # a table of keyword arguments
    is_taken: bool,
) -> None:
    """If this fails, a retention period can be shortened."""
    locked(stage, before)
    if is_taken:
        put_lock(stage, **said)
        lock = stage.head(bucket=LOCKED).lock
        assert lock == ObjectLock(mode=said.get("mode"), retain_until=said.get("retain_until"))
    else:
        with pytest.raises(S3Error, match="AccessDenied"):
            put_lock(stage, **said)


def test_the_default_retention_holds_for_writes_that_say_none(stage: Stage) -> None:
    """If this fails, objects in a locked bucket are unprotected."""
    lock_default(stage, mode="GOVERNANCE", days=3)
    asked = stage.model.get_object_lock_configuration(stage.own, BucketRequest(bucket=LOCKED))
    assert asked.default_retention is not None
    stage.put(bucket=LOCKED)
    written_at = stage.now
    lock = stage.head(bucket=LOCKED).lock
    assert lock is not None
    assert (lock.mode, lock.retain_until) == ("GOVERNANCE", written_at + timedelta(days=3))
    own = ObjectLock(mode="COMPLIANCE", retain_until=LATER)
    stage.put(bucket=LOCKED, attributes=WrittenAttributes(lock=own))
    assert stage.head(bucket=LOCKED).lock == own


def test_a_lock_is_told_only_to_those_who_may_see_it(stage: Stage) -> None:
    """If this fails, HEAD tells retention to everyone, or hides the hold with it."""
    locked(stage)
    put_lock(stage, has_legal_hold=True)
    stage.denied = lambda question: question.action == "s3:GetObjectRetention"
    assert stage.head(bucket=LOCKED).lock == ObjectLock(has_legal_hold=True)
    where = VersionRequest(bucket=LOCKED, key="k")
    with pytest.raises(S3Error, match="AccessDenied"):
        stage.model.get_object_retention(stage.own, where)
    assert stage.model.get_object_legal_hold(stage.own, where).has_legal_hold
