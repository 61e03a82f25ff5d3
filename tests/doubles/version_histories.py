"""Hostile version histories: what years of overwriting, deleting and suspending leave in a bucket.

    history = hostile_history(seed=7, versions=20_000)
    write_into(model, caller, bucket, history)       # the sandbox, in process
    write_through(client, bucket, history)           # any S3, through its own boto3

Never looks at what a store made of it: `History.chains` says from S3's documentation alone what a
bucket must hold (S3 User Guide: AddingObjectstoVersionSuspendedBuckets and
DeletingObjectsfromVersionSuspendedBuckets). Law: equal seeds give equal histories.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import count
from random import Random
from typing import Final
from urllib.parse import urlencode

from botocore.awsrequest import AWSRequest

from backfill.sandbox.model.errors import Pairs
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.model import S3Model
from backfill.sandbox.model.operations.buckets import PutBucketVersioningRequest
from backfill.sandbox.model.operations.copies import UploadPartRequest
from backfill.sandbox.model.operations.multipart import (
    CompletedPart,
    CompleteMultipartUploadRequest,
    CreateMultipartUploadRequest,
)
from backfill.sandbox.model.operations.objects import DeleteObjectRequest, PutObjectRequest
from backfill.sandbox.model.values import ContentHeaders, WrittenAttributes
from tests.doubles.own_eyes import S3Client

PART_BYTES: Final = 5 * 1024 * 1024
"""S3's least size of a part that is not the last."""
WRITERS: Final = 8
"""Threads of `write_through`."""

WILD_KEYS: Final = (
    "a b+c%2Fd",
    "//double//slash",
    "../../etc/passwd",
    "/leading",
    "new\nline",
    "tab\tand\x1b[31mred",
    "\x01\x02\x7f\r",
    "=HYPERLINK(1)",
    "<script>alert(1)</script>",
    "\u202egnp.exe",
    "\U0001f600/\U0010ffff",
    "quote\"and'comma,",
    "e\u0301",
    " trailing ",
    "back\\slash",
    "?query#fragment",
    "x" * 1_000,
)
MILD_KEYS: Final = (
    "a b+c",
    "per%2Fcent",
    "=1+1",
    "-1",
    "<script>alert(1)</script>",
    "\U0001f600",
    "quote\"'and,comma;",
    "e\u0301",
    "&amp;",
    "?query#fragment",
    "x" * 200,
)
"""Hostile as well, and within what SeaweedFS can hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """An object is written. `part_count` 0: by PutObject; else by an upload in so many parts."""

    key: str
    body: bytes
    metadata: Pairs = ()
    tags: Pairs = ()
    part_count: int = 0

    @property
    def parts(self) -> tuple[bytes, ...]:
        """The bodies of an upload's parts; none of what PutObject wrote."""
        if not self.part_count:
            return ()
        cuts = [n * PART_BYTES for n in range(self.part_count)]
        ends = [*cuts[1:], len(self.body)]
        return tuple(self.body[cut:end] for cut, end in zip(cuts, ends, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """An object is deleted without a version ID."""

    key: str


Step = Put | Delete


@dataclass(frozen=True, slots=True, kw_only=True)
class Era:
    """Steps under one state of the bucket's versioning, in the order in which they are taken."""

    is_suspended: bool
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A version or delete marker that a bucket holds in the end. `is_null`: its ID is `null`."""

    step: Step
    is_null: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What happened to a bucket, era by era; it ends with versioning enabled."""

    eras: tuple[Era, ...]

    def chains(self) -> dict[str, list[Expected]]:
        """Return what is left of each key, oldest first, whoever holds it."""
        chains: dict[str, list[Expected]] = {}
        for era in self.eras:
            for step in era.steps:
                chain = chains.setdefault(step.key, [])
                _take(chain, step, is_suspended=era.is_suspended)
        return chains

    @property
    def versions(self) -> int:
        """How many versions and delete markers are left."""
        return sum(map(len, self.chains().values()))


def _take(chain: list[Expected], step: Step, *, is_suspended: bool) -> None:
    """Let a step happen to a chain; while suspended it takes the place of the null version."""
    if is_suspended:
        chain[:] = [each for each in chain if not each.is_null]
    chain.append(Expected(step=step, is_null=is_suspended))


# --- Making one ---

_SUSPENDED: Final = (True, False, True, False, False)
"""The eras: null versions at the bottom of chains, and more of them in the middle."""
_SUSPENDED_ONCE: Final = (True, False, False, False, False)
_Maker = Callable[["_Author", str, int], list[list[Step]]]


class _Author:
    """Invents steps; bodies differ unless they are meant to be equal."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self._editions = count()

    def body(self, size_bytes: int | None = None) -> bytes:
        """Return bytes like no others, of a size that is often small or none."""
        sizes = (0, 1, 31, 32, 33, 200, 1_000, 4_096)
        size = self.chance.choice(sizes) if size_bytes is None else size_bytes
        text = sha256(f"{next(self._editions)}".encode()).digest()
        return (text * (size // len(text) + 1))[:size]

    def put(self, key: str, body: bytes | None = None, *, part_count: int = 0) -> Put:
        """Return a write with metadata and tags of its own."""
        number = next(self._editions)
        tagged = number % 3
        return Put(
            key=key,
            body=self.body() if body is None else body,
            metadata=(("edition", str(number)),) if number % 5 else (),
            tags=(("edition", str(number)), ("note", "a b+/=\u00e9"))[:tagged],
            part_count=part_count,
        )

    def spread(self, steps: Sequence[Step]) -> list[list[Step]]:
        """Spread steps over the eras, in their order."""
        cuts = sorted(self.chance.randint(0, len(steps)) for _ in _SUSPENDED[1:])
        bounds = zip([0, *cuts], [*cuts, len(steps)], strict=True)
        return [list(steps[first:last]) for first, last in bounds]


def _editions(author: _Author, key: str, length: int) -> list[list[Step]]:
    return author.spread([author.put(key) for _ in range(length)])


def _identical(author: _Author, key: str, length: int) -> list[list[Step]]:
    """Give runs of identical bytes; metadata and tags differ, or do not even."""
    body, steps = author.body(), list[Step]()
    while len(steps) < length:
        if author.chance.random() < 0.2:
            body = author.body(len(body))
        twin = author.put(key, body)
        steps += [twin] * author.chance.choice((1, 1, 3))
    return author.spread(steps[:length])


def _markers_only(author: _Author, key: str, length: int) -> list[list[Step]]:
    return author.spread([Delete(key=key)] * length)


def _flapping(author: _Author, key: str, length: int) -> list[list[Step]]:
    """Give writes and deletions in runs, ending with either."""
    makers = (lambda: author.put(key), lambda: Delete(key=key))
    return author.spread([author.chance.choice(makers)() for _ in range(length)])


def _deleted_in_the_end(author: _Author, key: str, length: int) -> list[list[Step]]:
    return author.spread([*(author.put(key) for _ in range(length - 1)), Delete(key=key)])


def _null_in_the_middle(author: _Author, key: str, length: int) -> list[list[Step]]:
    """Give a null version, or a null delete marker, between versions that have IDs."""
    null: Step = author.put(key) if author.chance.random() < 0.6 else Delete(key=key)
    before = author.chance.randint(1, max(1, length - 2))
    older = [author.put(key) for _ in range(before)]
    newer = [author.put(key) for _ in range(max(1, length - before - 1))]
    return [[], list(older), [null], list(newer), []]


def _in_parts(author: _Author, key: str, length: int) -> list[list[Step]]:
    """Give uploads of one part, whose ETags end in `-1`, among others."""
    chance = author.chance
    return author.spread([author.put(key, part_count=chance.randint(0, 1)) for _ in range(length)])


_MAKERS: Final[tuple[_Maker, ...]] = (
    _editions,
    _editions,
    _identical,
    _markers_only,
    _flapping,
    _flapping,
    _deleted_in_the_end,
    _null_in_the_middle,
    _null_in_the_middle,
    _in_parts,
)


def hostile_history(
    *,
    seed: int,
    versions: int,
    names: Sequence[str] = WILD_KEYS,
    prefix: str = "",
    large_uploads: int = 0,
    has_nulls_everywhere: bool = True,
) -> History:
    """Return a history of which exactly so many versions and delete markers are left.

    Most keys have a handful of versions, some have a hundred, and one a tenth of all.

    Args:
        seed: Settles everything.
        versions: How many shall be left; the first two keys take a tenth of it, and more.
        names: Key names, each used as it is and then with numbers (`WILD_KEYS`, `MILD_KEYS`).
        prefix: Before every key.
        large_uploads: Keys with a version in two parts, of a little more than 5 MiB.
        has_nulls_everywhere: False leaves null objects at the bottom of chains alone, none of them
            empty or in parts, and no null markers: SeaweedFS lists null versions last, wherever
            they belong, null markers as current, and null objects that are empty or came in parts
            with another ETag than HEAD shows.
    """
    assert versions >= 1, "a history has something"
    author, left = _Author(seed), versions
    suspended = _SUSPENDED if has_nulls_everywhere else _SUSPENDED_ONCE
    eras: list[list[list[Step]]] = [[] for _ in _SUSPENDED]
    for number, key in enumerate(_keys(names, prefix)):
        if not left:
            break
        length = min(left, _length(author, versions, number))
        made = _MAKERS[number % len(_MAKERS)](author, key, length)
        if number < large_uploads:
            made[-1].append(author.put(key, author.body(PART_BYTES + 7), part_count=2))
        if not has_nulls_everywhere:
            made[1][:0] = [step for step in made[0] if isinstance(step, Delete)]
            nulls = (step for step in made[0] if isinstance(step, Put) and step.body)
            made[0] = [replace(step, part_count=0) for step in nulls]
        left -= _settle(made, left, suspended)
        for era, steps in zip(eras, made, strict=True):
            era.append(steps)
    return History(
        eras=tuple(
            Era(is_suspended=is_suspended, steps=tuple(_interleaved(author.chance, runs)))
            for is_suspended, runs in zip(suspended, eras, strict=True)
        )
    )


def _keys(names: Sequence[str], prefix: str) -> Iterator[str]:
    """Give distinct keys, the names as they are first."""
    yield from (prefix + name for name in names)
    for number in count():
        name = names[number % len(names)]
        yield f"{prefix}{number:05}/{name[:200].lstrip('/')}"


def _length(author: _Author, versions: int, number: int) -> int:
    if number == 0:
        return max(1, versions // 10)
    if number % 40 == 2:
        return 100
    return author.chance.choice((1, 1, 2, 3, 3, 5, 8, 13))


def _settle(made: list[list[Step]], left: int, suspended: Sequence[bool]) -> int:
    """Return how many versions a key leaves; what would be too many is taken from its end."""
    while True:
        chain: list[Expected] = []
        for steps, is_suspended in zip(made, suspended, strict=True):
            for step in steps:
                _take(chain, step, is_suspended=is_suspended)
        if len(chain) <= left:
            return len(chain)
        next(steps for steps in reversed(made) if steps).pop()


def _interleaved(chance: Random, runs: Sequence[Sequence[Step]]) -> Iterator[Step]:
    """Give the steps of all keys mixed, each key's in its order."""
    turns = [number for number, run in enumerate(runs) for _ in run]
    chance.shuffle(turns)
    feeds = [iter(run) for run in runs]
    for number in turns:
        yield next(feeds[number])


# --- Writing one ---


def write_into(model: S3Model, caller: Caller, bucket: str, history: History) -> None:
    """Let a history happen in a bucket of the sandbox's model."""
    for era in history.eras:
        status = "Suspended" if era.is_suspended else "Enabled"
        request = PutBucketVersioningRequest(bucket=bucket, status=status)
        model.put_bucket_versioning(caller, request)
        for step in era.steps:
            if isinstance(step, Delete):
                model.delete_object(caller, DeleteObjectRequest(bucket=bucket, key=step.key))
            elif step.part_count:
                _upload_into(model, caller, bucket, step)
            else:
                model.put_object(
                    caller,
                    PutObjectRequest(
                        bucket=bucket, key=step.key, body=step.body, attributes=_attributes(step)
                    ),
                )


def _attributes(put: Put) -> WrittenAttributes:
    content = ContentHeaders(content_type="text/x-history", cache_control="no-store")
    return WrittenAttributes(content=content, metadata=put.metadata, tags=put.tags)


def _upload_into(model: S3Model, caller: Caller, bucket: str, put: Put) -> None:
    begin = CreateMultipartUploadRequest(bucket=bucket, key=put.key, attributes=_attributes(put))
    upload_id = model.create_multipart_upload(caller, begin).upload_id
    done = []
    for number, body in enumerate(put.parts, 1):
        request = UploadPartRequest(
            bucket=bucket, key=put.key, upload_id=upload_id, part_number=number, body=body
        )
        done.append(CompletedPart(number=number, etag=model.upload_part(caller, request).etag))
    model.complete_multipart_upload(
        caller,
        CompleteMultipartUploadRequest(
            bucket=bucket, key=put.key, upload_id=upload_id, parts=tuple(done)
        ),
    )


def write_through(client: S3Client, bucket: str, history: History) -> None:
    """Let a history happen in a bucket behind an S3 endpoint; keys side by side, each in order."""
    # Before bytes that do not come SeaweedFS lets a client that expects to be asked wait a minute.
    client.meta.events.register("before-sign.s3", _expect_nothing)
    try:
        _write_eras(client, bucket, history)
    finally:
        client.meta.events.unregister("before-sign.s3", _expect_nothing)


def _expect_nothing(request: AWSRequest, **_: object) -> None:
    del request.headers["Expect"]


def _write_eras(client: S3Client, bucket: str, history: History) -> None:
    for era in history.eras:
        status = {"Status": "Suspended" if era.is_suspended else "Enabled"}
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=status)
        runs: dict[str, list[Step]] = {}
        for step in era.steps:
            runs.setdefault(step.key, []).append(step)

        def write_run(steps: Sequence[Step]) -> None:
            for step in steps:
                _write_through(client, bucket, step)

        with ThreadPoolExecutor(WRITERS) as threads:
            # The long ones first, so that no thread is left alone with one at the end.
            for _ in threads.map(write_run, sorted(runs.values(), key=len, reverse=True)):
                pass


def _write_through(client: S3Client, bucket: str, step: Step) -> None:
    where = {"Bucket": bucket, "Key": step.key}
    if isinstance(step, Delete):
        client.delete_object(**where)
        return
    attributes = {
        "Metadata": dict(step.metadata),
        "ContentType": "text/x-history",
        "CacheControl": "no-store",
        **({"Tagging": urlencode(step.tags)} if step.tags else {}),
    }
    if not step.part_count:
        client.put_object(Body=step.body, **where, **attributes)
        return
    where["UploadId"] = client.create_multipart_upload(**where, **attributes)["UploadId"]
    parts = [
        {
            "PartNumber": number,
            "ETag": client.upload_part(PartNumber=number, Body=body, **where)["ETag"],
        }
        for number, body in enumerate(step.parts, 1)
    ]
    client.complete_multipart_upload(MultipartUpload={"Parts": parts}, **where)
