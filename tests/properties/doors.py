"""Three doors to three equal worlds: the reference model, and the strict server by each client.

Each world has a source and a destination bucket of the same history. Version IDs and upload IDs
differ from world to world, so that an answer is compared with these named by when they were made;
times are left out.
Law: what one door answers, all do.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, datetime
from random import Random
from typing import TypeVar, cast

from backfill.aws.faults import store_fault
from backfill.errors import StoreFault
from backfill.model.objects import ListedEntry, VersionId
from backfill.model.places import BucketPlace
from backfill.model.store import CopiedPart, MultipartUpload
from backfill.ports import ObjectStore
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.limits import Limits
from backfill.sandbox.model.model import S3Model
from backfill.sandbox.model.operations.buckets import (
    CreateBucketRequest,
    PutBucketVersioningRequest,
)
from backfill.sandbox.model.operations.listings import ListedVersion
from backfill.sandbox.model.versions import Entry
from backfill.sandbox.service import SOURCE
from tests.doubles.model_requests import Parameters, listed_entry
from tests.doubles.model_store import ModelStore
from tests.doubles.simulated_s3 import Wire

T = TypeVar("T")

SMALL = Limits(minimum_part_size_bytes=4)
"""As AWS's, but that parts may be short."""
OWNER = Caller(account_id=SOURCE.account_id, arn=SOURCE.root.arn, region=SOURCE.region)
HeldModel = Callable[[], AbstractContextManager[S3Model]]
Act = Callable[["Door"], Awaitable[object]]


class DirectWire:
    """What `ModelStore` sends by, without a wait and without a fault: the model's own answer."""

    def __init__(self, model: S3Model) -> None:
        self.model = model
        self.caller = OWNER

    @property
    def s3(self) -> "DirectWire":
        """Return what has the model."""
        return self

    def listed(self, row: ListedVersion) -> ListedEntry:
        """Return a row of a listing as the SDK's client gives it."""
        return listed_entry(row)

    async def send(
        self,
        operation: str,
        parameters: Parameters,
        act: Callable[[Parameters], T],
        *,
        seen: Callable[[T], None] | None = None,
    ) -> T:
        """Carry out one request."""
        assert seen is None or operation == "ListObjectVersions", "only listings are remembered"
        try:
            return act(parameters)
        except S3Error as error:
            # A HEAD answer has no body, so a client has only the status to tell.
            is_bare = operation == "HeadObject" and error.status not in (400, 403)
            raise store_fault(
                operation=operation,
                code=str(error.status) if is_bare else error.code,
                status=error.status,
                bucket=str(parameters.get("Bucket", "")),
            ) from None


@dataclass(slots=True, kw_only=True)  # a world moves on
class Door:
    """One way to one world. `ids` names version and upload IDs by when they were made."""

    name: str
    store: ObjectStore
    held: HeldModel
    source: BucketPlace
    destination: BucketPlace
    ids: dict[str, str] = field(default_factory=dict)
    uploads: list[tuple[MultipartUpload, dict[int, CopiedPart]]] = field(default_factory=list)
    is_unspeakable: bool = False
    """Whether an act's key is one that XML cannot hold: an error that echoes it loses its code,
    and is judged by its status."""

    def chain(self, place: BucketPlace, key: str) -> tuple[Entry, ...]:
        """Return a key's entries, newest first."""
        with self.held() as model:
            return tuple(reversed(model.world.buckets[place.bucket].chain(key)))

    def note_ids(self) -> None:
        """Name the IDs that were made since the last time."""
        with self.held() as model:
            for place in (self.source, self.destination):
                bucket = model.world.buckets[place.bucket]
                entries = [entry for key in bucket.keys for entry in bucket.chain(key)]
                for entry in sorted(entries, key=lambda entry: entry.sequence):
                    if entry.version_id != "null":
                        self.ids.setdefault(entry.version_id, f"id {len(self.ids)}")

    async def answer(self, act: Act) -> object:
        """Return what an act comes to, in terms that are equal for equal worlds."""
        try:
            result: object = await act(self)
        except StoreFault as fault:
            self.note_ids()
            if self.is_unspeakable:
                return "fault", fault.operation, fault.status
            return "fault", fault.operation, fault.code, fault.status, fault.disposition
        self.note_ids()
        return self._plain(result)

    def _plain(self, value: object) -> object:
        if isinstance(value, str):
            return self.ids.get(value, value)
        if isinstance(value, datetime):
            return "a time"
        if is_dataclass(value) and not isinstance(value, type):
            return tuple(self._plain(getattr(value, each.name)) for each in fields(value))
        if isinstance(value, tuple | list):
            return tuple(map(self._plain, value))
        return value


def new_bucket(held: HeldModel, name: str) -> BucketPlace:
    """Make a versioned bucket in a world."""
    with held() as model:
        model.create_bucket(OWNER, CreateBucketRequest(bucket=name))
        model.put_bucket_versioning(
            OWNER, PutBucketVersioningRequest(bucket=name, status="Enabled")
        )
    return BucketPlace(
        bucket=name,
        region=SOURCE.region,
        expected_owner=SOURCE.account_id,
        owner_origin="flag",
    )


def new_door(name: str, store: ObjectStore, held: HeldModel, number: int) -> Door:
    """Make a world with two empty buckets."""
    return Door(
        name=name,
        store=store,
        held=held,
        source=new_bucket(held, f"source-{name}-{number}"),
        destination=new_bucket(held, f"destination-{name}-{number}"),
    )


def model_door(number: int) -> Door:
    """Make the reference world, of a model of its own."""
    model = S3Model(now=lambda: datetime.now(UTC), random=Random(number), limits=SMALL)

    @contextmanager
    def held() -> Iterator[S3Model]:
        yield model

    store = ModelStore(cast("Wire", DirectWire(model)))
    return new_door("model", store, held, number)


def version_at(door: Door, place: BucketPlace, key: str, position: int) -> Entry | None:
    """Return a key's entry by its position from the newest; None where it has none."""
    chain = door.chain(place, key)
    return chain[position % len(chain)] if chain else None


UNKNOWN_VERSION = VersionId("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
"""A version ID of S3's form that nothing has."""
