"""Generated manifests: whom the filter lets through, who may ask, and the manifest that is kept."""

import csv
import gzip
import hashlib
import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from backfill.sandbox.model import raw_edits
from backfill.sandbox.model.operations.buckets import CreateBucketRequest
from backfill.sandbox.model.operations.jobs import (
    JobManifestGeneratorFilter,
    KeyNameConstraint,
    ObjectEncryptionFilter,
    S3ManifestOutputLocation,
)
from backfill.sandbox.model.values import Encryption, ReplicationStatus, ServerSideEncryption
from tests.unit.sandbox.batch_operations.works import BATCH, OWN, ROLE, SOURCE, Works, checksumming
from tests.unit.sandbox.model.replicating import KEY, MARKERS, rule

ELIGIBLE = JobManifestGeneratorFilter(is_eligible_for_replication=True)
NO_KEYS = (
    "ManifestGenerationFailed",
    "Manifest generation found no keys matching the filter criteria",
)


def chosen(works: Works, wanted: JobManifestGeneratorFilter, **changes: Any) -> list[str]:
    """The keys that a filter lets through, once for each version."""
    job_id = works.generator_job(wanted, **changes)
    works.run(job_id)
    return sorted(task.key for task in works.job(job_id).tasks)


@pytest.fixture
def stocked(works: Works) -> Works:
    """One object for each thing that a filter can ask."""
    works.put("a/none", b"1")
    works.put("a/none", b"22")
    for status in ReplicationStatus:
        version_id = works.put(f"b/{status.lower()}", b"333")
        raw_edits.set_replication_status(
            works.model, SOURCE, f"b/{status.lower()}", version_id, status
        )
    works.put("c/big.bin", b"x" * 100)
    works.put("c/archived", storage_class="GLACIER")
    works.put("c/encrypted")
    kms = Encryption(algorithm=ServerSideEncryption.SSE_KMS, kms_key_arn=KEY)
    raw_edits.change_attributes(works.model, SOURCE, "c/encrypted", encryption=kms)
    works.put("d/hidden")
    works.delete("d/hidden")
    raw_edits.add_delete_marker(works.model, SOURCE, "e/expired", is_made_by_lifecycle=True)
    works.configure(rule(markers=MARKERS))
    return works


B = ["b/completed", "b/failed", "b/pending", "b/replica"]


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({}, ["a/none", "a/none", *B, "c/big.bin", "d/hidden", "d/hidden"]),
        ({"object_replication_statuses": ("FAILED",)}, ["b/failed"]),
        ({"object_replication_statuses": ("REPLICA", "COMPLETED")}, ["b/completed", "b/replica"]),
        (
            {"object_replication_statuses": ("NONE",)},
            ["a/none", "a/none", "c/big.bin", "d/hidden", "d/hidden"],
        ),
        ({"object_size_greater_than_bytes": 99}, ["c/big.bin"]),
        ({"object_size_less_than_bytes": 2}, ["a/none"]),
        ({"match_any_storage_class": ("STANDARD_IA",)}, []),
        ({"key_name_constraint": KeyNameConstraint(match_any_prefix=("b/",))}, B),
        (
            {"key_name_constraint": KeyNameConstraint(match_any_suffix=(".bin", "none"))},
            ["a/none", "a/none", "c/big.bin"],
        ),
        (
            {
                "key_name_constraint": KeyNameConstraint(
                    match_any_prefix=("b/", "d/"), match_any_substring=("pli", "hid")
                )
            },
            ["b/replica", "d/hidden", "d/hidden"],
        ),
        (
            {"match_any_object_encryption": (ObjectEncryptionFilter(kind="SSES3"),)},
            ["a/none", "a/none", *B, "c/big.bin", "d/hidden"],
        ),
        (
            {
                "is_eligible_for_replication": None,
                "match_any_object_encryption": (
                    ObjectEncryptionFilter(kind="SSEKMS", kms_key_arn=KEY),
                ),
            },
            ["c/encrypted"],
        ),
        (
            {
                "is_eligible_for_replication": None,
                "match_any_object_encryption": (
                    ObjectEncryptionFilter(kind="SSEKMS", is_bucket_key_enabled=True),
                ),
            },
            [],
        ),
        (
            {"is_eligible_for_replication": None, "match_any_storage_class": ("GLACIER",)},
            ["c/archived"],
        ),
    ],
)
def test_a_filter_lets_through_what_it_says(
    changes: dict[str, Any], keys: list[str], stocked: Works
) -> None:
    """If this fails, a generated manifest names other versions here than at AWS."""
    wanted = replace(ELIGIBLE, **changes)
    if keys:
        assert chosen(stocked, wanted) == keys
    else:
        assert stocked.failure(stocked.generator_job(wanted)) == NO_KEYS


def test_times_bound_the_manifest_on_both_sides(works: Works) -> None:
    """If this fails, versions written after the horizon are carried too."""
    for key in "abc":
        works.put(key)
    works.configure(rule())
    middle = works.chain(SOURCE, "b")[0].created_at
    second = timedelta(seconds=1)
    cases = {
        (None, middle): ["a"],
        (middle, None): ["c"],
        (middle - second, middle + second): ["b"],
    }
    for (after, before), keys in cases.items():
        wanted = replace(ELIGIBLE, created_after=after, created_before=before)
        assert chosen(works, wanted) == keys


def test_nothing_is_eligible_without_rules(works: Works) -> None:
    """If this fails, a job without a replication configuration looks as if it did something."""
    works.put("k")
    assert works.failure(works.generator_job(ELIGIBLE)) == NO_KEYS
    works.configure(rule(status="Disabled"))
    assert works.failure(works.generator_job(ELIGIBLE)) == NO_KEYS


def test_a_generated_job_replicates_what_it_found(stocked: Works) -> None:
    """If this fails, a generated manifest and one of our own differ in what they do."""
    wanted = replace(ELIGIBLE, object_replication_statuses=("NONE",))
    job = stocked.run(stocked.generator_job(wanted))
    assert job.progress_summary.number_of_tasks_succeeded == 5
    stocked.wait()
    assert [len(stocked.chain("near", key)) for key in ("a/none", "d/hidden")] == [2, 2]


def test_checksums_are_generated_for_current_versions_only(stocked: Works) -> None:
    """If this fails, delete markers get tasks of a checksum."""
    keys = chosen(stocked, JobManifestGeneratorFilter(), operation=checksumming())
    assert keys == ["a/none", *B, "c/archived", "c/big.bin", "c/encrypted"]


@pytest.mark.parametrize(
    "action", ["s3:PutInventoryConfiguration", "s3:GetReplicationConfiguration"]
)
def test_the_role_needs_to_look_at_the_bucket(action: str, stocked: Works) -> None:
    """If this fails, a role that AWS refuses generates manifests here."""
    stocked.denied_to.add((ROLE, action))
    code, reason = stocked.failure(stocked.generator_job(ELIGIBLE))
    assert (code, reason) == (*NO_KEYS[:1], "Manifest generation failed: AccessDenied")


@pytest.mark.parametrize(
    ("bucket", "owner", "reason"),
    [
        ("nowhere", None, "NoSuchBucket"),
        ("near", None, "Region"),
        ("other", None, "AccessDenied"),
        ("source", "222222222222", "AccessDenied"),
    ],
)
def test_the_source_is_the_accounts_own_in_the_jobs_region(
    bucket: str, owner: str | None, reason: str, works: Works
) -> None:
    """If this fails, jobs of the wrong account or Region find work here."""
    theirs = replace(works.own, account_id="222222222222")
    works.model.create_bucket(theirs, CreateBucketRequest(bucket="other"))
    request = works.job(works.generator_job(ELIGIBLE)).request
    assert request.manifest_generator is not None
    generator = replace(
        request.manifest_generator,
        source_bucket=f"arn:aws:s3:::{bucket}",
        expected_bucket_owner=owner,
    )
    job_id = works.create(works.request(manifest=None, manifest_generator=generator))
    assert reason in works.failure(job_id)[1]


def kept_job(works: Works, **changes: Any) -> str:
    output = S3ManifestOutputLocation(
        bucket=f"arn:aws:s3:::{BATCH}",
        manifest_format="S3InventoryReport_CSV_20211130",
        manifest_prefix="made",
        expected_manifest_bucket_owner=OWN,
    )
    request = works.job(works.generator_job(ELIGIBLE)).request
    assert request.manifest_generator is not None
    generator = replace(
        request.manifest_generator,
        is_manifest_output_enabled=True,
        manifest_output_location=replace(output, **changes),
    )
    return works.create(works.request(manifest=None, manifest_generator=generator))


@pytest.mark.parametrize("key_id", [None, KEY])
def test_a_manifest_that_is_kept_can_be_read_back(key_id: str | None, works: Works) -> None:
    """If this fails, nobody can see what a generated manifest held."""
    version_id = works.put("k y,\n+")
    works.configure(rule())
    job = works.run(kept_job(works, sse_kms_key_id=key_id))
    kept = job.generated_manifest_descriptor
    assert kept is not None
    assert kept.format == "S3InventoryReport_CSV_20211130"
    name = kept.location.object_arn.partition("/")[2]
    document = json.loads(works.read(name))
    (file,) = document["files"]
    packed = works.read(file["key"])
    assert hashlib.md5(packed, usedforsecurity=False).hexdigest() == file["MD5checksum"]
    rows = list(csv.reader(io.StringIO(gzip.decompress(packed).decode(), newline="")))
    assert rows == [["source", "k%20y%2C%0A%2B", version_id]]
    assert document["fileSchema"] == "Bucket, Key, VersionId"
    assert name.startswith(f"made/job-{job.job_id}/")
    stored = works.only(BATCH, name)
    assert kept.location.etag == stored.etag
    assert stored.encryption.kms_key_arn == key_id


def test_a_manifest_that_cannot_be_kept_fails_the_job(works: Works) -> None:
    """If this fails, a role that may not write manifests passes."""
    works.put("k")
    works.configure(rule())
    works.denied_to.add((ROLE, "s3:PutObject"))
    assert works.failure(kept_job(works))[1] == "Manifest generation failed: AccessDenied"
