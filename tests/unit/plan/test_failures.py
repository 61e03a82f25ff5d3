"""Reads that fail: which are one version's, which everybody's, and when the store is lost."""

import pytest

from backfill.errors import Disposition, MissingPermissionError, StoreFault
from backfill.plan.facts import Refusal, refusal_of
from backfill.plan.failures import LOST_IN_A_ROW_MAX, Failures
from backfill.plan.routes import Reason
from tests.doubles.known_versions import fault

DENIED, GONE, LOST = fault("AccessDenied", 403), fault("NoSuchKey", 404), fault("Timeout", 0)
STOP = StoreFault(operation="HeadObject", code="Expired", status=400, disposition=Disposition.STOP)


@pytest.mark.parametrize(
    ("failed", "reason"),
    [
        (GONE, Reason.VANISHED),
        (fault("MethodNotAllowed", 405), Reason.VANISHED),
        (DENIED, Reason.NOT_READABLE),
        (LOST, Reason.NOT_READABLE),
        (fault("400", 400), Reason.SSE_C),
        (fault("Bad Request", 400), Reason.SSE_C),
        (fault("BadRequest", 400), Reason.SSE_C),
        (fault("InvalidRequest", 400), Reason.SSE_C),
        (fault("InvalidRequest", 403), Reason.NOT_READABLE),
        (fault("KMS.Disabled", 400), Reason.NOT_READABLE),
        (fault("NoSuchBucket", 404), None),
        (STOP, None),
    ],
)
def test_a_refusal_says_what_befell_one_version(failed: StoreFault, reason: Reason | None) -> None:
    """If this fails, one version's trouble ends the plan, or everybody's is taken for one's own."""
    found = refusal_of(failed)
    assert (found and found.reason) == reason
    if found is not None:
        assert found.detail == f"HeadObject: {failed.code}"


def noted(failures: Failures, failed: StoreFault, bucket: str = "b") -> Refusal:
    return failures.note(failed, refusal_of(failed), bucket)


def test_what_is_everybodys_ends_the_plan_at_once() -> None:
    """If this fails, each version of a bucket that is gone is asked about."""
    with pytest.raises(StoreFault):
        noted(Failures(), STOP)


def test_a_store_is_lost_after_so_many_failures_in_a_row() -> None:
    """If this fails, a plan waits a minute for each version of a store that is gone."""
    failures = Failures()
    for _ in range(2):
        for _ in range(LOST_IN_A_ROW_MAX - 1):
            noted(failures, LOST)
        failures.note_answer("HeadObject", "b")
    for _ in range(LOST_IN_A_ROW_MAX - 1):
        noted(failures, LOST)
        noted(failures, DENIED)  # somebody answered, but not to this
    with pytest.raises(StoreFault, match="Timeout"):
        noted(failures, LOST)


def test_a_call_that_was_denied_every_time_lacks_a_permission() -> None:
    """If this fails, a plan without a single read object looks like a plan."""
    failures = Failures()
    noted(failures, GONE, bucket="other")
    noted(failures, DENIED, bucket="other")
    noted(failures, DENIED)
    noted(failures, DENIED)
    with pytest.raises(MissingPermissionError) as refused:
        failures.refuse_if_all()
    assert refused.value.message == (
        "HeadObject was denied for every version asked about in 'b' (2; AccessDenied)"
    )
    assert "s3:GetObjectVersion" in refused.value.hint
    failures.note_answer("HeadObject", "b")
    failures.refuse_if_all()


def test_a_call_that_failed_otherwise_every_time_is_that_fault() -> None:
    """If this fails, a store that cannot do what is asked gives an empty plan."""
    failures = Failures()
    first = fault("NotImplemented", 501)
    noted(failures, first)
    noted(failures, DENIED)
    with pytest.raises(StoreFault) as refused:
        failures.refuse_if_all()
    assert refused.value is first
    Failures().refuse_if_all()
