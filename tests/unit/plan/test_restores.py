"""What a plan does with archived versions, with restores and without, and what these cost."""

from typing import Any

import pytest

from backfill.errors import ArtifactDamagedError
from backfill.model.archives import Archive, Retrieved
from backfill.model.attributes import Encryption, EncryptionKind
from backfill.model.objects import ObjectVersion
from backfill.model.store import IfAbsent
from backfill.plan.chains import IndexedChain
from backfill.plan.decide import decide
from backfill.plan.decisions import Decision, Move, Question, Stay
from backfill.plan.engines import BY_BATCH, engine_of
from backfill.plan.facts import Facts, Needs, SourceFacts
from backfill.plan.restores import (
    PlannedRestores,
    RestoreCounting,
    planned_restores,
    restores_line,
)
from backfill.plan.routes import Handling, Reason, Route
from backfill.plan.terms import Delivery
from tests.doubles.planning import head_of, rule, terms, version

BOTH = Delivery(batch=True, copy=True)
KEY = "cold"
GLACIER = version(KEY, "v1", "e1", 10, is_latest=True, storage_class="GLACIER")
TIERED = version(KEY, "v1", "e1", 10, is_latest=True, storage_class="INTELLIGENT_TIERING")


def question(entry: ObjectVersion, **head: Any) -> Question:
    facts = Facts(source=SourceFacts(head=head_of(entry, **head)))
    return Question(
        entry=entry,
        destination=0,
        source_chain=IndexedChain.of([entry]),
        destination_chain=IndexedChain.of([]),
        facts=facts,
    )


def decided(entry: ObjectVersion, tier: str, **head: Any) -> Decision:
    return decide(question(entry, **head), terms(rule(), restore_tier=tier))


CASES = [
    (GLACIER, "", {}, Reason.ARCHIVED),
    (GLACIER, "Bulk", {}, Handling.RESTORE),
    (GLACIER, "Expedited", {}, Handling.RESTORE),
    (GLACIER, "Bulk", {"restore": 'ongoing-request="true"'}, Handling.RESTORE),
    (TIERED, "Bulk", {}, Handling(0)),
    (TIERED, "", {"archive_status": "ARCHIVE_ACCESS"}, Reason.ARCHIVED),
    (TIERED, "Standard", {"archive_status": "DEEP_ARCHIVE_ACCESS"}, Handling.RESTORE),
    (TIERED, "Expedited", {"archive_status": "DEEP_ARCHIVE_ACCESS"}, Reason.ARCHIVED),
]


@pytest.mark.parametrize(("entry", "tier", "head", "expected"), CASES)
def test_what_becomes_of_an_archived_version(
    entry: ObjectVersion, tier: str, head: dict[str, str], expected: Handling | Reason
) -> None:
    """If this fails, somebody pays for what nobody asked for, or a version is left behind."""
    decision = decided(entry, tier, **head)
    if isinstance(expected, Reason):
        assert isinstance(decision, Stay)
        assert decision.reason is expected
    else:
        assert isinstance(decision, Move)
        assert (decision.route, decision.precondition) == (Route.COPY_OBJECT, IfAbsent())
        assert decision.handling == expected
        assert decision.storage_class == entry.storage_class, "as the rule says: the source's"


def test_without_restores_the_listing_is_enough_and_with_them_a_head_is_read() -> None:
    """If this fails, a plan over an archive takes a HEAD an object for nothing, or guesses."""
    unread = question(GLACIER)._replace(facts=Facts())
    assert isinstance(decide(unread, terms(rule())), Stay)
    assert decide(unread, terms(rule(), restore_tier="Bulk")) == Needs(source_head=True)


def test_a_customers_key_goes_into_the_copy_and_without_one_the_version_stays() -> None:
    """If this fails, an SSE-C object arrives under another encryption than its own."""
    plain = GLACIER._replace(storage_class="STANDARD")
    known = Encryption(kind=EncryptionKind.SSE_C, customer_key_md5="digest")
    move = decided(plain, "", encryption=known)
    assert isinstance(move, Move)
    assert move.encryption == known
    stay = decided(plain, "", encryption=Encryption(kind=EncryptionKind.SSE_C))
    assert isinstance(stay, Stay)
    assert stay.reason is Reason.SSE_C


@pytest.mark.parametrize(
    ("entry", "tier", "is_held", "is_batch"),
    [
        (GLACIER, "Bulk", False, False),
        (GLACIER, "Bulk", True, True),
        (GLACIER, "", False, True),
        (TIERED, "Bulk", False, True),
    ],
)
def test_a_key_whose_current_version_is_to_be_restored_is_for_copies(
    entry: ObjectVersion, tier: str, is_held: bool, is_batch: bool
) -> None:
    """If this fails, --restore leaves what is current behind, or takes more from S3's engine."""
    source, destination = IndexedChain.of([entry]), IndexedChain.of([entry] if is_held else [])
    engine = engine_of(source, [destination], {}, terms(rule(), restore_tier=tier, delivery=BOTH))
    if is_batch:
        assert engine == BY_BATCH
    else:
        assert not getattr(engine, "is_batch", True)
        assert "has to be restored" in getattr(engine, "why_not_batch", "")


def test_each_version_counts_once_and_the_summary_gives_it_back() -> None:
    """If this fails, a plan for two destinations says twice the bill."""
    asked, moved = question(GLACIER), decided(GLACIER, "Bulk")
    counting = RestoreCounting(tier="Bulk")
    counting.add([(asked, moved), (asked._replace(destination=1), moved)])
    counting.add_alike([(asked, moved)], versions=5, size_bytes=50)
    tiered = {"archive_status": "ARCHIVE_ACCESS"}
    counting.add([(question(TIERED, **tiered), decided(TIERED, "Bulk", **tiered))])
    counting.add([(question(TIERED), decided(TIERED, "Bulk"))])
    found = planned_restores(counting.document())
    assert found == PlannedRestores(
        tier="Bulk",
        archives={
            Archive.ARCHIVE_ACCESS: Retrieved(restores=1, size_bytes=10),
            Archive.GLACIER: Retrieved(restores=6, size_bytes=60),
        },
    )
    assert found.total == Retrieved(restores=7, size_bytes=70)
    line = restores_line(found)
    assert line.startswith("to restore first: 7 versions (1 ARCHIVE_ACCESS, 6 GLACIER), 70 B, by")
    assert "0.00 USD" in line
    assert RestoreCounting(tier="").document() == {}
    assert planned_restores({}) is None


@pytest.mark.parametrize("damaged", [5, {}, {"tier": "Bulk", "archives": {"ATTIC": [1, 1]}}])
def test_a_summary_that_cannot_be_read_is_refused(damaged: object) -> None:
    """If this fails, a damaged plan costs nothing, as far as anybody can see."""
    with pytest.raises(ArtifactDamagedError):
        planned_restores({"restores": damaged})
