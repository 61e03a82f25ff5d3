"""Who lists the versions of a job: S3 only where it names exactly what the plan names."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from backfill.campaign import ManifestWay
from backfill.errors import ArtifactDamagedError
from backfill.model.attributes import ReplicationStatus
from backfill.model.objects import DeleteMarker, ListedEntry, ObjectVersion, VersionId
from backfill.model.places import BucketPlace
from backfill.plan.decisions import Move
from backfill.plan.facts import SourceFacts
from backfill.plan.key_plan import KeyPlan
from backfill.plan.manifest_way import (
    StatusTally,
    Way,
    generated_manifest_of,
    manifest_way,
    way_document,
    way_line,
    way_of,
)
from backfill.plan.routes import Route
from backfill.plan.rules import Rule
from backfill.plan.terms import Delivery, Terms
from tests.doubles.listings import place
from tests.doubles.planning import HORIZON, head_of, marker, rule, terms, version

AUTO = Delivery(batch=True, copy=True)
NONE, FAILED, COMPLETED, REPLICA, PENDING = (
    ReplicationStatus.NONE,
    ReplicationStatus.FAILED,
    ReplicationStatus.COMPLETED,
    ReplicationStatus.REPLICA,
    ReplicationStatus.PENDING,
)
KMS = rule(selects_kms=True, replica_kms_key="arn:key")
"""A rule under which no head is needed for anything but a status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key's versions, what a destination has of it, and the status of each source version."""

    source: tuple[ListedEntry, ...]
    destination: tuple[ListedEntry, ...] = ()
    statuses: Mapping[str, ReplicationStatus]


def new(key: str, status: ReplicationStatus = NONE, **changes: Any) -> Key:
    entry = version(key, "v1", "e1", 10, is_latest=True, **changes)
    return Key(source=(entry,), statuses={"v1": status})


def held(key: str, status: ReplicationStatus = COMPLETED) -> Key:
    plain = new(key, status)
    return replace(plain, destination=plain.source)


def terms_of(asked: ManifestWay, *rules: Rule, **changes: Any) -> Terms:
    return terms(*(rules or (KMS,)), delivery=AUTO, manifest=asked, **changes)


def planned(keys: list[Key], made: Terms) -> tuple[Way, dict[tuple[str, VersionId], Any]]:
    """Return the way, and the route or reason of every version."""
    tally = StatusTally()
    decided: dict[tuple[str, VersionId], Any] = {}
    for key in keys:
        plan = KeyPlan(key.source, [key.destination] * len(made.destinations), made)
        while (needs := plan.needs()) is not None:
            facts = {v: _facts(key, v) for v in needs.heads}
            plan.learn(facts, dict.fromkeys(needs.destination_heads))
        tally.add(plan.decided())
        for question, decision in plan.decided():
            name = question.entry.key, question.entry.version_id
            decided[name] = decision.route if isinstance(decision, Move) else decision
    return manifest_way(tally, made), decided


def _facts(key: Key, version_id: VersionId) -> SourceFacts:
    entry = next(each for each in key.source if each.version_id == version_id)
    assert isinstance(entry, ObjectVersion)
    status = key.statuses[version_id]
    return SourceFacts(head=head_of(entry, replication_status=status))


def test_versions_that_rules_and_statuses_describe_are_left_to_s3_to_list() -> None:
    """If this fails, generated manifests are never chosen, or ask for the wrong versions."""
    keys = [new("p/a"), new("p/b", FAILED), held("p/c"), new("p/d", last_modified=HORIZON)]
    made = terms_of(ManifestWay.GENERATED, KMS)
    made = replace(made, scope=replace(made.scope, prefix="p/"))
    way, _ = planned([*keys, new("elsewhere")], made)
    assert (way.kind, way.statuses) == (ManifestWay.GENERATED, (NONE, FAILED))
    assert (way.prefix, way.created_before) == ("p/", HORIZON)
    assert "2 versions" in way.why


def test_replicas_are_asked_for_only_where_they_go() -> None:
    """If this fails, A→B→C stops at B, or every replica is named for nothing."""
    way, _ = planned([new("a"), new("b", REPLICA)], terms_of(ManifestWay.GENERATED))
    assert way.statuses == (NONE, REPLICA)
    way, _ = planned([new("a"), held("b", REPLICA)], terms_of(ManifestWay.GENERATED))
    assert way.statuses == (NONE,)


COVERING = rule("t", tags=(("t", "1"),), priority=2)
STRANGER = (version("s", "x", "ex", 7, is_latest=True),)
OURS = (version("s", "x", "e1", 10, is_latest=True),)
PLAIN = rule()


@pytest.mark.parametrize(
    ("asked", "keys", "rules", "changes", "why"),
    [
        (ManifestWay.OWN, [new("a")], (KMS,), {}, "asks for it"),
        (ManifestWay.GENERATED, [held("a")], (KMS,), {}, "no version goes"),
        (ManifestWay.GENERATED, [new("a", COMPLETED)], (KMS,), {}, "COMPLETED: 1"),
        (ManifestWay.AUTO, [new("a")], (KMS,), {}, "1 versions were not read"),
        (ManifestWay.AUTO, [new("a"), held("b")], (PLAIN,), {}, "already-replicated: 1"),
        (
            ManifestWay.GENERATED,
            [new("a"), held("b", NONE)],
            (KMS,),
            {},
            "already-replicated: 1",
        ),
        (
            ManifestWay.GENERATED,
            [new("a"), replace(new("s"), destination=STRANGER)],
            (KMS,),
            {},
            "destination-differs: 1",
        ),
        (
            ManifestWay.GENERATED,
            [new("a"), replace(new("s"), destination=OURS)],
            (KMS,),
            {},
            "already-copied: 1",
        ),
        (
            ManifestWay.GENERATED,
            [new("a"), new("g", storage_class="GLACIER")],
            (KMS,),
            {},
            "archived: 1",
        ),
        (
            ManifestWay.GENERATED,
            [new("a"), Key(source=(marker("m", "m1", is_latest=True),), statuses={})],
            (replace(KMS, replicates_delete_markers=True),),
            {},
            "delete markers go (1)",
        ),
    ],
)
def test_what_a_generator_cannot_tell_apart_is_listed_by_backfill(
    asked: ManifestWay,
    keys: list[Key],
    rules: tuple[Rule, ...],
    changes: dict[str, Any],
    why: str,
) -> None:
    """If this fails, a job names versions that the plan leaves alone, or misses some."""
    way, _ = planned(keys, terms_of(asked, *rules, **changes))
    assert way.kind is ManifestWay.OWN
    assert why in way.why


def test_a_scope_of_tags_is_listed_by_backfill_without_reading_statuses() -> None:
    """If this fails, every version costs a head for a manifest that cannot be generated."""
    made = terms_of(ManifestWay.GENERATED, tags=(("t", "1"),))
    assert not made.reads_statuses
    tally = StatusTally()
    tally.named[NONE] = 1
    assert "object tags" in manifest_way(tally, made).why


def test_auto_generates_where_heads_were_needed_anyway() -> None:
    """If this fails, a campaign whose rules need heads uploads manifests for nothing."""
    way, _ = planned([new("a"), new("b", FAILED)], terms_of(ManifestWay.AUTO, PLAIN))
    assert way.kind is ManifestWay.GENERATED
    markers = Key(source=(marker("m", "m1", is_latest=True),), statuses={})
    way, _ = planned([new("a"), markers], terms_of(ManifestWay.AUTO, PLAIN))
    assert way.kind is ManifestWay.GENERATED


def test_pending_versions_that_a_head_told_of_are_neither_named_nor_in_the_way() -> None:
    """If this fails, one version under way keeps all the others from a generated manifest."""
    way, decided = planned([new("a"), new("b", PENDING)], terms_of(ManifestWay.AUTO, PLAIN))
    assert decided["b", VersionId("v1")].reason.value == "in-flight"
    assert way.kind is ManifestWay.GENERATED


@pytest.mark.parametrize("seed", range(200))
def test_a_generated_manifest_names_exactly_the_plans_versions(seed: int) -> None:
    """If this fails, jobs do more or less than the plan says.

    What S3 names is taken from its documentation: versions whose key an enabled rule covers,
    created before the time, with one of the statuses; delete markers where a rule replicates them.
    """
    chance = Random(seed)
    made = terms_of(
        ManifestWay.GENERATED,
        replace(KMS, prefix="p", replicates_delete_markers=chance.random() < 0.3),
    )
    likely = [NONE, chance.choice([NONE, FAILED]), chance.choice([NONE, REPLICA, COMPLETED])]
    keys = [_random_key(chance, number, likely) for number in range(chance.randint(1, 6))]
    way, decided = planned(keys, made)
    planned_names = {name for name, word in decided.items() if word is Route.BATCH_REPLICATION}
    if way.kind is ManifestWay.GENERATED:
        names = {
            (entry.key, entry.version_id)
            for key in keys
            for entry in key.source
            if _is_named(entry, key, made, way)
        }
        assert names == planned_names


def _random_key(chance: Random, number: int, likely: list[ReplicationStatus]) -> Key:
    name = f"{chance.choice('pppq')}{number}"
    source: list[ListedEntry] = []
    for depth in range(chance.choice((1, 1, 2, 3))):
        when = HORIZON + timedelta(seconds=chance.choice((-9, -9, -9, 1)) - depth)
        shared: dict[str, Any] = {"is_latest": depth == 0, "last_modified": when}
        if chance.random() < 0.1:
            source.append(marker(name, f"v{depth}", **shared))
        else:
            archived = chance.random() < 0.05
            shared["storage_class"] = "GLACIER" if archived else "STANDARD"
            source.append(version(name, f"v{depth}", f"e{depth}", depth, **shared))
    is_held = [chance.random() < 0.3 for _ in source]
    theirs = [entry for entry, there in zip(source, is_held, strict=True) if there]
    if theirs:
        theirs[0] = theirs[0]._replace(is_latest=True)
    if chance.random() < 0.05:
        theirs = [version(name, "x", "ex", 7, is_latest=True)]
    statuses: dict[str, ReplicationStatus] = {
        entry.version_id: COMPLETED if there and chance.random() < 0.9 else chance.choice(likely)
        for entry, there in zip(source, is_held, strict=True)
    }
    return Key(source=tuple(source), destination=tuple(theirs), statuses=statuses)


def _is_named(entry: ListedEntry, key: Key, made: Terms, way: Way) -> bool:
    (only,) = made.destinations[0].rules
    is_wanted = only.replicates_delete_markers or not isinstance(entry, DeleteMarker)
    assert way.created_before is not None
    return (
        entry.key.startswith(only.prefix)
        and entry.key.startswith(way.prefix)
        and is_wanted
        and entry.last_modified < way.created_before
        and key.statuses[entry.version_id] in way.statuses
    )


def test_the_random_plans_are_of_both_ways() -> None:
    """If this fails, the comparison above compares nothing."""
    kinds = set()
    for seed in range(200):
        chance = Random(seed)
        made = terms_of(ManifestWay.GENERATED, replace(KMS, prefix="p"))
        keys = [_random_key(chance, number, [NONE, FAILED]) for number in range(3)]
        kinds.add(planned(keys, made)[0].kind)
    assert kinds == {ManifestWay.GENERATED, ManifestWay.OWN}


GENERATED = Way(
    kind=ManifestWay.GENERATED,
    why="because",
    statuses=(NONE, FAILED),
    prefix="p\n/",
    created_before=HORIZON,
)


@pytest.mark.parametrize("way", [GENERATED, Way(kind=ManifestWay.OWN, why="because")])
def test_a_way_survives_the_plans_summary(way: Way) -> None:
    """If this fails, jobs are created by another filter than was planned."""
    assert way_of({"manifest way": way_document(way)}) == way
    assert way_of({}) is None
    assert "because" in way_line(way)


def test_a_damaged_way_is_damage() -> None:
    """If this fails, a job of another run's filter is created."""
    with pytest.raises(ArtifactDamagedError):
        way_of({"manifest way": {"kind": "generated", "why": "", "statuses": ["PENDING"]}})


def test_the_generators_filter_is_the_ways() -> None:
    """If this fails, S3 lists another bucket, prefix or status than the plan counted."""
    source: BucketPlace = place("source-bucket")
    made = generated_manifest_of({"manifest way": way_document(GENERATED)}, source)
    assert made is not None
    assert (made.source_bucket, made.expected_owner) == ("source-bucket", source.expected_owner)
    assert (made.statuses, made.prefix) == (("NONE", "FAILED"), "p\n/")
    assert made.created_before == HORIZON
    own = Way(kind=ManifestWay.OWN, why="because")
    assert generated_manifest_of({"manifest way": way_document(own)}, source) is None
    assert generated_manifest_of({}, source) is None
