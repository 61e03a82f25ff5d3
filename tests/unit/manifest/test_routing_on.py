"""A key goes to copy workers only when Batch Replication is done with all of it."""

from datetime import UTC, datetime

import pytest

from backfill.errors import TotalsError
from backfill.execute.codes import Code
from backfill.manifest.entries import ManifestEntry
from backfill.manifest.routing_on import keys_to_route_on, routed_on_entries
from backfill.model.objects import ETag, VersionId
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.model.store import IfAbsent
from backfill.plan.entries import PlanEntry
from backfill.plan.routes import Reason, Route

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
REFUSED = "DstObjectHardDeleted"


def entry(
    number: int, key: str = "k", version: str = "v2", route: Route = Route.BATCH_REPLICATION
) -> ManifestEntry:
    return ManifestEntry(
        number=number,
        plan_number=number + 100,
        key=key,
        version_id=VersionId(version),
        etag=ETag("e"),
        size_bytes=7,
        last_modified=WHEN,
        destination=0,
        route=route,
    )


def outcome(number: int, kind: OutcomeKind = OutcomeKind.SKIPPED, code: str = REFUSED) -> Outcome:
    return Outcome(number=number, kind=kind, code=code)


def planned(version: str, route: Route | None, key: str = "k", destination: int = 0) -> PlanEntry:
    return PlanEntry(
        number=0,
        key=key,
        version_id=VersionId(version),
        is_delete_marker=False,
        is_latest=True,
        last_modified=WHEN,
        etag=ETag("e"),
        size_bytes=7,
        destination=destination,
        route=route,
        reason=None if route else Reason.ARCHIVED,
        precondition=IfAbsent() if route else None,
    )


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (OutcomeKind.SKIPPED, REFUSED),
        (OutcomeKind.SKIPPED, "SrcObjectNotEligible"),
        (OutcomeKind.SKIPPED, Code.NOT_DELIVERED),
    ],
)
def test_what_batch_replication_never_delivers_goes_on(kind: OutcomeKind, code: str) -> None:
    (key,) = keys_to_route_on([entry(0)], [outcome(0, kind, code)])
    assert (key.key, [e.number for e in key.refused]) == ("k", [0])


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (OutcomeKind.REPLICATED, ""),
        (OutcomeKind.ALREADY_THERE, ""),
        (OutcomeKind.ALREADY_THERE, REFUSED),
        (OutcomeKind.SKIPPED, "SrcVersionNotFound"),
        (OutcomeKind.FAILED, "InitiateReplicationNotPermitted"),
        (OutcomeKind.SKIPPED, Code.IN_FLIGHT),
        (OutcomeKind.SKIPPED, Code.MARKER_NOT_REPLICATED),
    ],
)
def test_everything_else_stays_where_it_is(kind: OutcomeKind, code: str) -> None:
    assert list(keys_to_route_on([entry(0)], [outcome(0, kind, code)])) == []


@pytest.mark.parametrize(
    "open_one",
    [
        outcome(1, OutcomeKind.FAILED, "SlowDown"),
        outcome(1, code=Code.IN_FLIGHT),
        # S3 shows no status of a delete marker: it may come after the copy, and hide it.
        outcome(1, code=Code.MARKER_NOT_REPLICATED),
    ],
)
def test_one_row_that_a_job_may_still_deliver_holds_the_whole_key_back(open_one: Outcome) -> None:
    """A copy now would lie over what that job brings later."""
    entries = [entry(0, version="v2"), entry(1, version="v1"), entry(2, key="other")]
    found = keys_to_route_on(entries, [outcome(0), open_one, outcome(2)])
    assert [key.key for key in found] == ["other"]


def test_a_key_that_copy_workers_had_is_theirs_already() -> None:
    copied = entry(0, route=Route.COPY_OBJECT)
    assert list(keys_to_route_on([copied], [outcome(0)])) == []


def test_streams_that_do_not_belong_together_are_a_bug_and_no_work() -> None:
    with pytest.raises(TotalsError, match="do not belong together"):
        list(keys_to_route_on([entry(0)], [outcome(4)]))


def test_only_the_refused_version_goes_on_under_its_own_plan_number() -> None:
    keys = list(keys_to_route_on([entry(0), entry(1, key="l")], [outcome(0), outcome(1)]))
    fresh = [
        planned("v2", Route.COPY_OBJECT),
        planned("v1", Route.COPY_OBJECT),
        planned("v2", Route.COPY_OBJECT, destination=1),
        planned("v3", Route.MULTIPART_COPY, key="l"),
    ]
    (work,) = routed_on_entries(keys, fresh)
    assert (work.key, work.version_id, work.destination) == ("k", "v2", 0)
    assert (work.route, work.plan_number) == (Route.COPY_OBJECT, 100)
    assert isinstance(work.precondition, IfAbsent)


def test_what_the_plan_gives_a_reason_now_is_no_work() -> None:
    keys = list(keys_to_route_on([entry(0)], [outcome(0, code="SrcObjectNotEligible")]))
    assert list(routed_on_entries(keys, [planned("v2", None)])) == []
