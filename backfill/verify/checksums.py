"""What two Compute checksum tasks prove about the bytes of a source and a destination version.

Never fetches a report, and never takes one side's checksum for both.
Law: EQUAL and DIFFERENT need a checksum from either side, of the algorithm that was asked for, over
the whole object, of the very version (by its ETag) that was looked at; else the row stays
`unverified` and says which of these is lacking.

Source: S3 User Guide: batch-ops-compute-checksums (the ResultMessage of a task).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

from backfill.batch_operations.failure_codes import FailureClass, failure_of
from backfill.batch_operations.report_rows import checksum_of
from backfill.batch_operations.task_results import TaskResult, TaskState
from backfill.model.escaping import visible_text
from backfill.model.objects import ChecksumType, ETag
from backfill.model.rows import Row, Scalar
from backfill.verify.decisions import Judged, Unjudged
from backfill.verify.looks import NOTHING_COMMON, with_source_status
from backfill.verify.verdicts import Evidence, Fidelity, Field, Verdict

CHECKSUM_COLUMNS: Final = (
    "number",
    "content",
    "algorithm",
    "source_checksum",
    "destination_checksum",
    "detail",
)
"""Of `verify/NN-checksums`: one row for each of `verify/NN-unproven`, in its order. Checksums are
in base64, and empty where a side gave none that counts."""
MESSAGE_CHARACTERS_MAX: Final = 200
"""Of what S3 says of a failure whose code AWS does not document: enough to look it up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a side's task gave: a checksum in base64, or why there is none."""

    checksum: str = ""
    lack: str = ""

    def __post_init__(self) -> None:
        assert bool(self.checksum) != bool(self.lack), "a checksum, or why there is none"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecksumProof:
    """What both tasks prove of plan row `number`."""

    number: int
    content: Verdict
    algorithm: str
    source_checksum: str
    destination_checksum: str
    detail: str


def reading_of(result: TaskResult, *, algorithm: str, etag: ETag | None, ending: str) -> Reading:
    """Return what a task gave of the version with this ETag; `ending`: how its job broke off."""
    if result.state is TaskState.NOT_ATTEMPTED:
        return Reading(lack=ending or "the job's completion report leaves it out.")
    if result.state is TaskState.FAILED:
        return Reading(lack=_failure_words(result))
    found = checksum_of(result.message)
    if found is None:
        return Reading(lack="the completion report gives none.")
    if (found.algorithm, found.type) != (algorithm, ChecksumType.FULL_OBJECT.value):
        told = visible_text(f"{found.algorithm} {found.type}")
        return Reading(lack=f"{algorithm} FULL_OBJECT was asked for, and the report gives {told}.")
    if found.etag is None or found.etag != etag:
        return Reading(lack="the one in the report is of other bytes: the ETags differ.")
    return Reading(checksum=found.value)


def _failure_words(result: TaskResult) -> str:
    failure = failure_of(result.code, result.http_status, result.message)
    message = visible_text(result.message[:MESSAGE_CHARACTERS_MAX])
    said = f" ({message})" if message else ""
    # Its own words promise another job, which a verification does not make.
    mend = "Verify again." if failure.cls is FailureClass.AGAIN else failure.mend
    return f"{visible_text(failure.code)}{said}: {failure.sentence} {mend}".rstrip()


def proof_of(
    number: int, source: Reading, destination: Reading, *, algorithm: str
) -> ChecksumProof:
    """Return what both readings prove together."""
    pairs = (("source", source), ("destination", destination))
    lacks = [f"No checksum of the {side} version: {r.lack}" for side, r in pairs if r.lack]
    # Of unequal length they cannot both be digests of the algorithm: a report is wrong, not bytes.
    is_odd = not lacks and len(source.checksum) != len(destination.checksum)
    if is_odd:
        lacks = [f"The reports' {algorithm} checksums are of unequal length."]
    if lacks:
        content, detail = Verdict.UNVERIFIED, " ".join(lacks)
    elif source.checksum == destination.checksum:
        content, detail = Verdict.EQUAL, ""
    else:
        content, detail = Verdict.DIFFERENT, f"S3 computed {algorithm} of both, and they differ."
    return ChecksumProof(
        number=number,
        content=content,
        algorithm=algorithm,
        source_checksum=source.checksum,
        destination_checksum=destination.checksum,
        detail=detail,
    )


def decided(decision: Judged | Unjudged, proofs: Iterator[ChecksumProof]) -> Judged | Unjudged:
    """Return a decision, by the next proof where it is unproven; fidelity stays as it was."""
    if isinstance(decision, Unjudged) or decision.unproven is None:
        return decision
    row, source, proof = decision.row, decision.unproven, next(proofs)
    assert row.number == proof.number, "a proof is its row's own"
    if proof.content is Verdict.UNVERIFIED:
        return Judged(row=row._replace(detail=f"{row.detail} {proof.detail}".lstrip()))
    before, _, after = row.detail.partition(NOTHING_COMMON)
    says = (before.strip(), proof.detail, after.strip())
    found = row._replace(
        content=proof.content,
        evidence=Evidence.CHECKSUM_JOBS,
        detail=" ".join(words for words in says if words),
    )
    if proof.content is Verdict.DIFFERENT:
        found = found._replace(fields=(Field.CONTENT, *row.fields))
    # What differs in fidelity was wrong before, and has been told the source's status.
    if row.fidelity is Fidelity.DIFFERENT:
        return Judged(row=found)
    return Judged(row=with_source_status(found, source.replication_status))


def proof_row_of(proof: ChecksumProof) -> Row:
    """Return a proof as a row of CHECKSUM_COLUMNS."""
    return (
        proof.number,
        proof.content.value,
        proof.algorithm,
        proof.source_checksum,
        proof.destination_checksum,
        proof.detail,
    )


def proof_of_row(row: list[Scalar]) -> ChecksumProof:
    """Return the proof of a row that `proof_row_of` made."""
    # The artefact's digest and columns vouch for the cells' types.
    number, content, algorithm, source, destination, detail = cast(
        "tuple[int, str, str, str, str, str]", tuple(row)
    )
    return ChecksumProof(
        number=number,
        content=Verdict(content),
        algorithm=algorithm,
        source_checksum=source,
        destination_checksum=destination,
        detail=detail,
    )
