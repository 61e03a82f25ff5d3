"""One sandbox for the whole folder, and a fresh pair of buckets for each test."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import pytest

from backfill.sandbox.model.limits import Limits
from backfill.sandbox.service import DESTINATION, SOURCE, Sandbox
from tests.wire.sandbox.raw_client import RawAnswer, RawS3

_NUMBERS = count(1)

VERSIONING = (
    b'<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    b"<Status>Enabled</Status></VersioningConfiguration>"
)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """A running sandbox with a copy limit that tests can reach."""
    limits = Limits(copy_size_bytes=6 * 1024 * 1024)
    with Sandbox(seed=7, limits=limits) as running:
        yield running


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The source's and the destination's client, each with a versioned bucket of its own."""

    sandbox: Sandbox
    source: RawS3
    destination: RawS3
    source_bucket: str
    destination_bucket: str

    def put(self, key: str, body: bytes = b"body", **headers: str) -> RawAnswer:
        """Write to the source bucket; header names with underscores for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.source.ask("PUT", f"/{self.source_bucket}/{key}", headers=named, body=body)
        assert answer.status == 200, answer.body
        return answer

    def copy(self, key: str, **headers: str) -> RawAnswer:
        """Copy within the source bucket from `key` to `copy`."""
        named = {"x-amz-copy-source": f"{self.source_bucket}/{key}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return self.source.ask("PUT", f"/{self.source_bucket}/copy", headers=named)


def raw_client(sandbox: Sandbox, account: str) -> RawS3:
    chosen = {"source": SOURCE, "destination": DESTINATION}[account]
    return RawS3(
        port=sandbox.port,
        access_key=chosen.root.access_key_id,
        secret=chosen.root.secret_access_key,
        region=chosen.region,
    )


@pytest.fixture
def place(sandbox: Sandbox) -> Iterator[Place]:
    """Two fresh versioned buckets and a client for each account."""
    number = next(_NUMBERS)
    with raw_client(sandbox, "source") as source, raw_client(sandbox, "destination") as destination:
        made = Place(
            sandbox=sandbox,
            source=source,
            destination=destination,
            source_bucket=f"source-{number}",
            destination_bucket=f"destination-{number}",
        )
        location = (
            b"<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint>"
            b"</CreateBucketConfiguration>"
        )
        for client, bucket, body in (
            (source, made.source_bucket, b""),
            (destination, made.destination_bucket, location),
        ):
            answer = client.ask("PUT", f"/{bucket}", body=body)
            assert answer.status == 200, answer.body
            answer = client.ask("PUT", f"/{bucket}", "versioning", body=VERSIONING)
            assert answer.status == 200, answer.body
        yield made
