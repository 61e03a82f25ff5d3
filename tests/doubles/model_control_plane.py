"""The reference model behind the product's port ControlPlane."""

from collections.abc import Mapping
from datetime import datetime

from backfill.model.places import BucketFacts, BucketPlace
from backfill.sandbox.model.operations.buckets import BucketRequest
from tests.doubles.model_requests import Parameters
from tests.doubles.simulated_s3 import Wire


class ModelControlPlane:
    """The port ControlPlane of one identity.

    `configuration` is the document as the SDK gives it; the model has the same one as XML.
    """

    def __init__(self, wire: Wire, configuration: Mapping[str, object] | None) -> None:
        self._wire = wire
        self._model = wire.s3.model
        self._configuration = configuration

    async def account_id(self) -> str:
        return await self._wire.send(
            "GetCallerIdentity", {}, lambda _: self._wire.caller.account_id
        )

    async def bucket_region(self, bucket: str) -> str:
        def act(_: Parameters) -> str:
            region = self._model.bucket_region(bucket)
            assert region is not None, "the bucket is there"
            return region

        return await self._wire.send("HeadBucket", {"Bucket": bucket}, act)

    async def server_time(self, bucket: str) -> datetime | None:
        return await self._wire.send(
            "HeadBucket", {"Bucket": bucket}, lambda _: self._wire.s3.clock.now()
        )

    async def store_name(self, bucket: str) -> str:
        return await self._wire.send("HeadBucket", {"Bucket": bucket}, lambda _: "AmazonS3")

    async def bucket_facts(self, place: BucketPlace) -> BucketFacts:
        bucket = self._model.world.buckets[place.bucket]
        return BucketFacts(
            region=place.region,
            versioning=await self.versioning(place),
            has_object_lock=bucket.is_object_lock_enabled,
            object_ownership=bucket.object_ownership,
        )

    async def versioning(self, place: BucketPlace) -> str:
        def act(_: Parameters) -> str:
            request = BucketRequest(bucket=place.bucket, expected_bucket_owner=place.expected_owner)
            status = self._model.get_bucket_versioning(self._wire.caller, request).status
            return status.value if status else ""

        return await self._wire.send("GetBucketVersioning", {"Bucket": place.bucket}, act)

    async def require_owner(self, place: BucketPlace) -> None:
        def act(_: Parameters) -> bool:
            request = BucketRequest(bucket=place.bucket, expected_bucket_owner=place.expected_owner)
            self._model.head_bucket(self._wire.caller, request)
            return True

        await self._wire.send("HeadBucket", {"Bucket": place.bucket}, act)

    async def has_default_retention(self, place: BucketPlace) -> bool:
        return self._model.world.buckets[place.bucket].default_retention is not None

    async def replication_configuration(
        self, bucket: str, expected_owner: str | None
    ) -> Mapping[str, object] | None:
        assert expected_owner is None or len(expected_owner) == 12
        found = await self._wire.send(
            "GetBucketReplication", {"Bucket": bucket}, lambda _: (self._configuration,)
        )
        return found[0]
