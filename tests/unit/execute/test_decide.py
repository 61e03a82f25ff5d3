"""decide, exhaustively, against an oracle that reasons over labels instead of chains."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from backfill.execute.codes import SENTENCES, Code
from backfill.execute.decide import next_step, planned_step
from backfill.execute.views import (
    Adopt,
    Attempt,
    Compare,
    Copy,
    End,
    Hide,
    Likeness,
    LookAtSource,
    Made,
    MarkAbsent,
    SourceLook,
    Step,
    View,
    Wait,
)
from backfill.manifest.entries import ManifestEntry
from backfill.model.attributes import ReplicationStatus
from backfill.model.objects import DeleteMarker, ETag, ListedEntry, ObjectVersion, VersionId
from backfill.model.outcome import OutcomeKind
from backfill.model.store import IfAbsent, IfReplaces, Precondition
from backfill.plan.routes import Route
from tests.doubles.figures import Row, Tried

ZERO = datetime(2026, 1, 1, tzinfo=UTC)
OURS = VersionId("ours")


def version(name: str, second: int, *, etag: str = "", size: int = 5) -> ObjectVersion:
    return ObjectVersion(
        key="k",
        version_id=VersionId(name),
        is_latest=False,
        last_modified=ZERO + timedelta(seconds=second),
        etag=ETag(etag or f"etag-{name}"),
        size_bytes=size,
        storage_class="STANDARD",
    )


def marker(name: str, second: int) -> DeleteMarker:
    return DeleteMarker(
        key="k",
        version_id=VersionId(name),
        is_latest=False,
        last_modified=ZERO + timedelta(seconds=second),
    )


PINNED = version("pinned", 10)
OLDER, OLDER_MARKER = version("older", 5), marker("older-marker", 6)
NEWER, NEWER_MARKER = version("newer", 20), marker("newer-marker", 21)

SOURCES: dict[str, tuple[ListedEntry, ...]] = {
    "nothing": (),
    "pinned": (PINNED, OLDER_MARKER, OLDER),
    "newer": (NEWER, PINNED, OLDER_MARKER, OLDER),
    "deleted": (NEWER_MARKER, PINNED, OLDER_MARKER, OLDER),
    "purged": (OLDER_MARKER, OLDER),
    "overwritten": (PINNED._replace(etag=ETag("other")), OLDER_MARKER, OLDER),
}
SEEN_OBJECT, SEEN_MARKER = version("seen", 7), marker("seen-marker", 7)
DESTINATIONS: dict[str, tuple[ListedEntry, ...]] = {
    "absent": (),
    "as seen": (SEEN_OBJECT,),
    "seen id, other etag": (SEEN_OBJECT._replace(etag=ETag("altered")),),
    "seen marker": (SEEN_MARKER,),
    "pinned": (PINNED,),
    "newer": (NEWER, PINNED),
    "older": (OLDER,),
    "older marker": (OLDER_MARKER, OLDER),
    "unknown marker": (marker("unknown", 30), SEEN_OBJECT),
    "stranger": (version("stranger", 30), SEEN_OBJECT),
    "stranger of another size": (version("stranger", 30, size=6), SEEN_OBJECT),
}
GUARDS: dict[str, tuple[Precondition, VersionId | None]] = {
    "absent": (IfAbsent(), None),
    "marker": (IfAbsent(), SEEN_MARKER.version_id),
    "object": (IfReplaces(etag=SEEN_OBJECT.etag), SEEN_OBJECT.version_id),
}
LIKENESSES = (None, *Likeness)
STATUSES = (None, ReplicationStatus.NONE, ReplicationStatus.PENDING, ReplicationStatus.FAILED)


def entry_of(route: Route, guard: str, **fields: object) -> ManifestEntry:
    precondition, seen = GUARDS[guard]
    values: dict[str, object] = {
        "number": 0,
        "plan_number": 0,
        "key": "k",
        "version_id": PINNED.version_id,
        "etag": PINNED.etag,
        "size_bytes": 5,
        "last_modified": PINNED.last_modified,
        "destination": 0,
        "route": route,
        "storage_class": "STANDARD",
        "precondition": precondition,
        "seen_version_id": seen,
        "replicates_delete_markers": True,
    }
    return ManifestEntry(**{**values, **fields})  # type: ignore[arg-type] # named by the test


def told(step: Step) -> str:
    """Write a step as the oracle does."""
    if isinstance(step, End):
        return f"end {step.kind} {step.code}".strip()
    if isinstance(step, Copy):
        guard = "absent" if isinstance(step.precondition, IfAbsent) else step.precondition.etag
        return f"copy {step.version_id} over {step.seen_version_id} if {guard}"
    if isinstance(step, Hide):
        return f"hide {step.seen_version_id} if {step.etag}"
    names = {Compare: "compare", LookAtSource: "look", Adopt: "adopt", Wait: "wait"}
    return names.get(type(step), "mark absent")


def expected_before_copy(  # noqa: C901, PLR0911 - an oracle is a list of cases
    source: str,
    there: str,
    guard: str,
    *,
    others: bool,
    likeness: Likeness | None,
    status: ReplicationStatus | None,
) -> str:
    """Say what the rules of safe copying demand, case by case."""
    if there == "pinned":
        return "end already-there"
    if source in ("nothing", "purged"):
        return "end skipped vanished"
    if source == "deleted":
        return "end superseded source-deleted"
    if source in ("newer", "overwritten"):
        return "end superseded newer-version"
    overs = {
        "absent": "copy pinned over None if absent",
        "older": "copy pinned over older if etag-older",
        "older marker": "copy pinned over older-marker if absent",
    }
    if there == "as seen" and guard == "object":
        overs[there] = "copy pinned over seen if etag-seen"
    if there == "seen marker" and guard == "marker":
        overs[there] = "copy pinned over seen-marker if absent"
    if there in overs:
        if others and status is None:
            return "look"
        is_pending = others and status is ReplicationStatus.PENDING
        return "end skipped in-flight" if is_pending else overs[there]
    if "marker" in there:
        return "end skipped destination-deleted"
    if there == "stranger of another size":
        return "end skipped destination-differs"
    if likeness is None:
        return "compare"
    is_same = likeness in (Likeness.SAME, Likeness.REPLICA)
    return "end already-there" if is_same else "end skipped destination-differs"


def test_before_a_copy_every_case_is_as_the_oracle_says(tried: Tried) -> None:
    """P13: a write over something unseen, or of something outdated, fails here by its case."""
    cases = 0
    for source, there, guard, others, likeness, status in product(
        SOURCES, DESTINATIONS, GUARDS, (False, True), LIKENESSES, STATUSES
    ):
        if there == "newer" and source != "newer":
            continue  # a replica of what the source never had
        entry = entry_of(Route.COPY_OBJECT, guard, has_other_writers=others)
        destination = DESTINATIONS[there]
        view = View(source=SOURCES[source], destination=destination)
        if likeness is not None and destination:
            pair = (destination[0].version_id, PINNED.version_id)
            view = replace(view, compared={pair: likeness})
        if status is not None:
            view = replace(view, looks={PINNED.version_id: SourceLook(status=status)})
        wanted = expected_before_copy(
            source, there, guard, others=others, likeness=likeness, status=status
        )
        case = (source, there, guard, others, likeness, status)
        assert told(next_step(entry, view)) == wanted, case
        cases += 1
    assert cases > 6000
    tried(Row.DECISIONS, cases)


def expected_before_marker(source: str, there: str, guard: str, *, others: bool) -> str:
    if source in ("nothing", "purged", "pinned", "newer", "overwritten"):
        return "end skipped vanished"
    if "marker" in there:
        return "end already-there"
    if there == "absent":
        return "end skipped marker-unconditional" if others else "mark absent"
    known = {"older": "hide older if etag-older", "pinned": "hide pinned if etag-pinned"}
    if there == "as seen" and guard == "object":
        known[there] = "hide seen if etag-seen"
    return known.get(there, "end skipped destination-differs")


def test_before_a_marker_every_case_is_as_the_oracle_says() -> None:
    """P13: a marker over something unseen, or an unconditional one beside writers, fails here."""
    for source, there, guard, others in product(SOURCES, DESTINATIONS, GUARDS, (False, True)):
        if there == "newer":
            continue
        entry = entry_of(
            Route.DELETE_MARKER,
            guard,
            has_other_writers=others,
            version_id=NEWER_MARKER.version_id,
            etag=None,
        )
        view = View(source=SOURCES[source], destination=DESTINATIONS[there])
        wanted = expected_before_marker(source, there, guard, others=others)
        assert told(next_step(entry, view)) == wanted, (source, there, guard, others)


def test_before_hiding_an_extra_object_every_case_is_as_the_oracle_says() -> None:
    """P13: hiding anything but the very object found extra, or unallowed, fails here."""
    for source, there, guard, allowed in product(SOURCES, DESTINATIONS, GUARDS, (False, True)):
        entry = entry_of(Route.HIDE_EXTRA, guard, version_id=None, etag=None)
        view = View(source=SOURCES[source], destination=DESTINATIONS[there], can_hide=allowed)
        if source in ("pinned", "newer", "overwritten"):
            wanted = "end superseded source-has-key"
        elif there == "absent" or "marker" in there:
            wanted = "end already-there"
        elif there == "as seen" and guard == "object":
            wanted = "hide seen if etag-seen" if allowed else "end skipped hiding-not-allowed"
        else:
            wanted = "end skipped destination-differs"
        assert told(next_step(entry, view)) == wanted, (source, there, guard, allowed)


# --- After a write of ours: chain [ours, ...] unless overtaken ---

LATER = 50
"""Our copy is stamped 40; what is stamped 50 lands above it under both orders."""


def after_scene(
    source: str, below: str, top: str, *, is_late: bool
) -> tuple[tuple[ListedEntry, ...], tuple[ListedEntry, ...]]:
    second = LATER if is_late else 20
    newer: dict[str, tuple[ListedEntry, ...]] = {
        "pinned": (PINNED, OLDER_MARKER),
        "newer": (version("newer", second), PINNED, OLDER_MARKER),
        "deleted": (marker("newer", second), PINNED, OLDER_MARKER),
        "purged": (OLDER_MARKER,),
        "nothing": (),
    }
    chain = newer[source]
    ours: dict[str, tuple[ListedEntry, ...]] = {
        "ours": (version(OURS, 40),),
        "overtaken": (version("over", 60), version(OURS, 40)),
        "gone": (),
    }
    beneath: dict[str, tuple[ListedEntry, ...]] = {
        "nothing": (),
        "seen": (SEEN_MARKER,),
        "older marker": (OLDER_MARKER,),
        "unseen marker": (marker("unknown", 30),),
        "newcomer": chain[:1] if source in ("newer", "deleted") else (),
    }
    return chain, ours[top] + beneath[below]


def expected_after_copy(  # noqa: PLR0911, C901 - an oracle is a list of cases
    source: str,
    below: str,
    top: str,
    *,
    is_late: bool,
    dm: bool,
    can_hide: bool,
    waited: bool,
    look: SourceLook | None,
) -> str:
    if top != "ours":
        return "end copied overtaken" if top == "overtaken" else "end copied gone-after-write"
    hide = f"hide {OURS} if etag-ours"
    is_unseen = below == "unseen marker" or (
        below == "older marker" and source in ("purged", "nothing")
    )
    if is_unseen:
        return hide if can_hide else "end superseded destination-deleted"
    if source == "deleted":
        if not dm and below != "newcomer":  # that it was delivered shows that a rule wants it
            return "end copied source-deleted"
        if below != "newcomer" and not waited:
            return "wait"
        return hide if can_hide else "end superseded source-deleted"
    if source != "newer":
        return "end copied"
    is_below = below == "newcomer"
    if is_late and not is_below:
        return "end copied newer-version"
    if not is_below and not waited:
        return "wait"
    if look is None:
        return "look"
    is_coming = look.is_selected and look.status in (
        ReplicationStatus.PENDING,
        ReplicationStatus.FAILED,
    )
    if not is_below and not is_coming:
        return "end copied newer-version"
    if look.refusal:
        return "end copied newer-version-below"
    return f"copy newer over {OURS} if etag-ours"


LOOKS = (
    None,
    *(
        SourceLook(status=status, is_selected=selected, refusal=refusal)
        for status, selected, refusal in product(
            ReplicationStatus, (False, True), ("", Code.OBJECT_LOCK)
        )
    ),
)


def test_after_a_copy_every_case_is_as_the_oracle_says() -> None:
    """P1, P13: a stale, buried or resurrected key that is left alone fails here by its case."""
    ends: Counter[str] = Counter()
    for source, below, top, late, dm, hiding, waited, look in product(
        ("pinned", "newer", "deleted", "purged", "nothing"),
        ("nothing", "seen", "older marker", "unseen marker", "newcomer"),
        ("ours", "overtaken", "gone"),
        (False, True),
        (False, True),
        (False, True),
        (False, True),
        LOOKS,
    ):
        if below == "newcomer" and late:
            continue  # what is stamped later does not lie below
        chain, destination = after_scene(source, below, top, is_late=late)
        if top == "gone":
            destination = ()
        made = Made(
            version_id=OURS,
            etag=ETag("etag-ours"),
            source_version_id=PINNED.version_id,
            seen_version_id=SEEN_MARKER.version_id if below == "seen" else None,
        )
        entry = entry_of(Route.COPY_OBJECT, "absent", replicates_delete_markers=dm)
        view = View(
            source=chain,
            destination=destination,
            made=made,
            can_hide=hiding,
            has_waited=waited,
            looks={} if look is None else {VersionId("newer"): look},
        )
        wanted = expected_after_copy(
            source, below, top, is_late=late, dm=dm, can_hide=hiding, waited=waited, look=look
        )
        case = (source, below, top, late, dm, hiding, waited, look)
        assert told(next_step(entry, view)) == wanted, case
        ends[wanted] += 1
    assert len(ends) >= 12


def test_after_hiding_what_comes_later_is_uncovered_again() -> None:
    """Our own marker must not bury a newer version any more than our copy may."""
    made = Made(version_id=OURS, etag=None, source_version_id=None, seen_version_id=VersionId("c"))
    entry = entry_of(Route.COPY_OBJECT, "absent")
    view = View(
        source=(NEWER, PINNED),
        destination=(marker(OURS, 40), NEWER, version("c", 35)),
        made=made,
        looks={NEWER.version_id: SourceLook(status=ReplicationStatus.COMPLETED)},
    )
    assert told(next_step(entry, view)) == f"copy newer over {OURS} if absent"
    deleted = replace(view, source=(NEWER_MARKER, PINNED))
    assert told(next_step(entry, deleted)) == "end hidden source-deleted"


# --- Lost answers ---


@pytest.mark.parametrize("likeness", LIKENESSES)
@pytest.mark.parametrize("seen", [None, SEEN_OBJECT.version_id])
def test_a_lost_copy_is_recognised_by_place_and_content(
    seen: VersionId | None, likeness: Likeness | None
) -> None:
    """If this fails, our own write is taken for a stranger's, or a stranger's for ours."""
    attempt = Attempt(seen_version_id=seen, source_version_id=PINNED.version_id)
    below = (SEEN_OBJECT,) if seen else ()
    view = View(source=(PINNED,), destination=(version("fresh", 40), *below), attempts=(attempt,))
    if likeness is not None:
        view = replace(view, compared={(VersionId("fresh"), PINNED.version_id): likeness})
    step = next_step(entry_of(Route.COPY_OBJECT, "object" if seen else "absent"), view)
    wanted = {
        None: "compare",
        Likeness.SAME: "adopt",
        Likeness.UNKNOWN: "adopt",
        Likeness.REPLICA: "end already-there",
        Likeness.DIFFERENT: "end skipped destination-differs",
    }
    assert told(step) == wanted[likeness]


@pytest.mark.parametrize(
    "chain",
    [
        (),
        (SEEN_OBJECT,),
        (SEEN_OBJECT, version("below", 1)),
        (PINNED, SEEN_OBJECT),
        (OLDER, SEEN_OBJECT),
        (version("null", 40), SEEN_OBJECT),
        (version("fresh", 40, size=6), SEEN_OBJECT),
    ],
)
def test_what_cannot_be_ours_is_not_adopted(chain: tuple[ListedEntry, ...]) -> None:
    """If this fails, a replica or an old version is reported as our copy."""
    attempt = Attempt(seen_version_id=SEEN_OBJECT.version_id, source_version_id=PINNED.version_id)
    view = View(source=SOURCES["pinned"], destination=chain, attempts=(attempt,))
    compared = {(entry.version_id, PINNED.version_id): Likeness.SAME for entry in chain[:1]}
    step = next_step(entry_of(Route.COPY_OBJECT, "object"), replace(view, compared=compared))
    assert not isinstance(step, Adopt)


def test_the_newest_lost_attempt_is_adopted_first() -> None:
    """Copy, then marker, both answers lost: if this fails, the marker counts as a stranger's."""
    copy = Attempt(seen_version_id=None, source_version_id=PINNED.version_id)
    hide = Attempt(seen_version_id=VersionId("copy"), source_version_id=None)
    view = View(
        source=(NEWER_MARKER, PINNED),
        destination=(marker(OURS, 41), version("copy", 40)),
        attempts=(copy, hide),
    )
    step = next_step(entry_of(Route.COPY_OBJECT, "absent"), view)
    assert isinstance(step, Adopt)
    assert (step.made.version_id, step.made.source_version_id) == (OURS, None)


# --- The manifest's own word ---


@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize("route", [Route.COPY_OBJECT, Route.MULTIPART_COPY])
def test_the_planned_write_carries_the_planned_guard(route: Route, guard: str) -> None:
    """If this fails, the first write is not held to what the plan saw."""
    step = planned_step(entry_of(route, guard))
    assert isinstance(step, Copy)
    assert (step.precondition, step.seen_version_id) == GUARDS[guard]
    assert (step.version_id, step.etag) == (PINNED.version_id, PINNED.etag)


def test_markers_without_a_guard_and_extras_begin_with_a_reading() -> None:
    """If this fails, an unconditional write is sent by a listing that is hours old."""
    bare = entry_of(Route.DELETE_MARKER, "absent", precondition=None)
    assert planned_step(bare) is None
    assert planned_step(entry_of(Route.HIDE_EXTRA, "object", version_id=None, etag=None)) is None
    assert told(planned_step(entry_of(Route.DELETE_MARKER, "object")) or MarkAbsent()) == (
        "hide seen if etag-seen"
    )


def test_every_code_has_its_sentence() -> None:
    """If this fails, a person reads a code and no word about it."""
    assert set(SENTENCES) == set(Code)
    assert {kind.value for kind in OutcomeKind} >= {"copied", "hidden", "superseded"}
