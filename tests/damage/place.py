"""Two buckets of the model full of copies that the product made, to damage and to verify again.

The product runs as in the simulation, behind its ports and in virtual time, but in calm weather.
What stands after the run is remembered, so that many rounds of damage cost one run.
Law: a round of damage begins with what the run left, to the last byte.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import TypeVar

from backfill import pipeline
from backfill.aws import requests
from backfill.aws.retry import ReadRetries, RetryingControlPlane, RetryingStore
from backfill.campaign import Campaign, DestinationSpec, OtherWriters, Scope, Versions
from backfill.compose import Clients, Machine
from backfill.execute.stop import StopRequest
from backfill.model.attributes import EncryptionKind, ObjectHead
from backfill.model.objects import ETag, VersionId
from backfill.model.pauses import Pauses, RetryBudget
from backfill.model.places import BucketFacts, BucketPlace
from backfill.model.store import CopyObjectRequest, WriteResult
from backfill.sandbox.model import raw_edits
from backfill.sandbox.model.identities import Caller, canonical_id
from backfill.sandbox.model.limits import AWS_LIMITS
from backfill.sandbox.model.model import S3Model
from backfill.sandbox.model.operations.buckets import (
    CreateBucketRequest,
    PutBucketVersioningRequest,
)
from backfill.sandbox.model.operations.objects import ReadObjectRequest
from backfill.sandbox.model.replication.settings import ReplicationSettings
from backfill.sandbox.model.values import RequestedEncryption
from backfill.sandbox.model.versions import Entry
from backfill.sandbox.simulation.loop import VirtualTimeLoop
from backfill.sandbox.simulation.nemesis import CALM, Nemesis
from backfill.settings import Settings
from backfill.verify.verdicts import VerdictRow
from backfill.work_done import WorkDone
from tests.damage.originals import CUSTOMER_KEY, REPLICA_KEY
from tests.doubles import model_requests as translated
from tests.doubles.listings import KeptEvents
from tests.doubles.memory_artifacts import MemoryArtifacts
from tests.doubles.model_control_plane import ModelControlPlane
from tests.doubles.model_requests import Parameters
from tests.doubles.model_store import ModelStore
from tests.doubles.no_batch import NO_BATCH_BUCKET, NO_BATCH_OPERATIONS
from tests.doubles.simulated_s3 import Process, SimulatedS3, Wire
from tests.doubles.virtual_clock import VirtualClock
from tests.simulation.prehistory import put_rule
from tests.simulation.scenario import COPY_LIMIT_BYTES, DESTINATION, OWNER, RECEIVER, SOURCE

Result = TypeVar("Result")
_STEPS_MAX = 20_000_000

RULE: Mapping[str, object] = {
    "Role": "arn:aws:iam::111111111111:role/replication",
    "Rules": [
        {
            "ID": "all",
            "Status": "Enabled",
            "Priority": 1,
            "Filter": {"Prefix": ""},
            "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
            "DeleteMarkerReplication": {"Status": "Enabled"},
            "Destination": {
                "Bucket": f"arn:aws:s3:::{DESTINATION}",
                "EncryptionConfiguration": {"ReplicaKmsKeyID": REPLICA_KEY},
            },
        }
    ],
}


class KeyedStore(ModelStore):
    """The port ObjectStore of somebody who may have the customer's key."""

    def __init__(self, wire: Wire, *, has_key: bool) -> None:
        super().__init__(wire)
        self._has_key = has_key

    def _needs_key(self, bucket: str, key: str, version_id: str | None) -> bool:
        there = self._wire.s3.model.world.buckets[bucket]
        entry = there.current(key) if version_id is None else there.find(key, version_id)
        encryption = getattr(entry, "encryption", None)
        return self._has_key and encryption is not None and bool(encryption.customer_key_md5)

    async def head_object(
        self,
        place: BucketPlace,
        key: str,
        *,
        version_id: VersionId | None = None,
        part_number: int | None = None,
    ) -> ObjectHead:
        if not self._needs_key(place.bucket, key, version_id):
            return await super().head_object(
                place, key, version_id=version_id, part_number=part_number
            )

        def act(_: Parameters) -> ObjectHead:
            told = self._model.head_object(self._caller, self._reading(place, key, version_id))
            head = translated.object_head(told)
            md5 = told.encryption.customer_key_md5
            return head._replace(encryption=replace(head.encryption, customer_key_md5=md5))

        parameters = requests.head_parameters(place, key, version_id, part_number)
        return await self._wire.send("HeadObject", parameters, act)

    async def read_object(
        self, place: BucketPlace, key: str, *, version_id: VersionId | None = None
    ) -> AsyncIterator[bytes]:
        if not self._needs_key(place.bucket, key, version_id):
            async for data in super().read_object(place, key, version_id=version_id):
                yield data
            return
        request = self._reading(place, key, version_id)
        parameters = requests.version_parameters(place, key, version_id)
        yield await self._wire.send(
            "GetObject", parameters, lambda _: self._model.get_object(self._caller, request).body
        )

    async def copy_object(self, request: CopyObjectRequest) -> WriteResult:
        if request.encryption is None or request.encryption.kind is not EncryptionKind.SSE_C:
            return await super().copy_object(request)

        def act(parameters: Parameters) -> WriteResult:
            asked = translated.copy_request(parameters)
            keyed = RequestedEncryption(customer_key=CUSTOMER_KEY)
            made = self._model.copy_object(
                self._caller,
                replace(
                    asked,
                    source=replace(asked.source, customer_key=CUSTOMER_KEY),
                    attributes=replace(asked.attributes, encryption=keyed),
                ),
            )
            return WriteResult(
                etag=ETag(made.etag),
                version_id=VersionId(made.version_id) if made.version_id else None,
                checksums=translated.checksums(made.checksum),
                last_modified=made.last_modified,
            )

        return await self._wire.send("CopyObject", requests.copy_parameters(request), act)

    def _reading(self, place: BucketPlace, key: str, version_id: str | None) -> ReadObjectRequest:
        return ReadObjectRequest(
            bucket=place.bucket,
            key=key,
            version_id=version_id,
            is_checksum_mode_enabled=True,
            customer_key=CUSTOMER_KEY,
            expected_bucket_owner=place.expected_owner,
        )


class OwnersControlPlane(ModelControlPlane):
    """A control plane that is told who owns a bucket, as ACLs need."""

    async def bucket_facts(self, place: BucketPlace) -> BucketFacts:
        facts = await super().bucket_facts(place)
        return replace(facts, owner_id=canonical_id(place.expected_owner))


SETTINGS = Settings(
    concurrency=8,
    copy_object_bytes_max=COPY_LIMIT_BYTES,
    settle_delay_s=1.0,
    settle_rounds=0,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What a place is about. `has_key`: of SSE-C objects; `has_acls`: objects may have their own.

    Without ACLs a key with nothing out of the ordinary is verified by the short way (`plain`).
    """

    seed: int
    has_rule: bool = True
    has_key: bool = True
    has_acls: bool = True
    versions: Versions = Versions.CURRENT
    allows_hiding: bool = False
    settings: Settings = SETTINGS

    @property
    def campaign(self) -> Campaign:
        """What the person asked for."""
        spec = DestinationSpec(
            bucket=DESTINATION, kms_key_arn=REPLICA_KEY, replicates_delete_markers=True
        )
        return Campaign(
            source_bucket=SOURCE,
            destination=None if self.has_rule else spec,
            destination_owner=RECEIVER.account_id,
            other_writers=OtherWriters.BY_RULES if self.has_rule else OtherWriters.QUIET,
            scope=Scope(versions=self.versions),
            allows_hiding=self.allows_hiding,
            settings=self.settings,
        )


Kept = tuple[list[str], dict[str, list[Entry]], dict[str, dict[str, object]], set[Path]]


class Place:
    """Both buckets, the run directory, and the product at work on them."""

    def __init__(self, story: Story, root: Path, clock: VirtualClock, model: S3Model) -> None:
        self.story = story
        self.clock = clock
        self.model = model
        self.s3 = SimulatedS3(model, clock, Random(f"damaged s3 {story.seed}"))
        self.artifacts = MemoryArtifacts()
        self.random = Random(f"damaged wire {story.seed}")
        self.nemesis = Nemesis(self.random, CALM)
        self.wire_type: Callable[..., Wire] = Wire
        self.budgets = list[RetryBudget]()
        """Of each process that was begun."""
        self._root = root

    async def begin(self) -> pipeline.Run:
        """Open the run directory."""
        document = RULE if self.story.has_rule else None
        wires = self._wire(OWNER), self._wire(RECEIVER)
        settings, events = self.story.settings, KeptEvents()
        pauses = Pauses(base_s=settings.retry_base_s, cap_s=settings.retry_cap_s)
        budget = RetryBudget(ratio=settings.retry_budget_ratio, floor=settings.retry_budget_floor)
        self.budgets.append(budget)
        retries = ReadRetries(
            attempts_max=settings.control_attempts_max,
            pauses=pauses,
            budget=budget,
            clock=self.clock,
            random=self.random,
            events=events,
        )
        source, destination = (
            RetryingStore(KeyedStore(one, has_key=self.story.has_key), retries) for one in wires
        )
        source_control, destination_control = (
            RetryingControlPlane(OwnersControlPlane(one, document), retries) for one in wires
        )
        clients = Clients(
            source=source,
            destination=destination,
            source_control=source_control,
            destination_control=destination_control,
            source_batch=NO_BATCH_OPERATIONS,
            destination_batch=NO_BATCH_OPERATIONS,
            source_batch_bucket=NO_BATCH_BUCKET,
            destination_batch_bucket=NO_BATCH_BUCKET,
            pauses=pauses,
            budget=budget,
        )
        here = Machine(
            root=self._root, artifacts=self.artifacts, clock=self.clock, random=self.random
        )
        return await pipeline.begin(self.story.campaign, here, clients, events)

    def _wire(self, caller: Caller) -> Wire:
        return self.wire_type(
            s3=self.s3,
            nemesis=self.nemesis,
            process=Process("process"),
            caller=caller,
            random=self.random,
        )

    async def carry(self) -> pipeline.Run:
        """Do what `backfill run` does, up to verify."""
        run = await self.begin()
        await pipeline.take_inventories(run)
        await pipeline.plan(run)
        await pipeline.execute(run, StopRequest())
        return run

    async def verify(self, run: pipeline.Run, *, is_deep: bool = False) -> list[VerdictRow]:
        """Verify, and return the verdicts."""
        await pipeline.verify(replace(run, campaign=replace(run.campaign, is_deep=is_deep)))
        return list(WorkDone(self.artifacts).verdicts())

    def keep(self) -> Kept:
        """Return what stands now."""
        bucket, held = raw_edits.bucket_of(self.model, DESTINATION), self.artifacts
        return (
            list(bucket.keys),
            {key: list(chain) for key, chain in bucket.chains.items()},
            {name: dict(getattr(held, name)) for name in _HELD},
            set(self._journals()),
        )

    def go_back(self, kept: Kept) -> None:
        """Let stand again what stood then."""
        keys, chains, held, journals = kept
        bucket = raw_edits.bucket_of(self.model, DESTINATION)
        bucket.keys[:] = keys
        bucket.chains.clear()
        bucket.chains.update((key, list(chain)) for key, chain in chains.items())
        for name in _HELD:
            getattr(self.artifacts, name).clear()
            getattr(self.artifacts, name).update(held[name])
        for folder in set(self._journals()) - journals:
            shutil.rmtree(folder)

    def _journals(self) -> Iterator[Path]:
        return (self._root / "journal").iterdir()


_HELD = ("indexes", "held", "documents", "stretched")


def new_model(story: Story, clock: VirtualClock) -> S3Model:
    """Return a model with two versioned buckets that let objects have all that they can have."""
    model = S3Model(
        now=clock.now,
        random=Random(f"damaged model {story.seed}"),
        limits=replace(AWS_LIMITS, minimum_part_size_bytes=1),
        replication=ReplicationSettings(shortest_lag_s=0.0, longest_lag_s=1.0),
    )
    for caller, bucket in ((OWNER, SOURCE), (RECEIVER, DESTINATION)):
        model.create_bucket(
            caller,
            CreateBucketRequest(
                bucket=bucket,
                location=caller.region,
                is_object_lock_enabled=True,
                object_ownership="ObjectWriter" if story.has_acls else "BucketOwnerEnforced",
            ),
        )
        enabled = PutBucketVersioningRequest(bucket=bucket, status="Enabled")
        model.put_bucket_versioning(caller, enabled)
        raw_edits.bucket_of(model, bucket).blocks_sse_c = False
    return model


def in_place(
    story: Story,
    fill: Callable[[S3Model, VirtualClock], None],
    act: Callable[[Place], Awaitable[Result]],
    *,
    model_of: Callable[[Story, VirtualClock], S3Model] = new_model,
) -> Result:
    """Let somebody act in a place whose source was filled a day ago, in virtual time."""
    clock = VirtualClock()
    clock.skip(-86_400)
    model = model_of(story, clock)
    fill(model, clock)
    clock.skip(86_400)
    loop = VirtualTimeLoop(steps_max=_STEPS_MAX)
    root = Path(tempfile.mkdtemp(prefix="damage-"))

    async def acting() -> Result:
        return await act(Place(story, root, clock, model))

    try:
        return loop.run_until_complete(acting())
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.close()
        shutil.rmtree(root)


def switch_rule_on(model: S3Model) -> None:
    """Switch replication on at the source."""
    put_rule(model, RULE)
