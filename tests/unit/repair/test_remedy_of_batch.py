"""What a job was to deliver is mended by another job or by a copy, and never by both on one key."""

from dataclasses import replace

import pytest

from backfill.execute.codes import Code
from backfill.manifest.entries import ManifestEntry
from backfill.model.attributes import Encryption, EncryptionKind
from backfill.model.objects import ETag, VersionId
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.model.store import IfAbsent, IfReplaces
from backfill.plan.routes import Reason, Route
from backfill.repair.remedy import BadRow, Person, Remedy, one_engine, remedy
from backfill.verify.verdicts import Evidence, Fidelity, Field, Verdict, VerdictRow
from tests.unit.verify.two_buckets import HORIZON, Stored, planned

KEY = "a key"
BY_COPY = planned(0, KEY, Stored(version_id="v", data=b"data"))
ENTRY = BY_COPY._replace(
    number=7, route=Route.BATCH_REPLICATION, precondition=None, encryption=None
)
KMS = BY_COPY._replace(
    encryption=Encryption(kind=EncryptionKind.SSE_KMS, kms_key_arn="arn:aws:kms:x:1:key/k")
)
FAILED = Outcome(number=3, kind=OutcomeKind.FAILED, code="InitiateReplicationNotPermitted")
REPLICATED = Outcome(number=3, kind=OutcomeKind.REPLICATED, version_id=ENTRY.version_id)
HARD_DELETED = Outcome(number=3, kind=OutcomeKind.SKIPPED, code="DstObjectHardDeleted")


def verdict(content: Verdict, *fields: Field, there: str | None = None) -> VerdictRow:
    return VerdictRow(
        number=7,
        key=KEY,
        version_id=ENTRY.version_id,
        destination=0,
        content=content,
        evidence=Evidence.LISTING,
        fidelity=Fidelity.NOT_LOOKED_AT,
        fields=fields,
        destination_version_id=VersionId(there) if there else None,
        destination_etag=ETag("its") if there else None,
    )


MISSING = verdict(Verdict.MISSING)
STALE = verdict(Verdict.DIFFERENT, Field.CURRENT_VERSION, there="older")
ALTERED = verdict(Verdict.DIFFERENT, Field.CONTENT, there=ENTRY.version_id)


def mended(bad: BadRow) -> Remedy:
    return remedy(bad, number=0, horizon=HORIZON, allows_hiding=False)


@pytest.mark.parametrize("row", [MISSING, STALE])
@pytest.mark.parametrize(
    "outcome",
    [
        FAILED,
        FAILED._replace(code=Code.NOT_ATTEMPTED),
        FAILED._replace(code=Code.REPLICATION_FAILED),
        HARD_DELETED._replace(code=Code.IN_FLIGHT),
    ],
)
def test_what_a_job_may_still_deliver_goes_into_another_one(
    row: VerdictRow, outcome: Outcome
) -> None:
    """If this fails, a copy takes the place of a replica that keeps ID, time and order."""
    found = mended(BadRow(verdict=row, entry=ENTRY, outcome=outcome, by_copy=BY_COPY))
    assert isinstance(found, ManifestEntry)
    assert (found.route, found.precondition) == (Route.BATCH_REPLICATION, None)
    assert found.plan_number == 7


def test_a_noncurrent_version_that_failed_goes_into_another_job_too() -> None:
    noncurrent = ENTRY._replace(is_latest=False)
    found = mended(BadRow(verdict=MISSING, entry=noncurrent, outcome=FAILED))
    assert isinstance(found, ManifestEntry)
    assert found.route is Route.BATCH_REPLICATION


def test_no_job_brings_history_to_a_key_that_copy_workers_have_written() -> None:
    """If this fails, a replica lands over our copy, or under it for ever."""
    bad = BadRow(verdict=MISSING, entry=ENTRY._replace(is_latest=False), outcome=FAILED)
    assert isinstance(mended(replace(bad, has_copies=True)), Person)


@pytest.mark.parametrize(("row", "guard"), [(ALTERED, IfReplaces(etag=ETag("its")))])
def test_a_damaged_replica_is_copied_over_as_it_was_seen_and_as_it_is_planned_anew(
    row: VerdictRow, guard: IfReplaces
) -> None:
    found = mended(BadRow(verdict=row, entry=ENTRY, outcome=REPLICATED, by_copy=KMS))
    assert isinstance(found, ManifestEntry)
    assert (found.route, found.precondition) == (Route.COPY_OBJECT, guard)
    assert found.encryption == KMS.encryption
    assert found.plan_number == 7


@pytest.mark.parametrize("outcome", [HARD_DELETED, REPLICATED])
def test_a_replica_that_is_gone_for_good_is_copied(outcome: Outcome) -> None:
    found = mended(BadRow(verdict=MISSING, entry=ENTRY, outcome=outcome, by_copy=BY_COPY))
    assert isinstance(found, ManifestEntry)
    assert (found.route, found.precondition) == (Route.COPY_OBJECT, IfAbsent())


def test_where_no_copy_can_be_made_whole_a_person_hears_why() -> None:
    locked = BY_COPY._replace(route=None, reason=Reason.OBJECT_LOCK, precondition=None)
    by_plan = mended(BadRow(verdict=ALTERED, entry=ENTRY, outcome=REPLICATED, by_copy=locked))
    assert isinstance(by_plan, Person)
    assert "Object Lock" in by_plan.sentence
    by_code = mended(BadRow(verdict=MISSING, entry=ENTRY, outcome=HARD_DELETED))
    assert isinstance(by_code, Person)
    assert by_code.sentence


def test_a_key_has_one_engine_in_a_repair_as_in_a_plan() -> None:
    """If this fails, the copy of a current version buries what a job brings of its history."""
    job = mended(BadRow(verdict=MISSING, entry=ENTRY._replace(is_latest=False), outcome=FAILED))
    copy = mended(BadRow(verdict=ALTERED, entry=ENTRY, outcome=REPLICATED, by_copy=BY_COPY))
    first, second = one_engine([copy, job])
    assert isinstance(first, Person)
    assert "repair again" in first.sentence
    assert second == job
    assert one_engine([copy, copy]) == [copy, copy]


@pytest.mark.parametrize("outcome", [REPLICATED, HARD_DELETED])
def test_history_that_was_there_is_never_promised_back(outcome: Outcome) -> None:
    """If this fails, a person begins a new run for what S3 never brings back."""
    noncurrent = ENTRY._replace(is_latest=False)
    no_copy = noncurrent._replace(number=0, route=None, storage_class="", reason=Reason.NONCURRENT)
    found = mended(BadRow(verdict=MISSING, entry=noncurrent, outcome=outcome, by_copy=no_copy))
    assert isinstance(found, Person)
    assert "cannot be had again" in found.sentence
    assert "begin a new run" not in found.sentence.lower()
