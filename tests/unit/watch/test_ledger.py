"""What stands of all that events said, in whatever order and however often they came."""

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backfill.errors import ArtifactDamagedError, ForeignRunDirectoryError
from backfill.model.objects import VersionId
from backfill.watch.ledger import UNREAD_BODIES_MAX, Ledger
from backfill.watch.ledger_words import Finding, UnreadMessage
from backfill.watch.notices import Notice, Word, moment_of

NOW = datetime(2026, 11, 23, 3, 30, tzinfo=UTC)


def notice(
    key: str = "a",
    word: Word = Word.FAILED,
    minute: int = 0,
    *,
    reason: str = "DstPutObjectNotPermitted",
    rule: str = "everything",
) -> Notice:
    return Notice(
        word=word,
        key=key,
        version_id=VersionId("v1"),
        destination_bucket="replicas",
        moment=moment_of(NOW + timedelta(minutes=minute)),
        rule_id=rule,
        operation="OBJECT_PUT",
        reason=reason if word is Word.FAILED else "",
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(tmp_path / "ledger", bucket="photos", now=NOW)
    yield opened
    opened.close()


def standing(notices: Iterable[Notice]) -> dict[str, Word]:
    """What should stand for each key, by a rule in words of its own."""
    found: dict[str, Word] = {}
    ordered = sorted(notices, key=lambda n: n.key)
    for key, mine in groupby(ordered, key=lambda n: n.key):
        newest: dict[Word, str] = {}
        for one in mine:
            newest[one.word] = max(one.moment, newest.get(one.word, ""))
        arrived = newest.pop(Word.ARRIVED_LATE, "")
        if newest.get(Word.FAILED, "") >= (arrived or "\0"):
            found[key] = Word.FAILED
            continue
        newest.pop(Word.FAILED, None)
        alive = {word: moment for word, moment in newest.items() if moment > arrived}
        if alive:
            found[key] = max(alive, key=lambda word: (alive[word], word is Word.LATE))
    return found


WORDS = st.builds(
    notice, key=st.sampled_from("abc"), word=st.sampled_from(Word), minute=st.integers(0, 4)
)


@given(notices=st.lists(WORDS, max_size=12), seed=st.integers(0, 99))
def test_order_and_repetition_change_nothing(notices: list[Notice], seed: int) -> None:
    """If this fails, SQS decides by its order which versions are repaired."""
    repeated = [*notices, *notices]
    Random(seed).shuffle(repeated)
    ledger = Ledger.open(Path(":memory:"), bucket="photos", now=NOW)
    for one in repeated:
        ledger.note([one])
    found = {tally.key: tally.word for tally in ledger.unsettled(100)}
    assert found == standing(notices)
    assert {one.key for one in ledger.failures()} == {
        key for key, word in found.items() if word is Word.FAILED
    }
    assert ledger.note(repeated).words == 0
    ledger.close()


def test_repeated_notes_are_not_new(ledger: Ledger) -> None:
    """If this fails, a message that comes twice is counted as two failures."""
    assert ledger.note([notice("a"), notice("b")]).words == 2
    assert ledger.note([notice("b"), notice("a")]).words == 0
    assert ledger.note([notice("a", minute=1, reason="AssumeRoleNotPermitted")]).words == 1
    assert [(n.key, n.reason) for n in ledger.failures()] == [
        ("a", "AssumeRoleNotPermitted"),
        ("b", "DstPutObjectNotPermitted"),
    ]


@pytest.mark.parametrize("key", ["a\0b", "\U0010ffff", "x" * 1024, "'; DROP TABLE told; --", "\n"])
def test_hostile_keys_are_kept_as_they_are(ledger: Ledger, key: str) -> None:
    """If this fails, a key ends a statement, or another version is repaired."""
    ledger.note([notice(key)])
    assert [n.key for n in ledger.failures()] == [key]


def test_failures_come_in_the_order_of_s3(ledger: Ledger) -> None:
    """If this fails, rows of one key do not stand together in the manifest."""
    keys = ["b", "a", "\uffff", "\U00010000", "a/", "a\0"]
    ledger.note(map(notice, keys))
    assert [n.key for n in ledger.failures()] == sorted(keys)


def test_a_finding_settles_what_it_was_looked_for_and_no_later_failure(ledger: Ledger) -> None:
    """If this fails, a version that fails again after a mend is taken for delivered."""
    ledger.note([notice("a"), notice("b"), notice("c", Word.LATE)])
    looked = ledger.unsettled(10)
    ledger.settle([(looked[0], Finding.ARRIVED), (looked[2], Finding.GONE)], looked)
    assert [n.key for n in ledger.unsettled(10)] == ["b"]
    ledger.note([notice("a", minute=1)])
    assert [n.key for n in ledger.failures()] == ["a", "b"]


def test_every_version_has_its_turn_of_being_looked_at(ledger: Ledger) -> None:
    """If this fails, the same thousand versions are looked at for ever, and no other."""
    ledger.note(map(notice, "abcd"))
    first = ledger.unsettled(2)
    ledger.settle([], first)
    assert {n.key for n in [*first, *ledger.unsettled(2)]} == set("abcd")


def test_tallies_are_by_rule_destination_and_reason(ledger: Ledger) -> None:
    """If this fails, a person is told of the wrong rule or cause."""
    ledger.note([notice("a"), notice("b"), notice("c", reason="DstBucketNotFound", rule="other")])
    ledger.note([notice("d", Word.LATE), notice("e", Word.NOT_TRACKED)])
    assert {(t.word, t.rule_id, t.reason, t.versions) for t in ledger.tallies()} == {
        (Word.FAILED, "everything", "DstPutObjectNotPermitted", 2),
        (Word.FAILED, "other", "DstBucketNotFound", 1),
        (Word.LATE, "everything", "", 1),
        (Word.NOT_TRACKED, "everything", "", 1),
    }
    assert ledger.has_failed_since("other", "replicas", NOW)
    assert not ledger.has_failed_since("other", "replicas", NOW + timedelta(minutes=1))


def test_messages_that_cannot_be_read_are_kept_once(ledger: Ledger) -> None:
    """If this fails, the same odd message is counted each time that it comes back."""
    odd = [UnreadMessage("{", "it is no JSON"), UnreadMessage("\ud800", "it is no JSON")]
    assert ledger.note([], odd).unread == 2
    assert ledger.note([], odd).unread == 0
    assert ledger.unread() == {"it is no JSON": 2}


def test_of_endlessly_many_odd_messages_the_first_are_kept(tmp_path: Path) -> None:
    """If this fails, somebody else's queue fills the disk."""
    ledger = Ledger.open(tmp_path / "ledger", bucket="photos", now=NOW)
    ledger.note([], (UnreadMessage(str(n), "odd") for n in range(UNREAD_BODIES_MAX + 5)))
    ledger.close()
    database = sqlite3.connect(tmp_path / "ledger")
    kept = database.execute("SELECT COUNT(*), COUNT(body) FROM unread").fetchone()
    database.close()
    assert kept == (UNREAD_BODIES_MAX + 5, UNREAD_BODIES_MAX)


def test_what_is_noted_outlives_the_process_or_is_not_there_at_all(tmp_path: Path) -> None:
    """If this fails, a crash loses a failed version whose message is gone, or half a message."""
    path = tmp_path / "ledger"
    ledger = Ledger.open(path, bucket="photos", now=NOW)

    def breaking() -> Iterator[Notice]:
        yield notice("half")
        raise KeyboardInterrupt

    ledger.note([notice("whole")])
    with pytest.raises(KeyboardInterrupt):
        ledger.note(breaking())
    copy = tmp_path / "copy"
    copy.write_bytes(path.read_bytes())  # as a kill leaves it: nothing was closed
    ledger.close()
    again = Ledger.open(copy, bucket="photos", now=NOW)
    assert [n.key for n in again.failures()] == ["whole"]
    again.close()


def test_what_is_settled_is_forgotten_and_what_stands_is_not(tmp_path: Path) -> None:
    """If this fails, the ledger grows for ever, or forgets a version that still fails."""
    path = tmp_path / "ledger"
    ledger = Ledger.open(path, bucket="photos", now=NOW)
    ledger.note([notice("stands"), notice("settled"), notice("settled", Word.ARRIVED_LATE, 1)])
    ledger.close()
    later = Ledger.open(path, bucket="photos", now=NOW + timedelta(days=16))
    assert [n.key for n in later.failures()] == ["stands"]
    later.note([notice("settled")])
    assert [n.key for n in later.failures()] == ["settled", "stands"]
    later.close()


def test_a_ledger_is_one_buckets(tmp_path: Path) -> None:
    """If this fails, versions of one bucket are repaired in another."""
    Ledger.open(tmp_path / "ledger", bucket="photos", now=NOW).close()
    with pytest.raises(ForeignRunDirectoryError):
        Ledger.open(tmp_path / "ledger", bucket="music", now=NOW)


def test_a_damaged_ledger_is_said_so(tmp_path: Path) -> None:
    """If this fails, a file that is no ledger ends in a traceback."""
    (tmp_path / "ledger").write_bytes(b"no database" * 100)
    with pytest.raises(ArtifactDamagedError):
        Ledger.open(tmp_path / "ledger", bucket="photos", now=NOW)
