"""A model with two accounts, a clock that ticks a second a write, and short ways to ask it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TypeVar

import pytest

from backfill.sandbox.model.buckets import Bucket
from backfill.sandbox.model.identities import AccessQuestion, Caller
from backfill.sandbox.model.limits import AWS_LIMITS, Limits
from backfill.sandbox.model.model import S3Model
from backfill.sandbox.model.operations.buckets import (
    CreateBucketRequest,
    PutBucketEncryptionRequest,
    PutBucketVersioningRequest,
)
from backfill.sandbox.model.operations.copies import (
    CopyObjectRequest,
    CopyObjectResult,
    CopySource,
    UploadPartRequest,
)
from backfill.sandbox.model.operations.multipart import (
    CompletedPart,
    CompleteMultipartUploadRequest,
    CompleteMultipartUploadResult,
    CreateMultipartUploadRequest,
)
from backfill.sandbox.model.operations.objects import (
    DeleteObjectRequest,
    DeleteObjectResult,
    ObjectDescription,
    PutObjectRequest,
    PutObjectResult,
    ReadObjectRequest,
)
from backfill.sandbox.model.values import RequestedEncryption, SentChecksum
from backfill.sandbox.model.versions import Entry

START = datetime(2026, 1, 1, tzinfo=UTC)
OWN, OTHER = "111111111111", "222222222222"
BUCKET, DESTINATION, PLAIN, LOCKED = "source", "destination", "plain", "locked"
KMS_KEY = f"arn:aws:kms:us-east-1:{OWN}:key/abc"

R = TypeVar("R")


def caller(account_id: str, region: str = "us-east-1") -> Caller:
    return Caller(account_id=account_id, arn=f"arn:aws:iam::{account_id}:root", region=region)


@dataclass(kw_only=True)
class Stage:
    """The model, who calls it, and what it asked authorization."""

    limits: Limits = AWS_LIMITS
    now: datetime = START
    own: Caller = field(default_factory=lambda: caller(OWN))
    other: Caller = field(default_factory=lambda: caller(OTHER, "eu-west-1"))
    asked: list[AccessQuestion] = field(default_factory=list)
    denied: Callable[[AccessQuestion], bool] = lambda _question: False
    model: S3Model = field(init=False)

    def __post_init__(self) -> None:
        self.model = S3Model(
            now=self.tick, random=Random(3), limits=self.limits, authorize=self.authorize
        )
        for name in (BUCKET, PLAIN):
            self.model.create_bucket(self.own, CreateBucketRequest(bucket=name))
        lock = CreateBucketRequest(bucket=LOCKED, is_object_lock_enabled=True)
        self.model.create_bucket(self.own, lock)
        there = CreateBucketRequest(bucket=DESTINATION, location="eu-west-1")
        self.model.create_bucket(self.other, there)
        self.version(BUCKET, "Enabled")
        self.version(DESTINATION, "Enabled")
        self.asked.clear()

    def tick(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def authorize(self, question: AccessQuestion) -> bool:
        self.asked.append(question)
        return not self.denied(question)

    def actions(self, act: Callable[[], object]) -> list[tuple[str, str]]:
        """The actions asked for, each with its bucket."""
        self.asked.clear()
        act()
        return [(question.action, question.bucket) for question in self.asked]

    def bucket(self, name: str = BUCKET) -> Bucket:
        return self.model.world.buckets[name]

    def version(self, bucket: str, status: str) -> None:
        request = PutBucketVersioningRequest(bucket=bucket, status=status)
        self.model.put_bucket_versioning(self.own, request)

    def encrypt(self, bucket: str, **encryption: object) -> None:
        request = PutBucketEncryptionRequest(
            bucket=bucket,
            encryption=RequestedEncryption(**encryption),  # type: ignore[arg-type] # a table's
            blocks_sse_c=False,
        )
        self.model.put_bucket_encryption(self.own, request)

    def put(
        self, key: str = "k", body: bytes = b"body", bucket: str = BUCKET, **more: object
    ) -> PutObjectResult:
        if bucket == LOCKED:  # which takes nothing without a checksum
            more = {"checksum": SentChecksum(algorithm="CRC64NVME")} | more
        request = PutObjectRequest(bucket=bucket, key=key, body=body, **more)  # type: ignore[arg-type] # a table's
        return self.model.put_object(self.own, request)

    def delete(
        self, key: str = "k", version_id: str | None = None, bucket: str = BUCKET, **more: object
    ) -> DeleteObjectResult:
        request = DeleteObjectRequest(bucket=bucket, key=key, version_id=version_id, **more)  # type: ignore[arg-type] # a table's
        return self.model.delete_object(self.own, request)

    def head(self, key: str = "k", bucket: str = BUCKET, **more: object) -> ObjectDescription:
        request = ReadObjectRequest(bucket=bucket, key=key, **more)  # type: ignore[arg-type] # a table's
        return self.model.head_object(self.own, request)

    def read(self, key: str = "k", bucket: str = BUCKET, **more: object) -> bytes:
        request = ReadObjectRequest(bucket=bucket, key=key, **more)  # type: ignore[arg-type] # a table's
        return self.model.get_object(self.own, request).body

    def copy(
        self,
        key: str = "copy",
        bucket: str = DESTINATION,
        source: CopySource | None = None,
        by: Caller | None = None,
        **more: object,
    ) -> CopyObjectResult:
        request = CopyObjectRequest(
            bucket=bucket,
            key=key,
            source=source or CopySource(bucket=BUCKET, key="k"),
            **more,  # type: ignore[arg-type] # a table's
        )
        return self.model.copy_object(by or self.own, request)

    def create_upload(self, key: str = "k", bucket: str = BUCKET, **more: object) -> str:
        request = CreateMultipartUploadRequest(bucket=bucket, key=key, **more)  # type: ignore[arg-type] # a table's
        return self.model.create_multipart_upload(self.own, request).upload_id

    def upload_part(
        self,
        upload_id: str,
        number: int,
        body: bytes,
        key: str = "k",
        bucket: str = BUCKET,
        algorithm: str | None = None,
        value: str | None = None,
    ) -> CompletedPart:
        """Upload a part; how Complete names it, checksum included."""
        sent = None if algorithm is None else SentChecksum(algorithm=algorithm, value=value)
        result = self.model.upload_part(
            self.own,
            UploadPartRequest(
                bucket=bucket,
                key=key,
                upload_id=upload_id,
                part_number=number,
                body=body,
                checksum=sent,
            ),
        )
        found = result.checksum
        told = None
        if found is not None:
            told = SentChecksum(algorithm=found.algorithm, value=found.value)
        return CompletedPart(number=number, etag=f'"{result.etag}"', checksum=told)

    def complete(
        self,
        upload_id: str,
        parts: list[CompletedPart],
        key: str = "k",
        bucket: str = BUCKET,
        **more: object,
    ) -> CompleteMultipartUploadResult:
        request = CompleteMultipartUploadRequest(
            bucket=bucket,
            key=key,
            upload_id=upload_id,
            parts=tuple(parts),
            **more,  # type: ignore[arg-type] # a table's
        )
        return self.model.complete_multipart_upload(self.own, request)

    def multipart(
        self, key: str, bodies: list[bytes], bucket: str = BUCKET, **more: object
    ) -> CompleteMultipartUploadResult:
        """A whole upload; parts carry checksums where the algorithm wants them."""
        upload_id = self.create_upload(key, bucket, **more)
        algorithm = more.get("checksum_algorithm")
        parts = [
            self.upload_part(
                upload_id, number, body, key, bucket, None if algorithm is None else str(algorithm)
            )
            for number, body in enumerate(bodies, start=1)
        ]
        return self.complete(upload_id, parts, key, bucket)

    def everything(self) -> dict[str, list[Entry]]:
        """All that is stored, to see that a refusal changed nothing."""
        return {name: list(bucket.entries()) for name, bucket in self.model.world.buckets.items()}


@pytest.fixture
def stage() -> Stage:
    return Stage(limits=SMALL)


SMALL = Limits(
    copy_size_bytes=64,
    put_size_bytes=256,
    minimum_part_size_bytes=8,
    parts_count=5,
    page_size=7,
    metadata_size_bytes=64,
)
"""AWS's limits where they cost nothing to reach, small ones where they would."""
