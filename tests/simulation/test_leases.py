"""Thousands of histories of the lease of a run directory on S3."""

from collections import Counter
from pathlib import Path

import pytest

from tests.doubles.figures import Row, Tried, figure, first_seed
from tests.simulation.leases import BrokenLawError, lease_history

CHUNKS = figure(ci=4, release=64)
HISTORIES = -(-figure(ci=304, release=200_000) // CHUNKS)
"""In chunks, so that several processes share them; rounded up, as any share of them must do."""
MET = ("acts", "refused", "released", "lost", "killed", "stopped", "unpublished")


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_two_holders_never_both_act_and_the_catalogue_never_goes_backwards(
    chunk: int, tmp_path: Path, tried: Tried
) -> None:
    """If this fails, two containers write to one destination, or forget what was known."""
    counts, broken = Counter[str](), []
    begin = first_seed() + chunk * HISTORIES
    for seed in range(begin, begin + HISTORIES):
        folder = tmp_path / str(seed)
        folder.mkdir()
        try:
            counts += lease_history(seed, folder)
        except BrokenLawError as law:
            broken.append(f"lease_history({seed}, folder): {law}")
    assert broken == []
    # All that can happen did happen, or the histories prove little.
    assert [what for what in MET if counts[what] <= HISTORIES / 50] == []
    tried(Row.LEASE_HISTORIES, HISTORIES)
