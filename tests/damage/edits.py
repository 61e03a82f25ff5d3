"""Each kind of damage, done behind S3's back to one copy: what is left is what S3 could show.

An edit returns whether the version has what it damages: an object without tags cannot lose one.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import timedelta
from functools import partial
from random import Random
from typing import NamedTuple

from backfill.sandbox.model import raw_edits, raw_histories, raw_storage
from backfill.sandbox.model.identities import canonical_id
from backfill.sandbox.model.model import S3Model
from backfill.sandbox.model.values import (
    ChecksumAlgorithm,
    ContentHeaders,
    Encryption,
    Grant,
    ObjectLock,
    ServerSideEncryption,
)
from backfill.sandbox.model.versions import ObjectVersion
from tests.damage.originals import OTHER_KEY, STRANGER
from tests.doubles.damage_table import Damage
from tests.simulation.scenario import DESTINATION


class Spot(NamedTuple):
    """One key at the destination. `others` are keys of its kind that nothing is done to."""

    model: S3Model
    key: str
    random: Random
    others: tuple[str, ...]

    @property
    def version(self) -> ObjectVersion:
        """The copy."""
        return raw_edits.version_of(self.model, DESTINATION, self.key)


Edit = Callable[[Spot], bool]


def _put_bytes(spot: Spot, data: bytes) -> bool:
    if data == spot.version.body.data:
        return False
    raw_edits.replace_bytes(spot.model, DESTINATION, spot.key, data)
    return True


def _flip(spot: Spot) -> bool:
    data = bytearray(spot.version.body.data)
    data[spot.random.randrange(len(data))] ^= 1 << spot.random.randrange(8)
    return _put_bytes(spot, bytes(data))


def _other_bytes(spot: Spot) -> bool:
    return _put_bytes(spot, spot.random.randbytes(spot.version.size_bytes))


def _truncate(spot: Spot) -> bool:
    data = spot.version.body.data
    return _put_bytes(spot, data[: spot.random.randrange(len(data))])


def _extend(spot: Spot) -> bool:
    return _put_bytes(spot, spot.version.body.data + spot.random.randbytes(1))


def _swap(spot: Spot, *, is_same_size: bool) -> bool:
    """Put another object's bytes into this one."""
    for key in spot.others:
        other = raw_edits.version_of(spot.model, DESTINATION, key)
        if (other.size_bytes == spot.version.size_bytes) is is_same_size:
            return _put_bytes(spot, other.body.data)
    return False


def _cut_anew(spot: Spot, *, has_other_bytes: bool) -> bool:
    """Write the object again by an upload in parts, other ones than it had."""
    size = spot.version.size_bytes
    data = spot.random.randbytes(size) if has_other_bytes else spot.version.body.data
    cuts = spot.random.sample(
        [cut for cut in range(1, size) if cut != 32], spot.random.choice((1, 2))
    )
    raw_storage.cut_anew(spot.model, DESTINATION, spot.key, data, sorted(cuts))
    return True


def _sum_anew(spot: Spot) -> bool:
    stored = spot.version.checksum
    assert stored is not None, "a copy has a checksum"
    chosen = spot.random.choice(
        [each for each in ChecksumAlgorithm if each is not stored.algorithm]
    )
    raw_storage.sum_anew(spot.model, DESTINATION, spot.key, chosen)
    return True


def _header(spot: Spot, field: str) -> bool:
    content = spot.version.content
    words = ["text/forged", "private, max-age=1", None]
    other = spot.random.choice([word for word in words if word != getattr(content, field)])
    if field == "content_type" and other is None:
        other = "application/x-forged"
    if other == getattr(content, field):
        return False
    headers = ContentHeaders(**{**asdict(content), field: other})
    return _put(spot, replace(spot.version, content=headers))


def _put(spot: Spot, version: ObjectVersion) -> bool:
    raw_edits.bucket_of(spot.model, DESTINATION).swap(version)
    return True


def _pairs(spot: Spot, field: str) -> list[tuple[str, str]]:
    return list(spot.version.metadata if field == "metadata" else spot.version.tags)


def _put_pairs(spot: Spot, field: str, pairs: list[tuple[str, str]]) -> bool:
    old, said = spot.version, tuple(pairs)
    is_metadata = field == "metadata"
    return _put(spot, replace(old, metadata=said) if is_metadata else replace(old, tags=said))


def _lose_one(spot: Spot, field: str) -> bool:
    pairs = _pairs(spot, field)
    if not pairs:
        return False
    del pairs[spot.random.randrange(len(pairs))]
    return _put_pairs(spot, field, pairs)


def _add_one(spot: Spot, field: str) -> bool:
    return _put_pairs(spot, field, [*_pairs(spot, field), ("forged", "yes")])


def _change_one(spot: Spot, field: str, change: Callable[[str], str]) -> bool:
    pairs = _pairs(spot, field)
    if not pairs:
        return False
    places = [at for at, (_, value) in enumerate(pairs) if change(value) != value]
    at = spot.random.choice(places)
    pairs[at] = pairs[at][0], change(pairs[at][1])
    return _put_pairs(spot, field, pairs)


def _forge(value: str) -> str:
    return f"{value}?"


def _storage_class(spot: Spot) -> bool:
    classes = ("STANDARD", "STANDARD_IA", "ONEZONE_IA", "GLACIER_IR", "INTELLIGENT_TIERING")
    others = [each for each in classes if each != spot.version.storage_class]
    return _put(spot, replace(spot.version, storage_class=spot.random.choice(others)))


def _kms_key(spot: Spot) -> bool:
    other = replace(spot.version.encryption, kms_key_arn=OTHER_KEY)
    raw_storage.encrypt_anew(spot.model, DESTINATION, spot.key, other)
    return True


def _encryption(spot: Spot) -> bool:
    sse_kms, dsse = ServerSideEncryption.SSE_KMS, ServerSideEncryption.DSSE_KMS
    kinds = [
        Encryption(),
        Encryption(algorithm=sse_kms, kms_key_arn=OTHER_KEY),
        Encryption(algorithm=dsse, kms_key_arn=OTHER_KEY),
    ]
    if spot.version.encryption.algorithm is ServerSideEncryption.SSE_S3:
        kinds = kinds[1:]
    raw_storage.encrypt_anew(spot.model, DESTINATION, spot.key, spot.random.choice(kinds))
    return True


def _other_retention(spot: Spot) -> bool:
    lock = spot.version.lock
    if lock is None or lock.mode is None or lock.retain_until is None:
        return False
    mode = "COMPLIANCE" if lock.mode == "GOVERNANCE" else "GOVERNANCE"
    until = lock.retain_until - timedelta(days=spot.random.randint(1, 60))
    changed = spot.random.choice((replace(lock, mode=mode), replace(lock, retain_until=until)))
    return _put(spot, replace(spot.version, lock=changed))


def _no_retention(spot: Spot) -> bool:
    lock = spot.version.lock
    if lock is None or lock.mode is None:
        return False
    return _put(spot, replace(spot.version, lock=replace(lock, mode=None, retain_until=None)))


def _more_retention(spot: Spot) -> bool:
    if spot.version.lock is not None:
        return False
    until = spot.version.created_at.replace(microsecond=0) + timedelta(days=30)
    return _put(spot, replace(spot.version, lock=ObjectLock(mode="GOVERNANCE", retain_until=until)))


def _legal_hold(spot: Spot) -> bool:
    lock = spot.version.lock or ObjectLock()
    return _put(
        spot, replace(spot.version, lock=replace(lock, has_legal_hold=not lock.has_legal_hold))
    )


def _grant(grantee: str, permission: str) -> Grant:
    return Grant(grantee=grantee, permission=permission)


def _other_acl(spot: Spot) -> bool:
    acl = spot.version.acl
    if acl is None:
        return False
    choices = (
        acl[:-1],
        (*acl[:-1], _grant(STRANGER, "WRITE_ACP")),
        (*acl, _grant("d" * 64, "READ")),
    )
    return _put(spot, replace(spot.version, acl=spot.random.choice(choices)))


def _more_acl(spot: Spot) -> bool:
    if spot.version.acl is not None:
        return False
    owner = _grant(canonical_id(spot.version.owner_id), "FULL_CONTROL")
    everybody = "http://acs.amazonaws.com/groups/global/AllUsers"
    grantee = spot.random.choice((everybody, STRANGER))
    return _put(spot, replace(spot.version, acl=(owner, _grant(grantee, "READ"))))


def _redirect(spot: Spot) -> bool:
    choices = [None, "/forged", "https://forged.example/"]
    others = [each for each in choices if each != spot.version.website_redirect_location]
    return _put(spot, replace(spot.version, website_redirect_location=spot.random.choice(others)))


def _gone(spot: Spot) -> bool:
    raw_edits.remove_version(spot.model, DESTINATION, spot.key)
    return True


def _covered(spot: Spot) -> bool:
    raw_edits.add_version(spot.model, DESTINATION, spot.key, spot.random.randbytes(60))
    return True


def _hidden(spot: Spot) -> bool:
    raw_edits.add_delete_marker(spot.model, DESTINATION, spot.key)
    return True


def _twin(spot: Spot) -> bool:
    raw_storage.write_again(spot.model, DESTINATION, spot.key)
    return True


def _stranger_below(spot: Spot) -> bool:
    data = spot.random.randbytes(8)
    raw_histories.insert_version(spot.model, DESTINATION, spot.key, data, position=0)
    return True


def _stranger_key(spot: Spot) -> bool:
    key = f"{spot.key}{spot.random.choice(('/', '!', 'x'))}"
    raw_edits.add_version(spot.model, DESTINATION, key, spot.random.randbytes(8))
    return True


EDITS: Mapping[Damage, Edit] = {
    Damage.BIT_FLIPPED: _flip,
    Damage.OTHER_BYTES: _other_bytes,
    Damage.SWAPPED: partial(_swap, is_same_size=True),
    Damage.SWAPPED_SIZES: partial(_swap, is_same_size=False),
    Damage.TRUNCATED: _truncate,
    Damage.EXTENDED: _extend,
    Damage.OTHER_PARTS: partial(_cut_anew, has_other_bytes=False),
    Damage.OTHER_PARTS_AND_BYTES: partial(_cut_anew, has_other_bytes=True),
    Damage.ALGORITHM: _sum_anew,
    Damage.CONTENT_TYPE: partial(_header, field="content_type"),
    Damage.CACHE_CONTROL: partial(_header, field="cache_control"),
    Damage.DISPOSITION: partial(_header, field="content_disposition"),
    Damage.ENCODING: partial(_header, field="content_encoding"),
    Damage.LANGUAGE: partial(_header, field="content_language"),
    Damage.EXPIRES: partial(_header, field="expires"),
    Damage.METADATA_LOST: partial(_lose_one, field="metadata"),
    Damage.METADATA_ADDED: partial(_add_one, field="metadata"),
    Damage.METADATA_CHANGED: partial(_change_one, field="metadata", change=_forge),
    Damage.METADATA_CASE: partial(_change_one, field="metadata", change=str.swapcase),
    Damage.TAG_LOST: partial(_lose_one, field="tags"),
    Damage.TAG_ADDED: partial(_add_one, field="tags"),
    Damage.TAG_CHANGED: partial(_change_one, field="tags", change=_forge),
    Damage.STORAGE_CLASS: _storage_class,
    Damage.KMS_KEY: _kms_key,
    Damage.ENCRYPTION: _encryption,
    Damage.RETENTION_CHANGED: _other_retention,
    Damage.RETENTION_LOST: _no_retention,
    Damage.RETENTION_ADDED: _more_retention,
    Damage.LEGAL_HOLD: _legal_hold,
    Damage.ACL_CHANGED: _other_acl,
    Damage.ACL_ADDED: _more_acl,
    Damage.REDIRECT: _redirect,
    Damage.GONE: _gone,
    Damage.COVERED: _covered,
    Damage.HIDDEN: _hidden,
    Damage.TWIN: _twin,
    Damage.STRANGER_BELOW: _stranger_below,
    Damage.STRANGER_KEY: _stranger_key,
}
