"""The pulse of who holds a run directory: dead is who is dead, and nobody else."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from backfill.aws.clock import SystemClock
from backfill.run_directory import pulse as pulses
from backfill.run_directory.pulse import PULSE_FILE, Pulse, vitals_of
from backfill.run_directory.vitals import (
    BEAT_LATE_S,
    BUSY_SHARE,
    NOBODY,
    REST_MIN_S,
    STALL_S,
    Beat,
    beat_of,
    document_of,
    judged,
    judged_by_lease,
)

NOW_S = 10_000.0
BEAT = Beat(
    pid=7,
    process_started="123",
    pid_namespace="pid:[1]",
    boot_id="boot",
    written_at_s=1_700_000_000.0,
    beat_s=NOW_S - 5,
    moved_s=NOW_S - 5,
    rests_until_s=0.0,
    run_id="run",
    is_ending=False,
)


@pytest.mark.parametrize(
    ("beat", "has_gone", "is_live", "is_ready"),
    [
        (BEAT, False, True, True),
        (BEAT, True, False, False),
        (replace(BEAT, run_id=""), False, True, False),
        (replace(BEAT, is_ending=True), False, True, False),
        (replace(BEAT, beat_s=NOW_S - BEAT_LATE_S), False, True, True),
        (replace(BEAT, beat_s=NOW_S - BEAT_LATE_S - 1), False, False, False),
        (replace(BEAT, moved_s=NOW_S - STALL_S), False, True, True),
        (replace(BEAT, moved_s=NOW_S - STALL_S - 1), False, False, False),
        (replace(BEAT, moved_s=0.0, rests_until_s=NOW_S + 40_000), False, True, True),
        (replace(BEAT, moved_s=0.0, rests_until_s=NOW_S - STALL_S + 1), False, True, True),
        (replace(BEAT, moved_s=0.0, rests_until_s=NOW_S - STALL_S - 1), False, False, False),
        (replace(BEAT, moved_s=0.0, run_id=""), False, False, False),
    ],
    ids=[
        *("at-work", "gone", "not-begun", "draining", "late", "silent", "still", "stuck"),
        *("waits-for-hours", "back-from-a-wait", "stuck-after-a-wait", "stuck-early"),
    ],
)
def test_dead_is_who_is_dead_and_nobody_who_waits(
    beat: Beat, *, has_gone: bool, is_live: bool, is_ready: bool
) -> None:
    """If this fails, a platform kills a run that waits for a restore, or keeps one that hangs."""
    found = judged(beat, now_s=NOW_S, has_gone=has_gone)
    assert (found.is_live, found.is_ready) == (is_live, is_ready)
    assert "process 7" in found.words


@pytest.mark.parametrize(
    ("age_s", "is_released", "has_begun", "is_live", "is_ready"),
    [
        (5.0, False, True, True, True),
        (5.0, False, False, True, False),
        (60.0, False, True, True, True),
        (61.0, False, True, False, False),
        (None, False, True, False, False),
        (5.0, True, True, False, False),
    ],
)
def test_from_another_machine_the_lease_tells(
    age_s: float | None, *, is_released: bool, has_begun: bool, is_live: bool, is_ready: bool
) -> None:
    """If this fails, who watches jobs from outside takes a dead one for alive."""
    found = judged_by_lease(
        "process 1 on pod",
        age_s=age_s,
        lease_s=60.0,
        is_released=is_released,
        has_begun=has_begun,
    )
    assert (found.is_live, found.is_ready) == (is_live, is_ready)


class Hand:
    """Moves what a pulse looks at."""

    def __init__(self, root: Path) -> None:
        self.count, self.out, self.rest_s = 0.0, 0.0, 0.0
        self.pulse = Pulse(root, rest_left_s=lambda: self.rest_s)
        self.pulse.watch(lambda: self.count, under_way=lambda: self.out)
        self.pulse.look(0.0, cpu_s=0.0)

    def moved_at(self, now_s: float, *, cpu_s: float = 0.0) -> float:
        """Look once, and return when something moved last."""
        self.pulse.look(now_s, cpu_s=cpu_s)
        return self.pulse.beat().moved_s


def test_what_counts_moves_and_nothing_else(tmp_path: Path) -> None:
    """If this fails, a stuck process looks alive, or one that computes or waits looks stuck."""
    hand = Hand(tmp_path)
    assert hand.moved_at(5.0) == 0.0
    hand.count = 1
    assert hand.moved_at(10.0) == 10.0
    assert hand.moved_at(15.0) == 10.0
    hand.out = 1
    assert hand.moved_at(20.0) == 20.0
    assert hand.moved_at(25.0) == 25.0
    hand.out = 0
    assert hand.moved_at(30.0, cpu_s=5 * BUSY_SHARE * 0.9) == 25.0
    assert hand.moved_at(35.0, cpu_s=5 * BUSY_SHARE * 2) == 35.0


@pytest.mark.parametrize(("rest_s", "is_told"), [(REST_MIN_S - 1, False), (REST_MIN_S, True)])
def test_only_a_long_pause_is_a_statement(tmp_path: Path, rest_s: float, *, is_told: bool) -> None:
    """If this fails, what a run does in the background every few seconds hides that it is stuck."""
    hand = Hand(tmp_path)
    hand.rest_s = rest_s
    assert bool(hand.pulse.beat().rests_until_s) == is_told


async def test_the_clock_tells_how_long_the_longest_pause_goes_on() -> None:
    """If this fails, a run that looks at a restore twice an hour is called dead."""
    clock = SystemClock()
    assert clock.rest_left_s() == 0.0
    rests = [asyncio.create_task(clock.sleep(duration_s)) for duration_s in (90.0, 7_200.0)]
    await asyncio.sleep(0)
    assert 7_000.0 < clock.rest_left_s() <= 7_200.0
    rests[1].cancel()
    await asyncio.wait(rests[1:])
    assert 0.0 < clock.rest_left_s() <= 90.0
    rests[0].cancel()
    await asyncio.wait(rests)
    assert clock.rest_left_s() == 0.0


def test_a_pulse_is_there_while_its_holder_is(tmp_path: Path) -> None:
    """If this fails, a probe finds nobody while a run works, or somebody after it is over."""
    clock = SystemClock()
    assert vitals_of(tmp_path) == NOBODY
    pulse = Pulse(tmp_path, rest_left_s=clock.rest_left_s)
    with pulse.beating():
        found = vitals_of(tmp_path)
        assert (found.is_live, found.is_ready) == (True, False)
    assert vitals_of(tmp_path) == NOBODY
    assert not list(tmp_path.iterdir())


def test_the_thread_beats_while_a_stage_computes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a stage that sorts for minutes without a pause is killed as dead."""
    monkeypatch.setattr(pulses, "BEAT_EVERY_S", 0.001)
    pulse = Pulse(tmp_path, rest_left_s=lambda: 0.0)
    with pulse.beating():
        first = (tmp_path / PULSE_FILE).read_bytes()
        while (tmp_path / PULSE_FILE).read_bytes() == first:
            pass


HOLDER = """
import sys
from pathlib import Path
from backfill.run_directory.pulse import Pulse
pulse = Pulse(Path(sys.argv[1]), rest_left_s=lambda: 0.0)
pulse.begin("run")
with pulse.beating():
    print("beats", flush=True)
    sys.stdin.read()
"""


def test_a_killed_holder_is_seen_at_once(tmp_path: Path) -> None:
    """If this fails, a probe calls a run ready for minutes after it was killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "beats\n"
        assert vitals_of(tmp_path).is_ready
        os.kill(process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        told = vitals_of(tmp_path)  # a zombie: it has ended, nobody took its code yet
        assert not told.is_live
        assert told.words == f"process {process.pid} has gone"
    assert not vitals_of(tmp_path).is_live


@pytest.mark.parametrize(
    "written",
    [b"", b"{", b"[]", b"{}", b'{"pid": "x"}', b"\xff" * 10, b"1" * 5000],
    ids=["empty", "torn", "list", "bare", "text", "bytes", "long"],
)
def test_a_pulse_that_cannot_be_read_is_nobodys(tmp_path: Path, written: bytes) -> None:
    """If this fails, a torn file breaks the probe with a traceback, or passes for life."""
    (tmp_path / PULSE_FILE).write_bytes(written)
    assert vitals_of(tmp_path) == NOBODY


def test_a_beat_is_read_as_it_was_written_and_of_another_boot_by_the_wall_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a volume that moved to another machine shows a dead run as alive."""
    assert beat_of(document_of(BEAT)) == BEAT
    pulse = Pulse(tmp_path, rest_left_s=lambda: 0.0)
    with pulse.beating():
        path = tmp_path / PULSE_FILE
        monkeypatch.setattr(pulses, "_boot_id", lambda: "another")
        assert vitals_of(tmp_path).is_live
        long_ago = replace(pulse.beat(), boot_id="before", written_at_s=1_000.0)
        path.write_text(json.dumps(document_of(long_ago)))
        assert "has given no sign" in vitals_of(tmp_path).words
