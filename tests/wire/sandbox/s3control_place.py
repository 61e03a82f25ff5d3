"""A sandbox of its own with two buckets that replicate, a batch bucket, a role and real clients.

The clients are boto3's, without hooks. Jobs are moved on by `ended`, never waited for.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import boto3
from botocore.config import Config

from backfill.sandbox.authorization.identities import Identity
from backfill.sandbox.service import DESTINATION, SOURCE, Sandbox

SOURCE_BUCKET, DESTINATION_BUCKET, BATCH_BUCKET = "the-source", "the-destination", "the-batch"
_ROUNDS = 1000
"""So many steps end any job of these tests many times over."""
_PATIENCE = Config(retries={"total_max_attempts": 1})
_LIBRARY = boto3.Session()
"""One for all clients: it keeps the service models that it has read."""
_ENDS = frozenset({"Complete", "Failed", "Cancelled"})


def policy(*allowed: str) -> str:
    """An identity policy that allows these actions everywhere."""
    statement = {"Effect": "Allow", "Action": list(allowed), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@dataclass(kw_only=True)
class BatchPlace:
    """The source account's world, before there was any replication of what it holds."""

    sandbox: Sandbox
    role_arn: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    """Version IDs of the source by key."""
    _clients: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.s3 = self.client("s3", "source")
        self.other_s3 = self.client("s3", "destination")
        self.jobs = self.client("s3control", "source")
        for bucket in (SOURCE_BUCKET, BATCH_BUCKET):
            self.s3.create_bucket(Bucket=bucket)
        location = {"LocationConstraint": DESTINATION.region}
        self.other_s3.create_bucket(Bucket=DESTINATION_BUCKET, CreateBucketConfiguration=location)
        enabled = {"Status": "Enabled"}
        self.s3.put_bucket_versioning(Bucket=SOURCE_BUCKET, VersioningConfiguration=enabled)
        self.other_s3.put_bucket_versioning(
            Bucket=DESTINATION_BUCKET, VersioningConfiguration=enabled
        )
        self.role_arn = self.sandbox.add_role(
            "source",
            "batch",
            policy("s3:InitiateReplication", "s3:Get*", "s3:PutObject", "s3:PutInventory*"),
        )

    def client(self, service: str, who: str | Identity, **more: str) -> Any:
        """A stock client of `s3` or `s3control`."""
        if service == "s3control":
            settings = self.sandbox.control_settings(who)
            config = _PATIENCE.merge(Config(proxies=self.sandbox.control_proxies))
        else:
            settings, config = self.sandbox.client_settings(who), _PATIENCE
        named: dict[str, Any] = {**settings, **more}
        made = _LIBRARY.client(service, config=config, **named)
        self._clients.append(made)
        return made

    def close(self) -> None:
        """Close every client's connections."""
        for made in self._clients:
            made.close()

    def put(self, *keys: str) -> None:
        """Write objects to the source bucket."""
        for key in keys:
            put = self.s3.put_object(Bucket=SOURCE_BUCKET, Key=key, Body=key.encode())
            self.versions[key] = put["VersionId"]

    def replicate_from_now_on(self) -> None:
        """Put a replication rule in place, and the policy that lets it write."""
        role = f"arn:aws:iam::{SOURCE.account_id}:role/replication"
        rule = {
            "ID": "all",
            "Priority": 1,
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "DeleteMarkerReplication": {"Status": "Disabled"},
            "Destination": {"Bucket": f"arn:aws:s3:::{DESTINATION_BUCKET}"},
        }
        self.s3.put_bucket_replication(
            Bucket=SOURCE_BUCKET, ReplicationConfiguration={"Role": role, "Rules": [rule]}
        )
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": role},
            "Action": ["s3:ReplicateObject", "s3:ReplicateDelete"],
            "Resource": f"arn:aws:s3:::{DESTINATION_BUCKET}/*",
        }
        self.other_s3.put_bucket_policy(
            Bucket=DESTINATION_BUCKET,
            Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )

    def uploaded_manifest(self, *keys: str, name: str = "manifest.csv") -> dict[str, Any]:
        """A CSV manifest of these keys with their version IDs, put by boto3."""
        rows = [f"{SOURCE_BUCKET},{quote(key)},{self.versions[key]}" for key in keys]
        body = "".join(f"{row}\n" for row in rows).encode()
        put = self.s3.put_object(
            Bucket=BATCH_BUCKET, Key=name, Body=body, ServerSideEncryption="AES256"
        )
        return {
            "Spec": {
                "Format": "S3BatchOperations_CSV_20180820",
                "Fields": ["Bucket", "Key", "VersionId"],
            },
            "Location": {
                "ObjectArn": f"arn:aws:s3:::{BATCH_BUCKET}/{name}",
                "ETag": put["ETag"].strip('"'),
            },
        }

    def request(self, **changes: Any) -> dict[str, Any]:
        """A whole CreateJob that replicates; None takes a member away."""
        request = {
            "AccountId": SOURCE.account_id,
            "Operation": {"S3ReplicateObject": {}},
            "Report": {
                "Bucket": f"arn:aws:s3:::{BATCH_BUCKET}",
                "Format": "Report_CSV_20180820",
                "Enabled": True,
                "Prefix": "reports",
                "ReportScope": "AllTasks",
            },
            "ClientRequestToken": "token-1",
            "Priority": 10,
            "RoleArn": self.role_arn,
            "ConfirmationRequired": False,
        } | changes
        return {name: value for name, value in request.items() if value is not None}

    def create(self, **changes: Any) -> str:
        """Create a job; its ID."""
        created: dict[str, str] = self.jobs.create_job(**self.request(**changes))
        return created["JobId"]

    def described(self, job_id: str) -> dict[str, Any]:
        """What DescribeJob says."""
        answer = self.jobs.describe_job(AccountId=SOURCE.account_id, JobId=job_id)
        job: dict[str, Any] = answer["Job"]
        return job

    def ended(
        self, job_id: str, is_there: Callable[[str], bool] = lambda status: status in _ENDS
    ) -> dict[str, Any]:
        """The job once it has ended, or has the status that is waited for."""
        for _ in range(_ROUNDS):
            self.sandbox.advance()
            job = self.described(job_id)
            if is_there(job["Status"]):
                return job
        raise AssertionError(f"still {job['Status']} after {_ROUNDS} rounds")

    def suspended(self, **changes: Any) -> str:
        """Create a job that waits for confirmation; its ID."""
        job_id = self.create(ConfirmationRequired=True, **changes)
        self.ended(job_id, lambda status: status == "Suspended")
        return job_id
