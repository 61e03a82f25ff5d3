"""One engine a key: what Batch Replication would meet at every destination of the key decides.

The table is written over what a destination's current entry means, and shares no code with the
product.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from backfill.campaign import ManifestWay
from backfill.model.attributes import ReplicationStatus
from backfill.model.objects import ListedEntry, ObjectVersion, VersionId
from backfill.plan.chains import IndexedChain
from backfill.plan.decisions import Move, Stay
from backfill.plan.engines import BY_BATCH, BY_COPY, KeyEngine, UnreadHeads, engine_of
from backfill.plan.facts import HeadAnswer, HeadName, SourceFacts
from backfill.plan.key_plan import KeyPlan
from backfill.plan.routes import Reason, Route
from backfill.plan.rules import Rule
from backfill.plan.terms import COPY_ONLY, Delivery, Terms
from tests.doubles.planning import HORIZON, head_of, marker, rule, terms, version

KEY = "photos/1"
AUTO, BATCH_ONLY = Delivery(batch=True, copy=True), Delivery(batch=True, copy=False)
SOURCE: list[ListedEntry] = [
    version(KEY, "v3", "e3", 30, is_latest=True),
    marker(KEY, "m2"),
    version(KEY, "v1", "e1", 10),
    version(KEY, "null", "e0", 5),
]
NULL = version(KEY, "null", "e0", 5, is_latest=True)
STATES: dict[str, tuple[list[ListedEntry], str]] = {
    "absent": ([], "free"),
    "the replica": ([SOURCE[0]], "free"),
    "the replica under KMS": ([version(KEY, "v3", "kms", 30, is_latest=True)], "free"),
    "an older replica": ([version(KEY, "v1", "e1", 10, is_latest=True)], "free"),
    "a replicated marker": ([marker(KEY, "m2", is_latest=True)], "free"),
    "a stranger below": ([SOURCE[0], version(KEY, "x", "ex", 7)], "free"),
    "our copy": ([version(KEY, "x", "e3", 30, is_latest=True)], "foreign"),
    "our older copy": ([version(KEY, "x", "e1", 10, is_latest=True)], "foreign"),
    "our copy on a replica": (
        [version(KEY, "x", "e3", 30, is_latest=True), version(KEY, "v1", "e1", 10)],
        "foreign",
    ),
    "a stranger": ([version(KEY, "x", "ex", 7, is_latest=True)], "foreign"),
    "a newcomer": (
        [version(KEY, "x", "ex", 7, is_latest=True, last_modified=HORIZON)],
        "asks",
    ),
    "a newcomer's marker": (
        [marker(KEY, "mx", is_latest=True)._replace(last_modified=HORIZON)],
        "foreign",
    ),
    "an unknown marker": ([marker(KEY, "mx", is_latest=True)], "foreign"),
    "a damaged replica": ([version(KEY, "v3", "ex", 7, is_latest=True)], "foreign"),
    "a marker by an object's ID": ([marker(KEY, "v3", is_latest=True)], "foreign"),
    "another null version": ([version(KEY, "null", "ex", 7, is_latest=True)], "foreign"),
    "a null marker": ([marker(KEY, "null", is_latest=True)], "foreign"),
    "a null pair": ([NULL], "asks"),
    "a null stranger below": ([SOURCE[0], version(KEY, "null", "ex", 7)], "foreign"),
    "a null pair below": ([SOURCE[0], SOURCE[3]], "asks"),
    "a null marker below": ([SOURCE[0], marker(KEY, "null")], "free"),
}
COVERAGES: dict[str, dict[str, Any]] = {
    "all": {},
    "by tags": {"tags": (("t", "1"),)},
    "elsewhere": {"prefix": "videos/"},
}
HEADS: dict[str, HeadAnswer] = {
    "says REPLICA": head_of(NULL, replication_status=ReplicationStatus.REPLICA),
    "says COMPLETED": head_of(NULL, replication_status=ReplicationStatus.COMPLETED),
    "refused": None,
}


def expected(states: Sequence[str], coverages: Sequence[str], head: str) -> str:
    met = [
        STATES[state][1]
        for state, coverage in zip(states, coverages, strict=True)
        if coverage != "elsewhere"
    ]
    if "foreign" in met:
        return "copy"
    if "asks" not in met:
        return "batch"
    return {"unread": "asks", "says REPLICA": "batch"}.get(head, "copy")


def chains_of(*states: str) -> list[IndexedChain]:
    return [IndexedChain.of(STATES[state][0]) for state in states]


def terms_of(*coverages: str, delivery: Delivery = AUTO, **changes: Any) -> Terms:
    rules = [
        rule(bucket, bucket=bucket, **COVERAGES[coverage])
        for bucket, coverage in zip("xy", coverages, strict=True)
    ]
    return terms(*rules, delivery=delivery, **changes)


def test_one_foreign_current_entry_takes_the_whole_key_from_batch_replication() -> None:
    """If this fails, replicas land over or under what S3 did not put there."""
    for states in product(STATES, repeat=2):
        for coverages in product(COVERAGES, repeat=2):
            made = terms_of(*coverages)
            for head in ("unread", *HEADS):
                known: dict[HeadName, HeadAnswer] = (
                    {}
                    if head == "unread"
                    else {(n, VersionId(v)): HEADS[head] for n in (0, 1) for v in ("null", "x")}
                )
                found = engine_of(IndexedChain.of(SOURCE), chains_of(*states), known, made)
                word = "asks" if isinstance(found, UnreadHeads) else _word(found)
                assert word == expected(states, coverages, head), (states, coverages, head)


def _word(engine: KeyEngine) -> str:
    assert engine.is_batch == (not engine.why_not_batch), "a choice is explained"
    return "batch" if engine.is_batch else "copy"


def test_without_batch_replication_nothing_is_asked_for_an_engine() -> None:
    """If this fails, campaigns by copy cost heads that they never cost before."""
    for states in product(STATES, repeat=2):
        found = engine_of(
            IndexedChain.of(SOURCE),
            chains_of(*states),
            {},
            terms_of("all", "all", delivery=COPY_ONLY),
        )
        assert found is BY_COPY


def test_the_reason_names_the_bucket_and_what_is_there() -> None:
    """If this fails, a person cannot find what keeps history from the destination."""
    found = engine_of(
        IndexedChain.of(SOURCE),
        chains_of("absent", "an unknown marker"),
        {},
        terms_of("all", "all"),
    )
    assert isinstance(found, KeyEngine)
    assert "at y a delete marker is current" in found.why_not_batch


def test_a_null_version_that_a_replica_would_replace_for_good_keeps_the_key_from_jobs() -> None:
    """If this fails, a job destroys what somebody wrote there before versioning was on."""
    chain = STATES["a null stranger below"][0]
    for source, word in ((SOURCE, "copy"), (SOURCE[:3], "batch")):
        there = [IndexedChain.of(chain), IndexedChain.of([])]
        found = engine_of(IndexedChain.of(source), there, {}, terms_of("all", "all"))
        assert isinstance(found, KeyEngine)
        assert _word(found) == word
        assert ("at x lies a null version" in found.why_not_batch) == (word == "copy")


def settled(plan: KeyPlan, null_head: HeadAnswer = None, **source: Any) -> KeyPlan:
    """Answer every need: source versions as `source` says, null versions as their head says."""
    facts: dict[VersionId, SourceFacts] = {}
    while (needs := plan.needs()) is not None:
        for version_id in needs.heads:
            entry = next(each for each in plan.source_chain if each.version_id == version_id)
            assert isinstance(entry, ObjectVersion)
            facts[version_id] = SourceFacts(head=head_of(entry, **source))
        for version_id in needs.tags:
            facts[version_id] = facts[version_id]._replace(tags=(("t", "1"),))
        heads = dict.fromkeys(needs.destination_heads, null_head)
        plan.learn(facts, heads)
    return plan


def routes_of(plan: KeyPlan) -> list[set[Route]]:
    """Return the routes to each destination."""
    found: list[set[Route]] = [set(), set()]
    for question, decision in plan.decided():
        if isinstance(decision, Move):
            found[question.destination].add(decision.route)
    return found


MARKERS: dict[str, Any] = {"replicates_delete_markers": True}


@pytest.mark.parametrize("delivery", [AUTO, BATCH_ONLY])
def test_no_key_has_both_engines_and_no_copy_comes_where_none_is_allowed(
    delivery: Delivery,
) -> None:
    """If this fails, a copy buries replicas on their way, or copies what nobody allowed."""
    engines = set()
    for states in product(STATES, repeat=2):
        for coverages in (("all", "all"), ("all", "by tags"), ("all", "elsewhere")):
            for null_head in (HEADS["says REPLICA"], None):
                chains = [STATES[state][0] for state in states]
                made = terms_of(*coverages, delivery=delivery)
                plan = settled(KeyPlan(SOURCE, chains, made), null_head, tag_count=1)
                routes = set().union(*routes_of(plan))
                is_batch = routes == {Route.BATCH_REPLICATION}
                assert is_batch or Route.BATCH_REPLICATION not in routes, (states, routes)
                assert is_batch or not routes or delivery.copy, (states, routes)
                engines.add(plan.engine == BY_BATCH)
    assert engines == {True, False}


def test_a_version_that_one_destination_holds_goes_for_the_sake_of_the_other() -> None:
    """If this fails, a second destination never gets what the first one has."""
    plan = settled(
        KeyPlan(SOURCE, [list(SOURCE), []], terms_of("all", "all")), HEADS["says REPLICA"]
    )
    by_destination: list[list[object]] = [[], []]
    for question, decision in plan.decided():
        word = decision.route if isinstance(decision, Move) else _reason(decision)
        by_destination[question.destination].append(word)
    held, batch = Reason.ALREADY_REPLICATED, Route.BATCH_REPLICATION
    marker_stays = Reason.DELETE_MARKER_NOT_REPLICATED
    assert by_destination == [[held] * 4, [batch, marker_stays, batch, batch]]


def _reason(decision: object) -> Reason:
    assert isinstance(decision, Stay), decision
    return decision.reason


def test_history_and_markers_go_where_the_rule_wants_them() -> None:
    """If this fails, Batch Replication is used and history is left behind all the same."""
    plan = settled(KeyPlan(SOURCE, [[]], terms(rule(**MARKERS), delivery=AUTO)))
    assert [type(decision) for _, decision in plan.decided()] == [Move] * 4
    for _, decision in plan.decided():
        assert isinstance(decision, Move)
        assert (decision.route, decision.precondition) == (Route.BATCH_REPLICATION, None)


def test_the_same_key_by_copy_is_planned_as_if_batch_replication_did_not_exist() -> None:
    """If this fails, a key that falls to the copy workers gets another answer than before."""
    for states in product(STATES, repeat=2):
        chains = [STATES[state][0] for state in states]
        for null_head in HEADS.values():
            plan = settled(KeyPlan(SOURCE, chains, terms_of("all", "all")), null_head)
            alone = settled(
                KeyPlan(SOURCE, chains, terms_of("all", "all", delivery=COPY_ONLY)), null_head
            )
            if plan.engine == BY_BATCH:
                continue
            for entry, other in zip(plan.entries(0), alone.entries(0), strict=True):
                assert entry._replace(detail="") == other._replace(detail="")


def test_batch_rows_that_the_listing_decides_cost_no_request() -> None:
    """If this fails, a billion rows cost a billion heads."""
    kms = rule(selects_kms=True, replica_kms_key="arn:key", **MARKERS)
    assert KeyPlan(SOURCE, [[]], terms(kms, delivery=AUTO)).needs() is None
    plan = KeyPlan(SOURCE, [[]], terms(kms, delivery=AUTO, manifest=ManifestWay.GENERATED))
    needs = plan.needs()
    assert needs is not None
    assert needs.heads == {"v3", "v1", "null"}


def test_what_was_read_for_one_destination_holds_for_the_others() -> None:
    """If this fails, one version is called PENDING for one bucket and sent to a job for another."""
    rules: tuple[Rule, ...] = (
        rule("plain", bucket="x"),
        rule("kms", bucket="y", selects_kms=True, replica_kms_key="arn:key"),
    )
    plan = settled(
        KeyPlan(SOURCE[:1], [[], []], terms(*rules, delivery=AUTO)),
        replication_status=ReplicationStatus.PENDING,
    )
    assert [_reason(decision) for _, decision in plan.decided()] == [Reason.IN_FLIGHT] * 2


def test_a_batch_row_knows_what_its_head_told() -> None:
    """If this fails, verify expects another class or key than the rule sets."""
    by_rule = rule(storage_class="STANDARD_IA")
    plan = settled(
        KeyPlan(SOURCE[:1], [[]], terms(by_rule, delivery=AUTO)),
        replication_status=ReplicationStatus.FAILED,
    )
    (entry,) = plan.entries(7)
    assert (entry.number, entry.storage_class, entry.rule_id) == (7, "STANDARD_IA", "all")
    assert entry.encryption is not None
    assert "failed" in entry.detail
    kms = rule(selects_kms=True, replica_kms_key="arn:key")
    (entry,) = KeyPlan(SOURCE[:1], [[]], terms(kms, delivery=AUTO)).entries(0)
    assert (entry.storage_class, entry.encryption) == ("STANDARD", None)


def test_rules_that_the_campaign_states_are_no_terms_for_batch_replication() -> None:
    """If this fails, a job delivers by the bucket's rules what the campaign never asked for."""
    made = terms(rule())
    own = tuple(replace(each, live_rules=()) for each in made.destinations)
    with pytest.raises(AssertionError, match="the bucket's rules"):
        replace(made, destinations=own, delivery=AUTO)
