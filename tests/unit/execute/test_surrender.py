"""How an entry ends that may not be written any more: what stands is told, what is open stays."""

from dataclasses import replace

import pytest

from backfill.execute.codes import Code
from backfill.execute.decide import as_it_stands, surrendered
from backfill.execute.views import Attempt, End, Made, View
from backfill.model.objects import ETag, VersionId
from backfill.model.outcome import OutcomeKind
from backfill.plan.routes import Route
from tests.unit.execute.test_settle import ENTRY

COPY = Made(
    version_id=VersionId("copy"),
    etag=ETag("e"),
    source_version_id=ENTRY.version_id,
    seen_version_id=VersionId("below"),
    checksum="CRC32 x",
)
MARKER = replace(COPY, version_id=VersionId("marker"), etag=None, source_version_id=None)
FAILED = End(kind=OutcomeKind.FAILED, code="AccessDenied", detail="S3 said no.")
TRIED = Attempt(seen_version_id=None, source_version_id=ENTRY.version_id)


def view(*attempts: Attempt, made: Made | None = None) -> View:
    return View(source=(), destination=(), attempts=attempts, made=made)


@pytest.mark.parametrize(
    ("attempts", "detail"),
    [
        ((), "S3 said no."),
        ((TRIED,), "S3 said no. An attempt may have been applied."),
        ((replace(TRIED, was_refused=True),), "S3 said no. An attempt may have been applied."),
    ],
)
def test_what_may_have_been_applied_is_told(attempts: tuple[Attempt, ...], detail: str) -> None:
    """If this fails, a failed entry hides that its copy may stand at the destination."""
    ended = surrendered(ENTRY, view(*attempts), FAILED, Code.NOT_REVIEWED)
    assert ended == replace(FAILED, detail=detail)
    bare = surrendered(ENTRY, view(*attempts), replace(FAILED, detail=""), Code.NOT_REVIEWED)
    assert bare.detail == detail.removeprefix("S3 said no.").strip()


def test_a_copy_that_stands_is_told_as_a_copy() -> None:
    """If this fails, a copy that nobody could look at again is reported as a failure."""
    ended = surrendered(ENTRY, view(TRIED, made=COPY), FAILED, Code.NOT_REVIEWED)
    assert (ended.kind, ended.code, ended.made) == (OutcomeKind.COPIED, Code.NOT_REVIEWED, COPY)
    assert ended.detail == "AccessDenied"
    changing = replace(FAILED, code=Code.KEEPS_CHANGING)
    kept = surrendered(ENTRY, view(made=COPY), changing, Code.NOT_REVIEWED)
    assert (kept.kind, kept.code, kept.detail) == (OutcomeKind.COPIED, Code.KEEPS_CHANGING, "")


@pytest.mark.parametrize("route", [Route.DELETE_MARKER, Route.HIDE_EXTRA])
def test_a_marker_that_was_asked_for_is_told_as_one(route: Route) -> None:
    """If this fails, a delete marker is reported as a copy that was hidden."""
    asked = ENTRY._replace(route=route)
    ended = as_it_stands(asked, view(made=MARKER), "")
    assert (ended.kind, ended.made) == (OutcomeKind.MARKED, MARKER)


def test_a_hidden_copy_is_named_by_what_lies_below_its_marker() -> None:
    """If this fails, a person who looks for the copy finds the marker that hides it."""
    ended = as_it_stands(ENTRY, view(made=MARKER), Code.SOURCE_DELETED)
    assert ended.kind is OutcomeKind.HIDDEN
    assert ended.made == replace(MARKER, version_id=VersionId("below"), etag=None, checksum="")


def test_a_copy_of_another_version_is_told_as_superseding() -> None:
    """If this fails, the report says that the planned version was copied, and it was not."""
    newer = replace(COPY, source_version_id=VersionId("newer"))
    ended = as_it_stands(ENTRY, view(made=newer), "")
    assert (ended.kind, ended.code) == (OutcomeKind.SUPERSEDED, Code.NEWER_VERSION_COPIED)
    told = as_it_stands(ENTRY, view(made=newer), Code.KEEPS_CHANGING)
    assert (told.kind, told.code) == (OutcomeKind.SUPERSEDED, Code.KEEPS_CHANGING)
    same = as_it_stands(ENTRY, view(made=COPY), "")
    assert (same.kind, same.code) == (OutcomeKind.COPIED, "")
