"""Execute on a tiny S3: whatever a call does, an entry ends settled, nothing is written twice."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from backfill.errors import (
    BugError,
    FailureRateError,
    InterruptedRunError,
    RefusedError,
    StoreFault,
    TotalsError,
    VersioningError,
)
from backfill.execute.codes import Code
from backfill.execute.stop import StopRequest
from backfill.model.attributes import ReplicationStatus
from backfill.model.escaping import visible_text
from backfill.model.objects import Checksum, ChecksumType
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.model.pauses import RetryBudget
from backfill.model.store import (
    CompleteMultipartUploadRequest,
    CopyObjectRequest,
    IfAbsent,
    IfReplaces,
)
from backfill.ports import Intent
from backfill.settings import Settings
from tests.unit.execute.campaign_double import Run
from tests.unit.execute.deaths import DiedError, deaths
from tests.unit.execute.versioned_store import (
    DESTINATION,
    SOURCE,
    VersionedStore,
    archived,
    changed,
    conflict,
    denied,
    expired,
    gone,
    reset,
    slow_down,
)

Faulty = Callable[[], StoreFault]


def absent_key() -> Run:
    run = Run()
    run.add(run.store.put("src", "k", b"v1"))
    return run


def older_copy() -> Run:
    run = Run()
    v0 = run.store.put("src", "k", b"v0")
    run.store.replicate(v0)
    run.add(run.store.put("src", "k", b"v1"))
    return run


def deleted_key() -> Run:
    run = Run()
    v0 = run.store.put("src", "k", b"v0")
    run.store.replicate(v0)
    run.add(run.store.mark("src", "k"))
    return run


def quiet_marker() -> Run:
    run = Run()
    run.store.put("src", "k", b"v0")
    run.add(run.store.mark("src", "k"), has_other_writers=False)
    return run


def large_object() -> Run:
    run = Run(settings=replace(Settings(), copy_object_bytes_max=5, part_bytes=5))
    run.add(run.store.put("src", "k", b"0123456789AB", part_sizes=(5, 5, 2), tags=(("a", "b"),)))
    return run


def extra_object() -> Run:
    run = Run(allows_hiding=True)
    run.add_extra(run.store.put("dst", "k", b"extra"))
    return run


SCENES: dict[str, tuple[Callable[[], Run], str, OutcomeKind, list[bytes | None]]] = {
    "absent key": (absent_key, "copy", OutcomeKind.COPIED, [b"v1"]),
    "older copy": (older_copy, "copy", OutcomeKind.COPIED, [b"v1", b"v0"]),
    "deleted key": (deleted_key, "hide", OutcomeKind.MARKED, [None, b"v0"]),
    "quiet marker": (quiet_marker, "mark", OutcomeKind.MARKED, [None]),
    "large object": (large_object, "complete", OutcomeKind.COPIED, [b"0123456789AB"]),
    "extra object": (extra_object, "hide", OutcomeKind.MARKED, [None, b"extra"]),
}


@pytest.mark.parametrize("name", SCENES)
async def test_the_clean_path_writes_once(name: str) -> None:
    """If this fails, nothing else here means anything."""
    scene, operation, kind, bodies = SCENES[name]
    run = scene()
    outcome = await run.only()
    assert (outcome.kind, outcome.code, run.bodies()) == (kind, "", bodies)
    assert outcome.version_id == run.store.chain("dst", "k")[0].version_id
    assert run.store.calls[operation] == 1


@pytest.mark.parametrize("faulty", [slow_down, reset, conflict, changed])
@pytest.mark.parametrize("name", SCENES)
async def test_a_write_that_was_not_applied_is_made_once(name: str, faulty: Faulty) -> None:
    """Fault before the store acted: if this fails, an object is lost or doubled."""
    scene, operation, kind, bodies = SCENES[name]
    run = scene()
    run.store.refused_before[operation, 1] = faulty
    outcome = await run.only()
    assert (outcome.kind, run.bodies()) == (kind, bodies)


@pytest.mark.parametrize("name", SCENES)
async def test_a_write_whose_answer_was_lost_is_not_made_again(name: str) -> None:
    """Fault after the store acted: if this fails, the destination gets a version twice."""
    scene, operation, kind, bodies = SCENES[name]
    run = scene()
    run.store.lost_after[operation, 1] = reset
    outcome = await run.only()
    assert (outcome.kind, run.bodies()) == (kind, bodies)
    assert outcome.version_id == run.store.chain("dst", "k")[0].version_id


@pytest.mark.parametrize("name", SCENES)
async def test_an_answer_that_proves_nothing_is_settled_by_the_chain(name: str) -> None:
    """200 with an empty body: if this fails, it is taken for success or written again."""
    scene, operation, kind, bodies = SCENES[name]
    run = scene()
    run.store.empty_after.add((operation, 1))
    outcome = await run.only()
    assert (outcome.kind, run.bodies()) == (kind, bodies)
    assert outcome.version_id == run.store.chain("dst", "k")[0].version_id


@pytest.mark.parametrize("name", SCENES)
async def test_lost_answers_without_end_are_settled_all_the_same(name: str) -> None:
    """The write was applied, no answer came: if this fails, success reads as failure."""
    scene, operation, kind, bodies = SCENES[name]
    run = scene()
    for call in range(1, 20):
        run.store.lost_after[operation, call] = reset
    outcome = await run.only()
    assert (outcome.kind, run.bodies()) == (kind, bodies)


@pytest.mark.parametrize("faulty", [slow_down, reset])
@pytest.mark.parametrize("name", SCENES)
async def test_a_store_that_never_answers_ends_in_failed_and_nothing_written(
    name: str, faulty: Faulty
) -> None:
    """If this fails, an outage is reported as success, or never ends."""
    scene, operation, _, _ = SCENES[name]
    run = scene()
    before = run.bodies()
    for call in range(1, 40):
        run.store.refused_before[operation, call] = faulty
    outcome = await run.only()
    assert (outcome.kind, run.bodies()) == (OutcomeKind.FAILED, before)
    assert run.store.uploads == {}
    assert run.store.calls[operation] <= 40


@pytest.mark.parametrize("name", SCENES)
async def test_a_denied_write_fails_with_its_code(name: str) -> None:
    """If this fails, a person does not learn which permission is missing."""
    scene, operation, _, _ = SCENES[name]
    run = scene()
    before = run.bodies()
    run.store.refused_before[operation, 1] = denied
    outcome = await run.only()
    assert (outcome.kind, outcome.code) == (OutcomeKind.FAILED, "AccessDenied")
    assert run.bodies() == before
    assert run.store.uploads == {}


@pytest.mark.parametrize("name", SCENES)
async def test_a_fault_that_no_entry_survives_stops_the_run_resumable(name: str) -> None:
    """If this fails, expired credentials burn through the whole manifest."""
    scene, operation, kind, bodies = SCENES[name]
    run = scene()
    run.store.refused_before[operation, 1] = expired
    with pytest.raises(RefusedError, match="ExpiredToken"):
        await run.go()
    assert run.journal.done == {}
    again = run.restarted()
    outcome = await again.only()
    assert (outcome.kind, run.bodies()) == (kind, bodies)
    assert run.store.uploads == {}


@pytest.mark.parametrize("faulty", [reset, slow_down])
@pytest.mark.parametrize("reading", ["list:src", "list:dst", "head:src", "head:dst"])
@pytest.mark.parametrize("name", SCENES)
async def test_reads_that_fail_while_settling_change_nothing(
    name: str, reading: str, faulty: Faulty
) -> None:
    """If this fails, a flaky listing turns a settled write into a second one."""
    scene, operation, kind, bodies = SCENES[name]
    run = scene()
    run.store.lost_after[operation, 1] = reset
    for call in (1, 2):
        run.store.refused_before[reading, call] = faulty
    outcome = await run.only()
    assert (outcome.kind, run.bodies()) == (kind, bodies)


# --- Every await is a place to die ---


@pytest.mark.parametrize("name", SCENES)
async def test_a_death_at_any_call_is_resumed_without_loss_or_double(name: str) -> None:
    """Kill -9 before and after every store call: if this fails, resume is not safe."""
    scene, _, kind, bodies = SCENES[name]

    async def begun() -> Run:
        return scene()

    async for place, run in deaths(begun, at_least=1):
        outcome = await run.only()
        assert (outcome.kind, run.bodies()) == (kind, bodies), place
        # An upload that died before its intent holds no part, so it costs nothing.
        assert not any(upload.parts for upload in run.store.uploads.values())


# --- Guards ---


async def test_every_request_is_pinned_and_conditional() -> None:
    """If this fails, a copy can land on, or be made of, something that nobody looked at."""
    run = absent_key()
    replaced = run.store.put("src", "r", b"new")
    run.store.put("dst", "r", b"old")
    run.add(replaced)
    await run.go()
    copies = [request for request in run.store.requests if isinstance(request, CopyObjectRequest)]
    old = run.store.chain("dst", "r")[-1]
    assert [request.precondition for request in sorted(copies, key=lambda r: r.key)] == [
        IfAbsent(),
        IfReplaces(etag=old.etag),
    ]
    for request, entry in zip(copies, run.entries, strict=True):
        assert (request.source.version_id, request.source.etag) == (entry.version_id, entry.etag)
        assert (request.source.place, request.destination) == (SOURCE, DESTINATION)


async def test_a_destination_without_versioning_is_refused() -> None:
    """If this fails, an overwrite loses what was there, for good."""
    run = absent_key()
    run.control.versioning_status = "Suspended"
    with pytest.raises(VersioningError, match="Suspended"):
        await run.go()
    assert run.store.calls.total() == 0


async def test_an_outcome_is_counted_only_when_it_is_durable() -> None:
    """If this fails, progress and breaker believe what a crash takes back."""
    run = absent_key()
    seen: list[int] = []
    conclude = run.journal.conclude

    async def slow(outcome: Outcome) -> None:
        for _ in range(50):
            await asyncio.sleep(0)
        seen.append(len(run.talk.counts))
        await conclude(outcome)
        seen.append(len(run.talk.counts))

    def watched(outcome: Outcome) -> asyncio.Future[None]:
        return asyncio.ensure_future(slow(outcome))

    run.journal.conclude = watched  # type: ignore[method-assign] # watches the call
    await run.go()
    assert seen == [0, 0]
    assert [counts.done for counts in run.talk.counts] == [1]


@pytest.mark.parametrize("name", ["absent key", "large object", "deleted key"])
async def test_the_intent_is_durable_before_the_write(name: str) -> None:
    """If this fails, a crash right after the write leaves nothing to settle."""
    scene, operation, _, _ = SCENES[name]
    run = scene()
    logged: list[int] = []
    run.store.before[operation, 1] = lambda: logged.append(len(run.journal.intents))
    await run.go()
    assert logged == [1]
    (intent,) = run.journal.intents
    assert isinstance(intent, Intent)
    assert bool(intent.upload_id) == (name == "large object")


# --- Preconditions that fail ---


async def test_live_replication_that_won_is_already_there() -> None:
    """412 because the replica arrived: if this fails, we write over live replication."""
    run = absent_key()
    v1 = run.store.chain("src", "k")[0]
    run.store.before["copy", 1] = lambda: run.store.replicate(v1)
    outcome = await run.only()
    assert (outcome.kind, run.bodies()) == (OutcomeKind.ALREADY_THERE, [b"v1"])


async def test_a_newer_replica_is_not_buried() -> None:
    """If this fails, the destination goes backwards."""
    run = absent_key()
    run.store.before["copy", 1] = lambda: run.store.replicate(run.store.put("src", "k", b"v2"))
    outcome = await run.only()
    assert (outcome.kind, outcome.code) == (OutcomeKind.SUPERSEDED, Code.NEWER_VERSION)
    assert run.bodies() == [b"v2"]


async def test_a_strangers_object_is_left_alone() -> None:
    """If this fails, somebody's own object at the destination is covered."""
    run = absent_key()
    run.store.before["copy", 1] = lambda: run.store.put("dst", "k", b"XX")
    outcome = await run.only()
    assert (outcome.kind, outcome.code) == (OutcomeKind.SKIPPED, Code.DESTINATION_DIFFERS)
    assert run.bodies() == [b"XX"]


async def test_an_equal_copy_by_somebody_else_is_already_there() -> None:
    """If this fails, equal content is reported as a conflict."""
    run = absent_key()
    run.store.before["copy", 1] = lambda: run.store.put("dst", "k", b"v1")
    assert (await run.only()).kind is OutcomeKind.ALREADY_THERE
    assert run.bodies() == [b"v1"]


async def test_what_came_between_plan_and_work_is_compared_with_the_source() -> None:
    """If this fails, a source version that is there is called vanished, a kill's trace lost."""
    run = absent_key()
    run.store.put("dst", "k", b"v1")
    assert (await run.only()).kind is OutcomeKind.ALREADY_THERE
    assert run.bodies() == [b"v1"]


async def test_a_412_after_our_own_lost_attempt_is_our_write() -> None:
    """The request was delivered twice: if this fails, our own copy reads as a stranger's."""
    run = absent_key()
    v1 = run.store.chain("src", "k")[0]
    # The first request arrives late, between the settling look and the second attempt.
    run.store.refused_before["copy", 1] = reset
    run.store.before["copy", 2] = lambda: run.store.put("dst", "k", v1.body)
    outcome = await run.only()
    assert (outcome.kind, run.bodies()) == (OutcomeKind.COPIED, [b"v1"])


@pytest.mark.parametrize("by_time", [False, True])
async def test_a_marker_of_ours_that_was_delivered_twice_is_ours(*, by_time: bool) -> None:
    """Hidden, then refused: if this fails, our own marker buries what comes after it."""
    run = absent_key()
    store = run.store
    store.before["copy", 1] = lambda: store.mark("src", "k")

    def twice() -> None:
        store.mark("dst", "k")
        store.put("src", "k", b"v3", status=ReplicationStatus.PENDING)
        store.chain("dst", "k")[0] = replace(store.chain("dst", "k")[0], last_modified=store.now())

    store.before["hide", 1] = twice
    await run.only()
    store.replicate(store.chain("src", "k")[0], by_time=by_time)
    assert run.bodies()[0] == b"v3"


async def test_a_copy_that_was_delivered_twice_is_looked_back_at() -> None:
    """Copied, then refused, and the source is deleted: if this fails, the key stays visible."""
    run = absent_key()
    store = run.store

    def twice() -> None:
        store.put("dst", "k", b"v1")
        store.mark("src", "k")

    store.before["copy", 1] = twice
    outcome = await run.only()
    assert (outcome.kind, run.bodies()) == (OutcomeKind.HIDDEN, [None, b"v1"])


@pytest.mark.parametrize("is_deleted", [False, True])
async def test_a_copy_that_was_delivered_twice_and_covered_is_told(*, is_deleted: bool) -> None:
    """Copied, covered, then refused: if this fails, what we wrote is told as never written."""
    run = absent_key()
    store = run.store

    def twice() -> None:
        store.put("dst", "k", b"v1")
        if is_deleted:
            store.mark("dst", "k")
        else:
            store.put("dst", "k", b"somebody else's")

    store.before["copy", 1] = twice
    store.refused_before["copy", 1] = changed
    outcome = await run.only()
    copied = store.chain("dst", "k")[1].version_id
    assert (outcome.kind, outcome.code) == (OutcomeKind.COPIED, Code.OVERTAKEN)
    assert outcome.version_id == copied


async def test_a_copy_that_was_delivered_twice_and_cannot_be_read_is_left_open() -> None:
    """Copied, refused, then denied: if this fails, a copy that stands is told as never made."""
    run = absent_key()
    run.store.before["copy", 1] = lambda: run.store.put("dst", "k", b"v1")
    run.store.refused_before["head:dst", 1] = denied
    outcome = await run.only()
    assert (outcome.kind, run.bodies()) == (OutcomeKind.FAILED, [b"v1"])
    assert "may have been applied" in outcome.detail


async def test_a_replace_with_an_equal_etag_is_told_by_version_id() -> None:
    """Bytes equal, metadata mended: if this fails, the ETag is taken for proof of nothing."""
    run = Run()
    v1 = run.store.put("src", "k", b"v1", metadata=(("a", "right"),))
    run.store.put("dst", "k", b"v1", metadata=(("a", "wrong"),))
    run.add(v1)
    run.store.lost_after["copy", 1] = reset
    outcome = await run.only()
    assert outcome.kind is OutcomeKind.COPIED
    assert [s.metadata for s in run.store.chain("dst", "k")] == [
        (("a", "right"),),
        (("a", "wrong"),),
    ]


@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchVersion"])
async def test_a_vanished_source_version_is_skipped(code: str) -> None:
    """If this fails, a version deleted by its owner counts as our failure."""
    run = absent_key()
    run.store.before["copy", 1] = lambda: run.store.purge(
        "src", "k", run.entries[0].version_id or ""
    )
    run.store.refused_before["copy", 1] = lambda: gone(code)
    outcome = await run.only()
    assert (outcome.kind, outcome.code) == (OutcomeKind.SKIPPED, Code.VANISHED)
    assert run.bodies() == []


async def test_an_archived_source_version_is_skipped() -> None:
    """If this fails, an archived version is tried for ever."""
    run = absent_key()
    run.store.refused_before["copy", 1] = archived
    outcome = await run.only()
    assert (outcome.kind, outcome.code) == (OutcomeKind.SKIPPED, Code.ARCHIVED)


async def test_a_pending_version_is_left_to_live_replication() -> None:
    """Decided anew while PENDING: if this fails, replica and copy stand side by side."""
    run = absent_key()
    version_id = run.entries[0].version_id or ""
    run.store.set_status("k", version_id, ReplicationStatus.PENDING)
    run.store.refused_before["copy", 1] = conflict
    outcome = await run.only()
    assert (outcome.kind, outcome.code) == (OutcomeKind.SKIPPED, Code.IN_FLIGHT)


async def test_a_key_that_changes_at_every_look_ends() -> None:
    """If this fails, one busy key keeps the run from ending."""
    run = absent_key()
    for call in range(1, 100):
        run.store.refused_before["copy", call] = conflict
    outcome = await run.only()
    assert (outcome.kind, outcome.code) == (OutcomeKind.FAILED, Code.KEEPS_CHANGING)


# --- The window after the copy ---


@pytest.mark.parametrize("by_time", [False, True])
@pytest.mark.parametrize("arrives", ["between", "late"])
async def test_a_newer_version_ends_up_current(arrives: str, *, by_time: bool) -> None:
    """v2 is written before our copy of v1 lands: if this fails, the destination stays stale."""
    run = absent_key()
    store = run.store

    def put() -> None:
        store.put("src", "k", b"v2", status=ReplicationStatus.PENDING)

    def deliver() -> None:
        v2 = store.chain("src", "k")[0]
        store.set_status("k", v2.version_id, ReplicationStatus.COMPLETED)
        store.replicate(v2, by_time=by_time)

    store.before["copy", 1] = put
    if arrives == "between":
        store.after["copy", 1] = deliver
    outcome = await run.only()
    if arrives == "late":
        deliver()
    assert run.bodies()[0] == b"v2"
    assert outcome.kind in (OutcomeKind.COPIED, OutcomeKind.SUPERSEDED)
    ours = [s for s in store.chain("dst", "k") if s.status is not ReplicationStatus.REPLICA]
    assert len({s.body for s in ours}) == len(ours)


@pytest.mark.parametrize("by_time", [False, True])
async def test_a_younger_version_is_left_to_live_replication(*, by_time: bool) -> None:
    """Stamped after our copy it lands above it: if this fails, we copy what S3 delivers."""
    run = absent_key()
    store = run.store
    store.after["copy", 1] = lambda: store.put("src", "k", b"v2", status=ReplicationStatus.PENDING)
    outcome = await run.only()
    store.replicate(store.chain("src", "k")[0], by_time=by_time)
    assert (outcome.kind, outcome.code) == (OutcomeKind.COPIED, Code.NEWER_VERSION)
    assert run.bodies() == [b"v2", b"v1"]


async def test_a_newer_version_that_no_rule_selects_stays_out() -> None:
    """If this fails, a version outside the rule's filter reaches the destination."""
    run = absent_key()
    run.store.before["copy", 1] = lambda: run.store.put("src", "k", b"v2")
    outcome = await run.only()
    assert (outcome.kind, run.bodies()) == (OutcomeKind.COPIED, [b"v1"])


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("by_time", [False, True])
async def test_a_source_that_was_deleted_stays_deleted(when: str, *, by_time: bool) -> None:
    """The marker meets our copy in the window: if this fails, a deleted key comes back."""
    run = absent_key()
    store = run.store

    def delete() -> None:
        store.replicate(store.mark("src", "k"), by_time=by_time)

    getattr(store, when)["copy", 1] = delete
    outcome = await run.only()
    assert run.bodies()[0] is None
    assert outcome.kind in (OutcomeKind.HIDDEN, OutcomeKind.COPIED)


async def test_a_deleted_source_hides_our_copy_and_says_so() -> None:
    """The marker itself is still on its way: if this fails, the key is visible meanwhile."""
    run = absent_key()
    run.store.before["copy", 1] = lambda: run.store.mark("src", "k")
    outcome = await run.only()
    assert (outcome.kind, outcome.code) == (OutcomeKind.HIDDEN, Code.SOURCE_DELETED)
    assert run.bodies() == [None, b"v1"]
    assert outcome.version_id == run.store.chain("dst", "k")[1].version_id


async def test_a_rule_without_delete_markers_keeps_the_copy() -> None:
    """If this fails, we delete what the rule lets the destination keep."""
    run = Run()
    run.add(run.store.put("src", "k", b"v1"), replicates_delete_markers=False)
    run.store.before["copy", 1] = lambda: run.store.mark("src", "k")
    outcome = await run.only()
    assert (outcome.kind, outcome.code) == (OutcomeKind.COPIED, Code.SOURCE_DELETED)
    assert run.bodies() == [b"v1"]


@pytest.mark.parametrize("allows_hiding", [False, True])
async def test_a_copy_on_an_unseen_marker_is_hidden_or_reported(*, allows_hiding: bool) -> None:
    """`If-None-Match: *` succeeds over a marker: if this fails, a deletion is undone silently."""
    run = Run(allows_hiding=allows_hiding)
    run.add(run.store.put("src", "k", b"v1"), replicates_delete_markers=False)
    run.store.before["copy", 1] = lambda: run.store.mark("dst", "k")
    outcome = await run.only()
    kind = OutcomeKind.HIDDEN if allows_hiding else OutcomeKind.SUPERSEDED
    assert (outcome.kind, outcome.code) == (kind, Code.DESTINATION_DELETED)
    assert run.bodies()[0] == (None if allows_hiding else b"v1")


async def test_a_marker_that_the_plan_saw_may_be_covered() -> None:
    """If this fails, a key that was deleted and written again is never delivered."""
    run = Run()
    marker = run.store.mark("src", "k")
    run.store.replicate(marker)
    run.add(run.store.put("src", "k", b"v1"))
    outcome = await run.only()
    assert (outcome.kind, run.bodies()) == (OutcomeKind.COPIED, [b"v1", None])


@pytest.mark.parametrize("by_time", [False, True])
async def test_hiding_never_hides_what_came_after(*, by_time: bool) -> None:
    """v3 is written while we hide v1: if this fails, our marker buries it."""
    run = absent_key()
    store = run.store
    store.before["copy", 1] = lambda: store.mark("src", "k")
    store.before["hide", 1] = lambda: store.put("src", "k", b"v3", status=ReplicationStatus.PENDING)
    await run.only()
    store.replicate(store.chain("src", "k")[0], by_time=by_time)
    assert run.bodies()[0] == b"v3"


async def test_a_dead_run_that_hid_its_copy_is_looked_back_at_too() -> None:
    """Death right after the marker: if this fails, what came meanwhile stays buried."""
    run = absent_key()
    store = run.store
    store.before["copy", 1] = lambda: store.mark("src", "k")

    def late() -> None:
        store.put("src", "k", b"v3", status=ReplicationStatus.PENDING)

    def die() -> None:
        raise DiedError

    store.before["hide", 1] = late
    store.after["hide", 1] = die
    with pytest.raises(DiedError):
        await run.go()
    outcome = await run.restarted().only()
    store.replicate(store.chain("src", "k")[0], by_time=True)
    assert run.bodies()[0] == b"v3"
    assert outcome.kind is OutcomeKind.SUPERSEDED


# --- Many entries ---


def dense(count: int, **settings: int) -> Run:
    run = Run(settings=replace(Settings(), **settings))
    for number in range(count):
        run.add(run.store.put("src", f"key-{number:05d}", b"%d" % number))
    return run


async def test_neighbours_are_looked_back_at_together() -> None:
    """P8: more than 0.1 extra request an entry on dense ranges fails."""
    run = dense(300)
    outcomes = await run.go()
    assert {o.kind for o in outcomes} == {OutcomeKind.COPIED}
    listings = run.store.calls["list:src"] + run.store.calls["list:dst"]
    assert run.store.calls["copy"] == 300
    assert listings <= 30
    assert run.store.calls.total() == 300 + listings


async def test_what_goes_straight_takes_its_copy_and_four_listings_a_block() -> None:
    """If this fails, a copy in ten million costs more requests than S3 has to be asked."""
    run = dense(100)
    for number, entry in enumerate(run.entries):
        run.entries[number] = entry._replace(has_other_writers=number >= 50)
    outcomes = await run.go()
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.COPIED}
    assert run.store.calls == {"copy": 100, "list:src": 2, "list:dst": 2}
    assert len(run.journal.log) == 200, "an intent and an outcome each"


@pytest.mark.parametrize("faulty", [reset, slow_down, conflict, changed, None])
@pytest.mark.parametrize("has_other_writers", [True, False])
async def test_a_straight_copy_that_meets_a_fault_is_a_workers(
    faulty: Faulty | None, *, has_other_writers: bool
) -> None:
    """If this fails, a fault on the straight way loses a copy, doubles it or is not counted."""
    run = dense(20)
    run.entries[:] = [e._replace(has_other_writers=has_other_writers) for e in run.entries]
    if faulty is None:
        run.store.lost_after["copy", 7] = reset
    else:
        run.store.refused_before["copy", 7] = faulty
    outcomes = await run.go()
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.COPIED}
    assert all(len(run.store.chain("dst", entry.key)) == 1 for entry in run.entries)
    assert sum(outcome.attempts for outcome in outcomes) == 20 + (faulty is not None)


async def test_a_block_whose_range_cannot_be_listed_is_looked_at_key_by_key() -> None:
    """If this fails, one failed listing leaves a hundred copies without their look back."""
    run = dense(5)
    run.store.refused_before["list:dst", 1] = denied
    run.store.before["copy", 3] = lambda: run.store.mark("src", "key-00002")
    outcomes = await run.go()
    assert [o.kind for o in outcomes].count(OutcomeKind.HIDDEN) == 1
    assert [o.kind for o in outcomes].count(OutcomeKind.COPIED) == 4


async def test_the_artefact_has_one_row_an_entry_and_true_totals() -> None:
    """If this fails, the report's totals are not the manifest's."""
    run = dense(7)
    await run.go()
    rows = run.artifacts.made["outcomes/01"]
    assert [row[0] for row in rows] == list(range(7))
    kinds = run.artifacts.summaries["outcomes/01"]["kinds"]
    assert isinstance(kinds, dict)
    assert sum(kinds.values()) == 7


async def test_an_entry_without_an_outcome_is_a_bug_and_not_a_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If this fails, a lost entry goes unnoticed."""
    run = dense(3)
    outcomes = run.journal.outcomes
    monkeypatch.setattr(run.journal, "outcomes", lambda: (o for o in outcomes() if o.number))
    with pytest.raises(TotalsError):
        await run.go()


async def test_what_is_concluded_is_not_touched_again() -> None:
    """If this fails, a finished run copies everything once more."""
    run = dense(4)
    await run.go()
    calls = run.store.calls.total()
    again = run.restarted()
    assert len(await again.go()) == 4
    assert run.store.calls.total() == calls


async def test_a_bug_at_one_entry_leaves_it_open_and_the_others_done() -> None:
    """If this fails, one entry that trips an assertion stops the run at every resume."""
    run = Run(settings=replace(Settings(), concurrency=4))
    for number in range(300):
        run.add(run.store.put("src", f"key\n{number:05d}"))

    def trip() -> None:
        raise AssertionError("this cannot\nbe")

    run.store.before["copy", 5] = trip
    with pytest.raises(BugError) as bug:
        await run.go()
    (open_number,) = {entry.number for entry in run.entries} - run.journal.done.keys()
    key = run.entries[open_number].key
    assert bug.value.exit_status == 70
    assert f"entry {open_number}, key '{visible_text(key)}'" in bug.value.message
    assert "\n" not in bug.value.message
    assert isinstance(bug.value.__cause__, AssertionError)
    assert len(await run.restarted().go()) == 300


async def test_a_bug_at_every_entry_does_not_work_through_the_whole_manifest() -> None:
    """If this fails, a broken build sends a million requests before it says so."""
    run = dense(400, breaker_window=20, concurrency=4)

    def trip() -> None:
        raise AssertionError

    run.store.before.update({("copy", call): trip for call in range(1, 401)})
    with pytest.raises(BugError):
        await run.go()
    assert run.store.calls["copy"] < 400


async def test_retries_are_paid_from_the_budget_of_the_process() -> None:
    """If this fails, reads and writes each have a budget, and an outage gets twice the load."""
    run = absent_key()
    run.budget = RetryBudget(ratio=0.0, floor=5)
    run.store.refused_before["copy", 1] = slow_down
    await run.go()
    assert (run.budget.first_attempts, run.budget.retries) == (1, 1)


async def test_the_breaker_stops_a_run_in_which_everything_fails() -> None:
    """If this fails, a missing permission costs a million requests."""
    run = dense(400, breaker_window=20, concurrency=4)
    for call in range(1, 2000):
        run.store.refused_before["copy", call] = denied
    with pytest.raises(FailureRateError, match="AccessDenied"):
        await run.go()
    assert run.store.calls["copy"] < 100


async def test_retries_are_bounded_under_a_total_outage() -> None:
    """If this fails, an outage becomes a storm."""
    run = dense(50, concurrency=10)
    for call in range(1, 2000):
        run.store.refused_before["copy", call] = slow_down
    outcomes = await run.go()
    assert {o.kind for o in outcomes} == {OutcomeKind.FAILED}
    assert run.store.calls["copy"] == 50 * run.settings.attempts_max
    unpaid = [pause for pause in run.clock.pauses if pause > 6.4]
    assert unpaid, "once the budget is spent, pauses are drawn from the longest interval"


async def test_a_stop_drains_and_the_next_run_goes_on() -> None:
    """SIGTERM: if this fails, a container's end loses work or doubles it."""
    stop = StopRequest()
    run = dense(50, concurrency=2)
    run.stop = stop
    run.store.before["copy", 10] = lambda: stop.request(15)
    with pytest.raises(InterruptedRunError) as stopped:
        await run.go()
    assert stopped.value.signal_number == 15
    assert 10 <= run.store.calls["copy"] < 20
    assert len(run.journal.done) == run.store.calls["copy"]
    again = run.restarted()
    assert {o.kind for o in await again.go()} == {OutcomeKind.COPIED}
    assert run.store.calls["copy"] == 50


async def test_a_second_stop_ends_at_once_and_stays_resumable() -> None:
    """SIGINT twice: if this fails, a person has to use kill -9."""
    stop = StopRequest()
    run = dense(20, concurrency=2)
    run.stop = stop

    def twice() -> None:
        stop.request()
        stop.request()

    run.store.after["copy", 5] = twice
    with pytest.raises(InterruptedRunError):
        await run.go()
    again = run.restarted()
    assert {o.kind for o in await again.go()} == {OutcomeKind.COPIED}
    assert all(len(run.store.chain("dst", e.key)) == 1 for e in run.entries)


async def test_a_drain_that_takes_too_long_is_cut() -> None:
    """If this fails, a hanging copy outlives the container's grace period."""
    stop = StopRequest()
    run = absent_key()
    run.stop = stop
    run.settings = replace(Settings(), drain_timeout_s=0.01)
    hanging = asyncio.Event()

    class Hanging(VersionedStore):
        async def copy_object(self, request: object) -> None:  # type: ignore[override] # never returns
            assert request
            stop.request()
            await hanging.wait()

    hung = Hanging()
    hung.chains = run.store.chains
    run.store = hung
    with pytest.raises(InterruptedRunError):
        await run.go()
    assert run.journal.done == {}


async def test_rows_of_one_key_are_worked_on_in_sequence() -> None:
    """If this fails, two writes of one key race each other."""
    run = Run(destinations=2)
    v1 = run.store.put("src", "k", b"v1")
    run.add(v1)
    run.add(v1, destination=1)
    outcomes = await run.go()
    # Both destinations are the same bucket here, so the second row finds the first one's copy.
    assert [o.kind for o in outcomes] == [OutcomeKind.COPIED, OutcomeKind.ALREADY_THERE]
    assert run.bodies() == [b"v1"]


async def test_a_key_may_have_other_writers_at_one_destination_only() -> None:
    """If this fails, a row that needs no reading is looked for among what was read for another."""
    run = Run(destinations=2)
    v1 = run.store.put("src", "k", b"v1")
    run.add(v1)
    run.add(v1, destination=1, has_other_writers=False)
    outcomes = await run.go()
    assert [o.kind for o in outcomes] == [OutcomeKind.COPIED, OutcomeKind.ALREADY_THERE]


# --- Read again before writing ---


async def test_a_marker_that_came_after_the_plan_is_not_covered() -> None:
    """Hours lie between plan and copy: if this fails, a deleted key comes back for a while."""
    run = absent_key()
    run.store.replicate(run.store.mark("src", "k"))
    outcome = await run.only()
    assert (outcome.kind, outcome.code) == (OutcomeKind.SUPERSEDED, Code.SOURCE_DELETED)
    assert run.store.calls["copy"] == 0


async def test_without_other_writers_the_plan_is_taken_at_its_word() -> None:
    """If this fails, a quiet campaign pays for listings that tell nothing."""
    run = Run()
    for number in range(20):
        run.add(run.store.put("src", f"k{number:02d}", b"v"), has_other_writers=False)
    outcomes = await run.go()
    assert {o.kind for o in outcomes} == {OutcomeKind.COPIED}
    assert run.store.calls.total() == 20


# --- Waiting for live replication ---


async def test_replication_that_is_at_work_is_waited_for() -> None:
    """Copying at once goes backwards where replicas land on arrival: if this fails, it does."""
    run = absent_key()
    store = run.store
    store.before["copy", 1] = lambda: store.put("src", "k", b"v2", status=ReplicationStatus.PENDING)
    pauses = run.clock.pauses

    def arrive() -> None:
        v2 = store.chain("src", "k")[0]
        store.set_status("k", v2.version_id, ReplicationStatus.COMPLETED)
        store.replicate(v2)

    store.before["list:dst", 4] = arrive
    outcome = await run.only()
    assert (outcome.kind, outcome.code) == (OutcomeKind.COPIED, Code.OVERTAKEN)
    assert (run.bodies(), store.calls["copy"]) == ([b"v2", b"v1"], 1)
    assert pauses == [5.0, 10.0]


async def test_replication_that_never_comes_is_not_waited_for_without_end() -> None:
    """If this fails, one lost replica keeps a run from ending."""
    run = absent_key()
    store = run.store
    store.before["copy", 1] = lambda: store.put("src", "k", b"v2", status=ReplicationStatus.PENDING)
    outcome = await run.only()
    assert outcome.kind is OutcomeKind.SUPERSEDED
    assert outcome.code == Code.NEWER_VERSION_COPIED
    assert run.bodies() == [b"v2", b"v1"]
    assert run.clock.pauses == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0]


async def test_with_several_destinations_other_tags_may_mean_another_rule() -> None:
    """If this fails, a version reaches a destination that its rule does not name."""
    for tags, bodies in (((("a", "b"),), [b"v2", b"v1"]), ((("x", "y"),), [b"v1"])):
        run = Run(destinations=2)
        store = run.store
        run.add(store.put("src", "k", b"v1", tags=(("a", "b"),)))

        def put(store: VersionedStore = store, tags: tuple[tuple[str, str], ...] = tags) -> None:
            store.put("src", "k", b"v2", status=ReplicationStatus.PENDING, tags=tags)

        store.before["copy", 1] = put
        await run.go()
        assert run.bodies() == bodies


# --- Multipart ---


async def test_uneven_parts_are_mirrored_one_by_one() -> None:
    """If this fails, the copy of an unevenly cut object cannot prove itself by its ETag."""
    run = Run(settings=replace(Settings(), copy_object_bytes_max=5))
    source = run.store.put("src", "k", b"0123456789AB", part_sizes=(3, 6, 1, 2))
    run.add(source)
    outcome = await run.only()
    assert outcome.etag == source.etag
    assert run.store.chain("dst", "k")[0].part_sizes == (3, 6, 1, 2)


async def test_an_empty_last_part_is_legal_and_cannot_be_mirrored() -> None:
    """If this fails, one object that was uploaded with an empty last part ends the whole run."""
    run = Run(settings=replace(Settings(), copy_object_bytes_max=5, part_bytes=5 * 1024 * 1024))
    run.add(run.store.put("src", "k", b"0123456789AB", part_sizes=(6, 6, 0)))
    outcome = await run.only()
    assert (outcome.kind, run.bodies()) == (OutcomeKind.COPIED, [b"0123456789AB"])


@pytest.mark.parametrize("algorithm", [None, "CRC32C"])
async def test_part_checksums_are_echoed_only_of_the_algorithm_that_was_asked_for(
    algorithm: str | None,
) -> None:
    """S3 tells its own checksum too: if this fails, every upload without one is 400 InvalidPart."""
    run = Run(settings=replace(Settings(), copy_object_bytes_max=5))
    stored = Checksum(algorithm=algorithm or "", value="x", type=ChecksumType.COMPOSITE)
    run.add(
        run.store.put(
            "src", "k", b"0123456789AB", part_sizes=(6, 6), checksums=(stored,) * bool(algorithm)
        )
    )
    assert (await run.only()).kind is OutcomeKind.COPIED
    (completed,) = (r for r in run.store.requests if isinstance(r, CompleteMultipartUploadRequest))
    echoed = {tuple(each.algorithm for each in part.checksums) for part in completed.parts}
    assert echoed == {(algorithm,) if algorithm else ()}


@pytest.mark.parametrize("faulty", [slow_down, reset])
async def test_a_part_is_simply_sent_again(faulty: Faulty) -> None:
    """If this fails, one throttled part costs the whole upload."""
    run = large_object()
    run.store.refused_before["part", 2] = faulty
    run.store.lost_after["part", 3] = faulty
    outcome = await run.only()
    assert (outcome.kind, run.store.calls["create"]) == (OutcomeKind.COPIED, 1)


async def test_an_upload_that_is_gone_is_begun_anew() -> None:
    """A lifecycle rule aborted it: if this fails, the object is never copied."""
    run = large_object()
    run.store.before["complete", 1] = run.store.uploads.clear
    outcome = await run.only()
    assert (outcome.kind, run.store.calls["create"]) == (OutcomeKind.COPIED, 2)
    assert run.bodies() == [b"0123456789AB"]


async def test_an_abort_that_fails_is_reported() -> None:
    """If this fails, parts are billed and nobody knows of them."""
    run = large_object()
    run.store.refused_before["part", 1] = expired
    run.store.refused_before["abort", 1] = denied
    with pytest.raises(RefusedError):
        await run.go()
    again = run.restarted()
    run.store.refused_before["list_parts", 1] = denied
    run.store.refused_before["abort", 2] = denied
    outcome = await again.only()
    assert outcome.kind is OutcomeKind.COPIED
    assert "could not be aborted" in outcome.detail


async def test_a_source_overwritten_in_place_is_not_copied_by_parts() -> None:
    """A null version may change under its ID: if this fails, two contents are mixed."""
    run = large_object()
    (old,) = run.store.chain("src", "k")
    run.store.chain("src", "k")[:] = [replace(old, body=b"ABCDEFGHIJKL")]
    outcome = await run.only()
    assert (outcome.kind, run.bodies()) == (OutcomeKind.SUPERSEDED, [])


async def test_a_resume_with_nothing_left_tells_what_is_done() -> None:
    """If this fails, a copy process whose shard is done is missing from the progress shown."""
    run = absent_key()
    await run.go()
    again = run.restarted()
    await again.go()
    assert [(counts.done, counts.total) for counts in again.talk.counts] == [(1, 1)]
