"""Histories against an oracle over symbols: every small source beside every small destination.

A case is written in letters, oldest first. The oracle reads the letters and shares no code with the
product; what it calls ordinary is what the very same key gets under `versions = "current"`, which
`test_decide_oracle` holds against a table of its own.

Of the source: `a` `b` objects; `A` one of `a`'s content in an archive class; `M` a delete marker;
`l` an object after the horizon; `g` one that is gone when it is read; `k` one under KMS that the
rule does not select. Of a destination: `a` `b` copies with the source's ETag; `*` content `a` under
another ETag, which a checksum proves; `?` an object of its size that nothing proves; `c` one of
another size; `M` a marker; `0` to `9` the replica of the source's entry of that place.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from itertools import product
from random import Random
from typing import Any

import pytest

from backfill.campaign import Scope, Versions
from backfill.errors import MissingPermissionError, StoreFault
from backfill.model.attributes import EncryptionKind, ObjectHead, ReplicationStatus
from backfill.model.objects import (
    Checksum,
    ChecksumType,
    ETag,
    ListedEntry,
    ObjectVersion,
    VersionId,
)
from backfill.model.store import IfAbsent, IfReplaces
from backfill.plan.entries import PlanEntry, word_of
from backfill.plan.explain import explanation_lines, explanation_of
from backfill.plan.facts import HeadAnswer, HeadName, Refusal, SourceFacts
from backfill.plan.forecast import forecast_of
from backfill.plan.key_plan import ROUNDS_MAX, KeyPlan
from backfill.plan.routes import Handling, Reason, Route
from backfill.plan.run import make_plan
from backfill.plan.terms import Delivery, Terms, terms_digest
from backfill.plan.totals import Histories, totals_of, tree_lines
from tests.doubles.known_versions import HeardEvents
from tests.doubles.memory_artifacts import MemoryArtifacts
from tests.doubles.planning import (
    ENCRYPTIONS,
    HORIZON,
    SOURCE,
    head_of,
    marker,
    rule,
    terms,
    version,
)
from tests.unit.plan.test_shapes import some_world

KEY = "photos/1"
ETAGS = {letter: ETag(letter * 32) for letter in "abc"} | {"*": ETag("d" * 32), "?": ETag("e" * 32)}
KMS = ENCRYPTIONS[EncryptionKind.SSE_KMS]
RANDOM_CASES = 2_500


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Letters of a source and a destination, oldest first, and what the terms say."""

    source: str
    destination: str
    wants_markers: bool = True
    is_quiet: bool = True
    selects_kms: bool = False


# --- The oracle ---

LEFT_OUT = {"l": "after-horizon", "g": "vanished", "k": "kms-not-selected"}


def left_out(case: Case, place: int) -> str:
    """Return why an entry does not belong to the history; what is there by its ID does."""
    letter = case.source[place]
    if letter in "Mgk" and str(place) in case.destination:
        return ""
    unwanted = "" if case.wants_markers else "delete-marker-not-replicated"
    return unwanted if letter == "M" else LEFT_OUT.get(letter, "")


def is_same(case: Case, theirs: str, place: int) -> bool:
    """Whether a destination's entry is proven to be the source's at this place."""
    mine = case.source[place].lower()
    if theirs.isdigit():
        return int(theirs) == place
    return theirs.lower() == mine or (theirs == "*" and mine == "a")


def expected(case: Case) -> list[str] | None:
    """Return a word for each source entry, oldest first; None where all of it is ordinary."""
    wanted = [n for n in range(len(case.source)) if not left_out(case, n)]
    held = {int(theirs) for theirs in case.destination if theirs.isdigit()}
    if not case.is_quiet or held >= set(wanted):
        return None
    if not case.destination and wanted == [len(case.source) - 1]:
        return None
    begun = len(case.destination)
    if begun > len(wanted) or not all(
        is_same(case, theirs, place)
        for theirs, place in zip(case.destination, wanted[:begun], strict=True)
    ):
        return None
    is_whole = all(case.source[place] != "A" for place in wanted[begun:])
    words = dict.fromkeys(wanted[begun:], "history" if is_whole else "history-incomplete")
    words |= dict.fromkeys(wanted[:begun], "already-copied")
    words |= dict.fromkeys(held, "already-replicated")
    words |= {n: "archived" for n in wanted[begun:] if case.source[n] == "A"}
    return [words.get(place) or left_out(case, place) for place in range(len(case.source))]


def cases() -> Iterator[Case]:
    sources = ["".join(letters) for n in (1, 2) for letters in product("abAMlgk", repeat=n)]
    theirs = ["".join(letters) for n in (0, 1, 2) for letters in product("ab*?cM01", repeat=n)]
    for source, destination, wants in product(sources, theirs, (True, False)):
        yield Case(source=source, destination=destination, wants_markers=wants)
    chance = Random(23)
    for number in range(RANDOM_CASES):
        source = "".join(chance.choices("aaabbMMAlgk" if number % 3 else "abM", k=7))
        source = source[: chance.randint(1, 7)]
        kept = "".join(letter for letter in source if letter not in "lgk")
        begun = kept[: chance.randint(0, len(kept))].replace("A", "a")
        if begun and chance.random() < 0.5:
            place = chance.randrange(len(begun))
            begun = begun[:place] + chance.choice("ab*?cM0123456") + begun[place + 1 :]
        yield Case(
            source=source,
            destination=begun,
            wants_markers=chance.random() < 0.7,
            is_quiet=chance.random() < 0.9,
        )


def is_possible(case: Case) -> bool:
    """Whether there can be such a chain: replicas are of entries that there are, one of each."""
    digits = [letter for letter in case.destination if letter.isdigit()]
    are_known = all(int(digit) < len(case.source) for digit in digits)
    return are_known and len(set(digits)) == len(digits)


# --- What a case looks like to the product ---


def source_entry(case: Case, place: int) -> ListedEntry:
    letter, changes = case.source[place], dict[str, Any]()
    changes["is_latest"] = place == len(case.source) - 1
    if letter == "M":
        return marker(KEY, f"v{place}", **changes)
    if letter == "l":
        changes["last_modified"] = HORIZON + timedelta(seconds=place)
    if letter == "A":
        changes["storage_class"] = "GLACIER"
    etag = ETAGS.get(letter.lower(), ETag("f" * 31 + str(place)))
    return version(KEY, f"v{place}", etag, 30, **changes)


def destination_entry(case: Case, place: int) -> ListedEntry:
    letter = case.destination[place]
    is_latest = place == len(case.destination) - 1
    if letter.isdigit():
        return source_entry(case, int(letter))._replace(is_latest=is_latest)
    if letter == "M":
        return marker(KEY, f"x{place}", is_latest=is_latest)
    size_bytes = 31 if letter == "c" else 30
    return version(KEY, f"x{place}", ETAGS[letter], size_bytes, is_latest=is_latest)


def checksum(content: str) -> tuple[Checksum, ...]:
    return (Checksum(algorithm="CRC32C", value=content, type=ChecksumType.FULL_OBJECT),)


def source_head(case: Case, place: int, entry: ObjectVersion) -> ObjectHead:
    letter = case.source[place]
    encryption = {"encryption": KMS} if letter == "k" else {}
    return head_of(entry, checksums=checksum(letter.lower()), **encryption)


def destination_head(case: Case, place: int, entry: ObjectVersion) -> ObjectHead:
    """Return a head whose ETag proves nothing; its checksum does, but for `?`, which has none."""
    content = {"*": "a", "?": ""}.get(case.destination[place], case.destination[place])
    return head_of(entry, checksums=checksum(content) if content else (), encryption=KMS)


class Key:
    """A case as chains and heads, and what its plan asked for."""

    def __init__(self, case: Case) -> None:
        self.source = [source_entry(case, n) for n in range(len(case.source))]
        self.theirs = [destination_entry(case, n) for n in range(len(case.destination))]
        self.heads: dict[VersionId, SourceFacts] = {}
        for place, entry in enumerate(self.source):
            gone = Refusal(reason=Reason.VANISHED, code="NoSuchVersion")
            if case.source[place] == "g":
                self.heads[entry.version_id] = SourceFacts(refusal=gone)
            elif isinstance(entry, ObjectVersion):
                self.heads[entry.version_id] = SourceFacts(head=source_head(case, place, entry))
        self.their_heads: dict[HeadName, HeadAnswer] = {
            (0, entry.version_id): destination_head(case, place, entry)
            for place, entry in enumerate(self.theirs)
            if isinstance(entry, ObjectVersion)
        }
        self.asked = Counter[str]()

    def fresh(self, made: Terms) -> KeyPlan:
        return KeyPlan(self.source[::-1], [self.theirs[::-1]], made)

    def planned(self, made: Terms) -> KeyPlan:
        """Return the plan, decided: whatever it asks for is told."""
        plan, self.asked = self.fresh(made), Counter()
        sources: dict[VersionId, SourceFacts] = {}
        theirs: dict[HeadName, HeadAnswer] = {}
        for _ in range(ROUNDS_MAX):
            needs = plan.needs()
            if needs is None:
                return plan
            assert not needs.tags, "no rule asks for them"
            self.asked["heads"] += len(needs.heads)
            self.asked["destination_heads"] += len(needs.destination_heads - theirs.keys())
            sources |= {name: self.heads[name] for name in needs.heads}
            theirs |= {name: self.their_heads[name] for name in needs.destination_heads}
            plan.learn(sources, theirs)
        raise AssertionError("its reads settle every decision")


def made_terms(case: Case, versions: Versions = Versions.ALL, **changes: Any) -> Terms:
    the_rule = rule(
        replicates_delete_markers=case.wants_markers,
        selects_kms=case.selects_kms,
        replica_kms_key="arn:key" if case.selects_kms else "",
    )
    return terms(the_rule, scope=Scope(versions=versions), is_quiet=case.is_quiet, **changes)


def said(entry: PlanEntry) -> tuple[object, ...]:
    """Return all that a row says but its detail."""
    return tuple(entry._replace(detail=""))


def word(entry: PlanEntry) -> str:
    return "history" if entry.handling & Handling.HISTORY else word_of(entry).value


def rows_of(plan: KeyPlan) -> list[PlanEntry]:
    """Return the rows, oldest first."""
    return list(plan.entries(0))[::-1]


def assert_goes_in_turn(case: Case, rows: Sequence[PlanEntry]) -> None:
    """Check what the rows of a history say to whoever writes it."""
    going = [row for row in rows if row.handling & Handling.HISTORY]
    theirs = destination_entry(case, len(case.destination) - 1) if case.destination else None
    for number, row in enumerate(going):
        # Over what is there now goes the first one alone; no other may replace what it did not see.
        over = theirs.etag if number == 0 and isinstance(theirs, ObjectVersion) else None
        otherwise = None if row.is_delete_marker else IfAbsent()
        assert row.precondition == (IfReplaces(etag=over) if over else otherwise)
        assert (row.seen.version_id if row.seen else None) == (theirs and theirs.version_id)
        is_marker = row.route is Route.DELETE_MARKER
        assert is_marker == row.is_delete_marker
        assert f"version {number + 1 + len(case.destination)} of the" in row.detail


SLICES = 16
"""Of all small histories, so that nobody waits for all of them to see one fail."""


@pytest.mark.parametrize("number", range(SLICES))
def test_every_small_history_goes_whole_or_not_at_all(number: int) -> None:
    """If this fails, copies leave a gap in a history, or write one over somebody's work."""
    for case in possible_cases()[number::SLICES]:
        assert_is_as_expected(case)


@cache
def possible_cases() -> tuple[Case, ...]:
    return tuple(filter(is_possible, cases()))


def assert_is_as_expected(case: Case) -> None:
    key = Key(case)
    plain = rows_of(key.planned(made_terms(case, Versions.CURRENT)))
    rows = rows_of(key.planned(made_terms(case)))
    asked, forecast = key.asked, forecast_of(key.fresh(made_terms(case)), made_terms(case))
    assert asked["heads"] <= forecast.heads, case
    assert asked["destination_heads"] <= forecast.destination_heads, case
    words = expected(case)
    if words is None:
        for place, (row, plain_row) in enumerate(zip(rows, plain, strict=True)):
            # What was read on the way says more of an older version than that it is one.
            is_read = case.source[place] in "gk" and word(plain_row) == "noncurrent"
            is_left_out = is_read and word(row) == left_out(case, place)
            assert is_left_out or said(row) == said(plain_row), case
        return
    assert [word(row) for row in rows] == words, case
    assert_goes_in_turn(case, rows)
    for row, letter in zip(rows, words, strict=True):
        if letter == "already-copied":
            place = [n for n, each in enumerate(words) if each.startswith("already")].index(
                rows.index(row)
            )
            assert row.seen is not None, case
            assert row.seen.version_id == f"x{place}", case


def test_small_histories_end_in_every_way() -> None:
    """If this fails, the enumeration above has lost the cases that matter."""
    met = Counter[str]()
    for case in possible_cases():
        met.update(expected(case) or ["ordinary"])
    assert min(met[each] for each in ("ordinary", "history", "already-copied")) > 500, met
    assert min(met[each] for each in ("history-incomplete", "already-replicated")) > 50, met


def test_what_only_the_listing_tells_is_enough_where_the_rule_takes_kms() -> None:
    """If this fails, a run that goes on after a lost journal reads all that it wrote."""
    case = Case(source="aMbabM", destination="aMb", selects_kms=True)
    key = Key(case)
    rows = rows_of(key.planned(made_terms(case)))
    assert [word(row) for row in rows] == ["already-copied"] * 3 + ["history"] * 3
    assert key.asked == {"heads": 2, "destination_heads": 0}


def test_of_what_is_no_history_no_more_is_read_than_of_a_current_version() -> None:
    """If this fails, all versions of a key are read though somebody's object bars their way."""
    case = Case(source="aMbabMa", destination="c")
    asked = []
    for versions in Versions:
        key = Key(case)
        key.planned(made_terms(case, versions))
        asked.append(key.asked)
    assert asked[0] == asked[1]


def test_the_way_of_a_history_is_barred_by_name() -> None:
    """If this fails, nobody learns what to move away so that a history can go."""
    details = {
        "live": Case(source="aba", destination="", is_quiet=False),
        "other": Case(source="aba", destination="ac"),
        "more": Case(source="ab", destination="aba"),
        "archived": Case(source="aAb", destination=""),
    }
    found = {
        name: {row.detail for row in rows_of(Key(case).planned(made_terms(case))) if row.reason}
        for name, case in details.items()
    }
    assert found["live"] == {"no history to destination-bucket: live replication may write the key"}
    unproven = "there is not proven to be what the history begins with"
    assert f"no history to destination-bucket: version x1 {unproven}" in found["other"]
    assert f"no history to destination-bucket: version x2 {unproven}" in found["more"]
    assert "version v1 cannot be carried: archived (GLACIER)" in found["archived"]


@pytest.mark.parametrize(
    "changes", [{"delivery": Delivery(batch=True, copy=False)}, {"is_mending": True}]
)
def test_neither_jobs_alone_nor_mending_bring_a_history(changes: dict[str, Any]) -> None:
    """If this fails, repair of one version writes all of them, or copies go that nobody allowed."""
    case = Case(source="aba", destination="")
    rows = rows_of(Key(case).planned(made_terms(case, **changes)))
    assert not any(row.handling for row in rows)


def test_a_plan_of_histories_is_another_plan() -> None:
    """If this fails, a run directory without histories is gone on with as if it had them."""
    case = Case(source="a", destination="")
    assert len({terms_digest(made_terms(case, versions)) for versions in Versions}) == 2


def test_a_null_replica_in_another_place_bars_the_way() -> None:
    """If this fails, a history is written over a chain that S3 put in another order."""
    source = [version(KEY, "v0", ETAGS["a"], 30), version(KEY, "null", ETAGS["a"], 30)]
    source[1] = source[1]._replace(is_latest=True)
    case = Case(source="aa", destination="")
    plan = KeyPlan(source[::-1], [[source[1]]], made_terms(case))
    heads = {entry.version_id: SourceFacts(head=head_of(entry)) for entry in source}
    replica = head_of(source[1], replication_status=ReplicationStatus.REPLICA)
    plan.learn(heads, {(0, VersionId("null")): replica})
    assert plan.needs() is None
    assert [word(row) for row in rows_of(plan)] == ["noncurrent", "already-replicated"]


def test_the_proof_of_a_version_names_its_history() -> None:
    """If this fails, explain says that a version goes and not that it goes in its turn."""
    case = Case(source="aMb", destination="a")
    plan = Key(case).planned(made_terms(case))
    lines = {
        place: "\n".join(
            explanation_lines(explanation_of(plan, VersionId(place), made_terms(case)))
        )
        for place in ("v0", "v1", "v2")
    }
    assert "to destination-bucket: already-copied" in lines["v0"]
    assert "stands for it there: a current version" in lines["v0"]
    assert "version x0" in lines["v0"]
    assert "version 2 of the 3 of its history" in lines["v1"]
    assert "written in its turn, oldest first" in lines["v2"]
    assert "a version ID and a creation time of its own" in lines["v2"]


async def test_plans_with_histories_add_up_and_read_no_more_than_was_forecast() -> None:
    """If this fails, the totals that a person agrees to are not those of the work."""
    met = Counter[str]()
    for seed in range(120):
        world, work = some_world(seed)
        scope = replace(work.terms.scope, versions=Versions.ALL)
        if seed % 2:  # without what keeps most histories back
            for entry in world.source:
                if isinstance(entry, ObjectVersion):
                    world.know(SOURCE, entry)
        work = replace(work, terms=replace(work.terms, scope=scope, is_quiet=True))
        artifacts, events = MemoryArtifacts(), HeardEvents(store=world.store)
        try:
            index = await make_plan(work, artifacts=artifacts, events=events)
        except (MissingPermissionError, StoreFault):  # nothing at all could be read
            continue
        totals = totals_of(index.summary)
        rows = artifacts.held["plan"]
        columns = dict(zip(index.columns, zip(*rows, strict=True), strict=True))
        for number, destination in enumerate(totals.destinations):
            ours = [
                key
                for key, to, handling in zip(
                    columns["key"], columns["destination"], columns["handling"], strict=True
                )
                if to == number and int(str(handling)) & Handling.HISTORY
            ]
            assert destination.histories == Histories(keys=len(set(ours)), versions=len(ours))
            met["versions"] += len(ours)
        said = [line for line in tree_lines(totals) if "as histories, oldest first" in line]
        assert len(said) == sum(bool(each.histories.keys) for each in totals.destinations)
        requests = index.summary["requests"]
        assert isinstance(requests, dict)
        for kind, sent in requests["sent"].items():
            assert sent <= requests["forecast"][kind], (seed, kind)
    assert met["versions"] > 100, met
