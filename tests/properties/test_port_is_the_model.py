"""The port ObjectStore by both clients and the strict server, against the reference model.

A failing run is printed by hypothesis as the shortest list of steps that shows the difference.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from backfill.aws.object_store import S3ObjectStore
from backfill.aws.session import Connection
from backfill.model.attributes import ContentHeaders, Pairs
from backfill.model.objects import ETag, ListedEntry, VersionId
from backfill.model.objects import ObjectVersion as ListedVersion
from backfill.model.places import BucketPlace
from backfill.model.store import (
    CompleteMultipartUploadRequest,
    CopyObjectRequest,
    CopySource,
    CreateMultipartUploadRequest,
    HideRequest,
    IfAbsent,
    IfReplaces,
    MarkAbsentRequest,
    Precondition,
    UploadPartCopyRequest,
    VersionsPosition,
)
from backfill.ports import ObjectStore
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.model import S3Model
from backfill.sandbox.model.operations import objects
from backfill.sandbox.model.operations.buckets import PutBucketVersioningRequest
from backfill.sandbox.model.values import WrittenAttributes
from backfill.sandbox.model.versions import ObjectVersion
from backfill.sandbox.service import Sandbox
from tests.doubles.clients import CLIENTS, opened_calls
from tests.doubles.figures import Row, Tried, figure
from tests.properties.doors import (
    OWNER,
    SMALL,
    UNKNOWN_VERSION,
    Act,
    Door,
    model_door,
    new_door,
    version_at,
)
from tests.properties.lanes import run_settings
from tests.properties.quiet_events import NoEvents

RUNS = figure(ci=30, release=150)
PIECES = figure(ci=1, release=10)

NAMES = ("a", "a/b", "é ~+%2F", "\x01\n", "z.000Z")
KEYS = st.sampled_from(NAMES)
BODIES = st.sampled_from([b"", b"one", b"another body of some length", b"\0" * 40])
TAGS = st.sampled_from([(), (("a", "1"),), (("a", "2"), ("é", " b"))])
METADATA = st.sampled_from([(), (("note", "é"),), (("colour", "blue"), ("x", "=?y"))])
SAID_PLAINLY = st.sampled_from([(), (("colour", "blue"), ("note", "a b"))])
"""Of uploads: `ModelStore` keeps a header's encoded words as they came; S3 decodes them."""
POSITIONS = st.integers(0, 3)
SIDES = st.sampled_from(["source", "destination"])
GUARDS = st.sampled_from(["absent", "current", "older", "wrong"])
WRONG = ETag("0" * 32)


@dataclass(slots=True)
class Stage:
    """The server, a store of each client, and the loop that they live in."""

    sandbox: Sandbox
    runner: asyncio.Runner
    stores: dict[str, ObjectStore] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)
    runs: int = 0


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with (
        pytest.MonkeyPatch.context() as patch,
        Sandbox(seed=1, limits=SMALL) as sandbox,
        asyncio.Runner() as runner,
    ):
        for name, value in sandbox.write_profiles(tmp_path_factory.mktemp("aws")).items():
            patch.setenv(name, value)
        made = Stage(sandbox=sandbox, runner=runner)
        stack = AsyncExitStack()

        async def open_stores() -> None:
            for client in CLIENTS:
                opened = opened_calls(client, Connection(profile="source"), NoEvents())
                made.stores[client] = S3ObjectStore(await stack.enter_async_context(opened))

        runner.run(open_stores())
        yield made
        runner.run(stack.aclose())


def place_of(door: Door, side: str) -> BucketPlace:
    return door.source if side == "source" else door.destination


def guard_of(door: Door, key: str, guard: str) -> Precondition:
    """Return a precondition on the destination, by what is there now."""
    chain = [e for e in door.chain(door.destination, key) if isinstance(e, ObjectVersion)]
    match guard:
        case "current" if chain:
            return IfReplaces(etag=ETag(chain[0].etag))
        case "older" if chain:
            return IfReplaces(etag=ETag(chain[-1].etag))
        case "wrong":
            return IfReplaces(etag=WRONG)
        case _:
            return IfAbsent()


def source_of(door: Door, key: str, position: int, *, is_pinned_right: bool) -> CopySource:
    found = version_at(door, door.source, key, position)
    if found is None:
        return CopySource(door.source, key, UNKNOWN_VERSION, WRONG)
    right = ETag(found.etag) if isinstance(found, ObjectVersion) else WRONG
    etag = right if is_pinned_right else WRONG
    return CopySource(door.source, key, VersionId(found.version_id), etag)


async def pages(
    store: ObjectStore, place: BucketPlace, *, prefix: str = "", max_keys: int = 1000
) -> list[ListedEntry]:
    """List a bucket, page by page."""
    entries: list[ListedEntry] = []
    after: VersionsPosition | None = None
    while True:
        page = await store.list_object_versions(
            place, prefix=prefix, after=after, max_keys=max_keys
        )
        entries += page.entries
        if page.next_position is None:
            return entries
        after = page.next_position


class Worlds(RuleBasedStateMachine):
    """A run: three equal worlds of its own, and steps that are alike in each."""

    stage: ClassVar[Stage]

    def __init__(self) -> None:
        super().__init__()
        number = next(self.stage.numbers)
        self.doors = [
            model_door(number),
            *(
                new_door(client, store, self.stage.sandbox.held, number)
                for client, store in self.stage.stores.items()
            ),
        ]

    @initialize(bodies=st.permutations([b"one", b"another body", b"\0" * 40, b"", b"one"]))
    def begin(self, bodies: list[bytes]) -> None:
        """Let there be something to copy, and something to meet."""
        for key, body in zip(NAMES, bodies, strict=True):
            self.put("source", key, b"older", (), ())
            self.put("source", key, body, (("a", "1"),), (("note", "é"),))
        self.put("destination", NAMES[0], b"a stranger's", (), ())
        self.put("destination", NAMES[1], bodies[1], (), ())

    def alike(self, act: Act, key: str = "") -> object:
        """Do the same through each door: all answer the same."""
        for door in self.doors:
            door.is_unspeakable = "\x01" in key
        first, *others = [self.stage.runner.run(door.answer(act)) for door in self.doors]
        for door, other in zip(self.doors[1:], others, strict=True):
            assert other == first, f"{door.name} answers {other}, the model {first}"
        return first

    def key_of(self, upload: int) -> str:
        uploads = self.doors[0].uploads
        return uploads[upload % len(uploads)][0].key

    def somebody(self, act: Callable[[S3Model, Door], object]) -> None:
        """Have somebody else do the same in each world."""
        for door in self.doors:
            with door.held() as model, suppress(S3Error):
                act(model, door)
            door.note_ids()

    @rule(side=SIDES, key=KEYS, body=BODIES, tags=TAGS, metadata=METADATA)
    def put(self, side: str, key: str, body: bytes, tags: Pairs, metadata: Pairs) -> None:
        attributes = WrittenAttributes(tags=tags, metadata=metadata)
        self.somebody(
            lambda model, door: model.put_object(
                OWNER,
                objects.PutObjectRequest(
                    bucket=place_of(door, side).bucket,
                    key=key,
                    body=body,
                    attributes=attributes,
                ),
            )
        )

    @rule(side=SIDES, key=KEYS, position=st.none() | POSITIONS)
    def delete(self, side: str, key: str, position: int | None) -> None:
        def act(model: S3Model, door: Door) -> None:
            place = place_of(door, side)
            entry = None if position is None else version_at(door, place, key, position)
            request = objects.DeleteObjectRequest(
                bucket=place.bucket,
                key=key,
                version_id=None if entry is None else entry.version_id,
            )
            model.delete_object(OWNER, request)

        self.somebody(act)

    @rule(side=SIDES, key=KEYS, tags=TAGS)
    def tag(self, side: str, key: str, tags: Pairs) -> None:
        self.somebody(
            lambda model, door: model.put_object_tagging(
                OWNER,
                objects.PutObjectTaggingRequest(
                    bucket=place_of(door, side).bucket, key=key, tags=tags
                ),
            )
        )

    @rule(side=SIDES, status=st.sampled_from(["Enabled", "Suspended"]))
    def switch_versioning(self, side: str, status: str) -> None:
        self.somebody(
            lambda model, door: model.put_bucket_versioning(
                OWNER,
                PutBucketVersioningRequest(bucket=place_of(door, side).bucket, status=status),
            )
        )

    @rule(
        key=KEYS,
        position=POSITIONS,
        guard=GUARDS,
        is_pinned_right=st.sampled_from([True, True, True, False]),
        storage_class=st.sampled_from(["STANDARD", "STANDARD_IA"]),
    )
    def copy(
        self, key: str, position: int, guard: str, *, is_pinned_right: bool, storage_class: str
    ) -> None:
        def act(door: Door) -> Awaitable[object]:
            request = CopyObjectRequest(
                door.destination,
                key,
                source_of(door, key, position, is_pinned_right=is_pinned_right),
                guard_of(door, key, guard),
                storage_class,
                None,
            )
            return door.store.copy_object(request)

        self.alike(act, key)

    @rule(key=KEYS, metadata=SAID_PLAINLY, tags=TAGS, parts=st.integers(0, 2))
    def create_upload(self, key: str, metadata: Pairs, tags: Pairs, parts: int) -> None:
        async def act(door: Door) -> object:
            upload = await door.store.create_multipart_upload(
                CreateMultipartUploadRequest(
                    destination=door.destination,
                    key=key,
                    metadata=metadata,
                    content_headers=ContentHeaders(content_type="text/plain"),
                    tags=tags,
                    storage_class="STANDARD",
                    encryption=None,
                    checksum_algorithm=None,
                    checksum_type=None,
                )
            )
            door.uploads.append((upload, {}))
            return upload.key

        self.alike(act)
        for number in range(1, parts + 1):
            self.copy_part(-1, number, key, number - 1, 0, 4)

    @precondition(lambda self: self.doors[0].uploads)
    @rule(
        upload=POSITIONS,
        number=st.integers(1, 3),
        key=KEYS,
        position=POSITIONS,
        first=st.integers(0, 5),
        length=st.integers(1, 30),
    )
    def copy_part(
        self, upload: int, number: int, key: str, position: int, first: int, length: int
    ) -> None:
        async def act(door: Door) -> object:
            opened, parts = door.uploads[upload % len(door.uploads)]
            parts[number] = copied = await door.store.upload_part_copy(
                UploadPartCopyRequest(
                    upload=opened,
                    part_number=number,
                    source=source_of(door, key, position, is_pinned_right=True),
                    first_byte=first,
                    last_byte=first + length - 1,
                )
            )
            return copied

        self.alike(act, key + self.key_of(upload))

    @precondition(lambda self: self.doors[0].uploads)
    @rule(upload=POSITIONS, page=st.integers(1, 3), after=st.integers(0, 2))
    def list_parts(self, upload: int, page: int, after: int) -> None:
        self.alike(
            lambda door: door.store.list_parts(
                door.uploads[upload % len(door.uploads)][0], after=after, max_parts=page
            ),
            self.key_of(upload),
        )

    @precondition(lambda self: self.doors[0].uploads)
    @rule(upload=POSITIONS, guard=GUARDS)
    def complete(self, upload: int, guard: str) -> None:
        async def act(door: Door) -> object:
            opened, parts = door.uploads[upload % len(door.uploads)]
            listed = await door.store.list_parts(opened)
            size_bytes = sum(part.size_bytes for part in listed.parts)
            return await door.store.complete_multipart_upload(
                CompleteMultipartUploadRequest(
                    upload=opened,
                    parts=tuple(parts[number] for number in sorted(parts)),
                    precondition=guard_of(door, opened.key, guard),
                    checksum_type=None,
                    size_bytes=size_bytes,
                )
            )

        self.alike(act, self.key_of(upload))

    @precondition(lambda self: self.doors[0].uploads)
    @rule(upload=POSITIONS)
    def abort(self, upload: int) -> None:
        self.alike(
            lambda door: door.store.abort_multipart_upload(
                door.uploads[upload % len(door.uploads)][0]
            )
        )

    @rule(key=KEYS, guard=st.sampled_from(["current", "wrong"]))
    def hide(self, key: str, guard: str) -> None:
        def act(door: Door) -> Awaitable[object]:
            wanted = guard_of(door, key, guard)
            etag = wanted.etag if isinstance(wanted, IfReplaces) else WRONG
            return door.store.hide_object(
                HideRequest(destination=door.destination, key=key, etag=etag)
            )

        self.alike(act, key)

    @rule(key=KEYS)
    def mark_absent(self, key: str) -> None:
        self.alike(
            lambda door: door.store.mark_absent(
                MarkAbsentRequest(destination=door.destination, key=key)
            )
        )

    @rule(side=SIDES, key=KEYS, position=st.none() | POSITIONS)
    def look(self, side: str, key: str, position: int | None) -> None:
        async def act(door: Door) -> object:
            place = place_of(door, side)
            entry = None if position is None else version_at(door, place, key, position)
            version_id = None if entry is None else VersionId(entry.version_id)
            head = await door.store.head_object(place, key, version_id=version_id)
            tags = await door.store.get_object_tagging(place, key, version_id=version_id)
            return head, tags

        self.alike(act, key)

    @rule(side=SIDES, prefix=st.sampled_from(["", "a", "é", "none"]), page=st.integers(1, 4))
    def list_versions(self, side: str, prefix: str, page: int) -> None:
        self.alike(
            lambda door: pages(door.store, place_of(door, side), prefix=prefix, max_keys=page)
        )

    def teardown(self) -> None:
        """Look at all that there is."""

        async def act(door: Door) -> object:
            found: list[object] = []
            for place in (door.source, door.destination):
                for entry in await pages(door.store, place):
                    found.append(entry)
                    if isinstance(entry, ListedVersion):
                        where = (place, entry.key)
                        version_id = entry.version_id
                        head = await door.store.head_object(*where, version_id=version_id)
                        tags = await door.store.get_object_tagging(*where, version_id=version_id)
                        body = [
                            piece
                            async for piece in door.store.read_object(*where, version_id=version_id)
                        ]
                        found += [head, tags, b"".join(body)]
            return found

        answered = self.alike(act)
        assert not isinstance(answered, tuple) or answered[:1] != ("fault",)
        self.stage.runs += 1


@pytest.mark.parametrize("piece", range(PIECES))
def test_both_clients_and_the_server_answer_as_the_model_does(
    stage: Stage, piece: int, tried: Tried
) -> None:
    """If this fails, what the simulation proves of the model is not what happens on the wire."""
    before = stage.runs
    run_state_machine_as_test(
        type(f"Worlds{piece}", (Worlds,), {"stage": stage}), settings=run_settings(RUNS)
    )
    tried(Row.STATEFUL_RUNS, stage.runs - before)
