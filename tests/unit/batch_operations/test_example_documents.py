"""The example requests are what backfill sends, and its policies are exact and least."""

import json
import re
from pathlib import Path

import botocore.session
import pytest
from botocore.model import StructureShape
from botocore.validate import ParamValidator

from backfill.aws.job_requests import create_job_parameters
from backfill.model.jobs import (
    GeneratedManifest,
    JobOperation,
    JobPlace,
    JobRequest,
    ManifestFormat,
    ManifestLocation,
    ReportLocation,
)
from backfill.model.objects import ETag
from backfill.model.permissions import _JOB_ACTIONS

FOLDER = Path(__file__).resolve().parents[3] / "manifests/batch-operations"
FILES = sorted(path.name for path in FOLDER.glob("*.json"))
FILLED = {
    "<SOURCE_BUCKET>": "source-bucket",
    "<SOURCE_ACCOUNT>": "111111111111",
    "<BATCH_BUCKET>": "batch-bucket",
    "<MANIFEST_KEY>": "backfill/manifest.csv",
    "<MANIFEST_ETAG>": "0123456789abcdef",
    "<BATCH_ROLE>": "batch",
    "<TOKEN>": "t" * 64,
    "<TOKEN_DIGEST>": "d" * 32,
    "<DESCRIPTION>": "backfill of source-bucket",
    "<RUN_ID>": "RUN",
}
OWN = ManifestLocation(
    format=ManifestFormat.CSV,
    bucket="batch-bucket",
    key="backfill/manifest.csv",
    etag=ETag("0123456789abcdef"),
)
GENERATED = GeneratedManifest(
    source_bucket="source-bucket", expected_owner="111111111111", statuses=("NONE", "FAILED")
)
REQUESTS: dict[str, tuple[JobOperation, ManifestLocation | GeneratedManifest, str]] = {
    "replicate-own-manifest.json": (JobOperation.REPLICATE, OWN, ""),
    "replicate-generated-manifest.json": (JobOperation.REPLICATE, GENERATED, ""),
    "compute-checksum.json": (JobOperation.COMPUTE_CHECKSUM, OWN, "SHA256"),
}
SOURCE, BATCH = "arn:aws:s3:::<SOURCE_BUCKET>", "arn:aws:s3:::<BATCH_BUCKET>"
READ = {"s3:GetObject", "s3:GetObjectVersion"}
POLICIES: dict[str, dict[str, set[str]]] = {
    "batch-role-replicate.json": {
        f"{SOURCE}/*": {"s3:InitiateReplication"},
        f"{BATCH}/*": READ | {"s3:PutObject"},
    },
    "batch-role-replicate-generated.json": {
        SOURCE: {"s3:GetReplicationConfiguration", "s3:PutInventoryConfiguration"}
    },
    "batch-role-checksum.json": {
        "arn:aws:s3:::<CHECKSUM_BUCKET>/*": READ | {"s3:RestoreObject"},
        "arn:aws:s3:::<CHECKSUM_BATCH_BUCKET>/*": READ | {"s3:PutObject"},
    },
    "batch-role-checksum-kms.json": {"<CHECKSUM_KEY_ARN>": {"kms:Decrypt"}},
    "batch-role-inventory-manifest-kms.json": {
        "<BATCH_KEY_ARN>": {"kms:Decrypt", "kms:GenerateDataKey"}
    },
    "creator-identity.json": {
        "*": {"s3:CreateJob", "s3:ListJobs"},
        "arn:aws:s3:<SOURCE_REGION>:<SOURCE_ACCOUNT>:job/*": {
            "s3:DescribeJob",
            "s3:GetJobTagging",
            "s3:PutJobTagging",
            "s3:UpdateJobPriority",
            "s3:UpdateJobStatus",
        },
        "arn:aws:iam::<SOURCE_ACCOUNT>:role/<BATCH_ROLE>": {"iam:PassRole"},
        BATCH: {"s3:GetBucketObjectLockConfiguration", "s3:ListBucket"},
        f"{BATCH}/*": READ | {"s3:PutObject"},
    },
}


def filled(name: str) -> dict[str, object]:
    text = (FOLDER / name).read_text()
    for placeholder, value in FILLED.items():
        text = text.replace(placeholder, value)
    document: dict[str, object] = json.loads(text)
    return document


def statements(name: str) -> list[dict[str, object]]:
    document = json.loads((FOLDER / name).read_text())
    assert document.keys() == {"Version", "Statement"}
    assert document["Version"] == "2012-10-17"
    found: list[dict[str, object]] = document["Statement"]
    return found


def test_every_file_is_tested_as_what_it_is() -> None:
    """If this fails, an example lies in the folder that nothing loads."""
    assert set(FILES) == {*REQUESTS, *POLICIES, "batch-role-trust.json"}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_valid_by_botocores_own_model(name: str) -> None:
    """If this fails, an example has a parameter that S3 does not know."""
    shape = botocore.session.get_session().get_service_model("s3control")
    wanted = shape.operation_model("CreateJob").input_shape
    assert isinstance(wanted, StructureShape)
    report = ParamValidator().validate(filled(name), wanted)
    assert not report.has_errors(), report.generate_report()


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_what_backfill_sends(name: str) -> None:
    """If this fails, who reads the example does not read what the product does."""
    operation, manifest, algorithm = REQUESTS[name]
    request = JobRequest(
        place=JobPlace(account_id="111111111111", region="eu-west-1"),
        operation=operation,
        manifest=manifest,
        report=ReportLocation(
            bucket="batch-bucket", prefix="backfill/reports", expected_owner="111111111111"
        ),
        role_arn="arn:aws:iam::111111111111:role/batch",
        priority=10,
        token="t" * 64,
        description="backfill of source-bucket",
        tags=(("backfill-run", "RUN"), ("backfill-token", "d" * 32)),
        needs_confirmation=True,
        checksum_algorithm=algorithm,
    )
    assert filled(name) == create_job_parameters(request)


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_grants_exactly_what_it_should(name: str) -> None:
    """If this fails, a policy grants more than jobs need, or too little for them to run."""
    granted: dict[str, set[str]] = {}
    for statement in statements(name):
        assert statement.keys() <= {"Sid", "Effect", "Action", "Resource", "Condition"}
        assert statement["Effect"] == "Allow"
        actions, resource = statement["Action"], statement["Resource"]
        assert isinstance(actions, list)
        assert isinstance(resource, str)
        assert len(set(actions)) == len(actions)
        granted.setdefault(resource, set()).update(actions)
        text = json.dumps(statement)
        assert "PassedToService" not in text, "S3 does not send it: CreateJob would be denied"
        if any(action.startswith("kms:") for action in actions):
            assert "kms:ViaService" in text
    assert granted == POLICIES[name]
    every = {action for actions in granted.values() for action in actions}
    assert not [action for action in every if "*" in action or "Delete" in action]


def test_only_batch_operations_may_take_the_role() -> None:
    """If this fails, a job cannot run, or somebody else can be the role."""
    (statement,) = statements("batch-role-trust.json")
    assert statement["Principal"] == {"Service": "batchoperations.s3.amazonaws.com"}
    assert statement["Action"] == "sts:AssumeRole"
    assert statement["Effect"] == "Allow"


def test_every_call_about_jobs_is_granted_to_their_creator() -> None:
    """If this fails, a run under these policies ends in AccessDenied, perhaps after CreateJob."""
    granted = {
        action for actions in POLICIES["creator-identity.json"].values() for action in actions
    }
    assert {action for actions in _JOB_ACTIONS.values() for action in actions} <= granted
    assert "iam:PassRole" in granted


def test_every_file_and_placeholder_is_explained() -> None:
    """If this fails, somebody pastes a placeholder, or does not find the policy that they lack."""
    readme = (FOLDER / "README.md").read_text()
    for name in FILES:
        assert f"`{name}` | " in readme
        for placeholder in re.findall(r"<[A-Z_]+>", (FOLDER / name).read_text()):
            assert f"`{placeholder}`" in readme, placeholder
    assert set(re.findall(r"`([\w-]+\.json)`", readme)) == set(FILES)
