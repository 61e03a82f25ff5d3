"""Two faults, one after the other: of a request, and of what the product does about it.

What is retried, read again or settled meets the second one. The server is the sandbox, so that its
model says in the end what was applied; what must come out is written by hand.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import Any, cast

import boto3
import pytest
import pytest_asyncio

from backfill.aws.object_store import S3ObjectStore
from backfill.aws.retry import ReadRetries, RetryingStore
from backfill.aws.session import Connection
from backfill.errors import BackfillError, StoreFault
from backfill.execute.bench import ExecutePorts
from backfill.execute.outcome_rows import outcome_of
from backfill.execute.run import ExecuteJob, execute
from backfill.execute.stop import StopRequest
from backfill.manifest.entries import ManifestEntry
from backfill.model.objects import ETag, VersionId
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.model.pauses import Pauses, RetryBudget
from backfill.model.places import BucketPlace
from backfill.model.store import IfAbsent, IfReplaces
from backfill.plan.header import PlanHeader
from backfill.plan.routes import Route
from backfill.ports import ArtifactIndex, ArtifactStore, ControlPlane
from backfill.sandbox.model.versions import ObjectVersion
from backfill.sandbox.service import SOURCE as ACCOUNT
from backfill.sandbox.service import Sandbox
from backfill.settings import Settings
from tests.doubles import byte_faults as faults
from tests.doubles.clients import CLIENTS, opened_calls
from tests.doubles.fault_proxy import Exchange, Fault, FaultProxy, Rule, untouched
from tests.doubles.figures import Row, Tried, figure, first_seed
from tests.doubles.scripted_server import breathe
from tests.unit.execute.campaign_double import (
    Control,
    MemoryArtifacts,
    MemoryJournal,
    NoTime,
    Talk,
    as_refusal,
)
from tests.wire.aws.conftest import KeptEvents
from tests.wire.aws.covering import Choices, covering_rows, uncovered
from tests.wire.aws.proxied import ENCRYPTION, READS, ProxiedWorld, made_world, read_act

pytestmark = pytest.mark.asyncio(loop_scope="module")

# --- what may happen to a request ---

PASSING: tuple[Fault, ...] = (
    # The answer is there, or is there twice.
    *(faults.byte_by_byte, faults.continue_first, faults.chunked, faults.connection_close),
    *(faults.unannounced_close, faults.half_close_after, faults.garbage_behind),
    *(faults.two_answers, faults.delivered_twice_first_answer),
    faults.delivered_twice_second_answer,
    # Nobody knows.
    *(faults.reset_before, faults.reset_after, faults.closed_before, faults.lost_answer),
    *(faults.half_closed_without_answer, faults.cut_in_status, faults.cut_in_headers),
    *(faults.cut_in_body, faults.reset_in_body, faults.cut_chunks, faults.bad_chunks),
    *(faults.announced_too_long, faults.length_is_no_number, faults.garbage_instead),
    *(faults.empty_200, faults.html_200, faults.error_inside_200, faults.internal_error),
    *(faults.bare_500, faults.bare_503, faults.html_502),
    # Refused at the door, or by a change that may be none.
    *(faults.slow_down, faults.slow_down_and_close, faults.refused_before_read),
    *(faults.refused(400, "KMS.ThrottlingException"), faults.refused(400, "RequestTimeout")),
)
"""After these the same end is reached as without them."""

DOUBTING: tuple[Fault, ...] = (
    faults.refused(412, "PreconditionFailed"),
    faults.refused(409, "ConditionalRequestConflict"),
    faults.refused(409, "OperationAborted"),
)
"""A write is decided anew, and reaches its end; S3 answers no read so, and one that is may fail."""

REFUSING: tuple[Fault, ...] = (
    faults.refused(403, "AccessDenied"),
    faults.refused(403, "ObjectNotInActiveTierError"),
    faults.refused(404, "NoSuchVersion"),
)
"""These may end an entry without its copy, but not without its outcome."""

STOPPING: tuple[Fault, ...] = (
    faults.refused(400, "ExpiredToken"),
    faults.refused(403, "RequestTimeTooSkewed"),
    faults.refused(501, "NotImplemented"),
)
"""These end a run, which the same command goes on with."""

FAULTS = (*PASSING, *DOUBTING, *REFUSING, *STOPPING)
BODILESS = {
    *(faults.cut_in_body, faults.reset_in_body, faults.cut_chunks, faults.bad_chunks),
    *(faults.announced_too_long, faults.error_inside_200, faults.html_200, faults.empty_200),
}
"""No faults of an answer without a body, or whose body is data."""

# --- what is done ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """An entry of a manifest, and what it must leave at the destination.

    `is_large`: it goes by parts. `has_older`: the destination has an object of that key already.
    """

    name: str
    route: Route
    has_older: bool = False
    is_large: bool = False
    done: OutcomeKind = OutcomeKind.COPIED


DEEDS = (
    Deed(name="a copy onto nothing", route=Route.COPY_OBJECT),
    Deed(name="a copy onto an older one", route=Route.COPY_OBJECT, has_older=True),
    Deed(name="a copy by parts", route=Route.MULTIPART_COPY, is_large=True),
    Deed(
        name="a delete marker onto an object",
        route=Route.DELETE_MARKER,
        has_older=True,
        done=OutcomeKind.MARKED,
    ),
    Deed(name="a delete marker onto nothing", route=Route.DELETE_MARKER, done=OutcomeKind.MARKED),
    Deed(
        name="an extra object hidden",
        route=Route.HIDE_EXTRA,
        has_older=True,
        done=OutcomeKind.MARKED,
    ),
)
ACTS: tuple[Deed | str, ...] = (*DEEDS, *READS)
POSITIONS = (1, 2, 3)
"""Which request meets the first fault; the next one meets the second."""

SIZES = (len(ACTS), len(FAULTS), len(FAULTS), len(CLIENTS), len(POSITIONS))
LARGE_BYTES = 2048
HORIZON = datetime(2026, 1, 1, tzinfo=UTC)
AGAIN_MAX = 8
"""Requests that one fault may cost: both chains, two heads, the write, and a look back."""
UNCONDITIONAL = "a delete marker onto nothing"
DOUBT = "An attempt may have been applied."
BY_SECOND = {OutcomeKind.ALREADY_THERE}
"""A request that was delivered twice is refused by its own work: it is there, whoever wrote it."""
TWICE = {faults.delivered_twice_first_answer, faults.delivered_twice_second_answer}
_NUMBERS = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What is tried: the numbers stand for the rows above."""

    act: Deed | str
    faults: tuple[Fault, Fault]
    client: str
    position: int

    @property
    def name(self) -> str:
        """Its name in a failure."""
        act = self.act if isinstance(self.act, str) else self.act.name
        first, second = (getattr(fault, "__name__", "") for fault in self.faults)
        return f"{act}, request {self.position}: {first}, then {second}; {self.client}"


def cell(row: Choices) -> Cell:
    """Return what a row of the array means."""
    act, first, second, client, position = row
    return Cell(
        act=ACTS[act],
        faults=(FAULTS[first], FAULTS[second]),
        client=CLIENTS[client],
        position=POSITIONS[position],
    )


# --- the stage ---

HOME = BucketPlace(
    bucket="pairs-source",
    region=ACCOUNT.region,
    expected_owner=ACCOUNT.account_id,
    owner_origin="flag",
)
AWAY = replace(HOME, bucket="pairs-destination")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Two buckets, the proxy before them, and each client's store on the way through it."""

    world: ProxiedWorld
    plain: Any  # boto3 makes its methods at run time
    proxy: FaultProxy
    stores: dict[str, S3ObjectStore]
    clean: dict[str, int] = field(default_factory=dict)


@pytest.fixture(scope="module")
def world() -> Iterator[ProxiedWorld]:
    with Sandbox(seed=6) as sandbox:
        yield made_world(sandbox)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(
    world: ProxiedWorld, identity: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    folder: Path = tmp_path_factory.mktemp("aws")
    async with AsyncExitStack() as stack:
        patch = stack.enter_context(identity.context())
        for name, value in world.sandbox.write_profiles(folder).items():
            patch.setenv(name, value)
        settings: dict[str, Any] = dict(world.sandbox.client_settings("source"))
        plain: Any = boto3.client("s3", **settings)
        stack.callback(plain.close)
        for place in (HOME, AWAY):
            plain.create_bucket(Bucket=place.bucket)
            versioning = {"Status": "Enabled"}
            plain.put_bucket_versioning(Bucket=place.bucket, VersioningConfiguration=versioning)
        proxy = await stack.enter_async_context(FaultProxy("127.0.0.1", world.sandbox.port))
        stores = {}
        for client in CLIENTS:
            connection = Connection(profile="source", endpoint_url=proxy.endpoint_url)
            calls = opened_calls(client, connection, KeptEvents())
            stores[client] = S3ObjectStore(await stack.enter_async_context(calls))
        yield Stage(world=world, plain=plain, proxy=proxy, stores=stores)


def retrying(store: S3ObjectStore, budget: RetryBudget) -> RetryingStore:
    """Return the store as a run has it."""
    retries = ReadRetries(
        attempts_max=6,
        pauses=Pauses(base_s=0.1, cap_s=1.0),
        budget=budget,
        clock=Breathing(),
        random=Random(7),
        events=KeptEvents(),
    )
    return RetryingStore(store, retries)


class Breathing(NoTime):
    """Pauses take no time but what both ends of a connection need to see that it was closed."""

    async def sleep(self, duration_s: float) -> None:
        await super().sleep(duration_s)
        await breathe()


def new_budget() -> RetryBudget:
    return RetryBudget(ratio=0.0, floor=100)


def rules_of(tried: Cell) -> tuple[Rule, Rule]:
    first, second = tried.faults
    return (
        Rule(fault=in_a_body(first), nth=tried.position),
        Rule(fault=in_a_body(second), nth=tried.position + 1),
    )


def in_a_body(fault: Fault) -> Fault:
    """Return the fault for answers with a body: of a HEAD's it would make another size."""
    if fault not in BODILESS:
        return fault

    async def apart(exchange: Exchange) -> None:
        await (untouched if exchange.asked.method == "HEAD" else fault)(exchange)

    return apart


def met(stage: Stage, tried: Cell) -> tuple[Fault, ...]:
    """Return the faults that there was a request for."""
    sent = len(stage.proxy.asked)
    return tuple(
        fault for number, fault in enumerate(tried.faults, tried.position) if sent >= number
    )


# --- writes ---


class Try:
    """One entry, carried out as a run does, as often as it is asked for."""

    def __init__(self, stage: Stage, deed: Deed, client: str) -> None:
        self._stage = stage
        self._deed = deed
        self._key = f"{deed.name}/{next(_NUMBERS)}"
        self.budget = new_budget()
        self._store = retrying(stage.stores[client], self.budget)
        self._journal = MemoryJournal()
        self.body = b"b" * (LARGE_BYTES if deed.is_large else 5)
        self._entry = self._planned()
        self.before = self.chain()

    def _planned(self) -> ManifestEntry:
        deed, plain, key = self._deed, self._stage.plain, self._key
        older = None
        if deed.has_older:
            older = plain.put_object(Bucket=AWAY.bucket, Key=key, Body=b"older")
        body = self.body
        version_id: str | None = None
        etag: ETag | None = None
        if deed.route is not Route.HIDE_EXTRA:
            made = plain.put_object(Bucket=HOME.bucket, Key=key, Body=body, Tagging="a=b")
            version_id, etag = made["VersionId"], ETag(made["ETag"].strip('"'))
        if deed.route is Route.DELETE_MARKER:
            version_id = plain.delete_object(Bucket=HOME.bucket, Key=key)["VersionId"]
            etag = None
        guard = IfReplaces(etag=ETag(older["ETag"].strip('"'))) if older else IfAbsent()
        is_copy = etag is not None
        return ManifestEntry(
            number=0,
            plan_number=0,
            key=key,
            version_id=VersionId(version_id) if version_id else None,
            etag=etag,
            size_bytes=len(body) if is_copy else 0,
            last_modified=datetime(2026, 1, 1, tzinfo=UTC),
            destination=0,
            route=deed.route,
            storage_class="STANDARD" if is_copy else "",
            encryption=ENCRYPTION if is_copy else None,
            precondition=guard if is_copy or older else None,
            seen_version_id=VersionId(older["VersionId"]) if older else None,
            # S3 offers no condition for a marker onto nothing, so that it is for quiet keys alone.
            has_other_writers=deed.name != UNCONDITIONAL,
            replicates_delete_markers=True,
        )

    def chain(self) -> list[bytes | None]:
        """Return the destination's versions, oldest first; a delete marker has no body."""
        with self._stage.world.sandbox.held() as model:
            entries = list(model.world.buckets[AWAY.bucket].chain(self._key))
        bodies = (entry.body if isinstance(entry, ObjectVersion) else None for entry in entries)
        return [None if body is None else body.data for body in bodies]

    def open_uploads(self) -> int:
        """Return how many multipart uploads nobody completed or aborted."""
        with self._stage.world.sandbox.held() as model:
            uploads = model.world.buckets[AWAY.bucket].uploads.values()
            return sum(one.key == self._key for one in uploads)

    async def go(self) -> Outcome | None:
        """Carry the entry out; None: the run was stopped."""
        artifacts = MemoryArtifacts()
        ports = ExecutePorts(
            source=self._store,
            destination=self._store,
            control=cast("ControlPlane", Control()),
            journal=self._journal,
            artifacts=cast("ArtifactStore", artifacts),
            events=Talk(),
            clock=Breathing(),
            random=Random(7),
            error_of=as_refusal,
            budget=self.budget,
        )
        rows = [self._entry]
        job = ExecuteJob(
            header=PlanHeader(source=HOME, destinations=(AWAY,), horizon=HORIZON),
            manifest=ArtifactIndex(
                name="manifest/01", columns=(), rows=1, digest="m", inputs={}, summary={}
            ),
            entries=lambda: rows,
            large_entries=(lambda: rows) if self._deed.is_large else None,
            outcomes_name="outcomes/01",
            allows_hiding=True,
            settings=replace(Settings(), copy_object_bytes_max=LARGE_BYTES // 2),
        )
        try:
            await execute(job, ports, StopRequest())
        except BackfillError:
            self._journal = self._journal.reopened()
            return None
        (row,) = artifacts.made["outcomes/01"]
        return outcome_of(row)


async def clean_requests(stage: Stage, act: Deed | str, client: str) -> int:
    """Return how many requests an act takes when nothing happens to them; asked once."""
    name = f"{act if isinstance(act, str) else act.name} {client}"
    if name not in stage.clean:
        stage.proxy.obey()
        if isinstance(act, str):
            await read_act(stage.world, act)(stage.stores[client])
        else:
            tried = Try(stage, act, client)
            outcome = await tried.go()
            assert outcome is not None
            assert outcome.kind is act.done, outcome
        stage.clean[name] = len(stage.proxy.asked)
    return stage.clean[name]


async def wrongs_of_a_write(stage: Stage, tried: Cell, deed: Deed) -> Iterator[str]:
    """Carry a write out under two faults, and give what is not as it must be."""
    requests_max = await clean_requests(stage, deed, tried.client) + len(tried.faults) * AGAIN_MAX
    one = Try(stage, deed, tried.client)
    stage.proxy.obey(*rules_of(tried))
    outcome = await one.go()
    happened, sent = met(stage, tried), len(stage.proxy.asked)
    told = []
    if sent > requests_max:
        told.append(f"{sent} requests, {requests_max} at most")
    if one.budget.retries > len(happened):
        told.append(f"{one.budget.retries} retries for {len(happened)} faults")
    if outcome is None:
        if not set(happened) & set(STOPPING):
            told.append("stopped for nothing")
        if len(one.chain()) > len(one.before) + 1:
            told.append("written twice before it stopped")
        stage.proxy.obey()
        outcome = await one.go()
        if outcome is None:
            return iter([*told, "stopped again, though nothing happens any more"])
        happened = tuple(fault for fault in happened if fault not in STOPPING)
    return iter([*told, *wrongs_of_an_end(one, deed, outcome, happened)])


def wrongs_of_an_end(
    one: "Try", deed: Deed, outcome: Outcome, happened: tuple[Fault, ...]
) -> Iterator[str]:
    """Give what an outcome says that is not so, and what it should have been."""
    after = one.chain()
    made = after[len(one.before) :]
    if after[: len(one.before)] != one.before:
        yield "what was there before is not there any more"
    if one.open_uploads():
        yield f"{one.open_uploads()} uploads were left open"
    if outcome.kind is deed.done or (outcome.kind in BY_SECOND and set(happened) & TWICE):
        wanted = None if deed.done is OutcomeKind.MARKED else one.body
        # The one write without a precondition is doubled where the network doubles it.
        doubled = deed.name == UNCONDITIONAL and set(happened) & TWICE
        if made != [wanted] and not (doubled and made == [wanted, wanted]):
            yield f"{outcome.kind}, and there are {made}"
        return
    if not set(happened) & {*REFUSING, *DOUBTING}:
        yield f"{outcome.kind} {outcome.code}, though all of it passes"
    # Where the reading that would settle it is refused, nobody can know, and that is what is said.
    if made and (len(made) > 1 or DOUBT not in outcome.detail):
        yield f"{outcome.kind} {outcome.code} {outcome.detail}, and there are {made}"


# --- reads ---


async def wrongs_of_a_read(stage: Stage, tried: Cell, operation: str) -> Iterator[str]:
    """Read under two faults, and once more so that both have happened."""
    act, budget = read_act(stage.world, operation), new_budget()
    stage.proxy.obey()
    clean = await act(stage.stores[tried.client])
    store = cast("S3ObjectStore", retrying(stage.stores[tried.client], budget))
    first, second = tried.faults
    stage.proxy.obey(Rule(fault=first, nth=1), Rule(fault=second, nth=2))
    told, ended = [], 0
    for _ in range(2):
        try:
            if await act(store) != clean:
                told.append("something else was read")
        except StoreFault as fault:
            ended += 1
            if not {first, second} & {*REFUSING, *STOPPING, *DOUBTING}:
                told.append(f"ended: {fault}")
        await breathe()
    # HEAD asks once more, and for a code, where a refusal has none.
    sent, extra = len(stage.proxy.asked), 2 * 2 * operation.startswith("HeadObject")
    if not 2 <= sent - budget.retries <= 2 + extra:
        told.append(f"{sent} requests, {budget.retries} retries")
    if budget.retries + ended > 2:
        told.append(f"{budget.retries} retries and {ended} ends for two faults")
    return iter(told)


# --- the pairs ---

CHUNKS = figure(ci=4, release=40)
PAIRS = figure(ci=62, release=150)
"""Rows in a chunk. One in twelve is no pair, and of one in twenty the first fault ends the run: 200
are tried in CI, 5,000 in the release lane."""


def is_a_pair(tried: Cell) -> bool:
    """Whether both faults can happen to the act."""
    return not (tried.act in WITHOUT_BODY and set(tried.faults) & BODILESS)


WITHOUT_BODY = {"HeadObject", "HeadObject (part)", "GetObject"}


def cells(chunk: int) -> list[Cell]:
    rows = islice(covering_rows(SIZES, seed=first_seed()), chunk * PAIRS, (chunk + 1) * PAIRS)
    return [tried for row in rows if is_a_pair(tried := cell(row))]


@pytest.mark.parametrize("chunk", range(CHUNKS))
async def test_two_faults_in_a_row_leave_one_write_and_a_true_word(
    stage: Stage, chunk: int, tried: Tried
) -> None:
    """If this fails, what is done about one fault breaks at the next: doubled, lost or untrue."""
    wrong, both = list[str](), 0
    for pair in cells(chunk):
        act = pair.act
        found = (
            await wrongs_of_a_read(stage, pair, act)
            if isinstance(act, str)
            else await wrongs_of_a_write(stage, pair, act)
        )
        wrong += [f"{pair.name}: {each}" for each in found]
        both += met(stage, pair) == pair.faults
    assert not wrong, "\n".join(wrong)
    tried(Row.WIRE_PAIRS, both)


async def test_an_array_has_every_pair_of_choices() -> None:
    """If this fails, some fault never meets some other, or some act."""
    rows = list(islice(covering_rows(SIZES, seed=0), len(FAULTS) ** 2))
    assert uncovered(SIZES, rows) == 0
    assert uncovered(SIZES, rows[:-1]) > 0, "the two columns of faults are crossed exactly"
