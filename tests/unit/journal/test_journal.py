"""The journal: durable when it says so, whole again after any cut, honest about damage."""

import asyncio
import errno
import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.errors import ArtifactDamagedError, ForeignRunDirectoryError, RefusedError
from backfill.journal import journal as journals
from backfill.journal.journal import SegmentJournal
from backfill.journal.records import (
    GROUP_MAX,
    INTENTS,
    OUTCOMES,
    decoded_intents,
    decoded_outcomes,
    intent_records,
    kind_of,
    outcome_records,
)
from backfill.model.objects import ETag, VersionId
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.ports import Intent
from tests.doubles.figures import figure

TAILS = figure(ci=1, release=3)
"""Tails that follow each cut: nothing, zeros or rubbish, in turn; the release lane tries all."""

texts = st.text(max_size=80)
versions = st.none() | st.text(max_size=40).map(VersionId)
outcomes = st.builds(
    Outcome,
    number=st.integers(0, 40),
    kind=st.sampled_from(OutcomeKind),
    code=texts,
    detail=texts,
    version_id=versions,
    etag=st.none() | st.text(max_size=40).map(ETag),
    attempts=st.integers(0, 1000),
    bytes_copied=st.integers(0, 2**60),
    checksum=texts,
)
intents = st.builds(
    Intent,
    number=st.integers(0, 40),
    attempt=st.integers(1, 1000),
    seen_version_id=versions,
    source_version_id=versions,
    upload_id=texts,
    upload_digest=texts,
)


async def in_place(call: Callable[[], None]) -> None:
    call()


def opened(directory: Path, *, segment_bytes_max: int = 1 << 20) -> SegmentJournal:
    return SegmentJournal.open(
        directory,
        manifest_digest="m1",
        segment_bytes_max=segment_bytes_max,
        blocking=in_place,
    )


def segment_paths(directory: Path) -> list[Path]:
    return sorted(directory.iterdir())


def copied(number: int, detail: str = "") -> Outcome:
    return Outcome(
        number=number, kind=OutcomeKind.COPIED, detail=detail, version_id=VersionId(f"d{number}")
    )


async def concluded(journal: SegmentJournal, number: int) -> None:
    await journal.conclude(copied(number))


def intent(number: int, attempt: int = 1) -> Intent:
    return Intent(number=number, attempt=attempt, seen_version_id=None)


async def filled(directory: Path, count: int, **kwargs: int) -> None:
    journal = opened(directory, **kwargs)
    for number in range(count):
        await journal.intend(intent(number))
        await journal.conclude(copied(number))
    await journal.close()


@given(st.lists(outcomes, min_size=1, max_size=4))
def test_outcomes_survive_their_encoding(made: list[Outcome]) -> None:
    """If this fails, the report says something else than what happened."""
    (record,) = outcome_records(made)
    assert decoded_outcomes(record) == made
    assert kind_of(record) == OUTCOMES


@given(st.lists(intents, min_size=1, max_size=4))
def test_intents_survive_their_encoding(made: list[Intent]) -> None:
    """If this fails, a resumed run settles against the wrong version."""
    (record,) = intent_records(made)
    assert decoded_intents(record) == made
    assert kind_of(record) == INTENTS


def test_what_a_store_sent_survives_though_it_is_no_utf_8() -> None:
    """If this fails, one odd message of a store stops the journal."""
    odd = copied(1, "an odd \udcff byte")
    (record,) = outcome_records([copied(0), odd])
    assert decoded_outcomes(record) == [copied(0), odd]


@given(st.binary(max_size=60), st.sampled_from([b"", b"\x04\x01\0\0\0", b"\x05\x01\0\0\0"]))
def test_decoding_is_total(data: bytes, head: bytes) -> None:
    """Arbitrary bytes raise ValueError and nothing else, so damage is always named."""
    for decode in (decoded_intents, decoded_outcomes, kind_of):
        try:
            decode(head + data)
        except ValueError:
            continue
        assert decode is kind_of


def test_every_cut_record_is_refused() -> None:
    """A record that lost its end must not be read as a shorter one."""
    (begun,), (ended,) = intent_records([intent(3), intent(4)]), outcome_records([copied(3)])
    for decode, record in ((decoded_intents, begun), (decoded_outcomes, ended)):
        assert decode(record)
        for length in range(len(record)):
            with pytest.raises(ValueError, match=r"cut|another kind|unknown kind"):
                decode(record[:length])


def test_a_record_never_holds_more_than_is_decoded_to_look_at_one() -> None:
    """If this fails, one outcome costs the reading of a whole commit."""
    records = outcome_records([copied(number) for number in range(GROUP_MAX * 2 + 1)])
    assert [len(decoded_outcomes(record)) for record in records] == [GROUP_MAX, GROUP_MAX, 1]


@pytest.mark.parametrize(
    "row", [["1", "copied"], [1, 2, None, None, "", 3], [1, 1, None, None, ""], [None] * 6]
)
def test_an_intent_of_other_cells_is_refused(row: list[object]) -> None:
    """If this fails, a record of another program is taken for our own."""
    record = b"\x04\x01\0\0\0" + json.dumps(row).encode() + b"\n"
    with pytest.raises(ValueError, match=r"no intent|argument"):
        decoded_intents(record)


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize(
    "body", ["", "1", "null", "true", '"x"', "{}", '{"a":1}', "[]", "[1]", "[" * 5000]
)
def test_whatever_is_no_group_is_refused(body: str, count: int) -> None:
    """A frame that is whole around it: if this fails, a resume ends in a traceback."""
    for kind, decode in ((INTENTS, decoded_intents), (OUTCOMES, decoded_outcomes)):
        for lines in (body, f"{body}\n{body}", f"[1]\n{body}"):
            record = struct.pack("<BI", kind, count) + lines.encode() + b"\n"
            with pytest.raises(ValueError, match=r"."):
                decode(record)


async def test_what_was_concluded_is_known_after_a_restart(tmp_path: Path) -> None:
    """If this fails, a resumed run writes again what it wrote before."""
    journal = opened(tmp_path)
    await journal.intend(intent(1))
    await journal.conclude(copied(1))
    await journal.intend(intent(2))
    await journal.intend(intent(2, attempt=2))
    await journal.close()
    again = opened(tmp_path)
    assert again.outcome(1) == copied(1)
    assert again.outcome(2) is None
    assert again.outcome(999) is None
    assert [o.intent.attempt for o in again.open_intents()] == [1, 2]
    await again.close()


async def test_outcomes_come_in_entry_order_across_segments(tmp_path: Path) -> None:
    """If this fails, the outcomes artefact cannot be joined with the manifest."""
    journal = opened(tmp_path, segment_bytes_max=200)
    for number in (5, 0, 3, 1, 4, 2):
        await journal.conclude(copied(number))
    assert [o.number for o in journal.outcomes()] == [0, 1, 2, 3, 4, 5]
    await journal.close()
    again = opened(tmp_path, segment_bytes_max=200)
    assert [o.number for o in again.outcomes()] == [0, 1, 2, 3, 4, 5]
    assert len(segment_paths(tmp_path)) > 1
    await again.close()


async def test_concurrent_callers_share_one_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, every object costs a disk sync of its own."""
    journal = opened(tmp_path)
    syncs: list[int] = []
    real = os.fsync

    def counted(descriptor: int) -> None:
        syncs.append(descriptor)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", counted)
    await asyncio.gather(*(journal.conclude(copied(number)) for number in range(500)))
    assert len(syncs) == 1
    await journal.close()


async def test_nobody_returns_before_the_sync(tmp_path: Path) -> None:
    """If this fails, an outcome is counted that a power cut takes back."""
    release = asyncio.Event()

    async def held(call: Callable[[], None]) -> None:
        await release.wait()
        call()

    journal = SegmentJournal.open(tmp_path, manifest_digest="m1", blocking=held)
    caller = asyncio.ensure_future(journal.conclude(copied(1)))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not caller.done()
    assert journal.outcome(1) is None
    release.set()
    await caller
    assert journal.outcome(1) == copied(1)
    await journal.close()


async def test_a_cancelled_caller_leaves_the_others_whole(tmp_path: Path) -> None:
    """If this fails, one cancelled copy hangs every other copy of the same commit."""
    journal = opened(tmp_path)
    tasks = [asyncio.create_task(concluded(journal, number)) for number in range(4)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results[1:]] == [type(None)] * 3
    assert isinstance(results[0], asyncio.CancelledError)
    await journal.close()


@pytest.mark.parametrize("call", ["fsync", "write"])
async def test_a_disk_that_fails_once_shuts_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """If this fails, a second sync that lies is taken for durability."""
    await filled(tmp_path, 2)
    journal = opened(tmp_path)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        both = await asyncio.gather(
            journal.conclude(copied(7)), journal.conclude(copied(8)), return_exceptions=True
        )
    assert [type(failure) for failure in both] == [RefusedError, RefusedError]
    with pytest.raises(RefusedError, match="No space left") as later:
        await journal.intend(intent(9))
    assert "free some space" in later.value.hint
    await journal.close()
    again = opened(tmp_path)
    assert [o.number for o in again.outcomes()][:2] == [0, 1]
    await again.close()


async def test_a_cut_at_every_byte_of_the_last_commit_loses_only_that_commit(
    tmp_path: Path,
) -> None:
    """DirtyReboot: if this fails, a power cut makes a run directory unusable or untrue."""
    await filled(tmp_path / "whole", 3)
    path = tmp_path / "whole" / "segment-000001"
    before = path.stat().st_size
    journal = opened(tmp_path / "whole")
    await asyncio.gather(*(journal.conclude(copied(n, "last commit")) for n in (7, 8, 9)))
    await journal.close()
    data = path.read_bytes()
    for length in range(before, len(data)):
        tails = (b"", bytes(len(data) - length), b"\xfd" * 7)
        for number in range(TAILS):
            tail = tails[(length + number) % len(tails)]
            cut = tmp_path / "cut"
            cut.mkdir(exist_ok=True)
            (cut / path.name).write_bytes(data[:length] + tail)
            again = opened(cut)
            assert [o.number for o in again.outcomes()] == [0, 1, 2]
            await again.conclude(copied(7))
            await again.close()
            third = opened(cut)
            assert [o.number for o in third.outcomes()] == [0, 1, 2, 7]
            await third.close()


async def test_a_cut_in_a_segment_that_was_just_begun_is_normal(tmp_path: Path) -> None:
    """If this fails, a crash during rotation makes the journal unreadable."""
    await filled(tmp_path, 3)
    first = (tmp_path / "segment-000001").read_bytes()
    for length in range(56):
        for data in (first[:length], bytes(length)):
            (tmp_path / "segment-000002").write_bytes(data)
            again = opened(tmp_path)
            assert len(list(again.outcomes())) == 3
            await again.close()


async def test_any_flipped_bit_before_the_last_commit_is_named(tmp_path: Path) -> None:
    """If this fails, damage in the middle passes for a torn end and outcomes are lost silently."""
    await filled(tmp_path / "whole", 3)
    data = (tmp_path / "whole" / "segment-000001").read_bytes()
    last = data.rfind(b"\xffBJ\xfe")
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for offset in range(last):
        for bit in (1, 0x80):
            flipped = bytearray(data)
            flipped[offset] ^= bit
            (damaged / "segment-000001").write_bytes(flipped)
            with pytest.raises(ArtifactDamagedError, match=r"segment-000001 is damaged at byte"):
                opened(damaged)


async def test_an_older_segment_may_not_even_be_torn(tmp_path: Path) -> None:
    """If this fails, a lost end of an older file is taken for an unfinished commit."""
    await filled(tmp_path, 12, segment_bytes_max=200)
    path = tmp_path / "segment-000001"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArtifactDamagedError, match="segment-000001 is damaged"):
        opened(tmp_path)


async def test_a_missing_segment_is_named(tmp_path: Path) -> None:
    """If this fails, a deleted file silently un-does outcomes."""
    await filled(tmp_path, 12, segment_bytes_max=200)
    (tmp_path / "segment-000002").unlink()
    with pytest.raises(ArtifactDamagedError, match="lacks a segment"):
        opened(tmp_path)


async def test_a_journal_of_another_manifest_is_refused(tmp_path: Path) -> None:
    """If this fails, outcomes of one list of work are credited to another."""
    await filled(tmp_path, 1)
    with pytest.raises(ForeignRunDirectoryError):
        SegmentJournal.open(tmp_path, manifest_digest="m2")


async def test_damage_after_opening_is_found_when_it_is_read(tmp_path: Path) -> None:
    """If this fails, a record altered under a running process reaches the report."""
    await filled(tmp_path, 2)
    journal = opened(tmp_path)
    path = tmp_path / "segment-000001"
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArtifactDamagedError, match="damaged at byte"):
        journal.outcome(1)
    await journal.close()


def test_a_million_entries_stay_below_the_ceiling(tmp_path: Path) -> None:
    """If this fails, memory grows with objects: eight bytes an entry are allowed."""
    journal = opened(tmp_path)
    for number in range(0, 1_000_000, 100_000):
        journal._note_outcomes([number + 99_999], 10)
    assert len(journal._concluded) * journal._concluded.itemsize <= 8_000_000
    journal._files.close()


Step = tuple[str, int]


@settings(deadline=None, max_examples=60)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["intend", "conclude", "reboot", "dirty reboot"]), st.integers(0, 9)
        ),
        max_size=30,
    ),
    data=st.data(),
)
def test_the_journal_equals_a_list_of_records(
    steps: list[Step], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Against a plain model, with clean and dirty reboots: if this fails, resume is not safe."""
    directory = tmp_path_factory.mktemp("journal")
    asyncio.run(_against_model(directory, steps, data))


async def _against_model(directory: Path, steps: list[Step], data: st.DataObject) -> None:
    journal = opened(directory, segment_bytes_max=300)
    done: dict[int, Outcome] = {}
    begun: dict[int, list[Intent]] = {}
    for turn, (step, number) in enumerate(steps):
        if step == "intend" and number not in done:
            begun.setdefault(number, []).append(intent(number, attempt=turn + 1))
            await journal.intend(begun[number][-1])
        elif step == "conclude" and number not in done:
            done[number] = copied(number, str(turn))
            begun.pop(number, None)
            await journal.conclude(done[number])
        elif step.endswith("reboot"):
            await journal.close()
            if step.startswith("dirty"):
                newest = segment_paths(directory)[-1]
                junk = data.draw(st.binary(max_size=12))
                newest.write_bytes(newest.read_bytes() + junk)
            journal = opened(directory, segment_bytes_max=300)
            found = [o.intent for o in journal.open_intents()]
            assert found == [i for key in sorted(begun) for i in begun[key]]
        assert list(journal.outcomes()) == [done[key] for key in sorted(done)]
    await journal.close()


async def test_a_sync_serves_all_who_came_while_the_last_one_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, copies pay for as many syncs as there are rounds of the loop."""
    monkeypatch.setattr(journals, "COMMIT_INTERVAL_S", 0.05)
    journal = opened(tmp_path)
    first = journal.conclude(copied(0))
    await first
    later = []
    for number in range(1, 40):
        later.append(journal.conclude(copied(number)))
        await asyncio.sleep(0)
    assert len(set(map(id, later))) == 1
    assert not later[0].done()
    await later[0]
    assert [o.number for o in journal.outcomes()] == list(range(40))
    await journal.close()


async def test_more_records_than_a_frame_holds_are_several_commits(tmp_path: Path) -> None:
    """If this fails, a burst breaks the bound on what a torn frame can cost, or is lost."""
    journal = opened(tmp_path)
    commits = {id(made): made for made in map(journal.conclude, map(copied, range(10_000)))}
    assert len(commits) == 3
    for durable in commits.values():
        await durable
    await journal.close()
    again = opened(tmp_path)
    assert sum(1 for _ in again.outcomes()) == 10_000
    await again.close()


async def test_nobody_who_waits_can_cancel_a_commit(tmp_path: Path) -> None:
    """If this fails, one cancelled copy takes the proof of durability from all others."""
    journal = opened(tmp_path)
    durable = journal.conclude(copied(1))
    assert not durable.cancel()
    await durable
    await journal.close()


async def test_a_journal_of_another_version_is_refused_by_name(tmp_path: Path) -> None:
    """If this fails, the records of an older program are read as something else, or as damage."""
    await filled(tmp_path, 1)
    path = tmp_path / "segment-000001"
    data = path.read_bytes()
    body = b"backfill jrnl 01" + data[16:52]
    path.write_bytes(body + zlib.crc32(body).to_bytes(4, "little") + data[56:])
    with pytest.raises(ForeignRunDirectoryError, match="another version of backfill"):
        opened(tmp_path)


async def test_outcomes_written_out_of_order_are_read_with_few_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, copies that end out of order make the artefact read the journal over."""
    journal = opened(tmp_path)
    numbers = [block + offset for block in range(0, 4000, 200) for offset in reversed(range(200))]
    for durable in list(map(journal.conclude, map(copied, numbers))):
        await durable
    reads: list[int] = []
    real = os.pread

    def counted(descriptor: int, size: int, offset: int) -> bytes:
        reads.append(offset)
        return real(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", counted)
    assert [outcome.number for outcome in journal.outcomes()] == list(range(4000))
    assert len(reads) <= 2
    await journal.close()
