"""Which skipped versions repair tries again, and what is said of those that it leaves."""

import pytest

from backfill.execute.codes import SENTENCES, Code
from backfill.model.objects import VersionId
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.plan.reasons import REASON_TEXTS
from backfill.plan.routes import Reason, Route
from backfill.repair.remedy import NEW_RUN, BadRow, Person, if_refused, remedy
from backfill.verify.verdicts import Evidence, Fidelity, Verdict, VerdictRow
from tests.unit.verify.two_buckets import HORIZON, Stored, planned

AGAIN = {
    Code.NOT_ATTEMPTED,
    Code.REPLICATION_FAILED,
    Code.IN_FLIGHT,
    Code.KEEPS_CHANGING,
    Code.DESTINATION_DIFFERS,
    Code.DESTINATION_DELETED,
    Code.NOT_REVIEWED,
    Code.NOT_MENDED,
    Code.OVERTAKEN,
    Code.GONE,
    Code.HIDING_NOT_ALLOWED,
    Code.DESTINATION_CHANGED,
    Code.FOREIGN_VERSION,
    Code.HISTORY_STOPPED,
    Code.RESTORE_BUDGET,
}
"""What fresh preconditions, or another budget, may overcome."""


@pytest.mark.parametrize("code", Code)
def test_what_was_skipped_is_tried_again_where_that_may_help(code: Code) -> None:
    """If this fails, repair copies in vain for ever, or leaves what a second try would mend."""
    skipped = Outcome(number=0, kind=OutcomeKind.SKIPPED, code=code.value)
    assert if_refused(skipped) == (None if code in AGAIN else SENTENCES[code])
    for kind in set(OutcomeKind) - {OutcomeKind.SKIPPED}:
        assert if_refused(skipped._replace(kind=kind)) is None


def test_a_code_of_s3_forbids_nothing() -> None:
    """If this fails, a refusal of another day stops repair."""
    assert if_refused(None) is None
    assert if_refused(Outcome(number=0, kind=OutcomeKind.SKIPPED, code="AccessDenied")) is None


BY_BATCH = planned(7, "k", Stored(version_id="v", data=b"data"))._replace(
    route=Route.BATCH_REPLICATION
)
NONCURRENT = BY_BATCH._replace(is_latest=False)
MISSING = VerdictRow(
    number=7,
    key="k",
    version_id=VersionId("v"),
    destination=0,
    content=Verdict.MISSING,
    evidence=Evidence.LISTING,
    fidelity=Fidelity.NOT_LOOKED_AT,
)


def said(kind: OutcomeKind, code: str = "", **more: object) -> str:
    bad = BadRow(
        verdict=MISSING,
        **{  # type: ignore[arg-type]  # a case's own fields
            "entry": BY_BATCH,
            "outcome": Outcome(number=0, kind=kind, code=code),
            **more,
        },
    )
    found = remedy(bad, number=0, horizon=HORIZON, allows_hiding=False)
    assert isinstance(found, Person)
    return found.sentence


def test_what_a_job_cannot_bring_and_no_copy_can_is_told_with_its_cause() -> None:
    """If this fails, a person begins a new run that ends the same way."""
    lost = "A replica of a noncurrent version that is gone or changed cannot be had again"
    for kind, code in (
        (OutcomeKind.REPLICATED, ""),
        (OutcomeKind.ALREADY_THERE, ""),
        (OutcomeKind.SKIPPED, "DstObjectHardDeleted"),
    ):
        assert said(kind, code, entry=NONCURRENT).startswith(lost)
        assert not said(kind, code).startswith(lost)
    assert said(OutcomeKind.REPLICATED) == NEW_RUN
    archived = BY_BATCH._replace(route=None, reason=Reason.ARCHIVED)
    text = REASON_TEXTS[Reason.ARCHIVED]
    assert said(OutcomeKind.REPLICATED, by_copy=archived).startswith(text.sentence)
    assert said(OutcomeKind.SKIPPED, "SrcObjectNotEligible").startswith(
        "S3 does not replicate this version."
    )
    # A code that needs no mend is no cause.
    assert said(OutcomeKind.SKIPPED, "SrcReplicationNotPending") == NEW_RUN
    assert said(OutcomeKind.SKIPPED, Code.VANISHED.value) != NEW_RUN
    assert said(OutcomeKind.SKIPPED, outcome=None) == NEW_RUN
