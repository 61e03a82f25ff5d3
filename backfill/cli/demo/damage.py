"""Six kinds of damage, made at the destination behind everybody's back.

Never touches the source and never goes through S3's doors: bytes are replaced with the ETag and
checksums that S3 itself would have stored, so only an honest comparison finds them.
Law: each damage names the key it hit and what verify must say of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from backfill.cli.demo.history import DESTINATION_BUCKET, SOURCE_BUCKET
from backfill.sandbox.model import raw_edits
from backfill.sandbox.model.model import S3Model
from backfill.sandbox.model.versions import ObjectVersion
from backfill.sandbox.service import Sandbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One damaged key and what verify must call it."""

    kind: str
    key: str
    problem: str


def do_damage(sandbox: Sandbox) -> tuple[Damage, ...]:
    """Damage six objects of the destination and say which."""
    with sandbox.held() as model:
        return (
            _bytes(model, "orders/0001.xml"),
            _metadata(model, "orders/0002.xml"),
            _tags(model, "tagged/003"),
            _stale(model, "orders/0004.xml"),
            _missing(model, "tagged/005"),
            _extra(model, "extra/nobody-asked-for-this"),
        )


def _bytes(model: S3Model, key: str) -> Damage:
    data = bytearray(raw_edits.version_of(model, DESTINATION_BUCKET, key).body.data)
    data[0] ^= 1
    raw_edits.replace_bytes(model, DESTINATION_BUCKET, key, bytes(data))
    return Damage(kind="one bit of the bytes", key=key, problem="different: content")


def _metadata(model: S3Model, key: str) -> Damage:
    raw_edits.change_attributes(model, DESTINATION_BUCKET, key, metadata=(("origin", "forged"),))
    return Damage(kind="metadata", key=key, problem="metadata")


def _tags(model: S3Model, key: str) -> Damage:
    raw_edits.change_attributes(model, DESTINATION_BUCKET, key, tags=(("project", "wrong"),))
    return Damage(kind="a tag", key=key, problem="tags")


def _stale(model: S3Model, key: str) -> Damage:
    older = _noncurrent(model, key)
    raw_edits.add_version(model, DESTINATION_BUCKET, key, older.body.data)
    return Damage(kind="an older version on top", key=key, problem="current-version")


def _missing(model: S3Model, key: str) -> Damage:
    raw_edits.remove_version(model, DESTINATION_BUCKET, key)
    return Damage(kind="a version removed", key=key, problem="missing")


def _extra(model: S3Model, key: str) -> Damage:
    raw_edits.add_version(model, DESTINATION_BUCKET, key, b"where does this come from?")
    return Damage(kind="an object too many", key=key, problem="extra")


def _noncurrent(model: S3Model, key: str) -> ObjectVersion:
    chain: Sequence[object] = raw_edits.bucket_of(model, SOURCE_BUCKET).chain(key)
    older = chain[-2]
    assert isinstance(older, ObjectVersion), "the history overwrote this key"
    return older
