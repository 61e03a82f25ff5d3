"""A sandbox on a free port, and a versioned bucket of its own for each test."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from backfill.sandbox.authorization.identities import Identity
from backfill.sandbox.service import SOURCE, Sandbox
from tests.wire.sandbox.raw_client import RawS3

_NUMBERS = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One bucket, as its owner and as the other account reach it."""

    sandbox: Sandbox
    bucket: str
    own: Any
    """A boto3 client: its methods are made at run time."""
    other: Any
    told: list[tuple[str, str]]
    """What was sent to queues, topics and functions: ARN and JSON."""
    flaws: dict[str, str]
    """What is wrong with a destination, by its ARN."""

    def allow(self, *statements: dict[str, object]) -> None:
        """Put a bucket policy."""
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        self.own.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps(document))

    def raw(self) -> RawS3:
        """The owner, byte by byte."""
        return RawS3(
            port=self.sandbox.port,
            access_key=SOURCE.root.access_key_id,
            secret=SOURCE.root.secret_access_key,
            region=SOURCE.region,
        )


def client(sandbox: Sandbox, who: str | Identity) -> Any:
    """A client in the Region of the buckets, which are the source's."""
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
    settings: dict[str, Any] = dict(sandbox.client_settings(who))
    settings["region_name"] = SOURCE.region
    return boto3.client("s3", config=config, **settings)


def code_of(act: Callable[[], object]) -> tuple[int, str]:
    """Status and code of a refusal."""
    with pytest.raises(ClientError) as refused:
        act()
    response = refused.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


@pytest.fixture(scope="package")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=3) as started:
        yield started


@pytest.fixture
def place(sandbox: Sandbox) -> Place:
    own = client(sandbox, "source")
    bucket = f"bucket-{next(_NUMBERS)}"
    own.create_bucket(Bucket=bucket)
    own.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    told: list[tuple[str, str]] = []
    flaws: dict[str, str] = {}
    with sandbox.held() as model:  # these tests are about S3, not about SQS
        model.world.notify = lambda arn, body: told.append((arn, body))
        model.world.may_notify = lambda arn, _bucket: flaws.get(arn)
    return Place(
        sandbox=sandbox,
        bucket=bucket,
        own=own,
        other=client(sandbox, "destination"),
        told=told,
        flaws=flaws,
    )
