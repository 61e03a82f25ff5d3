"""CreateJob: what it refuses, whom it asks, and one job a token."""

from dataclasses import replace
from typing import Any

import pytest

from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.operations.jobs import (
    COMPUTE_CHECKSUM,
    REPLICATE,
    JobManifestGeneratorFilter,
    JobOperation,
    KeyNameConstraint,
    ObjectEncryptionFilter,
    S3JobManifestGenerator,
    S3ManifestOutputLocation,
)
from tests.unit.sandbox.batch_operations.works import (
    CREATE,
    INVENTORY_FORMAT,
    MANIFEST,
    OTHER,
    OWN,
    REPORT,
    ROLE,
    Works,
    checksumming,
)

SPEC = MANIFEST.spec
GENERATOR = S3JobManifestGenerator(
    source_bucket="arn:aws:s3:::source", is_manifest_output_enabled=False
)
OUTPUT = S3ManifestOutputLocation(
    bucket="arn:aws:s3:::batch", manifest_format="S3InventoryReport_CSV_20211130"
)
FILTER = JobManifestGeneratorFilter()


def spec(**changes: Any) -> dict[str, Any]:
    return {"manifest": replace(MANIFEST, spec=replace(SPEC, **changes))}


def location(**changes: Any) -> dict[str, Any]:
    return {"manifest": replace(MANIFEST, location=replace(MANIFEST.location, **changes))}


def report(**changes: Any) -> dict[str, Any]:
    return {"report": replace(REPORT, **changes)}


def generator(**changes: Any) -> dict[str, Any]:
    return {"manifest": None, "manifest_generator": replace(GENERATOR, **changes)}


def filtered(**changes: Any) -> dict[str, Any]:
    return generator(filter=replace(FILTER, **changes))


def kept(**changes: Any) -> dict[str, Any]:
    output = replace(OUTPUT, **changes)
    return generator(is_manifest_output_enabled=True, manifest_output_location=output)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an account that is none": ({"account_id": "1"}, "InvalidRequest"),
    "no operation": ({"operation": None}, "InvalidRequest"),
    "an empty operation": ({"operation": JobOperation(names=())}, "InvalidRequest"),
    "two operations": (
        {"operation": JobOperation(names=(REPLICATE, COMPUTE_CHECKSUM))},
        "InvalidRequest",
    ),
    "an operation that is not carried out": (
        {"operation": JobOperation(names=("S3PutObjectCopy",))},
        "InvalidRequest",
    ),
    "parameters of Replicate": (
        {"operation": JobOperation(names=(REPLICATE,), parameters=("Status",))},
        "MalformedXML",
    ),
    "an unknown checksum": ({"operation": checksumming("XXHASH64")}, "InvalidRequest"),
    "an unknown checksum type": ({"operation": checksumming("SHA1", "HALF")}, "InvalidRequest"),
    "a composite CRC64NVME": (
        {"operation": checksumming("CRC64NVME", "COMPOSITE")},
        "InvalidRequest",
    ),
    "a composite checksum by default": (
        {"operation": checksumming(None, "COMPOSITE")},
        "InvalidRequest",
    ),
    "checksums without a report": (
        {"operation": checksumming(), **report(is_enabled=False)},
        "InvalidRequest",
    ),
    "checksums for whoever owns the report bucket": (
        {"operation": checksumming(), **report(expected_bucket_owner=None)},
        "InvalidRequest",
    ),
    "no manifest at all": ({"manifest": None}, "InvalidRequest"),
    "two manifests": ({"manifest_generator": GENERATOR}, "InvalidRequest"),
    "no token": ({"client_request_token": None}, "InvalidRequest"),
    "an empty token": ({"client_request_token": ""}, "InvalidRequest"),
    "a long token": ({"client_request_token": "t" * 65}, "InvalidRequest"),
    "no priority": ({"priority": None}, "InvalidRequest"),
    "a negative priority": ({"priority": -1}, "InvalidRequest"),
    "a huge priority": ({"priority": 2**31}, "InvalidRequest"),
    "no role": ({"role_arn": None}, "InvalidRequest"),
    "a role that is a user": ({"role_arn": f"arn:aws:iam::{OWN}:user/u"}, "InvalidRequest"),
    "a role of another account": ({"role_arn": ROLE.replace(OWN, OTHER)}, "AccessDenied"),
    "an empty description": ({"description": ""}, "InvalidRequest"),
    "a long description": ({"description": "d" * 257}, "InvalidRequest"),
    "no report": ({"report": None}, "InvalidRequest"),
    "a report without a bucket": (report(bucket=None), "InvalidRequest"),
    "a report into a bucket's name": (report(bucket="batch"), "InvalidRequest"),
    "a report without a format": (report(format=None), "InvalidRequest"),
    "a report of another format": (report(format="Report_CSV_2019"), "InvalidRequest"),
    "a report without a scope": (report(report_scope=None), "InvalidRequest"),
    "a report of another scope": (report(report_scope="Some"), "InvalidRequest"),
    "a report with an empty prefix": (report(prefix=""), "InvalidRequest"),
    "a report with a long prefix": (report(prefix="p" * 513), "InvalidRequest"),
    "a report owned by no account": (report(expected_bucket_owner="me"), "InvalidRequest"),
    "a manifest of another format": (spec(format="CSV"), "InvalidRequest"),
    "a generated format": (spec(format="S3InventoryReport_CSV_20211130"), "InvalidRequest"),
    "a CSV manifest without fields": (spec(fields=None), "InvalidRequest"),
    "a CSV manifest without keys": (spec(fields=("Bucket", "VersionId")), "InvalidRequest"),
    "a CSV manifest without buckets": (spec(fields=("Key",)), "InvalidRequest"),
    "unknown fields": (spec(fields=("Bucket", "Key", "Size")), "InvalidRequest"),
    "a field twice": (spec(fields=("Bucket", "Key", "Key")), "InvalidRequest"),
    "an inventory with fields": (spec(format=INVENTORY_FORMAT), "InvalidRequest"),
    "a manifest without its ETag": (location(etag=None), "InvalidRequest"),
    "a manifest with an empty ETag": (location(etag=""), "InvalidRequest"),
    "a manifest that is a bucket": (location(object_arn="arn:aws:s3:::batch"), "InvalidRequest"),
    "a generator of no bucket": (generator(source_bucket="source"), "InvalidRequest"),
    "a generator of no account": (generator(expected_bucket_owner="me"), "InvalidRequest"),
    "a manifest kept nowhere": (generator(is_manifest_output_enabled=True), "InvalidRequest"),
    "a manifest kept in no bucket": (kept(bucket="batch"), "InvalidRequest"),
    "a manifest kept in another format": (kept(manifest_format="CSV"), "InvalidRequest"),
    "a manifest kept under nothing": (kept(manifest_prefix=""), "InvalidRequest"),
    "a manifest of two encryptions": (
        kept(has_sse_s3=True, sse_kms_key_id="arn:aws:kms:us-east-1:111111111111:key/k"),
        "InvalidRequest",
    ),
    "PENDING, which is no filter": (
        filtered(object_replication_statuses=("PENDING",)),
        "InvalidRequest",
    ),
    "an unknown class": (filtered(match_any_storage_class=("TAPE",)), "InvalidRequest"),
    "an empty key name": (
        filtered(key_name_constraint=KeyNameConstraint(match_any_prefix=("",))),
        "InvalidRequest",
    ),
    "a negative size": (filtered(object_size_less_than_bytes=-1), "InvalidRequest"),
    "an unknown encryption": (
        filtered(match_any_object_encryption=(ObjectEncryptionFilter(kind="ROT13"),)),
        "InvalidRequest",
    ),
    "two encryptions": (
        filtered(match_any_object_encryption=(ObjectEncryptionFilter(kind="SSES3"),) * 2),
        "InvalidRequest",
    ),
    "51 tags": ({"tags": tuple((str(n), "") for n in range(51))}, "TooManyTagsException"),
    "a tag twice": ({"tags": (("a", "1"), ("a", "2"))}, "InvalidRequest"),
    "a tag of AWS's": ({"tags": (("aws:job", "1"),)}, "InvalidRequest"),
    "a tag without a key": ({"tags": (("", "1"),)}, "InvalidRequest"),
}

ACCEPTED: dict[str, dict[str, Any]] = {
    "as it is": {},
    "the longest token": {"client_request_token": "t" * 64},
    "the longest description": {"description": "d" * 256},
    "the longest key name": filtered(
        key_name_constraint=KeyNameConstraint(match_any_suffix=("s" * 1024, "s"))
    ),
    "the lowest priority": {"priority": 0},
    "the highest priority": {"priority": 2**31 - 1},
    "a role with a path": {"role_arn": f"arn:aws:iam::{OWN}:role/service-role/batch"},
    "a report into the bucket's root": report(prefix=None),
    "no report for Replicate": report(is_enabled=False, bucket=None),
    "columns to ignore": spec(fields=("Ignore", "Key", "Ignore", "Bucket")),
    "an inventory": spec(format=INVENTORY_FORMAT, fields=None),
    "a quoted ETag": location(etag='"0123"'),
    "a composite SHA256": {"operation": checksumming("SHA256", "COMPOSITE")},
    "a checksum by default": {"operation": checksumming(None, None)},
    "a generator": filtered(
        is_eligible_for_replication=True, object_replication_statuses=("NONE", "FAILED")
    ),
    "a generator whose manifest is kept": kept(has_sse_s3=True, manifest_prefix="m"),
    "50 tags": {"tags": tuple((str(n), "") for n in range(50))},
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_aws_documents_is_refused_and_makes_no_job(case: str, works: Works) -> None:
    """If this fails, a request that AWS refuses passes here and fails on its first real day."""
    changes, code = REFUSED[case]
    with pytest.raises(S3Error) as caught:
        works.create(works.request(**changes), by=replace(works.own, account_id=OWN))
    assert caught.value.code == code
    assert works.jobs.jobs() == ()


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_aws_takes_makes_a_job_that_is_new(case: str, works: Works) -> None:
    """If this fails, the sandbox refuses jobs that AWS runs."""
    job_id = works.create(works.request(**ACCEPTED[case]))
    assert works.describe(job_id).status == "New"


def test_the_same_token_with_the_same_parameters_is_the_same_job(works: Works) -> None:
    """If this fails, a CreateJob that is sent again doubles the job and its price."""
    first = works.create(CREATE)
    works.run(first)
    assert works.create(CREATE) == first
    assert len(works.jobs.jobs()) == 1


def test_the_same_token_with_other_parameters_is_refused(works: Works) -> None:
    """If this fails, a token that stands for two plans is not found out."""
    works.create(CREATE)
    with pytest.raises(S3Error) as caught:
        works.create(replace(CREATE, priority=11))
    assert caught.value.code == "IdempotencyException"


def test_a_token_belongs_to_its_region(works: Works) -> None:
    """If this fails, a job for one Region hides the one of another."""
    first = works.create(CREATE)
    second = works.create(CREATE, by=replace(works.own, region="eu-west-1"))
    assert first != second
    assert works.job(second).arn.startswith("arn:aws:s3:eu-west-1:")


def test_another_account_may_not_create_jobs_here(works: Works) -> None:
    """If this fails, jobs can be made in accounts that are not the caller's."""
    with pytest.raises(S3Error) as caught:
        works.create(CREATE, by=replace(works.own, account_id=OTHER))
    assert caught.value.code == "AccessDenied"


@pytest.mark.parametrize("action", ["s3:CreateJob", "s3:PutJobTagging", "iam:PassRole"])
def test_the_creator_needs_each_permission(action: str, works: Works) -> None:
    """If this fails, policies without this action work here and fail at AWS."""
    works.denied.add(action)
    with pytest.raises(S3Error) as caught:
        works.create(replace(CREATE, tags=(("run", "1"),)))
    assert caught.value.code == "AccessDenied"
    works.denied.clear()
    works.asked.clear()
    works.create(replace(CREATE, tags=(("run", "1"),)))
    (asked,) = (one for one in works.asked if one.action == action)
    if action == "iam:PassRole":
        assert asked.resource_arn == ROLE
        assert asked.conditions == ()  # iam:PassedToService is never there


def test_untagged_jobs_need_no_permission_for_tags(works: Works) -> None:
    """If this fails, jobs without tags are refused that AWS takes."""
    works.denied.add("s3:PutJobTagging")
    assert works.create(CREATE)


def test_jobs_beyond_the_limit_are_throttled(works: Works) -> None:
    """If this fails, a client that floods S3 with jobs is never told so."""
    works.set(open_jobs_count=1)
    works.create(works.request())
    with pytest.raises(S3Error) as caught:
        works.create(works.request())
    assert caught.value.code == "TooManyRequestsException"
