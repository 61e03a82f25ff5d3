"""The plan stage where Batch Replication is possible, and planning anew what it refused."""

from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from backfill.campaign import ManifestWay, Scope, Versions
from backfill.errors import Disposition, StoreFault
from backfill.events.runs import RequestsForecast
from backfill.execute.chains import read_chains
from backfill.manifest.run import plan_entries
from backfill.model.attributes import ReplicationStatus
from backfill.model.objects import ETag, ListedEntry, ObjectVersion, VersionId
from backfill.model.store import IfAbsent
from backfill.plan.entries import PlanEntry
from backfill.plan.explain import explanation_lines
from backfill.plan.manifest_way import way_of
from backfill.plan.routes import PLAIN, Reason, Route
from backfill.plan.rows import row_of
from backfill.plan.run import explain_key, make_plan, plan_keys
from backfill.plan.stretches import Listings
from backfill.plan.terms import COPY_ONLY, Delivery, Terms, terms_digest
from backfill.plan.totals import totals_document, totals_of, tree_lines
from backfill.run_directory.artifacts import LocalArtifacts
from tests.doubles.known_versions import HeardEvents, fault
from tests.doubles.planning import (
    HORIZON,
    SOURCE,
    TO_X,
    ReadableBuckets,
    World,
    head_of,
    marker,
    random_world,
    rule,
    version,
    world_of,
)

AUTO, BATCH_ONLY = Delivery(batch=True, copy=True), Delivery(batch=True, copy=False)
COPY_ROUTES = {Route.COPY_OBJECT, Route.MULTIPART_COPY, Route.DELETE_MARKER}


def mixed_world(seed: int, delivery: Delivery, manifest: ManifestWay = ManifestWay.AUTO) -> World:
    """Return a random world where S3's own null versions and foreign ones meet."""
    world, chance = random_world(seed), Random(seed)
    world.delivery, world.manifest, world.has_acls = delivery, manifest, True
    for name, head in world.store.heads.items():
        if name[0] != SOURCE and not isinstance(head, StoreFault) and chance.random() < 0.6:
            replica = ReplicationStatus.REPLICA
            world.store.heads[name] = head._replace(replication_status=replica)
    return world


async def planned(world: World, root: Path) -> list[PlanEntry]:
    artifacts = LocalArtifacts(root)
    await make_plan(world.work(), artifacts=artifacts, events=HeardEvents(store=world.store))
    return list(plan_entries(artifacts))


def by_key(entries: list[PlanEntry]) -> dict[str, list[PlanEntry]]:
    found = defaultdict(list)
    for entry in entries:
        found[entry.key].append(entry)
    return found


@pytest.mark.parametrize("seed", range(6))
async def test_no_key_of_any_plan_has_both_engines(tmp_path: Path, seed: int) -> None:
    """If this fails, a copy buries the replicas that are still on their way."""
    entries = await planned(mixed_world(seed, AUTO), tmp_path)
    routes = Counter(entry.route for entry in entries)
    assert routes[Route.BATCH_REPLICATION] > 20
    assert routes[Route.COPY_OBJECT] > 0
    for key, rows in by_key(entries).items():
        of_key = {row.route for row in rows if row.route is not None}
        assert of_key == {Route.BATCH_REPLICATION} or Route.BATCH_REPLICATION not in of_key, key


@pytest.mark.parametrize("seed", range(6))
async def test_nothing_is_copied_where_only_batch_replication_is_allowed(
    tmp_path: Path, seed: int
) -> None:
    """If this fails, backfill writes where the campaign allowed S3 alone to."""
    only = await planned(mixed_world(seed, BATCH_ONLY), tmp_path / "only")
    auto = await planned(mixed_world(seed, AUTO), tmp_path / "auto")
    assert {entry.route for entry in only} == {None, Route.BATCH_REPLICATION}
    for one, other in zip(only, auto, strict=True):
        if other.route in COPY_ROUTES:
            assert one.reason is Reason.ONLY_BY_COPY
            assert one.detail.startswith("not by Batch Replication: at ")
        else:
            assert (one.route, one.reason) == (other.route, other.reason)


@pytest.mark.parametrize("seed", range(6))
async def test_a_plan_by_copy_is_the_plan_that_it_was(tmp_path: Path, seed: int) -> None:
    """If this fails, a campaign without Batch Replication pays or gets something else."""
    alone = mixed_world(seed, COPY_ONLY)
    auto = mixed_world(seed, AUTO)
    ours, theirs = await planned(alone, tmp_path / "1"), await planned(auto, tmp_path / "2")
    batch = {entry.key for entry in theirs if entry.route is Route.BATCH_REPLICATION}
    fallen = {entry.key for entry in theirs if "not by Batch Replication" in entry.detail}
    assert fallen
    assert not fallen & batch
    for one, other in zip(ours, theirs, strict=True):
        if one.key in fallen:
            assert one._replace(detail="") == other._replace(detail=""), one.key


@pytest.mark.parametrize("manifest", list(ManifestWay))
@pytest.mark.parametrize("delivery", [AUTO, BATCH_ONLY])
@pytest.mark.parametrize("seed", range(4))
async def test_totals_add_up_and_the_forecast_is_kept(
    tmp_path: Path, seed: int, delivery: Delivery, manifest: ManifestWay
) -> None:
    """If this fails, versions are lost between the engines, or cost more than was told."""
    world, artifacts = mixed_world(seed, delivery, manifest), LocalArtifacts(tmp_path)
    events = HeardEvents(store=world.store)
    index = await make_plan(world.work(), artifacts=artifacts, events=events)
    totals = totals_of(index.summary)
    assert totals.source.rows * 2 == index.rows
    forecast, sent_before = events.heard[0]
    assert isinstance(forecast, RequestsForecast)
    assert sent_before == 0
    asked = world.store.asked
    heads = sum(count for name, count in asked.items() if name.startswith("head"))
    assert 20 < heads <= forecast.head_requests
    assert asked[f"tags {SOURCE}"] <= forecast.tagging_requests_max
    assert asked[f"acl {SOURCE}"] <= forecast.acl_requests_max
    assert max(asked.values()) <= len(world.source)


async def test_the_way_of_the_manifest_is_in_the_plan_and_in_the_tree(tmp_path: Path) -> None:
    """If this fails, nobody is told who lists the versions of a job, and why."""
    objects: list[ListedEntry] = [
        version(f"k{n}", "v", f"e{n}", 10, is_latest=True) for n in range(3)
    ]
    world = world_of(rule(bucket="x"), source=objects, destinations=[[]])
    world.delivery, world.manifest = AUTO, ManifestWay.AUTO
    artifacts = LocalArtifacts(tmp_path)
    index = await make_plan(
        world.work(), artifacts=artifacts, events=HeardEvents(store=world.store)
    )
    way = way_of(index.summary)
    assert way is not None
    assert (way.kind, way.created_before) == (ManifestWay.GENERATED, HORIZON)
    totals = totals_of(index.summary)
    assert totals.manifest_way == way
    last = list(tree_lines(totals))[-1]
    assert last.startswith("Batch Replication by manifests that S3 generates (NONE): ")
    assert "manifest way" in totals_document(totals)


async def test_a_plan_without_batch_replication_says_nothing_of_manifests(tmp_path: Path) -> None:
    """If this fails, a campaign by copy is told about jobs that it never makes."""
    world, artifacts = random_world(1), LocalArtifacts(tmp_path)
    index = await make_plan(
        world.work(), artifacts=artifacts, events=HeardEvents(store=world.store)
    )
    assert "manifest way" not in index.summary
    assert not any("manifest" in line for line in tree_lines(totals_of(index.summary)))


def test_plans_of_other_engines_are_other_plans() -> None:
    """If this fails, a run that is resumed with another engine goes on with the old plan."""
    world = random_world(1)
    digests = set()
    for delivery in (COPY_ONLY, AUTO, BATCH_ONLY):
        for manifest in ManifestWay:
            world.delivery, world.manifest = delivery, manifest
            digests.add(terms_digest(world.work().terms))
    assert len(digests) == 9


async def test_explain_says_which_engine_and_why() -> None:
    """If this fails, nobody can tell why a version went by a copy."""
    current = version("k", "v2", "e2", 20, is_latest=True)
    older = version("k", "v1", "e1", 10)
    ours = version("k", "x", "e1", 10, is_latest=True)
    world = world_of(TO_X, source=[current, older], destinations=[[ours]])
    world.delivery = AUTO
    lines = list(explanation_lines(await explain_key(world.work(), "k")))
    assert any("at x an object is current that is no replica" in line for line in lines)
    free = world_of(TO_X, source=[current, older], destinations=[[]])
    free.delivery = AUTO
    lines = list(explanation_lines(await explain_key(free.work(), "k", older.version_id)))
    assert "to x: batch-replication" in lines
    assert any("replicated by S3 under its own version ID" in line for line in lines)


# From here on: planning anew what Batch Replication refused.


def refused_world() -> World:
    """Return a world that Batch Replication has been at, and whose inventories are old by now."""
    world = world_of(
        TO_X,
        source=[
            version("a", "v1", "e1", 10, is_latest=True),
            version("b", "v2", "e2", 20, is_latest=True),
            version("b", "v1", "e1", 10),
            version("c", "v1", "e1", 10, is_latest=True, storage_class="GLACIER"),
            version("d", "v9", "e9", 9, is_latest=True, last_modified=HORIZON),
            version("d", "v1", "e1", 10),
            marker("e", "m1", is_latest=True),
            version("z", "v1", "e1", 10, is_latest=True),
        ],
        destinations=[[version("b", "v1", "e1", 10, is_latest=True)]],
    )
    world.delivery = AUTO
    return world


async def planned_anew(
    world: World, keys: list[str], terms: Terms | None = None, **limits: int
) -> list[PlanEntry]:
    made = world.work()
    made = replace(made, terms=terms or made.terms)
    buckets: dict[str, list[ListedEntry]] = {
        SOURCE: world.source,
        **{
            place.bucket: entries
            for place, entries in zip(made.header.destinations, world.destinations, strict=True)
        },
    }
    store = ReadableBuckets(buckets, world.store, **limits)
    work = replace(
        made,
        # What was listed then is not looked at again.
        listings=lambda: Listings([], []),
        source_store=store.port,
        destination_store=store.port,
    )
    return [entry async for entry in plan_keys(work, keys, read_chains=read_chains)]


async def test_what_batch_replication_refused_is_copied_where_a_copy_can() -> None:
    """If this fails, a hard-deleted replica never comes back, or history is copied."""
    rows = await planned_anew(refused_world(), ["a", "b", "c", "d", "e", "gone"])
    assert [(row.key, row.version_id, row.route or row.reason) for row in rows] == [
        ("a", "v1", Route.COPY_OBJECT),
        ("b", "v2", Route.COPY_OBJECT),
        ("b", "v1", Reason.ALREADY_REPLICATED),
        ("c", "v1", Reason.ARCHIVED),
        ("d", "v9", Reason.AFTER_HORIZON),
        ("d", "v1", Reason.NONCURRENT),
        ("e", "m1", Reason.MARKER_UNCONDITIONAL),
    ]
    assert [row.number for row in rows] == list(range(7))
    assert rows[0].precondition is not None


async def test_what_goes_on_after_a_refusal_is_never_a_history() -> None:
    """If this fails, copies of old versions bury the replicas that came before them."""
    world = refused_world()
    made = replace(world.work().terms, scope=Scope(versions=Versions.ALL), is_quiet=True)
    rows = await planned_anew(world, ["a", "b", "c", "d", "e"], terms=made)
    assert {row.handling for row in rows} == {PLAIN}
    assert Reason.NONCURRENT in {row.reason for row in rows}


async def test_planning_anew_lists_anew() -> None:
    """If this fails, a copy goes over what arrived since the plan."""
    world = refused_world()
    arrived = version("a", "v1", "e1", 10, is_latest=True)
    world.destinations[0].insert(0, arrived)
    rows = await planned_anew(world, ["a"])
    assert [row.reason for row in rows] == [Reason.ALREADY_REPLICATED]


@pytest.mark.parametrize("seed", range(5))
async def test_planning_anew_decides_as_a_plan_by_copy_does(tmp_path: Path, seed: int) -> None:
    """If this fails, the second engine works by other rules than the first plan had."""
    alone = mixed_world(seed, COPY_ONLY)
    expected = await planned(alone, tmp_path)
    keys = sorted({entry.key for entry in alone.source})[::2]
    rows = await planned_anew(mixed_world(seed, AUTO), keys, given_max=7)
    wanted = [entry for entry in expected if entry.key in set(keys)]
    assert [row._replace(number=0) for row in rows] == [row._replace(number=0) for row in wanted]


async def test_many_keys_are_planned_anew_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, keys beyond the first batch are lost, or come twice."""
    monkeypatch.setattr("backfill.plan.run.ANEW_KEYS", 3)
    objects: list[ListedEntry] = [
        version(f"k{n:02d}", "v", f"e{n}", 10, is_latest=True) for n in range(10)
    ]
    world = world_of(TO_X, source=objects, destinations=[[]])
    rows = await planned_anew(world, [entry.key for entry in objects])
    assert [(row.number, row.key) for row in rows] == [(n, f"k{n:02d}") for n in range(10)]
    assert world.store.in_flight_most <= 5


async def test_keys_that_are_all_unreadable_are_reasons_of_their_own() -> None:
    """If this fails, one unreadable key stops the copies of all the others."""
    world = refused_world()
    world.store.heads[SOURCE, "a", "v1"] = fault("AccessDenied", 403)
    assert [row.reason for row in await planned_anew(world, ["a"])] == [Reason.NOT_READABLE]


async def test_a_lost_store_stops_planning_anew() -> None:
    """If this fails, an outage turns into reasons that nobody looks at again."""
    world = refused_world()
    world.store.heads[SOURCE, "a", "v1"] = StoreFault(
        operation="HeadObject", code="ExpiredToken", status=400, disposition=Disposition.STOP
    )
    with pytest.raises(StoreFault, match="ExpiredToken"):
        await planned_anew(world, ["a"])


async def test_planning_anew_needs_leave_to_copy() -> None:
    """If this fails, a campaign of Batch Replication alone gets copies after all."""
    world = refused_world()
    world.delivery = BATCH_ONLY
    with pytest.raises(AssertionError, match="allows copy workers"):
        await planned_anew(world, ["a"])


async def test_sse_c_objects_go_by_batch_replication(tmp_path: Path) -> None:
    """If this fails, objects whose key nobody has are left behind though S3 replicates them."""
    entry = version("k", "v", "e", 1, is_latest=True)
    other = version("l", "v", "e", 1, is_latest=True)
    world = world_of(rule(bucket="x"), source=[entry, other], destinations=[[]])
    world.delivery = AUTO
    world.store.heads[SOURCE, "k", "v"] = fault("InvalidRequest", 400)
    assert isinstance(other, ObjectVersion)
    world.store.heads[SOURCE, "l", "v"] = head_of(other, has_legal_hold=True)
    rows = await planned(world, tmp_path)
    assert [row.route for row in rows] == [Route.BATCH_REPLICATION] * 2


async def test_what_either_engine_would_read_is_forecast(tmp_path: Path) -> None:
    """If this fails, null versions that are replicas cost more requests than were told."""
    chain: list[ListedEntry] = [
        version("k", "v2", "e2", 20, is_latest=True),
        version("k", "v1", "e1", 10),
        version("k", "null", "e0", 5),
    ]
    world = world_of(
        rule(bucket="x"),
        source=chain,
        destinations=[[version("k", "null", "e0", 5, is_latest=True)]],
    )
    world.delivery = AUTO
    null = version("k", "null", "e0", 5, is_latest=True)
    replica = head_of(null, replication_status=ReplicationStatus.REPLICA)
    world.store.heads["x", "k", "null"] = replica
    events = HeardEvents(store=world.store)
    await make_plan(world.work(), artifacts=LocalArtifacts(tmp_path), events=events)
    assert world.store.asked == {"head x": 1, f"head {SOURCE}": 2}
    # The null version is counted with the two others: it might have been no replica.
    assert events.heard[0][0] == RequestsForecast(head_requests=4, tagging_requests_max=0)


async def test_keys_of_batch_replication_are_forecast_without_acls(tmp_path: Path) -> None:
    """If this fails, a person is told of requests that no decision can ask for."""
    entry = version("k", "v", "e", 1, is_latest=True)
    world = world_of(rule(bucket="x"), source=[entry], destinations=[[]])
    world.delivery, world.has_acls = AUTO, True
    events = HeardEvents(store=world.store)
    await make_plan(world.work(), artifacts=LocalArtifacts(tmp_path), events=events)
    assert events.heard[0][0] == RequestsForecast(head_requests=1, tagging_requests_max=0)


async def test_tags_that_cannot_be_read_keep_a_version_from_a_job(tmp_path: Path) -> None:
    """If this fails, a version goes whose tags nobody knows, or planning never ends."""
    entry = version("k", "v", "e", 1, is_latest=True)
    other = version("l", "v", "e", 1, is_latest=True)
    tagged = rule(bucket="x", tags=(("t", "1"),))
    world = world_of(tagged, source=[entry, other], destinations=[[]])
    world.delivery = AUTO
    world.know(SOURCE, entry, tags=1)
    world.know(SOURCE, other, tags=1)
    world.store.tags[SOURCE, "k", "v"] = fault("InvalidRequest", 400, "GetObjectTagging")
    rows = await planned(world, tmp_path)
    assert [row.route for row in rows] == [None, Route.BATCH_REPLICATION]
    assert rows[0].detail == "GetObjectTagging: InvalidRequest"


def test_a_row_of_batch_replication_has_no_guard() -> None:
    """If this fails, a row promises a precondition that no job can carry."""
    copied = PlanEntry(
        number=0,
        key="k",
        version_id=VersionId("v"),
        is_delete_marker=False,
        is_latest=True,
        last_modified=HORIZON,
        etag=ETag("e"),
        size_bytes=1,
        destination=0,
        route=Route.COPY_OBJECT,
        precondition=IfAbsent(),
    )
    with pytest.raises(AssertionError, match="without a guard"):
        row_of(copied._replace(route=Route.BATCH_REPLICATION))
