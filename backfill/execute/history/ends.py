"""How versions of a history end, and what the walks along both chains mean for them.

Never reads and never writes.
Law: what keeps one version back keeps all newer ones back, and each of them says so.
"""

from typing import Final

from backfill.errors import VersioningError
from backfill.execute.codes import Code
from backfill.execute.history.walks import DestinationWalk, SourceWalk
from backfill.execute.views import End, Made
from backfill.manifest.entries import ManifestEntry
from backfill.model.escaping import visible_text
from backfill.model.objects import ListedEntry
from backfill.model.outcome import OutcomeKind
from backfill.plan.routes import Route

_OF_THE_KEY: Final = (
    Code.SOURCE_CHANGED,
    Code.DESTINATION_CHANGED,
    Code.FOREIGN_VERSION,
    Code.HISTORY_STOPPED,
)
"""Codes that are said of every version that they keep back."""


def skipped(code: str, detail: str = "") -> End:
    """Return the end of a version that is not written."""
    return End(kind=OutcomeKind.SKIPPED, code=code, detail=detail)


def stands(row: ManifestEntry, made: Made) -> End:
    """Return the end of a version that is there."""
    is_marker = row.route is Route.DELETE_MARKER
    return End(kind=OutcomeKind.MARKED if is_marker else OutcomeKind.COPIED, made=made)


def suspended(bucket: str) -> VersioningError:
    """Return what ends a run whose writes became null versions, each in the place of the last."""
    return VersioningError(
        f"versioning of destination bucket {bucket} was suspended while histories were written, so "
        "the next version would overwrite this one",
        hint=f"aws s3api put-bucket-versioning --bucket {bucket} "
        "--versioning-configuration Status=Enabled",
    )


def kept_back(row: ManifestEntry, ended: End) -> End:
    """Return how all newer versions end where one ended without a version."""
    if ended.code in _OF_THE_KEY:
        return ended
    return skipped(Code.HISTORY_STOPPED, f"Version {row.version_id}: {ended.code}.")


def shown(entry: ListedEntry) -> str:
    """Return how a destination entry is named to people."""
    return f"Destination: version {visible_text(entry.version_id)}."


def before_writing(source: SourceWalk | None, destination: DestinationWalk) -> End | None:
    """Return what keeps a history from being written, or from being gone on with."""
    if source is not None and source.change:
        return skipped(Code.SOURCE_CHANGED, source.change)
    if destination.is_too_long:
        return skipped(Code.DESTINATION_CHANGED, "It has too much that no record tells of.")
    if destination.missing is not None:
        gone = f"Destination: version {visible_text(destination.missing)} is gone."
        return skipped(Code.DESTINATION_CHANGED, gone)
    if destination.odd is not None:
        return skipped(Code.FOREIGN_VERSION, shown(destination.odd))
    return None


def after_writing(
    source: SourceWalk, destination: DestinationWalk, *, before: tuple[bytes, bytes]
) -> End | None:
    """Return what a look back found beside what was written.

    `before` are the digests that both walks ended with before the first write.
    """
    above, below = source.end(), destination.end()
    if (ended := before_writing(source, destination)) is not None:
        return ended
    if destination.above:
        return skipped(Code.FOREIGN_VERSION, shown(destination.above[0]))
    if below != before[1]:
        return skipped(Code.DESTINATION_CHANGED, "What was there before is another chain now.")
    if above != before[0]:
        return skipped(Code.SOURCE_CHANGED, "Source: another version came on top meanwhile.")
    return None
