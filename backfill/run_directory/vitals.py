"""Whether who works on a run directory is alive and at work: what a probe is told.

Never looks at a process or a clock by itself: it judges what was read at a moment that it is given.
Law: nobody is called dead who waits for something that has an end: a request under its time limit,
a stated pause, work on the processor.
"""

from dataclasses import asdict, dataclass
from typing import Final

BEAT_EVERY_S: Final = 5.0
"""Pause between two beats: a probe of 10 s sees one of the last two."""
BEAT_LATE_S: Final = 120.0
"""A beat that is older was missed two dozen times: the machine sleeps, or the process is stopped.
A container that is throttled to a hundredth of a core still beats in time."""
STALL_S: Final = 900.0
"""How long nothing may move without a reason. A write may be silent for 600 s
(`aws.session.Connection`), and what follows it, pauses between attempts, is far less than 300 s."""
REST_MIN_S: Final = 60.0
"""A pause that is shorter needs no statement: `STALL_S` is far longer. So what a run does in the
background every few seconds hides no stall."""
BUSY_SHARE: Final = 0.1
"""Share of one processor from which a process counts as at work between two beats. Who only waits
takes less than a hundredth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What the holder of a run directory wrote of itself.

    Times are of the kernel's boot-time clock, `written_at_s` alone of the wall clock.
    `rests_until_s` is the end of its longest stated pause, 0 for none. `process_started` and
    `pid_namespace` tell a process from a later one with the same number; empty where the kernel
    does not say.
    """

    pid: int
    process_started: str
    pid_namespace: str
    boot_id: str
    written_at_s: float
    beat_s: float
    moved_s: float
    rests_until_s: float
    run_id: str
    is_ending: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """What a probe is told. `is_ready`: a run was begun and is not over or about to end."""

    is_live: bool
    is_ready: bool
    words: str


NOBODY: Final = Vitals(is_live=False, is_ready=False, words="nobody works on this run directory")


def judged(beat: Beat, *, now_s: float, has_gone: bool) -> Vitals:
    """Return what a beat tells at a moment of its own clock.

    `has_gone`: the process is known not to be there any more.
    """
    who = f"process {beat.pid}"
    if has_gone:
        return _dead(f"{who} has gone")
    late_s = now_s - beat.beat_s
    if late_s > BEAT_LATE_S:
        return _dead(f"{who} has given no sign for {late_s:.0f} s")
    still_s = now_s - max(beat.moved_s, beat.rests_until_s)
    if still_s > STALL_S:
        return _dead(f"nothing has moved in {who} for {still_s:.0f} s, and it waits for nothing")
    rest_s = beat.rests_until_s - now_s
    words = f"{who} waits for {rest_s:.0f} s more" if rest_s > 0 else f"{who} is at work"
    if not beat.run_id:
        return Vitals(is_live=True, is_ready=False, words=f"{words}, and has not begun a run yet")
    if beat.is_ending:
        return Vitals(is_live=True, is_ready=False, words=f"{who} was told to stop, and drains")
    return Vitals(is_live=True, is_ready=True, words=words)


def judged_by_lease(
    holder: str, *, age_s: float | None, lease_s: float, is_released: bool, has_begun: bool
) -> Vitals:
    """Return what the lease of a run directory on S3 tells who is on another machine.

    `age_s` is how long ago it was renewed by S3's own clock; None where S3 did not tell. A holder
    renews for as long as it lives, and its own platform sees whether it hangs.
    """
    if is_released:
        return NOBODY
    if age_s is None or age_s > lease_s:
        since = "for a time that S3 does not tell" if age_s is None else f"for {age_s:.0f} s"
        return _dead(f"{holder} has not renewed its lease {since}")
    words = f"{holder} renewed its lease {age_s:.0f} s ago"
    return Vitals(is_live=True, is_ready=has_begun, words=words)


def _dead(words: str) -> Vitals:
    return Vitals(is_live=False, is_ready=False, words=words)


def document_of(beat: Beat) -> dict[str, object]:
    """Return a beat as it is written."""
    return asdict(beat)


def beat_of(document: object) -> Beat | None:
    """Return the beat of a document; None where it is of another version of backfill."""
    if not isinstance(document, dict):
        return None
    try:
        return Beat(
            pid=int(document["pid"]),
            process_started=str(document["process_started"]),
            pid_namespace=str(document["pid_namespace"]),
            boot_id=str(document["boot_id"]),
            written_at_s=float(document["written_at_s"]),
            beat_s=float(document["beat_s"]),
            moved_s=float(document["moved_s"]),
            rests_until_s=float(document["rests_until_s"]),
            run_id=str(document["run_id"]),
            is_ending=document["is_ending"] is True,
        )
    except (KeyError, TypeError, ValueError):
        return None
