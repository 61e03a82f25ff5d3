"""Who else writes while the run works: live writers at the source, strangers at the destination."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from random import Random

from backfill.sandbox.model import raw_edits
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.operations import objects
from backfill.sandbox.model.versions import DeleteMarker, ObjectVersion
from backfill.sandbox.simulation.nemesis import CONDITIONAL
from tests.doubles.history import Damaged
from tests.doubles.model_requests import Parameters, text
from tests.doubles.simulated_s3 import SimulatedS3
from tests.simulation.prehistory import BODIES, put, put_in_parts, write_as_stranger
from tests.simulation.scenario import DESTINATION, OWNER, RECEIVER, SOURCE, Scenario

_OPERATIONS = ("put", "parts", "again", "delete", "tag", "destroy", "stranger")


async def live_writer(scenario: Scenario, s3: SimulatedS3) -> None:
    """Write, at any moment, until the seed's operations are done."""
    random = Random(f"writer {scenario.seed}")
    weights = (30, 5, 8, 40, 12, 4, 12 if scenario.has_strangers else 0)
    # A few keys get most of the writes, so that the same key changes again and again; they are keys
    # that the run has to copy.
    lacking = [key for key in scenario.keys if not s3.chain(DESTINATION, key)]
    busy = random.sample(lacking or scenario.keys, min(len(lacking or scenario.keys), 5))
    await asyncio.sleep(random.choice((0.0, 0.5, 1.0, 2.0)))
    for _ in range(scenario.writer_operations):
        await asyncio.sleep(random.expovariate(1 / scenario.writer_pause_s))
        key = random.choice(busy if random.random() < 0.6 else scenario.keys)
        (operation,) = random.choices(_OPERATIONS, weights)
        write(operation, key, s3, random)


def rival(scenario: Scenario, s3: SimulatedS3) -> Callable[[str, Parameters], None]:
    """Return a writer that goes for a key at the moment at which it is being written."""
    random = Random(f"rival {scenario.seed}")

    def on_sent(operation: str, parameters: Parameters) -> None:
        if operation not in CONDITIONAL or random.random() >= scenario.rival_share:
            return
        kinds = ("delete", "delete", "put", "stranger" if scenario.has_strangers else "delete")
        act = partial(write, random.choice(kinds), text(parameters, "Key"), s3, random)
        asyncio.get_running_loop().call_later(random.random() * 0.02, act)

    return on_sent


_LIFECYCLE = ("expire", "expire noncurrent", "transition", "clean")


async def lifecycle(scenario: Scenario, s3: SimulatedS3) -> None:
    """Do what lifecycle rules of both buckets would, at any moment, while the writer is at it."""
    random = Random(f"lifecycle {scenario.seed}")
    for _ in range(scenario.lifecycle_operations):
        await asyncio.sleep(random.expovariate(1 / max(0.1, 3 * scenario.writer_pause_s)))
        bucket, key = random.choice((SOURCE, DESTINATION)), random.choice(scenario.keys)
        (operation,) = random.choices(_LIFECYCLE, (3, 3, 3, 1))
        s3.watched(
            partial(_age, s3, operation, bucket, key, random),
            actor="lifecycle",
            operation=operation,
            bucket=bucket,
            key=key,
        )


def _age(s3: SimulatedS3, operation: str, bucket: str, key: str, random: Random) -> None:
    """Let lifecycle act on one key, if there is what it acts on (UG: object-lifecycle-mgmt)."""
    model, chain = s3.model, s3.chain(bucket, key)
    older = [entry for entry in chain[1:] if isinstance(entry, ObjectVersion)]
    versions = [entry for entry in chain if isinstance(entry, ObjectVersion)]
    if operation == "expire" and chain and isinstance(chain[0], ObjectVersion):
        raw_edits.add_delete_marker(model, bucket, key, is_made_by_lifecycle=True)
    elif operation == "expire noncurrent" and older:
        raw_edits.remove_version(model, bucket, key, random.choice(older).version_id)
    elif operation == "transition" and versions:
        version_id = random.choice(versions).version_id
        raw_edits.set_archived(model, bucket, key, version_id=version_id)
    elif operation == "clean" and len(chain) == 1 and isinstance(chain[0], DeleteMarker):
        raw_edits.remove_version(model, bucket, key)


_DAMAGES = ("covered", "hidden", "removed", "bytes", "metadata", "tags")


def damage(scenario: Scenario, s3: SimulatedS3, random: Random, keys: int) -> None:
    """Damage what the destination shows of some keys, by requests or behind S3's back."""
    chosen = [key for key in scenario.keys if scenario.selects(key)]
    random.shuffle(chosen)
    before = {event.key for event in s3.history.events if isinstance(event, Damaged)}
    # The same keys again, as often as not: what was seen to be bad is then bad in another way.
    chosen.sort(key=lambda key: key not in before or random.random() < 0.5)
    for key in chosen[:keys]:
        operation = random.choice(_DAMAGES)
        s3.watched(
            partial(_damage, s3, operation, key, random),
            actor="stranger",
            operation=operation,
            bucket=DESTINATION,
            key=key,
        )
        event = Damaged(at_s=s3.clock.monotonic_s(), key=key, how=operation)
        s3.history.events.append(event)


def _damage(s3: SimulatedS3, operation: str, key: str, random: Random) -> None:
    model, chain = s3.model, s3.chain(DESTINATION, key)
    if operation == "covered":
        body = random.choice(BODIES) + b"?"
        request = objects.PutObjectRequest(bucket=DESTINATION, key=key, body=body)
        model.put_object(RECEIVER, request)
    elif operation == "hidden":
        model.delete_object(RECEIVER, objects.DeleteObjectRequest(bucket=DESTINATION, key=key))
    elif operation == "removed" and chain:
        raw_edits.remove_version(model, DESTINATION, key)
    elif chain and isinstance(chain[0], ObjectVersion):
        if operation == "bytes":
            data = bytes(reversed(chain[0].body.data)) + random.choice((b"", b"!"))
            raw_edits.replace_bytes(model, DESTINATION, key, data or b"!")
        elif operation == "metadata":
            raw_edits.change_attributes(model, DESTINATION, key, metadata=(("note", "wrong"),))
        elif operation == "tags":
            raw_edits.change_attributes(model, DESTINATION, key, tags=(("team", "wrong"),))


def meddle(s3: SimulatedS3, random: Random) -> None:
    """Retag, now and then, what somebody has left an open upload of: it is not the same then."""
    for upload in tuple(s3.model.world.buckets[DESTINATION].uploads.values()):
        if random.random() < 0.3:
            write("tag", upload.key, s3, random)


def write(operation: str, key: str, s3: SimulatedS3, random: Random) -> None:
    """Carry out one write of somebody else, now."""
    is_stranger = operation == "stranger"
    # Nothing there to tag, or to write again: then it is no write.
    with suppress(S3Error):
        s3.watched(
            lambda: _act(operation, key, s3, random),
            actor="stranger" if is_stranger else "writer",
            operation=operation,
            bucket=DESTINATION if is_stranger else SOURCE,
            key=key,
        )


def _act(operation: str, key: str, s3: SimulatedS3, random: Random) -> None:
    model = s3.model
    current = model.world.buckets[SOURCE].current(key)
    if operation == "put":
        put(model, key, random)
    elif operation == "parts":
        put_in_parts(model, key, random)
    elif operation == "again" and isinstance(current, ObjectVersion):
        same = objects.PutObjectRequest(bucket=SOURCE, key=key, body=current.body.data)
        model.put_object(OWNER, same)
    elif operation == "delete":
        model.delete_object(OWNER, objects.DeleteObjectRequest(bucket=SOURCE, key=key))
    elif operation == "tag":
        tags = (("team", str(random.randint(0, 9))),)
        tagging = objects.PutObjectTaggingRequest(bucket=SOURCE, key=key, tags=tags)
        model.put_object_tagging(OWNER, tagging)
    elif operation == "destroy":
        chain = s3.chain(SOURCE, key)
        if chain:
            version_id = random.choice(chain).version_id
            removal = objects.DeleteObjectRequest(bucket=SOURCE, key=key, version_id=version_id)
            model.delete_object(OWNER, removal)
    elif operation == "stranger":
        write_as_stranger(model, key, random)
