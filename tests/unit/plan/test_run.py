"""The plan stage over given inventories and a store that counts what it is asked."""

import gc
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backfill.errors import (
    Disposition,
    ForeignRunDirectoryError,
    MissingPermissionError,
    StoreFault,
    UsageError,
)
from backfill.events.runs import RequestsForecast
from backfill.manifest.entries import ManifestEntry
from backfill.manifest.rows import entry_of as manifest_entry_of
from backfill.manifest.run import plan_entries, write_manifest
from backfill.model.attributes import ReplicationStatus
from backfill.model.objects import ListedEntry, ObjectVersion, VersionId
from backfill.plan.entries import PlanEntry
from backfill.plan.explain import explanation_document, explanation_lines
from backfill.plan.failures import LOST_IN_A_ROW_MAX
from backfill.plan.header import header_of
from backfill.plan.routes import Reason, Route
from backfill.plan.rules import Rules
from backfill.plan.run import explain_key, make_plan
from backfill.plan.stretches import Listings
from backfill.plan.totals import totals_of, tree_lines
from backfill.run_directory.artifacts import LocalArtifacts
from tests.doubles.known_versions import HeardEvents, fault
from tests.doubles.planning import (
    SOURCE,
    TAG,
    TAGGED_Y,
    TO_X,
    TO_Y,
    World,
    blocks_of,
    head_of,
    marker,
    random_world,
    rule,
    version,
    world_of,
)


def planned(artifacts: LocalArtifacts) -> list[PlanEntry]:
    return list(plan_entries(artifacts))


async def test_every_version_has_one_row_for_every_destination_in_order(tmp_path: Path) -> None:
    """If this fails, versions are lost, doubled or out of order between inventory and report."""
    world, artifacts = random_world(1), LocalArtifacts(tmp_path)
    events = HeardEvents(store=world.store)
    index = await make_plan(world.work(), artifacts=artifacts, events=events)
    entries = planned(artifacts)
    assert [entry.number for entry in entries] == list(range(index.rows))
    assert [(e.key, e.version_id, e.destination) for e in entries] == [
        (entry.key, entry.version_id, n) for entry in world.source for n in range(2)
    ]
    assert len({entry.route or entry.reason for entry in entries}) >= 6
    assert header_of(index.summary) == world.work().header
    assert events.counts[-1].done == events.counts[-1].total == index.rows


@pytest.mark.parametrize("seed", range(5))
async def test_the_forecast_is_told_first_and_kept(tmp_path: Path, seed: int) -> None:
    """If this fails, planning costs more requests than the person was told, or tells too late."""
    world, artifacts = random_world(seed), LocalArtifacts(tmp_path)
    world.has_acls = True
    events = HeardEvents(store=world.store)
    index = await make_plan(world.work(), artifacts=artifacts, events=events)
    forecast, sent_before = events.heard[0]
    assert isinstance(forecast, RequestsForecast)
    assert sent_before == 0
    asked = world.store.asked
    heads = sum(count for name, count in asked.items() if name.startswith("head"))
    assert heads > 20
    assert heads == forecast.head_requests
    assert asked[f"tags {SOURCE}"] <= forecast.tagging_requests_max
    assert asked[f"acl {SOURCE}"] <= forecast.acl_requests_max
    assert index.summary["requests"] == {
        "forecast": {
            "heads": asked[f"head {SOURCE}"],
            "destination_heads": asked["head x"] + asked["head y"],
            "taggings": forecast.tagging_requests_max,
            "acls": forecast.acl_requests_max,
        },
        "sent": {
            "heads": asked[f"head {SOURCE}"],
            "destination_heads": asked["head x"] + asked["head y"],
            "taggings": asked[f"tags {SOURCE}"],
            "acls": asked[f"acl {SOURCE}"],
        },
    }
    assert world.store.in_flight_most <= 5


async def test_each_kind_of_request_is_sent_exactly_as_often_as_needed(tmp_path: Path) -> None:
    """If this fails, reads are repeated for each destination, or made where nothing needs them."""
    objects: list[ListedEntry] = [
        version(f"a{n:02d}", f"v{n}", f"e{n}", 10, is_latest=True) for n in range(30)
    ]
    both = (rule("to-x", bucket="x", tags=TAG), rule("to-y", bucket="y", tags=TAG))
    world = world_of(*both, source=objects, destinations=[objects[:10], objects[:5]])
    world.has_acls = True
    for entry in objects:
        assert isinstance(entry, ObjectVersion)
        world.know(SOURCE, entry, tags=1)
    events = HeardEvents(store=world.store)
    await make_plan(world.work(), artifacts=LocalArtifacts(tmp_path), events=events)
    once_for_both = {f"head {SOURCE}": 25, f"tags {SOURCE}": 25, f"acl {SOURCE}": 25}
    assert world.store.asked == once_for_both
    assert events.heard[0][0] == RequestsForecast(
        head_requests=25, tagging_requests_max=25, acl_requests_max=25
    )


async def test_one_destinations_null_replica_says_nothing_about_anothers(tmp_path: Path) -> None:
    """If this fails, a null version that was only copied to Y passes for Y's replica."""
    null = version("k", "null", "e", 1, is_latest=True)
    both = (rule("to-x", bucket="x"), rule("to-y", bucket="y"))
    world = world_of(*both, source=[null], destinations=[[null], [null]])
    world.know("y", null)
    world.store.heads["x", "k", "null"] = head_of(
        null, replication_status=ReplicationStatus.REPLICA
    )
    artifacts = LocalArtifacts(tmp_path)
    await make_plan(world.work(), artifacts=artifacts, events=HeardEvents(store=world.store))
    assert [entry.reason for entry in planned(artifacts)] == [
        Reason.ALREADY_REPLICATED,
        Reason.ALREADY_COPIED,
    ]


async def test_reads_that_follow_from_a_null_version_are_forecast(tmp_path: Path) -> None:
    """If this fails, null versions cost more requests than the person was told."""
    null = version("k", "null", "e", 1, is_latest=True)
    above = version("k", "x1", "opaque", 1, is_latest=True)
    theirs: list[ListedEntry] = [above, null._replace(is_latest=False)]
    world = world_of(TO_X, source=[null], destinations=[theirs])
    world.know("x", null)
    world.know("x", above)
    events = HeardEvents(store=world.store)
    await make_plan(world.work(), artifacts=LocalArtifacts(tmp_path), events=events)
    assert world.store.asked == {"head x": 2, f"head {SOURCE}": 1}
    assert events.heard[0][0] == RequestsForecast(head_requests=3, tagging_requests_max=0)


async def test_a_finished_plan_is_reused_without_a_request(tmp_path: Path) -> None:
    """If this fails, a resumed run plans anew and its journal speaks of other numbers."""
    world, artifacts = random_world(2), LocalArtifacts(tmp_path)
    events = HeardEvents(store=world.store)
    first = await make_plan(world.work(), artifacts=artifacts, events=events)
    asked = world.store.asked.total()
    assert await make_plan(world.work(), artifacts=artifacts, events=events) == first
    assert world.store.asked.total() == asked


async def test_a_changed_configuration_is_refused_by_name(tmp_path: Path) -> None:
    """If this fails, a resumed run goes on under rules that are no longer the bucket's."""
    world, artifacts = random_world(3), LocalArtifacts(tmp_path)
    events = HeardEvents(store=world.store)
    await make_plan(world.work(), artifacts=artifacts, events=events)
    changed = replace(world.work(), rules=Rules(rules=(TO_X, TO_Y)))
    with pytest.raises(ForeignRunDirectoryError, match="replication configuration"):
        await make_plan(changed, artifacts=artifacts, events=events)


async def test_totals_add_up_and_reach_the_manifest(tmp_path: Path) -> None:
    """If this fails, the plan's promise and the work list differ, and nobody is told."""
    world, artifacts = random_world(4), LocalArtifacts(tmp_path)
    await make_plan(world.work(), artifacts=artifacts, events=HeardEvents(store=world.store))
    index = artifacts.index("plan")
    assert index is not None
    totals = totals_of(index.summary)
    assert totals.source.rows == len(world.source)
    manifest = write_manifest(artifacts)
    routed = [entry for entry in planned(artifacts) if entry.route is not None]
    assert manifest.rows == totals.routed.rows == len(routed)
    assert manifest.inputs == {"plan": index.digest}
    work = [manifest_entry_of(row) for row in artifacts.rows("manifest/00")]
    assert [(e.number, e.plan_number) for e in work] == [
        (number, entry.number) for number, entry in enumerate(routed)
    ]
    assert all(_is_of(one, other) for one, other in zip(work, routed, strict=True))
    assert write_manifest(artifacts) == manifest
    lines = list(tree_lines(totals))
    assert sum(line.startswith("to ") for line in lines) == 2


def _is_of(work: ManifestEntry, entry: PlanEntry) -> bool:
    shared = {*ManifestEntry._fields} & {*PlanEntry._fields} - {"number"}
    seen = entry.seen.version_id if entry.seen else None
    return work.seen_version_id == seen and all(
        getattr(work, name) == getattr(entry, name) for name in shared
    )


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        (fault("NoSuchVersion", 404), Reason.VANISHED),
        (fault("MethodNotAllowed", 405), Reason.VANISHED),
        (fault("AccessDenied", 403), Reason.NOT_READABLE),
        (fault("KMS.DisabledException", 400), Reason.NOT_READABLE),
        (fault("InvalidRequest", 400), Reason.SSE_C),
        (fault("InvalidArgument", 400), Reason.NOT_READABLE),
        (fault("UnknownValue", 200), Reason.NOT_READABLE),
        (fault("InternalError", 500), Reason.NOT_READABLE),
        (fault("HTTPClientError", 0), Reason.NOT_READABLE),
    ],
)
async def test_a_refused_head_is_a_reason(
    tmp_path: Path, refused: StoreFault, expected: Reason
) -> None:
    """If this fails, one unreadable object stops the whole plan, or is copied blindly."""
    objects: list[ListedEntry] = [version(key, "v", "e", 1, is_latest=True) for key in ("a", "b")]
    world, artifacts = world_of(TO_X, source=objects, destinations=[[]]), LocalArtifacts(tmp_path)
    world.store.heads[SOURCE, "a", "v"] = refused
    await make_plan(world.work(), artifacts=artifacts, events=HeardEvents(store=world.store))
    assert [entry.reason or entry.route for entry in planned(artifacts)] == [
        expected,
        Route.COPY_OBJECT,
    ]
    assert next(iter(planned(artifacts))).detail == f"HeadObject: {refused.code}"


@pytest.mark.parametrize("code", ["ExpiredToken", "InternalError", "NoSuchBucket"])
async def test_a_fault_that_is_not_the_versions_stops_the_plan_and_leaves_none(
    tmp_path: Path, code: str
) -> None:
    """If this fails, an outage becomes thousands of reasons in a plan that looks finished."""
    objects: list[ListedEntry] = [
        version(f"k{n:02d}", "v", "e", 1, is_latest=True) for n in range(50)
    ]
    world, artifacts = world_of(TO_X, source=objects, destinations=[[]]), LocalArtifacts(tmp_path)
    status = {"ExpiredToken": 400, "InternalError": 500, "NoSuchBucket": 404}[code]
    world.store.heads[SOURCE, "k30", "v"] = StoreFault(
        operation="HeadObject", code=code, status=status, disposition=Disposition.STOP
    )
    with pytest.raises(StoreFault, match=code):
        await make_plan(world.work(), artifacts=artifacts, events=HeardEvents(store=world.store))
    assert artifacts.index("plan") is None


READS = ["HeadObject", "GetObjectTagging", "GetObjectAcl"]


def refusing(operation: str, refusal: StoreFault, *, keys: int, spared: int = 0) -> World:
    """Return a world where each read is needed once a key, and one of them fails."""
    objects: list[ListedEntry] = [
        version(f"k{n:02d}", "v", "e", 1, is_latest=True) for n in range(keys + spared)
    ]
    world = world_of(TAGGED_Y, source=objects, destinations=[[]])
    world.has_acls = True
    for entry in objects:
        assert isinstance(entry, ObjectVersion)
        world.know(SOURCE, entry, tags=1)
    for entry in objects[:keys]:
        name = SOURCE, entry.key, entry.version_id
        if operation == "HeadObject":
            world.store.heads[name] = refusal
        elif operation == "GetObjectTagging":
            world.store.tags[name] = refusal
        else:
            world.store.acl_refusals[name] = refusal
    return world


@pytest.mark.parametrize("operation", READS)
@pytest.mark.parametrize("keys", [1, 3, 30])
async def test_a_denial_of_every_version_is_a_missing_permission(
    tmp_path: Path, operation: str, keys: int
) -> None:
    """If this fails, a wrong policy gives a tidy plan in which nothing is to do."""
    world = refusing(operation, fault("AccessDenied", 403, operation), keys=keys)
    artifacts, events = LocalArtifacts(tmp_path), HeardEvents(store=world.store)
    with pytest.raises(MissingPermissionError, match=operation) as refused:
        await make_plan(world.work(), artifacts=artifacts, events=events)
    part = {"HeadObject": "", "GetObjectTagging": "Tagging", "GetObjectAcl": "Acl"}[operation]
    assert f'"s3:GetObjectVersion{part}"' in refused.value.hint
    assert artifacts.index("plan") is None


@pytest.mark.parametrize("operation", READS)
async def test_a_denial_of_some_versions_is_theirs_and_names_the_call(
    tmp_path: Path, operation: str
) -> None:
    """If this fails, a person mends s3:GetObjectVersion where the ACL is what was denied."""
    world = refusing(operation, fault("AccessDenied", 403, operation), keys=25, spared=1)
    artifacts, events = LocalArtifacts(tmp_path), HeardEvents(store=world.store)
    await make_plan(world.work(), artifacts=artifacts, events=events)
    *denied, spared = planned(artifacts)
    assert {(e.reason, e.detail) for e in denied} == {
        (Reason.NOT_READABLE, f"{operation}: AccessDenied")
    }
    assert spared.route is Route.COPY_OBJECT


@pytest.mark.parametrize("keys", [1, 12])
async def test_a_plan_in_which_nothing_can_be_read_is_the_stores_fault(
    tmp_path: Path, keys: int
) -> None:
    """If this fails, a store that cannot do it gives a plan of nothing but reasons."""
    world = refusing("HeadObject", fault("UnknownValue", 200), keys=keys)
    artifacts, events = LocalArtifacts(tmp_path), HeardEvents(store=world.store)
    with pytest.raises(StoreFault, match="UnknownValue"):
        await make_plan(world.work(), artifacts=artifacts, events=events)
    assert artifacts.index("plan") is None


async def test_an_outage_in_the_middle_is_no_trouble_of_the_versions(tmp_path: Path) -> None:
    """If this fails, an outage becomes thousands of reasons in a plan that looks finished."""
    outage = fault("ServiceUnavailable", 503)
    world = refusing("HeadObject", outage, keys=LOST_IN_A_ROW_MAX, spared=40)
    artifacts, events = LocalArtifacts(tmp_path), HeardEvents(store=world.store)
    with pytest.raises(StoreFault, match="ServiceUnavailable"):
        await make_plan(world.work(concurrency=1), artifacts=artifacts, events=events)
    assert artifacts.index("plan") is None


async def test_destination_heads_that_are_all_denied_are_a_missing_permission(
    tmp_path: Path,
) -> None:
    """If this fails, everything there passes for an object that nothing explains."""
    null = version("k", "null", "e", 1, is_latest=True)
    world = world_of(TO_X, source=[null], destinations=[[null]])
    world.store.heads["x", "k", "null"] = fault("AccessDenied", 403)
    with pytest.raises(MissingPermissionError, match="in 'x'"):
        await make_plan(
            world.work(), artifacts=LocalArtifacts(tmp_path), events=HeardEvents(store=world.store)
        )


async def test_keys_that_only_a_destination_has_are_no_rows(tmp_path: Path) -> None:
    """If this fails, extras at the destination break the plan's totals."""
    theirs: list[ListedEntry] = [version("only-there", "v", "e", 1, is_latest=True)]
    world, artifacts = world_of(TO_X, source=[], destinations=[theirs]), LocalArtifacts(tmp_path)
    index = await make_plan(
        world.work(), artifacts=artifacts, events=HeardEvents(store=world.store)
    )
    assert index.rows == 0


async def test_memory_does_not_grow_with_keys(tmp_path: Path) -> None:
    """If this fails, a large bucket ends in an out-of-memory kill."""
    peaks = [await _peak_bytes(tmp_path / str(keys), keys) for keys in (200, 1_200)]
    assert peaks[1] < peaks[0] * 1.2 + 100_000


async def _peak_bytes(root: Path, keys: int) -> int:
    def objects() -> Iterator[ListedEntry]:
        return (version(f"k{n:06d}", "v", f"e{n}", 1, is_latest=True) for n in range(keys))

    world = world_of(TO_X, source=[], destinations=[[]])
    work = replace(world.work(), listings=lambda: Listings(blocks_of(objects()), [[]]))
    gc.collect()
    gc.freeze()  # beside what other tests left, garbage would be looked for rarely
    tracemalloc.start()
    try:
        await make_plan(
            work,
            artifacts=LocalArtifacts(root, segment_rows_max=200),
            events=HeardEvents(store=world.store),
        )
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        gc.unfreeze()


HOSTILE = "a\n\x1b[2Jkey"


def explained_world() -> World:
    chain: list[ListedEntry] = [
        version(HOSTILE, "v2", "e2", 20, is_latest=True),
        version(HOSTILE, "v1", "e1", 10),
        marker("b", "m", is_latest=True),
    ]
    rules = (
        rule("winner", bucket="x", priority=3),
        rule("loser", bucket="x", priority=2),
        rule("elsewhere", bucket="x", prefix="videos/", priority=4),
        rule("off", bucket="x", is_enabled=False, priority=5),
        rule("tagged", bucket="x", tags=TAG, priority=6),
    )
    older = version(HOSTILE, "v1", "e1", 10, is_latest=True)
    return world_of(*rules, source=chain, destinations=[[older]])


async def test_explain_shows_every_rule_and_what_excluded_it() -> None:
    """If this fails, nobody can tell why an object was not replicated."""
    explanation = await explain_key(explained_world().work(), HOSTILE)
    (proof,) = explanation.destinations
    findings = {finding.rule_id: finding.finding for finding in proof.rules}
    assert findings == {
        "winner": "matches and wins",
        "loser": "matches, but rule 'winner' has the higher priority",
        "elsewhere": "prefix 'videos/' does not cover the key",
        "off": "is Disabled",
        "tagged": "the object lacks the tags t=1",
    }
    assert (proof.decision, proof.is_moved) == (Route.COPY_OBJECT.value, True)
    assert any("only over the object with ETag e1" in fact for fact in proof.facts)


async def test_explain_is_safe_on_a_terminal_and_exact_in_json() -> None:
    """If this fails, a key moves the cursor, or its JSON names another key."""
    explanation = await explain_key(explained_world().work(), HOSTILE, VersionId("v1"))
    lines = list(explanation_lines(explanation))
    assert all(line.isprintable() for line in lines)
    assert any("noncurrent" in line for line in lines)
    assert explanation_document(explanation)["key"] == HOSTILE


async def test_explain_says_what_a_marker_meets() -> None:
    """If this fails, a person widens a filter where only DeleteMarkerReplication is off."""
    explanation = await explain_key(explained_world().work(), "b")
    (proof,) = explanation.destinations
    findings = {finding.rule_id: finding.finding for finding in proof.rules}
    assert findings["winner"] == "matches and wins; but does not replicate delete markers"
    assert findings["tagged"] == "filters by tags, which delete markers do not have"
    assert proof.decision == Reason.DELETE_MARKER_NOT_REPLICATED.value
    assert proof.remedy


@pytest.mark.parametrize(("key", "version_id"), [("nowhere", None), (HOSTILE, VersionId("v9"))])
async def test_explain_refuses_what_the_inventory_does_not_have(
    key: str, version_id: VersionId | None
) -> None:
    """If this fails, a mistyped key gets a proof."""
    with pytest.raises(UsageError):
        await explain_key(explained_world().work(), key, version_id)


async def test_pending_versions_are_in_flight(tmp_path: Path) -> None:
    """If this fails, live replication and a copy worker write the same key at once."""
    entry = version("k", "v", "e", 1, is_latest=True)
    world, artifacts = world_of(TO_X, source=[entry], destinations=[[]]), LocalArtifacts(tmp_path)
    world.store.heads[SOURCE, "k", "v"] = head_of(
        entry, replication_status=ReplicationStatus.PENDING
    )
    await make_plan(world.work(), artifacts=artifacts, events=HeardEvents(store=world.store))
    assert [each.reason for each in planned(artifacts)] == [Reason.IN_FLIGHT]
