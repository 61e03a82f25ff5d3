"""Writing the one small object that preflight sends to see whether it arrives.

Never implements anything. It stands apart from ObjectStore, whose writes all copy a source version:
nothing but preflight writes bytes of its own into the source bucket.
Law: the write is conditional on an absent key; what is there is never replaced.
"""

from collections.abc import Mapping
from typing import Protocol

from backfill.model.attributes import Pairs
from backfill.model.jobs import Uploaded
from backfill.model.places import BucketPlace


class CanaryStore(Protocol):
    """The source bucket as the source identity may write to it."""

    async def put_canary(
        self, place: BucketPlace, key: str, body: bytes, *, tags: Pairs, metadata: Mapping[str, str]
    ) -> Uploaded:
        """Put an object under an absent key. Raises StoreFault; it may have been applied."""
        ...
