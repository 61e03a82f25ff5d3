"""boto3's s3control client against the sandbox: jobs are made, run, watched and led."""

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from backfill.sandbox.http.faults import Call, Fault, FaultKind, no_faults
from backfill.sandbox.service import DESTINATION, SOURCE, Sandbox
from tests.wire.sandbox.s3control_place import (
    BATCH_BUCKET,
    DESTINATION_BUCKET,
    SOURCE_BUCKET,
    BatchPlace,
    policy,
)

ME = SOURCE.account_id
KEYS = ("plain", "a b/ü+,%2F", 'quote"and\nnewline', "//x")


@pytest.fixture
def batch() -> Iterator[BatchPlace]:
    """A sandbox of the test's own, so that jobs of other tests are in no list."""
    with Sandbox(seed=11) as sandbox:
        made = BatchPlace(sandbox=sandbox)
        yield made
        made.close()


@pytest.fixture
def backlog(batch: BatchPlace) -> BatchPlace:
    """Objects that were there before the rule."""
    batch.put(*KEYS)
    batch.replicate_from_now_on()
    return batch


def code_of(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def replicas(batch: BatchPlace) -> dict[str, str]:
    listed = batch.other_s3.list_object_versions(Bucket=DESTINATION_BUCKET)
    return {row["Key"]: row["VersionId"] for row in listed.get("Versions", [])}


def report_rows(batch: BatchPlace, job_id: str) -> list[list[str]]:
    """The completion report as a client reads it: by way of manifest.json, MD5s checked."""

    def read(key: str) -> bytes:
        body: bytes = batch.s3.get_object(Bucket=BATCH_BUCKET, Key=key)["Body"].read()
        return body

    document = json.loads(read(f"reports/job-{job_id}/manifest.json"))
    rows: list[list[str]] = []
    for result in document["Results"]:
        body = read(result["Key"])
        assert hashlib.md5(body, usedforsecurity=False).hexdigest() == result["MD5Checksum"]
        rows += csv.reader(io.StringIO(body.decode()))
    return rows


def test_a_replicate_job_brings_the_backlog_over_under_its_version_ids(
    backlog: BatchPlace,
) -> None:
    """If this fails, Batch Replication cannot be tried at all."""
    assert replicas(backlog) == {}
    job_id = backlog.create(Manifest=backlog.uploaded_manifest(*KEYS))
    job = backlog.ended(job_id)
    assert job["Status"] == "Complete", job
    summary = job["ProgressSummary"]
    assert (summary["TotalNumberOfTasks"], summary["NumberOfTasksSucceeded"]) == (4, 4)
    backlog.sandbox.advance()
    assert replicas(backlog) == backlog.versions
    head = backlog.other_s3.head_object(Bucket=DESTINATION_BUCKET, Key=KEYS[1])
    assert (head["ReplicationStatus"], head["ContentLength"]) == ("REPLICA", len(KEYS[1].encode()))
    rows = report_rows(backlog, job_id)
    assert {(row[0], unquote(row[1]), row[2]) for row in rows} == {
        (SOURCE_BUCKET, key, version_id) for key, version_id in backlog.versions.items()
    }
    assert {(row[3], row[4]) for row in rows} == {("succeeded", "200")}


def test_a_generated_manifest_finds_the_same_versions(backlog: BatchPlace) -> None:
    """If this fails, the second way to name the work names other work."""
    generator = {
        "SourceBucket": f"arn:aws:s3:::{SOURCE_BUCKET}",
        "EnableManifestOutput": True,
        "ManifestOutputLocation": {
            "Bucket": f"arn:aws:s3:::{BATCH_BUCKET}",
            "ManifestPrefix": "generated",
            "ManifestFormat": "S3InventoryReport_CSV_20211130",
        },
        "Filter": {
            "EligibleForReplication": True,
            "ObjectReplicationStatuses": ["NONE", "FAILED"],
        },
    }
    job_id = backlog.create(ManifestGenerator={"S3JobManifestGenerator": generator})
    job = backlog.ended(job_id)
    assert job["Status"] == "Complete", job
    backlog.sandbox.advance()
    assert replicas(backlog) == backlog.versions
    kept = job["GeneratedManifestDescriptor"]
    assert kept["Format"] == "S3InventoryReport_CSV_20211130"
    bucket, _, key = kept["Location"]["ObjectArn"].removeprefix("arn:aws:s3:::").partition("/")
    head = backlog.s3.head_object(Bucket=bucket, Key=key)
    assert head["ETag"].strip('"') == kept["Location"]["ETag"].strip('"')


def test_a_checksum_job_tells_the_checksum_of_the_stored_bytes(backlog: BatchPlace) -> None:
    """If this fails, bytes cannot be proven equal without a download."""
    operation = {
        "S3ComputeObjectChecksum": {
            "ChecksumAlgorithm": "SHA256",
            "ChecksumType": "FULL_OBJECT",
        }
    }
    report = backlog.request()["Report"] | {"ExpectedBucketOwner": ME}
    job_id = backlog.create(
        Operation=operation, Report=report, Manifest=backlog.uploaded_manifest("plain")
    )
    job = backlog.ended(job_id)
    assert (job["Status"], job["Operation"]) == ("Complete", operation)
    [row] = report_rows(backlog, job_id)
    told = {name.lower(): value for name, value in json.loads(row[6]).items()}
    assert told["checksum_hex"].lower() == hashlib.sha256(b"plain").hexdigest()


FILTER: dict[str, Any] = {
    "EligibleForReplication": True,
    "CreatedAfter": datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
    "CreatedBefore": datetime(2033, 1, 2, tzinfo=UTC),
    "ObjectReplicationStatuses": ["NONE", "FAILED", "REPLICA", "COMPLETED"],
    "KeyNameConstraint": {
        "MatchAnyPrefix": ["a/", "<&>"],
        "MatchAnySuffix": [".gz"],
        "MatchAnySubstring": ["ü"],
    },
    "ObjectSizeGreaterThanBytes": 1,
    "ObjectSizeLessThanBytes": 2**40,
    "MatchAnyStorageClass": ["STANDARD", "GLACIER_IR"],
}
KMS_KEY = f"arn:aws:kms:us-east-1:{ME}:key/11111111-2222-3333-4444-555555555555"


@pytest.mark.parametrize(
    "encryption",
    [
        {"SSES3": {}},
        {"SSEKMS": {"KmsKeyArn": KMS_KEY, "BucketKeyEnabled": False}},
        {"DSSEKMS": {"KmsKeyArn": KMS_KEY}},
        {"SSEC": {}},
        {"NOTSSE": {}},
    ],
)
def test_a_generator_is_described_as_it_was_asked_for(
    batch: BatchPlace, encryption: dict[str, Any]
) -> None:
    """If this fails, a part of the request is lost or changed on its way."""
    generator = {
        "ExpectedBucketOwner": ME,
        "SourceBucket": f"arn:aws:s3:::{SOURCE_BUCKET}",
        "ManifestOutputLocation": {
            "ExpectedManifestBucketOwner": ME,
            "Bucket": f"arn:aws:s3:::{BATCH_BUCKET}",
            "ManifestPrefix": "generated",
            "ManifestEncryption": {"SSEKMS": {"KeyId": KMS_KEY}},
            "ManifestFormat": "S3InventoryReport_CSV_20211130",
        },
        "Filter": FILTER | {"MatchAnyObjectEncryption": [encryption]},
        "EnableManifestOutput": True,
    }
    asked = {"S3JobManifestGenerator": generator}
    job_id = batch.create(ManifestGenerator=asked, ConfirmationRequired=True)
    assert batch.described(job_id)["ManifestGenerator"] == asked


def test_a_job_is_described_as_it_was_asked_for(backlog: BatchPlace) -> None:
    """If this fails, a person who confirms a job is shown another one."""
    manifest = backlog.uploaded_manifest("plain")
    report = backlog.request()["Report"] | {"ExpectedBucketOwner": ME}
    job_id = backlog.suspended(
        Manifest=manifest,
        Report=report,
        Description="two <lines> & é",
        Tags=[{"Key": "plan", "Value": "1"}],
    )
    job = backlog.described(job_id)
    assert job["Manifest"] == manifest
    assert job["Report"] == report
    assert job["Operation"] == {"S3ReplicateObject": {}}
    assert (job["Description"], job["Priority"]) == ("two <lines> & é", 10)
    assert (job["RoleArn"], job["ConfirmationRequired"]) == (backlog.role_arn, True)
    assert job["JobArn"] == f"arn:aws:s3:us-east-1:{ME}:job/{job_id}"
    assert job["SuspendedCause"]
    assert job["CreationTime"] <= job["SuspendedDate"]
    assert "token-1" not in repr(job)


def test_every_job_is_listed_once_newest_first_and_by_status(backlog: BatchPlace) -> None:
    """If this fails, a job is not found again after a crash, and is created twice."""
    manifest = backlog.uploaded_manifest("plain")
    made = [backlog.suspended(Manifest=manifest, ClientRequestToken=f"t{n}") for n in range(5)]
    done = backlog.create(Manifest=manifest, ClientRequestToken="done", Description="the last")
    assert backlog.ended(done)["Status"] == "Complete"
    pages: list[list[str]] = []
    more: dict[str, str] = {}
    for _ in range(10):
        page = backlog.jobs.list_jobs(AccountId=ME, MaxResults=2, **more)
        pages.append([row["JobId"] for row in page["Jobs"]])
        if "NextToken" not in page:
            break
        more = {"NextToken": page["NextToken"]}
    newest_first = [done, *reversed(made)]
    assert pages == [newest_first[:2], newest_first[2:4], newest_first[4:]]
    complete = backlog.jobs.list_jobs(AccountId=ME, JobStatuses=["Complete", "Failed"])["Jobs"]
    [row] = complete
    assert (row["JobId"], row["Operation"], row["Status"], row["Description"]) == (
        done,
        "S3ReplicateObject",
        "Complete",
        "the last",
    )
    assert row["ProgressSummary"]["NumberOfTasksSucceeded"] == 1
    assert row["CreationTime"] <= row["TerminationDate"]
    both = backlog.jobs.list_jobs(AccountId=ME, JobStatuses=["Complete", "Suspended"])["Jobs"]
    assert [row["JobId"] for row in both] == newest_first


def test_a_person_confirms_or_cancels_with_a_reason(backlog: BatchPlace) -> None:
    """If this fails, `--confirm` can be tried with a person, but not with a sandbox."""
    manifest = backlog.uploaded_manifest(*KEYS)
    confirmed, cancelled = (
        backlog.suspended(Manifest=manifest, ClientRequestToken=token) for token in ("a", "b")
    )
    answer = backlog.jobs.update_job_status(
        AccountId=ME, JobId=confirmed, RequestedJobStatus="Ready", StatusUpdateReason="go & see"
    )
    assert (answer["JobId"], answer["StatusUpdateReason"]) == (confirmed, "go & see")
    assert backlog.ended(confirmed)["Status"] == "Complete"
    backlog.jobs.update_job_status(
        AccountId=ME, JobId=cancelled, RequestedJobStatus="Cancelled", StatusUpdateReason="no"
    )
    job = backlog.ended(cancelled)
    assert (job["Status"], job["StatusUpdateReason"]) == ("Cancelled", "no")
    assert job["ProgressSummary"]["NumberOfTasksSucceeded"] == 0
    with pytest.raises(backlog.jobs.exceptions.JobStatusException):
        backlog.jobs.update_job_status(AccountId=ME, JobId=cancelled, RequestedJobStatus="Ready")


def test_priority_and_tags_are_changed_and_read_back(backlog: BatchPlace) -> None:
    """If this fails, jobs are not found by their tags."""
    job_id = backlog.suspended(
        Manifest=backlog.uploaded_manifest("plain"), Tags=[{"Key": "plan", "Value": "é =+"}]
    )
    here = {"AccountId": ME, "JobId": job_id}
    jobs = backlog.jobs
    assert jobs.update_job_priority(**here, Priority=2**31 - 1)["Priority"] == 2**31 - 1
    assert backlog.described(job_id)["Priority"] == 2**31 - 1
    assert jobs.get_job_tagging(**here)["Tags"] == [{"Key": "plan", "Value": "é =+"}]
    others = [{"Key": "a", "Value": ""}, {"Key": "b", "Value": "c"}]
    jobs.put_job_tagging(**here, Tags=others)
    assert jobs.get_job_tagging(**here)["Tags"] == others
    jobs.delete_job_tagging(**here)
    assert jobs.get_job_tagging(**here)["Tags"] == []


def test_the_same_token_is_the_same_job_and_never_another(backlog: BatchPlace) -> None:
    """If this fails, a repeated CreateJob doubles a job, or takes one for another."""
    manifest = backlog.uploaded_manifest("plain")
    first = backlog.create(Manifest=manifest)
    assert backlog.create(Manifest=manifest) == first
    with pytest.raises(backlog.jobs.exceptions.IdempotencyException):
        backlog.create(Manifest=manifest, Priority=11)
    assert len(backlog.jobs.list_jobs(AccountId=ME)["Jobs"]) == 1


def test_a_job_whose_answer_was_lost_is_there_and_is_found_again(backlog: BatchPlace) -> None:
    """If this fails, the crash between CreateJob and the journal cannot be tried."""
    manifest = backlog.uploaded_manifest("plain")

    def lose(call: Call) -> Fault | None:
        is_first = (call.operation, call.nth) == ("CreateJob", 1)
        return Fault(kind=FaultKind.RESET, is_applied=True) if is_first else None

    backlog.sandbox.set_fault_hook(lose)
    with pytest.raises(BotoCoreError):
        backlog.create(Manifest=manifest, Description="mine")
    [row] = backlog.jobs.list_jobs(AccountId=ME)["Jobs"]
    assert row["Description"] == "mine"
    assert backlog.create(Manifest=manifest, Description="mine") == row["JobId"]
    assert backlog.sandbox.calls()["CreateJob"] == 2


def test_an_injected_refusal_reads_like_a_true_one(backlog: BatchPlace) -> None:
    """If this fails, throttling of S3 Control cannot be tried."""
    manifest = backlog.uploaded_manifest("plain")
    code = "TooManyRequestsException"
    fault = Fault(kind=FaultKind.ERROR, status=400, code=code, message="slowly")
    backlog.sandbox.set_fault_hook(lambda _call: fault)
    with pytest.raises(backlog.jobs.exceptions.TooManyRequestsException, match="slowly"):
        backlog.create(Manifest=manifest)
    backlog.sandbox.set_fault_hook(no_faults)
    assert backlog.jobs.list_jobs(AccountId=ME)["Jobs"] == []


def test_a_job_belongs_to_its_account_and_region(backlog: BatchPlace) -> None:
    """If this fails, one account reads or ends the jobs of another."""
    job_id = backlog.suspended(Manifest=backlog.uploaded_manifest("plain"))
    stranger = backlog.client("s3control", "destination")
    with pytest.raises(ClientError) as caught:
        stranger.describe_job(AccountId=ME, JobId=job_id)
    assert code_of(caught) == "AccessDenied"
    for client, account_id in (
        (stranger, DESTINATION.account_id),
        (backlog.client("s3control", "source", region_name="eu-west-1"), ME),
    ):
        with pytest.raises(ClientError) as caught:
            client.describe_job(AccountId=account_id, JobId=job_id)
        assert code_of(caught) == "NoSuchJob"
        assert client.list_jobs(AccountId=account_id)["Jobs"] == []
    nowhere = backlog.client("s3control", "source", region_name="ap-south-1")
    with pytest.raises(ClientError) as caught:
        nowhere.describe_job(AccountId=ME, JobId=job_id)
    assert code_of(caught) == "AuthorizationHeaderMalformed"
    assert backlog.described(job_id)["Status"] == "Suspended"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Manifest": None}, "InvalidRequest"),
        ({"Operation": {}}, "InvalidRequest"),
        ({"Operation": {"S3DeleteObjectTagging": {}}}, "InvalidRequest"),
        ({"RoleArn": f"arn:aws:iam::{DESTINATION.account_id}:role/theirs"}, "AccessDenied"),
    ],
)
def test_a_wrong_request_is_refused_and_makes_no_job(
    backlog: BatchPlace, changes: dict[str, Any], code: str
) -> None:
    """If this fails, a request that AWS refuses passes here."""
    with pytest.raises(ClientError) as caught:
        backlog.create(**{"Manifest": backlog.uploaded_manifest("plain")} | changes)
    assert code_of(caught) == code
    assert caught.value.response["ResponseMetadata"]["RequestId"]
    assert backlog.jobs.list_jobs(AccountId=ME)["Jobs"] == []


@pytest.mark.parametrize(
    ("allowed", "is_made"),
    [
        (("s3:ListJobs",), False),
        (("s3:CreateJob",), False),
        (("s3:CreateJob", "iam:PassRole"), True),
    ],
)
def test_who_creates_a_job_needs_both_permissions(
    backlog: BatchPlace, allowed: tuple[str, ...], is_made: bool
) -> None:
    """If this fails, a missing iam:PassRole is found out in production."""
    who = backlog.sandbox.add_user("source", "person", policy(*allowed))
    client = backlog.client("s3control", who)
    request = backlog.request(Manifest=backlog.uploaded_manifest("plain"))
    if is_made:
        assert backlog.described(client.create_job(**request)["JobId"])["RoleArn"]
        return
    with pytest.raises(ClientError) as caught:
        client.create_job(**request)
    assert code_of(caught) == "AccessDenied"
    assert backlog.jobs.list_jobs(AccountId=ME)["Jobs"] == []


def test_a_role_that_does_not_trust_batch_operations_fails_the_job(backlog: BatchPlace) -> None:
    """If this fails, a trust policy that lacks a service passes here."""
    role = backlog.sandbox.add_role(
        "source", "closed", policy("s3:*"), trusts=("s3.amazonaws.com",)
    )
    job_id = backlog.create(Manifest=backlog.uploaded_manifest("plain"), RoleArn=role)
    job = backlog.ended(job_id)
    assert job["Status"] == "Failed"
    assert job["FailureReasons"][0]["FailureCode"]
    assert replicas(backlog) == {}


def test_a_role_without_initiate_replication_fails_each_task(backlog: BatchPlace) -> None:
    """If this fails, the commonest mistake in a batch role is not seen in the sandbox."""
    role = backlog.sandbox.add_role("source", "narrow", policy("s3:Get*", "s3:PutObject"))
    job_id = backlog.create(Manifest=backlog.uploaded_manifest(*KEYS), RoleArn=role)
    job = backlog.ended(job_id)
    assert job["ProgressSummary"]["NumberOfTasksFailed"] == len(KEYS)
    assert {row[5] for row in report_rows(backlog, job_id)} == {"InitiateReplicationNotPermitted"}
    assert replicas(backlog) == {}
