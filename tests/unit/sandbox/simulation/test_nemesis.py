"""The nemesis: which faults it draws for which requests."""

from random import Random

import pytest

from backfill.sandbox.simulation.nemesis import (
    CALM,
    HEAVY,
    LEVELS,
    WRITES,
    Fault,
    Level,
    Nemesis,
)

DRAWS = 4000


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_a_level_strikes_as_often_as_it_says(level: Level) -> None:
    """If this fails, "heavy" histories are calm, and prove nothing."""
    nemesis = Nemesis(Random(1), level)
    struck = sum(nemesis.strike("CopyObject") is not None for _ in range(DRAWS))
    assert struck / DRAWS == pytest.approx(level.rate, abs=0.03)


@pytest.mark.parametrize("operation", sorted(WRITES))
def test_writes_meet_every_kind_that_fits_them(operation: str) -> None:
    """If this fails, a kind of fault is never tried on this operation."""
    nemesis = Nemesis(Random(2), HEAVY)
    for _ in range(DRAWS):
        nemesis.strike(operation)
    conditional = {Fault.CONFLICT, Fault.DUPLICATE}
    is_conditional = operation in {"CopyObject", "CompleteMultipartUpload", "DeleteObject"}
    assert set(nemesis.struck) == set(Fault) - (set() if is_conditional else conditional)


def test_reads_are_never_ambiguous() -> None:
    """If this fails, a read is said to have changed something."""
    nemesis = Nemesis(Random(3), HEAVY)
    faults = {nemesis.strike("HeadObject") for _ in range(DRAWS)} - {None}
    assert faults == {Fault.THROTTLE, Fault.ERROR_BEFORE, Fault.LOST_BEFORE, Fault.DELAY}


def test_an_unconditional_write_is_not_delivered_twice() -> None:
    """If this fails, histories contain doubles that no client of S3 could prevent."""
    nemesis = Nemesis(Random(4), HEAVY)
    drawn = {nemesis.strike("DeleteObject", is_conditional=False) for _ in range(DRAWS)}
    assert not drawn & {Fault.DUPLICATE, Fault.CONFLICT}


def test_it_rests_when_told_to() -> None:
    """If this fails, no run can show that it ends once faults stop."""
    nemesis = Nemesis(Random(5), HEAVY)
    nemesis.stop()
    assert all(nemesis.strike("CopyObject") is None for _ in range(100))
    assert Nemesis(Random(5), CALM).strike("CopyObject") is None
