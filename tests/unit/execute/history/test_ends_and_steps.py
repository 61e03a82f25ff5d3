"""What ends a history, and which write a version of it is: each answer of the pure pieces."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from backfill.execute.codes import Code
from backfill.execute.history.ends import (
    after_writing,
    before_writing,
    kept_back,
    skipped,
    stands,
    suspended,
)
from backfill.execute.history.steps import Top, top_of, write_over
from backfill.execute.history.walks import (
    DestinationWalk,
    KnownChain,
    PlannedSource,
    SourceWalk,
)
from backfill.execute.views import Copy, End, Hide, Made, MarkAbsent
from backfill.model.objects import DeleteMarker, ETag, ListedEntry, ObjectVersion, VersionId
from backfill.model.outcome import OutcomeKind
from backfill.model.store import IfAbsent, IfReplaces
from backfill.plan.routes import Handling, Route
from tests.unit.execute.test_ordinary import entry_of

ZERO = datetime(2026, 1, 1, tzinfo=UTC)
ROW = entry_of("v1")._replace(has_other_writers=False, size_bytes=5, handling=Handling.HISTORY)
MARKER_ROW = ROW._replace(route=Route.DELETE_MARKER, version_id=VersionId("m1"), etag=None)
ETAG = ETag("etag-top")


def version(name: str, second: int = 0, etag: str = "") -> ObjectVersion:
    return ObjectVersion(
        key="k",
        version_id=VersionId(name),
        is_latest=False,
        last_modified=ZERO + timedelta(seconds=second),
        etag=ETag(etag or f"etag-{name}"),
        size_bytes=5,
        storage_class="STANDARD",
    )


def marker(name: str) -> DeleteMarker:
    return DeleteMarker(key="k", version_id=VersionId(name), is_latest=False, last_modified=ZERO)


def test_what_lies_on_top_is_known_by_its_version_and_its_etag() -> None:
    """If this fails, a write is guarded by another version than the one on top."""
    assert top_of(version("a")) == Top(VersionId("a"), ETag("etag-a"))
    assert top_of(marker("m")) == Top(VersionId("m"), None)


@pytest.mark.parametrize(
    ("top", "guard", "seen"),
    [
        (None, IfAbsent(), None),
        (Top(VersionId("t"), None), IfAbsent(), VersionId("t")),
        (Top(VersionId("t"), ETAG), IfReplaces(etag=ETAG), VersionId("t")),
    ],
)
def test_a_version_is_written_over_what_is_known_to_lie_on_top(
    top: Top | None, guard: IfAbsent | IfReplaces, seen: VersionId | None
) -> None:
    """If this fails, a history is written over somebody else's version."""
    assert write_over(ROW, top) == Copy(
        version_id=VersionId("v1"),
        etag=ROW.etag or ETag(""),
        size_bytes=5,
        precondition=guard,
        seen_version_id=seen,
        handling=Handling.HISTORY,
    )
    is_over_an_object = top is not None and top.etag is not None
    hidden = Hide(etag=ETAG, seen_version_id=seen) if is_over_an_object else MarkAbsent()
    assert write_over(MARKER_ROW, top) == hidden


def source_walk(*entries: ListedEntry, horizon: datetime | None = None) -> SourceWalk:
    planned = PlannedSource(rows=iter([ROW]), destinations=1, horizon=horizon)
    walk = SourceWalk(planned)
    for entry in entries:
        walk.feed(entry)
    return walk


def destination_walk(
    known: Sequence[str], base: str | None, *entries: ListedEntry
) -> DestinationWalk:
    made = iter([VersionId(each) for each in known])
    walk = DestinationWalk(KnownChain(made=made, base=None if base is None else VersionId(base)))
    for entry in entries:
        walk.feed(entry)
    return walk


def found(source: SourceWalk | None, destination: DestinationWalk) -> tuple[str, str] | None:
    if source is not None:
        source.end()
    destination.end()
    ended = before_writing(source, destination)
    if ended is None:
        return None
    assert (ended.kind, ended.made) == (OutcomeKind.SKIPPED, None)
    return ended.code, ended.detail


def test_a_history_is_written_where_both_chains_are_as_they_were() -> None:
    """If this fails, sound histories are skipped, or are written onto changed chains."""
    planned = source_walk(version("v1"))
    assert found(planned, destination_walk([], None)) is None
    assert found(source_walk(version("v1")), destination_walk([], "b", version("b"))) is None
    assert found(None, destination_walk(["c"], "b", version("c"), version("b"))) is None
    gone = destination_walk([], "b")
    code, said = found(source_walk(version("v1")), gone) or ("", "")
    assert (code, said) == (Code.DESTINATION_CHANGED, "Destination: version b is gone.")
    odd = destination_walk(["c"], "b", version("c"), version("x\n"), version("b"))
    code, said = found(None, odd) or ("", "")
    assert (code, said) == (Code.FOREIGN_VERSION, "Destination: version x\\n.")
    changed = found(source_walk(version("else")), destination_walk([], None))
    assert changed is not None
    assert changed[0] == Code.SOURCE_CHANGED
    assert changed[1]


def test_a_look_back_finds_what_came_beside_our_writes() -> None:
    """If this fails, a version that somebody wrote amid a history goes untold."""

    def looked(
        destination: DestinationWalk,
        source: SourceWalk,
        before: tuple[bytes, bytes],
    ) -> End | None:
        return after_writing(source, destination, before=before)

    def written() -> DestinationWalk:
        return destination_walk(["c"], "b", version("c"), version("b"))

    def planned() -> SourceWalk:
        return source_walk(version("v1"))

    sound = (planned().end(), written().end())
    assert looked(written(), planned(), sound) is None
    above = destination_walk(["c"], "b", version("x"), version("c"), version("b"))
    ended = looked(above, planned(), sound)
    assert ended == skipped(Code.FOREIGN_VERSION, "Destination: version x.")
    below = looked(written(), planned(), (sound[0], b"else"))
    assert below == skipped(Code.DESTINATION_CHANGED, "What was there before is another chain now.")
    newer = looked(written(), planned(), (b"else", sound[1]))
    assert newer == skipped(Code.SOURCE_CHANGED, "Source: another version came on top meanwhile.")
    lost = destination_walk(["c"], "b", version("c"))
    ended = looked(lost, planned(), sound)
    assert ended is not None
    assert ended.code == Code.DESTINATION_CHANGED


MADE = Made(
    version_id=VersionId("c"), etag=ETAG, source_version_id=VersionId("v1"), seen_version_id=None
)


def test_what_keeps_one_version_back_is_said_of_all_newer_ones() -> None:
    """If this fails, a newer version is written over a gap, or nobody knows why it was not."""
    for code in Code:
        ended = skipped(code.value, "Why.")
        is_of_the_key = code in {
            Code.SOURCE_CHANGED,
            Code.DESTINATION_CHANGED,
            Code.FOREIGN_VERSION,
            Code.HISTORY_STOPPED,
        }
        told = skipped(Code.HISTORY_STOPPED, f"Version v1: {code.value}.")
        assert kept_back(ROW, ended) == (ended if is_of_the_key else told)
    assert stands(ROW, MADE) == End(kind=OutcomeKind.COPIED, made=MADE)
    assert stands(MARKER_ROW, MADE) == End(kind=OutcomeKind.MARKED, made=MADE)
    error = suspended("b")
    assert "destination bucket b was suspended" in error.message
    assert "--bucket b --versioning-configuration Status=Enabled" in str(error.hint)
