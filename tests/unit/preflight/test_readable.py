"""Preflight: may an identity read what HEAD hides from those who may not?"""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

import pytest

from backfill.aws.faults import store_fault
from backfill.errors import MissingPermissionError, StoreFault
from backfill.events.runs import ReadsUnproven
from backfill.model.objects import ListedEntry, VersionId
from backfill.model.places import BucketFacts, BucketPlace
from backfill.model.store import VersionsPage, VersionsPosition
from backfill.plan.configuration import parse_configuration
from backfill.plan.rules import Rules
from backfill.ports import Event, ObjectStore, ProgressCounts
from backfill.preflight.readable import (
    VERSIONS_TRIED_MAX,
    Hidden,
    Reader,
    prove_destinations,
    prove_readable,
    prove_source,
)
from backfill.preflight.scene import DestinationScene, Scene
from tests.doubles.listings import place
from tests.doubles.planning import marker, version
from tests.unit.preflight.two_control_planes import configuration_to

OPERATIONS = {
    Hidden.TAGS: "GetObjectTagging",
    Hidden.RETENTION: "GetObjectRetention",
    Hidden.LEGAL_HOLD: "GetObjectLegalHold",
    Hidden.ACL: "GetObjectAcl",
}
GONE = ("NoSuchVersion", 404)
DENIED = ("AccessDenied", 403)


@dataclass(slots=True)
class Answering:
    """The reads of an ObjectStore; `refusals` is by (operation, key), key "" for every one."""

    entries: list[ListedEntry]
    refusals: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    prefixes: list[str] = field(default_factory=list)
    page: int = 3

    @property
    def port(self) -> ObjectStore:
        return cast("ObjectStore", self)

    async def list_object_versions(
        self, place: BucketPlace, *, prefix: str, after: VersionsPosition | None
    ) -> VersionsPage:
        assert place.expected_owner
        self.prefixes.append(prefix)
        rest = [e for e in self.entries if e.key.startswith(prefix)]
        rest = [e for e in rest if after is None or e.key > after.key]
        page = tuple(rest[: self.page])
        following = VersionsPosition(key=page[-1].key) if len(rest) > self.page else None
        return VersionsPage(entries=page, next_position=following)

    def _answer(self, operation: str, key: str, version_id: VersionId | None) -> bool:
        assert version_id is not None, "a version is asked about as the run will: by its ID"
        self.asked[operation] += 1
        refusal = self.refusals.get((operation, key)) or self.refusals.get((operation, ""))
        if refusal is None:
            return False
        raise store_fault(operation=operation, code=refusal[0], status=refusal[1], bucket="b")

    async def head_object(self, _: BucketPlace, key: str, *, version_id: VersionId) -> bool:
        return self._answer("HeadObject", key, version_id)

    async def get_object_tagging(self, _: BucketPlace, key: str, *, version_id: VersionId) -> bool:
        return self._answer("GetObjectTagging", key, version_id)

    async def has_retention(self, _: BucketPlace, key: str, *, version_id: VersionId) -> bool:
        return self._answer("GetObjectRetention", key, version_id)

    async def has_legal_hold(self, _: BucketPlace, key: str, *, version_id: VersionId) -> bool:
        return self._answer("GetObjectLegalHold", key, version_id)

    async def object_acl(self, _: BucketPlace, key: str, *, version_id: VersionId) -> bool:
        return self._answer("GetObjectAcl", key, version_id)


@dataclass(slots=True)
class Kept:
    events: list[Event] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def progress(self, counts: ProgressCounts) -> None:
        raise AssertionError(counts)


def some(*keys: str) -> list[ListedEntry]:
    return [version(key, "v", "e", 1, is_latest=True) for key in keys]


def reader(store: Answering) -> Reader:
    return Reader(identity="source", store=store.port, place=place("old-bucket"))


def scene(
    *, has_object_lock: bool = False, ownership: str = "BucketOwnerEnforced", rules: Rules
) -> Scene:
    facts = BucketFacts(
        region="us-east-1",
        versioning="Enabled",
        has_object_lock=has_object_lock,
        object_ownership=ownership,
    )
    return Scene(
        source=place("old-bucket"),
        source_facts=facts,
        destinations=(DestinationScene(place=place("copies"), facts=facts),),
        horizon=datetime(2026, 11, 22, tzinfo=UTC),
        configuration=None,
        rules=rules,
    )


RULES = parse_configuration(configuration_to("copies"))


@pytest.mark.parametrize("hidden", Hidden)
async def test_what_may_be_read_costs_one_question(hidden: Hidden) -> None:
    """If this fails, each start asks about many objects, or about none."""
    store = Answering(some("a", "b"))
    assert await prove_readable(reader(store), [hidden])
    assert store.asked == {OPERATIONS[hidden]: 1}


@pytest.mark.parametrize("hidden", Hidden)
async def test_a_denied_question_is_refused_with_the_missing_statement(hidden: Hidden) -> None:
    """If this fails, tags and locks are lost in silence, or a run copies nothing and exits 0."""
    operation = OPERATIONS[hidden]
    store = Answering(some("a"), {(operation, ""): DENIED})
    with pytest.raises(MissingPermissionError, match=f"{hidden} in 'old-bucket'") as refused:
        await prove_readable(reader(store), [hidden])
    assert refused.value.exit_status == 10
    assert operation in refused.value.message
    statement, _ = json.JSONDecoder().raw_decode(refused.value.hint.partition(": ")[2])
    assert any(operation.removeprefix("GetObject") in action for action in statement["Action"])
    assert statement["Resource"] == "arn:aws:s3:::old-bucket/*"


@pytest.mark.parametrize("refusal", [GONE, DENIED], ids=["gone", "foreign"])
async def test_one_object_that_is_gone_or_foreign_decides_nothing(
    refusal: tuple[str, int],
) -> None:
    """If this fails, one deleted object, or one of another account's, refuses a whole bucket."""
    store = Answering(some("a", "b"), {("GetObjectTagging", "a"): refusal})
    assert await prove_readable(reader(store), [Hidden.TAGS])
    assert store.asked["GetObjectTagging"] == 2


async def test_objects_that_may_not_be_read_at_all_prove_nothing() -> None:
    """If this fails, a policy for one prefix is refused for what lies outside it."""
    denied = {("GetObjectTagging", ""): DENIED, ("HeadObject", ""): DENIED}
    store = Answering(some("a", "b"), denied)
    assert not await prove_readable(reader(store), [Hidden.TAGS])


async def test_so_many_versions_are_tried_and_no_more() -> None:
    """If this fails, a missing permission costs a million requests before anybody hears of it."""
    keys = [f"k{n:03d}" for n in range(VERSIONS_TRIED_MAX + 5)]
    store = Answering(some(*keys), {("GetObjectAcl", ""): DENIED}, page=1000)
    with pytest.raises(MissingPermissionError):
        await prove_readable(reader(store), [Hidden.ACL])
    assert store.asked["GetObjectAcl"] == VERSIONS_TRIED_MAX


@pytest.mark.parametrize(
    "refusal", [("NotImplemented", 501), ("InvalidRequest", 400)], ids=["lacks it", "no lock"]
)
async def test_an_answer_that_is_no_denial_proves_the_permission(refusal: tuple[str, int]) -> None:
    """If this fails, a store without tagging, or without locks, cannot be run against."""
    store = Answering(some("a"), {("GetObjectRetention", ""): refusal})
    assert await prove_readable(reader(store), [Hidden.RETENTION])


async def test_what_stops_a_run_stops_this() -> None:
    """If this fails, an expired token is told as a missing permission."""
    store = Answering(some("a"), {("GetObjectTagging", ""): ("ExpiredToken", 400)})
    with pytest.raises(StoreFault, match="ExpiredToken"):
        await prove_readable(reader(store), [Hidden.TAGS])


async def test_a_version_is_found_behind_pages_of_delete_markers() -> None:
    """If this fails, a bucket that begins with deleted keys is run without proof."""
    gone: list[ListedEntry] = [marker(f"a{n}", "m", is_latest=True) for n in range(7)]
    store = Answering([*gone, *some("b")], {("GetObjectTagging", ""): DENIED})
    with pytest.raises(MissingPermissionError):
        await prove_readable(reader(store), [Hidden.TAGS])


@pytest.mark.parametrize(
    ("has_object_lock", "ownership", "asked"),
    [
        (False, "BucketOwnerEnforced", {"GetObjectTagging"}),
        (True, "BucketOwnerEnforced",
         {"GetObjectTagging", "GetObjectRetention", "GetObjectLegalHold"}),
        (False, "ObjectWriter", {"GetObjectTagging", "GetObjectAcl"}),
        (False, "", {"GetObjectTagging", "GetObjectAcl"}),
    ],
)  # fmt: skip
async def test_the_source_is_asked_what_its_settings_call_for(
    ownership: str, asked: set[str], *, has_object_lock: bool
) -> None:
    """If this fails, locks are lost, or permissions are demanded that nothing needs."""
    store, events = Answering(some("a")), Kept()
    made = scene(has_object_lock=has_object_lock, ownership=ownership, rules=RULES)
    await prove_source(made, store.port, "", events)
    assert set(store.asked) == asked
    assert events.events == []


@pytest.mark.parametrize(
    ("scope", "searched"), [("", "logs/"), ("logs/2026/", "logs/2026/"), ("lo", "logs/")]
)
async def test_a_version_is_looked_for_where_rules_and_scope_meet(
    scope: str, searched: str
) -> None:
    """If this fails, a policy that grants just what the rules cover is called too little."""
    document = configuration_to("copies")
    rules = cast("list[dict[str, object]]", document["Rules"])
    rules[0]["Filter"] = {"Prefix": "logs/"}
    store = Answering(some("a", "logs/2026/k"))
    await prove_source(scene(rules=parse_configuration(document)), store.port, scope, Kept())
    assert store.prefixes == [searched]


async def test_an_empty_destination_is_noted_and_a_denied_one_refused() -> None:
    """If this fails, verify compares tag counts that one side never showed."""
    events, made = Kept(), scene(rules=RULES)
    await prove_destinations(made, Answering([]).port, "", events)
    assert events.events == [
        ReadsUnproven(bucket="copies", identity="destination", reads="object tags")
    ]
    store = Answering(some("a"), {("GetObjectTagging", ""): DENIED})
    with pytest.raises(MissingPermissionError, match="destination identity may not read"):
        await prove_destinations(made, store.port, "", events)


@pytest.mark.parametrize(
    ("where", "asked"),
    [
        ({}, {"GetObjectTagging"}),
        (
            {"has_object_lock": True},
            {"GetObjectTagging", "GetObjectRetention", "GetObjectLegalHold"},
        ),
        ({"ownership": "ObjectWriter"}, {"GetObjectTagging", "GetObjectAcl"}),
    ],
)
async def test_the_destination_is_asked_for_what_copies_were_promised(
    where: dict[str, object], asked: set[str]
) -> None:
    """If this fails, HEAD hides the locks of copies, and verify calls them lost."""
    store = Answering(some("a"))
    made = scene(rules=RULES, **where)  # type: ignore[arg-type] # named by the table
    await prove_destinations(made, store.port, "", Kept())
    assert set(store.asked) == asked
    for operation in asked:
        denied = Answering(some("a"), {(operation, ""): DENIED})
        with pytest.raises(MissingPermissionError, match="destination identity may not read"):
            await prove_destinations(made, denied.port, "", Kept())
