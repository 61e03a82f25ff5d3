"""Manifests as S3 reads them: encodings, columns, files, and why a job fails of them."""

import gzip
import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from backfill.sandbox.model import raw_edits
from backfill.sandbox.model.operations.buckets import (
    CreateBucketRequest,
    PutBucketEncryptionRequest,
    PutBucketVersioningRequest,
)
from backfill.sandbox.model.operations.jobs import JobManifestLocation
from backfill.sandbox.model.values import CustomerKey, RequestedEncryption
from tests.unit.sandbox.batch_operations.works import (
    BATCH,
    INVENTORY_FORMAT,
    MANIFEST,
    OWN,
    ROLE,
    Works,
)
from tests.unit.sandbox.model.replicating import rule

KEY = f"arn:aws:kms:us-east-1:{OWN}:key/batch"


def tasks(works: Works, job_id: str) -> list[tuple[str, str, str | None]]:
    works.run(job_id)
    found = [(task.bucket, task.key, task.version_id) for task in works.job(job_id).tasks]
    return sorted(found, key=lambda one: one[1])


@pytest.mark.parametrize(
    ("cell", "key"),
    [
        ("plain", "plain"),
        ("a%20b%2Bc+d", "a b+c+d"),
        ("folder%2Fkey", "folder/key"),
        ("folder//key", "folder//key"),
        ('"with,comma"', "with,comma"),
        ('"with ""quotes"""', 'with "quotes"'),
        ("%0Anewline%0D", "\nnewline\r"),
        ("%25zz", "%zz"),
        ("%C3%A9", "\u00e9"),
        ("\u00e9", "\u00e9"),
        ("%2E%2E%2F", "../"),
        ("%F0%9F%98%80", "\U0001f600"),
    ],
)
def test_a_key_is_decoded_as_s3_decodes_it(cell: str, key: str, ruled: Works) -> None:
    """If this fails, a wrongly encoded manifest names other objects here than at AWS."""
    job_id = ruled.create(ruled.request(f"source,{cell},null\n".encode()))
    assert tasks(ruled, job_id) == [("source", key, "null")]


def test_columns_are_where_the_fields_say(ruled: Works) -> None:
    """If this fails, swapped columns go unseen."""
    request = ruled.request(b"x,v1,k,y,source\nx,v2,l,y,source")
    assert request.manifest is not None
    spec = replace(request.manifest.spec, fields=("Ignore", "VersionId", "Key", "Ignore", "Bucket"))
    job_id = ruled.create(replace(request, manifest=replace(request.manifest, spec=spec)))
    assert tasks(ruled, job_id) == [("source", "k", "v1"), ("source", "l", "v2")]


def test_without_versions_the_current_one_at_execution_is_taken(works: Works) -> None:
    """If this fails, a manifest without versions is taken for a snapshot."""
    works.put("k", b"old")
    request = works.request(b"source,k\n", is_confirmation_required=True)
    assert request.manifest is not None
    spec = replace(request.manifest.spec, fields=("Bucket", "Key"))
    job_id = works.create(replace(request, manifest=replace(request.manifest, spec=spec)))
    works.run(job_id)
    works.put("k", b"new")
    works.configure(rule())
    works.confirm(job_id)
    works.run(job_id)
    works.wait()
    assert works.only("near").body.data == b"new"
    assert works.rows(job_id)[0][2] == ""


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"source,k\n", "Unexpected number of task fields"),
        (b"source,k,v,more\n", "Unexpected number of task fields"),
        (b"source,k,v\n\nsource,k,v\n", "Unexpected number of task fields"),
        (b"source,a,b,null\n", "Unexpected number of task fields"),
        (b"source,\xff,null\n", "The manifest is no CSV in UTF-8"),
        (b'source,"k,null\n', "The manifest is no CSV in UTF-8"),
    ],
)
def test_a_malformed_row_fails_the_whole_job(data: bytes, reason: str, ruled: Works) -> None:
    """If this fails, a manifest that AWS refuses is carried out in part."""
    job_id = ruled.create(ruled.request(data))
    assert ruled.failure(job_id) == ("InvalidManifestContent", reason)
    assert not any("report" in key for key in ruled.stored_keys())


@pytest.mark.parametrize("data", [b"Bucket,Key,VersionId\n", b"\xef\xbb\xbfsource,k,null\n"])
def test_headers_and_byte_order_marks_name_buckets_that_are_not_there(
    data: bytes, ruled: Works
) -> None:
    """If this fails, messy manifests pass here that fail at AWS."""
    job_id = ruled.create(ruled.request(data))
    ruled.run(job_id)
    assert ruled.rows(job_id)[0][5] == "SrcBucketNotFound"


def test_a_manifest_that_was_written_again_fails_the_job(ruled: Works) -> None:
    """If this fails, a job may carry out another manifest than the one that was meant."""
    request = ruled.request(b"source,k,null\n")
    ruled.upload(b"source,other,null\n")
    assert ruled.failure(ruled.create(request))[0] == "ManifestETagMismatch"


def test_the_version_of_a_manifest_can_be_pinned(ruled: Works) -> None:
    """If this fails, ObjectVersionId is ignored."""
    versioned = PutBucketVersioningRequest(bucket=BATCH, status="Enabled")
    ruled.model.put_bucket_versioning(ruled.own, versioned)
    request = ruled.request(b"source,k,null\n")
    version_id = ruled.chain(BATCH, "manifest.csv")[0].version_id
    ruled.upload(b"source,other,null\n")
    assert request.manifest is not None
    location = replace(request.manifest.location, object_version_id=version_id)
    ruled.denied_to.add((ROLE, "s3:GetObject"))
    pinned = replace(request, manifest=replace(request.manifest, location=location))
    assert tasks(ruled, ruled.create(pinned)) == [("source", "k", "null")]
    ruled.denied_to.add((ROLE, "s3:GetObjectVersion"))
    again = replace(pinned, client_request_token="again")
    assert ruled.failure(ruled.create(again))[1].endswith("forbidden: AccessDenied")


@pytest.mark.parametrize("case", ["policy", "kms", "kms by default", "sse-c", "region"])
def test_a_manifest_that_may_not_be_read_fails_the_job(case: str, ruled: Works) -> None:
    """If this fails, the commonest mistake with manifests is not found before AWS finds it."""
    data, encryption = b"source,k,null\n", {}
    bucket = BATCH
    if case == "policy":
        ruled.denied_to.add((ROLE, "s3:GetObject"))
    elif case == "kms":
        encryption = {"algorithm": "aws:kms", "kms_key_id": KEY}
    elif case == "region":
        bucket = "abroad"
        there = CreateBucketRequest(bucket=bucket, location="eu-west-1")
        ruled.model.create_bucket(replace(ruled.own, region="eu-west-1"), there)
    default = RequestedEncryption(algorithm="aws:kms" if case == "kms by default" else "AES256")
    ruled.model.put_bucket_encryption(
        ruled.own,
        PutBucketEncryptionRequest(bucket=bucket, encryption=default, blocks_sse_c=False),
    )
    customer = CustomerKey(key_md5="m")
    more: dict[str, Any] = {"customer_key": customer} if case == "sse-c" else encryption
    etag = ruled.upload(data, bucket=bucket, **more)
    location = JobManifestLocation(object_arn=f"arn:aws:s3:::{bucket}/manifest.csv", etag=etag)
    job_id = ruled.create(ruled.request(manifest=replace(MANIFEST, location=location)))
    reason = "Reading the manifest is forbidden: AccessDenied"
    assert ruled.failure(job_id) == ("ReadingManifestForbidden", reason)


def test_a_manifest_that_is_not_there_fails_the_job(ruled: Works) -> None:
    """If this fails, a job without a manifest waits for ever."""
    assert ruled.failure(ruled.create(ruled.request()))[0] == "ManifestNotFound"


def inventory(works: Works, *pages: bytes, **changes: Any) -> str:
    """Make a job of an inventory report with these data files."""
    files = []
    for number, page in enumerate(pages):
        packed = gzip.compress(page)
        works.upload(packed, f"data/{number}.csv.gz")
        md5 = hashlib.md5(packed, usedforsecurity=False).hexdigest()
        files.append({"key": f"data/{number}.csv.gz", "size": len(packed), "MD5checksum": md5})
    document = {
        "sourceBucket": "source",
        "destinationBucket": f"arn:aws:s3:::{BATCH}",
        "version": "2016-11-30",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, VersionId, Size",
        "files": files,
    }
    changed = {**document, **changes}
    text = json.dumps({name: value for name, value in changed.items() if value is not None})
    etag = works.upload(text.encode(), "manifest.json", algorithm="aws:kms", kms_key_id=KEY)
    location = JobManifestLocation(object_arn=f"arn:aws:s3:::{BATCH}/manifest.json", etag=etag)
    spec = replace(MANIFEST.spec, format=INVENTORY_FORMAT, fields=None)
    return works.create(works.request(manifest=replace(MANIFEST, spec=spec, location=location)))


def test_an_inventory_is_read_from_all_its_files_under_kms_too(ruled: Works) -> None:
    """If this fails, inventory manifests cannot be used where CSV ones cannot."""
    job_id = inventory(ruled, b'"source","a%20b","null","3"\n', b'"source","c","v","4"\n')
    assert tasks(ruled, job_id) == [("source", "a b", "null"), ("source", "c", "v")]


def test_the_role_needs_the_key_of_an_inventory_under_kms(ruled: Works) -> None:
    """If this fails, a role without kms:Decrypt works here and fails at AWS."""
    ruled.denied_to.add((ROLE, "kms:Decrypt"))
    assert ruled.failure(inventory(ruled, b"")) == (
        "ReadingManifestForbidden",
        "Reading the manifest is forbidden: AccessDenied",
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"fileFormat": "ORC"}, "no CSV"),
        ({"fileSchema": "Bucket, VersionId"}, "no CSV with Bucket and Key"),
        ({"fileSchema": "Bucket, Key"}, "Unexpected number of task fields"),
        ({"files": None}, "no inventory manifest"),
        ({"files": [{"key": "data/0.csv.gz", "MD5checksum": "0" * 32}]}, "MD5"),
    ],
)
def test_a_damaged_inventory_fails_the_job(
    changes: dict[str, Any], reason: str, ruled: Works
) -> None:
    """If this fails, damage to a manifest goes unseen and other objects are replicated."""
    code, told = ruled.failure(inventory(ruled, b"source,k,null,1\n", **changes))
    assert code == "InvalidManifestContent"
    assert reason in told


def test_a_data_file_that_is_no_gzip_fails_the_job(ruled: Works) -> None:
    """If this fails, plain CSV passes where AWS wants gzip."""
    data = b"source,k,null,1\n"
    job_id = inventory(ruled, data)
    raw_edits.replace_bytes(ruled.model, BATCH, "data/0.csv.gz", data)
    document = json.loads(ruled.read("manifest.json"))
    files = [{**document["files"][0], "MD5checksum": hashlib.md5(data).hexdigest()}]  # noqa: S324 - S3's own
    job_id = inventory(ruled, files=files)
    assert ruled.failure(job_id)[1] == "A data file is no gzip file"


def test_empty_inventory_versions_fail_their_tasks_only(ruled: Works) -> None:
    """If this fails, the null versions of a real inventory pass here and fail at AWS."""
    job_id = inventory(ruled, b'"source","k","","1"\n')
    assert ruled.run(job_id).status == "Complete"
    assert ruled.rows(job_id) == [
        ["source", "k", r"\N", "failed", "404", "SrcObjectNotFound", "Object versionID is invalid"]
    ]
