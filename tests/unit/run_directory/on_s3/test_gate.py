"""The gate before writes: shut while the lease is not fresh, for every process of the holder."""

import asyncio
import os
from pathlib import Path

import pytest

from backfill.aws.calls import AnyCall, Call, Calls
from backfill.aws.gated_calls import GatedCalls
from backfill.errors import LeaseLostError, RefusedError
from backfill.run_directory.on_s3.folder import write_marker
from backfill.run_directory.on_s3.gate import GATE_FILE, KEPT_WITHIN_S, joined_gate, made_gate
from backfill.run_directory.on_s3.mending import MARKER_FILE, Marker
from backfill.this_machine import held, joined, machine

URL = "s3://b/p"


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


async def test_a_gate_is_open_for_as_long_as_was_said_and_not_longer(tmp_path: Path) -> None:
    """If this fails, a holder that fell silent goes on writing."""
    clock = Clock()
    gate = made_gate(tmp_path, url=URL, now_s=clock)
    assert not gate.is_open
    gate.open_until(130.0)
    for now_s, is_open in ((100.0, True), (129.9, True), (130.0, False), (1e6, False)):
        clock.now_s = now_s
        assert gate.is_open is is_open
    waiting = asyncio.create_task(gate.admit())
    await asyncio.sleep(0.1)
    assert not waiting.done()
    gate.open_until(2e6)
    await waiting
    gate.shut_for_good()
    gate.open_until(3e6)
    with pytest.raises(LeaseLostError, match="was lost"):
        await gate.admit()
    gate.close()


def test_a_copy_process_has_the_gate_of_its_holder_and_of_no_other(tmp_path: Path) -> None:
    """If this fails, copy processes write on when their holder lost the lease."""
    assert joined_gate(tmp_path) is None, "a local directory has none"
    first = made_gate(tmp_path, url=URL)
    joined = joined_gate(tmp_path)
    assert joined is not None
    first.open_until(1e9)
    assert (first.is_open, joined.is_open) == (True, True)
    second = made_gate(tmp_path, url=URL)
    second.open_until(2e9)
    first.shut_for_good()
    assert (joined.is_open, second.is_open) == (False, True)
    for gate in (first, joined, second):
        gate.close()


async def test_who_waits_for_what_it_wrote_learns_of_a_publishing_that_began_later(
    tmp_path: Path,
) -> None:
    """If this fails, S3 bills a restore that the next container knows nothing of."""
    clock = Clock()
    gate = made_gate(tmp_path, url=URL, now_s=clock)
    gate.note_kept(99.0)
    assert [gate.is_keeping_wanted] == [False]
    waiting = asyncio.create_task(gate.kept())
    await asyncio.sleep(0.1)
    assert [gate.is_keeping_wanted] == [True]
    gate.note_kept(99.9)
    await asyncio.sleep(0.1)
    assert not waiting.done(), "it was looked at before the write"
    gate.note_kept(100.1)
    await waiting
    assert [gate.is_keeping_wanted] == [False]
    clock.now_s = 101.0
    late = asyncio.create_task(gate.kept())
    await asyncio.sleep(0.1)
    clock.now_s += KEPT_WITHIN_S + 1
    with pytest.raises(RefusedError, match="has not got to"):
        await late
    gate.shut_for_good()
    with pytest.raises(LeaseLostError):
        await gate.kept()
    gate.close()


def test_only_who_joined_a_holder_has_its_gate(tmp_path: Path) -> None:
    """If this fails, a local run waits without a word at a gate that nobody opens any more."""
    made_gate(tmp_path, url=URL).close()
    here = machine(tmp_path)
    assert here.gate is None
    with held(here) as holder:
        assert holder.gate is None
        assert holder.lock is not None
        with joined(here, os.dup(holder.lock)) as copier:
            assert copier.gate is not None
            copier.gate.close()
            (tmp_path / GATE_FILE).unlink()
        with joined(here, os.dup(holder.lock)) as copier:
            assert copier.gate is None


@pytest.mark.parametrize("is_sound", [True, False])
def test_a_working_copy_is_not_held_as_a_local_run_directory(
    tmp_path: Path, *, is_sound: bool
) -> None:
    """If this fails, a run goes on beside the one on S3, which knows nothing of it (exit 10)."""
    write_marker(tmp_path, Marker(url=URL, fence=1, nonce="n", place="p", is_whole=True))
    if not is_sound:
        (tmp_path / MARKER_FILE).write_bytes(b"{")
    with pytest.raises(RefusedError, match="working copy") as caught, held(machine(tmp_path)):
        pass
    assert (URL in caught.value.hint) is is_sound


class Counted(Calls):
    """Calls that only count."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(self, call: AnyCall, parse: object) -> None:  # type: ignore[override] # no answer
        assert parse is not None
        self.sent.append(call.operation)


@pytest.mark.parametrize(
    ("operation", "is_write"),
    [
        ("CopyObject", True),
        ("UploadPartCopy", True),
        ("CompleteMultipartUpload", True),
        ("AbortMultipartUpload", True),
        ("DeleteObject", True),
        ("PutObject", True),
        ("CreateJob", True),
        ("HeadObject", False),
        ("ListObjectVersions", False),
    ],
)
async def test_writes_pass_the_gate_and_reads_do_not(
    tmp_path: Path, operation: str, *, is_write: bool
) -> None:
    """If this fails, a zombie writes, or a look waits for a lease."""
    gate, inner = made_gate(tmp_path, url=URL), Counted()
    gate.shut_for_good()
    calls = GatedCalls(inner, gate)
    call = Call(operation=operation, region="us-east-1", parameters={})
    if is_write:
        with pytest.raises(LeaseLostError):
            await calls.send(call, str)
    else:
        await calls.send(call, str)
    assert inner.sent == ([] if is_write else [operation])
    gate.close()
