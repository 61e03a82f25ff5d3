"""The aws command line, in an environment of its own, against the sandbox.

Its botocore is another one than ours, so an agreement with our pinned one is not enough here.
"""

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backfill.sandbox.model.measurements import Measurement
from tests.doubles.aws_command import aws
from tests.wire.sandbox.conftest import Place

__all__ = ["aws"]

pytestmark = pytest.mark.awscli


def run(aws: Path, place: Place, account: str, *arguments: str) -> str:
    """Run one command with that account's environment; answer its output."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(aws.parent)}
    done = subprocess.run(
        [str(aws), *arguments],
        env=environment | place.sandbox.environment(account),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_every_other_service_answers_too(aws: Path, place: Place, tmp_path: Path) -> None:
    """If this fails, what setup exports cannot be tried; this CloudWatch speaks CBOR."""

    def told(*arguments: str) -> Any:
        return json.loads(run(aws, place, "source", *arguments) or "null")

    trust = tmp_path / "trust.json"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    trust.write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    role = ("--role-name", "by-cli", "--assume-role-policy-document", f"file://{trust}")
    assert told("iam", "create-role", *role)["Role"]["RoleName"] == "by-cli"
    assert told("sts", "get-caller-identity")["Account"] == "111111111111"
    key = told("kms", "create-key")["KeyMetadata"]["Arn"]
    assert "Policy" in told("kms", "get-key-policy", "--key-id", key)
    # Version 1 asks AWS for queues unless told otherwise on the command line, whatever it exports.
    sqs = ("sqs", "--endpoint-url", place.sandbox.endpoint_url)
    url = told(*sqs, "create-queue", "--queue-name", "by-cli")["QueueUrl"]
    assert told(*sqs, "receive-message", "--queue-url", url) is None
    assert told("sns", "create-topic", "--name", "by-cli")["TopicArn"].endswith(":by-cli")
    assert told("lambda", "list-functions")["Functions"] == []
    now = datetime.now(UTC)
    pairs = (("SourceBucket", "s"), ("DestinationBucket", "d"), ("RuleId", "r"))
    with place.sandbox.held():
        measurement = Measurement(
            metric="BytesPendingReplication",
            unit="Bytes",
            region="us-east-1",
            account_id="111111111111",
            dimensions=pairs,
            value=42.0,
            at=now,
        )
        place.sandbox.services.record(measurement)
    metric = {
        "Namespace": "AWS/S3",
        "MetricName": "BytesPendingReplication",
        "Dimensions": [{"Name": name, "Value": value} for name, value in pairs],
    }
    query = {"Id": "q", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}}
    start, end = (now - timedelta(minutes=5)).isoformat(), (now + timedelta(minutes=1)).isoformat()
    period = ("--start-time", start, "--end-time", end)
    found = told(
        "cloudwatch", "get-metric-data", "--metric-data-queries", json.dumps([query]), *period
    )
    assert found["MetricDataResults"][0]["Values"] == [42.0]
    assert told("cloudwatch", "list-metrics")["Metrics"][0]["MetricName"] == metric["MetricName"]


def test_files_objects_versions_and_tags_come_back(aws: Path, place: Place, tmp_path: Path) -> None:
    """If this fails, a person who tries the sandbox with aws cli gives up at once."""
    bucket = place.source_bucket
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"hello")
    large.write_bytes(bytes(range(256)) * 40_000)
    key = "häßlich/a b+c"
    run(aws, place, "source", "s3", "cp", str(small), f"s3://{bucket}/{key}")
    run(aws, place, "source", "s3", "cp", str(large), f"s3://{bucket}/large")
    assert "PRE häßlich/" in run(aws, place, "source", "s3", "ls", f"s3://{bucket}/")
    run(aws, place, "source", "s3", "cp", f"s3://{bucket}/large", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == large.read_bytes()
    here = ("--bucket", bucket, "--key", key)
    tags = '{"TagSet": [{"Key": "k", "Value": "v w"}]}'
    run(aws, place, "source", "s3api", "put-object-tagging", *here, "--tagging", tags)
    read = json.loads(run(aws, place, "source", "s3api", "get-object-tagging", *here))
    assert read["TagSet"] == [{"Key": "k", "Value": "v w"}]
    run(aws, place, "source", "s3api", "delete-object", *here)
    listed = json.loads(
        run(aws, place, "source", "s3api", "list-object-versions", "--bucket", bucket)
    )
    assert [row["Key"] for row in listed["Versions"]] == [key, "large"]
    assert [row["Key"] for row in listed["DeleteMarkers"]] == [key]
    source = f"{bucket}/{key}?versionId={listed['Versions'][0]['VersionId']}"
    copy = ("--bucket", bucket, "--key", "copied", "--copy-source", source)
    run(aws, place, "source", "s3api", "copy-object", *copy)
    assert run(aws, place, "source", "s3", "cp", f"s3://{bucket}/copied", "-") == "hello"


def test_sts_and_the_second_account_answer(aws: Path, place: Place) -> None:
    """If this fails, the two accounts cannot be told apart from a shell."""
    who = json.loads(run(aws, place, "destination", "sts", "get-caller-identity"))
    assert who["Account"] == "222222222222"
    located = run(
        aws,
        place,
        "destination",
        "s3api",
        "get-bucket-location",
        "--bucket",
        place.destination_bucket,
    )
    assert json.loads(located)["LocationConstraint"] == "eu-west-1"


def test_the_written_profiles_work(aws: Path, place: Place, tmp_path: Path) -> None:
    """If this fails, --source-profile and --destination-profile cannot be tried."""
    variables = place.sandbox.write_profiles(tmp_path / "aws")
    for account, number in (("source", "111111111111"), ("destination", "222222222222")):
        done = subprocess.run(
            [str(aws), "sts", "get-caller-identity", "--profile", account],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)} | variables,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr.decode()
        assert json.loads(done.stdout)["Account"] == number


def test_jobs_are_made_listed_and_tagged_from_a_shell(aws: Path, place: Place) -> None:
    """If this fails, S3 Control is within boto3's reach only."""
    account = ("--account-id", "111111111111")
    bucket = f"arn:aws:s3:::{place.source_bucket}"
    generator = {"SourceBucket": bucket, "EnableManifestOutput": False}
    created = run(
        aws,
        place,
        "source",
        "s3control",
        "create-job",
        *account,
        "--confirmation-required",
        "--operation",
        '{"S3ReplicateObject": {}}',
        "--report",
        '{"Enabled": false}',
        "--manifest-generator",
        json.dumps({"S3JobManifestGenerator": generator}),
        "--priority",
        "3",
        "--role-arn",
        "arn:aws:iam::111111111111:role/batch",
    )
    job_id = json.loads(created)["JobId"]
    listed = json.loads(run(aws, place, "source", "s3control", "list-jobs", *account))
    assert [(row["JobId"], row["Priority"]) for row in listed["Jobs"]] == [(job_id, 3)]
    here = (*account, "--job-id", job_id)
    described = json.loads(run(aws, place, "source", "s3control", "describe-job", *here))
    assert described["Job"]["ManifestGenerator"]["S3JobManifestGenerator"] == generator
    tags = ("--tags", '[{"Key": "plan", "Value": "a b"}]')
    run(aws, place, "source", "s3control", "put-job-tagging", *here, *tags)
    read = json.loads(run(aws, place, "source", "s3control", "get-job-tagging", *here))
    assert read["Tags"] == [{"Key": "plan", "Value": "a b"}]
