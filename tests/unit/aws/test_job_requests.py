"""CreateJob as it is sent, against botocore's own s3control model."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import botocore.session
import pytest
from botocore.model import ListShape, Shape, StructureShape
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from backfill.aws.job_requests import (
    create_job_parameters,
    job_parameters,
    list_jobs_parameters,
)
from backfill.aws.requests import Parameters
from backfill.errors import RefusedError
from backfill.model.jobs import (
    GeneratedManifest,
    JobOperation,
    JobPlace,
    JobRequest,
    ManifestFormat,
    ManifestLocation,
    ReportLocation,
    RequestedStatus,
)
from backfill.model.objects import ETag

MODEL = botocore.session.get_session().get_service_model("s3control")

PLACE = JobPlace(account_id="111111111111", region="eu-west-1")
OWN = ManifestLocation(
    format=ManifestFormat.CSV, bucket="manifests", key="run/00.csv", etag=ETag("0a1b")
)
GENERATED = GeneratedManifest(
    source_bucket="source",
    expected_owner="111111111111",
    statuses=("NONE", "FAILED"),
    prefix="photos/",
    created_before=datetime(2026, 11, 22, 10, tzinfo=UTC),
)
REPLICATE = JobRequest(
    place=PLACE,
    operation=JobOperation.REPLICATE,
    manifest=OWN,
    report=ReportLocation(bucket="reports", prefix="run", expected_owner="111111111111"),
    role_arn="arn:aws:iam::111111111111:role/path/batch",
    priority=10,
    token="token-1",
    description="backfill 0a1b2c",
)
CHECKSUM = replace(REPLICATE, operation=JobOperation.COMPUTE_CHECKSUM, checksum_algorithm="SHA256")


def faults(operation: str, parameters: Parameters) -> list[str]:
    """Return all that botocore's model, its enumerations included, has against parameters."""
    shape = MODEL.operation_model(operation).input_shape
    assert isinstance(shape, StructureShape)
    report = ParamValidator().validate(parameters, shape)
    return [
        *([report.generate_report()] if report.has_errors() else []),
        *_strangers(parameters, shape, operation),
    ]


def _strangers(value: object, shape: Shape, where: str) -> Iterator[str]:
    """Give what the validator lets pass: unknown words and texts that are too long."""
    if isinstance(shape, StructureShape):
        assert isinstance(value, dict)
        for name, member in value.items():
            if name in shape.members:
                yield from _strangers(member, shape.members[name], f"{where}.{name}")
    elif isinstance(shape, ListShape):
        assert isinstance(value, list)
        for member in value:
            yield from _strangers(member, shape.member, f"{where}[]")
    elif isinstance(value, str):
        words = shape.metadata.get("enum")
        if words and value not in words:
            yield f"{where} is {value!r}"
        if len(value) > shape.metadata.get("max", len(value)):
            yield f"{where} is too long"


WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FFF), min_size=1, max_size=40)
BUCKETS = st.from_regex(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", fullmatch=True)
ACCOUNTS = st.from_regex(r"[0-9]{12}", fullmatch=True)
MANIFESTS = st.one_of(
    st.builds(
        ManifestLocation,
        format=st.sampled_from(ManifestFormat),
        bucket=BUCKETS,
        key=WORDS,
        etag=st.from_regex(r"[0-9a-f]{32}(-[1-9])?", fullmatch=True).map(ETag),
        version_id=st.none() | WORDS,
    ),
    st.builds(
        GeneratedManifest,
        source_bucket=BUCKETS,
        expected_owner=ACCOUNTS,
        statuses=st.lists(
            st.sampled_from(["NONE", "FAILED", "COMPLETED", "REPLICA"]), unique=True
        ).map(tuple),
        prefix=WORDS | st.just(""),
        created_before=st.none() | st.datetimes(timezones=st.just(UTC)),
    ),
)


@st.composite
def requests(draw: st.DrawFn) -> JobRequest:
    operation = draw(st.sampled_from(JobOperation))
    is_checksum = operation is JobOperation.COMPUTE_CHECKSUM
    algorithms = st.sampled_from(["CRC32", "CRC32C", "CRC64NVME", "MD5", "SHA1", "SHA256"])
    account = draw(ACCOUNTS)
    partition = draw(st.sampled_from(["aws", "aws-cn", "aws-us-gov"]))
    return JobRequest(
        place=JobPlace(
            account_id=account, region=draw(st.sampled_from(["eu-west-1", "cn-north-1"]))
        ),
        operation=operation,
        manifest=draw(MANIFESTS),
        report=ReportLocation(
            bucket=draw(BUCKETS),
            prefix=draw(WORDS | st.just("")).rstrip("/"),
            expected_owner=draw(ACCOUNTS),
        ),
        role_arn=f"arn:{partition}:iam::{account}:role/{draw(WORDS)}",
        priority=draw(st.integers(0, 2**31 - 1)),
        token=draw(st.from_regex(r"[0-9a-f]{1,64}", fullmatch=True)),
        description=draw(WORDS | st.just("")),
        tags=draw(st.lists(st.tuples(WORDS, WORDS), max_size=3).map(tuple)),
        needs_confirmation=draw(st.booleans()),
        checksum_algorithm=draw(algorithms) if is_checksum else "",
    )


@given(requests())
def test_every_job_that_can_be_asked_for_is_valid_by_botocores_own_model(
    request: JobRequest,
) -> None:
    """If this fails, a job is refused, or is another than planned, at the first real run."""
    parameters = create_job_parameters(request)
    assert faults("CreateJob", parameters) == []
    assert ("Manifest" in parameters) != ("ManifestGenerator" in parameters)
    assert parameters["ConfirmationRequired"] is request.needs_confirmation
    assert parameters["ClientRequestToken"] == request.token
    assert ("Tags" in parameters) == bool(request.tags)
    assert create_job_parameters(request) == parameters


PLANTED: dict[str, tuple[tuple[str, ...], object]] = {
    "a member that S3 never had": (("Manifest", "Location", "ServerSideEncryption"), "AES256"),
    "an unknown parameter": (("MaxRetries",), 3),
    "an unknown operation": (("Operation",), {"S3ReplicateVersions": {}}),
    "an unknown algorithm": (
        ("Operation",),
        {"S3ComputeObjectChecksum": {"ChecksumAlgorithm": "BLAKE3"}},
    ),
    "an unknown column": (("Manifest", "Spec", "Fields"), ["Bucket", "Key", "ETag"]),
    "an unknown format": (("Manifest", "Spec", "Format"), "S3InventoryReport_CSV_20211130"),
    "an unknown scope": (("Report", "ReportScope"), "Everything"),
    "a token that is too long": (("ClientRequestToken",), "x" * 65),
    "a priority that is a text": (("Priority",), "10"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_an_invented_parameter_is_caught(name: str) -> None:
    """If this fails, the test above agrees with everything."""
    parameters = copy.deepcopy(create_job_parameters(REPLICATE))
    path, value = PLANTED[name]
    place: Parameters = parameters
    for step in path[:-1]:
        deeper = place[step]
        assert isinstance(deeper, dict)
        place = deeper
    place[path[-1]] = value
    assert len(faults("CreateJob", parameters)) == 1


def test_a_replication_by_our_own_manifest_is_asked_for_word_by_word() -> None:
    """If this fails, S3 reads another list, keeps the report back, or starts what should wait."""
    assert create_job_parameters(replace(REPLICATE, needs_confirmation=True)) == {
        "AccountId": "111111111111",
        "ConfirmationRequired": True,
        "Operation": {"S3ReplicateObject": {}},
        "Report": {
            "Enabled": True,
            "Bucket": "arn:aws:s3:::reports",
            "Format": "Report_CSV_20180820",
            "ReportScope": "AllTasks",
            "ExpectedBucketOwner": "111111111111",
            "Prefix": "run",
        },
        "ClientRequestToken": "token-1",
        "Priority": 10,
        "RoleArn": "arn:aws:iam::111111111111:role/path/batch",
        "Manifest": {
            "Spec": {
                "Format": "S3BatchOperations_CSV_20180820",
                "Fields": ["Bucket", "Key", "VersionId"],
            },
            "Location": {"ObjectArn": "arn:aws:s3:::manifests/run/00.csv", "ETag": "0a1b"},
        },
        "Description": "backfill 0a1b2c",
    }


def test_a_replication_by_a_generated_manifest_names_the_scope_and_nothing_else() -> None:
    """If this fails, S3 lists other versions than the plan, or writes a list that is paid for."""
    parameters = create_job_parameters(replace(REPLICATE, manifest=GENERATED))
    assert "Manifest" not in parameters
    assert parameters["ManifestGenerator"] == {
        "S3JobManifestGenerator": {
            "ExpectedBucketOwner": "111111111111",
            "SourceBucket": "arn:aws:s3:::source",
            "EnableManifestOutput": False,
            "Filter": {
                "EligibleForReplication": True,
                "CreatedBefore": datetime(2026, 11, 22, 10, tzinfo=UTC),
                "ObjectReplicationStatuses": ["NONE", "FAILED"],
                "KeyNameConstraint": {"MatchAnyPrefix": ["photos/"]},
            },
        }
    }


def test_a_checksum_job_asks_for_the_whole_object() -> None:
    """If this fails, checksums of parts are compared with checksums of objects."""
    assert create_job_parameters(CHECKSUM)["Operation"] == {
        "S3ComputeObjectChecksum": {"ChecksumAlgorithm": "SHA256", "ChecksumType": "FULL_OBJECT"}
    }


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_arns_lie_in_the_partition_of_the_role(partition: str) -> None:
    """If this fails, no job can be made in China or GovCloud."""
    role = f"arn:{partition}:iam::111111111111:role/batch"
    parameters = create_job_parameters(replace(REPLICATE, role_arn=role))
    text = str(parameters)
    assert text.count("arn:") == text.count(f"arn:{partition}:") == 3


def test_an_inventory_manifest_has_no_columns_and_may_be_pinned_to_a_version() -> None:
    """If this fails, S3 refuses the job: columns of that format stand in its manifest.json."""
    manifest = replace(OWN, format=ManifestFormat.INVENTORY, version_id="v1", etag=ETag('"q"'))
    assert create_job_parameters(replace(REPLICATE, manifest=manifest))["Manifest"] == {
        "Spec": {"Format": "S3InventoryReport_CSV_20161130"},
        "Location": {
            "ObjectArn": "arn:aws:s3:::manifests/run/00.csv",
            "ETag": "q",
            "ObjectVersionId": "v1",
        },
    }


@pytest.mark.parametrize("prefix", ["a\x00b", "a\rb", "\x1b[2J", "\ud800", "\uffff"])
def test_a_prefix_that_xml_cannot_carry_is_refused(prefix: str) -> None:
    """If this fails, S3 answers MalformedXML, or selects the keys of another prefix."""
    hostile = replace(REPLICATE, manifest=replace(GENERATED, prefix=prefix))
    with pytest.raises(RefusedError) as caught:
        create_job_parameters(hostile)
    assert prefix not in caught.value.message


def test_a_report_prefix_with_a_slash_at_its_end_is_a_mistake_of_ours() -> None:
    """If this fails, reports lie under `//job-`, where nobody looks for them."""
    report = replace(REPLICATE.report, prefix="run/")
    with pytest.raises(AssertionError):
        create_job_parameters(replace(REPLICATE, report=report))


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("DescribeJob", job_parameters(PLACE, "job-1")),
        ("GetJobTagging", job_parameters(PLACE, "job-1")),
        ("ListJobs", list_jobs_parameters(PLACE, "")),
        ("ListJobs", list_jobs_parameters(PLACE, "next")),
        *(
            (
                "UpdateJobStatus",
                {**job_parameters(PLACE, "job-1"), "RequestedJobStatus": word.value},
            )
            for word in RequestedStatus
        ),
    ],
)
def test_a_question_about_jobs_is_valid_by_botocores_own_model(
    operation: str, parameters: Parameters
) -> None:
    """If this fails, no job can be watched."""
    assert faults(operation, parameters) == []
