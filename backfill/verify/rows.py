"""Rows of the verify artefacts.

Never decides anything; it writes down verdicts and reads them back.
Law: `verdict_of(row_of(verdict)) == verdict`.

`verify/NN` has the columns of `VERDICT_COLUMNS`: rows in plan order, an extra version after the
rows of its key. `verify/NN-unjudged` has `UNJUDGED_COLUMNS`: the rows without a verdict whose
reason is not the plan's own. `verify/NN-look-R` are drafts, with `DRAFT_COLUMNS` (of the
first look only from the first key on that had to be looked at again), and so are the rows of
`verify/NN-unproven`, of which `verify/NN-checksums` says what jobs told (see `checksums`).
"""

from collections.abc import Mapping
from typing import Final, NamedTuple, cast

from backfill.model.attributes import ReplicationStatus
from backfill.model.objects import ETag, VersionId
from backfill.model.rows import Row, Scalar
from backfill.verify.decisions import Judged, SourceSeen, Unjudged
from backfill.verify.verdicts import Evidence, Fidelity, Field, Verdict, VerdictRow


def verdicts_name(verification: int) -> str:
    """Return the artefact name of a verification's verdicts."""
    return f"verify/{verification:02d}"


def unjudged_name(verification: int) -> str:
    """Return the artefact name of the rows without a verdict whose reason is not the plan's."""
    return f"verify/{verification:02d}-unjudged"


def look_name(verification: int, look: int) -> str:
    """Return the artefact name of what a look found."""
    return f"verify/{verification:02d}-look-{look}"


def unproven_name(verification: int) -> str:
    """Return the artefact name of the rows that checksum jobs are to decide."""
    return f"verify/{verification:02d}-unproven"


def checksums_name(verification: int) -> str:
    """Return the artefact name of what checksum jobs told of those rows."""
    return f"verify/{verification:02d}-checksums"


def job_sides(destinations: int) -> tuple[str, ...]:
    """Return the words for the sides that checksum jobs are made on: the source's first."""
    return ("source", *(f"destination-{number:02d}" for number in range(destinations)))


def checksum_ledger_names(verification: int, destinations: int) -> tuple[str, ...]:
    """Return the documents that remember a verification's jobs, in the order of `job_sides`."""
    sides = job_sides(destinations)
    return tuple(f"verify/{verification:02d}-jobs-{side}.json" for side in sides)


def source_listing_name(verification: int) -> str:
    """Return the artefact name of the fresh source listing."""
    return f"inventory/verify-source-{verification:02d}"


def destination_listing_name(verification: int, destination: int) -> str:
    """Return the artefact name of a destination's fresh listing."""
    return f"inventory/verify-destination-{destination:02d}-{verification:02d}"


VERDICT_COLUMNS: Final = (
    "number",
    "key",
    "version_id",
    "destination",
    "content",
    "evidence",
    "fidelity",
    "fields",
    "detail",
    "destination_version_id",
    "destination_etag",
    "destination_is_delete_marker",
)
UNJUDGED_COLUMNS: Final = ("number", "key", "destination", "reason")
DRAFT_COLUMNS: Final = (
    "is_suspect",
    "reason",
    "unproven_source_etag",
    "unproven_source_status",
    *VERDICT_COLUMNS,
)

_Cells = tuple[
    int | None, str, VersionId | None, int, str, str, str, str, str, VersionId | None,
    ETag | None, bool,
]  # fmt: skip


class Draft(NamedTuple):
    """A decision that is final unless it is looked at again. `is_suspect`: it may yet change."""

    decision: Judged | Unjudged
    is_suspect: bool

    @property
    def key(self) -> str:
        """Return the key."""
        decision = self.decision
        return decision.row.key if isinstance(decision, Judged) else decision.key


def row_of(verdict: VerdictRow) -> Row:
    """Return the row of a verdict; its fields are joined by commas."""
    number, key, version_id, destination, content, evidence, fidelity, fields, *rest = verdict
    # The words of the closed lists are text themselves; asking each for its value takes longer
    # than writing the row.
    told = ",".join(fields) if fields else ""
    return (number, key, version_id, destination, content, evidence, fidelity, told, *rest)


_VERDICTS: Final[Mapping[str, Verdict]] = {word.value: word for word in Verdict}
_EVIDENCE: Final[Mapping[str, Evidence]] = {word.value: word for word in Evidence}
_FIDELITY: Final[Mapping[str, Fidelity]] = {word.value: word for word in Fidelity}


def verdict_of(row: list[Scalar]) -> VerdictRow:
    """Return the verdict of a row that `row_of` made."""
    # The artefact's digest and columns vouch for the cells' types.
    (
        number, key, version_id, destination, content, evidence, fidelity, fields, detail,
        destination_version_id, destination_etag, is_delete_marker,
    ) = cast("_Cells", row)  # fmt: skip
    return VerdictRow(  # by position: twice as fast, once a row
        number,
        key,
        version_id,
        destination,
        _VERDICTS[content],
        _EVIDENCE[evidence],
        _FIDELITY[fidelity],
        tuple(map(Field, fields.split(","))) if fields else (),
        detail,
        destination_version_id,
        destination_etag,
        is_delete_marker,
    )


def unjudged_row(unjudged: Unjudged) -> Row:
    """Return the row of a plan row without a verdict."""
    return (unjudged.number, unjudged.key, unjudged.destination, unjudged.reason)


def draft_row(draft: Draft) -> Row:
    """Return the row of a draft; without a verdict, the verdict's other cells are empty."""
    if isinstance(draft.decision, Judged):
        seen = draft.decision.unproven
        told = (None, None) if seen is None else (seen.etag, seen.replication_status.value)
        return (draft.is_suspect, None, *told, *row_of(draft.decision.row))
    left = draft.decision
    place = (left.number, left.key, None, left.destination)
    head = (draft.is_suspect, left.reason, None, None, *place)
    return (*head, *(None,) * (len(DRAFT_COLUMNS) - len(head)))


def draft_row_of(row: Row) -> Row:
    """Return the row of a certain draft, given that of its verdict."""
    return (False, None, None, None, *row)


def draft_of(row: list[Scalar]) -> Draft:
    """Return the draft of a row that `draft_row` made."""
    is_suspect, reason, etag, status, *cells = row
    if reason is None:
        judged = Judged(row=verdict_of(cells), unproven=_source_seen(etag, status))
        return Draft(decision=judged, is_suspect=bool(is_suspect))
    number, key, _, destination = cast("tuple[int | None, str, None, int]", tuple(cells[:4]))
    left = Unjudged(number=number, key=key, destination=destination, reason=str(reason))
    return Draft(decision=left, is_suspect=bool(is_suspect))


def _source_seen(etag: Scalar, status: Scalar) -> SourceSeen | None:
    if etag is None:
        return None
    return SourceSeen(etag=ETag(str(etag)), replication_status=ReplicationStatus(str(status)))
