"""A run directory on S3 at work: held, published, lost, mended, damaged."""

import asyncio
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest

from backfill import this_machine
from backfill.aws.clock import SystemClock
from backfill.errors import (
    ArtifactDamagedError,
    Disposition,
    LeaseHeldError,
    LeaseLostError,
    RefusedError,
    StoreFault,
)
from backfill.journal.journal import SegmentJournal
from backfill.model.outcome import Outcome, OutcomeKind
from backfill.ports import Event
from backfill.run_directory.on_s3 import held as holds
from backfill.run_directory.on_s3 import keeper as keeps
from backfill.run_directory.on_s3.background import Background
from backfill.run_directory.on_s3.copy import CopiedArtifacts, Copy
from backfill.run_directory.on_s3.directory import S3RunDirectory
from backfill.run_directory.on_s3.gate import joined_gate
from backfill.run_directory.on_s3.head import Head, decoded_head, encoded_head
from backfill.run_directory.on_s3.held import Held
from backfill.run_directory.on_s3.keeper import Holder
from backfill.run_directory.on_s3.lease import taken_head
from backfill.run_directory.on_s3.location import S3Location
from backfill.run_directory.on_s3.mending import MARKER_FILE, decoded_marker
from backfill.run_directory.on_s3.mirror import Mirror
from backfill.run_directory.on_s3.standing import Stamp
from backfill.run_directory.pulse import PULSE_FILE, Pulse, vitals_of
from backfill.run_directory.vitals import NOBODY, document_of
from backfill.this_machine import machine
from tests.doubles.memory_run_store import Hook, MemoryRunStore, fault, no_faults
from tests.doubles.waiting import wait_until

LOCATION = S3Location(bucket="runs", prefix="of/me")
HEAD = "of/me/head.json"
LONG_S = 600.0
"""A lease that no test outlives: whatever happens, happens for another reason."""
_NUMBERS = count(1)


@dataclass
class Place:
    """A bucket, a disk, and what was told."""

    store: MemoryRunStore
    scratch: Path
    told: list[Event] = field(default_factory=list)

    @contextmanager
    def opened(self, *, lease_s: float = LONG_S) -> Iterator[S3RunDirectory]:
        with Background() as background:
            directory = S3RunDirectory(
                background,
                self.store,
                LOCATION,
                scratch=self.scratch,
                clock=SystemClock(),
                holder=Holder(
                    nonce=f"nonce {next(_NUMBERS)}", words="process 7 on host", lease_s=lease_s
                ),
            )
            directory.listen(self.told.append)
            yield directory

    @contextmanager
    def held(self, *, lease_s: float = LONG_S) -> Iterator[Held]:
        with self.opened(lease_s=lease_s) as directory, directory.held() as held:
            yield held

    @contextmanager
    def looked_at(self) -> Iterator[Copy]:
        with self.opened() as directory, directory.reading() as copy:
            yield copy

    @property
    def head(self) -> Head:
        return decoded_head(self.store.objects[HEAD], HEAD)

    @property
    def copy(self) -> Path:
        return self.scratch / LOCATION.working_copy_name

    def lose_the_disk(self) -> None:
        shutil.rmtree(self.scratch)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(store=MemoryRunStore(), scratch=tmp_path / "scratch")


def write_rows(held: Held, name: str, rows: int) -> None:
    with held.artifacts.writer(name, columns=("n",), inputs={}) as writer:
        writer.write_rows([(number,) for number in range(rows)])
        writer.commit({})


def rows_of(copy: Copy, name: str) -> list[int]:
    return [int(str(row[0])) for row in CopiedArtifacts(copy).rows(name)]


class Killed(Exception):  # noqa: N818 - no error: an end
    """How a process ends that puts nothing up any more."""


def dead(operation: str, key: str) -> None:
    raise fault(operation, key, 0, Disposition.FAIL)


@contextmanager
def dies_in(place: Place, *, lease_s: float = LONG_S) -> Iterator[Held]:
    """Hold, and die at the end: nothing is put up then, and the lease stays."""
    try:
        with place.held(lease_s=lease_s) as held:
            yield held
            place.store.hook = dead
            raise Killed
    finally:
        place.store.hook = no_faults


def fill(place: Place, *, rows: int = 3) -> None:
    with place.held() as held:
        held.artifacts.write_document("run.json", b"{}")
        write_rows(held, "plan", rows)


def test_what_was_written_is_there_without_the_disk(place: Place) -> None:
    """If this fails, a run directory on S3 is none."""
    fill(place)
    assert (place.head.fence, place.head.is_released) == (1, True)
    place.lose_the_disk()
    with place.looked_at() as copy:
        assert CopiedArtifacts(copy).read_document("run.json") == b"{}"
        assert rows_of(copy, "plan") == [0, 1, 2]
    assert list(place.scratch.iterdir()) == [], "who looks leaves nothing behind"
    assert place.head.fence == 1
    with place.held() as held:
        assert place.head.fence == 2
        assert not place.head.is_released
        assert rows_of(held.copy, "plan") == [0, 1, 2]


def test_segments_come_when_they_are_first_read_and_once(place: Place) -> None:
    """If this fails, a run of a billion versions is fetched to say how far it is."""
    fill(place)
    place.lose_the_disk()
    place.store.asked.clear()
    with place.held() as held:
        segment = place.store.key_of(".jsonl.gz")
        assert ("GetObject", segment) not in place.store.asked
        rows_of(held.copy, "plan")
        rows_of(held.copy, "plan")
        assert place.store.asked.count(("GetObject", segment)) == 1
    assert segment in place.store.objects
    with place.looked_at() as copy:
        assert rows_of(copy, "plan") == [0, 1, 2]


def test_what_was_not_read_stays_in_the_catalogue_and_what_was_replaced_goes(place: Place) -> None:
    """If this fails, a file that nobody needed today is lost for tomorrow."""
    fill(place)
    with place.held() as held:
        write_rows(held, "outcomes/00", 1)
    place.lose_the_disk()
    with place.held() as held:
        write_rows(held, "plan", 5)
    with place.looked_at() as copy:
        assert rows_of(copy, "plan") == [0, 1, 2, 3, 4]
        assert rows_of(copy, "outcomes/00") == [0]


def test_nothing_is_put_twice_and_nothing_is_deleted(place: Place) -> None:
    """If this fails, each start of a container pays for all files again."""
    fill(place)
    before = dict(place.store.objects)
    place.store.asked.clear()
    with place.held():
        pass
    assert {op for op, _ in place.store.asked} <= {"Probe", "GetHead", "PutHead", "GetObject"}
    assert before.keys() == place.store.objects.keys()


async def test_an_index_that_is_replaced_on_its_way_up_goes_up_with_its_segments(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a disk that is lost at the wrong moment leaves an index without its rows."""
    put = Mirror._put
    replaced: list[str] = []
    fill(place)
    place.lose_the_disk()

    with place.held() as held:

        async def put_late(self: Mirror, name: str, stamp: Stamp) -> int:
            if name == "plan/index.json" and not replaced:
                replaced.append(name)
                write_rows(held, "plan", 7)
            return await put(self, name, stamp)

        monkeypatch.setattr(Mirror, "_put", put_late)
        await held.flush()
        with place.looked_at() as copy:
            assert rows_of(copy, "plan") == list(range(7))
    assert replaced


def outcome(number: int) -> Outcome:
    return Outcome(number, OutcomeKind.COPIED, "", "", None, None, 1, 1, "")


def opened_journal(held: Held) -> SegmentJournal:
    held.copy.bring("journal/manifest-00")
    folder = held.copy.root / "journal" / "manifest-00"
    return SegmentJournal.open(folder, manifest_digest="m", segment_bytes_max=600)


async def test_a_journal_goes_up_with_its_tail_and_goes_on(place: Place) -> None:
    """If this fails, outcomes of a container that was told to go are forgotten."""
    for begin in (0, 11, 22):
        with place.held() as held:
            assert held.copy.has("journal/manifest-00") is bool(begin)
            journal = opened_journal(held)
            assert [one.number for one in journal.outcomes()] == list(range(begin))
            for number in range(begin, begin + 10):
                await journal.conclude(outcome(number))
            await held.flush()
            await journal.conclude(outcome(begin + 10))
            await journal.close()
        place.lose_the_disk()


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for what another thread does every now and then."""
    for _ in range(600):
        if is_so():
            return
        await asyncio.sleep(0.05)
    raise TimeoutError("it did not come")


async def write_and_die(place: Place) -> None:
    with dies_in(place, lease_s=1.0) as held:
        journal = opened_journal(held)
        for number in range(30):
            await journal.conclude(outcome(number))
        await journal.close()
        sealed = len(list((held.copy.root / "journal" / "manifest-00").iterdir())) - 1
        assert sealed > 1
        await until(lambda: sum("/journal/" in key for key in place.store.objects) == sealed)
        await until(lambda: place.head.catalogue is not None)


async def test_a_journal_of_a_dead_holder_goes_on_from_its_sealed_segments(place: Place) -> None:
    """If this fails, a lost disk costs more than the segment that was not sealed."""
    with pytest.raises(Killed):
        await write_and_die(place)
    place.lose_the_disk()
    place.store.age_s = 1e6
    with place.held() as held:
        journal = opened_journal(held)
        found = [one.number for one in journal.outcomes()]
        journal.release()
    assert 0 < len(found) < 30
    assert found == list(range(len(found)))


def test_the_last_holders_own_disk_is_ahead_and_needs_no_waiting(place: Place) -> None:
    """If this fails, a restart on the same disk waits for a lease, or forgets its last minutes."""
    with pytest.raises(Killed), dies_in(place) as held:
        write_rows(held, "plan", 3)
    assert not place.head.is_released
    assert place.head.catalogue is None
    with place.held() as held:
        assert place.head.fence == 2
        assert rows_of(held.copy, "plan") == [0, 1, 2]
    place.lose_the_disk()
    with place.looked_at() as copy:
        assert rows_of(copy, "plan") == [0, 1, 2]


def test_a_copy_of_the_last_holders_disk_is_not_taken_for_it(place: Place) -> None:
    """If this fails, two machines cloned from one disk hold one run directory."""
    with pytest.raises(Killed), dies_in(place, lease_s=1.0):
        pass
    aside = place.scratch / "aside"
    shutil.copytree(place.copy, aside)
    shutil.rmtree(place.copy)
    aside.rename(place.copy)
    with place.held():
        assert [e.name for e in place.told if e.name == "run.lease_awaited"]


def test_an_older_copy_is_mended_by_what_others_wrote_since(place: Place, tmp_path: Path) -> None:
    """If this fails, a machine that comes back goes on from what it knew last week."""
    fill(place)
    other = Place(store=place.store, scratch=tmp_path / "other")
    with other.held() as held:
        write_rows(held, "plan", 7)
        held.artifacts.write_document("scene.json", b"newer")
    stray = place.copy / "journal" / "manifest-00" / "segment-000009"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"of another past")
    with place.held() as held:
        assert not stray.exists()
        assert held.artifacts.read_document("scene.json") == b"newer"
        assert len(rows_of(held.copy, "plan")) == 7


def test_half_a_download_is_mended(place: Place) -> None:
    """If this fails, a container that died while it fetched leaves a copy that lacks files."""
    fill(place)
    place.lose_the_disk()
    met: list[str] = []

    def break_at_the_second(operation: str, key: str) -> None:
        if operation == "GetObject" and not key.endswith("catalogue.json"):
            met.append(key)
        if len(met) == 2:
            dead(operation, key)

    place.store.hook = break_at_the_second
    with pytest.raises(StoreFault), place.held():
        pass
    place.store.hook = no_faults
    left = decoded_marker((place.copy / MARKER_FILE).read_bytes())
    assert left is not None
    assert not left.is_whole
    place.store.age_s = 1e6
    with place.held() as held:
        assert held.artifacts.read_document("run.json") == b"{}"
        assert rows_of(held.copy, "plan") == [0, 1, 2]


@pytest.mark.parametrize("ending", ["run.json", "plan/index.json", ".jsonl.gz", "catalogue.json"])
@pytest.mark.parametrize("how", ["missing", "altered", "cut", "longer"])
def test_a_damaged_object_is_named_and_nothing_is_made_of_it(
    place: Place, ending: str, how: str
) -> None:
    """If this fails, half of what a run knew passes for all of it (exit 20)."""
    fill(place)
    place.lose_the_disk()
    key = place.store.key_of(ending) if ending != "catalogue.json" else newest_catalogue(place)
    data = place.store.objects.pop(key)
    changed = {"altered": b"#" + data[1:], "cut": data[:-1], "longer": data + b"#"}
    if how != "missing":
        place.store.objects[key] = changed[how]
    with pytest.raises(ArtifactDamagedError) as caught, place.held() as held:
        rows_of(held.copy, "plan")
    assert f"s3://runs/{key}" in caught.value.message
    assert caught.value.hint
    place.store.objects[key] = data
    with place.held() as held:
        assert rows_of(held.copy, "plan") == [0, 1, 2]


def newest_catalogue(place: Place) -> str:
    ref = place.head.catalogue
    assert ref is not None
    return f"of/me/{ref.fence:08d}/{ref.sha256[:20]}/catalogue.json"


@pytest.mark.parametrize("data", [b"", b"{}", b"garbage", b"\xff\x00"])
def test_a_head_that_is_none_is_refused(place: Place, data: bytes) -> None:
    """If this fails, a damaged head is taken for an empty run directory."""
    place.store.objects[HEAD] = data or b" "
    with pytest.raises(ArtifactDamagedError, match=r"s3://runs/of/me/head\.json"), place.held():
        pass


def test_a_store_without_conditions_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """If this fails, two runs write over each other's heads (exit 10)."""
    place = Place(store=MemoryRunStore(obeys=False), scratch=tmp_path / "scratch")
    with pytest.raises(RefusedError, match="ignores the conditions"), place.held():
        pass
    assert not place.store.objects


def test_a_living_holder_is_left_alone(place: Place, tmp_path: Path) -> None:
    """If this fails, a scheduler's second container doubles the work (exit 11)."""
    other = Place(store=place.store, scratch=tmp_path / "other")
    with place.held(lease_s=1.0) as held:
        with pytest.raises(LeaseHeldError, match="in use by process 7"), other.held(lease_s=1.0):
            pass
        assert held.failure is None
    with pytest.raises(LeaseHeldError, match="in use by process"), place.held(), place.held():
        pass


@pytest.mark.parametrize("is_copier", [True, False])
async def test_who_waits_for_what_it_wrote_has_it_on_s3_soon(
    place: Place, monkeypatch: pytest.MonkeyPatch, *, is_copier: bool
) -> None:
    """If this fails, a lost disk takes the record of what S3 was asked to restore."""
    monkeypatch.setattr(holds, "STEP_PAUSE_S", LONG_S)
    with place.held() as held:
        gate = joined_gate(held.copy.root) if is_copier else held.gate
        assert gate is not None
        for data in (b"one", b"two"):
            held.artifacts.write_document("restores/00-00.json", data)
            await asyncio.wait_for(gate.kept(), 30)
            with place.looked_at() as copy:
                assert CopiedArtifacts(copy).read_document("restores/00-00.json") == data


async def test_nobody_is_told_that_what_could_not_be_written_is_kept(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a restore is asked for while the run directory cannot be written."""
    monkeypatch.setattr(holds, "STEP_PAUSE_S", 0.1)
    with place.held() as held:
        held.artifacts.write_document("run.json", b"{}")
        place.store.hook = dead
        waiting = asyncio.create_task(held.gate.kept())
        await until(lambda: any(e.name == "run.directory_unkept" for e in place.told))
        assert not waiting.done()
        place.store.hook = no_faults
        await asyncio.wait_for(waiting, 30)
        assert place.head.catalogue is not None


def test_who_can_keep_nothing_for_long_stops_writing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a run works for days while the head is renewed and nothing else gets there."""
    monkeypatch.setattr(holds, "GIVEN_UP_AFTER_LEASES", 1)

    def files_are_not_taken(operation: str, key: str) -> None:
        if operation == "PutObject":
            raise fault(operation, f"SlowDown of {key}", 503, Disposition.RETRY)

    with pytest.raises(RefusedError, match="ends with SlowDown") as caught:
        hold_and(place, lambda held: work_until_lost(place, held, files_are_not_taken))
    assert "bucket policy" in caught.value.hint


def work_until_lost(place: Place, held: Held, hook: Hook) -> None:
    ended = threading.Event()
    held.on_failure(ended.set)
    held.artifacts.write_document("run.json", b"{}")
    place.store.hook = hook
    assert ended.wait(30)
    assert not held.gate.is_open


@pytest.mark.parametrize("refused", ["PutObject", "PutHead"])
@pytest.mark.parametrize(
    ("code", "status", "disposition"),
    [
        ("AccessDenied", 403, Disposition.FAIL),
        ("NoSuchBucket", 404, Disposition.STOP),
        ("ExpiredToken", 400, Disposition.STOP),
    ],
)
def test_who_is_refused_stops_at_once(
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    refused: str,
    code: str,
    status: int,
    disposition: Disposition,
) -> None:
    """If this fails, a run whose bucket denies it works on, and keeps nothing of it."""
    monkeypatch.setattr(holds, "GIVEN_UP_AFTER_LEASES", 1_000_000)
    monkeypatch.setattr(keeps, "GIVEN_UP_AFTER_LEASES", 1_000_000)

    def refuse(operation: str, key: str) -> None:
        if operation == refused:
            raise fault(f"{operation} {key}", code, status, disposition)

    with pytest.raises(StoreFault) as caught:
        hold_and(place, lambda held: work_until_lost(place, held, refuse))
    assert caught.value.code == code


def overtake(place: Place) -> None:
    head = taken_head(place.head, nonce="thief", holder="process 8 on moon", lease_s=LONG_S)
    place.store.objects[HEAD] = encoded_head(head)


def names(place: Place, file: str) -> bool:
    """Return whether the catalogue that the head refers to names a file."""
    ref, objects = place.head.catalogue, dict(place.store.objects)
    return ref is not None and any(
        file.encode() in data
        for key, data in objects.items()
        if key.endswith("/catalogue.json") and sha256(data).hexdigest() == ref.sha256
    )


def test_who_was_overtaken_is_told_and_writes_nothing_any_more(place: Place) -> None:
    """If this fails, a zombie goes on copying (exit 11)."""
    told = threading.Event()
    kept: dict[str, bytes] = {}

    def work(held: Held) -> None:
        held.on_failure(told.set)
        held.artifacts.write_document("run.json", b"{}")
        # Else it might be on its way when a renewal meets the thief, and arrive after the look.
        wait_until(lambda: names(place, "run.json"), "the document is kept")
        overtake(place)
        assert told.wait(30)
        assert not held.gate.is_open
        kept.update(place.store.objects)
        held.artifacts.write_document("run.json", b"of a zombie")

    with pytest.raises(LeaseLostError, match="lost to process 8 on moon"):
        hold_and(place, work)
    assert place.store.objects == kept


def hold_and(place: Place, work: Callable[[Held], object]) -> None:
    with place.held(lease_s=1.0) as held:
        work(held)


async def test_the_gate_refuses_a_write_of_who_was_overtaken(place: Place) -> None:
    """If this fails, a write passes although the lease is another's."""

    async def work() -> None:
        with place.held(lease_s=1.0) as held:
            await held.gate.admit()
            held.artifacts.write_document("run.json", b"{}")
            overtake(place)
            with pytest.raises(LeaseLostError):
                await held.flush()
            await held.gate.admit()
            pytest.fail("the gate let a write pass")

    with pytest.raises(LeaseLostError):
        await work()


def test_a_working_copy_that_loses_files_is_not_published(place: Place) -> None:
    """If this fails, a cleaner of temporary folders empties the run directory on S3 (exit 10)."""
    fill(place)
    kept = place.head.catalogue
    with pytest.raises(RefusedError, match="lost files while it was in use"), place.held() as held:
        (held.copy.root / "plan" / "index.json").unlink()
    assert place.head.catalogue == kept
    with place.held() as held:
        assert rows_of(held.copy, "plan") == [0, 1, 2]


def test_a_working_copy_that_is_gone_is_not_published(place: Place) -> None:
    """If this fails, a lost disk takes what is on S3 with it."""
    fill(place)
    kept = place.head.catalogue
    with pytest.raises(RefusedError, match="lost files"), place.held() as held:
        shutil.rmtree(held.copy.root)
    assert place.head.catalogue == kept


def test_a_folder_that_others_can_write_is_refused(place: Place) -> None:
    """If this fails, another user of the machine chooses what this run believes."""
    place.copy.mkdir(parents=True, mode=0o700)
    place.copy.chmod(0o770)
    with pytest.raises(RefusedError, match="of this user alone"), place.held():
        pass
    place.copy.rmdir()
    place.copy.symlink_to(place.scratch)
    with pytest.raises(RefusedError, match="of this user alone"), place.held():
        pass


def test_what_ended_the_work_is_told_although_nothing_can_be_put_up(place: Place) -> None:
    """If this fails, the reason of a failure is hidden behind its consequences."""
    with pytest.raises(Killed), dies_in(place) as held:
        held.artifacts.write_document("run.json", b"{}")


def test_an_end_that_cannot_be_kept_is_no_success(place: Place) -> None:
    """If this fails, a run says that it is done, and its results are lost with the container."""

    def work(held: Held) -> None:
        held.artifacts.write_document("run.json", b"{}")
        place.store.hook = dead

    with pytest.raises(StoreFault):
        hold_and(place, work)


class SlowAtTheEnd(MemoryRunStore):
    """Puts nothing up before the head has moved on, or never."""

    def __init__(self, *, moves_on: bool) -> None:
        super().__init__()
        self.is_slow = False
        self._moves_on = moves_on

    async def put_bytes(self, key: str, data: bytes) -> None:
        if self.is_slow:
            if not self._moves_on:
                await asyncio.Event().wait()
            before = self.objects[HEAD]
            await until(lambda: self.objects[HEAD] != before)
        await super().put_bytes(key, data)


def test_the_lease_is_renewed_while_the_last_files_go_up(tmp_path: Path) -> None:
    """If this fails, a contender takes a run that is finished, and its end is void (exit 11)."""
    store = SlowAtTheEnd(moves_on=True)
    place = Place(store=store, scratch=tmp_path / "scratch")
    with place.held(lease_s=1.0) as held:
        held.artifacts.write_document("run.json", b"{}")
        store.is_slow = True
    assert place.head.is_released
    assert place.head.catalogue is not None


def test_a_last_flush_that_takes_for_ever_ends_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a run whose end cannot be kept ends in a traceback."""
    monkeypatch.setattr(holds, "LAST_FLUSH_S", 0.2)
    store = SlowAtTheEnd(moves_on=False)
    place = Place(store=store, scratch=tmp_path / "scratch")

    def work(held: Held) -> None:
        held.artifacts.write_document("run.json", b"{}")
        store.is_slow = True

    with pytest.raises(RefusedError, match="did not get there within") as caught:
        hold_and(place, work)
    assert "the same command goes on" in caught.value.hint


def test_a_probe_sees_who_waits_and_mends_and_not_who_died_there(place: Place) -> None:
    """If this fails, a restarted container is ready before it works, and is killed as it mends."""
    fill(place)
    dead_one = Pulse(place.copy, rest_left_s=lambda: 0.0)
    dead_one.begin("run")
    silent = replace(dead_one.beat(), pid_namespace="pid:[1]", beat_s=0.0, moved_s=0.0)
    (place.copy / PULSE_FILE).write_text(json.dumps(document_of(silent)))
    found: dict[str, set[tuple[bool, bool]]] = {}

    def probe(operation: str, key: str) -> None:
        assert key
        if operation == "GetObject":
            assert directory.waited_for, "a pulse calls nobody stuck who waits for S3"
        vitals = vitals_of(place.copy)
        found.setdefault(operation, set()).add((vitals.is_live, vitals.is_ready))

    with place.opened() as directory:
        assert directory.waited_for == 0
        place.store.hook = probe
        here = replace(machine(directory.root), on_s3=directory)
        with this_machine.held(here) as holder:
            holder.artifacts.write_document("run.json", b"{1}")
    assert found.keys() >= {"GetHead", "PutHead", "GetObject", "PutObject"}
    assert set().union(*found.values()) == {(True, False)}
    assert vitals_of(place.copy) == NOBODY


@pytest.mark.parametrize("lost", ["before", "after"])
def test_an_answer_to_a_head_that_was_lost_is_settled_by_reading(place: Place, lost: str) -> None:
    """If this fails, a holder takes its own write for another's, and leaves."""
    put = place.store.write_head
    losing = [True]

    async def write_head(key: str, data: bytes, *, replaces: object) -> object:
        is_lost = losing and losing.pop()
        if is_lost and lost == "before":
            raise fault("PutObject", "ReadTimeoutError", 0, Disposition.SETTLE)
        etag = await put(key, data, replaces=replaces)  # type: ignore[arg-type] # as given
        if is_lost:
            raise fault("PutObject", "ReadTimeoutError", 0, Disposition.SETTLE)
        return etag

    place.store.write_head = write_head  # type: ignore[method-assign,assignment] # a fault of one
    with place.held() as held:
        assert held.gate.is_open
        losing.append(True)
        held.artifacts.write_document("run.json", b"{}")
    assert (place.head.fence, place.head.is_released) == (1, True)
    assert place.head.catalogue is not None
