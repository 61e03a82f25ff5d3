"""A scene of two accounts, and what answers when it is asked where jobs could be made."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

from backfill.campaign import BatchOptions
from backfill.errors import Disposition, StoreFault
from backfill.model.jobs import JobPlace, JobProgress, JobStatus, JobSummary
from backfill.model.places import BucketFacts, BucketPlace
from backfill.plan.rules import Rules
from backfill.preflight.scene import DestinationScene, Scene

ROLE = "arn:aws:iam::111111111111:role/batch"
SOURCE = BucketPlace(
    bucket="from-bucket", region="us-east-1", expected_owner="111111111111", owner_origin="STS"
)
DESTINATION = replace(SOURCE, bucket="to-bucket", expected_owner="222222222222")
FACTS = BucketFacts(
    region="us-east-1", versioning="Enabled", has_object_lock=False, object_ownership=""
)
SCENE = Scene(
    source=SOURCE,
    source_facts=FACTS,
    destinations=(DestinationScene(place=DESTINATION, facts=FACTS),),
    horizon=datetime(2026, 1, 1, tzinfo=UTC),
    configuration=None,
    rules=Rules(rules=()),
)
GIVEN = BatchOptions(role_arn=ROLE, bucket="jobs-bucket")


def fault(status: int, code: str, operation: str = "ListJobs") -> StoreFault:
    return StoreFault(operation=operation, code=code, status=status, disposition=Disposition.FAIL)


class Jobs:
    """Batch Operations that answer one question."""

    def __init__(self, answer: StoreFault | None = None) -> None:
        self.answer = answer
        self.asked: list[JobPlace] = []

    async def list_jobs(self, place: JobPlace) -> AsyncIterator[JobSummary]:
        self.asked.append(place)
        if self.answer is not None:
            raise self.answer
        while True:
            yield JobSummary(
                job_id="j",
                status=JobStatus.COMPLETE,
                operation="S3ReplicateObject",
                priority=1,
                description="somebody's",
                created_at=datetime(2026, 1, 1, tzinfo=UTC),
                progress=JobProgress(),
            )


class Regions:
    """A control plane that knows buckets' Regions, and of some what makes them unusable."""

    def __init__(self, **regions: str) -> None:
        self.regions = {name.replace("_", "-"): region for name, region in regions.items()}
        self.owner_faults: dict[str, StoreFault] = {}
        self.retained: set[str] = set()
        self.owners_asked: list[tuple[str, str]] = []

    async def bucket_region(self, bucket: str) -> str:
        if bucket not in self.regions:
            raise fault(404, "NoSuchBucket")
        return self.regions[bucket]

    async def require_owner(self, place: BucketPlace) -> None:
        self.owners_asked.append((place.bucket, place.expected_owner))
        if place.bucket in self.owner_faults:
            raise self.owner_faults[place.bucket]

    async def has_default_retention(self, place: BucketPlace) -> bool:
        return place.bucket in self.retained
