"""Between the model's values and the words for protection.

Law: nothing is decided here that the model should decide.
"""

import base64
from hashlib import md5

from backfill.sandbox.model.values import CustomerKey, Grant, ObjectLock
from tests.contract.protection import Grants, Lock


def lock_of(lock: Lock | None) -> ObjectLock | None:
    """A write's lock."""
    if lock is None:
        return None
    held = None if lock.hold is None else lock.hold == "ON"
    return ObjectLock(mode=lock.mode, retain_until=lock.until, has_legal_hold=held)


def said_of(lock: ObjectLock | None) -> Lock | None:
    """An answer's lock."""
    if lock is None or lock == ObjectLock():
        return None
    hold = None if lock.has_legal_hold is None else ("ON" if lock.has_legal_hold else "OFF")
    until = None if lock.retain_until is None else lock.retain_until.replace(microsecond=0)
    return Lock(mode=lock.mode, until=until, hold=hold)


def grants_of(grants: Grants) -> tuple[Grant, ...]:
    """A write's grants."""
    return tuple(Grant(grantee=grantee, permission=right) for right, grantee in grants)


def key_of(key: bytes | None) -> CustomerKey | None:
    """A request's customer key."""
    if key is None:
        return None
    digest = base64.b64encode(md5(key, usedforsecurity=False).digest()).decode()
    return CustomerKey(key_md5=digest, size_bytes=len(key))
