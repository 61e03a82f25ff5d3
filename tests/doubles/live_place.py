"""Two accounts with live replication, metrics and a queue for its events, on a sandbox of its own.

Made with boto3 as its owners would; the destination's bucket policy is what tests leave out.
"""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import boto3
from botocore.config import Config

from backfill.sandbox.service import DESTINATION, SOURCE, Sandbox

SOURCE_BUCKET, DESTINATION_BUCKET, BATCH_BUCKET = "live-photos", "live-replicas", "live-batch"
SOURCE_ARN = f"arn:aws:s3:::{SOURCE_BUCKET}"
DESTINATION_ARN = f"arn:aws:s3:::{DESTINATION_BUCKET}"
RULE_ID = "everything"
_ROUNDS = 1000
"""Steps that end any job of these tests many times over."""
_MINUTES = 5
_LIBRARY = boto3.Session()


def _document(*statements: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _allow(resource: object, *actions: str) -> dict[str, object]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}


REPLICATION_POLICY = _document(
    _allow(SOURCE_ARN, "s3:GetReplicationConfiguration", "s3:ListBucket"),
    _allow(
        f"{SOURCE_ARN}/*",
        "s3:GetObjectVersionForReplication",
        "s3:GetObjectVersionAcl",
        "s3:GetObjectVersionTagging",
    ),
    _allow(f"{DESTINATION_ARN}/*", "s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"),
)
BATCH_POLICY = _document(
    _allow(f"{SOURCE_ARN}/*", "s3:InitiateReplication"),
    _allow(f"arn:aws:s3:::{BATCH_BUCKET}/*", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"),
)


@dataclass(kw_only=True)
class LivePlace:
    """The source account's bucket, its rule, its queue; clients of both owners."""

    sandbox: Sandbox
    has_metrics: bool = True
    is_bare: bool = False
    """Two buckets without versioning and a queue without a policy, and nothing else."""
    versions: dict[str, str] = field(default_factory=dict)
    """Version IDs of the source by key."""
    _clients: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Some minutes ago, so that minutes can pass and what S3 measured is still of the past.
        self.sandbox.clock.offset = timedelta(minutes=-_MINUTES)
        self.s3 = self.client("s3", "source")
        self.other_s3 = self.client("s3", "destination")
        self.sqs = self.client("sqs", "source")
        self.jobs = self.client("s3control", "source")
        self.role_arn = self.sandbox.add_role("source", "replication", REPLICATION_POLICY)
        self.batch_role_arn = self.sandbox.add_role("source", "batch", BATCH_POLICY)
        self._make_buckets()
        self._make_queue()
        if self.is_bare:
            return
        self._version_buckets()
        self._let_send({"Service": "s3.amazonaws.com"}, SOURCE_ARN)
        self.put_rule(has_metrics=self.has_metrics)
        self.s3.put_bucket_notification_configuration(
            Bucket=SOURCE_BUCKET,
            NotificationConfiguration={
                "QueueConfigurations": [
                    {"QueueArn": self.queue_arn, "Events": ["s3:Replication:*"]}
                ]
            },
        )

    def client(self, service: str, account: str) -> Any:
        """Return a stock client of one of the owners."""
        settings: dict[str, Any] = dict(self.sandbox.client_settings(account))
        config = Config(retries={"total_max_attempts": 1})
        if service == "s3control":
            settings = dict(self.sandbox.control_settings(account))
            config = config.merge(Config(proxies=self.sandbox.control_proxies))
        client = _LIBRARY.client(service, config=config, **settings)
        self._clients.append(client)
        return client

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def put_rule(self, *, has_metrics: bool) -> None:
        destination: dict[str, object] = {"Bucket": DESTINATION_ARN}
        if has_metrics:
            destination["Metrics"] = {"Status": "Enabled"}
        rule = {
            "ID": RULE_ID,
            "Priority": 1,
            "Filter": {},
            "Status": "Enabled",
            "DeleteMarkerReplication": {"Status": "Enabled"},
            "Destination": destination,
        }
        self.s3.put_bucket_replication(
            Bucket=SOURCE_BUCKET,
            ReplicationConfiguration={"Role": self.role_arn, "Rules": [rule]},
        )

    def put_topic_between(self) -> None:
        """Send events to a topic from now on, to which the queue is subscribed."""
        sns = self.client("sns", "source")
        arn = sns.create_topic(Name="live-events")["TopicArn"]
        publish = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}}
        policy = _document({**publish, "Action": "sns:Publish", "Resource": arn})
        sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
        self._let_send({"Service": "sns.amazonaws.com"}, arn)
        sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=self.queue_arn)
        self.s3.put_bucket_notification_configuration(
            Bucket=SOURCE_BUCKET,
            NotificationConfiguration={
                "TopicConfigurations": [{"TopicArn": arn, "Events": ["s3:Replication:*"]}]
            },
        )

    def allow(self, *statements: object) -> None:
        """Put the destination's bucket policy."""
        self.other_s3.put_bucket_policy(Bucket=DESTINATION_BUCKET, Policy=_document(*statements))

    def put(self, *keys: str) -> None:
        """Write objects, and let S3 replicate what is due."""
        for key in keys:
            written = self.s3.put_object(Bucket=SOURCE_BUCKET, Key=key, Body=key.encode())
            self.versions[key] = written["VersionId"]
        self.sandbox.advance()

    def pass_minute(self) -> None:
        """Let a minute pass: S3 publishes what it measured, and goes on replicating."""
        self.sandbox.clock.offset += timedelta(minutes=1)
        assert self.sandbox.clock.offset <= timedelta(), "the past is used up"
        self.sandbox.advance()

    def messages(self) -> int:
        """Count the messages that anybody can receive now."""
        told = self.sqs.get_queue_attributes(
            QueueUrl=self.queue_url, AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(told["Attributes"]["ApproximateNumberOfMessages"])

    def replicate(self, manifest: bytes, etag: str) -> dict[str, Any]:
        """Give a manifest to a Batch Replication job as its owner would; return how it ended."""
        put = self.s3.put_object(
            Bucket=BATCH_BUCKET,
            Key="failed.csv",
            Body=manifest,
            ServerSideEncryption="AES256",
        )
        assert put["ETag"].strip('"') == etag, "the ETag that watch told is the upload's"
        job = self.jobs.create_job(
            AccountId=SOURCE.account_id,
            Operation={"S3ReplicateObject": {}},
            Report={
                "Enabled": True,
                "Bucket": f"arn:aws:s3:::{BATCH_BUCKET}",
                "Format": "Report_CSV_20180820",
                "ReportScope": "AllTasks",
            },
            Manifest={
                "Spec": {
                    "Format": "S3BatchOperations_CSV_20180820",
                    "Fields": ["Bucket", "Key", "VersionId"],
                },
                "Location": {
                    "ObjectArn": f"arn:aws:s3:::{BATCH_BUCKET}/failed.csv",
                    "ETag": etag,
                },
            },
            Priority=10,
            RoleArn=self.batch_role_arn,
            ClientRequestToken="failed-1",
            ConfirmationRequired=False,
        )
        for _ in range(_ROUNDS):
            self.sandbox.advance()
            found: dict[str, Any] = self.jobs.describe_job(
                AccountId=SOURCE.account_id, JobId=job["JobId"]
            )["Job"]
            if found["Status"] in {"Complete", "Failed", "Cancelled"}:
                self.sandbox.advance()  # a job that is Complete has only started replications
                return found
        raise AssertionError("the job never ends")

    def arrived(self) -> dict[str, str]:
        """Return the version IDs at the destination by key."""
        listed = self.other_s3.list_object_versions(Bucket=DESTINATION_BUCKET)
        return {one["Key"]: one["VersionId"] for one in listed.get("Versions", ())}

    def _make_buckets(self) -> None:
        for bucket in (SOURCE_BUCKET, BATCH_BUCKET):
            self.s3.create_bucket(Bucket=bucket)
        self.other_s3.create_bucket(
            Bucket=DESTINATION_BUCKET,
            CreateBucketConfiguration={"LocationConstraint": DESTINATION.region},
        )

    def _version_buckets(self) -> None:
        for client, bucket in (
            (self.s3, SOURCE_BUCKET),
            (self.other_s3, DESTINATION_BUCKET),
        ):
            client.put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
            )

    def _make_queue(self) -> None:
        url = self.sqs.create_queue(QueueName="live-events")["QueueUrl"]
        arn = f"arn:aws:sqs:{SOURCE.region}:{SOURCE.account_id}:live-events"
        self.queue_url, self.queue_arn = url, arn

    def _let_send(self, principal: object, source_arn: str) -> None:
        statement = {
            "Effect": "Allow",
            "Principal": principal,
            "Action": "sqs:SendMessage",
            "Resource": self.queue_arn,
            "Condition": {"ArnLike": {"aws:SourceArn": source_arn}},
        }
        attributes = {"Policy": _document(statement), "VisibilityTimeout": "1"}
        self.sqs.set_queue_attributes(QueueUrl=self.queue_url, Attributes=attributes)
