"""What S3 itself is asked to replicate, and what is read first."""

from typing import Any

import pytest

from backfill.campaign import ManifestWay
from backfill.model.attributes import Encryption, EncryptionKind, ReplicationStatus
from backfill.plan.batch import batch_decision
from backfill.plan.chains import IndexedChain
from backfill.plan.decisions import Move, Question, Stay
from backfill.plan.facts import Facts, Needs, Refusal, SourceFacts
from backfill.plan.routes import Reason, Route
from backfill.plan.terms import Delivery
from tests.doubles.planning import ENCRYPTIONS, TAG, head_of, marker, rule, terms, version

ENTRY = version("k", "v", "e", 30)
TIERED = ENTRY._replace(storage_class="INTELLIGENT_TIERING")
COLD = ENTRY._replace(storage_class="GLACIER")
PLAIN = rule()
KMS = rule(selects_kms=True, replica_kms_key="arn:key")
GENERATED = {"delivery": Delivery(batch=True, copy=True), "manifest": ManifestWay.GENERATED}


def asked(entry: Any, by: Any, facts: SourceFacts | None = None, **changes: Any) -> Any:
    empty = IndexedChain.of(())
    question = Question(
        entry=entry,
        destination=0,
        source_chain=IndexedChain.of([entry]),
        destination_chain=empty,
        facts=Facts(source=facts or SourceFacts()),
    )
    return batch_decision(question, by, terms(by or PLAIN, **changes))


def moved(by: Any = PLAIN, **changes: Any) -> Move:
    plain: dict[str, Any] = {"storage_class": "STANDARD", "encryption": None, **changes}
    return Move(route=Route.BATCH_REPLICATION, rule=by, precondition=None, **plain)


def read(entry: Any = ENTRY, **changes: Any) -> SourceFacts:
    return SourceFacts(head=head_of(entry, **changes))


def refused(reason: Reason, operation: str = "HeadObject") -> SourceFacts:
    return SourceFacts(refusal=Refusal(reason=reason, code="Code", operation=operation))


SSE_S3 = ENCRYPTIONS[EncryptionKind.SSE_S3]
WITH_S3 = {"encryption": SSE_S3}
TO_IA = rule(storage_class="STANDARD_IA")
KMS_THERE = Encryption(kind=EncryptionKind.SSE_KMS, kms_key_arn="arn:key")
NOT_PASSED_ON = "it is a replica itself, which live replication does not pass on"


@pytest.mark.parametrize(
    ("entry", "by", "facts", "changes", "expected"),
    [
        # A marker needs nothing read.
        (marker("k", "m"), PLAIN, None, {}, moved(storage_class="")),
        # Only a rule that takes KMS leaves nothing for a HEAD to tell, and tiers are never listed.
        (ENTRY, PLAIN, None, {}, Needs(source_head=True)),
        (ENTRY, rule(selects_kms=True), None, {}, Needs(source_head=True)),
        (ENTRY, KMS, None, {}, moved(KMS)),
        (ENTRY._replace(storage_class=""), KMS, None, {}, moved(KMS)),
        (ENTRY._replace(storage_class="GLACIER_IR"), KMS, None, {},
         moved(KMS, storage_class="GLACIER_IR")),
        (TIERED, KMS, None, {}, Needs(source_head=True)),
        # An archive is told by its class; not even its status is read.
        (COLD, PLAIN, None, {}, Stay(reason=Reason.ARCHIVED, rule=PLAIN, detail="GLACIER")),
        (COLD, PLAIN, None, GENERATED, Stay(reason=Reason.ARCHIVED, rule=PLAIN, detail="GLACIER")),
        # A generated manifest asks for the status of all the others.
        (ENTRY, KMS, None, GENERATED, Needs(source_head=True)),
        # Without a rule, or tags that the scope asks for, a HEAD may say that there are none.
        (ENTRY, None, None, {}, Needs(source_head=True)),
        (ENTRY, None, read(tag_count=1), {}, Needs(tags=True)),
        (COLD, KMS, None, {"tags": TAG}, Needs(source_head=True)),
        (ENTRY, KMS, read(tag_count=1), {"tags": TAG}, Needs(tags=True)),
        # What a HEAD tells.
        (ENTRY, PLAIN, read(), {}, moved(**WITH_S3)),
        (ENTRY, TO_IA, read(), {}, moved(TO_IA, storage_class="STANDARD_IA", **WITH_S3)),
        (ENTRY, PLAIN, read(storage_class=""), {}, moved(**WITH_S3)),
        (ENTRY, PLAIN, read(storage_class="ONEZONE_IA"), {},
         moved(storage_class="ONEZONE_IA", **WITH_S3)),
        (ENTRY, KMS, read(encryption=ENCRYPTIONS[EncryptionKind.SSE_KMS]), {},
         moved(KMS, encryption=KMS_THERE)),
        (ENTRY, PLAIN, read(encryption=ENCRYPTIONS[EncryptionKind.SSE_C]), {}, moved()),
        (ENTRY, PLAIN, read(encryption=ENCRYPTIONS[EncryptionKind.SSE_KMS]), {},
         Stay(reason=Reason.KMS_NOT_SELECTED, rule=PLAIN, detail="aws:kms")),
        (ENTRY, PLAIN, read(replication_status=ReplicationStatus.COMPLETED), {},
         moved(detail="S3 replicated it once; this destination does not have it", **WITH_S3)),
        (ENTRY, PLAIN, read(replication_status=ReplicationStatus.FAILED), {},
         moved(detail="live replication of it failed", **WITH_S3)),
        (ENTRY, PLAIN, read(replication_status=ReplicationStatus.REPLICA), {},
         moved(detail=NOT_PASSED_ON, **WITH_S3)),
        # A refused read keeps a version only where it would have decided.
        (ENTRY, PLAIN, refused(Reason.NOT_READABLE), {},
         Stay(reason=Reason.NOT_READABLE, rule=PLAIN, detail="HeadObject: Code")),
        (ENTRY, KMS, refused(Reason.NOT_READABLE), GENERATED, moved(KMS)),
        (ENTRY, KMS, refused(Reason.VANISHED), GENERATED,
         Stay(reason=Reason.VANISHED, rule=KMS, detail="HeadObject: Code")),
        # SSE-C is not under KMS, so S3 replicates it, but its tags cannot be had.
        (ENTRY, PLAIN, refused(Reason.SSE_C), {}, moved()),
        (ENTRY, None, refused(Reason.SSE_C), {}, Needs(tags=True)),
        (ENTRY, None, refused(Reason.SSE_C, "GetObjectTagging"), {},
         Stay(reason=Reason.SSE_C, detail="GetObjectTagging: Code")),
    ],
)  # fmt: skip
def test_a_job_is_asked_for_what_s3_replicates(
    entry: Any, by: Any, facts: SourceFacts | None, changes: dict[str, Any], expected: Any
) -> None:
    """If this fails, jobs fail for versions that S3 never takes, or read every object in vain."""
    assert asked(entry, by, facts, **changes) == expected
