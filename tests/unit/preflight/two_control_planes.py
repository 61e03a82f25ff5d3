"""Control planes that answer what a case states, as two identities would hear it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from backfill.errors import Disposition, StoreFault
from backfill.model.places import BucketFacts, BucketPlace

SOURCE_ACCOUNT, DESTINATION_ACCOUNT, THIRD_ACCOUNT = "111111111111", "222222222222", "3" * 12


def denied(operation: str, code: str = "AccessDenied", status: int = 403) -> StoreFault:
    return StoreFault(
        operation=operation,
        code=code,
        status=status,
        disposition=Disposition.STOP,
        message="made for a test",
    )


@dataclass(slots=True, kw_only=True)
class ToldControlPlane:
    """Port ControlPlane of one identity. `faults` maps an operation to what it raises."""

    account: str
    regions: Mapping[str, str]
    versioning_of: dict[str, str] = field(default_factory=dict)
    configuration: Mapping[str, object] | None = None
    time: datetime | None = None
    faults: dict[str, StoreFault] = field(default_factory=dict)
    owners_asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Operation, bucket, expected owner, of every call that can carry one."""

    def _fail(self, operation: str) -> None:
        if operation in self.faults:
            raise self.faults[operation]

    async def account_id(self) -> str:
        self._fail("GetCallerIdentity")
        return self.account

    async def bucket_region(self, bucket: str) -> str:
        self._fail("HeadBucket")
        if bucket not in self.regions:
            raise denied("HeadBucket", code="NoSuchBucket", status=404)
        return self.regions[bucket]

    async def server_time(self, bucket: str) -> datetime | None:
        self._fail("HeadBucket")
        assert bucket in self.regions
        return self.time

    async def store_name(self, bucket: str) -> str:
        self._fail("HeadBucket")
        assert bucket in self.regions
        return "AmazonS3"

    async def bucket_facts(self, place: BucketPlace) -> BucketFacts:
        self.owners_asked.append(("facts", place.bucket, place.expected_owner))
        self._fail("GetBucketVersioning")
        return BucketFacts(
            region=place.region,
            versioning=self.versioning_of.get(place.bucket, "Enabled"),
            has_object_lock=False,
            object_ownership="BucketOwnerEnforced",
        )

    async def versioning(self, place: BucketPlace) -> str:
        self.owners_asked.append(("versioning", place.bucket, place.expected_owner))
        self._fail("GetBucketVersioning")
        return self.versioning_of.get(place.bucket, "Enabled")

    async def require_owner(self, place: BucketPlace) -> None:
        self.owners_asked.append(("owner", place.bucket, place.expected_owner))
        self._fail("HeadBucket")

    async def has_default_retention(self, place: BucketPlace) -> bool:
        self.owners_asked.append(("retention", place.bucket, place.expected_owner))
        self._fail("GetObjectLockConfiguration")
        return False

    async def replication_configuration(
        self, bucket: str, expected_owner: str | None
    ) -> Mapping[str, object] | None:
        self.owners_asked.append(("configuration", bucket, expected_owner))
        self._fail("GetBucketReplication")
        return self.configuration


def configuration_to(
    *buckets: str, account: str = "", status: str = "Enabled"
) -> dict[str, object]:
    """Return a configuration with one rule for each bucket, as the SDK gives it."""
    owner = {"Account": account} if account else {}
    return {
        "Role": "arn:aws:iam::111111111111:role/replication",
        "Rules": [
            {
                "ID": f"to-{bucket}",
                "Priority": number,
                "Status": status,
                "Filter": {"Prefix": ""},
                "DeleteMarkerReplication": {"Status": "Disabled"},
                "Destination": {"Bucket": f"arn:aws:s3:::{bucket}", **owner},
            }
            for number, bucket in enumerate(buckets)
        ],
    }
