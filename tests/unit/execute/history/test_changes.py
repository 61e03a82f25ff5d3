"""What is neither planned nor ours, on either side and at any moment, ends a history honestly."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from backfill.model.objects import NULL_VERSION_ID, VersionId
from tests.unit.execute.campaign_double import Run
from tests.unit.execute.history.scenes import (
    FAR_AWAY,
    arrived,
    codes,
    listed,
    mapped,
    planned,
    scene,
    written,
)
from tests.unit.execute.versioned_store import Stored, VersionedStore, denied, reset

Change = Callable[[Run], object]


def overwrite_null(run: Run) -> None:
    chain = run.store.chain("src", "k")
    null = next(one for one in chain if one.version_id == NULL_VERSION_ID)
    chain.remove(null)
    run.store.put("src", "k", null.body, version_id=NULL_VERSION_ID, metadata=null.metadata)


def insert_in_the_middle(run: Run) -> None:
    chain = run.store.chain("src", "k")
    chain.insert(1, replace(chain[1], version_id=VersionId("inserted")))


def swap(run: Run) -> None:
    chain = run.store.chain("src", "k")
    chain[1], chain[2] = chain[2], chain[1]


SOURCE_CHANGES: dict[str, Change] = {
    "a newer version": lambda run: run.store.put("src", "k", b"new"),
    "a newer marker": lambda run: run.store.mark("src", "k"),
    "a version removed": lambda run: run.store.purge("src", "k", run.entries[1].version_id or ""),
    "the newest removed": lambda run: run.store.purge("src", "k", run.entries[0].version_id or ""),
    "another order": swap,
    "a version in between": insert_in_the_middle,
}


@pytest.mark.parametrize("name", SOURCE_CHANGES)
async def test_a_source_that_changed_since_the_plan_is_not_written_at_all(name: str) -> None:
    """If this fails, a history is written that is not the source's, and cannot be mended later."""
    run = scene("ABC-")
    SOURCE_CHANGES[name](run)
    assert codes(await run.go()) == ["skipped source-changed"] * 4
    assert arrived(run) == ""


async def test_a_null_version_that_was_overwritten_is_another_version() -> None:
    """If this fails, equal bytes under the ID `null` hide that a version moved in its chain."""
    run = Run()
    written(run, "AB")
    chain = run.store.chain("src", "k")
    chain[1] = replace(chain[1], version_id=NULL_VERSION_ID)
    planned(run, list(reversed(chain)))
    overwrite_null(run)
    assert codes(await run.go()) == ["skipped source-changed"] * 2
    assert arrived(run) == ""


@pytest.mark.parametrize("name", SOURCE_CHANGES)
async def test_a_source_that_changes_meanwhile_is_told_of_the_newest_version(name: str) -> None:
    """If this fails, a history that is not the source's any more passes for it."""
    run = scene("ABC-")
    run.store.before["hide", 1] = lambda: SOURCE_CHANGES[name](run)
    told = codes(await run.go())
    assert told == ["copied", "copied", "copied", "marked source-changed"]
    assert arrived(run) == "ABC-"


async def test_versions_that_the_plan_left_out_are_no_change() -> None:
    """If this fails, scope and rules cannot leave a version out of a history."""
    for left_out in ({0}, {1}, {4}, {1, 2}, {0, 3, 4}):
        run = Run(horizon=FAR_AWAY)
        planned(run, written(run, "ABCDE"), left_out=frozenset(left_out))
        await run.go()
        assert arrived(run) == "".join(
            letter for place, letter in enumerate("ABCDE") if place not in left_out
        )


async def test_newer_versions_are_no_news_where_the_campaign_leaves_them_out() -> None:
    """If this fails, `created_before` keeps back every key that lives on."""
    run = Run(leaves_newer_out=True)
    planned(run, written(run, "ABC"), left_out=frozenset({2}))
    assert codes(await run.go()) == ["copied", "copied"]
    assert arrived(run) == "AB"


DESTINATIONS: dict[str, tuple[str, list[str]]] = {
    "an object that is not ours": ("Z", ["skipped foreign-version"] * 3),
    "a marker where an object belongs": ("-", ["skipped foreign-version"] * 3),
    "our beginning, then a stranger's": ("AZ", ["copied", *["skipped foreign-version"] * 2]),
    "all of it, and one more": ("ABCZ", ["copied", "copied", "copied foreign-version"]),
}


@pytest.mark.parametrize("name", DESTINATIONS)
async def test_a_destination_with_what_nothing_explains_is_left_alone(name: str) -> None:
    """If this fails, a stranger's version is buried under a history."""
    word, told = DESTINATIONS[name]
    run = scene("ABC")
    write_by_stranger(run, word)
    assert codes(await run.go()) == told
    assert arrived(run) == word


def write_by_stranger(run: Run, word: str) -> None:
    for letter in word:
        if letter == "-":
            run.store.mark("dst", "k")
        else:
            run.store.put("dst", "k", letter.encode() * 2, metadata=(("letter", letter),))


async def test_a_beginning_that_the_plan_saw_is_written_upon_and_must_stay() -> None:
    """If this fails, an earlier run's work is not gone on with, or its loss is not noticed."""
    for change in (False, True):
        run = Run(horizon=FAR_AWAY)
        sources = written(run, "ABCD")
        write_by_stranger(run, "AB")
        planned(run, sources, left_out=frozenset({0, 1}))
        if change:
            run.store.before["copy", 2] = run.store.chain("dst", "k").pop
        told = codes(await run.go())
        assert told == ["copied", "copied destination-changed" if change else "copied"]
        assert arrived(run) == ("BCD" if change else "ABCD")


async def test_a_beginning_that_is_gone_is_not_written_upon() -> None:
    """If this fails, a history begins in its middle."""
    run = Run(horizon=FAR_AWAY)
    sources = written(run, "ABCD")
    write_by_stranger(run, "AB")
    planned(run, sources, left_out=frozenset({0, 1}))
    run.store.chain("dst", "k").pop(0)
    assert codes(await run.go()) == ["skipped destination-changed"] * 2
    assert arrived(run) == "A"


MEANWHILE: dict[str, tuple[Change, str, list[str]]] = {
    "an object": (
        lambda run: write_by_stranger(run, "Z"),
        "ABZ",
        ["copied", "copied", *["skipped foreign-version"] * 3],
    ),
    "a marker": (
        lambda run: write_by_stranger(run, "-"),
        "AB-",
        ["copied", "copied", *["skipped foreign-version"] * 3],
    ),
    "our newest version removed": (
        lambda run: run.store.chain("dst", "k").pop(0),
        "A",
        ["copied", "copied", *["skipped destination-changed"] * 3],
    ),
    "everything removed": (
        lambda run: run.store.chain("dst", "k").clear(),
        "",
        ["copied", "copied", *["skipped destination-changed"] * 3],
    ),
}


@pytest.mark.parametrize("name", MEANWHILE)
async def test_who_writes_in_between_is_noticed_by_the_next_write(name: str) -> None:
    """If this fails, a version of ours lands on what somebody else wrote in between."""
    change, left, told = MEANWHILE[name]
    run = scene("ABCDE")
    run.store.before["copy", 3] = lambda: change(run)
    assert codes(await run.go()) == told
    assert arrived(run) == left


AFTERWARDS: dict[str, tuple[Change, str]] = {
    "an object on top": (lambda run: write_by_stranger(run, "Z"), "foreign-version"),
    "a marker on top": (lambda run: write_by_stranger(run, "-"), "foreign-version"),
    "an older one removed": (
        lambda run: run.store.chain("dst", "k").pop(1),
        "destination-changed",
    ),
    "the newest removed": (lambda run: run.store.chain("dst", "k").pop(0), "destination-changed"),
    "one in between": (
        lambda run: run.store.chain("dst", "k").insert(1, stranger(run.store)),
        "foreign-version",
    ),
}


def stranger(store: VersionedStore) -> Stored:
    made = store.put("dst", "elsewhere", b"Z")
    return replace(made, key="k")


@pytest.mark.parametrize("name", AFTERWARDS)
async def test_who_writes_afterwards_is_noticed_by_the_look_back(name: str) -> None:
    """If this fails, a history that is not whole passes for whole."""
    change, code = AFTERWARDS[name]
    run = scene("ABC")
    run.store.after["copy", 3] = lambda: change(run)
    assert codes(await run.go()) == ["copied", "copied", f"copied {code}"]


async def test_a_look_back_that_fails_is_told() -> None:
    """If this fails, a history that nobody looked back at passes for whole."""
    run = scene("AB")

    def deny() -> None:
        for call in range(2, 20):
            run.store.refused_before["list", call] = denied
            run.store.refused_before["list:src", call] = denied
            run.store.refused_before["list:dst", call] = denied

    run.store.after["copy", 2] = deny
    assert codes(await run.go()) == ["copied", "copied not-reviewed"]


async def test_a_key_that_cannot_be_looked_at_is_not_written() -> None:
    """If this fails, versions are written into a chain that nobody has seen."""
    run = scene("AB")
    for call in range(1, 20):
        run.store.refused_before["list:src", call] = denied
    told = codes(await run.go())
    assert told == ["failed AccessDenied", "skipped history-stopped"]
    assert arrived(run) == ""


async def test_a_doubt_that_cannot_be_settled_is_told_as_one() -> None:
    """If this fails, a version that may be there is reported as one that is not."""
    run = scene("AB")
    run.store.lost_after["copy", 1] = reset

    def deny() -> None:
        for call in range(1, 20):
            run.store.refused_before["list:dst", call] = denied

    run.store.before["copy", 1] = deny
    outcomes = await run.go()
    assert codes(outcomes) == ["failed AccessDenied", "skipped history-stopped"]
    assert "may have been applied" in outcomes[-1].detail


async def test_what_was_found_is_mapped_even_where_nothing_more_is_written() -> None:
    """If this fails, a version of ours is told as skipped because the source changed later."""
    run = scene("ABC")
    run.entries, rows = run.entries[2:], run.entries
    run.horizon = FAR_AWAY
    await run.go()
    again = Run(store=run.store, entries=rows)
    run.store.put("src", "k", b"new")
    outcomes = await again.go()
    assert codes(outcomes) == ["copied", *["skipped source-changed"] * 2]
    assert [one for one in mapped(again, outcomes) if one] == listed(again)
