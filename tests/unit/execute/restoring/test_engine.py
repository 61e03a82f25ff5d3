"""Restores are asked for once, within the budget, and waited for, whatever interrupts."""

from dataclasses import replace
from datetime import timedelta
from itertools import chain

import pytest

from backfill.campaign import RestoreOptions
from backfill.errors import RefusedError
from backfill.execute.restoring.asking import EXPIRES_SOON
from backfill.execute.restoring.engine import FRUITLESS_S
from backfill.execute.restoring.ledger import Ledger, encoded, ledger_name
from backfill.model.archives import Archive, Retrieved
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.plan.routes import Handling
from tests.unit.execute.restoring.cold_store import BEGIN, POLL_S, Cold, Shard

HOUR = 3600.0
NAME = ledger_name("manifest/00")


async def test_keys_leave_as_they_come_back_and_each_is_asked_for_once() -> None:
    """If this fails, a version is paid for twice, or a key waits for its neighbours."""
    shard = Shard()
    shard.add("a", Cold(takes_s=3 * HOUR))
    shard.add("b", Cold(takes_s=HOUR))
    shard.add("c", None)
    shard.add("d", Cold(archive=Archive.DEEP_ARCHIVE_ACCESS, takes_s=0))
    given = await shard.run()
    assert list(chain.from_iterable(given)) == ["d", "b", "a"]
    assert sorted(shard.store.asked) == [("a", "Bulk", 3), ("b", "Bulk", 3), ("d", "Bulk", None)]
    assert shard.ledger.asked == {
        Archive.GLACIER: Retrieved(restores=2, size_bytes=20),
        Archive.DEEP_ARCHIVE_ACCESS: Retrieved(restores=1, size_bytes=10),
    }
    assert not shard.ledger.opened
    assert shard.clock.passed_s == pytest.approx(3 * HOUR)
    names = [event.name for event in shard.talk.events]
    assert names.count("execute.restores_asked") == 1
    assert names.count("execute.restores_waiting") == 3 * HOUR / POLL_S
    assert shard.talk.counts[0].waiting == 3
    assert shard.talk.counts[0].waiting_since == BEGIN


async def test_nothing_is_asked_for_before_its_count_is_kept() -> None:
    """If this fails, a disk that is lost forgets what S3 bills, and the budget is spent twice."""
    shard = Shard()
    shard.add("a", Cold(takes_s=HOUR))
    kept: list[tuple[int, int]] = []

    async def keep() -> None:
        kept.append((shard.ledger.restores, len(shard.store.asked)))

    shard.keep = keep
    assert await shard.run() == [["a"]]
    assert kept == [(1, 0)]


async def test_a_run_directory_that_cannot_be_kept_asks_for_nothing() -> None:
    """If this fails, what was asked for is known to a disk alone that nobody keeps."""
    shard = Shard()
    shard.add("a", Cold())

    async def keep() -> None:
        raise RefusedError("not kept", hint="")

    shard.keep = keep
    with pytest.raises(RefusedError, match="not kept"):
        await shard.run()
    assert not shard.store.asked
    assert shard.ledger.opened == {0}


async def test_the_next_process_recognises_what_is_under_way() -> None:
    """If this fails, each restart of a container is a bill of its own."""
    shard = Shard()
    shard.add("a", Cold(takes_s=HOUR))
    shard.add("b", Cold(takes_s=0))
    assert await shard.run(stops=True) == []
    asked = list(shard.store.asked)
    shard.clock.passed_s += 2 * HOUR
    assert await shard.run() == [["a", "b"]]
    assert shard.store.asked == asked
    assert shard.ledger.restores == 2


async def test_what_a_crash_left_open_is_asked_for_and_counted_once() -> None:
    """If this fails, a crash spends budget on nothing, or asks beyond it."""
    shard = Shard(options=RestoreOptions(bytes_max=20))
    for key in "ab":
        shard.add(key, Cold(takes_s=0))
    counted = {Archive.GLACIER: Retrieved(restores=2, size_bytes=20)}
    left = Ledger(tier="Bulk", days=3, asked=counted, opened=frozenset({0, 1}))
    shard.artifacts.documents[NAME] = encoded(left)
    assert await shard.run() == [["a", "b"]]
    assert len(shard.store.asked) == 2
    assert shard.ledger.asked == counted
    assert not shard.journal.done


async def test_what_was_under_way_by_an_earlier_request_of_ours_stays_counted() -> None:
    """If this fails, a lost answer takes a restore off the budget that S3 bills."""
    shard = Shard(options=RestoreOptions(bytes_max=10))
    shard.add("a", Cold(takes_s=HOUR))
    counted = {Archive.GLACIER: Retrieved(restores=1, size_bytes=10)}
    left = Ledger(tier="Bulk", days=3, asked=counted, opened=frozenset({0}))
    shard.artifacts.documents[NAME] = encoded(left)
    shard.store.refusals.append(("RestoreAlreadyInProgress", 409, True))
    assert await shard.run() == [["a"]]
    assert shard.ledger.asked == counted


async def test_a_look_that_failed_forgets_nothing_of_what_was_counted() -> None:
    """If this fails, a version that was counted is counted again, and eats the budget twice."""
    shard = Shard(options=RestoreOptions(bytes_max=10))
    shard.add("a", Cold(takes_s=0))
    counted = {Archive.GLACIER: Retrieved(restores=1, size_bytes=10)}
    left = Ledger(tier="Bulk", days=3, asked=counted, opened=frozenset({0}))
    shard.artifacts.documents[NAME] = encoded(left)
    shard.store.head_refusals = {"a": ("SlowDown", 503)}
    shard.clock.on_rest = shard.store.head_refusals.clear
    restoring, given = shard.process(), list[str]()
    async for rows in restoring.ready():
        given += [row.key for row in rows]
    assert given == ["a"]
    assert not shard.outcomes()
    assert shard.ledger.asked == counted


async def test_the_budget_goes_by_manifest_order_and_smaller_ones_behind_may_fit() -> None:
    """If this fails, the bill depends on chance, or exceeds what was allowed."""
    shard = Shard(options=RestoreOptions(bytes_max=50))
    for key, size_bytes in {"a": 30, "b": 30, "c": 20, "d": 1}.items():
        shard.add(key, Cold(takes_s=0), size_bytes=size_bytes)
    given = list(chain.from_iterable(await shard.run()))
    assert [key for key, *_ in shard.store.asked] == ["a", "c"]
    ends = {key: (each.kind, each.code) for key, each in shard.outcomes()}
    left_out = (OutcomeKind.SKIPPED, "restore-budget")
    assert ends == {"b": left_out, "d": left_out}
    assert set(given) == {"a", "c"}
    assert shard.ledger.asked_bytes == 50
    assert shard.ledger.left_out == Retrieved(restores=2, size_bytes=31)


@pytest.mark.parametrize(
    ("code", "status", "was_done", "asks"),
    [
        ("GlacierExpeditedRetrievalNotAvailable", 503, False, 2),
        ("SlowDown", 503, False, 2),
        ("InternalError", 500, True, 1),
        ("InternalError", 500, False, 2),
        ("RestoreAlreadyInProgress", 409, True, 1),
    ],
)
async def test_a_refusal_is_not_billed_and_a_lost_answer_is_settled_by_a_look(
    code: str, status: int, was_done: bool, asks: int
) -> None:
    """If this fails, what S3 refused eats the budget, or what it took is asked for again."""
    shard = Shard(options=RestoreOptions(bytes_max=10))
    shard.add("a", Cold(takes_s=HOUR))
    shard.store.refusals.append((code, status, was_done))
    assert await shard.run() == [["a"]]
    assert len(shard.store.asked) == asks
    billed = 0 if code == "RestoreAlreadyInProgress" else 10
    assert shard.ledger.asked_bytes == billed


async def test_a_denied_restore_ends_the_run_and_counts_nothing() -> None:
    """If this fails, a missing permission fails a million versions, one by one."""
    shard = Shard()
    shard.add("a", Cold())
    shard.store.refusals.append(("AccessDenied", 403, False))
    with pytest.raises(RefusedError, match="AccessDenied"):
        await shard.run()
    assert shard.ledger.asked_bytes == 0
    assert not shard.journal.done


async def test_a_refusal_of_one_version_is_its_outcome() -> None:
    """If this fails, one odd version keeps a run from its end."""
    shard = Shard()
    shard.add("a", Cold())
    shard.add("b", Cold(takes_s=0))
    shard.store.refusals.append(("InvalidArgument", 400, False))
    assert list(chain.from_iterable(await shard.run())) == ["b"]
    ends = [(each.kind, each.code) for _, each in shard.outcomes()]
    assert ends == [(OutcomeKind.FAILED, "InvalidArgument")]


async def test_an_expired_copy_is_asked_for_again_and_counted_again() -> None:
    """If this fails, a run that slept too long never ends, or spends what it may not."""
    shard = Shard(options=RestoreOptions(bytes_max=20))
    long_ago = BEGIN - timedelta(days=9)
    shard.add("a", Cold(takes_s=0, ready_at=long_ago, expires_at=long_ago + timedelta(days=3)))
    shard.artifacts.documents[NAME] = encoded(
        Ledger(
            tier="Bulk",
            days=3,
            asked={Archive.GLACIER: Retrieved(restores=1, size_bytes=10)},
            looked_at=long_ago,
        )
    )
    assert await shard.run() == [["a"]]
    assert shard.ledger.asked_bytes == 20
    shard.options = replace(shard.options, bytes_max=20)
    shard.store.versions["a", "v"].expires_at = BEGIN
    await shard.run()
    assert [each.code for _, each in shard.outcomes()] == ["restore-budget"]


async def test_a_copy_that_expires_soon_gets_its_days_again() -> None:
    """If this fails, a large object loses its source in the middle of its copy."""
    shard = Shard()
    soon = BEGIN + EXPIRES_SOON - timedelta(minutes=1)
    shard.add("a", Cold(ready_at=BEGIN - timedelta(days=1), expires_at=soon))
    assert await shard.run() == [["a"]]
    assert shard.store.versions["a", "v"].expires_at == BEGIN + timedelta(days=3)
    assert (shard.ledger.extended, shard.ledger.restores) == (1, 0)


async def test_a_history_stays_whole_where_one_version_stays() -> None:
    """If this fails, a history gets a gap that nobody can ever fill."""
    shard = Shard(options=RestoreOptions(bytes_max=10))
    for number, (version, cold, size_bytes) in enumerate(
        [("v3", None, 5), ("v2", Cold(takes_s=0), 10), ("v1", Cold(takes_s=0), 10)]
    ):
        history = Handling.HISTORY
        shard.add("a", cold, version=version, size_bytes=size_bytes, handling=history)
        shard.add("a", cold, version=version, size_bytes=size_bytes, destination=1)
        assert shard.entries[-1].number == 2 * number + 1
    given = await shard.run()
    ends = {number: each.code for number, each in shard.journal.done.items()}
    # v1 does not fit: its rows, and all of the history, which is the rows of destination 0.
    assert ends == dict.fromkeys((0, 2, 4, 5), "restore-budget")
    assert "version v1" in shard.journal.done[0].detail
    assert len(given) == 1
    assert len(given[0]) == 2, "what another destination gets is its own matter"


async def test_what_never_comes_back_is_given_up_after_a_week() -> None:
    """If this fails, a run waits for ever."""
    shard = Shard()
    shard.add("a", Cold(takes_s=10 * FRUITLESS_S))
    assert list(chain.from_iterable(await shard.run())) == []
    ends = [(each.kind, each.code) for _, each in shard.outcomes()]
    assert ends == [(OutcomeKind.FAILED, "restore-unfinished")]
    assert FRUITLESS_S <= shard.clock.passed_s < FRUITLESS_S + 2 * POLL_S


async def test_what_is_gone_is_left_to_the_copy_and_a_slow_store_is_asked_again() -> None:
    """If this fails, a deleted version holds the run up, or an outage gives versions up."""
    shard = Shard()
    shard.add("gone", Cold())
    shard.add("slow", Cold(ready_at=BEGIN, expires_at=BEGIN + timedelta(days=9)))
    shard.store.head_refusals = {"gone": ("404", 404), "slow": ("SlowDown", 503)}
    restoring, given = shard.process(), list[str]()
    async for rows in restoring.ready():
        given += [row.key for row in rows]
        shard.store.head_refusals.pop("slow", None)
    assert given == ["gone", "slow"]
    assert not shard.store.asked


async def test_what_has_its_outcome_is_neither_looked_at_nor_asked_for() -> None:
    """If this fails, a resume looks at millions of versions that are done."""
    shard = Shard()
    shard.add("a", Cold())
    shard.store.head_refusals = {"a": ("AccessDenied", 403)}
    shard.journal.done[0] = Outcome(0, OutcomeKind.COPIED)
    assert await shard.run() == [["a"]], "whoever counts passes it"
    assert not shard.bench.errors
