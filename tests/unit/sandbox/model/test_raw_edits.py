"""Damage looks exactly as if S3 itself had stored it: only comparing content finds it."""

from datetime import UTC, datetime

from backfill.sandbox.model import raw_edits, raw_histories, raw_storage
from backfill.sandbox.model.values import (
    ChecksumAlgorithm,
    ChecksumType,
    Encryption,
    ReplicationStatus,
    ServerSideEncryption,
)
from backfill.sandbox.model.versions import DeleteMarker
from tests.unit.sandbox.model.conftest import BUCKET, KMS_KEY, Stage


def test_replaced_bytes_have_the_etag_and_checksum_of_an_honest_put(stage: Stage) -> None:
    stage.put("damaged", b"good")
    stage.put("honest", b"evil")
    raw_edits.replace_bytes(stage.model, BUCKET, "damaged", b"evil")
    damaged = raw_edits.version_of(stage.model, BUCKET, "damaged")
    honest = raw_edits.version_of(stage.model, BUCKET, "honest")
    assert stage.read("damaged") == b"evil"
    assert (damaged.etag, damaged.checksum) == (honest.etag, honest.checksum)


def test_replaced_bytes_of_a_multipart_object_keep_its_parts(stage: Stage) -> None:
    for algorithm, kind in (("CRC32", ChecksumType.COMPOSITE), (None, ChecksumType.FULL_OBJECT)):
        more = {} if algorithm is None else {"checksum_algorithm": algorithm}
        stage.multipart("damaged", [b"a" * 8, b"b" * 8, b"c"], **more)
        stage.multipart("honest", [b"a" * 8, b"B" * 8, b"c"], **more)
        raw_edits.replace_bytes(stage.model, BUCKET, "damaged", b"a" * 8 + b"B" * 8 + b"c")
        damaged = raw_edits.version_of(stage.model, BUCKET, "damaged")
        honest = raw_edits.version_of(stage.model, BUCKET, "honest")
        assert damaged.checksum is not None
        assert damaged.checksum.type is kind
        assert (damaged.etag, damaged.checksum, damaged.parts) == (
            honest.etag,
            honest.checksum,
            honest.parts,
        )


def test_bytes_cut_otherwise_are_as_an_honest_upload_leaves_them(stage: Stage) -> None:
    """If this fails, a damage test looks at what S3 could not show."""
    for algorithm in ("CRC32", "SHA256"):
        stage.multipart("cut", [b"a" * 8, b"b" * 8, b"c"], checksum_algorithm=algorithm)
        stage.multipart("honest", [b"A" * 8, b"b" * 9], checksum_algorithm=algorithm)
        raw_storage.cut_anew(stage.model, BUCKET, "cut", b"A" * 8 + b"b" * 9, [8])
        cut, honest = (raw_edits.version_of(stage.model, BUCKET, key) for key in ("cut", "honest"))
        assert (cut.etag, cut.checksum, cut.parts) == (honest.etag, honest.checksum, honest.parts)


def test_other_sums_and_keys_are_as_an_honest_put_leaves_them(stage: Stage) -> None:
    """If this fails, a damage test looks at what S3 could not show."""
    stage.put("k", b"body")
    before = raw_edits.version_of(stage.model, BUCKET, "k")
    raw_storage.sum_anew(stage.model, BUCKET, "k", ChecksumAlgorithm.SHA1)
    summed = raw_edits.version_of(stage.model, BUCKET, "k")
    assert summed.checksum is not None
    assert summed.checksum.value == summed.body.checksum(ChecksumAlgorithm.SHA1)
    assert summed.etag == before.etag
    kms = Encryption(algorithm=ServerSideEncryption.SSE_KMS, kms_key_arn=KMS_KEY)
    raw_storage.encrypt_anew(stage.model, BUCKET, "k", kms)
    assert raw_edits.version_of(stage.model, BUCKET, "k").etag != before.etag
    raw_storage.encrypt_anew(stage.model, BUCKET, "k", Encryption())
    assert raw_edits.version_of(stage.model, BUCKET, "k").etag == before.etag
    raw_storage.write_again(stage.model, BUCKET, "k")
    twins = raw_histories.chain_of(stage.model, BUCKET, "k")
    assert len({twin.version_id for twin in twins}) == len(twins) == 2


def test_an_opaque_etag_stays_opaque(stage: Stage) -> None:
    stage.put("k", b"good")
    before = raw_edits.version_of(stage.model, BUCKET, "k").etag
    raw_edits.change_attributes(
        stage.model,
        BUCKET,
        "k",
        encryption=Encryption(algorithm=ServerSideEncryption.SSE_KMS, kms_key_arn=KMS_KEY),
    )
    raw_edits.replace_bytes(stage.model, BUCKET, "k", b"evil")
    after = raw_edits.version_of(stage.model, BUCKET, "k")
    assert after.encryption.kms_key_arn == KMS_KEY
    assert after.etag not in (before, after.body.md5.hex())


def test_attributes_change_alone(stage: Stage) -> None:
    stage.put("k", b"body")
    before = raw_edits.version_of(stage.model, BUCKET, "k")
    raw_edits.change_attributes(
        stage.model, BUCKET, "k", metadata=(("a", "b"),), tags=(("t", "1"),)
    )
    after = raw_edits.version_of(stage.model, BUCKET, "k")
    assert (after.metadata, after.tags) == ((("a", "b"),), (("t", "1"),))
    assert (after.etag, after.checksum, after.version_id) == (
        before.etag,
        before.checksum,
        before.version_id,
    )


def test_versions_and_markers_come_and_go_without_waking_anybody(stage: Stage) -> None:
    first = stage.put("k", b"1").version_id
    stage.put("k", b"2")
    woken: list[object] = []
    stage.model.world.on_version_written = lambda *written: woken.append(written)
    buried = raw_histories.insert_version(stage.model, BUCKET, "k", b"0", position=0)
    stale = raw_edits.add_version(stage.model, BUCKET, "k", b"1")
    marker = raw_edits.add_delete_marker(stage.model, BUCKET, "k")
    chain = list(raw_edits.snapshot(stage.model, BUCKET))
    assert isinstance(chain[0], DeleteMarker)
    assert chain[0].version_id == marker.version_id
    assert chain[1].version_id == stale.version_id
    assert chain[-1].version_id == buried.version_id
    raw_edits.remove_version(stage.model, BUCKET, "k")
    raw_edits.remove_version(stage.model, BUCKET, "k", first)
    left = [entry.version_id for entry in raw_edits.snapshot(stage.model, BUCKET)]
    assert marker.version_id not in left
    assert first not in left
    assert woken == []


def test_age_archive_and_status_can_be_set(stage: Stage) -> None:
    version_id = stage.put("k").version_id
    assert version_id is not None
    long_ago = datetime(2016, 1, 1, tzinfo=UTC)
    raw_edits.set_times(stage.model, BUCKET, "k", version_id, long_ago)
    raw_edits.strip_checksum(stage.model, BUCKET, "k")
    raw_edits.set_replication_status(
        stage.model, BUCKET, "k", version_id, ReplicationStatus.PENDING
    )
    raw_edits.set_archived(stage.model, BUCKET, "k")
    head = stage.head("k", is_checksum_mode_enabled=True)
    assert head.last_modified == long_ago
    assert head.checksum is None
    assert head.replication_status is ReplicationStatus.PENDING
    assert head.storage_class == "GLACIER"
