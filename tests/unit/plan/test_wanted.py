"""Who asks for a version, what the destination holds of it, and what its row says."""

from typing import Any

import pytest

from backfill.campaign import ManifestWay, Scope
from backfill.inventory.join import KeyGroup
from backfill.inventory.rows import row_of
from backfill.model.attributes import ReplicationStatus
from backfill.model.looks import look_of
from backfill.model.objects import ETag, VersionId
from backfill.model.store import IfReplaces
from backfill.plan.chains import IndexedChain
from backfill.plan.decisions import Question, Stay
from backfill.plan.engines import BY_BATCH, BY_COPY, KeyEngine, UnreadHeads, engine_of
from backfill.plan.entries import DestinationSeen
from backfill.plan.facts import Facts, Needs, SourceFacts
from backfill.plan.key_plan import KeyPlan
from backfill.plan.routes import Reason
from backfill.plan.shapes import Shapes
from backfill.plan.stretches import ListedRow
from backfill.plan.terms import Delivery
from backfill.plan.wanted import asking_rule, if_held
from tests.doubles.planning import HORIZON, TAG, head_of, marker, rule, terms, version

NOW = version("k", "v2", "e2", 30, is_latest=True)
OLD = version("k", "v1", "e1", 20)
GONE = marker("k", "m1", is_latest=True)
NULL = version("k", "null", "e2", 30, is_latest=True)
BOTH = Delivery(batch=True, copy=True)
GENERATED = {"delivery": BOTH, "manifest": ManifestWay.GENERATED}
ALL, TAGGED = rule(), rule("tagged", tags=TAG)
OFF = rule("off", is_enabled=False)


def asked(entry: Any, there: Any = (), **facts: Any) -> Question:
    heads = facts.pop("destination_heads", {})
    return Question(
        entry=entry,
        destination=0,
        source_chain=IndexedChain.of([entry]),
        destination_chain=IndexedChain.of(list(there)),
        facts=Facts(source=SourceFacts(**facts), destination_heads=heads),
    )


@pytest.mark.parametrize(
    ("question", "by", "scope", "expected"),
    [
        (asked(NOW), ALL, Scope(), ALL),
        (asked(NOW), TAGGED, Scope(), None),
        (asked(NOW, tags=TAG), TAGGED, Scope(), TAGGED),
        (asked(NOW, tags=()), TAGGED, Scope(), Stay(reason=Reason.TAG_MISMATCH)),
        (asked(NOW, tags=(("t", "2"),)), TAGGED, Scope(), Stay(reason=Reason.TAG_MISMATCH)),
        # That it is a marker is the stronger reason; whoever asks after it tells that.
        (asked(GONE), TAGGED, Scope(), None),
        (asked(NOW), OFF, Scope(), Stay(reason=Reason.RULE_DISABLED)),
        (asked(GONE), OFF, Scope(), Stay(reason=Reason.RULE_DISABLED)),
        (asked(NOW), rule(prefix="l"), Scope(), Stay(reason=Reason.NO_RULE)),
        (asked(NOW), ALL, Scope(prefix="l"), Stay(reason=Reason.OUT_OF_SCOPE)),
        (asked(NOW), ALL, Scope(tags=TAG), ALL),
        (asked(NOW, tags=()), ALL, Scope(tags=TAG), Stay(reason=Reason.OUT_OF_SCOPE)),
        (asked(GONE), ALL, Scope(tags=TAG), Stay(reason=Reason.OUT_OF_SCOPE)),
        (
            asked(NOW._replace(last_modified=HORIZON)),
            ALL,
            Scope(),
            Stay(reason=Reason.AFTER_HORIZON, rule=ALL),
        ),
        (
            asked(NOW._replace(last_modified=HORIZON)),
            TAGGED,
            Scope(),
            Stay(reason=Reason.AFTER_HORIZON),
        ),
    ],
)
def test_a_version_is_asked_for_by_rule_scope_and_horizon(
    question: Question, by: Any, scope: Scope, expected: Any
) -> None:
    """If this fails, versions go that nobody asked for, or stay that somebody did."""
    assert asking_rule(question, terms(by, scope=scope)) == expected


REPLICA = head_of(NULL, replication_status=ReplicationStatus.REPLICA)
OTHER_ETAG = "its ETag differs there: verify decides on content"
COVERED = "another version is current at the destination"


@pytest.mark.parametrize(
    ("question", "changes", "expected"),
    [
        (asked(NOW), {}, None),
        (asked(NOW, [NOW]), {}, Stay(reason=Reason.ALREADY_REPLICATED, rule=ALL)),
        (
            asked(NOW, [NOW._replace(etag=ETag("f"))]),
            {},
            Stay(reason=Reason.ALREADY_REPLICATED, rule=ALL, detail=OTHER_ETAG),
        ),
        (
            asked(NOW, [GONE, NOW]),
            {},
            Stay(reason=Reason.ALREADY_REPLICATED, rule=ALL, detail=COVERED),
        ),
        (asked(OLD, [NOW, OLD]), {}, Stay(reason=Reason.ALREADY_REPLICATED, rule=ALL)),
        (
            asked(NOW, [NOW._replace(size_bytes=31)]),
            {},
            Stay(
                reason=Reason.DESTINATION_DIFFERS,
                rule=ALL,
                detail="the destination holds this version ID with another size or kind",
            ),
        ),
        (asked(NULL, [NULL]), {}, Needs(destination_heads=frozenset({VersionId("null")}))),
        (
            asked(NULL, [NULL], destination_heads={"null": REPLICA}),
            {},
            Stay(
                reason=Reason.ALREADY_REPLICATED,
                rule=ALL,
                detail="a null version whose copy there says REPLICA",
            ),
        ),
        (asked(NULL, [NULL], destination_heads={"null": head_of(NULL)}), {}, None),
        (asked(NULL, [NULL], destination_heads={"null": None}), {}, None),
        # A generated manifest hangs on the status of what needs nothing itself.
        (asked(NOW, [NOW]), GENERATED, Needs(source_head=True)),
        (
            asked(NOW, [NOW], head=head_of(NOW)),
            GENERATED,
            Stay(reason=Reason.ALREADY_REPLICATED, rule=ALL),
        ),
        (asked(GONE, [GONE]), GENERATED, Stay(reason=Reason.ALREADY_REPLICATED, rule=ALL)),
    ],
)
def test_what_the_destination_holds_needs_nothing(
    question: Question, changes: dict[str, Any], expected: Any
) -> None:
    """If this fails, a version is delivered twice, or is called delivered and is not."""
    assert if_held(question, ALL, terms(ALL, **changes)) == expected


YOUNG = NOW._replace(version_id=VersionId("x"), last_modified=HORIZON)


@pytest.mark.parametrize(
    ("there", "engine"),
    [
        ([], BY_BATCH),
        ([NOW._replace(last_modified=HORIZON)], BY_BATCH),
        ([YOUNG], UnreadHeads(heads=frozenset({(0, VersionId("x"))}))),
    ],
)
def test_who_came_after_the_listing_is_looked_at_before_jobs_write_over_it(
    there: list[Any], engine: Any
) -> None:
    """If this fails, a job replaces what somebody else wrote, or each replica is read again."""
    chains = [IndexedChain.of(there)]
    assert engine_of(IndexedChain.of([NOW]), chains, {}, terms(ALL, delivery=BOTH)) == engine


def test_a_row_says_what_was_seen_and_by_whom_it_may_be_written() -> None:
    """If this fails, a worker's guard is of another version than the listing showed."""
    by = rule("r", replicates_delete_markers=True, storage_class="STANDARD_IA")
    made = terms(by, is_quiet=True)
    plan = KeyPlan([NOW, OLD], [[OLD._replace(is_latest=True)]], made)
    plan.learn({NOW.version_id: SourceFacts(head=head_of(NOW))}, {})
    current, noncurrent = plan.entries(7)
    assert (current.number, current.destination, current.rule_id) == (7, 0, "r")
    assert (current.etag, current.size_bytes, current.is_latest) == ("e2", 30, True)
    assert current.precondition == IfReplaces(etag=ETag("e1"))
    seen = DestinationSeen(VersionId("v1"), is_delete_marker=False, etag=ETag("e1"))
    assert current.seen == noncurrent.seen == seen
    assert current.storage_class == "STANDARD_IA"
    assert (current.has_other_writers, current.replicates_delete_markers) == (False, True)
    assert current.source_look == look_of(head_of(NOW))
    assert (noncurrent.number, noncurrent.reason) == (8, Reason.ALREADY_REPLICATED)
    assert (noncurrent.storage_class, noncurrent.encryption, noncurrent.source_look) == (
        "",
        None,
        None,
    )
    (deleted,) = KeyPlan([GONE], [[GONE]], terms(by)).entries(0)
    assert (deleted.is_delete_marker, deleted.etag, deleted.size_bytes) == (True, None, 0)
    assert deleted.seen == DestinationSeen(VersionId("m1"), is_delete_marker=True)
    assert deleted.has_other_writers


def test_only_where_nobody_writes_is_a_look_kept() -> None:
    """If this fails, a version is not read again though somebody may have changed it."""
    for is_quiet in (False, True):
        plan = KeyPlan([NOW], [[]], terms(ALL, is_quiet=is_quiet))
        plan.learn({NOW.version_id: SourceFacts(head=head_of(NOW))}, {})
        (row,) = plan.entries(0)
        assert (row.source_look is not None) is is_quiet


def listed_rows(*sizes: tuple[int, str | None]) -> list[ListedRow]:
    return [
        list(row_of(version("k", "v", etag, size) if etag else marker("k", "m")))
        for size, etag in sizes
    ]


@pytest.mark.parametrize(
    ("sizes", "are_small"),
    [
        ([(50, "e"), (7, "f")], True),
        ([(50, "e"), (51, "f")], False),
        ([(50, "e"), (7, "f-2")], False),
        ([(0, None), (7, "f")], True),
    ],
)
def test_objects_are_small_that_one_copy_can_bring(
    sizes: list[tuple[int, str | None]], are_small: bool
) -> None:
    """If this fails, a large object is asked for by one copy, which S3 refuses."""
    assert Shapes(terms(ALL, copy_object_bytes_max=50)).are_small(listed_rows(*sizes)) is are_small


@pytest.mark.parametrize(
    ("source", "there", "is_plain"),
    [
        ([NOW], [], True),
        ([NOW, OLD], [NOW, OLD], True),
        ([NOW, OLD], [NOW], False),
        ([NOW], [NOW._replace(etag=ETag("f"))], False),
        ([NOW], [NOW._replace(size_bytes=31)], False),
        ([NULL], [NULL], False),
        ([GONE], [GONE], True),
        ([GONE], [NOW._replace(version_id=GONE.version_id)], False),
        ([NOW], [GONE._replace(version_id=NOW.version_id)], False),
    ],
)
def test_a_key_is_plain_where_destinations_have_all_of_it_or_nothing(
    source: list[Any], there: list[Any], is_plain: bool
) -> None:
    """If this fails, a key that must be looked at is decided as its neighbours are."""
    group = KeyGroup(key="k", source_chain=tuple(source), destination_chains=(tuple(there),))
    found = Shapes(terms(ALL)).listed(group)
    assert (found is not None) is is_plain
    if found:
        assert [each.relations for each in found] == [(bool(there),)] * len(source)


def test_an_engine_that_is_by_copies_alone_says_nothing() -> None:
    """If this fails, every row of a plan by copies explains why it is not by jobs."""
    assert (BY_COPY.is_batch, BY_COPY.why_not_batch) == (False, "")
    assert KeyEngine(is_batch=True) == BY_BATCH
