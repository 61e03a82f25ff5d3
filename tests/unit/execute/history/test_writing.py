"""A key's history arrives version by version, oldest first, whatever befalls the requests."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from backfill.errors import Disposition, StoreFault, VersioningError
from backfill.execute.history import walks
from backfill.model.attributes import Encryption, EncryptionKind
from backfill.model.objects import NULL_VERSION_ID, VersionId
from backfill.model.store import (
    CopyObjectRequest,
    HideRequest,
    IfAbsent,
    IfReplaces,
    MarkAbsentRequest,
    MarkerResult,
    WriteResult,
)
from tests.unit.execute.campaign_double import Run
from tests.unit.execute.deaths import deaths
from tests.unit.execute.history.scenes import (
    FAR_AWAY,
    arrived,
    codes,
    key_of,
    listed,
    mapped,
    nulled,
    planned,
    scene,
    written,
)
from tests.unit.execute.versioned_store import (
    Stored,
    VersionedStore,
    archived,
    conflict,
    denied,
    fault,
    gone,
    reset,
    slow_down,
)

WORDS = (
    *("A", "AB", "ABC", "AAA", "A-A", "A-", "-A", "---", "-", "A--B", "AA-AA--A", "ABABAB"),
    *("9A", "A99-9", "TAUA", "AAAAAAAAAA"),
)
WRITES = ("copy", "hide", "mark", "complete")


def require_whole(run: Run, outcomes: list[object], words: tuple[str, ...]) -> None:
    for number, word in enumerate(words):
        key = key_of(number)
        assert arrived(run, key) == word
    assert len(outcomes) == sum(map(len, words))


@pytest.mark.parametrize("word", WORDS)
async def test_every_version_arrives_in_its_place_and_is_mapped(word: str) -> None:
    """If this fails, a history has another order, a gap, or a version that no outcome names."""
    run = scene(word)
    outcomes = await run.go()
    require_whole(run, [*outcomes], (word,))
    assert mapped(run, outcomes) == listed(run)
    kinds = ["marked" if letter == "-" else "copied" for letter in word]
    assert codes(outcomes) == kinds


async def test_each_write_lands_on_nothing_but_the_one_before() -> None:
    """If this fails, a write is unconditional where S3 has a condition for it."""
    run = scene("AA--B-C")
    await run.go()
    told = []
    for request in run.store.requests:
        match request:
            case CopyObjectRequest(precondition=IfAbsent()):
                told.append("if absent")
            case CopyObjectRequest(precondition=IfReplaces()):
                told.append("if it replaces")
            case HideRequest():
                told.append("hide")
            case MarkAbsentRequest():
                told.append("mark")
    assert told == [
        *("if absent", "if it replaces", "hide", "mark", "if absent", "hide", "if absent"),
    ]


async def test_a_version_takes_one_request_and_a_range_of_keys_four_listings() -> None:
    """If this fails, histories take more requests than they need: the promise is 1 a version."""
    words = ("AB-C",) * 20
    run = scene(*words)
    await run.go()
    # Oldest first of each key: A and B are copies, then a marker over B, then C over the marker.
    listings = {"list:src": 2, "list:dst": 2}
    assert run.store.calls == {**listings, "copy": 60, "hide": 20}


async def test_a_long_key_takes_a_listing_for_every_thousand_versions() -> None:
    """If this fails, looking at a long chain costs more than reading it once before and after."""
    run = scene("AB" * 1250)
    outcomes = await run.go()
    assert arrived(run) == "AB" * 1250
    assert mapped(run, outcomes) == listed(run)
    # Nothing lies at the destination before: one page. The source and what arrived: three each.
    listings = {"list:src": 3 + 3, "list:dst": 1 + 3}
    assert run.store.calls == {**listings, "copy": 2500}


@pytest.mark.parametrize("word", ["AAA", "A--A", "99", "A-9"])
@pytest.mark.parametrize("way", ["lost", "empty", "undone", "throttled", "conflict"])
async def test_a_lost_answer_is_settled_by_the_chain(word: str, way: str) -> None:
    """If this fails, a doubtful write is made twice or not at all, most of all of equal bytes."""
    for operation in WRITES:
        for call in (1, 2, 3):
            run = scene(word)
            at = operation, call
            match way:
                case "lost":
                    run.store.lost_after[at] = reset
                case "empty":
                    run.store.empty_after.add(at)
                case "undone":
                    run.store.refused_before[at] = reset
                case "throttled":
                    run.store.refused_before[at] = slow_down
                case _:
                    run.store.refused_before[at] = conflict
            outcomes = await run.go()
            require_whole(run, [*outcomes], (word,))
            assert mapped(run, outcomes) == listed(run), (operation, call)


@pytest.mark.parametrize("word", ["ABC", "A-B", "B-A-B", "99A"])
async def test_a_request_that_is_delivered_twice_makes_one_version(word: str) -> None:
    """If this fails, the 412 of a second delivery is taken for somebody else's write."""
    for operation, call in [(one, n) for one in ("copy", "hide") for n in (1, 2, 3)]:
        run = scene(word)
        deliver_first(run.store, operation, call)
        outcomes = await run.go()
        require_whole(run, [*outcomes], (word,))
        assert mapped(run, outcomes) == listed(run)


def deliver_first(store: VersionedStore, operation: str, call: int) -> None:
    """Carry out the nth request once before it is carried out."""

    def twice() -> None:
        request = store.requests[-1]
        if isinstance(request, CopyObjectRequest):
            source = store._pinned(
                request.source.key, request.source.version_id, request.source.etag
            )
            store._check(request.key, request.precondition)
            store._make(request, source)
        elif isinstance(request, HideRequest):
            store.mark("dst", request.key)

    store.before[operation, call] = twice


async def test_a_doubled_write_of_equal_bytes_stands_for_the_next_version() -> None:
    """If this fails, no precondition held and one version too many stays in the history.

    If-Match names the ETag that the first delivery made as well.
    """
    run = scene("AAAA")
    deliver_first(run.store, "copy", 2)
    run.store.lost_after["copy", 2] = reset
    outcomes = await run.go()
    assert arrived(run) == "AAAA"
    assert mapped(run, outcomes) == listed(run)


async def test_a_doubled_write_that_nothing_explains_ends_the_key() -> None:
    """If this fails, an extra version in the middle of a history is written over and not told."""
    run = scene("AAB")
    deliver_first(run.store, "copy", 2)
    run.store.lost_after["copy", 2] = reset
    outcomes = await run.go()
    assert arrived(run) == "AAA"
    assert codes(outcomes) == ["copied", "copied", "skipped foreign-version"]


@pytest.mark.parametrize("word", ["AAB-A", "--A", "9A9", "TUT"])
async def test_a_death_at_any_call_is_gone_on_from(word: str) -> None:
    """If this fails, a kill -9 inside a chain loses, doubles or misreports a version."""

    async def made() -> Run:
        return scene(word, "AB")

    async for where, run in deaths(made, at_least=10):
        outcomes = await run.go()
        assert (arrived(run), arrived(run, "k001")) == (word, "AB"), where
        assert mapped(run, outcomes) == listed(run), where


@pytest.mark.parametrize("word", ["ABC", "AAAA", "A--A-", "9A9", "TTUU"])
async def test_a_lost_tail_of_the_journal_is_recognised_at_the_destination(word: str) -> None:
    """If this fails, a disk that is gone doubles a history, or stops it for good."""
    for kept in range(len(word)):
        run = scene(word)
        await run.go()
        found = listed(run)
        again = run.restarted()
        again.journal.done = {
            number: outcome
            for number, outcome in run.journal.done.items()
            if number >= len(word) - kept
        }
        writes = sum(run.store.calls[one] for one in WRITES)
        outcomes = await again.go()
        assert sum(run.store.calls[one] for one in WRITES) == writes, "nothing is written again"
        assert listed(run) == found
        assert mapped(again, outcomes) == found


async def test_a_part_of_a_history_without_any_record_is_gone_on_with() -> None:
    """If this fails, what an earlier process wrote is written twice or taken for a stranger's."""
    for stood in range(1, 6):
        run = scene("AB-AB-")
        run.horizon = FAR_AWAY
        run.entries, left = run.entries[-stood:], run.entries
        await run.go()
        assert arrived(run) == "AB-AB-"[:stood]
        again = Run(store=run.store, entries=left)
        outcomes = await again.go()
        assert arrived(again) == "AB-AB-"
        assert mapped(again, outcomes) == listed(again)


async def test_more_than_is_held_is_recognised_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, versions are mapped to others with the same bytes, further up their chain."""
    run = scene("AAAAAA")
    await run.go()
    again = run.restarted()
    again.journal.done = {}
    found = listed(run)
    monkeypatch.setattr(walks, "UNKNOWN_MAX", 3)
    outcomes = await again.go()
    assert codes(outcomes) == ["skipped destination-changed"] * 6
    assert mapped(again, outcomes) == [None] * 6
    assert listed(run) == found


async def test_bytes_that_nothing_proves_are_no_ones_without_an_intent() -> None:
    """If this fails, an object of equal size and unknown content is taken for our version."""
    run = scene("AB")
    run.store.put("dst", "k", b"??", metadata=(("letter", "A"),))
    for bucket in ("src", "dst"):
        chain = run.store.chain(bucket, "k")
        chain[:] = [opaque(one) for one in chain]
    run.entries = []
    planned(run, list(reversed(run.store.chain("src", "k"))))
    run.entries = [row._replace(seen_version_id=None) for row in run.entries]
    assert codes(await run.go()) == ["skipped foreign-version"] * 2


def opaque(stored: Stored) -> Stored:
    kms = Encryption(kind=EncryptionKind.SSE_KMS, kms_key_arn="arn:aws:kms:r:1:key/k")
    return replace(stored, encryption=kms)


FAULTS: dict[str, tuple[Callable[[], StoreFault], list[str]]] = {
    "denied": (denied, ["copied", "failed AccessDenied", "skipped history-stopped"]),
    "archived": (archived, ["copied", "skipped archived", "skipped history-stopped"]),
    "key disabled": (
        lambda: fault("KMS.DisabledException", 400, Disposition.FAIL),
        ["copied", "failed KMS.DisabledException", "skipped history-stopped"],
    ),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_what_stops_one_version_stops_all_newer_ones_and_is_told_of_each(name: str) -> None:
    """If this fails, a history gets a gap that nothing can fill, or a lost right is not told."""
    failure, told = FAULTS[name]
    run = scene("ABC", "D")
    for call in range(2, 20):
        if call != 3:
            run.store.refused_before["copy", call] = failure
    run.entries, other = run.entries[:3], run.entries[3:]
    outcomes = await run.go()
    assert codes(outcomes) == told
    assert arrived(run) == "A"
    assert other, "the other key is left out here"
    again = run.restarted()
    assert codes(await again.go()) == told, "the same when all is read again"


async def test_a_long_history_that_ends_early_ends_each_of_its_versions() -> None:
    """If this fails, what is kept back stays open, or the run waits for a commit of nothing."""
    run = scene("A" + "BC" * 200)
    run.store.refused_before["copy", 2] = denied
    told = codes(await run.go())
    assert told[:2] == ["copied", "failed AccessDenied"]
    assert told[2:] == ["skipped history-stopped"] * 399
    assert arrived(run) == "A"


async def test_a_version_that_is_gone_ends_the_key() -> None:
    """If this fails, a version that vanished leaves a gap, and newer ones are written over it."""
    run = scene("ABC")
    version_id = run.entries[1].version_id or ""
    run.store.before["copy", 2] = lambda: run.store.purge("src", "k", version_id)
    outcomes = await run.go()
    assert codes(outcomes) == ["copied", "skipped source-changed", "skipped source-changed"]
    assert arrived(run) == "A"


async def test_a_null_version_is_copied_like_any_other() -> None:
    """If this fails, what was written before versioning is lost from histories."""
    run = Run()
    written(run, "ABC")
    nulled(run, "k", 1)
    planned(run, list(reversed(run.store.chain("src", "k"))))
    outcomes = await run.go()
    assert arrived(run) == "ABC"
    assert mapped(run, outcomes) == listed(run)
    assert NULL_VERSION_ID not in listed(run)


async def test_several_destinations_are_several_histories() -> None:
    """If this fails, rows of two destinations are taken for one chain."""
    run = scene("AB-A")
    second = [
        row._replace(destination=1, number=row.number + len(run.entries)) for row in run.entries
    ]
    rows = [one for pair in zip(run.entries, second, strict=True) for one in pair]
    run.entries = [
        row._replace(number=number, plan_number=number) for number, row in enumerate(rows)
    ]
    run.destinations = 2
    outcomes = await run.go()
    # Both destinations are one bucket here: whoever comes second finds a stranger's chain.
    assert len(outcomes) == 8
    told = {one.kind for one in outcomes if run.entries[one.number].destination == 0}
    assert told | {"skipped"} == {"copied", "marked", "skipped"}


async def test_a_suspended_bucket_stops_the_run_before_the_next_version() -> None:
    """If this fails, each version overwrites the one before it as the null version."""

    class Suspended(VersionedStore):
        async def copy_object(self, request: CopyObjectRequest) -> WriteResult:
            made = await super().copy_object(request)
            return made._replace(version_id=VersionId("null"))

        async def mark_absent(self, request: MarkAbsentRequest) -> MarkerResult:
            await super().mark_absent(request)
            return MarkerResult(version_id=VersionId("null"))

    for word in ("ABC", "-A"):
        run = Run(store=Suspended())
        planned(run, written(run, word))
        with pytest.raises(VersioningError):
            await run.go()
        assert len(run.store.chain("dst", "k")) == 1


async def test_a_missing_version_is_asked_for_again_before_it_is_given_up() -> None:
    """If this fails, one answer 404 of a store that is not quite in step ends a whole key."""
    run = scene("AB")
    run.store.refused_before["copy", 2] = gone
    assert codes(await run.go()) == ["copied", "copied"]
    assert arrived(run) == "AB"
