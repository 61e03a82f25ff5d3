"""What was before a run: buckets, and years of writes.

It is written as it may have been written in truth: null versions before versioning, an earlier
rule that was in force for a while, copies of an earlier run, and strangers' objects at the
destination. Only then the rule that the run is about is put.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random

from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.limits import AWS_LIMITS
from backfill.sandbox.model.model import S3Model
from backfill.sandbox.model.operations import copies, multipart, objects
from backfill.sandbox.model.operations.buckets import (
    BucketRequest,
    CreateBucketRequest,
    PutBucketReplicationRequest,
    PutBucketVersioningRequest,
)
from backfill.sandbox.model.replication.settings import ReplicationSettings
from backfill.sandbox.model.values import ContentHeaders, SentChecksum, WrittenAttributes
from tests.doubles.virtual_clock import VirtualClock
from tests.simulation.scenario import DESTINATION, OWNER, RECEIVER, SOURCE, Scenario, rule_document

Act = Callable[[str], None]

BODIES = tuple(
    bytes([letter]) * size for size in (0, 7, 7, 40, 40, 90) for letter in (65 + size % 7, 75)
)
"""Few, so that equal bytes and equal sizes of different bytes are frequent."""
PARTED_SIZES = ((30, 30, 20), (40, 25), (33, 33, 33))


def model_of(scenario: Scenario, clock: VirtualClock) -> S3Model:
    """Return a model without buckets."""
    return S3Model(
        now=clock.now,
        random=Random(f"model {scenario.seed}"),
        limits=replace(AWS_LIMITS, minimum_part_size_bytes=1),
        replication=ReplicationSettings(
            shortest_lag_s=scenario.lag_s[0],
            longest_lag_s=scenario.lag_s[1],
            placement=scenario.placement,
        ),
    )


def new_model(scenario: Scenario, clock: VirtualClock) -> S3Model:
    """Return a model with both buckets and everything that was before the run."""
    random = Random(f"prehistory {scenario.seed}")
    model = model_of(scenario, clock)
    clock.skip(-86_400)
    Prehistory(scenario, model, clock, random).write()
    forget_others(model, scenario)
    clock.skip(86_400)
    if scenario.document is not None:
        put_rule(model, scenario.document)
    return model


def forget_others(model: S3Model, scenario: Scenario) -> None:
    """Take away whatever has a past and is none of the scenario's keys."""
    if not scenario.past_keys:
        return
    for bucket in model.world.buckets.values():
        for entry in list(bucket.entries()):
            if entry.key not in scenario.keys:
                bucket.remove(entry)


def put_rule(model: S3Model, document: Mapping[str, object]) -> None:
    """Switch replication on."""
    xml = "<ReplicationConfiguration>" + _xml(document) + "</ReplicationConfiguration>"
    request = PutBucketReplicationRequest(bucket=SOURCE, document=xml)
    model.put_bucket_replication(OWNER, request)


def _xml(document: Mapping[str, object]) -> str:
    pieces = []
    for name, value in document.items():
        tag = "Rule" if name == "Rules" else name
        for item in value if isinstance(value, list) else [value]:
            inner = _xml(item) if isinstance(item, Mapping) else str(item)
            pieces.append(f"<{tag}>{inner}</{tag}>")
    return "".join(pieces)


def attributes(random: Random) -> WrittenAttributes:
    """Return what a write says beside its bytes."""
    return WrittenAttributes(
        content=ContentHeaders(content_type=random.choice(("text/plain", "image/png"))),
        metadata=(("note", str(random.randint(0, 3))),) if random.random() < 0.5 else (),
        tags=(("team", str(random.randint(0, 3))),) if random.random() < 0.4 else (),
        storage_class=random.choices((None, "STANDARD_IA", "GLACIER"), cum_weights=(85, 97, 100))[
            0
        ],
    )


def put_in_parts(model: S3Model, key: str, random: Random) -> None:
    """Put a source object by multipart upload; visible at its last step."""
    algorithm = random.choice((None, "CRC32C", "SHA256"))
    created = model.create_multipart_upload(
        OWNER,
        multipart.CreateMultipartUploadRequest(
            bucket=SOURCE,
            key=key,
            attributes=attributes(random),
            checksum_algorithm=algorithm,
        ),
    )
    named = []
    for number, size in enumerate(random.choice(PARTED_SIZES), start=1):
        part = model.upload_part(
            OWNER,
            copies.UploadPartRequest(
                bucket=SOURCE,
                key=key,
                upload_id=created.upload_id,
                part_number=number,
                body=bytes([random.randint(65, 90)]) * size,
                checksum=None if algorithm is None else SentChecksum(algorithm=algorithm),
            ),
        )
        checksum = part.checksum
        named.append(
            multipart.CompletedPart(
                number=number,
                etag=part.etag,
                checksum=None
                if checksum is None
                else SentChecksum(algorithm=checksum.algorithm.value, value=checksum.value),
            )
        )
    model.complete_multipart_upload(
        OWNER,
        multipart.CompleteMultipartUploadRequest(
            bucket=SOURCE, key=key, upload_id=created.upload_id, parts=tuple(named)
        ),
    )


@dataclass(frozen=True, slots=True)
class Prehistory:
    """Years of writes before the run, in a few steps of each key."""

    scenario: Scenario
    model: S3Model
    clock: VirtualClock
    random: Random

    def write(self) -> None:
        """Write it all."""
        model, random = self.model, self.random
        for caller, bucket in ((OWNER, SOURCE), (RECEIVER, DESTINATION)):
            request = CreateBucketRequest(bucket=bucket, location=caller.region)
            model.create_bucket(caller, request)
        if random.random() < 0.3:
            self._each(0.4, self._put)
        for caller, bucket in ((OWNER, SOURCE), (RECEIVER, DESTINATION)):
            versioning = PutBucketVersioningRequest(bucket=bucket, status="Enabled")
            model.put_bucket_versioning(caller, versioning)
        self._each(0.6, self._put)
        self._each(0.15, self._delete)
        if random.random() < 0.5:
            self._earlier_rule()
        if random.random() < 0.5:
            self._each(0.2, self._copied_before)
        self._each(0.6, self._put)
        self._each(0.15, self._delete)
        if random.random() < 0.3:
            self._each(0.1, self._stranger)

    def _each(self, share: float, act: Act) -> None:
        for key in self.scenario.past_keys or self.scenario.keys:
            if self.random.random() < share:
                self.clock.skip(self.random.choice((0.2, 5.0)))
                act(key)

    def _put(self, key: str) -> None:
        if self.random.random() < 0.12:
            put_in_parts(self.model, key, self.random)
            return
        put(self.model, key, self.random)

    def _delete(self, key: str) -> None:
        self.model.delete_object(OWNER, objects.DeleteObjectRequest(bucket=SOURCE, key=key))

    def _earlier_rule(self) -> None:
        """Another rule was in force for a while."""
        earlier = replace(
            self.scenario,
            prefix="",
            is_first_schema=False,
            replicates_markers=self.random.random() < 0.5,
            storage_class="",
        )
        put_rule(self.model, rule_document(earlier))
        self._each(0.5, self._put)
        self._each(0.2, self._delete)
        self.clock.skip(60)
        self.model.replication.advance(self.clock.now())
        self.model.delete_bucket_replication(OWNER, BucketRequest(bucket=SOURCE))

    def _copied_before(self, key: str) -> None:
        """An earlier run copied what was current then."""
        if self.model.world.buckets[SOURCE].current(key) is None:
            return
        source = copies.CopySource(bucket=SOURCE, key=key)
        request = copies.CopyObjectRequest(bucket=DESTINATION, key=key, source=source)
        try:
            self.model.copy_object(RECEIVER, request)
        except S3Error:
            return  # deleted, or archived

    def _stranger(self, key: str) -> None:
        write_as_stranger(self.model, key, self.random)


def put(model: S3Model, key: str, random: Random) -> None:
    """Put a source object."""
    request = objects.PutObjectRequest(
        bucket=SOURCE, key=key, body=random.choice(BODIES), attributes=attributes(random)
    )
    model.put_object(OWNER, request)


def write_as_stranger(model: S3Model, key: str, random: Random) -> None:
    """Write to the destination what nobody asked for."""
    if random.random() < 0.5:
        request = objects.DeleteObjectRequest(bucket=DESTINATION, key=key)
        model.delete_object(RECEIVER, request)
        return
    body = random.choice(BODIES) + b"?"
    model.put_object(RECEIVER, objects.PutObjectRequest(bucket=DESTINATION, key=key, body=body))
