"""P5 and P16: holders of a run directory on S3 that die at every await, with or without their disk.

At each round of opening, renewing, publishing and giving back, and at each of taking over from who
died. CI takes all of them for first holders whose disk is lost and whose requests arrive late, and
every so many otherwise.
"""

import tempfile
from collections import Counter
from pathlib import Path

import pytest

from tests.doubles.figures import Row, Tried, figure
from tests.simulation.held_runs import Disk, Ending, World

ROUNDS_MAX = 5_000
EVERY = figure(ci=7, release=1)
MIDST = 110
"""A round at which the first holder has promised something, and more is on its disk only."""
_MEMORY = Path("/dev/shm")  # noqa: S108 - a tmpfs, where a sync costs nothing


def endings(every: int, *, disk: Disk, arrives_later: bool, is_second: bool) -> Counter[Ending]:
    """Let holders die at every so many rounds until one outlives it, and judge what they left.

    `is_second`: they take over from one who died.
    """
    met, broken = Counter[Ending](), []
    for moment in range(1, ROUNDS_MAX, every):
        with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
            world = World(Path(folder), disk=disk, arrives_later=arrives_later)
            try:
                assert not is_second or world.live(MIDST) is Ending.DIED
                ending = world.live(moment)
                if ending is not Ending.DONE:
                    world.finish()
                met[ending] += 1
                broken += [f"at {moment}: {found}" for found in world.broken()]
            finally:
                world.close()
        if ending is Ending.DONE:
            assert broken == []
            return met
    raise AssertionError("it never comes to its end")


@pytest.mark.parametrize(
    ("is_second", "disk", "arrives_later", "every"),
    [
        (False, Disk.LOST, True, 1),
        (False, Disk.LOST, False, EVERY),
        (False, Disk.KEPT, True, EVERY),
        (False, Disk.KEPT, False, EVERY),
        (True, Disk.LOST, True, EVERY),
        (True, Disk.KEPT, False, EVERY),
        (True, Disk.SWAPPED, True, EVERY),
        (True, Disk.SWAPPED, False, EVERY),
    ],
)
def test_a_holder_that_dies_at_any_await_leaves_a_whole_run_directory(
    tried: Tried, every: int, *, disk: Disk, is_second: bool, arrives_later: bool
) -> None:
    """If this fails, a container that dies at one moment costs what was promised to be kept."""
    met = endings(every, disk=disk, arrives_later=arrives_later, is_second=is_second)
    assert met[Ending.DIED] > 150 / every
    tried(Row.CRASH_POINTS, met[Ending.DIED])
