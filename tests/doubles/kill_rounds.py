"""The frame of every round of kills: start the command, kill it at its moment, start it again.

    told = killed_rounds(command, words, by_request(killer, random), kills=5)

A moment follows from a seed and from what the command has done so far: a request that it sent, or
bytes that its journal holds. Never sleeps for as long as a kill may take, never looks at a result.
Law: only who died by our SIGKILL is counted, and the last one comes to its end unharmed.
"""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Protocol

from tests.doubles.command import TIMEOUT_S, Command, Ended, Started
from tests.doubles.killer import Killer, Moment, any_moment

PROCESSES_A_KILL = 5
"""Some processes end before their moment comes; it must not take for ever."""
LOOK_EVERY_S = 0.005
"""Between looks at a journal: it grows every 20 ms, and a look goes through the run directory."""
COPIER_KILLED = 128 + signal.SIGKILL
"""How a holder ends whose copy process was killed."""

Aim = Callable[[Started, bool], AbstractContextManager[str]]
"""Within it, who was started is killed, at the moment that it tells. True: the last one was over
before its moment."""
Then = Callable[[], object]


class Moments(Protocol):
    """Draws a moment; `is_early`: one that is sure to come."""

    def __call__(self, random: Random, *, is_early: bool) -> Moment: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Killing:
    """The kills of a chain, and how the last process, which nobody killed, ended."""

    kills: int
    last: Ended


def killed_rounds(
    command: Command,
    words: Sequence[str],
    aim: Aim,
    *,
    kills: int,
    after_each: Then = lambda: None,
    last_code: int | None = 0,
) -> Killing:
    """Kill a command again and again, then let the same command come to its end.

    `after_each` kill something may be lost beside the process.
    """
    told: list[tuple[int, str]] = []
    died = 0
    while died < kills:
        assert len(told) < PROCESSES_A_KILL * kills, told
        started = command.start(*words)
        with aim(started, bool(told) and told[-1][0] == 0) as when:
            ended = started.end()
        assert ended.code in (0, -signal.SIGKILL, COPIER_KILLED), f"{told} {when}: {ended}"
        told.append((ended.code, when))
        if ended.code:
            died += 1
            after_each()
    return Killing(kills=died, last=command.run(*words, code=last_code))


def by_request(
    killer: Killer,
    random: Random,
    *,
    victim: Callable[[int], int] = lambda holder: holder,
    moments: Moments = any_moment,
) -> Aim:
    """Kill at a request of the process, from within the sandbox that it asks.

    `victim` gives the process to kill for the holder's.
    """

    @contextmanager
    def aim(started: Started, is_early: bool) -> Iterator[str]:
        moment = moments(random, is_early=is_early)
        killer.aim(lambda: victim(started.child.pid), moment)
        try:
            yield str(moment)
        finally:
            killer.rest()

    return aim


def by_journal(random: Random, folder: Path, *, bytes_max: int) -> Aim:
    """Kill when the process has written so much more to its journals than it found.

    `folder` is the run directory, or one in which its working copy will be.
    """

    @contextmanager
    def aim(started: Started, is_early: bool) -> Iterator[str]:
        by_bytes = 1 if is_early else random.randint(1, bytes_max)
        found: int | None = None
        deadline_s = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline_s and not started.has_ended():
            size = journal_bytes(folder)
            found = size if found is None else found
            if size - found >= by_bytes:
                started.send(signal.SIGKILL)
                break
            time.sleep(LOOK_EVERY_S)
        yield f"after {by_bytes} bytes"

    return aim


def journal_bytes(folder: Path) -> int:
    """Return how much the journals of a run directory hold, or of all below a folder."""
    total = 0
    for path in folder.glob("**/journal/*/segment-*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue  # it is being replaced
    return total
